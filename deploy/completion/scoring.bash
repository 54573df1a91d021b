# shellcheck shell=bash
# Completion of scoring(8). Commands and options come from the program's own --help,
# so that they fit the installed version.

# _scoring_help PROGRAM [COMMAND...]: prints the help, or nothing
_scoring_help() {
    local program=${1/#\~\//$HOME/}
    shift
    "$program" "$@" --help </dev/null 2>/dev/null
}

# _scoring_choices HELP: prints the commands of a group, from its usage "a|b ..."
_scoring_choices() {
    sed -nE '1s/^usage: scoring [a-z-]+ ([a-z|]*\|[a-z|]*).*/\1/p' <<<"$1" | tr '|' '\n'
}

_scoring() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local -a words=("$1") path=()
    local help choices i

    COMPREPLY=()
    if [ "$previous" = --config ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    # words: those before the cursor, without --config FILE.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        if [ "${COMP_WORDS[i]}" = --config ] && [ "$i" -lt "$COMP_CWORD" ]; then
            i=$((i + 1))
        else
            words+=("${COMP_WORDS[i]}")
        fi
    done
    path=("${words[1]}")
    if [ "${#words[@]}" -eq 2 ]; then
        help=$(_scoring_help "$1" | sed -nE '/^Settings/q; s/^  ([a-z-]+) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$help" -- "$current")
        return
    fi
    help=$(_scoring_help "$1" "${path[@]}")
    choices=$(_scoring_choices "$help")
    if [ -n "$choices" ] && [ "${#words[@]}" -gt 3 ]; then
        path+=("${words[2]}")
        help=$(_scoring_help "$1" "${path[@]}")
        choices=
    fi
    if [ "$previous" = --get ] || [ "$previous" = --shell ]; then
        choices=$(_scoring_help "$1" | sed -nE '1,/^Settings/d; s/^  ([A-Z_]+) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
        return
    fi
    if [ "$previous" = = ] || grep -qE -- "^  $previous [A-Z]" <<<"$help"; then
        return # the value of an option
    fi
    case $current in
    -*) choices=$(grep -oE '^  --[a-z-]+' <<<"$help")$'\n--config\n--help' ;;
    *)
        if [[ ${help%%$'\n'*} =~ (FILE|SOCKET) ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}

complete -F _scoring scoring

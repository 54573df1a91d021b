#!/usr/bin/env bash
# Completes command lines as bash does: every command of the program's help, every
# option of the commands, files, and nothing else.
#
#   tests/completion.sh BINARY
set -uo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-completion.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

. tests/support/counts.sh

# complete_line WORD...: sets offered to what bash would offer for the last word, sorted
complete_line() {
    COMP_WORDS=("$binary" "$@")
    COMP_CWORD=$#
    _scoring "$binary" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    [ "${#COMPREPLY[@]}" -lt 2 ] ||
        mapfile -t COMPREPLY < <(printf '%s\n' "${COMPREPLY[@]}" | sort)
    offered=${COMPREPLY[*]}
}

# expect WANT WORD...
expect() {
    local offered
    complete_line "${@:2}"
    check "scoring ${*:2}" equal "$offered" "$1"
}

# options_of COMMAND...: prints all options that its help mentions
options_of() {
    {
        "$binary" "$@" --help | grep -oE -- '--[a-z-]+'
        printf '%s\n' --config --help
    } | sort -u | paste -sd' '
}

. deploy/completion/scoring.bash
mkdir "$work/folder"
touch "$work/folder/one.jsonl" "$work/folder/one.sock" "$work/folder/with space"

mapfile -t commands < <("$binary" --help | sed -nE '/^Settings/q; s/^  ([a-z-]+) .*/\1/p')
expect "$(printf '%s\n' "${commands[@]}" | sort | paste -sd' ')" ''
for command in "${commands[@]}"; do
    expect "$command" "$command"
    [[ $command == --* ]] || [[ $command =~ ^(interests|accounts|model)$ ]] ||
        expect "$(options_of "$command")" "$command" --
done
for command in import export get set delete; do
    expect "$(options_of interests "$command")" interests "$command" --
done

for command in check show diff; do
    expect "$(options_of model "$command")" model "$command" --
done
for command in check new list; do
    expect "$(options_of accounts "$command")" accounts "$command" --
done

expect 'check-config' ch
expect '--config --help --version' --
expect '' nonsense
expect '' nonsense ''
expect 'delete export get import set' interests ''
expect 'check list new' accounts ''
expect 'check diff show' model ''
expect "$work/folder/one.jsonl" model diff published "$work/folder/one.j"
expect "$work/folder/one.jsonl" accounts check "$work/folder/one.j"
expect '' accounts new ''
expect "$work/folder/one.sock" token --config "$work/folder/one.s"
expect "$work/folder/one.sock" --config "$work/folder/one.s"
expect 'check-config' --config x ch
expect 'list' --config x accounts l
expect 'list' accounts --config x l
expect 'export' interests e
expect 'delete' interests d
expect '' interests delete ''
expect '--timeout' interests get --t
expect '--dry-run' interests import --d
expect '' interests export --d
expect '' interests import --timeout ''
expect '' interests import --timeout = ''
expect '' token --login ''
expect '--account --admin' token --login x --a
expect '--account' token --login x --ac
expect '' token ''
expect "$work/folder/one.jsonl $work/folder/one.sock" interests import "$work/folder/one"
expect "$work/folder/one.jsonl" interests export --timeout 5 "$work/folder/one.j"
expect "$work/folder/with space" interests import "$work/folder/w"
expect "$work/folder/one.sock" healthcheck "$work/folder/one.s"
expect '' check-config ''
expect 'REDIS_PASSWORD' check-config --get REDIS_P
expect 'TLS_CERTIFICATE TLS_HSTS_S TLS_KEY TRUSTED_PROXIES TZ' check-config --get T
expect 'REDIS_PASSWORD' check-config --shell REDIS_P
expect '' check-config --get X
expect '' check-config --default ''

# In a shell that has just been started.
ln -s "$binary" "$work/scoring"
got=$(PATH=$work:$PATH bash --noprofile --norc -c '
    . deploy/completion/scoring.bash
    complete -p scoring' 2>&1)
check 'a shell that has just been started' equal "$got" 'complete -F _scoring scoring'

counts

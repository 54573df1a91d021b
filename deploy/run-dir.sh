# shellcheck shell=bash
# Sourced by run.sh: checks and locks RUN_DIR. It must be new, empty, or marked by
# an earlier run. Any other folder is refused and left unchanged (S26.1). Needs
# fail(), and run_dir. Sets run_dir_is_new, if nobody else has used the folder.

run_mark=.scoring-run

run_dir_refuse() {
    fail "RUN_DIR: $run_dir: $*"
}

# Makes run_dir absolute, and resolves links, so that errors name the real folder.
run_dir_resolve() {
    case $run_dir in /*) ;; *) run_dir=$PWD/$run_dir ;; esac
    while [[ $run_dir == */ && $run_dir != / ]]; do
        run_dir=${run_dir%/}
    done
    [ -e "$run_dir" ] || [ ! -L "$run_dir" ] || run_dir_refuse 'is a link to nothing'
    run_dir=$(realpath -m -- "$run_dir")
}

is_marked() {
    local mark=$run_dir/$run_mark
    [ -f "$mark" ] && [ ! -L "$mark" ] && [ -O "$mark" ]
}

# Works only if the folder is readable.
is_empty() {
    local entries
    shopt -s dotglob nullglob
    entries=("$run_dir"/*)
    shopt -u dotglob nullglob
    [ ${#entries[@]} -eq 0 ]
}

# Whether an earlier version, which made no mark, has made the folder: it has
# nginx's configuration, a lock, and no other files than such a version makes.
is_older_run() (
    [ "$(stat -c %a -- "$run_dir")" = 700 ] || return 1
    [ -f "$run_dir/lock" ] && [ ! -s "$run_dir/lock" ] || return 1
    grep -qs '^pid .*/nginx/nginx\.pid;$' "$run_dir/nginx/nginx.conf" || return 1
    shopt -s dotglob nullglob
    for entry in "$run_dir"/*; do
        [ ! -L "$entry" ] || return 1
        case ${entry##*/} in
        lock | nginx | redis | web | scoring.sock | metrics.sock) ;;
        *) return 1 ;;
        esac
    done
)

# Takes an empty folder, if it is still empty when only this user may write to it.
take_empty() {
    local mode
    mode=$(stat -c %a -- "$run_dir")
    chmod 700 -- "$run_dir" 2>/dev/null || run_dir_refuse 'cannot be written'
    is_empty && return
    ! is_marked || return 0 # another run was faster
    chmod "$mode" -- "$run_dir"
    run_dir_refuse 'somebody else puts files there'
}

take_older_run() {
    flock -n "$run_dir/lock" true || run_dir_refuse 'another stack runs there'
    rm -f -- "$run_dir/lock"
}

# Makes the folder, if it does not exist yet; fails if somebody else was faster.
make_new() {
    local parent=${run_dir%/*}/
    [ ! -e "$run_dir" ] || return
    [ -d "$parent" ] || mkdir -p -- "$parent" 2>/dev/null || run_dir_refuse 'cannot be made'
    mkdir -m 700 -- "$run_dir" 2>/dev/null && run_dir_is_new=yes ||
        [ -d "$run_dir" ] || run_dir_refuse 'cannot be made'
    [ -n "$run_dir_is_new" ]
}

# Takes a folder that exists.
take_old() {
    [ -d "$run_dir" ] || run_dir_refuse 'is not a folder'
    [ -O "$run_dir" ] || run_dir_refuse 'belongs to another user'
    [ -r "$run_dir" ] && [ -w "$run_dir" ] && [ -x "$run_dir" ] ||
        run_dir_refuse 'cannot be written'
    if is_empty; then
        take_empty
    elif is_older_run; then
        take_older_run
    elif ! is_marked; then
        run_dir_refuse "holds files that make run has not made: give it a new folder, or an empty one"
    fi
}

# The mark is also the lock, because another run may be at the same point.
mark() {
    set -C
    { printf 'Made by make run, which may replace what is here.\n' >"$run_dir/$run_mark"; } \
        2>/dev/null || run_dir_is_new=
    set +C
    is_marked && exec 9<"$run_dir/$run_mark" || run_dir_refuse 'cannot be written'
    flock -n 9 || run_dir_refuse 'another stack runs there'
}

run_dir_take() {
    run_dir_is_new=
    make_new || take_old
    mark
    [ -n "$run_dir_is_new" ] || chmod 700 -- "$run_dir"
}

#!/usr/bin/env bash
# Runs the examples of README.md, docs/operations.md and docs/api.md, letter by letter:
# every ```sh block, in order and in one shell. If a ```json block follows, it must be
# the output.
#
#   tests/readme.sh            in a copy of this checkout. The stack of `make run` stays
#                              up for the following blocks; `make check`, of which this
#                              is a step, is not run
#   tests/readme.sh compose    only the blocks of "Docker compose", in this folder
#
# The last line is "N passed, N failed", or with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

mode=${1:-run}
documents=(README.md docs/operations.md docs/api.md)
section='## Docker compose'
port=8080 # of the examples
metrics_port=8081
ready_s=120

passed=0 failed=0 stack=
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-readme.XXXXXX") || exit 1

# Writes NN.sh and NN.json: the blocks of "Docker compose", or all others.
cut_blocks() {
    awk -v out="$work" -v section="$section" -v mode="$mode" '
        /^```/ && is_open { is_open = 0; next }
        /^```/ {
            is_open = 1
            kind = substr($0, 4)
            if (kind == "sh")
                n++
            file = sprintf("%s/%02d.%s", out, n, kind)
            wanted = (kind == "sh" || kind == "json") && is_inside == (mode == "compose")
            next
        }
        is_open { if (wanted) print >file; next }
        /^#/ { is_inside = $0 == section }' "${documents[@]}"
}

# run_stack COMMAND: starts `make run`, and waits until it is ready
run_stack() {
    local end=$((SECONDS + ready_s))
    bash -c "exec $1" >"$work/stack.log" 2>&1 </dev/null &
    stack=$!
    until grep -q "^ready: http://127.0.0.1:$port\$" "$work/stack.log"; do
        if ! kill -0 "$stack" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
            cat "$work/stack.log"
            return 1
        fi
        sleep 0.1
    done
}

clean_up() {
    trap '' INT TERM HUP
    if [ -n "$stack" ]; then
        kill -TERM "$stack" 2>/dev/null
        wait "$stack" 2>/dev/null
    fi
    rm -rf "$work"
}

# run_block FILE: runs it in this shell, because later blocks use its variables
run_block() {
    local line
    if ! grep -q '^make ' "$1"; then
        eval "$(cat "$1")"
        return
    fi
    while IFS= read -r line; do
        case $line in
        'make run'*) run_stack "$line" ;;
        'make check'*) make -n check >/dev/null ;;
        *) eval "$line" ;;
        esac || return 1
    done <"$1"
}

try_block() {
    local block=$1 wanted=${1%.sh}.json status=0
    run_block "$block" >"$work/out" 2>"$work/err" </dev/null || status=$?
    if [ "$status" -eq 0 ] &&
        { [ ! -f "$wanted" ] || [ "$(cat "$work/out")" = "$(cat "$wanted")" ]; }; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAILED with %d:\n' "$status"
    sed 's/^/    /' "$block"
    [ ! -f "$wanted" ] || sed 's/^/wanted: /' "$wanted"
    sed 's/^/output: /' "$work/out" "$work/err"
}

trap clean_up EXIT
trap 'exit 1' INT TERM HUP
for used in "$port" "$metrics_port"; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$used") 2>/dev/null; then
        printf 'skipped: the README speaks of port %d, which is in use\n' "$used"
        printf '0 passed, 0 failed, 1 skipped\n'
        exit 0
    fi
done
cut_blocks
if [ "$mode" = run ]; then
    tests/support/copy.sh "$work/tree" "${COMMIT:-}"
    cd "$work/tree" || exit 1
fi
# The caller's settings must not affect the test.
unset HTTP_PORT METRICS_PORT HTTP_ADDRESS RUN_DIR REDIS_URL REDIS_USERNAME REDIS_PASSWORD \
    "${!SCORING_@}" MAKEFLAGS MAKELEVEL RUN_BINARY

for block in "$work"/*.sh; do
    [ ! -f "$block" ] || try_block "$block"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# The documentation page: the description of the API is linted and held to the
# running service, the page is looked at in headless Chromium, and laid out
# without its viewer. Installs what is missing: npm, chromium, and what
# docs/web/package-lock.json lists.
#
#   tests/web/check.sh BINARY [FOLDER for pictures]
#
# The last line is "N passed, N failed", or with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

binary=$(realpath "$1")
pictures=${2-}
export NODE_PATH=$PWD/build/web/node_modules
ready_s=60

passed=0 failed=0 skipped=0 stack=
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-web.XXXXXX") || exit 1

clean_up() {
    trap '' INT TERM HUP
    if [ -n "$stack" ]; then
        kill -TERM "$stack" 2>/dev/null
        wait "$stack" 2>/dev/null
    fi
    rm -rf "$work"
}

finish() {
    printf '%d passed, %d failed' "$passed" "$failed"
    [ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" -eq 0 ]
    exit
}

check() { # check NAME COMMAND...: a test, passed if the command succeeds
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        printf 'FAILED %s\n' "$name"
        failed=$((failed + 1))
    fi
}

# add_up NAME COMMAND...: one that counts by itself
add_up() {
    local name=$1 last status=0
    shift
    printf '%s:\n' "$name"
    "$@" 2>&1 | tee "$work/out" || status=1
    last=$(tail -n 1 "$work/out")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        [ "$status" -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] || failed=$((failed + 1))
    else
        printf 'FAILED %s: it has broken down\n' "$name"
        failed=$((failed + 1))
    fi
}

# The npm of other sources comes with their nodejs, and conflicts with Debian's.
install_missing() {
    local -a groups=(web)
    command -v npm >/dev/null || groups+=(npm)
    deploy/install-packages.sh "${groups[@]}" && deploy/web.sh fetch tests
}

free_port() {
    local port
    for port in $(shuf -i 20000-30000 -n 20); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s' "$port"
            return
        fi
    done
}

start_stack() {
    local end=$((SECONDS + ready_s))
    env HTTP_PORT="$1" RUN_DIR="$work/run" RUN_BINARY="$binary" SCORING_CONFIG_FILE= \
        setpriv --pdeathsig TERM deploy/run.sh >"$work/log" 2>&1 </dev/null &
    stack=$!
    until grep -q '^ready: ' "$work/log"; do
        if ! kill -0 "$stack" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
            cat "$work/log"
            return 1
        fi
        sleep 0.1
    done
}

# No viewer, no script, nothing that would not be found; and a word about it.
plain_page() {
    mkdir -p "$work/tree" "$work/site" && cp -R deploy docs "$work/tree" &&
        "$work/tree/deploy/web.sh" lay-out "$work/site" &&
        grep -q 'not part of this copy' "$work/site/index.html" &&
        ! grep -qE '<script|swagger' "$work/site/index.html" &&
        cmp -s docs/openapi.json "$work/site/openapi.json"
}

# Without npm: a line that says so, and a failure that `make run` overlooks.
no_npm() {
    mkdir -p "$work/bin" && ln -sf "$(command -v bash)" "$(command -v sha256sum)" \
        "$(command -v cut)" "$(command -v dirname)" "$work/bin"
    ! PATH=$work/bin "$work/tree/deploy/web.sh" fetch 2>"$work/said" &&
        grep -q '^web: there is no npm' "$work/said"
}

trap clean_up EXIT
trap 'exit 1' INT TERM HUP
# Whatever the caller has set is not to change what is tried.
unset HTTP_PORT RUN_DIR REDIS_URL REDIS_USERNAME REDIS_PASSWORD "${!SCORING_@}"
if ! install_missing; then
    printf 'skipped: the packages of docs/web cannot be had here\n'
    skipped=1
    finish
fi
add_up lint node tests/web/lint.js docs/openapi.json
add_up 'description and service' tests/openapi.py "$binary"
check 'the page without its viewer' plain_page
check 'no npm' no_npm
check 'the lock file names no host' eval '! grep -q "\"resolved\"" docs/web/package-lock.json'
port=$(free_port)
if start_stack "$port"; then
    add_up 'page in Chromium' node tests/web/page.js "http://127.0.0.1:$port" ${pictures:+"$pictures"}
else
    check 'the stack starts' false
fi
finish

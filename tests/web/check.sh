#!/usr/bin/env bash
# Tests the documentation page and the description of the API: lints the description, and
# opens it in tools of partners; opens the page in headless Chromium, and runs its
# samples. Installs npm, Chromium, and the packages of tests/web/package-lock.json, if
# they are missing.
#
#   tests/web/check.sh BINARY [FOLDER for pictures]
#
# The last line is "N passed, N failed", or with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

binary=$(realpath "$1")
pictures=${2-}
modules=$PWD/build/web-tests
export NODE_PATH=$modules/node_modules
fetch_s=300

passed=0 failed=0 skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-web.XXXXXX") || exit 1

clean_up() {
    trap '' INT TERM HUP
    rm -rf "$work"
}

finish() {
    printf '%d passed, %d failed' "$passed" "$failed"
    [ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" -eq 0 ]
    exit
}

check() { # check NAME COMMAND...: counts whether the command succeeds
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        printf 'FAILED %s\n' "$name"
        failed=$((failed + 1))
    fi
}

# add_up NAME COMMAND...: runs a test that counts, and adds its results
add_up() {
    local name=$1 last status=0
    shift
    printf '%s:\n' "$name"
    "$@" 2>&1 | tee "$work/out" || status=1
    last=$(tail -n 1 "$work/out")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(, ([0-9]+) skipped)? ]]; then
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        [ "$status" -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] || failed=$((failed + 1))
    else
        printf 'FAILED %s: it has not counted\n' "$name"
        failed=$((failed + 1))
    fi
}

# Fetches the packages of the lock file, unless they were fetched before.
fetch() {
    local stamp
    stamp=$(sha256sum <tests/web/package-lock.json)
    [ "$(cat "$modules/fetched" 2>/dev/null)" != "$stamp" ] || return 0
    mkdir -p "$modules"
    cp tests/web/package.json tests/web/package-lock.json tests/web/.npmrc "$modules"
    (cd "$modules" && timeout "$fetch_s" npm ci --prefer-offline --fetch-retries=1 \
        --no-audit --no-fund --loglevel=error >/dev/null) || return 1
    printf '%s\n' "$stamp" >"$modules/fetched"
}

# Debian's npm is installed only if there is none: it conflicts with nodejs from other
# sources, which includes npm.
install_missing() {
    local -a groups=(page web)
    command -v npm >/dev/null || groups+=(npm)
    deploy/install-packages.sh "${groups[@]}" && fetch
}

# look KIND [SETTING=VALUE...]: tests the page of a stack with these settings
look() {
    local kind=$1
    shift
    add_up "page in Chromium, $kind" tests/support/stack.py "$binary" "$@" -- \
        node tests/web/page.js {} "$kind" ${pictures:+"$pictures"}
}

trap clean_up EXIT
trap 'exit 1' INT TERM HUP
if ! install_missing; then
    printf 'skipped: the packages of tests/web cannot be fetched\n'
    skipped=1
    finish
fi
add_up lint node tests/web/lint.js docs/openapi.json
add_up 'description and tools' node tests/web/tools.js "$work/types"
check 'the lock file names no host' eval '! grep -q "\"resolved\"" tests/web/package-lock.json'
look trial
look own SCORING_SALT=a-salt-of-our-own
finish

#!/usr/bin/env bash
# Checks docker-compose.yml (file.py). Then starts a copy of this checkout by docker
# compose, with its own name and port, runs probe.sh and the documents' examples on it,
# and removes everything again; without a container engine this is skipped. The last
# line is "N passed, N failed", or with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

top=$PWD
copy=$top/build/compose-check
log=$top/build/compose-check.log
export COMPOSE_PROJECT_NAME=scoring-check-$$
# The caller's settings must not affect the test.
unset COMPOSE_FILE COMPOSE_PROFILES HTTP_PORT HTTP_ADDRESS REDIS_URL \
    REDIS_USERNAME REDIS_PASSWORD

passed=0 failed=0 skipped=0

skip() {
    printf 'skipped: %s\n' "$*"
    printf '%d passed, %d failed, 1 skipped\n' "$passed" "$failed"
    exit $((failed > 0))
}

need_engine() {
    local said
    command -v docker >/dev/null || skip 'docker is not installed'
    said=$(docker info 2>&1 >/dev/null) ||
        skip "no container engine answers: $(printf '%s' "$said" | tail -n 1)"
    docker compose version >/dev/null 2>&1 || skip 'docker has no compose plugin'
}

# The sources, without the caller's .env.
copy_checkout() {
    rm -rf "$copy"
    deploy/sources.sh "$copy"
}

free_port() {
    local port
    for port in $(shuf -i 20000-30000 -n 20); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s' "$port"
            return
        fi
    done
    return 1
}

count() { # count COMMAND...: runs a script that counts, and adds its results
    local last
    "$@" 2>&1 | tee "$log"
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+))? ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
    else
        failed=$((failed + 1))
    fi
}

clean_up() {
    trap '' INT TERM HUP
    (cd "$copy" 2>/dev/null && docker compose down -v --remove-orphans --rmi local \
        --timeout 15 >/dev/null 2>&1)
    rm -rf "$copy"
}

mkdir -p build
count tests/compose/file.py
need_engine
copy_checkout
port=$(free_port) || skip 'there is no free port'
cd "$copy" || exit 1

trap clean_up EXIT
trap 'exit 1' INT TERM HUP

if said=$(docker compose config -q 2>&1); then
    printf 'FAILED without .env: accepted\n'
    failed=$((failed + 1))
elif [ "$(printf '%s\n' "$said" | wc -l)" -eq 1 ] && [[ $said == *'cp .env.example .env'* ]]; then
    passed=$((passed + 1))
else
    printf 'FAILED without .env: %s\n' "$said"
    failed=$((failed + 1))
fi

count tests/readme.sh compose

sed "s/^HTTP_PORT=.*/HTTP_PORT=$port/" .env.example >.env
if docker compose --progress plain up -d --build >"$log" 2>&1; then
    passed=$((passed + 1))
    count tests/compose/probe.sh
else
    printf 'FAILED docker compose up\n'
    tail -n 30 "$log"
    docker compose logs --no-color --tail 20
    failed=$((failed + 1))
fi
printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Runs every test and adds the results up. Each step is a make target, built
# by make; its last line "N passed, N failed" counts, or else the step counts
# as one test. The last line printed is the sum.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

steps=(
    "check-deps"
    "format-check"
    "shellcheck"
    "tidy"
    "all bench-tools VARIANT=clang CC=clang"
    "check-docs"
    "check-completion"
    "check-hardening"
    "check-openapi"
    "unit VARIANT=asan"
    "memory VARIANT=asan"
    "valgrind" # the unit tests of the release
    "differential VARIANT=asan DIFF_TEXTS=30000 DIFF_SEED=1"
    "fuzz FUZZ_SECONDS=10 FUZZ_SEED=1"
    "integration VARIANT=release"
    # without the outages, which take as long as all of these
    "integration VARIANT=asan FILTER=fcgi/,transport/,interests/,json/,score/,auth/,health/,metrics/"
    "soak SOAK_SECONDS=15"
    "bench-smoke"
    "readme-check"
    "contributing-check"
    "compose-check"
)

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

count() { # count WORD: the number before it in the step's closing line
    grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 |
        grep -oE "[0-9]+ $1" | grep -oE '[0-9]+'
}

run_step() {
    local status=0
    local -a words
    read -ra words <<<"$1"
    printf '\n== make %s\n' "$1"
    "${MAKE:-make}" --no-print-directory -j"$(nproc)" "${words[@]}" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    if [ -n "$(count passed)" ]; then
        passed=$((passed + $(count passed)))
        failed=$((failed + $(count failed)))
        skipped=$((skipped + $(count skipped || echo 0)))
        # a runner that counts no failure and still fails has broken down
        if [ "$status" -ne 0 ] && [ "$(count failed)" -eq 0 ]; then
            failed=$((failed + 1))
        fi
    elif [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

for step in "${steps[@]}"; do
    run_step "$step"
done

printf '\n'
if [ "$skipped" -gt 0 ]; then
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
else
    printf '%d passed, %d failed\n' "$passed" "$failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# Runs every test and adds the results up. Each step is a make target; its
# last line "N passed, N failed" counts, or else the step counts as one test.
# The last line printed is the sum. With arguments only those steps are run,
# one after the other.
#
# What is waited for in the tests of time limits leaves the cores idle, so the
# steps go in two lanes side by side: one has the tests that start servers and
# look at the clock, the other one works through the rest with what is left.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# What both lanes need, so that no file is built by two of them at once.
builds=(
    "check-deps"
    "all tests bench-tools"
    "all tests VARIANT=asan"
)

# The suites under ASan that the other lane has; all the rest are timed.
asan_others=start/,privilege/,log/,command/,interests_command/,front/,proxy/
asan_timed=$(basename -s .c tests/integration/test_*.c | sed 's/^test_//; s/$/\//' |
    grep -vxFf <(tr , '\n' <<<"$asan_others") | paste -sd ,)

timed=(
    "integration VARIANT=release"
    "integration VARIANT=asan FILTER=$asan_timed"
    "soak SOAK_SECONDS=15"
    "bench-smoke"
    "readme-check"
    "compose-check"
)

others=(
    "format-check"
    "shellcheck"
    "cases"
    "unit VARIANT=asan"
    "memory VARIANT=asan"
    "valgrind" # the unit tests of the release
    "integration VARIANT=asan FILTER=$asan_others"
    "differential VARIANT=asan DIFF_TEXTS=30000 DIFF_SEED=1"
    "fuzz FUZZ_SECONDS=10 FUZZ_SEED=1"
    "tidy"
    "all bench-tools VARIANT=clang CC=clang"
    "check-docs"
    "check-nginx"
    "check-dotenv"
    "check-completion"
    "check-hardening"
    "check-openapi"
    "contributing-check"
)

if [ $# -gt 0 ]; then
    builds=("$@") timed=() others=()
fi

folder=$(mktemp -d)
lanes=()
end() {
    local lane
    for lane in "${lanes[@]}"; do
        kill -- "-$lane" 2>/dev/null
    done
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

count() { # count WORD FILE: the number before it in the step's closing line
    grep -E '^[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1 |
        grep -oE "[0-9]+ $1" | grep -oE '[0-9]+'
}

# Adds a line "passed failed skipped" to the counts.
run_step() { # run_step COUNTS LOG STEP
    local status=0 passed failed start=$SECONDS
    local -a words
    read -ra words <<<"$3"
    printf '\n== make %s\n' "$3" >"$2"
    "${MAKE:-make}" --no-print-directory -j"$(nproc)" "${words[@]}" >>"$2" 2>&1 ||
        status=$?
    printf -- '-- %d s\n' $((SECONDS - start)) >>"$2"
    passed=$(count passed "$2")
    failed=$(count failed "$2")
    if [ -z "$passed" ]; then
        passed=$((status == 0)) failed=$((status != 0))
    elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        # a runner that counts no failure and still fails has broken down
        failed=1
    fi
    echo "$passed $failed $(count skipped "$2" || echo 0)" >>"$1"
    flock "$folder" cat "$2" # whole, not mixed with that of the other lane
}

run_lane() { # run_lane NAME STEP...
    local step name=$1
    shift
    for step in "$@"; do
        run_step "$folder/$name.counts" "$folder/$name.log" "$step"
    done
}

sum() { # sum COLUMN: of all counts
    cat "$folder"/*.counts | awk -v column="$1" '{ n += $column } END { print n + 0 }'
}

missing=0
run_lane builds "${builds[@]}"
if [ "$(sum 2)" -eq 0 ]; then
    set -m # a process group for each, to be ended as a whole
    run_lane timed "${timed[@]}" &
    lanes+=($!)
    (
        renice -n 19 -p "$BASHPID" >/dev/null
        run_lane others "${others[@]}"
    ) &
    lanes+=($!)
    set +m
    wait
    lanes=()
    # a lane that was killed has not come to all of its steps
    missing=$((${#builds[@]} + ${#timed[@]} + ${#others[@]} - $(cat "$folder"/*.counts | wc -l)))
fi

passed=$(sum 1) failed=$(($(sum 2) + missing)) skipped=$(sum 3)
printf '\n'
if [ "$skipped" -gt 0 ]; then
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
else
    printf '%d passed, %d failed\n' "$passed" "$failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

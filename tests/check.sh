#!/usr/bin/env bash
# Runs all tests and adds up the results. Each step is a make target. If its last line
# is "N passed, N failed", these are its results; otherwise the step counts as one
# test. The last line printed is the sum.
#
#   tests/check.sh               all tests, each row once
#   tests/check.sh --sanitized   the steps that repeat rows under ASan, UBSan, valgrind
#   tests/check.sh --quick       the steps to run first after a change, in a minute
#   tests/check.sh STEP...       only these steps, one after the other
#
# A pool runs the steps. Most tests wait, for servers and for the ends of time limits;
# but tests that measure time need their share of the cores. So each step has a weight,
# and the weights of running steps add up to at most $capacity. Steps that only compute
# run at a low priority (nice). Each step's log ends with when it began, how long it
# took, and the CPU time that it used.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

capacity=$(($(nproc) + 2))

# A few failures are tried once more, alone, and reported as UNSTEADY if they then
# pass: the machine may have been paused. The runner of the rows in C does this by
# itself; this script does it for the other steps.
export AGAIN=${AGAIN:-3}
by_itself='^(unit|check-image|integration|memory|valgrind|all)( |$)'

# Weight, nice, and step. Whenever there is capacity, the first step that fits is
# started; so heavy steps come first, and then those that take long.
quick=(
    "3 0 unit"
    "1 0 integration FILTER=auth/,interests/" # a smoke over the real stack
    "1 19 check-docs"
    "1 0 cases"
    "1 19 format-check"
    "1 19 shellcheck"
    "1 19 check-deps"
    "1 0 memory"
)
# It needs the service only, and mostly waits: the tests are built beside it.
early=(
    "1 0 check-haproxy"
)
full=(
    "$((capacity - 1)) 0 check-image" # the unit tests, with the files of the image only
    # Most of its rows wait. What only computes runs beside it.
    "$((capacity - 2)) 0 integration"
    "1 19 check-dist"
    "1 19 fuzz-known"
    "1 19 check-kubernetes"
    "1 19 check-alerts"
    "1 19 format-check"
    "1 19 shellcheck"
    "1 19 check-docs"
    "1 19 differential DIFF_TEXTS=30000 DIFF_SEED=1"
    "1 19 check-mutants"
    "1 19 check-hardening"
    "1 19 check-deps"
    "1 19 check-version"
    "1 0 check-upgrade" # builds the last release first
    "1 0 contributing-check" # builds, and runs the unit tests, too
    "1 0 soak SOAK_SECONDS=15"
    "1 0 readme-check"
    "1 0 cases" # waits
    "1 0 check-install"
    "1 0 check-nginx"
    "1 0 check-openapi"
    "1 0 memory"
    "1 0 check-completion"
    "1 0 check-dotenv"
    "1 0 compose-check"
)
sanitized=(
    "$capacity 0 integration VARIANT=asan"
    "$capacity 0 unit VARIANT=asan"
    "3 0 valgrind" # the unit tests of the release, which look at no clock
    "1 0 memory VARIANT=asan"
    "1 19 differential VARIANT=asan DIFF_TEXTS=30000 DIFF_SEED=1"
)
builds=("1 0 all")
case ${1:-} in
"") steps=("${full[@]}") builds+=("1 19 tests bench-tools") ;;
--sanitized) steps=("${sanitized[@]}") builds=("1 0 all tests VARIANT=asan") early=() ;;
--quick) steps=("${quick[@]}") builds+=("1 0 $(printf 'build/release/%s ' unit memory integration cases)") early=() ;;
*) steps=("${@/#/$capacity 0 }") early=() ;;
esac

folder=$(mktemp -d)
end() {
    local step
    for step in $(jobs -p); do
        kill -- "-$step" 2>/dev/null
    done
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

count() { # count WORD FILE: the number before it in the step's closing line
    grep -aE '^[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1 |
        grep -oE "[0-9]+ $1" | grep -oE '[0-9]+'
}

# Adds a line "passed failed skipped" to the counts.
run_step() { # run_step NICE STEP
    local status=0 passed failed log
    local TIMEFORMAT="-- from $SECONDS s on: %0R s; CPU: %0U + %0S s"
    local -a words
    read -ra words <<<"$2"
    log=$(mktemp "$folder/log.XXXXXX")
    printf '\n== make %s\n' "$2" >"$log"
    {
        time nice -n "$1" "${MAKE:-make}" --no-print-directory -j"$(nproc)" "${words[@]}" \
            >>"$log" 2>&1
    } 2>>"$log" || status=$?
    passed=$(count passed "$log")
    failed=$(count failed "$log")
    if [ -z "$passed" ]; then
        passed=$((status == 0)) failed=$((status != 0))
    elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        # The runner itself has failed.
        failed=1
    fi
    echo "$passed $failed $(count skipped "$log" || echo 0) $2" >>"$folder/counts"
    grep -a '^UNSTEADY: ' "$log" >>"$folder/unsteady"
    flock "$folder" cat "$log" # not mixed with the log of another step
}

sum() { # sum COLUMN: prints the sum of this column of counts
    awk -v column="$1" '{ n += $column } END { print n + 0 }' "$folder/counts"
}

# Runs failed steps again, if all have at most $AGAIN failures.
run_again() {
    local failed step
    awk '$2 > 0' "$folder/counts" >"$folder/again"
    [ "$(awk '{ n += $2 } END { print n + 0 }' "$folder/again")" -le "$AGAIN" ] || return 0
    while read -r _ failed _ step; do
        [[ ! $step =~ $by_itself ]] || continue
        grep -vxE "([0-9]+ ){3}${step//./[.]}" "$folder/counts" >"$folder/others"
        cp "$folder/others" "$folder/counts"
        run_step 0 "$step"
        [ "$(awk 'END { print $2 }' "$folder/counts")" -ne 0 ] ||
            echo "UNSTEADY: make $step: $failed failed; passed when run again, alone" \
                >>"$folder/unsteady"
    done <"$folder/again"
}

start_due() { # start_due: starts the steps for which there is capacity
    local i weight nice step
    for i in "${!steps[@]}"; do
        read -r weight nice step <<<"${steps[i]}"
        [ "$weight" -le "$free" ] || continue
        unset "steps[i]"
        run_step "$nice" "$step" &
        running[$!]="$weight $step"
        free=$((free - weight))
    done
}

# Runs the steps; if one is named, until this one has ended.
run_pool() { # run_pool [STEP]
    local ended weight step
    while start_due && [ "$free" -lt "$capacity" ]; do
        wait -n -p ended
        read -r weight step <<<"${running[$ended]}"
        free=$((free + weight))
        [ "$step" != "${1-}" ] || return 0
    done
}

# Builds everything, and then starts the early steps beside the last build.
build_all() {
    local build step later=("${steps[@]}")
    steps=()
    for build in "${builds[@]}"; do
        read -r _ _ step <<<"$build"
        steps=("$build" "${steps[@]}")
        run_pool "$step"
        if ! grep -qxF "1 0 0 $step" "$folder/counts"; then
            steps=()
            return 1
        fi
        steps+=("${early[@]}") early=()
    done
    steps+=("${later[@]}")
}

missing=0 free=$capacity wanted=$((${#builds[@]} + ${#early[@]} + ${#steps[@]}))
declare -A running=()
set -m # each step gets its own process group, which end() can kill
if build_all; then
    run_pool
    # A step that was killed has no count.
    missing=$((wanted - $(wc -l <"$folder/counts")))
    set +m
    run_again
else
    run_pool # what runs already
fi

unsteady=$(cat "$folder/unsteady" 2>/dev/null)
[ -z "$unsteady" ] || printf '\n%s\n' "$unsteady"
passed=$(sum 1) failed=$(($(sum 2) + missing)) skipped=$(sum 3)
printf '\n'
if [ "$skipped" -gt 0 ]; then
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
else
    printf '%d passed, %d failed\n' "$passed" "$failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

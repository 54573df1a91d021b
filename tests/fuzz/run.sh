#!/usr/bin/env bash
# Runs the fuzz targets. First come the inputs that once broke a promise, or
# showed a mistake while it was being made (tests/fuzz/regressions/<target>/);
# then each target searches for its share of FUZZ_SECONDS (60) in all, from the
# seeds in the tests' rows and from what earlier runs found; with 0 seconds it
# only reads these. What breaks a promise is kept in FOLDER: once it is fixed,
# it goes to the regressions.
#
#   tests/fuzz/run.sh FOLDER TARGET...     each one built as FOLDER/fuzz_TARGET
#
# FUZZ_SEED chooses another run; the one in use is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$1
shift
seconds=${FUZZ_SECONDS:-60}
seed=${FUZZ_SEED:-$RANDOM}
share=$((seconds / $#))
# a time of 0 would be without an end
limit=-max_total_time=$((share > 0 ? share : 1))
[ "$seconds" -gt 0 ] || limit=-runs=0
options=(-timeout=10 -rss_limit_mb=1024)
passed=0 failed=0

# settle NAME WORDS COMMAND...: runs it, and counts it as one test. WORDS tell
# of success; without them the number of inputs is told.
settle() {
    local name=$1 words=$2 log=$folder/$1.log
    shift 2
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        [ -n "$words" ] ||
            words="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
        printf '%-12s %s\n' "$name" "$words"
    else
        failed=$((failed + 1))
        tail -n 40 "$log"
        printf 'FAILED: %s (%s)\n' "$name" "$log"
    fi
}

replay() { # replay TARGET
    local -a inputs=("tests/fuzz/regressions/$1"/*)
    [ -e "${inputs[0]}" ] || return 0
    settle "$1-again" "${#inputs[@]} inputs" "$folder/fuzz_$1" "${options[@]}" "${inputs[@]}"
}

search() { # search TARGET
    mkdir -p "$folder/found/$1" "$folder/seeds/$1"
    settle "$1" '' "$folder/fuzz_$1" "${options[@]}" -seed="$seed" -max_len=8192 \
        "$limit" -print_final_stats=1 \
        -artifact_prefix="$folder/broken-$1-" "$folder/found/$1" "$folder/seeds/$1"
}

printf 'FUZZ_SEED=%s\n' "$seed"
tests/fuzz/seeds.py "$folder/seeds"
for target; do
    replay "$target"
    search "$target"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

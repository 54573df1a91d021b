#!/usr/bin/env bash
# Runs a program of tests, and fails too when any process below it has left a
# report of a sanitizer: of a worker that dies nobody else would tell, it is
# replaced without a request being lost.
#
#   tests/sanitized.sh FOLDER COMMAND...     reports go to FOLDER
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
rm -f "$folder"/report.*
status=0

# Each appends its process id. gcc has a runtime of its own for each of them.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$folder/report"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}print_stacktrace=1:log_path=$folder/report"
"$@" || status=$?
for report in "$folder"/report.*; do
    [ -e "$report" ] || continue
    head -n 40 "$report"
    printf 'FAILED: a sanitizer wrote %s\n' "$report"
    status=1
done
exit "$status"

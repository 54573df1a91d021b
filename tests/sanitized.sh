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
killed_meanwhile='^==[0-9]+==Unable to get registers from thread [0-9]+\.$'

# A report's name ends in its process id. gcc's UBSan, beside ASan, writes none:
# it aborts, and ASan reports that, but only where UBSan names the same path.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_abort=1:log_path=$folder/report"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}abort_on_error=1:log_path=$folder/report"
"$@" || status=$?
for report in "$folder"/report.*; do
    [ -e "$report" ] || continue
    # A process was killed, as tests do, while it looked for its leaks at its
    # end: no finding, if nothing else is in the report.
    if [ -s "$report" ] && ! grep -qvE "$killed_meanwhile" "$report"; then
        continue
    fi
    head -n 40 "$report"
    printf 'FAILED: a sanitizer wrote %s\n' "$report"
    status=1
done
exit "$status"

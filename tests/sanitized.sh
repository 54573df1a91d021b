#!/usr/bin/env bash
# Runs a test program, and fails also if a sanitizer has reported an error of any of its
# processes: a worker that dies is replaced without a lost request, and no test would
# notice.
#
#   tests/sanitized.sh FOLDER COMMAND...     reports go to FOLDER
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
rm -f "$folder"/report.*
status=0
killed_meanwhile='^==[0-9]+==Unable to get registers from thread [0-9]+\.$'

# The name of a report ends with the process id. With ASan, gcc's UBSan writes no report:
# it aborts, and ASan reports that, but only if UBSan has the same log_path.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_abort=1:log_path=$folder/report"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}abort_on_error=1:log_path=$folder/report"
"$@" || status=$?
for report in "$folder"/report.*; do
    [ -e "$report" ] || continue
    # A test has killed the process while LeakSanitizer ran at its exit: no error, if
    # the report has nothing else.
    if [ -s "$report" ] && ! grep -qvE "$killed_meanwhile" "$report"; then
        continue
    fi
    head -n 40 "$report"
    printf 'FAILED: a sanitizer wrote %s\n' "$report"
    status=1
done
exit "$status"

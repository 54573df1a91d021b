#!/usr/bin/env bash
# Runs tests that end badly, and compares what the runner says of them.
#
#   tests/cases/check.sh PROGRAM
#
# The last line is "N passed, N failed".
set -uo pipefail

program=$1
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0
exec 3>&1

# says WHAT STATUS COMMAND...: what it prints, but for numbers that differ from
# run to run, is the text on standard input, in any order of suites
says() {
    local what=$1 wanted=$2 status=0
    shift 2
    cat >"$work/wanted"
    "$@" >"$work/raw" 2>&1 || status=$?
    sed -E 's/:[0-9]+: /:N: /; s/^left running: [0-9]+/left running: N/' "$work/raw" |
        sort >"$work/came"
    sort -o "$work/wanted" "$work/wanted"
    if [ "$status" -eq "$wanted" ] && diff -u "$work/wanted" "$work/came" >&3; then
        passed=$((passed + 1))
    else
        printf 'FAILED: %s: status %d, wanted %d\n' "$what" "$status" "$wanted" >&3
        failed=$((failed + 1))
    fi
}

row() { # row NAME: the line of its row in the table
    grep -nF -- "$1" tests/cases/test_bad.c | head -n 1 | cut -d: -f1
}

unset AGAIN
says 'whatever dies' 1 "$program" <<END
FAILED: bad/way/fails: tests/cases/test_bad.c:$(row '{"fails"')
    tests/cases/test_bad.c:N: length is 3, wanted 4
    tests/cases/test_bad.c:N: -1 is -1, wanted 4294967295 (0xffffffff)
    tests/cases/test_bad.c:N: text is "abc", wanted "a\"d"
    tests/cases/test_bad.c:N: text - (size_t)text + 16 is 0x10, wanted NULL
    tests/cases/test_bad.c:N: is_well is false
    tests/cases/test_bad.c:N: (double)length / 2 is 1.5, wanted 1.25
    tests/cases/test_bad.c:N: length is 3, wanted anything but 3
what it has said
FAILED: bad/way/aborts: tests/cases/test_bad.c:$(row '{"aborts"')
    ended by signal 6: Aborted
FAILED: bad/way/SIGSEGV, "quoted": tests/cases/test_bad.c:$(row '{"SIGSEGV')
    ended by signal 11: Segmentation fault
FAILED: bad/way/exits: tests/cases/test_bad.c:$(row '{"exits",')
    ended with status 0
FAILED: bad/way/exits at once: tests/cases/test_bad.c:$(row '{"exits at once"')
    ended with status 3
FAILED: bad/way/hangs: tests/cases/test_bad.c:$(row '{"hangs"')
    took longer than 3 s
left running: N sleep
skipped: bad/way/skips: for a reason
FAILED: bad/single/fails without a table: tests/cases/test_bad.c:$(row 'TEST_SINGLE')
    tests/cases/test_bad.c:N: CU_FAIL("as it is to")
FAILED: end: tests/cases/test_end.c: beside its rows
    ended with status 1
left running: N sleep
FAILED: start: tests/cases/test_start.c: beside its rows
    ended with status 1
6 passed, 10 failed, 1 skipped
END

says 'a filter by words' 0 "$program" --list passes <<'END'
bad/way/passes first
bad/way/passes after a failure
bad/way/passes after an abort
bad/way/passes at last
end/row/passes
END

says 'a filter within a word' 0 "$program" --list asses,ad/way </dev/null

says 'a filter by suite' 0 "$program" --list start/,bad/single <<'END'
bad/single/fails without a table
start/row/is never run
END

says 'one row' 0 "$program" --row 'bad/way/passes first' <<'END'
1 passed, 0 failed
END

says 'what fits nothing' 1 "$program" bad/way/nothing <<'END'
no test fits
0 passed, 0 failed
END

# What fails once: named, and passed when it is run again alone.
again() { # again LIMIT: a row that fails unless its file is there
    FAILS_ONCE=$work/once.$1 AGAIN=$1 "$program" bad/once
}
says 'a failure that does not come again' 0 again 2 <<END
FAILED: bad/once/fails the first time: tests/cases/test_bad.c:$(row '"fails the first')
    tests/cases/test_bad.c:N: is_there is false
UNSTEADY: bad/once/fails the first time: passed when run again, alone
1 passed, 0 failed
END
says 'a failure that comes again' 1 env AGAIN=1 "$program" bad/single <<END
FAILED: bad/single/fails without a table: tests/cases/test_bad.c:$(row '"fails without')
    tests/cases/test_bad.c:N: CU_FAIL("as it is to")
FAILED: bad/single/fails without a table: tests/cases/test_bad.c:$(row '"fails without')
    tests/cases/test_bad.c:N: CU_FAIL("as it is to")
0 passed, 1 failed
END

# What ends the runner ends all that it runs.
interrupted() {
    local status=0 pid
    HANGS=$work/hangs "$program" --row bad/way/hangs &
    pid=$!
    until [ -e "$work/hangs" ]; do sleep 0.01; done
    kill -TERM "$pid"
    wait "$pid" || status=$?
    return "$status"
}
says 'SIGTERM' 143 interrupted <<'END'
interrupted by signal 15
0 passed, 0 failed
END

left=$(find "$work" -mindepth 1 -maxdepth 1 -name 'scoring-test-*' | wc -l)
if [ "$left" -eq 0 ]; then
    passed=$((passed + 1))
else
    printf 'FAILED: %d folders are left\n' "$left"
    failed=$((failed + 1))
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

# shellcheck shell=bash
# Counts the tests of a script, which sources this file.
#
# shellcheck disable=SC2034 # the script uses the numbers, too
passed=0 failed=0 skipped=0
said=$(mktemp) && exec {counts_said}<>"$said" && rm "$said" # what a command prints

# check WHAT COMMAND...: passes if the command succeeds; otherwise shows what it printed
check() {
    if "${@:2}" >"/dev/fd/$counts_said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$1"
        tail -n 40 "/dev/fd/$counts_said" | sed 's/^/    /'
    fi
}

equal() { # equal GOT WANTED
    [ "$1" = "$2" ] || {
        printf 'got    %s\nwanted %s\n' "$1" "$2"
        return 1
    }
}

skip() { # skip WHY
    printf 'skipped: %s\n' "$*"
    skipped=$((skipped + 1))
}

# Prints "N passed, N failed", or with ", N skipped"; succeeds if nothing failed.
counts() {
    printf '%d passed, %d failed' "$passed" "$failed"
    [ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
    printf '\n'
    [ "$failed" -eq 0 ]
}

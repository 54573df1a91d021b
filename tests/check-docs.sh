#!/usr/bin/env bash
# Holds the documents to the code: every setting of `scoring --help` is in the
# table of docs/operations.md with the same default; every status and its text,
# every metric and every target of `make help` exist. The manual page has every
# command, option and setting, and no mistakes.
#
#   tests/check-docs.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$1
passed=0 failed=0 skipped=0
page=docs/scoring.8

check() { # check WHAT COMMAND...: it must succeed
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        passed=$((passed + 1))
    else
        printf 'FAILED: %s\n' "$what"
        failed=$((failed + 1))
    fi
}

# commands_of HELP: those that it lists, without options
commands_of() {
    sed -nE '/^Settings/q; s/^  ([a-z][a-z-]*) .*/\1/p' <<<"$1"
}

# check_page COMMAND...: its page has it, and each of its options
check_page() {
    local option
    check "$page: $*" grep -qE "^\.It Cm $*\$" "$page"
    for option in $("$binary" "$@" --help | grep -oE '^  --[a-z-]+'); do
        check "$page: $* $option" grep -qE "^\.(Op |It )?Fl -${option#--}( |\$)" "$page"
    done
}

# settings_row NAME DEFAULT: both in one row of a table
settings_row() {
    grep -F "\`$1\`" docs/operations.md | grep -E '^\|' | grep -qF "$2"
}

while read -r name default; do
    check "docs/operations.md: $name with default $default" settings_row "$name" "$default"
    check ".env.example: $name" grep -qE "^#?$name=" .env.example
    check "$page: $name" grep -qE "(^\.It Ev |, |^)$name( |\$)" "$page"
done < <("$binary" --help |
    sed -nE 's/^  ((SCORING|REDIS)_[A-Z_]+)  +(.*)$/\1 \3/p' |
    sed -E 's/^([A-Z_]+) (.*[^ ])  +.*$/\1 \2/; s/  .*$//')

for name in $(sed -nE 's/.*\{"([a-z_]+)", "(counter|gauge|histogram)".*/\1/p' \
    src/telemetry/metrics_text.c); do
    check "docs/protocol.md: metric $name" grep -qE "^\| .*\`$name\`" docs/protocol.md
    check "docs/operations.md: metric $name" grep -qE "\b$name(_bucket)?\b" docs/operations.md
done
for file in README.md .env.example; do
    check "$file: METRICS_PORT" grep -qE 'METRICS_PORT' "$file"
done

while read -r code text; do
    check "docs/protocol.md: $code $text" \
        grep -qE "^\| ([0-9, ]*, )?$code(, [0-9, ]*)? \|.*$text" docs/protocol.md
done < <(sed -nE 's/^    ([45][0-9][0-9]) "(.*)";$/\1 \2/p' \
    nginx/templates/scoring.conf.template |
    grep -E '^(400|403|404|405|413|414|422|429|431|500|502|503|504) ')

for target in $(sed -nE "s/^	@echo 'make ([a-z-]+).*/\1/p" Makefile); do
    check "Makefile: make $target" grep -qE "^$target:" Makefile
done

for command in $(commands_of "$("$binary" --help)"); do
    # A command that only has commands of its own lists those.
    commands=$("$binary" "$command" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
    [ -n "$commands" ] || check_page "$command"
    for word in $commands; do
        check_page "$command" "$word"
    done
done
if command -v mandoc >/dev/null; then
    check "$page: mandoc -T lint" mandoc -T lint -W warning "$page"
else
    printf 'skipped: %s: there is no mandoc to check it\n' "$page"
    skipped=$((skipped + 1))
fi

version=$("$binary" --version | cut -d' ' -f2)
check "CHANGELOG: version $version" grep -qF "## [$version]" CHANGELOG.md

printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ]

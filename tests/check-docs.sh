#!/usr/bin/env bash
# Holds the documents to the code: every setting of `scoring --help` is in the
# README's table with the same default; every status and its text, every
# target of `make help`, and every log field that the README shows exist.
#
#   tests/check-docs.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$1
passed=0 failed=0

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

# readme_row NAME DEFAULT: both in one row of a table
readme_row() {
    grep -F "\`$1\`" README.md | grep -E '^\|' | grep -qF "$2"
}

while read -r name default; do
    check "README: $name with default $default" readme_row "$name" "$default"
    check ".env.example: $name" grep -qE "^#?$name=" .env.example
done < <("$binary" --help |
    sed -nE 's/^  ((SCORING|REDIS)_[A-Z_]+)  +(.*)$/\1 \3/p' |
    sed -E 's/^([A-Z_]+) (.*[^ ])  +.*$/\1 \2/; s/  .*$//')

while read -r code text; do
    check "docs/protocol.md: $code $text" \
        grep -qE "^\| ([0-9, ]*, )?$code(, [0-9, ]*)? \|.*$text" docs/protocol.md
done < <(sed -nE 's/^    ([45][0-9][0-9]) "(.*)";$/\1 \2/p' \
    nginx/templates/scoring.conf.template |
    grep -E '^(400|403|404|405|413|414|422|429|431|500|502|503|504) ')

for target in $(sed -nE "s/^	@echo 'make ([a-z-]+).*/\1/p" Makefile); do
    check "Makefile: make $target" grep -qE "^$target:" Makefile
done

version=$("$binary" --version | cut -d' ' -f2)
check "CHANGELOG: version $version" grep -qF "## [$version]" CHANGELOG.md

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

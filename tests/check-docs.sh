#!/usr/bin/env bash
# Compares the documents with the code: the tables are as `make docs` writes them;
# every status of nginx is documented, and every target of `make help` exists; the
# manual page has every command and option, and mandoc finds no error; every rule of
# docs/protocol.md that is cited exists.
#
#   tests/check-docs.sh BINARY TABLES
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$1 tables=$2
. tests/support/counts.sh
page=docs/scoring.8

# commands_of HELP: prints the commands that it lists
commands_of() {
    sed -nE '/^Settings/q; s/^  ([a-z][a-z-]*) .*/\1/p' <<<"$1"
}

# check_page COMMAND...: checks that the page has the command and its options
check_page() {
    local option
    check "$page: $*" grep -qE "^\.It Cm $*\$" "$page"
    for option in $("$binary" "$@" --help | grep -oE '^  --[a-z-]+'); do
        check "$page: $* $option" grep -qE "^\.(Op |It )?Fl -${option#--}( |\$)" "$page"
    done
}

# The tables are as `make docs` would write them, and the citations are right.
while IFS= read -r line; do
    printf 'FAILED: %s\n' "$line"
    failed=$((failed + 1))
done < <(tests/docs.py "$tables" "$binary" --check 2>&1)
passed=$((passed + 1))

while read -r code text; do
    check "docs/protocol.md: $code $text" grep -qE "^\\| $code \\|.*$text" docs/protocol.md
done < <(sed -nE 's/^    ([45][0-9][0-9]) "(.*)";$/\1 \2/p' \
    nginx/templates/scoring.conf.template |
    grep -E '^(400|403|404|405|413|414|422|429|431|500|502|503|504) ')

for target in $(sed -n '/^define HELP$/,/^endef$/p' Makefile | grep -oE 'make [a-z-]+' | cut -c 6- | sort -u); do
    check "Makefile: make $target" grep -qE "^([a-z][a-z -]* )?$target( [a-z -]+)?:" Makefile
done

for command in $(commands_of "$("$binary" --help)"); do
    # A group of commands lists its commands.
    commands=$("$binary" "$command" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
    [ -n "$commands" ] || check_page "$command"
    for word in $commands; do
        check_page "$command" "$word"
    done
done
if command -v mandoc >/dev/null; then
    check "$page: mandoc -T lint" mandoc -T lint -W warning "$page"
else
    skip "$page: mandoc is not installed"
fi

version=$("$binary" --version | cut -d' ' -f2)
check "CHANGELOG: version $version" grep -qF "## [$version]" CHANGELOG.md

counts

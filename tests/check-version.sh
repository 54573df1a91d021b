#!/usr/bin/env bash
# Checks that `make version`, docs/openapi.json and a tag of this commit, if any, have
# the version of the newest release in CHANGELOG.md.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0

# expect WANT GOT WHAT
expect() {
    if [ "$1" = "$2" ]; then
        passed=$((passed + 1))
    else
        printf '%s: [%s], not [%s] as in CHANGELOG.md\n' "$3" "$2" "$1" >&2
        failed=$((failed + 1))
    fi
}

headings=$(sed -n 's/^## \[\(.*\)$/\1/p' CHANGELOG.md)
release=$(grep -m 1 -E '^[0-9]+\.[0-9]+\.[0-9]+\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$' <<<"$headings")
version=${release%%]*}
expect "$release" "$(grep -v -m 1 '^Unreleased\]$' <<<"$headings")" 'the newest heading'
expect "$version" "$(make -s version)" 'make version'
expect "$version" "$(sed -n 's/^    "version": "\(.*\)",$/\1/p' docs/openapi.json)" docs/openapi.json
if [ -e .git ]; then
    for tag in $(git tag --points-at HEAD 2>/dev/null | grep '^v[0-9]'); do
        expect "v$(head -n 1 <<<"${headings%%]*}")" "$tag" 'the tag of this commit'
    done
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

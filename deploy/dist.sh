#!/usr/bin/env bash
# `make dist`: packs the sources as build/scoring-VERSION.tar.gz. The bytes depend on
# the sources alone: order, owner, modes and times are fixed.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'dist: %s\n' "$*" >&2
    exit 1
}

tests/check-version.sh >/dev/null
if [ -e .git ] && [ -n "$(git status --porcelain)" ]; then
    fail 'commit your changes first: git status shows them'
fi
day=$(sed -n 's/^## \[[0-9.]*\] - \([0-9-]*\)$/\1/p' CHANGELOG.md | head -n 1)
name=scoring-$VERSION
rm -rf build/dist
deploy/sources.sh "build/dist/$name" "${COMMIT:-}"
tar --create --directory build/dist --sort=name --format=ustar --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --mtime="@${SOURCE_DATE_EPOCH:-$(TZ=UTC date -d "$day" +%s)}" "$name" |
    gzip -9n >"build/$name.tar.gz"
rm -rf build/dist
sha256sum "build/$name.tar.gz"

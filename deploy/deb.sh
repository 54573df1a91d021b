#!/usr/bin/env bash
# `make deb`: the Debian package of this system, as build/scoring_VERSION_ARCH.deb.
# What is built is a copy of the files under version control; CHANGELOG.md gives
# the version and the date.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'deb: %s\n' "$*" >&2
    exit 1
}

top=$PWD/build/deb
copy=$top/scoring-$VERSION
rm -rf "$top"
deploy/sources.sh "$copy" "${COMMIT:-}"

day=$(sed -n 's/^## \[[0-9.]*\] - \([0-9-]*\)$/\1/p' CHANGELOG.md | head -n 1)
cat >"$copy/debian/changelog" <<CHANGELOG
scoring ($VERSION) unstable; urgency=medium

  * This version: /usr/share/doc/scoring/CHANGELOG.md says what is new.

 -- Scoring API <scoring-api@users.noreply.github.com>  $(LC_ALL=C TZ=UTC date -d "${day:-1970-01-01}" '+%a, %d %b %Y %H:%M:%S +0000')
CHANGELOG
(cd "$copy" && DEB_BUILD_OPTIONS="nocheck noautodbgsym ${DEB_BUILD_OPTIONS:-}" \
    dpkg-buildpackage -b -uc -us -d >"$top/log" 2>&1) || {
    tail -n 20 "$top/log" >&2
    fail "it does not build: $top/log"
}
cp "$top"/scoring_"$VERSION"_*.deb build/
echo build/scoring_"$VERSION"_*.deb

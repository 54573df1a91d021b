#!/usr/bin/env bash
# `make deb`: builds the Debian package for this system, build/scoring_VERSION_ARCH.deb,
# from a copy of the sources. CHANGELOG.md gives the version and the date.
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
    fail "the package does not build: see $top/log"
}
cp "$top"/scoring_"$VERSION"_*.deb build/
echo build/scoring_"$VERSION"_*.deb

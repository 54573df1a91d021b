#!/usr/bin/env bash
# Tests `make dist` in two clones and in its own archive; checks that builds in two
# folders have the same bytes, and do not contain the paths of the folders.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
if [ ! -e .git ] || ! git rev-parse -q --verify HEAD >/dev/null 2>&1; then
    echo 'skipped: this is not a git checkout'
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-dist.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS VARIANT SOURCE_DATE_EPOCH
. tests/support/counts.sh

# refuses WORDS FOLDER: make dist fails there, with these words
refuses() {
    ! make -s -C "$2" dist >"$work/refused" 2>&1 && grep -q -- "$1" "$work/refused"
}

# sums FOLDER
sums() {
    (cd "$1/build" && sha256sum scoring-*.tar.gz)
}

# same_sums FOLDER FOLDER
same_sums() {
    [ -n "$(sums "$1")" ] && [ "$(sums "$1")" = "$(sums "$2")" ]
}

# build FOLDER: without optimization, in a third of the time
build() {
    make -s -C "$1" -j2 WERROR= CFLAGS='-O0 -g -Wno-cpp' all
}

# names_none FILE TEXT
names_none() {
    ! grep -qaF -- "$2" "$1"
}

a=$work/a b=$work/another/folder
git clone -q . "$a" && (umask 077 && git clone -q . "$b") || exit 1
check 'dist' make -s -C "$a" dist
check 'dist elsewhere' env TZ=Asia/Tokyo make -s -C "$b" dist
check 'both are the same' same_sums "$a" "$b"

mkdir "$work/unpacked"
tar xzf "$a"/build/scoring-*.tar.gz -C "$work/unpacked"
unpacked=$(echo "$work"/unpacked/scoring-*)
check 'one folder, named by the version' [ "${unpacked##*/}" = "scoring-$(make -s version)" ]
check 'what is under version control, and its commit' \
    diff <(cd "$a" && { git ls-files; echo .commit; } | sort) <(cd "$unpacked" && find . -type f | sed 's|^./||' | sort)
echo REDIS_PASSWORD=secret >"$unpacked/.env"
mkdir "$unpacked/tests/__pycache__" && : >"$unpacked/tests/__pycache__/docs.pyc"
check 'dist of what is unpacked, which is in use' make -s -C "$unpacked" dist
check 'is the same' same_sums "$a" "$unpacked"

check 'build' build "$b"
check 'build of what is unpacked' build "$unpacked"
check 'the programs are the same' cmp "$b/build/release/scoring" "$unpacked/build/release/scoring"
check 'and hold no path' names_none "$b/build/release/scoring" "$work"
check 'but the commit' grep -qaF "$(git rev-parse --short=12 HEAD)" "$b/build/release/scoring"

echo >>"$b/README.md"
check 'a change that is not committed' refuses 'commit your changes first' "$b"
git -C "$a" tag v0.0.0
check 'a tag of another version' refuses 'the tag of this commit: .v0.0.0.' "$a"
git -C "$a" tag -d v0.0.0 >/dev/null
sed -i "s/^    \"version\": .*/    \"version\": \"0.0.0\",/" "$a/docs/openapi.json"
check 'another version of the API' refuses 'docs/openapi.json: .0.0.0.' "$a"

counts

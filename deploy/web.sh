#!/usr/bin/env bash
# The documentation page: what it is made of, and what nginx serves of it.
#
#   deploy/web.sh fetch [tests]     the packages of docs/web/package-lock.json,
#                                   into build/web; also those of its tests
#   deploy/web.sh lay-out FOLDER    the files that nginx serves: the page, the
#                                   description of the API, and the viewer; the
#                                   page without it, where it was not fetched
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
source=$top/docs/web
build=$top/build/web
viewer=$build/node_modules/swagger-ui-dist
viewer_files=(swagger-ui.css swagger-ui-bundle.js)
fetch_s=${FETCH_S:-120}
licences=(LICENSE NOTICE swagger-ui-bundle.js.LICENSE.txt)

fail() {
    printf 'web: %s\n' "$*" >&2
    exit 1
}

# What is fetched is named by the lock file's digest and by the extent.
fetch() {
    local omit=--omit=dev stamp
    [ "$1" != tests ] || omit=--include=dev
    stamp="$(sha256sum <"$source/package-lock.json") $omit"
    if [ -f "$build/fetched" ] && [ "$(cat "$build/fetched")" = "$stamp" ]; then
        return 0
    fi
    command -v npm >/dev/null || fail 'there is no npm: the page comes without its viewer'
    mkdir -p "$build"
    rm -f "$build/fetched"
    cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$build"
    (cd "$build" && timeout "$fetch_s" npm ci "$omit" --prefer-offline --fetch-retries=1 \
        --no-audit --no-fund --loglevel=error >/dev/null) ||
        fail 'npm ci failed: the page comes without its viewer'
    (cd "$viewer" && gzip -9 -k -f "${viewer_files[@]}")
    printf '%s\n' "$stamp" >"$build/fetched"
}

lay_out() {
    local folder=$1 file
    rm -rf "$folder"
    mkdir -p "$folder/docs"
    cp "$top/docs/openapi.json" "$folder"
    cp "$source/page.css" "$source/page.js" "$source/icon.svg" "$folder/docs"
    if [ ! -f "$build/fetched" ]; then
        sed '/<!-- with the viewer -->/,/<!-- without -->/d' "$source/index.html" \
            >"$folder/index.html"
        return 0
    fi
    sed '/<!-- without -->/,/<!-- end -->/d' "$source/index.html" >"$folder/index.html"
    for file in "${viewer_files[@]}"; do
        cp "$viewer/$file" "$viewer/$file.gz" "$folder/docs"
    done
    for file in "${licences[@]}"; do
        printf '== swagger-ui-dist: %s\n\n' "$file"
        cat "$viewer/$file"
        printf '\n'
    done >"$folder/docs/licenses.txt"
}

case ${1-} in
fetch) fetch "${2-}" ;;
lay-out) lay_out "${2:?which folder?}" ;;
*) fail 'fetch [tests], or lay-out FOLDER' ;;
esac

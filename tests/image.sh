#!/usr/bin/env bash
# Runs the unit tests as the Dockerfile does: with only the files that it copies.
#
#   tests/image.sh PROGRAM     the unit tests, built
#
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

program=$PWD/$1
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# Prints the paths that the build stage copies from this folder.
sources() {
    awk '$1 == "FROM" { is_it = $NF == "build" }
        is_it && $1 == "COPY" && $2 !~ /^--/ {
            for (i = 2; i < NF; i++)
                print $i
        }' Dockerfile
}

# is_sent PATH: whether .dockerignore includes it, or a folder that contains it
is_sent() {
    local path=$1
    while [ "$path" != . ]; do
        ! grep -qxF -- "!$path" .dockerignore || return 0
        path=$(dirname "$path")
    done
    printf 'FAILED: .dockerignore keeps %s from the image\n' "$1"
    printf '0 passed, 1 failed\n'
    return 1
}

mapfile -t paths < <(sources)
for path in "${paths[@]}"; do
    is_sent "$path"
done
tar cf - -- "${paths[@]}" | tar xf - -C "$context"
cd "$context"
"$program"

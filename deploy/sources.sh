#!/usr/bin/env bash
# Copies the sources into a folder: the files that git tracks, and those that it does
# not ignore; without git, all files but build/, Python's __pycache__, and .env, which
# has secrets. .commit gets the commit.
#
#   deploy/sources.sh FOLDER [COMMIT]
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p "$1"
{
    if [ -e .git ]; then git ls-files -co --exclude-standard; else find . -type f ! -path './build/*' ! -path ./.env ! -path '*/__pycache__/*'; fi
} | while IFS= read -r file; do
    [ ! -f "$file" ] || printf '%s\n' "$file"
done | tar cf - -T - | tar xf - -C "$1"
[ -z "${2:-}" ] || printf '%s\n' "$2" >"$1/.commit"

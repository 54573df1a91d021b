#!/usr/bin/env bash
# Makes the documentation page: the files that nginx serves, and each compressed.
#
#   deploy/web.sh FOLDER    makes them there, and removes other files there
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?which folder?}

[ -x /usr/bin/python3 ] || {
    echo 'web: /usr/bin/python3 is missing: see deploy/packages.txt' >&2
    exit 1
}
rm -rf "$folder"
mkdir -p "$folder"
"$top/docs/web/page.py" "$folder"
gzip -9 -k -n "$folder"/*.* "$folder"/docs/*

#!/usr/bin/env bash
# Copies this checkout into a folder, with the program and the objects of the release,
# which so need not be built again.
#
#   tests/support/copy.sh FOLDER [COMMIT]
set -euo pipefail
cd "$(dirname "$0")/../.."

deploy/sources.sh "$@"
# Not the fuzz targets: they may be built at this moment.
[ ! -d build/release ] || find build/release -name fuzz -prune -o \
    \( -name '*.[od]' -o -name scoring -o -name version \) -type f -print0 |
    xargs -0r cp -a --parents -t "$1"

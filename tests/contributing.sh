#!/usr/bin/env bash
# Tries the worked examples of CONTRIBUTING.md, all in one copy of this checkout:
# applies the blocks of each section, and checks the format. Then the ```sh blocks must
# succeed; equal blocks run once.
#
#   ```diff   is applied as a patch
#   ```c      becomes the file that the line "`path`:" before it names
#
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

text=CONTRIBUTING.md
. tests/support/counts.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-contributing.XXXXXX") tree=$work/tree
mkdir "$work/sections"
trap 'rm -rf "$work"' EXIT

# cut_blocks: writes the blocks to SECTION/N.KIND, in order, and new files to SECTION/new
cut_blocks() {
    awk -v out="$work/sections" '
        function folder(path) {
            sub(/\/[^\/]*$/, "", path)
            system("mkdir -p \"" path "\"")
        }
        /^## / { section = out "/" ++sections; print > (section ".title"); next }
        /^`[^`]+`:$/ { name = substr($0, 2, length($0) - 3) }
        /^```/ && is_open { is_open = 0; close(file); next }
        /^```/ {
            is_open = 1
            kind = substr($0, 4)
            file = section "/" ++blocks "." kind
            if (kind == "c")
                file = section "/new/" name
            folder(file)
            next
        }
        is_open { print > file }' "$text"
}

# changed_by SECTION-FOLDER: prints the C files that it changes or adds
changed_by() {
    {
        sed -n 's|^+++ b/||p' "$1"/*.diff
        [ ! -d "$1/new" ] || (cd "$1/new" && find . -type f)
    } | grep '\.[ch]$'
}

change_as_told() { # change_as_told SECTION-FOLDER
    local block
    [ ! -d "$1/new" ] || cp -R "$1/new/." "$tree/" || return
    for block in "$1"/*.diff; do
        patch --directory="$tree" --strip=1 --batch <"$block" || return
    done
    make -C "$tree" --no-print-directory format-check C_FILES="$(changed_by "$1" | paste -sd' ')"
}

# Without optimization, which would take most of the time; with jobs of its own, because
# those of the make above do not reach it.
run_block() {
    (cd "$tree" && MAKEFLAGS=-j$(nproc) CFLAGS='-O0 -Wno-cpp' bash -e "$1")
}

cut_blocks
# Only what an example changes is compiled again.
tests/support/copy.sh "$tree" "${COMMIT:-}"
declare -A blocks=()
for section in "$work"/sections/*/; do
    section=${section%/}
    compgen -G "$section/*.sh" >/dev/null || continue # a figure
    check "$(sed 's/^## //' "$section.title")" change_as_told "$section"
    for block in "$section"/*.sh; do
        blocks[$(<"$block")]=$block
    done
done
for block in "${blocks[@]}"; do
    check "$(paste -sd, "$block")" run_block "$block"
done

counts && [ "$passed" -ge 4 ]

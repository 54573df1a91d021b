#!/usr/bin/env bash
# Tries the worked examples of CONTRIBUTING.md, each in a copy of its own: what
# the blocks of a section say is done to it, then it must be formatted as all
# else, and its ```sh block succeed.
#
#   ```diff   is applied
#   ```c      becomes the file that the line "`path`:" before it names
#
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

text=CONTRIBUTING.md
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-contributing.XXXXXX")
trap 'rm -rf "$work"' EXIT

# cut_blocks: $work/SECTION/N.KIND, in order; new files under $work/SECTION/new
cut_blocks() {
    awk -v out="$work" '
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

copy_checkout() { # copy_checkout FOLDER: with what is built, to build less
    deploy/sources.sh "$1"
    [ ! -d build/release ] || {
        mkdir "$1/build" && cp -a build/release "$1/build/"
    }
}

try_section() { # try_section SECTION-FOLDER: in a copy
    local tree=$1/tree block
    copy_checkout "$tree"
    [ ! -d "$1/new" ] || cp -R "$1/new/." "$tree/"
    for block in "$1"/*.diff; do
        patch --directory="$tree" --strip=1 --batch <"$block"
    done
    make -C "$tree" --no-print-directory format-check
    for block in "$1"/*.sh; do
        (cd "$tree" && bash -e "$block")
    done
}

cut_blocks
for section in "$work"/*/; do
    section=${section%/}
    compgen -G "$section/*.sh" >/dev/null || continue # a figure
    title=$(sed 's/^## //' "$section.title")
    printf -- '- %s\n' "$title"
    if try_section "$section" >"$section.log" 2>&1; then
        passed=$((passed + 1))
    else
        tail -n 40 "$section.log"
        printf 'FAILED: %s: %s\n' "$text" "$title"
        failed=$((failed + 1))
    fi
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 3 ]

#!/usr/bin/env bash
# Tries the worked examples of CONTRIBUTING.md, one on top of the other, in a copy
# of this checkout: what the blocks of a section say is done to it, and it must be
# formatted as all else. Then their ```sh blocks must succeed, each text once.
#
#   ```diff   is applied
#   ```c      becomes the file that the line "`path`:" before it names
#
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

text=CONTRIBUTING.md
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-contributing.XXXXXX") tree=$work/tree
mkdir "$work/sections"
trap 'rm -rf "$work"' EXIT

# cut_blocks: SECTION/N.KIND, in order; new files under SECTION/new
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

# With what is built: only what an example changes is built again. Not optimized as
# usual, which would take most of the time.
copy_checkout() {
    deploy/sources.sh "$tree" "${COMMIT:-}"
    [ ! -d build/release ] || {
        mkdir "$tree/build" && cp -a build/release "$tree/build/"
    }
}

change_as_told() { # change_as_told SECTION-FOLDER
    local block
    [ ! -d "$1/new" ] || cp -R "$1/new/." "$tree/" || return
    for block in "$1"/*.diff; do
        patch --directory="$tree" --strip=1 --batch <"$block" || return
    done
    make -C "$tree" --no-print-directory format-check
}

run_block() {
    (cd "$tree" && CFLAGS=-O1 bash -e "$1")
}

count() { # count WHAT COMMAND...
    local what=$1
    shift
    printf -- '- %s\n' "$what"
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        tail -n 40 "$work/said"
        printf 'FAILED: %s: %s\n' "$text" "$what"
        failed=$((failed + 1))
    fi
}

cut_blocks
copy_checkout
declare -A blocks=()
for section in "$work"/sections/*/; do
    section=${section%/}
    compgen -G "$section/*.sh" >/dev/null || continue # a figure
    count "$(sed 's/^## //' "$section.title")" change_as_told "$section"
    for block in "$section"/*.sh; do
        blocks[$(<"$block")]=$block
    done
done
for block in "${blocks[@]}"; do
    count "$(paste -sd, "$block")" run_block "$block"
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 4 ]

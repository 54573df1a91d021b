#!/usr/bin/env bash
# Checks in a binary that the hardening flags had an effect.
#
#   tests/check-hardening.sh BINARY
set -euo pipefail

binary=$1
. "$(dirname "$0")/support/counts.sh"

expect() { # expect WHAT PATTERN COMMAND...: the output matches the pattern
    check "$binary: $1" grep -qE "$2" <<<"$("${@:3}" 2>/dev/null)"
}

expect 'position independent' 'Type:.*DYN' readelf -hW "$binary"
expect 'flagged as PIE' 'FLAGS_1.*PIE' readelf -dW "$binary"
expect 'relocations read-only' 'GNU_RELRO' readelf -lW "$binary"
expect 'all symbols bound at start' 'BIND_NOW|FLAGS_1.*NOW' readelf -dW "$binary"
expect 'stack not executable' 'GNU_STACK.* RW ' readelf -lW "$binary"
expect 'functions begin with endbr64' 'endbr64' objdump -d --no-show-raw-insn -j .text "$binary"
expect 'stack protector' '__stack_chk_fail' readelf -sW --dyn-syms "$binary"
expect 'fortified functions' '__(read|memcpy|snprintf|vsnprintf|fprintf|printf)_chk' \
    readelf -sW --dyn-syms "$binary"

# -fstack-clash-protection cannot be checked: it adds code only for frames of more than
# a page, and there are none.

counts

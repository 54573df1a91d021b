#!/bin/bash
# What systemd is to an installed service: it keeps the socket, its standard input,
# and starts the program that stands at $UPGRADE_PROGRAM whenever none runs. Every
# other command is one for $UPGRADE_NEW. By env it would be named bash, and not found.
set -u

[ $# -eq 0 ] || exec "$UPGRADE_NEW" "$@"
child='' ending=''
end() {
    ending=yes
    [ -z "$child" ] || kill "$child" 2>/dev/null
}
trap end INT TERM
while [ -z "$ending" ]; do
    "$UPGRADE_PROGRAM" serve <&0 &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
    done
done

#!/bin/bash
# Does for the service what systemd does: keeps the socket, its standard input, and
# starts $UPGRADE_PROGRAM whenever it does not run. With arguments, runs them as a command
# of $UPGRADE_NEW. Not started by env, because upgrade.py finds it by its name keeper.sh.
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

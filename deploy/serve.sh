#!/bin/sh
# The entry point of the image: starts the service on its socket, in the
# foreground; or runs another command of the program, if one is given.
set -eu

socket=/run/scoring/scoring.sock # the default of `scoring healthcheck`, too

if [ $# -gt 0 ] && [ "$1" != serve ]; then
    exec scoring "$@"
fi
# A container that was killed may have left one.
rm -f "$socket"
exec spawn-fcgi -n -s "$socket" -M 0660 -- /usr/local/bin/scoring "$@"

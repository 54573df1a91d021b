#!/bin/sh
# The entry point of the image: the service on its socket, in the foreground;
# or another command of the program, if one is given.
set -eu

socket=/run/scoring/scoring.sock # also the default of `scoring healthcheck`

if [ $# -gt 0 ] && [ "$1" != serve ]; then
    exec scoring "$@"
fi
# One that is left over from a container that was killed.
rm -f "$socket"
exec spawn-fcgi -n -s "$socket" -M 0660 -- /usr/local/bin/scoring "$@"

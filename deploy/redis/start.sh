#!/bin/sh
# The entry point of Redis or Valkey in docker compose, whichever the image
# has. Users are written to a file, with digests of their password: everybody who
# can list processes could read it in an argument.
#
#   default   for the operator: all commands
#   scoring   for the service: the commands that it sends, on its own keys; it can
#             only read interests
set -eu

: "${REDIS_PASSWORD:?must be set in .env}"

hash=$(printf '%s' "$REDIS_PASSWORD" | sha256sum | cut -d' ' -f1)
umask 077
cat >/run/redis/users.acl <<ACL
user default on #$hash ~* &* +@all
user scoring on #$hash resetchannels -@all +ping +select (~uid:* +get +set) (~i:* +get +getrange +mget +exists +type +strlen)
ACL
unset REDIS_PASSWORD

server=redis-server
if command -v valkey-server >/dev/null; then
    server=valkey-server
fi
exec "$server" /etc/scoring/redis.conf

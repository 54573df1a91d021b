#!/bin/sh
# redis-cli for the operator, in docker compose; the password comes from the
# environment: docker compose exec redis sh /etc/scoring/cli.sh COMMAND...
set -eu

client=redis-cli
if command -v valkey-cli >/dev/null; then
    client=valkey-cli
fi
export REDISCLI_AUTH="$REDIS_PASSWORD"
exec "$client" "$@"

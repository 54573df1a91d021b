#!/bin/sh
# redis-cli for the store with TLS.
set -eu

client=redis-cli
if command -v valkey-cli >/dev/null; then
    client=valkey-cli
fi
export REDISCLI_AUTH="$REDIS_PASSWORD"
exec "$client" --tls --cacert /tls/ca.crt --sni redis.example -p 6380 "$@"

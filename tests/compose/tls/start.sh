#!/bin/sh
# Starts a store that speaks only TLS.
set -eu

server=redis-server
if command -v valkey-server >/dev/null; then
    server=valkey-server
fi
umask 077
cat >/run/redis/tls.conf <<CONF
port 0
tls-port 6380
tls-cert-file /tls/store.crt
tls-key-file /tls/store.key
tls-auth-clients no
dir /data
save ""
requirepass $REDIS_PASSWORD
CONF
exec "$server" /run/redis/tls.conf

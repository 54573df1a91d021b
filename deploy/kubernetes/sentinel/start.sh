#!/bin/sh
# Runs in a pod of the group, with Redis or Valkey, whichever the image has:
#
#   start.sh redis|sentinel               starts this server
#   start.sh check-redis|check-sentinel   checks whether it answers
#   start.sh leave                        before a pod ends: hands over a master's role
#
# The master is the one that a sentinel names; before there is one, the first pod.
set -eu

name=mymaster
me=$(hostname).redis
names='redis-0.redis redis-1.redis redis-2.redis'
run=/run/redis conf=/data/sentinel.conf
patience_s=30 # half of terminationGracePeriodSeconds

server=redis-server client=redis-cli
if command -v valkey-server >/dev/null; then
    server=valkey-server client=valkey-cli
fi

# quote TEXT: prints a string for a configuration, with every byte as \xHH
quote() {
    printf '"%s"' "$(printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g')"
}

ask_sentinel() { # ask_sentinel HOST COMMAND...
    host=$1
    shift
    REDISCLI_AUTH=$REDIS_SENTINEL_PASSWORD timeout 2 "$client" -h "$host" -p 26379 "$@" 2>/dev/null
}

role() {
    REDISCLI_AUTH=$REDIS_PASSWORD timeout 2 "$client" ROLE 2>/dev/null | head -n 1
}

# named: prints the master that a sentinel names, if it is one of these pods
named() {
    for sentinel in $names; do
        master=$(ask_sentinel "$sentinel" SENTINEL GET-MASTER-ADDR-BY-NAME "$name" | head -n 1)
        case " $names " in
        *" ${master:-none} "*)
            echo "$master"
            return
            ;;
        esac
    done
    return 1
}

# find_master: prints the master. A pod that was in the group before, waits for a
# sentinel that names it; a new pod takes the first pod if no sentinel does.
find_master() {
    end=$(($(date +%s) + patience_s))
    until named; do
        if [ ! -s "$conf" ]; then
            echo "${names%% *}"
            return
        fi
        [ "$(date +%s)" -lt "$end" ] || {
            echo 'no sentinel names the master' >&2
            exit 1
        }
        sleep 1
    done
}

start_redis() {
    master=$(find_master)
    hash=$(printf '%s' "$REDIS_PASSWORD" | sha256sum | cut -d' ' -f1)
    cat >$run/users.acl <<ACL
user default on #$hash ~* &* +@all
user scoring on #$hash resetchannels -@all +ping +select (~uid:* +get +set) (~i:* +get +getrange +mget +exists +type +strlen)
ACL
    cat >$run/redis.conf <<CONF
port 6379
protected-mode no
aclfile $run/users.acl
masterauth $(quote "$REDIS_PASSWORD")
replica-announce-ip $me
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy volatile-lru
CONF
    [ "$master" = "$me" ] || echo "replicaof $master 6379" >>$run/redis.conf
    exec "$server" $run/redis.conf
}

# The sentinel keeps its state in its file, which is kept; only the passwords are set
# at each start.
start_sentinel() {
    if [ ! -s "$conf" ]; then
        cat >$run/sentinel.conf <<CONF
port 26379
protected-mode no
dir $run
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
sentinel monitor $name $(find_master) 6379 2
sentinel down-after-milliseconds $name 5000
sentinel failover-timeout $name 30000
CONF
    else
        grep -vE '^(requirepass|user default|sentinel auth-pass|sentinel sentinel-pass) ' \
            "$conf" >$run/sentinel.conf
    fi
    cat >>$run/sentinel.conf <<CONF
requirepass $(quote "$REDIS_SENTINEL_PASSWORD")
sentinel sentinel-pass $(quote "$REDIS_SENTINEL_PASSWORD")
sentinel auth-pass $name $(quote "$REDIS_PASSWORD")
CONF
    mv $run/sentinel.conf "$conf"
    exec "$server" "$conf" --sentinel
}

# hand_over: asks for a failover. Fails if no sentinel accepts it, because none knows a
# replica.
hand_over() {
    for sentinel in $names; do
        [ "$(ask_sentinel "$sentinel" SENTINEL FAILOVER "$name")" != OK ] || return 0
    done
    return 1
}

leave() {
    asked='' end=$(($(date +%s) + patience_s))
    while [ "$(role)" = master ] && [ "$(date +%s)" -lt "$end" ]; do
        [ -n "$asked" ] || ! hand_over || asked=yes
        sleep 1
    done
}

umask 077
case ${1-} in
redis) start_redis ;;
sentinel) start_sentinel ;;
check-redis) role | grep -qxE 'master|slave' ;;
check-sentinel) [ "$(ask_sentinel 127.0.0.1 PING)" = PONG ] ;;
leave) leave ;;
*)
    echo "start.sh: \"${1-}\": there is no such command" >&2
    exit 64
    ;;
esac

#!/usr/bin/env bash
# Runs start.sh of deploy/kubernetes/sentinel in three network namespaces with the names
# of pods: they find each other; a pod that ends hands over the role of the master; the
# master dies; all die and start again. Needs root, ip and Redis; otherwise it reports
# what is missing, and is skipped.
#
#   tests/kubernetes/group.sh BINARY
#
# The last line is "N passed, N failed", or with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

script=$PWD/deploy/kubernetes/sentinel/start.sh
patience_s=90
export REDIS_PASSWORD='a b"c$d' REDIS_SENTINEL_PASSWORD="e'f \\g"

skip() {
    printf 'skipped: %s\n0 passed, 0 failed, 1 skipped\n' "$*"
    exit 0
}

check() { # check NAME COMMAND...: repeats a command until it succeeds
    local name=$1 end=$((SECONDS + patience_s))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$end" ]; then
            failed=$((failed + 1))
            printf 'FAILED %s\n' "$name"
            tail -n 3 "$work"/*.log
            return 1
        fi
        sleep 0.2
    done
    passed=$((passed + 1))
}

# --- the pods

make_network() {
    local i
    ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/netns &&
        ip link add pods type bridge && ip addr add 192.0.2.10/24 dev pods &&
        ip link set pods up || return
    printf '127.0.0.1 localhost\n' >"$work/hosts"
    for i in 0 1 2; do
        printf '192.0.2.2%d redis-%d.redis\n' "$i" "$i" >>"$work/hosts"
        mkdir "$work/data$i"
        ip netns add "redis-$i" &&
            ip link add "pod$i" type veth peer name eth0 netns "redis-$i" &&
            ip link set "pod$i" master pods up &&
            ip -n "redis-$i" addr add "192.0.2.2$i/24" dev eth0 &&
            ip -n "redis-$i" link set eth0 up && ip -n "redis-$i" link set lo up || return
    done
    mount --bind "$work/hosts" /etc/hosts
}

# inside I COMMAND...: runs a command with the name, network and volumes of pod I
inside() {
    # shellcheck disable=SC2016
    ip netns exec "redis-$1" unshare --mount --uts sh -c '
        hostname "redis-$1" && mount --bind "$2/hosts" /etc/hosts && mkdir -p /run/redis &&
            mount --bind "$2/data$1" /data && mount -t tmpfs tmpfs /run/redis || exit
        shift 2
        exec "$@"' - "$1" "$work" "${@:2}"
}

start() { # start I: starts both containers of pod I
    local what
    for what in redis sentinel; do
        inside "$1" setpriv --pdeathsig KILL sh "$script" "$what" >>"$work/$what$1.log" 2>&1 &
        pids[$what$1]=$!
    done
}

die() { # die NAME...: kills containers, such as redis0 or sentinel2
    local name
    for name; do
        kill -KILL "${pids[$name]}" 2>/dev/null
        wait "${pids[$name]}" 2>/dev/null
    done
}

# --- their states

named() { # named I: prints the number of the master that sentinel I names
    REDISCLI_AUTH=$REDIS_SENTINEL_PASSWORD timeout 2 redis-cli -h "redis-$1.redis" -p 26379 \
        SENTINEL GET-MASTER-ADDR-BY-NAME mymaster 2>/dev/null | sed -n '1s/^redis-\([0-2]\)\.redis$/\1/p'
}

redis() { # redis I COMMAND...
    REDISCLI_AUTH=$REDIS_PASSWORD timeout 2 redis-cli -h "redis-$1.redis" "${@:2}" 2>/dev/null
}

is_master() { # is_master I: all sentinels name it, and it reports the role
    [ "$(named 0)$(named 1)$(named 2)" = "$1$1$1" ] && [ "$(redis "$1" ROLE | head -n 1)" = master ]
}

is_linked() { # is_linked I REPLICA...
    local replica
    for replica in "${@:2}"; do
        [ "$(redis "$replica" ROLE | sed -n '2p;4p' | paste -sd' ')" = "redis-$1.redis connected" ] ||
            return 1
    done
}

# Whether another server is the master. Sets $master.
is_promoted() {
    local found
    found=$(named $(((master + 1) % 3)))
    [ -n "$found" ] && [ "$found" != "$master" ] && [ "$(redis "$found" ROLE | head -n 1)" = master ] &&
        master=$found
}

# Whether `scoring` reads from the group, with the users that start.sh has made.
exports() {
    [ "$(REDIS_USERNAME=default SCORING_CONFIG_FILE='' \
        REDIS_URL=redis+sentinel://redis-0.redis,redis-1.redis,redis-2.redis/mymaster \
        "$binary" interests export 2>/dev/null)" = '{"client_id": 1, "interests": ["books"]}' ]
}

try_group() {
    local before
    for i in 0 1 2; do
        start "$i"
    done
    check 'the first pod is the master' is_master 0 && check 'the others follow' is_linked 0 1 2 ||
        return
    redis 0 SET i:1 '["books"]' >/dev/null
    check 'the service reads from the group' exports

    before=$master
    inside "$before" sh "$script" leave
    check 'a pod that ends hands its role over' is_promoted || return
    die "redis$before" "sentinel$before"
    start "$before"
    check 'it returns as a replica' is_linked "$master" "$before"

    before=$master
    die "redis$before" "sentinel$before"
    check 'a master that dies has a successor' is_promoted || return
    start "$before"
    check 'the dead one returns as a replica' is_linked "$master" "$before"
    check 'all agree' is_master "$master"

    die redis{0,1,2} sentinel{0,1,2}
    for i in 0 1 2; do
        start "$i"
    done
    check 'after the death of all the last master is it again' is_master "$master"
    check 'and its data is there' exports
}

if [ "${2-}" = --inside ]; then
    binary=$1 work=$3 passed=0 failed=0 master=0
    declare -A pids=()
    trap 'die "${!pids[@]}"' EXIT
    make_network || skip 'the network of pods cannot be made'
    try_group
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
fi

[ "$(id -u)" -eq 0 ] || skip 'only root can make namespaces'
for program in ip redis-server redis-cli hostname; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-group.XXXXXX") || exit 1
at=
[ -d /data ] || { mkdir /data && at=/data; } # where each pod mounts its volume
trap 'rm -rf --one-file-system "$work"; [ -z "$at" ] || rmdir "$at"' EXIT
trap 'exit 1' INT TERM HUP
unshare --net --mount "$0" "$(realpath "$1")" --inside "$work"

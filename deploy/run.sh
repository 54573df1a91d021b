#!/usr/bin/env bash
# `make run`: a private Redis, the service under spawn-fcgi, and nginx, in the
# foreground, all of it under RUN_DIR and as the invoking user. Ctrl-C or TERM
# ends all of it. Settings are those of the service, read by it: the environment,
# or lines of .env (or of SCORING_CONFIG_FILE, if that is given). Of these are
# used here METRICS_PORT (HTTP_PORT + 1), RUN_DIR (build/run), REDIS_URL (a private
# Redis unless given), REDIS_PASSWORD, TZ, and those of nginx.
set -euo pipefail

# nginx lives where the PATH of a user who is not root may not lead.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

top=$(cd "$(dirname "$0")/.." && pwd)
binary=${RUN_BINARY:-$top/build/release/scoring}

# sockaddr_un has room for 108 bytes, the NUL included.
socket_path_max=107
ready_tries=100 # of 0.1 s, but the first ones
stop_tries=150  # more than nginx (10 s) and the service take at most

names=() pids=() # what runs, in the order of its start

fail() {
    printf 'run: %s\n' "$*" >&2
    exit 1
}

# nginx's share of the settings; see deploy/nginx-settings.sh.
nginx_share=SCORING_MAX_BODY_BYTES,SCORING_RATE_LIMIT,SCORING_MAX_CONNECTIONS
nginx_share+=,HTTP_ADDRESS,HTTP_PORT,HTTPS_PORT,TLS_CERTIFICATE,TLS_KEY,TLS_HSTS_S,TRUSTED_PROXIES

# Assignments as the service reads the settings; see check-config --help.
# Bash loses a Ctrl-C that comes when a program whose output it reads has closed
# that, but not yet ended. "|| return" leaves it with a shell, which ends at once.
settings() { # settings NAME,NAME...
    "$binary" check-config --secret --shell "$1" || return
}

# What is not nginx's stays as it is in the environment: the service itself
# follows the file when it is read again.
read_settings() {
    local assignments METRICS_PORT RUN_DIR SCORING_LOG_FILE REDIS_URL REDIS_PASSWORD TZ
    assignments=$(settings \
        "METRICS_PORT,RUN_DIR,SCORING_LOG_FILE,REDIS_URL,REDIS_PASSWORD,TZ,$nginx_share")
    eval "$assignments"
    metrics_port=$METRICS_PORT
    run_dir=${RUN_DIR:-$top/build/run}
    service_log=${SCORING_LOG_FILE:-this output}
    redis_url=$REDIS_URL
    redis_password=$REDIS_PASSWORD
    with_zone=()
    [ -z "$TZ" ] || with_zone=(env "TZ=$TZ")
}

check_settings() {
    [ "$metrics_port" != "$nginx_http" ] ||
        fail "METRICS_PORT: $metrics_port: must not be HTTP_PORT"
    [ "$metrics_port" != "$nginx_https" ] || [ -z "$metrics_port" ] ||
        fail "METRICS_PORT: $metrics_port: must not be HTTPS_PORT"
    local longest=$run_dir/redis/redis.sock LC_ALL=C # bytes count
    ((${#longest} <= socket_path_max)) ||
        fail "RUN_DIR: $run_dir: too long for a socket below it (at most $((socket_path_max - 17)) bytes)"
    # What nginx or a URL would not take as it is, quoted or not.
    [[ $run_dir != *[[:cntrl:]\"\\\$*?[%#]* ]] ||
        fail "RUN_DIR: $run_dir: must not hold any of \" \\ \$ * ? [ % #"
}

check_programs() {
    local program
    for program in spawn-fcgi nginx envsubst curl setpriv flock redis-server redis-cli; do
        command -v "$program" >/dev/null ||
            fail "$program is missing: run make run, or see deploy/packages.txt"
    done
}

# What an earlier run has left, which a kill may have kept it from taking away.
clear_run_dir() {
    mkdir -p "$run_dir/redis" "$run_dir/nginx"
    rm -f "$run_dir/scoring.sock" "$run_dir/scoring.sock.answers" "$run_dir/metrics.sock" "$run_dir/redis/redis.sock" \
        "$run_dir/nginx/web.sock" "$run_dir/nginx/nginx.pid"
}

check_port_free() { # check_port_free NAME PORT HOST
    local host=${3#[}
    if (exec 3<>"/dev/tcp/${host%]}/$2") 2>/dev/null; then
        fail "$1: $2: the port is in use"
    fi
}

# start NAME COMMAND...: in the background, ended if this script is killed, and
# leader of a group of its own: deaf to the terminal's Ctrl-C, which this
# script passes on in order; and what it leaves behind can be ended
start() {
    local name=$1
    shift
    setsid setpriv --pdeathsig TERM "$@" 9>&- &
    names+=("$name") pids+=($!)
}

start_redis() {
    local conf=$run_dir/redis/redis.conf log=$run_dir/redis/redis.log
    (
        umask 077
        printf '%s\n' 'port 0' "unixsocket $(quote "$run_dir/redis/redis.sock")" \
            'unixsocketperm 700' "dir $(quote "$run_dir/redis")" 'appendonly yes' \
            'save ""' 'daemonize no' "logfile $(quote "$log")" >"$conf"
        if [ -n "$redis_password" ]; then
            printf 'requirepass %s\n' "$(quote "$redis_password")" >>"$conf"
        fi
    )
    # Mistakes in its configuration are told before it has opened its log.
    start Redis "${with_zone[@]}" redis-server "$conf" >>"$log" 2>&1
    export REDIS_URL=unix://$run_dir/redis/redis.sock
    # A Redis of our own has no other user, whatever the file says.
    if [ -n "$redis_password" ]; then
        export REDIS_USERNAME=default
    fi
    wait_for Redis redis_answers || fail "Redis did not start: $(redis_said)"
}

# its last line, without process, date and level
redis_said() {
    tail -n 1 "$run_dir/redis/redis.log" 2>/dev/null |
        sed -E 's/^[0-9]+:[A-Z] [0-9]+ [A-Za-z]+ [0-9]+ [0-9:.]+ [-.*#] //'
}

# a double-quoted string of redis.conf: every byte as \xHH
quote() {
    local LC_ALL=C text=$1 quoted='' byte i # bytes count
    for ((i = 0; i < ${#text}; i++)); do
        printf -v byte %d "'${text:i:1}"
        printf -v byte '\\x%02x' $((byte & 255)) # those above 127 are negative
        quoted+=$byte
    done
    printf '"%s"' "$quoted"
}

redis_answers() {
    [ -S "$run_dir/redis/redis.sock" ] || return 1
    [ "$(REDISCLI_AUTH=$redis_password redis-cli -s "$run_dir/redis/redis.sock" \
        ping 2>/dev/null)" = PONG ]
}

start_service() {
    start 'the service' spawn-fcgi -n -s "$run_dir/scoring.sock" -M 0660 -- "$binary"
}

# place_page FOLDER: as make has made it, unless that is older than its sources
place_page() {
    local made=$top/build/web
    rm -rf "$1"
    if [ -e "$made/index.html.gz" ] && [ -z "$(find "$top/deploy/web.sh" "$top/docs/api.md" \
        "$top/docs/openapi.json" "$top/docs/web" -type f -newer "$made/index.html.gz" -print -quit)" ] &&
        cp -R "$made" "$1" 2>/dev/null; then
        return
    fi
    "$top/deploy/web.sh" "$1"
}

start_nginx() {
    nginx_user=
    # Started by root nginx would change to a user who cannot reach the socket.
    [ "$(id -u)" -ne 0 ] || nginx_user="user $(id -un) $(id -gn);"
    (
        export RUN_DIR=$run_dir NGINX_USER=$nginx_user \
            NGINX_METRICS_LISTEN=$metrics_listen WEB_DIR=$run_dir/web \
            FCGI_SOCKET=$run_dir/scoring.sock NGINX_LOG_BUFFER=64k \
            NGINX_ACCESS_LOG=$run_dir/nginx/access.log NGINX_ERROR_LOG=$run_dir/nginx/error.log
        nginx_render "$top/nginx"
    )
    place_page "$run_dir/web"
    : >"$run_dir/nginx/error.log"
    # Faults at the start go to the error log too, and are told from there.
    # shellcheck disable=SC2086
    start nginx "${with_zone[@]}" $NGINX_SCHEDULER nginx -e "$run_dir/nginx/error.log" -p "$run_dir" \
        -c "$run_dir/nginx/nginx.conf" 2>/dev/null
}

# An answer that only the service can give, through our own nginx: it writes its
# pid once the port is its own. No proxy and no .curlrc may come between. Health
# is in no log, and counted nowhere.
service_answers() {
    [ -s "$run_dir/nginx/nginx.pid" ] || return 1
    curl -q -s -m 2 --noproxy '*' "http://$host:$nginx_http/healthz" 2>/dev/null |
        grep -qx '{"status": "ok"}'
}

# rest TRY: between two looks; the first ones are soon
rest() {
    case $1 in
    0) sleep 0.01 ;;
    1) sleep 0.02 ;;
    2 | 3) sleep 0.04 ;;
    *) sleep 0.1 ;;
    esac
}

# wait_for NAME CHECK: until it is true, unless something has ended by then
wait_for() {
    local try
    for ((try = 0; try < ready_tries; try++)); do
        if "$2"; then
            return 0
        fi
        all_run || return 1
        rest "$try"
    done
    return 1
}

all_run() {
    local pid
    for pid in "${pids[@]}"; do
        kill -0 "$pid" 2>/dev/null || return 1
    done
}

first_ended() {
    local i
    for i in "${!pids[@]}"; do
        if ! kill -0 "${pids[$i]}" 2>/dev/null; then
            printf '%s' "${names[$i]}"
            return
        fi
    done
}

explain_start() {
    local ended
    ended=$(first_ended)
    case $ended in
    nginx) fail "nginx did not start: $(grep -m 1 -oE '\[emerg\].*' "$run_dir/nginx/error.log" |
        sed 's/^\[emerg\] [0-9#]*: //' || true)" ;;
    '') fail "no answer on http://$host:$nginx_http" ;;
    *) fail "$ended did not start" ;;
    esac
}

# Backwards: nginx lets what runs finish, then the service, then Redis.
stop_all() {
    local i try signal
    trap '' INT TERM HUP
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        signal=TERM
        [ "${names[$i]}" != nginx ] || signal=QUIT
        # Again and again: one that comes before its handler is there is lost.
        for ((try = 0; try < stop_tries; try++)); do
            kill -s "$signal" "${pids[$i]}" 2>/dev/null || break
            rest "$try"
        done
        # Its whole group: the workers of a master that was killed live on.
        kill -KILL -- "-${pids[$i]}" "${pids[$i]}" 2>/dev/null || true
        wait "${pids[$i]}" 2>/dev/null || true
    done
    pids=() names=()
    rm -f "$run_dir/scoring.sock" "$run_dir/scoring.sock.answers"
}

can_listen() { # can_listen PORT: it is bound, and let go of again
    [ "$1" -le 65535 ] && spawn-fcgi -n -a 127.0.0.1 -p "$1" -- /bin/true >/dev/null 2>&1
}

# A port that nobody has asked for must not keep the service from starting.
choose_metrics_listen() {
    local port=${metrics_port:-$((nginx_http + 1))}
    metrics_listen=127.0.0.1:$port
    [ -z "$metrics_port" ] || return 0
    if [ "$port" = "$nginx_https" ] || ! can_listen "$port"; then
        metrics_listen=unix:$run_dir/metrics.sock
        printf 'run: METRICS_PORT: %d cannot be had; the metrics are at %s\n' \
            "$port" "$metrics_listen" >&2
    fi
}

on_signal() {
    exit 0
}

# Scripts wait for the first line; the other one is for people.
say_ready() {
    local redis_log=$run_dir/redis/redis.log
    [ -z "$redis_url" ] || redis_log='not ours'
    printf 'ready: http://%s:%s\n' "$host" "$nginx_http"
    [ -z "$nginx_https" ] || printf 'and: https://%s:%s\n' "$host" "$nginx_https"
    printf 'Ctrl-C ends all of it. Logs: the service, %s; nginx, %s; Redis, %s\n' \
        "$service_log" "$run_dir/nginx/error.log" "$redis_log"
}

explain_end() {
    local ended
    ended=$(first_ended)
    [ "$ended" != Redis ] ||
        fail "Redis has ended: stopping. To see an outage of the store, start a Redis of your own, give its REDIS_URL to make run, and stop it"
    fail "$ended has ended: stopping"
}

[ -x "$binary" ] || fail "$binary is missing: run make"
# A link to nothing is there, too: a mistake, not a file that was not given.
if [ -z "${SCORING_CONFIG_FILE+set}" ] && { [ -e "$top/.env" ] || [ -L "$top/.env" ]; }; then
    export SCORING_CONFIG_FILE=$top/.env
fi
# Not those of a service that is installed here.
export SCORING_CONFIG_FILE=${SCORING_CONFIG_FILE-}
read_settings
# Bodies are spooled to a folder on a disk.
NGINX_HTTPS_PUBLIC='' NGINX_SPOOL_BYTES=''
# shellcheck source=deploy/nginx-settings.sh
. "$top/deploy/nginx-settings.sh"
if [ -n "$metrics_port" ]; then
    nginx_number METRICS_PORT "$metrics_port" 1 65535
    metrics_port=$nginx_value
fi
# Where it is asked whether it is there: a wildcard is no place.
host=${nginx_at%%$'\n'*}
case $host in
0.0.0.0) host=127.0.0.1 ;;
'[::]') host='[::1]' ;;
esac
# shellcheck source=deploy/run-dir.sh
. "$top/deploy/run-dir.sh"

run_dir_resolve
check_settings
check_programs
check_port_free HTTP_PORT "$nginx_http" "$host"
[ -z "$nginx_https" ] || check_port_free HTTPS_PORT "$nginx_https" "$host"
[ -z "$metrics_port" ] || check_port_free METRICS_PORT "$metrics_port" 127.0.0.1
run_dir_take
clear_run_dir
choose_metrics_listen
trap stop_all EXIT
trap on_signal INT TERM HUP
[ -n "$redis_url" ] || start_redis
start_service
start_nginx
wait_for service service_answers || explain_start
say_ready

wait -n "${pids[@]}" || true
explain_end

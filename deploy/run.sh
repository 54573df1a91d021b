#!/usr/bin/env bash
# `make run`: starts a private Redis, the service under spawn-fcgi, and nginx, in the
# foreground, in RUN_DIR, as the invoking user. Ctrl-C or TERM ends all of it.
# Settings come from the environment, or from .env (or SCORING_CONFIG_FILE, if that is
# given), as the service reads them. This script uses METRICS_PORT (HTTP_PORT + 1),
# RUN_DIR (build/run), REDIS_URL (without it, a private Redis starts),
# REDIS_PASSWORD, TZ, and nginx's settings.
set -euo pipefail

# The PATH of a user who is not root may lack nginx's folder.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

top=${0%"${0##*/}"} # ends with a slash, or is empty
top=$(cd "${top:-./}.." && pwd)
binary=${RUN_BINARY:-$top/build/release/scoring}

# sockaddr_un has 108 bytes, including a NUL.
socket_path_max=107
ready_tries=100 # about 10 s, see rest()
stop_tries=150  # about 15 s, more than nginx (10 s) and the service take
ex_config=78    # of sysexits(3): the service has printed which setting is wrong

is_ending=       # a signal has arrived
names=() pids=() # the programs that run, in the order of their start
exec 8<> <(:)    # see rest()

fail() {
    printf 'run: %s\n' "$*" >&2
    exit 1
}

# shellcheck source=deploy/nginx-settings.sh
. "$top/deploy/nginx-settings.sh"

# settings NAME,NAME...: prints the settings as assignments, see check-config --help.
# In $(...), bash ignores a Ctrl-C that arrives after the program has closed its
# output, but before it has exited. With "|| return" bash runs it in a subshell,
# which Ctrl-C ends at once.
settings() {
    "$binary" check-config --secret --shell "$1" || return
}

# The settings of the service are not exported: the service itself reads the file,
# and reads it again on SIGHUP.
read_settings() {
    local assignments METRICS_PORT RUN_DIR SCORING_LOG_FILE REDIS_URL REDIS_PASSWORD TZ
    assignments=$(settings \
        "METRICS_PORT,RUN_DIR,SCORING_LOG_FILE,REDIS_URL,REDIS_PASSWORD,TZ,$nginx_settings")
    eval "$assignments"
    metrics_port=$METRICS_PORT
    run_dir=${RUN_DIR:-$top/build/run}
    service_log=${SCORING_LOG_FILE:-this output}
    redis_url=$REDIS_URL
    redis_password=$REDIS_PASSWORD
    with_zone=()
    [ -z "$TZ" ] || with_zone=(env "TZ=$TZ")
}

check_run_dir() {
    local longest=$run_dir/redis/redis.sock LC_ALL=C # counts bytes
    ((${#longest} <= socket_path_max)) ||
        fail "RUN_DIR: $run_dir: too long for a socket below it (at most $((socket_path_max - 17)) bytes)"
    # Neither nginx nor a URL accepts these characters, even quoted. The service has
    # checked the setting, but not the path to it.
    [[ $run_dir != *[[:cntrl:]\"\\\$*?[%#]* ]] ||
        fail "RUN_DIR: $run_dir: must not hold control characters or any of \"\\\$*?[%#"
}

check_programs() {
    local program
    for program in spawn-fcgi nginx envsubst setpriv flock redis-server redis-cli; do
        command -v "$program" >/dev/null ||
            fail "$program is missing: run make run, or see deploy/packages.txt"
    done
}

# Removes the files that an earlier run has left because it was killed.
clear_run_dir() {
    mkdir -p "$run_dir/redis" "$run_dir/nginx"
    [ -n "$run_dir_is_new" ] ||
        rm -f "$run_dir/scoring.sock" "$run_dir/scoring.sock.answers" "$run_dir/metrics.sock" \
            "$run_dir/redis/redis.sock" "$run_dir/nginx/web.sock" "$run_dir/nginx/nginx.pid"
}

check_port_free() { # check_port_free NAME PORT HOST
    local host=${3#[}
    if { : <>"/dev/tcp/${host%]}/$2"; } 2>/dev/null; then
        fail "$1: $2: the port is in use"
    fi
}

# start NAME COMMAND...: starts a program in the background, in a process group of its
# own. So the terminal's Ctrl-C does not reach it, this script ends the programs in
# order, and can kill what a program leaves behind. If this script is killed, the
# kernel sends the program TERM.
start() {
    local name=$1
    shift
    heed_signal
    setsid setpriv --pdeathsig TERM "$@" 8>&- 9>&- &
    names+=("$name") pids+=($!)
}

start_redis() {
    local conf=$run_dir/redis/redis.conf log=$run_dir/redis/redis.log
    (
        umask 077
        {
            printf '%s\n' 'port 0' 'unixsocketperm 700' 'appendonly yes' 'save ""' 'daemonize no'
            redis_setting unixsocket "$run_dir/redis/redis.sock"
            redis_setting dir "$run_dir/redis"
            redis_setting logfile "$log"
            [ -z "$redis_password" ] || redis_setting requirepass "$redis_password"
        } >"$conf"
    )
    # Redis reports errors in its configuration before it opens its log.
    start Redis "${with_zone[@]}" redis-server "$conf" >>"$log" 2>&1
    export REDIS_URL=unix://$run_dir/redis/redis.sock
    # The private Redis has no other user, whatever the settings say.
    if [ -n "$redis_password" ]; then
        export REDIS_USERNAME=default
    fi
    wait_for Redis redis_answers || fail "Redis did not start: $(redis_said)"
}

# redis_said: prints the last line of its log, without process, date and level
redis_said() {
    tail -n 1 "$run_dir/redis/redis.log" 2>/dev/null |
        sed -E 's/^[0-9]+:[A-Z] [0-9]+ [A-Za-z]+ [0-9]+ [0-9:.]+ [-.*#] //'
}

# redis_setting NAME TEXT: prints a line for redis.conf, with every byte as \xHH
redis_setting() {
    local LC_ALL=C text=$2 quoted='' byte i # counts bytes
    for ((i = 0; i < ${#text}; i++)); do
        printf -v byte %d "'${text:i:1}"
        printf -v byte '\\x%02x' $((byte & 255)) # bytes above 127 are negative
        quoted+=$byte
    done
    printf '%s "%s"\n' "$1" "$quoted"
}

redis_answers() {
    [ -S "$run_dir/redis/redis.sock" ] || return 1
    [ "$(REDISCLI_AUTH=$redis_password exec redis-cli -s "$run_dir/redis/redis.sock" \
        ping 2>/dev/null)" = PONG ]
}

start_service() {
    start 'the service' spawn-fcgi -n -s "$run_dir/scoring.sock" -M 0660 -- "$binary"
    service_pid=$!
}

# Whether make has built the page after the last change of its sources.
page_is_made() {
    local source
    [ -e "$page/index.html.gz" ] || return 1
    for source in "$top"/deploy/web.sh "$top"/docs/{api.md,openapi.json} "$top"/docs/web/{*,*/*}; do
        [ -d "$source" ] || [ ! "$source" -nt "$page/index.html.gz" ] || return 1
    done
}

# place_page FOLDER: copies the page that make has built; builds it if it is outdated
place_page() {
    local page=$top/build/web
    [ -n "$run_dir_is_new" ] || rm -rf "$1"
    if page_is_made && cp -R "$page" "$1" 2>/dev/null; then
        return
    fi
    "$top/deploy/web.sh" "$1"
}

start_nginx() {
    nginx_user=
    # As root, nginx would switch to a user who cannot reach the socket.
    [ "$EUID" -ne 0 ] || nginx_user="user $(id -un) $(id -gn);"
    (
        export RUN_DIR=$run_dir NGINX_USER=$nginx_user \
            NGINX_METRICS_LISTEN=$metrics_listen WEB_DIR=$run_dir/web \
            FCGI_SOCKET=$run_dir/scoring.sock NGINX_LOG_BUFFER=64k \
            NGINX_ACCESS_LOG=$run_dir/nginx/access.log NGINX_ERROR_LOG=$run_dir/nginx/error.log
        nginx_render "$top/nginx"
    )
    place_page "$run_dir/web"
    : >"$run_dir/nginx/error.log"
    # Errors at the start are in the error log, too: explain_start() prints them.
    # shellcheck disable=SC2086
    start nginx "${with_zone[@]}" $NGINX_SCHEDULER nginx -e "$run_dir/nginx/error.log" -p "$run_dir" \
        -c "$run_dir/nginx/nginx.conf" 2>/dev/null
}

# Whether the service answers through this nginx, which writes its pid once it has
# the port. Health requests are not logged and not counted.
service_answers() {
    local at=${host#[} answer=
    [ -s "$run_dir/nginx/nginx.pid" ] || return 1
    { exec 7<>"/dev/tcp/${at%]}/$nginx_http"; } 2>/dev/null || return 1
    printf 'GET /healthz HTTP/1.0\r\n\r\n' >&7
    read -r -d '' -t 2 -u 7 answer || true # there is no NUL: it ends with the connection
    exec 7>&-
    [[ $answer == 'HTTP/1.1 200 '*$'\r\n\r\n{"status": "ok"}' ]]
}

# rest TRY: sleeps between two tries, at first only briefly. The pipe never gets
# any bytes: bash itself waits, so no program has to be started.
rest() {
    local seconds=0.1
    case $1 in
    0) seconds=0.01 ;;
    1) seconds=0.02 ;;
    2 | 3) seconds=0.04 ;;
    esac
    read -r -t "$seconds" -u 8 || true
}

# wait_for NAME CHECK: waits until CHECK succeeds; fails if a program has ended
wait_for() {
    local try
    for ((try = 0; try < ready_tries; try++)); do
        if "$2"; then
            return 0
        fi
        heed_signal
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
    local ended status=0
    ended=$(first_ended)
    case $ended in
    'the service')
        wait "$service_pid" || status=$?
        [ "$status" -eq "$ex_config" ] || fail "$ended did not start"
        exit 1
        ;;
    nginx) fail "nginx did not start: $(grep -m 1 -oE '\[emerg\].*' "$run_dir/nginx/error.log" |
        sed 's/^\[emerg\] [0-9#]*: //' || true)" ;;
    '') fail "no answer on http://$host:$nginx_http" ;;
    *) fail "$ended did not start" ;;
    esac
}

# Ends the programs in reverse order: nginx finishes its requests, then the service,
# then Redis.
stop_all() {
    local i try signal
    trap '' INT TERM HUP
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        signal=TERM
        [ "${names[$i]}" != nginx ] || signal=QUIT
        # Repeated, because a signal is lost if its handler is not yet installed.
        for ((try = 0; try < stop_tries; try++)); do
            kill -s "$signal" "${pids[$i]}" 2>/dev/null || break
            rest "$try"
        done
        # The whole group: workers survive a master that was killed.
        kill -KILL -- "-${pids[$i]}" "${pids[$i]}" 2>/dev/null || true
        wait "${pids[$i]}" 2>/dev/null || true
    done
    pids=() names=()
    rm -f "$run_dir/scoring.sock" "$run_dir/scoring.sock.answers"
    # A program that the terminal's Ctrl-C has ended is no failure.
    heed_signal
}

can_listen() { # can_listen PORT: binds it, and releases it
    [ "$1" -le 65535 ] && spawn-fcgi -n -a 127.0.0.1 -p "$1" -- /bin/true >/dev/null 2>&1
}

# If METRICS_PORT was not given, and its default is not free, uses a unix socket: the
# service must still start.
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

# Only noted here: bash runs a trap with SIGCHLD blocked if it has interrupted read or
# a pipeline, and after an exit there would not notice that the programs have ended.
on_signal() {
    is_ending=yes
}

# Ends this script if a signal has arrived.
heed_signal() {
    [ -z "$is_ending" ] || exit 0
}

# Scripts wait for the first line.
say_ready() {
    local redis_log=$run_dir/redis/redis.log
    [ -z "$redis_url" ] || redis_log='not started here'
    printf 'ready: http://%s:%s\n' "$host" "$nginx_http"
    [ -z "$nginx_https" ] || printf 'and: https://%s:%s\n' "$host" "$nginx_https"
    printf 'Ctrl-C ends all of it. Logs: the service, %s; nginx, %s; Redis, %s\n' \
        "$service_log" "$run_dir/nginx/error.log" "$redis_log"
}

explain_end() {
    local ended
    trap '' INT TERM HUP
    ended=$(first_ended)
    [ "$ended" != Redis ] ||
        fail "Redis has ended: stopping. To see an outage of the store, start a Redis of your own, give its REDIS_URL to make run, and stop it"
    fail "$ended has ended: stopping"
}

[ -x "$binary" ] || fail "$binary is missing: run make"
# A dangling link is passed on, too: the service reports the error.
if [ -z "${SCORING_CONFIG_FILE+set}" ] && { [ -e "$top/.env" ] || [ -L "$top/.env" ]; }; then
    export SCORING_CONFIG_FILE=$top/.env
fi
# Empty: no file, so that /etc/scoring/scoring.conf is not used.
export SCORING_CONFIG_FILE=${SCORING_CONFIG_FILE-}
read_settings
# Bodies are spooled to a disk.
NGINX_HTTPS_PUBLIC='' NGINX_SPOOL_BYTES=''
nginx_check
if [ -n "$metrics_port" ]; then
    nginx_number METRICS_PORT "$metrics_port" 1 65535
    metrics_port=$nginx_value
fi
# The address to which this script connects: not a wildcard.
host=${nginx_at%%$'\n'*}
case $host in
0.0.0.0) host=127.0.0.1 ;;
'[::]') host='[::1]' ;;
esac
# shellcheck source=deploy/run-dir.sh
. "$top/deploy/run-dir.sh"

run_dir_resolve
check_run_dir
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
trap 'exit 0' INT TERM HUP # wait -n may be left so
heed_signal
say_ready
wait -n "${pids[@]}" || true
explain_end

#!/usr/bin/env bash
# Tests the stack of docker-compose.yml that runs from this folder: answers, accounts of
# Redis, rights, killed processes, outages, data that must persist. It stops, kills and
# starts containers, writes i:424242 and i:424243 and, temporarily, another password into
# .env. Needs bash, curl and docker compose 2. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

services=(nginx scoring redis)
phone=79991234567 email=probe-of-compose@example.org
tls_dir=$PWD/build/compose-tls
tls=(-f docker-compose.yml -f tests/compose/tls.yml)

passed=0 failed=0

check() { # check NAME COMMAND...: a test, passed if the command succeeds
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$name"
        printf '%s\n' "$output" | head -n 20 | sed 's/^/    /'
    fi
}

# equal GOT WANTED
equal() {
    [ "$1" = "$2" ] || {
        printf 'got    %s\nwanted %s\n' "$1" "$2"
        return 1
    }
}

# within SECONDS COMMAND...: repeats a command until it succeeds
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || {
            printf 'not in time: %s\n' "$*"
            "$@"
            return 1
        }
        sleep 0.1
    done
}

fails() {
    ! "$@"
}

id_of() {
    docker compose ps -aq "$1"
}

inspect() { # inspect SERVICE FORMAT
    docker inspect -f "$2" "$(id_of "$1")"
}

inside() { # inside SERVICE COMMAND...
    docker compose exec -T "$@" </dev/null
}

redis() {
    inside redis sh /etc/scoring/cli.sh "$@"
}

redis_as_service() {
    inside redis sh /etc/scoring/cli.sh --user scoring "$@"
}

setting() { # setting NAME DEFAULT
    local value
    value=$(sed -n "s/^$1=//p" .env | tail -n 1)
    printf '%s' "${value:-$2}"
}

# post BODY: prints the answer; 2 s at most
post() {
    curl -q -s -m 2 --noproxy '*' -d "$1" "$base/method"
}

call() { # call METHOD ARGUMENTS
    post '{"account": "a", "login": "probe", "token": "'"$token"'",
        "method": "'"$1"'", "arguments": '"$2"'}'
}

score() {
    call online_score '{"phone": "'$phone'", "email": "'$email'"}'
}

interests() {
    call clients_interests '{"client_ids": [424242, 424243, 424244]}'
}

is_score() {
    equal "$(score)" '{"code": 200, "response": {"score": 3.0}}'
}

is_interests() {
    equal "$(interests)" '{"code": 200, "response": {"424242": ["books", "hi-tech"], "424243": ["кино"], "424244": []}}'
}

is_unavailable() {
    equal "$(interests)" '{"code": 503, "error": "Service Unavailable"}'
}

logs_say() { # logs_say SERVICE SINCE PATTERN
    docker compose logs --no-color --since "$2" "$1" 2>&1 | grep -E "$3"
}

now() {
    date -u +%Y-%m-%dT%H:%M:%S.%NZ
}

healthy() {
    equal "$(inspect "$1" '{{.State.Health.Status}}')" healthy
}

# --- answers

# import USER: imports as the operator does; the user `scoring` has no right to it
import() {
    printf '%s\n' '{"client_id": 424242, "interests": ["books", "hi-tech"]}' |
        docker compose exec -T -e REDIS_USERNAME="$1" scoring scoring interests import -
}

import_refused() {
    ! import scoring
}

probe_answers() {
    check 'both pairs give a score' is_score
    check 'interests are written' equal "$written" OK
    check 'interests are read' is_interests
    redis DEL i:424242 >/dev/null
    check 'interests are imported' import default
    check 'interests that were imported are read' is_interests
    check 'the service itself may not import' import_refused
    check 'interests of one client' equal \
        "$(call clients_interests '{"client_ids": [424242]}')" \
        '{"code": 200, "response": {"424242": ["books", "hi-tech"]}}'
    check 'an id of another type is an error' damaged_id
    check 'the admin has a token' equal "$(post '{"login": "admin", "token": "'"$(inside scoring scoring token --admin)"'",
        "method": "online_score", "arguments": {"first_name": "a", "last_name": "b"}}')" \
        '{"code": 200, "response": {"score": 42}}'
    check 'a score is in the cache' cached_score
    check 'a body over the limit' oversized
    check 'it is alive' equal "$(get /healthz)" \
        '{"status": "ok"}'
    check 'it is ready' equal "$(get /readyz)" \
        '{"status": "ready", "store": "up"}'
    check 'metrics inside' inside nginx sh -c \
        'curl -q -s -m 2 http://127.0.0.1:8081/metrics | grep "^scoring_build_info{"'
    check 'no metrics outside' equal "$(get /metrics)" \
        '{"code": 404, "error": "no such path: POST /method"}'
    check 'another path' equal "$(get /nope)" '{"code": 404, "error": "no such path: POST /method"}'
    check 'the answers of nginx are counted' counted
    check 'the page' grep -q 'src="docs/page.js"' <(get /)
    check 'its script' grep -q "^'use strict'" <(get /docs/page.js)
    check 'the description' cmp <(get /openapi.json) docs/openapi.json
}

get() {
    curl -q -s -m 5 --noproxy '*' "$base$1"
}

# The containers share a file, to which nginx appends and which the service empties.
counted() {
    for _ in $(seq 150); do
        inside nginx curl -q -s -m 2 http://127.0.0.1:8081/metrics |
            grep '^scoring_nginx_responses_total{code="404"} [1-9]' && return
        sleep 0.2
    done
    return 1
}

damaged_id() {
    local got
    redis DEL i:424244 && redis RPUSH i:424244 x || return 1
    got=$(interests)
    redis DEL i:424244
    equal "${got:0:12}" '{"code": 500'
}

cached_score() {
    local keys
    keys=$(redis KEYS 'uid:*') && [ -n "$keys" ] || return 1
    printf '%s\n' "$keys" | grep -vE '^uid:[0-9a-f]{64}$' && return 1
    [ "$(redis TTL "$(printf '%s\n' "$keys" | head -n 1)")" -gt 0 ]
}

oversized() {
    local limit
    limit=$(setting SCORING_MAX_BODY_BYTES 1048576)
    equal "$(head -c $((limit + 1)) /dev/zero |
        curl -q -s -m 5 --noproxy '*' --data-binary @- "$base/method")" \
        "{\"code\": 413, \"error\": \"the body may have at most $limit bytes\"}"
}

# --- the program's other commands

probe_commands() {
    check 'a token is 128 digits' expr "$token" : '[0-9a-f]\{128\}$'
    check 'settings are shown' inside scoring scoring check-config
    check 'secrets are masked' fails logs_password inside scoring scoring check-config
    check 'a mistake is named' exits 78 'SCORING_WORKERS' \
        docker compose run --rm -T --no-deps -e SCORING_WORKERS=x scoring check-config
    check 'the image takes commands' exits 0 '^scoring [0-9.]+$' \
        docker compose run --rm -T --no-deps scoring --version
    check 'health is good' inside scoring scoring healthcheck
    check 'health without a socket' exits 69 '/nowhere' \
        inside scoring scoring healthcheck /nowhere
}

# exits STATUS PATTERN COMMAND...
exits() {
    local wanted=$1 pattern=$2 output status=0
    shift 2
    output=$("$@" 2>&1 </dev/null) || status=$?
    printf '%s\n' "$output" | grep -qE "$pattern" && equal "$status" "$wanted" && return
    printf 'status %s:\n%s\n' "$status" "$output"
    return 1
}

# Whether the output of a command contains the password.
logs_password() {
    "$@" 2>&1 | grep -F -- "$password"
}

# --- accounts of the store

probe_accounts() {
    local denied
    local -a words
    check 'the service reads interests' equal \
        "$(redis_as_service GET i:424243)" '["кино"]'
    check 'the service reads no more than a value may have' equal \
        "$(redis_as_service GETRANGE i:424243 0 1048576)" '["кино"]'
    check 'the service asks whether the store is there' equal \
        "$(redis_as_service PING)" PONG
    for denied in 'SET i:424243 x' 'DEL i:424243' 'GET other' 'SET other x' \
        'MGET i:1 other' 'TYPE uid:1' 'DEL uid:1' 'KEYS *' 'SCAN 0' 'FLUSHALL' \
        'CONFIG GET *' 'ACL LIST' 'INFO' 'SHUTDOWN' 'PUBLISH a b' 'EVAL return(1) 0' \
        'CLIENT LIST' 'SAVE' 'REPLICAOF a 1'; do
        read -ra words <<<"$denied"
        check "the service may not: $denied" equal \
            "$(redis_as_service "${words[@]}" 2>&1 | cut -d ' ' -f 1)" NOPERM
    done
    # shellcheck disable=SC2016
    check 'nobody reads without a password' equal \
        "$(inside redis sh -c '$(command -v valkey-cli || command -v redis-cli) GET i:424243' 2>&1 |
            cut -d ' ' -f 1)" NOAUTH
}

# --- rights

probe_rights() {
    local service
    for service in "${services[@]}"; do
        check "$service: no root but nginx's master" no_root "$service"
        check "$service: no capability" within 10 no_capability "$service"
        check "$service: nothing else can be written" only_writable "$service"
        check "$service: no password in arguments" no_password "$service"
        check "$service: limits" limited "$service"
        check "$service: ports" published "$service"
    done
    check 'the socket is 0660' equal \
        "$(inside scoring stat -c '%F %a' /run/scoring/scoring.sock)" 'socket 660'
    check 'the service listens on no port' equal \
        "$(inside scoring sh -c 'cat /proc/net/tcp /proc/net/tcp6' |
            awk '$4 == "0A" && $2 !~ /^0B00007F:/' | wc -l)" 0
    check 'no compiler' fails inside scoring sh -c \
        'command -v cc || command -v gcc || command -v make'
    check 'no program that gains rights' equal \
        "$(inside scoring find / -xdev -type f -perm /6000 2>/dev/null)" ''
}

no_root() {
    docker top "$(id_of "$1")" -eo uid,pid,args |
        awk 'NR > 1 && $1 == 0 && !/nginx: master/ { print; bad = 1 } END { exit bad }'
}

no_capability() {
    # shellcheck disable=SC2016
    equal "$(inside "$1" sh -c 'grep -hE "^(CapEff|CapPrm|CapBnd|NoNewPrivs):" /proc/[0-9]*/status |
        sort -u | tr -d "\t" | tr "\n" " "')" \
        'CapBnd:0000000000000000 CapEff:0000000000000000 CapPrm:0000000000000000 NoNewPrivs:1 '
}

declare -A writable=(
    [nginx]='/run/nginx'
    [scoring]='/run/scoring /tmp'
    [redis]='/data /run/redis'
)

# Checks the root file system and its mounts, except /proc, /sys and message queues,
# which contain no files.
only_writable() {
    # shellcheck disable=SC2016
    equal "$(inside "$1" sh -c '
        find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune \
            -o ! -type l -writable -print 2>/dev/null |
            while read -r file; do [ -c "$file" ] || echo "$file"; done
        cut -d " " -f 2 /proc/mounts | while read -r at; do
            case $at in /proc* | /sys* | /dev/mqueue) continue ;; esac
            [ -d "$at" ] && touch "$at/.probe" 2>/dev/null && rm "$at/.probe" &&
                echo "$at"
        done' | sort -u | tr '\n' ' ')" "${writable[$1]} "
}

no_password() {
    local id
    id=$(id_of "$1")
    ! { docker top "$id" -eo pid,args
        docker inspect -f '{{.Path}} {{.Args}} {{.Config.Healthcheck}}' "$id"
    } | grep -F -- "$password"
}

limited() {
    equal "$(inspect "$1" '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.ReadonlyRootfs}} {{gt .HostConfig.Memory 0}} {{.HostConfig.LogConfig.Config}}')" \
        'unless-stopped true true map[max-file:3 max-size:10m]'
}

published() {
    local wanted=''
    # Without HTTPS, a free port is published, on which nobody listens.
    [ "$1" != nginx ] || wanted="8080/tcp 127.0.0.1:$port 8443/tcp 127.0.0.1 "
    equal "$(inspect "$1" '{{range $name, $to := .NetworkSettings.Ports}}{{range $to}}{{$name}} {{.HostIp}}:{{.HostPort}} {{end}}{{end}}' |
        sed -E 's,(8443/tcp [^:]*):[0-9]+,\1,')" "$wanted"
}

# --- deaths

# kill_main SERVICE: kills the first process, like the kernel when memory is short. Inside
# the container it cannot be killed, and the engine may run on another machine: so another
# container kills it.
kill_main() {
    docker run --rm --pid host --user 0 --network none --entrypoint sh "$image" \
        -c "kill -9 $(inspect "$1" '{{.State.Pid}}')"
}

restarted() { # restarted SERVICE COUNT
    [ "$(inspect "$1" '{{.RestartCount}}')" -gt "$2" ] &&
        equal "$(inspect "$1" '{{.State.Status}}')" running
}

probe_deaths() {
    local service count
    for service in "${services[@]}"; do
        count=$(inspect "$service" '{{.RestartCount}}')
        check "$service: killed" kill_main "$service"
        check "$service: is started again" within 10 restarted "$service" "$count"
        check "$service: scores after that" within 5 is_score
        check "$service: interests after that" within 5 is_interests
        check "$service: is healthy after that" within 30 healthy "$service"
    done
    # shellcheck disable=SC2016
    check 'a worker is killed' inside scoring sh -c \
        'kill -9 $(grep -l "^PPid:.1$" /proc/[0-9]*/status | cut -d / -f 3 | head -n 1)'
    check 'no request is lost by that' is_score
    # shellcheck disable=SC2016
    check "nginx's worker is killed" inside nginx sh -c \
        'kill -9 $(grep -l "^PPid:.1$" /proc/[0-9]*/status | cut -d / -f 3 | head -n 1)'
    check 'and replaced' within 2 is_score
}

# --- outages

probe_outage() {
    check 'Redis stops' docker compose stop redis
    check 'scores without Redis' is_score
    check 'interests without Redis' is_unavailable
    check 'in less than a second' in_time
    check 'the service stays healthy' inside scoring scoring healthcheck
    check 'Redis starts' docker compose start redis
    check 'Redis answers' within 10 pongs
    check 'interests within 2 s of that' within 2 is_interests
}

pongs() {
    equal "$(redis PING)" PONG
}

in_time() {
    local seconds
    seconds=$(curl -q -s -o /dev/null -w '%{time_total}' --noproxy '*' -d '{"account": "a",
        "login": "probe", "token": "'"$token"'", "method": "clients_interests",
        "arguments": {"client_ids": [1]}}' "$base/method")
    awk -v got="$seconds" 'BEGIN { exit !(got < 1) }' || {
        printf '%s s\n' "$seconds"
        return 1
    }
}

probe_password() {
    local since
    since=$(now)
    mkdir -p build
    cp -p .env build/compose-env
    trap 'mv -f build/compose-env .env' EXIT
    sed -i 's/^REDIS_PASSWORD=.*/REDIS_PASSWORD=not-the-one/' .env
    check 'the service gets another password' docker compose up -d --no-deps scoring
    check 'the log says so' within 10 logs_say scoring "$since" 'WRONGPASS|invalid username-password'
    check 'scores with a wrong password' within 5 is_score
    check 'interests with a wrong password' is_unavailable
    check 'neither password is in the log' fails logs_say scoring "$since" 'not-the-one'
    mv -f build/compose-env .env
    trap - EXIT
    check 'the right password again' docker compose up -d
    check 'interests again' within 10 is_interests
}

# --- TLS

probe_tls() {
    local since
    check 'certificates' make_certificates
    check 'a store with TLS' with_tls redis.example up -d --no-deps tls scoring
    check 'has its own data' within 10 tls_set
    check 'interests by way of TLS' within 10 tls_interests
    since=$(now)
    # If the server answers at once, the reason is shorter. The success above shows that
    # the name, or the authority, is the cause.
    check 'a wrong name' with_tls wrong.example up -d --no-deps scoring
    check 'is refused' within 10 logs_say scoring "$since" 'TLS failed: .*(hostname mismatch|verify failed)'
    check 'scores meanwhile' within 5 is_score
    check 'no interests meanwhile' is_unavailable
    since=$(now)
    check 'an authority that is not trusted' env TLS_TRUST=/etc/ssl/certs/ca-certificates.crt \
        TLS_HOST=redis.example docker compose "${tls[@]}" up -d --no-deps scoring
    check 'is refused, too' within 10 logs_say scoring "$since" 'TLS failed: .*(local issuer|verify failed)'
    check 'no interests meanwhile, either' within 5 is_unavailable
    check 'that store goes' with_tls redis.example rm -s -f tls
    check 'without TLS again' docker compose up -d
    check 'interests without TLS again' within 10 is_interests
    rm -rf "$tls_dir"
}

with_tls() { # with_tls HOST COMPOSE-ARGUMENTS...
    TLS_HOST=$1 docker compose "${tls[@]}" "${@:2}"
}

tls_set() {
    TLS_HOST=- docker compose "${tls[@]}" exec -T tls sh /tls/cli.sh \
        SET i:424242 '["tls"]' </dev/null | grep -x OK
}

tls_interests() {
    equal "$(call clients_interests '{"client_ids": [424242]}')" \
        '{"code": 200, "response": {"424242": ["tls"]}}'
}

# With the image's openssl. The keys are used for this test only, and every user can
# read them.
make_certificates() {
    mkdir -p "$tls_dir" && cp tests/compose/tls/* "$tls_dir" &&
        docker run --rm --user "$(id -u):$(id -g)" --network none -v "$tls_dir:/tls" \
            -w /tls --entrypoint sh "$image" -c '
            set -e
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority \
                -keyout ca.key -out ca.crt
            openssl req -newkey rsa:2048 -nodes -subj /CN=store -keyout store.key -out store.csr
            printf "subjectAltName=DNS:redis.example\n" >store.ext
            openssl x509 -req -in store.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
                -days 2 -extfile store.ext -out store.crt
            chmod 644 store.key'
}

# --- large bodies, and requests that do not arrive completely

held=()

hold() { # hold COUNT BYTES: opens requests whose body does not arrive
    local i fd
    for ((i = 0; i < $1; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return
        held+=("$fd")
        printf 'POST /method HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n[' "$2" >&"$fd"
    done
}

let_go() {
    local fd
    for fd in "${held[@]}"; do
        exec {fd}>&-
    done
    held=()
}

probe_uploads() {
    local object='{"code": 422, "error": "the request must be a JSON object"}'
    check 'no warning of nginx' fails logs_say nginx 1h '\[warn\]'
    check 'what the spool holds' inside nginx grep -qx \
        ' *limit_conn scoring_spool 127;' /run/nginx/scoring.conf
    check 'a compressed body' equal "$(curl -q -s -m 5 --noproxy '*' \
        -H 'Content-Encoding: gzip' -d '[]' "$base/method")" \
        '{"code": 415, "error": "the body is compressed: send it as it is"}'
    hold 150 1000000
    check 'large bodies of one address' within 5 equal_large large_from_here \
        '{"code": 503, "error": "Service Unavailable"}'
    check 'a large body of another' equal_large large_from_inside "$object"
    check 'small ones of that address' is_score
    let_go
    check 'large bodies once they are gone' within 10 equal_large large_from_here "$object"
}

equal_large() { # equal_large COMMAND WANTED
    equal "$("$1")" "$2"
}

large_from_here() {
    printf '[]%200000s' '' | curl -q -s -m 5 --noproxy '*' --data-binary @- "$base/method"
}

# shellcheck disable=SC2016
large_from_inside() {
    inside nginx sh -c 'printf "[]%200000s" "" |
        curl -q -s -m 5 --data-binary @- http://127.0.0.1:8080/method'
}

# --- the limits that nginx keeps

probe_limit() {
    check 'a limit' env SCORING_RATE_LIMIT=1 docker compose up -d --no-deps nginx
    check 'the first ones pass' within 10 is_score
    check 'too many do not' within 5 is_limited
    check 'no limit again' docker compose up -d --no-deps nginx
    check 'none are refused' within 10 is_score
    check 'nor at once' fails is_limited
    check 'a limit of open requests' env SCORING_MAX_CONNECTIONS=2 \
        docker compose up -d --no-deps nginx
    check 'one passes' within 10 is_score
    hold 3 10
    check 'more do not' within 5 is_limited
    let_go
    check 'no limit of them again' docker compose up -d --no-deps nginx
    check 'all pass' within 10 is_score
    check 'a limit that is none' exits 78 'SCORING_MAX_CONNECTIONS: "x": must be an integer' \
        docker compose run --rm -T --no-deps -e SCORING_MAX_CONNECTIONS=x nginx
}

is_limited() {
    for _ in 1 2 3 4 5; do
        score
    done | grep -F '{"code": 429, "error": "Too Many Requests"}'
}

# --- down and up

probe_data() {
    check 'down' docker compose down
    check 'up' docker compose up -d
    check 'the data is still there' within 10 is_interests
    check 'scores are, too' is_score
}

probe_logs() {
    check 'no personal data in the logs' fails logs_say '' 1h "$phone|$email"
    check 'no token in the logs' fails logs_say '' 1h "$token"
    check 'no password in the logs' fails logs_password docker compose logs --no-color
}

[ -f .env ] || {
    printf 'probe: there is no .env here\n' >&2
    exit 1
}
port=$(setting HTTP_PORT 8080)
base=http://127.0.0.1:$port
password=$(setting REDIS_PASSWORD '')
image=$(inspect scoring '{{.Config.Image}}') || exit 1
token=$(inside scoring scoring token --account a --login probe) || exit 1
# Data for all parts.
written=$(redis MSET i:424242 '["books", "hi-tech"]' i:424243 '["кино"]')

for part in "${@:-answers commands accounts rights deaths outage password uploads limit tls data logs}"; do
    for name in $part; do
        printf '== %s\n' "$name"
        "probe_$name"
    done
done
redis DEL i:424242 i:424243 >/dev/null
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# Renders nginx's configuration from settings of every kind, like deploy/run.sh and
# deploy/nginx-start.sh, and lets nginx test it: nginx must accept it without a
# message. Wrong settings must give one line that names them. What these scripts and
# `scoring check-config` accept must be the same.
#
#   tests/nginx.sh BINARY
#
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

binary=$(realpath "${1:?which binary?}")
top=$PWD
. tests/support/counts.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-nginx.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/nginx"
chmod -R 777 "$work"

# The other variables that the scripts set.
export RUN_DIR=$work NGINX_USER='' \
    NGINX_METRICS_LISTEN=127.0.0.1:8081 WEB_DIR=$work FCGI_SOCKET=$work/socket \
    NGINX_ACCESS_LOG=$work/access.log NGINX_ERROR_LOG=$work/error.log NGINX_LOG_BUFFER=4k

# render SETTING...: prints "bodies, share", or the error
render() {
    env -u HTTP_PORT NGINX_SPOOL_BYTES= TLS_CERTIFICATE= TLS_KEY= TRUSTED_PROXIES= \
        NGINX_HTTPS_PUBLIC= "$@" sh -euc '. "$0/deploy/nginx-settings.sh"
        nginx_check
        nginx_render "$0/nginx"
        echo "$NGINX_SPOOL_BODIES, $NGINX_SPOOL_SHARE"' "$top" 2>&1
}

# takes WANTED SETTING...: expects these limits of bodies, and that nginx accepts it
takes() {
    local wanted=$1 as
    shift
    check "$*" equal "$(render "$@")" "$wanted"
    for as in "${users[@]}"; do
        # shellcheck disable=SC2086
        check "nginx -t as ${as:-oneself}: $*" equal \
            "$($as nginx -t -q -e "$work/error.log" -p "$work" -c "$work/nginx/nginx.conf" 2>&1)" ''
    done
}

refuses() { # refuses LINE SETTING...
    check "${*:2}" equal "$(render "${@:2}" && echo 'it was taken')" "$1"
}

# by_scripts SETTING...: prints "accepted", or the first error
by_scripts() (
    # shellcheck source=deploy/nginx-settings.sh
    . "$top/deploy/nginx-settings.sh"
    declare TRUSTED_PROXIES='' "$@"
    exec 2>&1
    nginx_check_limits
    nginx_check_http
    nginx_check_https
    echo accepted
)

# by_service SETTING...: the same
by_service() {
    local lines
    if lines=$(env -i SCORING_CONFIG_FILE= "$@" "$binary" check-config 2>&1); then
        echo accepted
        return
    fi
    lines=${lines%%$'\n'*}
    echo "${lines#scoring: }"
}

# agree SETTING...: expects that both accept the settings, or both refuse them with the
# same line. Sets verdict.
agree() {
    verdict=$(by_service "$@")
    check "check-config and the scripts agree: $*" equal "$verdict" "$(by_scripts "$@")"
}

# bounds NAME: sets min and max, which the service gives
bounds() {
    local given=none
    if [[ $(by_service "$1=x") =~ 'must be an integer from '([0-9]+)' to '([0-9]+)$ ]]; then
        given=${BASH_REMATCH[1]}-${BASH_REMATCH[2]}
    fi
    check "$1 has bounds" equal "${given/none/}" "$given"
    min=${given%-*} max=${given#*-}
}

# The unprivileged user comes first: it could not write to files of root.
users=('')
[ "$(id -u)" -ne 0 ] || users=('setpriv --reuid 65534 --regid 65534 --clear-groups' '')

body=SCORING_MAX_BODY_BYTES rate=SCORING_RATE_LIMIT open=SCORING_MAX_CONNECTIONS
m=1048576
# The spool has 128 MiB; half a MiB is for other files.
takes '127, 31' $rate=0
takes '127, 31' $rate=1 $open=1
takes '127, 31' $rate=1000000 $open=65535 $body=$m NGINX_SPOOL_BYTES=$((128 * m))
takes '63, 15' $rate=007 $open=010 NGINX_SPOOL_BYTES=$((64 * m))
takes '127, 31' $body=$((m + 1))
takes '126, 31' $body=$((m + 8192))
takes '32640, 8160' $body=1
takes '32640, 8160' $body=4096
takes '16320, 4080' $body=4097
takes '65535, 16383' $body=1 NGINX_SPOOL_BYTES=$((1024 * m))
takes '4, 1' NGINX_SPOOL_BYTES=$((4 * m + 524288))
takes '7, 1' $body=$((16 * m))
takes '4, 1' $body=$((32 * m)) # a disk always has room for four
takes '4, 1' $body=$((64 * m))

must='must be an integer from'
refuses "$rate: \"x\": $must 0 to 1000000" $rate=x
refuses "$rate: \"5 # a second\": $must 0 to 1000000" "$rate=5 # a second"
refuses "$rate: \"-1\": $must 0 to 1000000" $rate=-1
refuses "$rate: \"1000001\": $must 0 to 1000000" $rate=1000001
refuses "$open: \"65536\": $must 0 to 65535" $open=65536
refuses "$open: \"99999999999999999999\": $must 0 to 65535" $open=99999999999999999999
refuses "$body: \"0\": $must 1 to 67108864" $body=0
refuses "$body: \"67108865\": $must 1 to 67108864" $body=67108865
refuses "$body: \"1m\": $must 1 to 67108864" $body=1m
refuses "$body: $((32 * m)): four such bodies must fit into nginx's spool, which has $((128 * m)) bytes" \
    $body=$((32 * m)) NGINX_SPOOL_BYTES=$((128 * m))
refuses "$body: $m: four such bodies must fit into nginx's spool, which has $((4 * m + 524287)) bytes" \
    NGINX_SPOOL_BYTES=$((4 * m + 524287))

# A certificate and its key; another key; the key again, with a password.
(
    umask 022
    cd "$work"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=a
    openssl genrsa -out other.pem 2048
    openssl pkey -in key.pem -aes128 -passout pass:a -out locked.pem
    openssl req -new -key key.pem -out old.csr -subj /CN=a
    openssl x509 -req -in old.csr -signkey key.pem -days -1 -out old.pem
    echo nothing >text.pem
    chmod 644 ./*.pem
) >/dev/null 2>&1
cert=TLS_CERTIFICATE=$work/cert.pem key=TLS_KEY=$work/key.pem
on='127, 31'
takes "$on" "$cert" "$key"
takes "$on" "$cert" "$key" TLS_HSTS_S=31536000 HTTPS_PORT=8444 NGINX_HTTPS_PUBLIC=443
[ ! -s /proc/net/if_inet6 ] ||
    takes "$on" "$cert" "$key" HTTP_ADDRESS='127.0.0.1 ::, [::1]' TRUSTED_PROXIES=10.0.0.0/8,::1
takes "$on" HTTP_ADDRESS=0.0.0.0 TRUSTED_PROXIES='192.0.2.1  2001:db8::/32, ::ffff:10.0.0.1'
takes "$on" TLS_HSTS_S=5 HTTPS_PORT=8080 # HTTPS is off
mkdir "$work/names"
touch "$work/names/1" "$work/names/:"
check 'addresses are no patterns of files' equal "$(cd "$work/names" && render HTTP_ADDRESS='::1,::' >/dev/null
    grep -o 'listen \[.*' "$work/nginx/scoring.conf")" 'listen [::1]:8080 backlog=1024; listen [::]:8080 backlog=1024; '
check 'HTTPS: off' equal "$(render >/dev/null; grep -cE 'ssl_|https begin' "$work/nginx/scoring.conf")" 0
check 'HTTPS: versions' equal "$(render "$cert" "$key" >/dev/null
    sed -n 's/^ *ssl_protocols *//p' "$work/nginx/scoring.conf")" 'TLSv1.2 TLSv1.3;'
check 'HTTPS: no tickets' equal "$(grep -c '^ *ssl_session_tickets off;' "$work/nginx/scoring.conf")" 1
# A system's nginx may have a log for all its sites.
check 'servers whose requests are not logged: metrics, page' equal \
    "$(grep -c '^    access_log off;' "$work/nginx/scoring.conf")" 2
check 'HTTPS: public port' equal "$(render "$cert" "$key" NGINX_HTTPS_PUBLIC=443 >/dev/null
    grep -c 'https://$scoring_host$request_uri' "$work/nginx/scoring.conf")" 1

# The limits are those of the settings, in every location for requests.
in_site() { grep -cF "$1" "$work/nginx/scoring.conf"; }
render $body=5000 $rate=7 $open=9 >/dev/null
check 'the limit of bodies' equal "$(in_site 'client_max_body_size 5000;')" 3
check 'and its text' equal "$(in_site 'the body may have at most 5000 bytes')" 1
check 'the limit of requests' equal "$(in_site 'limit_req zone=scoring_rate burst=7 nodelay; limit_conn scoring_open 9;')" 3
check 'and its rate, of each address' equal "$(in_site 'limit_req_zone $binary_remote_addr zone=scoring_rate:10m rate=7r/s;')" 1
check 'the limits of spooled bodies' equal "$(in_site 'limit_conn scoring_spool_address 4080;'), $(in_site 'limit_conn scoring_spool 16320;')" '1, 1'

refuses 'TLS_KEY: must be given too: TLS_CERTIFICATE is' "$cert"
refuses 'TLS_CERTIFICATE: must be given too: TLS_KEY is' "$key"
refuses "TLS_CERTIFICATE: $work/none: cannot be read" TLS_CERTIFICATE="$work/none" "$key"
refuses "TLS_KEY: $work: cannot be read" "$cert" TLS_KEY="$work"
refuses "TLS_CERTIFICATE: $work/text.pem: is not a certificate in PEM form" \
    TLS_CERTIFICATE="$work/text.pem" "$key"
refuses "TLS_CERTIFICATE: $work/key.pem: is not a certificate in PEM form" \
    TLS_CERTIFICATE="$work/key.pem" "$key"
refuses "TLS_KEY: $work/cert.pem: is not a private key in PEM form, or has a password" \
    "$cert" TLS_KEY="$work/cert.pem"
refuses "TLS_KEY: $work/locked.pem: is not a private key in PEM form, or has a password" \
    "$cert" TLS_KEY="$work/locked.pem"
refuses "TLS_KEY: $work/other.pem: is not the key of TLS_CERTIFICATE" "$cert" TLS_KEY="$work/other.pem"
refuses "TLS_KEY: \"a\$b\": must not hold control characters or any of \"\\\$" "$cert" 'TLS_KEY=a$b'
check 'an expired certificate is reported' equal "$(render TLS_CERTIFICATE="$work/old.pem" "$key" | head -n 1)" \
    "TLS_CERTIFICATE: $work/old.pem: has expired"
refuses "HTTPS_PORT: 8080: must not be HTTP_PORT" "$cert" "$key" HTTPS_PORT=8080
refuses "HTTPS_PORT: \"65536\": $must 1 to 65535" "$cert" "$key" HTTPS_PORT=65536
refuses "HTTP_PORT: \"0\": $must 1 to 65535" HTTP_PORT=0
refuses "TLS_HSTS_S: \"1y\": $must 0 to 2147483647" TLS_HSTS_S=1y
addresses='must be IPv4 or IPv6 addresses'
for wrong in localhost 256.0.0.1 1.2.3 1.2.3.4.5 1.2.3.4/8 ::1::2 1:2:3:4:5:6:7 \
    1:2:3:4:5:6:7:8:9 12345:: :1 1: g::1 '127.0.0.1;' '*'; do
    refuses "HTTP_ADDRESS: \"$wrong\": $addresses" HTTP_ADDRESS="$wrong"
done
for wrong in localhost 1.2.3.4/33 ::1/129 1.2.3.4/ 1.2.3.4/a 'all;' 10.0.0.0/8/8; do
    refuses "TRUSTED_PROXIES: \"$wrong\": $addresses or networks" TRUSTED_PROXIES="$wrong"
done

# The same settings, as check-config reads them: numbers on both sides of each bound.
for name in $body $rate $open HTTP_PORT HTTPS_PORT TLS_HSTS_S; do
    bounds "$name"
    for value in $((min - 1)) "$min" "$max" $((max + 1)); do
        agree "$name=$value"
        inside=accepted
        [ "$value" -ge "$min" ] && [ "$value" -le "$max" ] ||
            inside="$name: \"$value\": $must $min to $max"
        check "$name=$value" equal "$verdict" "$inside"
    done
done
for value in '' ' ' x 00 007 +1 -0 ' 8' '8 ' 8.0 0x8 8e1 000000000000008 18446744073709551617; do
    agree "TLS_HSTS_S=$value"
done

# Addresses, and networks.
for value in '' ',' 127.0.0.1 0.0.0.0 255.255.255.255 1.2.3.256 01.2.3.4 1.2.3.00 1.2.3 1.2.3.4.5 1.2.3. \
    1..2.3 -1.2.3.4 1.2.3.4: localhost '*' - ::- 1:2:3:4:5:6:7:- :: ::1 1:: 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7 \
    1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1::3:4:5:6:7:8 1::2:3:4:5:6:7:8 ::: ::1::2 :1 1: g::1 12345:: \
    00001:: ::1%lo ::ffff:10.0.0.1 ::ffff:10.0.0.01 1:2:3:4:5:6:10.0.0.1 1:2:3:4:5:6:7:10.0.0.1 10.0.0.1:: \
    '[::1]' '[127.0.0.1]' '[]' '[' '[::1' '[[::1]]' $'127.0.0.1,\t::1 ,' '127.0.0.1;::1' '127.0.0.1, x' 1.2.3.4/8; do
    agree "HTTP_ADDRESS=$value"
done
for value in '' ' , ' 10.0.0.0/8 10.0.0.1/0 10.0.0.1/32 10.0.0.1/33 10.0.0.1/ 10.0.0.1/a 10.0.0.1/08 10.0.0.1/-1 \
    10.0.0.0/8/8 /8 ::/0 ::1/128 ::1/129 '[::1]/64' '[::1/64]' '::1 /128' 10.0.0.0/255.0.0.0 '10.0.0.0/8 x'; do
    agree "TRUSTED_PROXIES=$value"
done

# HTTPS: both files or neither, and other ports.
agree "$cert" "$key"
agree "$cert"
agree "$key"
agree "$cert" "$key" HTTPS_PORT=8080
agree "$cert" "$key" HTTPS_PORT=08081 HTTP_PORT=8081
agree HTTPS_PORT=8080
for path in 'a"b' 'a\b' 'a$b' $'a\001b' $'a\177b' $'a\nb'; do
    for by in by_service by_scripts; do
        verdict=$($by "$cert" "TLS_KEY=$path" | tail -n 1) || true
        check "$by: TLS_KEY=$path" equal "${verdict##*: }" 'must not hold control characters or any of "\$'
    done
done
for path in "$work/it's [a] {file} #1;~.pem" "$work/ключ.pem"; do
    cp "$work/key.pem" "$path"
    agree "$cert" "TLS_KEY=$path"
    check "$path" equal "$verdict" accepted
done

counts

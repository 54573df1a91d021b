# Sourced by the scripts that start nginx: nginx_check checks its settings, nginx_render
# renders its configuration. `scoring check-config` checks the same, but not whether
# files can be read; nginx's container does not have it.
#
# nginx_check takes from the environment, where empty means the default: the names of
# nginx_settings; NGINX_HTTPS_PUBLIC, the port of HTTPS for callers, if it differs;
# NGINX_LISTEN_OPTIONS, the options of each listener; NGINX_SPOOL_BYTES, the size
# of the file system of spooled bodies, empty for a disk; and the names of
# nginx_names that are not set here.
# shellcheck shell=sh disable=SC2034

# The settings of nginx that a file of settings may have, besides METRICS_PORT, whose
# default depends on the script.
nginx_settings=SCORING_MAX_BODY_BYTES,SCORING_RATE_LIMIT,SCORING_MAX_CONNECTIONS
nginx_settings=$nginx_settings,HTTP_ADDRESS,HTTP_PORT,HTTPS_PORT
nginx_settings=$nginx_settings,TLS_CERTIFICATE,TLS_KEY,TLS_HSTS_S,TRUSTED_PROXIES

# envsubst replaces only these names: nginx has variables of its own.
# shellcheck disable=SC2016
nginx_names='${RUN_DIR} ${NGINX_USER} ${NGINX_LISTEN} ${FCGI_SOCKET}
    ${NGINX_ACCESS_LOG} ${NGINX_ERROR_LOG} ${NGINX_LOG_BUFFER}
    ${NGINX_LISTEN_HTTPS} ${NGINX_HTTPS_SUFFIX} ${TLS_CERTIFICATE} ${TLS_KEY}
    ${NGINX_HSTS} ${NGINX_PROXIES}
    ${NGINX_METRICS_LISTEN} ${WEB_DIR} ${SCORING_MAX_BODY_BYTES}
    ${NGINX_RATE} ${NGINX_LIMITS} ${NGINX_SPOOL_BODIES} ${NGINX_SPOOL_SHARE}'

nginx_fail() {
    echo "$*" >&2
    exit 78
}

# nginx_number NAME VALUE MIN MAX: sets nginx_value, without leading zeros
nginx_number() {
    nginx_value=$2
    while [ "${nginx_value#0?}" != "$nginx_value" ]; do
        nginx_value=${nginx_value#0}
    done
    case $nginx_value in
    '' | *[!0-9]* | ???????????*) ;; # the largest has 10 digits
    *)
        if [ "$nginx_value" -ge "$3" ] && [ "$nginx_value" -le "$4" ]; then
            return
        fi
        ;;
    esac
    nginx_fail "$1: \"$2\": must be an integer from $3 to $4"
}

# nginx_addresses NAME LIST AS: prints the addresses of a list, which are separated by
# commas or blanks, one per line; AS is "address", or "network", which may end with
# /BITS.
nginx_addresses() {
    printf '%s\n' "$2" | awk -v as="$3" '
        function is_v4(text,  part, count, i) {
            count = split(text, part, ".")
            for (i = 1; i <= count; i++)
                if (part[i] !~ /^(0|[1-9][0-9]*)$/ || length(part[i]) > 3 || part[i] > 255)
                    return 0
            return count == 4
        }
        function is_v6(text,  part, count, given, gaps, i) {
            if (text ~ /-/)
                return 0
            gaps = gsub(/::/, ":-:", text) # at most one is allowed
            sub(/^:-/, "-", text)
            sub(/-:$/, "-", text)
            count = split(text, part, ":")
            given = count
            if (is_v4(part[count])) {
                part[count] = "0"
                given++
            }
            for (i = 1; i <= count; i++)
                if (part[i] != "-" && (part[i] !~ /^[0-9A-Fa-f]+$/ || length(part[i]) > 4))
                    return 0
            return gaps == 0 ? given == 8 : gaps == 1 && given <= 8
        }
        { gsub(/[,\t]/, " ")
          for (i = 1; i <= NF; i++) {
            address = $i
            bits = ""
            if (as == "network" && match(address, /\/[0-9]+$/)) {
                bits = substr(address, RSTART + 1)
                address = substr(address, 1, RSTART - 1)
            }
            if (address ~ /^\[.*\]$/)
                address = substr(address, 2, length(address) - 2)
            if (is_v4(address) && (bits == "" || bits + 0 <= 32))
                shown = address
            else if (is_v6(address) && (bits == "" || bits + 0 <= 128))
                shown = as == "address" ? "[" address "]" : address
            else
                exit 1
            print shown (bits == "" ? "" : "/" bits)
        } }' || nginx_fail "$1: \"$2\": must be IPv4 or IPv6 addresses$([ "$3" = address ] || echo ' or networks')"
}

# nginx_listen PORT OPTIONS: prints a directive for each address
nginx_listen() {
    set -f # [::1] is also a pattern, of files
    for nginx_address in $nginx_at; do
        printf 'listen %s:%s%s %s; ' "$nginx_address" "$1" "$2" \
            "${NGINX_LISTEN_OPTIONS:-backlog=1024}"
    done
    set +f
}

# nginx_file NAME PATH: prints the absolute path of a file that can be read, and that
# a configuration can name
nginx_file() {
    case $2 in
    *[[:cntrl:]\"\\\$]*)
        nginx_fail "$1: \"$2\": must not hold control characters or any of \"\\\$"
        ;;
    esac
    [ -f "$2" ] && [ -r "$2" ] || nginx_fail "$1: $2: cannot be read"
    case $2 in
    /*) echo "$2" ;;
    *) echo "$PWD/$2" ;;
    esac
}

# Checks that certificate and key belong together. Without openssl nginx checks it.
nginx_tls_check() {
    command -v openssl >/dev/null || return 0
    nginx_public=$(openssl x509 -in "$TLS_CERTIFICATE" -noout -pubkey 2>/dev/null) ||
        nginx_fail "TLS_CERTIFICATE: $TLS_CERTIFICATE: is not a certificate in PEM form"
    nginx_private=$(openssl pkey -in "$TLS_KEY" -passin pass: -pubout 2>/dev/null) ||
        nginx_fail "TLS_KEY: $TLS_KEY: is not a private key in PEM form, or has a password"
    [ "$nginx_public" = "$nginx_private" ] ||
        nginx_fail "TLS_KEY: $TLS_KEY: is not the key of TLS_CERTIFICATE"
    openssl x509 -in "$TLS_CERTIFICATE" -noout -checkend 0 >/dev/null ||
        echo "TLS_CERTIFICATE: $TLS_CERTIFICATE: has expired" >&2
}

# Since nginx 1.25.1, HTTP/2 is a directive, and not an option of a listener.
nginx_http2() {
    nginx_version=$(nginx -v 2>&1 | sed -n 's,.*nginx/\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*,\1 \2 \3,p')
    # shellcheck disable=SC2086
    set -- $nginx_version
    if [ $((${1:-1} * 1000000 + ${2:-0} * 1000 + ${3:-0})) -ge 1025001 ]; then
        NGINX_LISTEN_HTTPS="$(nginx_listen "$nginx_https" ' ssl')http2 on;"
    else
        NGINX_LISTEN_HTTPS=$(nginx_listen "$nginx_https" ' ssl http2')
    fi
}

nginx_check_limits() {
    nginx_number SCORING_MAX_BODY_BYTES "${SCORING_MAX_BODY_BYTES:-1048576}" 1 67108864
    SCORING_MAX_BODY_BYTES=$nginx_value
    nginx_number SCORING_RATE_LIMIT "${SCORING_RATE_LIMIT:-0}" 0 1000000
    nginx_rate=$nginx_value
    nginx_number SCORING_MAX_CONNECTIONS "${SCORING_MAX_CONNECTIONS:-0}" 0 65535
    nginx_open=$nginx_value

    # nginx accepts no limit of 0: a limit that is off has no directive.
    NGINX_RATE=1
    NGINX_LIMITS=
    if [ "$nginx_rate" -gt 0 ]; then
        NGINX_RATE=$nginx_rate
        NGINX_LIMITS="limit_req zone=scoring_rate burst=$nginx_rate nodelay;"
    fi
    if [ "$nginx_open" -gt 0 ]; then
        NGINX_LIMITS="$NGINX_LIMITS limit_conn scoring_open $nginx_open;"
    fi
}

nginx_check_http() {
    nginx_at=${HTTP_ADDRESS:-127.0.0.1} # the default needs no check by a program
    [ "$nginx_at" = 127.0.0.1 ] || nginx_at=$(nginx_addresses HTTP_ADDRESS "$nginx_at" address) || exit
    [ -n "$nginx_at" ] || nginx_fail "HTTP_ADDRESS: \"$HTTP_ADDRESS\": must be an address"
    nginx_number HTTP_PORT "${HTTP_PORT:-8080}" 1 65535
    nginx_http=$nginx_value
    nginx_number HTTPS_PORT "${HTTPS_PORT:-8443}" 1 65535
    nginx_https=$nginx_value
    NGINX_LISTEN=$(nginx_listen "$nginx_http" '')

    nginx_number TLS_HSTS_S "${TLS_HSTS_S:-0}" 0 2147483647
    NGINX_HSTS=
    [ "$nginx_value" -eq 0 ] ||
        NGINX_HSTS="add_header Strict-Transport-Security max-age=$nginx_value always;"

    NGINX_PROXIES=
    [ -z "$TRUSTED_PROXIES" ] || NGINX_PROXIES=$(nginx_addresses TRUSTED_PROXIES "$TRUSTED_PROXIES" network) || exit
    [ -z "$NGINX_PROXIES" ] || NGINX_PROXIES="$(printf 'set_real_ip_from %s; ' $NGINX_PROXIES)real_ip_header X-Forwarded-For; real_ip_recursive on;"
}

# HTTPS is on with both, off with neither; then nginx_https is empty.
nginx_check_https() {
    NGINX_LISTEN_HTTPS='' NGINX_HTTPS_SUFFIX=''
    case ${TLS_CERTIFICATE:+certificate}${TLS_KEY:+key} in
    '') nginx_https= ;;
    certificate) nginx_fail 'TLS_KEY: must be given too: TLS_CERTIFICATE is' ;;
    key) nginx_fail 'TLS_CERTIFICATE: must be given too: TLS_KEY is' ;;
    certificatekey)
        TLS_CERTIFICATE=$(nginx_file TLS_CERTIFICATE "$TLS_CERTIFICATE") || exit
        TLS_KEY=$(nginx_file TLS_KEY "$TLS_KEY") || exit
        nginx_tls_check
        [ "$nginx_https" -ne "$nginx_http" ] ||
            nginx_fail "HTTPS_PORT: $nginx_https: must not be HTTP_PORT"
        nginx_http2
        NGINX_HTTPS_SUFFIX=:${NGINX_HTTPS_PUBLIC:-$nginx_https}
        [ "$NGINX_HTTPS_SUFFIX" != :443 ] || NGINX_HTTPS_SUFFIX=
        ;;
    esac
}

# How many bodies of the largest size the spool holds, each in whole pages, besides
# nginx_other bytes of other files. A disk counts as large as the spool of docker
# compose, but holds at least four. nginx accepts no limit above nginx_limit_max.
nginx_check_spool() {
    nginx_page=4096
    nginx_other=524288
    nginx_limit_max=65535
    nginx_body=$(((SCORING_MAX_BODY_BYTES + nginx_page - 1) / nginx_page * nginx_page))
    nginx_bodies=$(((${NGINX_SPOOL_BYTES:-134217728} - nginx_other) / nginx_body))
    if [ "$nginx_bodies" -gt "$nginx_limit_max" ]; then
        nginx_bodies=$nginx_limit_max
    elif [ "$nginx_bodies" -lt 4 ]; then
        [ -z "$NGINX_SPOOL_BYTES" ] ||
            nginx_fail "SCORING_MAX_BODY_BYTES: $SCORING_MAX_BODY_BYTES: four such bodies must fit into nginx's spool, which has $NGINX_SPOOL_BYTES bytes"
        nginx_bodies=4
    fi
    NGINX_SPOOL_BODIES=$nginx_bodies
    NGINX_SPOOL_SHARE=$((nginx_bodies / 4)) # for one address
}

# Like the service's workers, nginx runs as SCHED_BATCH: it does not preempt other
# processes, and so handles many requests at a time. It is only faster: without the
# right to it nginx works as well.
nginx_choose_scheduler() {
    NGINX_SCHEDULER='chrt --batch 0'
    # shellcheck disable=SC2086
    $NGINX_SCHEDULER true 2>/dev/null || NGINX_SCHEDULER=
}

# Checks the settings, and sets the names of nginx_names that follow from them; the
# ports as nginx_http and nginx_https, the addresses as nginx_at, one per line.
nginx_check() {
    nginx_check_limits
    nginx_check_http
    nginx_check_https
    nginx_check_spool
    nginx_choose_scheduler
}

# nginx_render_site FOLDER: prints the site, from the templates in the folder
nginx_render_site() {
    export SCORING_MAX_BODY_BYTES NGINX_RATE NGINX_LIMITS NGINX_SPOOL_BODIES \
        NGINX_SPOOL_SHARE NGINX_LISTEN NGINX_LISTEN_HTTPS NGINX_HTTPS_SUFFIX \
        NGINX_HSTS NGINX_PROXIES TLS_CERTIFICATE TLS_KEY
    nginx_leave_out='/# begin https$/,/# end https$/d'
    [ -z "$NGINX_LISTEN_HTTPS" ] || nginx_leave_out=
    sed "$nginx_leave_out" "$1/templates/scoring.conf.template" "$1/web.conf.template" |
        envsubst "$nginx_names"
}

# nginx_render FOLDER: renders the site and a main configuration into RUN_DIR/nginx
nginx_render() {
    nginx_render_site "$1" >"$RUN_DIR/nginx/scoring.conf"
    envsubst "$nginx_names" <"$1/nginx.conf.template" >"$RUN_DIR/nginx/nginx.conf"
}

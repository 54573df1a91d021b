# Sourced by what starts nginx: its settings checked, and its files rendered.
#
# From the environment: SCORING_MAX_BODY_BYTES, SCORING_RATE_LIMIT and
# SCORING_MAX_CONNECTIONS, empty for their defaults; NGINX_SPOOL_BYTES, the size
# of what bodies are spooled to, empty where that is a disk; and those names of
# nginx_names that are not made here.
# shellcheck shell=sh disable=SC2034

# Nothing else in a template is replaced: nginx has variables of its own.
# shellcheck disable=SC2016
nginx_names='${RUN_DIR} ${NGINX_USER} ${NGINX_LISTEN} ${FCGI_SOCKET}
    ${NGINX_ACCESS_LOG} ${NGINX_ERROR_LOG} ${NGINX_LOG_BUFFER}
    ${NGINX_METRICS_LISTEN} ${WEB_DIR} ${SCORING_MAX_BODY_BYTES}
    ${NGINX_RATE} ${NGINX_LIMITS} ${NGINX_SPOOL_BODIES} ${NGINX_SPOOL_SHARE}'

nginx_fail() {
    echo "$*" >&2
    exit 78
}

# nginx_number NAME VALUE MIN MAX: the number without leading zeros
nginx_number() {
    nginx_value=$2
    while [ "${nginx_value#0?}" != "$nginx_value" ]; do
        nginx_value=${nginx_value#0}
    done
    case $nginx_value in
    '' | *[!0-9]* | ???????????*) ;; # the largest has 10 digits
    *)
        if [ "$nginx_value" -ge "$3" ] && [ "$nginx_value" -le "$4" ]; then
            echo "$nginx_value"
            return
        fi
        ;;
    esac
    nginx_fail "$1: \"$2\": must be an integer from $3 to $4"
}

# The bounds are those of the service (src/config/settings.c).
SCORING_MAX_BODY_BYTES=$(nginx_number SCORING_MAX_BODY_BYTES \
    "${SCORING_MAX_BODY_BYTES:-1048576}" 1 1073741824) || exit
nginx_rate=$(nginx_number SCORING_RATE_LIMIT "${SCORING_RATE_LIMIT:-0}" 0 1000000) || exit
nginx_open=$(nginx_number SCORING_MAX_CONNECTIONS \
    "${SCORING_MAX_CONNECTIONS:-0}" 0 65535) || exit

# nginx has no limit of 0: what is off has no directive.
NGINX_RATE=1
NGINX_LIMITS=
if [ "$nginx_rate" -gt 0 ]; then
    NGINX_RATE=$nginx_rate
    NGINX_LIMITS="limit_req zone=scoring_rate burst=$nginx_rate nodelay;"
fi
if [ "$nginx_open" -gt 0 ]; then
    NGINX_LIMITS="$NGINX_LIMITS limit_conn scoring_open $nginx_open;"
fi

# How many bodies of the largest size the spool holds, each in whole pages, with
# a little left for what else is there. On a disk it is as large as in docker
# compose, or has room for four. nginx takes no limit above nginx_limit_max.
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
NGINX_SPOOL_SHARE=$((nginx_bodies / 4)) # of one address

# As the service's workers do it: nginx interrupts nobody who is at work, and so
# finds many requests when its turn comes. Refused, all works as well.
NGINX_SCHEDULER='chrt --batch 0'
# shellcheck disable=SC2086
$NGINX_SCHEDULER true 2>/dev/null || NGINX_SCHEDULER=

# nginx_render FOLDER: the templates below FOLDER into RUN_DIR/nginx
nginx_render() {
    export SCORING_MAX_BODY_BYTES NGINX_RATE NGINX_LIMITS NGINX_SPOOL_BODIES \
        NGINX_SPOOL_SHARE
    envsubst "$nginx_names" <"$1/nginx.conf.template" >"$RUN_DIR/nginx/nginx.conf"
    envsubst "$nginx_names" <"$1/templates/scoring.conf.template" \
        >"$RUN_DIR/nginx/scoring.conf"
    envsubst "$nginx_names" <"$1/web.conf.template" >"$RUN_DIR/nginx/web.conf"
}

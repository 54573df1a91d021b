#!/bin/sh
# The entry point of nginx in docker compose: the same configuration as that of
# `make run`, rendered into the one folder that can be written to. Errors go to
# the container's log, and so does the access log.
set -eu

top=/etc/scoring
export RUN_DIR=/run NGINX_USER='' NGINX_LISTEN=8080 NGINX_METRICS_LISTEN=8081
export FCGI_SOCKET=/run/scoring/scoring.sock
export WEB_DIR=/usr/share/scoring/web
export NGINX_ACCESS_LOG=/dev/stdout NGINX_ERROR_LOG=/dev/stderr
export NGINX_LOG_BUFFER=4k # a pipe takes no more in one piece

# shellcheck source=deploy/nginx-settings.sh
. $top/deploy/nginx-settings.sh

# Nothing else in a template is replaced: nginx has variables of its own.
# shellcheck disable=SC2016
names='${RUN_DIR} ${NGINX_USER} ${NGINX_LISTEN} ${FCGI_SOCKET}
    ${SCORING_MAX_BODY_BYTES} ${NGINX_ACCESS_LOG} ${NGINX_ERROR_LOG}
    ${NGINX_LOG_BUFFER} ${NGINX_RATE} ${NGINX_RATE_KEY}
    ${NGINX_METRICS_LISTEN} ${WEB_DIR}'

envsubst "$names" <$top/nginx/nginx.conf.template >/run/nginx/nginx.conf
envsubst "$names" <$top/nginx/templates/scoring.conf.template >/run/nginx/scoring.conf
envsubst "$names" <$top/nginx/web.conf.template >/run/nginx/web.conf
ln -sf /dev/stderr /run/nginx/error.log
# shellcheck disable=SC2086
exec $NGINX_SCHEDULER nginx -e stderr -c /run/nginx/nginx.conf

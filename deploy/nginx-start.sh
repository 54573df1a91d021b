#!/bin/sh
# The entry point of nginx's image: the same configuration as that of `make run`,
# rendered into the one folder that can be written to. Errors go to
# the container's log, and so does the access log.
set -eu

top=/etc/scoring
export RUN_DIR=/run NGINX_USER='' NGINX_METRICS_LISTEN=8081
# Inside; what is outside is published by the engine.
NGINX_HTTPS_PUBLIC=${HTTPS_PORT:-8443}
HTTP_ADDRESS=0.0.0.0 HTTP_PORT=8080 HTTPS_PORT=8443
export FCGI_SOCKET=/run/scoring/scoring.sock
export WEB_DIR=/usr/share/scoring/web
export NGINX_ACCESS_LOG=/dev/stdout NGINX_ERROR_LOG=/dev/stderr
export NGINX_LOG_BUFFER=4k # a pipe takes no more in one piece

# Bodies are spooled to the file system of that folder.
NGINX_SPOOL_BYTES=$(df -P -k /run/nginx | awk 'NR == 2 { printf "%.0f", $2 * 1024 }')

# shellcheck source=deploy/nginx-settings.sh
. $top/deploy/nginx-settings.sh

nginx_render $top/nginx
ln -sf /dev/stderr /run/nginx/error.log
# The codes of nginx's answers. Where nginx may make a file beside the socket, and
# is first, the service must be able to empty it.
(umask 117 && : >>"$FCGI_SOCKET.answers") 2>/dev/null || true
# shellcheck disable=SC2086
exec $NGINX_SCHEDULER nginx -e stderr -c /run/nginx/nginx.conf

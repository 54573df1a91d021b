#!/bin/sh
# The entry point of nginx's image: renders the same configuration as `make run`
# into /run/nginx, the only folder that can be written to. Errors and the access
# log go to the container's log.
set -eu

top=/etc/scoring
export RUN_DIR=/run NGINX_USER='' NGINX_METRICS_LISTEN=8081
# The address and ports inside the container; the engine publishes others.
NGINX_HTTPS_PUBLIC=${HTTPS_PORT:-8443}
HTTP_ADDRESS=0.0.0.0 HTTP_PORT=8080 HTTPS_PORT=8443
export FCGI_SOCKET=/run/scoring/scoring.sock
export WEB_DIR=/usr/share/scoring/web
export NGINX_ACCESS_LOG=/dev/stdout NGINX_ERROR_LOG=/dev/stderr
export NGINX_LOG_BUFFER=4k # PIPE_BUF: a pipe takes no more together

# Bodies are spooled to the file system of /run/nginx.
NGINX_SPOOL_BYTES=$(df -P -k /run/nginx | awk 'NR == 2 { printf "%.0f", $2 * 1024 }')

# shellcheck source=deploy/nginx-settings.sh
. $top/deploy/nginx-settings.sh

nginx_check
nginx_render $top/nginx
ln -sf /dev/stderr /run/nginx/error.log
# The file of the codes of nginx's answers (S23.4). If nginx can create it, and does
# so first, the service must still be able to empty it: hence the umask.
(umask 117 && : >>"$FCGI_SOCKET.answers") 2>/dev/null || true
# shellcheck disable=SC2086
exec $NGINX_SCHEDULER nginx -e stderr -c /run/nginx/nginx.conf

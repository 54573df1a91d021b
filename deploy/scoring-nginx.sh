#!/bin/sh
# Renders the site of nginx from the settings of the service, makes nginx test it,
# and reloads nginx. If the test fails, the previous site stays.
#
#   scoring-nginx             after a change of one of nginx's settings
#   scoring-nginx --remove    removes the site
#
# The settings are those of SCORING_CONFIG_FILE (@SYSCONFDIR@/scoring/scoring.conf).
set -eu

PATH=@BINDIR@:$PATH:/usr/sbin:/sbin
share=@DATADIR@
site=@NGINX_SITES@/scoring
enabled=@NGINX_ENABLED@/scoring
export SCORING_CONFIG_FILE="${SCORING_CONFIG_FILE:-@SYSCONFDIR@/scoring/scoring.conf}"

fail() {
    printf 'scoring-nginx: %s\n' "$*" >&2
    exit 1
}

# A reload loses no request. If nginx does not run, it reads the site when it starts.
reload() {
    nginx -t -q || return
    if [ -d /run/systemd/system ]; then
        ! systemctl -q is-active nginx.service || systemctl reload nginx.service
    elif [ -s /run/nginx.pid ]; then
        nginx -s reload
    fi
}

remove() {
    rm -f "$site" "$site.before"
    [ "$site" = "$enabled" ] || rm -f "$enabled"
}

render() {
    names=SCORING_MAX_BODY_BYTES,SCORING_RATE_LIMIT,SCORING_MAX_CONNECTIONS
    names=$names,HTTP_ADDRESS,HTTP_PORT,HTTPS_PORT,METRICS_PORT
    names=$names,TLS_CERTIFICATE,TLS_KEY,TLS_HSTS_S,TRUSTED_PROXIES
    assignments=$(scoring check-config --shell "$names") || exit
    eval "$assignments"
    NGINX_HTTPS_PUBLIC='' NGINX_SPOOL_BYTES='' NGINX_LISTEN_OPTIONS=default_server
    # shellcheck source=deploy/nginx-settings.sh
    . "$share/nginx-settings.sh"
    nginx_number METRICS_PORT "${METRICS_PORT:-$((nginx_http + 1))}" 1 65535
    export NGINX_METRICS_LISTEN="127.0.0.1:$nginx_value" RUN_DIR=/run/scoring NGINX_USER=''
    export FCGI_SOCKET=/run/scoring/scoring.sock WEB_DIR=$share/web NGINX_LOG_BUFFER=64k
    export NGINX_ACCESS_LOG=/var/log/nginx/scoring.access.log
    export NGINX_ERROR_LOG=/var/log/nginx/scoring.error.log
    printf '# Rendered from %s by scoring-nginx: change that file,\n# and run it again.\n\n' \
        "$SCORING_CONFIG_FILE"
    nginx_render_site "$share/nginx"
}

case ${1:-} in
'') ;;
--remove)
    remove
    reload || fail 'nginx refuses the rest of its configuration'
    exit 0
    ;;
*) fail 'usage: scoring-nginx [--remove]' ;;
esac
[ "$(id -u)" -eq 0 ] || fail 'only root can do that'
[ -d "${site%/*}" ] || fail "there is no ${site%/*}: is nginx installed?"
rendered=$(render) || exit
mkdir -p /run/scoring/nginx
[ ! -e "$site" ] || mv "$site" "$site.before"
printf '%s\n' "$rendered" >"$site"
[ "$site" = "$enabled" ] || ln -sf "$site" "$enabled"
if reload; then
    rm -f "$site.before"
    exit 0
fi
if [ -e "$site.before" ]; then
    mv "$site.before" "$site"
else
    remove
fi
fail "nginx refuses the site; the previous one stays. If nginx reports a duplicate default server, another site has that port: rm /etc/nginx/sites-enabled/default"

#!/bin/sh
# Renders the site of nginx from the settings of the service, makes nginx test it, and
# read it. Unless nginx accepts it, the previous site stays.
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
pid_file=@NGINX_PID@
# nginx includes no file whose name begins with a dot.
new=@NGINX_SITES@/.scoring.new
before=@NGINX_SITES@/.scoring.before
SCORING_CONFIG_FILE="${SCORING_CONFIG_FILE:-@SYSCONFDIR@/scoring/scoring.conf}"

accept_s=10 # nginx itself tries for 2.5 s to bind a port
lock_s=60   # more than another run takes
master=     # the process of nginx that was told to read the site

fail() {
    printf 'scoring-nginx: %s\n' "$*" >&2
    exit 1
}

# find_master: prints the process that reads the configuration, if nginx runs
find_master() {
    [ -s "$pid_file" ] || return 0
    pid=$(cat "$pid_file")
    ! grep -qsx nginx "/proc/$pid/comm" || echo "$pid"
}

workers() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$1" '$2 == "(nginx)" && $4 == parent { print $1 }'
}

uptime_s() {
    cut -d. -f1 /proc/uptime
}

# read_by MASTER: makes nginx read its configuration, which loses no request. nginx -t
# accepts a port that another program has, and nginx then only logs the error and goes
# on as before; new workers show that it has accepted the configuration.
read_by() {
    old=" $(workers "$1" | tr '\n' ' ')"
    deadline=$(($(uptime_s) + accept_s))
    master=$1
    kill -HUP "$master"
    while [ "$(uptime_s)" -le "$deadline" ]; do
        for worker in $(workers "$master"); do
            case $old in *" $worker "*) ;; *) return 0 ;; esac
        done
        sleep 0.1
    done
    return 1
}

# first_taken: prints the first address of the site that another program has. Works only
# while nginx does not run, which would have them itself.
first_taken() {
    grep -soE 'listen [0-9[][^; ]*' "$site" | while read -r _ address; do
        perl -MIO::Socket::IP -MErrno -e '
            IO::Socket::IP->new(LocalHost => $ARGV[0], Type => SOCK_STREAM, Listen => 1,
                ReuseAddr => 1, V6Only => 1) or exit($!{EADDRINUSE} != 0)' "$address" || {
            echo "$address"
            break
        }
    done
}

# reload REFUSAL KEPT: makes nginx test its configuration and read it; if nginx does not
# run, it reads it when it starts. KEPT says what stays otherwise.
reload() {
    nginx -t -q || fail "$1"
    running=$(find_master)
    if [ -z "$running" ]; then
        taken=$(first_taken)
        [ -z "$taken" ] || fail "another program has $taken$2"
    elif ! read_by "$running"; then
        fail "nginx has not taken its configuration$2. Its error log says why: if another program has a port, choose another one; if nginx itself has it at other addresses, stop nginx, run scoring-nginx, and start nginx"
    fi
}

# A second run would take the files of this one for those of a run that was killed.
lock() {
    [ -d "${site%/*}" ] || return 0
    exec 9<"${site%/*}"
    flock -w "$lock_s" 9 || fail 'another scoring-nginx has been running for a minute'
}

remove() {
    rm -f "$site" "$new" "$before"
    [ "$site" = "$enabled" ] || rm -f "$enabled"
}

# Runs at the end, unless nginx has accepted the site.
restore() {
    rm -f "$new"
    # shellcheck disable=SC3013 # dash has -ef
    if [ ! -e "$before" ]; then
        remove
    elif [ "$before" -ef "$site" ]; then
        rm -f "$before"
    else
        mv -f "$before" "$site"
    fi
    [ -z "$master" ] || kill -HUP "$master" 2>/dev/null || true
}

render() {
    # shellcheck source=deploy/nginx-settings.sh
    . "$share/nginx-settings.sh"
    # Not the settings of the caller's environment: neither the service nor a later run
    # has them.
    assignments=$(env -i PATH="$PATH" SCORING_CONFIG_FILE="$SCORING_CONFIG_FILE" \
        scoring check-config --shell "METRICS_PORT,$nginx_settings") || exit
    eval "$assignments"
    NGINX_HTTPS_PUBLIC='' NGINX_SPOOL_BYTES='' NGINX_LISTEN_OPTIONS=default_server
    nginx_check
    nginx_number METRICS_PORT "${METRICS_PORT:-$((nginx_http + 1))}" 1 65535
    [ "$nginx_value" != "$nginx_https" ] || # the default: check-config does not know it
        nginx_fail "METRICS_PORT: $nginx_value: must not be HTTPS_PORT"
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
    lock
    remove
    reload 'nginx refuses the rest of its configuration' ''
    exit 0
    ;;
*) fail 'usage: scoring-nginx [--remove]' ;;
esac
[ "$(id -u)" -eq 0 ] || fail 'only root can do that'
[ -d "${site%/*}" ] || fail "there is no ${site%/*}: is nginx installed?"
lock
rendered=$(render) || exit
mkdir -p /run/scoring/nginx
trap restore EXIT
trap 'exit 1' INT TERM HUP
# A run that was killed has left the site that nginx accepted last.
[ -e "$before" ] || [ ! -e "$site" ] || ln "$site" "$before"
rm -f "$new"
printf '%s\n' "$rendered" 2>/dev/null >"$new" || fail "$new: cannot be written; the previous site stays"
mv "$new" "$site"
[ "$site" = "$enabled" ] || ln -sf "$site" "$enabled"
reload 'nginx refuses the site; the previous one stays. If nginx reports a duplicate default server, another site has that port: rm /etc/nginx/sites-enabled/default' \
    '; the previous site stays'
trap - EXIT
rm -f "$before"

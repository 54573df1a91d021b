#!/bin/bash
# Runs as root on the Debian that tests/package.sh has booted: does what an operator does,
# first with the package, then with make install, and prints "N passed, N failed" at the
# end. /package has old.deb and new.deb, which differ in their version; /root/scoring is
# a checkout that has been built. The machine is rebooted in between; /package/counts
# then has the counts from before.
set -u
cd /
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive

conf=/etc/scoring/scoring.conf
work=$(mktemp -d)
want='{"code": 200, "response": {"score": 3.0}}'
callers=2
passed=0 failed=0

check() { # check WHAT COMMAND...
    local what=$1
    shift
    printf '%(%T)T %s\n' -1 "$what" >>"$work/times"
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$what"
        tail -n 30 "$work/said" | sed 's/^/    /'
    fi
}

is() { # is GOT WANTED
    [ "$1" = "$2" ] || {
        printf 'got    %s\nwanted %s\n' "$1" "$2"
        return 1
    }
}

fails() { ! "$@"; }

# soon COMMAND...: repeats a command until it succeeds, ten seconds at most
soon() {
    for _ in $(seq 100); do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}

post() { curl -s -m 9 -d "@$work/body" "$@"; }
answers() { is "$(post http://127.0.0.1/method)" "$1"; }
scores() { answers "$want"; }
scores_by_https() { is "$(post --cacert /root/cert.pem https://localhost/method)" "$want"; }
scores_by_ipv6() { is "$(post 'http://[::1]/method')" "$want"; }
is_other_site() { curl -s http://127.0.0.1/ | grep -qi 'welcome to nginx'; }
is_ready() { is "$(curl -s http://127.0.0.1/readyz)" '{"status": "ready", "store": "up"}'; }
has_page() { curl -s http://127.0.0.1/ | grep -qi '<html lang='; }
parent() { systemctl show -p MainPID --value scoring.service; }
install_deb() { apt-get install -qy --allow-downgrades "/package/$1.deb"; }

write_body() { # writes a request, with a token from the settings in force
    cat >"$work/body" <<BODY
{"account": "horns&hoofs", "login": "h&f", "method": "online_score",
 "token": "$(scoring token --account 'horns&hoofs' --login 'h&f' 2>/dev/null)",
 "arguments": {"phone": "79175002040", "email": "stupnikov@otus.ru"}}
BODY
}

# readable_file NAME: writes standard input to a file that the service can read
readable_file() {
    (umask 027 && cat >"/etc/scoring/$1")
    chgrp scoring "/etc/scoring/$1"
}

# documented FIRST: prints the indented lines of docs/operations.md from FIRST on
documented() {
    awk -v first="    $1" '
        index($0, first) == 1 { shown = 1 }
        shown && !/^    / { exit }
        shown { print substr($0, 5) }' /root/scoring/docs/operations.md
}

run_documented() { (cd /root/scoring && documented "$1" | sh -ex); }

set_in_conf() { # set_in_conf NAME VALUE: appends a line; the last one wins
    printf '%s=%s\n' "$1" "$2" >>$conf
}

unset_in_conf() { sed -i "\\|^$1=$2\$|d" $conf; }

# Starts callers that open a connection for each request, until load_stop.
load_start() {
    local i
    rm -f "$work"/load.*
    for i in $(seq $callers); do
        while [ ! -e "$work/stop" ]; do
            printf '%s %(%T)T\n' "$(post -w ' %{http_code}' http://127.0.0.1/method)" -1
        done >"$work/load.$i" &
    done
}

load_stop() { # fails unless every request has had the right answer
    local wrong
    touch "$work/stop"
    wait
    rm -f "$work/stop"
    wrong=$(cat "$work"/load.* | grep -cvF "$want 200 ")
    printf 'load: %d requests, %d lost\n' "$(cat "$work"/load.* | wc -l)" "$wrong" >>"$work/figures"
    [ "$wrong" -eq 0 ] || {
        tail -n 20 "$work/times"
        cat "$work"/load.* | grep -vF "$want 200 "
        return 1
    }
}

is_other_parent() { [ "$(parent)" != "$1" ] && [ "$(parent)" != 0 ]; }

kill_parent() {
    local pid
    pid=$(parent)
    kill -9 "$pid"
    soon is_other_parent "$pid"
}

# logged PRIORITY PATTERN: the journal has a line with this priority, without a time
logged() {
    journalctl -u scoring.service -p "$1..$1" -o cat --no-pager | grep -qE "^$2"
}

exposure() {
    local figure
    figure=$(systemd-analyze security --no-pager scoring.service | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
    printf 'exposure: %s\n' "$figure" | tee -a "$work/figures"
    awk -v figure="$figure" 'BEGIN { exit !(figure != "" && figure <= 2.0) }'
}

limited() { # of 40 requests, some are answered with 429
    # shellcheck disable=SC2046 # one URL for each request
    grep -q '"code": 429' <(post $(printf 'http://127.0.0.1/method %.0s' $(seq 40)))
}

counted() { # counted CODE: the metrics count nginx's own answers with it
    grep -q "^scoring_nginx_responses_total{code=\"$1\"} [1-9]" <(curl -s http://127.0.0.1:8081/metrics)
}

reload_ends() { # reload_ends STATUS
    local status=0
    scoring reload || status=$?
    is "$status" "$1"
}

# Of two requests, the journal has only the one that is refused.
logs_errors_only() {
    local id=$RANDOM$RANDOM
    post -o /dev/null -H "X-Request-ID: good$id" http://127.0.0.1/method
    curl -s -o /dev/null -H "X-Request-ID: bad$id" -d '{' http://127.0.0.1/method
    soon logged 6 ".*bad$id" && sleep 0.5 && fails logged 6 ".*good$id"
}

rotated() { # rotated INODE: the service writes to a new file
    scores && soon grep -q 'code=200' /var/log/scoring/scoring.log &&
        [ "$(stat -c %i /var/log/scoring/scoring.log)" != "$1" ]
}

# Prints the files and users that a purge has left.
left() {
    find /etc /run /usr /var/log /var/lib -xdev -name '*scoring*' \
        ! -path '/var/lib/dpkg/*' ! -path '/var/log/journal/*' 2>/dev/null
    getent passwd scoring
    getent group scoring
}

# check_service WAY: checks that are the same for both ways to install, on port 80
check_service() {
    check "$1: the service runs" soon systemctl -q is-active scoring.service
    check "$1: and the socket" systemctl -q is-active scoring.socket
    check "$1: both will at the next boot" systemctl -q is-enabled scoring.service scoring.socket
    check "$1: the settings are its own" is "$(stat -c %U:%G:%a $conf)" root:scoring:640
    check "$1: the socket is nginx's" is "$(stat -c %U:%G:%a /run/scoring/scoring.sock)" root:www-data:660
    write_body
    # nginx answers as before until all of it has read the site.
    check "$1: a score on port 80" soon scores
    check "$1: ready" soon is_ready
    check "$1: the page" soon has_page
    check "$1: healthcheck" scoring healthcheck
}

finish() {
    check 'no unit has failed' is "$(systemctl --failed --plain --no-legend --no-pager)" ''
    check 'nginx is well' nginx -t -q
    cat "$work/figures" 2>/dev/null
}

systemctl is-system-running --wait >/dev/null 2>&1
if [ -e /package/counts ]; then
    read -r passed failed </package/counts
    check_service 'after a reboot'
    check 'make uninstall' run_documented 'systemctl disable'
    left >"$work/after"
    check 'it leaves nothing' diff /package/before "$work/after"
    finish
    printf '%d passed, %d failed\n' "$passed" "$failed"
    exit
fi
left >/package/before

# Install, while another site of nginx has the same port.
check 'install' install_deb old
check_service 'the package'
check 'a score from the cache' scores
check 'the metrics' grep -q '^scoring_cache_hits_total 1' <(curl -s http://127.0.0.1:8081/metrics)
curl -s http://127.0.0.1/nothing >/dev/null
check 'the answers of nginx are counted' soon counted 404
check 'the manual' test -e /usr/share/man/man8/scoring.8.gz
check 'log: information' logged 6 'I started'
check 'log: an error' logged 3 'E running with the published default salts'
check 'exposure' exposure

# None of this loses a request under load.
load_start
for _ in 1 2; do
    check 'restart' systemctl restart scoring.service
done
check 'kill -9 of the parent' kill_parent
check 'and again' kill_parent
for _ in 1 2 3; do
    check 'reload' systemctl reload scoring.service
done
check 'the site anew' scoring-nginx
set_in_conf SCORING_WORKERS 3
check 'upgrade' install_deb new
check 'and back' install_deb old
check 'and again' install_deb new
check 'the settings stay' grep -q '^SCORING_WORKERS=3$' $conf
sleep 1
check 'no request is lost' load_stop
check 'the settings have their rights' is "$(stat -c %U:%G:%a $conf)" root:scoring:640
check 'the new version' is "$(scoring --version)" "scoring $(dpkg-query -W -f '${Version}' scoring)"

# A broken setting.
set_in_conf SCORING_STORE_ATTEMPTS many
check 'broken: reload says so' reload_ends 78
check 'broken: and so does systemctl' fails systemctl reload scoring.service
check 'broken: both keep what runs' scores
check 'broken: restart fails' fails systemctl restart scoring.service
check 'broken: and says why' soon logged 6 '.*SCORING_STORE_ATTEMPTS: "many"'
post -o /dev/null http://127.0.0.1/method # makes systemd try to start it
check 'broken: the site is not rendered' fails scoring-nginx
unset_in_conf SCORING_STORE_ATTEMPTS many
check 'fixed: it comes back by itself' soon systemctl -q is-active scoring.service
check 'fixed: a score' scores

# Files of accounts and models, and SCORING_LOG_REQUESTS, by reload.
scoring accounts new 'horns&hoofs' | readable_file accounts.json
set_in_conf SCORING_ACCOUNTS_FILE /etc/scoring/accounts.json
check 'accounts: reload' reload_ends 0
check 'accounts: the common salt is no more' soon answers '{"code": 403, "error": "Forbidden"}'
write_body
check 'accounts: a score' soon scores
echo '{' | readable_file accounts.json
check 'accounts: broken' reload_ends 78
check 'accounts: broken: the old stay' scores
unset_in_conf SCORING_ACCOUNTS_FILE /etc/scoring/accounts.json
write_body
check 'accounts: no reload back to the published salts' reload_ends 78
check 'accounts: but a restart' systemctl restart scoring.service
check 'accounts: none: a score' scores
echo '{"model": "own", "rules": [{"reason": "phone", "given": ["phone"], "points": 7}]}' |
    readable_file model.json
set_in_conf SCORING_MODEL_FILE /etc/scoring/model.json
check 'a model' systemctl reload scoring.service
check 'a model: its score' soon answers '{"code": 200, "response": {"score": 7.0}}'
unset_in_conf SCORING_MODEL_FILE /etc/scoring/model.json
set_in_conf SCORING_MODEL_FILE /usr/share/scoring/models/published.json
check 'the published model' systemctl reload scoring.service
check 'the published model: its score' soon scores
set_in_conf SCORING_LOG_REQUESTS errors
check 'errors alone in the log' systemctl reload scoring.service
check 'errors alone: are logged' soon logs_errors_only
unset_in_conf SCORING_LOG_REQUESTS errors

# Settings of nginx.
set_in_conf HTTP_ADDRESS somewhere
check 'a wrong address' fails scoring-nginx
check 'changes nothing' scores
unset_in_conf HTTP_ADDRESS somewhere
set_in_conf HTTP_ADDRESS 0.0.0.0
check 'a port that another site has' fails scoring-nginx
check 'changes nothing, too' scores
unset_in_conf HTTP_ADDRESS 0.0.0.0
# All addresses, as documented.
rm /etc/nginx/sites-enabled/default
set_in_conf HTTP_ADDRESS 0.0.0.0,::
check 'all addresses' sh -c 'systemctl restart scoring && scoring-nginx'
check 'all addresses: IPv4' soon scores
check 'all addresses: IPv6' soon scores_by_ipv6
unset_in_conf HTTP_ADDRESS 0.0.0.0,::
ln -s ../sites-available/default /etc/nginx/sites-enabled/default
check 'one address again' scoring-nginx
set_in_conf SCORING_RATE_LIMIT 5
check 'a limit reaches nginx' scoring-nginx
check 'by one command' soon limited
unset_in_conf SCORING_RATE_LIMIT 5
(
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /root/key.pem \
        -out /root/cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost
) 2>/dev/null
set_in_conf TLS_CERTIFICATE /root/cert.pem
set_in_conf TLS_KEY /root/key.pem
check 'HTTPS' scoring-nginx
check 'a score by it' soon scores_by_https
check 'and none without' soon answers '{"code": 403, "error": "use https"}'
unset_in_conf TLS_CERTIFICATE /root/cert.pem
unset_in_conf TLS_KEY /root/key.pem
check 'HTTP again' scoring-nginx
check 'a score by it' soon scores

# nginx is killed.
# shellcheck disable=SC2046 # each of its processes
kill -KILL $(pidof nginx)
soon fails pidof nginx >/dev/null
check 'nginx starts again' systemctl restart nginx.service
check 'a score' scores
check 'the page' grep -q '<html' <(curl -s http://127.0.0.1/)

# A log of its own.
set_in_conf SCORING_LOG_FILE /var/log/scoring/scoring.log
check 'a log file' systemctl restart scoring.service
check 'is written' soon grep -q 'I ready' /var/log/scoring/scoring.log
inode=$(stat -c %i /var/log/scoring/scoring.log)
check 'and rotated' logrotate -f /etc/logrotate.d/scoring
check 'and goes on' rotated "$inode"

check 'remove' dpkg --force-unsafe-io -r scoring
check 'removed: the other site is there' soon is_other_site
check 'removed: the settings stay' test -e $conf
check 'installed again' install_deb new
check 'with the old settings' grep -q '^SCORING_WORKERS=3$' $conf
check 'purge' apt-get purge -qy scoring
left >"$work/after"
check 'purge leaves nothing' diff /package/before "$work/after"
finish

# The other way.
check 'make install' run_documented deploy/install-packages.sh
hash -r # programs have moved
check_service 'make install'
echo "$passed $failed" >/package/counts
systemctl reboot
sleep infinity

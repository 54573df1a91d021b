#!/usr/bin/env bash
# Runs `make install`, `make uninstall` and what they install that is not the service:
# scoring.conf, and scoring-nginx with a stub of nginx and with the real one; runs the
# scripts of the package, and deploy/install-packages.sh, with stubs. All is below one
# folder; nothing needs root. tests/package.sh tests the same on a booted Debian.
#
#   tests/install.sh BINARY
#
# The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

binary=$1
. tests/support/counts.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-install.XXXXXX")
holder='' # a program that has a port
end() {
    [ -z "$holder" ] || kill "$holder"
    [ ! -s "$work/nginx.pid" ] || kill "$(cat "$work/nginx.pid")"
    rm -rf "$work"
}
trap end EXIT
chmod 755 "$work"
usr=$work/usr etc=$work/etc sites=$work/sites enabled=$work/enabled
conf=$etc/scoring/scoring.conf site=$sites/scoring
unset SCORING_CONFIG_FILE

install_to() { # install_to install|uninstall
    DESTDIR='' PREFIX=$usr SYSCONFDIR=$etc UNITDIR=$work/units NGINX_SITES=$sites \
        NGINX_ENABLED=$enabled NGINX_GROUP=www-data NGINX_PID=$work/nginx.pid BINARY=$binary \
        deploy/install.sh "$1" 2>&1
}

# stub NAME COMMANDS: makes a program that scoring-nginx finds first
stub() {
    printf '#!/bin/sh\n%s\n' "$2" >"$usr/bin/$1"
    chmod 755 "$usr/bin/$1"
}

# Each test of the site by nginx is a line of $work/tested.
nginx_accepts() { stub nginx "case \$1 in -t) echo tested >>$work/tested ;; esac"; }
nginx_rejects() { stub nginx 'exit 1'; }

# run ARGUMENT...: runs scoring-nginx; prints its exit status and output
run() {
    local said status
    said=$("$usr/sbin/scoring-nginx" "$@" 2>&1)
    status=$?
    printf '%d%s' "$status" "${said:+: $said}"
}

in_site() { # in_site PATTERN: how many lines of the site match
    grep -cE "$1" "$site"
}

placed() { # placed: what stands in the folders of nginx
    (cd "$work" && find sites enabled ! -type d | sort | paste -sd' ')
}

# What is installed.
mkdir -p "$sites" "$enabled"
check 'make install' equal "$(install_to install)" ''
check 'the mode of the settings' equal "$(stat -c %a "$conf")" 640
check 'the modes of the programs' equal "$(stat -c %a "$usr/bin/scoring" "$usr/sbin/scoring-nginx" | paste -sd' ')" '755 755'
check 'names that were not replaced' equal \
    "$(grep -rlE '@[A-Z_]+@' "$usr/sbin" "$work/units" "$usr/lib" "$etc")" ''
check 'the model' equal "$("$binary" model check "$usr/share/scoring/models/published.json" >/dev/null && echo good)" good

check 'the files, but the documents and the page' equal "$(cd "$work" && find etc units usr ! -type d \
    ! -path 'usr/share/doc/*' ! -path '*/web/*' -printf '%m %p\n' | LC_ALL=C sort -k 2)" '644 etc/logrotate.d/scoring
640 etc/scoring/scoring.conf
644 units/nginx.service.d/scoring.conf
644 units/scoring.service
644 units/scoring.socket
755 usr/bin/scoring
644 usr/lib/sysusers.d/scoring.conf
644 usr/lib/tmpfiles.d/scoring.conf
755 usr/sbin/scoring-nginx
644 usr/share/bash-completion/completions/scoring
644 usr/share/man/man8/scoring-nginx.8
644 usr/share/man/man8/scoring.8
644 usr/share/scoring/models/published.json
644 usr/share/scoring/nginx-settings.sh
644 usr/share/scoring/nginx/templates/scoring.conf.template
644 usr/share/scoring/nginx/web.conf.template'
check 'the page' equal "$(cd "$usr/share/scoring/web" && cat index.html docs/* openapi.json >/dev/null && echo there)" there

# The units: who owns the socket, that systemd is told, and what it does when the service
# ends.
has_lines() { # has_lines FILE LINE...: prints the lines that are not in it
    for line in "${@:2}"; do
        grep -qxF "$line" "$1" || echo "$line"
    done
}
check 'the service' equal "$(has_lines "$work/units/scoring.service" Requires=scoring.socket \
    StartLimitIntervalSec=0 Type=notify User=scoring Group=scoring \
    "Environment=SCORING_CONFIG_FILE=$conf" "ExecStart=$usr/bin/scoring serve" "ExecReload=+$usr/bin/scoring reload" \
    Restart=always RestartSec=100ms StandardInput=socket WantedBy=multi-user.target)" ''
check 'the socket' equal "$(has_lines "$work/units/scoring.socket" ListenStream=/run/scoring/scoring.sock SocketUser=root \
    SocketGroup=www-data SocketMode=0660 TriggerLimitIntervalSec=0 WantedBy=sockets.target)" ''
check 'the file of what nginx answers' equal "$(has_lines "$usr/lib/tmpfiles.d/scoring.conf" \
    'd /run/scoring/nginx 0755 root root' 'f /run/scoring/scoring.sock.answers 0660 scoring www-data')" ''

# The documents: what they link to and name is there.
missing_links() {
    grep -oE '\]\([^)# ]+' "$usr"/share/doc/scoring/*.md | while IFS=: read -r document link; do
        link=${link#](}
        case $link in http://* | https://*) continue ;; esac
        [ -e "${document%/*}/$link" ] || echo "$document: $link"
    done
}
missing_paths() {
    grep -ohE "$usr/share/[a-z./-]+[a-z]" "$usr"/share/doc/scoring/*.md | sort -u | while read -r path; do
        [ -e "$path" ] || echo "$path"
    done
}
documents=$usr/share/doc/scoring
check 'the documents' equal "$(cd "$documents" && echo *)" \
    'CHANGELOG.md README.md SECURITY.md api.md examples openapi.json operations.md performance.md protocol.md'
check 'the examples' equal "$(cd "$documents/examples" && echo *)" 'grafana haproxy kubernetes prometheus'
check 'links of documents to files that are not there' equal "$(missing_links)" ''
check 'paths in documents that are not there' equal "$(missing_paths)" ''
check 'paths of documents that only the sources have' equal \
    "$(grep -lE 'deploy/(grafana|haproxy|kubernetes|prometheus)|[` ]share/models' "$documents"/*.md)" ''
check 'examples that differ from the sources' equal "$(diff -r deploy/haproxy "$documents/examples/haproxy"
    diff -r deploy/kubernetes "$documents/examples/kubernetes")" ''
check 'the mode of a script among them' equal "$(stat -c %a "$documents/examples/kubernetes/sentinel/start.sh")" 755

# The settings: other ports, and nothing that concerns only make run and compose.
settings() { SCORING_CONFIG_FILE=$conf "$binary" check-config 2>/dev/null; }
check 'the settings are valid' equal "$(settings >/dev/null && echo valid)" valid
check 'they differ from the defaults' equal \
    "$(diff <(SCORING_CONFIG_FILE='' "$binary" check-config 2>/dev/null) <(settings) | sed -n 's/^> //p' | paste -sd' ')" \
    'HTTP_PORT=80 HTTPS_PORT=443 METRICS_PORT=8081'
check 'each setting is in the file, but that of make run' equal \
    "$(settings | cut -d= -f1 | while read -r name; do grep -qE "^#?$name=" "$conf" || echo "$name"; done)" RUN_DIR
check 'the file does not mention make run' equal "$(tr '\n#' '  ' <"$conf" | tr -s ' ' | grep -cE 'make run|compose')" 0
check 'it names the installed model' equal "$(grep -c "$usr/share/scoring/models/published.json" "$conf")" 1
check 'its lines are short' equal "$(grep -v "$usr" "$conf" | grep -cE '.{81}')" 0

# Before each start, systemd checks what the service uses, and nothing else.
start_check() { # start_check SETTING: the exit status
    { cat "$conf" && echo "$1"; } >"$work/other.conf"
    SCORING_CONFIG_FILE=$work/other.conf sh -c \
        "$(sed -n 's/^ExecStartPre=//p' "$work/units/scoring.service")" 2>/dev/null
    echo $?
    rm "$work/other.conf"
}
check 'the service starts with wrong settings of nginx' equal "$(start_check HTTP_PORT=0)" 0
check 'but not with others' equal "$(start_check SCORING_WORKERS=0)" 78
echo 'TLS_HSTS_S=5' >>"$conf"
install_to install >/dev/null
check 'an existing file is kept' equal "$(tail -n 1 "$conf")" 'TLS_HSTS_S=5'

# scoring-nginx.
stub mkdir ''
stub id 'echo 0'
stub perl '' # any port is free
nginx_rejects
refused='1: scoring-nginx: nginx refuses the site; the previous one stays. If nginx reports a duplicate default server, another site has that port: rm /etc/nginx/sites-enabled/default'
check 'the first site is refused' equal "$(run)" "$refused"
check 'and nothing stays' equal "$(placed)" ''
nginx_accepts
check 'the first site' equal "$(run)" 0
check 'is tested' equal "$(cat "$work/tested")" tested
check 'and enabled' equal "$(placed), $(readlink "$enabled/scoring")" "enabled/scoring sites/scoring, $site"
check 'it names its source' equal "$(head -n 1 "$site")" \
    "# Rendered from $conf by scoring-nginx: change that file,"
check 'it listens at 127.0.0.1' equal "$(grep -oE 'listen [0-9[][^;]*' "$site" | paste -sd,)" \
    'listen 127.0.0.1:80 default_server,listen 127.0.0.1:8081'
check 'it uses the socket of systemd' equal "$(in_site 'server "unix:/run/scoring/scoring.sock"')" \
    "$(grep -c 'server "unix:' nginx/templates/scoring.conf.template)"
check 'which is for owner and group' equal "$(grep '^SocketMode=' "$work/units/scoring.socket")" SocketMode=0660
check 'it has the page' equal "$(in_site "root \"$usr/share/scoring/web\";")" 2
check 'and the setting' equal "$(in_site 'max-age=5 always')" \
    "$(grep -c '{NGINX_HSTS}' nginx/templates/scoring.conf.template)"
before=$(cat "$site")
sed -i 's/^METRICS_PORT=.*/METRICS_PORT=/; s/^HTTP_PORT=.*/HTTP_PORT=8000/' "$conf"
nginx_rejects
check 'a second site is refused' equal "$(run)" "$refused"
check 'the previous one stays' equal "$(cat "$site")" "$before"
check 'and nothing else' equal "$(placed)" 'enabled/scoring sites/scoring'
check 'a second site cannot be written' equal "$(trap '' XFSZ; ulimit -f 0; run)" \
    "1: scoring-nginx: $sites/.scoring.new: cannot be written; the previous site stays"
check 'the previous one stays' equal "$(cat "$site")" "$before"
check 'and nothing else' equal "$(placed)" 'enabled/scoring sites/scoring'
stub nginx "flock -n $sites echo 'no other run would wait'"
check 'another run must wait' equal "$(run)" "$refused"
stub nginx 'kill -TERM $PPID'
check 'it is ended meanwhile' equal "$(run)" 1
check 'the previous one stays' equal "$(cat "$site")" "$before"
check 'and nothing else' equal "$(placed)" 'enabled/scoring sites/scoring'
stub nginx 'kill -KILL $PPID'
check 'it is killed meanwhile' equal "$(run)" 137
check 'nginx can read the previous one' equal "$(cat "$sites/.scoring.before")" "$before"
nginx_rejects
check 'it is refused after that' equal "$(run)" "$refused"
check 'the previous one is back' equal "$(cat "$site")" "$before"
check 'and nothing else' equal "$(placed)" 'enabled/scoring sites/scoring'
nginx_accepts
check 'a second site' equal "$(HTTP_PORT=81 SCORING_RATE_LIMIT=x run)" 0
check 'it is not of the settings of the environment, and listens at the next port' equal "$(grep -oE 'listen [0-9[][^;]*' "$site" | paste -sd,)" \
    'listen 127.0.0.1:8000 default_server,listen 127.0.0.1:8001'
before=$(cat "$site")
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" \
    -subj /CN=a 2>/dev/null
cp -p "$conf" "$work/kept"
printf '%s\n' HTTPS_PORT=8001 "TLS_CERTIFICATE=$work/cert.pem" "TLS_KEY=$work/key.pem" >>"$conf"
check 'the default of METRICS_PORT is the port of HTTPS' equal "$(run)" \
    '78: METRICS_PORT: 8001: must not be HTTPS_PORT'
cat "$work/kept" >"$conf"
rm "$work/kept" "$work/cert.pem" "$work/key.pem"
echo 'METRICS_PORT=65536' >>"$conf"
check 'a wrong setting' equal "$(run)" '78: scoring: METRICS_PORT: "65536": must be an integer from 1 to 65535'
echo 'SCORING_RATE_LIMIT=-1' >>"$conf"
check 'a setting that is wrong for the service, too' equal \
    "$(run)" "$(printf '%s\n' '78: scoring: SCORING_RATE_LIMIT: "-1": must be an integer from 0 to 1000000' \
        'scoring: METRICS_PORT: "65536": must be an integer from 1 to 65535')"
check 'the site stays' equal "$(cat "$site")" "$before"
check 'an argument' equal "$(run --add)" '1: scoring-nginx: usage: scoring-nginx [--remove]'
stub id 'echo 1000'
check 'a user who is not root' equal "$(run)" '1: scoring-nginx: only root can do that'
stub id 'echo 0'
rm -f "$work/tested"
check 'the site is removed' equal "$(run --remove)" 0
check 'the rest is tested' equal "$(cat "$work/tested")" tested
check 'nothing stays' equal "$(placed)" ''
sed -i '/^METRICS_PORT=65536/d; /^SCORING_RATE_LIMIT=-1/d' "$conf"
stub nginx 'kill -KILL $PPID'
check 'it is killed, and then' equal "$(run)" 137
nginx_accepts
check 'the site is removed' equal "$(run --remove)" 0
check 'nothing stays of it' equal "$(placed)" ''

# The real nginx, which listens at an address of this test, and nowhere else.
nginx=$(PATH=${PATH#"$usr/bin:"} command -v nginx)
address=127.$((128 + $$ / 62500 % 100)).$(($$ / 250 % 250)).$((1 + $$ % 250)) port=$((20000 + $$ % 10000))
listens() { # listens PORT: whether anything does
    (exec 3<>"/dev/tcp/$address/$1") 2>/dev/null && echo yes || echo no
}
set_port() { sed -i "s/^HTTP_PORT=.*/HTTP_PORT=$1/" "$conf"; }
soon() { # soon COMMAND...: repeats it until it succeeds; 30 s are enough for any machine
    for _ in $(seq 300); do
        "$@" && return
        sleep 0.1
    done
    echo 'not within 30 s'
}
sed -i 's/^HTTP_ADDRESS=.*/HTTP_ADDRESS='"$address/" "$conf"
set_port "$port"
echo 'server { ${NGINX_LISTEN} return 204; }' >"$usr/share/scoring/nginx/templates/scoring.conf.template"
: >"$usr/share/scoring/nginx/web.conf.template"
cat >"$work/nginx.conf" <<CONF
pid $work/nginx.pid;
error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $work/t1;
    proxy_temp_path $work/t2;
    fastcgi_temp_path $work/t3;
    uwsgi_temp_path $work/t4;
    scgi_temp_path $work/t5;
    include $enabled/*;
}
CONF
stub nginx "exec $nginx -e $work/error.log -p $work -c $work/nginx.conf \"\$@\" 2>>$work/error.log"
rm "$usr/bin/perl"
perl -MIO::Socket::IP -e '$| = 1; my $one = IO::Socket::IP->new(LocalHost => $ARGV[0], Type => SOCK_STREAM,
    Listen => 1, ReuseAddr => 1) or die; print "listens\n"; sleep' "$address:$((port + 1))" >"$work/holder" 2>&1 &
holder=$!
check 'another program has a port' equal "$(soon grep -q listens "$work/holder")" ''
set_port $((port + 1))
check 'nginx does not run: a port that is in use' equal "$(run)" \
    "1: scoring-nginx: another program has $address:$((port + 1)); the previous site stays"
check 'nothing is there' equal "$(placed)" ''
set_port "$port"
check 'nginx does not run: a free port' equal "$(run)" 0
before=$(cat "$site")
check 'nginx starts' equal "$("$usr/bin/nginx" 2>&1)$(soon test -s "$work/nginx.pid")" ''
check 'nginx runs: it has the port itself' equal "$(run)" 0
set_port $((port + 1))
check 'nginx runs: a port that is in use' equal "$(run)" \
    "1: scoring-nginx: nginx has not taken its configuration; the previous site stays. Its error log says why: if another program has a port, choose another one; if nginx itself has it at other addresses, stop nginx, run scoring-nginx, and start nginx"
check 'the previous site is back' equal "$(cat "$site")" "$before"
check 'and nothing else' equal "$(placed)" 'enabled/scoring sites/scoring'
set_port $((port + 2))
check 'nginx runs: a free port' equal "$(run)" 0
check 'nginx has it' equal "$(listens $((port + 2)))" yes
check 'nginx runs: the site is removed' equal "$(run --remove)" 0
soon_closed() { [ "$(listens $((port + 2)))" = no ]; }
check 'nginx has the port no longer' equal "$(soon soon_closed)" ''
kill "$(cat "$work/nginx.pid")"
soon_ended() { [ ! -e "$work/nginx.pid" ]; }
check 'nginx ends' equal "$(soon soon_ended)" ''
kill "$holder"
holder=
nginx_accepts
rm -rf "$work"/{nginx.conf,error.log,holder} "$work"/t[1-5]
rmdir "$sites"
check 'without nginx' equal "$(run)" "1: scoring-nginx: there is no $sites: is nginx installed?"

# The scripts of the package, with the folders of this test and stubs. The account is the
# package's only if it is as systemd-sysusers makes it.
script() { # script NAME ARGUMENT ACCOUNT [GROUP]: runs it, and prints what it has done
    printf '%s\n' "$3" >"$work/account"
    printf '%s\n' "${4-scoring:x:999:}" >"$work/group"
    sed "s,/\(etc\|run\|var\)/,$work/root&,g" "debian/$1" >"$work/script"
    PATH=$usr/bin:$PATH sh "$work/script" "$2" 2>&1 | sed 's/^scoring: //' | paste -sd,
}
for name in chgrp scoring-nginx systemd-sysusers; do stub "$name" ''; done
for name in userdel groupdel; do stub "$name" "echo $name \$1"; done
stub getent "case \$1 in passwd) cat $work/account ;; group) cat $work/group ;; esac"
own='scoring:x:999:999:Scoring API:/:/usr/sbin/nologin'
foreign='an account "scoring" existed before: the service runs as it, the group "scoring" can read the settings, and purge deletes neither'
while IFS='|' read -r what account; do
    check "postinst: $what" equal "$(script postinst configure "$account")" "$foreign"
    check "postrm: $what" equal "$(script postrm purge "$account")" ''
done <<ACCOUNTS
the account of a person|scoring:x:1000:1000:Scoring API:/:/usr/sbin/nologin
an account with a shell|scoring:x:999:999:Scoring API:/:/bin/bash
an account with a home|scoring:x:999:999:Scoring API:/home/scoring:/usr/sbin/nologin
an account of another program|scoring:x:999:999::/nonexistent:/usr/sbin/nologin
root by another name|scoring:x:0:0:Scoring API:/:/usr/sbin/nologin
an account with another name|other:x:999:999:Scoring API:/:/usr/sbin/nologin
ACCOUNTS
check 'postinst: its own account' equal "$(script postinst configure "$own")" ''
check 'postrm: its own account' equal "$(script postrm purge "$own")" 'userdel scoring,groupdel scoring'
check 'postrm: its group has members' equal "$(script postrm purge "$own" 'scoring:x:999:www-data')" 'userdel scoring'
check 'postrm: its group is gone' equal "$(script postrm purge "$own" '')" 'userdel scoring'
check 'postrm: the account is gone' equal "$(script postrm purge '')" ''
mkdir -p "$work"/root/{etc/{scoring,nginx/sites-available},var/log/{nginx,scoring},run/scoring}
touch "$work"/root/etc/nginx/sites-available/{scoring,.scoring.new,.scoring.before,default} \
    "$work"/root/etc/scoring/scoring.conf "$work"/root/var/log/nginx/{scoring.access.log.1,access.log}
check 'postrm: not a purge' equal "$(script postrm remove "$own")" ''
check 'it leaves the files' equal "$(find "$work/root" -type f | wc -l)" 7
check 'postrm: purge' equal "$(script postrm purge "$own")" 'userdel scoring,groupdel scoring'
check 'it leaves the files of others' equal "$(cd "$work/root" && find . -type f -o -name scoring | sort | paste -sd' ')" \
    './etc/nginx/sites-available/default ./var/log/nginx/access.log'
rm -rf "$work"/{root,script,account,group} "$usr/bin"/{chgrp,scoring-nginx,systemd-sysusers,userdel,groupdel,getent}

# Installing packages enables no service: neither one of the packages nor one of their
# dependencies. What was enabled before stays so.
system=$work/root/etc/systemd/system
add_links() { # add_links LINK...
    for link; do
        printf 'mkdir -p %s; ln -sf %s %s\n' "$work/root/etc/${link%/*}" "$work/root/unit" "$work/root/etc/$link"
    done
}
sed "s,/\(etc\|usr/sbin\)/,$work/root&,g" deploy/install-packages.sh >"$work/install-packages.sh"
echo 'some package' >"$work/packages.txt"
mkdir -p "$work/root/usr/sbin"
rm "$usr/bin/mkdir"
touch "$work/root/unit"
eval "$(add_links systemd/system/multi-user.target.wants/nginx.service rc2.d/S01nginx rc2.d/K01old)"
stub dpkg-query ''
stub deb-systemd-helper "echo \"\${DPKG_MAINTSCRIPT_PACKAGE:+\$*}\" >>$work/disabled; rm $system/*.wants/\$2"
stub update-rc.d "echo \"\$*\" >>$work/disabled; rm $work/root/etc/rc2.d/S02\$1"
installs() { # installs COMMAND: installs by it and these links, and prints what was disabled
    stub apt-get "$(add_links systemd/system/sockets.target.wants/podman.socket rc2.d/S02new rc2.d/K01newer \
        systemd/system/multi-user.target.wants/nginx.service); touch $work/root/removed; $1"
    : >"$work/disabled"
    ln -s "$work/root/removed" "$system/multi-user.target.wants/removed.service"
    PATH=$usr/bin:$PATH bash "$work/install-packages.sh" some >/dev/null 2>&1
    paste -sd, "$work/disabled"
    rm "$work/root/removed"
}
for way in true false; do
    check "packages: what they enable is disabled ($way)" equal "$(installs "$way")" 'new disable,disable podman.socket,disable removed.service'
    check 'packages: the rest is as before' equal "$(find "$work/root" -type l | sort | paste -sd' ' | sed "s,$work/root/etc/,,g")" \
        'rc2.d/K01newer rc2.d/K01old rc2.d/S01nginx systemd/system/multi-user.target.wants/nginx.service'
done
rm -rf "$work"/{root,install-packages.sh,packages.txt,disabled} "$usr/bin"/{dpkg-query,deb-systemd-helper,update-rc.d,apt-get}

# make uninstall.
mkdir "$sites"
cp "$conf" "$site"
ln -s "$site" "$enabled/scoring"
check 'make uninstall' equal "$(install_to uninstall)" ''
rm -f "$usr/bin"/{id,nginx} "$work/tested" # the stubs
check 'leaves no file' equal "$(find "$work" ! -type d)" ''

counts

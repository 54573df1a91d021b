#!/bin/sh
# `make install` and `make uninstall`: install or remove the files of the service.
# From the environment: DESTDIR, PREFIX, SYSCONFDIR, UNITDIR, NGINX_SITES,
# NGINX_ENABLED, NGINX_GROUP, NGINX_PID, BINARY. Creating the user and starting the
# units, which need a running system, are left to the operator: docs/operations.md.
set -eu
cd "$(dirname "$0")/.."

data=$PREFIX/share/scoring
doc=$PREFIX/share/doc/scoring
conf=$SYSCONFDIR/scoring/scoring.conf

# Lists mode, source and target. put() replaces the @NAMES@ in some sources.
files() {
    cat <<LIST
0755 $BINARY $PREFIX/bin/scoring
0755 deploy/scoring-nginx.sh $PREFIX/sbin/scoring-nginx
0644 docs/scoring.8 $PREFIX/share/man/man8/scoring.8
0644 docs/scoring-nginx.8 $PREFIX/share/man/man8/scoring-nginx.8
0644 deploy/completion/scoring.bash $PREFIX/share/bash-completion/completions/scoring
0644 deploy/systemd/scoring.socket $UNITDIR/scoring.socket
0644 deploy/systemd/scoring.service $UNITDIR/scoring.service
0644 deploy/systemd/nginx.conf $UNITDIR/nginx.service.d/scoring.conf
0644 deploy/systemd/sysusers.conf $PREFIX/lib/sysusers.d/scoring.conf
0644 deploy/systemd/tmpfiles.conf $PREFIX/lib/tmpfiles.d/scoring.conf
0644 deploy/logrotate.conf $SYSCONFDIR/logrotate.d/scoring
0644 deploy/nginx-settings.sh $data/nginx-settings.sh
0644 nginx/templates/scoring.conf.template $data/nginx/templates/scoring.conf.template
0644 nginx/web.conf.template $data/nginx/web.conf.template
0644 share/models/published.json $data/models/published.json
0644 README.md $doc/README.md
0644 SECURITY.md $doc/SECURITY.md
0644 CHANGELOG.md $doc/CHANGELOG.md
0644 docs/api.md $doc/api.md
0644 docs/openapi.json $doc/openapi.json
0644 docs/operations.md $doc/operations.md
0644 docs/performance.md $doc/performance.md
0644 docs/protocol.md $doc/protocol.md
LIST
    for file in deploy/grafana/scoring.json deploy/prometheus/scoring.rules.yml deploy/haproxy/* \
        deploy/kubernetes/*/*; do
        mode=0644
        [ ! -x "$file" ] || mode=0755
        echo "$mode $file $doc/examples/${file#deploy/}"
    done
}

# Makes scoring.conf from .env.example: other ports, the path of the model, and without
# the sentences about make run and docker compose.
settings() {
    awk -v RS= -v at="$data" '
        # Prints the words of a comment in lines of at most 80 bytes.
        function wrap(words,  word, count, i, line) {
            count = split(words, word, " ")
            line = "#"
            for (i = 1; i <= count; i++) {
                if (length(line " " word[i]) > 80) {
                    print line
                    line = "#"
                }
                line = line " " word[i]
            }
            print line
        }
        # The sentences of a comment that hold here.
        function kept(words,  sentence, count, i, text) {
            count = split(words, sentence, /[.] /)
            for (i = 1; i <= count; i++)
                if (sentence[i] !~ /`make run`|docker compose/)
                    text = text (text == "" ? "" : ". ") sentence[i]
            return text (text ~ /[.]$/ ? "" : ".")
        }
        NR == 1 {
            print "# Settings of the scoring service and of its nginx, with their defaults. After a\n" \
                  "# change run `scoring check-config`, which reports every error in this file;\n" \
                  "# then `systemctl reload scoring`, and for settings of nginx `scoring-nginx`.\n#\n" \
                  "# The file is read, not run: put a value with spaces, \"#\", \"$\", quotes or\n" \
                  "# backslashes into single quotes. A comment after a value needs a space before\n" \
                  "# its \"#\"."
            next
        }
        /\n#?(RUN_DIR|TLS_FOLDER)=/ || /^# end: / { next }
        {
            sub(/^# generated: settings\n/, "")
            sub(/share\/models/, at "/models")
            words = values = ""
            count = split($0, lines, "\n")
            for (i = 1; i <= count; i++)
                if (lines[i] ~ /^# /)
                    words = words substr(lines[i], 2)
                else
                    values = values "\n" lines[i]
            if (values ~ /\n#?METRICS_PORT=/) {
                words = "Port of the metrics."
                values = "\nMETRICS_PORT=8081"
            }
            sub(/\nHTTP_PORT=8080/, "\nHTTP_PORT=80", values)
            sub(/\nHTTPS_PORT=8443/, "\nHTTPS_PORT=443", values)
            sub(/\nREDIS_PASSWORD=change-me/, "\n#REDIS_PASSWORD=", values)
            print ""
            wrap(kept(words))
            print substr(values, 2)
        }' .env.example
}

# Replaces the @NAMES@ of folders.
fill_in() {
    sed -e "s,@BINDIR@,$PREFIX/bin,g" -e "s,@DATADIR@,$data,g" -e "s,@DOCDIR@,$doc,g" \
        -e "s,@SYSCONFDIR@,$SYSCONFDIR,g" -e "s,@NGINX_SITES@,$NGINX_SITES,g" \
        -e "s,@NGINX_ENABLED@,$NGINX_ENABLED,g" -e "s,@NGINX_GROUP@,$NGINX_GROUP,g" \
        -e "s,@NGINX_PID@,$NGINX_PID,g" "$1"
}

# The links and paths of a document, as they are where it is installed. What only the
# sources have is no link.
relink() {
    sed -e 's,](docs/,](,g' -e 's,](\.\./,](,g' \
        -e 's,\[\([^]]*\)\](\(CONTRIBUTING\.md\|LICENSE\)),\1 (see the sources),g' \
        -e "s,deploy/\(grafana\|haproxy\|kubernetes\|prometheus\),$doc/examples/\1,g" \
        -e "s,\([\` ]\)share/models/,\1$data/models/,g" "$1"
}

put() { # put MODE SOURCE TARGET
    case $2 in
    deploy/systemd/* | deploy/scoring-nginx.sh) edit=fill_in ;;
    *.md) edit=relink ;;
    *)
        install -D -m "$1" "$2" "$DESTDIR$3"
        return
        ;;
    esac
    install -d "$DESTDIR${3%/*}"
    $edit "$2" >"$DESTDIR$3"
    chmod "$1" "$DESTDIR$3"
}

put_all() {
    files | while read -r mode source target; do
        put "$mode" "$source" "$target"
    done
    deploy/web.sh "$DESTDIR$data/web"
    chmod -R u=rwX,go=rX "$DESTDIR$data/web"
    install -d "$DESTDIR$SYSCONFDIR/scoring"
    # An existing file of settings belongs to the operator.
    [ -e "$DESTDIR$conf" ] || (umask 027 && settings >"$DESTDIR$conf")
}

remove_all() {
    [ -n "$DESTDIR" ] || [ ! -x "$PREFIX/sbin/scoring-nginx" ] || "$PREFIX/sbin/scoring-nginx" --remove || true
    files | while read -r mode source target; do
        rm -f "$DESTDIR$target"
    done
    rm -rf "$DESTDIR$data" "$DESTDIR$doc" "$DESTDIR$SYSCONFDIR/scoring"
    rmdir "$DESTDIR$UNITDIR/nginx.service.d" 2>/dev/null || true
}

case $1 in
install) put_all ;;
uninstall) remove_all ;;
settings) settings ;;
esac

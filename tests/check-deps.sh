#!/usr/bin/env bash
# Holds the module map of the README: who may include what, and who may log.
# Each rule is a pattern and the only files of src/ that may match it.
set -euo pipefail
cd "$(dirname "$0")/../src"

failed=0

only() { # only PATTERN FILE...
    local pattern=$1 file
    shift
    while IFS= read -r file; do
        case " $* " in
        *" $file "*) ;;
        *)
            printf 'src/%s: must not match %s (only: %s)\n' "$file" "$pattern" "$*"
            failed=1
            ;;
        esac
    done < <(grep -lE "$pattern" -- *.c *.h || true)
}

only '#include <fcgi' fcgi.c
only '#include "fcgi(_gather|_scan)?\.h"' fcgi.c fcgi_gather.c fcgi_gather.h fcgi_scan.c conn.c \
    conn_report.c worker.c
only '#include "conn_report\.h"' conn_report.c conn.c
only '#include [<"]hiredis' redis_fetch.c redis_scan.c redis_session.c redis_stream.c \
    redis_tls.c redis_writer.c store_redis.c
only '#include "redis_(command|connect|error|fetch|handshake|stream|tls)\.h"' redis_command.c \
    redis_connect.c redis_error.c redis_fetch.c redis_fetch.h redis_handshake.c redis_handshake.h \
    redis_scan.c redis_session.c redis_session.h redis_stream.c redis_tls.c store_redis.c
only '#include "redis_(session|scan|writer)\.h"' redis_scan.c redis_session.c redis_writer.c \
    interests_export.c interests_import.c
only '#include "interests_(export|import)\.h"' interests_export.c interests_import.c \
    command_interests.c
only '#include [<"]ares' resolver.c
only '#include [<"]json-c' json.c fields.c api.c
only '#include [<"]openssl' auth.c redis_tls.c
only '#include "log\.h"' log.c main.c supervisor.c supervisor.h worker.c conn_report.c
only '#include "endpoint\.h"' endpoint.c conn.c
only '#include "trace\.h"' trace.c conn_report.c
only '#include "metrics_text\.h"' metrics_text.c endpoint.c
only '#include [<"]store_redis\.h' store_redis.c worker.c
only '#include [<"]worker\.h' worker.c supervisor.c
only '#include [<"]supervisor\.h' supervisor.c main.c
# TERM and TMPDIR are no settings of ours.
only '\b(secure_)?getenv *\(' config.c command_interests.c
only '\b(printf|puts|fputs|perror|syslog) *\(' main.c command.c command_check_config.c \
    command_healthcheck.c command_token.c
# The pure part knows neither clock nor network.
for file in api.c json.c online_score.c clients_interests.c fields.c score.c \
    date.c store.c auth.c endpoint.c metrics_text.c trace.c; do
    if grep -nE '\b(time\(NULL\)|clock_gettime|gettimeofday|socket|connect) *\(' "$file"; then
        printf 'src/%s: must not read the clock or the network\n' "$file"
        failed=1
    fi
done
exit "$failed"

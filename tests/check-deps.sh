#!/usr/bin/env bash
# Holds the house together: which folder of src/ may include which, which one
# owns which library, who may log, and that the pure parts stay pure.
set -euo pipefail
cd "$(dirname "$0")/../src"

failed=0

fault() {
    printf 'src/%s\n' "$*"
    failed=1
}

# A folder, and those whose headers it may include besides its own. No folder
# stands to the left of one that it appears in: calls go downwards only.
folders='
base
telemetry  base
fcgi       base
redis      base
store      redis base
scoring    store base
config     scoring redis telemetry base
serve      config scoring store fcgi telemetry base
cli        config scoring store redis fcgi telemetry base
'

for entry in *; do
    [ -d "$entry" ] || [ "$entry" = main.c ] || fault "$entry: must be in a folder"
done

declare -A before=()
while read -r folder may; do
    [ -n "$folder" ] || continue
    for lower in $may; do
        [ -n "${before[$lower]-}" ] || fault "$folder: $lower must stand above it in tests/check-deps.sh"
    done
    before[$folder]=yes
    while IFS=: read -r file _ line; do
        header=${line#*\"} header=${header%\"*}
        case " $folder $may " in
        *" ${header%%/*} "*) [ -e "$header" ] || fault "$file: $header: no such header" ;;
        *) fault "$file: must not include $header (only: $folder $may)" ;;
        esac
    done < <(grep -n '#include "' -- "$folder"/*.[ch])
done <<<"$folders"
for folder in */; do
    [ -n "${before[${folder%/}]-}" ] || fault "$folder: stands in no row of tests/check-deps.sh"
done

# only PATTERN FILE...: the only files that may match it
only() {
    local pattern=$1 file
    shift
    while IFS= read -r file; do
        case " $* " in
        *" $file "* | *" ${file%%/*}/ "*) ;;
        *) fault "$file: must not match $pattern (only: $*)" ;;
        esac
    done < <(grep -rlE "$pattern" -- . | sed 's|^\./||')
}

only '#include <fcgi' fcgi/fcgi.c
only '#include [<"]ares' redis/resolver.c
only '#include [<"]hiredis' redis/ store/fetch.c store/link.c store/slots.c store/cluster.c store/sentinels.c cli/client.c cli/session.c cli/shards.c cli/scan.c cli/writer.c
only '#include [<"]json-c' base/json.c scoring/api.c
only '#include [<"]openssl' scoring/auth.c scoring/model.c redis/tls.c
# Each fault is logged once, and only from here; the rest return errors.
only '#include "telemetry/log\.h"' telemetry/ config/ serve/ main.c
# TERM and TMPDIR are no settings of ours.
only '\b(secure_)?getenv *\(' config/config.c cli/interests.c cli/progress.c telemetry/log.c serve/notify.c
only '\b(printf|puts|fputs|perror|syslog) *\(' main.c cli/command.c cli/check_config.c \
    cli/accounts.c cli/healthcheck.c cli/model.c cli/model_diff.c cli/token.c
# One place asks what time it is; what is pure asks neither it nor the network.
only '\b(time|clock_gettime|gettimeofday|ftime|ev_now|ev_time) *\(' base/clock.c
only '#include "base/clock\.h"' base/ redis/ store/ serve/ cli/ telemetry/
only '\b(socket|connect) *\(' redis/ cli/ask.c serve/notify.c
exit "$failed"

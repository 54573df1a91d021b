#!/usr/bin/env bash
# Checks which folder of src/ may include which, which files may use a library, log,
# print, read the environment or the clock, and that the pure folders are pure.
set -euo pipefail
cd "$(dirname "$0")/../src"

failed=0

fault() {
    printf 'src/%s\n' "$*"
    failed=1
}

# A folder, and the folders whose headers it may include in addition to its own. Each
# folder may include only folders of the rows above it.
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
        [ -n "${before[$lower]-}" ] || fault "$folder: $lower must be in a row above it in tests/check-deps.sh"
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
    [ -n "${before[${folder%/}]-}" ] || fault "$folder: has no row in tests/check-deps.sh"
done

# only PATTERN FILE...: no other file, or folder ending with /, may match
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
only '#include [<"]json-c' base/json.c scoring/ cli/model_diff.c
only '#include [<"]openssl' scoring/auth.c scoring/model.c redis/tls.c
# Only these files log; others return errors, so that each fault is logged once.
only '#include "telemetry/log\.h"' telemetry/ config/ serve/ main.c
# Settings are read in config.c only; TERM, TMPDIR and others are not settings.
only '\b(secure_)?getenv *\(' config/config.c cli/interests.c cli/progress.c telemetry/log.c serve/notify.c
only '\b(printf|puts|fputs|perror|syslog) *\(' main.c cli/command.c cli/check_config.c \
    cli/accounts.c cli/healthcheck.c cli/model.c cli/model_diff.c cli/token.c
# One file reads the clocks; pure folders use neither it nor the network.
only '\b(time|clock_gettime|gettimeofday|ftime|ev_now|ev_time) *\(' base/clock.c
only '#include "base/clock\.h"' base/ redis/ store/ serve/ cli/ telemetry/
only '\b(socket|connect) *\(' redis/ cli/ask.c serve/notify.c
exit "$failed"

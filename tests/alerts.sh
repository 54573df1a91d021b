#!/usr/bin/env bash
# Tests the alerts of deploy/prometheus: promtool makes each fire once, and stay silent
# once; and all queries, also those of the dashboard, use metrics that exist. The last
# line is "N passed, N failed", or with ", N skipped".
#
#   tests/alerts.sh TABLES    docs/tables.c, built
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

rules=deploy/prometheus/scoring.rules.yml cases=deploy/prometheus/scoring.test.yml
dashboard=deploy/grafana/scoring.json
passed=0 failed=0 skipped=0

check() { # check WHAT GOT WANTED
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n    got    %s\n    wanted %s\n' "$1" "$2" "$3"
    fi
}

# named FILE: prints the metrics that it uses
named() {
    grep -oE '\b(scoring|process|nginx)_[a-z_]+\b' "$1" | sed 's/_bucket$//' | sort -u
}

# there_are TABLES: prints the metrics of the service and of nginx's site
there_are() {
    "$1" | grep -oE 'TYPE (scoring|process)_[a-z_]+' | cut -d' ' -f2
    echo nginx_connections
}

for file in "$rules" "$dashboard"; do
    check "$file: metrics that do not exist" \
        "$(comm -23 <(named "$file") <(there_are "$1" | sort -u) | paste -sd' ')" ''
done
check "$dashboard: is JSON" "$(/usr/bin/python3 -m json.tool "$dashboard" >/dev/null 2>&1 && echo yes)" yes

# Each alert is expected twice: once with its annotations, once silent.
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
    check "$cases: $alert" "$(grep -A 2 "alertname: $alert\$" "$cases" |
        sed -n 's/^ *exp_alerts: *//p' | paste -sd' ')" ' []'
done
if command -v promtool >/dev/null; then
    check "$cases" "$(cd deploy/prometheus && promtool test rules scoring.test.yml 2>&1 | grep -c SUCCESS)" 1
else
    printf 'skipped: promtool is not installed\n'
    skipped=1
fi
printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ]

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
. tests/support/counts.sh

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
    check "$file: metrics that do not exist" equal \
        "$(comm -23 <(named "$file") <(there_are "$1" | sort -u) | paste -sd' ')" ''
done
check "$dashboard: is JSON" equal "$(/usr/bin/python3 -m json.tool "$dashboard" >/dev/null 2>&1 && echo yes)" yes

# Each alert is expected twice: once with its annotations, once silent.
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
    check "$cases: $alert" equal "$(grep -A 2 "alertname: $alert\$" "$cases" |
        sed -n 's/^ *exp_alerts: *//p' | paste -sd' ')" ' []'
done
if command -v promtool >/dev/null; then
    check "$cases" equal "$(cd deploy/prometheus && promtool test rules scoring.test.yml 2>&1 | grep -c SUCCESS)" 1
else
    skip 'promtool is not installed'
fi
counts

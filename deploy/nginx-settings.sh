# Sourced: what the site's template needs beyond the settings themselves.
#
# SCORING_RATE_LIMIT is requests a second and address; 0 is off. nginx has no
# rate of 0, but does not count requests whose key is empty.
# Its quotes are for nginx, not for the shell.
# shellcheck shell=sh disable=SC2089,SC2090
case ${SCORING_RATE_LIMIT:=0} in
*[!0-9]* | '')
    echo "SCORING_RATE_LIMIT: \"$SCORING_RATE_LIMIT\": must be a number" >&2
    exit 78
    ;;
esac
if [ "$SCORING_RATE_LIMIT" -gt 0 ]; then
    NGINX_RATE=$SCORING_RATE_LIMIT
    NGINX_RATE_KEY=\$binary_remote_addr
else
    NGINX_RATE=1
    NGINX_RATE_KEY='""'
fi
export NGINX_RATE NGINX_RATE_KEY

# As the service's workers do it: nginx interrupts nobody who is at work, and so
# finds many requests when its turn comes. Refused, all works as well.
NGINX_SCHEDULER='chrt --batch 0'
# shellcheck disable=SC2034,SC2086
$NGINX_SCHEDULER true 2>/dev/null || NGINX_SCHEDULER=

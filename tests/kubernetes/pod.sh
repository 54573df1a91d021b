#!/usr/bin/env bash
# Starts the pod of deploy/kubernetes, rendered by kubectl, by `podman kube play`, with a
# Redis in it, and checks its answers, rights, secrets and end. It uses no registry: the
# images contain this build and Debian's packages, so the Dockerfile is not tested. Podman
# does not support probes and preStop, so these are not tested either. Needs root,
# kubectl, and the group `pod` of deploy/packages.txt; otherwise it reports what is
# missing, and is skipped.
#
#   tests/kubernetes/pod.sh BINARY
#
# The base image is kept in POD_CACHE. The last line is "N passed, N failed", or with
# ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

cache=${POD_CACHE:-${XDG_CACHE_HOME:-/var/cache}/scoring-debian/pod}
password=pod-s3cret
making_s=900 ready_s=30
declare -A user=([nginx]=101 [scoring]=10001)

skip() {
    printf 'skipped: %s\n0 passed, 0 failed, 1 skipped\n' "$*"
    exit 0
}

# --- the images

# libraries BINARY: prints the packages of the libraries that it is linked to
libraries() {
    ldd "$1" | awk '$3 ~ /^\// {print $3}' | xargs -n 1 realpath |
        sed 's,^/usr/lib,*/lib,' | sort -u | xargs dpkg-query -S | cut -d: -f1
}

make_base() { # make_base BINARY: makes the base image $base, unless it exists
    local packages codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    packages=$({
        printf '%s\n' nginx-light gettext-base curl spawn-fcgi tzdata redis-server
        libraries "$1"
    } | sort -u | paste -sd,)
    base=$cache/$codename-$(sha256sum <<<"$packages" | cut -c1-16).tar
    [ ! -e "$base" ] || return 0
    mkdir -p "$cache"
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' >"$work/apt.conf"
    timeout "$making_s" mmdebstrap --quiet --variant=minbase --aptopt="$work/apt.conf" \
        --include="$packages" "$codename" "$base.part" --format=tar \
        "$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
            awk '$2 == "main" { print $1; exit }')" && mv "$base.part" "$base"
}

engine() {
    podman --runtime runc --cgroup-manager cgroupfs --events-backend none \
        --root "$work/storage" --runroot "$work/state" --tmpdir "$work/tmp" "$@"
}

# Makes images like the last stages of the Dockerfile.
make_images() {
    mkdir "$work/context"
    cp -r "$binary" nginx deploy "$work/context"
    deploy/web.sh "$work/context/web" >/dev/null
    engine import -q "$base" localhost/base &&
        engine build -q --network none -t localhost/nginx -f - "$work/context" <<'END' &&
FROM localhost/base
COPY web /usr/share/scoring/web
COPY nginx /etc/scoring/nginx
COPY deploy/nginx-settings.sh deploy/nginx-start.sh /etc/scoring/deploy/
RUN install -d -o 10001 -g 101 -m 0750 /run/scoring
ENTRYPOINT ["/bin/sh", "/etc/scoring/deploy/nginx-start.sh"]
STOPSIGNAL SIGQUIT
END
        engine build -q --network none -t localhost/scoring -f - "$work/context" <<'END'
FROM localhost/base
COPY scoring /usr/local/bin/scoring
COPY deploy/serve.sh /usr/local/bin/scoring-serve
RUN install -d -o 10001 -g 101 -m 0750 /run/scoring
STOPSIGNAL SIGTERM
ENTRYPOINT ["scoring-serve"]
END
}

# --- the pod

# Redis accepts the password also in base64, because podman 4.3 does not decode secrets.
render() {
    mkdir "$work/overlay"
    cp -r deploy/kubernetes/base "$work/base"
    cat >"$work/overlay/kustomization.yaml" <<END
resources: [../base]
images:
  - {name: registry.example/scoring, newName: localhost/scoring, newTag: latest}
  - {name: registry.example/scoring-nginx, newName: localhost/nginx, newTag: latest}
secretGenerator:
  - name: scoring
    literals: [REDIS_PASSWORD=$password, SCORING_SALT=Otus, SCORING_ADMIN_SALT=its-own]
configMapGenerator:
  - name: scoring
    behavior: merge
    literals: ["REDIS_URL=redis://127.0.0.1:6379"]
patches:
  - target: {kind: Deployment}
    patch: |
      - op: add
        path: /spec/template/spec/containers/-
        value:
          name: redis
          image: localhost/base
          command: [/usr/bin/redis-server, --save, "", --dir, /tmp, --user, default, "on",
              ">$password", ">$(printf %s "$password" | base64)", "~*", "&*", +@all]
          securityContext: {runAsUser: 999}
END
    kubectl kustomize "$work/overlay" >"$work/pod.yaml"
}

check() { # check NAME COMMAND...: counts whether the command succeeds
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        return 0
    fi
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$name"
    tail -n 20 "$work/said"
    return 1
}

equal() {
    [ "$1" = "$2" ] || {
        printf 'got    %s\nwanted %s\n' "$1" "$2"
        return 1
    }
}

get() {
    curl -q -s -m 5 --noproxy '*' "http://127.0.0.1:8080$1" "${@:2}"
}

becomes_ready() {
    local end=$((SECONDS + ready_s)) said
    until said=$(get /readyz) && [ "$said" = '{"status": "ready", "store": "up"}' ]; do
        if [ "$SECONDS" -ge "$end" ]; then
            printf '%s\n' "$said"
            engine ps -a
            for name in nginx scoring redis; do engine logs "scoring-pod-0-$name"; done
            return 1
        fi
        sleep 0.2
    done
}

score() {
    local token
    token=$(engine exec scoring-pod-0-scoring scoring token --login a)
    equal "$(get /method -d '{"login": "a", "token": "'"$token"'", "method": "online_score",
        "arguments": {"first_name": "a", "last_name": "b"}}')" \
        '{"code": 200, "response": {"score": 0.5}}'
}

# The containers share a file, to which nginx appends and which the service empties.
counted() {
    local end=$((SECONDS + ready_s))
    get /nothing >/dev/null
    until engine exec scoring-pod-0-nginx curl -q -s -m 2 http://127.0.0.1:8081/metrics |
        grep '^scoring_nginx_responses_total{code="404"} [1-9]'; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

rights() { # rights CONTAINER: checks user, capabilities, and a read-only root
    # shellcheck disable=SC2016
    equal "$(engine exec "scoring-pod-0-$1" sh -c 'id -u; id -g
        sed -nE "s/^(CapEff|CapBnd|NoNewPrivs|Seccomp):\t//p" /proc/1/status
        touch /x 2>/dev/null && echo "writes to /"; true' | paste -sd' ')" \
        "${user[$1]} 101 0000000000000000 0000000000000000 1 2"
}

no_secret() { # no_secret CONTAINER: its environment contains no secret
    ! engine exec "scoring-pod-0-$1" sh -c 'tr "\0" "\n" </proc/1/environ' |
        grep -e "$password" -e its-own
}

ends_in_order() {
    engine pod stop -t 20 scoring-pod-0 >/dev/null 2>&1
    equal "$(engine inspect -f '{{.State.ExitCode}}' scoring-pod-0-nginx scoring-pod-0-scoring |
        paste -sd' ')" '0 0'
}

try_pod() {
    local name
    ip link set lo up
    check 'podman kube play' engine kube play "$work/pod.yaml" &&
        check 'it becomes ready, with its store' becomes_ready || return
    check 'it is alive' equal "$(get /healthz)" '{"status": "ok"}'
    check 'a score' score
    check 'the description of the API' cmp <(get /openapi.json) docs/openapi.json
    check 'the answers of nginx are counted' counted
    check "the service's probe" engine exec scoring-pod-0-scoring scoring healthcheck
    check 'the socket is nobody else'\''s' equal \
        "$(engine exec scoring-pod-0-scoring stat -c '%F %a %u %g' /run/scoring/scoring.sock)" \
        'socket 660 10001 101'
    for name in nginx scoring; do
        check "$name: rights" rights "$name"
        check "$name: no secret in the environment" no_secret "$name"
    done
    check 'both end in order' ends_in_order
}

clean_up() {
    trap '' INT TERM HUP
    engine pod rm -f -t 1 -a >/dev/null 2>&1
    engine rmi -af >/dev/null 2>&1
    rm -rf --one-file-system "$work"
}

# In a network namespace, so that the pod's ports are free.
if [ "${2-}" = --inside ]; then
    work=$3 passed=0 failed=0
    try_pod
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
fi

binary=$(realpath "$1")
[ "$(id -u)" -eq 0 ] || skip 'only root can start the engine'
command -v kubectl >/dev/null || skip 'kubectl is not installed'
deploy/install-packages.sh pod >/dev/null || skip 'the engine cannot be installed'
work=$(mktemp -d "${TMPDIR:-/tmp}/scoring-pod.XXXXXX") || exit 1
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
export CONTAINERS_CONF=$work/containers.conf
printf '[containers]\ndefault_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]\n' >"$CONTAINERS_CONF"
make_base "$binary" >"$work/said" 2>&1 || skip "Debian's packages cannot be had: $(tail -n 1 "$work/said")"
make_images >"$work/said" 2>&1 || skip "the images cannot be made: $(tail -n 1 "$work/said")"
render || exit
unshare -n "$0" "$binary" --inside "$work"

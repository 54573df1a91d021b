#!/usr/bin/env bash
# Builds the Debian package, boots a minimal Debian with systemd in a container, and runs
# tests/package/inside.sh there: install, kill, upgrade, break, fix and purge, under
# load. Needs root, systemd-nspawn, and a Debian whose apt has a network; otherwise it
# reports what is missing, and is skipped.
#
#   tests/package.sh [CODENAME...]    Debian 13 and 12, or only these
#
# Trees are kept below PACKAGE_TREES. The last line is "N passed, N failed", or
# with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

trees=${PACKAGE_TREES:-${XDG_CACHE_HOME:-/var/cache}/scoring-debian/package}
making_s=900 building_s=900 running_s=480
# The packages of the booted machine, in addition to those for building.
machine=(systemd-sysv dbus nginx redis-server curl openssl logrotate gettext-base tzdata
    debhelper lintian ca-certificates python3)
passed=0 failed=0 skipped=0
work=$(mktemp -d)

skip() {
    printf 'skipped: %s\n' "$*"
    skipped=$((skipped + 1))
}

count() { # count WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        return 0
    fi
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$what"
    tail -n 20 "$work/said"
    return 1
}

end() {
    umount -R "$work/build" "$work/boot" 2>/dev/null
    rm -rf --one-file-system "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

# packages CODENAME: prints all packages of a tree
packages() {
    awk -v code="$1" '$1 == "build" && ($3 == "" || $3 == code) { print $2 }' deploy/packages.txt
    printf '%s\n' "${machine[@]}"
}

fingerprint() {
    packages "$1" | sha256sum
}

mirror() {
    apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
        awk '$2 == "main" { print $1; exit }'
}

# make_tree CODENAME: makes the tree, unless there is one with these packages
make_tree() {
    local codename=$1 tree=$trees/$1
    [ "$(cat "$tree.fingerprint" 2>/dev/null)" != "$(fingerprint "$codename")" ] || return 0
    command -v mmdebstrap >/dev/null || deploy/install-packages.sh ci >/dev/null ||
        return 1
    rm -rf --one-file-system "$tree"
    mkdir -p "$trees"
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' >"$work/apt.conf"
    timeout "$making_s" mmdebstrap --variant=apt --aptopt="$work/apt.conf" \
        --include="$(packages "$codename" | sort -u | paste -sd, -)" \
        "$codename" "$tree" "$(mirror)" >"$work/said" 2>&1 || return 1
    fingerprint "$codename" >"$tree.fingerprint"
}

# layer TREE FOLDER: mounts the tree at FOLDER/root; writing there does not change the
# tree
layer() {
    mkdir -p "$2/root"
    # An overlay's upper folder may not be on an overlay: changes are kept in memory.
    mount -t tmpfs tmpfs "$2" && mkdir -p "$2/upper" "$2/work" "$2/root" &&
        mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
}

build() { # build ROOT: builds both packages, and runs lintian on the new one
    local root=$1
    mkdir -p "$root/root/scoring"
    git ls-files -co --exclude-standard | while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done | tar cf - -T - | tar xf - -C "$root/root/scoring" --no-same-owner
    timeout "$building_s" unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev/shm" &&
            chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
                DEB_BUILD_OPTIONS="parallel=$(nproc)" sh -ec "
                cd /root/scoring
                make deb DEB_VERSION=0.0.1
                make deb
                lintian --fail-on error,warning build/deb/scoring_*.deb"' "$root"
}

# same_files ROOT: make install installs the files of the package, and make uninstall
# leaves none
same_files() {
    chroot "$1" sh -ec '
        cd /root/scoring
        make -s install DESTDIR=/tmp/installed PREFIX=/usr WERROR=
        dpkg -c build/deb/scoring_*.deb | awk "{ print \$6 }" |
            sed -E "s,^\./(usr/)?lib/systemd/system/,./units/,; s,\.gz\$,," | grep -v "/\$" |
            grep -vE "/doc/scoring/(changelog|copyright)" | sort >/tmp/of-package
        cd /tmp/installed
        find . -type f | sed -E "s,^\./usr/lib/systemd/system/,./units/,; s,\.gz\$,," | sort >/tmp/of-make
        diff /tmp/of-package /tmp/of-make
        cd /root/scoring
        make -s uninstall DESTDIR=/tmp/installed PREFIX=/usr
        test -z "$(find /tmp/installed ! -type d)"'
}

start() { # start ROOT
    timeout "$running_s" systemd-nspawn --quiet --boot --register=no --keep-unit --private-network \
        --directory="$1" </dev/null >>"$work/console" 2>&1
}

# boot ROOT: boots it, and waits for the end of the test inside
boot() {
    local root=$1
    mkdir -p "$root/package"
    cp tests/package/inside.sh "$root/package"
    cat >"$root/etc/systemd/system/package-check.service" <<UNIT
[Unit]
After=network.target nginx.service redis-server.service
[Service]
Type=exec
ExecStart=/bin/bash -c '/package/inside.sh >>/package/said 2>&1; systemctl poweroff --no-block'
[Install]
WantedBy=multi-user.target
UNIT
    ln -sf /etc/systemd/system/package-check.service \
        "$root/etc/systemd/system/multi-user.target.wants/package-check.service"
    rm -f "$root/usr/sbin/policy-rc.d"
    chroot "$root" systemctl -q enable nginx.service redis-server.service 2>/dev/null
    start "$root"
    # 133: the machine reboots.
    [ $? -ne 133 ] || start "$root"
    [ -s "$root/package/said" ] || cp "$work/console" "$root/package/said"
}

try() { # try CODENAME
    local codename=$1 build=$work/build boot=$work/boot last
    make_tree "$codename" || {
        skip "$codename: no tree: $(tail -n 1 "$work/said" 2>/dev/null)"
        return
    }
    layer "$trees/$codename" "$build" || {
        skip "$codename: no overlay can be mounted"
        return
    }
    count "$codename: make deb, and lintian" build "$build/root" || return
    count "$codename: make install and uninstall" same_files "$build/root"
    layer "$trees/$codename" "$boot" || return
    mkdir -p "$boot/root/package"
    cp "$build/root/root/scoring"/build/scoring_0.0.1_*.deb "$boot/root/package/old.deb"
    cp "$build/root/root/scoring"/build/deb/scoring_*.deb "$boot/root/package/new.deb"
    cp -a "$build/root/root/scoring" "$boot/root/root/scoring"
    boot "$boot/root"
    printf '== %s\n' "$codename"
    cat "$boot/root/package/said"
    last=$(tail -n 1 "$boot/root/package/said")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
    umount -R "$build" "$boot"
}

if [ "$(id -u)" -ne 0 ]; then
    skip 'only root can boot a Debian'
elif ! command -v systemd-nspawn >/dev/null; then
    skip 'systemd-nspawn is not installed: apt-get install systemd-container'
elif ! unshare --mount --pid --net --fork true 2>/dev/null; then
    skip 'namespaces are not permitted'
else
    [ $# -gt 0 ] || set -- trixie bookworm
    for codename; do
        try "$codename"
    done
fi
printf '%d passed, %d failed' "$passed" "$failed"
[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Builds and tests in a minimal tree, a root folder, of another Debian, which has only
# the packages of deploy/packages.txt. Needs root, and a Debian whose apt has a network;
# otherwise it reports what is missing, and is skipped.
#
#   tests/other-debian.sh                      the other one of Debian 12 and 13
#   tests/other-debian.sh CODENAME             this one
#   tests/other-debian.sh CODENAME COMMAND...  runs a command in this one, in a copy of
#                                              this checkout
#
# The tree is kept under DEBIAN_TREES, and made again if it is broken or the list of
# packages has changed. The last line is "N passed, N failed", or with ", N skipped".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

making_s=900 testing_s=1500
groups=(build run unit test bench)
steps=(
    "all tests bench-tools"
    "unit AGAIN=3"
    "memory"
    "integration AGAIN=3"
)

skip() {
    printf 'skipped: %s\n' "$*"
    printf '0 passed, 0 failed, 1 skipped\n'
    exit 0
}

fail() {
    tail -n 40 "$work/log" 2>/dev/null
    printf 'FAILED: %s\n' "$*"
    printf '0 passed, 1 failed\n'
    exit 1
}

# fingerprint: prints a digest of all files that determine the tree
fingerprint() {
    cat deploy/packages.txt deploy/install-packages.sh tests/other-debian.sh | sha256sum
}

# mirror: prints the URL from which apt gets this Debian
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v own="$this" '$3 == "main" && ($2 == own || $2 ~ /^(old)?stable$/) {
            print $1
            exit
        }'
}

is_sound() {
    [ "$(cat "$home/fingerprint" 2>/dev/null)" = "$(fingerprint)" ] &&
        [ -z "$(chroot "$tree" dpkg --audit 2>&1)" ]
}

remove_tree() {
    rm -rf --one-file-system "$tree"
    : >"$home/fingerprint"
}

# Makes the tree, with the apt settings of this machine: proxies, limits, checks.
bootstrap() {
    local from error
    from=$(mirror)
    [ -n "$from" ] || skip "$codename: apt has no mirror of Debian"
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' >"$work/apt.conf"
    timeout "$making_s" mmdebstrap --variant=apt --aptopt="$work/apt.conf" \
        --include=make,git,ca-certificates "$codename" "$tree" "$from" >"$work/log" 2>&1 &&
        return
    remove_tree
    error=$(sed -n '/^E: /{s///p;q}' "$work/log")
    skip "$codename: no tree: ${error:-not made within $making_s s}"
}

install_packages() {
    cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
    inside -- timeout "$making_s" deploy/install-packages.sh "${groups[@]}" >"$work/log" 2>&1 && {
        inside -- apt-get clean
        fingerprint >"$home/fingerprint"
        return
    }
    inside -- timeout "$making_s" apt-get update --error-on=any >/dev/null 2>&1 || {
        remove_tree
        skip "$codename: its packages are out of reach"
    }
    remove_tree
    fail "$codename: deploy/install-packages.sh"
}

# inside OPTION... -- COMMAND...: runs a command in the tree, in the copy of the
# checkout. The options are unshare's. Processes that it leaves behind are killed.
inside() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    # shellcheck disable=SC2016 # expanded by the shell inside
    unshare --mount --pid --ipc --uts --fork --kill-child "${options[@]}" bash -c '
        tree=$1 folder=$2
        shift 2
        mount -t proc proc "$tree/proc" &&
            mount -t devpts -o newinstance,ptmxmode=666 devpts "$tree/dev/pts" &&
            mount -t tmpfs -o mode=1777 tmpfs "$tree/dev/shm" &&
            ip link set lo up || exit
        chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            bash -c "cd \"\$0\" && exec \"\$@\"" "$folder" "$@"
        exit' - "$tree" "$folder" "$@"
}

copy_checkout() {
    mkdir -p "$tree$folder"
    git ls-files -co --exclude-standard | while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done | tar cf - -T - | tar xf - -C "$tree$folder" --no-same-owner
}

clean_up() {
    rm -rf "$work" "$tree$folder"
}

[ "$(id -u)" -eq 0 ] || skip 'another Debian: only root can make a tree'
this=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null)
case ${1:-$this} in
bookworm | trixie) ;;
*) skip "another Debian: only bookworm and trixie are supported" ;;
esac
codename=${1:-$([ "$this" = trixie ] && echo bookworm || echo trixie)}
deploy/install-packages.sh ci || skip "$codename: mmdebstrap cannot be installed"
unshare --mount --pid --ipc --uts --net --fork true 2>/dev/null ||
    skip "$codename: namespaces are not permitted"

home=${DEBIAN_TREES:-${XDG_CACHE_HOME:-/var/cache}/scoring-debian}/$codename
tree=$home/tree folder=/root/scoring.$$ work=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$home"
[ ! -e "$tree" ] || [ -e "$home/fingerprint" ] || fail "$tree: this script has not made it"
exec 9>"$home/lock"
flock 9
if is_sound; then
    rm -rf "$tree"/root/scoring.* # left by runs that were killed
    copy_checkout
else
    remove_tree
    bootstrap
    copy_checkout
    install_packages
fi
flock -s 9
if [ $# -gt 1 ]; then
    shift
    inside --net -- "$@"
else
    inside --net -- timeout "$testing_s" tests/check.sh "${steps[@]}"
fi

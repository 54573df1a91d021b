#!/usr/bin/env bash
# Installs the missing packages of some groups of deploy/packages.txt.
#
#   deploy/install-packages.sh GROUP...
#
# If none is missing, it does nothing and does not need root. It neither starts
# nor enables a system service: a policy prevents packages from starting theirs,
# and services that they enable are disabled again.
set -euo pipefail

list=$(dirname "$0")/packages.txt
policy=/usr/sbin/policy-rc.d

fail() {
    printf 'install-packages: %s\n' "$*" >&2
    exit 1
}

# listed GROUP...: prints the packages of these groups
listed() {
    local group package only
    while read -r group package only; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        [ -z "$only" ] || [ "$only" = "${VERSION_CODENAME:-}" ] || continue
        printf '%s\n' "$package"
    done < <(grep -v '^\(#\|$\)' "$list")
}

# missing PACKAGE...: prints those that are not installed
missing() {
    local package installed
    # It fails if dpkg does not know one of them.
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package; do
        [[ $'\n'$installed$'\n' == *$'\n'"installed $package"$'\n'* ]] || printf '%s\n' "$package"
    done
}

# not_offered PACKAGE...: those that apt cannot install
not_offered() {
    local package
    for package; do
        apt-cache show "$package" >/dev/null 2>&1 || printf ' %s' "$package"
    done
}

# Called after a failure, too: some of the packages may be installed.
clean_up() {
    disable_services
    [ -z "$policy_is_ours" ] || "${as_root[@]}" rm -f "$policy"
}

# Installs a temporary policy-rc.d, unless the machine has one.
hold_services_back() {
    trap clean_up EXIT
    [ ! -e "$policy" ] || return 0
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
}

install_packages() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# enabled: the units and init scripts that start with the system, one per line. A package
# that was removed may have left a link to nothing.
enabled() {
    find /etc/systemd/system /etc/rc[2-5S].d -type l -xtype f \
        \( -path '*.wants/*' -o -path '*.requires/*' -o -name 'S[0-9][0-9]*' \) -printf '%f\n' 2>/dev/null |
        sed 's/^S[0-9][0-9]//' | sort -u
}

# Disables what this installation has enabled, also by dependencies.
# deb-systemd-helper works without systemd, but expects that dpkg calls it.
disable_services() {
    local unit units
    mapfile -t units < <(comm -13 <(printf '%s\n' "$enabled_before") <(enabled))
    for unit in "${units[@]}"; do
        case $unit in
        *.service | *.socket | *.timer | *.path | *.target | *.mount)
            "${as_root[@]}" env DPKG_MAINTSCRIPT_PACKAGE="${unit%.*}" deb-systemd-helper disable "$unit"
            ;;
        *) "${as_root[@]}" update-rc.d "$unit" disable ;;
        esac >/dev/null 2>&1 || true
    done
}

[ $# -gt 0 ] || fail 'which groups?'
for group; do
    grep -q "^$group " "$list" || fail "$group: there is no such group in $list"
done
# shellcheck source=/dev/null
[ ! -r /etc/os-release ] || . /etc/os-release
mapfile -t packages < <(listed "$@")
mapfile -t packages < <(missing "${packages[@]}")
[ ${#packages[@]} -gt 0 ] || exit 0
system=${PRETTY_NAME:-this system}
command -v apt-get >/dev/null ||
    fail "$system has no apt-get; missing, as Debian calls them: ${packages[*]}"

as_root=() policy_is_ours=
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null ||
        fail "run as root: apt-get install -y --no-install-recommends ${packages[*]}"
    as_root=(sudo -n)
fi
enabled_before=$(enabled || true)
printf 'installing: %s\n' "${packages[*]}"
hold_services_back
install_packages "${packages[@]}" 2>/dev/null || {
    reason="$system has them not, Debian 12 and 13 do"
    "${as_root[@]}" apt-get update -qq -o APT::Update::Error-Mode=any ||
        reason='apt-get update fails'
    absent=$(not_offered "${packages[@]}")
    [ -z "$absent" ] || fail "cannot install$absent: $reason"
    install_packages "${packages[@]}"
}

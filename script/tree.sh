# Trees of other Debian releases, or clean ones of this (debootstrap; as root).
# To be sourced.  The packages come from where this machine's own do, by its apt
# sources; DEBIAN_MIRROR=URL and DEBIAN_SECURITY_MIRROR=URL name others.
# Sets: ROOT, MIRROR, SECURITY_MIRROR (empty: none).
# shellcheck shell=bash disable=SC2034

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# mirror_of LABEL: where apt fetches packages of Debian with this label; nothing if nowhere.
# shellcheck disable=SC2016
mirror_of() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' 2>/dev/null |
        awk -F '|' -v label="$1" '$1 == "Debian" && $2 == label && !found { print $3; found = 1 }'
}

MIRROR=${DEBIAN_MIRROR:-$(mirror_of Debian)}
SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-$(mirror_of Debian-Security)}

# attempt COMMAND...: its status in STATUS.  In an `if` it would go on after errors.
attempt() {
    set +e
    (set -e; "$@")
    STATUS=$?
    set -e
}

# in_tree TREE COMMAND...: as root in the tree, with /proc, /dev and the network
# of the machine; when the command ends, all that it started ends.
in_tree() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -c '
        set -e
        tree=$1
        shift
        mount -t proc proc "$tree/proc"
        mount -t tmpfs -o mode=755 dev "$tree/dev"
        for name in null zero full random urandom tty; do
            touch "$tree/dev/$name"
            mount --bind "/dev/$name" "$tree/dev/$name"
        done
        ln -s /proc/self/fd "$tree/dev/fd"
        ln -s fd/0 "$tree/dev/stdin"
        ln -s fd/1 "$tree/dev/stdout"
        ln -s fd/2 "$tree/dev/stderr"
        mkdir "$tree/dev/shm" "$tree/dev/pts"
        mount -t tmpfs -o mode=1777 shm "$tree/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$tree/dev/pts"
        ln -s pts/ptmx "$tree/dev/ptmx"
        exec chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
    ' bash "$@"
}

# tree_make SUITE TREE: unless it is there.  No service starts in it when its
# package is installed.
tree_make() {
    if [ ! -e "$2/.echosync" ]; then
        if [ -z "$MIRROR" ]; then
            echo "apt has no lists of a Debian mirror here: run apt-get update, or set DEBIAN_MIRROR=URL" >&2
            return 1
        fi
        tree_remove "$2"
        debootstrap --variant=minbase "$1" "$2" "$MIRROR"
        [ "$1" = sid ] || [ -z "$SECURITY_MIRROR" ] ||
            echo "deb $SECURITY_MIRROR $1-security main" >"$2/etc/apt/sources.list.d/security.list"
        # A mirror that is a snapshot may be older than it says it should be.
        echo 'Acquire::Check-Valid-Until "false";' >"$2/etc/apt/apt.conf.d/90snapshot"
        printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
        chmod 755 "$2/usr/sbin/policy-rc.d"
        touch "$2/.echosync"
    fi
    cp /etc/resolv.conf "$2/etc/resolv.conf"
}

# What is mounted in a tree is mounted in a namespace that is gone with its
# processes: nothing of the machine is seen through it here.
tree_remove() { rm -rf --one-file-system "${1:?}"; }

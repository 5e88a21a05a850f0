#!/bin/bash
# The Debian package: a source package is made from the tree, built, looked at by
# lintian, and installed, tried and purged in a clean tree of this release.  As
# root; leaves nothing behind.
#
#   script/check-deb.sh          all of it
#   script/check-deb.sh DIR      and keeps the packages in DIR

# shellcheck source-path=SCRIPTDIR source=tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

WORK=$(mktemp -d /var/tmp/echosync-deb.XXXXXX)
trap 'tree_remove "$WORK"' EXIT
trap 'exit 130' INT TERM

# step TEXT COMMAND...: its output is shown when it fails.
step() {
    local text=$1 start=$SECONDS
    shift
    attempt "$@" >"$WORK/log" 2>&1
    if [ "$STATUS" -ne 0 ]; then
        cat "$WORK/log"
        echo "FAILED  $text"
        exit 1
    fi
    printf 'ok      %-44s %4d s\n' "$text" "$((SECONDS - start))"
}

# What is checked in, and what is about to be.
source_tree() {
    local upstream=$1
    mkdir "$WORK/echosync"
    tar -C "$ROOT" --exclude=.git --exclude='*.o' --exclude='*.so' --exclude='*.d' --exclude='*.bc' --exclude='./echosync--*.sql' \
        --exclude=__pycache__ -cf - . | tar -C "$WORK/echosync" -xf -
    tar -C "$WORK" --exclude=echosync/debian -czf "$WORK/echosync_$upstream.orig.tar.gz" echosync
}

build() {
    cd "$WORK/echosync"
    pg_buildext checkcontrol
    dpkg-buildpackage -us -uc
}

look() {
    cd "$WORK"
    # A maintainer's address and an archive's bug are an archive's business.
    lintian --fail-on error --suppress-tags bogus-mail-host,initial-upload-closes-no-bugs ./*.changes
}

install_package() {
    cp "$WORK"/postgresql-*-echosync_*.deb "$WORK/tree/tmp"
    in_tree "$WORK/tree" DEBIAN_FRONTEND=noninteractive sh -ec '
        apt-get update
        apt-get install -y --no-install-recommends /tmp/postgresql-*-echosync_*.deb openssl'
}

# As README.md says.
try_package() {
    # shellcheck disable=SC2016
    in_tree "$WORK/tree" sh -ec '
        version=$(ls /usr/lib/postgresql)
        install -d -m 755 /etc/echosync
        install -o postgres -g postgres -m 600 /dev/null /etc/echosync/echosync.env
        {
            echo "INTEGRATION_ENCRYPTION_KEY=$(openssl rand -hex 32)"
            echo "INTEGRATION_ENCRYPTION_SALT=$(openssl rand -hex 16)"
            echo "WEBHOOK_SECRET=$(openssl rand -hex 32)"
        } >/etc/echosync/echosync.env
        {
            echo "shared_preload_libraries = '\''echosync'\''"
            echo "echosync.env_file = '\''/etc/echosync/echosync.env'\''"
        } >>"/etc/postgresql/$version/main/postgresql.conf"
        pg_ctlcluster "$version" main start
        as() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
        as -c "CREATE DATABASE app ENCODING '\''UTF8'\'' TEMPLATE template0"
        as -d app -c "CREATE EXTENSION echosync"
        for try in $(seq 50); do
            state=$(as -d app -c "SELECT state FROM echosync_workers WHERE database = current_database()")
            [ "$state" = idle ] && break
            sleep 0.2
        done
        echo "the worker is $state"
        [ "$state" = idle ]
        as -d app -c "CREATE TABLE leads (id bigserial PRIMARY KEY, user_id text, phone text, email text, risk_score int)"
        as -d app -c "SELECT echosync_attach_leads('\''leads'\'')"
        as -d app -c "INSERT INTO leads (user_id, phone, risk_score) VALUES ('\''u1'\'', '\''8015550100'\'', 5)"
        as -d app -c "SELECT check_name, ok, detail FROM echosync_doctor()"
        [ -z "$(as -d app -c "SELECT check_name FROM echosync_doctor() WHERE NOT ok AND check_name IN ('\''library'\'', '\''version'\'', '\''env_file'\'', '\''key'\'', '\''worker'\'')")" ]
        pg_ctlcluster "$version" main stop'
}

purge_package() {
    # shellcheck disable=SC2016
    in_tree "$WORK/tree" DEBIAN_FRONTEND=noninteractive sh -ec '
        apt-get purge -y "postgresql-*-echosync"
        left=$(find /usr /var/lib /etc -path /etc/echosync -prune -o -name "*echosync*" -print)
        echo "left: $left"
        [ -z "$left" ]'
}

upstream=$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' "$ROOT/debian/changelog")
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
step "source of $upstream" source_tree "$upstream"
step "packages" build
step "lintian" look
step "a clean tree of $suite" tree_make "$suite" "$WORK/tree"
step "installed there, with what it depends on" install_package
step "a server with it: worker, trigger, doctor" try_package
step "purged, nothing is left" purge_package
(cd "$WORK" && ls -1 ./*.deb)
if [ -n "${1:-}" ]; then
    mkdir -p "$1"
    find "$WORK" -maxdepth 1 -type f ! -name log -exec cp '{}' "$1" ';'
fi

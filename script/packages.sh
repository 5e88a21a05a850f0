#!/bin/sh
# The one list of Debian packages that building, the demo and the tests need.
#
#   script/packages.sh                installs what is missing; says nothing when nothing is
#   script/packages.sh fuzz           and what make fuzz needs besides; so too lint,
#                                     all, deb, coverage and ha
#   script/packages.sh --unpack DIR   fetches what is only unpacked, into DIR/tree;
#                                     --unpack DIR bench, --unpack DIR ha: for these
#
# PG_MAJOR=17: for another PostgreSQL than that of Debian 12.
#
# What is unpacked is not installed: these packages start services and switch
# them on for the next boot, which is no business of a test.  Their programs
# need nothing but libraries that are there, and Python.  Unpacking needs no root.
set -eu

server=postgresql-${PG_MAJOR:-15}
packages="gcc make pkg-config $server postgresql-server-dev-${PG_MAJOR:-15}
libcurl4-openssl-dev libssl-dev openssl ca-certificates curl python3 jq
$server-pgtap libtap-parser-sourcehandler-pgtap-perl libipc-run-perl python3-phonenumbers"
case ${1:-} in
    fuzz) packages="$packages clang-14 libclang-rt-14-dev llvm-14" ;;
    lint) packages="$packages clang-tidy cppcheck shellcheck $server-plpgsql-check" ;;
    all) packages="$packages debootstrap" ;;
    deb) packages="$packages debhelper debootstrap dpkg-dev lintian postgresql-server-dev-all" ;;
    coverage) packages="$packages lcov" ;;
    ha) packages="$packages python3-cdiff python3-click python3-dateutil python3-etcd python3-pkg-resources
python3-prettytable python3-psutil python3-psycopg2 python3-pysyncobj python3-urllib3 python3-yaml" ;;
esac

unpacked="prometheus prometheus-sql-exporter prometheus-postgres-exporter"
# Debian 12 has promtool in the package of Prometheus.
# shellcheck source=/dev/null
[ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] || unpacked="$unpacked promtool"
case ${3:-} in
    bench) unpacked=nginx ;;
    ha) unpacked="etcd-server patroni" ;;
esac

# In lists of our own if the machine has none, or old ones.
fetch() {
    # shellcheck disable=SC2086
    apt-get "$@" download $unpacked
}

unpack() {
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
    cd "$1"
    if ! fetch -o APT::Sandbox::User= >fetch.log 2>&1; then
        set -- -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" -o APT::Sandbox::User=
        if ! { apt-get "$@" update && fetch "$@"; } >>fetch.log 2>&1; then
            cat fetch.log >&2
            return 1
        fi
    fi
    for file in ./*.deb; do
        dpkg-deb -x "$file" tree
    done
    rm -rf ./*.deb lists cache fetch.log
}

if [ "${1:-}" = --unpack ]; then
    unpack "$2"
    exit
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "These packages are missing; install them as root, then try again:" >&2
    echo "  apt-get install$missing" >&2
    exit 1
fi
echo "Installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi

#!/bin/sh
# The one list of Debian packages that building, the demo and the tests need.
# Installs what is missing; says nothing when nothing is.
set -eu

packages="gcc make pkg-config postgresql-15 postgresql-server-dev-15
libcurl4-openssl-dev libssl-dev openssl curl python3 jq
postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl libipc-run-perl"

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
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi

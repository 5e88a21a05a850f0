#!/bin/bash
# Freezes the SQL half of the version in echosync.control: what the build joins
# is kept as test/upgrade/echosync--<version>.sql, to be checked in.  From then
# on test/t/050_upgrade.pl holds src/sql to it: a change needs another version,
# with an upgrade script.
#
# A version is frozen when it is released.  One that is frozen is left alone;
# --again freezes it anew, if nobody can have installed it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" echosync.control)
frozen=test/upgrade/echosync--$version.sql
if [ -e "$frozen" ] && [ "${1:-}" != --again ]; then
    echo "$frozen is there: version $version is frozen" >&2
    exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make -s "DATA_built=$scratch/joined.sql" "$scratch/joined.sql"
mv "$scratch/joined.sql" "$frozen"
chmod 644 "$frozen"
echo "$frozen: check it in"

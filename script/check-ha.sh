#!/bin/bash
# High availability, for real: two servers under Patroni with etcd on loopback,
# the leader ended again and again.  Takes some minutes; not part of make check.
#
#   script/check-ha.sh                     all of test/ha
#   TESTS=001 script/check-ha.sh           files whose names contain 001
#   ECHOSYNC_ROUNDS=5 script/check-ha.sh   each way five times
#   CHECK_LOGS=DIR                         keeps the logs there

# shellcheck source=script/sandbox.sh
. "$(dirname "${BASH_SOURCE[0]}")/sandbox.sh"

sandbox_build
"$ROOT/script/packages.sh" --unpack "$SANDBOX/ha" ha
programs=$SANDBOX/ha/tree/usr
mkdir -p "$SANDBOX/tap/tmp"
if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$SANDBOX"
    chown -R postgres: "$SANDBOX/tap"
fi
cd "$SANDBOX/tap"
tests=$(find "$SANDBOX/build/test/ha" -name "*${TESTS:-}*.pl" | LC_ALL=C sort)
status=0
# shellcheck disable=SC2086
as_postgres env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE HOME="$SANDBOX/tap" TMPDIR="$SANDBOX/tap/tmp" \
    TESTDIR="$SANDBOX/tap" TESTDATADIR="$SANDBOX/tap/tmp_check" TESTLOGDIR="$SANDBOX/tap/tmp_check/log" \
    PG_CONFIG="$PG_CONFIG" PATH="$PGBIN:$programs/bin:/usr/bin:/bin:$PATH" PYTHONPATH="$programs/lib/python3/dist-packages" \
    prove --timer --verbose -I "$SANDBOX/build/test/lib" $tests || status=$?
if [ -n "${CHECK_LOGS:-}" ]; then
    mkdir -p "$CHECK_LOGS"
    cp -r "$SANDBOX/tap/tmp_check/log/." "$CHECK_LOGS"
fi
exit "$status"

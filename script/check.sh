#!/bin/bash
# Every test, on a copy of the tree, a private copy of the server and throwaway
# clusters; leaves nothing behind.
#
#   script/check.sh              all stages
#   script/check.sh tap unit     these stages only: compile lint unit fakes corpus regress pgtap tap
#
# TESTS="003 007" runs only the TAP files whose names contain one of the words.
# TAP_JOBS=N runs so many TAP files at once.
# CHECK_LOGS=DIR keeps the logs of a failed run there.
# COVERAGE=DIR counts what ran (coverage.sh).
# SANITIZE=1 runs the stages against a library built with sanitizers (sanitize.sh).
# shellcheck disable=SC2317,SC2329

# shellcheck source=script/sandbox.sh
. "$(dirname "${BASH_SOURCE[0]}")/sandbox.sh"

BUILD=$SANDBOX/build
LOGS=$SANDBOX/logs
STAGES=${*:-compile lint unit fakes corpus regress pgtap tap}
PGXS_DIR=$(cd "$(dirname "$("$PG_CONFIG" --pgxs)")/../.." && pwd)
LIBPQ_INCLUDES=$("$PG_CONFIG" --includedir)      # the private copy has no libpq

mkdir "$LOGS"

# stage NAME COMMAND...: runs it with its output in a log, says in one line how
# it went, shows the log if it went wrong.  The rest is run all the same.
stage() {
    local name=$1 status start=$SECONDS summary
    shift
    set +e
    (set -e; "$@") >"$LOGS/$name.log" 2>&1
    status=$?
    set -e
    summary=$(sed -n 's/^# summary: //p' "$LOGS/$name.log" | tail -n 1)
    if [ "$status" -eq 0 ]; then
        printf 'ok      %-8s %4d s  %s\n' "$name" "$((SECONDS - start))" "$summary"
    else
        printf 'FAILED  %-8s %4d s\n' "$name" "$((SECONDS - start))"
        sed 's/^/    /' "$LOGS/$name.log"
        echo "$name" >>"$LOGS/failed"
    fi
}

wanted() { [[ " $STAGES " == *" $1 "* ]]; }

# Whatever the names, in the order of the shell, or nothing at all.
files() { find "$BUILD/$1" -maxdepth 1 -name "$2" 2>/dev/null | LC_ALL=C sort; }

# A folder that the user PostgreSQL runs as may write, with one for temporary files.
scratch() {
    mkdir -p "$SANDBOX/$1/tmp"
    [ "$(id -u)" -ne 0 ] || chown -R postgres: "$SANDBOX/$1"
}

# The second compiler: gcc has built the copy already, warnings as errors.  And
# the Python and C that no other stage runs.
compile() {
    local clang file n=0
    clang=$(sed -n 's/^CLANG = *//p' "$PGXS_DIR/src/Makefile.global")
    for file in $(cd "$BUILD" && find src -name '*.c' | LC_ALL=C sort); do
        # shellcheck disable=SC2046
        "${clang:-clang}" -fsyntax-only -std=gnu99 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
            -Wmissing-prototypes -Wpointer-arith -Wdeclaration-after-statement -Wvla -Wformat-security \
            -I"$BUILD/src" -isystem "$("$PG_CONFIG" --includedir-server)" $("$PG_CONFIG" --cppflags) -D_GNU_SOURCE \
            '-DECHOSYNC_VERSION="0"' "$BUILD/$file"
        n=$((n + 1))
    done
    for file in "$BUILD"/test/bench/*.c; do
        "${clang:-clang}" -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -I"$LIBPQ_INCLUDES" "$file"
    done
    (cd "$BUILD" && find . -name '*.py' -print0 |
        xargs -0 python3 -B -c 'import sys; [compile(open(name).read(), name, "exec") for name in sys.argv[1:]]')
    echo "# summary: $n files with gcc and clang, warnings as errors"
}

# The analysers, on the copy that is built.  They take minutes of processor
# time and run beside the other stages, which wait more than they compute.
lint() {
    BUILT=$BUILD nice -n 19 "$BUILD/script/lint.sh"
    echo "# summary: $(awk '/^ok/ { printf "%s%s", comma, $2; comma = ", " }' "$LOGS/lint.log")"
}

unit() {
    local script
    for script in "$BUILD"/test/unit/run_*.sh; do
        [ -e "$script" ] || continue
        echo "## $(basename "$script")"
        "$script"
    done
    echo "# summary: $(grep -cE '^ok ' "$LOGS/unit.log" || true) assertions"
}

fakes() {
    (cd "$BUILD/test/crm" && python3 -B test_fakes.py)
    echo "# summary: $(sed -nE 's/^Ran ([0-9]+ tests).*/\1/p' "$LOGS/fakes.log") of the fake CRMs"
}

# What fuzzing was fed with and what it found, once each.
corpus() {
    env BUILT="$BUILD" "${SANDBOX_MAKE[@]}" "$BUILD/script/fuzz.sh" replay
    echo "# summary: $(awk '/^ok / { n += $3 } END { print n + 0 }' "$LOGS/corpus.log") inputs"
}

# On an instance of pg_regress's own, with the settings that the files ask for.
regress() {
    local tests
    tests=$(files sql '*.sql' | sed 's|.*/||; s|\.sql$||')
    [ -n "$tests" ] || { echo "# summary: no tests"; return 0; }
    scratch regress
    # shellcheck disable=SC2086
    as_postgres env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE TMPDIR="$SANDBOX/regress/tmp" \
        "$PGXS_DIR/src/test/regress/pg_regress" --inputdir="$BUILD" --outputdir="$SANDBOX/regress" --bindir="$PGBIN" \
        --temp-instance="$SANDBOX/regress/instance" --temp-config="$BUILD/sql/regress.conf" \
        --encoding=UTF8 --no-locale $tests ||
        { cat "$SANDBOX/regress/regression.diffs"; return 1; }
    echo "# summary: $(wc -w <<<"$tests") files"
}

# Each file in a fresh database with pgtap in it.  The cluster has the usual
# settings of the sandbox; LOFTY_URL, FUB_URL, FUB_APP_URL and CONTROL_URL say
# where the fakes are.
pgtap() {
    local file name failed=
    export LOFTY_URL FUB_URL FUB_APP_URL CONTROL_URL
    for file in $(files test/pgtap '*.sql'); do
        name=pgtap_$(basename "$file" .sql)
        sql -d postgres -c "CREATE DATABASE \"$name\" ENCODING 'UTF8' TEMPLATE template0"
        sql -d "$name" -c 'CREATE EXTENSION pgtap'
        PGDATABASE=$name pg_prove --comments "$file" || failed=yes
    done
    [ -z "$failed" ]
    echo "# summary: $(files test/pgtap '*.sql' | wc -l) files," \
        "$(awk -F 'Tests=' '/^Files=/ { n += $2 } END { print n + 0 }' "$LOGS/pgtap.log") assertions"
}

# As a user that PostgreSQL runs for, all that is written under the sandbox.
tap() {
    local tests word
    tests=$(files test/t '*.pl')
    if [ -n "${TESTS:-}" ]; then
        tests=$(for word in $TESTS; do grep "/[^/]*${word}[^/]*\$" <<<"$tests"; done | LC_ALL=C sort -u)
    fi
    scratch tap
    cd "$SANDBOX/tap"
    # shellcheck disable=SC2086
    as_postgres env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE HOME="$SANDBOX/tap" TMPDIR="$SANDBOX/tap/tmp" \
        TESTDIR="$SANDBOX/tap" TESTDATADIR="$SANDBOX/tap/tmp_check" TESTLOGDIR="$SANDBOX/tap/tmp_check/log" \
        PG_CONFIG="$PG_CONFIG" PATH="$PGBIN:/usr/bin:/bin:$PATH" \
        prove --timer -j "${TAP_JOBS:-4}" -I "$BUILD/test/lib" $tests
    echo "# summary: $(sed -nE 's/^Files=([0-9]+), Tests=([0-9]+).*/\1 files, \2 behaviours/p' "$LOGS/tap.log")"
}

# What processes wrote at their end, for coverage.sh.
coverage() {
    lcov --quiet --capture --directory "$BUILD" --rc lcov_branch_coverage=1 --output-file "$SANDBOX/all.info"
    lcov --quiet --extract "$SANDBOX/all.info" "$BUILD/src/*" --rc lcov_branch_coverage=1 --output-file "$SANDBOX/src.info"
    sed "s|^SF:$BUILD/|SF:|" "$SANDBOX/src.info" >"$COVERAGE/coverage.info"
}

sandbox_build
[ "$(id -u)" -ne 0 ] || chmod 755 "$SANDBOX"
# Servers write their counters beside the objects.
[ -z "${COVERAGE:-}" ] || chmod -R a+rwX "$BUILD/src"

! wanted compile || stage compile compile
LINT_PID=
if wanted lint; then
    stage lint lint &
    LINT_PID=$!
fi
! wanted unit || stage unit unit
! wanted fakes || stage fakes fakes
! wanted corpus || stage corpus corpus
! wanted regress || stage regress regress
if wanted pgtap && [ -n "$(files test/pgtap '*.sql')" ]; then
    sandbox_start_fakes
    for crm in lofty fub fub_app; do
        control POST /knob "{\"crm\":\"$crm\",\"name\":\"rate_limits_off\",\"value\":true}" >/dev/null
    done
    sandbox_start_cluster 'echosync.lofty_rate_limit = 1000000' 'echosync.followupboss_rate_limit = 1000000'
    stage pgtap pgtap
fi
! wanted tap || stage tap tap
[ -z "${SANITIZE:-}" ] || stage reports reports
[ -z "${COVERAGE:-}" ] || stage coverage coverage

[ -z "$LINT_PID" ] || wait "$LINT_PID" || true
if [ -e "$LOGS/failed" ]; then
    if [ -n "${CHECK_LOGS:-}" ]; then
        mkdir -p "$CHECK_LOGS"
        cp -r "$LOGS/." "$CHECK_LOGS"
        cp "$SANDBOX/server.log" "$CHECK_LOGS" 2>/dev/null || true
        cp -r "$SANDBOX/tap/tmp_check/log" "$CHECK_LOGS/tap" 2>/dev/null || true
    fi
    echo "FAILED: $(tr '\n' ' ' <"$LOGS/failed")"
    exit 1
fi
echo "All tests passed in $SECONDS s."

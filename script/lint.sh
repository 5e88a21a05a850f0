#!/bin/bash
# The analysers.  What one of them says is an error, but for what is silenced
# below and in .clang-tidy, each with its reason.
#
#   script/lint.sh                 all
#   script/lint.sh gcc shell       these: tidy gcc cppcheck plpgsql shell meta
#
# BUILT=DIR is a tree that is built, and installed where PG_CONFIG says.
#
# tidy       clang-tidy, with clang's static analyser in it (the engine of scan-build)
# gcc        gcc -fanalyzer
# cppcheck   cppcheck
# plpgsql    plpgsql_check over every PL/pgSQL function of the extension
# shell      shellcheck over every shell script
# meta       META.json by the rules of PGXN, and one version everywhere
#
# Not here: sqlfluff (1.4.5 of Debian 12) cannot parse eleven statements of
# src/sql, among them each function with a BEGIN ATOMIC body, and is a matter of
# layout in the rest.  clang-format cannot lay out declarations as pgindent does;
# .clang-format is for editors.

# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "${BASH_SOURCE[0]}")/sandbox.sh"

TOOLS=${*:-tidy gcc cppcheck plpgsql shell meta}
LINT=$SANDBOX/lint
FAILED=

# Every file of the tree as it was checked out or copied, without what is built.
tree_files() { (cd "$BUILT" && find . -name "$1" -not -path './.git/*' | sed 's|^\./||' | LC_ALL=C sort); }

# As PGXS compiles.  Assertions are on: what an Assert() says is known.
compiler_flags() {
    echo "-std=gnu99 -Isrc -isystem $("$PG_CONFIG" --includedir-server) $("$PG_CONFIG" --cppflags)" \
        "-D_GNU_SOURCE -DUSE_ASSERT_CHECKING=1 -DECHOSYNC_VERSION=\"0\""
}

# for_each COMMAND...: with each C file in the place of {}, as many at once as
# there are processors.
for_each() { tree_files '*.c' | grep '^src/' | xargs -P "$(nproc)" -I '{}' "$@"; }

tidy() {
    # shellcheck disable=SC2046
    for_each clang-tidy --quiet '{}' -- $(compiler_flags) 2>&1 | sed '/^[0-9]* warnings\{0,1\} generated\.$/d'
}

# At -O0 it follows what is written.  Nothing is silenced.
gcc_analyzer() {
    # shellcheck disable=SC2046
    for_each gcc -O0 -fanalyzer -Werror -c -o /dev/null $(compiler_flags) '{}'
}

# Silenced: PostgreSQL's headers, which it needs for the macros, and system
# headers, of which it knows what they do.
cppcheck_all() {
    cppcheck --quiet -j "$(nproc)" --std=c99 --enable=warning,performance,portability --error-exitcode=1 \
        -Isrc -I"$("$PG_CONFIG" --includedir-server)" -D_GNU_SOURCE '-DECHOSYNC_VERSION="0"' \
        --suppress='*:/usr/include/*' --suppress='*:*/server/usr/include/*' --suppress=missingIncludeSystem src
}

# Silenced: level extra, which has opinions of unused arguments.
plpgsql() {
    chmod 755 "$SANDBOX" "$LINT"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$LINT"
    as_postgres "$PGBIN/initdb" -D "$LINT/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync >"$LINT/initdb.log"
    as_postgres "$PGBIN/pg_ctl" -D "$LINT/data" -l "$LINT/server.log" -w \
        -o "-c listen_addresses= -c unix_socket_directories=$LINT -c shared_preload_libraries=echosync -c fsync=off" start >/dev/null
    local status=0
    PGHOST=$LINT PGUSER=postgres PGDATABASE=postgres sql -A -t -f "$BUILT/test/lint/plpgsql.sql" >"$LINT/plpgsql.out" || status=$?
    as_postgres "$PGBIN/pg_ctl" -D "$LINT/data" -m fast -w stop >/dev/null
    grep -v '^checked ' "$LINT/plpgsql.out" && return 1
    cat "$LINT/plpgsql.out"
    return "$status"
}

shell() {
    find . -type f \( -name '*.sh' -o -path './.ci/*' -o -path './debian/*' \) -not -path './.git/*' -print0 |
        xargs -0 grep -lE '^#!.*/(ba|da|)sh' | LC_ALL=C sort | xargs shellcheck --external-sources
}

meta() { python3 -B test/lint/meta.py; }

# run NAME COMMAND...: one line for what is well, all that it said for what is not.
run() {
    local name=$1 status start=$SECONDS
    shift
    [[ " $TOOLS " == *" $name "* ]] || return 0
    set +e
    (set -e; cd "$BUILT"; "$@") >"$LINT/$name.log" 2>&1
    status=$?
    set -e
    if [ "$status" -eq 0 ]; then
        printf 'ok      %-8s %4d s\n' "$name" "$((SECONDS - start))"
    else
        printf 'FAILED  %-8s %4d s\n' "$name" "$((SECONDS - start))"
        sed 's/^/    /' "$LINT/$name.log"
        FAILED="$FAILED $name"
    fi
}

if [ -z "${BUILT:-}" ]; then
    sandbox_build
    BUILT=$SANDBOX/build
fi
mkdir "$LINT"
run meta meta
run shell shell
run plpgsql plpgsql
run cppcheck cppcheck_all
run gcc gcc_analyzer
run tidy tidy
[ -z "$FAILED" ]

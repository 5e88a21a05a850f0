# A throwaway cluster with echosync and the fake CRMs, for the demo and the
# tests that are shell scripts.  To be sourced; everything is gone at exit.
#
# Sets: SANDBOX (folder), PGHOST, PGPORT, PGUSER, PGDATABASE, the URLs of the
# fakes (LOFTY_URL, FUB_URL, FUB_APP_URL, KVCORE_URL) and CONTROL_URL.
# shellcheck shell=bash

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
PGBIN=$("$PG_CONFIG" --bindir)
SANDBOX=$(mktemp -d /tmp/echosync.XXXXXX)
FAKES_PID=
SANDBOX_MAKE=(WERROR=1)

# SANITIZE=1: see there.
# shellcheck source-path=SCRIPTDIR source=sanitize.sh
[ -z "${SANITIZE:-}" ] || . "$ROOT/script/sanitize.sh"

# COVERAGE=DIR: what ran is counted (coverage.sh).
[ -z "${COVERAGE:-}" ] || SANDBOX_MAKE=(COPT="-O0 -fno-lto --coverage -fprofile-update=atomic")

# In a folder that postgres may enter, which the caller's need not be: its
# programs complain otherwise.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        local dir=$PWD user=(setpriv --reuid=postgres --regid=postgres --init-groups --)
        "${user[@]}" test -x "$dir" || dir=/
        env -C "$dir" "${user[@]}" "$@"
    else
        "$@"
    fi
}

sandbox_clean() {
    status=$?
    trap - EXIT INT TERM
    if [ -f "$SANDBOX/data/postmaster.pid" ]; then
        as_postgres "$PGBIN/pg_ctl" -D "$SANDBOX/data" -m immediate stop >/dev/null 2>&1 || true
    fi
    if [ -n "$FAKES_PID" ]; then
        kill "$FAKES_PID" 2>/dev/null || true
        wait "$FAKES_PID" 2>/dev/null || true
    fi
    rm -rf "$SANDBOX"
    exit "$status"
}
trap sandbox_clean EXIT
trap 'exit 130' INT TERM

# A private copy of the server: a PostgreSQL that was moved looks for extensions
# beside its own programs, so that nothing is installed on the machine.  Its
# libraries and shared files are links; only the programs are copied.
sandbox_server() {
    local dir tree=$SANDBOX/server includes
    includes=$("$PG_CONFIG" --includedir-server)
    for dir in $("$PG_CONFIG" --pkglibdir) $("$PG_CONFIG" --sharedir); do
        mkdir -p "$tree$dir"
        cp -rsT "$dir" "$tree$dir"
        rm -rf "$tree$dir"/{echosync.so,bitcode/echosync*,extension/echosync*}
    done
    mkdir -p "$tree$PGBIN" "$(dirname "$tree$includes")"
    cp -rLT "$PGBIN" "$tree$PGBIN"
    ln -sT "$includes" "$tree$includes"
    PGBIN=$tree$PGBIN
    export PG_CONFIG=$PGBIN/pg_config PATH=$PGBIN:$PATH
}

# Build a copy of the tree, so that the tree stays as it is, and install it into
# the private server.
sandbox_build() {
    sandbox_server
    mkdir "$SANDBOX/build"
    tar -C "$ROOT" --exclude=.git --exclude='*.o' --exclude='*.so' -cf - . | tar -C "$SANDBOX/build" -xf -
    [ -z "${SANITIZE:-}" ] || sandbox_sanitize
    if ! make -s -j2 -C "$SANDBOX/build" "${SANDBOX_MAKE[@]}" all >"$SANDBOX/build.log" 2>&1 ||
       ! make -s -C "$SANDBOX/build" "${SANDBOX_MAKE[@]}" install >>"$SANDBOX/build.log" 2>&1; then
        cat "$SANDBOX/build.log" >&2
        return 1
    fi
}

wait_for() {                    # wait_for SECONDS COMMAND...
    local deadline=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "timed out waiting for: $*" >&2; return 1; }
        sleep 0.05
    done
}

port_of() { jq -r ".$1" "$SANDBOX/fakes/ports.json"; }

sandbox_start_fakes() {
    mkdir -p "$SANDBOX/fakes"
    python3 -B "$ROOT/test/crm/run.py" --dir "$SANDBOX/fakes" >"$SANDBOX/fakes.log" 2>&1 &
    FAKES_PID=$!
    wait_for 20 test -s "$SANDBOX/fakes/ports.json"
    LOFTY_URL="https://localhost:$(port_of lofty)/v1.0"
    FUB_URL="https://localhost:$(port_of fub)/v1"
    FUB_APP_URL="https://localhost:$(port_of fub_app)"
    KVCORE_URL="https://localhost:$(port_of kvcore)/v2/public"
    CONTROL_URL="http://127.0.0.1:$(port_of control)"
    cp "$SANDBOX/fakes/ca.pem" "$SANDBOX/ca.pem"
}

control() {                     # control METHOD PATH [JSON]
    curl -sS -X "$1" "$CONTROL_URL$2" ${3+-H 'Content-Type: application/json' -d "$3"}
}

sandbox_env_file() {
    {
        echo "INTEGRATION_ENCRYPTION_KEY=$(openssl rand -hex 32)"
        echo "INTEGRATION_ENCRYPTION_SALT=$(openssl rand -hex 16)"
        echo "WEBHOOK_SECRET=$(openssl rand -hex 16)"
        echo "FOLLOWUPBOSS_CLIENT_ID=C1"
        echo "FOLLOWUPBOSS_CLIENT_SECRET=S1"
        echo "FOLLOWUPBOSS_SYSTEM_NAME=EchoSafe"
        echo "FOLLOWUPBOSS_SYSTEM_KEY=sk_echosafe"
    } >"$SANDBOX/echosync.env"
    chmod 600 "$SANDBOX/echosync.env"
}

sandbox_start_cluster() {       # sandbox_start_cluster [LINE OF postgresql.conf...]
    sandbox_env_file
    [ "$(id -u)" -ne 0 ] || chown -R postgres: "$SANDBOX"
    as_postgres "$PGBIN/initdb" -D "$SANDBOX/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 \
        >"$SANDBOX/initdb.log" 2>&1 || { cat "$SANDBOX/initdb.log" >&2; return 1; }
    {
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$SANDBOX'"
        echo "port = 5432"
        echo "shared_preload_libraries = 'echosync'"
        echo "echosync.env_file = '$SANDBOX/echosync.env'"
        echo "echosync.ca_file = '$SANDBOX/ca.pem'"
        echo "echosync.lofty_api_url = '$LOFTY_URL'"
        echo "echosync.followupboss_api_url = '$FUB_URL'"
        echo "echosync.followupboss_app_url = '$FUB_APP_URL'"
        echo "echosync.kvcore_api_url = '$KVCORE_URL'"
        echo "echosync.redirect_url = 'https://cb.example/fub'"
        printf '%s\n' "$@"
    } >>"$SANDBOX/data/postgresql.conf"
    as_postgres "$PGBIN/pg_ctl" -D "$SANDBOX/data" -l "$SANDBOX/server.log" -w start >/dev/null ||
        { cat "$SANDBOX/server.log" >&2; return 1; }
    export PGHOST=$SANDBOX PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

sql() { "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
value() { sql -A -t -c "$1"; }

#!/bin/bash
# How fast is it?  Each number against something of the same run, on a
# throwaway cluster with an optimised build.
#
#   make bench                          all rows, about 40 minutes on two cores
#   make bench ROWS="2 2b"              these rows only: 1 2 2b 3 4 5 6 7 8 churn
#   make bench ROWS=profile             where the time goes, by perf (linux-perf)
#   make bench QUICK=1                  small sizes: does the bench itself work?
#   make bench OUT=DIR                  bench.txt and the curves go there, not here
#   make bench RUNS=9                   more runs than five
#
# Sizes are environment variables, BENCH_<name>, where lab.size() or sizes() is
# called in test/bench/*.py: BENCH_CHURN=10000000 make bench ROWS=churn.

# shellcheck source-path=SCRIPTDIR source=sandbox.sh disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/sandbox.sh"

OUT=${OUT:-.}
export BENCH_CFLAGS BENCH_OUT
BENCH_OUT=$(cd "$OUT" && pwd)/bench.txt
BENCH_CFLAGS=$("$PG_CONFIG" --cflags)
case " $BENCH_CFLAGS " in
    *" -O2 "*|*" -O3 "*) ;;
    *) echo "$PG_CONFIG is of a server that is not optimised: $BENCH_CFLAGS" >&2; exit 1 ;;
esac
case " $("$PG_CONFIG" --configure) " in
    *--enable-cassert*) echo "$PG_CONFIG is of a server with assertions" >&2; exit 1 ;;
esac

LIBPQ=$("$PG_CONFIG" --includedir)      # before the private copy, which has no libpq

compile() {                     # compile PROGRAM LIBRARY...
    local program=$1
    shift
    gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -I"$LIBPQ" -o "$SANDBOX/bench/$program" "$ROOT/test/bench/$program.c" "$@"
}

# The machine's nginx, or one that is only unpacked.
find_nginx() {
    NGINX=$(PATH=$PATH:/usr/sbin command -v nginx || true)
    if [ -z "$NGINX" ]; then
        "$ROOT/script/packages.sh" --unpack "$SANDBOX/nginx" bench
        NGINX=$SANDBOX/nginx/tree/usr/sbin/nginx
    fi
    export NGINX
}

sandbox_build
mkdir "$SANDBOX/bench"
compile crm -lssl -lcrypto
compile load -lcurl
compile inserter -lpq
compile alternate -lpq -pthread
find_nginx
sandbox_start_fakes
chmod 755 "$SANDBOX"
sandbox_start_cluster \
    "shared_buffers = '${BENCH_SHARED_BUFFERS:-1GB}'" \
    "max_wal_size = '16GB'" \
    "checkpoint_timeout = '1h'" \
    "max_connections = 50" \
    "echosync.enabled = off"
export SANDBOX LOFTY_URL FUB_URL CONTROL_URL
python3 -B "$ROOT/test/bench/bench.py" "$@"

#!/bin/bash
# A soak: many leads through one worker, and what it costs after the first
# tenth and at the end: memory and descriptors of the worker, and the tables in
# which nothing is meant to stay, whose dead rows autovacuum clears away.
#
#   test/bench/soak.sh                      200,000 leads
#   LEADS=1000000 test/bench/soak.sh        a million
#   CONNECTIONS=50 EVERY=20000              users, and leads from line to line
#
# A throwaway cluster on a private copy of the server, and a stand-in for Lofty
# that gives the same answers to everybody: nginx, which must be installed
# (Debian: nginx-light).  Each lead costs two calls, a search and a create.
# Besides, one lead in twenty is refused by its score, and one in fifty changes
# later.  Exits with 0 only if nothing has grown and every lead was created once.

export LC_ALL=C.UTF-8 PGCLIENTENCODING=UTF8
# shellcheck source-path=SCRIPTDIR source=../../script/sandbox.sh disable=SC1091,SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../../script/sandbox.sh"

LEADS=${LEADS:-200000}
CONNECTIONS=${CONNECTIONS:-50}
EVERY=${EVERY:-$((LEADS / 20))}
STEP=$((EVERY < 5000 ? EVERY : 5000))
BACKLOG=$((LEADS / 20 < 20000 ? LEADS / 20 : 20000))
PASSING="'crm_sync_queue', 'crm_sync_attempts', 'crm_sync_claims', 'crm_integrations', 'crm_credentials', 'crm_sync_runs'"
WRONG=0

command -v nginx >/dev/null || { echo "nginx is missing: apt-get install nginx-light" >&2; exit 1; }

# shellcheck disable=SC2034
start_crm() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$ROOT/test/crm/make_ca.sh" "$SANDBOX/ca"
    cp "$SANDBOX/ca/ca.pem" "$SANDBOX/ca.pem"
    mkdir "$SANDBOX/nginx"
    cat >"$SANDBOX/nginx.conf" <<END
worker_processes 1;
pid $SANDBOX/nginx/pid;
events { worker_connections 1024; }
http {
    map \$request_method \$create { POST 1; default 0; }
    log_format method '\$request_method';
    access_log $SANDBOX/nginx/creates method buffer=64k flush=1s if=\$create;
    client_body_temp_path $SANDBOX/nginx/body;
    proxy_temp_path $SANDBOX/nginx/proxy;
    fastcgi_temp_path $SANDBOX/nginx/fastcgi;
    uwsgi_temp_path $SANDBOX/nginx/uwsgi;
    scgi_temp_path $SANDBOX/nginx/scgi;
    default_type application/json;
    keepalive_requests 100000;
    keepalive_timeout 60s;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $SANDBOX/ca/server.pem;
        ssl_certificate_key $SANDBOX/ca/server.key;
        add_header X-RateLimit-Limit 1000000000;
        add_header X-RateLimit-Remaining 999999999;
        location = /v1.0/me { return 200 '{"id":1,"memberUserId":1,"teamId":1,"firstName":"Ana","lastName":"Reyes","roleName":"Agent"}'; }
        location = /v1.0/leads {
            if (\$request_method = POST) { return 200 '{"leadId":9\$connection\$connection_requests}'; }
            return 200 '{"_metadata":{"collection":"leads","limit":10,"offset":0,"total":0},"leads":[]}';
        }
        location /v1.0/leads/ { return 200 '{}'; }
    }
}
END
    [ "$(id -u)" -ne 0 ] || chown -R postgres: "$SANDBOX/nginx" "$SANDBOX/ca"
    chmod 755 "$SANDBOX"
    as_postgres nginx -p "$SANDBOX/nginx" -e "$SANDBOX/nginx/errors" -c "$SANDBOX/nginx.conf"
    wait_for 20 test -s "$SANDBOX/nginx/pid"
    FAKES_PID=$(<"$SANDBOX/nginx/pid")
    LOFTY_URL=https://localhost:$port/v1.0
    FUB_URL=$LOFTY_URL
    FUB_APP_URL=$LOFTY_URL
    KVCORE_URL=$LOFTY_URL
    wait_for 20 curl -sS --cacert "$SANDBOX/ca.pem" "$LOFTY_URL/me"
}

make_app() {
    sql -f - <<'END' >/dev/null
SET client_min_messages = warning;
CREATE EXTENSION echosync;
CREATE TABLE leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text NOT NULL, phone text, first_name text,
    last_name text, risk_score int);
SELECT echosync_attach_leads('leads');
END
    local n
    for n in $(seq 0 $((CONNECTIONS - 1))); do
        echo "SET echosync.user_id = 'user-$n'; SELECT echosync_connect('lofty', 'eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxMDAw$n.c2lnbmF0dXJl');"
    done | sql -f - >/dev/null
}

# Leads from $1 to $2, one in twenty with a score too high as well; and changes to earlier ones.
add_leads() {
    sql -f - <<END
INSERT INTO leads (user_id, phone, first_name, last_name, risk_score)
SELECT 'user-' || i % $CONNECTIONS, (8012000000 + i)::text, 'Soak', 'Number ' || i, 5 FROM generate_series($1, $2) i;
INSERT INTO leads (user_id, phone, first_name, risk_score)
SELECT 'user-' || i % $CONNECTIONS, (8022000000 + i)::text, 'Risky', 90 FROM generate_series($1, $2, 20) i;
UPDATE leads SET last_name = 'Changed' WHERE id BETWEEN $1 - $STEP AND $2 - $STEP AND id % 50 = 0 AND risk_score < 20;
END
}

queue_is_below() { [ "$(value "SELECT count(*) FROM (SELECT FROM crm_sync_queue LIMIT $1) q")" -lt "$1" ]; }
of_worker() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$WORKER/status"; }
creates() { wc -l <"$SANDBOX/nginx/creates"; }

# Sets MEMORY, DESCRIPTORS, DEAD, SIZE.
measure() {
    MEMORY=$(of_worker RssAnon)
    DESCRIPTORS=$(find "/proc/$WORKER/fd" -mindepth 1 | wc -l)
    DEAD=$(value "SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname IN ($PASSING)")
    SIZE=$(value "SELECT (sum(pg_total_relation_size(oid)) / 1024)::int FROM pg_class WHERE relkind = 'r' AND relname IN ($PASSING)")
}

check() {                       # check WHAT GOT AT_MOST
    if [ "$2" -le "$3" ]; then
        printf 'ok      %s: %d, at most %d\n' "$1" "$2" "$3"
    else
        printf 'FAILED  %s: %d, more than %d\n' "$1" "$2" "$3"
        WRONG=1
    fi
}

sandbox_build
start_crm
sandbox_start_cluster 'echosync.lofty_rate_limit = 1000000000' 'shared_buffers = 256MB' 'max_wal_size = 2GB'
make_app
WORKER=$(value 'SELECT pid FROM echosync_workers')

# One line; of the size of the tables, the most in each half of the soak.
report() {
    local synced
    synced=$(value 'SELECT synced FROM echosync_workers')
    measure
    awk -v n="$sent" -v d="$synced" -v last="$last_synced" -v s="$started" -v a="$last_time" -v b="$EPOCHREALTIME" -v m="$MEMORY" -v f="$DESCRIPTORS" \
        -v dead="$DEAD" -v size="$SIZE" \
        'BEGIN { printf "%9d %9d %7.0f %7.0f %8d kB %5d %8d %7d kB\n", n, d, b - s, (d - last) / (b - a), m, f, dead, size }'
    last_line=$sent last_synced=$synced last_time=$EPOCHREALTIME
    if [ "$sent" -le $((LEADS / 2)) ]; then
        [ "$SIZE" -le "$SIZE_FIRST" ] || SIZE_FIRST=$SIZE
    else
        [ "$SIZE" -le "$SIZE_SECOND" ] || SIZE_SECOND=$SIZE
    fi
    if [ -z "$BASE_MEMORY" ] && [ "$synced" -ge $((LEADS / 10)) ]; then
        BASE_MEMORY=$MEMORY BASE_DESCRIPTORS=$DESCRIPTORS
    fi
}

printf '%9s %9s %7s %7s %11s %5s %8s %10s\n' leads synced seconds rate memory fds dead tables
sent=0 last_line=0 last_synced=0 BASE_MEMORY='' SIZE_FIRST=0 SIZE_SECOND=0
started=$EPOCHREALTIME last_time=$EPOCHREALTIME
while [ "$sent" -lt "$LEADS" ]; do
    add_leads $((sent + 1)) $((sent + STEP))
    sent=$((sent + STEP))
    until queue_is_below "$BACKLOG"; do sleep 0.1; done
    [ $((sent - last_line)) -lt "$EVERY" ] || report
done
wait_for 600 queue_is_below 1
sleep 2                         # nginx writes its log every second
report
awk -v n="$sent" -v s="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d leads in %.0f s: %.0f a second.\n", n, b - s, n / (b - s) }'

check 'memory of the worker, kB' "$MEMORY" $((BASE_MEMORY + 4096))
check 'descriptors' "$DESCRIPTORS" $((BASE_DESCRIPTORS + 8))
check 'threads' "$(of_worker Threads)" 2
check 'size of the passing tables in the second half, kB' "$SIZE_SECOND" $((SIZE_FIRST * 3 / 2 + 8192))
check 'leads that were not created' $((sent - $(creates))) 0
check 'leads that were created twice' $(($(creates) - sent)) 0
check 'leads without a link' $((sent - $(value 'SELECT count(*) FROM crm_lead_links'))) 0
check 'dead letters' "$(value 'SELECT count(*) FROM crm_dead_letters')" 0
check 'the worker is another' "$([ "$(value 'SELECT pid FROM echosync_workers')" = "$WORKER" ]; echo $?)" 0
[ "$WRONG" -eq 0 ] || { echo "Something has grown, or is missing."; exit 1; }
echo "Nothing has grown."

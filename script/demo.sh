#!/bin/bash
# The whole job, shown: a CSV of 1,000 leads goes into an ordinary app's table
# and from there, each once, into the user's Lofty and Follow Up Boss.
#
# A throwaway cluster, two fake CRMs over TLS, and a private copy of the
# server's programs, so that nothing is installed; all of it is gone at the end.
# Exits with 0 only if every number adds up.

# Names in every script line up, and decimals have a point, wherever this runs.
export LC_ALL=C.UTF-8 PGCLIENTENCODING=UTF8
# shellcheck source-path=SCRIPTDIR source=sandbox.sh disable=SC1091
source "$(dirname "$0")/sandbox.sh"

LEADS=1000
SAMPLES=50                      # of latency
DRAIN_SECONDS=120
USER_ID=0b6e2c3a-5d0f-4c1b-9a57-3f1d8e2a7c10
LOFTY_KEY=eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln
CRM_TYPES=(followupboss lofty)
BOLD='' PLAIN=''
if [ -t 1 ]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; fi
STARTED=$EPOCHREALTIME
WRONG=0

title()  { printf '\n%s%s%s\n' "$BOLD" "$1" "$PLAIN"; }
line()   { printf '  %s\n' "$*"; }
indent() { sed 's/^/  /; s/ *$//'; }
since()  { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

check() {                       # check WHAT GOT EXPECTED
    [ "$2" != "$3" ] || return 0
    line "WRONG: $1: $2, not $3"
    WRONG=$((WRONG + 1))
}

as_app() { PGUSER=app PGOPTIONS="-c echosync.user_id=$USER_ID" sql "$@"; }
app_value() { as_app -A -t -c "$1"; }
table()  { sql -P footer=off -P null='' -c "$1" | sed '/^$/d' | indent; }
fake()   { if [ "$1" = followupboss ]; then echo fub; else echo "$1"; fi; }
label()  { if [ "$1" = followupboss ]; then echo "Follow Up Boss"; else echo Lofty; fi; }
calls()  { control GET /stats | jq --arg crm "$(fake "$1")" '[.requests[] | select(.crm == $crm) | .count] | add // 0'; }
held()   { control GET "/records?crm=$(fake "$1")" | jq '[.[] | select(.state == "live")] | length'; }
integration() { value "SELECT id FROM crm_integrations WHERE crm_type = '$1'"; }

# Wait until nothing is queued.  echosync_drain() does not count what a pause holds.
drained() {
    local queued
    app_value "SELECT echosync_drain($DRAIN_SECONDS)" >/dev/null
    queued=$(value 'SELECT count(*) FROM crm_sync_queue')
    if [ "$queued" -ne 0 ]; then
        line "WRONG: $queued rows are still queued."
        sql -x -c 'SELECT * FROM echosync_status' -c 'SELECT * FROM echosync_workers'
        tail -n 20 "$SANDBOX/server.log"
        exit 1
    fi
}


build() {
    local started=$EPOCHREALTIME
    sandbox_build
    line "echosync is built, into a private copy of PostgreSQL $("$PG_CONFIG" --version | cut -d' ' -f2)" \
        "($(since "$started") s)."
}

start() {
    local crm
    sandbox_start_fakes
    for crm in lofty fub; do
        control POST /knob "{\"crm\":\"$crm\",\"name\":\"rate_limits_off\",\"value\":true}" >/dev/null
    done
    sandbox_start_cluster 'echosync.lofty_rate_limit = 1000000' 'echosync.followupboss_rate_limit = 1000000'
    line "Up: a cluster, a fake Lofty ($LOFTY_URL) and a fake Follow Up Boss"
    line "($FUB_URL), both strict and over TLS."
    line "The CRMs' true limits (Lofty: 10 calls a minute; Follow Up Boss: 125 to 250 in 10 s, notes"
    line "10 in 10 s) would make this take hours. They are lifted on both sides, here with"
    line "echosync.lofty_rate_limit and echosync.followupboss_rate_limit."
}

make_app() {
    sql -c "CREATE ROLE app LOGIN" -c "CREATE DATABASE app OWNER app"
    export PGDATABASE=app
    sql -c "CREATE EXTENSION echosync" -c "SELECT echosync_grant('app')" >/dev/null
    as_app -f "$ROOT/demo/app.sql"
    as_app -c "SELECT echosync_attach_leads('leads')" >/dev/null
    line "CREATE EXTENSION echosync; the app's table leads is attached. Its columns were recognized:"
    value "SELECT key || ' <- ' || translate(value::text, '[]\"', '') FROM crm_lead_sources, jsonb_each(mapping)
            WHERE key NOT IN ('id', 'user_id', 'email', 'city', 'state', 'tags', 'notes')
              AND translate(value::text, '\"', '') <> key" | paste -sd ' ' | sed 's/ \([a-z_]* <-\)/; \1/g' | indent
}

# The part of the user's browser is curl's.  The callback is not called by HTTP
# here: what the CRM sends the browser back with is handed to the function.
connect() {
    local url back code state response
    as_app -v key="$LOFTY_KEY" >/dev/null <<<"SELECT echosync_connect('lofty', :'key');"
    line "Lofty, by API key: connected as $(value "SELECT crm_account FROM crm_integrations WHERE crm_type = 'lofty'")."
    url=$(app_value "SELECT echosync_oauth_authorize('followupboss')")
    line "Follow Up Boss, by OAuth: the user is sent to"
    line "  ${url:0:88}..."
    back=$(curl -sS --cacert "$SANDBOX/ca.pem" -o /dev/null -w '%{redirect_url}' "$url")
    line "and comes back to"
    line "  ${back:0:88}..."
    read -r response code state < <(python3 -c '
import sys, urllib.parse as u
asked = dict(u.parse_qsl(u.urlsplit(sys.argv[1]).query))
print(asked["response"], asked["code"], asked["state"])' "$back")
    as_app -v code="$code" -v state="$state" -v response="$response" >/dev/null \
        <<<"SELECT echosync_oauth_callback(:'code', :'state', :'response');"
    line "connected as $(value "SELECT crm_account FROM crm_integrations WHERE crm_type = 'followupboss'")."
}

# What agents have in their CRMs before the app's first lead comes.
seed() {
    local crm
    python3 -B "$ROOT/demo/leads.py" "$SANDBOX" "$USER_ID"
    jq -c '{crm: "lofty", account: "113300", records: .}' "$SANDBOX/lofty.json" >"$SANDBOX/seed.lofty"
    jq -c '{crm: "fub", account: "777001", records: .}' "$SANDBOX/followupboss.json" >"$SANDBOX/seed.followupboss"
    for crm in "${CRM_TYPES[@]}"; do
        control POST /seed "@$SANDBOX/seed.$crm" >/dev/null
        SEEDED[$crm]=$(held "$crm")
    done
}

copy() {
    local started=$EPOCHREALTIME columns
    columns=$(head -n 1 "$SANDBOX/leads.csv")
    as_app -c "\\copy leads ($columns) FROM '$SANDBOX/leads.csv' (FORMAT csv, HEADER)"
    line "COPY of $(value 'SELECT count(*) FROM leads') leads, committed in $(since "$started") s, such as"
    table "SELECT id, phone_number AS phone, first_name, last_name, email, risk_score AS risk, is_dnc AS dnc
             FROM leads WHERE id IN (2, 3, 17, 25, 59, 182) ORDER BY id"
}

# One line, rewritten on a terminal; elsewhere a line now and then.
progress() {
    local started=$EPOCHREALTIME now last=0 requests before=0 rate=0 shown=0 text queued created updated skipped failed
    while :; do
        IFS='|' read -r queued created updated skipped failed requests < <(value "
            SELECT (SELECT count(*) FROM crm_sync_queue), count(*) FILTER (WHERE action = 'created'),
                   count(*) FILTER (WHERE action = 'updated'), count(*) FILTER (WHERE status = 'skipped'),
                   count(*) FILTER (WHERE status = 'failed'), (SELECT coalesce(sum(requests), 0) FROM echosync_workers)
              FROM crm_sync_logs")
        now=$(since "$started")
        rate=$(awk -v n=$((requests - before)) -v t="$now" -v l="$last" \
            'BEGIN { printf "%.0f", (t > l) ? n / (t - l) : 0 }')
        before=$requests last=$now
        printf -v text '  %5.1f s   queued %4d   created %4d   updated %4d   skipped %4d   failed %d   %5d requests/s' \
            "$now" "$queued" "$created" "$updated" "$skipped" "$failed" "$rate"
        if [ -t 1 ]; then
            printf '\r%s' "$text"
        elif [ "$queued" -eq 0 ] || [ "${now%.*}" -ge "$shown" ]; then
            echo "$text"
            shown=$((${now%.*} + 1))
        fi
        if [ "$queued" -eq 0 ] || [ "${now%.*}" -ge "$DRAIN_SECONDS" ]; then break; fi
        sleep 0.25
    done
    if [ -t 1 ]; then echo; fi
    drained
    line "$requests requests in $now s, $(awk -v n="$requests" -v t="$now" 'BEGIN { printf "%.0f", n / t }') a second."
}

# One row for each CRM: what the log says of the leads, and what the CRM holds.
outcomes() {
    local crm created updated skipped failed leads reached
    printf '  %-15s%9s%9s%9s%8s%9s   %s\n' '' created updated skipped failed leads 'records in the CRM'
    for crm in "${CRM_TYPES[@]}"; do
        IFS='|' read -r created updated skipped failed leads < <(value "
            SELECT count(*) FILTER (WHERE action = 'created'), count(*) FILTER (WHERE action = 'updated'),
                   count(*) FILTER (WHERE status = 'skipped'), count(*) FILTER (WHERE status = 'failed'),
                   count(DISTINCT lead_id)
              FROM crm_sync_logs WHERE crm_type = '$crm'")
        printf '  %-15s%9d%9d%9d%8d%9d   %d = %d before + %d created\n' "$(label "$crm")" "$created" "$updated" \
            "$skipped" "$failed" "$leads" "$(held "$crm")" "${SEEDED[$crm]}" "$created"
        check "leads with an outcome in $(label "$crm")" "$leads" "$LEADS"
        check "outcomes in $(label "$crm")" $((created + updated + skipped + failed)) "$LEADS"
        check "records that $(label "$crm") holds" "$(held "$crm")" $((SEEDED[$crm] + created))
    done
    reached=$(value "SELECT count(*) FROM crm_lead_links k JOIN leads l ON l.id::text = k.lead_id
                      WHERE l.is_dnc OR l.opted_out OR l.risk_score IS NULL OR l.risk_score > 20")
    line "Leads with a risk above 20, without a score or opted out that reached a CRM: $reached"
    check "refused leads in a CRM" "$reached" 0
    echo
    line "Why leads were skipped:"
    table "SELECT reason, count(*) FILTER (WHERE crm_type = 'followupboss') AS \"Follow Up Boss\",
                  count(*) FILTER (WHERE crm_type = 'lofty') AS \"Lofty\"
             FROM crm_sync_logs WHERE status = 'skipped' GROUP BY reason ORDER BY 3 DESC, 1"
}

audit() {
    as_app -P footer=off -P null='' -c "
        SELECT id, to_char(logged_at, 'HH24:MI:SS.MS') AS logged_at, crm_type, lead_id, action, status, reason,
               crm_record_id AS record, http_status AS http, duration_ms AS ms
          FROM echosync_sync_logs(max_rows => 8)" | sed '/^$/d' | indent
}

# Single leads, far enough apart that each finds the worker asleep.
latency() {
    local i number since_seq crm n p50 p99
    since_seq=$(control GET /requests | jq 'map(.seq) | max')
    for ((i = 0; i < SAMPLES; i++)); do
        printf -v number '30755501%02d' "$i"
        echo "BEGIN;"
        echo "INSERT INTO leads (user_id, phone_number, first_name, risk_score)"
        echo "     VALUES ('$USER_ID', '$number', 'Latency', 5);"
        echo "SELECT '$number ' || extract(epoch FROM clock_timestamp());"
        echo "COMMIT;"
        echo "\\! sleep 0.1"
    done | as_app -A -t >"$SANDBOX/commits"
    drained
    line "Milliseconds from just before COMMIT is sent to when the CRM has read the first request about"
    line "the lead: the commit to disk, the wake-up, reading the lead, and a request on a warm connection."
    printf '  %-15s%9s%9s%9s\n' '' leads p50 p99
    control GET "/requests?since=$since_seq" | python3 -B "$ROOT/demo/latency.py" "$SANDBOX/commits" |
        while read -r crm n p50 p99; do
            if [ "$crm" = fub ]; then crm=followupboss; fi
            printf '  %-15s%9d%9s%9s\n' "$(label "$crm")" "$n" "$p50" "$p99"
        done
}

manual_sync() {
    local crm before queued
    for crm in "${CRM_TYPES[@]}"; do
        before=$(calls "$crm")
        queued=$(app_value "
            SELECT (echosync_manual_sync(i.id, ARRAY(SELECT lead_id FROM crm_lead_links l
                                                      WHERE l.integration_id = i.id))).queued
              FROM crm_integrations i WHERE crm_type = '$crm'")
        drained
        line "$(label "$crm"): $queued leads asked for by hand, none changed: $(($(calls "$crm") - before)) calls."
        check "calls for unchanged leads" $(($(calls "$crm") - before)) 0
    done
}

one_change() {
    local crm lead before record flags
    lead=$(value "SELECT min(lead_id::bigint) FROM
                     (SELECT lead_id FROM crm_lead_links WHERE matched_by = 'created'
                       GROUP BY lead_id HAVING count(*) = 2) l")
    declare -A before
    for crm in "${CRM_TYPES[@]}"; do before[$crm]=$(calls "$crm"); done
    as_app -c "UPDATE leads SET tags = tags || '{Hot}' WHERE id = $lead"
    drained
    for crm in "${CRM_TYPES[@]}"; do before[$crm]=$(($(calls "$crm") - before[$crm])); done
    line "Lead $lead gets a tag: ${before[followupboss]} call to Follow Up Boss, ${before[lofty]} call to Lofty."
    check "calls for a new tag to Follow Up Boss" "${before[followupboss]}" 1
    check "calls for a new tag to Lofty" "${before[lofty]}" 1

    as_app -c "UPDATE leads SET is_dnc = true WHERE id = $lead"
    drained
    record=$(value "SELECT crm_record_id FROM crm_lead_links WHERE lead_id = '$lead'
                       AND integration_id = '$(integration lofty)'")
    # Not with jq, which rounds ids above 2^53.
    flags=$(control GET '/records?crm=lofty' | python3 -c '
import json, sys
for record in json.load(sys.stdin):
    if record["leadId"] == int(sys.argv[1]):
        print(*(name for name in ("cannotCall", "cannotText", "cannotEmail") if record[name]))' "$record")
    line "It turns do-not-contact. Lofty has ${flags:-no flag} on its record now."
    line "Follow Up Boss, which has no such flag, is told nothing:" \
        "$(value "SELECT status || ', ' || reason FROM crm_sync_logs WHERE lead_id = '$lead'
                     AND crm_type = 'followupboss' ORDER BY id DESC LIMIT 1")."
    check "flags in Lofty" "$flags" "cannotCall cannotText cannotEmail"
}

status() {
    table "SELECT crm_type, status, queued, failed, synced_24h, failed_24h, consecutive_failures AS in_a_row,
                  to_char(last_sync_at, 'HH24:MI:SS') AS last_sync FROM echosync_status ORDER BY 1"
    echo
    table "SELECT pid, state, in_flight, requests, synced, failed, retries, rate_limited, last_error
             FROM echosync_workers"
}

judge() {
    local violations
    violations=$(control GET /violations)
    line "Breaches of the CRMs' rules that the fakes noted: $(jq length <<<"$violations")."
    jq -r '.[:10][] | "  \(.crm) \(.rule): \(.detail)"' <<<"$violations"
    check violations "$(jq length <<<"$violations")" 0
    check "queued rows" "$(value 'SELECT count(*) FROM crm_sync_queue')" 0
    if [ "$WRONG" -eq 0 ]; then
        line "All numbers add up. Done in $(since "$STARTED") s; nothing is left behind."
    else
        line "$WRONG numbers do not add up."
        exit 1
    fi
}

declare -A SEEDED
title "echosync: from COMMIT to the CRM"
build
start
title "An ordinary app"
make_app
title "A user connects"
connect
title "1,000 leads from a CSV"
seed
copy
title "The worker drains"
progress
title "What became of them"
outcomes
title "The last rows of the audit trail"
audit
title "Latency"
latency
title "Changes"
manual_sync
one_change
title "echosync_status and echosync_workers"
status
title "Result"
judge

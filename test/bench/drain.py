"""Row 4: how fast a worker drains.

The CRM is nginx over TLS with Lofty's replies, always the same. Rate limits are lifted by settings. Row 4 compares with
load.c, a bare curl_multi loop that sends the same requests to the same server; that they are the same is checked first, by
the lengths that nginx has counted.
"""

import json
import os
import subprocess
import time
from collections import namedtuple

import app
import lab
import report as numbers
from nginx import HTTP, Nginx

LEADS = lab.size("LEADS", 50000, 2000)
IN_FLIGHT = lab.size("IN_FLIGHT", 256, 64)      # echosync.max_in_flight is one of the limits that are lifted; its default is 64
EMAIL = lab.size("EMAIL", 0, 0)           # a search more for each lead


# What was measured: requests a second, and microseconds on a core for each, of the process that sends them.  The second
# hardly depends on what else the machine does.
Rate = namedtuple("Rate", "per_second cpu_us")


# ---- the bare loop ----

def write_requests(session):
    """What echosync would send for one lead, with the phone left open, and its headers."""
    lead, phone, integration = session.sql(
        "SELECT l.id, l.phone_number, i.id FROM leads l JOIN crm_integrations i ON i.user_id = l.user_id::text"
        " ORDER BY l.id LIMIT 1").split("|")
    lines = session.sql("""SET echosync.user_id = '%s';
        SELECT method || E'\\t' || regexp_replace(url, '^https://[^/]*/v1.0', '') || E'\\t' || coalesce(body::text, '-')
          FROM echosync_preview('%s', '%s') WHERE method <> '-' ORDER BY step;
        RESET echosync.user_id""" % (app.user_id(1), integration, lead)).splitlines()
    paths = lab.SANDBOX + "/bench/requests", lab.SANDBOX + "/bench/headers"
    with open(paths[0], "w", encoding="utf-8") as file:
        file.write("".join(compact(line).replace(phone, "{phone}") + "\n" for line in lines))
    with open(paths[1], "w", encoding="utf-8") as file:
        file.write("Authorization: token %s\nContent-Type: application/json\nAccept: application/json\n"
                   "User-Agent: echosync/%s (PostgreSQL extension)\nExpect:\n" % (
                       app.API_KEY, session.sql("SELECT extversion FROM pg_extension WHERE extname = 'echosync'")))
    return paths, len(lines)


def compact(line):
    """A request with its body as it is on the wire: jsonb shows itself with blanks."""
    method, path, body = line.split("\t")
    if body != "-":
        body = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
    return "\t".join((method, path, body))


def bare(nginx, paths, leads):
    """The rate of the bare loop."""
    out = subprocess.run([lab.program("load"), nginx.url, lab.SANDBOX + "/fakes/ca.pem", *paths, str(leads),
                          str(app.FIRST_PHONE), str(IN_FLIGHT), HTTP], capture_output=True, text=True, check=True).stdout
    requests, seconds, cpu = map(float, out.split())
    return Rate(requests / seconds, cpu / requests * 1e6)


# ---- echosync ----

def prepare(name, users, rows, nginx, in_flight=64):
    lab.configure(echosync__enabled="off", echosync__lofty_api_url=nginx.url, echosync__lofty_rate_limit=100000000,
                  echosync__max_in_flight=in_flight, echosync__workers=1)
    session = lab.fresh_database(name)
    app.create_leads(session, "leads")
    session.sql("SELECT echosync_attach_leads('leads')")
    app.connect(session, range(1, users + 1))
    app.fill(session, rows, users, *([] if EMAIL else ["NULL"]))
    return session


def refill(session):
    """The queue as it was, nothing known of any lead."""
    session.sql("TRUNCATE crm_sync_queue, crm_lead_links, crm_sync_logs, crm_sync_attempts, crm_sync_claims")
    app.queue(session, "true")
    session.sql("ANALYZE crm_sync_queue")
    session.sql("CHECKPOINT")


Counted = namedtuple("Counted", "time cpu requests synced")


class Counters:
    """What the workers of a database have done, from shared memory."""

    def __init__(self, session):
        self.session = session
        self.database = session.sql("SELECT current_database()")
        self.pids = lab.worker_pids(self.database)

    def read(self):
        text = self.session.sql("SELECT COALESCE(sum(requests), 0), COALESCE(sum(synced), 0) FROM echosync_workers"
                                " WHERE database = %s" % lab.literal(self.database))
        return Counted(time.perf_counter(), sum(map(lab.cpu_seconds, self.pids)), *map(int, text.split("|")))

    def wait_for(self, synced, seconds=600, every=0.05):
        """The counters when so many leads are synced."""
        return lab.wait_until("%d leads are synced" % synced,
                              lambda: (now := self.read()).synced >= synced and now, seconds, every)


def rate_between(begin, end):
    requests = end.requests - begin.requests
    return Rate(requests / (end.time - begin.time), (end.cpu - begin.cpu) / requests * 1e6)


def drain(session, leads):
    """The rate, from the switch to the last lead."""
    counters = Counters(session)
    begin = counters.read()
    lab.configure(echosync__enabled="on")
    end = counters.wait_for(begin.synced + leads)
    lab.configure(echosync__enabled="off")
    if session.number("SELECT count(*) FROM crm_sync_queue") != 0:
        raise RuntimeError("leads are left in the queue")
    return rate_between(begin, end)


def same_requests(session, paths):
    """Do both send the same bytes?  Over all of some leads, as nginx has counted them."""
    leads, totals = 200, []
    log = lab.SANDBOX + "/bench/lengths.log"
    for who in ("echosync", "bare"):
        if os.path.exists(log):
            os.remove(log)
        nginx = Nginx(log + " bytes")
        if who == "bare":
            bare(nginx, paths, leads)
        else:
            session.sql("TRUNCATE crm_sync_queue, crm_lead_links, crm_sync_logs, crm_sync_attempts")
            app.queue(session, "l.id <= %d" % leads)
            lab.configure(echosync__lofty_api_url=nginx.url)
            drain(session, leads)
        nginx.stop()
        with open(log, encoding="utf-8") as file:
            lines = file.read().split("\n")[:-1]
        totals.append((len(lines), sum(int(line.split()[1]) for line in lines)))
    return totals


def against_bare(report):
    nginx = Nginx()
    session = prepare("bench_drain", app.USERS, LEADS, nginx, IN_FLIGHT)
    paths, per_lead = write_requests(session)
    lengths = same_requests(session, paths)
    lab.configure(echosync__lofty_api_url=nginx.url)
    free = lab.CORES >= 6                               # for two workers, the disk's writers, nginx
    rates = {"bare": [], 1: [], 2: []}
    for run in range(lab.RUNS):
        rates["bare"].append(bare(nginx, paths, LEADS))
        for workers in (1, 2) if free or run == 0 else (1,):
            workers_are(session, workers)
            refill(session)
            rates[workers].append(drain(session, LEADS))
        lab.progress("run %d: bare %.0f/s, one worker %.0f/s" % (
            run + 1, rates["bare"][-1].per_second, rates[1][-1].per_second))
    ratios = [a.per_second / b.per_second for a, b in zip(rates[1], rates["bare"])]
    report.result("4", "requests/s of one worker / bare curl_multi loop", "%.2f" % numbers.median(ratios),
                  numbers.median(ratios) >= 0.5, ">= 0.50")
    report.say("      %d leads, %d requests each, %d connections, %d in flight, HTTP/%s; ratios %s" % (
        LEADS, per_lead, app.USERS, IN_FLIGHT, HTTP, numbers.spread(ratios)))
    for who, name in (("bare", "the bare loop"), (1, "the worker")):
        report.say("      %-14s %6.0f requests/s, %4.0f us of a core for each" % (
            name, numbers.median([rate.per_second for rate in rates[who]]), numbers.median([rate.cpu_us for rate in rates[who]])))
    report.say("      requests and bytes of 200 leads, as nginx counts them: echosync %d, %d; bare %d, %d" % (
        *lengths[0], *lengths[1]))
    ratio = numbers.median([a.per_second / b.per_second for a, b in zip(rates[2], rates[1])])
    report.result("4", "requests/s of two workers / one", "%.2f" % ratio, ratio >= 1.5 if free else None,
                  ">= 1.50" if free else "(no cores free)")
    session.close()
    lab.drop_database("bench_drain")
    nginx.stop()


def workers_are(session, n):
    database = session.sql("SELECT current_database()")
    lab.configure(echosync__workers=n)
    lab.wait_until("%d workers are up" % n, lambda: len(lab.worker_pids(database)) == n)

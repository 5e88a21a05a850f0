"""Row 8: how soon the first request is there after the server has started, with a backlog in the queue.

The CRM is crm.c, which notes when a request came; when recovery was over is in the server's log.
"""

import os
import re
import subprocess
from datetime import datetime, timezone

import app
import lab
import report as numbers


def log_time(log, text):
    """The time of the last line with this text in what is new of the server log."""
    found = re.findall(r"^(\S+ \S+) UTC .*%s" % re.escape(text), log, re.M)
    return datetime.strptime(found[-1], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc).timestamp()


def restart(crm, mode):
    """Seconds from the end of recovery to the first request."""
    log = lab.SANDBOX + "/server.log"
    pg_ctl = lab.as_postgres() + ["pg_ctl", "-D", lab.SANDBOX + "/data"]
    subprocess.run(pg_ctl + ["-m", mode, "-w", "stop"], check=True, stdout=subprocess.DEVNULL)
    crm.stop()
    crm.start()
    where = os.path.getsize(log)
    subprocess.run(pg_ctl + ["-l", log, "-w", "-t", "300", "start"], check=True, stdout=subprocess.DEVNULL)
    first = lab.wait_until("something is sent", lambda: crm.requests(), 60)[0][0]
    with open(log, encoding="utf-8") as file:
        file.seek(where)
        ready = log_time(file.read(), "database system is ready to accept connections")
    return first - ready


def start_to_request(report):
    crm = lab.Crm().start()
    try:
        lab.configure(echosync__lofty_api_url=crm.url, log_line_prefix="%m [%p] ", log_timezone="UTC", echosync__enabled="off")
        session = lab.fresh_database("bench_start")
        app.create_leads(session, "leads")
        session.sql("SELECT echosync_attach_leads('leads')")
        app.connect(session, range(1, app.USERS + 1))
        app.fill(session, app.BACKLOG, app.USERS)
        session.sql("CHECKPOINT")
        session.close()
        lab.configure(**app.UNLIMITED)
        taken = {"fast": [], "immediate": []}
        for _ in range(lab.RUNS):
            for mode in taken:
                taken[mode].append(restart(crm, mode))
        lab.configure(echosync__enabled="off")
        left = lab.sql("SELECT count(*) FROM crm_sync_queue", "bench_start")
    finally:
        crm.stop()
    for mode, name in (("fast", "orderly restart"), ("immediate", "crash")):
        value = numbers.median(taken[mode])
        report.result("8", "%s -> first byte, %d rows queued, after recovery" % (name, app.BACKLOG), "%.2f s" % value,
                      value <= 1, "<= 1 s")
    report.say("      of %d runs each: %s s, %s s; %s rows still queued after the last" % (
        lab.RUNS, numbers.spread(taken["fast"]), numbers.spread(taken["immediate"]), left))
    lab.drop_database("bench_start")

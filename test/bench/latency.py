"""Row 3: how soon after its COMMIT the first request about a lead is there.

The CRM is crm.c: it notes the time at which the first byte of each request came, by the same clock as the application's
COMMIT (inserter.c) and the server's log.
"""

import re
import subprocess

import app
import lab
import report as numbers

COUNT = lab.size("COMMITS", 1000, 50)
GAP_US = lab.size("GAP_US", 10000, 10000)


def phone_of(target):
    found = re.search(r"[?&]phone=(\d+)", target)
    return found and found.group(1)


def first_times(crm):
    """phone -> when the first request about it came."""
    found = {}
    for at, _, target in crm.requests():
        phone = phone_of(target)
        if phone and phone not in found:
            found[phone] = at
    return found


def one_run(crm, first_phone):
    """Milliseconds from COMMIT sent, and from COMMIT returned, of each lead."""
    commits = subprocess.run([lab.program("inserter"), "dbname=bench_latency", app.user_id(1), str(first_phone), str(COUNT),
                              str(GAP_US)], capture_output=True, text=True, check=True).stdout.splitlines()
    commits = [line.split() for line in commits]
    times = lab.wait_until("the requests are written down",
                           lambda: len(found := first_times(crm)) and all(c[0] in found for c in commits) and found, 30)
    return ([(times[phone] - float(sent)) * 1000 for phone, sent, _ in commits],
            [(times[phone] - float(back)) * 1000 for phone, _, back in commits],
            [(float(back) - float(sent)) * 1000 for _, sent, back in commits])


def commit_to_request(report):
    crm = lab.Crm().start()
    try:
        lab.configure(echosync__lofty_api_url=crm.url, **app.UNLIMITED)
        session = lab.fresh_database("bench_latency")
        app.create_leads(session, "leads")
        session.sql("SELECT echosync_attach_leads('leads')")
        app.connect(session, [1])
        runs = [one_run(crm, app.FIRST_PHONE + 100000 * run) for run in range(lab.RUNS)]
        lab.configure(fsync="off")
        no_disk = one_run(crm, app.FIRST_PHONE + 100000 * lab.RUNS)
        lab.configure(fsync="on")
    finally:
        crm.stop()
    for i, name in enumerate(("sent", "returned")):
        for percent, target in ((50, 1.0), (99, 5.0)):
            value = numbers.median([numbers.rank(run[i], percent) for run in runs])
            report.result("3", "COMMIT %s -> first byte at the CRM, %d inserts, p%d" % (name, COUNT, percent),
                          "%.2f ms" % value, value <= target, "<= %.0f ms" % target)
    report.say("      the COMMIT itself, with its write to disk, takes %.2f ms (p50), %.2f ms (p99)" % tuple(
        numbers.median([numbers.rank(run[2], percent) for run in runs]) for percent in (50, 99)))
    report.say("      without waiting for the disk (fsync off, one run): from COMMIT sent %.2f, %.2f ms, from returned %.2f, %.2f ms"
               % tuple(numbers.rank(no_disk[i], percent) for i in (0, 1) for percent in (50, 99)))
    session.close()
    lab.drop_database("bench_latency")

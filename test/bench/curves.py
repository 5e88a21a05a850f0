"""Row 5: what the rate and the worker's memory depend on: rows queued, connections.

Each point has a database of its own.  Only the worker of the one that is measured is there.
"""

import time

import app
import chart
import lab
import report as numbers
from drain import Counters, Rate, prepare, rate_between
from nginx import Nginx

QUEUED = lab.sizes("QUEUED", "1000 10000 100000 1000000", "1000 20000")
CONNECTIONS = lab.sizes("CONNECTIONS", "10 100 1000 10000", "10 200")
CURVE_LEADS = lab.size("CURVE_LEADS", 100000, 20000)
WINDOW = lab.size("WINDOW", 3, 1)
SHORT = 10000                   # a queue that is drained before it can be measured is drained several times


def only_worker_in(database):
    """Workers of other databases end, and are not started again: taking a database off the list does not end its worker."""
    lab.configure(echosync__databases=database)
    session = lab.Session()
    lab.wait_until("the others have ended", lambda: session.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'echosync worker'"
        " AND datname <> '%s'" % database) == "0")
    session.close()


class Point:
    """A database with so many leads queued and so many connections; its worker runs while it is measured."""

    def __init__(self, name, rows, users, nginx):
        self.name, self.rows, self.users = name, rows, users
        self.short = rows <= SHORT
        self.repeats = max(1, SHORT // rows)
        self.rates, self.memory = [], []
        self.session = prepare(name, users, rows * (self.repeats + 1) if self.short else rows, nginx)

    def measure(self):
        session = self.session
        session.sql("TRUNCATE crm_lead_links, crm_sync_logs, crm_sync_attempts, crm_sync_claims")
        if self.short:
            session.sql("TRUNCATE crm_sync_queue")
        else:
            app.queue(session, "NOT EXISTS (SELECT FROM crm_sync_queue q WHERE q.lead_id = l.id::text)")
        session.sql("ANALYZE crm_sync_queue")
        session.sql("CHECKPOINT")
        only_worker_in(self.name)
        pid = lab.wait_until("the worker is up", lambda: lab.worker_pids(self.name))[0]
        counters = Counters(session)
        lab.configure(echosync__enabled="on")
        self.rates.append(self.short_queue(counters) if self.short else self.long_queue(counters))
        self.memory.append(lab.private_mib(pid))
        lab.configure(echosync__enabled="off")
        only_worker_in("none")
        lab.progress(self.tell(self.rates[-1].per_second, self.rates[-1].cpu_us, self.memory[-1]))

    def tell(self, per_second, cpu_us, memory):
        return "%8d queued, %6d connections: %6.0f requests/s, %4.0f us of a core for each, %6.1f MiB" % (
            self.rows, self.users, per_second, cpu_us, memory)

    def short_queue(self, counters):
        """The rate over several drains of a short queue, each of new leads; the first is to warm up."""
        spent = []
        for n in range(self.repeats + 1):
            begin = counters.read()
            app.queue(self.session, "l.id > %d AND l.id <= %d" % (n * self.rows, (n + 1) * self.rows))
            self.session.sql("SELECT echosync_wake()")
            spent.append((begin, counters.wait_for(begin.synced + self.rows, every=0.002)))
        totals = [sum(end[i] - begin[i] for begin, end in spent[1:]) for i in range(3)]
        return Rate(totals[2] / totals[0], totals[1] / totals[2] * 1e6)

    def long_queue(self, counters):
        """The rate in a window that begins a second after the first lead is synced."""
        counters.wait_for(1)
        time.sleep(1)
        begin = counters.read()
        time.sleep(WINDOW)
        return rate_between(begin, counters.read())

    def end(self):
        self.session.close()
        lab.drop_database(self.name)


def curve(report, nginx, name, points):
    """Measure points in turn; the ends of the curve are what the targets are about."""
    first, last = points[0], points[-1]
    for run in range(lab.RUNS):
        for point in points:
            if run < 3 or point in (first, last):
                point.measure()
    change = numbers.median([b.per_second / a.per_second for a, b in zip(first.rates, last.rates)])
    growth = numbers.median([b - a for a, b in zip(first.memory, last.memory)])
    report.result("5", "requests/s with %s" % name, "%.2f" % change, abs(change - 1) <= 0.1, "0.90 to 1.10")
    report.result("5", "worker's memory with %s" % name, "%+.1f MiB" % growth, abs(growth) <= 16, "+- 16 MiB")
    for point in points:
        report.say("      " + point.tell(*(numbers.median(values) for values in (*zip(*point.rates), point.memory))))
    for point in points:
        point.end()


def curves(report):
    nginx = Nginx()
    drawn = []
    lab.configure(echosync__databases="*")
    points = [Point("bench_rows_%d" % rows, rows, app.USERS, nginx) for rows in QUEUED]
    curve(report, nginx, "%d rows queued / with %d" % (QUEUED[-1], QUEUED[0]), points)
    drawn.append(("queued rows", [point.rows for point in points], points))
    lab.configure(echosync__databases="*")
    points = [Point("bench_users_%d" % users, CURVE_LEADS, users, nginx) for users in CONNECTIONS]
    curve(report, nginx, "%d connections / with %d" % (CONNECTIONS[-1], CONNECTIONS[0]), points)
    drawn.append(("connections", [point.users for point in points], points))
    lab.configure(echosync__databases="*")
    nginx.stop()
    for axis, xs, points in drawn:
        path = report.beside("bench-%s.svg" % axis.replace(" ", "-"))
        chart.draw(path, axis, xs, [
            ("requests/s of one worker", [[rate.per_second for rate in point.rates] for point in points]),
            ("worker's private memory, MiB", [point.memory for point in points])])
        report.say("      drawn: %s" % path)

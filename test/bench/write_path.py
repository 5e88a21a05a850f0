"""Rows 1, 2 and 2b: what an attached table costs the application's own statements.

Two tables of one make, one of them attached, are written in turn. The worker idles (echosync.enabled is off), so that
nothing but the trigger is measured. A connection that wants every lead is there for user 1, one with auto_sync off for
user 2, none for user 3.

The time is the client's. On a machine that does other work the time that the server's process had a core is the better
number; it is shown too.
"""

import subprocess
import time

import app
import lab
import report as numbers

ROWS = lab.size("BULK_LEADS", 100000, 5000)
TURN_MS = lab.size("TURN_MS", 250, 100)
PAIRS = 48 * lab.RUNS             # short and many: what else the machine does falls on both sides of a ratio alike
BULK_RUNS = 12 * lab.RUNS + 1
CLIENTS = lab.size("CLIENTS", lab.CORES, lab.CORES)
COLUMNS = "phone_number, first_name, last_name, email, address, city, state, zip_code, risk_score, tags"
SOURCE = """CREATE TABLE source AS
    SELECT '801' || (2000000 + i) AS phone, 'First' || i AS first, 'Last' || i AS last, 'lead' || i || '@example.com' AS email,
           i || ' Main St' AS street, 'Salt Lake City' AS city, 'UT' AS state, '84101' AS zip,
           (i %% 20)::numeric(4, 1) AS score, '{Buyer}'::text[] AS tags
      FROM generate_series(1, %d) i"""


def prepare():
    lab.configure(echosync__enabled="off")
    session = lab.fresh_database("bench_write")
    app.create_leads(session, "plain")
    app.create_leads(session, "leads")
    session.sql("SELECT echosync_attach_leads('leads')")
    app.connect(session, [1])
    app.connect(session, [2], '{"auto_sync": false}')
    return session


def empty(session):
    session.sql("TRUNCATE plain, leads, crm_sync_queue, crm_sync_logs")
    session.sql("CHECKPOINT")


# ---- 1: single rows ----

def insert_one(table):
    return ("INSERT INTO %s (user_id, %s) VALUES ('%s', '801' || (2000000 + random() * 7999999)::int, 'Dana', 'Holt',"
            " 'dana@example.com', '1 Main St', 'Salt Lake City', 'UT', '84101', 5, '{Buyer}')" % (table, COLUMNS, app.user_id(1)))


def by_turns(commit):
    """Transactions a second of single-row INSERTs, prepared: a list of each table's, turn by turn."""
    output = subprocess.run([lab.program("alternate"), "dbname=bench_write options='-c synchronous_commit=%s'" % commit,
                             str(CLIENTS), str(TURN_MS), str(PAIRS), insert_one("plain"), insert_one("leads")],
                            capture_output=True, text=True, check=True).stdout
    return zip(*[map(float, line.split()) for line in output.splitlines()])


def single_rows(report):
    session = prepare()
    for commit, target in (("off", 0.75), ("on", 0.95)):
        empty(session)
        plain, leads = by_turns(commit)
        ratios = numbers.ratios(leads, plain)
        ratio = numbers.median(ratios)
        report.result("1", "single-row INSERT, tps attached / not, synchronous_commit=%s" % commit, "%.2f" % ratio,
                      ratio >= target, ">= %.2f" % target)
        report.say("      %d clients; not attached %.0f tps, attached %.0f tps; %d pairs of %d ms each, half of their ratios %s" % (
            CLIENTS, numbers.median(plain), numbers.median(leads), PAIRS, TURN_MS, numbers.middle_half(ratios)))
    finish(session)


# ---- 2, 2b: many rows ----

def measured(session, statement):
    """(seconds, seconds on a core) of one statement."""
    cpu, start = lab.cpu_seconds(session.pid), time.perf_counter()
    session.sql(statement)
    return time.perf_counter() - start, lab.cpu_seconds(session.pid) - cpu


PLAIN = ("plain", 1, "not attached")
QUEUED = (PLAIN, ("leads", 1, "every row is queued"))
NOT_QUEUED = (PLAIN, ("leads", 2, "auto_sync is off"), ("leads", 3, "the user has no connection"))


def rows_queued(report):
    many_rows(report, "2", QUEUED, 1.8)


def rows_not_queued(report):
    many_rows(report, "2b", NOT_QUEUED, 1.1)


def insert_select(table, user):
    return "INSERT INTO %s (user_id, %s) SELECT '%s', * FROM source" % (table, COLUMNS, app.user_id(user))


def many_rows(report, row, cases, target):
    session = prepare()
    session.sql(SOURCE % ROWS)
    files = {}
    for user in (1, 2, 3):
        files[user] = "%s/data/bench%d.copy" % (lab.SANDBOX, user)
        session.sql("COPY (SELECT '%s'::uuid, * FROM source) TO '%s'" % (app.user_id(user), files[user]))
    session.sql("VACUUM ANALYZE source")
    ways = {"INSERT ... SELECT": insert_select,
            "COPY": lambda table, user: "COPY %s (user_id, %s) FROM '%s'" % (table, COLUMNS, files[user])}
    for way, statement in ways.items():
        taken = {case: [] for case in cases}
        for run in range(BULK_RUNS):
            for case in cases if run % 2 == 0 else cases[::-1]:
                empty(session)
                taken[case].append(measured(session, statement(case[0], case[1])))
                queued = session.number("SELECT count(*) FROM crm_sync_queue")
                if queued != (ROWS if case == QUEUED[1] else 0):
                    raise RuntimeError("%d rows are queued" % queued)
        for case in cases[1:]:
            tell(report, row, "%d rows, %s, %s: time attached / not" % (ROWS, way, case[2]), target, taken[PLAIN], taken[case])
    finish(session)


def tell(report, row, what, target, base, taken):
    wall, cpu = (numbers.ratios([t[i] for t in taken], [t[i] for t in base]) for i in (0, 1))
    report.result(row, what, "%.2f" % numbers.median(wall), numbers.median(wall) <= target, "<= %.2f" % target)
    report.say("      not attached %.3f s, attached %.3f s; ratios %s; of time on a core %.2f (%s)" % (
        numbers.median([t[0] for t in base]), numbers.median([t[0] for t in taken]), numbers.spread(wall),
        numbers.median(cpu), numbers.spread(cpu)))


def finish(session):
    session.close()
    lab.drop_database("bench_write")

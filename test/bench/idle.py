"""Row 6: what an idle server costs whose connections are all paused with a backlog."""

import time

import app
import lab

CONNECTIONS = lab.size("IDLE_CONNECTIONS", 10000, 200)
SECONDS = lab.size("IDLE_SECONDS", 60, 5)


def snapshot(pids):
    """pid -> (seconds on a core, times it was woken up)"""
    found = {}
    for pid in pids:
        try:
            found[pid] = lab.cpu_seconds(pid), lab.status_of(pid, "voluntary_ctxt_switches")
        except OSError:
            pass                                    # it has ended
    return found


def spent(before, after, pids):
    """(seconds on a core, wake-ups) of these processes between two snapshots."""
    old = {pid: before.get(pid, (0, 0)) for pid in pids if pid in after}
    return tuple(sum(after[pid][i] - old[pid][i] for pid in old) for i in (0, 1))


def launcher():
    for pid in lab.server_pids():
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            if b"echosync launcher" in file.read():
                return pid
    raise RuntimeError("there is no launcher")


def backlog(report):
    lab.configure(echosync__enabled="on", echosync__databases="bench_idle")
    session = lab.fresh_database("bench_idle")
    app.create_leads(session, "leads")
    session.sql("SELECT echosync_attach_leads('leads')")
    app.connect(session, range(1, CONNECTIONS + 1))
    session.sql("UPDATE crm_integrations SET status = 'paused', status_reason = 'by_user'")
    app.fill(session, app.BACKLOG, CONNECTIONS)
    session.sql("CHECKPOINT")
    session.close()
    lab.sql("SELECT pg_terminate_backend(pid) FROM echosync_workers", "bench_idle")     # it starts with the backlog there
    lab.wait_until("the next worker is up", lambda: lab.worker_pids("bench_idle"))
    time.sleep(5)

    ours = lab.worker_pids("bench_idle") + [launcher()]
    lab.progress("idle for %d s" % SECONDS)
    before = snapshot(lab.server_pids())
    time.sleep(SECONDS)
    after = snapshot(lab.server_pids())
    cpu, wakes = spent(before, after, ours)
    all_cpu, all_wakes = spent(before, after, after)
    share = 100 * cpu / SECONDS
    report.result("6", "CPU of worker and launcher, %d connections paused, %d rows queued" % (CONNECTIONS, app.BACKLOG),
                  "%.3f %%" % share, share <= 0.1, "<= 0.1 % of a core")
    allowed = 2 * (SECONDS // 60 + 1)
    report.result("6", "wake-ups of worker and launcher in %d s" % SECONDS, "%d" % wakes, wakes <= allowed,
                  "<= %d (ticks)" % allowed)
    report.say("      the worker's private memory is %.1f MiB; the whole server, autovacuum included: %.3f %%, %d wake-ups" % (
        lab.private_mib(ours[0]), 100 * all_cpu / SECONDS, all_wakes))
    lab.configure(echosync__databases="*")
    lab.drop_database("bench_idle")

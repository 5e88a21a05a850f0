"""Where the time goes: perf on the trigger's path (row 2) and on the worker's loop (row 4), and the worker's statements.

Only by name (ROWS=profile), and only where perf is installed (linux-perf). The numbers are shares of the samples of one
process, so that they mean something on a busy machine too. Server functions that are not exported have no names.
"""

import collections
import re
import shutil
import subprocess
import time

import app
import drain
import lab
import write_path
from nginx import Nginx

ROWS = 25
SECONDS = lab.size("PROFILE_SECONDS", 8, 3)


def record(pid, seconds=None, work=None):
    """Stacks of a process while `work` runs, or for so many seconds."""
    data = lab.SANDBOX + "/bench/perf.data"
    perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-g", "-o", data, "-p", str(pid)],
                            stderr=subprocess.DEVNULL)
    time.sleep(1 if work else seconds)
    if work:
        work()
    perf.send_signal(2)
    perf.wait()
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym"], capture_output=True, text=True, check=False).stdout
    stacks = [re.findall(r"^\s*[0-9a-f]+ (\S+)", stack, re.M) for stack in text.split("\n\n")]
    return [stack for stack in stacks if stack]


def tell(report, title, stacks, below):
    """Shares of functions with what they call, of those below one, and alone."""
    stacks = [stack for stack in stacks if below in stack]
    within, alone = collections.Counter(), collections.Counter()
    for stack in stacks:
        within.update(set(stack[:stack.index(below)]) - {"[unknown]"})
        alone[stack[0]] += 1
    report.say("%s: %d samples" % (title, len(stacks)))
    for heading, counter in (("with what they call", within), ("alone", alone)):
        report.say("      " + heading)
        for name, n in counter.most_common(ROWS):
            report.say("      %6.1f %%  %s" % (100 * n / len(stacks), name))


def trigger_path(report):
    session = write_path.prepare()
    session.sql(write_path.SOURCE % write_path.ROWS)
    for name, user in (("every row is queued", 1), ("auto_sync is off", 2), ("the user has no connection", 3)):
        stacks = []
        for _ in range(lab.RUNS):
            write_path.empty(session)
            stacks += record(session.pid, work=lambda: session.sql(write_path.insert_select("leads", user)))
        ours = [stack for stack in stacks if "AfterTriggerEndQuery" in stack or "ExecARInsertTriggers" in stack]
        report.say("%s: the trigger is %.1f %% of an INSERT ... SELECT of %d rows, that is attached / not %.2f" % (
            name, 100 * len(ours) / len(stacks), write_path.ROWS, len(stacks) / (len(stacks) - len(ours))))
        if user == 1:
            tell(report, "below the trigger", ours, "AfterTriggerEndQuery")
    write_path.finish(session)


def statements(report, session):
    """What the worker's statements took, by pg_stat_statements."""
    text = session.sql("""SELECT round((100 * total_exec_time / sum(total_exec_time) OVER ())::numeric, 1), calls,
               round(1000 * mean_exec_time), round(rows::numeric / calls, 1), (shared_blks_hit + shared_blks_read) / calls,
               regexp_replace(left(query, 400), '\\s+', ' ', 'g')
          FROM pg_stat_statements WHERE calls > 10 ORDER BY total_exec_time DESC LIMIT 20""")
    report.say("the worker's statements: share, calls, us, rows and pages each")
    for line in text.splitlines():
        share, calls, us, rows, pages, query = line.split("|", 5)
        report.say("      %5s %%  %7s  %6s  %6s  %6s  %s" % (share, calls, us, rows, pages, query[:100]))


def restart_with(libraries):
    lab.configure(shared_preload_libraries=libraries)
    subprocess.run(lab.as_postgres() + ["pg_ctl", "-D", lab.SANDBOX + "/data", "-l", lab.SANDBOX + "/server.log", "-w", "restart"],
                   check=True, stdout=subprocess.DEVNULL)


def worker_loop(report):
    restart_with("echosync,pg_stat_statements")
    nginx = Nginx()
    session = drain.prepare("bench_profile", app.USERS, drain.LEADS, nginx, drain.IN_FLIGHT)
    session.sql("CREATE EXTENSION pg_stat_statements")
    lab.configure(echosync__enabled="on", pg_stat_statements__track="all")
    drain.Counters(session).wait_for(100)
    session.sql("SELECT pg_stat_statements_reset()")
    stacks = record(lab.worker_pids("bench_profile")[0], seconds=SECONDS)
    lab.configure(echosync__enabled="off")
    tell(report, "the worker's loop", stacks, "echosync_worker_main")
    statements(report, session)
    session.close()
    lab.drop_database("bench_profile")
    nginx.stop()
    restart_with("echosync")


def profile(report):
    if shutil.which("perf") is None:
        raise RuntimeError("perf is not installed (apt-get install linux-perf)")
    trigger_path(report)
    worker_loop(report)

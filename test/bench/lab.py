"""What the rows of the bench stand on: the sandbox's server, sessions, clocks and programs."""

import glob
import os
import re
import socket
import subprocess
import time

SANDBOX = os.environ.get("SANDBOX", "")
HERE = os.path.dirname(os.path.abspath(__file__))
QUICK = os.environ.get("QUICK", "") not in ("", "0")
RUNS = int(os.environ.get("RUNS") or (1 if QUICK else 5))
CORES = len(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")


def sizes(name, default, quick):
    """Sizes that the environment may change: BENCH_<name>.  The last is for a quick try of the bench itself."""
    return [float(word) if "." in word else int(word)
            for word in os.environ.get("BENCH_" + name, quick if QUICK else default).split()]


def size(name, default, quick):
    return sizes(name, str(default), str(quick))[0]


def progress(text):
    print("  " + text, flush=True)


class Session:
    """A psql that stays."""

    def __init__(self, database="postgres"):
        self.process = subprocess.Popen(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-d", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.pid = int(self.sql("SELECT pg_backend_pid()"))

    def sql(self, text):
        self.process.stdin.write(text + "\n;\n\\echo <<end>>\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "<<end>>\n":
                return "".join(lines).strip()
            lines.append(line)
        raise RuntimeError("SQL failed: %s\n%s" % (text, "".join(lines)))

    def number(self, text):
        return float(self.sql(text))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def sql(text, database="postgres"):
    """One or more statements, each in a transaction of its own."""
    session = Session(database)
    try:
        return session.sql(text)
    finally:
        session.close()


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def wait_until(what, condition, seconds=60, every=0.02):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError("waited in vain until " + what)
        time.sleep(every)


def value_of(name, value):
    """A setting's value as ALTER SYSTEM takes it: of a list, each word by itself."""
    return ", ".join(map(literal, str(value).split(","))) if name == "shared_preload_libraries" else literal(str(value))


def configure(**settings):
    """Change settings of the running server (a dot in a name is written __); wait until they are read."""
    session = Session()
    before = session.sql("SELECT pg_conf_load_time()")
    for name, value in settings.items():
        session.sql("ALTER SYSTEM SET %s = %s" % (name.replace("__", "."), value_of(name, value)))
    session.sql("SELECT pg_reload_conf()")
    wait_until("the configuration is read", lambda: session.sql("SELECT pg_conf_load_time()") != before)
    session.close()


# ---- databases and their workers ----

def fresh_database(name):
    """A database with the extension; waits for its worker."""
    drop_database(name)
    sql("CREATE DATABASE %s" % name)
    session = Session(name)
    session.sql("CREATE EXTENSION echosync")
    wait_until("the worker is up", lambda: worker_pids(name))
    return session


def drop_database(name):
    sql("DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)


def worker_pids(database):
    text = sql("SELECT pid FROM echosync_workers WHERE database = %s" % literal(database), database)
    return [int(pid) for pid in text.split()]


# ---- processes ----

def cpu_seconds(pid):
    """Time on a core, to the nanosecond."""
    with open("/proc/%d/schedstat" % pid, encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def status_of(pid, field):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return int(re.search(r"^%s:\s+(\d+)" % field, file.read(), re.M).group(1))


def private_mib(pid):
    """Memory of the process alone: without shared buffers and files."""
    return status_of(pid, "RssAnon") / 1024


def server_pids():
    with open(SANDBOX + "/data/postmaster.pid", encoding="ascii") as file:
        postmaster = int(file.readline())
    pids = [postmaster]
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == postmaster:
                    pids.append(int(path.split("/")[2]))
        except (OSError, IndexError):
            pass                                    # it has ended
    return pids


def as_postgres():
    """What a command that controls the server begins with."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def program(name):
    return SANDBOX + "/bench/" + name


class Crm:
    """crm.c: a Lofty that notes the time of each request's first byte."""

    def __init__(self):
        self.port = free_port()
        self.log = SANDBOX + "/bench/crm.log"
        self.process = None
        self.url = "https://localhost:%d/v1.0" % self.port

    def start(self):
        self.process = subprocess.Popen(
            as_postgres() + [program("crm"), str(self.port), SANDBOX + "/fakes/server.pem", SANDBOX + "/fakes/server.key", self.log],
            stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("crm did not start")
        return self

    def requests(self):
        """(seconds, method, target) of each request so far."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")[:-1]
        return [(float(at), method, target) for at, method, target in (line.split(" ", 2) for line in lines)]

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

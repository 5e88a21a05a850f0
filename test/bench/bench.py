#!/usr/bin/python3
"""Runs rows of the bench in a sandbox that script/bench.sh has made; that file says how it is called."""

import os
import platform
import sys
import time

import calls
import churn
import curves
import drain
import idle
import lab
import latency
import profiling
import start
import write_path
from report import Report

# In the order in which they run: name, what, function.
ROWS = (
    ("1", "single-row INSERT", write_path.single_rows),
    ("2", "INSERT ... SELECT and COPY, every row queued", write_path.rows_queued),
    ("2b", "INSERT ... SELECT and COPY, no row queued", write_path.rows_not_queued),
    ("3", "COMMIT to the first byte", latency.commit_to_request),
    ("4", "drain, against a bare curl_multi loop", drain.against_bare),
    ("5", "rate and memory over queued rows and connections", curves.curves),
    ("6", "an idle server", idle.backlog),
    ("7", "calls for each lead", calls.count),
    ("8", "server start to the first request", start.start_to_request),
    ("churn", "the queue's table over churn", churn.churn),
    ("profile", "where the time goes", profiling.profile),
)
BY_NAME_ONLY = ("profile",)


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def head(report):
    settings = lab.sql("SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name) FROM unnest('{"
                       "server_version,debug_assertions,shared_buffers,fsync,full_page_writes,max_wal_size}'::text[]) name")
    report.title("echosync bench, %s%s" % (time.strftime("%Y-%m-%d %H:%M %Z"), ", quick: the numbers mean nothing" if lab.QUICK else ""))
    report.title("%s, %d cores, Linux %s" % (cpu_model(), lab.CORES, platform.release()))
    report.title(settings)
    report.title("built with: %s" % os.environ.get("BENCH_CFLAGS", ""))
    report.title("median of %d runs; load at the start %.2f" % (lab.RUNS, os.getloadavg()[0]))


def main():
    names = [name for name, _, _ in ROWS]
    wanted = sys.argv[1:] or [name for name in names if name not in BY_NAME_ONLY]
    unknown = [word for word in wanted if word not in names]
    if unknown:
        sys.exit("no such row: %s; there are %s" % (" ".join(unknown), " ".join(names)))
    report = Report(os.path.abspath(os.environ["BENCH_OUT"]))
    head(report)
    failed = False
    for name, what, run in ROWS:
        if name not in wanted:
            continue
        began = time.monotonic()
        report.say()
        report.say("%s. %s" % (name, what))
        try:
            run(report)
        except (RuntimeError, OSError, lab.subprocess.CalledProcessError) as error:
            failed = True
            report.result(name, "could not be measured", "", False, "")
            report.say("      %s %s" % (error, getattr(error, "stderr", "") or ""))
        report.say("      (%.0f s; load %.2f)" % (time.monotonic() - began, os.getloadavg()[0]))
    report.say()
    report.write()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

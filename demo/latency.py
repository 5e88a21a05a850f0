#!/usr/bin/python3
"""How long after COMMIT the first request about a lead was read by a CRM.

  latency.py COMMITS < requests     COMMITS: lines "phone seconds", the clock of just before COMMIT
                                    requests: /requests of the fakes

Prints for each CRM: its name, how many leads, p50 and p99 in ms (nearest rank).
"""

import json
import math
import sys
from urllib.parse import unquote


def rank(values, percent):
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def first_requests(requests):
    """(crm, phone) -> time of the first search for it."""
    found = {}
    for request in requests:
        for parameter in request["query"].split("&"):
            name, _, value = parameter.partition("=")
            if name == "phone":
                found.setdefault((request["crm"], unquote(value)), request["time"])
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        commits = {phone: float(seconds) for phone, seconds in (line.split() for line in lines if line.strip())}
    found = first_requests(json.load(sys.stdin))
    for crm in ("fub", "lofty"):
        waits = sorted((found[crm, phone] - at) * 1000 for phone, at in commits.items() if (crm, phone) in found)
        if waits:
            print("%s %d %.1f %.1f" % (crm, len(waits), rank(waits, 50), rank(waits, 99)))


if __name__ == "__main__":
    main()

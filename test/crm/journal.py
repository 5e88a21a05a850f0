"""What happened: every request, every breach of the CRMs' rules or of our own promises, and counts.

It judges nothing; the fakes decide what a breach is.
"""

import collections
import re

from http_server import BadJson

NUMBERS = re.compile(r"/\d+(?=/|$)")


def path_template(path):
    """/v1/people/501 -> /v1/people/{id}"""
    return NUMBERS.sub("/{id}", path)


class Journal:
    def __init__(self):
        self.forget()

    def forget(self):
        self.requests = []
        self.violations = []
        self.warnings = []
        self.stats = collections.Counter()
        self.counters = collections.Counter()
        self.seq = 0
        self.keep_requests = True

    def begin(self, request):
        self.seq += 1
        request.seq = self.seq
        if self.keep_requests:
            self.requests.append(request)

    def finish(self, request, status):
        request.status = status
        self.stats[request.crm, request.method, path_template(request.path), status] += 1

    def violation(self, crm, rule, detail, seq=None):
        self.violations.append({"crm": crm, "rule": rule, "detail": detail, "seq": seq})

    def warning(self, crm, rule, detail, seq=None):
        """Allowed, but a test may want to know."""
        self.warnings.append({"crm": crm, "rule": rule, "detail": detail, "seq": seq})

    def count(self, crm, name):
        self.counters[crm, name] += 1

    def stats_report(self):
        rows = [{"crm": crm, "method": method, "path": path, "status": status, "count": count}
                for (crm, method, path, status), count in sorted(self.stats.items(), key=str)]
        counters = {}
        for (crm, name), count in sorted(self.counters.items()):
            counters.setdefault(crm, {})[name] = count
        return {"requests": rows, "counters": counters, "total": sum(self.stats.values())}

    def requests_report(self, crm=None, method=None, path=None, account=None, since=0, limit=None):
        found = [request for request in self.requests
                 if request.seq > since and crm in (None, request.crm) and method in (None, request.method)
                 and account in (None, request.account) and (path is None or request.path.startswith(path))]
        return [describe(request) for request in (found[:limit] if limit else found)]


def describe(request):
    """A request as JSON: its body both parsed (null when it is not JSON) and raw."""
    try:
        parsed = request.json() if request.body else None
    except BadJson:
        parsed = None
    return {"seq": request.seq, "time": request.time, "crm": request.crm, "method": request.method,
            "path": request.path, "query": request.query, "headers": request.header_list, "body": parsed,
            "raw_body": request.body.decode("utf-8", "replace"), "status": request.status,
            "account": request.account, "credential": request.credential, "note": request.note}

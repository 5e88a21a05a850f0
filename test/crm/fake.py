"""What all the fakes share: the test clock, knobs, the way of a request through a fake, and the checks every CRM makes.

It knows no CRM. A fake is a subclass of Crm that answers requests and says who they came from.
"""

import re
import time
import traceback
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import unquote, unquote_plus

from faults import Faults
from http_server import Response
from journal import Journal
from ratelimit import RateLimits, Waits

NUMBER_SEGMENT = re.compile(r"/(\d+)(?=/|$)")
DIGITS = re.compile(r"\d+")
LEAST_WAIT = 1.0                              # after a 429 whose date is over


class Clock:
    """Real time plus what tests advanced."""

    def __init__(self):
        self.offset = 0.0

    def now(self):
        return time.time() + self.offset


class Knobs:
    """The settings of one fake: known names only, some with a fixed choice of values."""

    def __init__(self, defaults, choices):
        self.defaults, self.choices = defaults, choices
        self.values = {}
        self.reset()

    def reset(self):
        self.values = dict(self.defaults)

    def __getitem__(self, name):
        return self.values[name]

    def set(self, name, value):
        if name not in self.defaults:
            raise ValueError("unknown knob %r, one of: %s" % (name, ", ".join(sorted(self.defaults))))
        if name in self.choices and value not in self.choices[name]:
            raise ValueError("knob %s takes one of: %s" % (name, self.choices[name]))
        self.values[name] = value

    def to_default(self, name):
        self.set(name, self.defaults.get(name))


class World:
    """Everything the fakes have in common while the process runs."""

    def __init__(self):
        self.clock = Clock()
        self.journal = Journal()
        self.faults = Faults()
        self.secrets = set()                  # whatever must never appear in a URL
        self.trap_url = "https://localhost:1"
        self.crms = {}

    def add(self, crm):
        self.crms[crm.name] = crm


class Refuse(Exception):
    """Ends the handling of a request with this response."""

    def __init__(self, response):
        super().__init__(response.status)
        self.response = response


def route_of(path):
    """('/v1/people/{id}', [501]) for '/v1/people/501'."""
    ids = [int(digits) for digits in NUMBER_SEGMENT.findall(path)]
    return (NUMBER_SEGMENT.sub("/{id}", path), ids) if ids else (path, ids)


class Crm:
    """A fake CRM: respond() takes a request through checks, faults and the CRM's own answer."""

    name = "crm"
    knob_defaults = {}
    knob_choices = {}
    shared_defaults = {"latency_ms": 0, "rate_limits_off": False, "requests_per_connection": 0, "chunked": False,
                       "waiting_grace_ms": 0, "date_skew_seconds": 0}
    default_wait = 10.0                       # after a 429 that names no time
    credential_in_body = False                # True where the protocol puts it there

    def __init__(self, world):
        self.world = world
        self.clock = world.clock
        self.journal = world.journal
        self.knobs = Knobs({**self.shared_defaults, **self.knob_defaults}, self.knob_choices)
        self.limits, self.waits = RateLimits(), Waits()

    # What a subclass provides

    def identify(self, request):
        """Sets request.account, .credential and .wait_key as far as they can be known."""

    def answer(self, request):
        raise NotImplementedError

    def after(self, request, response):
        """A look at every response that goes out, scripted ones included."""

    def finished(self, request, response):
        """The exchange is over: delivered, dropped or given up by the client."""

    def forget_records(self):
        pass

    def forget_accounts(self):
        pass

    def forget_rates(self):
        self.limits.windows.clear()
        self.waits.told.clear()

    def report_duplicates(self):
        """Violations that can only be seen by looking at all records."""
        return []

    def records_report(self):
        return []

    def seed(self, account, wanted):
        raise ValueError("%s has no records" % self.name)

    def agent(self, order):
        raise ValueError("%s has no agents" % self.name)

    def add_account(self, order):
        raise ValueError("%s has no accounts of its own" % self.name)

    # The way of a request

    @property
    def requests_per_connection(self):
        return self.knobs["requests_per_connection"]

    def violation(self, rule, detail, request=None):
        self.journal.violation(self.name, rule, detail, request.seq if request else None)

    def warning(self, rule, detail, request=None):
        self.journal.warning(self.name, rule, detail, request.seq if request else None)

    def respond(self, request):
        request.crm = self.name
        self.journal.begin(request)
        self.identify(request)
        self.check_manners(request)
        self.check_waiting(request)
        fault = self.world.faults.take(self.name, request)
        response = None
        if fault is None or fault.applies_request():
            response = self.answer_or_own_up(request)
        if fault is not None:
            response = fault.answer(request, response, self.world.trap_url)
            request.note = "fault: " + fault.action["type"]
        if response.status == 429 and fault is not None:
            self.waits.tell(request.wait_key, self.clock.now(), self.wait_named_by(response))
        self.after(request, response)
        response.delay += self.knobs["latency_ms"] / 1000
        response.chunked = self.knobs["chunked"] and bool(response.body)
        response.headers.setdefault("Date", formatdate(time.time() + self.knobs["date_skew_seconds"], usegmt=True))
        silent = response.delivery in ("drop", "hang")
        self.journal.finish(request, 0 if silent else response.status)
        return response

    def answer_or_own_up(self, request):
        """A bug in the fake must not look like a CRM's error."""
        try:
            return self.answer(request)
        except Exception:
            self.violation("bug_in_the_fake", traceback.format_exc(), request)
            return Response(500, b"bug in the fake, see /violations", "text/plain")

    def wait_named_by(self, response):
        """Seconds a client has to keep quiet after this scripted 429: a date counts by this CRM's clock, a past one a second."""
        named = str(response.headers.get("Retry-After", ""))
        if DIGITS.fullmatch(named):
            return float(named)
        try:
            until = parsedate_to_datetime(named).timestamp()
        except (TypeError, ValueError):
            return self.default_wait
        return max(LEAST_WAIT, until - time.time() - self.knobs["date_skew_seconds"])

    def check_waiting(self, request):
        breach = self.waits.breach(request.wait_key, self.clock.now(), self.knobs["waiting_grace_ms"] / 1000)
        if breach:
            self.journal.count(self.name, "calls_while_refused")
            self.violation("called_while_waiting", "%s %s, %.0f ms after a 429, %.1f s too early"
                           % (request.method, request.path, breach[0] * 1000, breach[1]), request)

    def check_manners(self, request):
        headers = request.headers
        if not headers.get("user-agent"):
            self.violation("missing_user_agent", request.method + " " + request.path, request)
        if not headers.get("host"):
            self.violation("missing_host", request.method + " " + request.path, request)
        if len(headers) != len(request.header_list):
            self.violation("duplicate_header", str(sorted(name for name, _ in request.header_list)), request)
        self.check_secrets(request)

    def check_secrets(self, request):
        """No known secret in the URL, nor the request's own credential in its body."""
        target = unquote(request.target)
        credential = request.credential or "\0"
        parts = re.split(r"[/?&=]", request.target)
        if credential in target or any(unquote_plus(part) in self.world.secrets for part in parts):
            self.violation("secret_in_url", "%s %s" % (request.method, request.path), request)
        if not self.credential_in_body and credential.encode() in request.body:
            self.violation("secret_in_body", "%s %s" % (request.method, request.path), request)

    # Small helpers for subclasses

    def limit_or_unlimited(self, limit):
        return RateLimits.UNLIMITED if self.knobs["rate_limits_off"] else int(limit)

    def check_no_parameters(self, request):
        """For routes that take none."""
        for name, _ in request.params():
            self.violation("unknown_query_key", "%s on %s" % (name, request.path), request)

    def refuse_unknown_route(self, request, routes, template, body):
        """404, or 405 when the path exists under another method; a violation either way."""
        known = any(path == template for _, path in routes)
        self.violation("unknown_route", "%s %s" % (request.method, request.path), request)
        raise Refuse(Response.json(405 if known else 404, body))


class Trap:
    """An application nobody may talk to; whoever does has broken `rule`."""

    def __init__(self, world, name, rule):
        self.world, self.name, self.rule = world, name, rule

    def respond(self, request):
        request.crm = self.name
        self.world.journal.begin(request)
        sent = [name for name in ("authorization", "x-system-key") if name in request.headers]
        self.world.journal.violation(self.name, self.rule, "%s %s%s" % (
            request.method, request.path, " with " + " and ".join(sent) if sent else ""), request.seq)
        self.world.journal.finish(request, 200)
        return Response.json(200, {"trap": self.rule})

    def finished(self, request, response):
        pass

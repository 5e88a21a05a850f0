"""The control port: tests turn knobs, order faults, seed records and read what happened. JSON over plain HTTP.

See README.md for the list of calls. A mistake in a control call is 400 with {"error": ...}; nothing is ignored.
"""

from http_server import BadJson, Response

PARTS = ("records", "requests", "violations", "stats", "knobs", "faults", "accounts", "rates", "clock")


class Control:
    def __init__(self, world, listeners):
        self.world, self.listeners = world, listeners
        self.routes = {
            ("GET", "/health"): self.health, ("POST", "/reset"): self.reset,
            ("POST", "/knob"): self.set_knob, ("GET", "/knobs"): self.knobs,
            ("POST", "/fault"): self.add_fault, ("GET", "/fault"): self.list_faults,
            ("DELETE", "/fault"): self.clear_faults,
            ("GET", "/records"): self.records, ("GET", "/requests"): self.requests,
            ("GET", "/violations"): self.violations, ("GET", "/warnings"): self.warnings,
            ("GET", "/stats"): self.stats, ("POST", "/seed"): self.seed, ("POST", "/agent"): self.agent,
            ("POST", "/clock"): self.clock, ("POST", "/account"): self.account}

    def respond(self, request):
        handler = self.routes.get((request.method, request.path))
        if handler is None:
            return Response.json(404, {"error": "no such control call", "calls": sorted(
                "%s %s" % route for route in self.routes)})
        try:
            order = request.json() if request.body else {}
            answer = handler(order if request.method != "GET" else dict(request.params()))
        except (BadJson, ValueError, KeyError, TypeError) as error:
            return Response.json(400, {"error": "%s: %s" % (type(error).__name__, error)})
        return Response.json(200, answer if answer is not None else {"ok": True})

    def finished(self, request, response):
        pass

    def crm(self, order):
        name = order.get("crm")
        if name not in self.world.crms:
            raise ValueError("crm must be one of %s" % sorted(self.world.crms))
        return self.world.crms[name]

    def health(self, _order):
        return {"ok": True}

    def reset(self, order):
        """Everything, or only the named parts. Resetting accounts forgets their records and tokens too."""
        parts = order.get("only", PARTS)
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise ValueError("parts are %s" % (PARTS,))
        journal = self.world.journal
        if set(parts) == set(PARTS):
            journal.forget()
        for part in parts:
            getattr(self, "reset_" + part)(journal)

    def reset_records(self, _journal):
        for crm in self.world.crms.values():
            crm.forget_records()

    def reset_requests(self, journal):
        journal.requests = []

    def reset_violations(self, journal):
        journal.violations, journal.warnings = [], []
        for listener in self.listeners.values():
            listener.malformed = 0

    def reset_stats(self, journal):
        journal.stats.clear()
        journal.counters.clear()
        for listener in self.listeners.values():
            listener.connections = 0

    def reset_knobs(self, journal):
        journal.keep_requests = True
        for crm in self.world.crms.values():
            crm.knobs.reset()

    def reset_faults(self, _journal):
        self.world.faults.clear()

    def reset_accounts(self, _journal):
        for crm in self.world.crms.values():
            crm.forget_accounts()
            crm.forget_records()

    def reset_rates(self, _journal):
        for crm in self.world.crms.values():
            crm.forget_rates()

    def reset_clock(self, _journal):
        self.world.clock.offset = 0.0

    def set_knob(self, order):
        """Without "value": back to its default. Knob keep_requests belongs to no CRM."""
        if order["name"] == "keep_requests":
            self.world.journal.keep_requests = bool(order.get("value", True))
            return
        knobs = self.crm(order).knobs
        if "value" in order:
            knobs.set(order["name"], order["value"])
        else:
            knobs.to_default(order["name"])

    def knobs(self, order):
        return self.crm(order).knobs.values if "crm" in order else {
            name: crm.knobs.values for name, crm in self.world.crms.items()}

    def add_fault(self, order):
        self.crm(order)
        self.world.faults.add(order)

    def list_faults(self, _order):
        return [{"crm": fault.crm, "method": fault.method, "path": fault.path, "action": fault.action,
                 "times_left": fault.times, "after_left": fault.skip, "hits": fault.hits}
                for fault in self.world.faults.list]

    def clear_faults(self, _order):
        self.world.faults.clear()

    def records(self, order):
        return self.crm(order).records_report()

    def requests(self, order):
        numbers = {name: int(order[name]) for name in ("since", "limit") if name in order}
        words = {name: order[name] for name in ("crm", "method", "path", "account") if name in order}
        return self.world.journal.requests_report(**words, **numbers)

    def violations(self, order):
        found = list(self.world.journal.violations)
        for crm in self.world.crms.values():
            found += crm.report_duplicates()
        for name, listener in self.listeners.items():
            if listener.malformed:
                found.append({"crm": name, "rule": "malformed_http", "detail": "%d times" % listener.malformed,
                              "seq": None})
        return [one for one in found if order.get("crm", one["crm"]) == one["crm"]
                and order.get("rule", one["rule"]) == one["rule"]]

    def warnings(self, _order):
        return self.world.journal.warnings

    def stats(self, _order):
        return {**self.world.journal.stats_report(),
                "connections": {name: listener.connections for name, listener in self.listeners.items()},
                "open_connections": {name: len(listener.open) for name, listener in self.listeners.items()}}

    def seed(self, order):
        crm = self.crm(order)
        wanted = order["records"] if "records" in order else [order["record"]]
        ids = [crm.seed(order.get("account"), one) for one in wanted]
        return {"id": ids[0] if ids else None, "ids": ids}

    def agent(self, order):
        return self.crm(order).agent(order)

    def clock(self, order):
        self.world.clock.offset += float(order["advance_seconds"])
        return {"now": self.world.clock.now(), "advanced": self.world.clock.offset}

    def account(self, order):
        return self.crm(order).add_account(order)

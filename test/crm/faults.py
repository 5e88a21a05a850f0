"""Misbehaviour on order: "the third POST /v1.0/leads is stored, and then the connection drops".

A fault either replaces the answer (the request is not applied) or spoils it (the request is applied first).
"""

import json

from http_server import Response

REPLACES = {"status", "close_before", "hang", "redirect", "echo_error", "huge"}
SPOILS = {"close_after_store", "status_after_store", "delay", "truncate", "slow_body", "ok_without_id"}


class Fault:
    def __init__(self, order):
        match = order.get("match", {})
        self.crm = order.get("crm")
        self.method = match.get("method")
        self.path = match.get("path", "")
        self.account = match.get("account")
        self.query_contains = match.get("query_contains", "")
        self.body_contains = match.get("body_contains", "").encode()
        self.skip = int(order.get("after", 0))
        self.times = int(order.get("times", 1))
        self.action = order.get("action", {})
        self.hits = 0
        kind = self.action.get("type")
        if kind not in REPLACES | SPOILS:
            raise ValueError("unknown fault type %r" % kind)
        unknown = set(match) - {"method", "path", "account", "query_contains", "body_contains"}
        if unknown:
            raise ValueError("unknown match key %s" % sorted(unknown))

    def fits(self, crm, request):
        return (self.crm in (None, crm) and self.method in (None, request.method)
                and request.path.startswith(self.path) and self.account in (None, request.account)
                and self.query_contains in request.query and self.body_contains in request.body)

    def applies_request(self):
        return self.action["type"] in SPOILS or bool(self.action.get("store"))

    def answer(self, request, response, trap_url):
        """The response to give: `response` is what the CRM answered, None if it was not asked."""
        return getattr(self, "_" + self.action["type"])(request, response, trap_url)

    def _status(self, _request, _response, _trap):
        body = self.action.get("body", "")
        if not isinstance(body, str):
            body = json.dumps(body)
        return Response(int(self.action.get("status", 503)), body.encode(),
                        self.action.get("content_type", "application/json"), self.action.get("headers"))

    _status_after_store = _status

    def _close_before(self, _request, response, _trap):
        response = response or Response(200)
        response.delivery = "drop"
        return response

    _close_after_store = _close_before

    def _hang(self, _request, response, _trap):
        response = response or Response(200)
        response.delivery = "hang"
        return response

    def _delay(self, _request, response, _trap):
        response.delay += float(self.action.get("ms", 1000)) / 1000
        return response

    def _truncate(self, _request, response, _trap):
        response.delivery = "truncate"
        return response

    def _slow_body(self, _request, response, _trap):
        response.delivery = "drip"
        response.drip_bytes = int(self.action.get("bytes", 16))
        response.drip_seconds = float(self.action.get("ms", 100)) / 1000
        return response

    def _redirect(self, request, _response, trap):
        return Response(int(self.action.get("status", 302)), headers={"Location": trap + request.target})

    def _ok_without_id(self, _request, _response, _trap):
        return Response.json(200, self.action.get("body", {}))

    def _echo_error(self, request, _response, _trap):
        return Response.json(int(self.action.get("status", 400)), {
            "errorMessage": "could not process the request below", "message": "could not process the request below",
            "request": {"method": request.method, "url": request.target, "headers": dict(request.header_list),
                        "body": request.body.decode("utf-8", "replace")}})

    def _huge(self, _request, _response, _trap):
        size = int(self.action.get("bytes", 64 * 1024 * 1024))
        return Response(int(self.action.get("status", 200)), b'{"pad":"' + b"x" * size + b'"}')


class Faults:
    def __init__(self):
        self.list = []

    def add(self, order):
        self.list.append(Fault(order))

    def clear(self):
        self.list = []

    def take(self, crm, request):
        """The first fault that is due for this request, or None; each match is counted."""
        for fault in self.list:
            if fault.times == 0 or not fault.fits(crm, request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.hits += 1
            if fault.times > 0:
                fault.times -= 1
            return fault
        return None

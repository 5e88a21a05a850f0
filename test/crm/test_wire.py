"""Faults, HTTP on the wire and the control port. Run by test_fakes.py."""

import http.client
import socket
import ssl
import time
from email.utils import formatdate
from urllib.parse import quote, urlsplit

from cases import LoftyCase, control, fakes
from client import KEY

FIRST = 9007199254740993


class FaultsAndWire(LoftyCase):
    def test_status_times_after(self):
        self.fault("lofty", {"type": "status", "status": 502, "body": "<html>", "content_type": "text/html",
                             "headers": {"X-A": "b"}}, "GET", "/v1.0/me", times=2, after=1)
        answers = [self.lofty("GET", "/me") for _ in range(4)]
        self.assertEqual([one.status for one in answers], [200, 502, 502, 200])
        self.assertEqual((answers[1].headers["Content-Type"], answers[1].headers["X-A"]), ("text/html", "b"))

    def test_close_before_and_after(self):
        for kind, stored in (("close_before", 0), ("close_after_store", 1)):
            self.fault("lofty", {"type": kind}, "POST")
            with self.assertRaises((http.client.HTTPException, OSError)):
                self.create()
            self.assertEqual(len(control("GET", "/records?crm=lofty")), stored)

    def test_after_store(self):
        self.fault("lofty", {"type": "status_after_store", "status": 500}, "POST")
        self.assertEqual(self.lofty("POST", "/leads", self.lead()).status, 500)
        self.fault("lofty", {"type": "ok_without_id"}, "POST")
        answer = self.lofty("POST", "/leads", self.lead(phones=["8015550103"]))
        self.assertEqual((answer.status, answer.json()), (200, {}))
        self.assertEqual(len(control("GET", "/records?crm=lofty")), 2)

    def test_truncate_drip_delay_redirect_echo(self):
        self.fault("lofty", {"type": "truncate"})
        with self.assertRaises(http.client.IncompleteRead):
            self.lofty("GET", "/me")
        self.fault("lofty", {"type": "slow_body", "bytes": 64, "ms": 20})
        self.assertEqual(self.lofty("GET", "/me").json()["id"], 113300)
        self.fault("lofty", {"type": "delay", "ms": 200})
        start = time.time()
        self.lofty("GET", "/me")
        self.assertGreater(time.time() - start, 0.2)
        self.fault("lofty", {"type": "redirect"})
        answer = self.lofty("GET", "/me")
        self.assertEqual((answer.status, urlsplit(answer.headers["Location"]).port), (302, fakes.ports["trap"]))
        self.fault("lofty", {"type": "echo_error"})
        self.assertIn(KEY.encode(), self.lofty("GET", "/me").raw)

    def test_hang(self):
        self.fault("lofty", {"type": "hang"})
        connection = http.client.HTTPSConnection("localhost", fakes.ports["lofty"], timeout=0.3, context=fakes.tls)
        connection.request("GET", "/v1.0/me", headers={"User-Agent": "t/1"})
        with self.assertRaises(socket.timeout):
            connection.getresponse()
        connection.close()

    def test_scripted_429_is_a_wait(self):
        self.fault("lofty", {"type": "status", "status": 429, "headers": {"Retry-After": "5"}})
        self.lofty("GET", "/me")
        control("POST", "/clock", {"advance_seconds": 4.5})
        self.lofty("GET", "/me")
        self.assertRules("called_while_waiting")
        control("POST", "/reset", {"only": ["violations"]})
        control("POST", "/clock", {"advance_seconds": 1})
        self.lofty("GET", "/me")
        self.assertRules()

    def test_scripted_429_with_a_date(self):
        for skew, date, wait, early in ((0, 5, 5, 3.9), (-60, -55, 5, 3.9), (0, -5, 1, 0.5)):
            control("POST", "/reset", {"only": ["violations", "clock", "rates"]})
            self.knob("lofty", "date_skew_seconds", skew)
            self.fault("lofty", {"type": "status", "status": 429, "headers": {
                "Retry-After": formatdate(time.time() + date, usegmt=True)}})
            self.lofty("GET", "/me")
            control("POST", "/clock", {"advance_seconds": wait + 0.1})
            self.lofty("GET", "/me")
            self.assertRules()
            control("POST", "/clock", {"advance_seconds": early - wait - 0.1})
            self.lofty("GET", "/me")
            self.assertRules("called_while_waiting")

    def test_chunked_both_ways(self):
        self.knob("lofty", "chunked", True)
        body = iter([b'{"firstName":"Cy","phones":["8015550102"],', b'"welcomeEmail":false,"leadAlert":false}'])
        answer = fakes.call("lofty", "POST", "/v1.0/leads", body, {
            "Authorization": "token " + KEY, "Content-Type": "application/json", "User-Agent": "t/1"})
        self.assertEqual((answer.headers["Transfer-Encoding"], answer.json()["leadId"]), ("chunked", FIRST))

    def test_expect_continue(self):
        with fakes.tls.wrap_socket(socket.create_connection(("127.0.0.1", fakes.ports["lofty"])),
                                   server_hostname="localhost") as wire:
            wire.sendall(b"POST /v1.0/leads HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            self.assertTrue(wire.recv(100).startswith(b"HTTP/1.1 100 "))
            wire.sendall(b"{}")
            self.assertTrue(wire.recv(1000).startswith(b"HTTP/1.1 401 "))
        self.assertIn("expect_continue", self.rules())

    def test_requests_per_connection(self):
        self.knob("lofty", "requests_per_connection", 1)
        self.assertEqual(self.lofty("GET", "/me").status, 200)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.lofty("GET", "/me")

    def test_traps(self):
        for name, rule in (("trap", "trap_contacted"), ("plain", "plain_http_spoken")):
            fakes.call(name, "GET", "/", headers={"Authorization": "x"})
            self.assertIn(rule, self.rules())
        for name in ("expired", "wrong_name", "untrusted"):
            with self.assertRaises(ssl.SSLCertVerificationError):
                fakes.call(name, "GET", "/")


class ControlCalls(LoftyCase):
    def test_mistakes_are_said(self):
        for method, target, order in (
                ("POST", "/knob", {"crm": "lofty", "name": "no_such", "value": 1}),
                ("POST", "/knob", {"crm": "lofty", "name": "none_mode", "value": "odd"}),
                ("POST", "/fault", {"crm": "lofty", "action": {"type": "odd"}}),
                ("POST", "/reset", {"only": ["odd"]}), ("GET", "/records", None),
                ("POST", "/seed", {"crm": "lofty", "record": {"phone": "1"}}),
                ("POST", "/seed", {"crm": "fub", "record": {"phone": "1"}}),
                ("POST", "/seed", {"crm": "fub_app", "record": {}}), ("POST", "/account", {"crm": "fub_app"})):
            with self.assertRaises(ValueError):
                control(method, target, order)

    def test_requests_and_stats(self):
        self.create()
        self.lofty("GET", "/leads/%d" % FIRST)
        requests = control("GET", "/requests?crm=lofty&method=POST")
        self.assertEqual((requests[0]["body"]["phones"], requests[0]["status"], requests[0]["account"],
                          requests[0]["credential"]), (["8015550102"], 200, "113300", KEY))
        self.assertIn({"crm": "lofty", "method": "GET", "path": "/v1.0/leads/{id}", "status": 200, "count": 1},
                      control("GET", "/stats")["requests"])
        self.assertEqual(control("GET", "/requests?since=%d" % requests[0]["seq"])[0]["path"], "/v1.0/leads/%d" % FIRST)

    def test_partial_reset(self):
        self.create()
        control("POST", "/reset", {"only": ["requests", "knobs"]})
        self.assertEqual((control("GET", "/requests"), len(control("GET", "/records?crm=lofty"))), ([], 1))

    def test_accounts_and_agent_edits(self):
        made = control("POST", "/account", {"crm": "lofty", "key": "eyJ.three", "user": {"firstName": "Zed"}})
        self.assertEqual(self.lofty("GET", "/me", key="eyJ.three").json()["firstName"], "Zed")
        self.assertEqual(str(self.lofty("GET", "/me", key="eyJ.three").json()["id"]), made["account"])
        id = control("POST", "/seed", {"crm": "lofty", "account": made["account"], "record": {"firstName": "A"}})["id"]
        control("POST", "/seed", {"crm": "lofty", "account": made["account"], "record": {"leadId": id, "tags": ["T"]}})
        self.assertEqual((self.record(id)["firstName"], self.record(id)["tags"]), ("A", ["T"]))
        control("POST", "/agent", {"crm": "lofty", "account": made["account"], "id": id, "action": "trash"})
        self.assertEqual(self.lofty("GET", "/leads/%d" % id, key="eyJ.three").status, 404)

    def test_utf8_names_survive(self):
        id = self.create(firstName="Zoë 😀", lastName="Łukasz")
        self.assertEqual(self.lofty("GET", "/leads/%d" % id).json()["lead"]["firstName"], "Zoë 😀")
        self.assertEqual(self.lofty("GET", "/leads?key=" + quote("zoë")).json()["_metadata"]["total"], 1)

"""Is the fake APP host of Follow Up Boss as the reference says (section 2, G1)? Run by test_fakes.py."""

import base64
import concurrent.futures
import http.client
from urllib.parse import parse_qs, urlencode, urlsplit

from cases import FubCase, control, fakes

REDIRECT = "https://cb.example/fub"


class OAuth(FubCase):
    def authorize(self, **change):
        query = {"response_type": "auth_code", "client_id": "C1", "redirect_uri": REDIRECT, "state": "s1", **change}
        answer = fakes.call("fub_app", "GET", "/oauth/authorize?" + urlencode(query))
        if answer.status != 302:
            return answer
        self.assertTrue(answer.headers["Location"].startswith(REDIRECT + "?response="))
        return {key: value[0] for key, value in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    def token(self, secret="S1", content_type="application/x-www-form-urlencoded", **form):
        basic = base64.b64encode(("C1:" + secret).encode()).decode()
        return fakes.call("fub_app", "POST", "/oauth/token", urlencode(form), {
            "Authorization": "Basic " + basic, "Content-Type": content_type, "User-Agent": "t/1"})

    def exchange(self, code, **change):
        return self.token(**{"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT,
                             "state": "s1", **change})

    def connect(self):
        answer = self.exchange(self.authorize()["code"])
        self.assertEqual(answer.status, 200, answer.raw)
        return answer.json()

    def refresh(self, token):
        return self.token(grant_type="refresh_token", refresh_token=token)

    def identity(self, token):
        return self.fub("GET", "/identity", Authorization="Bearer " + token).status

    def test_the_whole_way(self):
        tokens = self.connect()
        self.assertGreater(min(len(tokens["access_token"]), len(tokens["refresh_token"])), 300)
        self.assertEqual((tokens["token_type"], tokens["expires_in"]), ("Bearer", 3600))
        self.assertEqual(control("GET", "/records?crm=fub_app")[0]["refresh_token"], tokens["refresh_token"])
        self.assertEqual(self.identity(tokens["access_token"]), 200)
        control("POST", "/clock", {"advance_seconds": 3601})
        self.assertEqual(self.identity(tokens["access_token"]), 401)
        fresh = self.refresh(tokens["refresh_token"]).json()
        self.assertNotEqual(fresh["refresh_token"], tokens["refresh_token"])
        self.assertEqual(self.identity(fresh["access_token"]), 200)
        self.assertRules()
        self.assertEqual(self.refresh(tokens["refresh_token"]).json()["error"], "invalid_grant")
        self.assertRules("refresh_token_spent_twice")

    def test_token_by_basic(self):
        self.assertEqual(self.fub("GET", "/identity", key=self.connect()["access_token"]).status, 401)
        self.assertRules("wrong_auth_scheme")

    def test_denied(self):
        self.knob("fub_app", "deny", True)
        self.assertEqual(self.authorize(), {"response": "denied", "state": "s1"})

    def test_bad_authorize(self):
        for change in ({"response_type": "code"}, {"client_id": "C2"}, {"redirect_uri": "https://evil.example"}):
            answer = self.authorize(**change)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (400, "text/html"))
        self.knob("fub_app", "redirect_uris", [REDIRECT + "/two"])
        fakes.call("fub_app", "GET", "/oauth/authorize?scope=x")
        self.assertRules("bad_authorize", "unknown_query_key")

    def test_exchange_refusals(self):
        code = self.authorize()["code"]
        for wrong, error in (({"secret": "no"}, "invalid_client"), ({"client_secret": "S1"}, "invalid_client"),
                             ({"content_type": "application/json"}, "invalid_request"),
                             ({"state": ""}, "invalid_request"), ({"state": "s2"}, "invalid_grant"),
                             ({"grant_type": "auth_code"}, "unsupported_grant_type"),
                             ({"redirect_uri": REDIRECT + "/"}, "invalid_grant")):
            answer = self.exchange(code, **wrong)
            self.assertEqual((answer.status, answer.json()["error"]), (400, error), wrong)
        self.assertEqual(self.exchange(code).status, 200)
        self.assertEqual(self.exchange(code).json()["error"], "invalid_grant")
        late = self.authorize()["code"]
        control("POST", "/clock", {"advance_seconds": 901})
        self.assertEqual(self.exchange(late).json()["error"], "invalid_grant")

    def test_refresh_modes(self):
        tokens = self.connect()
        control("POST", "/clock", {"advance_seconds": 3600})
        self.knob("fub_app", "refresh_mode", "same")
        self.assertEqual(self.refresh(tokens["refresh_token"]).json()["refresh_token"], tokens["refresh_token"])
        control("POST", "/clock", {"advance_seconds": 3600})
        self.knob("fub_app", "refresh_mode", "omit")
        self.assertNotIn("refresh_token", self.refresh(tokens["refresh_token"]).json())
        self.assertRules()

    def test_needless_refresh(self):
        self.refresh(self.connect()["refresh_token"])
        self.assertRules("needless_refresh")

    def test_refresh_after_a_401_is_needed(self):
        tokens = self.connect()
        self.fault("fub", {"type": "status", "status": 401})
        self.assertEqual(self.identity(tokens["access_token"]), 401)
        self.assertEqual(self.refresh(tokens["refresh_token"]).status, 200)
        self.assertRules()

    def test_concurrent_refresh(self):
        self.knob("fub_app", "latency_ms", 200)
        token = self.connect()["refresh_token"]
        control("POST", "/clock", {"advance_seconds": 3600})
        form = urlencode({"grant_type": "refresh_token", "refresh_token": token})
        headers = {"Authorization": "Basic " + base64.b64encode(b"C1:S1").decode(), "User-Agent": "t/1",
                   "Content-Type": "application/x-www-form-urlencoded"}

        def one(_):
            connection = fakes.connect("fub_app")
            connection.request("POST", "/oauth/token", form, headers)
            connection.getresponse().read()
            connection.close()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(one, range(2)))
        self.assertRules("concurrent_refresh", "refresh_token_spent_twice")

    def test_lost_refresh_reply_is_not_the_clients_fault(self):
        token = self.connect()["refresh_token"]
        control("POST", "/clock", {"advance_seconds": 3600})
        self.fault("fub_app", {"type": "close_after_store"}, path="/oauth/token")
        with self.assertRaises(http.client.HTTPException):
            self.refresh(token)
        self.assertEqual(self.refresh(token).json()["error"], "invalid_grant")
        self.assertRules()

    def test_death(self):
        tokens = self.connect()
        self.knob("fub_app", "account_gone", True)
        self.assertEqual(self.refresh(tokens["refresh_token"]).status, 404)
        self.knob("fub_app", "account_gone", False)
        self.knob("fub_app", "token_outage", True)
        self.assertEqual(self.refresh(tokens["refresh_token"]).json(), {"error": "server_error"})
        self.knob("fub_app", "token_outage", False)
        control("POST", "/clock", {"advance_seconds": 91 * 86400})
        self.assertEqual(self.refresh(tokens["refresh_token"]).status, 401)
        other = self.connect()
        control("POST", "/agent", {"crm": "fub", "action": "revoke_app"})
        self.assertEqual(self.identity(other["access_token"]), 401)
        self.assertEqual(self.refresh(other["refresh_token"]).json()["error"], "invalid_grant")

    def test_unescaped_token(self):
        self.token(grant_type="refresh_token", refresh_token="nonsense")
        self.assertRules("bad_refresh")

"""What the tests of the fakes share: one running set of fakes, reset before each test, and ways to speak to them."""

import atexit
import base64
import json
import unittest
from urllib.parse import quote

from client import FUB_KEY, KEY, KVCORE_KEY, Fakes

fakes = Fakes()
atexit.register(fakes.stop)
control = fakes.control


class Case(unittest.TestCase):
    def setUp(self):
        control("POST", "/reset", {})

    def knob(self, crm, name, value):
        control("POST", "/knob", {"crm": crm, "name": name, "value": value})

    def fault(self, crm, action, method=None, path="", times=1, after=0):
        match = {"path": path, **({"method": method} if method else {})}
        control("POST", "/fault", {"crm": crm, "match": match, "times": times, "after": after, "action": action})

    def rules(self):
        return sorted({one["rule"] for one in control("GET", "/violations")})

    def assertRules(self, *wanted):
        self.assertEqual(self.rules(), sorted(wanted), control("GET", "/violations"))


class LoftyCase(Case):
    """Lofty with its limit out of the way."""

    def setUp(self):
        super().setUp()
        self.knob("lofty", "rate_limits_off", True)

    def lofty(self, method, target, body=None, key=KEY, scheme="token", **extra):
        headers = {"Authorization": "%s %s" % (scheme, key), "Content-Type": "application/json", "User-Agent": "t/1"}
        headers.update({name.replace("_", "-"): value for name, value in extra.items()})
        headers = {name: value for name, value in headers.items() if value is not None}
        return fakes.call("lofty", method, "/v1.0" + target, None if body is None else json.dumps(body), headers)

    def lead(self, **more):
        return {"firstName": "Cy", "phones": ["8015550102"], "tagsAdd": ["Echo Safe"], "source": "Echo Safe",
                "welcomeEmail": False, "leadAlert": False, **more}

    def create(self, **more):
        answer = self.lofty("POST", "/leads", self.lead(**more))
        self.assertEqual(answer.status, 200, answer.raw)
        return answer.json()["leadId"]

    def found(self, phone, key=KEY):
        return self.lofty("GET", "/leads?phone=%s&preciseSearchFlag=true&limit=5" % phone, key=key).json()["leads"]

    def record(self, id):
        return [one for one in control("GET", "/records?crm=lofty") if one["leadId"] == id][0]

    def assertRefused(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.raw)
        self.assertIn(str(code), answer.raw.decode())


class FubCase(Case):
    def setUp(self):
        super().setUp()
        self.knob("fub", "rate_limits_off", True)

    def headers(self, key=FUB_KEY, **extra):
        basic = base64.b64encode((key + ":").encode()).decode()
        headers = {"Authorization": "Basic " + basic, "Content-Type": "application/json", "User-Agent": "t/1",
                   "X-System": "EchoSafe", "X-System-Key": "sk_echosafe"}
        headers.update({name.replace("_", "-"): value for name, value in extra.items()})
        return {name: value for name, value in headers.items() if value is not None}

    def fub(self, method, target, body=None, key=FUB_KEY, **extra):
        return fakes.call("fub", method, "/v1" + target, None if body is None else json.dumps(body),
                          self.headers(key, **extra))

    def person(self, **more):
        return {"firstName": "Lee", "lastName": "Oak", "phones": [{"value": "8015550142"}], "source": "Echo Safe",
                **more}

    def create(self, **more):
        return self.fub("POST", "/people?deduplicate=true", self.person(**more))

    def seed(self, **record):
        return control("POST", "/seed", {"crm": "fub", "record": {
            "firstName": "Dana", "lastName": "Holt", "phones": ["(801) 555-0142", "801-555-0177"],
            "emails": ["dana@example.com"], "tags": ["VIP"], **record}})["id"]

    def found(self, query):
        return self.fub("GET", "/people?" + query).json()["people"]

    def record(self, id):
        return [one for one in control("GET", "/records?crm=fub") if one["id"] == id][0]


class KvCoreCase(Case):
    """kvCORE with its limit out of the way."""

    def setUp(self):
        super().setUp()
        self.knob("kvcore", "rate_limits_off", True)

    def kvcore(self, method, target, body=None, key=KVCORE_KEY, scheme="Bearer", **extra):
        headers = {"Authorization": "%s %s" % (scheme, key), "Content-Type": "application/json", "User-Agent": "t/1"}
        headers.update({name.replace("_", "-"): value for name, value in extra.items()})
        headers = {name: value for name, value in headers.items() if value is not None}
        return fakes.call("kvcore", method, "/v2/public" + target, None if body is None else json.dumps(body), headers)

    def contact(self, **more):
        return {"first_name": "Cy", "last_name": "Oak", "email": "cy@example.test", "cell_phone_1": "8015550102",
                "email_optin": 0, "text_on": 0, **more}

    def create(self, **more):
        answer = self.kvcore("POST", "/contact", self.contact(**more))
        self.assertEqual(answer.status, 201, answer.raw)
        return answer.json()["id"]

    def seed(self, **record):
        return control("POST", "/seed", {"crm": "kvcore", "record": {
            "first_name": "Dana", "last_name": "Holt", "email": "dana@example.test", "cell_phone_1": "(801) 555-0142",
            "tags": ["vip"], **record}})["id"]

    def found(self, email, more=""):
        return self.kvcore("GET", "/contacts?filter%5Bemail%5D=" + quote(email, safe="") + more).json()

    def record(self, id):
        return [one for one in control("GET", "/records?crm=kvcore") if one["id"] == id][0]

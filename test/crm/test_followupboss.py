"""Is the fake API host of Follow Up Boss as the reference says, and does it see each breach? Run by test_fakes.py."""

from cases import FubCase, control, fakes
from client import FUB_KEY, FUB_KEY2


class FubWayIn(FubCase):
    def test_credentials(self):
        answer = self.fub("GET", "/identity", Authorization=None)
        self.assertEqual((answer.status, answer.json()), (401, {"errorMessage": "authentication needed"}))
        self.assertEqual(answer.headers["WWW-Authenticate"], 'Basic realm="Follow Up Boss API"')
        self.assertIsNone(answer.headers["X-RateLimit-Limit"])
        self.assertEqual(self.fub("GET", "/identity", key="fka_no").status, 401)
        self.assertEqual(self.fub("GET", "/identity", Authorization="Bearer " + FUB_KEY).status, 401)
        self.assertRules("missing_authorization", "wrong_auth_scheme")

    def test_identity_and_headers(self):
        answer = self.fub("GET", "/identity")
        self.assertEqual(answer.json()["account"]["id"], 777001)
        self.assertEqual((answer.headers["FUB-Account-ID"], answer.headers["X-RateLimit-Context"]),
                         ("777001", "global"))
        self.assertEqual(self.fub("GET", "/identity", key=FUB_KEY2).json()["account"]["id"], 777002)
        self.assertRules()

    def test_me_is_a_trap(self):
        self.assertIn("CANARY", self.fub("GET", "/me").json()["apiKey"])
        self.assertRules("called_me")

    def test_system_headers(self):
        self.knob("fub", "rate_limits_off", False)
        self.assertEqual(self.fub("GET", "/identity").headers["X-RateLimit-Limit"], "250")
        unregistered = self.fub("GET", "/identity", X_System=None, X_System_Key=None)
        self.assertEqual(unregistered.headers["X-RateLimit-Limit"], "125")
        self.assertRules()
        self.assertEqual(self.fub("GET", "/identity", X_System_Key="").headers["X-RateLimit-Limit"], "125")
        self.assertRules("bad_system_headers")

    def test_routes_and_types(self):
        self.assertEqual(self.fub("POST", "/people/501/notes", {}).status, 404)
        self.assertEqual(self.fub("POST", "/oauth/token", {}).status, 404)
        self.assertEqual(self.fub("POST", "/notes", {}, Content_Type="text/plain").status, 400)
        self.assertRules("missing_content_type", "unknown_route")

    def test_locked(self):
        self.knob("fub", "locked", True)
        self.assertEqual(self.fub("GET", "/identity").status, 403)
        event = {"source": "Echo Safe", "system": "EchoSafe", "type": "Registration", "person": self.person()}
        self.assertEqual(self.fub("POST", "/events", event).status, 201)


class FubSearch(FubCase):
    def test_shape(self):
        id = self.seed()
        answer = self.fub("GET", "/people?phone=8015550142&includeTrash=true&fields=allFields")
        person = answer.json()["people"][0]
        self.assertEqual((person["id"], person["contacted"], person["customEchoSafeRiskScore"]), (id, 0, None))
        self.assertEqual([phone["isPrimary"] for phone in person["phones"]], [1, 0])
        self.assertNotIn("customEchoSafeRiskScore", self.found("phone=8015550142")[0])

    def test_total_and_next_vary(self):
        totals = {type(self.fub("GET", "/people").json()["_metadata"]["total"]) for _ in range(2)}
        self.assertEqual(totals, {int, str})
        self.knob("fub", "total_as_string", True)
        self.knob("fub", "next_null", True)
        meta = self.fub("GET", "/people").json()["_metadata"]
        self.assertEqual((meta["total"], meta["next"]), ("0", None))

    def test_phone_match(self):
        self.seed()
        for mode, digits, plus in (("digits", 1, 0), ("plus1_only", 0, 1), ("both", 1, 1)):
            self.knob("fub", "phone_match", mode)
            self.assertEqual((len(self.found("phone=8015550142")), len(self.found("phone=%2B18015550142"))),
                             (digits, plus), mode)
        self.assertEqual(self.found("phone=(801)%20555-0142"), [])
        self.assertRules()
        self.assertEqual(self.found("phone=+18015550142"), [])
        self.assertRules("unescaped_plus")

    def test_trash_fuzzy_two(self):
        control("POST", "/agent", {"crm": "fub", "id": self.seed(), "action": "trash"})
        self.assertEqual(self.found("phone=8015550142"), [])
        self.assertEqual(len(self.found("phone=8015550142&includeTrash=true")), 1)
        self.knob("fub", "fuzzy", True)
        self.assertEqual(len(self.found("phone=8015550142&includeTrash=true")), 2)
        self.knob("fub", "fuzzy", False)
        self.knob("fub", "two", True)
        self.assertEqual(len(self.found("phone=8015550142&includeTrash=true")), 2)
        self.assertRules()

    def test_check_duplicate_sees_more(self):
        self.knob("fub", "invisible", ["8015550199"])
        self.seed(phones=["8015550199"])
        self.assertEqual(self.found("phone=8015550199"), [])
        self.assertEqual(self.fub("GET", "/people/checkDuplicate?phone=8015550199").json(),
                         {"found": True, "matchedBy": "phone", "assignedTo": "Pat Agent"})
        self.assertEqual(self.fub("GET", "/people/checkDuplicate?phone=8015550100").json(), {"found": False})
        self.assertEqual(self.fub("GET", "/people/checkDuplicate").status, 400)
        self.create(phones=[{"value": "8015550199"}])
        self.assertRules("created_invisible_duplicate", "duplicate")

    def test_paging_by_next(self):
        control("POST", "/seed", {"crm": "fub", "records": [{"firstName": "P%d" % n} for n in range(150)]})
        first = self.fub("GET", "/people?limit=100").json()
        rest = self.fub("GET", "/people?limit=100&next=" + first["_metadata"]["next"]).json()
        self.assertEqual((len(first["people"]), len(rest["people"])), (100, 50))
        self.assertIn(":%d/" % fakes.ports["trap"], first["_metadata"]["nextLink"])
        self.assertEqual(first["people"][0]["firstName"], "P149")

    def test_limits_and_unknown_parameters(self):
        self.assertEqual(self.fub("GET", "/people?limit=101").status, 400)
        self.assertEqual(self.fub("GET", "/people?phone_number=1").status, 400)
        self.assertEqual(self.fub("GET", "/people?offset=5000").status, 400)
        self.assertRules("limit_out_of_range", "unknown_query_key")


class FubWrites(FubCase):
    def test_create(self):
        answer = self.create(customEchoSafeRiskScore=7, customEchoSafeStatus="Clean")
        self.assertEqual((answer.status, answer.json()["id"], answer.json()["customEchoSafeRiskScore"]), (201, 501, 7))
        again = self.create(tags=["new"])
        self.assertEqual((again.status, again.json()["id"], again.json()["tags"]), (200, 501, []))
        self.assertRules()

    def test_create_without_deduplicate(self):
        for _ in range(2):
            self.assertEqual(self.fub("POST", "/people", self.person()).status, 201)
        self.assertRules("create_without_deduplicate", "duplicate")

    def test_strict_and_lenient(self):
        for wrong in ({"deduplicate": True}, {"customFields": {}}, {"customechosaferiskscore": 7}, {"phones": "801"},
                      {"customEchoSafeRiskScore": "7"}, {"customEchoSafeStatus": "Other"}, {"tags": [{"name": "x"}]},
                      {"addresses": [{"code": 84601}]}):
            self.assertEqual(self.create(**wrong).status, 400, wrong)
        self.assertRules("unknown_key", "wrong_type")
        self.knob("fub", "strict", False)
        self.assertEqual(self.create(customFields={"x": 1}).status, 201)

    def test_put_keeps_what_is_not_named(self):
        id = self.seed()
        answer = self.fub("PUT", "/people/%d?mergeTags=true" % id, {
            "tags": ["Echo Safe"], "customEchoSafeRiskScore": 7})
        self.assertEqual(answer.headers["X-RateLimit-Context"], "PUT.people")
        self.assertEqual((answer.json()["tags"], len(answer.json()["phones"])), (["VIP", "Echo Safe"], 2))
        self.assertRules()

    def test_put_breaches(self):
        id = self.seed()
        answer = self.fub("PUT", "/people/%d" % id, {"tags": ["A"], "phones": [{"value": "8015550142"}], "emails": [],
                                                     "source": "S"})
        self.assertEqual((answer.json()["tags"], len(answer.json()["phones"])), (["A"], 1))
        self.assertNotEqual(answer.json()["source"], "S")
        self.assertRules("drops_emails", "drops_phones", "put_source", "put_tags_without_merge")

    def test_put_appends_a_phone(self):
        id = self.seed()
        phones = self.fub("GET", "/people/%d" % id).json()["phones"]
        self.fub("PUT", "/people/%d" % id, {"phones": phones + [{"value": "8015550188"}]})
        self.assertEqual(len(self.record(id)["phones"]), 3)
        self.assertRules()

    def test_gone(self):
        id = self.seed()
        control("POST", "/agent", {"crm": "fub", "id": id, "action": "delete"})
        self.assertEqual(self.fub("GET", "/people/%d" % id).status, 404)
        self.assertEqual(self.fub("PUT", "/people/%d" % id, {}).json(), {"errorMessage": "no such record"})

    def test_lag_and_note_delay(self):
        self.knob("fub", "index_lag_seconds", 30)
        self.knob("fub", "note_visibility_delay_seconds", 60)
        id = self.create().json()["id"]
        self.assertEqual(self.found("phone=8015550142"), [])
        note = {"personId": id, "subject": "Echo Safe", "body": "clean", "isHtml": False}
        self.assertEqual(self.fub("POST", "/notes", note).status, 404)
        control("POST", "/clock", {"advance_seconds": 61})
        self.assertEqual(len(self.found("phone=8015550142")), 1)
        answer = self.fub("POST", "/notes", note)
        self.assertEqual((answer.status, answer.json()["id"], answer.json()["personId"]), (201, 9001, id))
        self.assertRules()
        self.fub("POST", "/notes", note)
        self.assertRules("same_note_twice")
        self.assertEqual(len(self.fub("GET", "/notes?personId=%d" % id).json()["notes"]), 2)

    def test_note_refusals(self):
        self.assertEqual(self.fub("POST", "/notes", {"body": "x"}).status, 400)
        self.assertEqual(self.fub("POST", "/notes", {"personId": 1, "body": "x"}).status, 404)

    def test_custom_fields(self):
        answer = self.fub("GET", "/customFields?limit=100").json()
        self.assertEqual(answer["_metadata"]["collection"], "customfields")
        self.assertEqual(answer["customfields"][0]["name"], "customEchoSafeRiskScore")
        self.assertEqual(self.fub("POST", "/customFields", {"label": "x"}).status, 403)


class FubEvents(FubCase):
    def event(self, **person):
        return self.fub("POST", "/events", {"source": "Echo Safe", "system": "EchoSafe", "type": "Registration",
                                            "person": person})

    def test_new_known_forced(self):
        lee = {"firstName": "Lee", "lastName": "Oak", "phones": [{"value": "8015550123"}]}
        first = self.event(**lee)
        self.assertEqual((first.status, first.headers["X-RateLimit-Context"]), (201, "POST.events"))
        id = first.json()["id"]
        again = self.event(**lee, tags=["x"])
        self.assertEqual((again.status, again.json()["id"]), (200, id))
        self.assertEqual(self.event(id=id, firstName="Other").status, 200)
        self.assertEqual(self.event(id=99, firstName="Other").status, 404)
        self.assertRules()
        self.assertEqual(self.event(**{**lee, "firstName": "Other"}).status, 201)
        self.assertRules("duplicate")

    def test_archived_source_and_bad_type(self):
        self.knob("fub", "archived_sources", ["Echo Safe"])
        answer = self.event(**self.person())
        self.assertEqual((answer.status, answer.raw), (204, b""))
        self.assertEqual(self.fub("POST", "/events", {"type": "Nonsense", "person": self.person()}).status, 400)

    def test_same_event_twice(self):
        first = self.event(**self.person())
        self.event(**self.person(tags=["Other"]))
        self.assertRules()
        self.event(**self.person(id=first.json()["id"]))
        self.assertRules("same_event_twice")

    def test_same_message_twice(self):
        event = {"source": "Echo Safe", "system": "EchoSafe", "type": "Registration", "person": self.person()}
        id = self.fub("POST", "/events", {**event, "message": "Hello"}).json()["id"]
        self.fub("POST", "/events", {**event, "message": "Good-bye"})
        self.assertRules()
        self.fub("POST", "/events", {**event, "message": "Hello", "person": {"id": id, "tags": ["Other"]}})
        self.assertRules("same_event_twice")


class FubLimits(FubCase):
    def setUp(self):
        super().setUp()
        self.knob("fub", "rate_limits_off", False)

    def test_contexts_do_not_drain_each_other(self):
        id = self.seed()
        for at in range(10):
            self.assertEqual(self.fub("POST", "/notes", {"personId": id, "body": str(at)}).status, 201)
        answer = self.fub("POST", "/notes", {"personId": id, "body": "11"})
        self.assertEqual((answer.status, answer.headers["X-RateLimit-Remaining"], answer.raw), (429, "0", b"{}"))
        wait = int(answer.headers["Retry-After"])
        self.assertTrue(1 <= wait <= 10)
        self.assertEqual(len(self.record(id)["notes"]), 10)
        self.assertRules()
        self.assertEqual(self.fub("GET", "/identity").status, 200)
        self.assertRules("called_while_waiting")
        control("POST", "/reset", {"only": ["violations"]})
        control("POST", "/clock", {"advance_seconds": wait})
        self.assertEqual(self.fub("POST", "/notes", {"personId": id, "body": "11"}).status, 201)
        self.assertRules()

    def test_capacity(self):
        self.knob("fub", "capacity_429_every", 2)
        self.fub("GET", "/identity")
        answer = self.fub("GET", "/identity")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "3"))
        self.assertGreater(int(answer.headers["X-RateLimit-Remaining"]), 0)

    def test_put_limit(self):
        id = self.seed()
        statuses = [self.fub("PUT", "/people/%d" % id, {"customEchoSafeRiskScore": n}).status for n in range(26)]
        self.assertEqual(statuses, [200] * 25 + [429])

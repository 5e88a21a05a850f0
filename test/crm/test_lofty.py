"""Is the fake Lofty as the reference says (F1-F40), and does it see each breach? Run by test_fakes.py."""

import time

from cases import LoftyCase, control, fakes
from client import KEY, KEY2

FIRST = 9007199254740993


class LoftyWayIn(LoftyCase):
    def test_wrong_scheme(self):
        self.assertRefused(self.lofty("GET", "/me", scheme="Bearer"), 400, 200058)
        self.assertRules("wrong_auth_scheme")

    def test_unknown_and_expired_key(self):
        self.assertEqual(self.lofty("GET", "/me", key="nope").json(), "Bad credentials")
        control("POST", "/account", {"crm": "lofty", "key": "eyJ.new", "expired": True})
        self.knob("lofty", "unauthorized_mode", "200058")
        self.assertRefused(self.lofty("GET", "/me", key="eyJ.new"), 400, 200058)
        self.knob("lofty", "unauthorized_mode", "object")
        self.assertEqual(self.lofty("GET", "/me", key="nope").status, 401)
        self.assertRules()

    def test_content_type_on_every_method(self):
        self.assertRefused(self.lofty("POST", "/leads", self.lead(), Content_Type=None), 400, 20001)
        self.assertEqual(self.lofty("GET", "/teamFeatures/listCustomField", Content_Type=None).status, 415)
        self.assertEqual(self.lofty("GET", "/me", Content_Type=None).status, 200)
        self.assertRules("missing_content_type")
        self.assertEqual(len(control("GET", "/violations")), 3)

    def test_wrong_path_has_no_code(self):
        self.assertEqual(set(self.lofty("GET", "/account").json()), {"message"})
        self.assertEqual(self.lofty("POST", "/leads/1/notes", {}).status, 404)
        self.assertRules("unknown_route")

    def test_me(self):
        self.assertEqual(self.lofty("GET", "/me").json()["id"], 113300)
        self.knob("lofty", "me_mode", "string")
        self.assertEqual(self.lofty("GET", "/me").json(), "try later")

    def test_manners(self):
        self.lofty("GET", "/leads?key=" + KEY, User_Agent="")
        self.assertRules("missing_user_agent", "secret_in_url")


class LoftySearch(LoftyCase):
    def setUp(self):
        super().setUp()
        control("POST", "/seed", {"crm": "lofty", "record": {
            "firstName": "Bea", "phones": ["+1 (801) 555-0101"], "emails": ["bea@example.test"], "tags": ["VIP"]}})

    def test_hit_with_exact_id(self):
        answer = self.lofty("GET", "/leads?phone=8015550101&preciseSearchFlag=true&limit=5")
        self.assertIn(b'"leadId":9007199254740993', answer.raw)
        lead = answer.json()["leads"][0]
        self.assertEqual((lead["tags"][0]["tagId"], lead["tags"][0]["tagName"]), (71, "VIP"))
        self.assertEqual(answer.json()["_metadata"]["total"], 1)

    def test_only_ten_digits_find(self):
        for form in ("%2B18015550101", "18015550101", "(801)%20555-0101"):
            self.assertEqual(self.found(form), [])
        self.assertEqual(len(self.found("8015550101")), 1)

    def test_email_is_folded_and_escaped(self):
        self.assertEqual(self.lofty("GET", "/leads?email=bea%40example.test").json()["_metadata"]["total"], 1)
        self.assertEqual(self.lofty("GET", "/leads?email=BEA%40example.test").json()["_metadata"]["total"], 0)
        self.lofty("GET", "/leads?email=a+b%40example.test")
        self.assertRules("unescaped_plus")

    def test_unknown_key_gives_the_whole_book(self):
        leads = self.lofty("GET", "/leads?phone_number=8019999999").json()["leads"]
        self.assertEqual(leads[0]["firstName"], "Bea")
        self.assertRules("unknown_query_key")

    def test_limit(self):
        for limit in ("0", "101"):
            self.assertRefused(self.lofty("GET", "/leads?limit=" + limit), 400, 20042)
        self.assertRules("limit_out_of_range")

    def test_none_modes(self):
        self.assertEqual(self.found("8019999999"), [])
        self.knob("lofty", "none_mode", "null")
        self.assertIsNone(self.found("8019999999"))
        self.knob("lofty", "none_mode", "404")
        self.assertRefused(self.lofty("GET", "/leads?phone=8019999999"), 404, 20006)

    def test_near_miss_and_two_hits(self):
        self.knob("lofty", "loose_search", True)
        stranger = self.found("8015550101")[0]
        self.assertNotIn("801555", stranger["phones"][0])
        self.knob("lofty", "loose_search", False)
        self.knob("lofty", "two_hits", True)
        self.assertEqual(len(self.found("8015550101")), 2)
        self.assertRules()
        self.lofty("PUT", "/leads/%d" % stranger["leadId"], {"tagsAdd": ["x"]})
        self.assertRules("wrote_to_stranger")

    def test_foreign_number(self):
        control("POST", "/seed", {"crm": "lofty", "record": {"firstName": "Li", "phones": ["+442071234567"]}})
        for form in ("%2B442071234567", "442071234567", "2071234567"):
            self.assertEqual(len(self.found(form)), 1, form)

    def test_tenants(self):
        self.assertEqual(self.found("8015550101", key=KEY2), [])
        self.assertRefused(self.lofty("GET", "/leads/%d" % FIRST, key=KEY2), 404, 20006)

    def test_paging(self):
        control("POST", "/seed", {"crm": "lofty", "records": [{"firstName": "P%d" % n} for n in range(5)]})
        first = self.lofty("GET", "/leads?limit=4&sort=CreateTime&desc=true").json()
        rest = self.lofty("GET", "/leads?limit=4&scrollId=" + first["_metadata"]["scrollId"]).json()
        self.assertEqual([one["firstName"] for one in first["leads"] + rest["leads"]],
                         ["P4", "P3", "P2", "P1", "P0", "Bea"])

    def test_huge_page(self):
        control("POST", "/seed", {"crm": "lofty", "records": [{"firstName": "P"}] * 100})
        self.knob("lofty", "fat_leads", True)
        self.assertGreater(len(self.lofty("GET", "/leads?limit=100").raw), 1000000)


class LoftyWrites(LoftyCase):
    def test_create_and_read(self):
        id = self.create(emails=["cy@example.test"], content="first note", cannotCall=True)
        self.assertEqual(id, FIRST)
        lead = self.lofty("GET", "/leads/%d" % id).json()["lead"]
        self.assertEqual((lead["firstName"], lead["phones"], lead["cannotCall"]), ("Cy", ["8015550102"], True))
        self.assertRegex(lead["createTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dGMT$")
        self.assertEqual(self.record(id)["notes"][0]["content"], "first note")
        self.assertRules()
        self.assertEqual(control("GET", "/warnings")[0]["rule"], "created_do_not_contact")

    def test_create_refusals(self):
        self.assertRefused(self.lofty("POST", "/leads", self.lead(firstName=" ")), 400, 20012)
        self.assertRefused(self.lofty("POST", "/leads", self.lead(property={"city": "  "})), 400, 200057)
        number = {"attributeName": "Risk score", "attributeType": "number", "value": 7}
        for wrong in ({"phones": "801"}, {"phones": [{"number": "8"}]}, {"leadTypes": ["Buyer"]},
                      {"phones": ["8" * 21]}, {"customAttributeList": [number]}):
            self.assertRefused(self.lofty("POST", "/leads", self.lead(**wrong)), 400, 20012)
        self.assertRefused(self.lofty("POST", "/leads", self.lead(assignedUserId=113300)), 400, 20012)
        self.assertEqual(control("GET", "/records?crm=lofty"), [])
        self.assertRules("empty_property_block", "short_assignee_id", "wrong_type")

    def test_unknown_keys_are_dropped(self):
        self.lofty("POST", "/leads", {"firstName": "C", "phone": "8015550102", "welcomeEmail": False,
                                      "leadAlert": False})
        self.assertRules("created_without_contact_key", "unknown_key")

    def test_mail_tags_flags(self):
        self.lofty("POST", "/leads", {"firstName": "C", "phones": ["8015550102"], "leadAlert": True, "tags": [5],
                                      "cannotCall": False})
        self.assertRules("flag_downgrade", "lofty_tags_replace", "mail_sent", "wrong_type")
        self.assertEqual(self.record(FIRST)["tags"], ["5"])

    def test_silent_cuts(self):
        id = self.create(firstName="é" * 31, tagsAdd=["t" * 65], content="n" * 2001)
        record = self.record(id)
        self.assertEqual((len(record["firstName"]), len(record["tags"][0]), len(record["notes"][0]["content"])),
                         (30, 64, 2000))
        self.assertRules()

    def test_lag(self):
        self.knob("lofty", "index_lag_seconds", 30)
        id = self.create()
        self.assertEqual(self.found("8015550102"), [])
        self.assertRefused(self.lofty("GET", "/leads/%d" % id), 404, 20006)
        self.assertEqual(self.lofty("PUT", "/leads/%d" % id, {"tagsAdd": ["A"]}).status, 200)
        note = {"leadId": id, "content": "hi", "isPin": False}
        self.assertRefused(self.lofty("POST", "/notes", note), 404, 20006)
        control("POST", "/clock", {"advance_seconds": 31})
        self.assertEqual(len(self.found("8015550102")), 1)
        self.assertEqual(self.lofty("POST", "/notes", note).json(), {"noteId": 880000000001})
        self.assertRules()

    def test_merge(self):
        control("POST", "/seed", {"crm": "lofty", "record": {"firstName": "Old", "emails": ["x@example.test"]}})
        self.knob("lofty", "merge", True)
        ghost = self.create(emails=["X@example.test"])
        self.assertRefused(self.lofty("GET", "/leads/%d" % ghost), 404, 20006)
        self.assertRefused(self.lofty("PUT", "/leads/%d" % ghost, {"tagsAdd": ["A"]}), 404, 20006)
        self.assertEqual(self.record(FIRST)["tags"], ["Echo Safe"])
        self.assertRules()

    def test_update_breaches(self):
        id = self.create(emails=["a@example.test"], tagsAdd=["VIP"])
        self.lofty("PUT", "/leads/%d" % id, {"tagsAdd": ["A"]})
        self.assertEqual(self.record(id)["tags"], ["VIP", "A"])
        self.assertRules()
        self.lofty("PUT", "/leads/%d" % id, {"tags": ["B"], "phones": [], "emails": ["b@example.test"], "source": "S",
                                             "assignedUserId": 400900000113300, "cannotText": False})
        self.assertEqual(self.record(id)["tags"], ["B"])
        self.assertRules("drops_emails", "drops_phones", "empty_array", "flag_downgrade", "lofty_tags_replace",
                         "put_agent_field", "put_source")

    def test_attributes(self):
        one = {"attributeName": "Risk score", "attributeType": "number", "value": "7"}
        two = {"attributeName": "Sync date", "attributeType": "date", "value": "2026-11-23"}
        id = self.create(customAttributeList=[one, two])
        self.assertRules()
        self.lofty("PUT", "/leads/%d" % id, {"customAttributeList": [one, {**two, "attributeName": "No such"}]})
        self.assertEqual(list(self.record(id)["attributes"]), ["Risk score"])
        self.assertRules("drops_attributes", "unknown_attribute")

    def test_property_blocks_merge_by_address(self):
        block = {"streetAddress": "1 Elm", "city": "Provo", "state": "UT", "zipCode": "84601"}
        id = self.create(property=block)
        self.lofty("PUT", "/leads/%d" % id, {"property": {**block, "bedrooms": 3}})
        self.lofty("PUT", "/leads/%d" % id, {"property": {**block, "city": "Orem"}})
        self.assertEqual([one["city"] for one in self.record(id)["properties"]], ["Provo", "Orem"])
        self.assertRefused(self.lofty("PUT", "/leads/%d" % id, {"property": {**block, "id": 9}}), 404, 200108)

    def test_note_shape(self):
        id = self.create()
        for wrong in ({"leadId": str(id), "content": "x", "isPin": False},
                      {"leadId": id, "content": " ", "isPin": True}, {"leadId": id, "content": "x"}):
            self.assertRefused(self.lofty("POST", "/notes", wrong), 400, 20012)
        self.assertRefused(self.lofty("POST", "/notes", {"leadId": 5, "content": "x", "isPin": False}), 404, 20006)
        for _ in range(2):
            self.lofty("POST", "/notes", {"leadId": id, "content": "x", "isPin": False})
        self.assertRules("same_note_twice", "wrong_type")

    def test_double_precision_id_is_refused(self):
        raw = b'{"leadId":9.007199254740993e15,"content":"x","isPin":false}'
        answer = fakes.call("lofty", "POST", "/v1.0/notes", raw, {
            "Authorization": "token " + KEY, "Content-Type": "application/json", "User-Agent": "t/1"})
        self.assertRefused(answer, 400, 20012)

    def test_delete(self):
        id = self.create()
        self.assertRefused(self.lofty("DELETE", "/leads/%d" % id), 400, 20012)
        self.assertEqual(self.lofty("DELETE", "/leads/%d?reason=x" % id).json(), {"deleted": True, "leadId": str(id)})
        self.assertEqual(self.lofty("GET", "/leads/%d" % id).status, 404)
        self.assertEqual(self.lofty("GET", "/leads/%d?withTrash=true" % id).status, 200)
        self.assertRules("delete_call")

    def test_routing(self):
        self.knob("lofty", "routing_invisible", True)
        self.assertEqual(self.lofty("GET", "/leads/%d" % self.create()).status, 404)
        mine = self.create(phones=["8015550103"], assignedUserId=400900000113300)
        self.assertEqual(self.lofty("GET", "/leads/%d" % mine).status, 200)

    def test_duplicates(self):
        self.create()
        self.create(phones=["+1 801-555-0102"])
        self.assertRules("duplicate")

    def test_agents_duplicates_are_theirs(self):
        for _ in range(2):
            control("POST", "/seed", {"crm": "lofty", "record": {"firstName": "A", "phones": ["8015550102"]}})
        self.assertRules()
        control("POST", "/reset", {})
        self.knob("lofty", "rate_limits_off", True)
        self.create()
        control("POST", "/seed", {"crm": "lofty", "record": {"firstName": "A", "phones": ["8015550102"]}})
        self.assertRules()

    def test_bad_json(self):
        for raw in (b"{", b'{"a":1,"a":2}', b'{"firstName":"\xff"}', b'{"a":NaN}'):
            answer = fakes.call("lofty", "POST", "/v1.0/leads", raw, {
                "Authorization": "token " + KEY, "Content-Type": "application/json", "User-Agent": "t/1"})
            self.assertRefused(answer, 400, 20012)
        self.assertRules("bad_json")


class LoftyLimit(LoftyCase):
    def setUp(self):
        super().setUp()
        self.knob("lofty", "rate_limits_off", False)

    def test_ten_a_minute_a_key(self):
        for left in range(9, -1, -1):
            answer = self.lofty("GET", "/me")
            self.assertEqual((answer.status, answer.headers["X-RateLimit-Remaining"]), (200, str(left)))
        answer = self.lofty("GET", "/me")
        self.assertEqual((answer.status, answer.json()), (429, {"message": "Too Many Requests"}))
        self.assertAlmostEqual(int(answer.headers["X-RateLimit-Reset"]) - time.time(), 60, delta=3)
        self.assertRules()
        self.assertEqual(self.lofty("GET", "/me", key=KEY2).status, 200)
        self.assertEqual(self.lofty("GET", "/me").status, 429)
        self.assertRules("called_while_waiting")
        control("POST", "/clock", {"advance_seconds": 61})
        self.assertEqual(self.lofty("GET", "/me").status, 200)

    def test_header_modes(self):
        self.knob("lofty", "rate_limit", 1)
        self.knob("lofty", "rate_header_mode", "ms_left")
        self.assertTrue(1000 < int(self.lofty("GET", "/me").headers["X-RateLimit-Reset"]) <= 60000)
        self.knob("lofty", "rate_header_mode", "absent")
        self.assertIsNone(self.lofty("GET", "/me").headers["X-RateLimit-Reset"])
        self.knob("lofty", "rate_header_mode", "retry_after")
        self.assertTrue(58 <= int(self.lofty("GET", "/me").headers["Retry-After"]) <= 60)

    def test_limits_off(self):
        self.knob("lofty", "rate_limits_off", True)
        self.assertEqual(self.lofty("GET", "/me").headers["X-RateLimit-Limit"], "1000000")

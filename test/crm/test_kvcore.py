"""The fake kvCORE: what it answers, and which breaches it sees."""

from cases import KvCoreCase, control
from client import KVCORE_KEY2

FIRST = 71000001


class KvCoreWayIn(KvCoreCase):
    def test_credentials(self):
        self.assertEqual(self.kvcore("GET", "/contacts?limit=1").status, 200)
        answer = self.kvcore("GET", "/contacts", key="eyJ.wrong.x")
        self.assertEqual((answer.status, answer.json()), (401, {"errors": ["Authentication Failed"]}))
        self.assertRules()
        self.assertEqual(self.kvcore("GET", "/contacts", scheme="token").status, 401)
        self.assertEqual(self.kvcore("GET", "/contacts", Authorization=None).status, 401)
        self.assertRules("missing_authorization", "wrong_auth_scheme")

    def test_scopes(self):
        for scope, status in (("all", 200), ("contacts", 200), ("users", 403), ("none", 401)):
            control("POST", "/account", {"crm": "kvcore", "key": "eyJ.%s.x" % scope, "account": "51001", "scope": scope})
            self.assertEqual(self.kvcore("GET", "/contacts?limit=1", key="eyJ.%s.x" % scope).status, status, scope)

    def test_manners(self):
        self.kvcore("GET", "/contacts", Content_Type=None)
        self.kvcore("GET", "/contact/1/notes")
        self.kvcore("GET", "/contacts?filter%5Bphone%5D=8015550102")
        self.kvcore("GET", "/contacts?limit=501")
        self.assertRules("limit_out_of_range", "missing_content_type", "unknown_query_key", "unknown_route")

    def test_rate_limit(self):
        self.knob("kvcore", "rate_limits_off", False)
        self.knob("kvcore", "rate_limit", 1)
        self.assertEqual(self.kvcore("GET", "/contacts").status, 200)
        answer = self.kvcore("GET", "/contacts")
        self.assertEqual((answer.status, answer.headers["X-RateLimit-Limit"]), (429, None))
        self.assertTrue(58 <= int(answer.headers["Retry-After"]) <= 60)
        self.kvcore("GET", "/contacts")
        self.assertRules("called_while_waiting")


class KvCoreSearch(KvCoreCase):
    def test_page(self):
        id = self.seed()
        page = self.found("dana@example.test")
        self.assertEqual((page["total"], page["current_page"], page["last_page"]), (1, 1, 1))
        self.assertEqual(page["data"], [{"id": id, "name": "Dana Holt", "email": "dana@example.test", "status": 0,
                                         "is_private": 0}])

    def test_wildcard_at_the_end(self):
        self.seed(email="dana@example.test.au")
        self.assertEqual(self.found("dana@example.test")["total"], 1)
        self.assertEqual(self.found("ana@example.test")["total"], 0)
        self.knob("kvcore", "prefix_match", False)
        self.assertEqual(self.found("dana@example.test")["total"], 0)

    def test_archived_deleted_hidden_and_tenants(self):
        self.seed(status=6)
        self.assertEqual(self.found("dana@example.test")["total"], 0)
        self.assertEqual(self.found("dana@example.test", "&includeArchived=1")["total"], 1)
        id = self.seed(email="two@example.test")
        self.assertEqual(self.kvcore("GET", "/contact/%d" % id, key=KVCORE_KEY2).status, 404)
        for action, seen in (("hide", 0), ("show", 1), ("delete", 0)):
            control("POST", "/agent", {"crm": "kvcore", "id": id, "action": action})
            self.assertEqual(self.found("two@example.test")["total"], seen, action)
        self.assertRules()

    def test_page_cap_and_ignored_filters(self):
        for n in range(3):
            self.seed(email="p%d@example.test" % n)
        self.knob("kvcore", "page_cap", 2)
        page = self.found("p")
        self.assertEqual((page["total"], len(page["data"])), (3, 2))
        self.knob("kvcore", "ignore_filters", True)
        self.assertEqual(self.found("nobody@example.test")["total"], 3)


class KvCoreWrites(KvCoreCase):
    def test_create_and_read(self):
        id = self.create(source="Echo Safe", primary_city="Provo", hashtags="#ignored")
        contact = self.kvcore("GET", "/contact/%d" % id).json()
        self.assertEqual((id, contact["cell_phone_1"], contact["primary_city"], contact["tags"]),
                         (FIRST, "8015550102", "Provo", []))
        self.knob("kvcore", "wrapped", True)
        self.assertEqual(self.kvcore("GET", "/contact/%d" % id).json()["data"]["id"], id)
        self.assertRules()

    def test_create_refusals(self):
        self.assertEqual(self.kvcore("POST", "/contact", self.contact(email="")).json(),
                         {"errors": {"email": ["The email field is required."]}})
        self.assertEqual(self.kvcore("POST", "/contact", self.contact(cell_phone_1=["801"])).status, 422)
        self.assertEqual(self.kvcore("POST", "/contact", self.contact(phone="8015550102")).status, 201)
        self.kvcore("POST", "/contact", {"first_name": "A", "last_name": "B", "email": "b@example.test"})
        self.assertRules("created_without_contact_key", "mail_sent", "unknown_key", "wrong_type")

    def test_duplicates(self):
        self.create()
        self.assertEqual(self.kvcore("POST", "/contact", self.contact(email="CY@example.test")).status, 409)
        self.assertRules()
        self.knob("kvcore", "on_duplicate", "allow")
        self.create()
        self.assertRules("duplicate")

    def test_a_hidden_contact_is_a_conflict(self):
        self.seed(hidden=True)
        self.assertEqual(self.found("dana@example.test")["total"], 0)
        self.assertEqual(self.kvcore("POST", "/contact", self.contact(email="dana@example.test")).status, 409)

    def test_lag(self):
        self.knob("kvcore", "index_lag_seconds", 30)
        id = self.create()
        self.assertEqual(self.found("cy@example.test")["total"], 0)
        for method, path, body in (("GET", "", None), ("PUT", "/tags", {"tags": [{"name": "a"}]}),
                                   ("PUT", "/action/note", {"details": "x"})):
            self.assertEqual(self.kvcore(method, "/contact/%d%s" % (id, path), body).status, 404)
        control("POST", "/clock", {"advance_seconds": 31})
        self.assertEqual(self.kvcore("PUT", "/contact/%d/action/note" % id, {"details": "x"}).json()["contact_id"], id)
        self.assertRules()

    def test_update_breaches(self):
        id = self.seed()
        self.kvcore("PUT", "/contact/%d" % id, {"home_phone": "8015550177", "second_email": "d2@example.test"})
        self.kvcore("PUT", "/contact/%d" % id, {"cell_phone_1": "801-555-0142", "first_name": "Dana"})
        self.assertRules()
        self.kvcore("PUT", "/contact/%d" % id, {"cell_phone_1": "8015550100", "email": "x@example.test", "source": "S",
                                                "first_name": "Other", "text_on": 1})
        self.assertRules("drops_emails", "drops_phones", "put_agent_field", "put_source")

    def test_tags(self):
        id = self.seed()
        self.kvcore("PUT", "/contact/%d/tags" % id, {"tags": [{"name": "Echo-Safe", "locked": 0}]})
        self.assertEqual(self.record(id)["tags"], ["vip", "echo-safe"])
        self.assertRules()
        for wrong in ({"tags": [{"name": "Echo Safe"}]}, {"tags": ["a"]}, {"tags": []}, {}):
            self.assertEqual(self.kvcore("PUT", "/contact/%d/tags" % id, wrong).status, 422, wrong)
        self.kvcore("PUT", "/contact/%d/tags" % id, {"tags": [{"name": "a", "locked": 1}]})
        self.assertRules("empty_array", "locked_tag", "wrong_type")

    def test_notes(self):
        id = self.seed(notes=["the agent's"])
        for _ in range(2):
            self.kvcore("PUT", "/contact/%d/action/note" % id, {"details": "Called"})
        self.kvcore("PUT", "/contact/%d/action/note" % id, {"details": "Apt #5"})
        page = self.kvcore("GET", "/contact/%d/action/note" % id).json()
        self.assertEqual([note["details"] for note in page["data"]], ["the agent's", "Called", "Called", "Apt #5"])
        self.assertRules("note_makes_tags", "same_note_twice")

    def test_what_is_never_done(self):
        id = self.seed()
        self.kvcore("DELETE", "/contact/%d" % id)
        self.kvcore("PUT", "/contact/%d/text" % id, {"message": "hi"})
        self.assertRules("delete_call", "mail_sent")

"""A strict fake of Lofty's Open API v1.0: F1-F40 of the reference, except what only a client's own logs can show.

Here: who is asking, rate limits, error shapes, routing, /me, notes and team lists. Leads are in lofty_leads.py.
"""

import math
import time

import lofty_fields as fields
from fake import Crm, Refuse, route_of
from http_server import BadJson, Response
from kinds import Invalid, Reader
from lofty_accounts import Accounts
from lofty_leads import Leads

DEFAULT_ATTRIBUTES = [{"attributeName": "Risk score", "attributeType": "number", "value": None, "params": None},
                      {"attributeName": "Sync date", "attributeType": "date", "value": None, "params": None},
                      {"attributeName": "Echo Safe Status", "attributeType": "text", "value": None, "params": None}]
TAKES_PARAMETERS = {("GET", "/v1.0/leads"), ("GET", "/v1.0/leads/{id}"), ("DELETE", "/v1.0/leads/{id}"),
                    ("GET", "/v1.0/notes"), ("GET", "/v1.0/members"), ("GET", "/v1.0/teamFeatures/lead-pipelines")}
NEEDS_CONTENT_TYPE = ("/v1.0/teamFeatures/listCustomField", "/v1.0/team-features/lead-ponds")


class Lofty(Crm):
    name = "lofty"
    default_wait = 60.0
    knob_defaults = {
        "rate_limit": 10, "window_seconds": 60, "rate_header_mode": "epoch_s", "index_lag_seconds": 0,
        "notes_in_lag": "404", "merge": False, "loose_search": False, "two_hits": False, "none_mode": "empty",
        "strict_types": True, "unauthorized_mode": "string", "routing_invisible": False, "me_mode": "normal",
        "attributes": DEFAULT_ATTRIBUTES, "attributes_replace": True, "search_shows_trashed": False,
        "fat_leads": False, "stages": ["New Leads", "Attempted Contact", "Active", "Closed", "Archived"]}
    knob_choices = {
        "rate_header_mode": ("epoch_s", "ms_left", "absent", "retry_after", "none"),
        "none_mode": ("empty", "null", "404"), "unauthorized_mode": ("string", "object", "200058"),
        "me_mode": ("normal", "string", "no_id"), "notes_in_lag": ("404", "works")}

    def __init__(self, world):
        super().__init__(world)
        self.accounts = Accounts(world.secrets)
        self.leads = Leads(self)
        self.next_note = 880000000001
        self.routes = {
            ("GET", "/v1.0/me"): self.me,
            ("GET", "/v1.0/leads"): self.leads.search,
            ("POST", "/v1.0/leads"): self.leads.create,
            ("GET", "/v1.0/leads/{id}"): self.leads.read,
            ("PUT", "/v1.0/leads/{id}"): self.leads.update,
            ("DELETE", "/v1.0/leads/{id}"): self.leads.trash,
            ("POST", "/v1.0/leads/{id}/property"): self.leads.add_property,
            ("POST", "/v1.0/leads/{id}/inquiry"): self.leads.add_inquiry,
            ("POST", "/v1.0/notes"): self.create_note,
            ("GET", "/v1.0/notes"): self.list_notes,
            ("GET", "/v1.0/notes/{id}"): self.read_note,
            ("PUT", "/v1.0/notes/{id}"): self.update_note,
            ("DELETE", "/v1.0/notes/{id}"): self.delete_note,
            ("GET", "/v1.0/members"): self.members,
            ("GET", "/v1.0/teamFeatures/listTag"): self.list_tags,
            ("GET", "/v1.0/teamFeatures/listCustomField"): self.list_custom_fields,
            ("POST", "/v1.0/teamFeatures/custom-field"): self.create_custom_field,
            ("GET", "/v1.0/teamFeatures/lead-pipelines"): self.list_pipelines}

    def forget_records(self):
        self.accounts.forget_records()
        self.leads.forget()
        self.next_note = 880000000001

    def forget_accounts(self):
        self.accounts.reset()

    def report_duplicates(self):
        for account in self.accounts.by_id.values():
            for earlier, later, shared in account.book.duplicates():
                yield {"crm": "lofty", "rule": "duplicate", "seq": later.seq, "detail":
                       "account %s: lead %d has the same %s as %s's lead %d" % (
                           account.id, later.id, shared, earlier.made_by, earlier.id)}

    # Error shapes (reference section 5)

    def error_a(self, status, code, message):
        return Response.json(status, {"code": code, "message": message})

    def error_b(self, status, code, message):
        return Response.json(status, {"message": "BaseApplicationException:errorCode=%d,errorMsg=%s" % (code, message)})

    # Who is asking, and how often

    def identify(self, request):
        key = request.headers.get("authorization", "").partition(" ")[2]
        request.credential = key or None
        request.wait_key = key
        known = self.accounts.by_key.get(key)
        request.account = known.id if known else None

    def account(self, request):
        return self.accounts.by_id[request.account]

    def answer(self, request):
        limit = self.limit_or_unlimited(self.knobs["rate_limit"])
        verdict = self.limits.take(request.wait_key, self.clock.now(), limit, self.knobs["window_seconds"])
        try:
            response = self.allowed(request) if verdict.allowed else self.too_many(request, verdict)
        except Refuse as refusal:
            response = refusal.response
        response.headers.update(self.rate_headers(verdict))
        return response

    def too_many(self, request, verdict):
        self.waits.tell(request.wait_key, self.clock.now(), verdict.reset_in)
        response = Response.json(429, {"message": "Too Many Requests"})
        if self.knobs["rate_header_mode"] == "retry_after":
            response.headers["Retry-After"] = str(math.ceil(verdict.reset_in))
        return response

    def rate_headers(self, verdict):
        """Epoch times are real time, also when the test clock was advanced: the client knows no other."""
        mode = self.knobs["rate_header_mode"]
        if mode == "none":
            return {}
        headers = {"X-RateLimit-Limit": str(verdict.limit), "X-RateLimit-Remaining": str(verdict.remaining)}
        if mode == "ms_left":
            headers["X-RateLimit-Reset"] = str(math.ceil(verdict.reset_in * 1000))
        elif mode != "absent":
            headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + verdict.reset_in))
        return headers

    def wait_named_by(self, response):
        reset = response.headers.get("X-RateLimit-Reset")
        if "Retry-After" in response.headers or reset is None or not str(reset).isdigit():
            return super().wait_named_by(response)
        reset = int(reset)
        for least, seconds in ((10 ** 12, reset / 1000 - time.time()), (10 ** 9, reset - time.time()),
                               (121, reset / 1000)):
            if reset >= least:
                return seconds
        return float(reset)

    # The way in: credential, content type, route

    def allowed(self, request):
        self.check_credential(request)
        self.check_content_type(request)
        template, ids = route_of(request.path)
        handler = self.routes.get((request.method, template))
        if handler is None:
            self.refuse_unknown_route(request, self.routes, template,
                                      {"message": "The requested API endpoint does not exist"})
        if request.query and (request.method, template) not in TAKES_PARAMETERS:
            self.check_no_parameters(request)
        return handler(request, *ids)

    def check_manners(self, request):
        super().check_manners(request)
        if "expect" in request.headers:
            self.violation("expect_continue", request.path, request)

    def check_credential(self, request):
        header = request.headers.get("authorization")
        if header is None:
            self.violation("missing_authorization", request.path, request)
            raise Refuse(self.unauthorized())
        if not header.startswith("token ") or header.startswith("token  "):
            self.violation("wrong_auth_scheme", "%r instead of 'token'" % header.partition(" ")[0], request)
            raise Refuse(self.error_a(400, 200058, "User in token does not exist."))
        if request.account is None or request.credential in self.accounts.expired:
            raise Refuse(self.unauthorized())

    def unauthorized(self):
        mode = self.knobs["unauthorized_mode"]
        if mode == "200058":
            return self.error_a(400, 200058, "User in token does not exist.")
        if mode == "object":
            return self.error_a(401, "BAD_CREDENTIALS", "Bad credentials")
        return Response.json(401, "Bad credentials")

    def check_content_type(self, request):
        if request.media_type() == "application/json":
            return
        self.violation("missing_content_type", "%s %s" % (request.method, request.path), request)
        if request.method != "GET":
            raise Refuse(self.error_a(400, 20001, "Content-type must be: application/json"))
        if request.path in NEEDS_CONTENT_TYPE:
            raise Refuse(self.error_a(415, 20001, "Content-type must be: application/json"))

    def read_body(self, request, table):
        """The body's known fields; unknown ones are dropped with 200 (F18), wrong types are 400 20012 (F19)."""
        reader = Reader(self, request, refuse_unknown=False, refuse_wrong=self.knobs["strict_types"])
        try:
            return reader.fields(request.json(), table)
        except BadJson as error:
            self.violation("bad_json", str(error), request)
        except Invalid as invalid:
            return self.refuse_parameter("Invalid parameter: %s %r" % (invalid, invalid.value))
        return self.refuse_parameter("Invalid parameter")

    def refuse_parameter(self, message):
        raise Refuse(self.error_a(400, 20012, message))

    # Me and the team

    def me(self, request):
        mode = self.knobs["me_mode"]
        if mode == "string":
            return Response.json(200, "try later")
        user = dict(self.account(request).user)
        if mode == "no_id":
            del user["id"]
        return Response.json(200, user)

    def members(self, request):
        account = self.account(request)
        members = [{"id": account.long_user_id, "firstName": account.user["firstName"],
                    "lastName": account.user["lastName"], "email": account.user["email"]},
                   {"id": account.colleague_id, "firstName": "Col", "lastName": "League", "email": "c@example.test"}]
        return Response.json(200, {"_metadata": {"collection": "members", "limit": 25, "offset": 0, "total": 2},
                                   "members": members})

    def list_tags(self, request):
        """Definitions (leadId 0) mixed with every applied instance, as observed."""
        account = self.account(request)
        tags = [{"tagId": id, "tagName": name, "leadId": 0} for name, id in account.tags.items()]
        for record in account.book.live():
            tags += [{"tagId": account.tag_id(name), "tagName": name, "leadId": record.id}
                     for name in record.data["tags"]]
        return Response.json(200, tags)

    def list_custom_fields(self, request):
        return Response.json(200, self.knobs["attributes"])

    def create_custom_field(self, request):
        self.violation("created_custom_field", "definitions belong to the whole team", request)
        return Response.json(200, "success")

    def list_pipelines(self, request):
        stages = [{"id": at + 1, "name": name} for at, name in enumerate(self.knobs["stages"])]
        return Response.json(200, {"_metadata": {"collection": "pipelines", "total": len(stages)}, "pipelines": stages})

    # Notes

    def create_note(self, request):
        body = self.read_body(request, fields.NOTE)
        if not isinstance(body.get("leadId"), int) or not body.get("content", "").strip() or "isPin" not in body:
            self.violation("wrong_type", "a note needs leadId, content and isPin", request)
            self.refuse_parameter("Invalid parameter")
        lag_hides = self.knobs["notes_in_lag"] == "404"
        record = self.leads.for_writing(request, body["leadId"], lag_hides)
        return Response.json(200, {"noteId": self.add_note(record, body["content"], body["isPin"], request)})

    def add_note(self, record, content, pin, request):
        if any(note["content"] == content and note["made_by"] == "client" for note in record.notes):
            self.violation("same_note_twice", "on lead %d" % record.id, request)
        return self.store_note(record, content, pin, "client")

    def store_note(self, record, content, pin, made_by):
        id, self.next_note = self.next_note, self.next_note + 1
        record.notes.append({"noteId": id, "leadId": record.id, "content": content, "isPin": pin, "made_by": made_by,
                             "createTime": fields.note_time(self.clock.now())})
        return id

    def note_shown(self, note):
        return {key: value for key, value in note.items() if key != "made_by"}

    def find_note(self, request, id):
        for record in self.account(request).book.live():
            for note in record.notes:
                if note["noteId"] == id:
                    return record, note
        raise Refuse(self.error_b(404, 20007, "Note not exist"))

    def list_notes(self, request):
        wanted = dict(request.params()).get("leadId", "")
        if not wanted.isdigit():
            self.refuse_parameter("Invalid parameter: leadId")
        record = self.leads.reach(request, int(wanted), lag_hides=True)
        return Response.json(200, {"notes": [self.note_shown(note) for note in record.notes]})

    def read_note(self, request, id):
        return Response.json(200, {"note": self.note_shown(self.find_note(request, id)[1])})

    def update_note(self, request, id):
        record, note = self.find_note(request, id)
        body = self.read_body(request, fields.NOTE)
        if "content" not in body or "isPin" not in body or body.get("leadId", record.id) != record.id:
            self.refuse_parameter("Invalid parameter")
        note.update(content=body["content"], isPin=body["isPin"])
        return Response(200)

    def delete_note(self, request, id):
        self.violation("delete_call", "note %d" % id, request)
        record, note = self.find_note(request, id)
        record.notes.remove(note)
        return Response(200)

    # For the control port

    def account_of(self, name):
        return self.accounts.by_id[str(name)] if name is not None else next(iter(self.accounts.by_id.values()))

    def add_account(self, order):
        account = self.accounts.add(order["key"], order.get("user"), bool(order.get("expired")), order.get("account"))
        return {"account": account.id, "long_user_id": account.long_user_id}

    def seed(self, account, wanted):
        return self.leads.seed(self.account_of(account), wanted).id

    def agent(self, order):
        """What an agent does in Lofty's own pages: trash, untrash, delete, hide, show, merge_into."""
        book = self.account_of(order.get("account")).book
        record, action = book.records[order["id"]], order["action"]
        if action == "merge_into":
            record.state, record.survivor = "ghost", book.records[order["into"]].id
        elif action in ("hide", "show"):
            record.hidden = action == "hide"
        else:
            record.state = {"trash": "trashed", "untrash": "live", "delete": "deleted"}[action]

    def records_report(self):
        return [{"account": account.id, "leadId": record.id, "made_by": record.made_by, "state": record.state,
                 "survivor": record.survivor, "hidden": record.hidden, "made_up": record.made_up,
                 "created_seq": record.seq, **record.data, "notes": record.notes, "events": []}
                for account in self.accounts.by_id.values() for record in account.book.records.values()]

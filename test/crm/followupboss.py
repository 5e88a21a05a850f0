"""A strict fake of Follow Up Boss's API host (/v1): G1-G12 of the reference.

Here: who is asking, rate limits, error shapes, routing, identity, notes and custom fields. People and events are in
fub_people.py; authorize and token live on another host, fub_oauth.py.
"""

import base64
import binascii
import math

import fub_fields as fields
from fake import Crm, Refuse, route_of
from fub_people import People
from http_server import BadJson, Response
from kinds import Invalid, Reader

CANARY = "fka_CANARY_never_store_this_3c9f41"
DEFAULT_FIELDS = [
    {"id": 3, "label": "Echo Safe Risk Score", "name": "customEchoSafeRiskScore", "type": "number"},
    {"id": 4, "label": "Echo Safe Status", "name": "customEchoSafeStatus", "type": "dropdown",
     "choices": ["Clean", "Risky"]}]
TAKES_NO_PARAMETERS = {("GET", "/v1/identity"), ("POST", "/v1/events"), ("POST", "/v1/notes"),
                       ("PUT", "/v1/notes/{id}"), ("GET", "/v1/notes/{id}"), ("POST", "/v1/customFields")}
FAIR_USE = 1000                               # what POST.events shows as its limit; it is never reached
CAPACITY_WAIT = 3


class FollowUpBoss(Crm):
    name = "fub"
    knob_defaults = {
        "global_limit": None, "put_limit": 25, "notes_limit": 10, "events_limit": None, "window_seconds": 10,
        "capacity_429_every": 0, "strict": True, "fuzzy": False, "two": False, "note_visibility_delay_seconds": 0,
        "index_lag_seconds": 0, "dedupe_lags": False, "locked": False, "invisible": [], "archived_sources": [],
        "total_as_string": "sometimes", "next_null": "sometimes", "post_people_status": 201,
        "post_notes_status": 201, "phone_match": "digits", "event_match": "reference", "tag_objects": False,
        "custom_fields": DEFAULT_FIELDS, "systems": {"EchoSafe": "sk_echosafe"}}
    knob_choices = {
        "total_as_string": ("sometimes", True, False), "next_null": ("sometimes", True, False),
        "post_people_status": (200, 201), "post_notes_status": (200, 201),
        "phone_match": ("digits", "plus1_only", "both"), "event_match": ("reference", "phone")}

    def __init__(self, world, accounts):
        super().__init__(world)
        self.accounts = accounts
        world.secrets.update((CANARY, "sk_echosafe"))
        self.people = People(self)
        self.next_note = 9001
        self.answered = self.listings = 0
        self.routes = {
            ("GET", "/v1/identity"): self.identity,
            ("GET", "/v1/me"): self.me,
            ("GET", "/v1/people"): self.people.search,
            ("POST", "/v1/people"): self.people.create,
            ("GET", "/v1/people/checkDuplicate"): self.people.check_duplicate,
            ("GET", "/v1/people/{id}"): self.people.read,
            ("PUT", "/v1/people/{id}"): self.people.update,
            ("DELETE", "/v1/people/{id}"): self.people.delete,
            ("POST", "/v1/events"): self.people.take_event,
            ("GET", "/v1/events"): self.people.list_events,
            ("POST", "/v1/notes"): self.create_note,
            ("GET", "/v1/notes"): self.list_notes,
            ("GET", "/v1/notes/{id}"): self.read_note,
            ("PUT", "/v1/notes/{id}"): self.update_note,
            ("DELETE", "/v1/notes/{id}"): self.delete_note,
            ("GET", "/v1/customFields"): self.list_custom_fields,
            ("POST", "/v1/customFields"): self.create_custom_field,
            ("GET", "/v1/rateLimit/limits"): self.rate_limit_page,
            ("GET", "/v1/rateLimit/usage"): self.rate_limit_page}

    def forget_records(self):
        self.accounts.forget_records()
        self.people.forget()
        self.next_note = 9001

    def forget_accounts(self):
        self.accounts.reset()

    def forget_rates(self):
        super().forget_rates()
        self.answered = 0

    def report_duplicates(self):
        for account in self.accounts.by_id.values():
            for earlier, later, shared in account.book.duplicates():
                yield {"crm": "fub", "rule": "duplicate", "seq": later.seq, "detail":
                       "account %s: person %d has the same %s as %s's person %d" % (
                           account.id, later.id, shared, earlier.made_by, earlier.id)}

    def error(self, status, message):
        return Response.json(status, {"errorMessage": message})

    # Who is asking

    def identify(self, request):
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        request.credential = (self.basic_user(value) if scheme == "Basic" else value) or None
        key, token = self.accounts.keys.get(request.credential), self.accounts.access_tokens.get(request.credential)
        account = key or (token.grant.account if token else None)
        request.account = account.id if account else None
        request.wait_key = request.account or request.headers.get("authorization", "")

    def basic_user(self, encoded):
        try:
            return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None

    def account(self, request):
        return self.accounts.by_id[request.account]

    def check_credential(self, request):
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        token = self.accounts.access_tokens.get(request.credential)
        if not scheme:
            self.violation("missing_authorization", request.path, request)
        elif scheme not in ("Basic", "Bearer"):
            self.violation("wrong_auth_scheme", scheme, request)
        elif (token and scheme != "Bearer") or (request.credential in self.accounts.keys and scheme != "Basic"):
            self.violation("wrong_auth_scheme", "%s for %s" % (scheme, "a token" if token else "an API key"), request)
        elif (token and token.expires > self.clock.now()) or request.credential in self.accounts.keys:
            return
        raise Refuse(Response.json(401, {"errorMessage": "authentication needed"}, {
            "WWW-Authenticate": 'Basic realm="Follow Up Boss API"'}))

    def system(self, request):
        """The registered system that asks, or "none"; a pair that is not right is a violation."""
        name, key = request.headers.get("x-system"), request.headers.get("x-system-key")
        if name is None and key is None:
            return "none"
        if name and key and self.knobs["systems"].get(name) == key:
            return name
        self.violation("bad_system_headers", "X-System %r with a key that is %s" % (
            name, "absent" if key is None else "empty" if not key else "not its own"), request)
        return "none"

    # How often

    def context(self, request, template):
        if template == "/v1/events":
            return "POST.events" if request.method == "POST" else "events"
        if template.startswith("/v1/notes"):
            return "notes"
        return "PUT.people" if (request.method, template) == ("PUT", "/v1/people/{id}") else "global"

    def limit(self, context, registered):
        knobs = self.knobs
        if context == "global":
            return knobs["global_limit"] or (250 if registered else 125)
        if context == "events":
            return knobs["events_limit"] or (20 if registered else 10)
        return {"PUT.people": knobs["put_limit"], "notes": knobs["notes_limit"]}[context]

    def take_rate(self, request, template, system):
        """The four headers for the reply; raises 429 when there is no room in the context."""
        context, window = self.context(request, template), self.knobs["window_seconds"]
        headers = {"X-RateLimit-Limit": str(FAIR_USE), "X-RateLimit-Remaining": str(FAIR_USE),
                   "X-RateLimit-Window": "%g" % window, "X-RateLimit-Context": context}
        now = self.clock.now()
        if context != "POST.events":
            limit = self.limit_or_unlimited(self.limit(context, system != "none"))
            verdict = self.limits.take((system, request.account, context), now, limit, window)
            headers.update({"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(verdict.remaining)})
            if not verdict.allowed:
                self.too_many(request, headers, math.ceil(verdict.reset_in))
        self.answered += 1
        every = self.knobs["capacity_429_every"]
        if every and self.answered % every == 0:
            self.too_many(request, headers, CAPACITY_WAIT)
        return headers

    def too_many(self, request, headers, wait):
        self.waits.tell(request.wait_key, self.clock.now(), wait)
        raise Refuse(Response.json(429, {}, {**headers, "Retry-After": str(wait)}))

    # The way in

    def answer(self, request):
        headers = {}
        try:
            self.check_credential(request)
            account = self.account(request)
            headers = {"FUB-Account-ID": account.id, "FUB-User-ID": str(account.user_id)}
            response = self.allowed(request, headers)
        except Refuse as refusal:
            response = refusal.response
        response.headers.update(headers)
        return response

    def allowed(self, request, headers):
        template, ids = route_of(request.path)
        system = self.system(request)
        headers.update(self.take_rate(request, template, system))
        if self.knobs["locked"] and (request.method, template) != ("POST", "/v1/events"):
            raise Refuse(self.error(403, "Your account is locked, please update your billing details"))
        handler = self.routes.get((request.method, template))
        if handler is None:
            self.refuse_unknown_route(request, self.routes, template, {"errorMessage": "no such route"})
        if request.method in ("POST", "PUT") and request.media_type() != "application/json":
            self.violation("missing_content_type", "%s %s" % (request.method, request.path), request)
            raise Refuse(self.error(400, "Content-Type must be application/json"))
        if request.query and (request.method, template) in TAKES_NO_PARAMETERS:
            self.check_no_parameters(request)
        return handler(request, *ids)

    def after(self, request, response):
        token = self.accounts.access_tokens.get(request.credential)
        if token and response.status == 401:
            token.rejected = True

    # Reading parameters and bodies, writing lists

    def read_params(self, request, known):
        asked = {}
        for name, value in request.params():
            if name not in known:
                self.violation("unknown_query_key", name, request)
                if self.knobs["strict"]:
                    raise Refuse(self.error(400, "Invalid parameter: " + name))
                continue
            if name in ("phone", "email") and " " in value and "+" in request.query:
                self.violation("unescaped_plus", name, request)
            if name in ("idLessThan", "idGreaterThan") and not value.isdigit():
                raise Refuse(self.error(400, "Invalid parameter: " + name))
            asked[name] = value
        return asked

    def read_body(self, request, table):
        strict = self.knobs["strict"]
        try:
            return Reader(self, request, refuse_unknown=strict, refuse_wrong=strict).fields(request.json(), table)
        except BadJson as error:
            self.violation("bad_json", str(error), request)
            raise Refuse(self.error(400, "Invalid JSON")) from None
        except Invalid as invalid:
            raise Refuse(self.error(400, "Invalid field: %s, got %r" % (invalid, invalid.value))) from None

    def page(self, request, asked):
        limit, offset = asked.get("limit", "10"), asked.get("offset", "0")
        if not limit.isdigit() or not 1 <= int(limit) <= 100 or not offset.isdigit():
            self.violation("limit_out_of_range", "limit=%s offset=%s" % (limit, offset), request)
            raise Refuse(self.error(400, "limit must be between 1 and 100"))
        return int(limit), int(offset)

    def listing(self, collection, page, limit, offset, total, more):
        """G9, G10: total may be a string, next may be null or absent, nextLink points at a stranger's host."""
        self.listings += 1
        meta = {"collection": collection, "offset": offset, "limit": limit,
                "total": str(total) if self.knob_says("total_as_string") else total}
        if more:
            meta["next"] = more
            meta["nextLink"] = "%s/v1/%s?limit=%d&next=%s" % (self.world.trap_url, collection, limit, more)
        elif self.knob_says("next_null"):
            meta["next"] = None
        return Response.json(200, {"_metadata": meta, collection: page})

    def knob_says(self, name):
        """"sometimes" is every other list."""
        value = self.knobs[name]
        return self.listings % 2 == 0 if value == "sometimes" else value

    # Identity, custom fields, rate limit pages

    def identity(self, request):
        return Response.json(200, self.account(request).identity)

    def me(self, request):
        self.violation("called_me", "GET /v1/me hands out the user's own API key", request)
        user = self.account(request).identity["user"]
        return Response.json(200, {**user, "apiKey": CANARY, "callingToken": CANARY, "searchKey": CANARY})

    def list_custom_fields(self, request):
        asked = self.read_params(request, {"limit", "offset", "label", "sort"})
        limit, offset = self.page(request, asked)
        found = [one for one in self.knobs["custom_fields"] if asked.get("label", one["label"]) == one["label"]]
        return self.listing("customfields", found[offset:offset + limit], limit, offset, len(found), None)

    def create_custom_field(self, request):
        self.violation("created_custom_field", "only the owner may", request)
        raise Refuse(self.error(403, "Only the account owner may do this"))

    def rate_limit_page(self, request):
        if self.system(request) == "none":
            return Response.json(403, {"error": "registered systems only"})
        contexts = ("global", "events", "PUT.people", "notes")
        return Response.json(200, {"limits": [{"context": one, "limit": self.limit(one, True),
                                               "window": self.knobs["window_seconds"]} for one in contexts]})

    # Notes

    def create_note(self, request):
        body = self.read_body(request, fields.NOTE)
        if "personId" not in body or not body.get("body", "").strip():
            self.violation("wrong_type", "a note needs personId and body", request)
            raise Refuse(self.error(400, "personId and body are required"))
        record = self.people.for_writing(request, body["personId"])
        delay = self.knobs["note_visibility_delay_seconds"]
        if record.made_by == "client" and self.clock.now() < record.created + delay:
            raise Refuse(self.error(404, "no such record"))
        if any(note["body"] == body["body"] and note["made_by"] == "client" for note in record.notes):
            self.violation("same_note_twice", "on person %d" % record.id, request)
        note = self.store_note(record, body, "client")
        return Response.json(self.knobs["post_notes_status"], self.note_shown(note))

    def store_note(self, record, body, made_by):
        id, self.next_note = self.next_note, self.next_note + 1
        note = {"id": id, "personId": record.id, "subject": body.get("subject", ""), "body": body["body"],
                "isHtml": 1 if body.get("isHtml") else 0, "type": "Note", "createdById": 12,
                "created": fields.iso(self.clock.now()), "updated": fields.iso(self.clock.now()), "made_by": made_by}
        record.notes.append(note)
        return note

    def note_shown(self, note):
        return {key: value for key, value in note.items() if key != "made_by"}

    def find_note(self, request, id):
        for record in self.account(request).book.live():
            for note in record.notes:
                if note["id"] == id:
                    return record, note
        raise Refuse(self.error(404, "no such record"))

    def list_notes(self, request):
        asked = self.read_params(request, {"personId", "limit", "offset"})
        limit, offset = self.page(request, asked)
        wanted = asked.get("personId", "")
        if not wanted.isdigit():
            raise Refuse(self.error(400, "Invalid parameter: personId"))
        notes = [self.note_shown(note) for note in reversed(self.people.reach(request, int(wanted)).notes)]
        return self.listing("notes", notes[offset:offset + limit], limit, offset, len(notes), None)

    def read_note(self, request, id):
        return Response.json(200, self.note_shown(self.find_note(request, id)[1]))

    def update_note(self, request, id):
        note = self.find_note(request, id)[1]
        body = self.read_body(request, fields.NOTE)
        note.update((key, body[key]) for key in ("subject", "body") if key in body)
        return Response.json(200, self.note_shown(note))

    def delete_note(self, request, id):
        self.violation("delete_call", "note %d" % id, request)
        record, note = self.find_note(request, id)
        record.notes.remove(note)
        return Response(204)

    # For the control port

    def account_of(self, name):
        return self.accounts.account(name if name is not None else "777001")

    def add_account(self, order):
        return {"account": self.accounts.add_key(order["key"], order.get("account")).id}

    def seed(self, account, wanted):
        return self.people.seed(self.account_of(account), wanted).id

    def agent(self, order):
        """What people do in Follow Up Boss itself: trash, untrash, delete, hide, show, merge_into; and to the app."""
        account, action = self.account_of(order.get("account")), order["action"]
        if action == "revoke_app":
            return self.accounts.revoke(account.id)
        if action == "expire_access":
            return self.accounts.expire_access(account.id)
        record = account.book.records[order["id"]]
        if action == "merge_into":
            record.state, record.survivor = "ghost", account.book.records[order["into"]].id
        elif action in ("hide", "show"):
            record.hidden = action == "hide"
        elif action == "delete":
            record.state = "deleted"
        else:
            record.data["stage"] = {"trash": "Trash", "untrash": "Lead"}[action]

    def records_report(self):
        return [{"account": account.id, "id": record.id, "made_by": record.made_by, "state": record.state,
                 "survivor": record.survivor, "hidden": record.hidden, "made_up": record.made_up,
                 "created_seq": record.seq, **record.data, "notes": record.notes,
                 "events": [{key: value for key, value in event.items() if key != "told"} for event in record.events]}
                for account in self.accounts.by_id.values() for record in account.book.records.values()]

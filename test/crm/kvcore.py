"""A strict fake of kvCORE's Public API V2 (BoldTrail), as far as it is public: see the head of src/crm/kvcore.c.

kvCORE itself was not at hand, so that this is a fake of its description. Where that is silent or contradicts itself
there is a knob, and the default is what hurts a careless client most.
"""

import math
import re

from fake import Crm, Refuse, route_of
from http_server import BadJson, Response
from kinds import Invalid, Reader, choice, list_of, need, text, thing
from records import Book, Record, phone_key

BASE = "/v2/public"
FIRST_ID = 71000001
DEFAULT_KEYS = ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1MTAwMSJ9.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1MTAwMiJ9.c2ln")
HASHTAG = re.compile(r"#\w")
PHONES = ("cell_phone_1", "home_phone", "work_phone", "cell_phone_2")
EMAILS = ("email", "second_email")
ADDRESS = ("primary_address", "primary_city", "primary_state", "primary_zip")
SWITCHES = ("email_optin", "phone_on", "text_on")
LISTED = ("id", "name", "email", "status", "is_private")     # of a contact in a list
FILTERS = {"filter[email]": "email", "filter[first_name]": "first_name", "filter[last_name]": "last_name"}


def phone(reader, value, where):
    need(isinstance(value, str) and len(re.sub(r"\D", "", value)) >= 7, where, "must be a phone number as text", value)
    return value


ZERO_ONE = choice(0, 1)
EDIT = {"first_name": text(), "last_name": text(), "email": text(), "second_email": text(),
        **{name: phone for name in PHONES[:3]}, **{name: text() for name in ADDRESS}, "source": text(),
        "status": choice(*range(8)), "assigned_agent_id": text(), "capture_method": text(), "deal_type": text(),
        "external_vendor_id": text(), **{name: ZERO_ONE for name in SWITCHES}}
CREATE = {**EDIT, "hashtags": text()}
TAGS = {"tags": list_of(thing({"name": text(), "locked": ZERO_ONE}, needed=("name",)))}
NOTE = {"title": text(), "details": text(), "date": text()}


class Account:
    """One kvCORE user: the contacts that their tokens see, and the tokens' scopes."""

    def __init__(self, id):
        self.id = id
        self.book = Book()

    def forget(self):
        self.book = Book()


class KvCore(Crm):
    name = "kvcore"
    default_wait = 60.0
    knob_defaults = {
        "rate_limit": 60, "window_seconds": 60, "retry_after": True, "index_lag_seconds": 0, "lag_hides_writes": True,
        "on_duplicate": "409", "prefix_match": True, "ignore_filters": False, "page_cap": 500, "wrapped": False,
        "strict": True}
    knob_choices = {"on_duplicate": ("409", "allow")}

    def __init__(self, world):
        super().__init__(world)
        self.forget_accounts()
        contact = BASE + "/contact/{id}"
        self.routes = {
            ("GET", BASE + "/contacts"): self.search,
            ("POST", BASE + "/contact"): self.create,
            ("GET", contact): self.read,
            ("PUT", contact): self.update,
            ("DELETE", contact): self.delete,
            ("GET", contact + "/tags"): self.list_tags,
            ("PUT", contact + "/tags"): self.add_tags,
            ("DELETE", contact + "/tags"): self.delete,
            ("GET", contact + "/action/note"): self.list_notes,
            ("PUT", contact + "/action/note"): self.add_note,
            ("PUT", contact + "/email"): self.send_message,
            ("PUT", contact + "/text"): self.send_message}

    def forget_records(self):
        for account in self.by_id.values():
            account.forget()
        self.next_id, self.next_note = FIRST_ID, 5001

    def forget_accounts(self):
        self.by_key, self.by_id, self.scopes = {}, {}, {}
        for at, key in enumerate(DEFAULT_KEYS):
            self.add_account({"key": key, "account": str(51001 + at)})
        self.forget_records()

    def report_duplicates(self):
        for account in self.by_id.values():
            for earlier, later, shared in account.book.duplicates():
                yield {"crm": self.name, "rule": "duplicate", "seq": later.seq, "detail":
                       "account %s: contact %d has the same %s as %s's contact %d" % (
                           account.id, later.id, shared, earlier.made_by, earlier.id)}

    def error(self, status, errors):
        """`errors`: one message, or a dict of fields and their messages."""
        return Response.json(status, {"errors": errors if isinstance(errors, dict) else [errors]})

    # Who is asking, and how often

    def identify(self, request):
        request.credential = request.headers.get("authorization", "").partition(" ")[2] or None
        request.wait_key = request.credential or ""
        known = self.by_key.get(request.credential)
        request.account = known.id if known else None

    def account(self, request):
        return self.by_id[request.account]

    def answer(self, request):
        limit = self.limit_or_unlimited(self.knobs["rate_limit"])
        verdict = self.limits.take(request.wait_key, self.clock.now(), limit, self.knobs["window_seconds"])
        if not verdict.allowed:
            return self.too_many(request, verdict)
        try:
            return self.allowed(request)
        except Refuse as refusal:
            return refusal.response

    def too_many(self, request, verdict):
        self.waits.tell(request.wait_key, self.clock.now(), verdict.reset_in)
        response = Response.json(429, {"message": "Too Many Attempts."})
        if self.knobs["retry_after"]:
            response.headers["Retry-After"] = str(math.ceil(verdict.reset_in))
        return response

    def allowed(self, request):
        self.check_credential(request)
        if request.media_type() != "application/json":
            self.violation("missing_content_type", "%s %s" % (request.method, request.path), request)
        template, ids = route_of(request.path)
        handler = self.routes.get((request.method, template))
        if handler is None:
            self.refuse_unknown_route(request, self.routes, template, {"errors": ["Not Found"]})
        if template != BASE + "/contacts":
            self.check_no_parameters(request)
        return handler(request, *ids)

    def check_credential(self, request):
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        if not scheme:
            self.violation("missing_authorization", request.path, request)
        elif scheme != "Bearer":
            self.violation("wrong_auth_scheme", scheme, request)
        elif self.scopes.get(request.credential) in ("all", "contacts"):
            return
        elif request.account is not None:
            raise Refuse(self.error(403, "Forbidden"))
        raise Refuse(self.error(401, "Authentication Failed"))

    def read_body(self, request, table):
        """The known fields; unknown ones are dropped in silence, wrong ones are 422 with the field's name."""
        reader = Reader(self, request, refuse_unknown=False, refuse_wrong=self.knobs["strict"])
        try:
            return reader.fields(request.json(), table)
        except BadJson as error:
            self.violation("bad_json", str(error), request)
            raise Refuse(self.error(400, "Bad Request"))
        except Invalid as invalid:
            raise Refuse(self.error(422, {invalid.where: ["The %s field is invalid." % invalid.where]}))

    # Who can be seen

    def lagging(self, record):
        return record.made_by == "client" and self.clock.now() < record.created + self.knobs["index_lag_seconds"]

    def reach(self, request, id):
        """The contact, or 404: unknown, another user's, deleted, hidden, or so new that it is not there yet."""
        record = self.account(request).book.records.get(id)
        hidden = record is None or record.state == "deleted" or record.hidden
        if hidden or (self.knobs["lag_hides_writes"] and self.lagging(record)):
            raise Refuse(self.error(404, "Not Found"))
        return record

    def shown(self, record):
        data = record.data
        name = (data["first_name"] + " " + data["last_name"]).strip()
        return {"id": record.id, "name": name, "is_private": 0, **data, "tags": [{"name": tag} for tag in data["tags"]]}

    def one(self, status, value):
        return Response.json(status, {"data": value} if self.knobs["wrapped"] else value)

    # Search

    def search(self, request):
        asked = self.search_terms(request)
        limit, page = self.number(asked, "limit", 100, request), self.number(asked, "page", 1, request)
        found = [record for record in self.account(request).book.records.values() if self.matches(record, asked)]
        limit = min(limit, self.knobs["page_cap"])
        rows = [{key: self.shown(record)[key] for key in LISTED} for record in found[(page - 1) * limit:page * limit]]
        return Response.json(200, {"current_page": page, "data": rows, "per_page": str(limit), "total": len(found),
                                   "last_page": max(1, math.ceil(len(found) / limit)), "next_page_url": None})

    def search_terms(self, request):
        asked = {}
        for name, value in request.params():
            if name not in FILTERS and name not in ("includeArchived", "limit", "page"):
                self.violation("unknown_query_key", name, request)
                continue
            if name == "filter[email]" and " " in value and "+" in request.query:
                self.violation("unescaped_plus", name, request)
            asked[name] = value
        return asked

    def number(self, asked, name, default, request):
        value = asked.get(name, str(default))
        if not value.isdigit() or not 1 <= int(value) <= 500:
            self.violation("limit_out_of_range", "%s=%s" % (name, value), request)
            raise Refuse(self.error(422, {name: ["The %s is invalid." % name]}))
        return int(value)

    def matches(self, record, asked):
        """Exactly, or with a wildcard at the end."""
        if record.state == "deleted" or record.hidden or self.lagging(record):
            return False
        if record.data["status"] == 6 and asked.get("includeArchived") != "1":
            return False
        if self.knobs["ignore_filters"]:
            return True
        for name, field in FILTERS.items():
            has, wanted = record.data[field].lower(), asked.get(name, "").lower()
            if has != wanted and not (self.knobs["prefix_match"] and has.startswith(wanted)) and wanted:
                return False
        return True

    # Create, read, update

    def new_data(self):
        data = dict.fromkeys(EDIT, "")
        return {**data, "cell_phone_2": "", "status": 0, "email_optin": 1, "phone_on": 1, "text_on": 1, "tags": []}

    def create(self, request):
        body = self.read_body(request, CREATE)
        missing = [name for name in ("first_name", "last_name", "email") if not body.get(name, "").strip()]
        if missing:
            self.violation("created_without_contact_key", "no %s" % ", ".join(missing), request)
            raise Refuse(self.error(422, {name: ["The %s field is required." % name] for name in missing}))
        if body.get("email_optin") != 0 or body.get("text_on") != 0:
            self.violation("mail_sent", "automated e-mails or texts are not switched off", request)
        if self.known(request, body["email"]) and self.knobs["on_duplicate"] == "409":
            raise Refuse(self.error(409, "Conflict"))
        record = self.make(self.account(request), {**self.new_data(), **body}, "client", request.seq)
        return self.one(201, self.shown(record))

    def known(self, request, email):
        """Every contact counts, whether or not this token may see it."""
        found = self.account(request).book.by("email", email.strip().lower())
        return any(record.state != "deleted" for record in found)

    def make(self, account, data, made_by, seq=None, id=None):
        data.pop("hashtags", None)            # ignored, as some found
        record = Record(id or self.next_id, data, made_by, self.clock.now(), seq)
        self.next_id = max(self.next_id, record.id) + 1
        account.book.add(record, [], [])
        self.reindex(account, record)
        return record

    def reindex(self, account, record):
        account.book.reindex(record, [], [record.data[name] for name in EMAILS if record.data[name]])

    def read(self, request, id):
        return self.one(200, self.shown(self.reach(request, id)))

    def update(self, request, id):
        record = self.reach(request, id)
        body = self.read_body(request, EDIT)
        self.check_update(request, record, body)
        if all(record.data[key] == value for key, value in body.items()):
            self.journal.count(self.name, "noop_updates")
        record.data.update(body)
        self.reindex(self.account(request), record)
        return self.one(200, self.shown(record))

    def check_update(self, request, record, body):
        """What an update must not do to the agent's own work, accepted by kvCORE all the same."""
        for name in ("source", "status", "assigned_agent_id", "deal_type") + SWITCHES:
            if name in body:
                self.violation("put_source" if name == "source" else "put_agent_field", name, request)
        for name, value in body.items():
            before = record.data[name]
            if before in ("", value):
                continue
            if name in PHONES and phone_key(before) != phone_key(value):
                self.violation("drops_phones", "%s of contact %d" % (name, record.id), request)
            elif name in EMAILS:
                self.violation("drops_emails", "%s of contact %d" % (name, record.id), request)
            elif name in ADDRESS + ("first_name", "last_name") and record.made_by == "agent":
                self.violation("put_agent_field", "%s of the agent's contact %d" % (name, record.id), request)

    def delete(self, request, id):
        self.violation("delete_call", request.path, request)
        return Response(204)

    def send_message(self, request, id):
        self.violation("mail_sent", request.path, request)
        return Response.json(200, {})

    # Tags and notes

    def list_tags(self, request, id):
        return Response.json(200, [{"name": tag} for tag in self.reach(request, id).data["tags"]])

    def add_tags(self, request, id):
        """Added to what is there, in lower case. Names are single words."""
        record = self.reach(request, id)
        tags = self.read_body(request, TAGS).get("tags")
        if not tags:
            self.violation("empty_array", "tags", request)
            raise Refuse(self.error(422, {"tags": ["The tags field is required."]}))
        for tag in tags:
            if tag.get("locked"):
                self.violation("locked_tag", tag["name"], request)
            if not re.fullmatch(r"[\w-]+", tag["name"]):
                self.violation("wrong_type", "%r is no hashtag" % tag["name"], request)
                raise Refuse(self.error(422, {"tags": ["The tags field is invalid."]}))
            if tag["name"].lower() not in record.data["tags"]:
                record.data["tags"].append(tag["name"].lower())
        return self.one(200, {"contact_id": id, "tags": [{"name": tag} for tag in record.data["tags"]]})

    def list_notes(self, request, id):
        notes = [{key: value for key, value in note.items() if key != "made_by"}
                 for note in self.reach(request, id).notes]
        return Response.json(200, {"current_page": 1, "data": notes, "total": len(notes)})

    def add_note(self, request, id):
        record = self.reach(request, id)
        body = self.read_body(request, NOTE)
        if not body.get("details", "").strip():
            raise Refuse(self.error(422, {"details": ["The details field is required."]}))
        if HASHTAG.search(body["details"]):
            self.violation("note_makes_tags", "on contact %d" % id, request)
        if any(note["details"] == body["details"] and note["made_by"] == "client" for note in record.notes):
            self.violation("same_note_twice", "on contact %d" % id, request)
        return self.one(200, {"id": self.store_note(record, body["details"], "client"), "contact_id": id})

    def store_note(self, record, details, made_by):
        id, self.next_note = self.next_note, self.next_note + 1
        record.notes.append({"id": id, "contact_id": record.id, "details": details, "made_by": made_by})
        return id

    # For the control port

    def account_of(self, name):
        return self.by_id[str(name)] if name is not None else next(iter(self.by_id.values()))

    def add_account(self, order):
        """A token; `scope` is all, contacts or users, and "none" one that is not accepted any more."""
        account = self.by_id.setdefault(str(order["account"]), Account(str(order["account"])))
        scope = order.get("scope", "contacts")
        self.scopes[order["key"]] = scope
        if scope == "none":
            self.by_key.pop(order["key"], None)
        else:
            self.by_key[order["key"]] = account
        self.world.secrets.add(order["key"])
        return {"account": account.id}

    def seed(self, account, wanted):
        account = self.account_of(account)
        unknown = set(wanted) - {"id", "notes", "hidden", "state"} - set(self.new_data())
        if unknown:
            raise ValueError("a contact has no %s" % sorted(unknown))
        record = account.book.records.get(wanted.get("id"))
        if record is None:
            record = self.make(account, self.new_data(), "agent", id=wanted.get("id"))
        record.data.update((key, value) for key, value in wanted.items() if key in record.data)
        record.hidden = wanted.get("hidden", record.hidden)
        record.state = wanted.get("state", record.state)
        for details in wanted.get("notes", []):
            self.store_note(record, details, "agent")
        self.reindex(account, record)
        return record.id

    def agent(self, order):
        """What an agent does in kvCORE: delete, hide, show."""
        record = self.account_of(order.get("account")).book.records[order["id"]]
        if order["action"] == "delete":
            record.state = "deleted"
        else:
            record.hidden = {"hide": True, "show": False}[order["action"]]

    def records_report(self):
        return [{"account": account.id, "id": record.id, "made_by": record.made_by, "state": record.state,
                 "hidden": record.hidden, "made_up": False, "created_seq": record.seq, **record.data,
                 "phones": [record.data[name] for name in PHONES if record.data[name]], "notes": record.notes}
                for account in self.by_id.values() for record in account.book.records.values()]

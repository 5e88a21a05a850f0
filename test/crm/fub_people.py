"""Follow Up Boss people and events: search, checkDuplicate, create, update, lead intake (reference 4.2-4.7, G7-G11)."""

import base64
import copy

import fub_fields as fields
from fake import Refuse
from http_server import Response
from records import Record, phone_key, strange_number

FIRST_ID = 501
DEEPEST_OFFSET = 2000
SEED_KEYS = {"id", "notes", "hidden", "state"}     # of /seed, besides the person's own


class People:
    """The people and event routes of one fake API; `crm` is that fake."""

    def __init__(self, crm):
        self.crm = crm
        self.forget()

    def forget(self):
        self.next_id = FIRST_ID
        self.next_event = 70001

    def definitions(self):
        return self.crm.knobs["custom_fields"]

    def shown(self, record, wanted=frozenset((fields.ALL_FIELDS,))):
        return fields.read_person(record, self.definitions(), wanted, self.crm.knobs["tag_objects"])

    # Who can be seen

    def invisible(self, record):
        keys = {("phone", phone_key(phone)) for phone in self.crm.knobs["invisible"]}
        return record.hidden or bool(keys & record.keys)

    def lagging(self, record):
        lag = self.crm.knobs["index_lag_seconds"]
        return record.made_by == "client" and self.crm.clock.now() < record.created + lag

    def reach(self, request, id):
        record = self.crm.account(request).book.records.get(id)
        if record is None or record.state != "live" or self.invisible(record):
            raise Refuse(self.crm.error(404, "no such record"))
        return record

    def for_writing(self, request, id):
        record = self.reach(request, id)
        if record.made_up:
            self.crm.violation("wrote_to_stranger", "person %d was in a search result but does not match" % id, request)
        return record

    # Search

    def search(self, request):
        customs = {one["name"] for one in self.definitions()}
        asked = self.crm.read_params(request, fields.PEOPLE_PARAMETERS | customs)
        limit, offset = self.crm.page(request, asked)
        offset = self.offset_of(asked, offset)
        found = self.matching(self.crm.account(request), asked)
        wanted = self.fields_wanted(asked)
        page = [self.shown(record, wanted) for record in found[offset:offset + limit]]
        more = None
        if offset + limit < len(found):
            more = base64.urlsafe_b64encode(b"after %d" % (offset + limit)).decode()
        return self.crm.listing("people", page, limit, offset, len(found), more)

    def offset_of(self, asked, offset):
        if "next" in asked:
            try:
                offset = int(base64.urlsafe_b64decode(asked["next"]).decode().partition(" ")[2])
            except ValueError:
                raise Refuse(self.crm.error(400, "Invalid next value")) from None
        elif offset > DEEPEST_OFFSET:
            raise Refuse(self.crm.error(400, "offset is too deep, use next"))
        return offset

    def fields_wanted(self, asked):
        if "fields" not in asked:
            return None
        wanted = frozenset(asked["fields"].split(","))
        if len(wanted) > fields.LONGEST_FIELD_LIST:
            raise Refuse(self.crm.error(400, "Invalid fields"))
        return wanted if "allCustom" not in wanted else wanted | {fields.ALL_FIELDS}

    def matching(self, account, asked):
        """Visible people that meet every criterion, newest id first."""
        found = None
        if "phone" in asked:
            found = self.by_phone(account, asked["phone"])
        if "email" in asked:
            mails = account.book.by("email", asked["email"].strip().lower())
            found = mails if found is None else [record for record in found if record in mails]
        if found is None:
            found = list(account.book.records.values())
        trash = asked.get("includeTrash") == "true"
        found = [record for record in found
                 if record.state == "live" and not self.lagging(record) and not self.invisible(record)
                 and (trash or record.data["stage"] != "Trash") and self.meets(record, asked)]
        order = asked.get("sort", "created")
        return sorted(found, key=lambda record: record.id, reverse=order == "created" or order.startswith("-"))

    def meets(self, record, asked):
        data = record.data
        full_name = data["firstName"] + " " + data["lastName"]
        for name, text in (("name", full_name), ("firstName", data["firstName"]), ("lastName", data["lastName"])):
            if name in asked and asked[name].lower() not in text.lower():
                return False
        for name in ("id", "ids"):
            if name in asked and str(record.id) not in asked[name].split(","):
                return False
        for name, value in asked.items():
            exact = name in ("stage", "source", "assignedUserId") or name.startswith("custom")
            if exact and str(data.get(name)) != value:
                return False
        if "tags" in asked and not set(asked["tags"].split(",")) & set(data["tags"]):
            return False
        return int(asked.get("idGreaterThan", -1)) < record.id < int(asked.get("idLessThan", 2 ** 63))

    def by_phone(self, account, asked):
        """Which writings of a number find it is unknown; the knob phone_match says which do."""
        mode, digits = self.crm.knobs["phone_match"], asked[1:] if asked.startswith("+") else asked
        form = "plus" if asked.startswith("+") else "digits"
        key = phone_key(digits)
        found = []
        if digits.isdigit() and (form == "plus" or key == digits) \
                and (mode == "both" or (mode == "digits") == (form == "digits")):
            found = account.book.by("phone", key)
            if self.crm.knobs["two"]:
                found = self.twins(account, key, found)
        if self.crm.knobs["fuzzy"] and len(key) >= 7:
            known = account.book.strangers(key)
            found = found + [known[0] if known else self.make_up(account, "Stranger", strange_number(key))]
        return found

    def twins(self, account, number, found):
        found = [record for record in found if record.state == "live"]
        while len(found) < 2:
            found = found + [self.make_up(account, "Twin%d" % len(found), number)]
        return found

    def make_up(self, account, name, number):
        record = self.seed(account, {"firstName": name, "lastName": "Madeup", "phones": [number]})
        record.made_up = True
        return record

    def read(self, request, id):
        asked = self.crm.read_params(request, {"fields"})
        return Response.json(200, self.shown(self.reach(request, id), self.fields_wanted(asked)))

    def check_duplicate(self, request):
        """Sees the whole account, beyond what the caller may read; names no id."""
        asked = self.crm.read_params(request, {"phone", "email"})
        if not asked:
            raise Refuse(self.crm.error(400, "phone or email is required"))
        book = self.crm.account(request).book
        terms = (("email", asked.get("email", "").strip().lower()), ("phone", phone_key(asked.get("phone", ""))))
        for kind, value in terms:
            only_here = kind == "phone" and value and value in map(phone_key, self.crm.knobs["invisible"])
            if only_here or (value and any(one.state == "live" for one in book.by(kind, value))):
                return Response.json(200, {"found": True, "matchedBy": kind, "assignedTo": "Pat Agent"})
        return Response.json(200, {"found": False})

    # Create and update

    def create(self, request):
        asked = self.crm.read_params(request, {"deduplicate"})
        body = self.crm.read_body(request, fields.with_customs(fields.PEOPLE, self.definitions()))
        deduplicate = asked.get("deduplicate") == "true"
        if not deduplicate:
            self.crm.violation("create_without_deduplicate", "POST /people?%s" % request.query, request)
        self.check_contact_key(request, body)
        if deduplicate:
            for record in self.alike(self.crm.account(request), body):
                if not self.invisible(record) and not (self.crm.knobs["dedupe_lags"] and self.lagging(record)):
                    return Response.json(200, self.shown(record))
        record = self.new_person(request, body)
        return Response.json(self.crm.knobs["post_people_status"], self.shown(record))

    def check_contact_key(self, request, body):
        if not body.get("phones") and not body.get("emails"):
            self.crm.violation("created_without_contact_key", "neither phones nor emails", request)
        invisible = {phone_key(phone) for phone in self.crm.knobs["invisible"]}
        if any(phone_key(phone["value"]) in invisible for phone in body.get("phones", [])):
            self.crm.violation("created_invisible_duplicate", "checkDuplicate knows this phone", request)

    def alike(self, account, body):
        """Live people with one of these e-mails or phones, oldest first."""
        keys = [("email", one["value"].strip().lower()) for one in body.get("emails", [])]
        keys += [("phone", phone_key(one["value"])) for one in body.get("phones", [])]
        found = {record.id: record for kind, value in keys for record in account.book.by(kind, value)
                 if record.state == "live"}
        return [found[id] for id in sorted(found)]

    def new_person(self, request, body):
        record = self.add(self.crm.account(request), "client", request.seq)
        fields.write_person(record.data, body)
        record.data["tags"] = list(dict.fromkeys(record.data["tags"]))
        self.reindex(self.crm.account(request), record)
        return record

    def add(self, account, made_by, seq=None, id=None):
        if id is None:
            id = self.next_id
        self.next_id = max(self.next_id, id + 1)
        record = Record(id, fields.new_person(), made_by, self.crm.clock.now(), seq)
        account.book.add(record, [], [])
        return record

    def reindex(self, account, record):
        account.book.reindex(record, [one["value"] for one in record.data["phones"]],
                             [one["value"] for one in record.data["emails"]])

    def update(self, request, id):
        asked = self.crm.read_params(request, {"mergeTags"})
        record = self.for_writing(request, id)
        body = self.crm.read_body(request, fields.with_customs(fields.PEOPLE, self.definitions()))
        merge = asked.get("mergeTags") == "true"
        self.check_update(request, record, body, merge)
        before = copy.deepcopy(record.data)
        body = {key: value for key, value in body.items() if key not in ("source", "sourceUrl", "createdAt")}
        if "tags" in body:
            body["tags"] = list(dict.fromkeys((record.data["tags"] if merge else []) + body["tags"]))
        fields.write_person(record.data, body)
        self.reindex(self.crm.account(request), record)
        if record.data == before:
            self.crm.journal.count("fub", "noop_updates")
        else:
            record.updated = self.crm.clock.now()
        return Response.json(200, self.shown(record))

    def check_update(self, request, record, body, merge):
        """What a PUT must not do to the agent's own work, accepted by the API all the same."""
        if "tags" in body and not merge:
            self.crm.violation("put_tags_without_merge", "person %d" % record.id, request)
        if "source" in body or "sourceUrl" in body:
            self.crm.violation("put_source", "source is for create only", request)
        for name in ("stage", "assignedTo", "assignedUserId", "contacted"):
            if name in body:
                self.crm.violation("put_agent_field", name + " belongs to the agent after the create", request)
        for name, rule, key in (("phones", "drops_phones", phone_key), ("emails", "drops_emails", str.lower)):
            lost = {key(one["value"]) for one in record.data[name]} - {key(one["value"]) for one in body.get(name, [])}
            if name in body and lost:
                self.crm.violation(rule, "person %d loses %d" % (record.id, len(lost)), request)
        lost = [one for one in record.data["addresses"] if one not in body.get("addresses", [])]
        if "addresses" in body and lost:
            self.crm.violation("drops_addresses", "person %d loses %d" % (record.id, len(lost)), request)
        for name in ("firstName", "lastName"):
            if record.made_by == "agent" and name in body and record.data[name] not in ("", body[name]):
                self.crm.warning("agent_name_overwritten", "%s of person %d" % (name, record.id), request)

    def delete(self, request, id):
        self.crm.violation("delete_call", "person %d" % id, request)
        self.reach(request, id).state = "deleted"
        return Response(204)

    # Events

    def take_event(self, request):
        body = self.crm.read_body(request, fields.event_table(self.definitions()))
        missing = [name for name in ("source", "system", "type", "person") if name not in body]
        if missing:
            self.crm.violation("event_fields_missing", ", ".join(missing), request)
        if "person" not in body:
            raise Refuse(self.crm.error(400, "person is required"))
        if body.get("source") in self.crm.knobs["archived_sources"]:
            return Response(204)
        account, person = self.crm.account(request), dict(body["person"])
        record = self.event_match(request, account, person)
        status = 200
        if record is None:
            self.check_contact_key(request, person)
            record, status = self.new_person(request, {"source": body.get("source", ""), **person}), 201
        else:
            self.enrich(account, record, person)
        self.store_event(request, record, body)
        return Response.json(status, self.shown(record))

    def event_match(self, request, account, person):
        """person.id forces the match; else the same e-mail, or the same phone with the same first and last name."""
        id = person.pop("id", None)
        if id is not None:
            return self.for_writing(request, id)
        name = (person.get("firstName", "").lower(), person.get("lastName", "").lower())
        mails = {one["value"].strip().lower() for one in person.get("emails", [])}
        for record in self.alike(account, person):
            data = record.data
            if mails & {one["value"].lower() for one in data["emails"]} or self.crm.knobs["event_match"] == "phone" \
                    or (data["firstName"].lower(), data["lastName"].lower()) == name:
                return record
        return None

    def enrich(self, account, record, person):
        """An event adds to a known person: tags, unknown phones and e-mails, custom fields; it takes nothing away."""
        data = record.data
        data["tags"] = list(dict.fromkeys(data["tags"] + person.get("tags", [])))
        for name, key, kind in (("phones", phone_key, "mobile"), ("emails", str.lower, "home")):
            known = {key(one["value"]) for one in data[name]}
            new = [one for one in person.get(name, []) if key(one["value"]) not in known]
            data[name] = data[name] + [{"type": kind, **one, "isPrimary": 0 if data[name] else 1} for one in new]
        data.update((key, value) for key, value in person.items() if key.startswith("custom"))
        record.updated = self.crm.clock.now()
        self.reindex(account, record)

    def store_event(self, request, record, body):
        told = self.told_by(body)
        if any(event["told"] == told for event in record.events):
            self.crm.violation("same_event_twice", "for person %d" % record.id, request)
        event = {"id": self.next_event, "personId": record.id, "type": body.get("type"), "source": body.get("source"),
                 "message": body.get("message"), "created": fields.iso(self.crm.clock.now()), "told": told}
        self.next_event += 1
        record.events.append(event)
        self.crm.account(request).events.append(event)

    def told_by(self, body):
        """What people are told by an event: its message; without one, who it is about, as far as that is no id."""
        person = {key: value for key, value in body["person"].items() if key != "id"}
        return body.get("type"), body.get("message") or person

    def list_events(self, request):
        asked = self.crm.read_params(request, {"limit", "offset", "personId", "type"})
        limit, offset = self.crm.page(request, asked)
        found = [event for event in reversed(self.crm.account(request).events)
                 if asked.get("personId", str(event["personId"])) == str(event["personId"])]
        page = [{key: value for key, value in event.items() if key != "told"} for event in found[offset:offset + limit]]
        return self.crm.listing("events", page, limit, offset, len(found), None)

    # The agent's own work, through the control port

    def seed(self, account, wanted):
        """A new person made by the agent, or an edit of an existing one when its id is given."""
        unknown = {key for key in set(wanted) - SEED_KEYS - set(fields.new_person()) if not key.startswith("custom")}
        if unknown:
            raise ValueError("a person has no %s" % sorted(unknown))
        record = account.book.records.get(wanted.get("id")) or self.add(account, "agent", id=wanted.get("id"))
        data = {key: value for key, value in wanted.items() if key not in SEED_KEYS}
        for name in ("phones", "emails"):
            data[name] = [{"value": one} if isinstance(one, str) else one
                          for one in data.get(name, record.data[name])]
        fields.write_person(record.data, data)
        record.hidden = wanted.get("hidden", record.hidden)
        record.state = wanted.get("state", record.state)
        for content in wanted.get("notes", []):
            self.crm.store_note(record, {"body": content}, "agent")
        self.reindex(account, record)
        return record

"""Lofty leads: search, create, read, update, trash (reference 3.2-3.7, F8-F27, F35-F37)."""

import copy

import lofty_fields as fields
from fake import Refuse
from http_server import Response
from records import Record, phone_key, strange_number

FIRST_ID = 9007199254740993                   # above 2^53: a double cannot hold it
SEED_KEYS = {"leadId", "id", "notes", "hidden", "state"}     # of /seed, besides the lead's own
FLAGS = ("cannotCall", "cannotText", "cannotEmail", "unsubscription")


class Leads:
    """The lead routes of one fake Lofty; `crm` is that fake."""

    def __init__(self, crm):
        self.crm = crm
        self.forget()

    def forget(self):
        self.next_id = FIRST_ID
        self.next_property = 5001

    # Who can be seen

    def lagging(self, record):
        lag = self.crm.knobs["index_lag_seconds"]
        return record.made_by == "client" and self.crm.clock.now() < record.created + lag

    def listed(self, record):
        shown = record.state == "live" or (record.state == "trashed" and self.crm.knobs["search_shows_trashed"])
        return shown and not record.hidden and not self.lagging(record)

    def reach(self, request, id, lag_hides, with_trash=False):
        """The record, or 404 20006: unknown, another tenant's, trashed, merged away, routed away or still lagging."""
        record = self.crm.account(request).book.records.get(id)
        states = ("live", "trashed") if with_trash else ("live",)
        if record is None or record.state not in states or record.hidden or (lag_hides and self.lagging(record)):
            raise Refuse(self.crm.error_b(404, 20006, "Lead not exist"))
        return record

    def for_writing(self, request, id, lag_hides=False):
        record = self.reach(request, id, lag_hides)
        if record.made_up:
            self.crm.violation("wrote_to_stranger", "lead %d was in a search result but does not match" % id, request)
        return record

    # Search

    def search(self, request):
        asked = self.search_terms(request)
        limit, offset = self.page(asked, request)
        found = self.matching(self.crm.account(request), asked)
        total, mode = len(found), self.crm.knobs["none_mode"]
        meta = {"collection": "leads", "limit": limit, "offset": offset, "total": total,
                "scrollId": "s%d" % (offset + limit)}
        if not total and mode == "404":
            return self.crm.error_b(404, 20006, "Lead not exist")
        if not total and mode == "null":
            return Response.json(200, {"_metadata": meta, "leads": None})
        pad = 10000 if self.crm.knobs["fat_leads"] else 0
        page = [fields.read_lead(record, self.crm.account(request), pad) for record in found[offset:offset + limit]]
        return Response.json(200, {"_metadata": meta, "leads": page})

    def search_terms(self, request):
        """The parameters Lofty knows; the others are ignored, which is how the whole book comes back."""
        asked = {}
        for name, value in request.params():
            if name not in fields.SEARCH_PARAMETERS:
                self.crm.violation("unknown_query_key", name, request)
                continue
            if name in ("phone", "email") and " " in value and "+" in request.query:
                self.crm.violation("unescaped_plus", name, request)
            asked[name] = value
        return asked

    def page(self, asked, request):
        limit, offset = asked.get("limit", "25"), asked.get("offset", "0")
        if not limit.isdigit() or not 1 <= int(limit) <= 100:
            self.crm.violation("limit_out_of_range", "limit=%s" % limit, request)
            raise Refuse(self.crm.error_b(400, 20042, "Limit must be between 1 and 100"))
        if asked.get("scrollId", "").startswith("s") and asked["scrollId"][1:].isdigit():
            offset = asked["scrollId"][1:]
        return int(limit), int(offset) if offset.isdigit() else 0

    def matching(self, account, asked):
        """Visible records that meet every known term, newest first."""
        found = None
        if asked.get("phone"):
            found = self.by_phone(account, asked["phone"], asked.get("preciseSearchFlag") == "true")
        if asked.get("email"):
            mails = account.book.by("email", asked["email"]) if asked["email"] == asked["email"].lower() else []
            found = mails if found is None else [record for record in found if record in mails]
        if found is None:
            found = list(account.book.records.values())
        for term, test in self.other_terms(asked):
            found = [record for record in found if test(record.data)]
        newest_first = asked.get("desc", "true") != "false"
        found = sorted(filter(self.listed, found), key=lambda record: record.id, reverse=newest_first)
        if asked.get("phone") and self.crm.knobs["loose_search"]:
            found = [self.stranger(account, asked["phone"])] + [record for record in found if not record.made_up]
        return found

    def other_terms(self, asked):
        if "stage" in asked:
            if asked["stage"] not in self.crm.knobs["stages"]:
                raise Refuse(self.crm.error_b(404, 20007, "Stage not exist"))
            yield "stage", lambda data: data["stage"] == asked["stage"]
        if "source" in asked:
            yield "source", lambda data: data["source"] == asked["source"]
        if "key" in asked:
            word = asked["key"].lower()
            yield "key", lambda data: any(word in str(data[name]).lower() for name in
                                          ("firstName", "lastName", "phones", "emails"))
        if "anyTags" in asked:
            yield "anyTags", lambda data: set(asked["anyTags"].split(",")) & set(data["tags"])
        if "allTags" in asked:
            yield "allTags", lambda data: set(asked["allTags"].split(",")) <= set(data["tags"])

    def by_phone(self, account, asked, precise):
        """Ten bare digits find; other writings of a North American number do not (F9). Foreign ones also as E.164."""
        digits = asked[1:] if asked.startswith("+") else asked
        if not digits.isdigit() or (len(digits) == 11 and digits.startswith("1")):
            return []
        if len(digits) == 10 and asked == digits:
            found = account.book.by("last10", digits)
        else:
            found = account.book.by("phone", digits)
        if self.crm.knobs["two_hits"]:
            found = self.twins(account, asked, found)
        if not precise:
            found = found + [one for one in account.book.by("last7", digits[-7:]) if one not in found]
        return found

    def stranger(self, account, number):
        """F11: a lead whose phones differ."""
        known = account.book.strangers(number)
        return known[0] if known else self.make_up(account, "Stranger", strange_number(number))

    def twins(self, account, number, found):
        """F12: at least two leads with exactly this phone."""
        found = [record for record in found if self.listed(record)]
        while len(found) < 2:
            found = found + [self.make_up(account, "Twin%d" % len(found), number)]
        return found

    def make_up(self, account, name, number):
        record = self.seed(account, {"firstName": name, "lastName": "Madeup", "phones": [number]})
        record.made_up = True
        return record

    # Create

    def create(self, request):
        body = self.crm.read_body(request, fields.CREATE)
        account, raw = self.crm.account(request), request.json()
        if not body.get("firstName", "").strip():
            raise Refuse(self.crm.error_a(400, 20012, "firstName is required"))
        self.check_values(request, account, body)
        self.check_create(request, raw, body)
        survivor = self.survivor(account, body) if self.crm.knobs["merge"] else None
        record = self.new_record(account, self.filled(body), "client", request.seq)
        if survivor is not None:
            return self.merged(record, survivor, body, request)
        self.write_property(account, record, body)
        self.write_attributes(record, body, request, replace=False)
        account.book.add(record, record.data["phones"], record.data["emails"])
        if "assignedUserId" not in body:
            record.data["assignedUserId"] = account.colleague_id
            record.hidden = self.crm.knobs["routing_invisible"]
        if body.get("content", "").strip():
            self.crm.add_note(record, body["content"], body.get("isPin", False), request)
        return Response.json(200, {"leadId": record.id})

    def check_create(self, request, raw, body):
        """What a create must not do to people, accepted by Lofty all the same."""
        for name in ("welcomeEmail", "leadAlert"):
            if raw.get(name) is not False:
                self.crm.violation("mail_sent", "%s is %r, not false" % (name, raw.get(name)), request)
        if "tags" in raw:
            self.crm.violation("lofty_tags_replace", "create with tags; use tagsAdd", request)
        if not body.get("phones") and not body.get("emails"):
            self.crm.violation("created_without_contact_key", "neither phones nor emails", request)
        raised = [flag for flag in FLAGS if body.get(flag)]
        if raised:
            self.crm.warning("created_do_not_contact", ", ".join(raised), request)

    def check_values(self, request, account, body):
        """Refusals and violations that create and update share."""
        for flag in FLAGS:
            if body.get(flag) is False:
                self.crm.violation("flag_downgrade", flag + " set to false", request)
        block = body.get("property")
        if block is not None and not any(str(block.get(key, "")).strip() for key in fields.ADDRESS_KEYS):
            self.crm.violation("empty_property_block", str(block), request)
            raise Refuse(self.crm.error_a(400, 200057, "Property address is empty"))
        if "stage" in body and body["stage"] not in self.crm.knobs["stages"]:
            raise Refuse(self.crm.error_a(400, 20012, "Invalid parameter: stage"))
        if body.get("assignedUserId", 10 ** 14) < 10 ** 12:
            self.crm.violation("short_assignee_id", "%d is a /me id" % body["assignedUserId"], request)
            raise Refuse(self.crm.error_a(400, 20012, "Invalid parameter: assignedUserId"))
        if body.get("ownershipScope") in ("OFFICE", "PERSONAL") and "ownershipId" not in body:
            raise Refuse(self.crm.error_a(400, 20012, "Invalid parameter: ownershipId"))

    def filled(self, body):
        data = fields.new_lead()
        data.update((key, body[key]) for key in fields.PLAIN if key in body)
        data["tags"] = list(dict.fromkeys(body.get("tags", []) + body.get("tagsAdd", [])))
        return data

    def new_record(self, account, data, made_by, seq=None, id=None):
        if id is None:
            id = self.next_id
        self.next_id = max(self.next_id, id + 2 - (id + 1) % 2)
        return Record(id, data, made_by, self.crm.clock.now(), seq)

    def survivor(self, account, body):
        """F23: the lead this one would be folded into: same e-mail, or same name and phone."""
        for email in body.get("emails", []):
            for record in account.book.by("email", email.strip().lower()):
                if record.state == "live":
                    return record
        name = (body["firstName"].lower(), body.get("lastName", "").lower())
        for phone in body.get("phones", []):
            for record in account.book.by("phone", phone_key(phone)):
                data = record.data
                if record.state == "live" and (data["firstName"].lower(), data["lastName"].lower()) == name:
                    return record
        return None

    def merged(self, ghost, survivor, body, request):
        """The reply names an id that will never be found again; the survivor only gets the tags."""
        ghost.state, ghost.survivor = "ghost", survivor.id
        self.crm.account(request).book.add(ghost, [], [])
        self.apply_tags(survivor, body)
        self.crm.warning("merged_on_create", "%d into %d" % (ghost.id, survivor.id), request)
        return Response.json(200, {"leadId": ghost.id})

    # Read, update, trash

    def read(self, request, id):
        with_trash = dict(request.params()).get("withTrash") == "true"
        record = self.reach(request, id, lag_hides=True, with_trash=with_trash)
        return Response.json(200, {"lead": fields.read_lead(record, self.crm.account(request))})

    def update(self, request, id):
        record = self.for_writing(request, id)
        body = self.crm.read_body(request, fields.EDIT)
        account = self.crm.account(request)
        if "firstName" in body and not body["firstName"].strip():
            raise Refuse(self.crm.error_a(400, 20012, "Invalid parameter: firstName"))
        self.check_values(request, account, body)
        self.check_update(request, record, request.json(), body)
        before = copy.deepcopy(record.data)
        try:
            self.write_property(account, record, body)
            self.write_attributes(record, body, request, replace=self.crm.knobs["attributes_replace"])
        except Refuse:
            record.data = before
            raise
        record.data.update((key, body[key]) for key in fields.PLAIN if key in body)
        self.apply_tags(record, body)
        account.book.reindex(record, record.data["phones"], record.data["emails"])
        if record.data == before:
            self.crm.journal.count("lofty", "noop_updates")
        else:
            record.updated = self.crm.clock.now()
        return Response.json(200, {"leadId": id})

    def check_update(self, request, record, raw, body):
        """What an update must not do to the agent's own work, accepted by Lofty all the same."""
        complain = self.crm.violation
        if "tags" in raw or "clearAllTags" in raw:
            self.crm.journal.count("lofty", "destructive_writes")
            complain("lofty_tags_replace", "update with tags or clearAllTags", request)
        if "source" in raw:
            complain("put_source", "source is for create only", request)
        for name in ("stage", "assignedUserId", "leadTypes"):
            if name in raw:
                complain("put_agent_field", name + " belongs to the agent after the create", request)
        lost = {phone_key(one) for one in record.data["phones"]} - {phone_key(one) for one in body.get("phones", [])}
        if "phones" in body and lost:
            self.crm.journal.count("lofty", "destructive_writes")
            complain("drops_phones", "lead %d loses %d phones" % (record.id, len(lost)), request)
        lost = {one.lower() for one in record.data["emails"]} - {one.lower() for one in body.get("emails", [])}
        if "emails" in body and lost:
            self.crm.journal.count("lofty", "destructive_writes")
            complain("drops_emails", "lead %d loses %d e-mails" % (record.id, len(lost)), request)
        for name in ("phones", "emails", "tagsAdd", "segments", "leadTypes", "customAttributeList"):
            if raw.get(name) == []:
                complain("empty_array", name, request)
        for name in ("firstName", "lastName"):
            if record.made_by == "agent" and name in body and record.data[name] not in ("", body[name]):
                self.crm.warning("agent_name_overwritten", "%s of lead %d" % (name, record.id), request)

    def apply_tags(self, record, body):
        tags = [] if body.get("clearAllTags") else body.get("tags", record.data["tags"])
        removed = set(body.get("tagsRemove", []))
        record.data["tags"] = [tag for tag in dict.fromkeys(tags + body.get("tagsAdd", [])) if tag not in removed]

    def write_property(self, account, record, body):
        """Edited in place by id, merged by equal address, else added."""
        block = body.get("property")
        if block is None:
            return
        records = record.data["properties"]
        wanted = block.get("id", 0)
        if wanted > 0:
            same = [one for one in records if one["id"] == wanted]
            if not same:
                raise Refuse(self.crm.error_b(404, 200108, "Lead property not exist"))
        else:
            address = [block.get(key, "") for key in fields.ADDRESS_KEYS]
            same = [one for one in records if [one.get(key, "") for key in fields.ADDRESS_KEYS] == address]
        if same:
            same[0].update(block, id=same[0]["id"])
            return
        records.append({**block, "id": self.next_property})
        self.next_property += 1

    def write_attributes(self, record, body, request, replace):
        """Known names only; with `replace` what is not listed is lost (F36)."""
        if "customAttributeList" not in body:
            return
        known = {one["attributeName"]: one for one in self.crm.knobs["attributes"]}
        values = {}
        for attribute in body["customAttributeList"]:
            wrong = fields.check_attribute(attribute, known)
            if wrong == "no such field":
                self.crm.violation("unknown_attribute", attribute["attributeName"], request)
            elif wrong:
                self.crm.violation("wrong_type", "%s %s" % (attribute["attributeName"], wrong), request)
                raise Refuse(self.crm.error_a(400, 20012, "Invalid parameter: customAttributeList"))
            else:
                values[attribute["attributeName"]] = attribute
        lost = set(record.data["attributes"]) - set(values)
        if replace and lost:
            self.crm.journal.count("lofty", "destructive_writes")
            self.crm.violation("drops_attributes", ", ".join(sorted(lost)), request)
        record.data["attributes"] = values if replace else {**record.data["attributes"], **values}

    def trash(self, request, id):
        self.crm.violation("delete_call", "lead %d" % id, request)
        if not dict(request.params()).get("reason"):
            raise Refuse(self.crm.error_a(400, 20012, "Invalid parameter: reason"))
        self.reach(request, id, lag_hides=False).state = "trashed"
        return Response.json(200, {"deleted": True, "leadId": str(id)})

    def add_property(self, request, id):
        record = self.for_writing(request, id)
        body = {"property": self.crm.read_body(request, fields.PROPERTY)}
        self.check_values(request, self.crm.account(request), body)
        self.write_property(self.crm.account(request), record, body)
        return Response.json(200, {"leadId": id})

    def add_inquiry(self, request, id):
        record = self.for_writing(request, id)
        record.data["inquiry"] = self.crm.read_body(request, fields.INQUIRY)
        return Response.json(200, {"leadId": id})

    # The agent's own work, through the control port

    def seed(self, account, wanted):
        """A new lead made by the agent, or an edit of an existing one when its id is given."""
        unknown = set(wanted) - SEED_KEYS - set(fields.new_lead()) - set(fields.PLAIN)
        if unknown:
            raise ValueError("a lead has no %s" % sorted(unknown))
        id = wanted.get("leadId") or wanted.get("id")
        record = account.book.records.get(id)
        if record is None:
            record = self.new_record(account, fields.new_lead(), "agent", id=id)
            account.book.add(record, [], [])
        data = {key: value for key, value in wanted.items() if key not in SEED_KEYS}
        record.data.update(data)
        record.hidden = wanted.get("hidden", record.hidden)
        record.state = wanted.get("state", record.state)
        for content in wanted.get("notes", []):
            self.crm.store_note(record, content, False, "agent")
        account.book.reindex(record, record.data["phones"], record.data["emails"])
        return record

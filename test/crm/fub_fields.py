"""Follow Up Boss request bodies (people, events, notes) as tables of fields, and how a person looks when read.

Strictness follows reference/follow-up-boss.md 4.2-4.9 and G7, G9.
"""

import time

from kinds import boolean, choice, day, integer, list_of, need, number, text, thing

EVENT_TYPES = ("Registration", "Inquiry", "Seller Inquiry", "Property Inquiry", "General Inquiry", "Viewed Property",
               "Saved Property", "Visited Website", "Incoming Call", "Unsubscribed", "Property Search",
               "Saved Property Search", "Visited Open House", "Viewed Page")

ALL_FIELDS = "allFields"
LONGEST_FIELD_LIST = 20                       # "one user saw 400 with a long hand-picked list"


def bit(reader, value, where):
    """isPrimary and the like: true, false, 0 or 1, since reads give 0 and 1 and clients write them back."""
    need(value in (0, 1) and isinstance(value, int), where, "must be a boolean", value)
    return int(value)


CONTACT = {"value": text(), "type": text(), "isPrimary": bit, "status": text(), "normalized": text(),
           "isLandline": bit}
CONTACTS = list_of(thing(CONTACT, needed=("value",)))
ADDRESSES = list_of(thing({"type": text(), "street": text(), "city": text(), "state": text(), "code": text(),
                           "country": text()}))

PERSON = {
    "firstName": text(), "lastName": text(), "stage": text(), "source": text(), "sourceUrl": text(),
    "contacted": boolean, "price": number, "assignedTo": text(), "assignedUserId": integer,
    "assignedLenderName": text(), "assignedLenderId": integer, "emails": CONTACTS, "phones": CONTACTS,
    "addresses": ADDRESSES, "tags": list_of(text())}
PEOPLE = {**PERSON, "createdAt": text(), "assignedPondId": integer, "background": text(),
          "collaborators": list_of(integer), "timeframeId": integer}

PROPERTY = {"street": text(), "city": text(), "state": text(), "code": text(), "mlsNumber": text(), "price": number,
            "forRent": boolean, "url": text(), "type": text(), "bedrooms": number, "bathrooms": number,
            "area": number, "lot": number}
SEARCH = {"type": text(), "neighborhood": text(), "city": text(), "state": text(), "code": text(),
          "minPrice": number, "maxPrice": number, "minBedrooms": number, "maxBedrooms": number,
          "minBathrooms": number, "maxBathrooms": number}
CAMPAIGN = {"source": text(), "medium": text(), "term": text(), "content": text(), "campaign": text()}
NOTE = {"personId": integer, "subject": text(), "body": text(), "isHtml": boolean}

PEOPLE_PARAMETERS = {
    "phone", "email", "name", "firstName", "lastName", "id", "ids", "tags", "stage", "source", "assignedUserId",
    "includeTrash", "includeUnclaimed", "sort", "limit", "offset", "next", "fields", "idLessThan", "idGreaterThan"}


def custom_kind(definition):
    """The kind of a custom field; null clears it."""
    by_type = {"text": text(), "date": day, "number": number,
               "dropdown": choice(*definition.get("choices", ()))}
    kind = by_type[definition["type"]]
    return lambda reader, value, where: None if value is None else kind(reader, value, where)


def with_customs(table, definitions):
    return {**table, **{one["name"]: custom_kind(one) for one in definitions}}


def event_table(definitions):
    person = thing({**with_customs(PERSON, definitions), "id": integer})
    return {"type": choice(*EVENT_TYPES), "source": text(), "system": text(), "person": person,
            "property": thing(PROPERTY), "propertySearch": thing(SEARCH),
            "campaign": thing(CAMPAIGN, needed=("source",)), "message": text(), "description": text(),
            "pageTitle": text(), "pageUrl": text(), "pageReferrer": text(), "pageDuration": integer,
            "occurredAt": text()}


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def contacts(items, default_type, status=None):
    """Stored phones or e-mails: exactly one is primary, the first unless another says so."""
    stored = [{"value": item["value"], "type": item.get("type", default_type),
               "isPrimary": item.get("isPrimary", 0), **({"status": item.get("status", status)} if status else {})}
              for item in items]
    if stored and not any(item["isPrimary"] for item in stored):
        stored[0]["isPrimary"] = 1
    return stored


def new_person():
    return {"firstName": "", "lastName": "", "stage": "Lead", "source": "<unspecified>", "sourceUrl": None,
            "contacted": False, "price": 0, "assignedTo": "Pat Agent", "assignedUserId": 12, "emails": [],
            "phones": [], "addresses": [], "tags": [], "background": None, "collaborators": []}


def write_person(data, body):
    """Key by key; phones and e-mails get their stored form."""
    for key, value in body.items():
        if key == "phones":
            value = contacts(value, "mobile", "Not Validated")
        elif key == "emails":
            value = contacts(value, "home")
        data[key] = value


def read_person(record, definitions, wanted=None, tag_objects=False):
    """The person as GET shows it: booleans as 0/1, keys nobody documents, custom fields only when asked for."""
    data = record.data
    person = {"id": record.id, "created": iso(record.created), "updated": iso(record.updated),
              "name": (data["firstName"] + " " + data["lastName"]).strip(), "createdVia": "API", "claimed": 1,
              "socialData": None, "delayed": False, "x_undocumented": {"nested": [1, 2, {"deep": None}]}}
    person.update((key, value) for key, value in data.items() if not key.startswith("custom"))
    person["contacted"] = 1 if data["contacted"] else 0
    if tag_objects:
        person["tags"] = [{"name": tag} for tag in data["tags"]]
    customs = {one["name"]: data.get(one["name"]) for one in definitions}
    if wanted is None:
        return person
    if wanted & {ALL_FIELDS, "allCustom"}:
        return {**person, **customs}
    return {key: value for key, value in {**person, **customs}.items() if key == "id" or key in wanted}

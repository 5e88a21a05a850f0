"""Lofty's request bodies (LeadRequest, EditLeadRequest, notes) as tables of fields, and how a lead looks when read.

Strictness follows reference/lofty.md 3.3-3.9 and F16-F21.
"""

import json
import time

from kinds import Invalid, anything, boolean, choice, integer, list_of, need, number, text, thing

YES_NO = choice("Yes", "No")
TIME_FRAME = choice("1-3", "3-6", "6-12", "12+", "Just Looking", "Refinancing")
LEAD_TYPE = choice(-1, 1, 2, 5, 6, 7, 8, 9)
ATTRIBUTE_TYPES = ("number", "text", "date", "anniversary_date", "single_select", "multi_select", "percentage",
                   "currency")
ADDRESS_KEYS = ("streetAddress", "city", "state", "zipCode")


def tag_names(reader, value, where):
    """Strings; a number becomes a junk tag, as observed, and is a violation."""
    need(isinstance(value, list), where, "must be an array", value)
    names = []
    for item in value:
        if isinstance(item, int) and not isinstance(item, bool):
            reader.violation("wrong_type", "%s: the number %d becomes a junk tag" % (where, item))
            item = str(item)
        names.append(text(cut=64)(reader, item, where))
    return names


PROPERTY = {
    "streetAddress": text(), "city": text(), "state": text(), "zipCode": text(), "county": text(),
    "propertyType": text(), "price": number, "priceMin": number, "priceMax": number, "bedrooms": integer,
    "bathrooms": number, "squareFeet": number, "lotSize": number, "parkingSpace": number, "floors": number,
    "mailAddress": boolean, "id": integer, "label": text(), "note": text()}

INQUIRY = {
    "priceMin": integer, "priceMax": integer, "propertyType": list_of(text()), "bedroomsMin": integer,
    "bedroomsMax": integer, "bathroomsMin": text(), "bathroomsMax": text(),
    "locations": list_of(thing({"city": text(), "stateCode": text(), "zipCode": text(), "county": text(),
                                "streetAddress": text(), "description": text()}))}

ATTRIBUTE = thing({"attributeName": text(), "attributeType": choice(*ATTRIBUTE_TYPES), "value": text()},
                  needed=("attributeName", "attributeType", "value"))

FAMILY_MEMBER = thing({"firstName": text(), "lastName": text(), "relationship": text(),
                       "phones": list_of(text(most=20)), "emails": list_of(text()), "birthday": text()},
                      needed=("firstName",))

BOTH = {
    "firstName": text(cut=30), "lastName": text(cut=30), "emails": list_of(text()), "phones": list_of(text(most=20)),
    "leadTypes": list_of(LEAD_TYPE), "source": text(), "stage": text(most=20), "tags": tag_names,
    "tagsAdd": tag_names, "segments": list_of(text(cut=30)), "groups": list_of(text(cut=30)),
    "property": thing(PROPERTY), "streetAddress": text(), "city": text(), "state": text(), "zipCode": text(),
    "inquiry": thing(INQUIRY), "customAttributeList": list_of(ATTRIBUTE), "cannotCall": boolean,
    "cannotText": boolean, "cannotEmail": boolean, "unsubscription": boolean, "assignedUserId": integer,
    "ownershipScope": choice("TEAM", "OFFICE", "PERSONAL"), "ownershipId": integer, "referredBy": text(),
    "birthday": text(), "language": choice("en", "fr", "de", "es", "zh-CN", "zh-TW", "ja"),
    "buyingTimeFrame": TIME_FRAME, "sellingTimeFrame": TIME_FRAME, "preQual": YES_NO, "houseToSell": YES_NO,
    "fthb": YES_NO, "withBuyerAgent": YES_NO, "mortgage": YES_NO, "buyHouse": YES_NO, "withListingAgent": YES_NO,
    "leadFamilyMemberList": list_of(FAMILY_MEMBER, most=4), "leadTransaction": anything}

CREATE = {**BOTH, "content": text(cut=2000), "isPin": boolean, "welcomeEmail": boolean, "leadAlert": boolean,
          "assignGroupId": integer, "leadRouting": anything}
EDIT = {**BOTH, "isHidden": boolean, "tagsRemove": tag_names, "clearAllTags": boolean}
NOTE = {"leadId": integer, "content": text(cut=2000), "isPin": boolean}

# What a create or update stores as it is; everything else needs a hand.
PLAIN = ("firstName", "lastName", "emails", "phones", "leadTypes", "source", "stage", "segments", "cannotCall",
         "cannotText", "cannotEmail", "unsubscription", "assignedUserId", "ownershipScope", "ownershipId",
         "referredBy", "birthday", "language", "inquiry", "leadFamilyMemberList", "isHidden", "buyingTimeFrame",
         "sellingTimeFrame", "preQual", "houseToSell", "fthb", "withBuyerAgent", "mortgage", "buyHouse",
         "withListingAgent")

SEARCH_PARAMETERS = {
    "phone", "email", "key", "preciseSearchFlag", "stage", "source", "assignedUserId", "contacted", "segments",
    "groups", "allTags", "anyTags", "groupIds", "querySubGroup", "languages", "roleAssigneeFilters", "sort", "desc",
    "offset", "limit", "scrollId", "otherFilters", "returnFields"}


def new_lead():
    """A lead with nothing set: unset numbers are -1, not null."""
    return {"firstName": "", "lastName": "", "emails": [], "phones": [], "leadTypes": [-1], "source": "",
            "stage": "New Leads", "tags": [], "segments": None, "cannotCall": False, "cannotText": False,
            "cannotEmail": False, "unsubscription": False, "properties": [], "attributes": {}}


def check_attribute(attribute, known):
    """None when the team has the field and the value fits it; else why not."""
    definition = known.get(attribute["attributeName"])
    if definition is None:
        return "no such field"
    if definition["attributeType"] != attribute["attributeType"]:
        return "is of type %s" % definition["attributeType"]
    value = attribute["value"]
    if value and attribute["attributeType"] in ("number", "percentage", "currency"):
        try:
            float(value)
        except ValueError:
            return "is not a number"
    if value and attribute["attributeType"] == "multi_select":
        try:
            need(isinstance(json.loads(value), list), "value", "must be an encoded array", value)
        except (ValueError, Invalid):
            return "is not a JSON array in a string"
    return None


def lead_time(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SGMT", time.gmtime(seconds))


def note_time(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def read_lead(record, account, pad=0):
    """The lead as GET shows it; tags are objects here although they are written as strings."""
    data, created = record.data, lead_time(record.created)
    lead = {
        "leadId": record.id, "leadUserId": record.id + 400000000000000, "phoneStatuses": [2] * len(data["phones"]),
        "leadSource": -1, "stageId": -1, "teamId": account.team_id, "createTime": created,
        "lastUpdateTime": lead_time(record.updated), "creatorUserId": account.long_user_id, "score": -1,
        "priceMin": -1, "priceMax": -1, "lastTouch": None, "leadInquiry": data.get("inquiry"),
        "ownershipScope": "PERSONAL", "ownershipId": account.long_user_id, "assignedUserId": account.long_user_id,
        "leadPropertyList": data["properties"],
        "customAttributes": [{**value, "params": None} for value in data["attributes"].values()]}
    lead.update((key, value) for key, value in data.items() if key not in ("properties", "attributes", "inquiry"))
    lead["tags"] = [{"tagId": account.tag_id(name), "tagName": name, "leadId": record.id,
                     "creatorUserId": account.long_user_id, "visibleType": 0, "createTime": created,
                     "updateTime": created} for name in data["tags"]]
    if pad:
        lead["zPadding"] = "long text " * (pad // 10)
    return lead

/*
 * followupboss_person.c
 *		Follow Up Boss: reading a person record, and whether it is the lead's.
 *
 * Not here: writing one (followupboss_body.c).
 */
#include "postgres.h"

#include "crm/followupboss.h"
#include "crm/record.h"

/* ------------------------------------------------------------------------
 * What it has
 * ------------------------------------------------------------------------ */

/* The id of a record as text; NULL when it has none. */
char *
fub_person_id(JsonbContainer *person)
{
	int64		id;

	if (!json_get_int64(person, "id", &id) || id <= 0)
		return NULL;
	return psprintf(INT64_FORMAT, id);
}

/* The text of an array's element: a string, or an object's member. */
char *
fub_person_item(JsonbContainer *array, int index, const char *key)
{
	JsonbValue *value = json_array_element(array, index);
	JsonbContainer *object = json_value_object(value);

	return object ? json_get_text(object, key) : json_value_text(value);
}

static bool
has_item(JsonbContainer *array, const char *key, const char *text)
{
	for (int i = 0; i < json_array_length(array); i++)
	{
		if (record_same_text(text, fub_person_item(array, i, key)))
			return true;
	}
	return false;
}

/* The search may be fuzzy: a hit counts only with the same key (reference 5). */
bool
fub_person_has_phone(JsonbContainer *person, const CrmLead *lead)
{
	JsonbContainer *phones = json_get_array(person, "phones");

	for (int i = 0; i < json_array_length(phones); i++)
	{
		if (record_same_phone(lead, fub_person_item(phones, i, "value")))
			return true;
	}
	return false;
}

bool
fub_person_has_email(JsonbContainer *person, const CrmLead *lead)
{
	return lead->email != NULL &&
		has_item(json_get_array(person, "emails"), "value", lead->email);
}

bool
fub_person_has_address(JsonbContainer *addresses, const CrmLead *lead)
{
	for (int i = 0; i < json_array_length(addresses); i++)
	{
		JsonbContainer *item = json_value_object(json_array_element(addresses, i));

		if (item != NULL &&
			lead_address_same(LEAD_FIELD_ADDRESS, lead->address, json_get_text(item, "street")) &&
			lead_address_same(LEAD_FIELD_CITY, lead->city, json_get_text(item, "city")) &&
			lead_address_same(LEAD_FIELD_STATE, lead->state, json_get_text(item, "state")) &&
			lead_address_same(LEAD_FIELD_ZIP_CODE, lead->zip_code, json_get_text(item, "code")))
			return true;
	}
	return false;
}

/* Tags are strings; one client met {"name": ...} too (reference 4.1). */
bool
fub_person_has_tag(JsonbContainer *person, const char *tag)
{
	return has_item(json_get_array(person, "tags"), "name", tag);
}

/* ------------------------------------------------------------------------
 * Whose it is
 * ------------------------------------------------------------------------ */

bool
fub_person_names_agree(JsonbContainer *person, const CrmLead *lead)
{
	return crm_names_agree(lead, json_get_text(person, "firstName"),
						   json_get_text(person, "lastName"));
}

/* Unlike agreement, a blank proves nothing here. */
bool
fub_person_same_last_name(JsonbContainer *person, const CrmLead *lead)
{
	char	   *last = json_get_text(person, "lastName");

	return lead->last_name != NULL && !text_is_blank(last) &&
		crm_names_agree(lead, NULL, last);
}

CrmMatch
fub_person_match(JsonbContainer *person, const CrmLead *lead)
{
	return record_match(fub_person_has_phone(person, lead), fub_person_has_email(person, lead),
						crm_names_compare(lead, json_get_text(person, "firstName"), json_get_text(person, "lastName")));
}

static bool
made_for_lead(const CrmSession *session, JsonbContainer *person)
{
	JsonbContainer *tags = json_get_array(person, "tags");
	RecordOrigin origin = {json_get_text(person, "source"), json_get_text(person, "created"), NIL};

	for (int i = 0; i < json_array_length(tags); i++)
	{
		char	   *tag = fub_person_item(tags, i, "name");

		if (tag != NULL)
			origin.tags = lappend(origin.tags, tag);
	}
	return record_made_for_lead(session, &origin, FUB_TAG_MAX);
}

/*
 * Does the record carry what only our create can have put there?  Asked when a
 * create's reply was lost or does not tell new from existing.  The source is
 * written once, at creation; the tags stand for it where it is shown otherwise,
 * unless a predecessor may have added them to somebody else's record.
 */
bool
fub_person_is_ours(const CrmSession *session, JsonbContainer *person)
{
	const FubState *state = session->state;
	ListCell   *lc;

	if (!fub_person_names_agree(person, session->lead))
		return false;
	if (session->repeated && !session->uncertain)
		return made_for_lead(session, person);
	if (record_same_text(record_source(session), json_get_text(person, "source")))
		return true;
	foreach(lc, state->tags)
	{
		if (!fub_person_has_tag(person, lfirst(lc)))
			return false;
	}
	return state->tags != NIL;
}

/* A person whom we know under another name: not ours to fill. */
bool
fub_person_is_shared(const CrmSession *session)
{
	return crm_match_is_shared(session->link.match);
}

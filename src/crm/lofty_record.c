/*
 * lofty_record.c
 *		Lofty: reading a lead that Lofty returned, its id above all, and linking
 *		a session to it.
 *
 * Not here: which records are asked for (lofty_search.c), what is written to
 * them (lofty_write.c).
 */
#include "postgres.h"

#include "crm/lofty.h"
#include "crm/record.h"

/* ------------------------------------------------------------------------
 * Ids
 * ------------------------------------------------------------------------ */

/* Record ids are int64, positive, and never pass through a double (4). */
bool
lofty_record_parse_id(const char *text, int64 *id)
{
	char	   *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*id = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *id > 0;
}

bool
lofty_record_get_id(JsonbContainer *object, const char *key, int64 *id)
{
	return json_get_int64(object, key, id) && *id > 0;
}

/* ------------------------------------------------------------------------
 * A record
 * ------------------------------------------------------------------------ */

/* Strings of an array member; *whole is false if it holds anything else. */
static List *
read_strings(JsonbContainer *object, const char *key, bool *whole)
{
	JsonbContainer *array = json_get_array(object, key);
	JsonbValue *value = json_get(object, key);
	int			length = array ? json_array_length(array) : 0;
	List	   *strings = NIL;

	/* unset is null or left out; any other type is not what we know */
	*whole = (array != NULL || value == NULL || value->type == jbvNull);
	for (int i = 0; i < length; i++)
	{
		JsonbValue *element = json_array_element(array, i);

		if (element != NULL && element->type == jbvString)
			strings = lappend(strings, json_value_text(element));
		else
			*whole = false;
	}
	return strings;
}

/* Tags are read as objects, though they are written as strings (3.5). */
static List *
read_tags(JsonbContainer *lead)
{
	JsonbContainer *array = json_get_array(lead, "tags");
	int			length = array ? json_array_length(array) : 0;
	List	   *tags = NIL;

	for (int i = 0; i < length; i++)
	{
		JsonbValue *element = json_array_element(array, i);
		JsonbContainer *object = json_value_object(element);
		char	   *name = object ? json_get_text(object, "tagName") :
			json_value_text(element);

		if (name != NULL)
			tags = lappend(tags, name);
	}
	return tags;
}

static void
read_attributes(JsonbContainer *lead, LoftyRecord *record)
{
	JsonbContainer *array = json_get_array(lead, "customAttributes");
	int			length = array ? json_array_length(array) : 0;

	record->attributes_whole = true;
	for (int i = 0; i < length; i++)
	{
		JsonbContainer *object = json_value_object(json_array_element(array, i));
		JsonbValue *value = object ? json_get(object, "value") : NULL;
		LoftyAttribute *attribute;

		if (object != NULL && (value == NULL || value->type == jbvNull))
			continue;			/* a field of the team that the lead leaves empty */

		attribute = (LoftyAttribute *) palloc0(sizeof(LoftyAttribute));
		if (object != NULL)
		{
			attribute->name = json_get_text(object, "attributeName");
			attribute->type = json_get_text(object, "attributeType");
			attribute->value = json_value_text(value);
		}
		if (attribute->name == NULL || attribute->type == NULL ||
			attribute->value == NULL)
			record->attributes_whole = false;
		else
			record->attributes = lappend(record->attributes, attribute);
	}
}

/*
 * Any entry of the property list counts as an address, whatever its shape:
 * adding a second one to an agent's lead is the error to avoid.
 */
static bool
read_has_address(JsonbContainer *lead)
{
	static const char *const parts[] = {"streetAddress", "city", "state", "zipCode"};
	JsonbContainer *list = json_get_array(lead, "leadPropertyList");

	if (list != NULL && json_array_length(list) > 0)
		return true;
	for (int i = 0; i < lengthof(parts); i++)
	{
		if (!text_is_blank(json_get_text(lead, parts[i])))
			return true;
	}
	return false;
}

/* NULL when this is no lead: above all, when it has no usable id (4). */
LoftyRecord *
lofty_record_read(JsonbContainer *lead)
{
	LoftyRecord *record;
	int64		id;

	if (lead == NULL || !lofty_record_get_id(lead, "leadId", &id))
		return NULL;

	record = (LoftyRecord *) palloc0(sizeof(LoftyRecord));
	record->id = id;
	record->first_name = json_get_text(lead, "firstName");
	record->last_name = json_get_text(lead, "lastName");
	record->phones = read_strings(lead, "phones", &record->phones_whole);
	record->emails = read_strings(lead, "emails", &record->emails_whole);
	record->tags = read_tags(lead);
	read_attributes(lead, record);
	record->source = json_get_text(lead, "source");
	record->created = json_get_text(lead, "createTime");
	record->has_address = read_has_address(lead);
	record->flagged = json_get_bool(lead, "cannotCall") &&
		json_get_bool(lead, "cannotText") &&
		json_get_bool(lead, "cannotEmail");
	return record;
}

bool
lofty_record_has_phone(const LoftyRecord *record, const CrmLead *lead)
{
	ListCell   *lc;

	foreach(lc, record->phones)
	{
		if (record_same_phone(lead, (const char *) lfirst(lc)))
			return true;
	}
	return false;
}

/* An entry may hold more than the address, as in "a@example.com (work)". */
bool
lofty_record_has_email(const LoftyRecord *record, const CrmLead *lead)
{
	ListCell   *lc;

	if (lead->email == NULL)
		return false;
	foreach(lc, record->emails)
	{
		const char *email = (const char *) lfirst(lc);
		size_t		len;

		email += strspn(email, " \t\r\n");
		len = strcspn(email, " \t\r\n");
		if (len == strlen(lead->email) && pg_strncasecmp(email, lead->email, len) == 0)
			return true;
	}
	return false;
}

/* Names are compared as Lofty has room for them. */
static CrmLead
with_short_names(const CrmLead *lead)
{
	CrmLead		cut = *lead;

	if (cut.first_name != NULL)
		cut.first_name = text_clip(cut.first_name, LOFTY_MAX_NAME);
	if (cut.last_name != NULL)
		cut.last_name = text_clip(cut.last_name, LOFTY_MAX_NAME);
	return cut;
}

bool
lofty_record_names_agree(const LoftyRecord *record, const CrmLead *lead)
{
	CrmLead		cut = with_short_names(lead);

	return crm_names_agree(&cut, record->first_name, record->last_name);
}

/* What we write for want of a first name is none. */
CrmNames
lofty_record_names(const LoftyRecord *record, const CrmLead *lead)
{
	CrmLead		cut = with_short_names(lead);
	bool		blank = record->first_name != NULL && strcmp(record->first_name, LOFTY_NO_FIRST_NAME) == 0;

	return crm_names_compare(&cut, blank ? NULL : record->first_name, record->last_name);
}

/* ------------------------------------------------------------------------
 * The link
 * ------------------------------------------------------------------------ */

/*
 * Point the session's link at a record of which we wrote nothing yet, not even
 * the note: whether a merge moved an earlier one here is looked up, in the
 * record's list (lofty_note.c).  false if the id is none of Lofty's.
 */
bool
lofty_record_link(CrmSession *session, const char *record_id, CrmMatch match)
{
	LoftySync  *sync = session->state;
	const char *known = session->link.record_id;

	if (!lofty_record_parse_id(record_id, &sync->record_id))
		return false;
	if (known == NULL || strcmp(known, record_id) != 0)
		memset(session->link.note_digest, 0, LEAD_DIGEST_LEN);
	record_link(session, pstrdup(record_id), match);
	return true;
}

/*
 * Was more than the do-not-contact flags ever written to this record?  If
 * not, nothing on it is known to be ours.
 */
bool
lofty_record_written_before(const CrmSession *session)
{
	static const uint8 never[LEAD_DIGEST_LEN] = {0};

	if (!session->link.has_digest)
		return false;
	for (int field = 0; field < LEAD_DIGEST_FIELDS; field++)
	{
		if (field != LEAD_FIELD_DO_NOT_CONTACT &&
			memcmp(session->link.digest + field * LEAD_DIGEST_LEN, never,
				   LEAD_DIGEST_LEN) != 0)
			return true;
	}
	return false;
}

/*
 * lead.c
 *		The canonical lead, and the rule that says whether it may be sent.
 *
 * Not here: what a single value means (lead_value.h), digests of what would be
 * sent (lead_digest.c), which column holds what (api/), how a CRM wants it
 * (lofty.c, followupboss.c).  Nothing here needs a transaction or raises an error but
 * out-of-memory.
 */
#include "postgres.h"

#include "crm/json.h"
#include "crm/lead_value.h"
#include "crm/phone.h"

const char *const lead_field_names[LEAD_FIELD_COUNT] = {
	"id", "user_id", "phone", "first_name", "last_name", "email", "address",
	"city", "state", "zip_code", "risk_score", "do_not_contact", "tags",
	"notes", "source", "deleted_at", "name", "may_contact"
};

const char *const lead_refusal_names[] = {
	"none",
	"risk_above_limit",
	"risk_unscored",
	"no_contact_key",
	"do_not_contact",
	"lead_deleted",
	"unchanged",
	"ambiguous_match",
	"ignored_by_crm",
	"disconnected",
	"id_too_long",
	"risk_unreadable",
	"do_not_contact_unreadable"
};
StaticAssertDecl(lengthof(lead_refusal_names) == REFUSAL_DO_NOT_CONTACT_UNREADABLE + 1,
				 "lead_refusal_names must follow LeadRefusal");

int
lead_field_by_name(const char *name, size_t len)
{
	int			field;

	for (field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (strlen(lead_field_names[field]) == len &&
			memcmp(lead_field_names[field], name, len) == 0)
			return field;
	}
	return -1;
}

/* The member under key, or under other where that one is absent or null. */
static JsonbValue *
get_either(JsonbContainer *object, const char *key, const char *other)
{
	JsonbValue *value = json_get(object, key);

	if (value == NULL || value->type == jbvNull)
		value = json_get(object, other);
	return value;
}

typedef char *(*Clean) (const char *text);

/* Within one another; nobody means more. */
#define VALUE_DEPTH_MAX 4

/*
 * The first text of a value that clean makes something of: a value may be a
 * list, as where an app keeps several e-mails, or an object that says more of it.
 */
static char *
read_value(JsonbValue *value, Clean clean, int depth)
{
	JsonbContainer *array = json_value_array(value);
	JsonbContainer *object = json_value_object(value);
	char	   *text = NULL;
	List	   *members;
	ListCell   *lc;

	if (array == NULL && object == NULL)
		return clean(json_value_text(value));
	if (depth == VALUE_DEPTH_MAX)
		return NULL;
	for (int i = 0; array != NULL && i < json_array_length(array) && text == NULL; i++)
		text = read_value(json_array_element(array, i), clean, depth + 1);
	members = object != NULL ? lead_object_values(object) : NIL;
	foreach(lc, members)
	{
		if (text == NULL)
			text = read_value(lfirst(lc), clean, depth + 1);
	}
	return text;
}

static char *
read_text(JsonbValue *value, Clean clean)
{
	return read_value(value, clean, 0);
}

/* The same of a text that is JSON, or an array's; another is for clean alone. */
static char *
read_cell(const char *text, Clean clean)
{
	Jsonb	   *json;
	JsonbValue	value;
	List	   *elements;
	ListCell   *lc;

	if (text == NULL)
		return NULL;
	if ((json = lead_text_as_json(text)) != NULL)
	{
		value.type = jbvBinary;
		value.val.binary.data = &json->root;
		value.val.binary.len = VARSIZE(json) - VARHDRSZ;
		return read_value(&value, clean, 0);
	}
	if (!lead_array_elements(text, &elements))
		return clean(text);
	foreach(lc, elements)
	{
		char	   *cleaned = clean(lfirst(lc));

		if (cleaned != NULL)
			return cleaned;
	}
	return NULL;
}

/* An id is kept to the byte, for it must find its row again. */
static char *
clean_id(const char *text)
{
	return lead_clean_line(text) != NULL ? pstrdup(text) : NULL;
}

static char *
phone_form_of_text(const char *text)
{
	char		key[PHONE_MAX_LEN];
	char	   *form = palloc(PHONE_MAX_LEN);

	return text != NULL && phone_read(text, strlen(text), key, form) ? form : NULL;
}

static char *
phone_of_text(const char *text)
{
	char		key[PHONE_MAX_LEN];

	if (text == NULL || !phone_key(text, strlen(text), key))
		return NULL;
	return pstrdup(key);
}

char *
lead_phone(const char *text)
{
	return read_cell(text, phone_of_text);
}

static char *
phone_form(const char *text)
{
	return read_cell(text, phone_form_of_text);
}

char *
lead_email(const char *text)
{
	return read_cell(text, lead_email_of_text);
}

static void
read_names(CrmLead *lead, JsonbContainer *row)
{
	lead->first_name = read_text(json_get(row, "first_name"), lead_clean_word);
	lead->last_name = read_text(json_get(row, "last_name"), lead_clean_word);
	if (lead->first_name == NULL && lead->last_name == NULL)
		lead_split_name(read_text(json_get(row, "name"), lead_clean_word), &lead->first_name, &lead->last_name);
}

static void
read_address(CrmLead *lead, JsonbContainer *row)
{
	lead->address = read_text(json_get(row, "address"), lead_clean_word);
	lead->city = read_text(json_get(row, "city"), lead_clean_word);
	lead->state = read_text(json_get(row, "state"), lead_state);
	lead->zip_code = lead_zip_code(read_text(get_either(row, "zip_code", "zip"), lead_clean_word), lead->state);
}

CrmLead *
lead_from_jsonb(Jsonb *object)
{
	CrmLead    *lead = (CrmLead *) palloc0(sizeof(CrmLead));
	JsonbContainer *row;
	LeadFlag	opt_out;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return lead;
	row = &object->root;

	lead->id = read_text(json_get(row, "id"), clean_id);
	lead->user_id = read_text(json_get(row, "user_id"), clean_id);
	lead->phone_key = read_text(get_either(row, "phone", "phone_number"), lead_phone);
	lead->phone = read_text(get_either(row, "phone", "phone_number"), phone_form);
	lead->email = read_text(json_get(row, "email"), lead_email);
	read_names(lead, row);
	read_address(lead, row);
	lead_read_score(lead, json_get(row, "risk_score"));
	opt_out = lead_read_opt_out(json_get(row, "do_not_contact"), json_get(row, "may_contact"));
	lead->do_not_contact = opt_out == LEAD_FLAG_YES;
	lead->do_not_contact_unreadable = opt_out == LEAD_FLAG_UNREADABLE;
	lead->deleted = lead_value_is_deletion(json_get(row, "deleted_at"));
	lead->tags = lead_read_tags(json_get(row, "tags"));
	lead->notes = read_text(json_get(row, "notes"), lead_clean_lines);
	lead->source = read_text(json_get(row, "source"), lead_clean_text);
	return lead;
}

static const char *
joined_tags(const List *tags)
{
	StringInfoData joined;
	ListCell   *lc;

	if (tags == NIL)
		return NULL;
	initStringInfo(&joined);
	foreach(lc, tags)
		appendStringInfo(&joined, "%s%s", joined.len > 0 ? ", " : "",
						 (const char *) lfirst(lc));
	return joined.data;
}

const char *
lead_field_text(const CrmLead *lead, LeadField field)
{
	switch (field)
	{
		case LEAD_FIELD_ID:
			return lead->id;
		case LEAD_FIELD_USER_ID:
			return lead->user_id;
		case LEAD_FIELD_PHONE:
			return lead->phone;
		case LEAD_FIELD_FIRST_NAME:
			return lead->first_name;
		case LEAD_FIELD_LAST_NAME:
			return lead->last_name;
		case LEAD_FIELD_EMAIL:
			return lead->email;
		case LEAD_FIELD_ADDRESS:
			return lead->address;
		case LEAD_FIELD_CITY:
			return lead->city;
		case LEAD_FIELD_STATE:
			return lead->state;
		case LEAD_FIELD_ZIP_CODE:
			return lead->zip_code;
		case LEAD_FIELD_RISK_SCORE:
			return lead->risk_score_text;
		case LEAD_FIELD_DO_NOT_CONTACT:
			return lead->do_not_contact ? "true" : "false";
		case LEAD_FIELD_TAGS:
			return joined_tags(lead->tags);
		case LEAD_FIELD_NOTES:
			return lead->notes;
		case LEAD_FIELD_SOURCE:
			return lead->source;
		case LEAD_FIELD_DELETED_AT:	/* a deleted lead is not sent */
		case LEAD_FIELD_NAME:	/* they are in others */
		case LEAD_FIELD_MAY_CONTACT:
			return NULL;
	}
	return NULL;
}

LeadFacts
lead_facts(const CrmLead *lead)
{
	LeadFacts	facts;

	facts.deleted = lead->deleted;
	facts.do_not_contact = lead->do_not_contact ? LEAD_FLAG_YES :
		lead->do_not_contact_unreadable ? LEAD_FLAG_UNREADABLE : LEAD_FLAG_NO;
	facts.has_contact_key = lead->phone_key != NULL || lead->email != NULL;
	facts.score = lead->score;
	facts.risk_score = lead->risk_score;
	return facts;
}

LeadRefusal
lead_refusal(const LeadFacts *facts, const IntegrationSettings *settings,
			 bool flags_records)
{
	/*
	 * Raising a flag protects the person, whatever the score, and whether the lead is
	 * deleted or not; a record that we know needs no key to be found.
	 */
	if (facts->do_not_contact == LEAD_FLAG_YES)
		return flags_records ? REFUSAL_NONE : REFUSAL_DO_NOT_CONTACT;
	if (facts->deleted)
		return REFUSAL_LEAD_DELETED;
	if (facts->do_not_contact == LEAD_FLAG_UNREADABLE)
		return REFUSAL_DO_NOT_CONTACT_UNREADABLE;
	if (!facts->has_contact_key)
		return REFUSAL_NO_CONTACT_KEY;
	if (facts->score == LEAD_SCORE_UNREADABLE)
		return REFUSAL_RISK_UNREADABLE;
	if (facts->score == LEAD_SCORE_NONE)
		return settings->sync_unscored ? REFUSAL_NONE : REFUSAL_RISK_UNSCORED;
	if (!settings->has_max_risk_score)
		return REFUSAL_NONE;

	/* so written, what is not a number would be refused */
	if (!(facts->risk_score <= settings->max_risk_score))
		return REFUSAL_RISK_ABOVE_LIMIT;
	return REFUSAL_NONE;
}

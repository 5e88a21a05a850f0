/*
 * lead_json.c
 *		A canonical lead as JSON, such that lead_from_jsonb gives it back.
 */
#include "postgres.h"

#include "crm/json.h"
#include "crm/lead.h"

static void
put_text(StringInfo out, LeadField field, const char *value)
{
	if (value != NULL)
		json_key_string(out, lead_field_names[field], value);
}

void
lead_to_json(const CrmLead *lead, StringInfo out)
{
	ListCell   *lc;

	json_object_start(out);
	put_text(out, LEAD_FIELD_ID, lead->id);
	put_text(out, LEAD_FIELD_USER_ID, lead->user_id);
	put_text(out, LEAD_FIELD_PHONE, lead->phone);
	put_text(out, LEAD_FIELD_FIRST_NAME, lead->first_name);
	put_text(out, LEAD_FIELD_LAST_NAME, lead->last_name);
	put_text(out, LEAD_FIELD_EMAIL, lead->email);
	put_text(out, LEAD_FIELD_ADDRESS, lead->address);
	put_text(out, LEAD_FIELD_CITY, lead->city);
	put_text(out, LEAD_FIELD_STATE, lead->state);
	put_text(out, LEAD_FIELD_ZIP_CODE, lead->zip_code);
	put_text(out, LEAD_FIELD_RISK_SCORE, lead->risk_score_text);
	put_text(out, LEAD_FIELD_NOTES, lead->notes);
	put_text(out, LEAD_FIELD_SOURCE, lead->source);
	json_key(out, lead_field_names[LEAD_FIELD_DO_NOT_CONTACT]);
	json_literal(out, lead->do_not_contact ? "true" : "false");
	json_key(out, lead_field_names[LEAD_FIELD_TAGS]);
	json_array_start(out);
	foreach(lc, lead->tags)
		json_string(out, lfirst(lc));
	json_array_end(out);
	json_object_end(out);
}

static int
compare_tags(const ListCell *one, const ListCell *other)
{
	return strcmp((const char *) lfirst(one), (const char *) lfirst(other));
}

/* The order of tags says nothing. */
static char *
canonical_json(const CrmLead *lead)
{
	CrmLead		sorted = *lead;
	StringInfoData out;

	sorted.tags = list_copy(lead->tags);
	list_sort(sorted.tags, compare_tags);
	initStringInfo(&out);
	lead_to_json(&sorted, &out);
	return out.data;
}

bool
lead_same(const CrmLead *one, const CrmLead *other)
{
	return one->deleted == other->deleted && one->score == other->score && one->risk_score == other->risk_score &&
		one->do_not_contact_unreadable == other->do_not_contact_unreadable &&
		strcmp(canonical_json(one), canonical_json(other)) == 0;
}

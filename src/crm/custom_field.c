/*
 * custom_field.c
 *		Custom fields of a CRM: which the connection knows, and what a lead
 *		puts into them.
 *
 * Not here: how a CRM describes and takes them (lofty_fields.c,
 * followupboss_fields.c), the settings (integration_settings.c).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "crm/custom_field.h"

bool
custom_fields_unknown(const CrmConnection *connection)
{
	return connection->settings->custom_fields != NIL &&
		!connection->custom_fields_known;
}

static void
field_free(CrmCustomField *field)
{
	list_free_deep(field->choices);
	pfree(field->name);
	if (field->type != NULL)
		pfree(field->type);
	pfree(field);
}

static CrmCustomField *
field_copy(const CrmCustomField *field)
{
	CrmCustomField *copy = (CrmCustomField *) palloc0(sizeof(CrmCustomField));
	ListCell   *lc;

	copy->field = field->field;
	copy->name = pstrdup(field->name);
	copy->type = field->type ? pstrdup(field->type) : NULL;
	foreach(lc, field->choices)
		copy->choices = lappend(copy->choices, pstrdup((const char *) lfirst(lc)));
	return copy;
}

void
custom_fields_publish(CrmConnection *connection, const List *fields)
{
	MemoryContext old_context = MemoryContextSwitchTo(connection->context);
	List	   *old_fields = connection->custom_fields;
	ListCell   *lc;

	connection->custom_fields = NIL;
	foreach(lc, old_fields)
		field_free((CrmCustomField *) lfirst(lc));
	list_free(old_fields);

	foreach(lc, fields)
		connection->custom_fields = lappend(connection->custom_fields,
											field_copy((const CrmCustomField *) lfirst(lc)));
	connection->custom_fields_known = true;
	MemoryContextSwitchTo(old_context);
}

static const char *
tags_text(const List *tags)
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
custom_field_text(const CrmLead *lead, LeadField field)
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
			return tags_text(lead->tags);
		case LEAD_FIELD_NOTES:
			return lead->notes;
		case LEAD_FIELD_SOURCE:
			return lead->source;
		case LEAD_FIELD_DELETED_AT:
			return NULL;		/* a deleted lead is not sent */
	}
	return NULL;
}

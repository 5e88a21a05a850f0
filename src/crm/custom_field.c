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
#include "crm/record.h"

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
custom_fields_forget(CrmConnection *connection)
{
	List	   *fields = connection->custom_fields;
	ListCell   *lc;

	connection->custom_fields = NIL;
	connection->custom_fields_known = false;
	foreach(lc, fields)
		field_free((CrmCustomField *) lfirst(lc));
	list_free(fields);
}

void
custom_fields_publish(CrmConnection *connection, const List *fields)
{
	MemoryContext old_context = MemoryContextSwitchTo(connection->context);
	ListCell   *lc;

	custom_fields_forget(connection);
	foreach(lc, fields)
		connection->custom_fields = lappend(connection->custom_fields,
											field_copy((const CrmCustomField *) lfirst(lc)));
	connection->custom_fields_known = true;
	MemoryContextSwitchTo(old_context);
}

const char *
custom_field_text(const CrmSession *session, LeadField field)
{
	if (field == LEAD_FIELD_SOURCE)
		return record_source(session);
	return lead_field_text(session->lead, field);
}

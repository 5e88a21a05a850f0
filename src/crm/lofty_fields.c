/*
 * lofty_fields.c
 *		Lofty: custom fields, there called attributes.
 *
 * Their definitions are asked for once a connection; we never define fields.
 * Whether a list in a PUT replaces the other values is unknown, so a list that
 * is written is the whole one (Lofty reference 3.7).
 */
#include "postgres.h"

#include "crm/custom_field.h"
#include "crm/lofty.h"
#include "crm/record.h"
#include "crm/reply.h"

/* ------------------------------------------------------------------------
 * Definitions
 * ------------------------------------------------------------------------ */

CrmAction
lofty_fields_request(CrmSession *session)
{
	return lofty_get(session, LOFTY_STEP_FIELDS, "/teamFeatures/listCustomField");
}

/* Must the definitions be asked for? */
bool
lofty_fields_unknown(const CrmSession *session)
{
	const LoftySync *sync = session->state;

	return custom_fields_unknown(session->connection) && !sync->fields_refused;
}

/* Keep the definitions that the settings name, for all leads to come. */
static void
keep_definitions(CrmConnection *connection, JsonbContainer *definitions)
{
	int			n_definitions = json_array_length(definitions);
	List	   *fields = NIL;
	ListCell   *lc;

	foreach(lc, connection->settings->custom_fields)
	{
		const CustomFieldSetting *setting = (const CustomFieldSetting *) lfirst(lc);

		for (int i = 0; i < n_definitions; i++)
		{
			JsonbContainer *definition = json_value_object(json_array_element(definitions, i));
			char	   *name = definition ? json_get_text(definition, "attributeName") : NULL;
			char	   *type = definition ? json_get_text(definition, "attributeType") : NULL;
			CrmCustomField *field;

			if (text_is_blank(name) || text_is_blank(type) ||
				pg_strcasecmp(name, setting->label) != 0)
				continue;

			field = (CrmCustomField *) palloc0(sizeof(CrmCustomField));
			field->field = setting->field;
			field->name = name;
			field->type = type;
			fields = lappend(fields, field);
			break;
		}
	}
	custom_fields_publish(connection, fields);
}

static CrmAction
go_on(CrmSession *session)
{
	return session->link.record_id != NULL ?
		lofty_write_update(session) : lofty_write_create(session);
}

CrmAction
lofty_fields_reply(CrmSession *session, const LoftyAnswer *answer)
{
	JsonbContainer *definitions = answer->array;

	if (definitions == NULL && answer->object != NULL)
		definitions = json_get_array(answer->object, "data");
	if (definitions == NULL)
		return reply_unreadable(session);
	keep_definitions(session->connection, definitions);
	return go_on(session);
}

/*
 * A key that may not see the definitions brings the lead without them.  They
 * are never the first call of a session, so that a 404 is of them alone.
 */
CrmAction
lofty_fields_refused(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = session->state;
	CrmAction	action = lofty_reply_refused(session, answer);

	if (session->outcome.error_class != CRM_ERROR_LEAD_FINAL &&
		!(answer->status == 404 && answer->is_json))
		return action;
	memset(&session->outcome, 0, sizeof(session->outcome));
	sync->fields_refused = true;
	return go_on(session);
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------ */

/*
 * The attributes this lead fills.  A setting whose label the team has no field
 * for is left out.
 */
List *
lofty_fields_of_lead(const CrmSession *session)
{
	List	   *attributes = NIL;
	ListCell   *lc;

	foreach(lc, session->connection->custom_fields)
	{
		const CrmCustomField *field = (const CrmCustomField *) lfirst(lc);
		const char *value = custom_field_text(session, (LeadField) field->field);
		LoftyAttribute *attribute;

		if (text_is_blank(value))
			continue;
		if (strcmp(field->type, "multi_select") == 0)
		{
			/* the value is an array, itself written as a string (3.7) */
			StringInfoData choices;

			initStringInfo(&choices);
			json_array_start(&choices);
			json_string(&choices, value);
			json_array_end(&choices);
			value = choices.data;
		}

		attribute = (LoftyAttribute *) palloc0(sizeof(LoftyAttribute));
		attribute->name = field->name;
		attribute->type = field->type;
		attribute->value = value;
		attributes = lappend(attributes, attribute);
	}
	return attributes;
}

/*
 * Are custom attributes to be written?  Only to records that we created: we
 * know of no safe way for others (3.7).  A record just found was created with
 * them.
 */
bool
lofty_fields_changed(const CrmSession *session)
{
	ListCell   *lc;

	if (session->link.match != CRM_MATCH_CREATED ||
		session->lead->do_not_contact || !lofty_record_written_before(session))
		return false;
	foreach(lc, session->connection->settings->custom_fields)
	{
		const CustomFieldSetting *setting = (const CustomFieldSetting *) lfirst(lc);

		if (record_field_changed(session, (LeadField) setting->field))
			return true;
	}
	return false;
}

/* Ours laid over what the record has. */
List *
lofty_fields_merge(const LoftyRecord *record, List *ours)
{
	List	   *merged = NIL;
	ListCell   *lc;

	foreach(lc, record->attributes)
	{
		LoftyAttribute *theirs = (LoftyAttribute *) lfirst(lc);
		bool		replaced = false;
		ListCell   *lo;

		foreach(lo, ours)
		{
			const LoftyAttribute *our = (const LoftyAttribute *) lfirst(lo);

			if (pg_strcasecmp(our->name, theirs->name) == 0)
				replaced = true;
		}
		if (!replaced)
			merged = lappend(merged, theirs);
	}
	return list_concat(merged, ours);
}

void
lofty_fields_put(StringInfo out, const List *attributes)
{
	ListCell   *lc;

	json_key(out, "customAttributeList");
	json_array_start(out);
	foreach(lc, attributes)
	{
		const LoftyAttribute *attribute = (const LoftyAttribute *) lfirst(lc);

		json_object_start(out);
		json_key_string(out, "attributeName", attribute->name);
		json_key_string(out, "attributeType", attribute->type);
		json_key_string(out, "value", attribute->value);
		json_object_end(out);
	}
	json_array_end(out);
}

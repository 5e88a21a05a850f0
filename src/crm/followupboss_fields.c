/*
 * followupboss_fields.c
 *		Follow Up Boss: custom fields: their definitions, and the lead's values as
 *		their types want them.
 *
 * Definitions come in pages and are asked for once a connection, or again when
 * a write says that they are stale.
 */
#include "postgres.h"

#include "crm/custom_field.h"
#include "crm/followupboss.h"
#include "crm/record.h"
#include "crm/reply.h"

#define FUB_FIELD_PAGES_MAX 20	/* a server whose "next" never ends */
#define FUB_CUSTOM_TEXT_MAX 255

/* ------------------------------------------------------------------------
 * Definitions
 * ------------------------------------------------------------------------ */

/* One page.  Never nextLink: it may point at another host (reference 4.1). */
CrmAction
fub_fields_request(CrmSession *session, const char *next)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/customFields?limit=100");
	if (next != NULL)
	{
		appendStringInfoString(&path, "&next=");
		url_encode(&path, next);
	}
	return fub_send(session, FUB_STEP_CUSTOM_FIELDS, FUB_LIMIT_GLOBAL, "GET", path.data, NULL);
}

/* The choices of a dropdown, as spelt in the CRM. */
static List *
read_choices(JsonbContainer *row)
{
	JsonbContainer *choices = json_get_array(row, "choices");
	List	   *result = NIL;

	for (int i = 0; choices != NULL && i < json_array_length(choices); i++)
	{
		char	   *choice = json_value_text(json_array_element(choices, i));

		if (choice != NULL)
			result = lappend(result, choice);
	}
	return result;
}

/* Keep the rows whose label a setting names; what is read-only cannot be set. */
static void
collect_fields(CrmSession *session, JsonbContainer *rows)
{
	FubState   *state = session->state;
	ListCell   *lc;

	for (int i = 0; i < json_array_length(rows); i++)
	{
		JsonbContainer *row = json_value_object(json_array_element(rows, i));
		char	   *label = row ? json_get_text(row, "label") : NULL;
		char	   *name = row ? json_get_text(row, "name") : NULL;

		if (label == NULL || name == NULL || json_get_bool(row, "readOnly"))
			continue;
		foreach(lc, session->connection->settings->custom_fields)
		{
			CustomFieldSetting *setting = lfirst(lc);
			CrmCustomField *field;

			if (pg_strcasecmp(setting->label, label) != 0)
				continue;
			field = palloc0(sizeof(CrmCustomField));
			field->field = setting->field;
			field->name = name;
			field->type = json_get_text(row, "type");
			field->choices = read_choices(row);
			state->fields = lappend(state->fields, field);
		}
	}
}

/*
 * Returns true when the session can go on with its lead, else *action.  A user
 * who may not see the definitions still gets the lead, without them.
 */
bool
fub_fields_reply(CrmSession *session, const HttpReply *reply, CrmAction *action)
{
	FubState   *state = session->state;
	JsonbContainer *root = fub_reply_object(reply);
	JsonbContainer *rows = fub_reply_list(root, "customfields");
	JsonbContainer *metadata;
	char	   *next;

	*action = CRM_ACTION_DONE;
	if (!fub_reply_ok(reply) && fub_reply_failed(session, reply))
	{
		if (session->outcome.error_class != CRM_ERROR_LEAD_FINAL &&
			!(reply->status == 403 && root != NULL))
			return false;
		memset(&session->outcome, 0, sizeof(session->outcome));
		state->fields_fetched = true;
		return true;
	}
	if (rows == NULL)
	{
		*action = reply_unreadable(session);
		return false;
	}

	collect_fields(session, rows);
	metadata = json_get_object(root, "_metadata");
	next = metadata ? json_get_text(metadata, "next") : NULL;
	if (next != NULL && next[0] != '\0' && json_array_length(rows) > 0 &&
		++state->field_pages < FUB_FIELD_PAGES_MAX)
	{
		*action = fub_fields_request(session, next);
		return false;
	}
	state->fields_fetched = true;
	custom_fields_publish(session->connection, state->fields);
	return true;
}

/*
 * A custom field that was renamed or removed costs a 400.  If what we know of
 * the fields is from an earlier session, ask again and start over: a 400 has
 * written nothing.
 */
bool
fub_fields_stale(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;

	if (!fub_reply_is(reply, 400) && !fub_reply_is(reply, 422))
		return false;
	if (!state->fields_sent || state->fields_fetched)
		return false;
	session->connection->custom_fields_known = false;
	return true;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------ */

/* The lead's value for a custom field as people would write it; NULL: none. */
static const char *
field_text(const CrmSession *session, LeadField field)
{
	if (field == LEAD_FIELD_DO_NOT_CONTACT)
		return session->lead->do_not_contact ? "Yes" : "No";
	return custom_field_text(session, field);
}

/* A plain JSON number?  "02134" is not one, and is no number to people either. */
static bool
is_number(const char *text)
{
	const char *c = text;

	if (*c == '-')
		c++;
	if (*c == '0' && c[1] >= '0' && c[1] <= '9')
		return false;
	if (*c < '0' || *c > '9')
		return false;
	while (*c >= '0' && *c <= '9')
		c++;
	if (*c == '.')
	{
		c++;
		if (*c < '0' || *c > '9')
			return false;
		while (*c >= '0' && *c <= '9')
			c++;
	}
	return *c == '\0';
}

/* Does text begin with YYYY-MM-DD? */
static bool
is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	for (int i = 0; form[i] != '\0'; i++)
	{
		if (form[i] == 'd' ? (text[i] < '0' || text[i] > '9') : text[i] != form[i])
			return false;
	}
	return true;
}

static char *
quoted(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	json_string(&out, text);
	return out.data;
}

/*
 * The JSON value of a custom field: number, text, date as YYYY-MM-DD, dropdown
 * as one of its choices (Follow Up Boss reference 4.9).  NULL when the lead has
 * no value that this type can hold: sent anyhow, it might cost the lead a 400.
 */
static char *
field_literal(const CrmCustomField *field, const CrmSession *session)
{
	const char *text = field_text(session, (LeadField) field->field);
	ListCell   *lc;

	if (text == NULL || field->type == NULL)
		return NULL;
	if (strcmp(field->type, "text") == 0)
		return quoted(text_clip(text, FUB_CUSTOM_TEXT_MAX));
	if (strcmp(field->type, "number") == 0)
		return field->field == LEAD_FIELD_RISK_SCORE || is_number(text) ?
			pstrdup(text) : NULL;
	if (strcmp(field->type, "date") == 0)
		return is_date(text) ? quoted(pnstrdup(text, 10)) : NULL;
	if (strcmp(field->type, "dropdown") == 0)
	{
		foreach(lc, field->choices)
		{
			if (pg_strcasecmp(lfirst(lc), text) == 0)
				return quoted(lfirst(lc));
		}
	}
	return NULL;
}

/*
 * Custom fields are flat members of the person (reference 4.9).  A value that
 * the lead no longer has is cleared where we had written it.
 */
void
fub_fields_put(CrmSession *session, StringInfo out)
{
	FubState   *state = session->state;
	CrmConnection *connection = session->connection;
	bool		linked = session->link.record_id != NULL;
	ListCell   *lc;

	if (!connection->custom_fields_known || state->event_sent)
		return;
	foreach(lc, connection->custom_fields)
	{
		CrmCustomField *field = lfirst(lc);
		char	   *literal;
		char	   *theirs;

		if (linked && !record_field_changed(session, (LeadField) field->field))
			continue;
		literal = field_literal(field, session);
		if (literal == NULL && !(linked && session->link.has_digest))
			continue;

		/* what the record has already, quoted or not */
		theirs = state->person ? json_get_text(state->person, field->name) : NULL;
		if (theirs != NULL && literal != NULL &&
			(strcmp(theirs, literal) == 0 || strcmp(quoted(theirs), literal) == 0))
			continue;
		json_key(out, field->name);
		json_literal(out, literal ? literal : "null");
		state->fields_sent = true;
	}
}

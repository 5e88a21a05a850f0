/*
 * followupboss_body.c
 *		Follow Up Boss: a person as JSON: what a new one is given, and what of an
 *		existing one is to change.
 *
 * PUT /people replaces tags, phones, emails and addresses wholesale (Follow Up
 * Boss reference 4.6), so that tags go with mergeTags=true, and the others only
 * as the full array of the record just read, with ours appended.  A list that
 * was not read is never written.
 */
#include "postgres.h"

#include "crm/followupboss.h"
#include "crm/record.h"

#define FUB_NAME_MAX 255		/* our own: nothing is documented (5) */

static const char *const value_keys[] = {"value", "type", NULL};
static const char *const address_keys[] = {
	"street", "type", "city", "state", "code", "country", NULL
};

/* ------------------------------------------------------------------------
 * Parts
 * ------------------------------------------------------------------------ */

static void
put_name(StringInfo out, const char *key, const char *name)
{
	if (name != NULL)
		json_key_string(out, key, text_clip(name, FUB_NAME_MAX));
}

/* No country: nothing in a lead says which, and none is better than a guess. */
static void
put_address(StringInfo out, const CrmLead *lead)
{
	json_object_start(out);
	json_key_string(out, "type", "home");
	json_key_string(out, "street", lead->address);
	json_key_string(out, "city", lead->city);
	json_key_string(out, "state", lead->state);
	json_key_string(out, "code", lead->zip_code);
	json_object_end(out);
}

/*
 * The items that the record has, primary first, since in a write the order
 * decides which is primary (reference 4.5).
 */
static void
copy_items(StringInfo out, JsonbContainer *items, const char *const *keys)
{
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < json_array_length(items); i++)
		{
			JsonbContainer *item = json_value_object(json_array_element(items, i));
			bool		primary = item && json_get_bool(item, "isPrimary");

			if (primary != (pass == 0))
				continue;
			json_object_start(out);
			if (item == NULL)
				json_key_string(out, keys[0], fub_person_item(items, i, keys[0]));
			for (int k = 0; item != NULL && keys[k] != NULL; k++)
				json_key_string(out, keys[k], json_get_text(item, keys[k]));
			json_object_end(out);
		}
	}
}

/* An array of phones or e-mails: theirs, if any, then ours. */
static void
put_items(StringInfo out, const char *key, JsonbContainer *theirs,
		  const char *ours, const char *type)
{
	json_key(out, key);
	json_array_start(out);
	if (theirs != NULL)
		copy_items(out, theirs, value_keys);
	json_object_start(out);
	json_key_string(out, "value", ours);
	json_key_string(out, "type", type);
	json_object_end(out);
	json_array_end(out);
}

/* ------------------------------------------------------------------------
 * A new person
 * ------------------------------------------------------------------------ */

/* The members that a new person has, whichever door it comes through. */
void
fub_body_new_person(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	int64		assigned = session->connection->settings->assigned_user_id;

	put_name(out, "firstName", lead->first_name);
	put_name(out, "lastName", lead->last_name);
	if (lead->phone != NULL)
		put_items(out, "phones", NULL, lead->phone, "mobile");
	if (record_email(session) != NULL)
		put_items(out, "emails", NULL, record_email(session), "home");
	if (record_gets_address(lead))
	{
		json_key(out, "addresses");
		json_array_start(out);
		put_address(out, lead);
		json_array_end(out);
	}
	if (state->tags != NIL)
		json_key_strings(out, "tags", state->tags);
	if (assigned != 0)
		json_key_int64(out, "assignedUserId", assigned);
	fub_fields_put(session, out);
}

/* ------------------------------------------------------------------------
 * Changes of an existing one
 * ------------------------------------------------------------------------ */

/*
 * Append the lead's phone and e-mail if the record really lacks them.  Each
 * such PUT can undo somebody's edit made a moment ago; there is no version to
 * check (reference 4.6).
 */
static void
append_contacts(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;
	JsonbContainer *person = ((FubState *) session->state)->person;
	JsonbContainer *phones = person ? json_get_array(person, "phones") : NULL;
	JsonbContainer *emails = person ? json_get_array(person, "emails") : NULL;

	if (lead->phone && record_field_changed(session, LEAD_FIELD_PHONE))
	{
		if (phones == NULL)
			record_not_written(session, LEAD_FIELD_PHONE);
		else if (!fub_person_has_phone(person, lead))
			put_items(out, "phones", phones, lead->phone, "mobile");
	}
	if (record_email(session) != NULL && record_field_changed(session, LEAD_FIELD_EMAIL))
	{
		if (emails == NULL)
			record_not_written(session, LEAD_FIELD_EMAIL);
		else if (!fub_person_has_email(person, lead))
			put_items(out, "emails", emails, lead->email, "home");
	}
}

/* On first contact only a record without any address gets ours. */
static void
append_address(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;
	JsonbContainer *person = ((FubState *) session->state)->person;
	JsonbContainer *addresses = person ? json_get_array(person, "addresses") : NULL;

	if (addresses == NULL || !record_gets_address(lead) ||
		!record_address_changed(session) || fub_person_has_address(addresses, lead) ||
		(!session->link.has_digest && json_array_length(addresses) > 0))
		return;
	json_key(out, "addresses");
	json_array_start(out);
	copy_items(out, addresses, address_keys);
	put_address(out, lead);
	json_array_end(out);
}

/*
 * Names of a record that we created follow the lead.  On any other they are
 * the agent's: filled in when blank, at first contact, and only if what is
 * there does not name somebody else.
 */
static void
put_changed_name(CrmSession *session, StringInfo out, const char *key,
				 LeadField field, const char *name)
{
	JsonbContainer *person = ((FubState *) session->state)->person;
	char	   *theirs = person ? json_get_text(person, key) : NULL;
	bool		write;

	if (name == NULL || !record_field_changed(session, field))
		return;
	if (session->link.match == CRM_MATCH_CREATED)
		write = person == NULL || theirs == NULL || strcmp(theirs, name) != 0;
	else
		write = person != NULL && !session->link.has_digest &&
			text_is_blank(theirs) && fub_person_names_agree(person, session->lead);
	if (write)
		put_name(out, key, name);
}

/* Our tags that the record lacks; all of ours when it was not read. */
static void
put_changed_tags(CrmSession *session, StringInfo out)
{
	FubState   *state = session->state;
	List	   *missing = NIL;
	ListCell   *lc;

	if (!record_field_changed(session, LEAD_FIELD_TAGS) || state->event_sent)
		return;
	foreach(lc, state->tags)
	{
		if (state->person == NULL || !fub_person_has_tag(state->person, lfirst(lc)))
			missing = lappend(missing, lfirst(lc));
	}
	if (missing != NIL)
		json_key_strings(out, "tags", missing);
}

static void
withhold_others(CrmSession *session)
{
	JsonbContainer *person = ((FubState *) session->state)->person;

	record_withhold_others(session, !session->link.has_digest,
						   person != NULL && fub_person_names_agree(person, session->lead));
}

void
fub_body_changes(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;

	withhold_others(session);
	put_changed_tags(session, out);
	if (fub_person_is_shared(session))
		return;
	put_changed_name(session, out, "firstName", LEAD_FIELD_FIRST_NAME, lead->first_name);
	put_changed_name(session, out, "lastName", LEAD_FIELD_LAST_NAME, lead->last_name);
	append_contacts(session, out);
	append_address(session, out);
	fub_fields_put(session, out);
}

/*
 * A person we know, in an event: the id forces the match, and the tags are the
 * union of the record's and ours, so that it does not matter whether the call
 * adds or replaces (neither is documented).
 */
void
fub_body_event_person(CrmSession *session, StringInfo out)
{
	FubState   *state = session->state;
	JsonbContainer *theirs = json_get_array(state->person, "tags");
	List	   *tags = NIL;

	for (int i = 0; theirs && i < json_array_length(theirs); i++)
	{
		char	   *tag = fub_person_item(theirs, i, "name");

		if (!text_is_blank(tag))
			tags = lappend(tags, tag);
	}
	tags = record_add_tags(tags, state->tags, FUB_TAG_MAX);
	json_key_int64(out, "id", strtoll(session->link.record_id, NULL, 10));
	json_key_strings(out, "tags", tags);
	if (!fub_person_is_shared(session))
		fub_fields_put(session, out);
}

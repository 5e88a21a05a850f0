/*
 * followupboss.c
 *		Follow Up Boss: bringing one lead to its person record.
 *
 * A lead without a link is searched by phone and e-mail, compared by our own
 * keys, and only then created; a linked one gets what changed and nothing else.
 * PUT /people replaces tags, phones, emails and addresses wholesale (Follow Up
 * Boss reference 4.6), so that tags go with mergeTags=true, and the others only
 * as the full array of the record just read, with ours appended.  A list that
 * was not read is never written.
 *
 * The link is set before anything is written to a record that was found, and
 * its digest once the record is right; the note comes last and has a digest of
 * its own, so that a failed note never repeats the person.
 *
 * Not here: signing in, limits, custom field definitions (followupboss_oauth.c),
 * whether a lead may be sent at all (lead.c), retries and waiting (worker).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "crm/followupboss.h"
#include "crm/phone.h"

/* Nothing is documented; these are our own (Follow Up Boss reference 5). */
#define FUB_NAME_MAX 255
#define FUB_TAG_MAX 100
#define FUB_NOTE_MAX 10000

/* How long a new person may be unknown to /notes (reference 4.7). */
#define FUB_VISIBLE_AFTER_MS (5 * 60 * 1000)

static CrmAction fub_start(CrmSession *session);
static CrmAction fub_write_record(CrmSession *session);
static CrmAction fub_search_start(CrmSession *session);

/* ------------------------------------------------------------------------
 * What we want, and what changed
 * ------------------------------------------------------------------------
 */

static bool
fub_by_events(const CrmSession *session)
{
	return session->connection->settings->delivery == DELIVERY_EVENTS;
}

static const char *
fub_our_source(const CrmSession *session)
{
	return session->lead->source ? session->lead->source :
		session->connection->settings->source;
}

static List *
fub_add_tags(List *result, const List *tags)
{
	ListCell   *lc;
	ListCell   *known;

	foreach(lc, tags)
	{
		char	   *tag = text_clip(lfirst(lc), FUB_TAG_MAX);
		bool		found = false;

		foreach(known, result)
			found |= (pg_strcasecmp(lfirst(known), tag) == 0);
		if (!found)
			result = lappend(result, tag);
	}
	return result;
}

/* Did the field change since the record was last written?  Unknown: yes. */
static bool
fub_changed(const CrmSession *session, LeadField field)
{
	const FubState *state = session->state;

	return !session->link.has_digest ||
		lead_digest_differs(session->link.digest, state->digest, field);
}

static bool
fub_address_changed(const CrmSession *session)
{
	return fub_changed(session, LEAD_FIELD_ADDRESS) ||
		fub_changed(session, LEAD_FIELD_CITY) ||
		fub_changed(session, LEAD_FIELD_STATE) ||
		fub_changed(session, LEAD_FIELD_ZIP_CODE);
}

static bool
fub_has_own_address(const CrmLead *lead)
{
	return lead->address || lead->city || lead->state || lead->zip_code;
}

/* A note that was removed from the lead stays in the CRM. */
static bool
fub_note_due(const CrmSession *session)
{
	const FubState *state = session->state;

	return session->lead->notes != NULL &&
		memcmp(session->link.note_digest, state->note_digest, LEAD_DIGEST_LEN) != 0;
}

static bool
fub_note_ever_sent(const CrmSession *session)
{
	static const uint8 none[LEAD_DIGEST_LEN] = {0};

	return memcmp(session->link.note_digest, none, LEAD_DIGEST_LEN) != 0;
}

/* A person whom we know by phone only, under another name: not ours to fill. */
static bool
fub_shared(const CrmSession *session)
{
	return session->link.match == CRM_MATCH_SHARED_PHONE;
}

static void
fub_wrote(CrmSession *session, CrmWrite write)
{
	FubState   *state = session->state;

	if (state->write != CRM_WRITE_CREATED)
		state->write = write;
}

/* ------------------------------------------------------------------------
 * Reading a person record
 * ------------------------------------------------------------------------
 */

/* The id of a record as text; NULL when it has none. */
static char *
fub_record_id(JsonbContainer *person)
{
	int64		id;

	if (!json_get_int64(person, "id", &id) || id <= 0)
		return NULL;
	return psprintf(INT64_FORMAT, id);
}

/* The text of an array's element: a string, or an object's member. */
static char *
fub_item_text(JsonbContainer *array, int index, const char *key)
{
	JsonbValue *value = json_array_element(array, index);
	JsonbContainer *object = json_value_object(value);

	return object ? json_get_text(object, key) : json_value_text(value);
}

static bool
fub_blank(const char *text)
{
	return text == NULL || strspn(text, " \t\r\n") == strlen(text);
}

/* Equal but for case and surrounding space; NULL is as good as blank. */
static bool
fub_same_text(const char *a, const char *b)
{
	size_t		a_len;
	size_t		b_len;

	if (fub_blank(a) || fub_blank(b))
		return fub_blank(a) && fub_blank(b);
	a += strspn(a, " \t\r\n");
	b += strspn(b, " \t\r\n");
	for (a_len = strlen(a); strchr(" \t\r\n", a[a_len - 1]) != NULL;)
		a_len--;
	for (b_len = strlen(b); strchr(" \t\r\n", b[b_len - 1]) != NULL;)
		b_len--;
	return a_len == b_len && pg_strncasecmp(a, b, a_len) == 0;
}

/* The search may be fuzzy: a hit counts only with the same key (reference 5). */
static bool
fub_has_phone(JsonbContainer *person, const CrmLead *lead)
{
	JsonbContainer *phones = json_get_array(person, "phones");

	for (int i = 0; lead->phone_key && phones && i < json_array_length(phones); i++)
	{
		char	   *value = fub_item_text(phones, i, "value");
		char		key[PHONE_MAX_LEN];

		if (value != NULL && phone_key(value, strlen(value), key) &&
			strcmp(key, lead->phone_key) == 0)
			return true;
	}
	return false;
}

static bool
fub_has_email(JsonbContainer *person, const CrmLead *lead)
{
	JsonbContainer *emails = json_get_array(person, "emails");

	for (int i = 0; lead->email && emails && i < json_array_length(emails); i++)
	{
		if (fub_same_text(fub_item_text(emails, i, "value"), lead->email))
			return true;
	}
	return false;
}

static bool
fub_has_address(JsonbContainer *addresses, const CrmLead *lead)
{
	for (int i = 0; i < json_array_length(addresses); i++)
	{
		JsonbContainer *item = json_value_object(json_array_element(addresses, i));

		if (item != NULL &&
			fub_same_text(json_get_text(item, "street"), lead->address) &&
			fub_same_text(json_get_text(item, "city"), lead->city) &&
			fub_same_text(json_get_text(item, "state"), lead->state) &&
			fub_same_text(json_get_text(item, "code"), lead->zip_code))
			return true;
	}
	return false;
}

/* Tags are strings; one client met {"name": ...} too (reference 4.1). */
static bool
fub_has_tag(JsonbContainer *person, const char *tag)
{
	JsonbContainer *tags = json_get_array(person, "tags");

	for (int i = 0; tags && i < json_array_length(tags); i++)
	{
		if (fub_same_text(fub_item_text(tags, i, "name"), tag))
			return true;
	}
	return false;
}

static bool
fub_names_agree(JsonbContainer *person, const CrmLead *lead)
{
	return crm_names_agree(lead, json_get_text(person, "firstName"),
						   json_get_text(person, "lastName"));
}

/* Unlike agreement, a blank proves nothing here. */
static bool
fub_same_last_name(JsonbContainer *person, const CrmLead *lead)
{
	char	   *last = json_get_text(person, "lastName");

	return lead->last_name != NULL && !fub_blank(last) &&
		crm_names_agree(lead, NULL, last);
}

static CrmMatch
fub_match_kind(JsonbContainer *person, const CrmLead *lead)
{
	if (fub_has_email(person, lead))
		return CRM_MATCH_EMAIL;
	if (fub_names_agree(person, lead))
		return CRM_MATCH_PHONE;
	return CRM_MATCH_SHARED_PHONE;
}

/*
 * Does the record carry what only our create can have put there?  Asked when a
 * create's reply was lost or does not tell new from existing.  The source is
 * written once, at creation; the tags stand for it where it is shown otherwise.
 */
static bool
fub_is_ours(const CrmSession *session, JsonbContainer *person)
{
	const FubState *state = session->state;
	ListCell   *lc;

	if (!fub_names_agree(person, session->lead))
		return false;
	if (fub_same_text(json_get_text(person, "source"), fub_our_source(session)))
		return true;
	foreach(lc, state->tags)
	{
		if (!fub_has_tag(person, lfirst(lc)))
			return false;
	}
	return state->tags != NIL;
}

/* ------------------------------------------------------------------------
 * Writing a person record
 * ------------------------------------------------------------------------
 */

static void
fub_write_name(StringInfo out, const char *key, const char *name)
{
	if (name != NULL)
		json_key_string(out, key, text_clip(name, FUB_NAME_MAX));
}

static void
fub_write_item(StringInfo out, const char *value, const char *type)
{
	json_object_start(out);
	json_key_string(out, "value", value);
	json_key_string(out, "type", type);
	json_object_end(out);
}

/* No country: nothing in a lead says which, and none is better than a guess. */
static void
fub_write_own_address(StringInfo out, const CrmLead *lead)
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
fub_copy_items(StringInfo out, JsonbContainer *items, const char *const *keys)
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
				json_key_string(out, keys[0], fub_item_text(items, i, keys[0]));
			for (int k = 0; item != NULL && keys[k] != NULL; k++)
				json_key_string(out, keys[k], json_get_text(item, keys[k]));
			json_object_end(out);
		}
	}
}

static const char *const fub_value_keys[] = {"value", "type", NULL};
static const char *const fub_address_keys[] = {
	"street", "type", "city", "state", "code", "country", NULL
};

/*
 * Append the lead's phone and e-mail if the record really lacks them.  Each
 * such PUT can undo somebody's edit made a moment ago; there is no version to
 * check (reference 4.6).
 */
static void
fub_append_contacts(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;
	JsonbContainer *person = ((FubState *) session->state)->person;
	JsonbContainer *phones = person ? json_get_array(person, "phones") : NULL;
	JsonbContainer *emails = person ? json_get_array(person, "emails") : NULL;

	if (phones && lead->phone && fub_changed(session, LEAD_FIELD_PHONE) &&
		!fub_has_phone(person, lead))
	{
		json_key(out, "phones");
		json_array_start(out);
		fub_copy_items(out, phones, fub_value_keys);
		fub_write_item(out, lead->phone, "mobile");
		json_array_end(out);
	}
	if (emails && lead->email && fub_changed(session, LEAD_FIELD_EMAIL) &&
		!fub_has_email(person, lead))
	{
		json_key(out, "emails");
		json_array_start(out);
		fub_copy_items(out, emails, fub_value_keys);
		fub_write_item(out, lead->email, "home");
		json_array_end(out);
	}
}

/* On first contact only a record without any address gets ours. */
static void
fub_append_address(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;
	JsonbContainer *person = ((FubState *) session->state)->person;
	JsonbContainer *addresses = person ? json_get_array(person, "addresses") : NULL;

	if (addresses == NULL || !fub_has_own_address(lead) ||
		!fub_address_changed(session) || fub_has_address(addresses, lead) ||
		(!session->link.has_digest && json_array_length(addresses) > 0))
		return;
	json_key(out, "addresses");
	json_array_start(out);
	fub_copy_items(out, addresses, fub_address_keys);
	fub_write_own_address(out, lead);
	json_array_end(out);
}

/*
 * Names of a record that we created follow the lead.  On any other they are
 * the agent's: filled in when blank, at first contact, and only if what is
 * there does not name somebody else.
 */
static void
fub_update_name(CrmSession *session, StringInfo out, const char *key,
				LeadField field, const char *name)
{
	JsonbContainer *person = ((FubState *) session->state)->person;
	char	   *theirs = person ? json_get_text(person, key) : NULL;
	bool		write;

	if (name == NULL || !fub_changed(session, field))
		return;
	if (session->link.match == CRM_MATCH_CREATED)
		write = person == NULL || theirs == NULL || strcmp(theirs, name) != 0;
	else
		write = person != NULL && !session->link.has_digest &&
			fub_blank(theirs) && fub_names_agree(person, session->lead);
	if (write)
		fub_write_name(out, key, name);
}

/* Our tags that the record lacks; all of ours when it was not read. */
static void
fub_update_tags(CrmSession *session, StringInfo out)
{
	FubState   *state = session->state;
	bool		started = false;
	ListCell   *lc;

	if (!fub_changed(session, LEAD_FIELD_TAGS) || state->event_sent)
		return;
	foreach(lc, state->tags)
	{
		if (state->person != NULL && fub_has_tag(state->person, lfirst(lc)))
			continue;
		if (!started)
		{
			json_key(out, "tags");
			json_array_start(out);
		}
		started = true;
		json_string(out, lfirst(lc));
	}
	if (started)
		json_array_end(out);
}

/*
 * Custom fields are flat members of the person (reference 4.9).  A value that
 * the lead no longer has is cleared where we had written it.
 */
static void
fub_write_custom(CrmSession *session, StringInfo out)
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

		if (linked && !fub_changed(session, (LeadField) field->field))
			continue;
		literal = fub_field_literal(field, session->lead);
		if (literal == NULL && !(linked && session->link.has_digest))
			continue;

		/* what the record has already, quoted or not */
		theirs = state->person ? json_get_text(state->person, field->name) : NULL;
		if (theirs != NULL && literal != NULL)
		{
			StringInfoData quoted;

			initStringInfo(&quoted);
			json_string(&quoted, theirs);
			if (strcmp(theirs, literal) == 0 || strcmp(quoted.data, literal) == 0)
				continue;
		}
		json_key(out, field->name);
		json_literal(out, literal ? literal : "null");
		state->fields_sent = true;
	}
}

/* The members that a new person has, whichever door it comes through. */
static void
fub_write_new_person(CrmSession *session, StringInfo out)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	int64		assigned = session->connection->settings->assigned_user_id;
	ListCell   *lc;

	fub_write_name(out, "firstName", lead->first_name);
	fub_write_name(out, "lastName", lead->last_name);
	if (lead->phone != NULL)
	{
		json_key(out, "phones");
		json_array_start(out);
		fub_write_item(out, lead->phone, "mobile");
		json_array_end(out);
	}
	if (lead->email != NULL)
	{
		json_key(out, "emails");
		json_array_start(out);
		fub_write_item(out, lead->email, "home");
		json_array_end(out);
	}
	if (fub_has_own_address(lead))
	{
		json_key(out, "addresses");
		json_array_start(out);
		fub_write_own_address(out, lead);
		json_array_end(out);
	}
	if (state->tags != NIL)
	{
		json_key(out, "tags");
		json_array_start(out);
		foreach(lc, state->tags)
			json_string(out, lfirst(lc));
		json_array_end(out);
	}
	if (assigned != 0)
	{
		json_key(out, "assignedUserId");
		json_int64(out, assigned);
	}
	fub_write_custom(session, out);
}

/* ------------------------------------------------------------------------
 * Links
 * ------------------------------------------------------------------------
 */

/* From here on the record is the lead's; nothing has been written to it yet. */
static void
fub_link(CrmSession *session, char *record_id, CrmMatch match)
{
	CrmLink    *link = &session->link;

	link->record_id = record_id;
	link->match = match;
	link->created_at = session->now;
	link->has_digest = false;
	memset(link->digest, 0, sizeof(link->digest));
	session->link_changed = true;
}

static void
fub_set_digest(CrmSession *session)
{
	FubState   *state = session->state;

	memcpy(session->link.digest, state->digest, LEAD_DIGEST_SIZE);
	session->link.has_digest = true;
}

static void
fub_set_note_digest(CrmSession *session)
{
	FubState   *state = session->state;

	memcpy(session->link.note_digest, state->note_digest, LEAD_DIGEST_LEN);
}

/*
 * 404 on a stored id: deleted, or merged into another record.  Forget it and
 * search once as for a new lead; never loop (reference 4.7).  The digest of the
 * note stays: the survivor of a merge keeps it.
 */
static CrmAction
fub_gone(CrmSession *session)
{
	FubState   *state = session->state;
	bool		again = state->relinked;

	fub_link(session, NULL, CRM_MATCH_NONE);
	state->person = NULL;
	state->confirmed = false;
	state->event_sent = false;
	state->relinked = true;
	if (again)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "http_404",
						"Follow Up Boss found the record but does not know it.");
	return fub_search_start(session);
}

/*
 * A custom field that was renamed or removed costs a 400.  If what we know of
 * the fields is from an earlier session, ask again and start over: a 400 has
 * written nothing.
 */
static bool
fub_fields_stale(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;

	if (reply->result != HTTP_RESULT_RESPONSE ||
		(reply->status != 400 && reply->status != 422) ||
		!state->fields_sent || state->fields_fetched)
		return false;
	session->connection->custom_fields_known = false;
	return true;
}

/* 2xx with an empty body will do where no id is needed (reference 1). */
static bool
fub_acknowledged(const HttpReply *reply)
{
	return fub_blank(reply->body) || fub_read_object(reply) != NULL;
}

/* ------------------------------------------------------------------------
 * The note
 * ------------------------------------------------------------------------
 */

/* Equal but for white space, which a CRM may have rearranged? */
static bool
fub_same_note(const char *a, const char *b)
{
	for (;;)
	{
		a += strspn(a, " \t\r\n");
		b += strspn(b, " \t\r\n");
		if (*a != *b || *a == '\0')
			return *a == *b;
		a++;
		b++;
	}
}

/* POST /notes {personId}: there is no /people/{id}/notes (reference 4.8). */
static CrmAction
fub_note_post(CrmSession *session)
{
	StringInfoData body;

	initStringInfo(&body);
	json_object_start(&body);
	json_key(&body, "personId");
	json_int64(&body, strtoll(session->link.record_id, NULL, 10));
	json_key_string(&body, "subject", "Echo Safe");
	json_key_string(&body, "body", text_clip(session->lead->notes, FUB_NOTE_MAX));
	json_key(&body, "isHtml");
	json_literal(&body, "false");
	json_object_end(&body);

	crm_request_start(session, "POST", session->connection->api_url, "/notes");
	session->request.body = body;
	session->request.content_type = "application/json";
	session->request.limit_context = FUB_LIMIT_NOTES;
	session->request.creates = true;	/* notes are not de-duplicated */
	session->step = FUB_STEP_NOTE;
	return CRM_ACTION_SEND;
}

/* The record is right: what is left is the note, if any. */
static CrmAction
fub_finish(CrmSession *session)
{
	FubState   *state = session->state;

	if (!fub_note_due(session))
		return crm_success(session, state->write);
	if (!state->check_note)
		return fub_note_post(session);

	crm_request_start(session, "GET", session->connection->api_url,
					  psprintf("/notes?personId=%s&limit=100", session->link.record_id));
	session->request.limit_context = FUB_LIMIT_NOTES;
	session->step = FUB_STEP_FIND_NOTE;
	return CRM_ACTION_SEND;
}

/*
 * An earlier note may have arrived.  The list is not a documented call: if it
 * is refused, a possible miss is better than a duplicate (reference 6).
 */
static CrmAction
fub_find_note_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	JsonbContainer *notes = fub_read_list(fub_read_object(reply), "notes");
	char	   *ours = text_clip(session->lead->notes, FUB_NOTE_MAX);

	if (crm_transport_failed(session, reply))
		return CRM_ACTION_DONE;
	if (reply->status == 401 || reply->status == 403)
	{
		(void) fub_failed(session, reply);
		return CRM_ACTION_DONE;
	}
	state->check_note = false;
	if (!fub_success_status(reply) || notes == NULL)
	{
		fub_set_note_digest(session);
		return fub_finish(session);
	}
	for (int i = 0; i < json_array_length(notes); i++)
	{
		char	   *body = fub_item_text(notes, i, "body");

		if (body != NULL && fub_same_note(body, ours))
			fub_set_note_digest(session);
	}
	return fub_finish(session);
}

/*
 * A person is unknown to /notes until the account's lead flow has assigned it
 * (reference 4.7): the note waits, the person is never made again.  Waits grow
 * with the age of the link, since nothing else is remembered.
 */
static CrmAction
fub_not_visible_yet(CrmSession *session)
{
	int64		age_ms = (session->now - session->link.created_at) / 1000;

	crm_fail(session, CRM_ERROR_LEAD_RETRY, "fub_not_visible_yet",
			 "Follow Up Boss does not show the new record yet.");
	session->outcome.retry_after_ms =
		Min(Max(3 * age_ms, 2000), FUB_VISIBLE_AFTER_MS);
	return CRM_ACTION_DONE;
}

static CrmAction
fub_note_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	bool		young = session->link.match == CRM_MATCH_CREATED &&
		session->now - session->link.created_at < FUB_VISIBLE_AFTER_MS * INT64CONST(1000);

	if (reply->result == HTTP_RESULT_RESPONSE && reply->status == 404)
	{
		if (state->confirmed || (young && !fub_note_ever_sent(session)))
			return fub_not_visible_yet(session);
		return fub_gone(session);
	}
	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_acknowledged(reply))
		return fub_unreadable(session);
	fub_set_note_digest(session);
	fub_wrote(session, CRM_WRITE_UPDATED);
	return fub_finish(session);
}

/* ------------------------------------------------------------------------
 * A record that is known
 * ------------------------------------------------------------------------
 */

static CrmAction
fub_update(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	StringInfoData body;

	initStringInfo(&body);
	state->fields_sent = false;
	json_object_start(&body);
	fub_update_tags(session, &body);
	if (!fub_shared(session))
	{
		fub_update_name(session, &body, "firstName", LEAD_FIELD_FIRST_NAME, lead->first_name);
		fub_update_name(session, &body, "lastName", LEAD_FIELD_LAST_NAME, lead->last_name);
		fub_append_contacts(session, &body);
		fub_append_address(session, &body);
		fub_write_custom(session, &body);
	}
	json_object_end(&body);

	if (strcmp(body.data, "{}") == 0)
	{
		fub_set_digest(session);
		return fub_finish(session);
	}

	/* never source: it is written once, at creation (reference 4.6) */
	crm_request_start(session, "PUT", session->connection->api_url,
					  psprintf("/people/%s?mergeTags=true", session->link.record_id));
	session->request.body = body;
	session->request.content_type = "application/json";
	session->request.limit_context = FUB_LIMIT_PUT_PEOPLE;
	session->step = FUB_STEP_UPDATE;
	return CRM_ACTION_SEND;
}

static CrmAction
fub_update_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;

	if (reply->result == HTTP_RESULT_RESPONSE && reply->status == 404)
		return fub_gone(session);
	if (fub_fields_stale(session, reply))
		return fub_start(session);
	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_acknowledged(reply))
		return fub_unreadable(session);
	state->confirmed = true;
	fub_wrote(session, CRM_WRITE_UPDATED);
	fub_set_digest(session);
	return fub_finish(session);
}

/*
 * POST /events.  For a known person the id forces the match, and the tags are
 * the union of the record's and ours, so that it does not matter whether the
 * call adds or replaces (neither is documented).
 */
static CrmAction
fub_event(CrmSession *session)
{
	const CrmConnection *connection = session->connection;
	FubState   *state = session->state;
	const char *system_name = connection->identity.system_name;
	StringInfoData body;

	initStringInfo(&body);
	state->fields_sent = false;
	json_object_start(&body);
	json_key_string(&body, "source", fub_our_source(session));
	json_key_string(&body, "system",
					system_name && system_name[0] ? system_name : "echosync");
	json_key_string(&body, "type", "Registration");
	if (fub_note_due(session))
		json_key_string(&body, "message", text_clip(session->lead->notes, FUB_NOTE_MAX));
	json_key(&body, "person");
	json_object_start(&body);
	if (session->link.record_id == NULL)
		fub_write_new_person(session, &body);
	else
	{
		JsonbContainer *theirs = json_get_array(state->person, "tags");
		List	   *tags = NIL;
		ListCell   *lc;

		for (int i = 0; theirs && i < json_array_length(theirs); i++)
		{
			char	   *tag = fub_item_text(theirs, i, "name");

			if (!fub_blank(tag))
				tags = lappend(tags, tag);
		}
		tags = fub_add_tags(tags, state->tags);
		json_key(&body, "id");
		json_int64(&body, strtoll(session->link.record_id, NULL, 10));
		json_key(&body, "tags");
		json_array_start(&body);
		foreach(lc, tags)
			json_string(&body, lfirst(lc));
		json_array_end(&body);
		if (!fub_shared(session))
			fub_write_custom(session, &body);
	}
	json_object_end(&body);
	json_object_end(&body);

	crm_request_start(session, "POST", connection->api_url, "/events");
	session->request.body = body;
	session->request.content_type = "application/json";
	session->request.limit_context = FUB_LIMIT_POST_EVENTS;
	session->request.creates = true;	/* each call is one more event */
	session->step = FUB_STEP_EVENT;
	return CRM_ACTION_SEND;
}

/* Must the record be read before it can be written? */
static bool
fub_needs_record(const CrmSession *session)
{
	const CrmLead *lead = session->lead;

	if (fub_shared(session))
		return false;
	return (lead->phone && fub_changed(session, LEAD_FIELD_PHONE)) ||
		(lead->email && fub_changed(session, LEAD_FIELD_EMAIL)) ||
		(fub_has_own_address(lead) && fub_address_changed(session)) ||
		!session->link.has_digest;
}

/*
 * Write to the linked record.  With delivery "events" the first contact with
 * a person we found is an event too; not if one may have been posted already,
 * nor for a person that we made by one.
 */
static CrmAction
fub_write_record(CrmSession *session)
{
	FubState   *state = session->state;
	bool		event = fub_by_events(session) && !session->link.has_digest &&
		session->link.match != CRM_MATCH_CREATED &&
		!session->uncertain && !state->event_sent;

	if (state->person == NULL && (event || fub_needs_record(session)))
	{
		crm_request_start(session, "GET", session->connection->api_url,
						  psprintf("/people/%s?fields=allFields", session->link.record_id));
		session->request.limit_context = FUB_LIMIT_GLOBAL;
		session->step = FUB_STEP_READ;
		return CRM_ACTION_SEND;
	}
	return event ? fub_event(session) : fub_update(session);
}

static CrmAction
fub_read_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	JsonbContainer *person = fub_read_object(reply);

	if (reply->result == HTTP_RESULT_RESPONSE && reply->status == 404)
		return fub_gone(session);
	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	if (person == NULL || fub_record_id(person) == NULL)
		return fub_unreadable(session);
	state->person = person;
	state->confirmed = true;
	return fub_write_record(session);
}

/* ------------------------------------------------------------------------
 * A lead without a record: search
 * ------------------------------------------------------------------------
 */

static CrmAction
fub_search(CrmSession *session, FubStep step, const char *key, const char *value)
{
	StringInfoData path;

	/* without includeTrash a trashed person would be made again (4.3) */
	initStringInfo(&path);
	appendStringInfo(&path, "/people?%s=", key);
	url_encode(&path, value);
	appendStringInfoString(&path, "&includeTrash=true&limit=10&fields=allFields");

	crm_request_start(session, "GET", session->connection->api_url, path.data);
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->step = step;
	return CRM_ACTION_SEND;
}

static CrmAction
fub_search_start(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;

	state->person = NULL;
	state->phone_hits = NIL;
	state->email_hits = NIL;
	if (lead->phone_key != NULL)
		return fub_search(session, FUB_STEP_SEARCH_PHONE, "phone", lead->phone_key);
	if (lead->email != NULL)
		return fub_search(session, FUB_STEP_SEARCH_EMAIL, "email", lead->email);
	return crm_skip(session, REFUSAL_NO_CONTACT_KEY);
}

static bool
fub_list_has_record(const List *people, JsonbContainer *person)
{
	char	   *id = fub_record_id(person);
	ListCell   *lc;

	foreach(lc, people)
	{
		if (strcmp(fub_record_id(lfirst(lc)), id) == 0)
			return true;
	}
	return false;
}

/* The one record of the pool that is the lead's; NULL when nothing says which. */
static JsonbContainer *
fub_pick(const List *pool, const CrmLead *lead)
{
	JsonbContainer *chosen = NULL;
	ListCell   *lc;

	if (list_length(pool) == 1)
		return linitial(pool);
	foreach(lc, pool)
	{
		if (!fub_same_last_name(lfirst(lc), lead))
			continue;
		if (chosen != NULL)
			return NULL;
		chosen = lfirst(lc);
	}
	return chosen;
}

static CrmAction
fub_adopt(CrmSession *session, JsonbContainer *person)
{
	FubState   *state = session->state;
	CrmMatch	match = fub_match_kind(person, session->lead);

	if (session->uncertain && fub_is_ours(session, person))
	{
		match = CRM_MATCH_CREATED;
		state->write = CRM_WRITE_CREATED;
		if (fub_by_events(session))
			fub_set_note_digest(session);	/* it was the event's message */
	}
	fub_link(session, fub_record_id(person), match);
	state->person = person;
	state->confirmed = true;
	return fub_write_record(session);
}

/*
 * Nobody found.  checkDuplicate sees the whole account, beyond what this user
 * may see (reference 4.4).
 */
static CrmAction
fub_check_request(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/people/checkDuplicate");
	if (lead->phone_key != NULL)
	{
		appendStringInfoString(&path, "?phone=");
		url_encode(&path, lead->phone_key);
	}
	if (lead->email != NULL)
	{
		appendStringInfo(&path, "%cemail=", lead->phone_key ? '&' : '?');
		url_encode(&path, lead->email);
	}
	crm_request_start(session, "GET", session->connection->api_url, path.data);
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->step = FUB_STEP_CHECK;
	return CRM_ACTION_SEND;
}

/* A record that agrees in phone and e-mail goes before those with one of them. */
static CrmAction
fub_resolve(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	JsonbContainer *chosen;
	List	   *pool = NIL;
	ListCell   *lc;

	foreach(lc, state->phone_hits)
	{
		if (fub_has_email(lfirst(lc), lead))
			pool = lappend(pool, lfirst(lc));
	}
	foreach(lc, state->email_hits)
	{
		if (fub_has_phone(lfirst(lc), lead) && !fub_list_has_record(pool, lfirst(lc)))
			pool = lappend(pool, lfirst(lc));
	}
	if (pool == NIL)
	{
		/* phone and e-mail lead to different people: neither is proven */
		if (state->phone_hits != NIL && state->email_hits != NIL)
			return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
		pool = state->phone_hits ? state->phone_hits : state->email_hits;
	}
	if (pool == NIL)
		return fub_check_request(session);

	chosen = fub_pick(pool, lead);
	if (chosen == NULL)
		return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
	return fub_adopt(session, chosen);
}

/*
 * After the phone as ten digits comes the form with country code, unless there
 * was an exact hit already, then the e-mail, unless a hit has it already.
 */
static CrmAction
fub_search_next(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	ListCell   *lc;

	if (session->step == FUB_STEP_SEARCH_PHONE && state->phone_hits == NIL)
		return fub_search(session, FUB_STEP_SEARCH_PLUS, "phone",
						  psprintf(phone_key_is_nanp(lead->phone_key) ? "+1%s" : "+%s",
								   lead->phone_key));
	if (session->step == FUB_STEP_SEARCH_EMAIL || lead->email == NULL)
		return fub_resolve(session);
	foreach(lc, state->phone_hits)
	{
		if (fub_has_email(lfirst(lc), lead))
			return fub_resolve(session);
	}
	return fub_search(session, FUB_STEP_SEARCH_EMAIL, "email", lead->email);
}

/* Only exact rows are hits; an error is never an empty list (reference 8, 11). */
static CrmAction
fub_search_reply(CrmSession *session, const HttpReply *reply)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	JsonbContainer *people;

	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	people = fub_read_list(fub_read_object(reply), "people");
	if (people == NULL)
		return fub_unreadable(session);

	for (int i = 0; i < json_array_length(people); i++)
	{
		JsonbContainer *person = json_value_object(json_array_element(people, i));

		if (person == NULL || fub_record_id(person) == NULL)
			continue;
		if (session->step == FUB_STEP_SEARCH_EMAIL)
		{
			if (fub_has_email(person, lead))
				state->email_hits = lappend(state->email_hits, person);
		}
		else if (fub_has_phone(person, lead))
			state->phone_hits = lappend(state->phone_hits, person);
	}
	return fub_search_next(session);
}

/* ------------------------------------------------------------------------
 * A lead without a record: create
 * ------------------------------------------------------------------------
 */

/* POST /people runs no automations; deduplicate counts in the query only (4.5). */
static CrmAction
fub_create(CrmSession *session)
{
	FubState   *state = session->state;
	StringInfoData body;

	/* a new record has no note of ours, whatever the one that is gone had */
	memset(session->link.note_digest, 0, LEAD_DIGEST_LEN);
	if (fub_by_events(session))
		return fub_event(session);

	initStringInfo(&body);
	state->fields_sent = false;
	json_object_start(&body);
	fub_write_new_person(session, &body);
	json_key_string(&body, "source", fub_our_source(session));
	json_object_end(&body);

	crm_request_start(session, "POST", session->connection->api_url,
					  "/people?deduplicate=true");
	session->request.body = body;
	session->request.content_type = "application/json";
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->request.creates = true;
	session->step = FUB_STEP_CREATE;
	return CRM_ACTION_SEND;
}

/*
 * Somebody is there whom this user cannot see: not ours to make again.  If our
 * own create may have happened, it is probably that one, not shown yet.
 */
static CrmAction
fub_check_reply(CrmSession *session, const HttpReply *reply)
{
	JsonbContainer *root;

	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	root = fub_read_object(reply);
	if (root == NULL || json_get(root, "found") == NULL)
		return fub_unreadable(session);
	if (!json_get_bool(root, "found"))
		return fub_create(session);
	if (session->uncertain)
		return crm_fail(session, CRM_ERROR_LEAD_RETRY, "fub_not_visible_yet",
						"Follow Up Boss does not show the new record yet.");
	return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
}

/*
 * The body of a create is the person, bare (reference 4.1).  201 is new.  200
 * may be an existing person, which POST /people leaves as it was and an event
 * has filled in.
 */
static CrmAction
fub_created(CrmSession *session, const HttpReply *reply)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	JsonbContainer *person = fub_read_object(reply);
	char	   *id = person ? fub_record_id(person) : NULL;

	if (person == NULL && !fub_blank(reply->body))
		return fub_unreadable(session);
	if (id == NULL)
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_record_id",
						"Follow Up Boss accepted the lead without saying which record it became.");

	state->confirmed = true;
	if (reply->status == 201 || fub_is_ours(session, person))
	{
		fub_link(session, id, CRM_MATCH_CREATED);
		fub_set_digest(session);
		state->write = CRM_WRITE_CREATED;
		state->check_note = false;
	}
	else
	{
		/* an event has written our e-mail, so that it proves nothing */
		fub_link(session, id,
				 state->event_sent && !fub_names_agree(person, lead) ?
				 CRM_MATCH_SHARED_PHONE : fub_match_kind(person, lead));
		if (state->event_sent)
			fub_wrote(session, CRM_WRITE_UPDATED);

		/* a reply without its lists must not pass for a record without any */
		state->person = json_get_array(person, "phones") &&
			json_get_array(person, "emails") ? person : NULL;
	}
	if (state->event_sent && lead->notes != NULL)
		fub_set_note_digest(session);	/* it was the event's message */
	return session->link.has_digest ? fub_finish(session) : fub_write_record(session);
}

static CrmAction
fub_create_reply(CrmSession *session, const HttpReply *reply)
{
	if (fub_fields_stale(session, reply))
		return fub_start(session);
	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	return fub_created(session, reply);
}

/* 204: the account ignores this source; the lead went nowhere (reference 4.2). */
static CrmAction
fub_event_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	bool		known = session->link.record_id != NULL;

	if (known && reply->result == HTTP_RESULT_RESPONSE && reply->status == 404)
		return fub_gone(session);
	if (fub_fields_stale(session, reply))
		return fub_start(session);
	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	if (reply->status == 204)
		return crm_skip(session, REFUSAL_IGNORED_BY_CRM);

	state->event_sent = true;
	if (!known)
		return fub_created(session, reply);
	if (!fub_acknowledged(reply))
		return fub_unreadable(session);
	state->confirmed = true;
	fub_wrote(session, CRM_WRITE_UPDATED);
	if (fub_note_due(session))
		fub_set_note_digest(session);	/* it was the event's message */
	return fub_update(session);
}

/* ------------------------------------------------------------------------
 * The session
 * ------------------------------------------------------------------------
 */

static CrmAction
fub_start(CrmSession *session)
{
	const CrmConnection *connection = session->connection;
	FubState   *state = session->state;
	CrmLink    *link = &session->link;

	if (link->record_id != NULL && link->has_digest &&
		memcmp(link->digest, state->digest, LEAD_DIGEST_SIZE) == 0)
		return fub_note_due(session) ? fub_finish(session) :
			crm_skip(session, REFUSAL_UNCHANGED);

	if (connection->settings->custom_fields != NIL &&
		!connection->custom_fields_known && !state->fields_fetched)
	{
		state->fields = NIL;
		state->field_pages = 0;
		return fub_fields_request(session, NULL);
	}

	if (link->record_id != NULL)
		return fub_write_record(session);
	if (session->local_match != NULL && !state->relinked)
	{
		CrmMatch	match = session->local_match_kind;

		/* unknown: touch little; another lead's creation: its names stay */
		if (match == CRM_MATCH_NONE)
			match = CRM_MATCH_SHARED_PHONE;
		else if (match == CRM_MATCH_CREATED)
			match = CRM_MATCH_PHONE;
		fub_link(session, pstrdup(session->local_match), match);
		return fub_write_record(session);
	}
	return fub_search_start(session);
}

static CrmAction
fub_sync_begin(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	const IntegrationSettings *settings = session->connection->settings;
	FubState   *state = palloc0(sizeof(FubState));

	session->state = state;
	if (lead->do_not_contact)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);

	lead_digest(lead, settings, state->digest);
	crm_note_digest(lead->notes, state->note_digest);
	state->tags = fub_add_tags(fub_add_tags(NIL, settings->tags), lead->tags);
	state->check_note = session->uncertain;
	return fub_start(session);
}

static CrmAction
fub_begin(CrmSession *session)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action;

	action = session->task == CRM_TASK_SYNC ?
		fub_sync_begin(session) : fub_account_begin(session);
	MemoryContextSwitchTo(old_context);
	return action;
}

/*
 * 403 says either that the account is locked, which is the connection's
 * failure, or that this user may not touch this record, which is the lead's.
 * /identity tells which (reference 4.7); without asking, one forbidden record
 * would hold up all the others.
 */
static bool
fub_must_ask(const CrmSession *session, const HttpReply *reply)
{
	return session->task == CRM_TASK_SYNC &&
		session->step != FUB_STEP_FORBIDDEN &&
		session->step != FUB_STEP_CUSTOM_FIELDS &&
		reply->result == HTTP_RESULT_RESPONSE && reply->status == 403 &&
		fub_read_object(reply) != NULL;
}

static CrmAction
fub_forbidden_reply(CrmSession *session, const HttpReply *reply)
{
	if (fub_failed(session, reply))
		return CRM_ACTION_DONE;
	return crm_fail(session, CRM_ERROR_LEAD_RETRY, "fub_forbidden",
					"The Follow Up Boss user of this connection may not read or change this record.");
}

static CrmAction
fub_dispatch(CrmSession *session, const HttpReply *reply)
{
	CrmAction	action;

	switch ((FubStep) session->step)
	{
		case FUB_STEP_NONE:
			break;
		case FUB_STEP_CUSTOM_FIELDS:
			return fub_fields_reply(session, reply, &action) ?
				fub_start(session) : action;
		case FUB_STEP_SEARCH_PHONE:
		case FUB_STEP_SEARCH_PLUS:
		case FUB_STEP_SEARCH_EMAIL:
			return fub_search_reply(session, reply);
		case FUB_STEP_CHECK:
			return fub_check_reply(session, reply);
		case FUB_STEP_CREATE:
			return fub_create_reply(session, reply);
		case FUB_STEP_READ:
			return fub_read_reply(session, reply);
		case FUB_STEP_EVENT:
			return fub_event_reply(session, reply);
		case FUB_STEP_UPDATE:
			return fub_update_reply(session, reply);
		case FUB_STEP_FIND_NOTE:
			return fub_find_note_reply(session, reply);
		case FUB_STEP_NOTE:
			return fub_note_reply(session, reply);
		case FUB_STEP_FORBIDDEN:
			return fub_forbidden_reply(session, reply);
		case FUB_STEP_TOKEN:
			return fub_token_reply(session, reply);
		case FUB_STEP_IDENTITY:
			return fub_identity_reply(session, reply);
	}
	return crm_fail(session, CRM_ERROR_LEAD_RETRY, "internal",
					"A reply came that no request had asked for.");
}

static CrmAction
fub_next(CrmSession *session, const HttpReply *reply)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	FubState   *state = session->state;
	CrmAction	action;

	if (fub_must_ask(session, reply))
	{
		crm_request_start(session, "GET", session->connection->api_url, "/identity");
		session->request.limit_context = FUB_LIMIT_GLOBAL;
		session->step = FUB_STEP_FORBIDDEN;
		action = CRM_ACTION_SEND;
	}
	else
		action = fub_dispatch(session, reply);

	if (action == CRM_ACTION_DONE)
	{
		session->outcome.http_status = reply->status;

		/* a session that fails at its note has created its person all the same */
		if (state != NULL && session->outcome.status == CRM_STATUS_FAILED)
			session->outcome.write = state->write;
	}
	MemoryContextSwitchTo(old_context);
	return action;
}

const CrmProvider followupboss_provider = {
	.crm_type = "followupboss",
	.label = "Follow Up Boss",
	.flags_records = false,
	.takes_api_key = true,
	.takes_oauth = true,
	.limits = fub_limits,
	.n_limits = FUB_LIMIT_COUNT,
	.authorize = fub_authorize,
	.check_api_key = fub_check_api_key,
	.authorize_url = fub_authorize_url,
	.begin = fub_begin,
	.next = fub_next,
	.limit_hint = fub_limit_hint
};

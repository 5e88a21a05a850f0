/*
 * lofty_write.c
 *		Lofty: creating a record, and updating the linked one.
 *
 * Arrays replace.  Phones and e-mails are read, merged and written whole; tags
 * only ever go through tagsAdd (Lofty reference 3.4, 3.5).  Blocked-contact
 * flags are only ever raised (3.8).
 *
 * Not here: custom fields (lofty_fields.c), the note of a record that exists
 * (lofty_note.c).
 */
#include "postgres.h"

#include "crm/lofty.h"
#include "crm/record.h"
#include "crm/reply.h"

/* Longer ones are refused by Lofty (3.3). */
#define LOFTY_MAX_PHONE		20

/* What an update writes.  Empty members are left out of the request. */
typedef struct LoftyChanges
{
	bool		any;
	bool		flags;
	bool		property;
	const char *first_name;
	const char *last_name;
	List	   *phones;			/* the whole array */
	List	   *emails;			/* the whole array */
	List	   *tags;			/* to add */
	List	   *attributes;		/* the whole array, of LoftyAttribute * */
} LoftyChanges;

/* The phone in the form to write, NULL if Lofty would not take it (3.3). */
static char *
sendable_phone(const CrmLead *lead)
{
	if (lead->phone == NULL || strlen(lead->phone) > LOFTY_MAX_PHONE)
		return NULL;
	return lead->phone;
}

/*
 * The address.  Only for leads that have one: a block of blanks makes Lofty
 * refuse the whole request (3.6).
 */
static void
put_property(StringInfo out, const CrmLead *lead)
{
	json_key(out, "property");
	json_object_start(out);
	if (!text_is_blank(lead->address))
		json_key_string(out, "streetAddress", lead->address);
	if (!text_is_blank(lead->city))
		json_key_string(out, "city", lead->city);
	if (!text_is_blank(lead->state))
		json_key_string(out, "state", lead->state);
	if (!text_is_blank(lead->zip_code))
		json_key_string(out, "zipCode", lead->zip_code);
	json_object_end(out);
}

/* ------------------------------------------------------------------------
 * Create
 * ------------------------------------------------------------------------ */

/*
 * Everything goes in the one call: tags and note cost no second one, and the
 * automations that a new lead starts see it whole (3.3).  The two mails that
 * a create can send are refused by name, since their default is unknown.
 */
CrmAction
lofty_write_create(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	const IntegrationSettings *settings = session->connection->settings;
	const char *first_name = text_is_blank(lead->first_name) ?
		LOFTY_NO_FIRST_NAME : lead->first_name;
	const char *source = record_source(session);
	char	   *phone = sendable_phone(lead);
	char	   *note = lofty_note_text(lead);
	List	   *tags = record_tags(session, LOFTY_MAX_TAG);
	List	   *attributes = lofty_fields_of_lead(session);
	StringInfo	body;

	if (session->resolve_only)
		return crm_success(session, CRM_WRITE_NONE);
	body = lofty_request(session, LOFTY_STEP_CREATE, "POST", "/leads");
	session->request.creates = true;

	json_object_start(body);
	json_key_string(body, "firstName", text_clip(first_name, LOFTY_MAX_NAME));
	if (!text_is_blank(lead->last_name))
		json_key_string(body, "lastName", text_clip(lead->last_name, LOFTY_MAX_NAME));
	if (phone != NULL)
		json_key_strings(body, "phones", list_make1(phone));
	if (record_email(session) != NULL)
		json_key_strings(body, "emails", list_make1(unconstify(char *, record_email(session))));
	if (!text_is_blank(source))
		json_key_string(body, "source", source);
	if (tags != NIL)
		json_key_strings(body, "tagsAdd", tags);
	if (record_gets_address(lead))
		put_property(body, lead);
	if (attributes != NIL)
		lofty_fields_put(body, attributes);
	if (note != NULL)
	{
		json_key_string(body, "content", note);
		json_key_bool(body, "isPin", false);
	}
	if (settings->assigned_user_id > 0)
		json_key_int64(body, "assignedUserId", settings->assigned_user_id);
	json_key_bool(body, "welcomeEmail", false);
	json_key_bool(body, "leadAlert", false);
	json_object_end(body);
	return CRM_ACTION_SEND;
}

/*
 * A 2xx without an id may or may not have made a lead: it is searched for
 * later, never posted again (3.3).
 */
CrmAction
lofty_write_create_reply(CrmSession *session, const LoftyAnswer *answer)
{
	int64		id;

	if (!lofty_reply_id(answer, "leadId", &id) ||
		!lofty_record_link(session, psprintf(INT64_FORMAT, id), CRM_MATCH_CREATED))
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_record_id",
						"Lofty accepted the lead but did not say under which id.");

	if (sendable_phone(session->lead) == NULL)
		record_withhold(session, LEAD_FIELD_PHONE);
	record_written(session);
	lofty_note_is_sent(session);
	return crm_success(session, CRM_WRITE_CREATED);
}

/* ------------------------------------------------------------------------
 * Update: what to write
 * ------------------------------------------------------------------------ */

/* Must the record be read before it can be written? */
static bool
needs_record(const CrmSession *session)
{
	const CrmLead *lead = session->lead;

	if (lead->do_not_contact || crm_match_is_shared(session->link.match))
		return false;
	if (!lofty_record_written_before(session))
		return true;
	return (sendable_phone(lead) != NULL && record_field_changed(session, LEAD_FIELD_PHONE)) ||
		(lead->email != NULL && record_field_changed(session, LEAD_FIELD_EMAIL)) ||
		lofty_fields_changed(session);
}

/*
 * A name to write, or NULL.  Ours to change on records we created; others
 * only get one where they have none, when we first meet them.
 */
static const char *
name_change(const CrmSession *session, LeadField field, const char *ours)
{
	const LoftySync *sync = session->state;
	const char *theirs = NULL;
	char	   *clipped;

	if (text_is_blank(ours) || !record_field_changed(session, field))
		return NULL;
	if (sync->record != NULL)
		theirs = field == LEAD_FIELD_FIRST_NAME ?
			sync->record->first_name : sync->record->last_name;
	if (session->link.match != CRM_MATCH_CREATED &&
		(lofty_record_written_before(session) || !text_is_blank(theirs)))
		return NULL;

	clipped = text_clip(ours, LOFTY_MAX_NAME);
	return theirs != NULL && strcmp(theirs, clipped) == 0 ? NULL : clipped;
}

/*
 * Phones and e-mails: the record's and ours, if ours is not among them.  A
 * list that was not understood is not written, and may be the next time.
 */
static void
plan_keys(CrmSession *session, LoftyChanges *changes)
{
	const LoftySync *sync = session->state;
	const LoftyRecord *record = sync->record;
	const CrmLead *lead = session->lead;
	char	   *phone = sendable_phone(lead);

	if (record == NULL)
		return;
	if (phone != NULL && record_field_changed(session, LEAD_FIELD_PHONE) &&
		!lofty_record_has_phone(record, lead))
	{
		if (record->phones_whole)
			changes->phones = lappend(list_copy(record->phones), phone);
		else
			record_not_written(session, LEAD_FIELD_PHONE);
	}
	if (record_email(session) != NULL && record_field_changed(session, LEAD_FIELD_EMAIL) &&
		!lofty_record_has_email(record, lead))
	{
		if (record->emails_whole)
			changes->emails = lappend(list_copy(record->emails), lead->email);
		else
			record_not_written(session, LEAD_FIELD_EMAIL);
	}
}

static void
withhold_others(CrmSession *session)
{
	const LoftySync *sync = session->state;

	record_withhold_others(session, !lofty_record_written_before(session),
						   sync->record != NULL &&
						   lofty_record_names_agree(sync->record, session->lead));
	if (sendable_phone(session->lead) == NULL)
		record_withhold(session, LEAD_FIELD_PHONE);
}

/* Tags that the record lacks, as far as we know it. */
static List *
tag_changes(const CrmSession *session)
{
	const LoftySync *sync = session->state;
	List	   *missing = NIL;
	ListCell   *lc;

	if (!record_field_changed(session, LEAD_FIELD_TAGS))
		return NIL;
	foreach(lc, record_tags(session, LOFTY_MAX_TAG))
	{
		char	   *tag = (char *) lfirst(lc);

		if (sync->record == NULL || !record_has_tag(sync->record->tags, tag))
			missing = lappend(missing, tag);
	}
	return missing;
}

/*
 * What to write to the linked record.  needs_record has seen to it that
 * sync->record is there for what depends on it.
 */
static void
plan_changes(CrmSession *session, LoftyChanges *changes)
{
	const LoftySync *sync = session->state;
	const CrmLead *lead = session->lead;

	memset(changes, 0, sizeof(*changes));
	if (lead->do_not_contact)
	{
		/* and nothing else: no automation is to wake up over this person */
		changes->flags = sync->record == NULL || !sync->record->flagged;
		changes->any = changes->flags;
		return;
	}

	withhold_others(session);
	changes->tags = tag_changes(session);
	if (!crm_match_is_shared(session->link.match))
	{
		changes->first_name = name_change(session, LEAD_FIELD_FIRST_NAME,
										  lead->first_name);
		changes->last_name = name_change(session, LEAD_FIELD_LAST_NAME,
										 lead->last_name);
		plan_keys(session, changes);
		changes->property = record_gets_address(lead) &&
			record_address_changed(session) &&
			(lofty_record_written_before(session) || !sync->record->has_address);
		if (lofty_fields_changed(session) && sync->record->attributes_whole)
		{
			List	   *ours = lofty_fields_of_lead(session);

			if (ours != NIL)
				changes->attributes = lofty_fields_merge(sync->record, ours);
		}
	}
	changes->any = changes->tags != NIL || changes->property ||
		changes->first_name != NULL || changes->last_name != NULL ||
		changes->phones != NIL || changes->emails != NIL ||
		changes->attributes != NIL;
}

/* ------------------------------------------------------------------------
 * Update: requests and replies
 * ------------------------------------------------------------------------ */

static CrmAction
send_read(CrmSession *session)
{
	LoftySync  *sync = session->state;

	return lofty_get(session, LOFTY_STEP_READ,
					 psprintf("/leads/" INT64_FORMAT, sync->record_id));
}

static CrmAction
send_update(CrmSession *session, const LoftyChanges *changes)
{
	LoftySync  *sync = session->state;
	StringInfo	body;

	body = lofty_request(session, LOFTY_STEP_UPDATE, "PUT",
						 psprintf("/leads/" INT64_FORMAT, sync->record_id));
	json_object_start(body);
	if (changes->flags)
	{
		/* only ever true: false would re-open a person (3.8) */
		json_key_bool(body, "cannotCall", true);
		json_key_bool(body, "cannotText", true);
		json_key_bool(body, "cannotEmail", true);
	}
	json_key_string(body, "firstName", changes->first_name);
	json_key_string(body, "lastName", changes->last_name);
	if (changes->phones != NIL)
		json_key_strings(body, "phones", changes->phones);
	if (changes->emails != NIL)
		json_key_strings(body, "emails", changes->emails);
	if (changes->tags != NIL)
		json_key_strings(body, "tagsAdd", changes->tags);
	if (changes->property)
		put_property(body, session->lead);
	if (changes->attributes != NIL)
		lofty_fields_put(body, changes->attributes);
	json_object_end(body);
	return CRM_ACTION_SEND;
}

/*
 * The record has all it is to have, the note apart.  This is remembered
 * before the note is sent, so that a failing note does not repeat the write.
 * Of a lead that must not be contacted only the flags were written.
 */
static CrmAction
finish_record(CrmSession *session)
{
	CrmLink    *link = &session->link;

	if (session->lead->do_not_contact)
	{
		const int	offset = LEAD_FIELD_DO_NOT_CONTACT * LEAD_DIGEST_LEN;

		if (!link->has_digest)
			memset(link->digest, 0, sizeof(link->digest));
		memcpy(link->digest + offset, session->digest + offset, LEAD_DIGEST_LEN);
		link->has_digest = true;
	}
	else
		record_written(session);
	session->link_changed = true;
	return lofty_note_finish(session);
}

CrmAction
lofty_write_update(CrmSession *session)
{
	LoftySync  *sync = session->state;
	LoftyChanges changes;

	if (sync->record == NULL && needs_record(session))
		return send_read(session);
	if (lofty_fields_changed(session) && lofty_fields_unknown(session))
		return lofty_fields_request(session);

	plan_changes(session, &changes);
	if (changes.any)
		return send_update(session, &changes);
	return finish_record(session);
}

CrmAction
lofty_write_read_reply(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = session->state;
	JsonbContainer *lead = answer->object ? json_get_object(answer->object, "lead") : NULL;
	LoftyRecord *record = lofty_record_read(lead ? lead : answer->object);

	if (record == NULL || record->id != sync->record_id)
		return reply_unreadable(session);
	sync->record = record;
	return lofty_write_update(session);
}

/*
 * Any 2xx will do, but for what is no answer of this API; an id must be the
 * one that was asked for (3.4).  The write can be repeated without harm.
 */
CrmAction
lofty_write_update_reply(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = session->state;
	int64		id;

	if (!answer->is_empty && answer->object == NULL)
		return reply_unreadable(session);
	if (lofty_reply_id(answer, "leadId", &id) && id != sync->record_id)
		return reply_unreadable(session);
	record_updated(session);
	return finish_record(session);
}

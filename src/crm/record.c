/*
 * record.c
 *		One lead and its record in a CRM: what the record is to have, what of it
 *		changed, whether a record that was found is the lead's, and the link.
 *
 * Not here: which names agree (crm.c), what a digest covers (lead_digest.c), how any
 * CRM writes or reads a record (lofty_*.c, followupboss_*.c).
 */
#include "postgres.h"

#include "crm/json.h"
#include "crm/phone.h"
#include "crm/record.h"

void
record_begin(CrmSession *session)
{
	lead_digest(session->lead, session->connection->settings, session->digest);
	session->write = CRM_WRITE_NONE;
}

/* ------------------------------------------------------------------------
 * What the record is to have
 * ------------------------------------------------------------------------ */

bool
record_has_tag(const List *tags, const char *tag)
{
	ListCell   *lc;

	foreach(lc, tags)
	{
		if (pg_strcasecmp((const char *) lfirst(lc), tag) == 0)
			return true;
	}
	return false;
}

List *
record_add_tags(List *tags, const List *more, int max_chars)
{
	ListCell   *lc;

	foreach(lc, more)
	{
		char	   *tag = text_clip((const char *) lfirst(lc), max_chars);

		if (!text_is_blank(tag) && !record_has_tag(tags, tag))
			tags = lappend(tags, tag);
	}
	return tags;
}

List *
record_tags(const CrmSession *session, int max_chars)
{
	List	   *tags;

	tags = record_add_tags(NIL, session->connection->settings->tags, max_chars);
	return record_add_tags(tags, session->lead->tags, max_chars);
}

const char *
record_source(const CrmSession *session)
{
	if (!text_is_blank(session->lead->source))
		return session->lead->source;
	return session->connection->settings->source;
}

bool
record_gets_address(const CrmLead *lead)
{
	return !text_is_blank(lead->address) || !text_is_blank(lead->city) ||
		!text_is_blank(lead->state) || !text_is_blank(lead->zip_code);
}

/* ------------------------------------------------------------------------
 * What changed, and what was written
 * ------------------------------------------------------------------------ */

bool
record_field_changed(const CrmSession *session, LeadField field)
{
	return !session->link.has_digest ||
		lead_digest_differs(session->link.digest, session->digest, field);
}

bool
record_address_changed(const CrmSession *session)
{
	return record_field_changed(session, LEAD_FIELD_ADDRESS) ||
		record_field_changed(session, LEAD_FIELD_CITY) ||
		record_field_changed(session, LEAD_FIELD_STATE) ||
		record_field_changed(session, LEAD_FIELD_ZIP_CODE);
}

void
record_written(CrmSession *session)
{
	memcpy(session->link.digest, session->digest, LEAD_DIGEST_SIZE);
	session->link.has_digest = true;
	if (session->link.record_id != NULL)
		session->link_changed = true;	/* also if a note fails hereafter */
}

bool
record_note_due(const CrmSession *session, const char *note)
{
	uint8		digest[LEAD_DIGEST_LEN];

	if (note == NULL || session->lead->do_not_contact)
		return false;
	crm_note_digest(note, digest);
	return memcmp(digest, session->link.note_digest, LEAD_DIGEST_LEN) != 0;
}

void
record_note_sent(CrmSession *session, const char *note)
{
	crm_note_digest(note, session->link.note_digest);
}

void
record_updated(CrmSession *session)
{
	if (session->write == CRM_WRITE_NONE)
		session->write = CRM_WRITE_UPDATED;
}

/* ------------------------------------------------------------------------
 * Is this the lead's record?
 * ------------------------------------------------------------------------ */

bool
record_same_phone(const CrmLead *lead, const char *theirs)
{
	char		key[PHONE_MAX_LEN];

	return lead->phone_key != NULL && theirs != NULL &&
		phone_key(theirs, strlen(theirs), key) &&
		strcmp(key, lead->phone_key) == 0;
}

/* Text less the white space around it, which is not blank; its length. */
static size_t
trim(const char **text)
{
	size_t		len;

	*text += strspn(*text, TEXT_SPACES);
	for (len = strlen(*text); strchr(TEXT_SPACES, (*text)[len - 1]) != NULL;)
		len--;
	return len;
}

bool
record_same_text(const char *ours, const char *theirs)
{
	size_t		len;

	if (text_is_blank(ours) || text_is_blank(theirs))
		return text_is_blank(ours) && text_is_blank(theirs);
	len = trim(&ours);
	return trim(&theirs) == len && pg_strncasecmp(ours, theirs, len) == 0;
}

CrmMatch
record_match(bool same_email, bool names_agree)
{
	if (same_email)
		return CRM_MATCH_EMAIL;
	return names_agree ? CRM_MATCH_PHONE : CRM_MATCH_SHARED_PHONE;
}

void
record_link(CrmSession *session, char *record_id, CrmMatch match)
{
	CrmLink    *link = &session->link;

	link->record_id = record_id;
	link->match = match;
	link->created_at = session->now;
	link->has_digest = false;
	memset(link->digest, 0, sizeof(link->digest));
	session->link_changed = true;
}

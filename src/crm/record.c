/*
 * record.c
 *		One lead and its record in a CRM: what the record is to have, what of it
 *		changed, whether a record that was found is the lead's, and the link.
 *
 * Not here: which names agree (crm.c), what a digest covers (lead_digest.c), how any
 * CRM writes or reads a record (lofty_*.c, followupboss_*.c).
 */
#include "postgres.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "crm/json.h"
#include "crm/phone.h"
#include "crm/record.h"

/* How far the CRM's clock may be from ours. */
#define CLOCK_SKEW_MS	(5 * 60 * 1000)

void
record_begin(CrmSession *session)
{
	lead_digest(session->lead, session->connection->settings, session->digest);
	session->write = CRM_WRITE_NONE;
	session->searched = false;
	session->was_linked = session->link.record_id != NULL;
	session->linked_now = false;
	session->unwritten = session->withheld = 0;
	session->email_refused = session->email_shared = false;
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

/* 1.0 wrote down how an address was spelled: where it is spelled so still, it is the same. */
static bool
spelled_as_before(const CrmSession *session, LeadField field)
{
	uint8		before[LEAD_DIGEST_SIZE];

	if (field < LEAD_FIELD_ADDRESS || field > LEAD_FIELD_ZIP_CODE)
		return false;
	lead_digest_spelled(session->lead, session->connection->settings, field, before + field * LEAD_DIGEST_LEN);
	if (!lead_digest_differs(session->link.digest, before, field))
		return true;
	lead_digest_withhold(before, field);
	return !lead_digest_differs(session->link.digest, before, field);
}

bool
record_field_changed(const CrmSession *session, LeadField field)
{
	uint8		withheld[LEAD_DIGEST_SIZE];

	if (!session->link.has_digest)
		return true;
	if (!lead_digest_differs(session->link.digest, session->digest, field))
		return false;
	memcpy(withheld, session->digest, LEAD_DIGEST_SIZE);
	lead_digest_withhold(withheld, field);
	return lead_digest_differs(session->link.digest, withheld, field) && !spelled_as_before(session, field);
}

bool
record_changed(const CrmSession *session)
{
	for (int field = 0; field < LEAD_DIGEST_FIELDS; field++)
	{
		if (record_field_changed(session, (LeadField) field))
			return true;
	}
	return false;
}

bool
record_address_changed(const CrmSession *session)
{
	return record_field_changed(session, LEAD_FIELD_ADDRESS) ||
		record_field_changed(session, LEAD_FIELD_CITY) ||
		record_field_changed(session, LEAD_FIELD_STATE) ||
		record_field_changed(session, LEAD_FIELD_ZIP_CODE);
}

static uint32
field_bit(LeadField field)
{
	return (uint32) 1 << field;
}

void
record_not_written(CrmSession *session, LeadField field)
{
	session->unwritten |= field_bit(field);
}

void
record_withhold(CrmSession *session, LeadField field)
{
	session->withheld |= field_bit(field);
}

void
record_withhold_others(CrmSession *session, bool first, bool names_agree)
{
	if (session->link.match != CRM_MATCH_CREATED && !(first && names_agree))
	{
		record_withhold(session, LEAD_FIELD_FIRST_NAME);
		record_withhold(session, LEAD_FIELD_LAST_NAME);
	}
	if (!crm_match_is_shared(session->link.match))
		return;
	if (!first || session->link.match == CRM_MATCH_SHARED_PHONE)
		record_withhold(session, LEAD_FIELD_EMAIL);
	if (!first || session->link.match == CRM_MATCH_SHARED_EMAIL)
		record_withhold(session, LEAD_FIELD_PHONE);
}

/* Was the record found, or made, by this key? */
static bool
linked_by(const CrmSession *session, LeadField field)
{
	switch (session->link.match)
	{
		case CRM_MATCH_NONE:
			break;
		case CRM_MATCH_CREATED:
			return true;
		case CRM_MATCH_EMAIL:
		case CRM_MATCH_SHARED_EMAIL:
			return field == LEAD_FIELD_EMAIL;
		case CRM_MATCH_PHONE:
		case CRM_MATCH_SHARED_PHONE:
			return field == LEAD_FIELD_PHONE;
	}
	return false;
}

bool
record_carries(const CrmSession *session, LeadField field)
{
	const CrmLink *link = &session->link;

	if (link->record_id == NULL || !lead_digest_has(session->digest, field) ||
		(crm_match_is_shared(link->match) && !linked_by(session, field)))
		return false;
	if (link->has_digest && !lead_digest_differs(link->digest, session->digest, field))
		return true;
	if (((session->unwritten | session->withheld) & field_bit(field)) != 0)
		return false;
	return (session->linked_now || !link->has_digest) && linked_by(session, field);
}

const char *
record_email(const CrmSession *session)
{
	return session->email_refused || session->email_shared ? NULL : session->lead->email;
}

bool
record_is_strangers(CrmSession *session, CrmMatch match)
{
	bool		strangers = match == CRM_MATCH_SHARED_EMAIL && session->lead->phone_key != NULL;

	session->email_shared |= strangers;
	return strangers;
}

void
record_takes(CrmSession *session, bool has_email)
{
	session->email_shared &= !has_email;
}

/* An address has no character that JSON escapes. */
bool
record_drop_email(CrmSession *session, int status)
{
	const char *email = record_email(session);

	if (status != 400 || email == NULL || session->lead->phone_key == NULL ||
		strstr(session->request.body.data, email) == NULL)
		return false;
	session->email_refused = true;
	return true;
}

/* The digest says what the record has: of the lead's, less what it does not. */
static void
keep_slot(CrmSession *session, LeadField field)
{
	CrmLink    *link = &session->link;
	const int	offset = field * LEAD_DIGEST_LEN;
	bool		withheld = (session->withheld & field_bit(field)) != 0;

	if ((session->unwritten & field_bit(field)) != 0 ||
		(withheld && !record_field_changed(session, field)))
		return;
	memcpy(link->digest + offset, session->digest + offset, LEAD_DIGEST_LEN);
	if (withheld)
		lead_digest_withhold(link->digest, field);
}

void
record_written(CrmSession *session)
{
	if (session->email_refused || session->email_shared)
		record_withhold(session, LEAD_FIELD_EMAIL);
	if (!session->link.has_digest)
		memset(session->link.digest, 0, LEAD_DIGEST_SIZE);
	for (int field = 0; field < LEAD_DIGEST_FIELDS; field++)
		keep_slot(session, (LeadField) field);
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

/*
 * Couples share addresses, families numbers.  Of somebody else who has both, the number
 * is what agents call.  A record that does not show its keys was found all the same.
 */
CrmMatch
record_match(bool same_phone, bool same_email, CrmNames names)
{
	if (same_email && names != CRM_NAMES_DIFFER)
		return CRM_MATCH_EMAIL;
	if (names == CRM_NAMES_AGREE)
		return CRM_MATCH_PHONE;
	return same_email && !same_phone ? CRM_MATCH_SHARED_EMAIL : CRM_MATCH_SHARED_PHONE;
}

static bool
read_number(const char **text, int digits, int *number)
{
	*number = 0;
	for (; digits > 0; digits--, (*text)++)
	{
		if (**text < '0' || **text > '9')
			return false;
		*number = *number * 10 + (**text - '0');
	}
	return true;
}

static bool
read_one_of(const char **text, const char *characters)
{
	if (**text == '\0' || strchr(characters, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

/* The end of a time: how many minutes its zone is ahead of UTC. */
static bool
read_zone(const char *text, int *minutes)
{
	int			sign;
	int			hour;
	int			minute;

	*minutes = 0;
	text += strspn(text, TEXT_SPACES);
	if (*text == '\0' || pg_strcasecmp(text, "Z") == 0 ||
		pg_strcasecmp(text, "GMT") == 0 || pg_strcasecmp(text, "UTC") == 0)
		return true;
	sign = *text == '-' ? -1 : 1;
	if (!read_one_of(&text, "+-") || !read_number(&text, 2, &hour))
		return false;
	(void) read_one_of(&text, ":");
	if (!read_number(&text, 2, &minute))
		return false;
	*minutes = sign * (hour * 60 + minute);
	return true;
}

/* "2026-01-05T10:00:00Z" and the like, as "2026-01-05 10:00:00GMT". */
static bool
read_time(const char *text, TimestampTz *time)
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			zone;

	if (text == NULL ||
		!read_number(&text, 4, &year) || !read_one_of(&text, "-") ||
		!read_number(&text, 2, &month) || !read_one_of(&text, "-") ||
		!read_number(&text, 2, &day) || !read_one_of(&text, "T ") ||
		!read_number(&text, 2, &hour) || !read_one_of(&text, ":") ||
		!read_number(&text, 2, &minute) || !read_one_of(&text, ":") ||
		!read_number(&text, 2, &second))
		return false;
	if (read_one_of(&text, "."))
		text += strspn(text, "0123456789");
	if (!read_zone(text, &zone) || month < 1 || month > 12)
		return false;
	*time = ((int64) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * SECS_PER_DAY +
			 hour * SECS_PER_HOUR + (minute - zone) * SECS_PER_MINUTE + second) * USECS_PER_SEC;
	return true;
}

bool
record_since_queued(const CrmSession *session, const char *created, bool if_unknown)
{
	TimestampTz time;

	if (!read_time(created, &time))
		return if_unknown;
	return TimestampTzPlusMilliseconds(time, CLOCK_SKEW_MS) >= session->queued_at;
}

/*
 * The source is written at creation alone.  The tags prove little: they are
 * added to an agent's own contact too.  A source may be in use by others as
 * well, as a portal's name.  So a record whose age the CRM does not show is not
 * ours: a name that stays behind is a lesser evil than an agent's overwritten.
 */
bool
record_made_for_lead(const CrmSession *session, const RecordOrigin *origin,
					 int tag_max_chars)
{
	const char *source = record_source(session);
	List	   *tags;
	ListCell   *lc;

	if (text_is_blank(source) || !record_same_text(source, origin->source) ||
		!record_since_queued(session, origin->created, false))
		return false;
	tags = record_add_tags(NIL, session->connection->settings->tags, tag_max_chars);
	foreach(lc, tags)
	{
		if (!record_has_tag(origin->tags, lfirst(lc)))
			return false;
	}
	return true;
}

/* How sure is it that the record is the lead's? */
static int
sureness(CrmMatch match)
{
	return match == CRM_MATCH_NONE ? 0 : CRM_MATCH_SHARED_EMAIL + 1 - (int) match;
}

/* Of a record that was taken for a stranger's we filled in nothing. */
static void
link_surer(CrmSession *session, CrmMatch match)
{
	CrmLink    *link = &session->link;

	if (crm_match_is_shared(link->match))
		link->has_digest = false;
	link->match = match;
	session->link_changed = true;
}

void
record_link(CrmSession *session, char *record_id, CrmMatch match)
{
	CrmLink    *link = &session->link;

	session->unwritten = session->withheld = 0;
	if (link->record_id != NULL && strcmp(link->record_id, record_id) == 0)
	{
		if (sureness(match) > sureness(link->match))
			link_surer(session, match);
		return;
	}
	link->record_id = record_id;
	link->match = match;
	link->created_at = session->now;
	link->has_digest = false;
	memset(link->digest, 0, sizeof(link->digest));
	session->linked_now = true;
	session->link_changed = true;
}

/* A field that the lead has now: written as it is, or withheld while it was so? */
static bool
field_is_left(const CrmLink *link, const uint8 *now, LeadField field)
{
	uint8		withheld[LEAD_DIGEST_SIZE];

	if (!lead_digest_has(now, field))
		return false;
	memcpy(withheld, now, LEAD_DIGEST_SIZE);
	lead_digest_withhold(withheld, field);
	return !lead_digest_differs(link->digest, now, field) ||
		!lead_digest_differs(link->digest, withheld, field);
}

bool
record_is_of_another(const CrmLink *link, const CrmLead *lead, const IntegrationSettings *settings)
{
	static const LeadField fields[] = {
		LEAD_FIELD_PHONE, LEAD_FIELD_EMAIL, LEAD_FIELD_FIRST_NAME, LEAD_FIELD_LAST_NAME
	};
	uint8		now[LEAD_DIGEST_SIZE];

	if (link->record_id == NULL || !link->has_digest || (lead->phone_key == NULL && lead->email == NULL))
		return false;
	lead_digest(lead, settings, now);
	for (int i = 0; i < lengthof(fields); i++)
	{
		if (field_is_left(link, now, fields[i]))
			return false;
	}
	return true;
}

void
record_unlink(CrmSession *session)
{
	memset(&session->link, 0, sizeof(CrmLink));
	session->linked_now = false;
	session->link_changed = true;
}

/*
 * That settles the doubt about a create.  The doubt about a note, which a lead
 * that was linked may have, is settled by the list of notes alone.
 */
void
record_searched(CrmSession *session)
{
	if (!session->was_linked)
		session->searched = true;
}

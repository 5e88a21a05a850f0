/*
 * followupboss_note.c
 *		Follow Up Boss: the note, which comes last and has a digest of its own, so
 *		that a failed note never makes the person again.
 */
#include "postgres.h"

#include "crm/followupboss.h"
#include "crm/record.h"
#include "crm/reply.h"

#define FUB_NOTE_MAX 10000		/* our own: nothing is documented (5) */

/* How long a new person may be unknown to /notes (reference 4.7). */
#define FUB_VISIBLE_AFTER_MS (5 * 60 * 1000)

/* A note that was removed from the lead stays in the CRM. */
bool
fub_note_due(const CrmSession *session)
{
	return record_note_due(session, session->lead->notes);
}

void
fub_note_is_sent(CrmSession *session)
{
	record_note_sent(session, session->lead->notes);
}

/* As it is sent; its digest is that of the whole. */
char *
fub_note_text(const CrmLead *lead)
{
	return lead->notes ? text_clip(lead->notes, FUB_NOTE_MAX) : NULL;
}

static bool
note_ever_sent(const CrmSession *session)
{
	static const uint8 none[LEAD_DIGEST_LEN] = {0};

	return memcmp(session->link.note_digest, none, LEAD_DIGEST_LEN) != 0;
}

/* Is it the note, but for white space, which a CRM may have rearranged? */
bool
fub_note_same(const CrmLead *lead, const char *text)
{
	const char *a = fub_note_text(lead);
	const char *b = text;

	while (a != NULL && b != NULL)
	{
		a += strspn(a, " \t\r\n");
		b += strspn(b, " \t\r\n");
		if (*a != *b || *a == '\0')
			return *a == *b;
		a++;
		b++;
	}
	return false;
}

/* POST /notes {personId}: there is no /people/{id}/notes (reference 4.8). */
static CrmAction
send_note(CrmSession *session)
{
	StringInfoData body;

	initStringInfo(&body);
	json_object_start(&body);
	json_key_int64(&body, "personId", strtoll(session->link.record_id, NULL, 10));
	json_key_string(&body, "subject", "Echo Safe");
	json_key_string(&body, "body", fub_note_text(session->lead));
	json_key_bool(&body, "isHtml", false);
	json_object_end(&body);

	fub_send(session, FUB_STEP_NOTE, FUB_LIMIT_NOTES, "POST", "/notes", &body);
	session->request.creates = true;	/* notes are not de-duplicated */
	return CRM_ACTION_SEND;
}

/* The record is right: what is left is the note, if any. */
CrmAction
fub_note_finish(CrmSession *session)
{
	FubState   *state = session->state;

	if (!fub_note_due(session))
		return crm_success(session, session->write);
	if (!state->check_note)
		return send_note(session);

	return fub_send(session, FUB_STEP_FIND_NOTE, FUB_LIMIT_NOTES, "GET",
					psprintf("/notes?personId=%s&limit=100", session->link.record_id), NULL);
}

/*
 * An earlier note may have arrived.  The list is not a documented call: if it
 * is refused, a possible miss is better than a duplicate (reference 6).
 */
CrmAction
fub_note_list_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	JsonbContainer *notes = fub_reply_list(fub_reply_object(reply), "notes");

	if (fub_reply_list_failed(session, reply))
		return CRM_ACTION_DONE;
	state->check_note = false;
	if (!fub_reply_ok(reply) || notes == NULL)
	{
		fub_note_is_sent(session);
		return fub_note_finish(session);
	}
	session->searched = true;
	for (int i = 0; i < json_array_length(notes); i++)
	{
		if (fub_note_same(session->lead, fub_person_item(notes, i, "body")))
			fub_note_is_sent(session);
	}
	return fub_note_finish(session);
}

/*
 * A person is unknown to /notes until the account's lead flow has assigned it
 * (reference 4.7): the note waits, the person is never made again.  Waits grow
 * with the age of the link, since nothing else is remembered; finding the same
 * person anew makes it no younger.
 */
static CrmAction
not_visible_yet(CrmSession *session)
{
	int64		age_ms = (session->now - session->link.created_at) / 1000;

	crm_fail(session, CRM_ERROR_LEAD_RETRY, "fub_not_visible_yet",
			 "Follow Up Boss does not show the new record yet.");
	session->outcome.retry_after_ms =
		Min(Max(3 * age_ms, 2000), FUB_VISIBLE_AFTER_MS);
	return CRM_ACTION_DONE;
}

CrmAction
fub_note_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	bool		young = session->link.match == CRM_MATCH_CREATED &&
		session->now - session->link.created_at < FUB_VISIBLE_AFTER_MS * INT64CONST(1000);

	if (fub_reply_gone(reply))
	{
		if (state->confirmed || (young && !note_ever_sent(session)))
			return not_visible_yet(session);
		return fub_search_again(session);
	}
	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_reply_acknowledged(reply))
		return reply_unreadable(session);
	fub_note_is_sent(session);
	record_updated(session);
	return fub_note_finish(session);
}

/*
 * lofty_note.c
 *		Lofty: the note, which comes last.
 *
 * A note is no more idempotent than a lead (Lofty reference 3.9): the intent is
 * committed, and after any doubt the record's notes are listed before a second
 * one is sent.
 */
#include "postgres.h"

#include "crm/lofty.h"
#include "crm/record.h"
#include "crm/reply.h"

#define LOFTY_MAX_NOTE		2000	/* longer ones are cut or refused (3.9) */

/* The note to send, NULL for none.  Its digest is that of the text as cut. */
char *
lofty_note_text(const CrmLead *lead)
{
	if (text_is_blank(lead->notes))
		return NULL;
	return text_clip(lead->notes, LOFTY_MAX_NOTE);
}

bool
lofty_note_due(const CrmSession *session)
{
	return record_note_due(session, lofty_note_text(session->lead));
}

/* Also when there was none: the digest of no note is zero. */
void
lofty_note_is_sent(CrmSession *session)
{
	record_note_sent(session, lofty_note_text(session->lead));
	session->link_changed = true;
}

static CrmAction
send_note_list(CrmSession *session)
{
	LoftySync  *sync = session->state;

	return lofty_get(session, LOFTY_STEP_NOTES,
					 psprintf("/notes?leadId=" INT64_FORMAT, sync->record_id));
}

static CrmAction
send_note(CrmSession *session)
{
	LoftySync  *sync = session->state;
	StringInfo	body;

	body = lofty_request(session, LOFTY_STEP_NOTE, "POST", "/notes");
	session->request.creates = true;
	json_object_start(body);
	json_key_int64(body, "leadId", sync->record_id);
	json_key_string(body, "content", lofty_note_text(session->lead));
	json_key_bool(body, "isPin", false);
	json_object_end(body);
	return CRM_ACTION_SEND;
}

CrmAction
lofty_note_finish(CrmSession *session)
{
	LoftySync  *sync = session->state;

	if (!lofty_note_due(session))
		return crm_success(session, session->write);

	/*
	 * An earlier attempt, or a predecessor's, may have left the note here; so
	 * may a merge that moved it here with the record.
	 */
	if ((session->uncertain || session->repeated || sync->remapping) && !sync->notes_listed)
		return send_note_list(session);
	return send_note(session);
}

CrmAction
lofty_note_list_reply(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = session->state;
	JsonbContainer *notes = answer->object ? json_get_array(answer->object, "notes") : NULL;
	JsonbValue *value = answer->object ? json_get(answer->object, "notes") : NULL;
	int			length = notes ? json_array_length(notes) : 0;
	char	   *ours = lofty_note_text(session->lead);

	if (value == NULL || (notes == NULL && value->type != jbvNull))
		return reply_unreadable(session);

	Assert(ours != NULL);		/* they are listed for the sake of a note */
	sync->notes_listed = true;
	session->searched = true;
	for (int i = 0; i < length; i++)
	{
		JsonbContainer *note = json_value_object(json_array_element(notes, i));
		char	   *content = note ? json_get_text(note, "content") : NULL;

		if (content != NULL && strcmp(content, ours) == 0)
		{
			lofty_note_is_sent(session);
			record_updated(session);
			break;
		}
	}
	return lofty_note_finish(session);
}

CrmAction
lofty_note_reply(CrmSession *session, const LoftyAnswer *answer)
{
	int64		id;

	if (!lofty_reply_id(answer, "noteId", &id))
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_note_id",
						"Lofty accepted the note but did not say under which id.");
	lofty_note_is_sent(session);
	record_updated(session);
	return crm_success(session, session->write);
}

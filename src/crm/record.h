/*
 * record.h
 *		One lead and its record in a CRM: what the record is to have, what of it
 *		changed, whether a record that was found is the lead's, and the link.
 *
 * What every provider asks in a CRM_TASK_SYNC, whatever its API looks like.
 * All is about session->lead, session->link, session->digest and
 * session->write; nothing here sends or reads a request.
 */
#ifndef ECHOSYNC_RECORD_H
#define ECHOSYNC_RECORD_H

#include "crm/crm.h"

/*
 * The start of a CRM_TASK_SYNC, before anything can end it: sets
 * session->digest, clears session->write and session->searched.
 */
extern void record_begin(CrmSession *session);

/*
 * The tags that the record is to have: the connection's, then the lead's own,
 * each of at most max_chars characters.  Case does not make a tag another one.
 */
extern List *record_tags(const CrmSession *session, int max_chars);

/* Append to tags those of more that it lacks. */
extern List *record_add_tags(List *tags, const List *more, int max_chars);
extern bool record_has_tag(const List *tags, const char *tag);

/* The lead's own source, else the connection's. */
extern const char *record_source(const CrmSession *session);

/* Has the lead any part of an address? */
extern bool record_gets_address(const CrmLead *lead);

/* Did the field change since the record was last written?  Unknown: yes. */
extern bool record_field_changed(const CrmSession *session, LeadField field);
extern bool record_address_changed(const CrmSession *session);
extern bool record_changed(const CrmSession *session);	/* any of them */

/*
 * Is the record that the session is linked to known to carry the phone number
 * or the e-mail address (LEAD_FIELD_PHONE, _EMAIL) that the lead has now?  It
 * is when we wrote it or saw it there, or found or made the record by it.
 * Other leads are led to the record by what this says.
 */
extern bool record_carries(const CrmSession *session, LeadField field);

/*
 * The record has all it is to have, the note apart; the note was sent.  The
 * worker stores what the link says when the session succeeds, or when
 * session->link_changed is set, which is left to the provider.
 */
extern void record_written(CrmSession *session);
extern void record_note_sent(CrmSession *session, const char *note);

/*
 * All but this field, to be said before record_written.  _not_written: it could
 * not be, and is still to do.  _withhold: if it differs from what was written
 * before, the record has something else, which is not ours to change.
 */
extern void record_not_written(CrmSession *session, LeadField field);
extern void record_withhold(CrmSession *session, LeadField field);

/*
 * Withhold what is not filled in on a record that we did not make: its names,
 * unless they agreed when we met it, and on a stranger's all keys but the one
 * that it was found by.  first: nothing was written to it before.
 */
extern void record_withhold_others(CrmSession *session, bool first, bool names_agree);

/* The e-mail address to write; NULL: none, or the CRM refuses it, or it is on somebody else's record. */
extern const char *record_email(const CrmSession *session);

/*
 * Is a record that has the lead's e-mail address, and not its phone number, to be
 * left alone?  It is then remembered (email_shared) that the address is somebody's,
 * until a record is taken that has it: record_takes.  Of another name it is somebody else's who shares the address: the
 * lead gets a record of its own, without the address, by which a CRM would merge
 * the two.  One that has no phone number has no other record.
 */
extern bool record_is_strangers(CrmSession *session, CrmMatch match);
extern void record_takes(CrmSession *session, bool has_email);

/*
 * A write was answered with this status.  Is the lead to be written once more, without
 * its e-mail address?  Of what was refused nothing was done, and the address may be
 * why; not of a lead that has no other key.
 */
extern bool record_drop_email(CrmSession *session, int status);

/* All searches by phone and e-mail have answered, whatever they found. */
extern void record_searched(CrmSession *session);

/*
 * Is there a note that was not sent yet?  note is the text whose digest is
 * kept; NULL for none, whose removal is no reason to write.
 */
extern bool record_note_due(const CrmSession *session, const char *note);

/* session->write after an update: a record that we created stays created. */
extern void record_updated(CrmSession *session);

/*
 * Does what a record has agree with the lead's?  Phones by their keys; texts
 * but for case and space around them, NULL being as good as blank.
 */
extern bool record_same_phone(const CrmLead *lead, const char *theirs);
extern bool record_same_text(const char *ours, const char *theirs);

/* How a record that was found by phone or e-mail is the lead's (crm_names_compare). */
extern CrmMatch record_match(bool same_phone, bool same_email, CrmNames names);

/* What a record says of how it came to be; NULL or NIL where it says nothing. */
typedef struct RecordOrigin
{
	const char *source;
	const char *created;		/* when, as the CRM writes it */
	List	   *tags;			/* of char * */
} RecordOrigin;

/*
 * Does a record that was found say itself that a predecessor made it for this
 * lead?  Asked if session->repeated, of the only hit, whose names agree.
 */
extern bool record_made_for_lead(const CrmSession *session, const RecordOrigin *origin,
								 int tag_max_chars);

/*
 * Was it made, at the time that the CRM says, since the lead was queued?
 * if_unknown: the answer when it says none that can be read.
 */
extern bool record_since_queued(const CrmSession *session, const char *created,
								bool if_unknown);

/*
 * From here on the record is the lead's; nothing was written to it yet.
 * record_id is not copied.  The digest of the note and the time of the event
 * stay, since notes and events move along when a CRM merges records.  Of the
 * record that it was linked to already nothing is forgotten; only a match that
 * is surer takes the place of the old one.
 */
extern void record_link(CrmSession *session, char *record_id, CrmMatch match);

/*
 * Is the lead another person than the one whom the link is of?  It has a phone
 * number or an e-mail, and none of the phone, the e-mail and the names that were
 * written down.  Who keeps one of the names, or has lost everything, is the same.
 */
extern bool record_is_of_another(const CrmLink *link, const CrmLead *lead,
								 const IntegrationSettings *settings);

/* The record is gone, and a search has found no other. */
extern void record_unlink(CrmSession *session);

#endif							/* ECHOSYNC_RECORD_H */

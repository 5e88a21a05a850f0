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

/* The start of a CRM_TASK_SYNC: sets session->digest, clears session->write. */
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

/*
 * The record has all it is to have, the note apart; the note was sent.  The
 * worker stores what the link says when the session succeeds, or when
 * session->link_changed is set, which is left to the provider.
 */
extern void record_written(CrmSession *session);
extern void record_note_sent(CrmSession *session, const char *note);

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

/* How a record that a search found by phone or e-mail is the lead's. */
extern CrmMatch record_match(bool same_email, bool names_agree);

/*
 * From here on the record is the lead's; nothing was written to it yet.
 * record_id is not copied; NULL unlinks.  The digest of the note stays, since
 * notes move along when a CRM merges records.
 */
extern void record_link(CrmSession *session, char *record_id, CrmMatch match);

#endif							/* ECHOSYNC_RECORD_H */

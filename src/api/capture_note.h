/*
 * capture_note.h
 *		What the trigger notes of a changed lead, until the notes are queued.
 */
#ifndef ECHOSYNC_CAPTURE_NOTE_H
#define ECHOSYNC_CAPTURE_NOTE_H

#include "access/transam.h"

#include "crm/lead.h"

/* One changed lead. */
typedef struct CaptureNote
{
	char	   *lead_id;
	char	   *user_id;
	int			source_id;
	int			nest_level;
	bool		gone;			/* deleted, or no longer this user's */
	TransactionId unchanged_since;	/* who wrote the version before, where nothing that is mapped differs in meaning; else invalid */
	bool		facts_known;
	LeadFacts	facts;
} CaptureNote;

/*
 * Cancel what waits for leads that are gone, as far as it is found, by a set of
 * notes (capture_cancel.c).  Drops those of leads that a later one shows alive.
 */
extern void capture_cancel(CaptureNote *set, int n);

#endif							/* ECHOSYNC_CAPTURE_NOTE_H */

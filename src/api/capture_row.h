/*
 * capture_row.h
 *		Reading what the trigger wants to know of one version of a row.
 *
 * Values are read with the rights of the moment: see db_become_restricted.
 */
#ifndef ECHOSYNC_CAPTURE_ROW_H
#define ECHOSYNC_CAPTURE_ROW_H

#include "executor/tuptable.h"

#include "api/capture_relation.h"

/* The lead's id; NULL if it has none. */
extern char *capture_row_id(CaptureRelation *entry, TupleTableSlot *slot);

/*
 * The connected user whose row it is, in the spelling of its connection; NULL:
 * nobody's.  Good until the next call, unless not to be remembered.
 */
extern const char *capture_row_user(CaptureRelation *entry, TupleTableSlot *slot, bool remember);

/* Is the user's id read without any code but the server's own? */
extern bool capture_row_user_is_plain(CaptureRelation *entry);

extern bool capture_row_is_deleted(CaptureRelation *entry, TupleTableSlot *slot);
extern bool capture_row_is_opted_out(CaptureRelation *entry, TupleTableSlot *slot);
extern void capture_row_facts(CaptureRelation *entry, TupleTableSlot *slot, LeadFacts *facts);

/* May the lead be another than before?  Has the field another value? */
extern bool capture_row_differs(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new);
extern bool capture_row_field_differs(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new,
									  LeadField field);

/*
 * Is what differs the same to a CRM: a phone written otherwise, null for an empty
 * text or for false?  Asked where something differs, which is rare.
 */
extern bool capture_row_means_same(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new);

#endif							/* ECHOSYNC_CAPTURE_ROW_H */

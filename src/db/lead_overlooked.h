/*
 * lead_overlooked.h
 *		Columns of an attached table that look as if they said something about a
 *		lead, and are not read.
 */
#ifndef ECHOSYNC_LEAD_OVERLOOKED_H
#define ECHOSYNC_LEAD_OVERLOOKED_H

#include "db/lead_columns.h"

/*
 * "dnc_federal, litigator (an opt-out?); consent (an opt-in?)"; NULL: none.  Goes
 * by their names and types alone.
 */
extern char *lead_overlooked_words(Relation rel, const LeadColumns *columns);

/* Those that look like an opt-out, as names for the mapping, beside those that are read; NIL: none. */
extern List *lead_overlooked_opt_outs(Relation rel, const LeadColumns *columns);

#endif							/* ECHOSYNC_LEAD_OVERLOOKED_H */

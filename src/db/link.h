/*
 * link.h
 *		Reading rows of crm_lead_links.
 */
#ifndef ECHOSYNC_DB_LINK_H
#define ECHOSYNC_DB_LINK_H

#include "crm/crm.h"

/* The columns that link_from_row reads, of a table with the alias l. */
#define LINK_COLUMNS "l.crm_record_id, l.matched_by, l.payload_hash, l.note_hash, l.created_at"

/*
 * Fill a link from columns first, first + 1, ... of an SPI row; strings go to
 * the current memory context.  Without a row (outer join) it is not linked.
 */
extern void link_from_row(uint64 row, int first, CrmLink *link);

/*
 * Has the lead of which this column of an SPI row is the payload_hash the same
 * names as this one?  Only their digests are known.
 */
extern bool link_has_names_of(uint64 row, int column, const CrmLead *lead,
							  const IntegrationSettings *settings);

#endif							/* ECHOSYNC_DB_LINK_H */

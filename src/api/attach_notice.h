/*
 * attach_notice.h
 *		What whoever attaches a table is told of it.
 */
#ifndef ECHOSYNC_ATTACH_NOTICE_H
#define ECHOSYNC_ATTACH_NOTICE_H

#include "db/lead_columns.h"

/*
 * NOTICEs: which column is which field, which of the keys that were named (a JSON
 * object) are not in this mapping but from before, what is not read and may have to
 * be, and what is wrong with the table itself.
 */
extern void attach_notice(Relation rel, const LeadColumns *columns, Jsonb *named, Jsonb *mapping);

#endif							/* ECHOSYNC_ATTACH_NOTICE_H */

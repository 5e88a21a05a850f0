/*
 * attach_source.h
 *		Rows of crm_lead_sources: which one an attached table is.  Written as the
 *		extension's owner; the caller is connected to SPI.
 */
#ifndef ECHOSYNC_ATTACH_SOURCE_H
#define ECHOSYNC_ATTACH_SOURCE_H

#include "db/lead_columns.h"

/* The keys that were named when the table was attached before; an empty object: none. */
extern Jsonb *attach_source_named(Relation rel);

/* The source that the table is with these columns; 0: a new one. */
extern int	attach_source_find(Oid relid, const LeadColumns *columns);

/* Write down the one that was found, or a new one, as attached by the current user; returns its id. */
extern int	attach_source_store(int id, Oid relid, const LeadColumns *columns, Jsonb *named);

/* It is attached no more, and what is queued is cancelled; false if it was not. */
extern bool attach_source_end(Oid relid);

#endif							/* ECHOSYNC_ATTACH_SOURCE_H */

/*
 * lead_sources.h
 *		The application's attached tables, and reading leads from them.
 */
#ifndef ECHOSYNC_LEAD_SOURCES_H
#define ECHOSYNC_LEAD_SOURCES_H

#include "nodes/pg_list.h"
#include "utils/array.h"

#include "db/lead_columns.h"

typedef struct LeadSource
{
	int			id;
	Oid			relation;
	LeadColumns *columns;
} LeadSource;

/*
 * All attached tables that exist, in the current memory context.  The caller
 * is connected to SPI as the extension's owner.
 */
extern List *lead_sources_load(void);

/*
 * A cursor over a user's leads of one table, as (id text, lead jsonb); those
 * listed, or all if lead_ids is NULL.  Runs, as do its fetches by
 * lead_source_fetch, as the table's owner in a security-restricted operation.
 */
extern struct PortalData *lead_source_open(const LeadSource *source, const char *user_id,
										   ArrayType *lead_ids);
extern void lead_source_fetch(const LeadSource *source, struct PortalData *portal, long count);

/*
 * Run body for one table in a subtransaction.  One that cannot be read, by a
 * fault of its owner's making, must not fail what is done for others: false,
 * with a WARNING that names the table and the error's code.
 */
typedef void (*LeadSourceBody) (const LeadSource *source, void *arg);
extern bool lead_source_try(const LeadSource *source, LeadSourceBody body, void *arg);

#endif							/* ECHOSYNC_LEAD_SOURCES_H */

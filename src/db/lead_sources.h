/*
 * lead_sources.h
 *		The application's attached tables, and reading leads from them.
 */
#ifndef ECHOSYNC_LEAD_SOURCES_H
#define ECHOSYNC_LEAD_SOURCES_H

#include "nodes/pg_list.h"
#include "utils/uuid.h"

#include "db/lead_rows.h"

typedef struct LeadSource
{
	int			id;
	Oid			relation;
	LeadColumns *columns;
	char	   *id_type;		/* see lead_key_may_be_respelled */
} LeadSource;

/*
 * All attached tables that exist, in the current memory context.  The caller
 * is connected to SPI as the extension's owner.
 */
extern List *lead_sources_load(void);

/* A cursor over a user's leads of one table. */
typedef struct LeadCursor
{
	const LeadSource *source;
	const char *user_id;
	LeadQuery	query;
	struct PortalData *portal;	/* NULL: none can be there */
	bool		ended;
} LeadCursor;

typedef struct LeadRow
{
	int			asked;			/* index of the id that was asked for; -1: all were */
	char	   *id;				/* its text in the table */
	CrmLead    *lead;			/* NULL: it cannot be read */
	int			error;			/* for this SQLSTATE */
} LeadRow;

/*
 * The leads of these ids, in any spelling, or all if ids is NULL.  Runs, as do
 * its fetches, as the table's owner in a security-restricted operation.  Fetch
 * gives up to count of them (of LeadRow *), and none with cursor->ended at the end.
 */
extern LeadCursor *lead_source_open(const LeadSource *source, const char *user_id, char **ids, int n_ids);
extern List *lead_source_fetch(LeadCursor *cursor, long count);
extern void lead_source_close(LeadCursor *cursor);

/* The connected user whom a text means by the table's user column; NULL: nobody. */
extern const char *lead_source_user(const LeadSource *source, const char *text);

/*
 * Which of the ids are asked for, in whatever spelling?  is_asked[i] is set for
 * those; one of exactly the same text need not be a value of the table's type.
 */
extern void lead_source_same_ids(const LeadSource *source, char **ids, int n_ids,
								 char **asked, int n_asked, bool *is_asked);

/* The text of a lead's id under which it is linked, if it is another; else NULL. */
extern char *lead_source_spelled_link(const LeadSource *source, const pg_uuid_t *integration,
									  const char *account, char *lead_id);

/*
 * Run body for one table in a subtransaction.  One that cannot be read, by a
 * fault of its owner's making, must not fail what is done for others: false,
 * with a WARNING that names the table and the error's code.
 */
typedef void (*LeadSourceBody) (const LeadSource *source, void *arg);
extern bool lead_source_try(const LeadSource *source, LeadSourceBody body, void *arg);

#endif							/* ECHOSYNC_LEAD_SOURCES_H */

/*
 * link_spelling.h
 *		Links of a lead under another text of its id.
 */
#ifndef ECHOSYNC_LINK_SPELLING_H
#define ECHOSYNC_LINK_SPELLING_H

#include "utils/uuid.h"

#include "db/lead_key.h"

/* Called for each link that is an asked-for lead's, but has another text of its id. */
typedef void (*SpelledLinkFunction) (const char *lead_id, const char *spelled, void *arg);

/* Whose links: of one connection, its account (NULL: not known) and source. */
typedef struct SpelledLinks
{
	const pg_uuid_t *integration;
	const char *account;
	int			source_id;
	Oid			owner;			/* of the source's table */
} SpelledLinks;

/*
 * Look through these links, 10,000 at a time.  The type's functions run as the
 * table's owner, restricted.
 */
extern void links_find_spelled(const SpelledLinks *links, const LeadKey *key, List *lead_ids,
							   SpelledLinkFunction found, void *arg);

#endif							/* ECHOSYNC_LINK_SPELLING_H */

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
 * Which ids links have, by hashes of the value and of its text: most leads need no
 * look through their connection's links then.  In a memory context of its own.
 */
typedef struct LinkIds LinkIds;
extern LinkIds *link_ids_make(MemoryContext parent);
extern void link_ids_free(LinkIds *ids);
extern void link_ids_keep(LinkIds *ids, MemoryContext parent);
extern uint32 link_ids_count(const LinkIds *ids);

/*
 * Add ids that will be linked.  Has one of them an equal one with another text, as
 * far as hashes tell?  The type's functions run as the owner, restricted.
 */
extern bool link_ids_add(LinkIds *ids, const LeadKey *key, Oid owner, List *lead_ids);

/*
 * Look through these links, 10,000 at a time; their ids are added to ids, unless
 * it is NULL.  The type's functions run as the table's owner, restricted.
 */
extern void links_find_spelled(const SpelledLinks *links, const LeadKey *key, List *lead_ids,
							   LinkIds *ids, SpelledLinkFunction found, void *arg);

#endif							/* ECHOSYNC_LINK_SPELLING_H */

/*
 * queue_find.h
 *		Finding the queue rows of leads.
 */
#ifndef ECHOSYNC_QUEUE_FIND_H
#define ECHOSYNC_QUEUE_FIND_H

#include "utils/uuid.h"

/* Ids of leads.  Made in the current memory context; the ids are not copied. */
typedef struct lead_set_hash LeadSet;
extern LeadSet *lead_set_make(void);
extern void lead_set_add(LeadSet *set, const char *lead_id);

/* A row that was found.  lead_id is good until the next one and has no end mark. */
typedef struct QueueFound
{
	int16		priority;
	int64		id;
	int			source_id;
	const char *lead_id;
	int			lead_id_len;
} QueueFound;
typedef void (*QueueFoundFunction) (const QueueFound *row, void *arg);

/*
 * Call `found` for the rows of a connection that are committed now or this
 * transaction's own, of these leads or, with NULL, of any.  The caller's rights
 * are not looked at.  Nothing is locked: who changes what was found looks again.
 */
extern void queue_find_all(const pg_uuid_t *integration, LeadSet *leads,
						   QueueFoundFunction found, void *arg);

/*
 * The same for live changes, the newest first, looking at no more than so many
 * entries of the index, dead ones among them.
 */
extern void queue_find_newest(const pg_uuid_t *integration, LeadSet *leads, int64 max_entries,
							  QueueFoundFunction found, void *arg);

#endif							/* ECHOSYNC_QUEUE_FIND_H */

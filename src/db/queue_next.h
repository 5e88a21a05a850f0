/*
 * queue_next.h
 *		The queue rows of a connection, in their order.
 */
#ifndef ECHOSYNC_QUEUE_NEXT_H
#define ECHOSYNC_QUEUE_NEXT_H

#include "storage/itemptr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* A row.  Texts are in the memory context that it was read in; the snapshot goes with the next row. */
typedef struct QueueNext
{
	int16		priority;
	int64		id;
	int64		run_id;			/* 0: none */
	ItemPointerData place;
	char	   *lead_id;
	int			source_id;
	char	   *sync_type;
	TimestampTz queued_at;
	Datum		snapshot;		/* jsonb, as stored; 0: none */
} QueueNext;
typedef void (*QueueNextFunction) (const QueueNext *row, void *arg);

/* Reads by the active snapshot, which was there before.  The caller's rights are not looked at. */
typedef struct QueueReader QueueReader;
extern QueueReader *queue_reader_open(void);

/*
 * Call `found` for rows of a connection and priority with ids above one, the
 * lowest first, at most so many.
 */
extern void queue_reader_read(QueueReader *reader, const pg_uuid_t *integration, int priority,
							  int64 above, int max_rows, QueueNextFunction found, void *arg);
extern void queue_reader_close(QueueReader *reader);

#endif							/* ECHOSYNC_QUEUE_NEXT_H */

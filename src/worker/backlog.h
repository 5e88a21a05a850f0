/*
 * backlog.h
 *		How many leads wait, by connection, without counting them.
 *
 * A counter in shared memory for each connection.  Whoever queues or cancels
 * notes it, and the notes are added when the transaction commits.  The worker
 * makes the counters: it counts each connection once when it starts, and again
 * from time to time (count.c).  A connection without a counter is one that
 * has to be counted.
 *
 * How exact: commits in the very moment of a count may be counted twice where
 * thousands of rows wait, or where the queue is never still; rows of a prepared
 * transaction are missed.  Both end when the queue is found empty, or with the
 * next count.
 */
#ifndef ECHOSYNC_BACKLOG_H
#define ECHOSYNC_BACKLOG_H

#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

extern Size backlog_shared_size(void);
extern void backlog_shared_startup(void);
extern void backlog_install_callbacks(void);	/* _PG_init */

/* In a transaction: n rows of a connection were queued (or, below 0, deleted). */
extern void backlog_note(const pg_uuid_t *integration, int n);

/* In a transaction: all rows of all connections were deleted at once. */
extern void backlog_note_truncate(void);

/* What is known of a connection; false: it has to be counted. */
typedef struct Backlog
{
	int64		queued;
	int			limit;			/* calls that its CRM allows in a window; 0:
								 * not known */
} Backlog;
extern bool backlog_read(const pg_uuid_t *integration, Backlog *backlog);

/*
 * Worker side.  A count is begun before the snapshot is taken in which the
 * rows are counted, and ended with their number: what was noted in between is
 * added.  backlog_begin is false if there is no place for one more connection,
 * backlog_end if something was noted: it may be in both, count again.  Again,
 * too, if the snapshot sees what is yet to be noted (backlog_undelivered).
 */
extern bool backlog_begin(const pg_uuid_t *integration);
extern bool backlog_undelivered(Snapshot snapshot);
extern bool backlog_end(const pg_uuid_t *integration, int64 n);

/* Count this connection again, at the next occasion. */
extern void backlog_doubt(const pg_uuid_t *integration);

/* Is there no count, or none since? */
extern bool backlog_needs_count(const pg_uuid_t *integration, TimestampTz since);

/* Was something missed in this database? */
extern bool backlog_any_suspect(void);

/*
 * The queue was found empty by a statement that ran after the counter had
 * this value.
 */
extern void backlog_was_empty(const pg_uuid_t *integration, int64 counter);

/* The connection is no more. */
extern void backlog_forget(const pg_uuid_t *integration);

/* Connections of this database that have a counter. */
extern int	backlog_n_counted(void);

/* The limit that the CRM told. */
extern void backlog_set_limit(const pg_uuid_t *integration, int limit);

#endif							/* ECHOSYNC_BACKLOG_H */

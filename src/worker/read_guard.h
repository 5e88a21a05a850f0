/*
 * read_guard.h
 *		Reading the application's tables, whose columns run code of their owner's:
 *		its rights, and no more time than it may take from others.
 */
#ifndef ECHOSYNC_READ_GUARD_H
#define ECHOSYNC_READ_GUARD_H

#include "db/statement.h"

#define READ_TIMEOUT_MS 2000

typedef enum TableLock
{
	TABLE_LOCKED,
	TABLE_BUSY,					/* somebody alters it: try again */
	TABLE_GONE
} TableLock;

/* Lock the table, without waiting, and say whose it is. */
extern TableLock read_guard_lock(Oid relation, Oid *owner);

/* Until when a source is not to be read, since it would not be stopped; 0: it may be. */
extern TimestampTz read_guard_shunned_until(int source_id);

/*
 * In a transaction: become the owner, restricted, for two seconds.  What goes on
 * after four ends this process.
 */
extern void read_guard_begin(int source_id, Oid owner, SavedUser *saved);
extern void read_guard_end(const SavedUser *saved);

/* After the transaction, also one that has failed. */
extern void read_guard_over(void);

#endif							/* ECHOSYNC_READ_GUARD_H */

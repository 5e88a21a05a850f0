/*
 * queue_delete.h
 *		Deleting rows of crm_sync_queue that were read before.
 */
#ifndef ECHOSYNC_QUEUE_DELETE_H
#define ECHOSYNC_QUEUE_DELETE_H

#include "db/rowset.h"

/* The columns of a set for queue_delete, in this order. */
#define QUEUE_KEY_COLUMNS {UUIDOID /* integration_id */ , INT2OID /* priority */ , INT8OID /* id */ , \
	TIDOID /* ctid, as it was read */ }

/*
 * Delete the rows that are where they were read, and have the counters of what
 * waits changed with the commit.  One that somebody is deleting or holds is
 * left alone.  Returns those that are not there, without their places: they may
 * have been moved.  Returns all where the table has a trigger of somebody's, which
 * a statement fires.  Rights are not looked at.
 */
extern RowSet *queue_delete(const RowSet *rows);

#endif							/* ECHOSYNC_QUEUE_DELETE_H */

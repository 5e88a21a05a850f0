/*
 * queue_insert.h
 *		Inserting rows into crm_sync_queue, without the executor.
 */
#ifndef ECHOSYNC_QUEUE_INSERT_H
#define ECHOSYNC_QUEUE_INSERT_H

#include "db/table_insert.h"

extern TableInsert queue_table;

/* The columns of a set for queue_insert, in this order. */
#define QUEUE_COLUMNS {UUIDOID /* integration_id */ , INT2OID /* priority */ , \
	TEXTOID /* lead_id */ , TEXTOID /* user_id */ , INT4OID /* source_id */ , \
	TEXTOID /* sync_type */ , INT8OID /* run_id */ , JSONBOID /* snapshot */ }

/*
 * Insert the rows, with ids from the queue's sequence and the time of now, and
 * have the counters of what waits changed with the commit.  The caller's rights
 * are not looked at.
 */
extern void queue_insert(const RowSet *rows);

#endif							/* ECHOSYNC_QUEUE_INSERT_H */

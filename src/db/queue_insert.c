/*
 * queue_insert.c
 *		Inserting rows into crm_sync_queue (table_insert.c says how).
 *
 * The callers ensure that the sync types are of those that the table allows.
 */
#include "postgres.h"

#include "access/xact.h"

#include "db/queue_insert.h"
#include "db/table_insert.h"

/*
 * Ids are drawn so many at a time: drawing one costs a tenth of the insert.
 * The sequence steps by it.  What it returns is the highest id of the block,
 * so that no row has an id above the sequence's last value; the worker reads
 * that as "drawn before".
 */
#define QUEUE_ID_BLOCK 100

static TableInsert queue = {
	.table = "crm_sync_queue",
	.sequence = "crm_sync_queue_id_seq",
	.sequence_step = QUEUE_ID_BLOCK,
	.time_column = "queued_at",
	.n_columns = 8,
	.columns = {"integration_id", "priority", "lead_id", "user_id", "source_id", "sync_type",
	"run_id", "snapshot"}
};

void
queue_insert(const RowSet *rows)
{
	/*
	 * The transaction id before the ids: the worker relies on it that a
	 * transaction which has drawn an id is visible as running.
	 */
	(void) GetCurrentTransactionId();
	table_insert(&queue, rows);
}

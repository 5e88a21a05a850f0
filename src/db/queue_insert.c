/*
 * queue_insert.c
 *		Inserting rows into crm_sync_queue (table_insert.c says how).
 *
 * The callers ensure that the sync types are of those that the table allows.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/uuid.h"

#include "db/queue_insert.h"
#include "db/table_insert.h"
#include "worker/backlog.h"

/*
 * Ids are drawn so many at a time: drawing one costs a tenth of the insert.
 * The sequence steps by it.  What it returns is the highest id of the block,
 * so that no row has an id above the sequence's last value; the worker reads
 * that as "drawn before".
 */
#define QUEUE_ID_BLOCK 100

TableInsert queue_table = {
	.table = "crm_sync_queue",
	.sequence = "crm_sync_queue_id_seq",
	.sequence_step = QUEUE_ID_BLOCK,
	.time_column = "queued_at",
	.own_triggers = {"echosync_count_queue", "echosync_count_truncated"},
	.n_columns = 8,
	.columns = {"integration_id", "priority", "lead_id", "user_id", "source_id", "sync_type",
	"run_id", "snapshot"}
};

/* Where a column, a trigger or a rule was added, which has to be heeded. */
static Statement insert_queue = {
	.sql = "INSERT INTO @schema@.crm_sync_queue"
	" (integration_id, priority, lead_id, user_id, source_id, sync_type, run_id, snapshot)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)",
	.nargs = 8,
	.argtypes = {UUIDARRAYOID, INT2ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
	INT8ARRAYOID, JSONBARRAYOID}
};

/* Fires the trigger that counts. */
static void
insert_by_statement(const RowSet *rows)
{
	SavedUser	saved;

	SPI_connect();
	db_become_owner(&saved);
	rowset_execute(rows, &insert_queue);
	db_restore_user(&saved);
	SPI_finish();
}

/* Rows of a connection come together, mostly, and share its id. */
static void
count_inserted(const RowSet *rows)
{
	const Datum *ids = rows->values[0];
	int			first = 0;

	for (int i = 1; i <= rows->n_rows; i++)
	{
		if (i < rows->n_rows && ids[i] == ids[first])
			continue;
		backlog_note(DatumGetUUIDP(ids[first]), i - first);
		first = i;
	}
}

void
queue_insert(const RowSet *rows)
{
	/*
	 * The transaction id before the ids: the worker relies on it that a
	 * transaction which has drawn an id is visible as running.
	 */
	(void) GetCurrentTransactionId();
	if (!table_insert_suffices(&queue_table))
	{
		insert_by_statement(rows);
		return;
	}
	table_insert(&queue_table, rows);
	count_inserted(rows);
}

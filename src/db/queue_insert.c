/*
 * queue_insert.c
 *		Inserting rows into crm_sync_queue as COPY does: many tuples at a time
 *		into the heap, then into the indexes.
 *
 * Why not INSERT: the trigger runs within every statement of the application
 * on its leads.  Planning is saved either way; what counts is the executor's
 * cost a row, and one WAL record a page instead of one a row.
 *
 * What the executor would check is ensured here instead: the columns' types
 * and NOT NULLs by the code that fills the set, the sync type by its callers.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "db/queue_insert.h"
#include "pg_compat.h"

#define INSERT_BATCH 500

/*
 * Ids are drawn so many at a time: drawing one costs a tenth of the insert.
 * The sequence steps by it.  What it returns is the highest id of the block,
 * so that no row has an id above the sequence's last value; the worker reads
 * that as "drawn before".
 */
#define QUEUE_ID_BLOCK 100

/* Where the set's columns go, and the two that are filled in here. */
typedef struct QueueColumns
{
	AttrNumber	of_set[8];
	AttrNumber	id;
	AttrNumber	queued_at;
} QueueColumns;

static const char *const set_column_names[8] = {
	"integration_id", "priority", "lead_id", "user_id", "source_id", "sync_type",
	"run_id", "snapshot"
};

/* By the relation's descriptor: a syscache look-up for each costs ten times as much. */
static void
resolve_columns(Relation rel, QueueColumns *columns)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < lengthof(set_column_names); i++)
		columns->of_set[i] = SPI_fnumber(desc, set_column_names[i]);
	columns->id = SPI_fnumber(desc, "id");
	columns->queued_at = SPI_fnumber(desc, "queued_at");
	if (columns->id <= 0 || columns->queued_at <= 0)
		elog(ERROR, "crm_sync_queue has not the columns of this version");
}

static void
fill_slot(TupleTableSlot *slot, const QueueColumns *columns, const RowSet *rows, int row,
		  int64 id, TimestampTz now)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < lengthof(columns->of_set); i++)
	{
		slot->tts_values[columns->of_set[i] - 1] = rows->values[i][row];
		slot->tts_isnull[columns->of_set[i] - 1] = rows->nulls[i][row];
	}
	slot->tts_values[columns->id - 1] = Int64GetDatum(id);
	slot->tts_isnull[columns->id - 1] = false;
	slot->tts_values[columns->queued_at - 1] = TimestampTzGetDatum(now);
	slot->tts_isnull[columns->queued_at - 1] = false;
	ExecStoreVirtualTuple(slot);
}

/* Ids for n rows, in order. */
static void
draw_ids(Oid sequence, int64 *ids, int n)
{
	for (int done = 0; done < n; done += QUEUE_ID_BLOCK)
	{
		int			n_block = Min(QUEUE_ID_BLOCK, n - done);
		int64		last = nextval_internal(sequence, false);

		for (int i = 0; i < n_block; i++)
			ids[done + i] = last - n_block + 1 + i;
	}
}

static void
insert_batch(ResultRelInfo *result, EState *estate, TupleTableSlot **slots, int n,
			 BulkInsertState bulk)
{
	table_multi_insert(result->ri_RelationDesc, slots, n, GetCurrentCommandId(true), 0, bulk);
	for (int i = 0; i < n; i++)
	{
		compat_insert_index_entries(result, slots[i], estate);
		ResetPerTupleExprContext(estate);
	}
}

void
queue_insert(const RowSet *rows)
{
	Oid			relid = get_relname_relid("crm_sync_queue", db_schema_oid());
	Oid			sequence = get_relname_relid("crm_sync_queue_id_seq", db_schema_oid());
	TimestampTz now = GetCurrentTimestamp();
	int			n_slots = Min(rows->n_rows, INSERT_BATCH);
	int64		ids[INSERT_BATCH];
	QueueColumns columns;
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot **slots;
	BulkInsertState bulk;

	if (rows->n_rows == 0)
		return;

	/*
	 * The transaction id before the ids: the worker relies on it that a
	 * transaction which has drawn an id is visible as running.
	 */
	(void) GetCurrentTransactionId();
	rel = table_open(relid, RowExclusiveLock);
	resolve_columns(rel, &columns);
	estate = CreateExecutorState();
	result = makeNode(ResultRelInfo);
	InitResultRelInfo(result, rel, 0, NULL, 0);
	ExecOpenIndices(result, false);
	slots = palloc(n_slots * sizeof(TupleTableSlot *));
	for (int i = 0; i < n_slots; i++)
		slots[i] = table_slot_create(rel, NULL);
	bulk = rows->n_rows > 1 ? GetBulkInsertState() : NULL;

	for (int done = 0; done < rows->n_rows; done += n_slots)
	{
		int			n = Min(n_slots, rows->n_rows - done);

		draw_ids(sequence, ids, n);
		for (int i = 0; i < n; i++)
			fill_slot(slots[i], &columns, rows, done + i, ids[i], now);
		insert_batch(result, estate, slots, n, bulk);
	}

	if (bulk != NULL)
		FreeBulkInsertState(bulk);
	for (int i = 0; i < n_slots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	ExecCloseIndices(result);
	FreeExecutorState(estate);
	table_close(rel, NoLock);
}

/*
 * queue_delete.c
 *		Deleting rows of crm_sync_queue by their places, without the executor.
 *
 * Why: the worker has read each of them, and nothing updates rows of the queue,
 * so that most are where they were.  That saves the way through the index, the
 * lock before the delete (which is there only to skip what is held), and the
 * trigger for each row.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "db/queue_delete.h"
#include "db/queue_insert.h"
#include "pg_compat.h"
#include "worker/backlog.h"

enum
{
	SET_INTEGRATION = 0,
	SET_PRIORITY,
	SET_ID,
	SET_PLACE
};

/* Ids are never drawn twice: the row with this one is it. */
static bool
is_there(Relation rel, BlockNumber n_blocks, ItemPointer place, int id_column, int64 id,
		 TupleTableSlot *slot)
{
	bool		isnull;

	return ItemPointerIsValid(place) && ItemPointerGetBlockNumber(place) < n_blocks &&
		table_tuple_fetch_row_version(rel, place, GetActiveSnapshot(), slot) &&
		DatumGetInt64(slot_getattr(slot, id_column, &isnull)) == id;
}

/* False if it has been changed or moved since it was seen there. */
static bool
delete_there(Relation rel, ItemPointer place, const pg_uuid_t *integration)
{
	switch (compat_table_delete_no_wait(rel, place, GetActiveSnapshot()))
	{
		case TM_Ok:
			backlog_note(integration, -1);
			return true;
		case TM_Updated:
			return false;
		default:
			return true;		/* it is somebody else's to delete */
	}
}

RowSet *
queue_delete(const RowSet *rows)
{
	RowSet	   *left = rowset_make(3, rows->types);
	Relation	rel;
	BlockNumber n_blocks;
	int			id_column;
	bool		suffices;
	TupleTableSlot *slot;

	if (rows->n_rows == 0)
		return left;
	suffices = table_insert_suffices(&queue_table);
	rel = db_table_open("crm_sync_queue", RowExclusiveLock);
	n_blocks = RelationGetNumberOfBlocks(rel);
	id_column = SPI_fnumber(RelationGetDescr(rel), "id");
	slot = table_slot_create(rel, NULL);
	for (int i = 0; i < rows->n_rows; i++)
	{
		ItemPointer place = (ItemPointer) DatumGetPointer(rows->values[SET_PLACE][i]);
		int64		id = DatumGetInt64(rows->values[SET_ID][i]);
		bool		there = suffices && is_there(rel, n_blocks, place, id_column, id, slot);

		ExecClearTuple(slot);
		if (there && delete_there(rel, place, DatumGetUUIDP(rows->values[SET_INTEGRATION][i])))
			continue;
		rowset_row(left);
		rowset_uuid(left, DatumGetUUIDP(rows->values[SET_INTEGRATION][i])->data);
		rowset_int2(left, DatumGetInt16(rows->values[SET_PRIORITY][i]));
		rowset_int8(left, id);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return left;
}

/*
 * queue_next.c
 *		The queue rows of a connection, in their order: along the primary key,
 *		without a statement.
 *
 * Why: this is asked for every lead on its way, for one connection or for a
 * thousand.  To start the executor takes four times as long as to read the
 * rows, when there are few.
 *
 * Not here: finding the rows of given leads (queue_find.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "db/queue_next.h"
#include "db/statement.h"
#include "pg_compat.h"

/* Columns of the primary key. */
enum
{
	KEY_INTEGRATION = 1,
	KEY_PRIORITY,
	KEY_ID,
	N_KEYS = KEY_ID
};

typedef enum QueueColumn
{
	COLUMN_ID = 0,
	COLUMN_LEAD_ID,
	COLUMN_SOURCE_ID,
	COLUMN_SYNC_TYPE,
	COLUMN_RUN_ID,
	COLUMN_QUEUED_AT,
	COLUMN_SNAPSHOT,
	N_COLUMNS
} QueueColumn;

static const char *const column_names[N_COLUMNS] = {
	"id", "lead_id", "source_id", "sync_type", "run_id", "queued_at", "snapshot"
};

struct QueueReader
{
	Relation	queue;
	Relation	key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int			columns[N_COLUMNS];
};

QueueReader *
queue_reader_open(void)
{
	QueueReader *reader = palloc(sizeof(QueueReader));

	reader->queue = db_table_open("crm_sync_queue", AccessShareLock);
	reader->key = index_open(compat_primary_key(reader->queue), AccessShareLock);
	reader->slot = table_slot_create(reader->queue, NULL);
	for (int i = 0; i < N_COLUMNS; i++)
		reader->columns[i] = SPI_fnumber(RelationGetDescr(reader->queue), column_names[i]);
	reader->scan = compat_index_beginscan(reader->queue, reader->key, GetActiveSnapshot(), N_KEYS);
	return reader;
}

/* 0 for null. */
static Datum
column(QueueReader *reader, QueueColumn which)
{
	bool		isnull;
	Datum		value = slot_getattr(reader->slot, reader->columns[which], &isnull);

	return isnull ? (Datum) 0 : value;
}

static void
read_row(QueueReader *reader, int priority, QueueNext *row)
{
	row->priority = priority;
	row->id = DatumGetInt64(column(reader, COLUMN_ID));
	row->run_id = DatumGetInt64(column(reader, COLUMN_RUN_ID));
	row->place = reader->slot->tts_tid;
	row->lead_id = TextDatumGetCString(column(reader, COLUMN_LEAD_ID));
	row->source_id = DatumGetInt32(column(reader, COLUMN_SOURCE_ID));
	row->sync_type = TextDatumGetCString(column(reader, COLUMN_SYNC_TYPE));
	row->queued_at = DatumGetTimestampTz(column(reader, COLUMN_QUEUED_AT));
	row->snapshot = column(reader, COLUMN_SNAPSHOT);
}

void
queue_reader_read(QueueReader *reader, const pg_uuid_t *integration, int priority,
				  int64 above, int max_rows, QueueNextFunction found, void *arg)
{
	ScanKeyData conditions[N_KEYS];

	ScanKeyInit(&conditions[0], KEY_INTEGRATION, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(integration));
	ScanKeyInit(&conditions[1], KEY_PRIORITY, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(priority));
	ScanKeyInit(&conditions[2], KEY_ID, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(above));
	index_rescan(reader->scan, conditions, N_KEYS, NULL, 0);
	while (max_rows-- > 0 && index_getnext_slot(reader->scan, ForwardScanDirection, reader->slot))
	{
		QueueNext	row;

		CHECK_FOR_INTERRUPTS();
		read_row(reader, priority, &row);
		found(&row, arg);
	}
}

void
queue_reader_close(QueueReader *reader)
{
	index_endscan(reader->scan);
	ExecDropSingleTupleTableSlot(reader->slot);
	index_close(reader->key, NoLock);
	table_close(reader->queue, NoLock);
	pfree(reader);
}

/*
 * queue_find.c
 *		Finding the queue rows of leads, among all that waits for a connection.
 *
 * Why no index on the lead: every row that is queued would pay for it, a fifth
 * of the time of a statement with many rows, and few are ever asked for.  Why
 * not a statement: whatever the planner thinks of a queue that was empty when
 * it was analyzed, this is one pass along the primary key, which carries the
 * lead's id, for any number of leads; it looks into the table for theirs only,
 * and ends where the caller says.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "db/queue_find.h"
#include "db/statement.h"
#include "pg_compat.h"

/* Columns of the primary key; the last is not part of what is unique. */
enum
{
	KEY_INTEGRATION = 1,
	KEY_PRIORITY,
	KEY_ID,
	KEY_LEAD
};

typedef struct LeadId
{
	const char *data;
	int			len;
} LeadId;

typedef struct LeadSetEntry
{
	LeadId		id;				/* hash key */
	uint32		hash;
	char		status;
} LeadSetEntry;

#define SH_PREFIX lead_set
#define SH_ELEMENT_TYPE LeadSetEntry
#define SH_KEY_TYPE LeadId
#define SH_KEY id
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key).data, (key).len)
#define SH_EQUAL(table, a, b) ((a).len == (b).len && memcmp((a).data, (b).data, (a).len) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

LeadSet *
lead_set_make(void)
{
	return lead_set_create(CurrentMemoryContext, 64, NULL);
}

void
lead_set_add(LeadSet *set, const char *lead_id)
{
	bool		found;

	(void) lead_set_insert(set, (LeadId) {lead_id, strlen(lead_id)}, &found);
}

static Relation
open_key(Relation queue)
{
	Relation	key = index_open(compat_primary_key(queue), AccessShareLock);

	if (RelationGetNumberOfAttributes(key) != KEY_LEAD ||
		strcmp(NameStr(TupleDescAttr(RelationGetDescr(key), KEY_LEAD - 1)->attname), "lead_id") != 0)
		elog(ERROR, "the primary key of crm_sync_queue is not that of this version");
	return key;
}

/* What the index knows of its current row; no column of it can be null. */
static void
read_key(IndexScanDesc scan, QueueFound *row)
{
	bool		isnull;
	struct varlena *lead_id = DatumGetTextPP(index_getattr(scan->xs_itup, KEY_LEAD,
														   scan->xs_itupdesc, &isnull));

	row->priority = DatumGetInt16(index_getattr(scan->xs_itup, KEY_PRIORITY,
												scan->xs_itupdesc, &isnull));
	row->id = DatumGetInt64(index_getattr(scan->xs_itup, KEY_ID, scan->xs_itupdesc, &isnull));
	row->lead_id = VARDATA_ANY(lead_id);
	row->lead_id_len = VARSIZE_ANY_EXHDR(lead_id);
}

static void
look_along(IndexScanDesc scan, ScanDirection direction, int64 max_entries,
		   AttrNumber source_column, TupleTableSlot *slot, LeadSet *leads,
		   QueueFoundFunction found, void *arg)
{
	while (max_entries-- > 0 && index_getnext_tid(scan, direction) != NULL)
	{
		QueueFound	row;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		read_key(scan, &row);
		if (leads != NULL &&
			lead_set_lookup(leads, (LeadId) {row.lead_id, row.lead_id_len}) == NULL)
			continue;
		if (!index_fetch_heap(scan, slot))
			continue;
		row.source_id = DatumGetInt32(slot_getattr(slot, source_column, &isnull));
		found(&row, arg);
	}
}

/*
 * What is committed now, and what this transaction has queued.  Not by the
 * transaction's snapshot: a serializable one would come to depend on everybody
 * who queues.
 */
static void
look_through(const pg_uuid_t *integration, bool newest, int64 max_entries, LeadSet *leads,
			 QueueFoundFunction found, void *arg)
{
	Relation	queue = db_table_open("crm_sync_queue", AccessShareLock);
	Relation	key = open_key(queue);
	TupleTableSlot *slot = table_slot_create(queue, NULL);
	ScanKeyData conditions[2];
	int			n = newest ? 2 : 1;
	IndexScanDesc scan;

	ScanKeyInit(&conditions[0], KEY_INTEGRATION, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(integration));
	ScanKeyInit(&conditions[1], KEY_PRIORITY, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(0));
	scan = compat_index_beginscan(queue, key, SnapshotSelf, n);
	scan->xs_want_itup = true;
	index_rescan(scan, conditions, n, NULL, 0);
	look_along(scan, newest ? BackwardScanDirection : ForwardScanDirection, max_entries,
			   SPI_fnumber(RelationGetDescr(queue), "source_id"), slot, leads, found, arg);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(key, NoLock);
	table_close(queue, NoLock);
}

void
queue_find_all(const pg_uuid_t *integration, LeadSet *leads, QueueFoundFunction found, void *arg)
{
	look_through(integration, false, PG_INT64_MAX, leads, found, arg);
}

void
queue_find_newest(const pg_uuid_t *integration, LeadSet *leads, int64 max_entries,
				  QueueFoundFunction found, void *arg)
{
	look_through(integration, true, max_entries, leads, found, arg);
}

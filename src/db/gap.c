/*
 * gap.c
 *		Writing down which transactions may have written leads without seeing a
 *		connection.
 *
 * A trigger decides when a row is written whether anybody wants to know.  Rows of
 * a transaction that goes on while a user connects were passed over, and are not
 * to be seen before it ends.  They are found by who wrote them: a transaction
 * that this snapshot does not see.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "db/gap.h"
#include "db/rowset.h"
#include "pg_compat.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_note_gap);

static Statement select_relations = {
	.sql = "SELECT s.relation::pg_catalog.oid FROM @schema@.crm_lead_sources s WHERE s.attached",
	.nargs = 0
};

/* One for each connection and type: an open one goes on in the new one. */
static Statement insert_gap = {
	.sql = "WITH open AS ("
	" DELETE FROM @schema@.crm_sync_gaps g WHERE g.integration_id = $1 AND g.sync_type = $2 RETURNING g.first_xid"
	") INSERT INTO @schema@.crm_sync_gaps (integration_id, sync_type, first_xid, next_xid, running_xids)"
	" SELECT $1, $2, LEAST($3, (SELECT pg_catalog.min(o.first_xid) FROM open o)), $4,"
	" CASE WHEN $6 OR EXISTS (SELECT FROM open) THEN NULL ELSE $5 END",
	.nargs = 6,
	.argtypes = {UUIDOID, TEXTOID, INT8OID, INT8OID, INT8ARRAYOID, BOOLOID}
};

/* Transaction ids that may have written, with their epochs. */
typedef struct Running
{
	RowSet	   *xids;
	bool		all;			/* there may be others: not all subtransactions are known */
	FullTransactionId next;		/* not drawn yet */
} Running;

static void
add_xids(Running *running, const TransactionId *xids, int n)
{
	for (int i = 0; i < n; i++)
	{
		rowset_row(running->xids);
		rowset_int8(running->xids, (int64) gap_full_xid(running->next, xids[i]));
	}
}

/* Our own, which may have written leads before. */
static void
add_own(Running *running)
{
	TransactionId top = GetTopTransactionIdIfAny();
	TransactionId current = GetCurrentTransactionIdIfAny();
	TransactionId *children;
	int			n = xactGetCommittedChildren(&children);

	if (TransactionIdIsValid(top))
		add_xids(running, &top, 1);
	if (TransactionIdIsValid(current) && current != top)
		add_xids(running, &current, 1);
	add_xids(running, children, n);

	/* Those between are not to be had, nor what has ended in them. */
	running->all |= GetCurrentTransactionNestLevel() > 1;
}

/* Whoever has written to a table, or a partition, holds this lock until its transaction ends. */
static bool
has_written_to(Oid relation)
{
	ListCell   *lc;

	if (get_rel_name(relation) == NULL)
		return false;			/* dropped */
	foreach(lc, find_all_inheritors(relation, NoLock, NULL))
	{
		LOCKTAG		tag;

		SET_LOCKTAG_RELATION(tag, MyDatabaseId, lfirst_oid(lc));
		if (compat_lock_held_by_me(&tag, RowExclusiveLock))
			return true;
	}
	return false;
}

static bool
has_written_leads(void)
{
	bool		isnull;
	bool		written = false;

	statement_execute(&select_relations, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed && !written; i++)
		written = has_written_to(DatumGetObjectId(spi_datum(i, 1, &isnull)));
	return written;
}

static void
store_gap(const pg_uuid_t *integration, const char *sync_type, Snapshot now, Running *running)
{
	uint64		first = gap_full_xid(running->next, now->xmin);
	Datum		values[6];

	for (int i = 0; i < running->xids->n_rows; i++)
		first = Min(first, (uint64) DatumGetInt64(running->xids->values[0][i]));
	values[0] = UUIDPGetDatum(integration);
	values[1] = CStringGetTextDatum(sync_type);
	values[2] = Int64GetDatum((int64) first);
	values[3] = Int64GetDatum((int64) gap_full_xid(running->next, now->xmax));
	values[4] = rowset_array(running->xids, 0);
	values[5] = BoolGetDatum(running->all);
	statement_change_now(&insert_gap, values);
}

/* In REPEATABLE READ what the caller has read is as old as its snapshot. */
void
gap_note(const pg_uuid_t *integration, const char *sync_type)
{
	Snapshot	now = RegisterSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : GetLatestSnapshot());
	Running		running = {rowset_make(1, (Oid[]) {INT8OID}), now->suboverflowed, ReadNextFullTransactionId()};
	SavedUser	saved;

	db_become_owner(&saved);
	add_xids(&running, now->xip, now->xcnt);
	add_xids(&running, now->subxip, now->subxcnt);
	if (has_written_leads())
		add_own(&running);
	store_gap(integration, sync_type, now, &running);
	db_restore_user(&saved);
	UnregisterSnapshot(now);
}

static void
read_running(GapSpan *span, Datum array)
{
	Datum	   *xids;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &xids, &nulls, &span->n_running);
	span->running = palloc(sizeof(uint64) * (span->n_running + 1));
	for (int i = 0; i < span->n_running; i++)
		span->running[i] = (uint64) DatumGetInt64(xids[i]);
}

void
gap_span_from_row(GapSpan *span, uint64 row, int column)
{
	bool		isnull;
	Datum		running = spi_datum(row, column + 3, &isnull);

	memset(span, 0, sizeof(GapSpan));
	span->manual = strcmp(spi_text(row, column), "manual") == 0;
	span->first = (uint64) spi_int64(row, column + 1, 0);
	span->next = (uint64) spi_int64(row, column + 2, 0);
	if (!isnull)
		read_running(span, running);
	span->end = (uint64) spi_int64(row, column + 4, (int64) U64FromFullTransactionId(ReadNextFullTransactionId()));
}

bool
gap_has(const GapSpan *span, TransactionId xmin, FullTransactionId next)
{
	uint64		xid;

	if (!TransactionIdIsNormal(xmin))
		return false;			/* frozen: older than any that goes on */
	xid = gap_full_xid(next, xmin);
	if (xid < span->first || xid >= span->end)
		return false;
	if (xid >= span->next || span->running == NULL)
		return true;
	for (int i = 0; i < span->n_running; i++)
	{
		if (span->running[i] == xid)
			return true;
	}
	return false;
}

/* For a connection that begins to sync by itself.  Rights are the caller's care. */
Datum
echosync_note_gap(PG_FUNCTION_ARGS)
{
	SPI_connect();
	db_use_extension();
	gap_note(PG_GETARG_UUID_P(0), "auto");
	SPI_finish();
	PG_RETURN_VOID();
}

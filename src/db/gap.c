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

#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
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

static Statement insert_gap = {
	.sql = "INSERT INTO @schema@.crm_sync_gaps (integration_id, sync_type, first_xid, next_xid, running_xids)"
	" VALUES ($1, $2, $3, $4, $5)",
	.nargs = 5,
	.argtypes = {UUIDOID, TEXTOID, INT8OID, INT8OID, INT8ARRAYOID}
};

/* Transaction ids that may have written, with their epochs. */
typedef struct Running
{
	RowSet	   *xids;
	bool		all;			/* there may be others: not all subtransactions are known */
	FullTransactionId next;		/* not drawn yet */
} Running;

/* An id that was drawn in the last two thousand million. */
static uint64
full_xid(const Running *running, TransactionId xid)
{
	uint64		next = U64FromFullTransactionId(running->next);

	return next - (uint32) ((uint32) next - xid);
}

static void
add_xids(Running *running, const TransactionId *xids, int n)
{
	for (int i = 0; i < n; i++)
	{
		rowset_row(running->xids);
		rowset_int8(running->xids, (int64) full_xid(running, xids[i]));
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

/* Whoever has written to a table holds this lock until its transaction ends. */
static bool
has_written_to(Oid relation)
{
	Relation	rel;
	bool		written;

	if (!ConditionalLockRelationOid(relation, AccessShareLock))
		return false;			/* somebody holds it whom our own lock would keep out */
	rel = try_relation_open(relation, NoLock);
	written = rel != NULL && CheckRelationLockedByMe(rel, RowExclusiveLock, true);
	if (rel != NULL)
		relation_close(rel, NoLock);
	UnlockRelationOid(relation, AccessShareLock);
	return written;
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
	uint64		first = full_xid(running, now->xmin);
	Datum		values[5];

	for (int i = 0; i < running->xids->n_rows; i++)
		first = Min(first, (uint64) DatumGetInt64(running->xids->values[0][i]));
	values[0] = UUIDPGetDatum(integration);
	values[1] = CStringGetTextDatum(sync_type);
	values[2] = Int64GetDatum((int64) first);
	values[3] = Int64GetDatum((int64) full_xid(running, now->xmax));
	values[4] = running->all ? (Datum) 0 : rowset_array(running->xids, 0);
	statement_execute(&insert_gap, values, running->all ? "    n" : NULL, false, 0);
}

/* In REPEATABLE READ what the caller has read is as old as its snapshot. */
void
gap_note(const pg_uuid_t *integration, const char *sync_type)
{
	Snapshot	now = RegisterSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : GetLatestSnapshot());
	Running		running = {rowset_make(1, (Oid[]) {INT8OID}), now->suboverflowed, ReadNextFullTransactionId()};

	add_xids(&running, now->xip, now->xcnt);
	add_xids(&running, now->subxip, now->subxcnt);
	if (has_written_leads())
		add_own(&running);
	store_gap(integration, sync_type, now, &running);
	UnregisterSnapshot(now);
}

/* For a connection that begins to sync by itself.  Rights are the caller's care. */
Datum
echosync_note_gap(PG_FUNCTION_ARGS)
{
	SavedUser	saved;

	SPI_connect();
	db_use_extension();
	db_become_owner(&saved);
	gap_note(PG_GETARG_UUID_P(0), "auto");
	db_restore_user(&saved);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * disconnected.c
 *		Ending a connection, and cancelling what is left of one that has ended.
 *
 * Whoever disconnects deletes the connection and its credential, no more.  The
 * worker cancels the rest: it deletes rows of the queue all the time, so that a
 * session in REPEATABLE READ could not delete them beside it, and only after the
 * commit is it known which rows there are.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "db/disconnected.h"
#include "db/statement.h"
#include "pg_compat.h"

PG_FUNCTION_INFO_V1(echosync_forget_integration);

#define CANCEL_ROWS 5000

/*
 * That it is gone is asked in the same snapshot: who has connected again since
 * may have queued leads as well.
 */
static Statement cancel_queued = {
	.sql = "WITH held AS ("
	" SELECT q.ctid AS place FROM @schema@.crm_sync_queue q WHERE q.integration_id = $1"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_integrations i WHERE i.id = $1)"
	" ORDER BY q.priority, q.id LIMIT $2 FOR UPDATE OF q SKIP LOCKED"
	"), gone AS ("
	" DELETE FROM @schema@.crm_sync_queue q WHERE q.ctid = ANY (ARRAY(SELECT h.place FROM held h))"
	" RETURNING q.integration_id, q.user_id, q.lead_id, q.source_id, q.id, q.sync_type, q.queued_at"
	"), logged AS ("
	" INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, queued_at)"
	" SELECT DISTINCT ON (g.lead_id, g.source_id) g.integration_id, g.user_id, COALESCE(d.crm_type, 'unknown'),"
	" g.lead_id, g.sync_type, 'none', 'skipped', 'disconnected', g.queued_at"
	" FROM gone g LEFT JOIN @schema@.crm_disconnected d ON d.id = g.integration_id"
	" ORDER BY g.lead_id, g.source_id, g.id"
	") SELECT pg_catalog.count(*) FROM gone",
	.nargs = 2,
	.argtypes = {UUIDOID, INT8OID}
};

static Statement forget_dead_letters = {
	.sql = "DELETE FROM @schema@.crm_dead_letters d WHERE d.integration_id = $1"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_integrations i WHERE i.id = $1)",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement end_runs = {
	.sql = "UPDATE @schema@.crm_sync_runs r SET finished_at = pg_catalog.clock_timestamp()"
	" WHERE r.integration_id = $1 AND r.finished_at IS NULL"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_integrations i WHERE i.id = $1)",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement delete_credential = {
	.sql = "DELETE FROM @schema@.crm_credentials c WHERE c.integration_id = $1",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement delete_integration = {
	.sql = "DELETE FROM @schema@.crm_integrations i WHERE i.id = $1",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

bool
disconnected_cancel(const pg_uuid_t *id)
{
	Datum		values[2] = {UUIDPGetDatum(id), Int64GetDatum(CANCEL_ROWS)};

	statement_change_now(&cancel_queued, values);
	if (spi_int64(0, 1, 0) == CANCEL_ROWS)
		return true;
	statement_change_now(&forget_dead_letters, values);
	statement_change_now(&end_runs, values);
	return false;
}

/* Lock the newest version of the row of this key; false if there is none. */
static bool
lock_row(const char *table, const char *key_column, const pg_uuid_t *key)
{
	Relation	rel = db_table_open(table, RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Snapshot	now = RegisterSnapshot(GetLatestSnapshot());
	TM_FailureData failure;
	TM_Result	result = TM_Deleted;
	ScanKeyData condition;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&condition, SPI_fnumber(RelationGetDescr(rel), key_column), BTEqualStrategyNumber,
				F_UUID_EQ, UUIDPGetDatum(key));
	scan = systable_beginscan(rel, compat_primary_key(rel), true, now, 1, &condition);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		result = table_tuple_lock(rel, &row->t_self, now, slot, GetCurrentCommandId(true), LockTupleExclusive,
								  LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
	systable_endscan(scan);
	UnregisterSnapshot(now);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return result == TM_Ok;
}

/*
 * The worker writes to both rows while it sends.  A session in REPEATABLE READ
 * deletes them all the same, as they are now: what it has seen of them before is
 * of no matter to who wants them gone.
 */
Datum
echosync_forget_integration(PG_FUNCTION_ARGS)
{
	Datum		id = PG_GETARG_DATUM(0);
	bool		found;

	SPI_connect();
	db_use_extension();
	found = lock_row("crm_integrations", "id", DatumGetUUIDP(id));
	if (found)
	{
		if (lock_row("crm_credentials", "integration_id", DatumGetUUIDP(id)))
			statement_change_now(&delete_credential, &id);
		statement_change_now(&delete_integration, &id);
	}
	SPI_finish();
	PG_RETURN_BOOL(found);
}

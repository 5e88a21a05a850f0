/*
 * housekeeping.c
 *		What is not about one lead: leads that a crashed worker had in work, limits
 *		that are used up at an orderly end, the age of the log, memory of idle
 *		connections.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "config/settings.h"
#include "worker/worker.h"

#define LOG_BATCH 1000
#define LOG_PAUSE_MS 100		/* between batches */
#define LOG_EVERY_MS (60 * 60 * 1000)
#define LOG_AGAIN_MS (60 * 1000)	/* after a batch that failed: the table was locked, say */

/*
 * Claims found at start were left by a worker that crashed: count it.  Also for
 * leads of a group whose outcome was committed before: it is forgotten when they
 * are sent next, or nothing waits.  (To ask for each whether it waits would be to
 * look through the queue.)
 */
static Statement count_crashes = {
	.sql = "WITH left_behind AS ("
	" DELETE FROM @schema@.crm_sync_claims c WHERE c.worker = $1 OR c.worker >= $2"
	" RETURNING c.integration_ids, c.lead_ids, c.source_ids"
	") INSERT INTO @schema@.crm_sync_attempts AS a (integration_id, lead_id, source_id, crashes)"
	" SELECT DISTINCT u.integration_id, u.lead_id, u.source_id, 1 FROM left_behind l,"
	" unnest(l.integration_ids, l.lead_ids, l.source_ids) u(integration_id, lead_id, source_id)"
	" WHERE EXISTS (SELECT FROM @schema@.crm_sync_queue q WHERE q.integration_id = u.integration_id)"
	" ON CONFLICT (integration_id, lead_id, source_id) DO UPDATE SET crashes = a.crashes + 1",
	.nargs = 2,
	.argtypes = {INT4OID, INT4OID}
};

static Statement drop_claims = {
	.sql = "DELETE FROM @schema@.crm_sync_claims c WHERE c.ctid = ANY (ARRAY("
	" SELECT h.ctid FROM @schema@.crm_sync_claims h WHERE h.worker = $1 FOR UPDATE OF h SKIP LOCKED))",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* A create that was about to be sent, and is not: there is nothing to doubt. */
static Statement forget_intents = {
	.sql = "UPDATE @schema@.crm_sync_attempts a"
	" SET intent_at = NULL, intent_lead = NULL, phone_hash = NULL, email_hash = NULL"
	" FROM (SELECT h.ctid AS place FROM unnest($1, $2, $3, $4) k(integration_id, lead_id, source_id, intent_at)"
	" JOIN @schema@.crm_sync_attempts h USING (integration_id, lead_id, source_id, intent_at)"
	" FOR UPDATE OF h SKIP LOCKED) held WHERE a.ctid = held.place",
	.nargs = 4,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID}
};

static Statement remember_limits = {
	.sql = "UPDATE @schema@.crm_integrations i SET not_before = k.not_before"
	" FROM (SELECT h.id, u.not_before FROM unnest($1, $2) u(id, not_before)"
	" JOIN @schema@.crm_integrations h ON h.id = u.id"
	" FOR NO KEY UPDATE OF h SKIP LOCKED) k"
	" WHERE i.id = k.id AND (i.not_before IS NULL OR i.not_before < k.not_before)",
	.nargs = 2,
	.argtypes = {UUIDARRAYOID, TIMESTAMPTZARRAYOID}
};

/*
 * Oldest first, by the primary key, from where the batch before ended: a batch
 * costs what it deletes.  A row that somebody holds is left for another time.
 */
static Statement delete_old_logs = {
	.sql = "DELETE FROM @schema@.crm_sync_logs l USING ("
	" SELECT h.id FROM (SELECT o.id, o.logged_at FROM @schema@.crm_sync_logs o"
	" WHERE o.id > $3 ORDER BY o.id LIMIT $2) oldest"
	" JOIN @schema@.crm_sync_logs h ON h.id = oldest.id"
	" WHERE oldest.logged_at < pg_catalog.clock_timestamp() - pg_catalog.make_interval(days => $1)"
	" FOR UPDATE OF h SKIP LOCKED) held"
	" WHERE l.id = held.id RETURNING l.id",
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, INT8OID}
};

static Statement delete_old_hours = {
	.sql = "DELETE FROM @schema@.crm_sync_hours s USING ("
	" SELECT h.integration_id, h.hour FROM @schema@.crm_sync_hours h"
	" WHERE h.hour < pg_catalog.clock_timestamp() - interval '25 hours'"
	" ORDER BY h.hour LIMIT $1 FOR UPDATE SKIP LOCKED) old"
	" WHERE s.integration_id = old.integration_id AND s.hour = old.hour",
	.nargs = 1,
	.argtypes = {INT8OID}
};

/*
 * What is remembered of leads of connections for which nothing waits any more.
 * A doubt about a lead that is refused by now is kept for longer.
 */
static Statement delete_stale_attempts = {
	.sql = "DELETE FROM @schema@.crm_sync_attempts a"
	" WHERE COALESCE(a.intent_at, '-infinity') < pg_catalog.clock_timestamp() - interval '30 days'"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_sync_queue q WHERE q.integration_id = a.integration_id)"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_dead_letters d"
	" WHERE d.integration_id = a.integration_id AND d.lead_id = a.lead_id AND d.source_id = a.source_id)",
	.nargs = 0
};

/*
 * Connections that are gone and have left something: queued beside the disconnect,
 * and the hint of it was lost, or no worker could cancel then.  In the queue from
 * one id to the next, since it may be long.
 */
static Statement select_orphans = {
	.sql = "WITH RECURSIVE step(id) AS ("
	" (SELECT q.integration_id FROM @schema@.crm_sync_queue q ORDER BY q.integration_id LIMIT 1)"
	" UNION ALL SELECT (SELECT q.integration_id FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id > step.id ORDER BY q.integration_id LIMIT 1) FROM step WHERE step.id IS NOT NULL"
	") SELECT l.id FROM (SELECT step.id FROM step WHERE step.id IS NOT NULL"
	" UNION SELECT d.integration_id FROM @schema@.crm_dead_letters d"
	" UNION SELECT r.integration_id FROM @schema@.crm_sync_runs r WHERE r.finished_at IS NULL) l"
	" WHERE NOT EXISTS (SELECT FROM @schema@.crm_integrations i WHERE i.id = l.id)",
	.nargs = 0
};

static void
recover_body(void *arg)
{
	Datum		values[2];

	values[0] = Int32GetDatum(worker->index);
	values[1] = Int32GetDatum(worker->n_workers);
	statement_execute(&count_crashes, values, NULL, false, 0);
}

/* At start: what was in work when a worker crashed. */
void
housekeeping_recover(void)
{
	(void) worker_transaction("echosync: looking for leads of a crashed worker", recover_body, NULL);
}

/*
 * The intents of creates that were not sent, so that our successor need not wait
 * and search for them.  An earlier doubt stays.
 */
static void
drop_intents(void)
{
	RowSet	   *set = rowset_make(4, (Oid[]) {UUIDOID, TEXTOID, INT4OID, TIMESTAMPTZOID});
	HASH_SEQ_STATUS status;
	Connection *connection;

	hash_seq_init(&status, worker->connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &connection->jobs)
		{
			Job		   *job = dlist_container(Job, node, iter.cur);

			if (job->kind != JOB_LEAD || !job->intent_unsent)
				continue;
			rowset_row(set);
			rowset_uuid(set, connection->id.data);
			rowset_text(set, job->lead_id);
			rowset_int4(set, job->source_id);
			rowset_timestamptz(set, job->intent_at);
		}
	}
	rowset_execute(set, &forget_intents);
}

/*
 * Whose limit is used up now, until when: a server that starts again has not
 * counted, and would begin with a call too many.
 */
static void
keep_limits(void)
{
	RowSet	   *set = rowset_make(2, (Oid[]) {UUIDOID, TIMESTAMPTZOID});
	HASH_SEQ_STATUS status;
	Connection *connection;

	hash_seq_init(&status, worker->connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		TimestampTz when = connection->budget == NULL ? 0 :
			budget_next(connection->budget, 0, worker->now);

		if (when <= worker->now)
			continue;
		rowset_row(set);
		rowset_uuid(set, connection->id.data);
		rowset_timestamptz(set, when);
	}
	rowset_execute(set, &remember_limits);
}

/*
 * Nothing can interrupt a process that exits, not even a lock_timeout.  So it
 * writes only where nobody holds the tables; rows that somebody holds are skipped.
 */
static bool
table_is_free(const char *name)
{
	Oid			table = get_relname_relid(name, db_schema_oid());

	return OidIsValid(table) && ConditionalLockRelationOid(table, RowExclusiveLock);
}

static bool
tables_are_free(void)
{
	static const char *const tables[] = {
		"crm_sync_claims", "crm_sync_attempts", "crm_integrations", "crm_sync_hours"
	};

	for (int i = 0; i < lengthof(tables); i++)
	{
		if (!table_is_free(tables[i]))
			return false;
	}
	return true;
}

static void
leave_body(void *arg)
{
	Datum		value = Int32GetDatum(worker->index);

	if (!tables_are_free())
		return;
	statement_execute(&drop_claims, &value, NULL, false, 0);
	if (worker->connections == NULL)
		return;
	worker->now = GetCurrentTimestamp();
	drop_intents();
	keep_limits();
	tally_write_all();
}

static void
tokens_body(void *arg)
{
	if (table_is_free("crm_credentials"))
		tokens_store_last();
}

/* At an orderly end: what is in work now is not the cause of a crash. */
void
housekeeping_leave(void)
{
	AbortOutOfAnyTransaction();

	/* A wait for a standby could not be ended any more, either. */
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION);
	if (jobs_any(JOB_STATE_HELD))
		(void) worker_transaction("echosync: storing refreshed tokens", tokens_body, NULL);
	(void) worker_transaction("echosync: ending", leave_body, NULL);
}

/* Old rows are deleted in batches: where it has come to. */
static TimestampTz next_start = 0;	/* of a new pass, each hour */
static TimestampTz next_batch = 0;	/* 0: no pass is under way */
static int64 after_log;		/* the pass has deleted log rows up to here */

static bool
delete_logs(void)
{
	Datum		values[3];

	if (echosync_log_retention == 0)
		return false;
	values[0] = Int32GetDatum(echosync_log_retention);
	values[1] = Int64GetDatum(LOG_BATCH);
	values[2] = Int64GetDatum(after_log);
	statement_execute(&delete_old_logs, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		after_log = Max(after_log, spi_int64(i, 1, 0));
	return SPI_processed > 0;
}

static bool
delete_hours(void)
{
	Datum		value = Int64GetDatum(LOG_BATCH);

	statement_execute(&delete_old_hours, &value, NULL, false, 0);
	return SPI_processed > 0;
}

/* Whose worker looks at one that is gone cancels its rows. */
static void
tell_of_orphans(void)
{
	statement_execute(&select_orphans, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		shared_wake_database(MyDatabaseId, DatumGetUUIDP(spi_datum(i, 1, &isnull)), 1, false);
	}
}

static void
batch_body(void *arg)
{
	bool	   *more = arg;

	*more = delete_logs() || delete_hours();
	if (*more)
		return;
	statement_execute(&delete_stale_attempts, NULL, NULL, false, 0);
	tell_of_orphans();
}

/*
 * Called every tick: begin to delete what is old, once an hour, and when the
 * age at which it is has been changed.
 */
void
housekeeping_tick(void)
{
	static int	retention = 0;

	connections_evict();
	if (worker->index == 0)
		budget_sweep(worker->now);
	if (worker->index != 0 || next_batch != 0 ||
		(worker->now < next_start && retention == echosync_log_retention))
		return;
	retention = echosync_log_retention;
	after_log = PG_INT64_MIN;
	next_batch = worker->now;
	next_start = TimestampTzPlusMilliseconds(worker->now, LOG_EVERY_MS);
}

void
housekeeping_shift_times(TimeOffset step)
{
	if (next_batch != 0)
		next_batch += step;
	if (next_start != 0)
		next_start += step;
}

TimestampTz
housekeeping_next(void)
{
	return next_batch;
}

/* A batch a time, in a transaction of its own, with leads served in between. */
void
housekeeping_turn(void)
{
	bool		more = false;

	if (next_batch == 0 || next_batch > worker->now)
		return;
	if (!worker_transaction("echosync: deleting old log rows", batch_body, &more))
		next_batch = TimestampTzPlusMilliseconds(worker->now, LOG_AGAIN_MS);
	else
		next_batch = more ? TimestampTzPlusMilliseconds(worker->now, LOG_PAUSE_MS) : 0;
}

/*
 * housekeeping.c
 *		What is not about one lead: leads that a crashed worker had in work, the
 *		age of the log, memory of idle connections.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "config/settings.h"
#include "worker/worker.h"

#define LOG_BATCH 1000
#define LOG_EVERY_MS (60 * 60 * 1000)

/* Claims found at start were left by a worker that crashed: count it. */
static Statement count_crashes = {
	.sql = "WITH left_behind AS ("
	" DELETE FROM @schema@.crm_sync_claims c WHERE c.worker = $1 OR c.worker >= $2"
	" RETURNING c.integration_ids, c.lead_ids, c.source_ids"
	") INSERT INTO @schema@.crm_sync_attempts AS a (integration_id, lead_id, source_id, crashes)"
	" SELECT DISTINCT u.integration_id, u.lead_id, u.source_id, 1 FROM left_behind l,"
	" unnest(l.integration_ids, l.lead_ids, l.source_ids) u(integration_id, lead_id, source_id)"
	" WHERE EXISTS (SELECT FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id = u.integration_id AND q.lead_id = u.lead_id AND q.source_id = u.source_id)"
	" ON CONFLICT (integration_id, lead_id, source_id) DO UPDATE SET crashes = a.crashes + 1",
	.nargs = 2,
	.argtypes = {INT4OID, INT4OID}
};

static Statement drop_claims = {
	.sql = "DELETE FROM @schema@.crm_sync_claims c WHERE c.worker = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* Oldest first, by the primary key: a batch costs what it deletes. */
static Statement delete_old_logs = {
	.sql = "DELETE FROM @schema@.crm_sync_logs l USING ("
	" SELECT o.id FROM @schema@.crm_sync_logs o ORDER BY o.id LIMIT $2) oldest"
	" WHERE l.id = oldest.id"
	" AND l.logged_at < pg_catalog.clock_timestamp() - pg_catalog.make_interval(days => $1)",
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

/* What is remembered of leads that no longer wait for anything. */
static Statement delete_stale_attempts = {
	.sql = "DELETE FROM @schema@.crm_sync_attempts a"
	" WHERE COALESCE(a.intent_at, '-infinity') < pg_catalog.clock_timestamp() - interval '1 day'"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id = a.integration_id AND q.lead_id = a.lead_id AND q.source_id = a.source_id)"
	" AND NOT EXISTS (SELECT FROM @schema@.crm_dead_letters d"
	" WHERE d.integration_id = a.integration_id AND d.lead_id = a.lead_id AND d.source_id = a.source_id)",
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

static void
leave_body(void *arg)
{
	Datum		value = Int32GetDatum(worker->index);

	statement_execute(&drop_claims, &value, NULL, false, 0);
}

/* At an orderly end: what is in work now is not the cause of a crash. */
void
housekeeping_leave(void)
{
	AbortOutOfAnyTransaction();
	(void) worker_transaction("echosync: ending", leave_body, NULL);
}

static void
logs_body(void *arg)
{
	Datum		values[2];

	values[0] = Int32GetDatum(echosync_log_retention);
	values[1] = Int64GetDatum(LOG_BATCH);
	statement_execute(&delete_old_logs, values, NULL, false, 0);
	*(bool *) arg = SPI_processed == LOG_BATCH;
	if (SPI_processed < LOG_BATCH)
		statement_execute(&delete_stale_attempts, NULL, NULL, false, 0);
}

/*
 * Called every tick.  One batch of old log rows an hour, or a tick while there
 * are more: never a long transaction.
 */
void
housekeeping_tick(void)
{
	static TimestampTz next_logs = 0;
	bool		more = false;

	connections_evict();
	if (echosync_log_retention == 0 || worker->index != 0 || worker->now < next_logs)
		return;
	(void) worker_transaction("echosync: deleting old log rows", logs_body, &more);
	if (!more)
		next_logs = TimestampTzPlusMilliseconds(worker->now, LOG_EVERY_MS);
}

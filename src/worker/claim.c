/*
 * claim.c
 *		Taking rows from the queue.
 *
 * One statement takes rows for many connections.  Each is read from a cursor:
 * rows up to it are attached to jobs already.  Since ids are drawn before
 * commit, a row may appear below a cursor; so a cursor never passes the
 * *horizon*, below which every transaction that drew an id has ended.  Rows
 * between horizon and cursor are met again and recognised.
 *
 * Not here: what a row refers to (read.c).
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "worker/worker.h"

/*
 * Rows that a connection looks at, of each priority: two for each lead that it
 * has room for, since one lead may have several, and the end of the queue is to
 * be seen with its last lead.  Where the first so many are all of leads in work,
 * twice as many the next time.
 */
#define WINDOW_MIN 2
#define WINDOW_MAX 256

/*
 * Connections looked at in one transaction.  After a start that may be all of
 * them, and what is read of them is memory.
 */
#define CLAIM_MAX_CONNECTIONS 1000

/* For the horizon, and whether the rows are another database's: see main.c. */
static Statement select_horizon = {
	.sql = "SELECT s.last_value,"
	" pg_catalog.pg_snapshot_xmin(c)::pg_catalog.text::pg_catalog.int8,"
	" pg_catalog.pg_snapshot_xmax(c)::pg_catalog.text::pg_catalog.int8,"
	" " INSTANCE_IS_ANOTHERS
	" FROM @schema@.crm_sync_queue_id_seq s, pg_catalog.pg_current_snapshot() c",
	.nargs = 2,
	.argtypes = {INT8OID, OIDOID}
};

/*
 * Those that are not as they were read: most are, each time.  A credential that
 * changes has its connection's row changed with it; only we refresh tokens.
 */
static Statement select_connections = {
	.sql = "SELECT k.id, i.xmin, i.user_id, i.crm_type, i.status, i.status_reason,"
	" i.updated_at, i.settings, i.crm_account, i.consecutive_failures,"
	" i.not_before, c.xmin, i.credential_kind, c.sealed, c.expires_at"
	" FROM unnest($1, $2) AS k(id, xmin)"
	" LEFT JOIN @schema@.crm_integrations i ON i.id = k.id"
	" LEFT JOIN @schema@.crm_credentials c ON c.integration_id = i.id"
	" WHERE i.id IS NULL OR i.xmin <> k.xmin",
	.nargs = 2,
	.argtypes = {UUIDARRAYOID, XIDARRAYOID}
};

static Statement select_rows = {
	.sql = "SELECT c.id, q.priority, q.id, q.lead_id, q.source_id, q.sync_type, q.run_id,"
	" q.queued_at, q.snapshot, q.ctid"
	" FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS c(id, live, backfill, n_live, n_backfill, ord),"
	" LATERAL (("
	" SELECT l.ctid, l.* FROM @schema@.crm_sync_queue l WHERE l.integration_id = c.id"
	" AND l.priority = 0 AND l.id > c.live ORDER BY l.id LIMIT c.n_live"
	") UNION ALL ("
	" SELECT b.ctid, b.* FROM @schema@.crm_sync_queue b WHERE b.integration_id = c.id"
	" AND b.priority = 1 AND b.id > c.backfill ORDER BY b.id LIMIT c.n_backfill"
	")) q ORDER BY c.ord, q.priority, q.id",
	.nargs = 5,
	.argtypes = {UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID}
};

static Statement delete_orphans = {
	.sql = "WITH gone AS ("
	" DELETE FROM @schema@.crm_sync_queue q WHERE q.integration_id = $1"
	" RETURNING q.integration_id, q.user_id, q.lead_id, q.sync_type, q.queued_at"
	") INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, queued_at)"
	" SELECT DISTINCT ON (g.lead_id) g.integration_id, g.user_id, COALESCE(d.crm_type, 'unknown'),"
	" g.lead_id, g.sync_type, 'none', 'skipped', 'disconnected', g.queued_at"
	" FROM gone g LEFT JOIN @schema@.crm_disconnected d ON d.id = g.integration_id",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

/*
 * The connections that may send and have rows, and those that wait for their
 * key to come back.  Any other costs nothing, whatever its backlog: who resumes
 * it wakes us.
 */
static Statement select_discover = {
	.sql = "SELECT i.id FROM @schema@.crm_integrations i"
	" WHERE (i.status = 'active' OR i.status_reason IN ('crm_unreachable', 'credential_unreadable'))"
	" AND EXISTS (SELECT FROM @schema@.crm_sync_queue q WHERE q.integration_id = i.id)",
	.nargs = 0
};

static void
discover_body(void *arg)
{
	statement_execute(&select_discover, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		pg_uuid_t  *id = DatumGetUUIDP(spi_datum(i, 1, &isnull));
		Connection *connection;

		if (shared_owner_index(id, worker->n_workers) != worker->index)
			continue;
		connection = connection_get(id);
		connection->stale = true;
		connection_expect_rows(connection);
		connection->cursor[0] = connection->cursor[1] = 0;
		connection_ready(connection);
	}
}

void
claim_discover(void)
{
	(void) worker_transaction("echosync: looking for queued leads", discover_body, NULL);
}

/*
 * See the file header.  The candidate was read in an earlier transaction.
 * False if nothing may be taken, since this is a copy of another database.
 */
static bool
move_horizon(void)
{
	Datum		values[2];
	uint64		xmin;

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	statement_execute(&select_horizon, values, NULL, false, 0);
	if (spi_bool(0, 4))
	{
		instance_lost();
		return false;
	}
	xmin = spi_int64(0, 2, 0);
	if (worker->horizon_candidate > 0 && xmin >= worker->horizon_xmax)
	{
		worker->horizon = Max(worker->horizon, worker->horizon_candidate);
		worker->horizon_candidate = 0;
	}
	if (worker->horizon_candidate < 0)
	{
		worker->horizon_candidate = -worker->horizon_candidate;
		worker->horizon_xmax = spi_int64(0, 3, 0);
	}
	else if (worker->horizon_candidate == 0)
		worker->horizon_candidate = -spi_int64(0, 1, 0);
	return true;
}

static void
take_row(Connection *connection, uint64 i)
{
	bool		isnull;
	ConnectionRow row = {
		.xmin = DatumGetTransactionId(spi_datum(i, 2, &isnull)),
		.user_id = spi_text(i, 3),
		.crm_type = spi_text(i, 4),
		.status = spi_text(i, 5),
		.status_reason = spi_text(i, 6),
		.updated_at = spi_timestamptz(i, 7),
		.settings = DatumGetJsonbP(spi_datum(i, 8, &isnull)),
		.account = spi_text(i, 9),
		.consecutive_failures = DatumGetInt32(spi_datum(i, 10, &isnull)),
		.not_before = spi_timestamptz(i, 11),
		.credential_xmin = DatumGetTransactionId(spi_datum(i, 12, &isnull)),
		.credential_kind = spi_text(i, 13),
		.sealed = spi_text(i, 14),
		.expires_at = spi_timestamptz(i, 15)
	};

	connection_set_row(connection, &row);
}

static void
load_connections(List *connections)
{
	RowSet	   *known = rowset_make(2, (Oid[]) {UUIDOID, XIDOID});
	Datum		values[2];
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		rowset_row(known);
		rowset_uuid(known, connection->id.data);
		rowset_xid(known, connection->stale ? InvalidTransactionId : connection->row_xmin);
	}
	values[0] = rowset_array(known, 0);
	values[1] = rowset_array(known, 1);
	statement_execute(&select_connections, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		missing;
		Connection *connection = connection_get(DatumGetUUIDP(spi_datum(i, 1, &missing)));

		(void) spi_datum(i, 2, &missing);
		if (!missing)
			take_row(connection, i);
		else
		{
			connection->missing = true;
			connection->stale = false;
			connection->row_xmin = InvalidTransactionId;
		}
	}
}

static void
load_body(void *arg)
{
	load_connections(list_make1(arg));
}

bool
claim_load(Connection *connection)
{
	return worker_transaction("echosync: reading a connection", load_body, connection) &&
		!connection->missing;
}

static Job *
attach_job(Connection *connection, uint64 i)
{
	Job		   *job = job_make(JOB_LEAD, connection);
	MemoryContext caller = MemoryContextSwitchTo(job->context);

	job->lead_id = spi_text(i, 4);
	job->sync_type = spi_text(i, 6);
	MemoryContextSwitchTo(caller);
	job_set_state(job, JOB_STATE_READ);
	worker_list_append(&worker->to_read, job);
	return job;
}

/*
 * The newest snapshot is the lead as it is now.  One that failed before and is
 * retried is older than any that a webhook has brought since.
 */
static void
take_snapshot(Job *job, uint64 i)
{
	bool		isnull;
	Datum		snapshot = spi_datum(i, 9, &isnull);
	int64		age = strcmp(spi_text(i, 6), "retry") == 0 ? 0 : spi_int64(i, 3, 0);
	MemoryContext caller;

	if (isnull || (job->snapshot != NULL && age < job->snapshot_age))
		return;
	if (job->snapshot != NULL)
		pfree(job->snapshot);
	caller = MemoryContextSwitchTo(job->context);
	job->snapshot = DatumGetJsonbPCopy(snapshot);
	job->snapshot_age = age;
	MemoryContextSwitchTo(caller);
}

/*
 * Attach one row; false when it must stay where it is: a lead in work is not
 * joined by a later change, and there may be no room for another lead.
 */
static bool
attach_row(Connection *connection, uint64 i)
{
	bool		isnull;
	QueueRow	row;
	int			source_id = DatumGetInt32(spi_datum(i, 5, &isnull));
	Job		   *job = job_find_lead(connection, spi_text(i, 4), source_id);
	TimestampTz queued_at = DatumGetTimestampTz(spi_datum(i, 8, &isnull));
	bool		by_hand;

	row.priority = DatumGetInt16(spi_datum(i, 2, &(bool) {false}));
	row.id = spi_int64(i, 3, 0);
	row.run_id = spi_int64(i, 7, 0);
	row.place = *(ItemPointer) DatumGetPointer(spi_datum(i, 10, &isnull));
	if (job != NULL && job_has_row(job, row.priority, row.id))
		return true;
	if (job != NULL && job->state != JOB_STATE_HELD && job->state != JOB_STATE_READ)
		return false;
	if (job == NULL)
	{
		if (connection->n_active >= connection->max_active ||
			connection->n_held >= CONNECTION_MAX_HELD)
			return false;
		job = attach_job(connection, i);
		job->queued_at = queued_at;
		job->source_id = source_id;
	}
	by_hand = strcmp(spi_text(i, 6), "manual") == 0 || strcmp(spi_text(i, 6), "retry") == 0;
	job->session.requested_by_hand |= by_hand;
	if (!by_hand)
		job->newest_queued_at = Max(job->newest_queued_at, queued_at);
	take_snapshot(job, i);
	job_add_row(job, &row);
	return true;
}

static void
attach_rows(void)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Connection *connection = connection_get(DatumGetUUIDP(spi_datum(i, 1, &isnull)));
		int			priority = DatumGetInt16(spi_datum(i, 2, &isnull)) == 0 ? 0 : 1;
		int64		id = spi_int64(i, 3, 0);

		Assert(connection != NULL);
		connection->n_met[priority]++;
		connection->maybe_work = true;	/* until a claim finds nothing */
		if (!attach_row(connection, i))
			connection->left_behind[priority] = true;
		else if (!connection->left_behind[priority] && id <= worker->horizon)
			connection->cursor[priority] = Max(connection->cursor[priority], id);
	}
}

/* What is asked for this connection, beside the rows that it has. */
static int
rows_wanted(Connection *connection)
{
	int			n_free = connection->max_active - connection->n_active;

	return Max(Max(connection->window, WINDOW_MIN), 2 * n_free) + connection->n_rows;
}

/*
 * Where all rows were met and are attached, there is nothing to look for until
 * somebody queues.  A window that was full and brought no lead is widened, so
 * that a lead that changes again and again while it is in work keeps no other
 * one waiting.
 */
static void
note_what_was_seen(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);
		bool		full = connection->n_asked > 0 &&
			Max(connection->n_met[0], connection->n_met[1]) >= connection->n_asked;
		bool		widen = full && connection->n_active == connection->n_before &&
			connection->n_active < connection->max_active &&
			connection->n_held < CONNECTION_MAX_HELD && connection->window < WINDOW_MAX;

		for (int i = 0; i < 2 && connection->n_asked > 0; i++)
			connection->seen_all[i] |= connection->n_met[i] < connection->n_asked &&
				!connection->left_behind[i];
		connection->window = widen ? 2 * Max(connection->window, WINDOW_MIN) : 0;
		connection->n_asked = 0;
		if (widen)
			connection_ready(connection);
	}
}

static void
select_claims(List *connections)
{
	RowSet	   *claims = rowset_make(5, (Oid[]) {UUIDOID, INT8OID, INT8OID, INT4OID, INT4OID});
	Datum		values[5];
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		connection->n_asked = 0;
		connection->maybe_work = connection->reload_blocked;
		if (!connection_may_send(connection) || connection->reload_blocked)
			continue;
		if (!connection->may_start)
		{
			connection->maybe_work = true;	/* its row was loaded, no more */
			connection_ready(connection);
			continue;
		}
		places_start(connection);
		connection->n_before = connection->n_active;
		connection->n_asked = rows_wanted(connection);
		connection->n_met[0] = connection->n_met[1] = 0;
		connection->left_behind[0] = connection->left_behind[1] = false;
		rowset_row(claims);
		rowset_uuid(claims, connection->id.data);
		rowset_int8(claims, connection->cursor[0]);
		rowset_int8(claims, connection->cursor[1]);
		rowset_int4(claims, connection->seen_all[0] ? 0 : connection->n_asked);
		rowset_int4(claims, connection->seen_all[1] ? 0 : connection->n_asked);
	}
	if (claims->n_rows == 0)
	{
		SPI_processed = 0;
		return;
	}
	for (int i = 0; i < 5; i++)
		values[i] = rowset_array(claims, i);
	statement_execute(&select_rows, values, NULL, false, 0);
}

/*
 * Rows of a connection that is gone: queued by a transaction that began before
 * the disconnect and committed after it.  What waits in memory goes with them.
 */
static void
drop_orphans(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);
		Datum		id = UUIDPGetDatum(&connection->id);

		if (!connection->missing)
			continue;
		statement_execute(&delete_orphans, &id, NULL, false, 0);
		connection_release_jobs(connection);
		connection->maybe_work = false;
	}
}

static void
claim_body(void *arg)
{
	List	   *connections = arg;

	if (!move_horizon())
		return;
	load_connections(connections);
	drop_orphans(connections);
	count_before_claim(connections);
	select_claims(connections);
	attach_rows();
	note_what_was_seen(connections);
	count_after_claim(connections);
}

/*
 * Undo a claim that failed half-way: its jobs have not begun, their rows are
 * where they were.
 */
static void
claim_forget(List *connections)
{
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		connections = list_append_unique_ptr(connections, job->connection);
		job_free(job);
	}
	list_free(worker->to_read);
	worker->to_read = NIL;
	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		connection->cursor[0] = connection->cursor[1] = 0;
		connection_expect_rows(connection);
		connection_wake_at(connection, TimestampTzPlusMilliseconds(worker->now, 1000));
	}
}

static void
claim_some(List *connections)
{
	if (worker_transaction("echosync: taking queued leads", claim_body, connections))
		return;
	check_after_error();
	claim_forget(connections);
}

void
claim_work(List *connections)
{
	List	   *some = NIL;
	ListCell   *lc;

	foreach(lc, connections)
	{
		some = lappend(some, lfirst(lc));
		if (list_length(some) < CLAIM_MAX_CONNECTIONS && lnext(connections, lc) != NULL)
			continue;
		claim_some(some);
		some = NIL;
	}
}

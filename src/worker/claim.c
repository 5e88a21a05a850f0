/*
 * claim.c
 *		Taking rows from the queue.
 *
 * One transaction takes rows for many connections.  Each is read from a cursor:
 * rows up to it are attached to jobs already.  Since ids are drawn before
 * commit, a row may appear below a cursor; so a cursor never passes the
 * *horizon*, below which every transaction that drew an id has ended.  Rows
 * between horizon and cursor are met again and recognised.  Rows of a lead in
 * work are passed, and the cursor comes back to them when it rests (job.c).
 *
 * Not here: what a row refers to (read.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "db/disconnected.h"
#include "db/instance.h"
#include "db/queue_next.h"
#include "pg_compat.h"
#include "worker/worker.h"

/*
 * Rows that a connection looks at, of each priority: two for each lead that it
 * has room for, since one lead may have several, and the end of the queue is to
 * be seen with its last lead.  Where the first so many are all of leads in work,
 * and the cursor cannot pass them yet, twice as many the next time.
 */
#define WINDOW_MIN 2
#define WINDOW_MAX 4096

/*
 * Connections looked at in one transaction.  After a start that may be all of
 * them, and what is read of them is memory.
 */
#define CLAIM_MAX_CONNECTIONS 1000

static Statement select_connections = {
	.sql = "SELECT k.id, i.xmin, i.user_id, i.crm_type, i.status, i.status_reason,"
	" i.updated_at, i.settings, i.crm_account, i.consecutive_failures,"
	" i.not_before, c.xmin, i.credential_kind, c.sealed, c.expires_at, i.connected_at, c.instance,"
	" EXISTS (SELECT FROM @schema@.crm_sync_gaps)"
	" FROM unnest($1) AS k(id)"
	" LEFT JOIN @schema@.crm_integrations i ON i.id = k.id"
	" LEFT JOIN @schema@.crm_credentials c ON c.integration_id = i.id",
	.nargs = 1,
	.argtypes = {UUIDARRAYOID}
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
		connection_start_over(connection);
		connection_ready(connection);
	}
}

void
claim_discover(void)
{
	(void) worker_transaction("echosync: looking for queued leads", discover_body, NULL);
}

/* The id that was drawn last; 0 before the first. */
static int64
newest_queue_id(void)
{
	LOCAL_FCINFO(call, 1);
	Datum		id;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(get_relname_relid("crm_sync_queue_id_seq", db_schema_oid()));
	call->args[0].isnull = false;
	id = pg_sequence_last_value(call);
	return call->isnull ? 0 : DatumGetInt64(id);
}

uint64
snapshot_end(PGFunction end, Datum snapshot)
{
	return U64FromFullTransactionId(DatumGetFullTransactionId(DirectFunctionCall1(end, snapshot)));
}

/* See the file header.  The candidate was read in an earlier transaction. */
static void
move_horizon(void)
{
	Datum		snapshot = DirectFunctionCall1(pg_current_snapshot, (Datum) 0);
	uint64		xmin = snapshot_end(pg_snapshot_xmin, snapshot);

	if (worker->horizon_candidate > 0 && xmin >= worker->horizon_xmax)
	{
		worker->horizon = Max(worker->horizon, worker->horizon_candidate);
		worker->horizon_candidate = 0;
	}
	if (worker->horizon_candidate < 0)
	{
		worker->horizon_candidate = -worker->horizon_candidate;
		worker->horizon_xmax = snapshot_end(pg_snapshot_xmax, snapshot);
	}
	else if (worker->horizon_candidate == 0)
		worker->horizon_candidate = -newest_queue_id();
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
		.expires_at = spi_timestamptz(i, 15),
		.connected_at = spi_timestamptz(i, 16)
	};

	connection_set_row(connection, &row);
}

/* xmin of the row with this primary key; 0: none. */
static TransactionId
row_version(Relation rel, const char *key_column, const pg_uuid_t *key)
{
	TransactionId version = InvalidTransactionId;
	ScanKeyData condition;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&condition, SPI_fnumber(RelationGetDescr(rel), key_column), BTEqualStrategyNumber,
				F_UUID_EQ, UUIDPGetDatum(key));
	scan = systable_beginscan(rel, compat_primary_key(rel), true, GetActiveSnapshot(), 1, &condition);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		version = HeapTupleHeaderGetRawXmin(row->t_data);
	systable_endscan(scan);
	return version;
}

/*
 * The rows that are not as they were read: most are, each time, which is seen
 * without a statement.  A credential that changes has its connection's row
 * changed with it, but for a superuser's doing; only we refresh tokens.
 */
static RowSet *
changed_connections(List *connections)
{
	RowSet	   *changed = rowset_make(1, (Oid[]) {UUIDOID});
	Relation	integrations = db_table_open("crm_integrations", AccessShareLock);
	Relation	credentials = db_table_open("crm_credentials", AccessShareLock);
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		if (connection->row_xmin != InvalidTransactionId &&
			connection->row_xmin == row_version(integrations, "id", &connection->id) &&
			(!connection->stale ||
			 connection->credential_xmin == row_version(credentials, "integration_id", &connection->id)))
		{
			connection->stale = false;
			continue;
		}
		rowset_row(changed);
		rowset_uuid(changed, connection->id.data);
	}
	table_close(credentials, NoLock);
	table_close(integrations, NoLock);
	return changed;
}

/* Of a row of select_connections. */
static bool
is_anothers(uint64 i)
{
	return spi_text(i, 14) != NULL && !instance_is_ours(spi_text(i, 17));
}

/* False: one is another database's, and is not taken over. */
static bool
load_connections(List *connections)
{
	RowSet	   *changed = changed_connections(connections);

	if (changed->n_rows == 0)
		return true;
	rowset_execute(changed, &select_connections);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		missing;
		Connection *connection = connection_get(DatumGetUUIDP(spi_datum(i, 1, &missing)));

		(void) spi_datum(i, 2, &missing);
		if (!missing && is_anothers(i))
			return false;
		if (spi_bool(i, 18))
			gaps_expect();		/* it may have begun to sync */
		if (!missing)
			take_row(connection, i);
		else
		{
			connection->missing = true;
			connection->stale = false;
			connection->row_xmin = InvalidTransactionId;
		}
	}
	return true;
}

static void
load_body(void *arg)
{
	if (!load_connections(list_make1(arg)))
		instance_lost();
}

bool
claim_load(Connection *connection)
{
	return worker_transaction("echosync: reading a connection", load_body, connection) &&
		worker->may_send && !connection->missing;
}

static Job *
attach_job(Connection *connection, const QueueNext *row)
{
	Job		   *job = job_make(JOB_LEAD, connection);

	job->session.task = CRM_TASK_SYNC;
	job->lead_id = job->queue_lead = MemoryContextStrdup(job->context, row->lead_id);
	job->sync_type = MemoryContextStrdup(job->context, row->sync_type);
	job->queued_at = row->queued_at;
	job->queue_source = job->source_id = row->source_id;
	job_set_state(job, JOB_STATE_READ);
	return job;
}

/*
 * The newest snapshot is the lead as it is now.  One that failed before and is
 * retried is older than any that a webhook has brought since.
 */
static void
take_snapshot(Job *job, const QueueNext *row)
{
	int64		age = strcmp(row->sync_type, "retry") == 0 ? 0 : row->id;
	MemoryContext caller;

	if (row->snapshot == (Datum) 0 || (job->snapshot != NULL && age < job->snapshot_age))
		return;
	if (job->snapshot != NULL)
		pfree(job->snapshot);
	caller = MemoryContextSwitchTo(job->context);
	job->snapshot = DatumGetJsonbPCopy(row->snapshot);
	MemoryContextSwitchTo(caller);
	job->snapshot_age = age;
}

/* What becomes of a row that was met. */
typedef enum Meeting
{
	ROW_ATTACHED,
	ROW_OF_LEAD_IN_WORK,		/* a later change does not join it */
	ROW_WITHOUT_ROOM			/* for another lead */
} Meeting;

static bool
has_room(const Connection *connection)
{
	return connection->n_active < connection->max_active &&
		connection->n_held < CONNECTION_MAX_HELD && connection_knows_account(connection);
}

/* The cursor comes back to the first of these when the job rests. */
static void
note_passed(Job *job, const QueueNext *row)
{
	int64	   *first = &job->passed[row->priority];

	*first = *first == 0 ? row->id : Min(*first, row->id);
}

static Meeting
attach_row(Connection *connection, const QueueNext *row)
{
	Job		   *job = job_find_lead(connection, row->lead_id, row->source_id);
	QueueRow	attached = {row->priority, row->id, row->run_id, row->place};
	bool		by_hand;

	if (job != NULL && job_has_row(job, row->priority, row->id))
		return ROW_ATTACHED;
	if (job != NULL && job->state != JOB_STATE_HELD && job->state != JOB_STATE_READ)
	{
		note_passed(job, row);
		return ROW_OF_LEAD_IN_WORK;
	}
	if (job == NULL)
	{
		if (!has_room(connection))
			return ROW_WITHOUT_ROOM;
		job = attach_job(connection, row);
	}
	by_hand = strcmp(row->sync_type, "manual") == 0 || strcmp(row->sync_type, "retry") == 0;
	job->session.requested_by_hand |= by_hand;
	if (!by_hand)
		job->newest_queued_at = Max(job->newest_queued_at, row->queued_at);
	take_snapshot(job, row);
	job_add_row(job, &attached);
	return ROW_ATTACHED;
}

/* For queue_reader_read. */
static void
meet_row(const QueueNext *row, void *arg)
{
	Connection *connection = arg;
	int			priority = row->priority;

	connection->used_at = worker->now;
	connection->n_met[priority]++;
	connection->maybe_work = true;	/* until a claim finds nothing */
	if (attach_row(connection, row) == ROW_WITHOUT_ROOM)
		connection->left_behind[priority] = true;
	else if (!connection->left_behind[priority] && row->id <= worker->horizon)
		connection->cursor[priority] = Max(connection->cursor[priority], row->id);
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
			has_room(connection) && connection->window < WINDOW_MAX;

		for (int i = 0; i < 2 && connection->n_asked > 0; i++)
			connection->seen_all[i] |= connection->n_met[i] < connection->n_asked &&
				!connection->left_behind[i];
		if (connection->n_asked > 0 && connection->n_met[0] + connection->n_met[1] > 0 &&
			!connection_knows_account(connection))
			account_ask(connection);
		connection->window = widen ? 2 * Max(connection->window, WINDOW_MIN) : 0;
		connection->n_asked = 0;
		if (widen)
			connection_ready(connection);
	}
}

/*
 * May rows be taken for this connection, and how many?  Asked again now that its
 * row is loaded, which is no reason to take any.
 */
static bool
prepare_claim(Connection *connection)
{
	bool		may_start = connection->may_start;

	connection->n_asked = 0;
	connection->may_start = false;
	if (!connection_may_send(connection) && !connection->reload_blocked)
		connection->maybe_work = false;
	if (!connection_wants_leads(connection))
		return false;
	if (!may_start)
	{
		connection_ready(connection);	/* its row was loaded, no more */
		return false;
	}
	places_start(connection);
	connection->maybe_work = false; /* unless rows are met */
	connection->n_before = connection->n_active;
	connection->n_asked = rows_wanted(connection);
	connection->n_met[0] = connection->n_met[1] = 0;
	connection->left_behind[0] = connection->left_behind[1] = false;
	return true;
}

static void
take_rows(List *connections)
{
	QueueReader *reader = queue_reader_open();
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		if (!prepare_claim(connection))
			continue;
		for (int priority = 0; priority < 2; priority++)
		{
			if (!connection->seen_all[priority])
				queue_reader_read(reader, &connection->id, priority, connection->cursor[priority],
								  connection->n_asked, meet_row, connection);
		}
	}
	queue_reader_close(reader);
}

/*
 * What is left of connections that are gone.  What waits in memory goes with it;
 * a long queue is cancelled in several turns.
 */
static void
drop_orphans(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		if (!connection->missing)
			continue;
		connection_release_jobs(connection, true);
		connection->maybe_work = false;
		connection->stale = disconnected_cancel(&connection->id);
		if (connection->stale)
			connection_ready(connection);
	}
}

static void
claim_body(void *arg)
{
	List	   *connections = arg;

	if (instance_is_anothers() || !load_connections(connections))
	{
		instance_lost();
		return;
	}
	move_horizon();
	drop_orphans(connections);
	count_before_claim(connections);
	take_rows(connections);
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

	foreach(lc, jobs_in(JOB_STATE_READ))
	{
		Job		   *job = lfirst(lc);

		connections = list_append_unique_ptr(connections, job->connection);
		job_free(job);
	}
	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		connection_start_over(connection);
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

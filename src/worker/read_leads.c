/*
 * read_leads.c
 *		Reading leads from the application's tables, or from their snapshots.
 *
 * Leads are read as they are now, as the owner of their table in a
 * security-restricted operation, one transaction a table, and never waiting
 * for a lock: a table that somebody is altering is tried again.
 *
 * A webhook's lead is what the attached tables have of it.  Its snapshot counts
 * only when each of them has said that it has no such row of this user.
 *
 * Not here: what is done with a lead that was read (read.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/snapmgr.h"

#include "db/lead_rows.h"
#include "db/queue_find.h"
#include "worker/read_guard.h"
#include "worker/worker.h"

#define READ_BUSY_MS 500
#define READ_RETRY_MS 10000
#define PACES 64
#define PACE_FROM_US 100000
#define PACE_SHARE 3			/* times as long as a reading took it rests */
#define RENEW_MAX_ENTRIES 10000
#define LEAD_STATEMENTS 16		/* plans that are kept */

static Statement select_source = {
	.sql = "SELECT s.relation::pg_catalog.oid, s.mapping, s.id_type, s.retired FROM @schema@.crm_lead_sources s"
	" WHERE s.id = $1 AND (s.attached OR s.retired AND EXISTS (SELECT FROM @schema@.crm_lead_sources a"
	" WHERE a.relation = s.relation AND a.attached))",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static Statement select_sources = {
	.sql = "SELECT s.id FROM @schema@.crm_lead_sources s WHERE s.attached ORDER BY s.id",
	.nargs = 0
};

static Statement select_snapshots = {
	.sql = "SELECT q.lead_id, q.id, q.snapshot FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id = $1 AND q.priority = 0 AND q.id = ANY ($2)"
	" AND q.snapshot IS NOT NULL AND q.sync_type <> 'retry' ORDER BY q.id",
	.nargs = 2,
	.argtypes = {UUIDOID, INT8ARRAYOID}
};

/* One source and its jobs, for read_body. */
typedef struct ReadBatch
{
	int			source_id;
	List	   *jobs;
	bool		resolves;		/* does the table have these leads of webhooks? */
	char	   *id_type;		/* that its leads were written down with; NULL: by 1.0 */
	bool		respelled;		/* ... and in other spellings, maybe */
	bool		gone;			/* no such source */
	bool		busy;			/* its table is locked */
} ReadBatch;

/* Is the lead of this job to be read? */
static bool
awaits_lead(const Job *job)
{
	return job->state == JOB_STATE_READ ? job->session.lead == NULL :
		job->state == JOB_STATE_CHECK && job->seen == NULL;
}

static List *
jobs_of_source(List *all, int source_id)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	foreach(lc, all)
	{
		Job		   *job = lfirst(lc);

		if (awaits_lead(job) && job->source_id == source_id)
			jobs = lappend(jobs, job);
	}
	return jobs;
}

static void
set_lead(Job *job, Jsonb *object, bool only_look)
{
	MemoryContext caller = MemoryContextSwitchTo(only_look ? worker->turn : job->session.context);
	CrmLead    *lead = lead_from_jsonb(object);

	if (only_look)
		job->seen = lead;
	else
		job->session.lead = lead;
	MemoryContextSwitchTo(caller);
}

/* A row of the table: the lead has the id and the user that the row has. */
static void
set_lead_of_row(Job *job, LeadQuery *query, uint64 row, bool only_look)
{
	MemoryContext context = only_look ? worker->turn : job->session.context;
	CrmLead    *lead;

	set_lead(job, lead_query_object(query, row), only_look);
	lead = only_look ? job->seen : job->session.lead;
	lead->id = MemoryContextStrdup(context, spi_text(row, LEAD_ROW_ID));
	lead->user_id = MemoryContextStrdup(context, spi_text(row, LEAD_ROW_USER));
}

/*
 * The plan that reads leads of a source, kept while the text is the same: most
 * groups are a few leads, and planning costs as much as reading them.  Made and
 * run with the rights of the table's owner alone.
 */
static TextStatement *
lead_statement(int source_id)
{
	static TextStatement statements[LEAD_STATEMENTS];

	return &statements[source_id % LEAD_STATEMENTS];
}

static void
query_leads(const ReadBatch *batch, LeadQuery *query, const LeadColumns *columns, Oid relation)
{
	int			n = list_length(batch->jobs);
	char	  **users = palloc(sizeof(char *) * n);
	char	  **ids = palloc(sizeof(char *) * n);
	ListCell   *lc;

	foreach(lc, batch->jobs)
	{
		const Job  *job = lfirst(lc);

		users[foreach_current_index(lc)] = job->connection->user_id;
		ids[foreach_current_index(lc)] = job->lead_id;
	}
	lead_query(query, columns, relation, users, ids, n);
}

/* Of rows with equal ids the one with just this text counts. */
static bool
has_exact_row(const Job *job, bool only_look)
{
	const CrmLead *lead = only_look ? job->seen : job->session.lead;

	return lead != NULL && strcmp(lead->id, job->lead_id) == 0;
}

static void
take_rows(const ReadBatch *batch, LeadQuery *query)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		number = spi_int64(i, LEAD_ROW_NUMBER, 1);
		Job		   *job = list_nth(batch->jobs, query->asked[number - 1]);
		bool		only_look = batch->resolves || job->state == JOB_STATE_CHECK;
		const char *id = spi_text(i, LEAD_ROW_ID);

		if (id != NULL && (strcmp(id, job->lead_id) == 0 || !has_exact_row(job, only_look)) &&
			lead_query_is_of(query, spi_text(i, LEAD_ROW_USER), job->connection->user_id))
			set_lead_of_row(job, query, i, only_look);
	}
}

/* Run the application's side: its table, its types, its rights. */
static void
read_leads(ReadBatch *batch, const LeadColumns *columns, Oid relation, Oid owner)
{
	SavedUser	saved;
	LeadQuery	query;

	read_guard_begin(batch->source_id, owner, &saved);
	query_leads(batch, &query, columns, relation);
	batch->respelled = lead_key_may_be_respelled(&query.id, batch->id_type);
	if (query.n > 0)
	{
		statement_execute_text(lead_statement(batch->source_id), query.sql, query.nargs, query.types,
							   query.values);
		take_rows(batch, &query);
	}
	read_guard_end(&saved);
}

static void
read_body(void *arg)
{
	ReadBatch  *batch = arg;
	Datum		id = Int32GetDatum(batch->source_id);
	LeadColumns *columns;
	Oid			relation,
				owner;
	TableLock	lock;
	bool		retired;
	bool		isnull;

	statement_execute(&select_source, &id, NULL, false, 1);
	if (SPI_processed == 0)
	{
		batch->gone = true;
		return;
	}
	relation = DatumGetObjectId(spi_datum(0, 1, &isnull));
	columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(0, 2, &isnull)));
	batch->id_type = spi_text(0, 3);
	retired = spi_bool(0, 4);
	lock = read_guard_lock(relation, &owner);
	batch->busy = lock == TABLE_BUSY;
	batch->gone = lock == TABLE_GONE;
	if (lock != TABLE_LOCKED)
		return;

	/* Nobody attaches it by that column again; what is in use may be. */
	batch->gone = retired && !lead_key_exists(columns, relation, LEAD_FIELD_ID);
	if (!batch->gone)
	{
		PopActiveSnapshot();	/* one taken after the lock */
		PushActiveSnapshot(GetTransactionSnapshot());
		read_leads(batch, columns, relation, owner);
	}
}

/*
 * Is this an error that other rows of the table need not have: a value that
 * its type refuses, a function of the table's owner that raised, a damaged
 * page?  A table that is not as it was mapped, and what the server is short
 * of, is nobody's row.
 */
static bool
error_is_of_a_row(int code)
{
	switch (ERRCODE_TO_CATEGORY(code))
	{
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return false;
		default:
			return true;
	}
}

/* It fails like one that the CRM has trouble with: tried again, then given up. */
static void
job_unreadable(Job *job)
{
	MemoryContext caller = MemoryContextSwitchTo(job->context);

	crm_fail(&job->session, CRM_ERROR_LEAD_RETRY, "lead_unreadable",
			 psprintf("The lead could not be read from its table (SQLSTATE %s).",
					  unpack_sql_state(worker->error_code)));
	MemoryContextSwitchTo(caller);
	job_finish(job);
}

/* The lead is known by the text that its row has. */
static void
job_rename(Job *job, const char *lead_id)
{
	if (strcmp(job->lead_id, lead_id) != 0)
		job->lead_id = MemoryContextStrdup(job->context, lead_id);
}

/* Has this table the lead of a webhook? */
static void
settle_resolved(const ReadBatch *batch, Job *job, bool ok)
{
	if ((!ok || batch->busy) && !batch->gone)
		job->unsure_ms = Max(job->unsure_ms, ok ? READ_BUSY_MS : READ_RETRY_MS);
	else if (job->seen != NULL)
	{
		job->source_id = batch->source_id;
		job_rename(job, job->seen->id);
	}
	job->seen = NULL;
}

/*
 * A row may have another text for the id than the queue: then what is known of
 * the lead is looked up by that, in the next turn.
 */
static void
settle_read(const ReadBatch *batch, Job *job, bool ok)
{
	CrmLead    *lead = job->state == JOB_STATE_CHECK ? job->seen : job->session.lead;

	if ((!ok || batch->busy) && !batch->gone)
		job_hold(job, TimestampTzPlusMilliseconds(worker->now, ok ? READ_BUSY_MS : READ_RETRY_MS));
	else if (lead == NULL)
		job_refuse(job, REFUSAL_LEAD_DELETED);
	else if (job->state == JOB_STATE_READ && strcmp(lead->id, job->lead_id) != 0)
	{
		job_rename(job, lead->id);
		job_hold(job, worker->now);
	}
	else
		job->respelled = batch->respelled;
}

/* What has been read, or not, of leads of one source. */
static void
settle_batch(const ReadBatch *batch, bool ok)
{
	ListCell   *lc;

	foreach(lc, batch->jobs)
	{
		if (batch->resolves)
			settle_resolved(batch, lfirst(lc), ok);
		else
			settle_read(batch, lfirst(lc), ok);
	}
}

/*
 * Read leads of one source, all at once.  If one cannot be read, or all are
 * too much for the memory there is, the others must not wait for it: each half
 * is tried, down to the one, but not for so long that other tables' leads wait.
 */
static void
read_jobs(int source_id, List *jobs, bool resolves, TimestampTz deadline)
{
	ReadBatch	batch = {.source_id = source_id, .jobs = jobs, .resolves = resolves};
	bool		ok = worker_transaction("echosync: reading leads", read_body, &batch);
	int			half = list_length(jobs) / 2;

	read_guard_over();
	if (!ok && !batch.gone && half > 0 && GetCurrentTimestamp() < deadline &&
		(error_is_of_a_row(worker->error_code) || worker->error_code == ERRCODE_OUT_OF_MEMORY))
	{
		read_jobs(source_id, list_copy_head(jobs, half), resolves, deadline);
		read_jobs(source_id, list_copy_tail(jobs, half), resolves, deadline);
	}
	else if (!ok && !batch.gone && !resolves && half == 0 && error_is_of_a_row(worker->error_code))
		job_unreadable(linitial(jobs));
	else
		settle_batch(&batch, ok);
}

/* A table that takes long to read: not again before. */
typedef struct Pace
{
	int			source_id;
	TimestampTz until;
} Pace;

static Pace paces[PACES];

static TimestampTz
paced_until(int source_id)
{
	const Pace *pace = &paces[source_id % PACES];

	return pace->source_id == source_id ? clock_plausible(pace->until, PACE_SHARE * 2 * READ_TIMEOUT_MS) : 0;
}

/* Its leads come together, then, and the others have the worker for the rest of the time. */
static void
set_pace(int source_id, TimestampTz begun_at)
{
	TimestampTz now = GetCurrentTimestamp();
	Pace		pace = {source_id, now + PACE_SHARE * (now - begun_at)};

	if (now - begun_at > PACE_FROM_US)
		paces[source_id % PACES] = pace;
}

/*
 * Put off until then.  Not those that are read once more before their next request:
 * they would begin anew, and come here again.
 */
static List *
put_off(List *jobs, bool resolves, TimestampTz until)
{
	List	   *left = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (resolves)
			job->unsure_ms = Max(job->unsure_ms, (int) ((until - worker->now) / 1000) + 1);
		else if (job->state == JOB_STATE_CHECK)
			left = lappend(left, job);
		else
			job_hold(job, until);
	}
	return left;
}

static void
read_batch(List *jobs, int source_id, bool resolves)
{
	TimestampTz shunned = read_guard_shunned_until(source_id);
	TimestampTz begun_at = GetCurrentTimestamp();
	ListCell   *lc;

	if (shunned <= worker->now && paced_until(source_id) > worker->now)
		jobs = put_off(jobs, resolves, paced_until(source_id));
	if (jobs == NIL)
		return;
	if (shunned <= worker->now)
	{
		read_jobs(source_id, jobs, resolves, TimestampTzPlusMilliseconds(begun_at, READ_TIMEOUT_MS));
		if (!resolves)			/* those that it has are read at once */
			set_pace(source_id, begun_at);
		return;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (resolves)
			job->unsure_ms = READ_RETRY_MS;
		else
			job_hold(job, shunned);
	}
}

/* For renew_body: the rows of one connection that may have a newer snapshot. */
typedef struct Newer
{
	Connection *connection;
	List	   *jobs;
	RowSet	   *ids;
} Newer;

static void
note_newer(const QueueFound *row, void *arg)
{
	Newer	   *newer = arg;

	if (row->source_id != 0)
		return;
	rowset_row(newer->ids);
	rowset_int8(newer->ids, row->id);
}

static void
take_newer(const Newer *newer, uint64 i)
{
	char	   *lead_id = spi_text(i, 1);
	int64		id = spi_int64(i, 2, 0);
	bool		isnull;
	Datum		snapshot = spi_datum(i, 3, &isnull);
	ListCell   *lc;

	foreach(lc, newer->jobs)
	{
		Job		   *job = lfirst(lc);
		MemoryContext caller;

		if (id <= job->snapshot_age || strcmp(job->queue_lead, lead_id) != 0)
			continue;
		caller = MemoryContextSwitchTo(job->context);
		job->snapshot = DatumGetJsonbPCopy(snapshot);
		MemoryContextSwitchTo(caller);
		job->snapshot_age = id;
	}
}

static void
renew_body(void *arg)
{
	Newer	   *newer = arg;
	LeadSet    *leads = lead_set_make();
	Datum		values[2];
	ListCell   *lc;

	newer->ids = rowset_make(1, (Oid[]) {INT8OID});
	foreach(lc, newer->jobs)
		lead_set_add(leads, ((Job *) lfirst(lc))->queue_lead);
	queue_find_newest(&newer->connection->id, leads, RENEW_MAX_ENTRIES, note_newer, newer);
	if (newer->ids->n_rows == 0)
		return;
	values[0] = UUIDPGetDatum(&newer->connection->id);
	values[1] = rowset_array(newer->ids, 0);
	statement_execute(&select_snapshots, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		take_newer(newer, i);
}

/*
 * What a webhook said last counts, also where its row is not taken yet.  Looked
 * for among the newest rows of the queue.
 */
void
leads_renew(List *jobs)
{
	List	   *left = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->queue_source == 0 && (job->state == JOB_STATE_READ || job->state == JOB_STATE_CHECK))
			left = lappend(left, job);
	}
	while (left != NIL)
	{
		Newer		newer = {.connection = ((Job *) linitial(left))->connection};

		foreach(lc, left)
		{
			if (((Job *) lfirst(lc))->connection != newer.connection)
				continue;
			newer.jobs = lappend(newer.jobs, lfirst(lc));
			left = foreach_delete_current(left, lc);
		}
		if (worker_transaction("echosync: looking for newer snapshots", renew_body, &newer))
			continue;
		foreach(lc, newer.jobs)
			job_hold(lfirst(lc), TimestampTzPlusMilliseconds(worker->now, READ_RETRY_MS));
	}
}

static void
sources_body(void *arg)
{
	List	  **sources = arg;

	statement_execute(&select_sources, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int			source_id = DatumGetInt32(spi_datum(i, 1, &isnull));
		MemoryContext caller = MemoryContextSwitchTo(worker->turn);

		*sources = lappend_int(*sources, source_id);
		MemoryContextSwitchTo(caller);
	}
}

/* Those of webhooks that no table has, so far. */
static List *
unresolved(List *jobs)
{
	List	   *left = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_READ && job->source_id == 0)
			left = lappend(left, job);
	}
	return left;
}

/*
 * Which table has the leads of webhooks?  Asked whenever one is read.  A lead is
 * held while a table that may have it cannot be read: it may say there that the
 * person must not be contacted.
 */
void
leads_resolve(List *jobs)
{
	List	   *sources = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		job->source_id = job->queue_source;
		if (job->queue_source == 0)
			job_rename(job, job->queue_lead);
		job->seen = NULL;
		job->unsure_ms = 0;
	}
	if (unresolved(jobs) == NIL)
		return;
	if (!worker_transaction("echosync: looking for attached tables", sources_body, &sources))
	{
		foreach(lc, unresolved(jobs))
			job_hold(lfirst(lc), TimestampTzPlusMilliseconds(worker->now, READ_RETRY_MS));
		return;
	}
	foreach(lc, sources)
	{
		List	   *left = unresolved(jobs);

		if (left != NIL)
			read_batch(left, lfirst_int(lc), true);
	}
	foreach(lc, unresolved(jobs))
	{
		Job		   *job = lfirst(lc);

		if (job->unsure_ms > 0)
			job_hold(job, TimestampTzPlusMilliseconds(worker->now, job->unsure_ms));
	}
}

/* Leads come from their tables, source by source, or from their snapshots. */
void
leads_read(List *jobs)
{
	TimestampTz begun_at = GetCurrentTimestamp();
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_READ)
			job->session.lead = NULL;
		job->seen = NULL;
		job->read_at = begun_at;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (!awaits_lead(job))
			continue;
		if (job->source_id == 0 && job->snapshot == NULL)
			job_refuse(job, REFUSAL_LEAD_DELETED);
		else if (job->source_id == 0)
			set_lead(job, job->snapshot, job->state == JOB_STATE_CHECK);
		else
			read_batch(jobs_of_source(jobs, job->source_id), job->source_id, false);
	}
	worker->now = GetCurrentTimestamp();
	worker->read_us = worker->now - begun_at;
}

/*
 * read.c
 *		From a row taken to a session begun: what is known of its lead, and the
 *		lead itself.
 *
 * Leads are read as they are now, as the owner of their table in a
 * security-restricted operation, one transaction a table, and never waiting
 * for a lock: a table that somebody is altering is tried again.
 *
 * Not here: which rows are taken, and when (claim.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include "config/seal.h"
#include "config/settings.h"
#include "crm/json.h"
#include "db/integration.h"
#include "db/lead_columns.h"
#include "db/link.h"
#include "worker/worker.h"

#define READ_TIMEOUT_MS 2000
#define READ_OVERRUN_MS 4000
#define READ_BUSY_MS 500
#define READ_RETRY_MS 10000
#define SHUN_MS (10 * 60 * 1000)
#define DOUBT_GRACE_MS 500
#define SUSPECT_WAIT_MS 200
#define LEAD_STATEMENTS 16		/* plans that are kept */

static Statement select_state = {
	.sql = "SELECT k.ord, " LINK_COLUMNS ", l.synced_at, a.attempts, a.due_at, a.intent_at, a.lead_id IS NOT NULL,"
	" a.crashes, a.intent_lead"
	" FROM unnest($1, $2, $3) WITH ORDINALITY AS k(id, lead_id, source_id, ord)"
	" LEFT JOIN @schema@.crm_lead_links l ON l.integration_id = k.id AND l.lead_id = k.lead_id"
	" AND l.source_id = k.source_id"
	" LEFT JOIN @schema@.crm_sync_attempts a ON a.integration_id = k.id AND a.lead_id = k.lead_id"
	" AND a.source_id = k.source_id",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID}
};

/*
 * A record that we wrote for another lead with the same phone or e-mail, and
 * (where there may be any) the newest doubt about such a lead, and how many
 * leads of the connection are in doubt or about to be created.
 */
static Statement select_local_match = {
	.sql = "SELECT k.ord, p.crm_record_id, e.crm_record_id, p.payload_hash, d.intent_at, d.n"
	" FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY"
	" AS k(id, phone, email, lead_id, source_id, may_doubt, ord)"
	" LEFT JOIN LATERAL (SELECT l.crm_record_id, l.payload_hash FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = k.id AND l.phone_hash = k.phone ORDER BY l.created_at LIMIT 1) p ON true"
	" LEFT JOIN LATERAL (SELECT l.crm_record_id FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = k.id AND l.email_hash = k.email ORDER BY l.created_at LIMIT 1) e ON true"
	" LEFT JOIN LATERAL (SELECT pg_catalog.max(a.intent_at) FILTER (WHERE"
	" (a.phone_hash = k.phone OR a.email_hash = k.email)"
	" AND (a.lead_id <> k.lead_id OR a.source_id <> k.source_id)), pg_catalog.count(*)"
	" FROM @schema@.crm_sync_attempts a"
	" WHERE k.may_doubt AND a.integration_id = k.id AND a.intent_at IS NOT NULL"
	") d(intent_at, n) ON true"
	" WHERE p.crm_record_id IS NOT NULL OR e.crm_record_id IS NOT NULL OR k.may_doubt",
	.nargs = 6,
	.argtypes = {UUIDARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, INT4ARRAYOID, BOOLARRAYOID}
};

static Statement insert_claims = {
	.sql = "INSERT INTO @schema@.crm_sync_claims (worker, integration_ids, lead_ids, source_ids)"
	" VALUES ($1, $2, $3, $4) RETURNING id",
	.nargs = 4,
	.argtypes = {INT4OID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID}
};

static Statement select_source = {
	.sql = "SELECT relation::pg_catalog.oid, mapping FROM @schema@.crm_lead_sources WHERE id = $1 AND attached",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* End a lead without a request: the reason is the outcome. */
static void
job_refuse(Job *job, LeadRefusal refusal)
{
	crm_skip(&job->session, refusal);
	job_set_state(job, JOB_STATE_FINISHED);
	worker_list_append(&worker->finished, job);
}

/* Three workers have crashed with this lead in work: not a fourth. */
static void
job_give_up(Job *job)
{
	crm_fail(&job->session, CRM_ERROR_LEAD_FINAL, "worker_crashed",
			 "The worker crashed three times with this lead in work.");
	job_set_state(job, JOB_STATE_FINISHED);
	worker_list_append(&worker->finished, job);
}

static void
load_link(Job *job, uint64 i)
{
	link_from_row(i, 2, &job->session.link);
	job->synced_at = spi_timestamptz(i, 7);
	job->has_link_row = job->synced_at != 0;
}

/* What is known of a lead that may not be sent yet: when it may. */
static TimestampTz
job_not_before(Job *job, uint64 i)
{
	TimestampTz due = spi_timestamptz(i, 9);
	TimestampTz doubt_since = job->intent_at;

	/*
	 * Before this server was promoted, another may have created it, and its
	 * intent has not come here.
	 */
	if (doubt_since == 0 && job->session.link.record_id == NULL &&
		job->queued_at < worker->promoted_at)
		doubt_since = worker->promoted_at;
	if (doubt_since != 0)
		due = Max(due, TimestampTzPlusMilliseconds(doubt_since, echosync_uncertain_wait));
	if (job->synced_at != 0 && !job->session.requested_by_hand)
		due = Max(due, TimestampTzPlusMilliseconds(job->synced_at, SETTLE_MS));
	return due;
}

static Claim *
insert_claim(const RowSet *keys)
{
	Datum		values[4];
	Claim	   *claim;

	values[0] = Int32GetDatum(worker->index);
	values[1] = rowset_array(keys, 0);
	values[2] = rowset_array(keys, 1);
	values[3] = rowset_array(keys, 2);
	statement_execute(&insert_claims, values, NULL, false, 0);
	claim = MemoryContextAllocZero(worker->context, sizeof(Claim));
	claim->id = spi_int64(0, 1, 0);
	return claim;
}

/*
 * Mark what is taken into work, in one row for the group, before anything is
 * sent: a worker that crashes over a lead must not do so for ever.
 */
static void
mark_claimed(void)
{
	RowSet	   *keys = rowset_make(3, (Oid[]) {UUIDOID, TEXTOID, INT4OID});
	Claim	   *claim;
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_READ)
			continue;
		rowset_row(keys);
		rowset_uuid(keys, job->connection->id.data);
		rowset_text(keys, job->lead_id);
		rowset_int4(keys, job->source_id);
	}
	if (keys->n_rows == 0)
		return;
	claim = insert_claim(keys);
	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_READ)
			continue;
		job->claim = claim;
		claim->n_left++;
	}
}

static void
state_body(void *arg)
{
	RowSet	   *keys = rowset_make(3, (Oid[]) {UUIDOID, TEXTOID, INT4OID});
	Datum		values[3];
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		rowset_row(keys);
		rowset_uuid(keys, job->connection->id.data);
		rowset_text(keys, job->lead_id);
		rowset_int4(keys, job->source_id);
	}
	values[0] = rowset_array(keys, 0);
	values[1] = rowset_array(keys, 1);
	values[2] = rowset_array(keys, 2);
	statement_execute(&select_state, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Job		   *job = list_nth(worker->to_read, spi_int64(i, 1, 0) - 1);
		MemoryContext caller = MemoryContextSwitchTo(job->session.context);
		bool		isnull;
		bool		isnull_crashes;
		Datum		crashes = spi_datum(i, 12, &isnull_crashes);
		TimestampTz not_before;

		load_link(job, i);
		job->intent_at = spi_timestamptz(i, 10);
		job->session.uncertain = job->intent_at != 0;
		job->intent_lead = spi_text(i, 13);
		job->has_attempts_row = spi_bool(i, 11);
		job->attempts = DatumGetInt16(spi_datum(i, 8, &isnull));
		MemoryContextSwitchTo(caller);
		not_before = job_not_before(job, i);
		job->crashes = isnull_crashes ? 0 : DatumGetInt16(crashes);
		if (job->state != JOB_STATE_READ)
			continue;
		if (not_before > worker->now)
			job_hold(job, not_before);
		else if (job->crashes == WORKER_MAX_CRASHES - 1 && !job_take_turn(job))
			job_hold(job, TimestampTzPlusMilliseconds(worker->now, SUSPECT_WAIT_MS));
	}
	mark_claimed();

	/* see write_claim */
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * The claim is to outlive this process, not the machine: that the kernel has
 * it is enough, and no lead waits for the disk before its first request.  What
 * must be on the disk is committed before it is needed, with the results.
 */
static void
write_claim(void)
{
	XLogBackgroundFlush();
	if (GetXLogWriteRecPtr() < XactLastCommitEnd)
		XLogFlush(XactLastCommitEnd);	/* it stops at full pages */
}

/* One source and its jobs, for read_body. */
typedef struct ReadBatch
{
	int			source_id;
	List	   *jobs;
	bool		gone;			/* no such source */
	bool		busy;			/* its table is locked */
} ReadBatch;

static List *
jobs_of_source(int source_id)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_READ && job->source_id == source_id)
			jobs = lappend(jobs, job);
	}
	return jobs;
}

static bool
lock_leads(ReadBatch *batch, Oid relation, Oid *owner)
{
	HeapTuple	tuple;

	if (!ConditionalLockRelationOid(relation, AccessShareLock))
	{
		batch->busy = true;
		return false;
	}
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
	{
		batch->gone = true;
		return false;
	}
	*owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return true;
}

static void
set_lead(Job *job, Datum object)
{
	MemoryContext caller = MemoryContextSwitchTo(job->session.context);

	job->session.lead = lead_from_jsonb(DatumGetJsonbP(object));
	MemoryContextSwitchTo(caller);
}

static Datum
lead_ids_of(List *jobs)
{
	RowSet	   *ids = rowset_make(1, (Oid[]) {TEXTOID});
	ListCell   *lc;

	foreach(lc, jobs)
	{
		rowset_row(ids);
		rowset_text(ids, ((Job *) lfirst(lc))->lead_id);
	}
	return rowset_array(ids, 0);
}

/* The table being read, for the handler below. */
static volatile int reading_source = 0;

/*
 * A function of the table's owner can catch its cancellation and go on.  Then
 * this process ends, which nothing can catch, and its successor leaves the
 * table alone for a while.  Runs in a signal handler: plain stores only.
 */
static void
read_overrun(void)
{
	int			i = shared_state->n_shunned++ % SHARED_MAX_SHUNNED;

	shared_state->shunned[i].database = MyDatabaseId;
	shared_state->shunned[i].source_id = reading_source;
	shared_state->shunned[i].until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SHUN_MS);
	worker->slot->exit = WORKER_EXIT_REQUESTED;
	ProcDiePending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static TimestampTz
shunned_until(int source_id)
{
	TimestampTz until = 0;

	for (int i = 0; i < SHARED_MAX_SHUNNED; i++)
	{
		if (shared_state->shunned[i].database == MyDatabaseId &&
			shared_state->shunned[i].source_id == source_id)
			until = Max(until, shared_state->shunned[i].until);
	}
	return until;
}

static TimeoutId
overrun_timeout(void)
{
	static TimeoutId id = MAX_TIMEOUTS;

	if (id == MAX_TIMEOUTS)
		id = RegisterTimeout(USER_TIMEOUT, read_overrun);
	return id;
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

/* Run the application's side: its table, its types, its rights. */
static void
read_leads(ReadBatch *batch, const LeadColumns *columns, Oid relation, Oid owner)
{
	SavedUser	saved;
	Datum		ids = lead_ids_of(batch->jobs);
	char	   *sql;

	db_become_restricted(owner, &saved);
	sql = psprintf("%s WHERE %s", lead_columns_select(columns, relation),
				   lead_columns_match(columns, relation, LEAD_FIELD_ID, 1, false));
	reading_source = batch->source_id;
	enable_timeout_after(STATEMENT_TIMEOUT, READ_TIMEOUT_MS);
	enable_timeout_after(overrun_timeout(), READ_OVERRUN_MS);
	statement_execute_text(lead_statement(batch->source_id), sql, TEXTARRAYOID, ids);
	disable_timeout(overrun_timeout(), false);
	disable_timeout(STATEMENT_TIMEOUT, false);
	db_restore_user(&saved);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *lead_id = spi_text(i, 1);
		bool		isnull;
		Datum		object = spi_datum(i, 2, &isnull);
		ListCell   *lc;

		foreach(lc, batch->jobs)
		{
			Job		   *job = lfirst(lc);

			if (lead_id != NULL && strcmp(job->lead_id, lead_id) == 0)
				set_lead(job, object);
		}
	}
}

static void
read_body(void *arg)
{
	ReadBatch  *batch = arg;
	Datum		id = Int32GetDatum(batch->source_id);
	LeadColumns *columns;
	Oid			relation,
				owner;
	bool		isnull;

	statement_execute(&select_source, &id, NULL, false, 1);
	if (SPI_processed == 0)
	{
		batch->gone = true;
		return;
	}
	relation = DatumGetObjectId(spi_datum(0, 1, &isnull));
	columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(0, 2, &isnull)));
	if (lock_leads(batch, relation, &owner))
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
	job_set_state(job, JOB_STATE_FINISHED);
	worker_list_append(&worker->finished, job);
}

/* What has been read, or not, of leads of one source. */
static void
settle_batch(const ReadBatch *batch, bool ok)
{
	ListCell   *lc;

	foreach(lc, batch->jobs)
	{
		Job		   *job = lfirst(lc);

		if ((!ok || batch->busy) && !batch->gone)
			job_hold(job, TimestampTzPlusMilliseconds(worker->now,
													  ok ? READ_BUSY_MS : READ_RETRY_MS));
		else if (job->session.lead == NULL ||
				 job->session.lead->user_id == NULL ||
				 strcmp(job->session.lead->user_id, job->connection->user_id) != 0)
			job_refuse(job, REFUSAL_LEAD_DELETED);
	}
}

/*
 * Read leads of one source, all at once.  If one cannot be read, or all are
 * too much for the memory there is, the others must not wait for it: each half
 * is tried, down to the one, but not for so long that other tables' leads wait.
 */
static void
read_jobs(int source_id, List *jobs, TimestampTz deadline)
{
	ReadBatch	batch = {source_id, jobs, false, false};
	bool		ok = worker_transaction("echosync: reading leads", read_body, &batch);
	int			half = list_length(jobs) / 2;

	disable_timeout(overrun_timeout(), false);
	LockReleaseSession(USER_LOCKMETHOD);	/* advisory locks outlive transactions */
	if (!ok && !batch.gone && half > 0 && GetCurrentTimestamp() < deadline &&
		(error_is_of_a_row(worker->error_code) || worker->error_code == ERRCODE_OUT_OF_MEMORY))
	{
		read_jobs(source_id, list_copy_head(jobs, half), deadline);
		read_jobs(source_id, list_copy_tail(jobs, half), deadline);
	}
	else if (!ok && !batch.gone && half == 0 && error_is_of_a_row(worker->error_code))
		job_unreadable(linitial(jobs));
	else
		settle_batch(&batch, ok);
}

static void
read_batch(int source_id)
{
	List	   *jobs = jobs_of_source(source_id);
	TimestampTz shunned = shunned_until(source_id);
	ListCell   *lc;

	if (shunned <= worker->now)
	{
		read_jobs(source_id, jobs,
				  TimestampTzPlusMilliseconds(GetCurrentTimestamp(), READ_TIMEOUT_MS));
		return;
	}
	foreach(lc, jobs)
		job_hold(lfirst(lc), shunned);
}

/* Leads come from their tables, source by source, or from their snapshots. */
static void
read_all(void)
{
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		job->session.lead = NULL;
	}
	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_READ || job->session.lead != NULL)
			continue;
		if (job->snapshot != NULL)
			set_lead(job, JsonbPGetDatum(job->snapshot));
		else
			read_batch(job->source_id);
	}
}

static void
add_hash(RowSet *keys, const Job *job, char kind, const char *key)
{
	uint8		hash[LEAD_KEY_HASH_LEN];

	if (key == NULL)
	{
		rowset_null(keys);
		return;
	}
	lead_key_hash(job->connection->crm.integration_id, kind, key, hash);
	rowset_bytea(keys, hash, LEAD_KEY_HASH_LEN);
}

/*
 * Of leads in work a connection knows its intents (twin_is_in_work); one that
 * has no others need not be asked about them again before it leaves one.
 */
static int
intents_in_work(Connection *connection)
{
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->begun && job->intent_at != 0)
			n++;
	}
	return n;
}

static void
local_match_body(void *arg)
{
	List	   *jobs = arg;
	RowSet	   *keys = rowset_make(6, (Oid[]) {UUIDOID, BYTEAOID, BYTEAOID, TEXTOID, INT4OID, BOOLOID});
	Datum		values[6];
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		rowset_row(keys);
		rowset_uuid(keys, job->connection->id.data);
		add_hash(keys, job, 'p', job->session.lead->phone_key);
		add_hash(keys, job, 'e', job->session.lead->email);
		rowset_text(keys, job->lead_id);
		rowset_int4(keys, job->source_id);
		rowset_bool(keys, job->connection->may_doubt);
	}
	for (int i = 0; i < 6; i++)
		values[i] = rowset_array(keys, i);
	statement_execute(&select_local_match, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Job		   *job = list_nth(jobs, spi_int64(i, 1, 0) - 1);
		char	   *by_phone = spi_text(i, 2);
		char	   *by_email = spi_text(i, 3);
		bool		no_doubt;
		Datum		intent_at = spi_datum(i, 5, &no_doubt);

		if (job->connection->may_doubt)
			job->connection->may_doubt = spi_int64(i, 6, 0) > intents_in_work(job->connection);
		if (!no_doubt)
			job->doubt_until = TimestampTzPlusMilliseconds(DatumGetTimestampTz(intent_at),
														   echosync_uncertain_wait + DOUBT_GRACE_MS);
		if (by_phone == NULL && by_email == NULL)
			continue;

		/* Two records: let the search find both and judge. */
		if (by_phone != NULL && by_email != NULL && strcmp(by_phone, by_email) != 0)
			continue;
		job->session.local_match = MemoryContextStrdup(job->session.context,
													   by_email ? by_email : by_phone);
		job->session.local_match_kind = by_email ? CRM_MATCH_EMAIL :
			link_has_names_of(i, 4, job->session.lead, job->connection->crm.settings) ?
			CRM_MATCH_PHONE : CRM_MATCH_SHARED_PHONE;
	}
}

static void
find_local_matches(void)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);

		job->session.local_match = NULL;
		job->doubt_until = 0;
		if (job->state == JOB_STATE_READ && job->session.link.record_id == NULL)
			jobs = lappend(jobs, job);
	}
	if (jobs == NIL ||
		worker_transaction("echosync: looking for known records", local_match_body, jobs))
		return;
	foreach(lc, jobs)
		job_hold(lfirst(lc), TimestampTzPlusMilliseconds(worker->now, 1000));
}

/*
 * Two leads with one phone or e-mail are one record in the CRM: they go one
 * after the other, or both would be created.
 */
static bool
twin_is_in_work(const Job *job)
{
	const CrmLead *lead = job->session.lead;
	dlist_iter	iter;

	dlist_foreach(iter, &job->connection->jobs)
	{
		const Job  *other = dlist_container(Job, node, iter.cur);
		const CrmLead *twin = other->session.lead;

		if (other == job || !other->begun || twin == NULL || other->state < JOB_STATE_READ)
			continue;
		if ((lead->phone_key && twin->phone_key && strcmp(lead->phone_key, twin->phone_key) == 0) ||
			(lead->email && twin->email && strcmp(lead->email, twin->email) == 0))
			return true;
	}
	return false;
}

/*
 * A create of this lead is in doubt, and the lead has changed since: look for
 * what was sent, by the keys that it had then.  What it is now comes after.
 */
static void
look_for_what_was_sent(Job *job)
{
	const CrmConnection *crm = &job->connection->crm;
	MemoryContext caller = MemoryContextSwitchTo(job->session.context);
	uint8		now[LEAD_DIGEST_SIZE];
	uint8		then[LEAD_DIGEST_SIZE];
	const char *reason;
	char	   *plain = NULL;
	Jsonb	   *parsed = NULL;
	CrmLead    *sent;

	job->session.resolve_only = false;
	if (job->session.uncertain && job->session.link.record_id == NULL && job->intent_lead != NULL)
		plain = seal_open(job->intent_lead,
						  integration_seal_context(crm->integration_id, job->connection->user_id),
						  &reason);
	if (plain != NULL)
		parsed = json_parse(plain, strlen(plain));
	if (parsed != NULL)
	{
		sent = lead_from_jsonb(parsed);
		lead_digest(job->session.lead, crm->settings, now);
		lead_digest(sent, crm->settings, then);
		if (memcmp(now, then, LEAD_DIGEST_SIZE) != 0)
		{
			job->session.resolve_only = true;
			job->session.lead = sent;
		}
	}
	seal_wipe(plain);
	MemoryContextSwitchTo(caller);
}

static void
begin_all(void)
{
	ListCell   *lc;

	foreach(lc, worker->to_read)
	{
		Job		   *job = lfirst(lc);
		LeadFacts	facts;
		LeadRefusal refusal;

		if (job->state != JOB_STATE_READ)
			continue;
		facts = lead_facts(job->session.lead);
		refusal = lead_refusal(&facts, job->connection->crm.settings,
							   job->connection->crm.provider->flags_records);
		if (refusal != REFUSAL_NONE)
			job_refuse(job, refusal);
		else if (job->crashes >= WORKER_MAX_CRASHES)
			job_give_up(job);
		else if (twin_is_in_work(job))
			job_hold(job, TimestampTzPlusMilliseconds(worker->now, 100));
		else if (job->doubt_until > worker->now && job->session.local_match == NULL)
			job_hold(job, job->doubt_until);
		else
		{
			look_for_what_was_sent(job);
			job->session.task = CRM_TASK_SYNC;
			job_begin(job);
		}
	}
}

/* Read the leads of jobs in state READ and begin their sessions. */
void
read_begin(void)
{
	ListCell   *lc;

	if (worker->to_read == NIL)
		return;
	if (!worker_transaction("echosync: reading what is known of leads", state_body, NULL))
	{
		foreach(lc, worker->to_read)
		{
			Job		   *job = lfirst(lc);

			if (job->state == JOB_STATE_READ)
				job_hold(job, TimestampTzPlusMilliseconds(worker->now, 1000));
		}
	}
	else
		write_claim();
	read_all();
	find_local_matches();
	begin_all();
	list_free(worker->to_read);
	worker->to_read = NIL;
}

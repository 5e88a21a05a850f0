/*
 * results.c
 *		Writing down what happened, in groups: one transaction for all jobs that
 *		have something to commit in this turn of the loop.
 *
 * Two kinds of job come here.  Those in state COMMIT are about to send a
 * request that must not be sent before something is durable: the intent of a
 * create, or the id of a record that was found or made.  Those in state
 * FINISHED have an outcome: log row, link, retry or dead letter, and the end
 * of their queue rows.
 *
 * Nothing here waits for a lock that a backend may hold: rows that a backend
 * has locked are skipped and written at a later turn.
 *
 * If the group fails, each job is tried in a transaction of its own, so that
 * one bad row cannot hold up the rest.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "utils/builtins.h"

#include "config/seal.h"
#include "config/settings.h"
#include "db/integration.h"
#include "db/queue_delete.h"
#include "db/table_insert.h"
#include "worker/schedule.h"
#include "worker/worker.h"

/* A job whose outcome could not be written is looked at again after this. */
#define COMMIT_RETRY_MS 5000

/* Waits that the provider asked for do not count as tries, but are no longer than this. */
#define MAX_FREE_WAIT_MS (10 * 60 * 1000)

static Statement upsert_links = {
	.sql = "INSERT INTO @schema@.crm_lead_links AS l"
	" (integration_id, lead_id, source_id, user_id, crm_record_id, matched_by, payload_hash, note_hash,"
	" phone_hash, email_hash, created_at, synced_at)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
	" ON CONFLICT (integration_id, lead_id, source_id) DO UPDATE SET"
	" crm_record_id = excluded.crm_record_id, matched_by = excluded.matched_by,"
	" payload_hash = excluded.payload_hash, note_hash = excluded.note_hash,"
	" phone_hash = excluded.phone_hash, email_hash = excluded.email_hash,"
	" created_at = excluded.created_at, synced_at = excluded.synced_at",
	.nargs = 12,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID}
};

/* For leads that had none; the same columns. */
static TableInsert insert_links = {
	.table = "crm_lead_links",
	.n_columns = 12,
	.columns = {"integration_id", "lead_id", "source_id", "user_id", "crm_record_id", "matched_by",
	"payload_hash", "note_hash", "phone_hash", "email_hash", "created_at", "synced_at"}
};

static Statement delete_links = {
	.sql = "DELETE FROM @schema@.crm_lead_links l USING unnest($1, $2, $3) k(id, lead_id, source_id)"
	" WHERE l.integration_id = k.id AND l.lead_id = k.lead_id AND l.source_id = k.source_id",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID}
};

static Statement upsert_attempts = {
	.sql = "INSERT INTO @schema@.crm_sync_attempts"
	" AS a (integration_id, lead_id, source_id, attempts, due_at, intent_at, error_code,"
	" crashes, intent_lead, phone_hash, email_hash)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
	" ON CONFLICT (integration_id, lead_id, source_id) DO UPDATE SET attempts = excluded.attempts,"
	" due_at = excluded.due_at, intent_at = excluded.intent_at, error_code = excluded.error_code,"
	" crashes = excluded.crashes,"
	" intent_lead = CASE WHEN excluded.intent_at IS NOT NULL THEN COALESCE(excluded.intent_lead, a.intent_lead) END,"
	" phone_hash = CASE WHEN excluded.intent_at IS NOT NULL THEN COALESCE(excluded.phone_hash, a.phone_hash) END,"
	" email_hash = CASE WHEN excluded.intent_at IS NOT NULL THEN COALESCE(excluded.email_hash, a.email_hash) END",
	.nargs = 11,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, TEXTARRAYOID, INT2ARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID}
};

/* For leads of which nothing was remembered; the same columns. */
static TableInsert insert_attempts = {
	.table = "crm_sync_attempts",
	.n_columns = 11,
	.columns = {"integration_id", "lead_id", "source_id", "attempts", "due_at", "intent_at", "error_code",
	"crashes", "intent_lead", "phone_hash", "email_hash"}
};

static Statement delete_attempts = {
	.sql = "DELETE FROM @schema@.crm_sync_attempts a USING unnest($1, $2, $3) k(id, lead_id, source_id)"
	" WHERE a.integration_id = k.id AND a.lead_id = k.lead_id AND a.source_id = k.source_id",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID}
};

static Statement insert_logs_by_statement = {
	.sql = "INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, attempt,"
	" crm_record_id, http_status, error_code, error_message, queued_at, duration_ms)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
	.nargs = 15,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT2ARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID}
};

/* The same, of an action and a status that the table allows. */
static TableInsert insert_logs = {
	.table = "crm_sync_logs",
	.sequence = "crm_sync_logs_id_seq",
	.sequence_step = 1,
	.time_column = "logged_at",
	.n_columns = 15,
	.columns = {"integration_id", "user_id", "crm_type", "lead_id", "sync_type", "action", "status", "reason",
	"attempt", "crm_record_id", "http_status", "error_code", "error_message", "queued_at", "duration_ms"}
};

/*
 * Refusals: not repeated if the same one was logged since the lead changed
 * last (or, asked for by hand, if it was the last word).
 */
static Statement insert_refusals = {
	.sql = "INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, queued_at)"
	" SELECT r.id, r.user_id, r.crm_type, r.lead_id, r.sync_type, 'none', 'skipped', r.reason, r.queued_at"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)"
	" AS r(id, user_id, crm_type, lead_id, sync_type, reason, queued_at, changed_at)"
	" WHERE NOT EXISTS (SELECT FROM ("
	" SELECT l.reason, l.logged_at FROM @schema@.crm_sync_logs l"
	" WHERE l.integration_id = r.id AND l.lead_id = r.lead_id ORDER BY l.id DESC LIMIT 1) last"
	" WHERE last.reason = r.reason AND (r.changed_at IS NULL OR last.logged_at >= r.changed_at))",
	.nargs = 8,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
};

/*
 * A row that a backend is cancelling just now is its to delete.  One that is
 * held stays where it is: nothing updates rows of the queue.
 */
static Statement delete_queue = {
	.sql = "DELETE FROM @schema@.crm_sync_queue q WHERE q.ctid = ANY (ARRAY("
	" SELECT h.ctid FROM unnest($1, $2, $3) k(integration_id, priority, id)"
	" JOIN @schema@.crm_sync_queue h USING (integration_id, priority, id)"
	" FOR UPDATE OF h SKIP LOCKED))",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, INT2ARRAYOID, INT8ARRAYOID}
};

/* None for a connection that is gone, or is being ended just now: nobody would see it. */
static Statement insert_dead_letters = {
	.sql = "INSERT INTO @schema@.crm_dead_letters"
	" (integration_id, lead_id, source_id, user_id, run_id, snapshot, queued_at, attempts,"
	" http_status, error_code, error_message)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS d(integration_id)"
	" WHERE EXISTS (SELECT FROM @schema@.crm_integrations i WHERE i.id = d.integration_id"
	" FOR KEY SHARE SKIP LOCKED)"
	" ON CONFLICT (integration_id, lead_id, source_id) DO UPDATE SET failed_at = pg_catalog.clock_timestamp(),"
	" attempts = excluded.attempts, http_status = excluded.http_status,"
	" error_code = excluded.error_code, error_message = excluded.error_message,"
	" snapshot = excluded.snapshot",
	.nargs = 11,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, INT8ARRAYOID,
	JSONBARRAYOID, TIMESTAMPTZARRAYOID, INT2ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

/* A dead letter is settled when its lead was sent after all. */
static Statement delete_dead_letters = {
	.sql = "DELETE FROM @schema@.crm_dead_letters d USING ("
	" SELECT h.integration_id, h.lead_id, h.source_id"
	" FROM unnest($1, $2, $3) k(integration_id, lead_id, source_id)"
	" JOIN @schema@.crm_dead_letters h USING (integration_id, lead_id, source_id)"
	" FOR UPDATE OF h SKIP LOCKED) held"
	" WHERE d.integration_id = held.integration_id AND d.lead_id = held.lead_id"
	" AND d.source_id = held.source_id",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID}
};

static Statement update_runs = {
	.sql = "UPDATE @schema@.crm_sync_runs r SET synced = r.synced + n.synced,"
	" failed = r.failed + n.failed, skipped_later = r.skipped_later + n.skipped,"
	" finished_at = CASE WHEN r.synced + r.failed + r.skipped_later"
	" + n.synced + n.failed + n.skipped >= r.queued THEN pg_catalog.clock_timestamp() END"
	" FROM (SELECT u.id, pg_catalog.sum(u.synced)::pg_catalog.int8, pg_catalog.sum(u.failed)::pg_catalog.int8,"
	" pg_catalog.sum(u.skipped)::pg_catalog.int8"
	" FROM unnest($1, $2, $3, $4) u(id, synced, failed, skipped)"
	" GROUP BY u.id) n(id, synced, failed, skipped),"
	" LATERAL (SELECT h.id FROM @schema@.crm_sync_runs h WHERE h.id = n.id"
	" FOR NO KEY UPDATE OF h SKIP LOCKED) held"
	" WHERE r.id = held.id",
	.nargs = 4,
	.argtypes = {INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID}
};

/*
 * State of connections.  A row that a backend holds is tried again later; a
 * status is only changed in a row that is as the worker has read it, so that a
 * user's pause is not undone, nor a new credential blamed for an old one's end.
 * What was changed meanwhile is read again, for whoever changes it says so.
 */
static Statement update_connections = {
	.sql = "UPDATE @schema@.crm_integrations i SET"
	" status = COALESCE(k.status, i.status),"
	" status_reason = CASE WHEN k.status IS NULL THEN i.status_reason ELSE k.reason END,"
	" consecutive_failures = COALESCE(k.failures, i.consecutive_failures),"
	" not_before = COALESCE(k.not_before, i.not_before),"
	" last_sync_at = COALESCE(k.synced_at, i.last_sync_at)"
	" FROM (SELECT h.ctid, h.xmin, CASE WHEN h.updated_at = u.updated_at OR u.updated_at IS NULL THEN u.status END,"
	" u.reason, u.failures, u.synced_at, u.not_before"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7) u(id, updated_at, status, reason, failures, synced_at, not_before)"
	" JOIN @schema@.crm_integrations h ON h.id = u.id"
	" FOR NO KEY UPDATE OF h SKIP LOCKED) k(place, xmin, status, reason, failures, synced_at, not_before)"
	" WHERE i.ctid = k.place RETURNING i.id, k.xmin, i.xmin, k.status IS NULL",
	.nargs = 7,
	.argtypes = {UUIDARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
	TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
};

static Statement delete_claims = {
	.sql = "DELETE FROM @schema@.crm_sync_claims c WHERE c.id = ANY ($1)",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID}
};

/* What the group's statements are given. */
typedef struct Results
{
	bool		by_statement;	/* insert nothing past the executor */
	RowSet	   *links;
	RowSet	   *new_links;
	RowSet	   *lost_links;
	RowSet	   *attempts;
	RowSet	   *new_attempts;
	RowSet	   *settled;		/* attempts to delete */
	RowSet	   *logs;
	RowSet	   *refusals;
	RowSet	   *queue;
	RowSet	   *dead;
	RowSet	   *undead;
	RowSet	   *runs;
	List	   *jobs;			/* the group */
	List	   *connections;	/* whose state is to be written */
} Results;

/* What becomes of a finished job once its group is committed. */
typedef enum Verdict
{
	VERDICT_DONE = 0,			/* success or skip: rows are gone */
	VERDICT_DEAD,				/* dead letter: rows are gone */
	VERDICT_RETRY,				/* held until due_at */
	VERDICT_RELEASE,			/* back to the queue, nobody pays */
	VERDICT_AGAIN				/* a doubt is settled; now the lead as it is */
} Verdict;

static bool
is_outage(const CrmOutcome *outcome)
{
	int			status = outcome->http_status;

	return outcome->error_class == CRM_ERROR_CONNECTION ||
		(outcome->error_class == CRM_ERROR_UNCERTAIN &&
		 (status == 0 || status == 408 || (status >= 502 && status <= 504)));
}

static Verdict
verdict_of(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (outcome->status == CRM_STATUS_SUCCESS && job->session.resolve_only)
		return VERDICT_AGAIN;
	if (outcome->status != CRM_STATUS_FAILED)
		return VERDICT_DONE;
	switch (outcome->error_class)
	{
		case CRM_ERROR_LEAD_FINAL:
			return VERDICT_DEAD;
		case CRM_ERROR_UNCERTAIN:
		case CRM_ERROR_LEAD_RETRY:
			if (is_outage(outcome) || outcome->retry_after_ms > 0)
				return VERDICT_RETRY;
			return job->attempts + 1 > echosync_max_retries ? VERDICT_DEAD : VERDICT_RETRY;
		case CRM_ERROR_CONNECTION:
		case CRM_ERROR_CREDENTIAL:
		case CRM_ERROR_RATE_LIMIT:
			return VERDICT_RELEASE;
		case CRM_ERROR_NONE:
			break;
	}
	return VERDICT_DEAD;
}

/* Does this outcome use up one of the lead's tries? */
static bool
counts_as_try(const CrmOutcome *outcome)
{
	return outcome->status == CRM_STATUS_FAILED && !is_outage(outcome) &&
		(outcome->error_class == CRM_ERROR_LEAD_FINAL || outcome->retry_after_ms == 0);
}

static TimestampTz
retry_due(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (outcome->error_class == CRM_ERROR_UNCERTAIN)
		return TimestampTzPlusMilliseconds(worker->now, echosync_uncertain_wait);
	if (outcome->retry_after_ms > 0)
		return TimestampTzPlusMilliseconds(worker->now, Min(outcome->retry_after_ms, MAX_FREE_WAIT_MS));
	return worker->now + schedule_retry_delay_us(job->attempts + 1, echosync_retry_base_delay,
												 pg_prng_double(&pg_global_prng_state));
}

static void
add_key(RowSet *set, const Job *job)
{
	rowset_row(set);
	rowset_uuid(set, job->connection->id.data);
	rowset_text(set, job->lead_id);
	rowset_int4(set, job->source_id);
}

static void
add_key_hash(RowSet *set, const Job *job, char kind, const char *key)
{
	uint8		hash[LEAD_KEY_HASH_LEN];

	if (key != NULL)
		lead_key_hash(job->connection->crm.integration_id, kind, key, hash);
	rowset_bytea(set, key != NULL ? hash : NULL, LEAD_KEY_HASH_LEN);
}

static void
add_link(Results *results, const Job *job)
{
	const CrmLink *link = &job->session.link;
	const CrmLead *lead = job->session.lead;
	RowSet	   *set = job->has_link_row ? results->links : results->new_links;

	if (link->record_id == NULL)
	{
		add_key(results->lost_links, job);
		return;
	}
	add_key(set, job);
	rowset_text(set, job->connection->user_id);
	rowset_text(set, link->record_id);
	rowset_text(set, crm_match_names[link->match]);
	rowset_bytea(set, link->has_digest ? link->digest : NULL, LEAD_DIGEST_SIZE);
	rowset_bytea(set, link->note_digest, LEAD_DIGEST_LEN);
	add_key_hash(set, job, 'p', lead ? lead->phone_key : NULL);
	add_key_hash(set, job, 'e', lead ? lead->email : NULL);
	rowset_timestamptz(set, link->created_at ? link->created_at : worker->now);
	rowset_timestamptz(set, worker->now);
}

/* With the intent of a create goes what is sent, and by which keys it is known. */
static void
add_sent_lead(RowSet *set, const Job *job, TimestampTz intent_at)
{
	const CrmLead *lead = job->session.lead;
	StringInfoData json;

	if (intent_at == 0 || job->state != JOB_STATE_COMMIT || lead == NULL ||
		job->session.link.record_id != NULL)
	{
		rowset_null(set);
		rowset_null(set);
		rowset_null(set);
		return;
	}
	initStringInfo(&json);
	lead_to_json(lead, &json);
	rowset_text(set, seal_text(json.data,
							   integration_seal_context(job->connection->crm.integration_id,
														job->connection->user_id)));
	explicit_bzero(json.data, json.len);
	add_key_hash(set, job, 'p', lead->phone_key);
	add_key_hash(set, job, 'e', lead->email);
}

static void
add_attempt(Results *results, const Job *job, int attempts, TimestampTz due_at,
			TimestampTz intent_at, const char *error_code)
{
	RowSet	   *set = job->has_attempts_row ? results->attempts : results->new_attempts;

	add_key(set, job);
	rowset_int2(set, attempts);
	rowset_timestamptz(set, due_at);
	rowset_timestamptz(set, intent_at);
	rowset_text(set, error_code);
	/* Who was given up for its crashes starts afresh when it is retried. */
	rowset_int2(set, job->crashes >= WORKER_MAX_CRASHES ? 0 : job->crashes);
	add_sent_lead(set, job, intent_at);
}

static void
add_refusal(Results *results, const Job *job)
{
	RowSet	   *set = results->refusals;

	rowset_row(set);
	rowset_uuid(set, job->connection->id.data);
	rowset_text(set, job->connection->user_id);
	rowset_text(set, job->connection->crm.provider->crm_type);
	rowset_text(set, job->lead_id);
	rowset_text(set, job->sync_type);
	rowset_text(set, lead_refusal_names[job->session.outcome.reason]);
	rowset_timestamptz(set, job->queued_at);
	rowset_timestamptz(set, job->newest_queued_at);
}

static void
add_log(Results *results, const Job *job)
{
	static const char *const actions[] = {"none", "created", "updated"};
	static const char *const statuses[] = {NULL, "success", "skipped", "failed"};
	const CrmOutcome *outcome = &job->session.outcome;
	RowSet	   *set = results->logs;

	rowset_row(set);
	rowset_uuid(set, job->connection->id.data);
	rowset_text(set, job->connection->user_id);
	rowset_text(set, job->connection->crm.provider->crm_type);
	rowset_text(set, job->lead_id);
	rowset_text(set, job->sync_type);
	rowset_text(set, actions[outcome->write]);
	rowset_text(set, statuses[outcome->status]);
	rowset_text(set, outcome->status == CRM_STATUS_SKIPPED ? lead_refusal_names[outcome->reason] : NULL);
	rowset_int2(set, job->attempts + 1);
	rowset_text(set, job->session.link.record_id);
	if (outcome->http_status != 0)
		rowset_int4(set, outcome->http_status);
	else
		rowset_null(set);
	rowset_text(set, outcome->status == CRM_STATUS_FAILED ? outcome->error_code : NULL);
	rowset_text(set, outcome->status == CRM_STATUS_FAILED ? outcome->error_message : NULL);
	rowset_timestamptz(set, job->queued_at);
	if (job->first_sent_at != 0)
		rowset_int4(set, (worker->now - job->first_sent_at) / 1000);
	else
		rowset_null(set);
}

/* Was something done, or tried, that the log has and echosync_status counts? */
static bool
is_counted(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;
	Verdict		verdict = verdict_of(job);

	return outcome->status != CRM_STATUS_SKIPPED && verdict != VERDICT_RELEASE &&
		(verdict != VERDICT_AGAIN || outcome->write != CRM_WRITE_NONE);
}

/* The log: refusals once, "unchanged" only for who asked, all else always. */
static void
log_outcome(Results *results, const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (is_counted(job))
		add_log(results, job);
	else if (outcome->status != CRM_STATUS_SKIPPED)
		return;
	else if (outcome->reason != REFUSAL_UNCHANGED)
		add_refusal(results, job);
	else if (job->session.requested_by_hand)
		add_log(results, job);
}

static void
add_rows_gone(Results *results, const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	for (int i = 0; i < job->n_rows; i++)
	{
		rowset_row(results->queue);
		rowset_uuid(results->queue, job->connection->id.data);
		rowset_int2(results->queue, job->rows[i].priority);
		rowset_int8(results->queue, job->rows[i].id);
		rowset_datum(results->queue, PointerGetDatum(&job->rows[i].place));
		if (job->rows[i].run_id == 0)
			continue;
		rowset_row(results->runs);
		rowset_int8(results->runs, job->rows[i].run_id);
		rowset_int4(results->runs, outcome->status == CRM_STATUS_SUCCESS);
		rowset_int4(results->runs, outcome->status == CRM_STATUS_FAILED);
		rowset_int4(results->runs, outcome->status == CRM_STATUS_SKIPPED);
	}
}

/*
 * Is a create (or a note) of this lead still in doubt?  It is if the request
 * was, or if an earlier doubt was not settled by this session.
 */
static bool
in_doubt(const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (outcome->status == CRM_STATUS_SUCCESS)
		return false;
	if (outcome->status == CRM_STATUS_SKIPPED)
		return job->session.uncertain && job->first_sent_at == 0 &&
			outcome->reason != REFUSAL_UNCHANGED;
	return outcome->error_class == CRM_ERROR_UNCERTAIN || job->session.uncertain;
}

static void
add_dead_letter(Results *results, const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;
	RowSet	   *set = results->dead;

	add_key(set, job);
	rowset_text(set, job->connection->user_id);
	rowset_null(set);			/* its run has counted it */
	rowset_datum(set, job->snapshot ? JsonbPGetDatum(job->snapshot) : (Datum) 0);
	rowset_timestamptz(set, job->queued_at);
	rowset_int2(set, job->attempts + 1);
	if (outcome->http_status != 0)
		rowset_int4(set, outcome->http_status);
	else
		rowset_null(set);
	rowset_text(set, outcome->error_code);
	rowset_text(set, outcome->error_message);
}

static void
add_finished(Results *results, Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;
	Verdict		verdict = verdict_of(job);
	TimestampTz intent_at = in_doubt(job) ? (job->intent_at ? job->intent_at : worker->now) : 0;

	log_outcome(results, job);
	if (job->session.link_changed ||
		(outcome->status == CRM_STATUS_SUCCESS && job->session.link.record_id != NULL))
		add_link(results, job);
	if (verdict == VERDICT_RETRY)
		add_attempt(results, job, job->attempts + counts_as_try(outcome), retry_due(job),
					intent_at, outcome->error_code);
	else if (verdict == VERDICT_RELEASE && (intent_at != 0 || job->intent_at != 0))
		add_attempt(results, job, job->attempts, 0, intent_at, outcome->error_code);
	else if (intent_at != 0)
		add_attempt(results, job, 0, 0, intent_at, outcome->error_code);	/* doubt outlives a dead letter */
	else if (verdict != VERDICT_RELEASE && (job->has_attempts_row || job->intent_at != 0))
		add_key(results->settled, job);
	if (verdict == VERDICT_DEAD)
		add_dead_letter(results, job);
	else if (outcome->status == CRM_STATUS_SUCCESS && verdict == VERDICT_DONE)
		add_key(results->undead, job);
	if (verdict == VERDICT_DEAD || verdict == VERDICT_DONE)
		add_rows_gone(results, job);
}

/*
 * The doubt about a create counts from when it is sent, which is after this
 * commit.  A commit may take long, where it waits for a standby.
 */
static TimestampTz
intent_date(void)
{
	return worker->now + worker->commit_us;
}

/* About to send: make durable what a crash must not forget. */
static void
add_before_send(Results *results, Job *job)
{
	if (job->session.link_changed)
		add_link(results, job);
	if (job->session.request.creates)
		add_attempt(results, job, job->attempts, 0, intent_date(), NULL);
	else if (job->intent_at != 0 && !job->session.uncertain)
		add_key(results->settled, job);
}

static Results *
results_make(List *jobs)
{
	static const Oid link_types[] = {UUIDOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID,
	BYTEAOID, BYTEAOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	static const Oid attempt_types[] = {UUIDOID, TEXTOID, INT4OID, INT2OID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TEXTOID, INT2OID, TEXTOID, BYTEAOID, BYTEAOID};
	Results    *results = palloc0(sizeof(Results));

	results->links = rowset_make(12, link_types);
	results->new_links = rowset_make(12, link_types);
	results->lost_links = rowset_make(3, (Oid[]) {UUIDOID, TEXTOID, INT4OID});
	results->attempts = rowset_make(11, attempt_types);
	results->new_attempts = rowset_make(11, attempt_types);
	results->settled = rowset_make(3, (Oid[]) {UUIDOID, TEXTOID, INT4OID});
	results->logs = rowset_make(15, (Oid[]) {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
								TEXTOID, TEXTOID, INT2OID, TEXTOID, INT4OID, TEXTOID, TEXTOID,
								TIMESTAMPTZOID, INT4OID});
	results->refusals = rowset_make(8, (Oid[]) {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
									TIMESTAMPTZOID, TIMESTAMPTZOID});
	results->queue = rowset_make(4, (Oid[]) QUEUE_KEY_COLUMNS);
	results->dead = rowset_make(11, (Oid[]) {UUIDOID, TEXTOID, INT4OID, TEXTOID, INT8OID, JSONBOID,
								TIMESTAMPTZOID, INT2OID, INT4OID, TEXTOID, TEXTOID});
	results->undead = rowset_make(3, (Oid[]) {UUIDOID, TEXTOID, INT4OID});
	results->runs = rowset_make(4, (Oid[]) {INT8OID, INT4OID, INT4OID, INT4OID});
	results->jobs = jobs;
	return results;
}

static void
write_connections(Results *results)
{
	RowSet	   *set = rowset_make(7, (Oid[]) {UUIDOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, INT4OID,
								   TIMESTAMPTZOID, TIMESTAMPTZOID});
	ListCell   *lc;

	foreach(lc, results->connections)
	{
		Connection *connection = lfirst(lc);

		rowset_row(set);
		rowset_uuid(set, connection->id.data);
		rowset_timestamptz(set, connection->updated_at);
		rowset_text(set, connection->new_status);
		rowset_text(set, connection->new_reason);
		if (connection->failures_changed)
			rowset_int4(set, connection->consecutive_failures);
		else
			rowset_null(set);
		rowset_timestamptz(set, connection->synced_at);
		rowset_timestamptz(set, connection->not_before_changed ?
						   Max(connection->hold_until,
							   budget_blocked_until(connection->budget)) : 0);
	}
	rowset_execute(set, &update_connections);
	if (set->n_rows == 0)
		return;
	if (SPI_processed < set->n_rows)
		worker->dirty_retry_at = TimestampTzPlusMilliseconds(worker->now, 1000);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Connection *connection = connection_get(DatumGetUUIDP(spi_datum(i, 1, &isnull)));

		/* What nobody else has changed need not be read again. */
		if (spi_bool(i, 4) && connection->row_xmin == DatumGetTransactionId(spi_datum(i, 2, &isnull)))
			connection->row_xmin = DatumGetTransactionId(spi_datum(i, 3, &isnull));
		connection->new_status = NULL;
		connection->failures_changed = connection->not_before_changed = false;
		connection->synced_at = 0;
		connection->dirty = false;
		worker->dirty = list_delete_ptr(worker->dirty, connection);
	}
}

/* Claims all of whose leads that are still in work have their outcome now. */
static List *
claims_ending(List *jobs)
{
	List	   *claims = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->claim != NULL)
			job->claim->n_ending = 0;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_FINISHED && job->claim != NULL &&
			++job->claim->n_ending == job->claim->n_left)
			claims = lappend(claims, job->claim);
	}
	return claims;
}

/* Delete claims that have ended, and these. */
static void
drop_claims(List *ending)
{
	RowSet	   *ids = rowset_make(1, (Oid[]) {INT8OID});
	List	   *claims = list_concat_copy(worker->claims_done, ending);
	ListCell   *lc;

	foreach(lc, claims)
	{
		rowset_row(ids);
		rowset_int8(ids, ((Claim *) lfirst(lc))->id);
	}
	rowset_execute(ids, &delete_claims);
}

/* After the commit: the rows of these claims are gone. */
static void
forget_claims(int n)
{
	while (n-- > 0)
	{
		pfree(linitial(worker->claims_done));
		worker->claims_done = list_delete_first(worker->claims_done);
	}
}

/*
 * Rows that are not there yet.  If one is (put there by hand while its lead was
 * in work), the group fails and is written by statements that know both cases.
 */
static void
insert_rows(const Results *results, const RowSet *set, TableInsert *target, Statement *statement)
{
	if (set->n_rows == 0)
		return;
	if (results->by_statement || !table_insert_suffices(target))
		rowset_execute(set, statement);
	else
		table_insert(target, set);
}

static void
results_body(void *arg)
{
	Results    *results = arg;
	ListCell   *lc;

	foreach(lc, results->jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_COMMIT)
			add_before_send(results, job);
		else
			add_finished(results, job);
	}
	rowset_execute(results->links, &upsert_links);
	insert_rows(results, results->new_links, &insert_links, &upsert_links);
	rowset_execute(results->lost_links, &delete_links);
	rowset_execute(results->settled, &delete_attempts);
	rowset_execute(results->attempts, &upsert_attempts);
	insert_rows(results, results->new_attempts, &insert_attempts, &upsert_attempts);
	insert_rows(results, results->logs, &insert_logs, &insert_logs_by_statement);
	rowset_execute(results->refusals, &insert_refusals);
	rowset_execute(results->dead, &insert_dead_letters);
	rowset_execute(results->undead, &delete_dead_letters);
	rowset_execute(results->runs, &update_runs);
	rowset_execute(queue_delete(results->queue), &delete_queue);
	write_connections(results);
	tally_write(results->connections);
	drop_claims(claims_ending(results->jobs));
}

/* After the commit: the job goes on, waits, or ends. */
static void
settle_before_send(Job *job, TimestampTz intent_at)
{
	if (job->session.link_changed)
		job->has_link_row = job->session.link.record_id != NULL;
	job->session.link_changed = false;
	if (job->session.request.creates)
	{
		job->intent_at = intent_at;
		job->has_attempts_row = true;
	}
	else if (job->intent_at != 0 && !job->session.uncertain)
	{
		job->intent_at = 0;
		job->has_attempts_row = false;
	}
	job_set_state(job, JOB_STATE_SEND);
	connection_ready(job->connection);
}

static void
settle_failure(Job *job, Verdict verdict)
{
	Connection *connection = job->connection;
	const CrmOutcome *outcome = &job->session.outcome;

	if (is_outage(outcome))
	{
		connection_outage(connection, "crm_unreachable");
		connection_release_jobs(connection);	/* the probe goes alone */
	}
	else if (job->first_sent_at != 0)
		connection_reached(connection);
	if (outcome->error_class == CRM_ERROR_CREDENTIAL)
		connection_set_status(connection, "error", "credential_refused");
	if (verdict == VERDICT_DEAD)
	{
		if (job->first_sent_at != 0)
			connection_count_failure(connection);
		stats_add(STATS_FAILED);
	}
	else if (verdict == VERDICT_RETRY)
		stats_add(STATS_RETRIES);
}

static void
settle_finished(Job *job)
{
	Connection *connection = job->connection;
	CrmOutcome *outcome = &job->session.outcome;
	Verdict		verdict = verdict_of(job);

	if (in_doubt(job))
		connection->may_doubt = true;
	else
		job->intent_at = 0;
	if (outcome->status == CRM_STATUS_FAILED)
		settle_failure(job, verdict);
	else if (job->first_sent_at != 0)
	{
		connection_reached(connection);
		if (connection->consecutive_failures > 0)
		{
			connection->failures_changed = true;
			connection_mark_dirty(connection);
		}
		connection->consecutive_failures = 0;
	}
	if (outcome->status == CRM_STATUS_SUCCESS)
		stats_add(STATS_SYNCED);

	connection_ready(connection);
	if (verdict == VERDICT_RETRY)
	{
		TimestampTz due_at = retry_due(job);

		job->attempts += counts_as_try(outcome);
		job->session.link_changed = false;
		job_hold(job, due_at);
		return;
	}
	if (verdict == VERDICT_RELEASE || verdict == VERDICT_AGAIN)
	{
		connection->cursor[0] = connection->cursor[1] = 0;
		connection_expect_rows(connection);
	}
	job_free(job);
}

static bool
commit_group(List *jobs, List *connections, bool by_statement)
{
	Results    *results = results_make(jobs);
	int			n_claims = list_length(worker->claims_done);
	TimestampTz begun_at = GetCurrentTimestamp();
	TimestampTz intent_at = intent_date();
	ListCell   *lc;

	results->connections = connections;
	results->by_statement = by_statement;
	if (!worker_transaction("echosync: recording results", results_body, results))
		return false;
	worker->now = GetCurrentTimestamp();
	worker->commit_us = worker->now - begun_at;
	forget_claims(n_claims);
	tally_written(connections);
	foreach(lc, claims_ending(jobs))
		((Claim *) lfirst(lc))->deleted = true;
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_COMMIT)
			settle_before_send(job, intent_at);
		else
			settle_finished(job);
	}
	return true;
}

/*
 * The group failed: find the job that cannot be written.  It is put aside
 * with its rows where they are; the queue still has it.
 */
static void
commit_one_by_one(List *jobs)
{
	ListCell   *lc;

	check_environment();		/* is the extension still there? */
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (commit_group(list_make1(job), NIL, true))
			continue;
		check_after_error();
		if (job->state == JOB_STATE_FINISHED && is_counted(job))
			tally_count(job->connection, job->session.outcome.status == CRM_STATUS_SUCCESS, -1);
		job_hold(job, TimestampTzPlusMilliseconds(worker->now, COMMIT_RETRY_MS));
	}
}

/* Jobs that answer backends or refresh tokens write for themselves. */
static List *
take_other_jobs(List *jobs)
{
	List	   *leads = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->kind == JOB_MAIL)
			mail_finished(job);
		else if (job->kind == JOB_REFRESH)
			refresh_finished(job);
		else
			leads = lappend(leads, job);
	}
	return leads;
}

/* What became of them is counted with the same commit. */
static void
count_outcomes(List *jobs)
{
	ListCell   *lc;

	foreach(lc, jobs)
		((Job *) lfirst(lc))->connection->n_ending = 0;
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		job->connection->n_ending += job->state == JOB_STATE_FINISHED;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_FINISHED || !is_counted(job))
			continue;
		tally_count(job->connection, job->session.outcome.status == CRM_STATUS_SUCCESS, 1);
		tally_due(job->connection);
	}
}

/*
 * Commit what waits; true if anything was done, so that the loop goes round
 * again before it sleeps.
 */
bool
results_commit(void)
{
	List	   *jobs = take_other_jobs(worker->finished);
	List	   *connections;
	bool		any = jobs != NIL || worker->to_commit != NIL || worker->finished != NIL;

	count_outcomes(jobs);
	connections = list_copy(worker->dirty);
	jobs = list_concat(jobs, worker->to_commit);
	list_free(worker->finished);
	list_free(worker->to_commit);
	worker->finished = worker->to_commit = NIL;
	if ((jobs != NIL || connections != NIL || worker->claims_done != NIL) && !commit_group(jobs, connections, false))
		commit_one_by_one(jobs);
	return any;
}

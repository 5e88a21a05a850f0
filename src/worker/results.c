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

#include "config/seal.h"
#include "crm/record.h"
#include "db/integration.h"
#include "db/link.h"
#include "db/queue_delete.h"
#include "db/table_insert.h"
#include "worker/worker.h"

/* What could not be written is tried again after this, */
#define COMMIT_RETRY_MS 5000
/* and a connection's row that somebody holds after this. */
#define HELD_ROW_RETRY_MS 1000
/* A lead that met the CRM unreachable lets another probe first, for so long. */
#define PROBE_YIELD_MS 500
#define LINK_TABLE_COLUMNS \
	"integration_id, lead_id, source_id, user_id, crm_record_id, matched_by, payload_hash, note_hash," \
	" phone_hash, email_hash, created_at, synced_at, crm_account, announced_at"

/* What a record is known to carry it goes on carrying: we take nothing off. */
#define UPDATE_LINK \
	" ON CONFLICT (integration_id, lead_id, source_id, crm_account) DO UPDATE SET" \
	" crm_record_id = excluded.crm_record_id, matched_by = excluded.matched_by," \
	" payload_hash = excluded.payload_hash, note_hash = excluded.note_hash," \
	" phone_hash = CASE WHEN excluded.crm_record_id = l.crm_record_id" \
	" THEN COALESCE(excluded.phone_hash, l.phone_hash) ELSE excluded.phone_hash END," \
	" email_hash = CASE WHEN excluded.crm_record_id = l.crm_record_id" \
	" THEN COALESCE(excluded.email_hash, l.email_hash) ELSE excluded.email_hash END," \
	" created_at = excluded.created_at, synced_at = excluded.synced_at," \
	" announced_at = excluded.announced_at"

static Statement upsert_links = {
	.sql = "INSERT INTO @schema@.crm_lead_links AS l (" LINK_TABLE_COLUMNS ")"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
	UPDATE_LINK,
	.nargs = 14,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}
};

/*
 * Links into an account that the CRM does not tell: only while the connection is
 * the one that they were made with.
 */
static Statement upsert_unsure_links = {
	.sql = "INSERT INTO @schema@.crm_lead_links AS l (" LINK_TABLE_COLUMNS ")"
	" SELECT k.id, k.lead_id, k.source_id, k.user_id, k.record_id, k.match, k.payload, k.note, k.phone, k.email,"
	" k.created_at, k.synced_at, k.account, k.announced_at"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) k(id, lead_id, source_id,"
	" user_id, record_id, match, payload, note, phone, email, created_at, synced_at, account, announced_at, connected_at)"
	" WHERE EXISTS (SELECT FROM @schema@.crm_integrations i"
	" WHERE i.id = k.id AND i.crm_account IS NULL AND i.connected_at = k.connected_at)"
	UPDATE_LINK,
	.nargs = 15,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
};

/* Links from before accounts were kept get theirs when they are written next. */
static Statement adopt_links = {
	.sql = "UPDATE @schema@.crm_lead_links l SET crm_account = k.account"
	" FROM unnest($1, $2, $3, $4) k(id, lead_id, source_id, account)"
	" WHERE l.integration_id = k.id AND l.lead_id = k.lead_id AND l.source_id = k.source_id"
	" AND l.crm_account IS NULL AND NOT EXISTS (SELECT FROM @schema@.crm_lead_links o"
	" WHERE o.integration_id = k.id AND o.lead_id = k.lead_id AND o.source_id = k.source_id"
	" AND o.crm_account = k.account)",
	.nargs = 4,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID}
};

/* For leads that had none; the same columns. */
static TableInsert insert_links = {
	.table = "crm_lead_links",
	.n_columns = 14,
	.columns = {"integration_id", "lead_id", "source_id", "user_id", "crm_record_id", "matched_by",
	"payload_hash", "note_hash", "phone_hash", "email_hash", "created_at", "synced_at", "crm_account",
	"announced_at"}
};

static Statement delete_links = {
	.sql = "DELETE FROM @schema@.crm_lead_links l USING unnest($1, $2, $3, $4) k(id, lead_id, source_id, account)"
	" WHERE l.integration_id = k.id AND l.lead_id = k.lead_id AND l.source_id = k.source_id"
	" AND l.crm_account IS NOT DISTINCT FROM k.account",
	.nargs = 4,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID}
};

static Statement upsert_attempts = {
	.sql = "INSERT INTO @schema@.crm_sync_attempts"
	" AS a (integration_id, lead_id, source_id, attempts, due_at, intent_at, error_code,"
	" crashes, intent_lead, phone_hash, email_hash, waiting_since)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
	" ON CONFLICT (integration_id, lead_id, source_id) DO UPDATE SET attempts = excluded.attempts,"
	" due_at = excluded.due_at, intent_at = excluded.intent_at, error_code = excluded.error_code,"
	" crashes = excluded.crashes, waiting_since = excluded.waiting_since,"
	" intent_lead = CASE WHEN excluded.intent_at IS NOT NULL THEN COALESCE(excluded.intent_lead, a.intent_lead) END,"
	" phone_hash = CASE WHEN excluded.intent_at IS NOT NULL THEN COALESCE(excluded.phone_hash, a.phone_hash) END,"
	" email_hash = CASE WHEN excluded.intent_at IS NOT NULL THEN COALESCE(excluded.email_hash, a.email_hash) END",
	.nargs = 12,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, TEXTARRAYOID, INT2ARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID,
	TIMESTAMPTZARRAYOID}
};

/* For leads of which nothing was remembered; the same columns. */
static TableInsert insert_attempts = {
	.table = "crm_sync_attempts",
	.n_columns = 12,
	.columns = {"integration_id", "lead_id", "source_id", "attempts", "due_at", "intent_at", "error_code",
	"crashes", "intent_lead", "phone_hash", "email_hash", "waiting_since"}
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
	" snapshot = excluded.snapshot"
	" RETURNING integration_id",
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

/* One that a backend retries just now goes out with its old snapshot, beside the new one. */
static Statement renew_dead_letters = {
	.sql = "UPDATE @schema@.crm_dead_letters d SET snapshot = held.snapshot FROM ("
	" SELECT h.ctid AS place, k.snapshot FROM unnest($1, $2, $3, $4) k(integration_id, lead_id, source_id, snapshot)"
	" JOIN @schema@.crm_dead_letters h USING (integration_id, lead_id, source_id)"
	" FOR UPDATE OF h SKIP LOCKED) held WHERE d.ctid = held.place",
	.nargs = 4,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, JSONBARRAYOID}
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

/* How many of these are there, held or not? */
static Statement count_integrations = {
	.sql = "SELECT pg_catalog.count(*) FROM unnest($1) k(id) JOIN @schema@.crm_integrations i USING (id)",
	.nargs = 1,
	.argtypes = {UUIDARRAYOID}
};
static Statement count_runs = {
	.sql = "SELECT pg_catalog.count(*) FROM @schema@.crm_sync_runs r WHERE r.id = ANY ($1)",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID}
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
	bool		by_statement;	/* after a failure: insert nothing past the executor,
								 * and leave what is not the job's */
	RowSet	   *links;
	RowSet	   *new_links;
	RowSet	   *unsure_links;	/* whose account is not known */
	RowSet	   *old_links;		/* whose account is to be noted */
	RowSet	   *lost_links;
	RowSet	   *attempts;
	RowSet	   *new_attempts;
	RowSet	   *settled;		/* attempts to delete */
	RowSet	   *logs;
	RowSet	   *refusals;
	RowSet	   *queue;
	RowSet	   *dead;
	RowSet	   *undead;
	RowSet	   *renewed;		/* dead letters with another snapshot */
	RowSet	   *runs;
	List	   *jobs;			/* the group */
	List	   *connections;	/* whose state is to be written */
	List	   *written;		/* of these, whose state was */
} Results;

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

/* A key's digest is a statement about the record: only what it is known to carry. */
static void
add_carried_hash(RowSet *set, const Job *job, LeadField field)
{
	const CrmLead *lead = job->session.lead;
	bool		carried = lead != NULL && record_carries(&job->session, field);

	if (field == LEAD_FIELD_PHONE)
		add_key_hash(set, job, 'p', carried ? lead->phone_key : NULL);
	else
		add_key_hash(set, job, 'e', carried ? lead->email : NULL);
}

static void
add_link_key(RowSet *set, const Job *job, const char *account)
{
	add_key(set, job);
	rowset_text(set, account);
}

static void
add_link(Results *results, const Job *job)
{
	const CrmLink *link = &job->session.link;
	const char *account = link_account(job->connection->account);
	RowSet	   *set = account == NULL ? results->unsure_links :
		job->has_link_row ? results->links : results->new_links;

	if (link->record_id == NULL)
	{
		add_link_key(results->lost_links, job, job->link_account);
		return;
	}
	if (job->has_link_row && job->link_account == NULL && account != NULL)
		add_link_key(results->old_links, job, account);
	add_key(set, job);
	rowset_text(set, job->connection->user_id);
	rowset_text(set, link->record_id);
	rowset_text(set, crm_match_names[link->match]);
	rowset_bytea(set, link->has_digest ? link->digest : NULL, LEAD_DIGEST_SIZE);
	rowset_bytea(set, link->note_digest, LEAD_DIGEST_LEN);
	add_carried_hash(set, job, LEAD_FIELD_PHONE);
	add_carried_hash(set, job, LEAD_FIELD_EMAIL);
	rowset_timestamptz(set, link->created_at ? link->created_at : worker->now);
	rowset_timestamptz(set, worker->now);
	rowset_text(set, account);
	rowset_timestamptz(set, link->announced_at);
	if (set == results->unsure_links)
		rowset_timestamptz(set, job->connection->connected_at);
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

/* Of waits that are no tries: they end with the job, not with its doubt. */
static TimestampTz
waits_since(const Job *job)
{
	if (job->state == JOB_STATE_FINISHED)
	{
		if (job->verdict == VERDICT_DONE || job->verdict == VERDICT_DEAD)
			return 0;
		if (job->verdict == VERDICT_WAIT && job->waiting_since == 0)
			return worker->now;
	}
	return job->waiting_since;
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
	rowset_timestamptz(set, waits_since(job));
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

static const char *
log_reason(const CrmSession *session)
{
	if (session->outcome.status == CRM_STATUS_SKIPPED)
		return lead_refusal_names[session->outcome.reason];
	if (session->outcome.status != CRM_STATUS_SUCCESS)
		return NULL;
	return session->email_refused ? "email_refused" : session->email_shared ? "email_shared" : NULL;
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
	rowset_text(set, log_reason(&job->session));
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

/* The log: refusals once, "unchanged" only for who asked, all else always. */
static void
log_outcome(Results *results, const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	if (verdict_is_counted(job))
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

/* A lead that was refused by its newest word is not to be retried by an older one. */
static void
add_renewed_snapshot(Results *results, const Job *job)
{
	add_key(results->renewed, job);
	rowset_datum(results->renewed, JsonbPGetDatum(job->snapshot));
}

static void
add_dead_letter(Results *results, const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;
	RowSet	   *set = results->dead;

	add_key(set, job);
	rowset_text(set, job->connection->user_id);
	rowset_null(set);			/* its run has counted it */
	rowset_datum(set, job->source_id == 0 && job->snapshot ? JsonbPGetDatum(job->snapshot) : (Datum) 0);
	rowset_timestamptz(set, job->queued_at);
	rowset_int2(set, job->attempts + 1);
	if (outcome->http_status != 0)
		rowset_int4(set, outcome->http_status);
	else
		rowset_null(set);
	rowset_text(set, outcome->error_code);
	rowset_text(set, outcome->error_message);
}

/* What crm_sync_attempts is to have of a job: a row, or none. */
static void
remember_attempts(Results *results, const Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;
	TimestampTz intent_at = verdict_in_doubt(job) ? (job->intent_at ? job->intent_at : worker->now) : 0;

	switch (job->verdict)
	{
		case VERDICT_RETRY:
		case VERDICT_WAIT:
			add_attempt(results, job, job->attempts + (job->verdict == VERDICT_RETRY), verdict_due(job),
						intent_at, outcome->error_code);
			return;
		case VERDICT_PROBE:
		case VERDICT_RELEASE:
			if (intent_at != 0 || job->intent_at != 0)
				add_attempt(results, job, job->attempts, 0, intent_at, outcome->error_code);
			return;
		case VERDICT_DONE:
		case VERDICT_DEAD:
		case VERDICT_AGAIN:
			break;
	}
	if (intent_at != 0)
		add_attempt(results, job, 0, 0, intent_at, outcome->error_code);	/* doubt outlives a dead letter */
	else if (job->has_attempts_row || job->intent_at != 0)
		add_key(results->settled, job);
}

static void
add_finished(Results *results, Job *job)
{
	const CrmOutcome *outcome = &job->session.outcome;

	log_outcome(results, job);
	if (job->session.link_changed ||
		(outcome->status == CRM_STATUS_SUCCESS && job->session.link.record_id != NULL))
		add_link(results, job);
	remember_attempts(results, job);
	if (job->verdict == VERDICT_DEAD)
		add_dead_letter(results, job);
	else if (outcome->status == CRM_STATUS_SUCCESS && job->verdict == VERDICT_DONE)
		add_key(results->undead, job);
	else if (outcome->status == CRM_STATUS_SKIPPED && job->source_id == 0 && job->snapshot != NULL)
		add_renewed_snapshot(results, job);
	if (job->verdict == VERDICT_DEAD || job->verdict == VERDICT_DONE)
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
	BYTEAOID, BYTEAOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	static const Oid attempt_types[] = {UUIDOID, TEXTOID, INT4OID, INT2OID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TEXTOID, INT2OID, TEXTOID, BYTEAOID, BYTEAOID, TIMESTAMPTZOID};
	Results    *results = palloc0(sizeof(Results));

	results->links = rowset_make(14, link_types);
	results->unsure_links = rowset_make(15, link_types);
	results->new_links = rowset_make(14, link_types);
	results->old_links = rowset_make(4, (Oid[]) {UUIDOID, TEXTOID, INT4OID, TEXTOID});
	results->lost_links = rowset_make(4, (Oid[]) {UUIDOID, TEXTOID, INT4OID, TEXTOID});
	results->attempts = rowset_make(12, attempt_types);
	results->new_attempts = rowset_make(12, attempt_types);
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
	results->renewed = rowset_make(4, (Oid[]) {UUIDOID, TEXTOID, INT4OID, JSONBOID});
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
							   budget_blocked_until(connection->budget, worker->now)) : 0);
	}
	rowset_execute(set, &update_connections);
	if (set->n_rows == 0)
		return;
	if (SPI_processed < set->n_rows)
		worker->dirty_retry_at = TimestampTzPlusMilliseconds(worker->now, HELD_ROW_RETRY_MS);
	if (SPI_processed < set->n_rows)
		foreach(lc, results->connections)
			connection_hint(lfirst(lc));	/* one that is gone is dropped then */
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Connection *connection = connection_get(DatumGetUUIDP(spi_datum(i, 1, &isnull)));

		/* What nobody else has changed need not be read again. */
		if (spi_bool(i, 4) && connection->row_xmin == DatumGetTransactionId(spi_datum(i, 2, &isnull)))
			connection->row_xmin = DatumGetTransactionId(spi_datum(i, 3, &isnull));
		results->written = lappend(results->written, connection);
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

/*
 * A row that a statement has passed over, since somebody holds it: the outcome
 * is written later, as a whole.
 */
static void
refuse_held(const RowSet *set, Statement *count, uint64 n_done)
{
	Datum		value = rowset_array(set, 0);

	statement_execute(count, &value, NULL, false, 0);
	if (spi_int64(0, 1, 0) > n_done)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("a row of echosync is held by another session")));
}

static void
write_dead_letters(RowSet *set)
{
	if (set->n_rows == 0)
		return;
	rowset_execute(set, &insert_dead_letters);
	if (SPI_processed < set->n_rows)
		refuse_held(set, &count_integrations, SPI_processed);
}

static void
write_runs(RowSet *set)
{
	int			n_runs = 0;

	for (int i = 0; i < set->n_rows; i++)
	{
		bool		seen = false;

		for (int j = i - 1; j >= 0 && !seen; j--)
			seen = DatumGetInt64(set->values[0][j]) == DatumGetInt64(set->values[0][i]);
		n_runs += !seen;
	}
	if (n_runs == 0)
		return;
	rowset_execute(set, &update_runs);
	if (SPI_processed < n_runs)
		refuse_held(set, &count_runs, SPI_processed);
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
	rowset_execute(results->old_links, &adopt_links);
	rowset_execute(results->links, &upsert_links);
	rowset_execute(results->unsure_links, &upsert_unsure_links);
	insert_rows(results, results->new_links, &insert_links, &upsert_links);
	rowset_execute(results->lost_links, &delete_links);
	rowset_execute(results->settled, &delete_attempts);
	rowset_execute(results->attempts, &upsert_attempts);
	insert_rows(results, results->new_attempts, &insert_attempts, &upsert_attempts);
	insert_rows(results, results->logs, &insert_logs, &insert_logs_by_statement);
	rowset_execute(results->refusals, &insert_refusals);
	write_dead_letters(results->dead);
	rowset_execute(results->undead, &delete_dead_letters);
	rowset_execute(results->renewed, &renew_dead_letters);
	write_runs(results->runs);
	rowset_execute(queue_delete(results->queue), &delete_queue);
	write_connections(results);
	tally_write(results->connections);
	if (!results->by_statement)
		drop_claims(claims_ending(results->jobs));
}

/* After the commit: the job goes on, waits, or ends. */
static void
settle_before_send(Job *job, TimestampTz intent_at)
{
	if (job->session.link_changed)
	{
		MemoryContext caller = MemoryContextSwitchTo(job->session.context);

		job->has_link_row = job->session.link.record_id != NULL;
		job->link_account = link_account(job->connection->account);
		MemoryContextSwitchTo(caller);
	}
	job->session.link_changed = false;
	if (job->session.request.creates)
	{
		job->intent_at = intent_at;
		job->intent_unsent = !job->session.uncertain;
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
settle_failure(Job *job)
{
	Connection *connection = job->connection;
	const CrmOutcome *outcome = &job->session.outcome;

	if (verdict_is_outage(outcome))
	{
		job->outage_at = worker->now;
		job->n_outages++;
	}
	if (verdict_holds_connection(job))
	{
		connection_outage(connection, "crm_unreachable", outcome->retry_after_ms);
		connection_release_jobs(connection, false);	/* the probe goes alone */
	}
	else if (job->has_spoken && !verdict_is_outage(outcome))
		connection_reached(connection);
	if (outcome->error_class == CRM_ERROR_CREDENTIAL)
		connection_set_status(connection, "error", "credential_refused");
	if (job->verdict == VERDICT_DEAD)
	{
		if (job->has_spoken)
			connection_count_failure(connection);
		stats_add(STATS_FAILED);
	}
	else if (job->verdict == VERDICT_RETRY || job->verdict == VERDICT_WAIT)
		stats_add(STATS_RETRIES);
}

/* Held until its time has come, if its connection has room for it. */
static void
settle_held(Job *job, TimestampTz due_at)
{
	Connection *connection = job->connection;

	if (job->verdict == VERDICT_PROBE && connection->n_held >= CONNECTION_MAX_HELD)
	{
		connection_start_over(connection);
		job_free(job);
		return;
	}
	if (job->verdict == VERDICT_RETRY)
		job->attempts++;
	else if (job->verdict == VERDICT_WAIT && job->waiting_since == 0)
		job->waiting_since = worker->now;
	if (verdict_is_counted(job))
	{
		job->written_before = job->session.outcome.write;	/* the log has it */
		job->session.write = job->written = CRM_WRITE_NONE;
	}
	job_hold(job, due_at);
}

static void
settle_finished(Job *job)
{
	Connection *connection = job->connection;
	CrmOutcome *outcome = &job->session.outcome;

	if (verdict_in_doubt(job))
		connection->may_doubt = true;
	else
		job->intent_at = 0;
	if (outcome->status == CRM_STATUS_FAILED)
		settle_failure(job);
	else if (job->has_spoken)
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
	if (job->has_spoken && !verdict_is_outage(outcome))
		connection->reached_at = worker->now;

	connection_ready(connection);
	switch (job->verdict)
	{
		case VERDICT_RETRY:
		case VERDICT_WAIT:
			settle_held(job, verdict_due(job));
			return;
		case VERDICT_PROBE:
			settle_held(job, TimestampTzPlusMilliseconds(Max(connection->hold_until, worker->now),
														 PROBE_YIELD_MS));
			return;
		case VERDICT_RELEASE:
		case VERDICT_AGAIN:
			connection_start_over(connection);
			break;
		case VERDICT_DONE:
		case VERDICT_DEAD:
			break;
	}
	job_free(job);
}

/* After the commit: what these connections were to say has been said. */
static void
connections_written(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		connection->new_status = NULL;
		connection->failures_changed = connection->not_before_changed = false;
		connection->synced_at = 0;
		connection->dirty = false;
		worker->dirty = list_delete_ptr(worker->dirty, connection);
	}
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
	connections_written(results->written);
	tally_written(connections);
	if (!by_statement)
	{
		forget_claims(n_claims);
		foreach(lc, claims_ending(jobs))
			((Claim *) lfirst(lc))->deleted = true;
	}
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

/* What was about to be sent is read again; an outcome stays, to be written later. */
static void
put_off(Job *job)
{
	TimestampTz due_at = TimestampTzPlusMilliseconds(worker->now, COMMIT_RETRY_MS);

	if (job->state == JOB_STATE_COMMIT)
	{
		job_hold(job, due_at);
		return;
	}
	if (verdict_is_counted(job))
		tally_count(job->connection, job->session.outcome.status == CRM_STATUS_SUCCESS, -1);
	job->due_at = due_at;
	connection_ready(job->connection);	/* a reload may have waited for it to be put off */
}

/*
 * The group failed: find what cannot be written.  It is put off, with its rows
 * where they are; the queue still has them.
 */
static void
commit_one_by_one(List *jobs, List *connections)
{
	ListCell   *lc;

	check_environment();		/* is the extension still there? */
	foreach(lc, jobs)
	{
		if (commit_group(list_make1(lfirst(lc)), NIL, true))
			continue;
		check_after_error();
		put_off(lfirst(lc));
	}
	if (connections != NIL && !commit_group(NIL, connections, true))
		worker->dirty_retry_at = TimestampTzPlusMilliseconds(worker->now, COMMIT_RETRY_MS);
	if (worker->claims_done != NIL)
		worker->dirty_retry_at = TimestampTzPlusMilliseconds(worker->now, COMMIT_RETRY_MS);
}

/* Jobs that answer backends, refresh tokens or ask for accounts write for themselves. */
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
		else if (job->kind == JOB_ACCOUNT)
			account_finished(job);
		else if (job->due_at <= worker->now)
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
	{
		Job		   *job = lfirst(lc);

		job->verdict = verdict_of(job);
		job->connection->n_ending = 0;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		job->connection->n_ending += job->state == JOB_STATE_FINISHED;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_FINISHED || !verdict_is_counted(job))
			continue;
		tally_count(job->connection, job->session.outcome.status == CRM_STATUS_SUCCESS, 1);
		tally_due(job->connection);
	}
}

/* Whose row is gone has nothing to say any more. */
static void
drop_missing(void)
{
	ListCell   *lc;

	foreach(lc, worker->dirty)
	{
		Connection *connection = lfirst(lc);

		if (!connection->missing)
			continue;
		connection->dirty = false;
		connection->n_synced = connection->n_failed = 0;
		worker->dirty = foreach_delete_current(worker->dirty, lc);
	}
}

static bool
unwritten(void)
{
	return (worker->dirty != NIL || worker->claims_done != NIL) && worker->dirty_retry_at <= worker->now;
}

/*
 * Commit what waits.  What fails is put off to a time of its own, so that the
 * loop sleeps until then.
 */
void
results_commit(void)
{
	List	   *jobs = take_other_jobs(jobs_in(JOB_STATE_FINISHED));
	List	   *connections = NIL;

	count_outcomes(jobs);
	drop_missing();
	jobs = list_concat(jobs, jobs_in(JOB_STATE_COMMIT));
	if (worker->dirty_retry_at <= worker->now)
		connections = list_copy(worker->dirty);
	if ((jobs != NIL || unwritten()) && !commit_group(jobs, connections, false))
		commit_one_by_one(jobs, connections);
}

TimestampTz
results_next(void)
{
	TimestampTz next = 0;
	dlist_iter	iter;

	if (jobs_any(JOB_STATE_COMMIT))
		next = worker->now;
	else if (worker->dirty != NIL || worker->claims_done != NIL)
		next = Max(worker->dirty_retry_at, worker->now);
	dlist_foreach(iter, &worker->jobs[JOB_STATE_FINISHED])
	{
		Job		   *job = dlist_container(Job, state_node, iter.cur);
		TimestampTz due = Max(job->due_at, worker->now);

		next = next == 0 ? due : Min(next, due);
	}
	return next;
}

/*
 * read.c
 *		From a row taken to a session begun: what is known of its lead, and what
 *		the rule says of it.
 *
 * A request that had to wait is no statement about the lead as it is: before it
 * goes, the lead is read once more here (state CHECK).  Refused by the rule, the
 * job ends; changed, its session begins anew; as it was, the request goes.
 *
 * Not here: which rows are taken, and when (claim.c); reading the application's
 * tables (read_leads.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/guc.h"

#include "config/seal.h"
#include "config/settings.h"
#include "crm/json.h"
#include "crm/record.h"
#include "db/integration.h"
#include "db/link.h"
#include "worker/schedule.h"
#include "worker/worker.h"

#define DOUBT_GRACE_MS 500
#define DOUBT_AHEAD_MS 10000	/* see intent_date in results.c */
#define SUSPECT_WAIT_MS 200
#define MAX_REREADS 3			/* a lead that changes all the time goes as it was;
								 * its later row brings the rest */

static Statement select_state = {
	.sql = "SELECT k.ord, " LINK_COLUMNS ", l.synced_at, a.attempts, a.due_at, a.intent_at, a.lead_id IS NOT NULL,"
	" a.crashes, a.intent_lead, a.waiting_since"
	" FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS k(id, lead_id, source_id, account, ord)"
	" LEFT JOIN LATERAL (SELECT * FROM @schema@.crm_lead_links l WHERE l.integration_id = k.id"
	" AND l.lead_id = k.lead_id AND l.source_id = k.source_id AND " LINK_OF_ACCOUNT("k.account")
	" ORDER BY l.crm_account NULLS LAST LIMIT 1) l ON true"
	" LEFT JOIN @schema@.crm_sync_attempts a ON a.integration_id = k.id AND a.lead_id = k.lead_id"
	" AND a.source_id = k.source_id",
	.nargs = 4,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID}
};

/* Its columns. */
enum
{
	STATE_ORDINAL = 1,
	STATE_LINK,
	STATE_ACCOUNT = STATE_LINK + LINK_N_COLUMNS - 1,	/* the last of the link */
	STATE_SYNCED_AT,
	STATE_ATTEMPTS,
	STATE_DUE_AT,
	STATE_INTENT_AT,
	STATE_HAS_ATTEMPTS,
	STATE_CRASHES,
	STATE_INTENT_LEAD,
	STATE_WAITING_SINCE
};

/*
 * A record that we wrote for another lead with the same phone or e-mail, and
 * (where there may be any) the newest doubt about such a lead, and how many
 * leads of the connection are in doubt or about to be created.
 */
/* Columns of select_local_match: link_known_match. */
#define KNOWN_BY_PHONE 5
#define KNOWN_BY_EMAIL 8

static Statement select_local_match = {
	.sql = "SELECT k.ord, d.intent_at, d.n, d.due_at, p.crm_record_id, p.payload_hash, p.matched_by = 'created',"
	" e.crm_record_id, e.payload_hash, e.matched_by = 'created'"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY"
	" AS k(id, phone, email, lead_id, source_id, may_doubt, account, ord)"
	" LEFT JOIN LATERAL (SELECT l.crm_record_id, l.payload_hash, l.matched_by FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = k.id AND " LINK_OF_ACCOUNT("k.account")
	" AND " LINK_KNOWN_BY_PHONE("k.phone") ") p ON true"
	" LEFT JOIN LATERAL (SELECT l.crm_record_id, l.payload_hash, l.matched_by FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = k.id AND " LINK_OF_ACCOUNT("k.account")
	" AND " LINK_KNOWN_BY_EMAIL("k.email") ") e ON true"
	" LEFT JOIN LATERAL (SELECT pg_catalog.max(a.intent_at) FILTER (WHERE t.is_twin), pg_catalog.count(*),"
	" pg_catalog.max(a.due_at) FILTER (WHERE t.is_twin)"
	" FROM @schema@.crm_sync_attempts a,"
	" LATERAL (SELECT (a.phone_hash = k.phone OR a.email_hash = k.email)"
	" AND (a.lead_id <> k.lead_id OR a.source_id <> k.source_id)) t(is_twin)"
	" WHERE k.may_doubt AND a.integration_id = k.id AND a.intent_at IS NOT NULL"
	") d(intent_at, n, due_at) ON true"
	" WHERE p.crm_record_id IS NOT NULL OR e.crm_record_id IS NOT NULL OR k.may_doubt",
	.nargs = 7,
	.argtypes = {UUIDARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, INT4ARRAYOID, BOOLARRAYOID,
	TEXTARRAYOID}
};

static Statement insert_claims = {
	.sql = "INSERT INTO @schema@.crm_sync_claims (worker, integration_ids, lead_ids, source_ids)"
	" VALUES ($1, $2, $3, $4) RETURNING id",
	.nargs = 4,
	.argtypes = {INT4OID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID}
};

/* Three workers have crashed with this lead in work: not a fourth. */
static void
job_give_up(Job *job)
{
	crm_fail(&job->session, CRM_ERROR_LEAD_FINAL, "worker_crashed",
			 "The worker crashed three times with this lead in work.");
	job_finish(job);
}

static void
load_link(Job *job, uint64 i)
{
	link_from_row(i, STATE_LINK, &job->session.link);
	job->link_account = spi_text(i, STATE_ACCOUNT);
	job->synced_at = spi_timestamptz(i, STATE_SYNCED_AT);
	job->has_link_row = job->synced_at != 0;
}

/*
 * Before this server was promoted, another may have sent the lead, and what it
 * wrote down of it has not come here.
 */
static bool
may_be_repeated(const Job *job)
{
	return job->queued_at < worker->promoted_at;
}

/* The longest that a retry waits, or a provider lets it. */
static int64
longest_wait_ms(const Job *job)
{
	return Max(Max(10 * 60 * 1000, echosync_uncertain_wait),
			   schedule_retry_delay_us(job->attempts + 1, echosync_retry_base_delay, 1.0) / 1000);
}

/*
 * When a doubt began.  One that begins in the future, by a clock that was set
 * back since, begins when it is met.
 */
static TimestampTz
doubt_begin(Job *job, TimestampTz since)
{
	if (since <= TimestampTzPlusMilliseconds(worker->now, DOUBT_AHEAD_MS))
		return since;
	if (job->doubt_met_at == 0)
		job->doubt_met_at = worker->now;
	return job->doubt_met_at;
}

/* What is known of a lead that may not be sent yet: when it may. */
static TimestampTz
job_not_before(Job *job, TimestampTz due)
{
	TimestampTz doubt_since = job->session.uncertain ? job->intent_at : 0;

	due = clock_plausible(due, longest_wait_ms(job));
	if (doubt_since == 0 && job->session.link.record_id == NULL && job->session.repeated)
		doubt_since = worker->promoted_at;
	if (doubt_since != 0)
		due = Max(due, TimestampTzPlusMilliseconds(doubt_begin(job, doubt_since), echosync_uncertain_wait));
	if (job->synced_at <= worker->now && job->synced_at != 0 && !job->session.requested_by_hand)
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
mark_claimed(List *jobs)
{
	RowSet	   *keys = rowset_make(3, (Oid[]) {UUIDOID, TEXTOID, INT4OID});
	Claim	   *claim;
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_READ || job->claim != NULL)
			continue;
		rowset_row(keys);
		rowset_uuid(keys, job->connection->id.data);
		rowset_text(keys, job->lead_id);
		rowset_int4(keys, job->source_id);
	}
	if (keys->n_rows == 0)
		return;
	claim = insert_claim(keys);
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state != JOB_STATE_READ || job->claim != NULL)
			continue;
		job->claim = claim;
		claim->n_left++;
	}
}

/* What the tables have of one lead: its link, its tries, its doubt. */
static void
take_state(Job *job, uint64 i)
{
	MemoryContext caller = MemoryContextSwitchTo(job->session.context);
	bool		isnull;
	Datum		attempts = spi_datum(i, STATE_ATTEMPTS, &isnull);
	Datum		crashes = spi_datum(i, STATE_CRASHES, &isnull);
	TimestampTz intent_at;

	job->has_attempts_row = spi_bool(i, STATE_HAS_ATTEMPTS);
	job->attempts = job->has_attempts_row ? DatumGetInt16(attempts) : 0;
	job->crashes = job->has_attempts_row ? DatumGetInt16(crashes) : 0;
	load_link(job, i);
	intent_at = spi_timestamptz(i, STATE_INTENT_AT);
	job->intent_unsent &= intent_at != 0 && intent_at == job->intent_at;	/* else it is another's */
	job->intent_at = intent_at;
	job->intent_lead = spi_text(i, STATE_INTENT_LEAD);
	job->waiting_since = spi_timestamptz(i, STATE_WAITING_SINCE);
	job->session.uncertain = job->intent_at != 0 && !job->intent_unsent;
	job->session.repeated = may_be_repeated(job);
	job->session.queued_at = job->queued_at;
	MemoryContextSwitchTo(caller);
}

/* For state_body. */
static List *
state_keys(List *jobs, Datum *values)
{
	RowSet	   *keys = rowset_make(4, (Oid[]) {UUIDOID, TEXTOID, INT4OID, TEXTOID});
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		rowset_row(keys);
		rowset_uuid(keys, job->connection->id.data);
		rowset_text(keys, job->lead_id);
		rowset_int4(keys, job->source_id);
		rowset_text(keys, link_account(job->connection->account));
	}
	for (int i = 0; i < 4; i++)
		values[i] = rowset_array(keys, i);
	return jobs;
}

static void
state_body(void *arg)
{
	Datum		values[4];
	List	   *jobs = state_keys(arg, values);

	statement_execute(&select_state, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Job		   *job = list_nth(jobs, spi_int64(i, STATE_ORDINAL, 0) - 1);
		TimestampTz not_before;

		take_state(job, i);
		not_before = job_not_before(job, spi_timestamptz(i, STATE_DUE_AT));
		if (job->state != JOB_STATE_READ)
			continue;
		if (not_before > worker->now)
			job_hold(job, not_before);
		else if (job->crashes == WORKER_MAX_CRASHES - 1 && job->turn_until == 0 && !job_take_turn(job))
			job_hold(job, TimestampTzPlusMilliseconds(worker->now, SUSPECT_WAIT_MS));
	}
	mark_claimed(jobs);

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

/*
 * When the doubt about a twin's create is over: counted from its intent, or from
 * the end of its request, where that is known.
 */
static TimestampTz
twin_doubt_end(Job *job, TimestampTz intent_at, TimestampTz due_at)
{
	TimestampTz end = Max(TimestampTzPlusMilliseconds(doubt_begin(job, intent_at), echosync_uncertain_wait),
						  clock_plausible(due_at, echosync_uncertain_wait));

	return TimestampTzPlusMilliseconds(end, DOUBT_GRACE_MS);
}

static void
local_match_body(void *arg)
{
	List	   *jobs = arg;
	RowSet	   *keys = rowset_make(7, (Oid[]) {UUIDOID, BYTEAOID, BYTEAOID, TEXTOID, INT4OID, BOOLOID, TEXTOID});
	Datum		values[7];
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
		rowset_text(keys, link_account(job->connection->account));
	}
	for (int i = 0; i < 7; i++)
		values[i] = rowset_array(keys, i);
	statement_execute(&select_local_match, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Job		   *job = list_nth(jobs, spi_int64(i, 1, 0) - 1);
		bool		no_doubt;
		Datum		intent_at = spi_datum(i, 2, &no_doubt);
		char	   *record_id = spi_text(i, KNOWN_BY_EMAIL);

		if (job->connection->may_doubt)
			job->connection->may_doubt = spi_int64(i, 3, 0) > intents_in_work(job->connection);
		if (!no_doubt)
			job->doubt_until = twin_doubt_end(job, DatumGetTimestampTz(intent_at), spi_timestamptz(i, 4));
		job->session.local_match_kind = link_known_match(i, KNOWN_BY_PHONE, KNOWN_BY_EMAIL,
														 job->session.lead, job->connection->crm.settings);
		if (job->session.local_match_kind == CRM_MATCH_NONE)
			continue;
		if (record_id == NULL)
			record_id = spi_text(i, KNOWN_BY_PHONE);
		job->session.local_match = MemoryContextStrdup(job->session.context, record_id);
	}
}

/*
 * Ids come again: a table is emptied and counts from 1 once more.  The record of
 * the person who had the id before is not this one's.
 */
static void
drop_links_of_others(List *jobs)
{
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);
		CrmSession *session = &job->session;

		if (job->state == JOB_STATE_READ && !session->uncertain &&
			record_is_of_another(&session->link, session->lead, job->connection->crm.settings))
			memset(&session->link, 0, sizeof(session->link));
	}
}

static void
find_local_matches(List *all)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	foreach(lc, all)
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
		if (other->source_id == job->source_id && strcmp(other->lead_id, job->lead_id) == 0)
			return true;		/* it came by a webhook as well */
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

static LeadRefusal
refusal_of(const Job *job, const CrmLead *lead)
{
	LeadFacts	facts = lead_facts(lead);

	return lead_refusal(&facts, job->connection->crm.settings,
						job->connection->crm.provider->flags_records);
}

static void
begin_all(List *jobs)
{
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);
		LeadRefusal refusal;

		if (job->state != JOB_STATE_READ)
			continue;
		refusal = refusal_of(job, job->session.lead);
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
			job_begin(job);
		}
	}
}

/* Would its session send something else, had it begun now? */
static bool
lead_has_changed(const Job *job)
{
	const IntegrationSettings *settings = job->connection->crm.settings;
	uint8		now[LEAD_DIGEST_SIZE];
	uint8		then[LEAD_DIGEST_SIZE];

	if (job->session.resolve_only)
		return false;			/* what was sent once is looked for, whatever it is now */
	lead_digest(job->seen, settings, now);
	lead_digest(job->session.lead, settings, then);
	if (job->n_rereads >= MAX_REREADS)
		return lead_digest_differs(now, then, LEAD_FIELD_PHONE) ||
			lead_digest_differs(now, then, LEAD_FIELD_EMAIL);
	return memcmp(now, then, LEAD_DIGEST_SIZE) != 0;
}

/* The leads whose requests had to wait: may these still go? */
static void
check_all(List *jobs)
{
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);
		LeadRefusal refusal;

		if (job->state != JOB_STATE_CHECK)
			continue;
		refusal = refusal_of(job, job->seen);
		if (refusal != REFUSAL_NONE)
			job_refuse(job, refusal);
		else if (lead_has_changed(job))
			job_read_again(job);
		else
		{
			job_set_state(job, JOB_STATE_SEND);
			connection_ready(job->connection);
		}
		job->seen = NULL;
	}
}

/* Those in state READ: whether they may be sent yet. */
static void
read_state(List *jobs)
{
	ListCell   *lc;

	if (jobs == NIL)
		return;
	if (worker_transaction("echosync: reading what is known of leads", state_body, jobs))
	{
		write_claim();
		return;
	}
	foreach(lc, jobs)
	{
		Job		   *job = lfirst(lc);

		if (job->state == JOB_STATE_READ)
			job_hold(job, TimestampTzPlusMilliseconds(worker->now, 1000));
	}
}

/* Read the leads of jobs in state READ and begin their sessions; check others. */
void
read_begin(void)
{
	List	   *to_read = jobs_in(JOB_STATE_READ);
	List	   *jobs = list_concat_copy(to_read, jobs_in(JOB_STATE_CHECK));

	if (jobs == NIL)
		return;
	leads_renew(jobs);
	leads_resolve(to_read);
	read_state(to_read);
	leads_read(jobs);
	leads_respell(to_read);
	drop_links_of_others(to_read);
	find_local_matches(to_read);
	begin_all(to_read);
	check_all(jobs);
}

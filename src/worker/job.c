/*
 * job.c
 *		Jobs: driving a provider's session through commits, limits and HTTP.
 *
 * Three replies never reach the provider, so that its session need not start
 * anew: 429 (the same request is sent again when the CRM allows), a 401 for an
 * access token that can be refreshed, and one that a newer token answers.
 *
 * Not here: what a request says (crm/), what is written down (results.c).
 */
#include "postgres.h"

#include <time.h>

#include "utils/memutils.h"

#include "config/seal.h"
#include "config/settings.h"
#include "crm/retry_after.h"
#include "worker/worker.h"

#define MAX_REQUEST_HEADERS 16
/* Without a Retry-After, a refused call waits this long. */
#define DEFAULT_RATE_WAIT_MS 10000
/* Waits from here on are written to crm_integrations.not_before. */
#define LONG_WAIT_US INT64CONST(2000000)
/* When a call of another connection is to be heard of, look again after this. */
#define HEAR_OTHER_MS 100
/* A request for which there was no memory is tried again after this. */
#define SEND_RETRY_MS 1000
/*
 * A lead read longer ago than this is looked at again before its request goes,
 * and an intent older than this is renewed.  The look itself may take a while, and
 * so may the commits before it: or they would take turns for ever.
 */
#define LEAD_FRESH_US INT64CONST(1000000)
#define INTENT_FRESH_US INT64CONST(500000)
/* ... and one that is dated further ahead: see intent_date in results.c. */
#define INTENT_AHEAD_US INT64CONST(10000000)
/* A 429 is never answered by another call at once, whatever its header says. */
#define MIN_RATE_WAIT_MS 1000
/* The row of a connection is being read: when to look whether it was. */
#define STALE_WAIT_MS 100
/* How long one suspect keeps the others waiting at most: see job_take_turn. */
#define SUSPECT_TURN_MS 10000

Job *
job_make(JobKind kind, Connection *connection)
{
	MemoryContext context = AllocSetContextCreate(worker->context, "echosync job",
												  ALLOCSET_SMALL_SIZES);
	Job		   *job = MemoryContextAllocZero(context, sizeof(Job));

	job->kind = kind;
	job->context = context;
	job->connection = connection;
	job->session.context = AllocSetContextCreate(context, "echosync session",
												 ALLOCSET_SMALL_SIZES);
	job->session.connection = &connection->crm;
	dlist_push_tail(&connection->jobs, &job->node);
	return job;
}

static bool
state_is_active(JobState state)
{
	return state >= JOB_STATE_READ;
}

void
jobs_init(void)
{
	for (int state = 0; state < JOB_STATE_COUNT; state++)
		dlist_init(&worker->jobs[state]);
}

List *
jobs_in(JobState state)
{
	List	   *jobs = NIL;
	dlist_iter	iter;

	dlist_foreach(iter, &worker->jobs[state])
		jobs = lappend(jobs, dlist_container(Job, state_node, iter.cur));
	return jobs;
}

bool
jobs_any(JobState state)
{
	return !dlist_is_empty(&worker->jobs[state]);
}

/* The job is no longer in work; the row goes with the last of its group. */
static void
claim_release(Job *job)
{
	if (--job->claim->n_left == 0)
	{
		if (job->claim->deleted)
			pfree(job->claim);
		else
			worker_list_append(&worker->claims_done, job->claim);
	}
	job->claim = NULL;
}

/*
 * Leads that one more crash makes dead letters go one at a time, whichever
 * worker has them, so that the crash tells which of them it was.  Those that
 * only happened to be in work with it are sent.  A turn ends after a while:
 * the lead may have to wait for a limit.
 */
bool
job_take_turn(Job *job)
{
	uint64		taken_until = pg_atomic_read_u64(&shared_state->suspect_until);
	TimestampTz until = TimestampTzPlusMilliseconds(worker->now, SUSPECT_TURN_MS);

	/* A time further ahead than a turn is long is of a clock that was set back. */
	if (((TimestampTz) taken_until > worker->now && (TimestampTz) taken_until <= until) ||
		!pg_atomic_compare_exchange_u64(&shared_state->suspect_until, &taken_until, (uint64) until))
		return false;
	job->turn_until = until;
	return true;
}

static void
turn_release(Job *job)
{
	uint64		until = (uint64) job->turn_until;

	/* unless it has run out, and is another's now */
	(void) pg_atomic_compare_exchange_u64(&shared_state->suspect_until, &until, 0);
	job->turn_until = 0;
}

/*
 * Rows of this lead that the cursor has passed while it was in work can be
 * taken now.
 */
static void
rows_come_back(Job *job)
{
	Connection *connection = job->connection;

	for (int priority = 0; priority < 2; priority++)
	{
		if (job->passed[priority] == 0)
			continue;
		connection->cursor[priority] = Min(connection->cursor[priority], job->passed[priority] - 1);
		job->passed[priority] = 0;
		connection_expect_rows(connection);
	}
}

/* It is not in work any more. */
static void
job_rests(Job *job)
{
	rows_come_back(job);
	if (job->intent_at != 0)
		job->connection->may_doubt = true;
	if (job->claim != NULL)
		claim_release(job);
	if (job->turn_until != 0)
		turn_release(job);
}

void
job_set_state(Job *job, JobState state)
{
	Connection *connection = job->connection;
	bool		was_active = state_is_active(job->state);
	bool		is_active = state_is_active(state);
	int			change = is_active - was_active;

	if (job->state != JOB_STATE_NONE)
		dlist_delete(&job->state_node);
	if (state != JOB_STATE_NONE)
		dlist_push_tail(&worker->jobs[state], &job->state_node);
	connection->n_sending += (state == JOB_STATE_SENDING) - (job->state == JOB_STATE_SENDING);
	connection->n_held += (state == JOB_STATE_HELD) - (job->state == JOB_STATE_HELD);
	connection->n_active += change;
	if (job->kind == JOB_LEAD)
		connection->n_leads += change;
	if (change != 0 && connection->n_active == Max(change, 0))
		places_working(connection, change);
	job->state = state;
	if (!is_active)
		job_rests(job);
}

void
job_free(Job *job)
{
	Connection *connection = job->connection;

	Assert(job->transfer == NULL);
	job_set_state(job, JOB_STATE_NONE);
	connection->n_rows -= job->n_rows;
	dlist_delete(&job->node);
	if (job->mail != NULL)
		explicit_bzero(job->mail, sizeof(MailRequest));
	seal_wipe(job->refresh_token);
	MemoryContextDelete(job->context);
}

void
job_add_row(Job *job, const QueueRow *row)
{
	if (job->n_rows == job->rows_capacity)
	{
		job->rows_capacity = job->rows_capacity ? job->rows_capacity * 2 : 4;
		if (job->rows == NULL)
			job->rows = MemoryContextAlloc(job->context, job->rows_capacity * sizeof(QueueRow));
		else
			job->rows = repalloc(job->rows, job->rows_capacity * sizeof(QueueRow));
	}
	job->rows[job->n_rows++] = *row;
	job->connection->n_rows++;
}

bool
job_has_row(const Job *job, int priority, int64 id)
{
	for (int i = 0; i < job->n_rows; i++)
	{
		if (job->rows[i].id == id && job->rows[i].priority == priority)
			return true;
	}
	return false;
}

Job *
job_find_lead(Connection *connection, const char *lead_id, int queue_source)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->kind == JOB_LEAD && job->queue_source == queue_source &&
			strcmp(job->queue_lead, lead_id) == 0)
			return job;
	}
	return NULL;
}

/* The stronger of two: a record that we created stays created. */
static CrmWrite
stronger_write(CrmWrite a, CrmWrite b)
{
	return a == CRM_WRITE_CREATED || b == CRM_WRITE_NONE ? a : b;
}

/*
 * Nothing is kept of a session but what it has written, for the log: what the
 * next one needs is in the tables.
 */
static void
session_forget(Job *job)
{
	CrmSession *session = &job->session;

	job->written = stronger_write(session->write, job->written);
	session->write = CRM_WRITE_NONE;
	memset(session->digest, 0, sizeof(session->digest));
	session->lead = NULL;
	session->local_match = NULL;
	session->state = NULL;
	session->link_changed = session->searched = false;
	memset(&session->link, 0, sizeof(CrmLink));
	memset(&session->request, 0, sizeof(CrmRequest));
	job->link_account = NULL;
	job->intent_lead = NULL;
	job->seen = NULL;
	job->begun = job->has_spoken = job->has_answer = job->ended_here = false;
	MemoryContextReset(session->context);
}

/*
 * Put a lead aside until a time; what was read of it is read again then.  Another
 * of the connection may take its place.
 */
void
job_hold(Job *job, TimestampTz due_at)
{
	session_forget(job);
	job_set_state(job, JOB_STATE_HELD);
	job->n_rereads = 0;
	job->due_at = due_at;
	connection_wake_at(job->connection, due_at);
	connection_ready(job->connection);
}

/* The lead is not as its session has read it: begin anew. */
void
job_read_again(Job *job)
{
	session_forget(job);
	job->n_rereads++;
	job_set_state(job, JOB_STATE_READ);
}

void
job_finish(Job *job)
{
	CrmOutcome *outcome = &job->session.outcome;

	/* What an earlier session of this job has written is what happened. */
	if (job->written != CRM_WRITE_NONE)
	{
		if (outcome->status == CRM_STATUS_SKIPPED)
		{
			crm_success(&job->session, job->written);
			job->ended_here = true;
		}
		outcome->write = stronger_write(outcome->write, job->written);
	}
	else if (job->written_before != CRM_WRITE_NONE && outcome->write == CRM_WRITE_NONE)
	{
		/* It failed then, and there is nothing left to do: that is the success. */
		if (outcome->status == CRM_STATUS_SKIPPED && outcome->reason == REFUSAL_UNCHANGED)
			crm_success(&job->session, job->written_before);
		else if (outcome->status == CRM_STATUS_SUCCESS)
			outcome->write = job->written_before;
	}
	job->due_at = 0;
	job_set_state(job, JOB_STATE_FINISHED);
}

static void
job_advance(Job *job, CrmAction action)
{
	CrmSession *session = &job->session;

	if (action == CRM_ACTION_DONE)
	{
		job_finish(job);
		return;
	}
	if (job->kind == JOB_LEAD && (session->request.creates || session->link_changed))
	{
		job_set_state(job, JOB_STATE_COMMIT);
		return;
	}
	job_set_state(job, JOB_STATE_SEND);
	connection_ready(job->connection);
}

void
job_begin(Job *job)
{
	MemoryContext caller = MemoryContextSwitchTo(job->session.context);
	CrmAction	action;

	job->begun = true;
	memset(&job->session.outcome, 0, sizeof(CrmOutcome));
	job->session.now = worker->now;
	action = job->connection->crm.provider->begin(&job->session);
	MemoryContextSwitchTo(caller);
	job_advance(job, action);
}

/*
 * The job's next request is not to be sent.  What it has written until now is
 * its result.
 */
static void
job_end_here(Job *job)
{
	crm_success(&job->session, stronger_write(job->session.write, job->written));
	job->ended_here = true;
	job_finish(job);
}

static bool
has_written(const Job *job)
{
	return job->session.write != CRM_WRITE_NONE || job->written != CRM_WRITE_NONE;
}

/* The lead is not to be sent: what was done until now is the outcome, or the refusal. */
void
job_refuse(Job *job, LeadRefusal refusal)
{
	if (has_written(job))
	{
		job_end_here(job);
		return;
	}
	crm_skip(&job->session, refusal);
	job_finish(job);
}

/*
 * Everything of a connection that is not under way goes back to the queue, or
 * (in an outage) only what waits to be sent: who waits for a time waits on.
 */
void
connection_release_jobs(Connection *connection, bool held_too)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if ((job->kind != JOB_LEAD && job->kind != JOB_ACCOUNT) ||
			(job->state != JOB_STATE_SEND && (job->state != JOB_STATE_HELD || !held_too)))
			continue;

		/*
		 * A create whose intent is committed but which was not sent would count
		 * as in doubt later.  In an outage it waits here, where we know better.
		 */
		if (!held_too && job->intent_unsent && connection->n_held < CONNECTION_MAX_HELD)
			job_hold(job, connection->hold_until);
		else if (connection->missing && job->state == JOB_STATE_SEND && has_written(job))
			job_end_here(job);
		else
			job_free(job);
	}
	connection_start_over(connection);
}

/*
 * The connection's row has changed, and is taken over when no lead is in work.
 * Those that wait to be sent are read again then, by the rule as it is.
 */
static void
connection_park(Connection *connection)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->kind != JOB_LEAD)
			continue;
		if (job->state == JOB_STATE_SEND)
			job_hold(job, worker->now);

		/*
		 * One whose outcome cannot be written must not keep the others waiting:
		 * its rows are there, and its intent, by which it is searched for.
		 */
		else if (job->state == JOB_STATE_FINISHED && job->due_at > worker->now)
		{
			job_free(job);
			connection_start_over(connection);
		}
	}
}

static void
refuse_until(Connection *connection, int limit_context, const HttpReply *reply)
{
	int			wait_ms = crm_retry_after_ms(reply, (int64) time(NULL));
	CrmLimitHint hint = {limit_context, -1, -1, -1};
	TimestampTz until;

	if (wait_ms < 0)
	{
		connection->crm.provider->limit_hint(reply, limit_context, &hint);
		wait_ms = hint.reset_ms >= 0 ? hint.reset_ms :
			connection->crm.provider->limits[limit_context].window_ms;
		if (wait_ms <= 0)
			wait_ms = DEFAULT_RATE_WAIT_MS;
	}
	/* Both CRMs ask to hold every call of the account, not of a context only. */
	until = TimestampTzPlusMilliseconds(worker->now, Max(wait_ms, MIN_RATE_WAIT_MS) + 50);
	connection->hold_until = Max(connection->hold_until, until);
	budget_hold(connection->budget, until);
	connection->not_before_changed = true;
	connection_mark_dirty(connection);
	connection_wake_at(connection, connection->hold_until);
	stats_add(STATS_RATE_LIMITED);
}

/* How long the CRM took, and what time it is there. */
static void
note_answer(const Connection *connection, const HttpReply *reply)
{
	const char *crm_type = connection->crm.provider->crm_type;
	int64		now_ms = (worker->now - SetEpochTimestamp()) / 1000;
	int64_t		date;

	if (reply->result != HTTP_RESULT_RESPONSE)
		return;
	stats_observe(STATS_CRM_ANSWER, crm_type, reply->duration_us);
	/* The header is of whole seconds, cut: half a second off on average. */
	if (http_date_read(http_reply_header(reply, "date"), now_ms / 1000, &date))
		stats_clock(crm_type, date * 1000 + 500 - now_ms);
}

static void
note_limits(Connection *connection, int limit_context, const HttpReply *reply)
{
	CrmLimitHint hint = {limit_context, -1, -1, -1};

	if (reply->result != HTTP_RESULT_RESPONSE || connection->crm.provider->limit_hint == NULL)
		return;
	connection->crm.provider->limit_hint(reply, limit_context, &hint);
	budget_told(connection->budget, &hint, worker->now);

	/* A long wait is remembered over a restart, which would begin with a call. */
	if (limit_context == 0 &&
		budget_blocked_until(connection->budget, worker->now) > worker->now + LONG_WAIT_US)
	{
		connection->not_before_changed = true;
		connection_mark_dirty(connection);
	}
}

/* Is this a 401 that a refresh may cure?  Then the request waits for it. */
static bool
wait_for_token(Job *job)
{
	Connection *connection = job->connection;

	if (connection->crm.credential.kind != CRM_CREDENTIAL_OAUTH ||
		job->session.request.anonymous || job->auth_retried)
		return false;
	job->auth_retried = true;
	if (job->token_generation == connection->token_generation)
		token_refuse(connection);
	return true;
}

/* The CRM counts a call when it comes, which may be a handshake later. */
static void
note_written(const Job *job, const HttpReply *reply)
{
	if (reply->first_byte_us > 0)
		budget_written(job->connection->budget, job->session.request.limit_context,
					   job->counted_at,
					   worker->now - (reply->duration_us - reply->first_byte_us), worker->now);
}

/* Hand a reply to the provider, unless it is one that never reaches it. */
static void
job_take_reply(Job *job, const HttpReply *reply)
{
	Connection *connection = job->connection;
	int			context = job->session.request.limit_context;
	MemoryContext caller;
	CrmAction	action;

	/* What it says of limits is of the account that it was counted with. */
	if (job->counted_with != connection->budget)
	{
		if (reply->status == 429)
		{
			job_set_state(job, JOB_STATE_SEND);
			return;
		}
	}
	else if (reply->status != 429)
		note_limits(connection, context, reply);
	else
	{
		refuse_until(connection, context, reply);
		if (job->kind != JOB_MAIL || connection->hold_until <= worker->now + MAIL_PATIENCE_US)
		{
			job_set_state(job, JOB_STATE_SEND);
			return;
		}
	}
	if (reply->status == 401 && wait_for_token(job))
	{
		job_set_state(job, JOB_STATE_SEND);
		return;
	}

	if (reply->status >= 200 && reply->status < 300)
		job->has_answer = true;
	if (reply->result == HTTP_RESULT_RESPONSE && job->token_generation == connection->token_generation &&
		!job->session.request.anonymous)
		connection->token_used = true;
	caller = MemoryContextSwitchTo(job->session.context);
	job->session.now = worker->now;
	action = connection->crm.provider->next(&job->session, reply);
	MemoryContextSwitchTo(caller);
	job_advance(job, action);
}

static void
job_replied(const HttpReply *reply, void *arg)
{
	Job		   *job = arg;
	Connection *connection = job->connection;

	job->transfer = NULL;
	places_give_back(connection);
	worker->now = GetCurrentTimestamp();
	connection_ready(connection);
	note_answer(connection, reply);
	if (job->counted_with == connection->budget)
	{
		note_written(job, reply);
		budget_ended(connection->budget, job->session.request.limit_context,
					 reply->result == HTTP_RESULT_RESPONSE);
	}
	job_take_reply(job, reply);
	mail_progress(connection);
}

/* The engine has its own copy; the header was made for this request alone. */
static void
wipe_authorization(List *headers)
{
	ListCell   *lc;

	foreach(lc, headers)
	{
		char	   *line = lfirst(lc);

		if (pg_strncasecmp(line, "Authorization:", 14) == 0)
			explicit_bzero(line, strlen(line));
	}
}

/* Hand the request to the HTTP engine; false when it is short of memory. */
static bool
job_send(Job *job)
{
	Connection *connection = job->connection;
	CrmRequest *request = &job->session.request;
	const char *lines[MAX_REQUEST_HEADERS];
	HttpRequest http = {0};
	List	   *authorization = NIL;
	List	   *headers;
	ListCell   *lc;
	MemoryContext caller = MemoryContextSwitchTo(worker->turn);

	if (!request->anonymous)
		authorization = connection->crm.provider->authorize(&connection->crm, NIL);
	headers = list_concat_copy(authorization, request->extra_headers);
	if (request->content_type != NULL)
		headers = lappend(headers, psprintf("Content-Type: %s", request->content_type));
	foreach(lc, headers)
	{
		if (http.n_headers < MAX_REQUEST_HEADERS)
			lines[http.n_headers++] = lfirst(lc);
	}
	http.method = request->method;
	http.url = request->url;
	http.headers = lines;
	http.body = request->body.len > 0 ? request->body.data : NULL;
	http.body_len = request->body.len;
	http.fresh_dns = connection->outages > 0;	/* it may have moved */
	job->transfer = http_engine_submit(worker->engine, &http, job_replied, job);
	wipe_authorization(authorization);
	MemoryContextSwitchTo(caller);
	if (job->transfer == NULL)
		return false;

	stats_add(STATS_REQUESTS);
	if (job->kind == JOB_LEAD && job->first_sent_at == 0)
		stats_observe(STATS_QUEUE_AGE, connection->crm.provider->crm_type,
					  worker->now - job->queued_at);
	job->token_generation = connection->token_generation;
	if (job->first_sent_at == 0)
		job->first_sent_at = worker->now;
	job->has_spoken = true;
	if (request->creates)
		job->intent_unsent = false;
	job_set_state(job, JOB_STATE_SENDING);
	mail_progress(connection);
	return true;
}

/* May this job's request go now?  If not, the connection is woken in time. */
static bool
job_may_send(Job *job)
{
	Connection *connection = job->connection;
	int			limit_context = job->session.request.limit_context;
	TimestampTz when = budget_next(connection->budget, limit_context, worker->now);

	if (job->kind == JOB_LEAD && budget_must_hear(connection->budget, limit_context, worker->now))
	{
		/* The reply makes its own connection ready. */
		if (connection->n_sending == 0)
			connection_wake_at(connection,
							   TimestampTzPlusMilliseconds(worker->now, HEAR_OTHER_MS));
		return false;
	}
	if (when > worker->now)
	{
		connection_wake_at(connection, when);
		return false;
	}
	if (job->session.request.anonymous)
		return true;
	return connection->refresh == NULL && token_is_fresh(connection);
}

/*
 * The doubt about a create is counted from its intent.  One that had to wait
 * for a place says anew when it is sent.
 */
static bool
intent_is_stale(const Job *job)
{
	TimeOffset	age = worker->now - job->intent_at;

	return job->kind == JOB_LEAD && job->session.request.creates &&
		(age > INTENT_FRESH_US + worker->read_us + 2 * worker->commit_us || age < -INTENT_AHEAD_US);
}

/* The rule was applied to the lead as it was read: not to be relied on for long. */
static bool
lead_is_stale(const Job *job)
{
	return job->kind == JOB_LEAD && worker->now - job->read_at > LEAD_FRESH_US + worker->read_us;
}

/* Have the request counted; false if another worker was first and no call is left. */
static bool
job_take_call(Job *job)
{
	job->counted_at = worker->now;
	job->counted_with = job->connection->budget;
	return budget_take(job->connection->budget, job->session.request.limit_context,
					   job->kind == JOB_LEAD, worker->now,
					   TimestampTzPlusMilliseconds(worker->now, echosync_request_timeout));
}

static bool
mail_waits(Connection *connection)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		if (dlist_container(Job, node, iter.cur)->kind == JOB_MAIL)
			return true;
	}
	return false;
}

/* While only a person's question may be sent, so may the token that it needs. */
static bool
job_is_admitted(const Job *job, bool only_mail)
{
	return !only_mail || job->kind == JOB_MAIL ||
		(job->kind == JOB_REFRESH && mail_waits(job->connection));
}

/*
 * What has to be done before this request goes, each in a transaction: the
 * state for it, or NONE.  The look at the lead comes last, since it is quick.
 */
static JobState
state_before_sending(const Job *job)
{
	if (intent_is_stale(job))
		return JOB_STATE_COMMIT;
	return lead_is_stale(job) ? JOB_STATE_CHECK : JOB_STATE_NONE;
}

/* Hand over the request of a job, for which there is a place. */
static bool
job_take_off(Job *job)
{
	Connection *connection = job->connection;

	if (!job_take_call(job))
	{
		places_give_back(connection);
		if (job_may_send(job))	/* else it says when */
			connection_ready(connection);
		return false;
	}
	if (!job_send(job))
	{
		budget_ended(connection->budget, job->session.request.limit_context, false);
		places_give_back(connection);
		connection_wake_at(connection, TimestampTzPlusMilliseconds(worker->now, SEND_RETRY_MS));
		return false;
	}
	return true;
}

/*
 * Send one request that waits.  True if one was sent: there may be another, but
 * others have their turn first.
 */
static bool
connection_send(Connection *connection, bool only_mail)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);
		JobState	before;

		if (job->state != JOB_STATE_SEND || !job_is_admitted(job, only_mail) || !job_may_send(job))
			continue;
		before = state_before_sending(job);
		if (before != JOB_STATE_NONE)
		{
			job_set_state(job, before);
			if (places_keep(connection))
				return false;
			continue;
		}
		if (!places_take(connection))
			return false;
		if (job_take_off(job))
			return true;
	}
	return false;
}

/* One lead probes; else as many as the limits let finish soon. */
static int
leads_allowed(const Connection *connection)
{
	return connection->outages > 0 ? 1 : connection->max_active;
}

static void
connection_take_held(Connection *connection)
{
	dlist_mutable_iter iter;

	if (worker->leave_by != 0 || connection->n_held == 0 || connection->reload_blocked)
		return;
	if (!connection_knows_account(connection))
	{
		account_ask(connection);
		return;
	}
	dlist_foreach_modify(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->state != JOB_STATE_HELD || job->kind != JOB_LEAD)
			continue;
		if (connection->stale)
			connection_wake_at(connection, TimestampTzPlusMilliseconds(worker->now, STALE_WAIT_MS));
		else if (job->due_at > worker->now)
			connection_wake_at(connection, job->due_at);
		else if (connection->n_active < leads_allowed(connection))
			job_set_state(job, JOB_STATE_READ);
	}
}

/* Nothing may be sent for this connection now but what a person asks. */
static void
connection_rests(Connection *connection)
{
	/* Stale, but for its jobs: the status has just been read, and they must end. */
	if (connection->stale && !connection->reload_blocked)
		return;
	connection_release_jobs(connection, true);
	connection->maybe_work = false;
}

/*
 * Give a connection its turn: take up what is due, send one request that
 * waits.  True if there may be another.  New rows are claimed by the caller,
 * for many connections at once.
 */
bool
connection_run(Connection *connection)
{
	if (connection->reload_blocked)
		connection_park(connection);
	token_retry_store(connection);

	/* What another connection of the account was told holds for this one. */
	if (connection->budget != NULL)
		connection->hold_until = Max(connection->hold_until,
									 budget_held_until(connection->budget, worker->now));
	if (connection->hold_until > worker->now)
	{
		connection_wake_at(connection, connection->hold_until);
		return connection->outages > 0 && connection_send(connection, true);
	}
	connection->hold_until = 0;
	if (!connection_may_send(connection))
	{
		connection_rests(connection);
		return connection_send(connection, true);
	}
	connection_take_held(connection);
	return connection_send(connection, false);
}

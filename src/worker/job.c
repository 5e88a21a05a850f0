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

#include "config/settings.h"
#include "crm/retry_after.h"
#include "worker/worker.h"

/* Refresh an access token that ends within this time. */
#define TOKEN_EARLY_US (INT64CONST(300) * 1000000)
#define MAX_REQUEST_HEADERS 16
/* Without a Retry-After, a refused call waits this long. */
#define DEFAULT_RATE_WAIT_MS 10000
/* Waits from here on are written to crm_integrations.not_before. */
#define LONG_WAIT_US INT64CONST(2000000)
/* When a call of another connection is to be heard of, look again after this. */
#define HEAR_OTHER_MS 100
/* A request for which there was no memory is tried again after this. */
#define SEND_RETRY_MS 1000
/* An intent older than this is renewed before its create is sent. */
#define INTENT_FRESH_MS 500
/* ... and one that is dated further ahead: see intent_date in results.c. */
#define INTENT_AHEAD_MS 10000
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

	if ((TimestampTz) taken_until > worker->now ||
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

void
job_set_state(Job *job, JobState state)
{
	Connection *connection = job->connection;

	connection->n_sending += (state == JOB_STATE_SENDING) - (job->state == JOB_STATE_SENDING);
	if (state_is_active(job->state) && --connection->n_active == 0)
		places_working(connection, -1);
	else if (job->state == JOB_STATE_HELD)
		connection->n_held--;
	job->state = state;
	if (job->intent_at != 0 && !state_is_active(state))
		connection->may_doubt = true;
	if (job->claim != NULL && !state_is_active(state))
		claim_release(job);
	if (job->turn_until != 0 && !state_is_active(state))
		turn_release(job);
	if (state_is_active(state) && connection->n_active++ == 0)
		places_working(connection, 1);
	else if (state == JOB_STATE_HELD)
		connection->n_held++;
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
job_find_lead(Connection *connection, const char *lead_id, int source_id)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->kind == JOB_LEAD && job->source_id == source_id &&
			strcmp(job->lead_id, lead_id) == 0)
			return job;
	}
	return NULL;
}

/*
 * Put a lead aside until a time; what was read of it is read again then.  Another
 * of the connection may take its place.
 */
void
job_hold(Job *job, TimestampTz due_at)
{
	CrmSession *session = &job->session;

	/* It may wait often and for long: nothing is kept but what it is. */
	session->lead = NULL;
	session->local_match = NULL;
	session->state = NULL;
	memset(&session->link, 0, sizeof(CrmLink));
	memset(&session->request, 0, sizeof(CrmRequest));
	job->intent_lead = NULL;
	MemoryContextReset(session->context);

	job_set_state(job, JOB_STATE_HELD);
	job->due_at = due_at;
	job->begun = false;
	connection_wake_at(job->connection, due_at);
	connection_ready(job->connection);
}

static void
job_advance(Job *job, CrmAction action)
{
	CrmSession *session = &job->session;

	if (action == CRM_ACTION_DONE)
	{
		job_set_state(job, JOB_STATE_FINISHED);
		worker_list_append(&worker->finished, job);
		return;
	}
	if (job->kind == JOB_LEAD && (session->request.creates || session->link_changed))
	{
		job_set_state(job, JOB_STATE_COMMIT);
		worker_list_append(&worker->to_commit, job);
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
 * The connection is gone, and so is the job's next request.  What it has
 * written until now is its result.
 */
static void
job_end_here(Job *job)
{
	crm_success(&job->session, job->session.write);
	job_set_state(job, JOB_STATE_FINISHED);
	worker_list_append(&worker->finished, job);
}

/* Everything of a connection that is not under way goes back to the queue. */
void
connection_release_jobs(Connection *connection)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		/*
		 * A create whose intent is committed but which was not sent counts as
		 * in doubt later: that costs a search, and never a duplicate.
		 */
		if (job->kind != JOB_LEAD ||
			(job->state != JOB_STATE_HELD && job->state != JOB_STATE_SEND))
			continue;
		if (connection->missing && job->state == JOB_STATE_SEND &&
			job->session.write != CRM_WRITE_NONE)
			job_end_here(job);
		else
			job_free(job);
	}
	connection->cursor[0] = connection->cursor[1] = 0;
	connection_expect_rows(connection);
}

static void
refuse_until(Connection *connection, int limit_context, const HttpReply *reply)
{
	int			wait_ms = crm_retry_after_ms(http_reply_header(reply, "retry-after"),
											 (int64) time(NULL));
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
	until = TimestampTzPlusMilliseconds(worker->now, wait_ms + 50);
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
		budget_blocked_until(connection->budget) > worker->now + LONG_WAIT_US)
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
	{
		connection->crm.credential.expires_at = 1;	/* refused: not to be used again */
		refresh_start(connection);
	}
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

static void
job_replied(const HttpReply *reply, void *arg)
{
	Job		   *job = arg;
	Connection *connection = job->connection;
	int			context = job->session.request.limit_context;
	MemoryContext caller;
	CrmAction	action;

	job->transfer = NULL;
	places_give_back(connection);
	worker->now = GetCurrentTimestamp();
	connection_ready(connection);
	note_answer(connection, reply);
	note_written(job, reply);
	budget_ended(connection->budget, context, reply->result == HTTP_RESULT_RESPONSE);
	if (reply->status != 429)
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

	caller = MemoryContextSwitchTo(job->session.context);
	job->session.now = worker->now;
	action = connection->crm.provider->next(&job->session, reply);
	MemoryContextSwitchTo(caller);
	job_advance(job, action);
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
	job_set_state(job, JOB_STATE_SENDING);
	return true;
}

static bool
token_is_fresh(Connection *connection)
{
	const CrmCredential *credential = &connection->crm.credential;

	if (credential->kind != CRM_CREDENTIAL_OAUTH ||
		credential->expires_at - TOKEN_EARLY_US > worker->now)
		return true;
	refresh_start(connection);
	return false;
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
	return job->kind == JOB_LEAD && job->session.request.creates &&
		(TimestampDifferenceExceeds(job->intent_at, worker->now, INTENT_FRESH_MS) ||
		 TimestampDifferenceExceeds(worker->now, job->intent_at, INTENT_AHEAD_MS));
}

/* Have the request counted; false if another worker was first and no call is left. */
static bool
job_take_call(Job *job)
{
	job->counted_at = worker->now;
	return budget_take(job->connection->budget, job->session.request.limit_context,
					   job->kind == JOB_LEAD, worker->now,
					   TimestampTzPlusMilliseconds(worker->now, echosync_request_timeout));
}

/*
 * Send one request that waits; of one kind only unless JOB_NONE.  True if one
 * was sent: there may be another, but others have their turn first.
 */
static bool
connection_send(Connection *connection, JobKind only)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->state != JOB_STATE_SEND || (only != JOB_NONE && job->kind != only))
			continue;
		if (!job_may_send(job))
			continue;
		if (intent_is_stale(job))
		{
			job_set_state(job, JOB_STATE_COMMIT);
			worker_list_append(&worker->to_commit, job);
			if (places_keep(connection))
				return false;
			continue;
		}
		if (!places_take(connection))
			return false;
		if (!job_take_call(job))
		{
			places_give_back(connection);
			if (job_may_send(job))	/* else it says when */
				connection_ready(connection);
			continue;
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
	return false;
}

static void
connection_take_held(Connection *connection)
{
	dlist_mutable_iter iter;

	if (worker->leave_by != 0)
		return;
	dlist_foreach_modify(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->state != JOB_STATE_HELD)
			continue;
		if (job->due_at > worker->now)
			connection_wake_at(connection, job->due_at);
		else if (connection->n_active < connection->max_active)
		{
			job_set_state(job, JOB_STATE_READ);
			worker_list_append(&worker->to_read, job);
		}
	}
}

/*
 * Give a connection its turn: take up what is due, send one request that
 * waits.  True if there may be another.  New rows are claimed by the caller,
 * for many connections at once.
 */
bool
connection_run(Connection *connection)
{
	JobKind		kind = JOB_NONE;

	/* What another connection of the account was told holds for this one. */
	if (connection->budget != NULL)
		connection->hold_until = Max(connection->hold_until, budget_held_until(connection->budget));
	if (connection->hold_until > worker->now)
	{
		connection_wake_at(connection, connection->hold_until);
		if (connection->outages == 0)
			return false;
		kind = JOB_MAIL;		/* a person asks: is it up? */
	}
	else
	{
		connection->hold_until = 0;
		if (connection_may_send(connection))
			connection_take_held(connection);
		else
		{
			kind = JOB_MAIL;
			/* Stale, but for its jobs: the status has just been read, and they must end. */
			if (!connection->stale || connection->reload_blocked)
			{
				connection_release_jobs(connection);
				connection->maybe_work = false;
			}
		}
	}
	return connection_send(connection, kind);
}

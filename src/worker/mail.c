/*
 * mail.c
 *		The worker's side of the mailbox.
 *
 * A backend's request becomes a job like any other.  The state of an OAuth
 * flow is consumed here, in a transaction of its own before the code is
 * exchanged, so that it is single-use whatever becomes of the backend.
 *
 * A refreshed token is committed before it is used: the CRM may have ended
 * the one before it, and a crash must not lose the new one.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"

#include "config/seal.h"
#include "config/secrets.h"
#include "db/integration.h"
#include "db/oauth_state.h"
#include "worker/worker.h"

/* To look whether a host can be reached. */
#define MAIL_REACH_MS 4000

static void
answer_error(const MailTicket *ticket, const char *code, const char *message)
{
	MailReply	reply = {0};

	strlcpy(reply.error_code, code, sizeof(reply.error_code));
	strlcpy(reply.error_message, message, sizeof(reply.error_message));
	mailbox_answer(ticket, &reply);
}

static void
answer_not_sending(const MailTicket *ticket)
{
	const WorkerStateWords *words = &worker_states[pg_atomic_read_u32(&worker->slot->state)];
	MailReply	reply = {.error_code = "not_sending"};

	strlcpy(reply.error_message, words->problem, sizeof(reply.error_message));
	strlcpy(reply.error_hint, words->hint, sizeof(reply.error_hint));
	mailbox_answer(ticket, &reply);
}

/* Start a task for a backend; the connection is taken over if temporary. */
static Job *
mail_job(Connection *connection, CrmTask task, const MailTicket *ticket,
		 const MailRequest *request)
{
	Job		   *job = job_make(JOB_MAIL, connection);

	job->ticket = *ticket;
	job->mail = MemoryContextAlloc(job->context, sizeof(MailRequest));
	memcpy(job->mail, request, sizeof(MailRequest));
	job->session.task = task;
	worker->n_mail++;
	return job;
}

/*
 * The user's connection that uses this very key, NULL for none.  It is loaded:
 * the row remembers a wait from before our start.
 */
static Connection *
connection_of_key(const MailRequest *request)
{
	static const pg_uuid_t none = {{0}};
	Connection *connection;

	if (memcmp(&request->integration, &none, UUID_LEN) == 0)
		return NULL;
	connection = connection_get(&request->integration);
	if (!claim_load(connection) || !connection->unsealed ||
		strcmp(connection->crm.credential.secret, request->secret) != 0)
		return NULL;
	return connection;
}

static void
answer_limit(const MailTicket *ticket)
{
	answer_error(ticket, "rate_limited",
				 "The CRM's rate limit for this key is used up; try again in a minute.");
}

static void
mail_test_key(const MailTicket *ticket, const MailRequest *request)
{
	const CrmProvider *provider = crm_provider_by_type(request->crm_type);
	Connection *owner;
	Connection *connection;

	if (provider == NULL)
	{
		answer_error(ticket, "unknown_crm", "This kind of CRM is not known.");
		return;
	}
	owner = connection_of_key(request);
	connection = connection_make_temporary(provider, request->secret, owner ? owner->account : NULL);
	if (budget_next(connection->budget, 0, worker->now) > worker->now)
	{
		connection_free(connection);
		answer_limit(ticket);
		return;
	}
	job_begin(mail_job(connection, CRM_TASK_TEST, ticket, request));
}

static bool
limit_tries_patience(const Connection *connection)
{
	TimestampTz latest = worker->now + MAIL_PATIENCE_US;

	return connection->outages == 0 &&
		(connection->hold_until > latest || budget_next(connection->budget, 0, worker->now) > latest);
}

static void
mail_test_connection(const MailTicket *ticket, const MailRequest *request)
{
	Connection *connection = connection_get(&request->integration);
	bool		loaded = claim_load(connection);

	if (!worker->may_send)
		answer_not_sending(ticket);
	else if (connection->missing)
		answer_error(ticket, "disconnected", "This connection no longer exists.");
	else if (!loaded)
		answer_error(ticket, "unreadable", "The connection could not be read; try again in a moment.");
	else if (!connection->unsealed)
		answer_error(ticket, "sealed", "The stored credential cannot be opened with the key in force.");
	else if (limit_tries_patience(connection))
		answer_limit(ticket);
	else
		job_begin(mail_job(connection, CRM_TASK_TEST, ticket, request));
}

/* For exchange_body. */
typedef struct Exchange
{
	const MailRequest *request;
	OauthState	state;
	bool		found;
} Exchange;

static void
exchange_body(void *arg)
{
	Exchange   *exchange = arg;

	exchange->found = oauth_state_consume(exchange->request->state,
										  exchange->request->user_id[0] ?
										  exchange->request->user_id : NULL,
										  worker->turn, &exchange->state);
}

static void
mail_exchange(const MailTicket *ticket, const MailRequest *request)
{
	Exchange	exchange = {.request = request};
	Connection *connection;
	const CrmProvider *provider;
	Job		   *job;

	if (!worker_transaction("echosync: checking an OAuth state", exchange_body, &exchange) ||
		!exchange.found)
	{
		answer_error(ticket, "oauth_state", "This OAuth flow is not known, not yours, used or expired.");
		return;
	}
	provider = crm_provider_by_type(exchange.state.crm_type);
	if (provider == NULL || !provider->takes_oauth)
	{
		answer_error(ticket, "unknown_crm", "This kind of CRM is not known.");
		return;
	}
	connection = connection_make_temporary(provider, NULL, NULL);
	job = mail_job(connection, CRM_TASK_EXCHANGE, ticket, request);
	strlcpy(job->mail->user_id, exchange.state.user_id, sizeof(job->mail->user_id));
	strlcpy(job->mail->crm_type, exchange.state.crm_type, sizeof(job->mail->crm_type));
	job->session.oauth_code = MemoryContextStrdup(job->context, request->secret);
	job->session.oauth_state = MemoryContextStrdup(job->context, request->state);
	job->oauth_settings = MemoryContextStrdup(job->context, exchange.state.settings);
	job_begin(job);
}

static void
reached(const HttpReply *reply, void *arg)
{
	MailTicket *ticket = arg;
	MailReply	answer = {0};

	answer.ok = reply->result == HTTP_RESULT_RESPONSE;
	if (answer.ok)
		snprintf(answer.error_message, sizeof(answer.error_message),
				 "reached in %d ms, its certificate is good", (int) (reply->duration_us / 1000));
	else
		strlcpy(answer.error_message, reply->detail, sizeof(answer.error_message));
	mailbox_answer(ticket, &answer);
	pfree(ticket);
}

/* Nothing is sent: whoever may not send may look, too. */
static void
mail_reach(const MailTicket *ticket, const MailRequest *request)
{
	HttpRequest http = {
		.method = "GET",
		.url = request->state,
		.connect_only = true,
		.timeout_ms = MAIL_REACH_MS
	};
	MailTicket *kept = MemoryContextAlloc(worker->context, sizeof(MailTicket));

	*kept = *ticket;
	if (http_engine_submit(worker->engine, &http, reached, kept) == NULL)
	{
		pfree(kept);
		answer_error(ticket, "busy", "all places for requests are taken (echosync.max_in_flight)");
	}
}

void
mail_take_all(void)
{
	MailTicket	ticket;
	MailRequest request;

	if (worker->leave_by != 0)
		return;					/* our successor takes it */
	while (mailbox_take(worker->database, worker->index, worker->n_workers, &ticket, &request))
	{
		if (request.kind == MAIL_REACH)
			mail_reach(&ticket, &request);
		else if (!worker->may_send)
			answer_not_sending(&ticket);
		else if (request.kind == MAIL_TEST_KEY)
			mail_test_key(&ticket, &request);
		else if (request.kind == MAIL_TEST_CONNECTION)
			mail_test_connection(&ticket, &request);
		else
			mail_exchange(&ticket, &request);
		explicit_bzero(&request, sizeof(request));
	}
}

/* For store_body. */
typedef struct Store
{
	Job		   *job;
	pg_uuid_t	id;
} Store;

static void
store_body(void *arg)
{
	Store	   *store = arg;
	const CrmSession *session = &store->job->session;
	NewConnection new = {
		.user_id = store->job->mail->user_id,
		.crm_type = store->job->mail->crm_type,
		.settings = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
													   CStringGetDatum(store->job->oauth_settings))),
		.account_id = session->account_id,
		.account_label = session->account_label,
		.credential = &session->tokens
	};

	integration_store(&new, &store->id);
	wake_note_integration(&store->id);
}

static void
copy_text(char *to, size_t size, const char *from)
{
	strlcpy(to, from ? from : "", size);
}

static void
fill_reply(const Job *job, MailReply *reply)
{
	const CrmSession *session = &job->session;
	const CrmOutcome *outcome = &session->outcome;

	reply->ok = outcome->status == CRM_STATUS_SUCCESS;
	reply->http_status = outcome->http_status;
	copy_text(reply->account_id, sizeof(reply->account_id), session->account_id);
	copy_text(reply->account_label, sizeof(reply->account_label), session->account_label);
	copy_text(reply->user_id, sizeof(reply->user_id), job->mail->user_id);
	copy_text(reply->crm_type, sizeof(reply->crm_type), job->mail->crm_type);
	if (!reply->ok)
	{
		copy_text(reply->error_code, sizeof(reply->error_code), outcome->error_code);
		copy_text(reply->error_message, sizeof(reply->error_message), outcome->error_message);
		return;
	}
	if (session->task != CRM_TASK_EXCHANGE)
		return;
	if (strlen(session->tokens.secret) >= sizeof(reply->secret) ||
		(session->tokens.refresh_token &&
		 strlen(session->tokens.refresh_token) >= sizeof(reply->refresh_token)))
	{
		reply->ok = false;
		copy_text(reply->error_code, sizeof(reply->error_code), "token_too_long");
		copy_text(reply->error_message, sizeof(reply->error_message),
				  "The CRM's token is longer than can be kept.");
		return;
	}
	copy_text(reply->secret, sizeof(reply->secret), session->tokens.secret);
	copy_text(reply->refresh_token, sizeof(reply->refresh_token), session->tokens.refresh_token);
	copy_text(reply->settings, sizeof(reply->settings), job->oauth_settings);
	reply->expires_at = session->tokens.expires_at;
}

static void
mail_end(Job *job)
{
	Connection *connection = job->connection;

	worker->n_mail--;
	job_free(job);
	if (connection->temporary)
		connection_free(connection);
}

void
mail_finished(Job *job)
{
	MailReply	reply = {0};

	fill_reply(job, &reply);
	if (reply.ok && !job->connection->temporary)
		connection_reached(job->connection);	/* as well as a probe */
	if (reply.ok && job->mail->kind == MAIL_EXCHANGE_AND_STORE)
	{
		Store		store = {.job = job};

		reply.ok = worker_transaction("echosync: storing a connection", store_body, &store);
		reply.integration = store.id;
		explicit_bzero(reply.secret, sizeof(reply.secret));
		explicit_bzero(reply.refresh_token, sizeof(reply.refresh_token));
		if (!reply.ok)
			copy_text(reply.error_message, sizeof(reply.error_message),
					  "The connection could not be stored; see the server log.");
	}
	mailbox_answer(&job->ticket, &reply);
	explicit_bzero(&reply, sizeof(reply));
	seal_wipe(job->session.tokens.secret);
	job->session.tokens.secret = NULL;
	mail_end(job);
}

/*
 * Nobody waits for the answer any more: what has not begun need not begin.  An
 * exchange that has is brought to its end, since its code is spent.
 */
void
mail_sweep(void)
{
	ListCell   *lc;

	if (worker->n_mail == 0)
		return;
	foreach(lc, jobs_in(JOB_STATE_SEND))
	{
		Job		   *job = lfirst(lc);

		if (job->kind == JOB_MAIL && (job->session.task == CRM_TASK_TEST || !job->has_spoken) &&
			!mailbox_is_awaited(&job->ticket))
			mail_end(job);
	}
}

/* A question waits for its own request, or for the token that it needs. */
static MailWait
waits_for(const Job *job)
{
	const Job  *refresh = job->connection->refresh;

	if (job->state == JOB_STATE_SENDING || (refresh != NULL && refresh->state == JOB_STATE_SENDING))
		return MAIL_WAITS_FOR_REPLY;
	return refresh != NULL && refresh->state == JOB_STATE_HELD ?
		MAIL_WAITS_FOR_CREDENTIAL : MAIL_WAITS_FOR_TURN;
}

/* Each wait has its own end: who waits is told which it is. */
void
mail_progress(Connection *connection)
{
	dlist_iter	iter;

	if (worker->n_mail == 0)
		return;
	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->kind != JOB_MAIL || job->told_wait == waits_for(job))
			continue;
		job->told_wait = waits_for(job);
		mailbox_progress(&job->ticket, job->told_wait);
	}
}

/*
 * token.c
 *		Access tokens that end, and whose credential a connection has.
 *
 * A refreshed token is committed before it is used: the CRM may have ended the
 * one before it, and a crash must not lose the new one.  It is stored only over
 * the credential that was spent for it.  A user who has connected again
 * meanwhile, or a superuser who has sealed the row anew, is not overwritten.
 *
 * Links are of an account.  Where a connection does not say whose it is (the CRM
 * did not answer when it was made, or it was imported), the CRM is asked before
 * the first lead goes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "config/seal.h"
#include "db/integration.h"
#include "worker/worker.h"

/* Refresh an access token that ends within this time, or within half of its life. */
#define TOKEN_EARLY_US (INT64CONST(300) * 1000000)
/* The row of a credential is held by somebody, or cannot be written: try again. */
#define STORE_RETRY_MS 1000

static Statement select_credential = {
	.sql = "SELECT c.sealed FROM @schema@.crm_credentials c WHERE c.integration_id = $1"
	" FOR NO KEY UPDATE SKIP LOCKED",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement credential_exists = {
	.sql = "SELECT 1 FROM @schema@.crm_credentials c WHERE c.integration_id = $1",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement update_tokens = {
	.sql = "UPDATE @schema@.crm_credentials c SET sealed = $2, expires_at = $3,"
	" updated_at = pg_catalog.clock_timestamp() WHERE c.integration_id = $1 RETURNING c.xmin",
	.nargs = 3,
	.argtypes = {UUIDOID, TEXTOID, TIMESTAMPTZOID}
};

/* Only of the credential that was asked about: its row is as it was read. */
static Statement update_account = {
	.sql = "UPDATE @schema@.crm_integrations i SET crm_account = $2,"
	" crm_account_label = COALESCE($3, i.crm_account_label)"
	" FROM (SELECT h.id FROM @schema@.crm_integrations h"
	" WHERE h.id = $1 AND h.crm_account IS NULL FOR NO KEY UPDATE SKIP LOCKED) held"
	" WHERE i.id = held.id AND EXISTS (SELECT FROM @schema@.crm_credentials c"
	" WHERE c.integration_id = $1 AND c.xmin = $4)",
	.nargs = 4,
	.argtypes = {UUIDOID, TEXTOID, TEXTOID, XIDOID}
};

/* ------------------------------------------------------------------------
 * Refreshing
 * ------------------------------------------------------------------------ */

static void
refresh_start(Connection *connection)
{
	const char *spent = connection->crm.credential.refresh_token;
	Job		   *job;

	if (connection->refresh != NULL)
		return;
	job = connection->refresh = job_make(JOB_REFRESH, connection);
	job->session.task = CRM_TASK_REFRESH;
	if (spent != NULL)
		job->session.spent_token = job->refresh_token = MemoryContextStrdup(job->context, spent);
	job_begin(job);
}

/*
 * Will the access token do for the next request?  One that was not used yet
 * will, unless it has ended: a CRM whose tokens are short-lived would be asked
 * for one after the other.
 */
bool
token_is_fresh(Connection *connection)
{
	const CrmCredential *credential = &connection->crm.credential;
	TimeOffset	early = Min(TOKEN_EARLY_US, Max(0, connection->token_life_us / 2));

	if (credential->kind != CRM_CREDENTIAL_OAUTH || credential->expires_at - early > worker->now ||
		(!connection->token_used && credential->expires_at > worker->now))
		return true;
	refresh_start(connection);
	return false;
}

void
token_refuse(Connection *connection)
{
	connection->crm.credential.expires_at = 1;
	refresh_start(connection);
}

static void
refresh_end(Job *job)
{
	Connection *connection = job->connection;

	if (connection->refresh == job)
		connection->refresh = NULL;
	seal_wipe(job->session.tokens.secret);
	seal_wipe(job->session.tokens.refresh_token);
	job_free(job);
	connection_ready(connection);
}

/*
 * The connection has another credential now.  A request that is under way ends
 * by itself, and its result is dropped if nobody has that credential any more.
 */
void
token_abandon(Connection *connection)
{
	Job		   *job = connection->refresh;

	if (job == NULL)
		return;
	connection->refresh = NULL;
	if (job->state < JOB_STATE_SENDING)
		refresh_end(job);
}

/* For tokens_body. */
typedef struct NewTokens
{
	Job		   *job;
	TransactionId xmin;			/* of the row, if it was written */
	bool		superseded;		/* another credential is there, or none */
} NewTokens;

/* Is this row still the credential that was spent?  Unreadable, it may be: ERROR. */
static bool
is_spent_credential(const Job *job, const char *sealed)
{
	const Connection *connection = job->connection;
	CrmCredential there = {0};
	bool		same;

	if (integration_unseal(connection->crm.integration_id, connection->user_id, sealed, &there) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a credential cannot be opened now")));
	same = job->refresh_token != NULL && there.refresh_token != NULL &&
		strcmp(job->refresh_token, there.refresh_token) == 0;
	seal_wipe(there.secret);
	seal_wipe(there.refresh_token);
	return same;
}

static void
tokens_body(void *arg)
{
	NewTokens  *new = arg;
	const Connection *connection = new->job->connection;
	const CrmCredential *tokens = &new->job->session.tokens;
	Datum		values[3];
	bool		isnull;

	values[0] = UUIDPGetDatum(&connection->id);
	statement_execute(&select_credential, values, NULL, false, 1);
	if (SPI_processed == 0)
	{
		statement_execute(&credential_exists, values, NULL, false, 1);
		new->superseded = SPI_processed == 0;
		return;
	}
	if (!is_spent_credential(new->job, spi_text(0, 1)))
	{
		new->superseded = true;
		return;
	}
	values[1] = CStringGetTextDatum(integration_seal(connection->crm.integration_id,
													 connection->user_id, tokens));
	values[2] = TimestampTzGetDatum(tokens->expires_at);
	statement_execute(&update_tokens, values, NULL, false, 0);
	new->xmin = DatumGetTransactionId(spi_datum(0, 1, &isnull));
}

/*
 * Commit the new tokens, then use them.  Where that is not possible now (the
 * row is held, the commit failed), the job waits, and nothing is sent with either
 * token meanwhile.
 */
static void
store_tokens(Job *job)
{
	Connection *connection = job->connection;
	NewTokens	new = {.job = job};

	if (!worker_transaction("echosync: storing refreshed tokens", tokens_body, &new) ||
		(new.xmin == InvalidTransactionId && !new.superseded))
	{
		if (connection->refresh != job)
		{
			refresh_end(job);	/* abandoned: nobody would come back to it */
			return;
		}
		job->due_at = TimestampTzPlusMilliseconds(worker->now, STORE_RETRY_MS);
		job_set_state(job, JOB_STATE_HELD);
		connection_wake_at(connection, job->due_at);
		mail_progress(connection);
		return;
	}
	if (!new.superseded && connection->refresh == job)
	{
		connection_set_tokens(connection, &job->session.tokens);
		connection->credential_xmin = new.xmin;
	}
	else
		connection_hint(connection);	/* read what is there now */
	refresh_end(job);
}

void
token_retry_store(Connection *connection)
{
	Job		   *job = connection->refresh;

	if (job == NULL || job->state != JOB_STATE_HELD)
		return;
	if (job->due_at > worker->now)
		connection_wake_at(connection, job->due_at);
	else
		store_tokens(job);
}

/*
 * In a transaction, when the process ends: what refreshes have brought and could
 * not be stored until now.  Nobody else has it.
 */
void
tokens_store_last(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &worker->jobs[JOB_STATE_HELD])
	{
		NewTokens	new = {.job = dlist_container(Job, state_node, iter.cur)};

		if (new.job->kind == JOB_REFRESH)
			tokens_body(&new);
	}
}

/* Who waits for a token that does not come is told why. */
static void
fail_mail(Connection *connection, const CrmOutcome *outcome)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->kind != JOB_MAIL || job->state != JOB_STATE_SEND || job->session.request.anonymous)
			continue;
		crm_fail(&job->session, outcome->error_class,
				 MemoryContextStrdup(job->context, outcome->error_code),
				 MemoryContextStrdup(job->context, outcome->error_message));
		job_finish(job);
	}
}

void
refresh_finished(Job *job)
{
	Connection *connection = job->connection;
	const CrmOutcome *outcome = &job->session.outcome;
	bool		current = connection->refresh == job;

	if (outcome->status == CRM_STATUS_SUCCESS)
	{
		store_tokens(job);
		return;
	}
	if (current && outcome->error_class == CRM_ERROR_CREDENTIAL)
		connection_set_status(connection, "error", "credential_refused");
	else if (current)
		connection_outage(connection, "crm_unreachable", outcome->retry_after_ms);
	if (current)
		fail_mail(connection, outcome);
	refresh_end(job);
}

/* ------------------------------------------------------------------------
 * Whose credential
 * ------------------------------------------------------------------------ */

static bool
account_is_asked(Connection *connection)
{
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		if (dlist_container(Job, node, iter.cur)->kind == JOB_ACCOUNT)
			return true;
	}
	return false;
}

void
account_ask(Connection *connection)
{
	Job		   *job;

	if (account_is_asked(connection))
		return;
	job = job_make(JOB_ACCOUNT, connection);
	job->credential_xmin = connection->credential_xmin;
	job->session.task = CRM_TASK_TEST;
	job_begin(job);
}

static void
account_body(void *arg)
{
	const Job  *job = arg;
	const CrmSession *session = &job->session;
	Datum		values[4];
	char		nulls[5] = "    ";

	values[0] = UUIDPGetDatum(&job->connection->id);
	values[1] = CStringGetTextDatum(session->account_id);
	values[2] = session->account_label ? CStringGetTextDatum(session->account_label) : (Datum) 0;
	nulls[2] = session->account_label ? ' ' : 'n';
	values[3] = TransactionIdGetDatum(job->credential_xmin);
	statement_execute(&update_account, values, nulls, false, 0);
}

/*
 * An answer, but not to this question: a key that may not ask it, say.  Leads
 * need not wait for it.
 */
static bool
does_not_tell(const CrmOutcome *outcome)
{
	int			status = outcome->http_status;

	/* A page instead of an answer is none. */
	if (outcome->error_code != NULL &&
		(strcmp(outcome->error_code, "wrong_url") == 0 || strcmp(outcome->error_code, "waf") == 0))
		return false;
	return outcome->status == CRM_STATUS_FAILED && outcome->error_class != CRM_ERROR_RATE_LIMIT &&
		((status >= 200 && status < 300) || (status >= 400 && status < 500 && status != 408));
}

/*
 * In memory it is known from here on, even where the row could not be written
 * now: it is asked again after a restart.
 */
void
account_finished(Job *job)
{
	Connection *connection = job->connection;
	const CrmOutcome *outcome = &job->session.outcome;

	if (job->credential_xmin != connection->credential_xmin)
		connection_ready(connection);	/* it was about another: ask again */
	else if (outcome->status == CRM_STATUS_SUCCESS)
	{
		connection->account_asked = true;
		connection_reached(connection);
		if (job->session.account_id != NULL)
		{
			(void) worker_transaction("echosync: noting whose account it is", account_body, job);
			connection_learn_account(connection, job->session.account_id);
		}
	}
	else if (outcome->error_class == CRM_ERROR_CREDENTIAL)
		connection_set_status(connection, "error", "credential_refused");
	else if (does_not_tell(outcome))
		connection->account_asked = true;
	else if (outcome->status == CRM_STATUS_FAILED && outcome->error_class != CRM_ERROR_RATE_LIMIT)
		connection_outage(connection, "crm_unreachable", outcome->retry_after_ms);
	job_free(job);
	connection_ready(connection);
}

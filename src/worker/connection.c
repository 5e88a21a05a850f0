/*
 * connection.c
 *		The worker's memory of connections: settings, credential, limits, holds,
 *		and when each is to be looked at.
 *
 * There may be ten thousand, most of them idle, so that none has a memory
 * context of its own: what they hold is in one for all, and is freed by hand.
 *
 * A connection that has something to do now is in worker->ready, a list that
 * is walked round-robin; one that waits for a time is in worker->timers.  One
 * that is in neither costs nothing, whatever its backlog.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "config/seal.h"
#include "config/settings.h"
#include "crm/custom_field.h"
#include "db/integration.h"
#include "worker/schedule.h"
#include "worker/worker.h"

/*
 * A connection that nothing was done for is forgotten after this time; where
 * there are many, sooner.
 */
#define EVICT_AFTER_MS (10 * 60 * 1000)
#define EVICT_SOON_MS 1000
#define MANY_CONNECTIONS 1000

/* Neither the limits of CRMs nor probes hold a connection for longer. */
#define MAX_HOLD_MS (305 * 1000)

static MemoryContext connection_context;

static int
timer_compare(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const Connection *ca = pairingheap_const_container(Connection, timer_node, a);
	const Connection *cb = pairingheap_const_container(Connection, timer_node, b);

	/* A max-heap: the earliest time is the greatest. */
	return ca->wake_at < cb->wake_at ? 1 : ca->wake_at > cb->wake_at ? -1 : 0;
}

void
connections_init(void)
{
	HASHCTL		control = {0};

	control.keysize = UUID_LEN;
	control.entrysize = sizeof(Connection);
	control.hcxt = connection_context = AllocSetContextCreate(worker->context, "echosync connections",
															   ALLOCSET_DEFAULT_SIZES);
	worker->connections = hash_create("echosync connections", 64, &control,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	worker->timers = pairingheap_allocate(timer_compare, NULL);
	dlist_init(&worker->temporaries);
	dlist_init(&worker->ready);
}

static void
copy_over(char **text, const char *value)
{
	char	   *copy = value ? MemoryContextStrdup(connection_context, value) : NULL;

	if (*text != NULL)
		pfree(*text);
	*text = copy;
}

static void
connection_init(Connection *connection)
{
	connection->crm.context = connection_context;
	dlist_init(&connection->jobs);
	connection_expect_rows(connection);
	connection->stale = true;
	connection->max_active = 1;	/* until the CRM has told its limits */
	connection->may_doubt = true;
}

Connection *
connection_get(const pg_uuid_t *id)
{
	bool		found;
	Connection *connection = hash_search(worker->connections, id, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) connection + UUID_LEN, 0, sizeof(Connection) - UUID_LEN);
		connection_init(connection);
	}
	connection->used_at = worker->now;
	return connection;
}

/* Whose limits count may be another's from now on. */
static void
connection_set_budget(Connection *connection)
{
	connection->budget = budget_open(connection->budget, &connection->crm, connection->account);
}

/*
 * After a reload: URLs, identity, key and limits may be others, and the texts
 * that they were are gone.  What the CRM has said of a limit counts for more
 * than a setting.
 */
void
connection_reconfigure(Connection *connection)
{
	const CrmProvider *provider = connection->crm.provider;

	if (provider == NULL)
		return;
	connection->may_doubt = true;	/* rows may have been restored */
	provider->configure(&connection->crm);
	connection_set_budget(connection);
	budget_configure(connection->budget, &connection->crm);
	connection->credential_xmin = connection->row_xmin = InvalidTransactionId;
	connection->stale = true;
}

/*
 * A connection of no row: to try a key, or (without one) to exchange a code.
 * `account` is the key's, if that is known.
 */
Connection *
connection_make_temporary(const CrmProvider *provider, const char *api_key, const char *account)
{
	Connection *connection = MemoryContextAllocZero(connection_context, sizeof(Connection));

	connection_init(connection);
	connection->temporary = true;
	dlist_push_tail(&worker->temporaries, &connection->temporary_node);
	connection->maybe_work = false;
	connection->status = "active";
	connection->crm.provider = provider;
	provider->configure(&connection->crm);
	if (api_key != NULL)
	{
		connection->crm.credential.kind = CRM_CREDENTIAL_API_KEY;
		connection->crm.credential.secret = MemoryContextStrdup(connection_context, api_key);
	}
	copy_over(&connection->account, account);
	connection_set_budget(connection);
	return connection;
}

static void
connection_wipe_credential(CrmConnection *crm)
{
	seal_wipe(crm->credential.secret);
	seal_wipe(crm->credential.refresh_token);
	memset(&crm->credential, 0, sizeof(CrmCredential));
}

/*
 * A request that is cut off ends here: nobody has to wait until the CRM answers
 * it.
 */
static void
connection_close(Connection *connection)
{
	dlist_iter	iter;

	if (connection->budget == NULL)
		return;
	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->state == JOB_STATE_SENDING)
			budget_ended(connection->budget, job->session.request.limit_context, false);
	}
	budget_close(connection->budget);
	connection->budget = NULL;
}

void
connection_free(Connection *connection)
{
	Assert(dlist_is_empty(&connection->jobs));
	connection_wipe_credential(&connection->crm);
	connection_close(connection);
	if (connection->crm.provider != NULL)
		places_forget(connection);
	if (connection->ready)
		dlist_delete(&connection->ready_node);
	if (connection->timed)
		pairingheap_remove(worker->timers, &connection->timer_node);
	copy_over(&connection->user_id, NULL);
	copy_over(&connection->account, NULL);
	custom_fields_forget(&connection->crm);
	shared_settings_release(connection->settings);
	if (connection->temporary)
	{
		dlist_delete(&connection->temporary_node);
		pfree(connection);
	}
	else
		hash_search(worker->connections, &connection->id, HASH_REMOVE, NULL);
}

static char *
keep_secret(char *text)
{
	char	   *kept = text ? MemoryContextStrdup(connection_context, text) : NULL;

	seal_wipe(text);
	return kept;
}

static bool
same_secret(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Take over a credential as the table has it.  A refresh of another is abandoned. */
static void
connection_unseal(Connection *connection, const ConnectionRow *row)
{
	CrmConnection *crm = &connection->crm;
	CrmCredential read = {0};
	const char *reason = NULL;

	if (row->sealed != NULL)
		reason = integration_unseal(crm->integration_id, connection->user_id, row->sealed, &read);
	if (connection->refresh != NULL && read.secret != NULL &&
		!same_secret(connection->refresh->refresh_token, read.refresh_token))
		token_abandon(connection);
	if (!same_secret(crm->credential.secret, read.secret))
	{
		connection->token_used = true;	/* as far as we know */
		connection->token_life_us = PG_INT64_MAX;
	}
	connection_wipe_credential(crm);
	connection->token_generation++;
	crm->credential.secret = keep_secret(read.secret);
	crm->credential.refresh_token = keep_secret(read.refresh_token);
	connection->unsealed = crm->credential.secret != NULL;
	if (!connection->unsealed)
	{
		/* With a wrong key it is all of them, which was said. */
		if (reason != NULL && worker->may_send)
			ereport(LOG,
					(errmsg("echosync: the credential of integration %s cannot be opened: %s",
							crm->integration_id, reason),
					 errhint("Set the key that sealed it in INTEGRATION_ENCRYPTION_KEY_PREVIOUS, or connect again.")));
		return;
	}
	crm->credential.kind = strcmp(row->credential_kind, "oauth") == 0 ? CRM_CREDENTIAL_OAUTH : CRM_CREDENTIAL_API_KEY;
	crm->credential.expires_at = row->expires_at;
}

/*
 * A credential that the keys in force do not open is an error that its user
 * can see, and passes when the key is back.  Not where no key opens anything:
 * that is the worker's state.
 */
static void
connection_judge_credential(Connection *connection, const char *status, const char *reason,
							bool has_credential)
{
	bool		was_unreadable = reason != NULL && strcmp(reason, "credential_unreadable") == 0;

	if (!worker->may_send)
		return;
	if (connection->unsealed && was_unreadable)
		connection_set_status(connection, "active", NULL);
	else if (!connection->unsealed && has_credential && strcmp(status, "active") == 0)
		connection_set_status(connection, "error", "credential_unreadable");
}

/* Statuses outlive rows and contexts: keep to our own words. */
static const char *
status_word(const char *status)
{
	static const char *const words[] = {"active", "paused", "error"};

	for (int i = 0; i < lengthof(words); i++)
	{
		if (strcmp(status, words[i]) == 0)
			return words[i];
	}
	return "error";
}

/* The CRM is there, or a person says so: who waits for that need not any more. */
static void
connection_end_outage(Connection *connection)
{
	dlist_iter	iter;

	connection->outages = 0;
	connection->hold_until = 0;
	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->state == JOB_STATE_HELD && job->verdict == VERDICT_PROBE)
			job->due_at = Min(job->due_at, worker->now);
	}
	connection_ready(connection);
}

static void
connection_take_status(Connection *connection, const char *status, const char *reason)
{
	if (connection->new_status != NULL)
		return;					/* ours is not written yet */
	if (connection->status != NULL && strcmp(connection->status, status) != 0 &&
		strcmp(status, "active") == 0)
	{
		connection->consecutive_failures = 0;
		connection_end_outage(connection);
		connection_expect_rows(connection);
	}
	connection->status = status_word(status);
	connection->unreachable_pause = strcmp(status, "paused") == 0 &&
		reason != NULL && strcmp(reason, "crm_unreachable") == 0;
	if (connection->unreachable_pause && connection->outages == 0)
		connection->outages = echosync_pause_after_failures;
}

static void
connection_take_settings(Connection *connection, const char *crm_type, Jsonb *settings)
{
	CrmConnection *crm = &connection->crm;
	SharedSettings *taken = shared_settings_take(settings);

	shared_settings_release(connection->settings);
	connection->settings = taken;
	crm->settings = shared_settings_parsed(taken);
	custom_fields_forget(crm);
	crm->provider = crm_provider_by_type(crm_type);
	if (crm->provider != NULL)
		crm->provider->configure(crm);
}

/*
 * Take over a row as the claim read it.  Jobs in work keep pointers into the
 * settings, so that a change waits until they have ended; meanwhile no lead is
 * taken up, so that a rule made stricter holds from the next lead on.
 */
void
connection_set_row(Connection *connection, const ConnectionRow *row)
{
	CrmConnection *crm = &connection->crm;
	bool		first = connection->user_id == NULL;
	bool		row_changed = first || connection->updated_at != row->updated_at;
	bool		credential_changed = connection->credential_xmin != row->credential_xmin;

	connection->missing = false;
	connection->stale = connection->reload_blocked = false;
	if (row_changed)
		connection->new_status = NULL;	/* decided of the row as it was */
	connection_take_status(connection, row->status, row->status_reason);
	if (!row_changed && !credential_changed)
	{
		connection->row_xmin = row->xmin;
		return;
	}
	/* Questions and refreshes hold on to nothing that a row replaces. */
	if (connection->n_leads > 0 && !first)
	{
		connection->stale = connection->reload_blocked = true;
		connection_ready(connection);	/* what waits to be sent steps back */
		return;
	}
	if (first)
	{
		strlcpy(crm->integration_id,
				DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&connection->id))),
				sizeof(crm->integration_id));
		copy_over(&connection->user_id, row->user_id);
		connection->hold_until = Max(connection->hold_until,
									 clock_plausible(row->not_before, MAX_HOLD_MS));
	}
	if (row_changed)
	{
		connection_take_settings(connection, row->crm_type, row->settings);
		copy_over(&connection->account, row->account);
		connection->account_asked = false;
		if (credential_changed)
			connection->failures_changed = false;	/* of the former one */
		if (!connection->failures_changed)
			connection->consecutive_failures = row->consecutive_failures;
	}
	if (credential_changed)
		connection_unseal(connection, row);
	if (crm->provider != NULL)
	{
		connection_set_budget(connection);
		if (first)
			budget_hold(connection->budget, clock_plausible(row->not_before, MAX_HOLD_MS));
	}
	connection_judge_credential(connection, row->status, row->status_reason, row->sealed != NULL);
	connection->updated_at = row->updated_at;
	connection->connected_at = row->connected_at;
	connection->credential_xmin = row->credential_xmin;
	connection->row_xmin = row->xmin;	/* last: after an error it is read again */

	/* What was not to be sent by the row as it was may be now. */
	connection_expect_rows(connection);
	connection_ready(connection);
}

/* The CRM has told whose credential it is: limits may be shared with others now. */
void
connection_learn_account(Connection *connection, const char *account)
{
	copy_over(&connection->account, account);
	connection_set_budget(connection);
	connection_ready(connection);
}

/*
 * Is it known whose credential it is, or that the CRM does not tell?  Links are
 * of an account, so that no lead is taken up before; with the first that waits
 * the CRM is asked.
 */
bool
connection_knows_account(const Connection *connection)
{
	return connection->account != NULL || connection->account_asked || connection->temporary;
}

void
connection_set_tokens(Connection *connection, const CrmCredential *tokens)
{
	CrmCredential *credential = &connection->crm.credential;
	MemoryContext caller = MemoryContextSwitchTo(connection_context);

	connection_wipe_credential(&connection->crm);
	credential->kind = CRM_CREDENTIAL_OAUTH;
	credential->secret = pstrdup(tokens->secret);
	credential->refresh_token = tokens->refresh_token ? pstrdup(tokens->refresh_token) : NULL;
	credential->expires_at = tokens->expires_at;
	connection->unsealed = true;
	connection->token_generation++;
	connection->token_used = false;
	connection->token_life_us = tokens->expires_at - worker->now;
	MemoryContextSwitchTo(caller);
}

void
connection_mark_dirty(Connection *connection)
{
	if (connection->dirty || connection->temporary)
		return;
	connection->dirty = true;
	worker_list_append(&worker->dirty, connection);
}

static void
evict_idle(int after_ms)
{
	HASH_SEQ_STATUS status;
	Connection *connection;

	hash_seq_init(&status, worker->connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		if (dlist_is_empty(&connection->jobs) && !connection->ready &&
			!connection->waits_for_place && !connection->waits_to_start && !connection->timed &&
			!connection->dirty && connection->hold_until <= worker->now &&
			TimestampDifferenceExceeds(connection->used_at, worker->now, after_ms))
			connection_free(connection);
	}
}

/* Memory follows what is in use, not what has been: forget idle connections. */
void
connections_evict(void)
{
	evict_idle(EVICT_AFTER_MS);
}

/* Called every turn: the same in time where there are many. */
void
connections_trim(void)
{
	static TimestampTz next_trim = 0;

	if (hash_get_num_entries(worker->connections) <= MANY_CONNECTIONS || worker->now < next_trim)
		return;
	evict_idle(EVICT_SOON_MS);
	next_trim = TimestampTzPlusMilliseconds(worker->now, EVICT_SOON_MS);
}

void
connections_visit(void (*visit) (Connection *connection))
{
	HASH_SEQ_STATUS status;
	Connection *connection;
	dlist_iter	iter;

	hash_seq_init(&status, worker->connections);
	while ((connection = hash_seq_search(&status)) != NULL)
		visit(connection);
	dlist_foreach(iter, &worker->temporaries)
		visit(dlist_container(Connection, temporary_node, iter.cur));
}

/* Others may use what budgets they had. */
void
connections_close(void)
{
	if (worker->connections != NULL)
		connections_visit(connection_close);
}

bool
connections_working(void)
{
	HASH_SEQ_STATUS status;
	Connection *connection;

	hash_seq_init(&status, worker->connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		if (connection->n_active > 0 || connection->dirty || connection->refresh != NULL)
		{
			hash_seq_term(&status);
			return true;
		}
	}
	return false;
}

bool
connections_refreshing(void)
{
	HASH_SEQ_STATUS status;
	Connection *connection;

	hash_seq_init(&status, worker->connections);
	while ((connection = hash_seq_search(&status)) != NULL)
	{
		if (connection->refresh != NULL &&
			(connection->refresh->state >= JOB_STATE_SENDING || connection->refresh->state == JOB_STATE_HELD))
		{
			hash_seq_term(&status);
			return true;
		}
	}
	return false;
}

void
connection_ready(Connection *connection)
{
	if (connection->ready || connection->waits_for_place || connection->waits_to_start)
		return;
	dlist_push_tail(&worker->ready, &connection->ready_node);
	connection->ready = true;
}

/* From the front of the queue: what was attached has been given back. */
void
connection_start_over(Connection *connection)
{
	connection->cursor[0] = connection->cursor[1] = 0;
	connection_expect_rows(connection);
}

void
connection_hint(Connection *connection)
{
	connection->stale = true;
	connection_ready(connection);
}

void
connection_expect_rows(Connection *connection)
{
	connection->maybe_work = true;
	connection->seen_all[0] = connection->seen_all[1] = false;
}

void
connection_wake_at(Connection *connection, TimestampTz when)
{
	if (connection->timed)
	{
		if (connection->wake_at <= when)
			return;
		pairingheap_remove(worker->timers, &connection->timer_node);
	}
	connection->wake_at = when;
	connection->timed = true;
	pairingheap_add(worker->timers, &connection->timer_node);
}

static void
shift(TimestampTz *when, TimeOffset step)
{
	if (*when != 0)
		*when += step;
}

/* The wall clock was set: what waits in memory waits as long as it would have. */
void
connection_shift_times(Connection *connection, TimeOffset step)
{
	dlist_iter	iter;

	shift(&connection->hold_until, step);
	shift(&connection->reached_at, step);
	shift(&connection->used_at, step);
	shift(&connection->tally_written_at, step);
	if (connection->timed)
	{
		pairingheap_remove(worker->timers, &connection->timer_node);
		shift(&connection->wake_at, step);
		pairingheap_add(worker->timers, &connection->timer_node);
	}
	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		shift(&job->due_at, step);
		shift(&job->read_at, step);
		shift(&job->outage_at, step);
		shift(&job->waiting_since, step);
		shift(&job->doubt_until, step);
		shift(&job->doubt_met_at, step);
	}
}

void
connections_due(void)
{
	while (!pairingheap_is_empty(worker->timers))
	{
		Connection *connection = pairingheap_container(Connection, timer_node,
													   pairingheap_first(worker->timers));

		if (connection->wake_at > worker->now)
			break;
		pairingheap_remove_first(worker->timers);
		connection->timed = false;
		tally_due(connection);
		connection_ready(connection);
	}
}

TimestampTz
connections_next_due(void)
{
	if (pairingheap_is_empty(worker->timers))
		return 0;
	return pairingheap_container(Connection, timer_node,
								 pairingheap_first(worker->timers))->wake_at;
}

/*
 * Leads that wait for a limit of their own (notes, say) and for nothing else:
 * others need not wait with them.
 */
static int
parked_jobs(Connection *connection)
{
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &connection->jobs)
	{
		Job		   *job = dlist_container(Job, node, iter.cur);

		if (job->state == JOB_STATE_SEND && job->session.request.limit_context != 0)
			n++;
	}
	return Min(n, CONNECTION_MAX_HELD);
}

/* Is its row to be read?  That takes up no lead, and waits for no hold. */
bool
connection_wants_row(const Connection *connection)
{
	return connection->stale && !connection->temporary && worker->leave_by == 0 &&
		(!connection->reload_blocked || connection->n_leads == 0);
}

/*
 * Should rows be claimed for this connection now?  As many leads are taken up
 * as the limits let finish soon: a lead needs two calls or more, and one that
 * waits half-way helps nobody.
 */
bool
connection_wants_leads(Connection *connection)
{
	int			room;

	if (connection->temporary || worker->leave_by != 0 || connection->reload_blocked ||
		!connection->maybe_work || !connection_may_send(connection) ||
		connection->hold_until > worker->now || connection->refresh != NULL)
		return false;
	if (connection->outages > 0 || !budget_heard(connection->budget))
		connection->max_active = 1;
	else
	{
		room = budget_room(connection->budget, 0, worker->now);
		connection->max_active = Max(1, Min(CONNECTION_MAX_ACTIVE, room / 2)) +
			parked_jobs(connection);
		if (room == 0)
			connection_wake_at(connection, budget_next(connection->budget, 0, worker->now));
	}
	return connection->n_active < Min(connection->max_active, places_share(connection));
}

bool
connection_may_send(const Connection *connection)
{
	if (connection->temporary)
		return true;
	if (!worker->may_send || connection->missing || !connection->unsealed ||
		connection->crm.provider == NULL || connection->status == NULL)
		return false;
	return strcmp(connection->status, "active") == 0 || connection->unreachable_pause;
}

void
connection_set_status(Connection *connection, const char *status, const char *reason)
{
	if (connection->temporary)
		return;
	connection->status = status_word(status);
	connection->new_status = connection->status;
	connection->new_reason = reason;
	connection_mark_dirty(connection);
	connection->unreachable_pause = reason != NULL && strcmp(status, "paused") == 0 &&
		strcmp(reason, "crm_unreachable") == 0;
}

/* ten failures in a row, of leads or of probes */
static void
connection_pause_if_failing(Connection *connection, const char *reason)
{
	connection->failures_changed = true;
	connection_mark_dirty(connection);
	if (++connection->consecutive_failures >= echosync_pause_after_failures &&
		strcmp(connection->status, "active") == 0)
		connection_set_status(connection, "paused", reason);
}

void
connection_count_failure(Connection *connection)
{
	connection_pause_if_failing(connection, "consecutive_failures");
}

/*
 * The CRM cannot be reached: hold the connection and probe it with one lead,
 * after 1 s, 2 s, ... 5 min, or when the CRM has said.  Requests that were under
 * way together count as one failure.
 */
void
connection_outage(Connection *connection, const char *reason, int retry_after_ms)
{
	int64		delay;

	if (connection->hold_until > worker->now)
		return;
	connection->outages++;
	delay = Max(schedule_probe_delay_us(connection->outages), (int64) retry_after_ms * 1000);
	connection->hold_until = worker->now + delay;
	connection_pause_if_failing(connection, reason);
}

/* The CRM answered: an outage is over, and with it a pause that it caused. */
void
connection_reached(Connection *connection)
{
	if (connection->outages == 0)
		return;
	connection_end_outage(connection);
	connection->consecutive_failures = 0;
	connection->failures_changed = true;
	connection_mark_dirty(connection);
	if (connection->unreachable_pause)
		connection_set_status(connection, "active", NULL);
}

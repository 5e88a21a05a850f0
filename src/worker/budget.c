/*
 * budget.c
 *		What an account at a CRM may be asked: its rate limits, and the waits that
 *		it was told, shared by every worker that calls for it.
 *
 * Budgets are in a hash table of dynamic shared memory, which the first worker
 * makes.  A connection keeps a pointer to its own while it is in a worker's
 * memory; the entry counts them.  One that nobody uses is kept as long as there
 * is something to remember, so that limits outlive a worker.
 *
 * Whose they are: a key's, or its account's where the CRM counts so.  The table
 * holds a digest of that, never a key.
 *
 * Locks: users under the table's lock, all else under the entry's mutex, for
 * a few steps at a time.
 *
 * Not here: how a window is counted (limits.c).
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "lib/dshash.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/dsa.h"

#include "config/seal.h"
#include "pg_compat.h"
#include "worker/budget.h"
#include "worker/limits.h"
#include "worker/shared.h"

#define BUDGET_KEY_LEN 16

typedef struct BudgetKey
{
	uint8		digest[BUDGET_KEY_LEN];
} BudgetKey;

struct Budget
{
	BudgetKey	key;
	int			users;			/* connections in workers' memory */
	slock_t		mutex;
	TimestampTz held_until;
	Limiter		limiters[BUDGET_MAX_LIMITS];
};

static dshash_table *budgets = NULL;

static dshash_parameters
table_parameters(void)
{
	return (dshash_parameters)
	{
		.key_size = sizeof(BudgetKey),
			.entry_size = sizeof(Budget),
			.compare_function = dshash_memcmp,
			.hash_function = dshash_memhash,
			COMPAT_DSHASH_COPY
			.tranche_id = shared_state->lock->tranche
	};
}

void
budget_attach(void)
{
	dshash_parameters parameters = table_parameters();
	dsa_area   *area;

	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	if (shared_state->budget_area == 0)
	{
		area = dsa_create(shared_state->lock->tranche);
		dsa_pin(area);
		budgets = dshash_create(area, &parameters, NULL);
		shared_state->budget_table = dshash_get_hash_table_handle(budgets);
		shared_state->budget_area = dsa_get_handle(area);
	}
	else
	{
		area = dsa_attach(shared_state->budget_area);
		budgets = dshash_attach(area, &parameters, shared_state->budget_table, NULL);
	}
	dsa_pin_mapping(area);
	LWLockRelease(shared_state->lock);
}

/*
 * Where the CRM counts by account, the first part of "account/user"; else the
 * key; and where neither is known, the connection itself.
 */
static void
append_owner(StringInfo text, const CrmConnection *connection, const char *account)
{
	const CrmCredential *credential = &connection->credential;

	if (connection->provider->limits_by_account && account != NULL)
		appendStringInfo(text, "account %.*s", (int) strcspn(account, "/"), account);
	else if (credential->kind == CRM_CREDENTIAL_API_KEY && credential->secret != NULL)
		appendStringInfo(text, "key %s", credential->secret);
	else
		appendStringInfo(text, "connection %s %p", connection->integration_id,
						 connection->integration_id[0] == '\0' ? connection : NULL);
}

static BudgetKey
key_of(const CrmConnection *connection, const char *account)
{
	StringInfoData text;
	uint8		digest[EVP_MAX_MD_SIZE];
	BudgetKey	key;

	initStringInfo(&text);
	appendStringInfo(&text, "%s\n%s\n", connection->provider->crm_type, connection->api_url);
	append_owner(&text, connection, account);
	if (EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
		elog(ERROR, "could not compute a SHA-256 digest");
	explicit_bzero(text.data, text.len);
	pfree(text.data);
	memcpy(key.digest, digest, sizeof(key.digest));
	return key;
}

static int
starting_limit(const CrmConnection *connection, int i)
{
	const CrmProvider *provider = connection->provider;

	return provider->limits[i].limit != 0 ? provider->limits[i].limit :
		provider->starting_limit(connection);
}

static void
budget_init(Budget *budget, const CrmConnection *connection)
{
	const CrmProvider *provider = connection->provider;

	budget->users = 0;
	budget->held_until = 0;
	SpinLockInit(&budget->mutex);
	Assert(provider->n_limits <= BUDGET_MAX_LIMITS);
	memset(budget->limiters, 0, sizeof(budget->limiters));
	for (int i = 0; i < provider->n_limits; i++)
		limiter_init(&budget->limiters[i], starting_limit(connection, i),
					 (int64) provider->limits[i].window_ms * 1000);
}

Budget *
budget_open(Budget *former, const CrmConnection *connection, const char *account)
{
	BudgetKey	key = key_of(connection, account);
	bool		found;
	Budget	   *budget;

	if (former != NULL && memcmp(&former->key, &key, sizeof(key)) == 0)
		return former;
	budget = dshash_find_or_insert(budgets, &key, &found);
	if (!found)
		budget_init(budget, connection);
	budget->users++;
	dshash_release_lock(budgets, budget);
	if (former != NULL)
		budget_close(former);
	return budget;
}

void
budget_close(Budget *budget)
{
	BudgetKey	key = budget->key;

	budget = dshash_find(budgets, &key, true);
	budget->users--;
	dshash_release_lock(budgets, budget);
}

/*
 * No CRM's word holds for longer than LIMIT_MAX_WAIT_US: one that seems to is of a
 * clock that was set back since, and is over.
 */
static TimestampTz
held_until(Budget *budget, TimestampTz now)
{
	if (budget->held_until > now + LIMIT_MAX_WAIT_US)
		budget->held_until = 0;
	return budget->held_until;
}

static bool
budget_is_idle(Budget *budget, TimestampTz now)
{
	bool		idle = held_until(budget, now) <= now;

	for (int i = 0; i < BUDGET_MAX_LIMITS && idle; i++)
		idle = limiter_is_idle(&budget->limiters[i], now);
	return idle;
}

void
budget_sweep(TimestampTz now)
{
	dshash_seq_status status;
	Budget	   *budget;

	dshash_seq_init(&status, budgets, true);
	while ((budget = dshash_seq_next(&status)) != NULL)
	{
		if (budget->users == 0 && budget_is_idle(budget, now))
			dshash_delete_current(&status);
	}
	dshash_seq_term(&status);
}

void
budget_configure(Budget *budget, const CrmConnection *connection)
{
	const CrmProvider *provider = connection->provider;

	for (int i = 0; i < provider->n_limits; i++)
	{
		int			limit = starting_limit(connection, i);

		SpinLockAcquire(&budget->mutex);
		if (provider->limits[i].limit == 0 && !budget->limiters[i].told)
			budget->limiters[i].limit = limit;
		SpinLockRelease(&budget->mutex);
	}
}

TimestampTz
budget_next(Budget *budget, int limit_context, TimestampTz now)
{
	TimestampTz when;

	SpinLockAcquire(&budget->mutex);
	when = limiter_next(&budget->limiters[limit_context], now);
	when = Max(when, held_until(budget, now));
	SpinLockRelease(&budget->mutex);
	return when;
}

int
budget_room(Budget *budget, int limit_context, TimestampTz now)
{
	int			room;

	SpinLockAcquire(&budget->mutex);
	room = held_until(budget, now) > now ? 0 : limiter_room(&budget->limiters[limit_context], now);
	SpinLockRelease(&budget->mutex);
	return room;
}

bool
budget_must_hear(Budget *budget, int limit_context, TimestampTz now)
{
	bool		must_hear;

	SpinLockAcquire(&budget->mutex);
	must_hear = limiter_must_hear(&budget->limiters[limit_context], now);
	SpinLockRelease(&budget->mutex);
	return must_hear;
}

bool
budget_heard(Budget *budget)
{
	bool		heard = false;

	SpinLockAcquire(&budget->mutex);
	for (int i = 0; i < BUDGET_MAX_LIMITS; i++)
		heard |= budget->limiters[i].heard;
	SpinLockRelease(&budget->mutex);
	return heard;
}

bool
budget_take(Budget *budget, int limit_context, bool must_hear, TimestampTz now, TimestampTz until)
{
	Limiter    *limiter = &budget->limiters[limit_context];
	bool		free;

	SpinLockAcquire(&budget->mutex);
	free = held_until(budget, now) <= now && limiter_next(limiter, now) <= now &&
		!(must_hear && limiter_must_hear(limiter, now));
	if (free)
		limiter_sent(limiter, now, until);
	SpinLockRelease(&budget->mutex);
	return free;
}

void
budget_written(Budget *budget, int limit_context, TimestampTz sent_at, TimestampTz written_at,
			   TimestampTz now)
{
	SpinLockAcquire(&budget->mutex);
	limiter_written(&budget->limiters[limit_context], sent_at, written_at, now);
	SpinLockRelease(&budget->mutex);
}

void
budget_ended(Budget *budget, int limit_context, bool answered)
{
	SpinLockAcquire(&budget->mutex);
	limiter_ended(&budget->limiters[limit_context], answered);
	SpinLockRelease(&budget->mutex);
}

void
budget_told(Budget *budget, const CrmLimitHint *hint, TimestampTz now)
{
	int64		reset_us = hint->reset_ms < 0 ? -1 : (int64) hint->reset_ms * 1000;

	if (hint->limit_context < 0 || hint->limit_context >= BUDGET_MAX_LIMITS)
		return;
	SpinLockAcquire(&budget->mutex);
	limiter_told(&budget->limiters[hint->limit_context], hint->limit, hint->remaining, reset_us, now);
	SpinLockRelease(&budget->mutex);
}

int
budget_told_limit(Budget *budget)
{
	int			limit;

	SpinLockAcquire(&budget->mutex);
	limit = budget->limiters[0].told ? budget->limiters[0].limit : 0;
	SpinLockRelease(&budget->mutex);
	return limit;
}

void
budget_hold(Budget *budget, TimestampTz until)
{
	SpinLockAcquire(&budget->mutex);
	budget->held_until = Max(budget->held_until, until);
	SpinLockRelease(&budget->mutex);
}

TimestampTz
budget_held_until(Budget *budget, TimestampTz now)
{
	TimestampTz until;

	SpinLockAcquire(&budget->mutex);
	until = held_until(budget, now);
	SpinLockRelease(&budget->mutex);
	return until;
}

TimestampTz
budget_blocked_until(Budget *budget, TimestampTz now)
{
	TimestampTz until;

	SpinLockAcquire(&budget->mutex);
	until = Max(held_until(budget, now), budget->limiters[0].blocked_until);
	SpinLockRelease(&budget->mutex);
	return until;
}

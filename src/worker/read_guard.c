/*
 * read_guard.c
 *		Reading the application's tables: rights, and time.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include "worker/read_guard.h"
#include "worker/worker.h"

#define READ_OVERRUN_MS 4000
#define SHUN_MS (10 * 60 * 1000)

TableLock
read_guard_lock(Oid relation, Oid *owner)
{
	HeapTuple	tuple;

	if (!ConditionalLockRelationOid(relation, AccessShareLock))
		return TABLE_BUSY;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
		return TABLE_GONE;
	*owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return TABLE_LOCKED;
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

TimestampTz
read_guard_shunned_until(int source_id)
{
	TimestampTz until = 0;

	for (int i = 0; i < SHARED_MAX_SHUNNED; i++)
	{
		if (shared_state->shunned[i].database == MyDatabaseId &&
			shared_state->shunned[i].source_id == source_id)
			until = Max(until, shared_state->shunned[i].until);
	}
	return clock_plausible(until, SHUN_MS);
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
 * Without an index on its ids, each row of a table is looked up among the leads
 * by its hash, and not compared with one after the other.  Put back with the user.
 */
static void
allow_hash_join(void)
{
	(void) set_config_option("enable_hashjoin", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
read_guard_begin(int source_id, Oid owner, SavedUser *saved)
{
	db_become_restricted(owner, saved);
	allow_hash_join();
	reading_source = source_id;
	enable_timeout_after(STATEMENT_TIMEOUT, READ_TIMEOUT_MS);
	enable_timeout_after(overrun_timeout(), READ_OVERRUN_MS);
}

void
read_guard_end(const SavedUser *saved)
{
	disable_timeout(overrun_timeout(), false);
	disable_timeout(STATEMENT_TIMEOUT, false);
	db_restore_user(saved);
}

void
read_guard_over(void)
{
	disable_timeout(overrun_timeout(), false);
	LockReleaseSession(USER_LOCKMETHOD);	/* advisory locks outlive transactions */
}

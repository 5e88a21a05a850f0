/*
 * stats.c
 *		Totals, histograms and progress of a database's workers, in shared
 *		memory.
 *
 * A database that is gone leaves its place to another when there is no free
 * one.  Not here: what waits (backlog.c), showing it (api/metrics.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"

#include "crm/crm.h"
#include "worker/stats.h"
#include "worker/worker.h"

const double stats_bounds[STATS_N_HISTOGRAMS][STATS_MAX_BUCKETS + 1] = {
	{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400},
	{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60}
};

static DatabaseStats *all_stats = NULL;
static DatabaseStats *mine = NULL;

Size
stats_shared_size(void)
{
	return mul_size(sizeof(DatabaseStats), SHARED_MAX_WORKERS);
}

static void
stats_clear(DatabaseStats *stats)
{
	/* All atomics of 64 bits, whose zero is a zero. */
	memset(stats, 0, sizeof(DatabaseStats));
}

void
stats_shared_startup(void)
{
	bool		found;

	all_stats = ShmemInitStruct("echosync stats", stats_shared_size(), &found);
	if (found)
		return;
	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		DatabaseStats *stats = &all_stats[i];

		stats_clear(stats);
		pg_atomic_init_u64(&stats->progress_at, 0);
		for (int t = 0; t < STATS_N_TOTALS; t++)
			pg_atomic_init_u64(&stats->totals[t], 0);
	}
}

DatabaseStats *
stats_of(Oid database)
{
	DatabaseStats *found = NULL;

	if (all_stats == NULL)
		return NULL;
	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < SHARED_MAX_WORKERS && found == NULL; i++)
	{
		if (all_stats[i].database == database)
			found = &all_stats[i];
	}
	LWLockRelease(shared_state->lock);
	return found;
}

/* Has a database a worker?  Under the lock. */
static bool
has_worker(Oid database)
{
	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		if (shared_state->slots[i].database == database)
			return true;
	}
	return false;
}

/* Under the lock: a free place, or that of the database that was idle longest. */
static DatabaseStats *
stats_place(void)
{
	DatabaseStats *oldest = NULL;

	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		DatabaseStats *stats = &all_stats[i];

		if (stats->database == InvalidOid)
			return stats;
		if (!has_worker(stats->database) &&
			(oldest == NULL || pg_atomic_read_u64(&stats->progress_at) <
			 pg_atomic_read_u64(&oldest->progress_at)))
			oldest = stats;
	}
	return oldest;				/* we are a worker without a place: there is one */
}

void
stats_attach(Oid database)
{
	Assert(all_stats != NULL);
	mine = stats_of(database);
	if (mine != NULL)
		return;
	LWLockAcquire(shared_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_WORKERS && mine == NULL; i++)
	{
		if (all_stats[i].database == database)
			mine = &all_stats[i];	/* another worker was quicker */
	}
	if (mine == NULL)
	{
		mine = stats_place();
		Assert(mine != NULL);
		stats_clear(mine);
		mine->database = database;
	}
	LWLockRelease(shared_state->lock);
}

void
stats_add(StatsTotal total)
{
	pg_atomic_uint64 *of_slot[STATS_N_TOTALS] = {
		&worker->slot->requests, &worker->slot->synced, &worker->slot->failed,
		&worker->slot->retries, &worker->slot->rate_limited
	};

	pg_atomic_fetch_add_u64(of_slot[total], 1);
	pg_atomic_fetch_add_u64(&mine->totals[total], 1);
}

/* The place of a CRM in the list of providers; -1 for one that has none. */
static int
crm_index(const char *crm_type)
{
	for (int i = 0; i < STATS_MAX_CRMS && crm_provider_by_index(i) != NULL; i++)
	{
		if (strcmp(crm_provider_by_index(i)->crm_type, crm_type) == 0)
			return i;
	}
	return -1;
}

void
stats_observe(StatsHistogram which, const char *crm_type, int64 us)
{
	int			crm = crm_index(crm_type);
	const double *bounds = stats_bounds[which];
	int			bucket = 0;

	if (crm < 0)
		return;
	us = Max(us, 0);
	while (bounds[bucket] > 0 && us > bounds[bucket] * USECS_PER_SEC)
		bucket++;
	pg_atomic_fetch_add_u64(&mine->histograms[which][crm].buckets[bucket], 1);
	pg_atomic_fetch_add_u64(&mine->histograms[which][crm].sum_us, us);
}

void
stats_clock(const char *crm_type, int64 difference_ms)
{
	int			crm = crm_index(crm_type);

	if (crm < 0)
		return;
	pg_atomic_write_u64(&mine->clock_ms[crm], difference_ms);
	pg_atomic_write_u64(&mine->clock_at[crm], GetCurrentTimestamp());
}

void
stats_progress(void)
{
	pg_atomic_write_u64(&mine->progress_at, worker->now);
	pg_atomic_write_u64(&worker->slot->due_at, worker->now);
}

/* One that sleeps is late only when it does not wake in time. */
void
stats_sleep(long ms)
{
	pg_atomic_write_u64(&worker->slot->due_at,
						TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms));
}

void
stats_due_now(WorkerSlot *slot)
{
	TimestampTz now = GetCurrentTimestamp();

	if ((TimestampTz) pg_atomic_read_u64(&slot->due_at) > now)
		pg_atomic_write_u64(&slot->due_at, now);
}

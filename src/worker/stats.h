/*
 * stats.h
 *		What was done, by database: totals, histograms, the worker's progress.
 *
 * In shared memory and outside the workers' slots, so that they outlive a
 * worker that is replaced.  They begin at 0 when the server starts, or starts
 * again after a crash; Prometheus takes that for what it is.
 *
 * Written by the workers of a database, which may be several, read by anybody:
 * every number is an atomic.
 */
#ifndef ECHOSYNC_STATS_H
#define ECHOSYNC_STATS_H

#include "port/atomics.h"
#include "utils/timestamp.h"

#include "worker/shared.h"

#define STATS_MAX_CRMS 8
#define STATS_MAX_BUCKETS 16

typedef enum StatsTotal
{
	STATS_REQUESTS = 0,			/* sent to CRMs */
	STATS_SYNCED,				/* leads brought to a CRM */
	STATS_FAILED,				/* leads that became dead letters */
	STATS_RETRIES,				/* tries that will be repeated */
	STATS_RATE_LIMITED,			/* calls refused with 429 */
	STATS_N_TOTALS
} StatsTotal;

typedef enum StatsHistogram
{
	STATS_QUEUE_AGE = 0,		/* from queueing to the first request */
	STATS_CRM_ANSWER,			/* from request to answer */
	STATS_N_HISTOGRAMS
} StatsHistogram;

typedef struct Histogram
{
	pg_atomic_uint64 buckets[STATS_MAX_BUCKETS + 1];	/* the last: all above */
	pg_atomic_uint64 sum_us;
} Histogram;

typedef struct DatabaseStats
{
	Oid			database;		/* guarded by SharedState.lock */
	pg_atomic_uint64 progress_at;	/* TimestampTz: some worker's newest turn */
	pg_atomic_uint64 totals[STATS_N_TOTALS];
	Histogram	histograms[STATS_N_HISTOGRAMS][STATS_MAX_CRMS];
	pg_atomic_uint64 clock_at[STATS_MAX_CRMS];	/* TimestampTz; 0: no answer yet */
	pg_atomic_uint64 clock_ms[STATS_MAX_CRMS];	/* int64: the CRM's clock less ours */
} DatabaseStats;

/* Upper bounds of a histogram's buckets, in seconds, up to a 0. */
extern const double stats_bounds[STATS_N_HISTOGRAMS][STATS_MAX_BUCKETS + 1];

extern Size stats_shared_size(void);
extern void stats_shared_startup(void);

/* Those of a database; NULL where no worker has run. */
extern DatabaseStats *stats_of(Oid database);

/* Worker side. */
extern void stats_attach(Oid database);
extern void stats_add(StatsTotal total);
extern void stats_observe(StatsHistogram histogram, const char *crm_type, int64 us);
extern void stats_clock(const char *crm_type, int64 difference_ms);
extern void stats_progress(void);	/* at the top of each turn */
extern void stats_sleep(long ms);	/* before waiting for so long */

/* By whoever wakes a worker: it is late from now on. */
extern void stats_due_now(WorkerSlot *slot);

#endif							/* ECHOSYNC_STATS_H */

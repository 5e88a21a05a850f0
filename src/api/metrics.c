/*
 * metrics.c
 *		The numbers of this database that are in shared memory, one a row, in
 *		Prometheus' terms.  echosync_metrics adds those that are in tables.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "crm/crm.h"
#include "worker/backlog.h"
#include "worker/shared.h"
#include "worker/stats.h"

PG_FUNCTION_INFO_V1(echosync_shared_metrics);

#define METRIC_COLUMNS 5

/* What the rows of one metric have in common. */
typedef struct Metric
{
	const char *name;
	const char *type;
	const char *help;
} Metric;

static const Metric total_metrics[STATS_N_TOTALS] = {
	{"echosync_requests_total", "counter", "Requests sent to CRMs."},
	{"echosync_synced_total", "counter", "Leads brought to a CRM."},
	{"echosync_failed_total", "counter", "Leads that became dead letters."},
	{"echosync_retries_total", "counter", "Tries that will be repeated."},
	{"echosync_rate_limited_total", "counter", "Calls that a CRM refused with 429."}
};

static const Metric histogram_metrics[STATS_N_HISTOGRAMS] = {
	{"echosync_queue_age_seconds", "histogram", "How long leads had waited when their first request was sent."},
	{"echosync_crm_answer_seconds", "histogram", "From request to answer."}
};

static void
put_metric(ReturnSetInfo *result, const Metric *metric, const char *suffix, const char *labels, double value)
{
	Datum		values[METRIC_COLUMNS];
	bool		nulls[METRIC_COLUMNS] = {0};

	values[0] = CStringGetTextDatum(psprintf("%s%s", metric->name, suffix));
	values[1] = DirectFunctionCall1(jsonb_in, CStringGetDatum(labels));
	values[2] = Float8GetDatum(value);
	values[3] = CStringGetTextDatum(metric->type);
	values[4] = CStringGetTextDatum(metric->help);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Buckets count all that is below their bound, as Prometheus wants it. */
static void
put_histogram(ReturnSetInfo *result, StatsHistogram which, const char *crm_type, Histogram *histogram)
{
	const Metric *metric = &histogram_metrics[which];
	const double *bounds = stats_bounds[which];
	char	   *crm = psprintf("{\"crm\": \"%s\"}", crm_type);
	uint64		n = 0;
	int			i;

	for (i = 0; bounds[i] > 0; i++)
	{
		n += pg_atomic_read_u64(&histogram->buckets[i]);
		put_metric(result, metric, "_bucket",
				   psprintf("{\"crm\": \"%s\", \"le\": \"%g\"}", crm_type, bounds[i]), n);
	}
	n += pg_atomic_read_u64(&histogram->buckets[i]);
	put_metric(result, metric, "_bucket", psprintf("{\"crm\": \"%s\", \"le\": \"+Inf\"}", crm_type), n);
	put_metric(result, metric, "_sum", crm, pg_atomic_read_u64(&histogram->sum_us) / 1e6);
	put_metric(result, metric, "_count", crm, n);
}

/*
 * For how long has a worker that should have gone round not done so?  The
 * worst of those that run; without any, since the last one did, or since the
 * server started.
 */
static double
progress_seconds(DatabaseStats *stats)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz since = 0;

	LWLockAcquire(shared_state->lock, LW_SHARED);
	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		WorkerSlot *slot = &shared_state->slots[i];
		TimestampTz due = pg_atomic_read_u64(&slot->due_at);

		if (slot->database == MyDatabaseId && slot->latch != NULL && due != 0)
			since = since == 0 ? due : Min(since, due);
	}
	LWLockRelease(shared_state->lock);
	if (since == 0 && stats != NULL)
		since = pg_atomic_read_u64(&stats->progress_at);
	if (since == 0)
		since = PgStartTime;
	return Max(now - since, 0) / 1e6;
}

static void
put_clock(ReturnSetInfo *result, const char *crm_type, DatabaseStats *stats, int crm)
{
	static const Metric metric = {"echosync_crm_clock_difference_seconds", "gauge",
	"How far the CRM's clock was ahead of ours in its last answer."};

	if (pg_atomic_read_u64(&stats->clock_at[crm]) != 0)
		put_metric(result, &metric, "", psprintf("{\"crm\": \"%s\"}", crm_type),
				   (int64) pg_atomic_read_u64(&stats->clock_ms[crm]) / 1e3);
}

Datum
echosync_shared_metrics(PG_FUNCTION_ARGS)
{
	static const Metric progress = {"echosync_worker_progress_seconds", "gauge",
	"For how long the worker has not gone round its loop although it should have."};
	static const Metric counted = {"echosync_connections_counted", "gauge",
	"Connections whose waiting leads are counted in shared memory."};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DatabaseStats *stats = stats_of(MyDatabaseId);
	const CrmProvider *provider;

	InitMaterializedSRF(fcinfo, 0);
	if (shared_state == NULL)
		return (Datum) 0;
	put_metric(result, &progress, "", "{}", progress_seconds(stats));
	put_metric(result, &counted, "", "{}", backlog_n_counted());
	if (stats == NULL)
		return (Datum) 0;
	for (int i = 0; i < STATS_N_TOTALS; i++)
		put_metric(result, &total_metrics[i], "", "{}", pg_atomic_read_u64(&stats->totals[i]));
	for (int crm = 0; crm < STATS_MAX_CRMS && (provider = crm_provider_by_index(crm)) != NULL; crm++)
	{
		for (int i = 0; i < STATS_N_HISTOGRAMS; i++)
			put_histogram(result, i, provider->crm_type, &stats->histograms[i][crm]);
		put_clock(result, provider->crm_type, stats, crm);
	}
	return (Datum) 0;
}

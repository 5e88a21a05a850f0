/*
 * manual_sync.c
 *		echosync_manual_sync(): queue leads that a user asks for.
 *
 * Leads are read through a cursor, as the owner of their table in a
 * security-restricted operation, and queued in batches, so that memory is
 * bounded whatever the number of leads.  A lead that waits already is queued once
 * more: it may be in work, as it was before.  The worker makes one call of both.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "api/enqueue.h"
#include "api/estimate.h"
#include "api/identity.h"
#include "config/settings.h"
#include "db/gap.h"
#include "db/lead_sources.h"
#include "worker/backlog.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_manual_sync);

#define MANUAL_BATCH 1000

static Statement find_integration = {
	.sql = "SELECT (i).id, (i).user_id, (i).crm_type, (i).settings, (i).status"
	" FROM @schema@.echosync_find_integration($1) AS i",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement insert_run = {
	.sql = "INSERT INTO @schema@.crm_sync_runs (integration_id, user_id, queued, skipped)"
	" VALUES ($1, $2, 0, 0) RETURNING id",
	.nargs = 2,
	.argtypes = {UUIDOID, TEXTOID}
};

static Statement update_run = {
	.sql = "UPDATE @schema@.crm_sync_runs SET queued = $2, skipped = $3,"
	" finished_at = CASE WHEN $2 = 0 THEN pg_catalog.clock_timestamp() END WHERE id = $1",
	.nargs = 3,
	.argtypes = {INT8OID, INT8OID, INT8OID}
};

typedef struct ManualRun
{
	Target		target;
	bool		active;			/* is its connection? */
	Enqueue    *enqueue;
	char	  **lead_ids;		/* asked for; NULL: all */
	int			n_lead_ids;
	bool	   *found;			/* of these, a lead of the caller's */
	HTAB	   *queued;			/* of leads met, if some are asked for */
	bool		left_out;		/* a table: what is not found may be there */
	int64		n_skipped;
} ManualRun;

static void
load_target(ManualRun *run, Datum id)
{
	statement_execute(&find_integration, &id, NULL, true, 0);
	target_from_row(0, &run->target);
	run->active = strcmp(spi_text(0, 5), "active") == 0;
}

/* Two of the ids may be one lead, in two spellings. */
static bool
is_new(ManualRun *run, const char *lead_id, int source_id)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) lead_id, strlen(lead_id), source_id);
	bool		found = false;

	if (run->queued != NULL)
		(void) hash_search(run->queued, &hash, HASH_ENTER, &found);
	return !found;
}

/* Queue one batch of rows. */
static void
queue_batch(ManualRun *run, const LeadSource *source, List *rows)
{
	ListCell   *lc;

	foreach(lc, rows)
	{
		const LeadRow *row = lfirst(lc);
		LeadFacts	facts = {0};

		if (row->lead != NULL)
			facts = lead_facts(row->lead);
		if (row->asked >= 0)
			run->found[row->asked] = true;
		if (is_new(run, row->id, source->id) &&
			enqueue_lead(run->enqueue, &run->target, row->id, source->id, row->lead != NULL ? &facts : NULL, (Datum) 0) != REFUSAL_NONE)
			run->n_skipped++;
	}
	enqueue_write(run->enqueue);
}

/* Queue what is the user's of one attached table, batch by batch. */
static void
queue_source(const LeadSource *source, void *arg)
{
	ManualRun  *run = arg;
	LeadCursor *cursor = lead_source_open(source, run->target.user_id, run->lead_ids, run->n_lead_ids);
	MemoryContext batch_context = AllocSetContextCreate(CurrentMemoryContext,
														"echosync manual batch",
														ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		MemoryContext caller = MemoryContextSwitchTo(batch_context);
		List	   *rows;

		CHECK_FOR_INTERRUPTS();
		rows = lead_source_fetch(cursor, MANUAL_BATCH);
		enqueue_restart(run->enqueue);
		queue_batch(run, source, rows);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(batch_context);
		if (cursor->ended)
			break;
	}
	lead_source_close(cursor);
	MemoryContextDelete(batch_context);
}

/* A table that cannot be read is left out, and what it counted with it. */
static void
try_source(ManualRun *run, const LeadSource *source)
{
	int64		n_queued = run->enqueue->n_queued;
	int64		n_skipped = run->n_skipped;
	bool	   *found = palloc(run->n_lead_ids + 1);

	if (run->found != NULL)
		memcpy(found, run->found, run->n_lead_ids);
	if (lead_source_try(source, queue_source, run))
		return;
	if (run->found != NULL)
		memcpy(run->found, found, run->n_lead_ids);
	run->enqueue->n_queued = n_queued;
	run->n_skipped = n_skipped;
	run->left_out = true;
}

/* Asked-for ids that are no lead of the caller's: another's, or nobody's. */
static void
refuse_missing(ManualRun *run)
{
	if (run->lead_ids == NULL)
		return;
	enqueue_restart(run->enqueue);
	for (int i = 0; i < run->n_lead_ids; i++)
	{
		if (run->found[i] || !is_new(run, run->lead_ids[i], 0))	/* a repeated id counts once */
			continue;
		if (!run->left_out)
			enqueue_refuse(run->enqueue, &run->target, run->lead_ids[i], REFUSAL_LEAD_DELETED);
		run->n_skipped++;
	}
	enqueue_write(run->enqueue);
}

/* All leads were asked for: those, too, that what follows cannot see. */
static void
note_gap(const ManualRun *run)
{
	gap_note((const pg_uuid_t *) run->target.id, "manual");
	wake_note_everything();
}

/* What is asked for, to be ticked off. */
static void
take_asked(ManualRun *run, ArrayType *lead_ids)
{
	HASHCTL		control = {0};
	Datum	   *ids;
	bool	   *nulls;
	int			n;

	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(uint64);
	control.hcxt = CurrentMemoryContext;
	run->queued = hash_create("echosync queued", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	deconstruct_array(lead_ids, TEXTOID, -1, false, TYPALIGN_INT, &ids, &nulls, &n);
	run->lead_ids = palloc(sizeof(char *) * (n + 1));
	run->found = palloc0(n + 1);
	for (int i = 0; i < n; i++)
	{
		char	   *id;

		if (nulls[i])
			continue;
		id = TextDatumGetCString(ids[i]);
		lead_id_require(id);
		run->lead_ids[run->n_lead_ids++] = id;
	}
}

static int64
start_run(const Target *target)
{
	Datum		values[2];

	values[0] = UUIDPGetDatum((pg_uuid_t *) target->id);
	values[1] = CStringGetTextDatum(target->user_id);
	statement_execute(&insert_run, values, NULL, false, 0);
	return spi_int64(0, 1, 0);
}

static void
finish_run(const ManualRun *run)
{
	Datum		values[3];

	values[0] = Int64GetDatum(run->enqueue->run_id);
	values[1] = Int64GetDatum(run->enqueue->n_queued);
	values[2] = Int64GetDatum(run->n_skipped);
	statement_execute(&update_run, values, NULL, false, 0);
}

/* How long it will take: with those that wait for this connection already. */
static void
tell_expected_time(const ManualRun *run)
{
	const CrmProvider *provider = run->target.provider;
	pg_uuid_t  *id = (pg_uuid_t *) run->target.id;
	int64		leads = run->enqueue->n_queued;
	Backlog		waiting;
	Estimate	estimate;

	if (leads == 0 || provider == NULL)
		return;
	if (!run->active)
	{
		ereport(NOTICE,
				(errmsg("%lld leads queued", (long long) leads),
				 errdetail("The connection is not active: they wait."),
				 errhint("See echosync_status.status_reason; echosync_resume() goes on sending.")));
		return;
	}
	if (!echosync_enabled)
	{
		ereport(NOTICE,
				(errmsg("%lld leads queued", (long long) leads),
				 errdetail("Sending is switched off by echosync.enabled: they wait.")));
		return;
	}
	estimate_lead(provider, id, &estimate);
	if (backlog_read(id, &waiting))
		leads += Max(waiting.queued, 0);
	if (leads * estimate.seconds < 1)
		return;
	ereport(NOTICE,
			(errmsg("%lld leads queued, expected to take about %s",
					(long long) run->enqueue->n_queued, estimate_words(leads * estimate.seconds)),
			 errdetail("%s allows %d calls in %d s, and a new lead needs %d.",
					   provider->label, estimate.limit, estimate.window_ms / 1000, provider->calls_per_lead),
			 errhint("SELECT done, total, estimated_finish FROM echosync_runs WHERE run_id = %lld \\watch 10",
					 (long long) run->enqueue->run_id)));
}

Datum
echosync_manual_sync(PG_FUNCTION_ARGS)
{
	ManualRun	run = {0};
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("id must not be null")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	SPI_connect();
	db_use_extension();
	load_target(&run, PG_GETARG_DATUM(0));
	if (!PG_ARGISNULL(1))
		take_asked(&run, PG_GETARG_ARRAYTYPE_P(1));
	run.enqueue = enqueue_begin("manual", run.lead_ids == NULL ? 1 : 0,
								start_run(&run.target));
	if (run.lead_ids == NULL)
		note_gap(&run);
	foreach(lc, lead_sources_load())
		try_source(&run, lfirst(lc));
	refuse_missing(&run);
	finish_run(&run);
	tell_expected_time(&run);

	values[0] = Int64GetDatum(run.enqueue->run_id);
	values[1] = Int64GetDatum(run.enqueue->n_queued);
	values[2] = Int64GetDatum(run.n_skipped);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

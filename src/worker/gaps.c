/*
 * gaps.c
 *		Leads that no trigger has captured: see db/gap.h.
 *
 * When all transactions have ended that may not have seen a connection, the
 * attached tables are gone through once, for all such connections: leads whose
 * rows are by one of those transactions are queued.  A table whose index begins
 * with the user is asked for the users' rows, unless that has failed, as where these
 * are very many; another is read by so many blocks at a time that leads go on being
 * sent.
 *
 * A table that cannot be read keeps its gaps open, and is looked at again, alone and
 * less and less often.  A worker that ends begins again: what is queued twice is one
 * job.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "api/enqueue.h"
#include "db/gap.h"
#include "db/lead_index.h"
#include "db/lead_rows.h"
#include "db/lead_user.h"
#include "worker/read_guard.h"
#include "worker/worker.h"

#define STEP_BLOCKS 2048		/* of a table and its partitions together */
#define STEP_PAUSE 3			/* times as long as a step took */
#define WAIT_MIN_MS 200			/* for transactions to end */
#define WAIT_MAX_MS 5000
#define RETRY_MIN_MS 10000		/* a table that could not be read, and twice as long each time */
#define RETRY_MAX_MS 600000
#define SPAN_COLUMN 6			/* of select_gaps: gap_span_from_row */
#define GAPS_MAX 1000			/* that no source has failed for: the others wait in the table */

static Statement select_gaps = {
	.sql = "SELECT g.id, g.integration_id, i.user_id, i.crm_type,"
	" i.id IS NOT NULL AND (g.sync_type = 'manual' OR i.settings->'auto_sync' = 'true'),"
	" g.sync_type, g.first_xid, g.next_xid, g.running_xids, g.end_xid"
	" FROM @schema@.crm_sync_gaps g LEFT JOIN @schema@.crm_integrations i ON i.id = g.integration_id"
	" ORDER BY g.id",
	.nargs = 0
};

static Statement update_ends = {
	.sql = "UPDATE @schema@.crm_sync_gaps g SET end_xid = e.end_xid"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) e(id, end_xid) WHERE g.id = e.id",
	.nargs = 2,
	.argtypes = {INT8ARRAYOID, INT8ARRAYOID}
};

static Statement delete_gaps = {
	.sql = "DELETE FROM @schema@.crm_sync_gaps g WHERE g.id = ANY ($1)",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID}
};

static Statement select_sources = {
	.sql = "SELECT s.id, s.relation::pg_catalog.oid, s.mapping FROM @schema@.crm_lead_sources s"
	" WHERE s.attached AND s.id > $1 ORDER BY s.id LIMIT 1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static Statement select_size = {
	.sql = "SELECT pg_catalog.max(pg_catalog.pg_relation_size(l.relid)) / pg_catalog.current_setting('block_size')::pg_catalog.int8,"
	" pg_catalog.count(*) FROM (SELECT t.relid FROM pg_catalog.pg_partition_tree($1) t WHERE t.isleaf UNION SELECT $1) l",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

/* A row of crm_sync_gaps. */
typedef struct Gap
{
	int64		id;
	Target		target;			/* id, user and CRM; no user: nobody wants to know any more */
	GapSpan		span;
	bool		there;			/* its row, at the last look */
	bool		end_is_noted;	/* ... in it */
	bool		in_pass;
	List	   *failed;			/* sources that are left; NIL at first: all */
	int			n_failures;
	TimestampTz not_before;
} Gap;

static MemoryContext context = NULL;
static List *gaps = NIL;
static bool expected = true;	/* there may be new rows */
static TimestampTz look_again_at = 0;	/* ... which could not be read */
static bool begin_soon = false; /* ... and some have come */
static TimestampTz due = 0;		/* of the next step; 0: nothing is to be done */
static long wait_ms = WAIT_MIN_MS;

/* A pass through the attached tables. */
static struct
{
	bool		begun;
	List	   *failed;			/* sources, in our context */
	bool		busy;			/* all of these only since somebody holds them */
	bool		aborted;		/* our own tables could not be read */
	int			source_id;		/* being read, or read last */
	BlockNumber block;			/* ... from here on */
	bool		ended;			/* the source is read to its end */
} pass;

void
gaps_expect(void)
{
	expected = true;
}

TimestampTz
gaps_next(void)
{
	TimestampTz look = expected ? Max(look_again_at, worker->now) : 0;

	if (!worker->may_send || worker->leave_by != 0)
		return 0;
	return look == 0 || (due != 0 && due < look) ? due : look;
}

void
gaps_shift_times(TimeOffset step)
{
	if (due != 0)
		due += step;
	if (look_again_at != 0)
		look_again_at += step;
}

static Gap *
find_gap(int64 id)
{
	ListCell   *lc;

	foreach(lc, gaps)
	{
		if (((Gap *) lfirst(lc))->id == id)
			return lfirst(lc);
	}
	return NULL;
}

static Gap *
take_gap(uint64 i)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Gap		   *gap = palloc0(sizeof(Gap));
	bool		isnull;

	gap->id = spi_int64(i, 1, 0);
	memcpy(gap->target.id, DatumGetUUIDP(spi_datum(i, 2, &isnull))->data, UUID_LEN);
	gap_span_from_row(&gap->span, i, SPAN_COLUMN);
	gaps = lappend(gaps, gap);
	MemoryContextSwitchTo(caller);
	return gap;
}

static void
forget_target(Gap *gap)
{
	if (gap->target.user_id == NULL)
		return;
	pfree(gap->target.user_id);
	pfree(unconstify(char *, gap->target.crm_type));
	gap->target.user_id = NULL;
}

static void
set_target(Gap *gap, uint64 i)
{
	bool		isnull;

	gap->there = true;
	(void) spi_datum(i, SPAN_COLUMN + 4, &isnull);
	gap->end_is_noted = !isnull;
	forget_target(gap);
	if (!spi_bool(i, 5))
		return;
	gap->target.user_id = MemoryContextStrdup(context, spi_text(i, 3));
	gap->target.crm_type = MemoryContextStrdup(context, spi_text(i, 4));
}

static void
free_gap(Gap *gap)
{
	forget_target(gap);
	if (gap->span.running != NULL)
		pfree(gap->span.running);
	list_free(gap->failed);
	pfree(gap);
}

/* Has nobody but us drawn an id meanwhile, who could have written? */
static bool
gap_is_empty(const Gap *gap)
{
	return gap->target.user_id == NULL || (gap->span.running != NULL && gap->span.n_running == 0 && gap->span.end == gap->span.next);
}

static void
forget_gaps(List *forgotten)
{
	RowSet	   *ids = rowset_make(1, (Oid[]) {INT8OID});
	Datum		value;
	ListCell   *lc;

	foreach(lc, forgotten)
	{
		rowset_row(ids);
		rowset_int8(ids, ((Gap *) lfirst(lc))->id);
	}
	value = rowset_array(ids, 0);
	if (ids->n_rows > 0)
		statement_execute(&delete_gaps, &value, NULL, false, 0);
}

static void
drop_gaps(List *dropped)
{
	ListCell   *lc;

	foreach(lc, dropped)
	{
		gaps = list_delete_ptr(gaps, lfirst(lc));
		free_gap(lfirst(lc));
	}
	if (gaps == NIL && context != NULL)
		MemoryContextReset(context);
}

/* Those that are still to be looked for the first time. */
static int
count_fresh(void)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, gaps)
		n += ((Gap *) lfirst(lc))->failed == NIL;
	return n;
}

/* Of a new one, now is after its commit: who draws an id from here on sees the connection. */
static void
load_gap(uint64 i, int *n_fresh)
{
	Gap		   *gap = find_gap(spi_int64(i, 1, 0));

	if (gap == NULL && *n_fresh >= GAPS_MAX)
		return;
	if (gap == NULL)
	{
		gap = take_gap(i);
		++*n_fresh;
		begin_soon = true;
	}
	set_target(gap, i);
}

/* What is to be forgotten: nobody could have written, or wants to know, or another row has taken its place. */
static List *
needless_gaps(void)
{
	MemoryContext caller = MemoryContextSwitchTo(worker->turn);
	List	   *needless = NIL;
	ListCell   *lc;

	foreach(lc, gaps)
	{
		Gap		   *gap = lfirst(lc);

		if (!gap->there)
			forget_target(gap);
		if (!gap->in_pass && gap_is_empty(gap))
			needless = lappend(needless, gap);
	}
	MemoryContextSwitchTo(caller);
	return needless;
}

/* For the triggers, and for the worker after this one. */
static void
note_ends(List *needless)
{
	RowSet	   *ends = rowset_make(2, (Oid[]) {INT8OID, INT8OID});
	Datum		values[2];
	ListCell   *lc;

	foreach(lc, gaps)
	{
		Gap		   *gap = lfirst(lc);

		if (!gap->there || gap->end_is_noted || list_member_ptr(needless, gap))
			continue;
		rowset_row(ends);
		rowset_int8(ends, gap->id);
		rowset_int8(ends, (int64) gap->span.end);
	}
	for (int i = 0; i < 2; i++)
		values[i] = rowset_array(ends, i);
	if (ends->n_rows > 0)
		statement_execute(&update_ends, values, NULL, false, 0);
}

static void
load_body(void *arg)
{
	List	  **needless = arg;
	int			n_fresh = count_fresh();
	ListCell   *lc;

	foreach(lc, gaps)
		((Gap *) lfirst(lc))->there = false;
	statement_execute(&select_gaps, NULL, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		if (shared_owner_index(DatumGetUUIDP(spi_datum(i, 2, &isnull)), worker->n_workers) == worker->index)
			load_gap(i, &n_fresh);
	}
	*needless = needless_gaps();
	forget_gaps(*needless);
	note_ends(*needless);
}

static bool
load_gaps(void)
{
	List	   *needless = NIL;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "echosync gaps", ALLOCSET_SMALL_SIZES);
	if (!worker_transaction("echosync: looking for connections that began to sync", load_body, &needless))
		return false;
	drop_gaps(needless);
	return true;
}

static void
oldest_body(void *arg)
{
	*(uint64 *) arg = snapshot_end(pg_snapshot_xmin, DirectFunctionCall1(pg_current_snapshot, (Datum) 0));
}

/* Begin a pass for those whose transactions have all ended; are there any? */
static bool
begin_pass(void)
{
	uint64		oldest = 0;
	ListCell   *lc;

	if (!worker_transaction("echosync: waiting for transactions to end", oldest_body, &oldest))
		return false;
	memset(&pass, 0, sizeof(pass));
	pass.ended = pass.busy = true;
	foreach(lc, gaps)
	{
		Gap		   *gap = lfirst(lc);

		gap->in_pass = oldest >= gap->span.end && clock_plausible(gap->not_before, RETRY_MAX_MS) <= worker->now;
		pass.begun |= gap->in_pass;
	}
	return pass.begun;
}

/* A source being read. */
typedef struct Step
{
	int			source_id;		/* 0: there are no more */
	Oid			relation;
	LeadColumns *columns;
	BlockNumber n_blocks;		/* of its largest partition */
	BlockNumber window;
	bool		whole;			/* asked for the users' rows, by an index */
	bool		busy;			/* somebody holds it */
	Enqueue    *enqueue[2];		/* of what is found: by itself, by hand */
} Step;

/* Is the source to be read for it, in this pass? */
static bool
gap_wants(const Gap *gap, int source_id)
{
	return gap->in_pass && gap->target.user_id != NULL &&
		(gap->failed == NIL || list_member_int(gap->failed, source_id));
}

static bool
source_is_wanted(int source_id)
{
	ListCell   *lc;

	foreach(lc, gaps)
	{
		if (gap_wants(lfirst(lc), source_id))
			return true;
	}
	return false;
}

/* It has failed before: its rows are asked for piece by piece. */
static bool
source_has_failed(int source_id)
{
	ListCell   *lc;

	foreach(lc, gaps)
	{
		const Gap  *gap = lfirst(lc);

		if (gap->in_pass && list_member_int(gap->failed, source_id))
			return true;
	}
	return false;
}

/* Whose row it is: a user of the pass, mostly, by exactly this text. */
static const char *
row_owner(const LeadKey *key, const char *text)
{
	ListCell   *lc;

	foreach(lc, gaps)
	{
		const Gap  *gap = lfirst(lc);

		if (gap->in_pass && gap->target.user_id != NULL && strcmp(gap->target.user_id, text) == 0)
			return gap->target.user_id;
	}
	return lead_user_of(key, text);
}

static void
take_row(Step *step, const LeadKey *user, const char *lead_id, const char *text,
		 TransactionId xmin, FullTransactionId next)
{
	const char *owner = NULL;
	ListCell   *lc;

	foreach(lc, gaps)
	{
		const Gap  *gap = lfirst(lc);

		if (!gap_wants(gap, step->source_id) || !gap_has(&gap->span, xmin, next))
			continue;
		if (owner == NULL && (owner = row_owner(user, text)) == NULL)
			return;
		if (strcmp(owner, gap->target.user_id) == 0)
			(void) enqueue_lead(step->enqueue[gap->span.manual], &gap->target, lead_id, step->source_id, NULL, (Datum) 0);
	}
}

/* Of what was read, the rows that are in a gap of their user. */
static void
take_rows(Step *step, const LeadKey *user)
{
	SPITupleTable *table = SPI_tuptable;
	uint64		n = SPI_processed;
	FullTransactionId next = ReadNextFullTransactionId();

	for (uint64 i = 0; i < n; i++)
	{
		char	   *lead_id = SPI_getvalue(table->vals[i], table->tupdesc, 1);
		char	   *text = SPI_getvalue(table->vals[i], table->tupdesc, 2);
		bool		isnull;
		TransactionId xmin = DatumGetTransactionId(SPI_getbinval(table->vals[i], table->tupdesc, 3, &isnull));

		if (lead_id != NULL && text != NULL && !isnull)
			take_row(step, user, lead_id, text, xmin, next);
	}
}

/* How many ids ago the oldest of the gaps began: rows that are older are passed over in the scan. */
static uint32
gaps_age(void)
{
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());
	uint64		first = next;
	ListCell   *lc;

	foreach(lc, gaps)
	{
		const Gap  *gap = lfirst(lc);

		if (gap->in_pass)
			first = Min(first, gap->span.first);
	}
	return (uint32) Min(next - first + 1, PG_INT32_MAX);
}

static char *
step_sql(const Step *step, const LeadQuery *query)
{
	char	   *sql = psprintf("SELECT %s, %s, t.xmin FROM %s t WHERE %s"
							   " AND pg_catalog.age(t.xmin) OPERATOR(pg_catalog.<=) %u",
							   lead_key_text_sql(&query->id), lead_key_text_sql(&query->user),
							   lead_table_name(step->relation), lead_key_match_sql(&query->user, "ANY ($1)"), gaps_age());

	if (step->whole)
		return sql;
	return psprintf("%s AND t.ctid OPERATOR(pg_catalog.>=) '(%u,0)'::pg_catalog.tid"
					" AND t.ctid OPERATOR(pg_catalog.<) '(%u,0)'::pg_catalog.tid",
					sql, pass.block, pass.block + step->window);
}

/* The users whose rows are asked for. */
static char **
wanted_users(int source_id, int *n)
{
	char	  **users = palloc(sizeof(char *) * (list_length(gaps) + 1));
	ListCell   *lc;

	*n = 0;
	foreach(lc, gaps)
	{
		const Gap  *gap = lfirst(lc);

		if (gap_wants(gap, source_id))
			users[(*n)++] = gap->target.user_id;
	}
	return users;
}

/* So many blocks are asked for, not all rows of the users once for each piece. */
static void
avoid_indexes(void)
{
	static const char *const settings[] = {"enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static void
read_rows(Step *step, Oid owner)
{
	static TextStatement statement;
	SavedUser	saved;
	LeadQuery	query;
	int			n;
	char	  **users = wanted_users(step->source_id, &n);

	read_guard_begin(step->source_id, owner, &saved);
	if (!step->whole)
		avoid_indexes();
	lead_query(&query, step->columns, step->relation, users, NULL, n);
	if (query.n > 0)
	{
		statement_execute_text(&statement, step_sql(step, &query), query.nargs, query.types, query.values);
		take_rows(step, &query.user);
	}
	read_guard_end(&saved);
}

static bool
has_user_index(const Step *step)
{
	Relation	rel = relation_open(step->relation, NoLock);
	AttrNumber	user = get_attnum(step->relation, step->columns->names[LEAD_FIELD_USER_ID][0]);
	bool		found = lead_index_begins_with(rel, user, InvalidAttrNumber);

	relation_close(rel, NoLock);
	return found;
}

/* The source that the pass is at, or the next one. */
static bool
find_source(Step *step)
{
	Datum		value = Int32GetDatum(pass.ended ? pass.source_id : pass.source_id - 1);
	bool		isnull;

	statement_execute(&select_sources, &value, NULL, false, 1);
	if (SPI_processed == 0)
		return false;
	step->source_id = DatumGetInt32(spi_datum(0, 1, &isnull));
	step->relation = DatumGetObjectId(spi_datum(0, 2, &isnull));
	step->columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(0, 3, &isnull)));
	if (step->source_id != pass.source_id)
		pass.block = 0;
	return true;
}

static void
measure(Step *step)
{
	Datum		value = ObjectIdGetDatum(step->relation);
	int64		n_leaves;

	statement_execute(&select_size, &value, NULL, false, 1);
	step->n_blocks = (BlockNumber) spi_int64(0, 1, 0);
	n_leaves = spi_int64(0, 2, 1);
	step->window = (BlockNumber) Max(STEP_BLOCKS / Max(n_leaves, 1), 16);
	step->whole = step->n_blocks <= step->window || (!source_has_failed(step->source_id) && has_user_index(step));
}

static void
step_body(void *arg)
{
	Step	   *step = arg;
	Oid			owner;

	if (!find_source(step))
		return;
	if (!source_is_wanted(step->source_id))
	{
		step->whole = true;
		return;
	}
	step->busy = read_guard_shunned_until(step->source_id) > worker->now;
	if (step->busy)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("attached table %u is not read for a while", step->relation)));
	switch (read_guard_lock(step->relation, &owner))
	{
		case TABLE_GONE:
			step->whole = true;
			return;
		case TABLE_BUSY:
			step->busy = true;
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("attached table %u is locked", step->relation)));
			break;
		case TABLE_LOCKED:
			break;
	}
	measure(step);
	step->enqueue[false] = enqueue_begin("auto", 0, 0);
	step->enqueue[true] = enqueue_begin("manual", 1, 0);
	read_rows(step, owner);
	enqueue_write(step->enqueue[false]);
	enqueue_write(step->enqueue[true]);
}

/* The others go on; whoever reads the log is told which table it was. */
static void
note_failure(const Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(context);

	pass.failed = list_append_unique_int(pass.failed, step->source_id);
	pass.busy &= step->busy;
	MemoryContextSwitchTo(caller);
	if (!step->busy && !source_has_failed(step->source_id))
		ereport(LOG,
				(errmsg("echosync: leads of attached table %u that were written while connections began to sync cannot be looked for: SQLSTATE %s",
						step->relation, unpack_sql_state(worker->error_code)),
				 errhint("See echosync_doctor(). It is tried again.")));
}

/* Read a piece; on to the next one, to the next source, or the end: false. */
static bool
pass_step(void)
{
	Step		step = {0};
	bool		ok = worker_transaction("echosync: looking for leads that were not captured", step_body, &step);

	read_guard_over();
	if (step.source_id == 0)
	{
		pass.aborted = !ok;
		return false;
	}
	if (!ok)
		note_failure(&step);
	pass.source_id = step.source_id;
	pass.ended = !ok || step.whole || pass.block + step.window >= step.n_blocks;
	pass.block += step.window;
	return true;
}

static void
end_body(void *arg)
{
	forget_gaps(arg);
}

/* What is left of the gap: sources that it was to be looked for in, and that failed. */
static void
keep_open(Gap *gap)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	List	   *left = NIL;
	ListCell   *lc;
	int			shift = Min(gap->n_failures, 6);

	foreach(lc, pass.failed)
	{
		if (gap_wants(gap, lfirst_int(lc)))
			left = lappend_int(left, lfirst_int(lc));
	}
	list_free(gap->failed);
	gap->failed = left;
	gap->not_before = TimestampTzPlusMilliseconds(worker->now, Min(RETRY_MIN_MS << shift, RETRY_MAX_MS));
	if (!pass.busy)
		gap->n_failures++;
	MemoryContextSwitchTo(caller);
}

/* Does a source that has failed concern it? */
static bool
is_open(const Gap *gap)
{
	ListCell   *lc;

	foreach(lc, pass.failed)
	{
		if (gap_wants(gap, lfirst_int(lc)))
			return true;
	}
	return false;
}

/* Once more, all of it, after a while. */
static void
put_off(List *undone)
{
	ListCell   *lc;

	foreach(lc, undone)
		((Gap *) lfirst(lc))->not_before = TimestampTzPlusMilliseconds(worker->now, RETRY_MIN_MS);
}

static void
end_pass(void)
{
	List	   *done = NIL;
	ListCell   *lc;

	foreach(lc, gaps)
	{
		Gap		   *gap = lfirst(lc);

		if (gap->in_pass && is_open(gap))
			keep_open(gap);
		else if (gap->in_pass)
			done = lappend(done, gap);
		gap->in_pass = false;
	}
	pass.begun = false;
	expected = true;			/* there may have been more of them */
	if (pass.aborted || !worker_transaction("echosync: connections that began to sync are done", end_body, done))
		put_off(done);
	else
		drop_gaps(done);
}

static void
wait_for(int64 ms)
{
	due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

/* Wait for transactions to end, the longer the longer they take, or until tables are looked at again. */
static void
wait_for_gaps(void)
{
	TimestampTz poll = TimestampTzPlusMilliseconds(worker->now, wait_ms);
	ListCell   *lc;

	due = 0;
	foreach(lc, gaps)
	{
		TimestampTz next = Max(poll, clock_plausible(((Gap *) lfirst(lc))->not_before, RETRY_MAX_MS));

		due = due == 0 ? next : Min(due, next);
	}
	wait_ms = Min(2 * wait_ms, WAIT_MAX_MS);
}

static void
begin_or_wait(void)
{
	if (gaps == NIL)
		due = 0;
	else if (begin_pass())
	{
		wait_ms = WAIT_MIN_MS;
		wait_for(0);
	}
	else
		wait_for_gaps();
}

static void
look_for_gaps(void)
{
	expected = false;
	if (!load_gaps())
	{
		expected = true;
		look_again_at = TimestampTzPlusMilliseconds(worker->now, RETRY_MIN_MS);
	}
	else if (begin_soon && !pass.begun)
	{
		begin_soon = false;
		wait_ms = WAIT_MIN_MS;
		due = worker->now;
	}
}

/* One step a turn, and none before its time, however often there is something new to load. */
void
gaps_turn(void)
{
	TimestampTz begun_at = GetCurrentTimestamp();

	if (!worker->may_send || worker->leave_by != 0)
		return;
	if (expected && look_again_at <= worker->now)
		look_for_gaps();
	if (due == 0 || due > worker->now)
		return;
	if (!pass.begun)
		begin_or_wait();
	else if (pass_step())
		wait_for(STEP_PAUSE * (GetCurrentTimestamp() - begun_at) / 1000);
	else
	{
		end_pass();
		due = worker->now;
	}
}

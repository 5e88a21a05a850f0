/*
 * count.c
 *		The worker counts what waits, so that nobody else need: each connection
 *		when the worker starts, again after an hour, and when something was
 *		missed.
 *
 * A little in each turn of the loop, so that a queue of a million rows does
 * not keep the other connections waiting: small queues many at a time, in one
 * snapshot; of a large one a piece at a time.  Rows that are queued while a
 * large one is counted have higher ids and are left to their notes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/snapmgr.h"

#include "worker/backlog.h"
#include "worker/worker.h"

#define COUNT_BATCH 100			/* small queues in one transaction */
#define COUNT_SMALL 1000		/* rows of each; more is a large one */
#define COUNT_PIECE 20000		/* rows of a large one in one transaction */
#define COUNT_LIST_MS (5 * 60 * 1000)
#define COUNT_AGAIN_MS (60 * 60 * 1000)
#define COUNT_TRIES 4			/* of a small queue that changes meanwhile */
#define COUNT_RETRY_MS 20

typedef struct CountKey
{
	pg_uuid_t	id;
	char	   *user_id;
	int			n_counts;
} CountKey;

/* A large queue being counted. */
typedef struct LargeCount
{
	bool		active;
	CountKey   *key;
	int16		priority;
	int64		after;			/* ids up to here are in n */
	int64		last;			/* ids above are left to their notes */
	int64		n;
} LargeCount;

static Statement select_all = {
	.sql = "SELECT i.id, i.user_id FROM @schema@.crm_integrations i",
	.nargs = 0
};

static Statement count_small = {
	.sql = "SELECT k.ord, n.n FROM unnest($1) WITH ORDINALITY AS k(id, ord),"
	" LATERAL (SELECT pg_catalog.count(*) FROM (SELECT FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id = k.id LIMIT $2) rows) n(n)",
	.nargs = 2,
	.argtypes = {UUIDARRAYOID, INT8OID}
};

static Statement select_last = {
	.sql = "SELECT s.last_value FROM @schema@.crm_sync_queue_id_seq s",
	.nargs = 0
};

static Statement count_piece = {
	.sql = "SELECT pg_catalog.count(*), pg_catalog.max(p.id) FROM (SELECT q.id FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id = $1 AND q.priority = $2 AND q.id > $3 AND q.id <= $4"
	" ORDER BY q.id LIMIT $5) p",
	.nargs = 5,
	.argtypes = {UUIDOID, INT2OID, INT8OID, INT8OID, INT8OID}
};

static List *wanted = NIL;		/* of CountKey * */
static List *large_wanted = NIL;	/* of CountKey * */
static List *again = NIL;		/* of CountKey *: wanted, but not before again_at */
static TimestampTz again_at = 0;
static LargeCount large = {0};
static TimestampTz listed_at = 0;
static bool full = false;		/* there is no place for more counters */

static void
count_want(const pg_uuid_t *id, const char *user_id)
{
	MemoryContext caller = MemoryContextSwitchTo(worker->context);
	CountKey   *key = palloc(sizeof(CountKey));

	key->id = *id;
	key->n_counts = 0;
	key->user_id = pstrdup(user_id);
	wanted = lappend(wanted, key);
	MemoryContextSwitchTo(caller);
}

static void
count_forget(CountKey *key)
{
	pfree(key->user_id);
	pfree(key);
}

static void
list_body(void *arg)
{
	TimestampTz since = *(TimestampTz *) arg;

	statement_execute(&select_all, NULL, NULL, true, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		pg_uuid_t  *id = DatumGetUUIDP(spi_datum(i, 1, &isnull));

		if (shared_owner_index(id, worker->n_workers) == worker->index &&
			backlog_needs_count(id, since))
			count_want(id, spi_text(i, 2));
	}
}

/* Each tick: which connections are to be counted? */
void
count_tick(void)
{
	TimestampTz since = TimestampTzPlusMilliseconds(worker->now, -COUNT_AGAIN_MS);

	if (count_waits() || db_schema_name() == NULL ||
		pg_atomic_read_u32(&worker->slot->state) == WORKER_STATE_OTHER_VERSION ||
		(!TimestampDifferenceExceeds(listed_at, worker->now, COUNT_LIST_MS) && !backlog_any_suspect()))
		return;
	if (listed_at == 0)
		since = worker->now;	/* what an earlier worker counted is not relied on */
	full = false;
	if (worker_transaction("echosync: looking for connections to count", list_body, &since))
		listed_at = worker->now;
}

bool
count_waits(void)
{
	return wanted != NIL || large_wanted != NIL || large.active;
}

void
count_shift_times(TimeOffset step)
{
	again_at += step;
	listed_at = 0;
}

TimestampTz
count_next(void)
{
	return again != NIL ? again_at : 0;
}

/* For small_body: the batch, and how many rows each has. */
typedef struct SmallCount
{
	List	   *keys;
	int64		n[COUNT_BATCH];
	bool		undelivered;
} SmallCount;

static void
small_body(void *arg)
{
	SmallCount *small = arg;
	RowSet	   *ids = rowset_make(1, (Oid[]) {UUIDOID});
	Datum		values[2];
	ListCell   *lc;

	foreach(lc, small->keys)
	{
		rowset_row(ids);
		rowset_uuid(ids, ((CountKey *) lfirst(lc))->id.data);
	}
	values[0] = rowset_array(ids, 0);
	values[1] = Int64GetDatum(COUNT_SMALL);
	statement_execute(&count_small, values, NULL, true, 0);	/* in our snapshot */
	small->undelivered = backlog_undelivered(GetActiveSnapshot());
	for (uint64 i = 0; i < SPI_processed; i++)
		small->n[spi_int64(i, 1, 1) - 1] = spi_int64(i, 2, 0);
}

static CountKey *
count_take(List **list)
{
	CountKey   *key = llast(*list);

	*list = list_delete_last(*list);
	return key;
}

/* A connection may have been asked for twice. */
static bool
is_being_counted(const CountKey *key)
{
	return large.active && memcmp(&large.key->id, &key->id, UUID_LEN) == 0;
}

/*
 * Its queue changed while it was counted: count it again when it may be still,
 * and in the end with the next tick.
 */
static void
count_again(CountKey *key)
{
	if (++key->n_counts == COUNT_TRIES)
	{
		backlog_doubt(&key->id);
		count_forget(key);
		return;
	}
	if (again == NIL)
		again_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), COUNT_RETRY_MS);
	worker_list_append(&again, key);
}

/* The counters begin before the statement's snapshot is taken. */
static void
count_small_ones(void)
{
	MemoryContext caller = MemoryContextSwitchTo(worker->context);
	SmallCount	small = {.keys = NIL};
	int			i = 0;
	bool		ok;
	ListCell   *lc;

	while (wanted != NIL && list_length(small.keys) < COUNT_BATCH)
	{
		CountKey   *key = count_take(&wanted);

		if (is_being_counted(key) || full || (full = !backlog_begin(&key->id)))
			count_forget(key);
		else
			small.keys = lappend(small.keys, key);
	}
	MemoryContextSwitchTo(caller);
	if (small.keys == NIL)
		return;
	ok = worker_transaction("echosync: counting queued leads", small_body, &small);
	foreach(lc, small.keys)
	{
		CountKey   *key = lfirst(lc);

		if (ok && small.n[i] >= COUNT_SMALL)
			worker_list_append(&large_wanted, key);
		else if (!ok || (backlog_end(&key->id, small.n[i]) && !small.undelivered))
			count_forget(key);
		else
			count_again(key);
		i++;
	}
	list_free(small.keys);
}

static void
piece_body(void *arg)
{
	Datum		values[5];
	int64		n;

	if (large.last == 0)
	{
		statement_execute(&select_last, NULL, NULL, false, 0);
		large.last = spi_int64(0, 1, 0);
	}
	values[0] = UUIDPGetDatum(&large.key->id);
	values[1] = Int16GetDatum(large.priority);
	values[2] = Int64GetDatum(large.after);
	values[3] = Int64GetDatum(large.last);
	values[4] = Int64GetDatum(COUNT_PIECE);
	statement_execute(&count_piece, values, NULL, false, 0);
	n = spi_int64(0, 1, 0);
	large.after = spi_int64(0, 2, 0);
	large.n += n;
	if (n < COUNT_PIECE)
	{
		large.after = 0;
		large.priority++;
	}
}

/* The counter of a large queue that was begun with the small ones begins anew. */
static void
count_large_start(void)
{
	CountKey   *key = count_take(&large_wanted);

	if (!backlog_begin(&key->id))
	{
		count_forget(key);
		return;
	}
	memset(&large, 0, sizeof(large));
	large.active = true;
	large.key = key;
}

static void
count_large_piece(void)
{
	bool		ok = worker_transaction("echosync: counting queued leads", piece_body, NULL);

	if (ok && large.priority <= 1)
		return;
	if (ok)
		(void) backlog_end(&large.key->id, large.n);
	count_forget(large.key);
	large.active = false;
}

/* Each turn: count a little. */
void
count_turn(void)
{
	if (wanted == NIL && again_at <= worker->now)
	{
		wanted = again;
		again = NIL;
	}
	if (wanted != NIL)
		count_small_ones();
	else if (large.active)
		count_large_piece();
	else if (large_wanted != NIL)
		count_large_start();
}

/*
 * Before rows are claimed for these connections, and after: those for which
 * there are none have nothing queued, whatever their counters say.
 */
void
count_before_claim(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);
		Backlog		backlog = {0};

		if (connection->missing)
			backlog_forget(&connection->id);
		connection->counted = backlog_read(&connection->id, &backlog);
		connection->counter = backlog.queued;
		if (!connection->counted && !connection->count_asked && listed_at != 0 &&
			!connection->missing && connection->user_id != NULL)
		{
			connection->count_asked = true;
			count_want(&connection->id, connection->user_id);
		}
		else if (connection->counted && connection->budget != NULL &&
				 backlog.limit != budget_told_limit(connection->budget))
			backlog_set_limit(&connection->id, budget_told_limit(connection->budget));
	}
}

void
count_after_claim(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		if (connection->counted && !connection->maybe_work && connection->n_rows == 0 &&
			connection_may_send(connection))
			backlog_was_empty(&connection->id, connection->counter);
	}
}

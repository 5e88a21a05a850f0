/*
 * tally.c
 *		How many leads a connection has brought to the CRM and how many it could
 *		not, and when the last was brought: what echosync_status tells of it.
 *
 * These are for people.  While leads go out one after the other they are
 * written once a second, with results that are committed anyway (less often
 * where there are many connections, so that it is some hundred rows a second);
 * with the last lead in any case, and when the worker ends.  A crash forgets
 * what was not written: the log has it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "worker/worker.h"

/* For each connection that the worker has in memory, within these limits. */
#define TALLY_MS_EACH 10
#define TALLY_MIN_MS 1000
#define TALLY_MAX_MS 10000

/* What the log says of each hour.  The time zone is UTC. */
static Statement upsert_hours = {
	.sql = "INSERT INTO @schema@.crm_sync_hours AS h (integration_id, hour, synced, failed)"
	" SELECT u.id, pg_catalog.date_trunc('hour', pg_catalog.clock_timestamp()), u.synced, u.failed"
	" FROM unnest($1, $2, $3) u(id, synced, failed)"
	" ON CONFLICT (integration_id, hour) DO UPDATE SET"
	" synced = h.synced + excluded.synced, failed = h.failed + excluded.failed",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, INT4ARRAYOID, INT4ARRAYOID}
};

static bool
is_empty(const Connection *connection)
{
	return connection->n_synced == 0 && connection->n_failed == 0;
}

/* Have it written with the next commit if it is time, or else when it is. */
void
tally_due(Connection *connection)
{
	int			every_ms = Min(TALLY_MAX_MS,
							   Max(TALLY_MIN_MS, TALLY_MS_EACH * hash_get_num_entries(worker->connections)));
	TimestampTz when = TimestampTzPlusMilliseconds(connection->tally_written_at, every_ms);
	bool		last = connection->n_active == connection->n_ending &&
		connection->seen_all[0] && connection->seen_all[1];

	if (is_empty(connection))
		return;
	if (last || when <= worker->now)
		connection_mark_dirty(connection);
	else
		connection_wake_at(connection, when);
}

/* An outcome that is about to be committed, or (n = -1) was not after all. */
void
tally_count(Connection *connection, bool synced, int n)
{
	if (synced)
	{
		connection->n_synced += n;
		connection->synced_at = worker->now;
	}
	else
		connection->n_failed += n;
}

void
tally_write(List *connections)
{
	RowSet	   *set = rowset_make(3, (Oid[]) {UUIDOID, INT4OID, INT4OID});
	ListCell   *lc;

	foreach(lc, connections)
	{
		const Connection *connection = lfirst(lc);

		if (is_empty(connection))
			continue;
		rowset_row(set);
		rowset_uuid(set, connection->id.data);
		rowset_int4(set, connection->n_synced);
		rowset_int4(set, connection->n_failed);
	}
	rowset_execute(set, &upsert_hours);
}

static void
mark_counted(Connection *connection)
{
	if (!is_empty(connection))
		connection_mark_dirty(connection);
}

void
tally_write_all(void)
{
	connections_visit(mark_counted);
	tally_write(worker->dirty);
}

/* After the commit. */
void
tally_written(List *connections)
{
	ListCell   *lc;

	foreach(lc, connections)
	{
		Connection *connection = lfirst(lc);

		connection->n_synced = connection->n_failed = 0;
		connection->tally_written_at = worker->now;
	}
}

/*
 * respell.c
 *		Links that have another text of a lead's id than its table has now: put
 *		right when their lead is met.
 *
 * Looked for only where a lead has no link and its table may have written ids in
 * another way (lead_key_may_be_respelled): a look goes through all links of the
 * connection.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "db/lead_columns.h"
#include "db/link_spelling.h"
#include "worker/worker.h"

#define RESPELL_RETRY_MS 1000

static Statement select_source = {
	.sql = "SELECT relation::pg_catalog.oid, mapping FROM @schema@.crm_lead_sources WHERE id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* A link that somebody holds is tried again; one that is there already stays. */
static Statement rename_links = {
	.sql = "UPDATE @schema@.crm_lead_links l SET lead_id = held.lead_id FROM ("
	" SELECT h.ctid AS place, k.lead_id FROM unnest($3, $4) k(lead_id, spelled)"
	" JOIN @schema@.crm_lead_links h ON h.integration_id = $1 AND h.source_id = $2 AND h.lead_id = k.spelled"
	" WHERE NOT EXISTS (SELECT FROM @schema@.crm_lead_links o WHERE o.integration_id = $1"
	" AND o.lead_id = k.lead_id AND o.source_id = $2 AND o.crm_account IS NOT DISTINCT FROM h.crm_account)"
	" FOR UPDATE OF h SKIP LOCKED) held WHERE l.ctid = held.place",
	.nargs = 4,
	.argtypes = {UUIDOID, INT4OID, TEXTARRAYOID, TEXTARRAYOID}
};

/* Leads of one connection and source. */
typedef struct Respelled
{
	Connection *connection;
	int			source_id;
	List	   *jobs;
	List	   *found;			/* of these, whose link has another text */
	RowSet	   *links;			/* lead_id, spelled */
	bool		held;			/* one of the links, by somebody else */
} Respelled;

static void
note_spelled(const char *lead_id, const char *spelled, void *arg)
{
	Respelled  *respelled = arg;
	MemoryContext caller;
	ListCell   *lc;

	rowset_row(respelled->links);
	rowset_text(respelled->links, lead_id);
	rowset_text(respelled->links, spelled);
	caller = MemoryContextSwitchTo(worker->turn);
	foreach(lc, respelled->jobs)
	{
		if (((Job *) lfirst(lc))->lead_id == lead_id)
			respelled->found = list_append_unique_ptr(respelled->found, lfirst(lc));
	}
	MemoryContextSwitchTo(caller);
}

static List *
lead_ids_of(const List *jobs)
{
	List	   *lead_ids = NIL;
	ListCell   *lc;

	foreach(lc, jobs)
		lead_ids = lappend(lead_ids, ((Job *) lfirst(lc))->lead_id);
	return lead_ids;
}

static void
respell_body(void *arg)
{
	Respelled  *respelled = arg;
	Datum		values[4];
	LeadColumns *columns;
	LeadKey		key;
	Oid			relation,
				owner;
	bool		isnull;

	values[0] = Int32GetDatum(respelled->source_id);
	statement_execute(&select_source, values, NULL, false, 1);
	if (SPI_processed == 0)
		return;
	relation = DatumGetObjectId(spi_datum(0, 1, &isnull));
	columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(0, 2, &isnull)));
	if (!lead_table_owner(relation, &owner))
		return;
	lead_key_init(&key, columns, relation, LEAD_FIELD_ID);
	respelled->links = rowset_make(2, (Oid[]) {TEXTOID, TEXTOID});
	links_find_spelled(&respelled->connection->id, respelled->source_id, &key, owner,
					   lead_ids_of(respelled->jobs), note_spelled, respelled);
	if (respelled->links->n_rows == 0)
		return;
	values[0] = UUIDPGetDatum(&respelled->connection->id);
	values[1] = Int32GetDatum(respelled->source_id);
	values[2] = rowset_array(respelled->links, 0);
	values[3] = rowset_array(respelled->links, 1);
	statement_execute(&rename_links, values, NULL, false, 0);
	respelled->held = SPI_processed < respelled->links->n_rows;
}

/* Those whose link is there now begin anew with it. */
static void
respell(Respelled *respelled)
{
	bool		ok = worker_transaction("echosync: looking for links in other spellings", respell_body, respelled);
	ListCell   *lc;

	foreach(lc, respelled->jobs)
		((Job *) lfirst(lc))->respelled = false;
	foreach(lc, ok ? respelled->found : respelled->jobs)
		job_hold(lfirst(lc), TimestampTzPlusMilliseconds(worker->now,
														 ok && !respelled->held ? 0 : RESPELL_RETRY_MS));
}

static bool
is_to_be_looked_for(const Job *job)
{
	return job->state == JOB_STATE_READ && job->respelled && !job->has_link_row;
}

void
leads_respell(List *jobs)
{
	ListCell   *lc;

	foreach(lc, jobs)
	{
		Job		   *first = lfirst(lc);
		Respelled	respelled = {.connection = first->connection, .source_id = first->source_id};
		ListCell   *other;

		if (!is_to_be_looked_for(first))
			continue;
		for_each_cell(other, jobs, lc)
		{
			Job		   *job = lfirst(other);

			if (is_to_be_looked_for(job) && job->connection == first->connection &&
				job->source_id == first->source_id)
				respelled.jobs = lappend(respelled.jobs, job);
		}
		respell(&respelled);
	}
}

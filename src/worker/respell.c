/*
 * respell.c
 *		Links that have another text of a lead's id than its table has now: put
 *		right when their lead is met.
 *
 * Looked for only where a lead has no link and its table may have written ids in
 * another way (lead_key_may_be_respelled).  A look goes through all links of the
 * connection; where these are many, what ids they have is remembered, and the next
 * look is for a lead whose id has another text among them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"

#include "db/lead_columns.h"
#include "db/link.h"
#include "db/link_spelling.h"
#include "worker/worker.h"

#define RESPELL_RETRY_MS 1000
#define REMEMBERED 8			/* connections and sources */
#define REMEMBER_FROM 10000		/* links: fewer are looked through quickly */
#define REMEMBER_TO 500000		/* ... and more are too much memory, 12 bytes or more each */

static Statement select_source = {
	.sql = "SELECT relation::pg_catalog.oid, mapping FROM @schema@.crm_lead_sources WHERE id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/*
 * One link for each lead, the one written last if it has several.  One that
 * somebody holds is tried again.
 */
static Statement rename_links = {
	.sql = "UPDATE @schema@.crm_lead_links u SET lead_id = held.lead_id FROM ("
	" SELECT h.ctid AS place, newest.lead_id FROM ("
	" SELECT DISTINCT ON (k.lead_id) k.lead_id, l.ctid AS place FROM unnest($3, $4) k(lead_id, spelled)"
	" JOIN @schema@.crm_lead_links l ON l.integration_id = $1 AND l.source_id = $2 AND l.lead_id = k.spelled"
	" AND " LINK_OF_ACCOUNT("$5")
	" ORDER BY k.lead_id, l.crm_account NULLS LAST, l.synced_at DESC) newest"
	" JOIN @schema@.crm_lead_links h ON h.ctid = newest.place"
	" FOR UPDATE OF h SKIP LOCKED) held WHERE u.ctid = held.place RETURNING u.lead_id",
	.nargs = 5,
	.argtypes = {UUIDOID, INT4OID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID}
};

/* Leads of one connection and source. */
typedef struct Respelled
{
	Connection *connection;
	int			source_id;
	List	   *jobs;
	List	   *found;			/* of these, whose link has another text */
	List	   *renamed;		/* of these, whose link has it no more */
	RowSet	   *links;			/* lead_id, spelled */
} Respelled;

/* Add the jobs of a lead to a list that outlives the transaction. */
static List *
add_jobs_of(List *list, const List *jobs, const char *lead_id)
{
	MemoryContext caller = MemoryContextSwitchTo(worker->turn);
	ListCell   *lc;

	foreach(lc, jobs)
	{
		if (strcmp(((Job *) lfirst(lc))->lead_id, lead_id) == 0)
			list = list_append_unique_ptr(list, lfirst(lc));
	}
	MemoryContextSwitchTo(caller);
	return list;
}

static void
note_spelled(const char *lead_id, const char *spelled, void *arg)
{
	Respelled  *respelled = arg;

	rowset_row(respelled->links);
	rowset_text(respelled->links, lead_id);
	rowset_text(respelled->links, spelled);
	respelled->found = add_jobs_of(respelled->found, respelled->jobs, lead_id);
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
rename_found(Respelled *respelled, const char *account)
{
	Datum		values[5];

	values[0] = UUIDPGetDatum(&respelled->connection->id);
	values[1] = Int32GetDatum(respelled->source_id);
	values[2] = rowset_array(respelled->links, 0);
	values[3] = rowset_array(respelled->links, 1);
	values[4] = account != NULL ? CStringGetTextDatum(account) : (Datum) 0;
	statement_execute(&rename_links, values, account != NULL ? NULL : "    n", false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		respelled->renamed = add_jobs_of(respelled->renamed, respelled->jobs, spi_text(i, 1));
}

/*
 * Ids that links of a connection and source have, or will have: leads that were
 * met since are added.  Only this worker links leads of the connection.
 */
typedef struct Remembered
{
	pg_uuid_t	connection;
	int			source_id;
	uint64		account;		/* hash */
	Oid			type;
	Oid			collation;
	LinkIds    *ids;			/* NULL: a free place */
	uint64		used;			/* by the count of uses */
} Remembered;

static Remembered remembered[REMEMBERED];
static uint64 uses = 0;

static Remembered
remembered_key(const Respelled *respelled, const LeadKey *key, const char *account)
{
	Remembered	wanted = {0};

	wanted.connection = respelled->connection->id;
	wanted.source_id = respelled->source_id;
	if (account != NULL)
		wanted.account = hash_bytes_extended((const unsigned char *) account, strlen(account), 1);
	wanted.type = key->type;
	wanted.collation = key->collation;
	return wanted;
}

static Remembered *
find_remembered(const Remembered *wanted)
{
	for (int i = 0; i < REMEMBERED; i++)
	{
		Remembered *place = &remembered[i];

		if (place->ids != NULL && memcmp(&place->connection, &wanted->connection, sizeof(pg_uuid_t)) == 0 &&
			place->source_id == wanted->source_id && place->account == wanted->account &&
			place->type == wanted->type && place->collation == wanted->collation)
			return place;
	}
	return NULL;
}

static Remembered *
longest_unused(void)
{
	Remembered *place = &remembered[0];

	for (int i = 1; i < REMEMBERED; i++)
	{
		if (remembered[i].used < place->used)
			place = &remembered[i];
	}
	return place;
}

static void
forget(Remembered *place)
{
	LinkIds    *ids = place->ids;

	place->ids = NULL;
	place->used = 0;
	if (ids != NULL)
		link_ids_free(ids);
}

/* Leads in work will be linked, too. */
static List *
ids_in_work(const Respelled *respelled)
{
	List	   *lead_ids = NIL;
	dlist_iter	iter;

	dlist_foreach(iter, &respelled->connection->jobs)
	{
		const Job  *job = dlist_container(Job, node, iter.cur);

		if (job->kind == JOB_LEAD && job->source_id == respelled->source_id)
			lead_ids = lappend(lead_ids, job->lead_id);
	}
	return lead_ids;
}

/* Keep what a look has seen. */
static void
remember(const Remembered *wanted, LinkIds *ids)
{
	Remembered *place = longest_unused();

	forget(place);
	link_ids_keep(ids, worker->context);
	*place = *wanted;
	place->ids = ids;
	place->used = ++uses;
}

static void
look(Respelled *respelled, const LeadKey *key, const SpelledLinks *links)
{
	List	   *lead_ids = lead_ids_of(respelled->jobs);
	Remembered	wanted = remembered_key(respelled, key, links->account);
	Remembered *known = find_remembered(&wanted);
	LinkIds    *ids;

	if (known != NULL)
	{
		known->used = ++uses;
		if (!link_ids_add(known->ids, key, links->owner, lead_ids))
			return;
		forget(known);
	}
	ids = link_ids_make(CurrentMemoryContext);
	respelled->links = rowset_make(2, (Oid[]) {TEXTOID, TEXTOID});
	links_find_spelled(links, key, lead_ids, ids, note_spelled, respelled);
	(void) link_ids_add(ids, key, links->owner, ids_in_work(respelled));
	if (link_ids_count(ids) >= REMEMBER_FROM && link_ids_count(ids) <= REMEMBER_TO)
		remember(&wanted, ids);
	if (respelled->links->n_rows > 0)
		rename_found(respelled, links->account);
}

static void
respell_body(void *arg)
{
	Respelled  *respelled = arg;
	SpelledLinks links = {&respelled->connection->id, link_account(respelled->connection->account),
		respelled->source_id, InvalidOid};
	Datum		value = Int32GetDatum(respelled->source_id);
	LeadColumns *columns;
	LeadKey		key;
	Oid			relation;
	bool		isnull;

	statement_execute(&select_source, &value, NULL, false, 1);
	if (SPI_processed == 0)
		return;
	relation = DatumGetObjectId(spi_datum(0, 1, &isnull));
	columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(0, 2, &isnull)));
	if (!lead_table_owner(relation, &links.owner))
		return;
	lead_key_init(&key, columns, relation, LEAD_FIELD_ID);
	if (!lead_key_is_text(&key))
		look(respelled, &key, &links);
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
		job_hold(lfirst(lc), TimestampTzPlusMilliseconds(worker->now, ok && list_member_ptr(respelled->renamed, lfirst(lc)) ?
														 0 : RESPELL_RETRY_MS));
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

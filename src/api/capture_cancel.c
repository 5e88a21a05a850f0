/*
 * capture_cancel.c
 *		Cancelling what waits for leads that are gone.
 *
 * The worker finds such leads gone by itself.  This spares it the look, and says
 * in the log at once what has become of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/uuid.h"

#include "api/capture_note.h"
#include "api/targets.h"
#include "db/queue_find.h"
#include "db/rowset.h"
#include "db/statement.h"

/*
 * How much of a connection's queue is looked through for leads that are gone:
 * so many of its newest entries, and so many more for each of the leads.  That
 * is about a millisecond for one lead, whatever the backlog, and for many what
 * the rest of the trigger costs.
 */
#define CANCEL_LOOK_AT 10000
#define CANCEL_LOOK_AT_FOR_EACH 50

/*
 * Cancel what waits for leads that are gone.  Rows that somebody else holds
 * (the worker, committing their outcome) are left to the worker, which finds
 * the lead gone by itself; so are rows of a run, whose count it keeps.
 */
static Statement cancel_rows = {
	.sql = "WITH held AS ("
	" SELECT q.integration_id, q.priority, q.id"
	" FROM unnest($1, $2, $3) k(integration_id, priority, id)"
	" JOIN @schema@.crm_sync_queue q USING (integration_id, priority, id)"
	" WHERE q.run_id IS NULL"
	" FOR UPDATE OF q SKIP LOCKED"
	"), cancelled AS ("
	" DELETE FROM @schema@.crm_sync_queue q USING held"
	" WHERE q.integration_id = held.integration_id AND q.priority = held.priority AND q.id = held.id"
	" RETURNING q.integration_id, q.user_id, q.lead_id, q.sync_type, q.queued_at"
	") INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, queued_at)"
	" SELECT DISTINCT ON (c.integration_id, c.lead_id) c.integration_id, c.user_id, i.crm_type,"
	" c.lead_id, c.sync_type, 'none', 'skipped', 'lead_deleted', c.queued_at"
	" FROM cancelled c JOIN @schema@.crm_integrations i ON i.id = c.integration_id",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, INT2ARRAYOID, INT8ARRAYOID}
};

/* Of the same lead and user. */
static uint64
note_hash(const CaptureNote *note)
{
	return hash_combine64(hash_bytes_extended((const unsigned char *) note->lead_id,
											  strlen(note->lead_id), 0),
						  hash_bytes_extended((const unsigned char *) note->user_id,
											  strlen(note->user_id), note->source_id));
}

/*
 * A row that moved between partitions is deleted and inserted: drop "gone"
 * notes of leads that a later note of the set shows to be there.
 */
static void
drop_moved(CaptureNote *set, int n)
{
	HASHCTL		control = {0};
	HTAB	   *alive = NULL;

	for (int i = n - 1; i >= 0; i--)
	{
		uint64		hash = note_hash(&set[i]);

		if (alive == NULL)
		{
			control.keysize = sizeof(uint64);
			control.entrysize = sizeof(uint64);
			control.hcxt = CurrentMemoryContext;
			alive = hash_create("echosync notes alive", n, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		}
		if (!set[i].gone)
			(void) hash_search(alive, &hash, HASH_ENTER, NULL);
		else if (hash_search(alive, &hash, HASH_FIND, NULL) != NULL)
			set[i].lead_id = NULL;
	}
	hash_destroy(alive);
}

/* Rows that are to be cancelled, and whose are being looked for. */
typedef struct Cancelled
{
	pg_uuid_t	integration;
	int			source_id;
	RowSet	   *rows;			/* integration, priority, id */
} Cancelled;

static void
cancel_row(const QueueFound *row, void *arg)
{
	Cancelled  *cancelled = arg;

	if (row->source_id != cancelled->source_id)
		return;
	rowset_row(cancelled->rows);
	rowset_uuid(cancelled->rows, cancelled->integration.data);
	rowset_int2(cancelled->rows, row->priority);
	rowset_int8(cancelled->rows, row->id);
}

/* Find what waits for leads of one user and source, with each connection. */
static void
find_gone(CaptureNote **gone, int n, Cancelled *cancelled)
{
	const TargetList *list = targets_of_user(gone[0]->user_id);
	int			n_targets = list->n;
	pg_uuid_t  *integrations = palloc(sizeof(pg_uuid_t) * (n_targets + 1));
	LeadSet    *leads = lead_set_make();

	/* The list may be gone when tables are opened. */
	for (int t = 0; t < n_targets; t++)
		memcpy(integrations[t].data, list->targets[t].id, UUID_LEN);
	for (int i = 0; i < n; i++)
		lead_set_add(leads, gone[i]->lead_id);
	cancelled->source_id = gone[0]->source_id;
	for (int t = 0; t < n_targets; t++)
	{
		cancelled->integration = integrations[t];
		queue_find_newest(&integrations[t], leads,
						  CANCEL_LOOK_AT + (int64) n * CANCEL_LOOK_AT_FOR_EACH,
						  cancel_row, cancelled);
	}
}

static int
compare_notes(const void *a, const void *b)
{
	const CaptureNote *one = *(CaptureNote *const *) a;
	const CaptureNote *other = *(CaptureNote *const *) b;

	if (one->source_id != other->source_id)
		return one->source_id < other->source_id ? -1 : 1;
	return one->user_id == other->user_id ? 0 : strcmp(one->user_id, other->user_id);
}

/* The notes that a lead is gone, those of one user and source together. */
static int
sort_gone(CaptureNote *set, int n, CaptureNote **gone)
{
	int			n_gone = 0;

	for (int i = 0; i < n; i++)
	{
		if (set[i].gone && set[i].lead_id != NULL)
			gone[n_gone++] = &set[i];
	}
	qsort(gone, n_gone, sizeof(CaptureNote *), compare_notes);
	return n_gone;
}

/*
 * Cancel what waits for leads that are gone, as far as it is found.  The newest
 * first: to the oldest the worker comes soon, and finds their leads gone.
 */
void
capture_cancel(CaptureNote *set, int n)
{
	CaptureNote **gone;
	int			n_gone = 0;
	int			end;
	Cancelled	cancelled;
	SavedUser	saved;

	for (int i = 0; i < n; i++)
		n_gone += set[i].gone;
	if (n_gone == 0)
		return;
	if (n_gone < n)
		drop_moved(set, n);
	gone = palloc(n_gone * sizeof(CaptureNote *));
	n_gone = sort_gone(set, n, gone);
	cancelled.rows = rowset_make(3, (Oid[]) {UUIDOID, INT2OID, INT8OID});
	for (int first = 0; first < n_gone; first = end)
	{
		end = first + 1;
		while (end < n_gone && compare_notes(&gone[first], &gone[end]) == 0)
			end++;
		find_gone(gone + first, end - first, &cancelled);
	}
	if (cancelled.rows->n_rows == 0)
		return;
	SPI_connect();
	db_become_owner(&saved);
	rowset_execute(cancelled.rows, &cancel_rows);
	db_restore_user(&saved);
	SPI_finish();
}

/*
 * enqueue.c
 *		Deciding for which connections a lead is queued, and queueing by the set.
 *
 * A refusal is logged once for each change of the lead.  Refusals of a manual
 * run follow no change: they are logged only if the last word on that lead
 * and connection was not the same refusal.
 *
 * Not here: where leads come from (capture.c, manual_sync.c, webhook.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "api/enqueue.h"
#include "db/queue_insert.h"
#include "worker/shared.h"

static Statement insert_refused = {
	.sql = "INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, queued_at)"
	" SELECT r.integration_id, r.user_id, r.crm_type, r.lead_id, r.sync_type,"
	" 'none', 'skipped', r.reason, pg_catalog.clock_timestamp()"
	" FROM unnest($1, $2, $3, $4, $5, $6)"
	" AS r(integration_id, user_id, crm_type, lead_id, sync_type, reason)"
	" WHERE r.sync_type <> 'manual' OR r.reason IS DISTINCT FROM"
	" (SELECT l.reason FROM @schema@.crm_sync_logs l"
	" WHERE l.integration_id = r.integration_id AND l.lead_id = r.lead_id"
	" ORDER BY l.id DESC LIMIT 1)",
	.nargs = 6,
	.argtypes = {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID}
};

static const Oid queue_columns[] = QUEUE_COLUMNS;
static const Oid refused_columns[] = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
TEXTOID};

static bool
lead_id_fits(const char *lead_id)
{
	return strlen(lead_id) <= LEAD_ID_MAX;
}

void
lead_id_require(const char *lead_id)
{
	size_t		len = strlen(lead_id);

	if (lead_id_fits(lead_id))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the id of a lead is %zu bytes long, more than the %d that echosync takes",
					len, LEAD_ID_MAX),
			 errdetail("It begins with \"%.*s\".", pg_mbcliplen(lead_id, len, 40), lead_id),
			 errhint("Give such leads shorter ids, or name another column as id in the mapping of echosync_attach_leads().")));
}

void
enqueue_restart(Enqueue *enqueue)
{
	enqueue->queue = enqueue->refused = NULL;
}

Enqueue *
enqueue_begin(const char *sync_type, int priority, int64 run_id)
{
	Enqueue    *enqueue = palloc0(sizeof(Enqueue));

	enqueue->sync_type = sync_type;
	enqueue->priority = priority;
	enqueue->run_id = run_id;
	return enqueue;
}

static void
make_queue(Enqueue *enqueue)
{
	enqueue->queue = rowset_make(lengthof(queue_columns), queue_columns);
	enqueue->sync_type_text = CStringGetTextDatum(enqueue->sync_type);
	enqueue->last_id = enqueue->last_user_id = (Datum) 0;
}

/* Rows of a connection come together, mostly, and share what they have of it. */
static void
add_target(Enqueue *enqueue, const Target *target)
{
	MemoryContext caller;

	if (enqueue->last_id != (Datum) 0 &&
		memcmp(DatumGetUUIDP(enqueue->last_id)->data, target->id, UUID_LEN) == 0)
		return;
	caller = MemoryContextSwitchTo(enqueue->queue->context);
	enqueue->last_id = UUIDPGetDatum(palloc(sizeof(pg_uuid_t)));
	memcpy(DatumGetUUIDP(enqueue->last_id)->data, target->id, UUID_LEN);
	enqueue->last_user_id = CStringGetTextDatum(target->user_id);
	MemoryContextSwitchTo(caller);
}

LeadRefusal
enqueue_refusal(const Target *target, const LeadFacts *facts)
{
	bool		flags = target->provider != NULL && target->provider->flags_records;

	return lead_refusal(facts, target->settings, flags);
}

LeadRefusal
enqueue_lead(Enqueue *enqueue, const Target *target, const char *lead_id,
			 int source_id, const LeadFacts *facts, Datum snapshot)
{
	LeadRefusal refusal = REFUSAL_NONE;
	RowSet	   *queue;

	if (!lead_id_fits(lead_id))
	{
		refusal = REFUSAL_ID_TOO_LONG;
		lead_id = pnstrdup(lead_id, pg_mbcliplen(lead_id, strlen(lead_id), LEAD_ID_MAX));
	}
	else if (facts != NULL)
		refusal = enqueue_refusal(target, facts);
	if (refusal != REFUSAL_NONE)
	{
		enqueue_refuse(enqueue, target, lead_id, refusal);
		return refusal;
	}
	if (enqueue->queue == NULL)
		make_queue(enqueue);
	queue = enqueue->queue;
	add_target(enqueue, target);
	rowset_row(queue);
	rowset_datum(queue, enqueue->last_id);
	rowset_int2(queue, enqueue->priority);
	rowset_text(queue, lead_id);
	rowset_datum(queue, enqueue->last_user_id);
	rowset_int4(queue, source_id);
	rowset_datum(queue, enqueue->sync_type_text);
	if (enqueue->run_id != 0)
		rowset_int8(queue, enqueue->run_id);
	else
		rowset_null(queue);
	rowset_datum(queue, snapshot);
	enqueue->n_queued++;
	return REFUSAL_NONE;
}

void
enqueue_refuse(Enqueue *enqueue, const Target *target, const char *lead_id,
			   LeadRefusal refusal)
{
	RowSet	   *refused;

	if (enqueue->refused == NULL)
		enqueue->refused = rowset_make(lengthof(refused_columns), refused_columns);
	refused = enqueue->refused;
	rowset_row(refused);
	rowset_uuid(refused, target->id);
	rowset_text(refused, target->user_id);
	rowset_text(refused, target->crm_type);
	rowset_text(refused, lead_id);
	rowset_text(refused, enqueue->sync_type);
	rowset_text(refused, lead_refusal_names[refusal]);
	enqueue->n_refused++;
}

static void
wake_for_queued(const RowSet *queue)
{
	const Datum *ids = queue->values[0];

	for (int i = 0; i < queue->n_rows; i++)
	{
		if (i == 0 || ids[i] != ids[i - 1]) /* the same datum, shared by add_target */
			wake_note_integration(DatumGetUUIDP(ids[i]));
	}
}

void
enqueue_write(Enqueue *enqueue)
{
	SavedUser	saved;

	if (enqueue->queue != NULL)
	{
		queue_insert(enqueue->queue);
		wake_for_queued(enqueue->queue);
	}
	if (enqueue->refused != NULL)
	{
		SPI_connect();
		db_become_owner(&saved);
		rowset_execute(enqueue->refused, &insert_refused);
		db_restore_user(&saved);
		SPI_finish();
	}
	enqueue_restart(enqueue);
}

/*
 * count_queue.c
 *		The trigger of crm_sync_queue that keeps the counters of what waits, and
 *		the function that reads them.
 *
 * One place for all who queue or cancel, the worker included, rollbacks and
 * savepoints included; and for a superuser who deletes rows by hand.  Only
 * rows that queue_insert writes fire no trigger, nor those that queue_delete
 * deletes: those note them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "api/identity.h"
#include "db/statement.h"
#include "worker/backlog.h"

PG_FUNCTION_INFO_V1(echosync_count_queue);
PG_FUNCTION_INFO_V1(echosync_queue_length);

static Statement count_queued = {
	.sql = "SELECT CASE WHEN EXISTS (SELECT FROM @schema@.crm_integrations i WHERE i.id = $1) THEN"
	" (SELECT pg_catalog.count(*) FROM @schema@.crm_sync_queue q WHERE q.integration_id = $1) END",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static void
note_row(const TriggerData *trigger, int n)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(desc, "integration_id");
	bool		isnull;
	Datum		id;

	if (column <= 0)
		return;
	id = heap_getattr(trigger->tg_trigtuple, column, desc, &isnull);
	if (!isnull)
		backlog_note(DatumGetUUIDP(id), n);
}

Datum
echosync_count_queue(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("echosync_count_queue() is a trigger function")));
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		backlog_note_truncate();
	else if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		note_row(trigger, 1);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		note_row(trigger, -1);
	return PointerGetDatum(NULL);
}

/*
 * There is no counter yet, or no place for one.  -1: nor is there a connection,
 * of which who sees all is told nothing else.
 */
static int64
count_rows(Datum id)
{
	SavedUser	saved;
	int64		n;

	SPI_connect();
	db_use_extension();
	db_become_owner(&saved);
	statement_execute(&count_queued, &id, NULL, true, 1);
	n = spi_int64(0, 1, -1);
	db_restore_user(&saved);
	SPI_finish();
	return n;
}

/*
 * Null for who may not see the connection: another's id and no id are answered
 * alike.
 */
Datum
echosync_queue_length(PG_FUNCTION_ARGS)
{
	Backlog		backlog;
	int64		n;

	if (!identity_may_see_connection(PG_GETARG_UUID_P(0), "monitor"))
		PG_RETURN_NULL();
	if (!backlog_read(PG_GETARG_UUID_P(0), &backlog))
		n = count_rows(PG_GETARG_DATUM(0));
	else
		n = Max(backlog.queued, 0);
	if (n < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(n);
}

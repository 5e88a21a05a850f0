/*
 * monitor.c
 *		What can be seen and done by hand: the workers, settings, sealing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "api/hidden.h"
#include "config/seal.h"
#include "db/integration.h"
#include "db/statement.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_worker_list);
PG_FUNCTION_INFO_V1(echosync_settings_merge);
PG_FUNCTION_INFO_V1(echosync_encrypt);
PG_FUNCTION_INFO_V1(echosync_decrypt);
PG_FUNCTION_INFO_V1(echosync_rotate_credentials);

#define WORKER_COLUMNS 11

static Statement select_credentials = {
	.sql = "SELECT c.integration_id, c.sealed, i.user_id FROM @schema@.crm_credentials c"
	" JOIN @schema@.crm_integrations i ON i.id = c.integration_id"
	" ORDER BY c.integration_id FOR UPDATE OF c",
	.nargs = 0
};

/* Not updated_at, which says when a token was last refreshed. */
static Statement update_credential = {
	.sql = "UPDATE @schema@.crm_credentials SET sealed = $2 WHERE integration_id = $1",
	.nargs = 2,
	.argtypes = {UUIDOID, TEXTOID}
};

/* The worker may be writing one: it waits for nobody for long, and tries again. */
static Statement select_intents = {
	.sql = "SELECT a.integration_id, a.intent_lead, i.user_id, a.lead_id, a.source_id"
	" FROM @schema@.crm_sync_attempts a JOIN @schema@.crm_integrations i ON i.id = a.integration_id"
	" WHERE a.intent_lead IS NOT NULL"
	" ORDER BY a.integration_id, a.lead_id, a.source_id FOR UPDATE OF a",
	.nargs = 0
};

static Statement update_intent = {
	.sql = "UPDATE @schema@.crm_sync_attempts SET intent_lead = $2"
	" WHERE integration_id = $1 AND lead_id = $3 AND source_id = $4",
	.nargs = 4,
	.argtypes = {UUIDOID, TEXTOID, TEXTOID, INT4OID}
};

static void
put_worker(ReturnSetInfo *result, const WorkerSlot *slot, const char *last_error)
{
	Datum		values[WORKER_COLUMNS] = {0};
	bool		nulls[WORKER_COLUMNS] = {0};
	NameData	name;
	char	   *database = get_database_name(slot->database);

	namestrcpy(&name, database ? database : "");
	values[0] = NameGetDatum(&name);
	nulls[0] = database == NULL;
	values[1] = Int32GetDatum(slot->pid);
	values[2] = CStringGetTextDatum(worker_states[pg_atomic_read_u32((pg_atomic_uint32 *) &slot->state)].name);
	values[3] = Int32GetDatum(pg_atomic_read_u32((pg_atomic_uint32 *) &slot->in_flight));
	values[4] = Int64GetDatum(pg_atomic_read_u64((pg_atomic_uint64 *) &slot->requests));
	values[5] = Int64GetDatum(pg_atomic_read_u64((pg_atomic_uint64 *) &slot->synced));
	values[6] = Int64GetDatum(pg_atomic_read_u64((pg_atomic_uint64 *) &slot->failed));
	values[7] = Int64GetDatum(pg_atomic_read_u64((pg_atomic_uint64 *) &slot->retries));
	values[8] = Int64GetDatum(pg_atomic_read_u64((pg_atomic_uint64 *) &slot->rate_limited));
	values[9] = TimestampTzGetDatum(slot->started_at);
	values[10] = CStringGetTextDatum(last_error);
	nulls[10] = last_error[0] == '\0';
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
echosync_worker_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (shared_state == NULL)
		return (Datum) 0;
	for (int i = 0; i < SHARED_MAX_WORKERS; i++)
	{
		WorkerSlot	copy;
		WorkerSlot *slot = &shared_state->slots[i];

		LWLockAcquire(shared_state->lock, LW_SHARED);
		SpinLockAcquire(&slot->mutex);
		memcpy(&copy, slot, sizeof(WorkerSlot));
		SpinLockRelease(&slot->mutex);
		LWLockRelease(shared_state->lock);
		if (copy.pid != 0 && copy.latch != NULL)
			put_worker(result, &copy, copy.last_error);
	}
	return (Datum) 0;
}

Datum
echosync_settings_merge(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("settings must not be null")));
	PG_RETURN_JSONB_P(integration_settings_merge(PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0),
												 PG_GETARG_JSONB_P(1),
												 text_to_cstring(PG_GETARG_TEXT_PP(2))));
}

static void
require_superuser(const char *function)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only superusers may call %s", function), errhidestmt(true)));
}

static Datum
encrypt_hidden(FunctionCallInfo fcinfo)
{
	require_superuser("echosync_encrypt()");
	PG_RETURN_TEXT_P(cstring_to_text(seal_text(text_to_cstring(PG_GETARG_TEXT_PP(0)), "")));
}

Datum
echosync_encrypt(PG_FUNCTION_ARGS)
{
	return call_hidden(encrypt_hidden, fcinfo);
}

static Datum
decrypt_hidden(FunctionCallInfo fcinfo)
{
	const char *reason;
	char	   *plain;

	require_superuser("echosync_decrypt()");
	plain = seal_open(text_to_cstring(PG_GETARG_TEXT_PP(0)), "", &reason);
	if (plain == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("could not open the sealed value"),
				 errdetail_internal("%s.", reason), errhidestmt(true)));
	PG_RETURN_TEXT_P(cstring_to_text(plain));
}

Datum
echosync_decrypt(PG_FUNCTION_ARGS)
{
	return call_hidden(decrypt_hidden, fcinfo);
}

/*
 * Seal anew what is in these rows: the integration, the sealed text, the
 * integration's user, and what else the update is given.  Returns how many were
 * not sealed with the key in force; one that no key opens is left as it is.
 */
static int64
rotate(Statement *select, Statement *update, const char *what)
{
	SPITupleTable *rows;
	uint64		n;
	int64		rotated = 0;

	statement_execute(select, NULL, NULL, false, 0);
	rows = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
	{
		char	   *id = SPI_getvalue(rows->vals[i], rows->tupdesc, 1);
		char	   *sealed = SPI_getvalue(rows->vals[i], rows->tupdesc, 2);
		char	   *context = integration_seal_context(id, SPI_getvalue(rows->vals[i], rows->tupdesc, 3));
		const char *reason;
		char	   *plain;
		Datum		values[4];
		bool		isnull;

		if (seal_is_current(sealed))
			continue;
		plain = seal_open(sealed, context, &reason);
		if (plain == NULL)
		{
			ereport(WARNING,
					(errmsg("the %s of integration %s was left as it is: %s", what, id, reason)));
			continue;
		}
		values[0] = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull);
		values[1] = CStringGetTextDatum(seal_text(plain, context));
		seal_wipe(plain);
		for (int column = 4; column <= rows->tupdesc->natts; column++)
			values[column - 2] = SPI_getbinval(rows->vals[i], rows->tupdesc, column, &isnull);
		statement_execute(update, values, NULL, false, 0);
		rotated++;
	}
	return rotated;
}

Datum
echosync_rotate_credentials(PG_FUNCTION_ARGS)
{
	int64		rotated;

	require_superuser("echosync_rotate_credentials()");
	SPI_connect();
	db_use_extension();
	rotated = rotate(&select_credentials, &update_credential, "credential");
	(void) rotate(&select_intents, &update_intent, "create in doubt");
	SPI_finish();
	PG_RETURN_INT64(rotated);
}

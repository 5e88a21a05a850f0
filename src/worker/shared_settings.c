/*
 * shared_settings.c
 *		Settings of connections, kept once for all that have the same.
 *
 * Most connections keep the defaults, or differ in what their user calls the
 * CRM, which nothing here reads.
 *
 * Not here: what settings mean (crm/integration_settings.c), when a connection
 * takes others (connection.c).
 */
#include "postgres.h"

#include "common/sha2.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "worker/worker.h"

struct SharedSettings
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];	/* hash key: of what the table has */
	IntegrationSettings *parsed;	/* NULL: memory was short */
	int			n_users;
};

static HTAB *settings_table = NULL;

static void
make_table(void)
{
	HASHCTL		control = {0};

	control.keysize = PG_SHA256_DIGEST_LENGTH;
	control.entrysize = sizeof(SharedSettings);
	control.hcxt = worker->context;
	settings_table = hash_create("echosync settings", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Datum
without_name(Jsonb *settings)
{
	if (!JB_ROOT_IS_OBJECT(settings))
		return JsonbPGetDatum(settings);
	return DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(settings),
							   PointerGetDatum(cstring_to_text("crm_name")));
}

SharedSettings *
shared_settings_take(Jsonb *settings)
{
	bytea	   *digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, without_name(settings)));
	IntegrationSettings *parsed;
	SharedSettings *shared;
	MemoryContext caller;
	bool		found;

	if (settings_table == NULL)
		make_table();
	shared = hash_search(settings_table, VARDATA_ANY(digest), HASH_ENTER, &found);
	if (!found)
	{
		shared->parsed = NULL;
		shared->n_users = 0;
	}
	if (shared->parsed == NULL)
	{
		parsed = integration_settings_parse(settings);
		caller = MemoryContextSwitchTo(worker->context);
		shared->parsed = integration_settings_copy(parsed);
		MemoryContextSwitchTo(caller);
	}
	shared->n_users++;
	return shared;
}

const IntegrationSettings *
shared_settings_parsed(const SharedSettings *shared)
{
	return shared->parsed;
}

void
shared_settings_release(SharedSettings *shared)
{
	if (shared == NULL || --shared->n_users > 0)
		return;
	integration_settings_free(shared->parsed);
	hash_search(settings_table, shared->digest, HASH_REMOVE, NULL);
}

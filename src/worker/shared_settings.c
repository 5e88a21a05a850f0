/*
 * shared_settings.c
 *		Settings of connections, parsed once for all that have the same.
 *
 * Most connections keep the defaults, or differ in what their user calls the
 * CRM, which nothing here reads.
 *
 * Not here: what settings mean (crm/integration_settings.c), when a connection
 * takes others (connection.c).
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "worker/worker.h"

struct SharedSettings
{
	Jsonb	   *stored;			/* hash key, by what it points to */
	IntegrationSettings *parsed;
	MemoryContext context;		/* of both */
	int			n_users;
};

static HTAB *settings_table = NULL;

static uint32
stored_hash(const void *key, Size keysize)
{
	const Jsonb *stored = *(Jsonb *const *) key;

	return DatumGetUInt32(hash_any((const unsigned char *) VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored)));
}

static int
stored_compare(const void *a, const void *b, Size keysize)
{
	const Jsonb *one = *(Jsonb *const *) a;
	const Jsonb *other = *(Jsonb *const *) b;

	return VARSIZE_ANY_EXHDR(one) == VARSIZE_ANY_EXHDR(other) ?
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) : 1;
}

static void
make_table(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Jsonb *);
	control.entrysize = sizeof(SharedSettings);
	control.hash = stored_hash;
	control.match = stored_compare;
	control.hcxt = worker->context;
	settings_table = hash_create("echosync settings", 64, &control,
								 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

static Jsonb *
without_name(Jsonb *settings)
{
	if (!JB_ROOT_IS_OBJECT(settings))
		return settings;
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(settings),
											  PointerGetDatum(cstring_to_text("crm_name"))));
}

SharedSettings *
shared_settings_take(Jsonb *settings)
{
	Jsonb	   *stored = without_name(settings);
	SharedSettings *shared;
	SharedSettings made;
	MemoryContext caller;

	if (settings_table == NULL)
		make_table();
	shared = hash_search(settings_table, &stored, HASH_FIND, NULL);
	if (shared == NULL)
	{
		made.context = AllocSetContextCreate(CurrentMemoryContext, "echosync settings",
											 ALLOCSET_SMALL_SIZES);
		caller = MemoryContextSwitchTo(made.context);
		made.stored = DatumGetJsonbPCopy(JsonbPGetDatum(stored));
		made.parsed = integration_settings_parse(made.stored);
		made.n_users = 0;
		MemoryContextSwitchTo(caller);
		shared = hash_search(settings_table, &made.stored, HASH_ENTER, NULL);
		*shared = made;
		MemoryContextSetParent(made.context, worker->context);
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
	MemoryContext context;

	if (shared == NULL || --shared->n_users > 0)
		return;
	context = shared->context;
	hash_search(settings_table, &shared->stored, HASH_REMOVE, NULL);
	MemoryContextDelete(context);
}

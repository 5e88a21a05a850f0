/*
 * targets.c
 *		The connections of a user: a cache of the backend, so that the trigger
 *		costs no query.
 *
 * A statement trigger on crm_integrations, on whatever changes the set or the
 * settings of connections, invalidates the table's relcache entry in all
 * backends when the change commits; that drops the cache.  It is filled with
 * the latest snapshot, not the transaction's: what a REPEATABLE READ
 * transaction saw must not outlive it.
 *
 * The cache is bounded: when it has grown to CACHE_MAX_USERS users it starts
 * afresh.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "api/targets.h"
#include "db/statement.h"
#include "worker/mailbox.h"

PG_FUNCTION_INFO_V1(echosync_targets_changed);

#define CACHE_MAX_USERS 4096

typedef struct CachedUser
{
	char		user_id[MAIL_NAME_SIZE];	/* hash key */
	TargetList	list;
} CachedUser;

static HTAB *cache = NULL;
static MemoryContext cache_context = NULL;
static bool cache_valid = false;
static CachedUser *last_user = NULL;	/* asked for last; NULL: none */
static Oid	cache_schema = InvalidOid;
static Oid	cache_relation = InvalidOid;

static Statement select_targets = {
	.sql = "SELECT i.id, i.user_id, i.crm_type, i.settings"
	" FROM @schema@.crm_integrations i WHERE i.user_id = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static void
cache_invalidate(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == cache_relation)
		cache_valid = false;
}

static void
cache_start(void)
{
	static bool registered = false;
	HASHCTL		control = {0};

	if (!registered)
		CacheRegisterRelcacheCallback(cache_invalidate, (Datum) 0);
	registered = true;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(CacheMemoryContext, "echosync targets",
											  ALLOCSET_DEFAULT_SIZES);
	last_user = NULL;
	MemoryContextReset(cache_context);
	control.keysize = MAIL_NAME_SIZE;
	control.entrysize = sizeof(CachedUser);
	control.hcxt = cache_context;
	cache = hash_create("echosync targets", 64, &control,
						HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	cache_schema = db_schema_oid();
	cache_relation = get_relname_relid("crm_integrations", cache_schema);
	cache_valid = true;
}

void
target_from_row(uint64 row, Target *target)
{
	bool		isnull;

	memcpy(target->id, DatumGetUUIDP(spi_datum(row, 1, &isnull))->data, UUID_LEN);
	target->user_id = spi_text(row, 2);
	target->crm_type = spi_text(row, 3);
	target->provider = crm_provider_by_type(target->crm_type);
	target->settings = integration_settings_parse(DatumGetJsonbP(spi_datum(row, 4, &isnull)));
}

static void
load_user(const char *user_id, TargetList *list)
{
	Datum		value = CStringGetTextDatum(user_id);
	MemoryContext spi;
	SavedUser	saved;

	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	db_become_owner(&saved);
	statement_execute(&select_targets, &value, NULL, true, 0);
	db_restore_user(&saved);
	spi = MemoryContextSwitchTo(cache_context);
	list->targets = palloc0(sizeof(Target) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		target_from_row(i, &list->targets[list->n]);
		list->auto_sync |= list->targets[list->n++].settings->auto_sync;
	}
	MemoryContextSwitchTo(spi);
	SPI_finish();
	PopActiveSnapshot();
}

const TargetList *
targets_of_user(const char *user_id)
{
	static const TargetList nobody = {0, false, NULL};
	TargetList	list = {0, false, NULL};
	CachedUser *entry;

	/* Rows of one user come together, mostly. */
	if (last_user != NULL && cache_valid && cache_schema == db_schema_oid() &&
		strcmp(last_user->user_id, user_id) == 0)
		return &last_user->list;

	/* Longer ids than connect accepts have no connection. */
	if (strlen(user_id) >= MAIL_NAME_SIZE)
		return &nobody;
	if (!cache_valid || cache_schema != db_schema_oid() ||
		hash_get_num_entries(cache) >= CACHE_MAX_USERS)
		cache_start();
	entry = hash_search(cache, user_id, HASH_FIND, NULL);
	if (entry != NULL)
	{
		last_user = entry;
		return &entry->list;
	}

	/*
	 * Loading may accept an invalidation; then what was loaded may be old
	 * already.  It goes into the cache all the same, which the next call drops.
	 */
	load_user(user_id, &list);
	entry = hash_search(cache, user_id, HASH_ENTER, NULL);
	entry->list = list;
	last_user = entry;
	return &entry->list;
}

/* Trigger on crm_integrations: tell every backend, when this commits. */
Datum
echosync_targets_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("echosync_targets_changed() is called as a trigger only")));
	CacheInvalidateRelcache(trigdata->tg_relation);
	PG_RETURN_POINTER(NULL);
}

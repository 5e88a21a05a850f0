/*
 * targets.c
 *		The connections of a user: a cache of the backend, so that the trigger
 *		costs no query.
 *
 * A statement trigger on crm_integrations, on whatever changes the set or the
 * settings of connections, and on crm_sync_gaps, invalidates the table's relcache
 * entry in all backends when the change commits; that drops the cache.  It is filled with
 * the latest snapshot, not the transaction's: what a REPEATABLE READ
 * transaction saw must not outlive it.
 *
 * The cache is bounded: when it has grown to CACHE_MAX_USERS users it starts
 * afresh.  Each backend that writes leads has one, so it holds no more of a
 * connection than what decides whether a lead is queued.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "api/targets.h"
#include "db/statement.h"
#include "worker/mailbox.h"

PG_FUNCTION_INFO_V1(echosync_targets_changed);

#define CACHE_MAX_USERS 1024

typedef struct CachedUser
{
	char	   *user_id;		/* hash key */
	uint32		hash;
	char		status;
	TargetList	list;
} CachedUser;

#define SH_PREFIX cached_users
#define SH_ELEMENT_TYPE CachedUser
#define SH_KEY_TYPE char *
#define SH_KEY user_id
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp((a), (b)) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static cached_users_hash *cache = NULL;
static MemoryContext cache_context = NULL;
static bool cache_valid = false;
static CachedUser *last_user = NULL;	/* asked for last; NULL: none */
static Oid	cache_schema = InvalidOid;
static Oid	cache_relation = InvalidOid;
static Oid	cache_gaps = InvalidOid;	/* of crm_sync_gaps; 1.0.0 has none */
static bool gaps_open = false;

static Statement select_targets = {
	.sql = "SELECT i.id, i.user_id, i.crm_type, i.settings"
	" FROM @schema@.crm_integrations i WHERE i.user_id = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static Statement select_any_gap = {
	.sql = "SELECT FROM @schema@.crm_sync_gaps LIMIT 1",
	.nargs = 0
};

static Statement select_gaps = {
	.sql = "SELECT g.integration_id, g.sync_type, g.first_xid, g.next_xid, g.running_xids, g.end_xid"
	" FROM @schema@.crm_sync_gaps g JOIN @schema@.crm_integrations i ON i.id = g.integration_id WHERE i.user_id = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static void
cache_invalidate(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == cache_relation || relid == cache_gaps)
		cache_valid = false;
}

static bool
any_gap(void)
{
	bool		found;

	SPI_connect();
	statement_execute_now(&select_any_gap, NULL, 1);
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

static void
cache_start(void)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterRelcacheCallback(cache_invalidate, (Datum) 0);
	registered = true;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(CacheMemoryContext, "echosync targets",
											  ALLOCSET_SMALL_SIZES);
	last_user = NULL;
	MemoryContextReset(cache_context);
	cache = cached_users_create(cache_context, 32, NULL);
	cache_schema = db_schema_oid();
	cache_relation = get_relname_relid("crm_integrations", cache_schema);
	cache_gaps = get_relname_relid("crm_sync_gaps", cache_schema);
	cache_valid = true;
	gaps_open = OidIsValid(cache_gaps) && any_gap();
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

/* What the rule asks for (lead_refusal), and no names and tags. */
static IntegrationSettings *
copy_rule(const IntegrationSettings *settings)
{
	IntegrationSettings *rule = palloc(sizeof(IntegrationSettings));

	*rule = *settings;
	rule->tags = rule->custom_fields = NIL;
	rule->source = NULL;
	return rule;
}

static const char *
copy_type(const Target *row)
{
	return row->provider != NULL ? row->provider->crm_type : pstrdup(row->crm_type);
}

/* One for each connection and type. */
static void
load_gaps(TargetList *list, Datum user_id)
{
	statement_execute_now(&select_gaps, &user_id, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(cache_context);
		GapSpan    *span = palloc(sizeof(GapSpan));
		bool		isnull;
		const uint8 *id = DatumGetUUIDP(spi_datum(i, 1, &isnull))->data;

		gap_span_from_row(span, i, 2);
		for (int t = 0; t < list->n; t++)
		{
			if (memcmp(list->targets[t].id, id, UUID_LEN) == 0)
				list->targets[t].gaps[span->manual] = span;
		}
		list->has_gaps = true;
		MemoryContextSwitchTo(spi);
	}
}

/* The entry's memory is the cache's; what rows and parsing leave is SPI's. */
static void
load_user(CachedUser *user)
{
	Datum		value = CStringGetTextDatum(user->user_id);
	TargetList	list = {0};

	SPI_connect();
	statement_execute_now(&select_targets, &value, 0);
	if (SPI_processed > 0)
		list.targets = MemoryContextAlloc(cache_context, sizeof(Target) * SPI_processed);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Target		row = {0};
		MemoryContext spi;

		target_from_row(i, &row);
		spi = MemoryContextSwitchTo(cache_context);
		row.user_id = user->user_id;
		row.crm_type = copy_type(&row);
		row.settings = copy_rule(row.settings);
		MemoryContextSwitchTo(spi);
		list.targets[list.n++] = row;
		list.auto_sync |= row.settings->auto_sync;
	}
	if (gaps_open && list.n > 0)
		load_gaps(&list, value);
	SPI_finish();
	user->list = list;
}

static bool
cache_is_current(void)
{
	return cache_valid && cache_schema == db_schema_oid();
}

bool
targets_have_gaps(void)
{
	if (!cache_is_current())
		cache_start();
	return gaps_open;
}

bool
target_missed(const Target *target, bool manual, TransactionId xmin)
{
	const GapSpan *span = target->gaps[manual];

	return span != NULL && (manual || target->settings->auto_sync) &&
		gap_has(span, xmin, ReadNextFullTransactionId());
}

const TargetList *
targets_of_user(const char *user_id)
{
	static const TargetList nobody = {0};
	CachedUser	loaded = {0};
	CachedUser *entry;
	bool		found;

	/* Rows of one user come together, mostly. */
	if (last_user != NULL && cache_is_current() &&
		strcmp(last_user->user_id, user_id) == 0)
		return &last_user->list;

	/* Longer ids than connect accepts have no connection. */
	if (strlen(user_id) >= MAIL_NAME_SIZE)
		return &nobody;
	if (!cache_is_current() || cache->members >= CACHE_MAX_USERS)
		cache_start();
	entry = cached_users_lookup(cache, unconstify(char *, user_id));
	if (entry != NULL)
	{
		last_user = entry;
		return &entry->list;
	}

	/*
	 * Loading may accept an invalidation; then what was loaded may be old
	 * already.  It goes into the cache all the same, which the next call drops.
	 */
	loaded.user_id = MemoryContextStrdup(cache_context, user_id);
	load_user(&loaded);
	last_user = NULL;			/* entries move when one is added */
	entry = cached_users_insert(cache, loaded.user_id, &found);
	entry->list = loaded.list;
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

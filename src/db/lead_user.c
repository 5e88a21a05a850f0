/*
 * lead_user.c
 *		Whose lead is a row: which connected user's.
 *
 * A user's id is a text to echosync and a value of some type in the table.  One
 * value may be written in more than one way: a session that says who it acts for
 * writes a uuid in capitals, citext has no case at all.  Users whose texts
 * differ from what a column's type writes are few or none, and are kept by type
 * in each process until the set of connections changes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "db/lead_user.h"
#include "db/statement.h"

/* A type and a collation, and the users who are not found by their texts alone. */
typedef struct Spelling
{
	Oid			type;			/* hash key, with the next */
	Oid			collation;
	LeadKeySet *users;			/* of char *; NULL: nobody */
} Spelling;

static HTAB *spellings = NULL;
static MemoryContext spellings_context = NULL;
static bool spellings_valid = false;
static Oid	spellings_schema = InvalidOid;
static Oid	spellings_relation = InvalidOid;

static Statement select_users = {
	.sql = "SELECT DISTINCT i.user_id FROM @schema@.crm_integrations i",
	.nargs = 0
};

static Statement select_user = {
	.sql = "SELECT i.user_id FROM @schema@.crm_integrations i WHERE i.user_id = $1 LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static void
spellings_invalidate(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == spellings_relation)
		spellings_valid = false;
}

static void
spellings_start(void)
{
	static bool registered = false;
	HASHCTL		control = {0};

	if (!registered)
		CacheRegisterRelcacheCallback(spellings_invalidate, (Datum) 0);
	registered = true;
	if (spellings_context == NULL)
		spellings_context = AllocSetContextCreate(CacheMemoryContext, "echosync spellings",
												  ALLOCSET_SMALL_SIZES);
	MemoryContextReset(spellings_context);
	control.keysize = 2 * sizeof(Oid);
	control.entrysize = sizeof(Spelling);
	control.hcxt = spellings_context;
	spellings = hash_create("echosync spellings", 8, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	spellings_schema = db_schema_oid();
	spellings_relation = get_relname_relid("crm_integrations", spellings_schema);
	spellings_valid = true;
}

/*
 * Would a row of this user have just this text?  Then it is found by it, unless
 * a row may have another one for the same value.
 */
static bool
has_its_own_text(const LeadKey *key, const char *user_id)
{
	Datum		value;

	if (!key->one_text || !lead_key_parse(key, user_id, &value))
		return key->one_text;
	return strcmp(lead_key_text(key, value), user_id) == 0;
}

/* The input and output functions of the type run with the rights of the moment. */
static LeadKeySet *
load_users(const LeadKey *key)
{
	MemoryContext caller = CurrentMemoryContext;
	LeadKeySet *users = NULL;

	SPI_connect();
	statement_execute_now(&select_users, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *user_id = spi_text(i, 1);
		MemoryContext spi;

		if (has_its_own_text(key, user_id))
			continue;
		spi = MemoryContextSwitchTo(caller);
		if (users == NULL)
			users = lead_key_set_make(key);
		lead_key_set_add(users, user_id, pstrdup(user_id));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return users;
}

/*
 * Loading may accept an invalidation: what was loaded is used once then, and
 * made anew by the next call.
 */
static LeadKeySet *
users_of_type(const LeadKey *key)
{
	Oid			id[2] = {key->type, key->collation};
	Spelling   *entry;
	LeadKeySet *users;
	MemoryContext caller;

	if (!spellings_valid || spellings_schema != db_schema_oid())
		spellings_start();
	entry = hash_search(spellings, id, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->users;
	caller = MemoryContextSwitchTo(spellings_context);
	users = load_users(key);
	MemoryContextSwitchTo(caller);
	entry = hash_search(spellings, id, HASH_ENTER, NULL);
	entry->users = users;
	return users;
}

const char *
lead_user_spelled(const LeadKey *key, const char *text)
{
	LeadKeySet *users;
	const char *first;
	Datum		value;
	int			next = -1;

	if (lead_key_is_text(key))
		return NULL;
	users = users_of_type(key);
	if (users == NULL || !lead_key_parse(key, text, &value))
		return NULL;
	first = lead_key_set_find(users, value, &next);
	if (first == NULL || lead_key_set_find(users, value, &next) != NULL)
		return NULL;
	return pstrdup(first);
}

const char *
lead_user_of(const LeadKey *key, const char *text)
{
	Datum		value = CStringGetTextDatum(text);
	bool		exact;

	SPI_connect();
	statement_execute_now(&select_user, &value, 0);
	exact = SPI_processed > 0;
	SPI_finish();
	return exact ? text : lead_user_spelled(key, text);
}

const char *
lead_user_meant(const LeadKey *key, const char *text)
{
	Datum		value;

	return lead_key_parse(key, text, &value) ? lead_user_of(key, lead_key_text(key, value)) : NULL;
}

/*
 * link_spelling.c
 *		Links of a lead under another text of its id: its row was written in
 *		another spelling then, its column had another type, or 1.0 wrote the text
 *		in another way.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "db/link.h"
#include "db/link_spelling.h"
#include "db/statement.h"

#define LINKS_AT_ONCE 10000

static Statement select_spellings = {
	.sql = "SELECT DISTINCT ON (l.lead_id) l.lead_id FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = $1 AND l.source_id = $2 AND l.lead_id > $3 AND " LINK_OF_ACCOUNT("$4")
	" ORDER BY l.lead_id LIMIT 10000",
	.nargs = 4,
	.argtypes = {UUIDOID, INT4OID, TEXTOID, TEXTOID}
};

typedef struct LinkId
{
	uint32		value;			/* hash of it: key */
	uint32		text;			/* hash of it */
	bool		several;		/* texts */
	char		status;
} LinkId;

#define SH_PREFIX link_id
#define SH_ELEMENT_TYPE LinkId
#define SH_KEY_TYPE uint32
#define SH_KEY value
#define SH_HASH_KEY(table, key) murmurhash32(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct LinkIds
{
	MemoryContext context;
	link_id_hash *hash;
};

LinkIds *
link_ids_make(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "echosync ids of links", ALLOCSET_SMALL_SIZES);
	LinkIds    *ids = MemoryContextAlloc(context, sizeof(LinkIds));

	ids->context = context;
	ids->hash = link_id_create(context, 256, NULL);
	return ids;
}

void
link_ids_free(LinkIds *ids)
{
	MemoryContextDelete(ids->context);
}

void
link_ids_keep(LinkIds *ids, MemoryContext parent)
{
	MemoryContextSetParent(ids->context, parent);
}

uint32
link_ids_count(const LinkIds *ids)
{
	return ids->hash->members;
}

/* Has the value another text, too? */
static bool
add_id(LinkIds *ids, uint32 value, const char *text)
{
	uint32		text_hash = hash_bytes((const unsigned char *) text, strlen(text));
	bool		found;
	LinkId	   *id = link_id_insert(ids->hash, value, &found);

	if (!found)
	{
		id->text = text_hash;
		id->several = false;
	}
	id->several |= id->text != text_hash;
	return id->several;
}

bool
link_ids_add(LinkIds *ids, const LeadKey *key, Oid owner, List *lead_ids)
{
	LeadKeySet *set;
	bool		several = false;
	SavedUser	saved;
	ListCell   *lc;

	db_become_restricted(owner, &saved);
	set = lead_key_set_make(key);
	foreach(lc, lead_ids)
	{
		Datum		value;

		if (lead_key_parse(key, lfirst(lc), &value))
			several |= add_id(ids, lead_key_set_hash(set, value), lfirst(lc));
	}
	db_restore_user(&saved);
	return several;
}

/* Links being looked through. */
typedef struct Look
{
	const LeadKey *key;
	Oid			owner;
	LeadKeySet *asked;
	LinkIds    *ids;
	MemoryContext caller;
	SpelledLinkFunction found;
	void	   *arg;
} Look;

static void
look_at(const Look *look, Datum value, const char *text)
{
	const char *lead_id;
	int			next = -1;

	if (look->ids != NULL)
		(void) add_id(look->ids, lead_key_set_hash(look->asked, value), text);
	while ((lead_id = lead_key_set_find(look->asked, value, &next)) != NULL)
	{
		MemoryContext batch = MemoryContextSwitchTo(look->caller);

		if (strcmp(lead_id, text) != 0)
			look->found(lead_id, text, look->arg);
		MemoryContextSwitchTo(batch);
	}
}

/* One batch of SPI rows; the last text of it, NULL when there are no more. */
static char *
look_through(const Look *look)
{
	int			n = (int) SPI_processed;
	char	  **texts = palloc(sizeof(char *) * (n + 1));
	Datum	   *values = palloc(sizeof(Datum) * (n + 1));
	bool	   *fits = palloc(n + 1);
	SavedUser	saved;

	for (int i = 0; i < n; i++)
		texts[i] = spi_text(i, 1);
	db_become_restricted(look->owner, &saved);
	lead_keys_parse(look->key, texts, n, values, fits);
	for (int i = 0; i < n; i++)
	{
		if (fits[i])
			look_at(look, values[i], texts[i]);
	}
	db_restore_user(&saved);
	return n == LINKS_AT_ONCE ? texts[n - 1] : NULL;
}

static LeadKeySet *
asked_set(const LeadKey *key, Oid owner, List *lead_ids)
{
	LeadKeySet *asked;
	SavedUser	saved;
	ListCell   *lc;

	db_become_restricted(owner, &saved);
	asked = lead_key_set_make(key);
	foreach(lc, lead_ids)
		lead_key_set_add(asked, lfirst(lc), lfirst(lc));
	db_restore_user(&saved);
	return asked;
}

void
links_find_spelled(const SpelledLinks *links, const LeadKey *key, List *lead_ids,
				   LinkIds *ids, SpelledLinkFunction found, void *arg)
{
	Look		look = {key, links->owner, asked_set(key, links->owner, lead_ids), ids, CurrentMemoryContext, found, arg};
	Datum		values[4] = {UUIDPGetDatum(links->integration), Int32GetDatum(links->source_id)};
	const char *nulls = links->account != NULL ? NULL : "   n";
	MemoryContext batch = AllocSetContextCreate(look.caller, "echosync spelled links", ALLOCSET_DEFAULT_SIZES);
	StringInfoData last;

	if (links->account != NULL)
		values[3] = CStringGetTextDatum(links->account);
	initStringInfo(&last);
	for (;;)
	{
		char	   *end;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(batch);
		values[2] = CStringGetTextDatum(last.data);
		statement_execute(&select_spellings, values, nulls, true, 0);
		end = look_through(&look);
		MemoryContextSwitchTo(look.caller);
		if (end == NULL)
			break;
		resetStringInfo(&last);
		appendStringInfoString(&last, end);
		SPI_freetuptable(SPI_tuptable);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

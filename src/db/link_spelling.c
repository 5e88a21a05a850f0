/*
 * link_spelling.c
 *		Links of a lead under another text of its id: its row was written in
 *		another spelling then, its column had another type, or 1.0 wrote the text
 *		in another way.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
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

/* One batch of SPI rows; the last text of it, NULL when there are no more. */
static char *
look_through(LeadKeySet *asked, const LeadKey *key, Oid owner, MemoryContext caller,
			 SpelledLinkFunction found, void *arg)
{
	int			n = (int) SPI_processed;
	char	  **texts = palloc(sizeof(char *) * (n + 1));
	Datum	   *values = palloc(sizeof(Datum) * (n + 1));
	bool	   *fits = palloc(n + 1);
	SavedUser	saved;

	for (int i = 0; i < n; i++)
		texts[i] = spi_text(i, 1);
	db_become_restricted(owner, &saved);
	lead_keys_parse(key, texts, n, values, fits);
	for (int i = 0; i < n; i++)
	{
		int			next = -1;
		const char *lead_id;

		while (fits[i] && (lead_id = lead_key_set_find(asked, values[i], &next)) != NULL)
		{
			MemoryContext batch = MemoryContextSwitchTo(caller);

			if (strcmp(lead_id, texts[i]) != 0)
				found(lead_id, texts[i], arg);
			MemoryContextSwitchTo(batch);
		}
	}
	db_restore_user(&saved);
	return n == LINKS_AT_ONCE ? texts[n - 1] : NULL;
}

void
links_find_spelled(const SpelledLinks *links, const LeadKey *key, List *lead_ids,
				   SpelledLinkFunction found, void *arg)
{
	LeadKeySet *asked;
	Datum		values[4] = {UUIDPGetDatum(links->integration), Int32GetDatum(links->source_id)};
	const char *nulls = links->account != NULL ? NULL : "   n";
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext batch = AllocSetContextCreate(caller, "echosync spelled links", ALLOCSET_DEFAULT_SIZES);
	StringInfoData last;
	SavedUser	saved;
	ListCell   *lc;

	db_become_restricted(links->owner, &saved);
	asked = lead_key_set_make(key);
	foreach(lc, lead_ids)
		lead_key_set_add(asked, lfirst(lc), lfirst(lc));
	db_restore_user(&saved);
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
		end = look_through(asked, key, links->owner, caller, found, arg);
		MemoryContextSwitchTo(caller);
		if (end == NULL)
			break;
		resetStringInfo(&last);
		appendStringInfoString(&last, end);
		SPI_freetuptable(SPI_tuptable);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

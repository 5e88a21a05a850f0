/*
 * same_leads.c
 *		echosync_same_leads(): which leads of a table are asked for by ids that
 *		may be in another spelling.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "db/lead_sources.h"
#include "db/statement.h"

PG_FUNCTION_INFO_V1(echosync_same_leads);

typedef struct SameLeads
{
	char	  **ids;
	int			n_ids;
	char	  **asked;
	int			n_asked;
	bool	   *is_asked;
} SameLeads;

/* Nulls are none. */
static char **
texts_of(ArrayType *array, int *n)
{
	Datum	   *values;
	bool	   *nulls;
	int			n_values;
	char	  **texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n_values);
	texts = palloc(sizeof(char *) * (n_values + 1));
	*n = 0;
	for (int i = 0; i < n_values; i++)
	{
		if (!nulls[i])
			texts[(*n)++] = TextDatumGetCString(values[i]);
	}
	return texts;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
same_ids_body(const LeadSource *source, void *arg)
{
	SameLeads  *same = arg;

	lead_source_same_ids(source, same->ids, same->n_ids, same->asked, same->n_asked, same->is_asked);
}

/* A table that cannot be asked leaves what is asked for by exactly its text. */
static void
ask_source(SameLeads *same, int source_id)
{
	SavedUser	saved;
	List	   *sources;
	ListCell   *lc;

	db_become_owner(&saved);
	sources = lead_sources_load();
	db_restore_user(&saved);
	foreach(lc, sources)
	{
		if (((LeadSource *) lfirst(lc))->id == source_id)
			(void) lead_source_try(lfirst(lc), same_ids_body, same);
	}
}

Datum
echosync_same_leads(PG_FUNCTION_ARGS)
{
	SameLeads	same;
	MemoryContext caller = CurrentMemoryContext;
	Datum	   *found;
	int			n = 0;

	same.ids = texts_of(PG_GETARG_ARRAYTYPE_P(1), &same.n_ids);
	same.asked = texts_of(PG_GETARG_ARRAYTYPE_P(2), &same.n_asked);
	same.is_asked = palloc0(same.n_ids + 1);
	qsort(same.asked, same.n_asked, sizeof(char *), compare_texts);
	for (int i = 0; i < same.n_ids; i++)
		same.is_asked[i] = bsearch(&same.ids[i], same.asked, same.n_asked, sizeof(char *), compare_texts) != NULL;

	SPI_connect();
	db_use_extension();
	ask_source(&same, PG_GETARG_INT32(0));
	SPI_finish();

	MemoryContextSwitchTo(caller);
	found = palloc(sizeof(Datum) * (same.n_ids + 1));
	for (int i = 0; i < same.n_ids; i++)
	{
		if (same.is_asked[i])
			found[n++] = CStringGetTextDatum(same.ids[i]);
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(found, n, TEXTOID, -1, false, TYPALIGN_INT));
}

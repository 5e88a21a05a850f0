/*
 * lead_sources.c
 *		The application's attached tables, and reading leads from them in a
 *		backend.
 *
 * What reads a table here runs with its owner's rights and no more: columns
 * may be of types, with casts and policies, of anybody's making.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "db/lead_sources.h"
#include "db/statement.h"

static Statement select_sources = {
	.sql = "SELECT id, relation::pg_catalog.oid, mapping FROM @schema@.crm_lead_sources WHERE attached ORDER BY id",
	.nargs = 0
};

List *
lead_sources_load(void)
{
	List	   *sources = NIL;
	bool		isnull;

	statement_execute(&select_sources, NULL, NULL, true, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		LeadSource *source = palloc0(sizeof(LeadSource));

		source->id = DatumGetInt32(spi_datum(i, 1, &isnull));
		source->relation = DatumGetObjectId(spi_datum(i, 2, &isnull));
		source->columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(i, 3, &isnull)));
		if (lead_table_owner(source->relation, &source->owner))
			sources = lappend(sources, source);
	}
	return sources;
}

static Portal
open_cursor(const LeadSource *source, const char *user_id, ArrayType *lead_ids, bool as_text)
{
	StringInfoData sql;
	Oid			types[2] = {TEXTARRAYOID, TEXTARRAYOID};
	Datum		values[2];
	SavedUser	saved;
	Portal		portal;
	int			n = 1;

	db_become_restricted(source->owner, &saved);
	db_set_plain_output();
	initStringInfo(&sql);
	appendStringInfo(&sql, "%s WHERE %s",
					 lead_columns_select(source->columns, source->relation),
					 lead_columns_match(source->columns, source->relation,
										LEAD_FIELD_USER_ID, 1, as_text));
	values[0] = PointerGetDatum(construct_array((Datum[]) {CStringGetTextDatum(user_id)},
												1, TEXTOID, -1, false, TYPALIGN_INT));
	if (lead_ids != NULL)
	{
		appendStringInfo(&sql, " AND %s",
						 lead_columns_match(source->columns, source->relation,
											LEAD_FIELD_ID, 2, as_text));
		values[1] = PointerGetDatum(lead_ids);
		n = 2;
	}
	portal = SPI_cursor_open_with_args(NULL, sql.data, n, types, values, NULL, false,
									   CURSOR_OPT_NO_SCROLL);
	db_restore_user(&saved);
	return portal;
}

/* Run body in a subtransaction; the SQLSTATE that it failed with, 0 if not. */
static int
run_in_subtransaction(const LeadSource *source, LeadSourceBody body, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile int code = 0;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		body(source, arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		code = error->sqlerrcode;
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return code;
}

bool
lead_source_try(const LeadSource *source, LeadSourceBody body, void *arg)
{
	int			code = run_in_subtransaction(source, body, arg);

	if (code != 0)
		ereport(WARNING,
				(errmsg("leads of table %u could not be read and were left out", source->relation),
				 errdetail("SQLSTATE %s.", unpack_sql_state(code))));
	return code == 0;
}

typedef struct Probe
{
	const char *user_id;
	ArrayType  *lead_ids;
} Probe;

static void
probe_body(const LeadSource *source, void *arg)
{
	Probe	   *probe = arg;
	Portal		portal = open_cursor(source, probe->user_id, probe->lead_ids, false);

	lead_source_fetch(source, portal, 1);
	SPI_cursor_close(portal);
}

/* Do the ids fit the types of the table's columns?  (A bigint has no "abc".) */
static bool
ids_fit(const LeadSource *source, const char *user_id, ArrayType *lead_ids)
{
	Probe		probe = {user_id, lead_ids};
	int			code = run_in_subtransaction(source, probe_body, &probe);

	return code == 0 || ERRCODE_TO_CATEGORY(code) != ERRCODE_DATA_EXCEPTION;
}

Portal
lead_source_open(const LeadSource *source, const char *user_id, ArrayType *lead_ids)
{
	return open_cursor(source, user_id, lead_ids, !ids_fit(source, user_id, lead_ids));
}

void
lead_source_fetch(const LeadSource *source, Portal portal, long count)
{
	SavedUser	saved;

	db_become_restricted(source->owner, &saved);
	db_set_plain_output();
	SPI_cursor_fetch(portal, true, count);
	db_restore_user(&saved);
}

/*
 * lead_sources.c
 *		The application's attached tables, and reading leads from them in a
 *		backend.
 *
 * What reads a table here runs with its owner's rights and no more: columns
 * may be of types, with casts and policies, of anybody's making.  Nor does it
 * learn what the session was told: the settings of the application, and the
 * statement's text.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"

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
		if (get_rel_name(source->relation) != NULL)
			sources = lappend(sources, source);
	}
	return sources;
}

/* The table is locked, so that its owner stays the one who is asked for here. */
static void
become_reader(const LeadSource *source, SavedUser *saved)
{
	Oid			owner;

	if (!lead_table_owner(source->relation, &owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("attached table %u no longer exists", source->relation)));
	db_become_restricted(owner, saved);
	db_set_plain_output();
	db_hide_settings();
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

	LockRelationOid(source->relation, AccessShareLock);
	become_reader(source, &saved);
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

/*
 * Did the caller cancel, or its time run out?  Functions of the table's owner
 * can raise the same SQLSTATE.
 */
static bool
error_is_cancellation(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		error->funcname != NULL && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

/* Run body in a subtransaction; the SQLSTATE that it failed with, 0 if not. */
static int
run_in_subtransaction(const LeadSource *source, LeadSourceBody body, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	const char *statement = debug_query_string;
	volatile int code = 0;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	debug_query_string = NULL;
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
		debug_query_string = statement;
		if (error_is_cancellation(error))
			ReThrowError(error);
		code = error->sqlerrcode;
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	debug_query_string = statement;
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

	become_reader(source, &saved);
	SPI_cursor_fetch(portal, true, count);
	db_restore_user(&saved);
}

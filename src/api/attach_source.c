/*
 * attach_source.c
 *		Rows of crm_lead_sources: which one an attached table is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/attach_source.h"
#include "crm/json.h"
#include "db/lead_key.h"
#include "db/statement.h"

static Statement select_sources = {
	.sql = "SELECT s.id, s.mapping, s.retired, s.id_type, s.named FROM @schema@.crm_lead_sources s WHERE s.relation = $1",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

static Statement insert_source = {
	.sql = "INSERT INTO @schema@.crm_lead_sources AS s (relation, mapping, attached_by, id_type, named)"
	" VALUES ($1, $2, $3, $4, $5) RETURNING s.id",
	.nargs = 5,
	.argtypes = {REGCLASSOID, JSONBOID, NAMEOID, TEXTOID, JSONBOID}
};

/* Leads may have been written down with the former type, and with this one from now on. */
static Statement update_source = {
	.sql = "UPDATE @schema@.crm_lead_sources SET mapping = $2, attached = true, retired = false,"
	" attached_by = $3, attached_at = pg_catalog.clock_timestamp(), named = $5, id_type = CASE"
	" WHEN $4 = ANY (pg_catalog.string_to_array(id_type, ', ')) THEN id_type ELSE id_type || ', ' || $4 END"
	" WHERE id = $1",
	.nargs = 5,
	.argtypes = {INT4OID, JSONBOID, NAMEOID, TEXTOID, JSONBOID}
};

/* Its ids were another column's: what waits of it goes by that one. */
static Statement retire_source = {
	.sql = "UPDATE @schema@.crm_lead_sources SET attached = false, retired = true"
	" WHERE relation = $1 AND NOT retired",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

static Statement detach_source = {
	.sql = "UPDATE @schema@.crm_lead_sources SET attached = false WHERE relation = $1 AND attached",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

/*
 * Cancel what is queued.  Rows that the worker holds, and those of a run, whose count
 * it keeps, the worker meets, and finds their table gone.
 */
static Statement cancel_queued = {
	.sql = "WITH held AS ("
	" SELECT q.integration_id, q.priority, q.id FROM @schema@.crm_sync_queue q"
	" JOIN @schema@.crm_lead_sources s ON s.id = q.source_id"
	" WHERE s.relation = $1 AND q.run_id IS NULL FOR UPDATE OF q SKIP LOCKED"
	") DELETE FROM @schema@.crm_sync_queue q USING held"
	" WHERE q.integration_id = held.integration_id AND q.priority = held.priority AND q.id = held.id",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

static const char *
id_column(Jsonb *mapping)
{
	const char *name = lead_columns_from_jsonb(mapping)->names[LEAD_FIELD_ID][0];

	return name != NULL ? name : "";
}

/*
 * How well a source of the table fits the id column.  A retired one is of a column
 * of the same name; the one in use may be of a column that is gone.
 */
typedef enum SourceFit
{
	FIT_NOT,
	FIT_RETIRED,
	FIT_RENAMED,
	FIT_RETIRED_OF_TYPE,
	FIT_RENAMED_OF_TYPE,
	FIT_IN_USE
} SourceFit;

/* Is it the last of the types that ids were written down with? */
static bool
is_last_type(const char *types, const char *type)
{
	const char *last = types != NULL ? strrchr(types, ' ') : NULL;

	return types != NULL && strcmp(last != NULL ? last + 1 : types, type) == 0;
}

static SourceFit
source_fit(Oid relid, const char *column, const char *type, uint64 i)
{
	bool		isnull;
	const char *former = id_column(DatumGetJsonbP(spi_datum(i, 2, &isnull)));
	bool		same_name = strcmp(former, column) == 0;
	bool		same_type = is_last_type(spi_text(i, 4), type);

	if (spi_bool(i, 3))
		return !same_name ? FIT_NOT : same_type ? FIT_RETIRED_OF_TYPE : FIT_RETIRED;
	if (same_name)
		return FIT_IN_USE;
	return get_attnum(relid, former) > 0 ? FIT_NOT : same_type ? FIT_RENAMED_OF_TYPE : FIT_RENAMED;
}

/*
 * Which source of the table is it?  Ids of another column are other ids, unless
 * the column they were of is gone: it has another name, then.  That is so also
 * where it got the name of a column which had been the id before; only the type
 * tells the two apart.  0: a new one.
 */
static int
find_source(Oid relid, const char *column, const char *type)
{
	Datum		value = ObjectIdGetDatum(relid);
	int			best = 0;
	SourceFit	best_fit = FIT_NOT;

	statement_execute(&select_sources, &value, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		SourceFit	fit = source_fit(relid, column, type, i);

		if (fit <= best_fit)
			continue;
		best_fit = fit;
		best = spi_int64(i, 1, 0);
	}
	return best;
}

Jsonb *
attach_source_named(Relation rel)
{
	Datum		value = ObjectIdGetDatum(RelationGetRelid(rel));
	Jsonb	   *named = NULL;
	SavedUser	saved;

	db_become_owner(&saved);
	statement_execute(&select_sources, &value, NULL, true, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		stored;

		if (spi_bool(i, 3))
			continue;
		stored = spi_datum(i, 5, &isnull);
		named = !isnull ? DatumGetJsonbP(stored) :
			lead_columns_guess_named(rel, DatumGetJsonbP(spi_datum(i, 2, &isnull)));
	}
	db_restore_user(&saved);
	return named != NULL ? named : json_parse("{}", 2);
}

int
attach_source_find(Oid relid, const LeadColumns *columns)
{
	SavedUser	saved;
	LeadKey		key;
	int			id;

	lead_key_init(&key, columns, relid, LEAD_FIELD_ID);
	db_become_owner(&saved);
	id = find_source(relid, key.column, lead_key_type_name(&key));
	db_restore_user(&saved);
	return id;
}

int
attach_source_store(int id, Oid relid, const LeadColumns *columns, Jsonb *named)
{
	Datum		values[5] = {ObjectIdGetDatum(relid)};
	NameData	role;
	SavedUser	saved;
	LeadKey		key;

	lead_key_init(&key, columns, relid, LEAD_FIELD_ID);
	namestrcpy(&role, GetUserNameFromId(GetUserId(), false));
	db_become_owner(&saved);
	statement_execute(&retire_source, values, NULL, false, 0);
	values[1] = JsonbPGetDatum(lead_columns_to_jsonb(columns));
	values[2] = NameGetDatum(&role);
	values[3] = CStringGetTextDatum(lead_key_type_name(&key));
	values[4] = JsonbPGetDatum(named);
	if (id != 0)
		values[0] = Int32GetDatum(id);
	statement_execute(id != 0 ? &update_source : &insert_source, values, NULL, false, 0);
	if (id == 0)
		id = spi_int64(0, 1, 0);
	db_restore_user(&saved);
	return id;
}

bool
attach_source_end(Oid relid)
{
	Datum		value = ObjectIdGetDatum(relid);
	SavedUser	saved;
	bool		attached;

	db_become_owner(&saved);
	statement_execute(&detach_source, &value, NULL, false, 0);
	attached = SPI_processed > 0;
	if (attached)
		statement_change_now(&cancel_queued, &value);
	db_restore_user(&saved);
	return attached;
}

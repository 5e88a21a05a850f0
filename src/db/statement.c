/*
 * statement.c
 *		Prepared statements on the extension's own tables, and the rights with
 *		which they run.
 *
 * Plans are kept for the life of the process.  They are dropped when the
 * schema changes (DROP EXTENSION, CREATE EXTENSION in another one, a new name); a table
 * that is dropped and made again under the same name is PostgreSQL's plan
 * cache's business.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "catalog/indexing.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "db/statement.h"
#include "pg_compat.h"

static Oid	schema_oid = InvalidOid;
static char *schema_name = NULL;
static bool schema_name_valid = false;	/* no schema has been renamed since */
static int	schema_generation = 0;

static void
schema_invalidate(Datum arg, int cache, uint32 hash)
{
	schema_name_valid = false;
}

/* One scan of pg_extension, which has no syscache; InvalidOid without one. */
Oid
db_extension_schema(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			schema = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("echosync"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return schema;
}

/* Of a schema that is in use already only the name may be another one. */
void
db_use_schema(Oid schema)
{
	static bool registered = false;
	const char *name;
	char	   *former;

	if (schema == schema_oid && schema_name_valid)
		return;
	if (!registered)
		CacheRegisterSyscacheCallback(NAMESPACEOID, schema_invalidate, (Datum) 0);
	registered = true;
	schema_name_valid = true;	/* before the look-up, which may tell of a change */
	name = get_namespace_name(schema);
	if (name == NULL || (schema != schema_oid && db_extension_schema() != schema))
	{
		schema_name_valid = false;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"echosync\" is not installed in this database")));
	}
	name = quote_identifier(name);
	if (schema == schema_oid && strcmp(name, schema_name) == 0)
		return;
	former = schema_name;
	schema_name = MemoryContextStrdup(TopMemoryContext, name);
	if (former != NULL)
		pfree(former);
	schema_oid = schema;
	schema_generation++;
}

/*
 * Who owns our tables now: who created the extension may have passed them on,
 * and be gone, since this session began.
 */
static Oid
tables_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(get_relname_relid("crm_integrations", schema_oid)));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.crm_integrations\" does not exist", schema_name)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
db_require_sight(void)
{
	Oid			owner = GetUserId();

	if (has_bypassrls_privilege(owner) || owner != tables_owner())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("role \"%s\", which owns echosync, is not a superuser any more",
					GetUserNameFromId(owner, false)),
			 errdetail("Row-level security hides echosync's own rows from it. Changed leads are captured and sent all the same."),
			 errhint("ALTER ROLE %s SUPERUSER, or REASSIGN OWNED BY %s TO a superuser.",
					 quote_identifier(GetUserNameFromId(owner, false)),
					 quote_identifier(GetUserNameFromId(owner, false)))));
}

void
db_use_extension(void)
{
	Oid			schema = db_extension_schema();

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"echosync\" is not installed in this database")));
	db_use_schema(schema);
	db_require_sight();
}

Oid
db_schema_oid(void)
{
	return schema_oid;
}

const char *
db_schema_name(void)
{
	return schema_name;
}

Relation
db_table_open(const char *name, LOCKMODE lock)
{
	Oid			relid = get_relname_relid(name, schema_oid);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", schema_name, name)));
	return table_open(relid, lock);
}

static char *
with_schema(const char *sql)
{
	StringInfoData out;
	const char *mark;

	if (schema_name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"echosync\" was not found in this database")));
	initStringInfo(&out);
	while ((mark = strstr(sql, "@schema@")) != NULL)
	{
		appendBinaryStringInfo(&out, sql, mark - sql);
		appendStringInfoString(&out, schema_name);
		sql = mark + strlen("@schema@");
	}
	appendStringInfoString(&out, sql);
	return out.data;
}

static void
statement_prepare(Statement *statement)
{
	char	   *sql;

	if (statement->plan != NULL)
	{
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}
	sql = with_schema(statement->sql);
	statement->plan = SPI_prepare(sql, statement->nargs, statement->argtypes);
	if (statement->plan == NULL)
		elog(ERROR, "could not prepare an echosync statement: %s",
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(statement->plan) != 0)
		elog(ERROR, "could not keep an echosync statement");
	statement->generation = schema_generation;
	pfree(sql);
}

int
statement_execute(Statement *statement, Datum *values, const char *nulls,
				  bool read_only, long max_rows)
{
	int			result;

	if (statement->plan == NULL || statement->generation != schema_generation)
		statement_prepare(statement);
	result = SPI_execute_plan(statement->plan, values, nulls, read_only, max_rows);
	if (result < 0)
		elog(ERROR, "could not run an echosync statement: %s",
			 SPI_result_code_string(result));
	return result;
}

void
statement_execute_now(Statement *statement, Datum *values, long max_rows)
{
	SavedUser	saved;

	PushActiveSnapshot(GetLatestSnapshot());
	db_become_owner(&saved);
	statement_execute(statement, values, NULL, true, max_rows);
	db_restore_user(&saved);
	PopActiveSnapshot();
}

void
statement_change_now(Statement *statement, Datum *values)
{
	Snapshot	now = RegisterSnapshot(GetLatestSnapshot());
	int			result;

	if (statement->plan == NULL || statement->generation != schema_generation)
		statement_prepare(statement);
	result = SPI_execute_snapshot(statement->plan, values, NULL, now, InvalidSnapshot, false, true, 0);
	UnregisterSnapshot(now);
	if (result < 0)
		elog(ERROR, "could not run an echosync statement: %s",
			 SPI_result_code_string(result));
}

static void
text_statement_prepare(TextStatement *statement, const char *sql, int nargs, Oid *argtypes)
{
	Assert(nargs <= lengthof(statement->argtypes));
	if (statement->sql != NULL)
		pfree(statement->sql);
	statement->sql = NULL;
	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	statement->plan = NULL;
	statement->plan = SPI_prepare(sql, nargs, argtypes);
	if (statement->plan == NULL || SPI_keepplan(statement->plan) != 0)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	statement->sql = MemoryContextStrdup(TopMemoryContext, sql);
	memcpy(statement->argtypes, argtypes, nargs * sizeof(Oid));
}

void
statement_execute_text(TextStatement *statement, const char *sql, int nargs, Oid *argtypes, Datum *values)
{
	int			result;

	if (statement->sql == NULL || strcmp(statement->sql, sql) != 0 ||
		memcmp(statement->argtypes, argtypes, nargs * sizeof(Oid)) != 0)
		text_statement_prepare(statement, sql, nargs, argtypes);
	result = SPI_execute_plan(statement->plan, values, NULL, true, 0);
	if (result < 0)
		elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
}

static void
become(Oid role, int extra, SavedUser *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->sec_context);
	SetUserIdAndSecContext(role, saved->sec_context | SECURITY_LOCAL_USERID_CHANGE | extra);
}

/*
 * Our tables' row-level security is forced on their owner, too.  Who is no
 * superuser any more would see none of the rows: as if nobody had a connection.
 */
void
db_become_owner(SavedUser *saved)
{
	become(tables_owner(), SECURITY_NOFORCE_RLS, saved);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
db_become_restricted(Oid role, SavedUser *saved)
{
	become(role, SECURITY_RESTRICTED_OPERATION, saved);
	/* What the role's functions set must not outlive them: see db_restore_user. */
	saved->guc_level = NewGUCNestLevel();
}

void
db_set_plain_output(void)
{
	static const char *const settings[][2] = {
		{"bytea_output", "hex"},
		{"DateStyle", "ISO, YMD"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"extra_float_digits", "1"}
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

void
db_hide_settings(void)
{
	int			n;
	struct config_generic **settings = compat_settings(&n);

	for (int i = 0; i < n; i++)
	{
		const char *value = settings[i]->flags & GUC_CUSTOM_PLACEHOLDER ?
			compat_string_setting(settings[i]) : NULL;

		if (value != NULL && value[0] != '\0')
			(void) set_config_option(settings[i]->name, "", PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
	}
}

void
db_restore_user(const SavedUser *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->sec_context);
}

Datum
spi_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

char *
spi_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

int64
spi_int64(uint64 row, int column, int64 if_null)
{
	bool		isnull;
	Datum		value = spi_datum(row, column, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

bool
spi_bool(uint64 row, int column)
{
	bool		isnull;
	Datum		value = spi_datum(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

TimestampTz
spi_timestamptz(uint64 row, int column)
{
	bool		isnull;
	Datum		value = spi_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/*
 * attach.c
 *		echosync_attach_leads() and echosync_detach_leads(): our triggers on the
 *		application's table.
 *
 * Both run with the caller's rights, so that PostgreSQL itself decides who may
 * put triggers on a table; only the row in crm_lead_sources is written as the
 * extension's owner.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "db/lead_key.h"
#include "db/statement.h"
#include "pg_compat.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_attach_leads);
PG_FUNCTION_INFO_V1(echosync_detach_leads);

#define ROW_TRIGGER "echosync_capture"
#define STATEMENT_TRIGGER "echosync_capture_end"

static Statement select_sources = {
	.sql = "SELECT s.id, s.mapping, s.retired, s.id_type FROM @schema@.crm_lead_sources s WHERE s.relation = $1",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

static Statement insert_source = {
	.sql = "INSERT INTO @schema@.crm_lead_sources AS s (relation, mapping, attached_by, id_type)"
	" VALUES ($1, $2, $3, $4) RETURNING s.id",
	.nargs = 4,
	.argtypes = {REGCLASSOID, JSONBOID, NAMEOID, TEXTOID}
};

/* Leads may have been written down with the former type, and with this one from now on. */
static Statement update_source = {
	.sql = "UPDATE @schema@.crm_lead_sources SET mapping = $2, attached = true, retired = false,"
	" attached_by = $3, attached_at = pg_catalog.clock_timestamp(), id_type = CASE"
	" WHEN $4 = ANY (pg_catalog.string_to_array(id_type, ', ')) THEN id_type ELSE id_type || ', ' || $4 END"
	" WHERE id = $1",
	.nargs = 4,
	.argtypes = {INT4OID, JSONBOID, NAMEOID, TEXTOID}
};

/* Its ids were another column's: what waits of it goes by that one. */
static Statement retire_source = {
	.sql = "UPDATE @schema@.crm_lead_sources SET attached = false, retired = true"
	" WHERE relation = $1 AND NOT retired",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

/* Detaching cancels what is queued, but for rows that the worker holds. */
static Statement delete_source = {
	.sql = "WITH source AS ("
	" UPDATE @schema@.crm_lead_sources SET attached = false WHERE relation = $1 AND (attached OR retired)"
	" RETURNING id"
	"), held AS ("
	" SELECT q.integration_id, q.priority, q.id FROM @schema@.crm_sync_queue q, source"
	" WHERE q.source_id = source.id FOR UPDATE OF q SKIP LOCKED"
	"), cancelled AS ("
	" DELETE FROM @schema@.crm_sync_queue q USING held"
	" WHERE q.integration_id = held.integration_id AND q.priority = held.priority AND q.id = held.id"
	") SELECT s.id FROM @schema@.crm_lead_sources s JOIN source USING (id) WHERE s.attached",
	.nargs = 1,
	.argtypes = {REGCLASSOID}
};

/* Before any lock is waited for. */
static void
check_owner(Oid relid)
{
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

static void
check_table(Relation rel)
{
	char		kind = rel->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errhint("Attach the table that the leads are inserted into.")));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(rel)),
				 errhint("Attach the partitioned table; its partitions follow.")));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a temporary table", RelationGetRelationName(rel)),
				 errdetail("The worker cannot read another session's temporary table.")));
	if (rel->rd_rel->relrowsecurity && rel->rd_rel->relforcerowsecurity)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("row-level security of \"%s\" is forced on its owner", RelationGetRelationName(rel)),
				 errdetail("The worker reads leads as the table's owner and must see all of them."),
				 errhint("ALTER TABLE ... NO FORCE ROW LEVEL SECURITY.")));
}

static void
run_ddl(const char *sql)
{
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", sql);
}

static void
drop_trigger(Oid relid, const char *name)
{
	if (OidIsValid(get_trigger_oid(relid, name, true)))
		run_ddl(psprintf("DROP TRIGGER %s ON %s", name, lead_table_name(relid)));
}

static void
drop_triggers(Oid relid)
{
	drop_trigger(relid, ROW_TRIGGER);
	drop_trigger(relid, STATEMENT_TRIGGER);
}

static void
create_trigger(const char *name, const char *level, const char *table, int source_id)
{
	run_ddl(psprintf("CREATE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s"
					 " FOR EACH %s EXECUTE FUNCTION %s.echosync_capture('%d')",
					 name, table, level, db_schema_name(), source_id));
	/* Plain DROP EXTENSION takes our triggers along, and leaves the table. */
	run_ddl(psprintf("ALTER TRIGGER %s ON %s DEPENDS ON EXTENSION echosync", name, table));
}

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

/* As the extension's owner. */
static int
store_source(Oid relid, const LeadColumns *columns, Datum mapping, Datum role)
{
	Datum		values[4] = {ObjectIdGetDatum(relid)};
	const char *type;
	LeadKey		key;
	int			id;

	lead_key_init(&key, columns, relid, LEAD_FIELD_ID);
	type = lead_key_type_name(&key);
	id = find_source(relid, key.column, type);
	statement_execute(&retire_source, values, NULL, false, 0);
	values[1] = mapping;
	values[2] = role;
	values[3] = CStringGetTextDatum(type);
	if (id != 0)
	{
		values[0] = Int32GetDatum(id);
		statement_execute(&update_source, values, NULL, false, 0);
		return id;
	}
	statement_execute(&insert_source, values, NULL, false, 0);
	return spi_int64(0, 1, 0);
}

static int
register_source(Oid relid, const LeadColumns *columns)
{
	NameData	role;
	SavedUser	saved;
	int			id;

	namestrcpy(&role, GetUserNameFromId(GetUserId(), false));
	db_become_owner(&saved);
	id = store_source(relid, columns, JsonbPGetDatum(lead_columns_to_jsonb(columns)), NameGetDatum(&role));
	db_restore_user(&saved);
	return id;
}

static void
tell_what_is_missing(const LeadColumns *columns, const char *table)
{
	if (columns->n[LEAD_FIELD_RISK_SCORE] == 0)
		ereport(NOTICE,
				(errmsg("no column of %s is recognized as risk_score", table),
				 errdetail("Its leads count as unscored: they are sent only where sync_unscored is set or max_risk_score is null.")));
	if (columns->n[LEAD_FIELD_DO_NOT_CONTACT] == 0)
		ereport(NOTICE,
				(errmsg("no column of %s is recognized as do_not_contact", table),
				 errdetail("No opt-out is looked at.")));
}

Datum
echosync_attach_leads(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Jsonb	   *mapping = PG_GETARG_JSONB_P(1);
	Relation	rel;
	LeadColumns *columns;
	char	   *table;
	int			source_id;

	check_owner(relid);
	rel = relation_open(relid, ShareRowExclusiveLock);
	check_table(rel);
	columns = lead_columns_recognize(rel, mapping);
	lead_key_require(rel, columns, LEAD_FIELD_ID);
	lead_key_require(rel, columns, LEAD_FIELD_USER_ID);
	relation_close(rel, NoLock);
	table = lead_table_name(relid); /* outlives SPI's memory */

	SPI_connect();
	db_use_extension();
	source_id = register_source(relid, columns);
	drop_triggers(relid);
	create_trigger(ROW_TRIGGER, "ROW", table, source_id);
	create_trigger(STATEMENT_TRIGGER, "STATEMENT", table, source_id);
	SPI_finish();

	tell_what_is_missing(columns, table);
	wake_note_everything();
	PG_RETURN_VOID();
}

Datum
echosync_detach_leads(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Relation	rel;
	Datum		value = ObjectIdGetDatum(relid);
	SavedUser	saved;

	check_owner(relid);
	rel = relation_open(relid, ShareRowExclusiveLock);
	check_table(rel);
	relation_close(rel, NoLock);

	SPI_connect();
	db_use_extension();
	drop_triggers(relid);
	db_become_owner(&saved);
	statement_execute(&delete_source, &value, NULL, false, 0);
	db_restore_user(&saved);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s is not attached", lead_table_name(relid))));
	SPI_finish();
	PG_RETURN_VOID();
}

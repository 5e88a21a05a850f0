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
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "api/attach_notice.h"
#include "api/attach_source.h"
#include "db/lead_key.h"
#include "db/statement.h"
#include "pg_compat.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_attach_leads);
PG_FUNCTION_INFO_V1(echosync_detach_leads);

#define ROW_TRIGGER "echosync_capture"
#define STATEMENT_TRIGGER "echosync_capture_end"

/*
 * Is each partition captured for this source, by triggers that fire?  Those that
 * somebody has set to fire ALWAYS stay so.
 */
static Statement triggers_serve = {
	.sql = "SELECT NOT EXISTS (SELECT FROM ("
	" SELECT t.relid, 'echosync_capture' AS name FROM pg_catalog.pg_partition_tree($1) t"
	" UNION VALUES ($1, 'echosync_capture'), ($1, 'echosync_capture_end')) l"
	" WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
	" WHERE g.tgrelid = l.relid AND g.tgname = l.name AND g.tgenabled IN ('O', 'A')"
	" AND p.proname = 'echosync_capture' AND p.pronamespace = $3"
	" AND pg_catalog.encode(g.tgargs, 'escape') = $2::pg_catalog.text || E'\\\\000'))",
	.nargs = 3,
	.argtypes = {REGCLASSOID, INT4OID, OIDOID}
};

static Statement select_is_clone = {
	.sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.oid = $1 AND g.tgparentid <> 0)",
	.nargs = 1,
	.argtypes = {OIDOID}
};

/* Before any lock is waited for. */
static void
check_owner(Oid relid)
{
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

static bool
has_heirs(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION &&
		find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL;
}

/*
 * Triggers are not inherited, and rows of children are read: they would be sent,
 * and no opt-out of them seen.
 */
static void
refuse_inheritance(Relation rel)
{
	if (!has_heirs(rel) && !has_superclass(RelationGetRelid(rel)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 has_heirs(rel) ? errmsg("other tables inherit from \"%s\"", RelationGetRelationName(rel)) :
			 errmsg("\"%s\" inherits from another table", RelationGetRelationName(rel)),
			 errdetail("Changes made through the one would not be captured for the other."),
			 errhint("Make them partitions of one table, or ALTER TABLE ... NO INHERIT and attach each for itself.")));
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
	refuse_inheritance(rel);
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

/* What is to be done to a table. */
typedef struct Attachment
{
	Jsonb	   *named;			/* keys of the mapping, now and before */
	LeadColumns *columns;
	int			source_id;		/* 0: a new one */
	bool		serves;			/* its triggers are as they should be */
} Attachment;

static bool
has_triggers(Oid relid)
{
	return OidIsValid(get_trigger_oid(relid, ROW_TRIGGER, true)) ||
		OidIsValid(get_trigger_oid(relid, STATEMENT_TRIGGER, true));
}

static bool
serves(Oid relid, int source_id)
{
	Datum		values[3] = {ObjectIdGetDatum(relid), Int32GetDatum(source_id), ObjectIdGetDatum(db_schema_oid())};
	SavedUser	saved;

	if (source_id == 0 || !has_triggers(relid))
		return false;
	db_become_owner(&saved);
	statement_execute(&triggers_serve, values, NULL, true, 0);
	db_restore_user(&saved);
	return spi_bool(0, 1);
}

static void
look_at(Relation rel, Jsonb *mapping, Attachment *attachment)
{
	Oid			relid = RelationGetRelid(rel);

	check_table(rel);
	attachment->named = lead_columns_keep_named(rel, attach_source_named(rel), mapping);
	attachment->columns = lead_columns_recognize(rel, attachment->named);
	lead_key_require(rel, attachment->columns, LEAD_FIELD_ID);
	lead_key_require(rel, attachment->columns, LEAD_FIELD_USER_ID);
	attachment->source_id = attach_source_find(relid, attachment->columns);
	attachment->serves = serves(relid, attachment->source_id);
}

/*
 * Open the table with the strongest lock that is needed at once: a lock that is
 * raised makes a deadlock with whoever has read the table and now writes to it.
 * Triggers are put on beside readers, and taken off alone.
 */
static Relation
open_for_attaching(Oid relid, Jsonb *mapping)
{
	Attachment	attachment;
	Relation	rel = relation_open(relid, AccessShareLock);

	look_at(rel, mapping, &attachment);
	relation_close(rel, AccessShareLock);
	return relation_open(relid, has_triggers(relid) && !attachment.serves ? AccessExclusiveLock : ShareRowExclusiveLock);
}

/*
 * The triggers stay, with what they read changed.  Whoever is writing to the table
 * or a partition has ended before, and reads the mapping anew from then on.
 */
static void
have_mapping_read(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, ShareRowExclusiveLock, NULL))
		CacheInvalidateRelcacheByRelid(lfirst_oid(lc));
}

Datum
echosync_attach_leads(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Jsonb	   *mapping = PG_GETARG_JSONB_P(1);
	Relation	rel;
	Attachment	attachment;
	char	   *table;

	check_owner(relid);
	SPI_connect();
	db_use_extension();
	rel = open_for_attaching(relid, mapping);
	look_at(rel, mapping, &attachment);
	table = lead_table_name(relid);
	attachment.source_id = attach_source_store(attachment.source_id, relid, attachment.columns, attachment.named);
	if (attachment.serves)
		have_mapping_read(relid);
	else
	{
		drop_triggers(relid);
		create_trigger(ROW_TRIGGER, "ROW", table, attachment.source_id);
		create_trigger(STATEMENT_TRIGGER, "STATEMENT", table, attachment.source_id);
	}
	attach_notice(rel, attachment.columns, attachment.named, mapping);
	relation_close(rel, NoLock);
	SPI_finish();
	wake_note_everything();
	PG_RETURN_VOID();
}

/* The triggers of a partition are the partitioned table's, unless it was attached before it became one. */
static void
refuse_partition(Oid relid)
{
	Datum		value = ObjectIdGetDatum(get_trigger_oid(relid, ROW_TRIGGER, true));
	SavedUser	saved;
	bool		clone;

	db_become_owner(&saved);
	statement_execute(&select_is_clone, &value, NULL, true, 0);
	clone = spi_bool(0, 1);
	db_restore_user(&saved);
	if (clone)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", get_rel_name(relid)),
				 errhint("Detach the partitioned table; its partitions follow.")));
}

/* Whatever has become of the table since it was attached. */
Datum
echosync_detach_leads(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);

	check_owner(relid);
	LockRelationOid(relid, has_triggers(relid) ? AccessExclusiveLock : ShareRowExclusiveLock);
	SPI_connect();
	db_use_extension();
	refuse_partition(relid);
	drop_triggers(relid);
	if (!attach_source_end(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s is not attached", lead_table_name(relid))));
	SPI_finish();
	wake_note_everything();
	PG_RETURN_VOID();
}

/*
 * capture_relation.c
 *		What the trigger knows of a table or partition: where its leads' fields
 *		are, and how they are read.
 *
 * Each backend that writes leads keeps this for each partition that it has
 * written to, so it is small: what is to be known of a type is kept once.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "api/capture_relation.h"
#include "db/lead_object.h"
#include "db/statement.h"
#include "pg_compat.h"

static MemoryContext context = NULL;
static HTAB *relations = NULL;
static HTAB *types = NULL;
static bool some_invalid = false;	/* of the relations */
static uint64 n_changes = 0;	/* that have been told of */

static Statement select_source = {
	.sql = "SELECT mapping, relation::pg_catalog.oid FROM @schema@.crm_lead_sources WHERE id = $1 AND attached",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static void
relation_invalidate(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	CaptureRelation *entry;

	n_changes++;
	if (OidIsValid(relid))
	{
		entry = hash_search(relations, &relid, HASH_FIND, NULL);
		if (entry != NULL)
		{
			entry->valid = false;
			some_invalid = true;
		}
		return;
	}
	hash_seq_init(&status, relations);
	while ((entry = hash_seq_search(&status)) != NULL)
		entry->valid = false;
	some_invalid = true;
}

static void
make_tables(void)
{
	HASHCTL		control = {0};

	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext, "echosync capture", ALLOCSET_SMALL_SIZES);
	control.keysize = sizeof(Oid);
	control.hcxt = context;
	control.entrysize = sizeof(CaptureType);
	types = hash_create("echosync captured types", 8, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	control.entrysize = sizeof(CaptureRelation);
	relations = hash_create("echosync captured relations", 8, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_invalidate, (Datum) 0);
}

static bool
type_is_styled(Oid type)
{
	switch (type)
	{
		case BYTEAOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case FLOAT4OID:
		case FLOAT8OID:
			return true;
		default:
			return false;
	}
}

/* The usual types of a user's id. */
static bool
type_is_plain(Oid type)
{
	switch (type)
	{
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return true;
		default:
			return false;
	}
}

static bool
type_is_structured(Oid type)
{
	return OidIsValid(get_element_type(type)) || type_is_rowtype(type) ||
		type == JSONOID || type == JSONBOID;
}

/* Its number may be another type's by now. */
static CaptureType *
find_type(Oid oid)
{
	CaptureType made = {.type = oid};
	Oid			base = getBaseType(oid);
	CaptureType *type = hash_search(types, &oid, HASH_FIND, NULL);
	bool		varlena;

	getTypeOutputInfo(oid, &made.output_function, &varlena);
	if (type != NULL && type->output_function == made.output_function)
		return type;
	fmgr_info_cxt(made.output_function, &made.output, context);
	made.padded = base == BPCHAROID;
	made.structured = type_is_structured(base);
	made.styled = type_is_styled(base);
	made.plain = type_is_plain(base);
	made.sure = lead_value_is_sure(base);
	get_typlenbyval(oid, &made.length, &made.by_value);
	lead_value_prepare(&made.to_jsonb, oid, context);
	type = hash_search(types, &oid, HASH_ENTER, NULL);
	*type = made;
	return type;
}

/* Is the relation the source's table or a partition of it? */
static bool
relation_is_of(Oid relid, Oid source)
{
	return relid == source ||
		(get_rel_relispartition(relid) &&
		 list_member_oid(get_partition_ancestors(relid), source));
}

/* The source's mapping; NULL when it is not attached, or is another's table. */
static LeadColumns *
load_mapping(int source_id, Oid relid, Oid *source)
{
	Datum		value = Int32GetDatum(source_id);
	LeadColumns *columns = NULL;
	MemoryContext caller = CurrentMemoryContext;
	bool		isnull;

	SPI_connect();
	statement_execute_now(&select_source, &value, 1);
	if (SPI_processed == 1)
		*source = DatumGetObjectId(spi_datum(0, 2, &isnull));
	if (SPI_processed == 1 && relation_is_of(relid, *source))
	{
		Jsonb	   *mapping = DatumGetJsonbP(spi_datum(0, 1, &isnull));
		MemoryContext spi = MemoryContextSwitchTo(caller);

		columns = lead_columns_from_jsonb(mapping);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return columns;
}

/*
 * The column's number; 0 where its values cannot be read here: it is gone, or is
 * generated and not stored, which only a query computes.
 */
static AttrNumber
readable_column(Relation rel, const char *name, bool *gone)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);

	*gone |= attnum <= 0;
	if (attnum <= 0 ||
		TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
		return 0;
	return attnum;
}

static void
add_column(CaptureRelation *entry, LeadField field, AttrNumber attnum, Oid type_oid)
{
	CaptureColumn *column = &entry->columns[entry->first[field + 1]++];
	CaptureType *type = find_type(type_oid);
	bool		key = field == LEAD_FIELD_ID || field == LEAD_FIELD_USER_ID;

	column->attnum = attnum;
	column->type = type;
	entry->styled |= key && type->styled;
	entry->structured |= type->structured && capture_field_of_rule(field);
	entry->sure &= type->sure || !(key || capture_field_of_rule(field));
}

static bool
is_news(CaptureRelation *entry, uint8 what)
{
	bool		news = (entry->told & what) == 0;

	entry->told |= what;
	return news;
}

/*
 * Without its id or its user a row is no lead.  That is not for the statement
 * to fail of: what has changed can be asked for when the table is attached anew.
 */
static bool
has_key(CaptureRelation *entry, Relation rel, LeadField field)
{
	int			n;

	(void) capture_columns(entry, field, &n);
	if (n == 0 && is_news(entry, field == LEAD_FIELD_ID ? TOLD_NO_ID : TOLD_NO_USER))
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("leads of \"%s\" are not captured: the column that was their %s is gone, or generated and not stored",
						RelationGetRelationName(rel), lead_field_names[field]),
				 errhint("Call echosync_attach_leads() again with the table's present columns, and echosync_manual_sync() for what has changed meanwhile; or echosync_detach_leads().")));
	return n > 0;
}

static void
tell_gone(CaptureRelation *entry, Relation rel)
{
	if (is_news(entry, TOLD_COLUMN_GONE))
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("a column of \"%s\" that echosync reads no longer exists",
						RelationGetRelationName(rel)),
				 errdetail("Leads are queued and held back."),
				 errhint("Call echosync_attach_leads() again with the table's present columns.")));
}

static void
resolve_columns(CaptureRelation *entry, Relation rel, const LeadColumns *columns)
{
	bool		gone = false;

	entry->sure = true;
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		entry->first[field + 1] = entry->first[field];
		for (int i = 0; i < columns->n[field]; i++)
		{
			AttrNumber	attnum = readable_column(rel, columns->names[field][i], &gone);

			if (attnum > 0 && entry->first[field + 1] < CAPTURE_COLUMNS_MAX)
				add_column(entry, field, attnum, TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid);
			else
				entry->blind = true;
		}
	}
	entry->captured = has_key(entry, rel, LEAD_FIELD_ID) && has_key(entry, rel, LEAD_FIELD_USER_ID);
	if (entry->captured && gone)
		tell_gone(entry, rel);
	else if (entry->captured)
		entry->told &= TOLD_STRANGER;
}

/* Restored alone, taken over from a copy, attached by hand: nobody would miss the leads. */
static void
tell_stranger(CaptureRelation *entry, Relation rel, const Trigger *trigger)
{
	const char *name = lead_table_name(RelationGetRelid(rel));

	if (is_news(entry, TOLD_STRANGER))
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" captures no leads of \"%s\"", trigger->tgname, RelationGetRelationName(rel)),
				 errdetail("It was made for another table, or for one that is not attached any more."),
				 errhint("Call echosync_attach_leads(%s) for its leads to be sent, or DROP TRIGGER %s ON %s.",
						 quote_literal_cstr(name), quote_identifier(trigger->tgname), name)));
}

static void
look_up(CaptureRelation *entry, Relation rel, const Trigger *trigger)
{
	LeadColumns *columns;

	entry->source_id = trigger->tgnargs == 1 ? strtoint(trigger->tgargs[0], NULL, 10) : 0;
	columns = load_mapping(entry->source_id, entry->relid, &entry->source);
	if (columns == NULL)
	{
		tell_stranger(entry, rel, trigger);
		return;
	}
	resolve_columns(entry, rel, columns);
	if (!entry->captured)
		return;
	lead_key_init(&entry->user, columns, entry->relid, LEAD_FIELD_USER_ID);
	entry->user.column = NULL;	/* it goes with the mapping */
}

/* Whether a relation is gone cannot be asked when that is told: it is now. */
static void
forget_invalid(void)
{
	HASH_SEQ_STATUS status;
	CaptureRelation *entry;

	hash_seq_init(&status, relations);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!entry->valid && get_rel_name(entry->relid) == NULL)
			(void) hash_search(relations, &entry->relid, HASH_REMOVE, NULL);
	}
	some_invalid = false;
}

CaptureRelation *
capture_relation(Relation rel, const Trigger *trigger, bool idle)
{
	static CaptureRelation nobodys = {0};
	CaptureRelation found = {.relid = RelationGetRelid(rel), .trigger = trigger->tgoid};
	CaptureRelation *entry;
	uint64		changes;

	if (relations == NULL)
		make_tables();
	entry = hash_search(relations, &found.relid, HASH_FIND, NULL);
	if (entry != NULL && entry->valid && entry->trigger == found.trigger)
		return entry;
	found.told = entry != NULL ? entry->told : 0;
	changes = n_changes;
	look_up(&found, rel, trigger);
	found.valid = changes == n_changes;
	if (!found.captured && entry != NULL && entry->captured && entry->trigger != found.trigger &&
		(entry->valid || !idle))
	{
		/* A stranger beside the table's own trigger, whose row may be being read. */
		entry->told = found.told;
		return &nobodys;
	}
	if (entry == NULL && idle && some_invalid)
		forget_invalid();
	entry = hash_search(relations, &found.relid, HASH_ENTER, NULL);
	*entry = found;
	return entry;
}

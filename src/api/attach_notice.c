/*
 * attach_notice.c
 *		What whoever attaches a table is told of it, and echosync_describe_leads(),
 *		by which the doctor says the same.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "api/attach_notice.h"
#include "crm/json.h"
#include "db/lead_index.h"
#include "db/lead_overlooked.h"

PG_FUNCTION_INFO_V1(echosync_describe_leads);

/* The keys of an object that another one has not, with commas; NULL: none. */
static char *
key_names(Jsonb *object, Jsonb *without)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (json_get(&object->root, lead_field_names[field]) != NULL &&
			json_get(&without->root, lead_field_names[field]) == NULL)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", lead_field_names[field]);
	}
	return names.len > 0 ? names.data : NULL;
}

static void
tell_columns(const char *table, const LeadColumns *columns, Jsonb *named, Jsonb *mapping)
{
	char	   *keys = key_names(named, mapping);

	ereport(NOTICE,
			(errmsg("leads of %s: %s", table, lead_columns_words(columns)),
			 keys != NULL ? errdetail("As named when it was attached before: %s.", keys) : 0,
			 keys != NULL ? errhint("Name a key in the mapping to change it; null is for no column.") : 0));
}

/* A call that would have all opt-outs read. */
static char *
opt_outs_call(Relation rel, const LeadColumns *columns)
{
	List	   *names = lead_overlooked_opt_outs(rel, columns);
	StringInfoData mapping;
	ListCell   *lc;

	if (names == NIL)
		return NULL;
	initStringInfo(&mapping);
	json_object_start(&mapping);
	json_key(&mapping, lead_field_names[LEAD_FIELD_DO_NOT_CONTACT]);
	json_array_start(&mapping);
	foreach(lc, names)
		json_string(&mapping, lfirst(lc));
	json_array_end(&mapping);
	json_object_end(&mapping);
	return psprintf("SELECT echosync_attach_leads(%s, %s);",
					quote_literal_cstr(lead_table_name(RelationGetRelid(rel))), quote_literal_cstr(mapping.data));
}

static void
tell_overlooked(Relation rel, const char *table, const LeadColumns *columns)
{
	char	   *words = lead_overlooked_words(rel, columns);
	char	   *call = opt_outs_call(rel, columns);

	if (words == NULL)
		return;
	ereport(NOTICE,
			(errmsg("columns of %s that are not read: %s", table, words),
			 call != NULL ? errhint("If all of these say who must not be contacted: %s", call) :
			 errhint("Name in the mapping what is to be read.")));
}

static void
tell_what_is_missing(const LeadColumns *columns, const char *table)
{
	if (columns->n[LEAD_FIELD_RISK_SCORE] == 0)
		ereport(NOTICE,
				(errmsg("no column of %s is recognized as risk_score", table),
				 errdetail("Its leads count as unscored: they are sent only where sync_unscored is set.")));
	if (columns->n[LEAD_FIELD_DO_NOT_CONTACT] == 0)
		ereport(NOTICE,
				(errmsg("no column of %s is recognized as do_not_contact", table),
				 errdetail("No opt-out is looked at.")));
}

/* Does an index serve to find a lead: by its id, or its user and its id? */
static bool
has_lead_index(Relation rel, const LeadColumns *columns)
{
	AttrNumber	id = get_attnum(RelationGetRelid(rel), columns->names[LEAD_FIELD_ID][0]);
	AttrNumber	user = get_attnum(RelationGetRelid(rel), columns->names[LEAD_FIELD_USER_ID][0]);

	return lead_index_begins_with(rel, id, InvalidAttrNumber) || lead_index_begins_with(rel, user, id);
}

static void
tell_about_table(Relation rel, const char *table, const LeadColumns *columns)
{
	const char *id = quote_identifier(columns->names[LEAD_FIELD_ID][0]);

	if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		ereport(NOTICE,
				(errmsg("%s is unlogged", table),
				 errdetail("After a crash of the server it is empty: leads of it that wait count as deleted."),
				 errhint("ALTER TABLE %s SET LOGGED;", table)));
	if (!has_lead_index(rel, columns))
		ereport(NOTICE,
				(errmsg("no index of %s begins with %s", table, id),
				 errdetail("Each time leads are sent the whole table is read."),
				 errhint("CREATE INDEX ON %s (%s);", table, id)));
}

/* A constant that is of a type of the server's, as text; NULL: there is none, or another default. */
static char *
constant_default(Relation rel, AttrNumber attnum)
{
	Node	   *expr = build_column_default(rel, attnum);
	Const	   *constant;
	Oid			output;
	bool		varlena;

	if (expr != NULL)
		expr = strip_implicit_coercions(expr);
	if (expr == NULL || !IsA(expr, Const))
		return NULL;
	constant = (Const *) expr;
	if (constant->constisnull || constant->consttype >= FirstUnpinnedObjectId)
		return NULL;
	getTypeOutputInfo(constant->consttype, &output, &varlena);
	return OidOutputFunctionCall(output, constant->constvalue);
}

/* All rows would count as deleted, or those in which a past time stands for "not". */
static void
tell_about_deletion(Relation rel, const char *table, const LeadColumns *columns)
{
	for (int i = 0; i < columns->n[LEAD_FIELD_DELETED_AT]; i++)
	{
		const char *name = columns->names[LEAD_FIELD_DELETED_AT][i];
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		char	   *text = constant_default(rel, attnum);
		bool		deleted = text != NULL && lead_text_is_deletion(text) == LEAD_FLAG_YES;

		if (deleted || (text == NULL && att->attnotnull && TypeCategory(getBaseType(att->atttypid)) == TYPCATEGORY_DATETIME))
			ereport(NOTICE,
					(errmsg("column %s of %s says of leads that are there that they are deleted", quote_identifier(name), table),
					 deleted ? errdetail("Its default is %s.", quote_literal_cstr(text)) :
					 errdetail("It is NOT NULL: a time in the past, such as epoch or -infinity, counts as deleted."),
					 errhint("Use null or infinity for a lead that is not deleted, or name another column, or null, as deleted_at in the mapping.")));
	}
}

void
attach_notice(Relation rel, const LeadColumns *columns, Jsonb *named, Jsonb *mapping)
{
	char	   *table = lead_table_name(RelationGetRelid(rel));

	tell_columns(table, columns, named, mapping);
	tell_what_is_missing(columns, table);
	tell_about_deletion(rel, table, columns);
	tell_overlooked(rel, table, columns);
	tell_about_table(rel, table, columns);
}

Datum
echosync_describe_leads(PG_FUNCTION_ARGS)
{
	LeadColumns *columns = lead_columns_from_jsonb(PG_GETARG_JSONB_P(1));
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, true, true};
	char	   *words = NULL;
	char	   *call = NULL;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(lead_columns_words(columns));
	if (rel != NULL)
	{
		words = lead_overlooked_words(rel, columns);
		call = opt_outs_call(rel, columns);
		relation_close(rel, AccessShareLock);
	}
	nulls[1] = words == NULL;
	nulls[2] = call == NULL;
	values[1] = words != NULL ? CStringGetTextDatum(words) : (Datum) 0;
	values[2] = call != NULL ? CStringGetTextDatum(call) : (Datum) 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * mapping.c
 *		Fuzz target: the mapping of a table's columns.
 *
 * As a caller of echosync_attach_leads gives it: taken, or refused with one of
 * a few SQLSTATEs; its stored form reads back as the same.  As it is stored:
 * whatever the names of columns, the SQL made of them is one query on the one
 * table.  The table is made by run.sh.
 */
#include "fuzz.h"

#include "access/table.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/rel.h"

#include "crm/json.h"
#include "db/lead_rows.h"

#define TABLE "fuzz_leads"

typedef struct MappingInput
{
	Relation	rel;
	Jsonb	   *mapping;
	LeadColumns *columns;
} MappingInput;

static Relation
open_table(void)
{
	return table_openrv(makeRangeVar(NULL, TABLE, -1), AccessShareLock);
}

static void
recognize(void *arg)
{
	MappingInput *input = arg;

	input->columns = lead_columns_recognize(input->rel, input->mapping);
}

static void
read_stored(void *arg)
{
	MappingInput *input = arg;

	input->columns = lead_columns_from_jsonb(input->mapping);
}

/* SELECT number, id, user, a value for each column, FROM the table t WHERE its user's. */
static void
judge_query(const LeadColumns *columns, Oid relation)
{
	char	   *users[] = {"ann"};
	LeadQuery	query;
	List	   *statements;
	SelectStmt *select;
	int			n_values = 0;

	lead_query(&query, columns, relation, users, NULL, 1);
	statements = raw_parser(query.sql, RAW_PARSE_DEFAULT);
	PROMISE(list_length(statements) == 1);
	select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
		n_values += field != LEAD_FIELD_ID && field != LEAD_FIELD_USER_ID ? columns->n[field] : 0;
	PROMISE(query.n_columns == n_values);
	PROMISE(list_length(select->targetList) == LEAD_ROW_VALUES - 1 + n_values && list_length(select->fromClause) == 1);
	PROMISE(select->op == SETOP_NONE && select->withClause == NULL);
	PROMISE(strcmp(linitial_node(RangeVar, select->fromClause)->relname, TABLE) == 0);
}

static void
judge_columns(const LeadColumns *columns, Oid relation)
{
	Jsonb	   *stored = lead_columns_to_jsonb(columns);
	LeadColumns *again = lead_columns_from_jsonb(stored);

	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		PROMISE(again->n[field] == columns->n[field]);
		for (int i = 0; i < columns->n[field]; i++)
			PROMISE(strcmp(again->names[field][i], columns->names[field][i]) == 0);
	}
}

static void
judge_given(Relation rel, Jsonb *mapping)
{
	MappingInput input = {rel, mapping, NULL};
	int			sqlstate;

	if (fuzz_error(recognize, &input, &sqlstate))
	{
		PROMISE(input.columns->n[LEAD_FIELD_ID] == 1 && input.columns->n[LEAD_FIELD_USER_ID] == 1);
		judge_columns(input.columns, RelationGetRelid(rel));
		judge_query(input.columns, RelationGetRelid(rel));
	}
	else
		PROMISE(sqlstate == ERRCODE_INVALID_PARAMETER_VALUE ||
				sqlstate == ERRCODE_UNDEFINED_COLUMN ||
				sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

/* A column's name is not empty and short; of all else anybody may think. */
static bool
are_names(const LeadColumns *columns)
{
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (field != LEAD_FIELD_DO_NOT_CONTACT && columns->n[field] > 1)
			return false;
		for (int i = 0; i < columns->n[field]; i++)
		{
			if (columns->names[field][i][0] == '\0' || strlen(columns->names[field][i]) >= NAMEDATALEN)
				return false;
		}
	}
	return columns->n[LEAD_FIELD_ID] == 1;
}

static void
judge_stored(Relation rel, Jsonb *mapping)
{
	MappingInput input = {rel, mapping, NULL};
	int			sqlstate;

	if (!fuzz_error(read_stored, &input, &sqlstate))
		PROMISE(sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
	else if (are_names(input.columns))
		judge_columns(input.columns, RelationGetRelid(rel));
}

void
fuzz_mapping(const char *data, size_t size)
{
	Jsonb	   *mapping = fuzz_jsonb(fuzz_text(data, size));
	Relation	rel;

	if (mapping == NULL)
		return;
	rel = open_table();
	judge_given(rel, mapping);
	judge_stored(rel, mapping);
	table_close(rel, AccessShareLock);
}

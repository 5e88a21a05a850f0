/*
 * lead_rows.c
 *		The SQL that reads leads from an attached table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "db/lead_object.h"
#include "db/lead_rows.h"
#include "db/lead_user.h"
#include "db/statement.h"
#include "db/subtransaction.h"

/*
 * A column as the worker wants to read it.  Texts are cut: a lead whose note
 * is a hundred megabytes must not hold up everybody else's.
 */
static void
append_column(StringInfo sql, LeadQuery *query, LeadField field, Oid relation, const char *name)
{
	LeadQueryColumn *column = &query->columns[query->n_columns++];
	AttrNumber	attnum = get_attnum(relation, name);
	Oid			type = attnum > 0 ? get_atttype(relation, attnum) : TEXTOID;
	char		category;
	bool		preferred;

	column->field = field;
	get_type_category_preferred(getBaseType(type), &category, &preferred);
	if (category == TYPCATEGORY_STRING)
	{
		type = TEXTOID;
		appendStringInfo(sql, ", pg_catalog.left(t.%s::pg_catalog.text, %d)", quote_identifier(name), LEAD_TEXT_MAX);
	}
	else
		appendStringInfo(sql, ", t.%s", quote_identifier(name));
	column->sure = lead_value_is_sure(getBaseType(type));
	query->sure &= column->sure;
	lead_value_prepare(&column->to_jsonb, type, CurrentMemoryContext);
}

/* The lead's values, but for its id and user, which are columns of their own. */
static void
append_values(StringInfo sql, LeadQuery *query, const LeadColumns *columns, Oid relation)
{
	int			n = 0;

	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
		n += columns->n[field];
	query->columns = palloc0(n * sizeof(LeadQueryColumn));
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (field == LEAD_FIELD_ID || field == LEAD_FIELD_USER_ID)
			continue;
		for (int i = 0; i < columns->n[field]; i++)
			append_column(sql, query, field, relation, columns->names[field][i]);
	}
}

/* Row by row, so that an index serves, whether on the id alone or on both. */
static char *
query_sql(LeadQuery *query, const LeadColumns *columns, Oid relation, bool by_id)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s, %s", by_id ? "k.n" : "0::pg_catalog.int8",
					 lead_key_text_sql(&query->id), lead_key_text_sql(&query->user));
	append_values(&sql, query, columns, relation);
	if (by_id)
		appendStringInfo(&sql, " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
						 " WITH ORDINALITY AS k(user_id, id, n) JOIN %s t ON %s AND %s",
						 lead_table_name(relation), lead_key_match_sql(&query->user, "k.user_id"),
						 lead_key_match_sql(&query->id, "k.id"));
	else
		appendStringInfo(&sql, " FROM %s t WHERE %s", lead_table_name(relation),
						 lead_key_match_sql(&query->user, "ANY ($1)"));
	return sql.data;
}

/* Keep those (user, id) of which both are values of their columns. */
static void
keep_asked(LeadQuery *query, Datum *users, const bool *users_fit, Datum *ids, const bool *ids_fit, int n)
{
	query->asked = palloc(sizeof(int) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		if (!users_fit[i] || (ids != NULL && !ids_fit[i]))
			continue;
		users[query->n] = users[i];
		if (ids != NULL)
			ids[query->n] = ids[i];
		query->asked[query->n++] = i;
	}
}

void
lead_query(LeadQuery *query, const LeadColumns *columns, Oid relation, char **users, char **ids, int n)
{
	Datum	   *user_values = palloc(sizeof(Datum) * (n + 1));
	Datum	   *id_values = ids != NULL ? palloc(sizeof(Datum) * (n + 1)) : NULL;
	bool	   *users_fit = palloc(n + 1);
	bool	   *ids_fit = palloc(n + 1);

	memset(query, 0, sizeof(*query));
	query->sure = true;
	lead_key_init(&query->id, columns, relation, LEAD_FIELD_ID);
	lead_key_init(&query->user, columns, relation, LEAD_FIELD_USER_ID);
	lead_keys_parse(&query->user, users, n, user_values, users_fit);
	if (ids != NULL)
		lead_keys_parse(&query->id, ids, n, id_values, ids_fit);
	keep_asked(query, user_values, users_fit, id_values, ids_fit, n);
	query->sql = query_sql(query, columns, relation, ids != NULL);
	query->nargs = ids != NULL ? 2 : 1;
	query->types[0] = lead_key_array_type(&query->user);
	query->values[0] = lead_key_array(&query->user, user_values, query->n);
	if (ids == NULL)
		return;
	query->types[1] = lead_key_array_type(&query->id);
	query->values[1] = lead_key_array(&query->id, id_values, query->n);
}

/* A value being read. */
typedef struct ReadValue
{
	FmgrInfo   *to_jsonb;
	Datum		value;
	Jsonb	   *json;			/* NULL: none */
} ReadValue;

static void
read_value(void *arg)
{
	ReadValue  *read = arg;

	read->json = DatumGetJsonbP(FunctionCall1(read->to_jsonb, read->value));
}

static Jsonb *
column_json(LeadQueryColumn *column, uint64 row, int number)
{
	ReadValue	read = {.to_jsonb = &column->to_jsonb};
	bool		isnull;

	read.value = spi_datum(row, number, &isnull);
	if (isnull)
		return NULL;
	if (column->sure || lead_field_protects(column->field))
		read_value(&read);
	else
		(void) run_in_subtransaction(read_value, &read, CATCH_DATA);
	return read.json;
}

Jsonb *
lead_query_object(LeadQuery *query, uint64 row)
{
	JsonbInState object = {0};
	int			end;

	pushJsonbValue(&object, WJB_BEGIN_OBJECT, NULL);
	for (int first = 0; first < query->n_columns; first = end)
	{
		LeadField	field = query->columns[first].field;
		Jsonb	   *values[LEAD_COLUMNS_MAX];

		for (end = first; end < query->n_columns && query->columns[end].field == field; end++)
			values[end - first] = column_json(&query->columns[end], row, LEAD_ROW_VALUES + end);
		lead_object_add(&object, field, values, end - first);
	}
	pushJsonbValue(&object, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(object.result);
}

bool
lead_query_is_of(const LeadQuery *query, const char *text, const char *user_id)
{
	const char *owner;

	if (text == NULL || strcmp(text, user_id) == 0)
		return text != NULL;
	owner = lead_user_of(&query->user, text);
	return owner != NULL && strcmp(owner, user_id) == 0;
}

/*
 * lead_rows.c
 *		The SQL that reads leads from an attached table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "db/lead_rows.h"
#include "db/lead_user.h"

/*
 * json keeps escapes that are no character: of zero, and of half a surrogate
 * pair.  Nothing can be made of such a value.
 */
#define NO_CHARACTER \
	"E'\\\\\\\\u0000" \
	"|\\\\\\\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\\\\\\\u[dD][c-fC-F])" \
	"|(?<!\\\\\\\\u[dD][89abAB][0-9a-fA-F]{2})\\\\\\\\u[dD][c-fC-F]'"

/* May a lead be sent as if the field had no value?  Not if it says who must not be contacted. */
static bool
may_go_without(LeadField field)
{
	return field != LEAD_FIELD_DO_NOT_CONTACT && field != LEAD_FIELD_DELETED_AT &&
		field != LEAD_FIELD_RISK_SCORE;
}

/*
 * A column as the worker wants to read it.  Texts are cut: a lead whose note
 * is a hundred megabytes must not hold up everybody else's.
 */
static char *
column_expression(const char *name, Oid relation, LeadField field)
{
	AttrNumber	attnum = get_attnum(relation, name);
	Oid			type = attnum > 0 ? getBaseType(get_atttype(relation, attnum)) : InvalidOid;
	const char *column = quote_identifier(name);
	char		category = TYPCATEGORY_INVALID;
	bool		preferred;

	if (OidIsValid(type))
		get_type_category_preferred(type, &category, &preferred);
	if (category == TYPCATEGORY_STRING)
		return psprintf("pg_catalog.left(t.%s::pg_catalog.text, %d)", column, LEAD_TEXT_MAX);
	if (type == JSONOID && may_go_without(field))
		return psprintf("CASE WHEN t.%s::pg_catalog.text OPERATOR(pg_catalog.~) %s THEN NULL ELSE t.%s END",
						column, NO_CHARACTER, column);
	return psprintf("t.%s", column);
}

/* The lead as an object, but for its id and user, which are columns of their own. */
static void
append_lead(StringInfo sql, const LeadColumns *columns, Oid relation)
{
	const char *separator = "";

	appendStringInfoString(sql, "pg_catalog.jsonb_build_object(");
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (columns->n[field] == 0 || field == LEAD_FIELD_ID || field == LEAD_FIELD_USER_ID)
			continue;
		appendStringInfo(sql, "%s'%s', ", separator, lead_field_names[field]);
		separator = ", ";
		if (columns->n[field] == 1)
		{
			appendStringInfoString(sql, column_expression(columns->names[field][0], relation, field));
			continue;
		}
		appendStringInfoString(sql, "pg_catalog.jsonb_build_array(");
		for (int i = 0; i < columns->n[field]; i++)
			appendStringInfo(sql, "%s%s", i > 0 ? ", " : "",
							 column_expression(columns->names[field][i], relation, field));
		appendStringInfoChar(sql, ')');
	}
	appendStringInfoChar(sql, ')');
}

/* Row by row, so that an index serves, whether on the id alone or on both. */
static char *
query_sql(const LeadQuery *query, const LeadColumns *columns, Oid relation, bool by_id)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s, %s, ", by_id ? "k.n" : "0::pg_catalog.int8",
					 lead_key_text_sql(&query->id), lead_key_text_sql(&query->user));
	append_lead(&sql, columns, relation);
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

bool
lead_query_is_of(const LeadQuery *query, const char *text, const char *user_id)
{
	const char *owner;

	if (text == NULL || strcmp(text, user_id) == 0)
		return text != NULL;
	owner = lead_user_of(&query->user, text);
	return owner != NULL && strcmp(owner, user_id) == 0;
}

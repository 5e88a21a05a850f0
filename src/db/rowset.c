/*
 * rowset.c
 *		Rows gathered column by column for set-based statements.
 *
 * Why arrays: one statement for a thousand rows costs one plan execution, and
 * the statement is the same whatever the number of rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "db/rowset.h"

#define ROWSET_INITIAL_ROWS 16

RowSet *
rowset_make(int n_columns, const Oid *types)
{
	RowSet	   *set = palloc0(sizeof(RowSet));

	Assert(n_columns <= ROWSET_MAX_COLUMNS);
	set->context = CurrentMemoryContext;
	set->n_columns = n_columns;
	memcpy(set->types, types, sizeof(Oid) * n_columns);
	return set;
}

/* All columns are one piece of memory: most sets are of one row. */
static void
rowset_grow(RowSet *set)
{
	int			capacity = set->capacity ? set->capacity * 2 : ROWSET_INITIAL_ROWS;
	void	   *old = set->values[0];
	char	   *next = MemoryContextAllocHuge(set->context, (Size) capacity * set->n_columns *
											  (sizeof(Datum) + sizeof(bool)));

	for (int i = 0; i < set->n_columns; i++)
	{
		if (set->n_rows > 0)
			memcpy(next, set->values[i], set->n_rows * sizeof(Datum));
		set->values[i] = (Datum *) next;
		next += capacity * sizeof(Datum);
	}
	for (int i = 0; i < set->n_columns; i++)
	{
		if (set->n_rows > 0)
			memcpy(next, set->nulls[i], set->n_rows * sizeof(bool));
		set->nulls[i] = (bool *) next;
		next += capacity * sizeof(bool);
	}
	if (old != NULL)
		pfree(old);
	set->capacity = capacity;
}

void
rowset_row(RowSet *set)
{
	Assert(set->n_rows == 0 || set->next_column == set->n_columns);
	if (set->n_rows == set->capacity)
		rowset_grow(set);
	set->n_rows++;
	set->next_column = 0;
}

static void
rowset_value(RowSet *set, Datum value, bool isnull)
{
	Assert(set->next_column < set->n_columns);
	set->values[set->next_column][set->n_rows - 1] = value;
	set->nulls[set->next_column][set->n_rows - 1] = isnull;
	set->next_column++;
}

void
rowset_null(RowSet *set)
{
	rowset_value(set, (Datum) 0, true);
}

void
rowset_text(RowSet *set, const char *value)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);

	rowset_value(set, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
	MemoryContextSwitchTo(caller);
}

void
rowset_int2(RowSet *set, int16 value)
{
	rowset_value(set, Int16GetDatum(value), false);
}

void
rowset_int4(RowSet *set, int32 value)
{
	rowset_value(set, Int32GetDatum(value), false);
}

void
rowset_int8(RowSet *set, int64 value)
{
	rowset_value(set, Int64GetDatum(value), false);
}

void
rowset_bool(RowSet *set, bool value)
{
	rowset_value(set, BoolGetDatum(value), false);
}

void
rowset_uuid(RowSet *set, const uint8 *value)
{
	pg_uuid_t  *copy = MemoryContextAlloc(set->context, sizeof(pg_uuid_t));

	memcpy(copy->data, value, UUID_LEN);
	rowset_value(set, UUIDPGetDatum(copy), false);
}

void
rowset_bytea(RowSet *set, const uint8 *value, int len)
{
	bytea	   *copy;

	if (value == NULL)
	{
		rowset_null(set);
		return;
	}
	copy = MemoryContextAlloc(set->context, VARHDRSZ + len);
	SET_VARSIZE(copy, VARHDRSZ + len);
	memcpy(VARDATA(copy), value, len);
	rowset_value(set, PointerGetDatum(copy), false);
}

void
rowset_datum(RowSet *set, Datum value)
{
	rowset_value(set, value, value == (Datum) 0);
}

void
rowset_timestamptz(RowSet *set, TimestampTz value)
{
	rowset_value(set, TimestampTzGetDatum(value), value == 0);
}

Datum
rowset_array(const RowSet *set, int column)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;
	int			dims[1];
	int			lbs[1] = {1};

	dims[0] = set->n_rows;
	get_typlenbyvalalign(set->types[column], &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(set->values[column], set->nulls[column],
											  1, dims, lbs, set->types[column],
											  typlen, typbyval, typalign));
}

void
rowset_execute(const RowSet *set, Statement *statement)
{
	Datum		values[ROWSET_MAX_COLUMNS];

	if (set->n_rows == 0)
		return;
	Assert(set->next_column == set->n_columns);
	for (int i = 0; i < set->n_columns; i++)
		values[i] = rowset_array(set, i);
	statement_execute(statement, values, NULL, false, 0);
}

/*
 * rowset.h
 *		Rows gathered column by column, to be handed to one statement as arrays
 *		(INSERT ... SELECT FROM unnest($1, $2, ...)).
 */
#ifndef ECHOSYNC_ROWSET_H
#define ECHOSYNC_ROWSET_H

#include "utils/timestamp.h"

#include "db/statement.h"

#define ROWSET_MAX_COLUMNS 20

typedef struct RowSet
{
	MemoryContext context;		/* owns the values */
	int			n_columns;
	Oid			types[ROWSET_MAX_COLUMNS];	/* element types */
	int			n_rows;
	int			capacity;
	int			next_column;
	Datum	   *values[ROWSET_MAX_COLUMNS];
	bool	   *nulls[ROWSET_MAX_COLUMNS];
} RowSet;

/* An empty set in the current memory context, with columns of these types. */
extern RowSet *rowset_make(int n_columns, const Oid *types);

/* Begin a row; its columns follow from left to right. */
extern void rowset_row(RowSet *set);
extern void rowset_null(RowSet *set);
extern void rowset_text(RowSet *set, const char *value);	/* NULL is null */
extern void rowset_int2(RowSet *set, int16 value);
extern void rowset_int4(RowSet *set, int32 value);
extern void rowset_int8(RowSet *set, int64 value);
extern void rowset_bool(RowSet *set, bool value);
extern void rowset_uuid(RowSet *set, const uint8 *value);
extern void rowset_bytea(RowSet *set, const uint8 *value, int len);	/* NULL is null */
extern void rowset_datum(RowSet *set, Datum value);	/* 0 is null; not copied */
extern void rowset_timestamptz(RowSet *set, TimestampTz value);	/* 0 is null */

/* Column as a one-dimensional array. */
extern Datum rowset_array(const RowSet *set, int column);

/* Run a statement whose first parameters are the columns; no-op when empty. */
extern void rowset_execute(const RowSet *set, Statement *statement);

#endif							/* ECHOSYNC_ROWSET_H */

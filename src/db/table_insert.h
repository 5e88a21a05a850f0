/*
 * table_insert.h
 *		Inserting rows into a table of the extension, without the executor.
 */
#ifndef ECHOSYNC_TABLE_INSERT_H
#define ECHOSYNC_TABLE_INSERT_H

#include "db/rowset.h"

/* Where things are; kept until a change of the table or of its sequence. */
typedef struct TableLayout
{
	bool		valid;
	Oid			schema;
	Oid			table;
	Oid			sequence;
	AttrNumber	of_set[ROWSET_MAX_COLUMNS];
	AttrNumber	id;				/* 0: the set has it */
	AttrNumber	time;			/* 0: none */
} TableLayout;

/* A table, and which of its columns those of a set are. */
typedef struct TableInsert
{
	const char *table;
	const char *sequence;		/* of the column "id"; NULL: the set has it */
	int			sequence_step;	/* ids that a value of the sequence stands for */
	const char *time_column;	/* gets the time of now; NULL: none */
	const char *own_triggers[2];	/* for which the caller stands; else NULL */
	int			n_columns;
	const char *columns[ROWSET_MAX_COLUMNS];
	TableLayout layout;			/* of table_insert.c; starts with zeroes */
	struct TableInsert *next;
} TableInsert;

/*
 * Insert the rows, of which there is one at least; columns that the set has not
 * are null.  Neither rights nor CHECKs are looked at, and no trigger fires.
 * Errors: a unique violation, a table that is not ours any more.
 */
extern void table_insert(TableInsert *target, const RowSet *rows);

/*
 * May rows be inserted, or deleted, so?  Not where somebody has added what the
 * executor would see to: a trigger, a rule, a column.
 */
extern bool table_insert_suffices(const TableInsert *target);

#endif							/* ECHOSYNC_TABLE_INSERT_H */

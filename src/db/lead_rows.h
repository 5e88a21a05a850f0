/*
 * lead_rows.h
 *		Reading leads from an attached table: the SQL, and its parameters.
 *
 * Runs as the table's owner in a security-restricted operation: columns may be
 * of types, with casts and policies, of anybody's making.
 */
#ifndef ECHOSYNC_LEAD_ROWS_H
#define ECHOSYNC_LEAD_ROWS_H

#include "db/lead_key.h"

/* A column of the result that is of a field. */
typedef struct LeadQueryColumn
{
	LeadField	field;
	bool		sure;			/* no value of it can fail to be read */
	FmgrInfo	to_jsonb;
} LeadQueryColumn;

/* How leads of one table are asked for. */
typedef struct LeadQuery
{
	LeadKey		id;
	LeadKey		user;
	char	   *sql;
	Oid			types[2];
	Datum		values[2];
	int			nargs;
	int		   *asked;			/* which (user, id) row number n of its LEAD_ROW_NUMBER was */
	int			n;				/* how many can be there at all; 0: do not ask */
	bool		sure;			/* all columns are */
	int			n_columns;
	LeadQueryColumn *columns;	/* from LEAD_ROW_VALUES on */
} LeadQuery;

/* Columns of the result. */
enum
{
	LEAD_ROW_NUMBER = 1,		/* from 1, see asked; 0 without ids */
	LEAD_ROW_ID,				/* its text */
	LEAD_ROW_USER,				/* the same */
	LEAD_ROW_VALUES				/* and on: see lead_query_object */
};

/*
 * Ask for n leads, each by user and id, or with ids NULL for all of the n users.
 * Texts that are no values of the column's type are left out: no row has them.
 */
extern void lead_query(LeadQuery *query, const LeadColumns *columns, Oid relation,
					   char **users, char **ids, int n);

/*
 * The lead of an SPI row as an object keyed by field, but for its id and user.  A
 * value of which nothing can be made (json with an escape that is no character, a
 * number beyond all bounds) counts as none, but is an ERROR where it may say that
 * the lead must not be sent.  With the rights with which the row was read.
 */
extern Jsonb *lead_query_object(LeadQuery *query, uint64 row);

/* Is a row with this text of its user the connected user's? */
extern bool lead_query_is_of(const LeadQuery *query, const char *text, const char *user_id);

#endif							/* ECHOSYNC_LEAD_ROWS_H */

/*
 * statement.h
 *		Prepared statements on the extension's own tables.
 *
 * Every statement is qualified with the schema the extension was created in
 * and planned once a process.  The caller is connected to SPI and acts as the
 * extension's owner (db_become_owner), unless it is a worker.
 */
#ifndef ECHOSYNC_STATEMENT_H
#define ECHOSYNC_STATEMENT_H

#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

/* A statement; define as static, @schema@ stands for the quoted schema. */
typedef struct Statement
{
	const char *sql;
	int			nargs;
	Oid			argtypes[16];
	SPIPlanPtr	plan;			/* statement.c's own */
	int			generation;
} Statement;

/* Schema of the extension in this database, InvalidOid without one. */
extern Oid	db_extension_schema(void);

/*
 * Look the extension up and make its schema the one that statements are
 * prepared for; ERROR without the extension.  Cheap enough for each call of
 * an SQL function; the trigger passes the schema of its function instead.
 */
extern void db_use_extension(void);
extern void db_use_schema(Oid schema);

/*
 * ERROR where the current user owns our tables, and row-level security would
 * hide their rows from it: nobody is to take "hidden" for "none".  For what runs
 * as the owner without db_become_owner: functions that are SECURITY DEFINER.
 */
extern void db_require_sight(void);

/* The schema in use, and its quoted name. */
extern Oid	db_schema_oid(void);
extern const char *db_schema_name(void);

/*
 * Open one of the extension's tables, without the right to it being looked at;
 * ERROR (undefined_table) if it is gone, as for a statement.  Close with
 * table_close.
 */
extern Relation db_table_open(const char *name, LOCKMODE lock);

/* Run a statement; returns SPI's result code, ERROR on failure. */
extern int	statement_execute(Statement *statement, Datum *values,
							  const char *nulls, bool read_only, long max_rows);

/* Change rows as they are now, whatever the transaction's isolation. */
extern void statement_change_now(Statement *statement, Datum *values);

/*
 * Run a statement that reads what this process is to remember: as the owner, and
 * as things are now.  What the transaction's snapshot shows may be older, and
 * nothing would say so later.
 */
extern void statement_execute_now(Statement *statement, Datum *values, long max_rows);

/*
 * A statement whose text is made at run time.  Its plan is kept for as long as
 * the text stays the same; start with zeroes.
 */
typedef struct TextStatement
{
	char	   *sql;
	Oid			argtypes[2];
	SPIPlanPtr	plan;
} TextStatement;

/* Run it, read-only, with one argument or two. */
extern void statement_execute_text(TextStatement *statement, const char *sql, int nargs,
								   Oid *argtypes, Datum *values);

/*
 * Act as the owner of our tables, who sees all their rows, with a search_path in
 * which nothing of the caller's can stand for an operator or function of ours;
 * undo with db_restore_user.
 */
typedef struct SavedUser
{
	Oid			user;
	int			sec_context;
	int			guc_level;
} SavedUser;
extern void db_become_owner(SavedUser *saved);
/*
 * Act as another role, in a security-restricted operation.  Settings that its
 * functions change, search_path above all, are put back by db_restore_user:
 * they would stand when our own statements run again.
 */
extern void db_become_restricted(Oid role, SavedUser *saved);
extern void db_restore_user(const SavedUser *saved);

/*
 * Within db_become_restricted: settings by which types write themselves are as
 * in the worker, so that an id has one text whoever writes it.
 */
extern void db_set_plain_output(void);

/*
 * Within db_become_restricted: what the application has told its session by
 * settings of its own (a request's headers and tokens, PostgREST's way) is not
 * for the role's functions.
 */
extern void db_hide_settings(void);

/* Column of the current SPI tuple as text; NULL if null. */
extern char *spi_text(uint64 row, int column);
extern int64 spi_int64(uint64 row, int column, int64 if_null);
extern bool spi_bool(uint64 row, int column);
extern TimestampTz spi_timestamptz(uint64 row, int column); /* 0 if null */
extern Datum spi_datum(uint64 row, int column, bool *isnull);

#endif							/* ECHOSYNC_STATEMENT_H */

/*
 * lead_sources.c
 *		The application's attached tables, and reading leads from them in a
 *		backend.
 *
 * What reads a table here runs with its owner's rights and no more: columns
 * may be of types, with casts and policies, of anybody's making.  Nor does it
 * learn what the session was told: the settings of the application, and the
 * statement's text.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "db/lead_sources.h"
#include "db/lead_user.h"
#include "db/link_spelling.h"
#include "db/statement.h"
#include "db/subtransaction.h"

static Statement select_sources = {
	.sql = "SELECT id, relation::pg_catalog.oid, mapping, id_type FROM @schema@.crm_lead_sources WHERE attached ORDER BY id",
	.nargs = 0
};

List *
lead_sources_load(void)
{
	List	   *sources = NIL;
	bool		isnull;

	statement_execute(&select_sources, NULL, NULL, true, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		LeadSource *source = palloc0(sizeof(LeadSource));

		source->id = DatumGetInt32(spi_datum(i, 1, &isnull));
		source->relation = DatumGetObjectId(spi_datum(i, 2, &isnull));
		source->columns = lead_columns_from_jsonb(DatumGetJsonbP(spi_datum(i, 3, &isnull)));
		source->id_type = spi_text(i, 4);
		if (get_rel_name(source->relation) != NULL)
			sources = lappend(sources, source);
	}
	return sources;
}

/* The table is locked, so that its owner stays the one who is asked for here. */
static void
become_reader(const LeadSource *source, SavedUser *saved)
{
	Oid			owner;

	if (!lead_table_owner(source->relation, &owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("attached table %u no longer exists", source->relation)));
	db_become_restricted(owner, saved);
	db_set_plain_output();
	db_hide_settings();
}

/* For lead_source_user. */
typedef struct Meant
{
	const LeadSource *source;
	const char *text;
	const char *user_id;
} Meant;

static void
meant_body(void *arg)
{
	Meant	   *meant = arg;
	SavedUser	saved;
	LeadKey		key;

	become_reader(meant->source, &saved);
	lead_key_init(&key, meant->source->columns, meant->source->relation, LEAD_FIELD_USER_ID);
	meant->user_id = lead_user_meant(&key, meant->text);
	db_restore_user(&saved);
}

const char *
lead_source_user(const LeadSource *source, const char *text)
{
	Meant		meant = {source, text, NULL};

	return run_in_subtransaction(meant_body, &meant, CATCH_ALL) == 0 ? meant.user_id : NULL;
}

void
lead_source_same_ids(const LeadSource *source, char **ids, int n_ids,
					 char **asked, int n_asked, bool *is_asked)
{
	Datum	   *values = palloc(sizeof(Datum) * (n_ids + 1));
	bool	   *fits = palloc(n_ids + 1);
	LeadKeySet *set;
	SavedUser	saved;
	LeadKey		key;

	become_reader(source, &saved);
	lead_key_init(&key, source->columns, source->relation, LEAD_FIELD_ID);
	set = lead_key_set_make(&key);
	for (int i = 0; i < n_asked; i++)
		lead_key_set_add(set, asked[i], asked[i]);
	lead_keys_parse(&key, ids, n_ids, values, fits);
	for (int i = 0; i < n_ids; i++)
	{
		int			next = -1;

		is_asked[i] |= fits[i] && lead_key_set_find(set, values[i], &next) != NULL;
	}
	db_restore_user(&saved);
}

static void
note_spelled(const char *lead_id, const char *spelled, void *arg)
{
	*(char **) arg = pstrdup(spelled);
}

char *
lead_source_spelled_link(const LeadSource *source, const pg_uuid_t *integration, const char *account,
						 char *lead_id)
{
	SpelledLinks links = {integration, account, source->id, InvalidOid};
	char	   *spelled = NULL;
	LeadKey		key;

	lead_key_init(&key, source->columns, source->relation, LEAD_FIELD_ID);
	if (lead_key_may_be_respelled(&key, source->id_type) && lead_table_owner(source->relation, &links.owner))
		links_find_spelled(&links, &key, list_make1(lead_id), NULL, note_spelled, &spelled);
	return spelled;
}

/* For lead_source_try. */
typedef struct Attempt
{
	const LeadSource *source;
	LeadSourceBody body;
	void	   *arg;
} Attempt;

static void
attempt_body(void *arg)
{
	Attempt    *attempt = arg;

	attempt->body(attempt->source, attempt->arg);
}

bool
lead_source_try(const LeadSource *source, LeadSourceBody body, void *arg)
{
	Attempt		attempt = {source, body, arg};
	int			code = run_in_subtransaction(attempt_body, &attempt, CATCH_ALL);

	if (code == ERRCODE_LOCK_NOT_AVAILABLE)
		ereport(WARNING,
				(errcode(code),
				 errmsg("leads of table %u were left out: somebody holds a lock on it", source->relation),
				 errhint("Try again when it is let go.")));
	else if (code != 0)
		ereport(WARNING,
				(errmsg("leads of table %u could not be read and were left out", source->relation),
				 errdetail("SQLSTATE %s.", unpack_sql_state(code))));
	return code == 0;
}

LeadCursor *
lead_source_open(const LeadSource *source, const char *user_id, char **ids, int n_ids)
{
	LeadCursor *cursor = palloc0(sizeof(LeadCursor));
	int			n = ids != NULL ? n_ids : 1;
	char	  **users = palloc(sizeof(char *) * (n + 1));
	SavedUser	saved;

	for (int i = 0; i < n; i++)
		users[i] = unconstify(char *, user_id);
	cursor->source = source;
	cursor->user_id = user_id;
	if (!ConditionalLockRelationOid(source->relation, AccessShareLock))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("attached table %u is locked", source->relation)));
	become_reader(source, &saved);
	lead_query(&cursor->query, source->columns, source->relation, users, ids, n);
	if (cursor->query.n > 0)
		cursor->portal = SPI_cursor_open_with_args(NULL, cursor->query.sql, cursor->query.nargs,
												   cursor->query.types, cursor->query.values, NULL,
												   false, CURSOR_OPT_NO_SCROLL);
	db_restore_user(&saved);
	return cursor;
}

/* The lead of row number i, for read_lead. */
typedef struct ReadLead
{
	LeadQuery  *query;
	uint64		i;
	LeadRow    *row;
} ReadLead;

static void
read_lead(void *arg)
{
	ReadLead   *read = arg;
	CrmLead    *lead = lead_from_jsonb(lead_query_object(read->query, read->i));

	lead->id = read->row->id;
	lead->user_id = spi_text(read->i, LEAD_ROW_USER);
	read->row->lead = lead;
}

/* One that cannot be read is a lead all the same: the others go on. */
static LeadRow *
read_row(LeadCursor *cursor, uint64 i)
{
	int64		number = spi_int64(i, LEAD_ROW_NUMBER, 0);
	LeadRow    *row = palloc0(sizeof(LeadRow));
	ReadLead	read = {&cursor->query, i, row};

	row->asked = number > 0 ? cursor->query.asked[number - 1] : -1;
	row->id = spi_text(i, LEAD_ROW_ID);
	if (cursor->query.sure)
		read_lead(&read);
	else
		row->error = run_in_subtransaction(read_lead, &read, CATCH_ALL);
	return row;
}

List *
lead_source_fetch(LeadCursor *cursor, long count)
{
	List	   *rows = NIL;
	SavedUser	saved;

	cursor->ended = true;
	if (cursor->portal == NULL)
		return NIL;
	become_reader(cursor->source, &saved);
	SPI_cursor_fetch(cursor->portal, true, count);
	cursor->ended = SPI_processed == 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		if (spi_text(i, LEAD_ROW_ID) != NULL &&
			lead_query_is_of(&cursor->query, spi_text(i, LEAD_ROW_USER), cursor->user_id))
			rows = lappend(rows, read_row(cursor, i));
	}
	db_restore_user(&saved);
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

void
lead_source_close(LeadCursor *cursor)
{
	if (cursor->portal != NULL)
		SPI_cursor_close(cursor->portal);
}

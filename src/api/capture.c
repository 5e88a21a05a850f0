/*
 * capture.c
 *		The trigger of attached tables, and its buffer.
 *
 * Two triggers are on an attached table.  The row trigger (which PostgreSQL
 * clones to partitions, present and future, so that an INSERT straight into a
 * leaf fires it too) only notes the facts of a changed lead in a buffer.  The
 * statement trigger, which fires after all row triggers of the statement,
 * queues what was noted by the set.  A statement on a leaf has no statement
 * trigger: what it noted is queued by the next statement on the table, when
 * the buffer is full, or just before the commit.
 *
 * Savepoints: notes carry the nesting level at which they were made, and a
 * flush writes those of the current level only.  (Written inside a savepoint,
 * notes of an outer level would be lost with it.)  A savepoint that ends well
 * hands its notes to its parent; one that is rolled back drops them.
 *
 * Types of the table may be anybody's: their output functions and casts run
 * as the owner of the attached table, restricted, not as whoever fires the
 * trigger.  Not as a partition's owner either: a partition has its types from
 * the table, and may belong to a superuser who made it for somebody.
 *
 * Not here: the rule and the INSERT (enqueue.c).
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "api/capture.h"
#include "api/enqueue.h"
#include "db/lead_user.h"
#include "db/queue_find.h"
#include "config/settings.h"
#include "crm/phone.h"
#include "pg_compat.h"

PG_FUNCTION_INFO_V1(echosync_capture);

/* Notes gathered before they are written although the statement goes on. */
#define CAPTURE_FLUSH_NOTES 5000

/*
 * How much of a connection's queue is looked through for leads that are gone:
 * so many of its newest entries, and so many more for each of the leads.  That
 * is about a millisecond for one lead, whatever the backlog, and for many what
 * the rest of the trigger costs.
 */
#define CANCEL_LOOK_AT 10000
#define CANCEL_LOOK_AT_FOR_EACH 50

/* A mapped column of one relation. */
typedef struct CaptureColumn
{
	AttrNumber	attnum;
	Oid			type;
	FmgrInfo	output;
	FmgrInfo	to_jsonb;		/* of structured types only */
	bool		padded;			/* char(n): the cast to text strips the blanks */
	bool		structured;		/* an array, json, a composite: its text does
								 * not say what it means */
	int16		length;			/* as datum_image_eq wants them */
	bool		by_value;
	bool		plain;			/* equal values have one text, made without
								 * anybody's code */
} CaptureColumn;

/* What the trigger knows of one relation (table or partition). */
typedef struct CaptureRelation
{
	Oid			relid;			/* hash key */
	bool		valid;
	bool		incomplete;		/* a mapped column is gone: leave rules to the
								 * worker, which holds such leads */
	bool		structured;		/* a column of the rule is */
	bool		styled;			/* id or user is of a type whose text depends on
								 * settings */
	int			source_id;
	Oid			source;			/* the attached table: this one or an ancestor */
	MemoryContext context;
	CaptureColumn columns[LEAD_FIELD_COUNT][LEAD_COLUMNS_MAX];
	int			n_columns[LEAD_FIELD_COUNT];
	LeadKey		user;			/* says whose a row is */
	Datum		last_user;		/* of the row before, and its text; NULL: none */
	char	   *last_user_text;
} CaptureRelation;

/* One changed lead. */
typedef struct CaptureNote
{
	char	   *lead_id;
	char	   *user_id;
	int			source_id;
	int			nest_level;
	bool		gone;			/* deleted, or no longer this user's */
	bool		facts_known;
	LeadFacts	facts;
} CaptureNote;

/* What the calls of one statement for one relation need each time. */
typedef struct CaptureCall
{
	Oid			schema;
	CaptureRelation *entry;		/* NULL before the first */
} CaptureCall;

static HTAB *relations = NULL;

/* Calls of capture_row that have not returned; too many after an error. */
static int	rows_in_work = 0;

static MemoryContext notes_context = NULL;
static CaptureNote *notes = NULL;
static int	n_notes = 0;
static int	notes_capacity = 0;
static bool gone_noted = false; /* is a note among them that a lead is gone? */
static Oid	notes_schema = InvalidOid;

static Statement select_source = {
	.sql = "SELECT mapping, relation::pg_catalog.oid FROM @schema@.crm_lead_sources WHERE id = $1 AND attached",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/*
 * Cancel what waits for leads that are gone.  Rows that somebody else holds
 * (the worker, committing their outcome) are left to the worker, which finds
 * the lead gone by itself; so are rows of a run, whose count it keeps.
 */
static Statement cancel_rows = {
	.sql = "WITH held AS ("
	" SELECT q.integration_id, q.priority, q.id"
	" FROM unnest($1, $2, $3) k(integration_id, priority, id)"
	" JOIN @schema@.crm_sync_queue q USING (integration_id, priority, id)"
	" WHERE q.run_id IS NULL"
	" FOR UPDATE OF q SKIP LOCKED"
	"), cancelled AS ("
	" DELETE FROM @schema@.crm_sync_queue q USING held"
	" WHERE q.integration_id = held.integration_id AND q.priority = held.priority AND q.id = held.id"
	" RETURNING q.integration_id, q.user_id, q.lead_id, q.sync_type, q.queued_at"
	") INSERT INTO @schema@.crm_sync_logs"
	" (integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, queued_at)"
	" SELECT DISTINCT ON (c.integration_id, c.lead_id) c.integration_id, c.user_id, i.crm_type,"
	" c.lead_id, c.sync_type, 'none', 'skipped', 'lead_deleted', c.queued_at"
	" FROM cancelled c JOIN @schema@.crm_integrations i ON i.id = c.integration_id",
	.nargs = 3,
	.argtypes = {UUIDARRAYOID, INT2ARRAYOID, INT8ARRAYOID}
};

static void
relation_invalidate(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	CaptureRelation *entry;

	if (relations == NULL)
		return;
	hash_seq_init(&status, relations);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (relid == InvalidOid || entry->relid == relid)
			entry->valid = false;
	}
}

static void
relations_create(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(CaptureRelation);
	relations = hash_create("echosync captured relations", 16, &control,
							HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(relation_invalidate, (Datum) 0);
}

/* Is the relation the source's table or a partition of it? */
static bool
relation_is_of(Oid relid, Oid source)
{
	return relid == source ||
		(get_rel_relispartition(relid) &&
		 list_member_oid(get_partition_ancestors(relid), source));
}

/* The source's mapping; NULL when it is not attached, or is another's table. */
static LeadColumns *
load_mapping(int source_id, Oid relid, Oid *source)
{
	Datum		value = Int32GetDatum(source_id);
	LeadColumns *columns = NULL;
	MemoryContext caller = CurrentMemoryContext;
	SavedUser	saved;
	bool		isnull;

	/* What is kept must not be as old as this transaction may see things. */
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	db_become_owner(&saved);
	statement_execute(&select_source, &value, NULL, true, 1);
	db_restore_user(&saved);
	if (SPI_processed == 1)
		*source = DatumGetObjectId(spi_datum(0, 2, &isnull));
	if (SPI_processed == 1 && relation_is_of(relid, *source))
	{
		Jsonb	   *mapping = DatumGetJsonbP(spi_datum(0, 1, &isnull));
		MemoryContext spi = MemoryContextSwitchTo(caller);

		columns = lead_columns_from_jsonb(mapping);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	PopActiveSnapshot();
	return columns;
}

static bool
type_is_styled(Oid type)
{
	switch (getBaseType(type))
	{
		case BYTEAOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case FLOAT4OID:
		case FLOAT8OID:
			return true;
		default:
			return false;
	}
}

/* The usual types of a user's id. */
static bool
type_is_plain(Oid type)
{
	switch (getBaseType(type))
	{
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return true;
		default:
			return false;
	}
}

/* The fields that decide whether a lead is queued. */
static bool
field_of_rule(int field)
{
	return field == LEAD_FIELD_PHONE || field == LEAD_FIELD_EMAIL ||
		field == LEAD_FIELD_RISK_SCORE || field == LEAD_FIELD_DO_NOT_CONTACT ||
		field == LEAD_FIELD_DELETED_AT;
}

static bool
type_is_structured(Oid type)
{
	Oid			base = getBaseType(type);

	return OidIsValid(get_element_type(base)) || type_is_rowtype(base) ||
		base == JSONOID || base == JSONBOID;
}

/* to_jsonb(anyelement) asks its call for the argument's type. */
static void
prepare_to_jsonb(CaptureRelation *entry, CaptureColumn *column)
{
	MemoryContext caller = MemoryContextSwitchTo(entry->context);
	Param	   *argument = makeNode(Param);
	FuncExpr   *call;

	argument->paramkind = PARAM_EXTERN;
	argument->paramtype = column->type;
	argument->paramtypmod = -1;
	call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid, InvalidOid,
						COERCE_EXPLICIT_CALL);
	fmgr_info_cxt(F_TO_JSONB, &column->to_jsonb, entry->context);
	fmgr_info_set_expr((Node *) call, &column->to_jsonb);
	MemoryContextSwitchTo(caller);
}

static void
resolve_columns(CaptureRelation *entry, Relation rel, const LeadColumns *columns)
{
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		entry->n_columns[field] = 0;
		for (int i = 0; i < columns->n[field]; i++)
		{
			CaptureColumn *column = &entry->columns[field][entry->n_columns[field]];
			Oid			output;
			bool		varlena;

			column->attnum = get_attnum(entry->relid, columns->names[field][i]);
			if (column->attnum <= 0)
			{
				entry->incomplete = true;
				continue;
			}
			column->type = get_atttype(entry->relid, column->attnum);
			getTypeOutputInfo(column->type, &output, &varlena);
			fmgr_info_cxt(output, &column->output, entry->context);
			entry->styled |= (field == LEAD_FIELD_ID || field == LEAD_FIELD_USER_ID) &&
				type_is_styled(column->type);
			column->padded = getBaseType(column->type) == BPCHAROID;
			column->structured = type_is_structured(column->type);
			column->plain = type_is_plain(column->type);
			get_typlenbyval(column->type, &column->length, &column->by_value);
			entry->structured |= column->structured && field_of_rule(field);
			prepare_to_jsonb(entry, column);
			entry->n_columns[field]++;
		}
	}
	if (entry->n_columns[LEAD_FIELD_ID] == 0 || entry->n_columns[LEAD_FIELD_USER_ID] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the lead's id or user column of \"%s\" no longer exists",
						RelationGetRelationName(rel)),
				 errhint("Call echosync_attach_leads() again with the table's present columns, or echosync_detach_leads().")));
	if (entry->incomplete)
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("a column of \"%s\" that echosync reads no longer exists",
						RelationGetRelationName(rel)),
				 errdetail("Leads are queued and held back."),
				 errhint("Call echosync_attach_leads() again with the table's present columns.")));
}

/*
 * A memory context for the entry, empty.  What it held stays until the
 * transaction ends where a row is being read: a cast of the table's owner has
 * brought us here, and the entry is in use.
 */
static void
relation_empty(CaptureRelation *entry)
{
	if (entry->context != NULL && rows_in_work > 0)
	{
		MemoryContextSetParent(entry->context, TopTransactionContext);
		entry->context = NULL;
	}
	if (entry->context != NULL)
		MemoryContextReset(entry->context);
	else
		entry->context = AllocSetContextCreate(CacheMemoryContext, "echosync capture",
											   ALLOCSET_SMALL_SIZES);
}

static CaptureRelation *
relation_lookup(TriggerData *trigdata, CaptureCall *call)
{
	Relation	rel = trigdata->tg_relation;
	Oid			relid = RelationGetRelid(rel);
	CaptureRelation *entry = call->entry;
	LeadColumns *columns;
	bool		found;

	if (entry != NULL && entry->valid && entry->relid == relid)
		return entry;
	if (relations == NULL)
		relations_create();
	entry = call->entry = hash_search(relations, &relid, HASH_ENTER, &found);
	if (found && entry->valid)
		return entry;
	if (!found)
		entry->context = NULL;
	entry->valid = false;
	entry->incomplete = false;
	entry->structured = entry->styled = false;
	entry->last_user_text = NULL;
	relation_empty(entry);
	if (trigdata->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" was not made by echosync_attach_leads()",
						trigdata->tg_trigger->tgname)));
	entry->source_id = pg_strtoint32(trigdata->tg_trigger->tgargs[0]);
	columns = load_mapping(entry->source_id, relid, &entry->source);
	if (columns == NULL)
		return NULL;
	resolve_columns(entry, rel, columns);
	lead_key_init(&entry->user, columns, relid, LEAD_FIELD_USER_ID);
	entry->user.column = NULL;	/* it goes with the mapping */
	entry->valid = true;
	return entry;
}

/* Text of a field's first column, NULL if null or not mapped. */
static char *
field_text(CaptureRelation *entry, TupleTableSlot *slot, LeadField field, int i)
{
	CaptureColumn *column = &entry->columns[field][i];
	Datum		value;
	bool		isnull;
	char	   *text;

	if (i >= entry->n_columns[field])
		return NULL;
	value = slot_getattr(slot, column->attnum, &isnull);
	if (isnull)
		return NULL;
	text = OutputFunctionCall(&column->output, value);
	if (column->padded)
		text[bpchartruelen(text, strlen(text))] = '\0';
	return text;
}

/*
 * Text of the row's user.  Rows of one user come together, mostly: the text of
 * the row before is kept.  Not for a row that a cast of another one writes,
 * which would take that one's away, nor one whose value is stored elsewhere and
 * may be gone when it is compared.
 */
static char *
user_text(CaptureRelation *entry, TupleTableSlot *slot)
{
	CaptureColumn *column = &entry->columns[LEAD_FIELD_USER_ID][0];
	MemoryContext caller;
	Datum		value;
	bool		isnull;

	if (!column->plain || rows_in_work > 1)
		return field_text(entry, slot, LEAD_FIELD_USER_ID, 0);
	value = slot_getattr(slot, column->attnum, &isnull);
	if (isnull)
		return NULL;
	if (column->length == -1 && (VARATT_IS_EXTERNAL(DatumGetPointer(value)) ||
								 VARATT_IS_COMPRESSED(DatumGetPointer(value))))
		return field_text(entry, slot, LEAD_FIELD_USER_ID, 0);
	if (entry->last_user_text != NULL)
	{
		if (datum_image_eq(value, entry->last_user, column->by_value, column->length))
			return entry->last_user_text;
		pfree(entry->last_user_text);
		entry->last_user_text = NULL;
		if (!column->by_value)
			pfree(DatumGetPointer(entry->last_user));
	}
	caller = MemoryContextSwitchTo(entry->context);
	entry->last_user = datumCopy(value, column->by_value, column->length);
	entry->last_user_text = OutputFunctionCall(&column->output, value);
	MemoryContextSwitchTo(caller);
	return entry->last_user_text;
}

/* The connected user whose row it is; NULL: nobody's. */
static const char *
row_user(CaptureRelation *entry, TupleTableSlot *slot)
{
	const char *text = user_text(entry, slot);

	if (text != NULL && targets_of_user(text)->n == 0)
		text = lead_user_spelled(&entry->user, text);
	return text;
}

static bool
field_is_set(CaptureRelation *entry, TupleTableSlot *slot, LeadField field)
{
	for (int i = 0; i < entry->n_columns[field]; i++)
	{
		CaptureColumn *column = &entry->columns[field][i];
		char	   *text;

		if (column->type == BOOLOID)
		{
			bool		isnull;
			Datum		value = slot_getattr(slot, column->attnum, &isnull);

			if (!isnull && DatumGetBool(value))
				return true;
			continue;
		}
		text = field_text(entry, slot, field, i);
		if (text != NULL && lead_text_is_true(text))
			return true;
	}
	return false;
}

static void
push_jsonb(JsonbInState *state, JsonbIteratorToken token, Jsonb *value)
{
	JsonbValue	pushed;

	if (value == NULL)
		pushed.type = jbvNull;
	else if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &pushed))
	{
		pushed.type = jbvBinary;
		pushed.val.binary.data = &value->root;
		pushed.val.binary.len = VARSIZE(value) - VARHDRSZ;
	}
	pushJsonbValue(state, token, &pushed);
}

static Jsonb *
column_jsonb(CaptureColumn *column, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column->attnum, &isnull);

	return isnull ? NULL : DatumGetJsonbP(FunctionCall1(&column->to_jsonb, value));
}

/*
 * The facts of a row with a structured column (a list of e-mails, say): read
 * as the worker will, from JSON.
 */
static void
gather_structured_facts(CaptureRelation *entry, TupleTableSlot *slot, LeadFacts *facts)
{
	JsonbInState state = {0};

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		JsonbValue	key;
		bool		list = entry->n_columns[field] > 1;

		if (entry->n_columns[field] == 0 || !field_of_rule(field))
			continue;
		key.type = jbvString;
		key.val.string.val = unconstify(char *, lead_field_names[field]);
		key.val.string.len = strlen(lead_field_names[field]);
		pushJsonbValue(&state, WJB_KEY, &key);
		if (list)
			pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		for (int i = 0; i < entry->n_columns[field]; i++)
			push_jsonb(&state, list ? WJB_ELEM : WJB_VALUE,
					   column_jsonb(&entry->columns[field][i], slot));
		if (list)
			pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	*facts = lead_facts(lead_from_jsonb(JsonbValueToJsonb(state.result)));
}

static bool
has_phone(CaptureRelation *entry, TupleTableSlot *slot)
{
	char	   *phone = field_text(entry, slot, LEAD_FIELD_PHONE, 0);
	char		key[PHONE_MAX_LEN];

	return phone != NULL && phone_key(phone, strlen(phone), key);
}

static bool
has_email(CaptureRelation *entry, TupleTableSlot *slot)
{
	char	   *email = field_text(entry, slot, LEAD_FIELD_EMAIL, 0);

	return email != NULL && lead_email(email) != NULL;
}

static void
gather_facts(CaptureRelation *entry, TupleTableSlot *slot, LeadFacts *facts)
{
	char	   *score;

	memset(facts, 0, sizeof(*facts));
	if (entry->structured)
	{
		gather_structured_facts(entry, slot, facts);
		return;
	}
	facts->deleted = field_is_set(entry, slot, LEAD_FIELD_DELETED_AT);
	facts->do_not_contact = field_is_set(entry, slot, LEAD_FIELD_DO_NOT_CONTACT);
	facts->has_contact_key = has_phone(entry, slot) || has_email(entry, slot);
	score = field_text(entry, slot, LEAD_FIELD_RISK_SCORE, 0);
	facts->has_risk_score = score != NULL && lead_text_to_score(score, &facts->risk_score);
}

static bool
column_differs(TupleTableSlot *old, TupleTableSlot *new, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(new->tts_tupleDescriptor, attnum - 1);
	bool		old_null,
				new_null;
	Datum		old_value = slot_getattr(old, attnum, &old_null);
	Datum		new_value = slot_getattr(new, attnum, &new_null);

	if (old_null || new_null)
		return old_null != new_null;

	/* An update keeps what is stored elsewhere as it is, and need not fetch it. */
	if (att->attlen == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(old_value)) &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(new_value)) &&
		memcmp(DatumGetPointer(old_value), DatumGetPointer(new_value), TOAST_POINTER_SIZE) == 0)
		return false;
	return !datum_image_eq(old_value, new_value, att->attbyval, att->attlen);
}

static bool
field_differs(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new, LeadField field)
{
	for (int i = 0; i < entry->n_columns[field]; i++)
	{
		if (column_differs(old, new, entry->columns[field][i].attnum))
			return true;
	}
	return false;
}

static bool
lead_differs(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new)
{
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (field_differs(entry, old, new, field))
			return true;
	}
	return false;
}

static CaptureNote *
note_add(void)
{
	if (notes_context == NULL)
	{
		notes_context = AllocSetContextCreate(TopTransactionContext, "echosync notes",
											  ALLOCSET_DEFAULT_SIZES);
		notes_capacity = 16;
		notes = MemoryContextAlloc(notes_context, notes_capacity * sizeof(CaptureNote));
	}
	if (n_notes == notes_capacity)
	{
		notes_capacity *= 2;
		notes = repalloc(notes, notes_capacity * sizeof(CaptureNote));
	}
	memset(&notes[n_notes], 0, sizeof(CaptureNote));
	return &notes[n_notes++];
}

/* The user of the newest note, whose predecessor is of the same user, mostly. */
static char *
note_user(const char *user_id)
{
	if (n_notes > 1 && strcmp(notes[n_notes - 2].user_id, user_id) == 0)
		return notes[n_notes - 2].user_id;
	return MemoryContextStrdup(notes_context, user_id);
}

/*
 * Does anybody want to know?  Where no connection of the user syncs by itself,
 * that a lead is there matters only to a note that it is gone (drop_moved).
 */
static bool
note_is_wanted(const char *user_id, bool gone)
{
	const TargetList *list = targets_of_user(user_id);

	return list->n > 0 && (gone || gone_noted || list->auto_sync);
}

/*
 * Note one version of a row.  Leads without id or user cannot be anybody's, and
 * those of a user without a connection cost no more than this look.
 */
static void
note_lead(CaptureRelation *entry, TupleTableSlot *slot, bool gone)
{
	const char *user_id = row_user(entry, slot);
	char	   *lead_id;
	LeadFacts	facts = {0};
	CaptureNote *note;

	if (user_id == NULL || !note_is_wanted(user_id, gone))
		return;
	lead_id = field_text(entry, slot, LEAD_FIELD_ID, 0);
	if (lead_id == NULL)
		return;

	/* Before the note is made: a cast may write leads, and so add and flush notes. */
	if (!gone)
		gather_facts(entry, slot, &facts);
	note = note_add();
	note->lead_id = MemoryContextStrdup(notes_context, lead_id);
	note->user_id = note_user(user_id);
	note->source_id = entry->source_id;
	note->nest_level = GetCurrentTransactionNestLevel();
	note->gone = gone;
	gone_noted |= gone;
	note->facts_known = !entry->incomplete;
	note->facts = facts;
}

static void
note_update(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new)
{
	if (!lead_differs(entry, old, new))
		return;
	if (field_differs(entry, old, new, LEAD_FIELD_USER_ID) ||
		field_differs(entry, old, new, LEAD_FIELD_ID))
		note_lead(entry, old, true);
	if (!field_is_set(entry, new, LEAD_FIELD_DELETED_AT))
		note_lead(entry, new, false);
	else if (!field_is_set(entry, old, LEAD_FIELD_DELETED_AT))
		note_lead(entry, new, true);
}

/*
 * May a new row be passed over at the first look?  Its user's id is of a type
 * that nobody's code belongs to, so it is read without becoming the owner.
 */
static bool
row_is_nobodys(TriggerData *trigdata, CaptureRelation *entry)
{
	const char *user_id;

	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) || rows_in_work > 0 ||
		!entry->columns[LEAD_FIELD_USER_ID][0].plain)
		return false;
	user_id = row_user(entry, trigdata->tg_trigslot);
	return user_id == NULL || !note_is_wanted(user_id, false);
}

static void
capture_row(TriggerData *trigdata, CaptureCall *call)
{
	CaptureRelation *entry = relation_lookup(trigdata, call);
	Oid			owner;
	SavedUser	saved;

	if (entry == NULL || row_is_nobodys(trigdata, entry) ||
		!lead_table_owner(entry->source, &owner))
		return;
	rows_in_work++;
	db_become_restricted(owner, &saved);
	if (entry->styled)
		db_set_plain_output();
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		note_update(entry, trigdata->tg_trigslot, trigdata->tg_newslot);
	else
		note_lead(entry, trigdata->tg_trigslot,
				  TRIGGER_FIRED_BY_DELETE(trigdata->tg_event));
	db_restore_user(&saved);
	rows_in_work--;
}

/* Is there a later note that the lead (of the same user) lives? */
static uint64
note_hash(const CaptureNote *note)
{
	return hash_combine64(hash_bytes_extended((const unsigned char *) note->lead_id,
											  strlen(note->lead_id), 0),
						  hash_bytes_extended((const unsigned char *) note->user_id,
											  strlen(note->user_id), note->source_id));
}

/*
 * A row that moved between partitions is deleted and inserted: drop "gone"
 * notes of leads that a later note of the set shows to be there.
 */
static void
drop_moved(CaptureNote *set, int n)
{
	HASHCTL		control = {0};
	HTAB	   *alive = NULL;

	for (int i = n - 1; i >= 0; i--)
	{
		uint64		hash = note_hash(&set[i]);

		if (alive == NULL)
		{
			control.keysize = sizeof(uint64);
			control.entrysize = sizeof(uint64);
			control.hcxt = CurrentMemoryContext;
			alive = hash_create("echosync notes alive", n, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		}
		if (!set[i].gone)
			(void) hash_search(alive, &hash, HASH_ENTER, NULL);
		else if (hash_search(alive, &hash, HASH_FIND, NULL) != NULL)
			set[i].lead_id = NULL;
	}
	hash_destroy(alive);
}

/* Notes of one user, for one of its connections. */
static void
queue_run(Enqueue *enqueue, const Target *target, const CaptureNote *run, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!run[i].gone)
			(void) enqueue_lead(enqueue, target, run[i].lead_id, run[i].source_id,
								run[i].facts_known ? &run[i].facts : NULL, (Datum) 0);
	}
}

static void
queue_changed(const CaptureNote *set, int n)
{
	Enqueue    *enqueue = enqueue_begin("auto", 0, 0);
	int			end;

	for (int first = 0; first < n; first = end)
	{
		const TargetList *list = targets_of_user(set[first].user_id);

		end = first + 1;
		while (end < n && set[end].user_id == set[first].user_id)
			end++;
		for (int t = 0; t < list->n; t++)
		{
			if (list->targets[t].settings->auto_sync)
				queue_run(enqueue, &list->targets[t], set + first, end - first);
		}
	}
	enqueue_write(enqueue);
}

/* Rows that are to be cancelled, and whose are being looked for. */
typedef struct Cancelled
{
	pg_uuid_t	integration;
	int			source_id;
	RowSet	   *rows;			/* integration, priority, id */
} Cancelled;

static void
cancel_row(const QueueFound *row, void *arg)
{
	Cancelled  *cancelled = arg;

	if (row->source_id != cancelled->source_id)
		return;
	rowset_row(cancelled->rows);
	rowset_uuid(cancelled->rows, cancelled->integration.data);
	rowset_int2(cancelled->rows, row->priority);
	rowset_int8(cancelled->rows, row->id);
}

/* Find what waits for leads of one user and source, with each connection. */
static void
find_gone(CaptureNote **gone, int n, Cancelled *cancelled)
{
	const TargetList *list = targets_of_user(gone[0]->user_id);
	int			n_targets = list->n;
	pg_uuid_t  *integrations = palloc(sizeof(pg_uuid_t) * (n_targets + 1));
	LeadSet    *leads = lead_set_make();

	/* The list may be gone when tables are opened. */
	for (int t = 0; t < n_targets; t++)
		memcpy(integrations[t].data, list->targets[t].id, UUID_LEN);
	for (int i = 0; i < n; i++)
		lead_set_add(leads, gone[i]->lead_id);
	cancelled->source_id = gone[0]->source_id;
	for (int t = 0; t < n_targets; t++)
	{
		cancelled->integration = integrations[t];
		queue_find_newest(&integrations[t], leads,
						  CANCEL_LOOK_AT + (int64) n * CANCEL_LOOK_AT_FOR_EACH,
						  cancel_row, cancelled);
	}
}

static int
compare_notes(const void *a, const void *b)
{
	const CaptureNote *one = *(CaptureNote *const *) a;
	const CaptureNote *other = *(CaptureNote *const *) b;

	if (one->source_id != other->source_id)
		return one->source_id < other->source_id ? -1 : 1;
	return one->user_id == other->user_id ? 0 : strcmp(one->user_id, other->user_id);
}

/* The notes that a lead is gone, those of one user and source together. */
static int
sort_gone(CaptureNote *set, int n, CaptureNote **gone)
{
	int			n_gone = 0;

	for (int i = 0; i < n; i++)
	{
		if (set[i].gone && set[i].lead_id != NULL)
			gone[n_gone++] = &set[i];
	}
	qsort(gone, n_gone, sizeof(CaptureNote *), compare_notes);
	return n_gone;
}

/*
 * Cancel what waits for leads that are gone, as far as it is found.  The newest
 * first: to the oldest the worker comes soon, and finds their leads gone.
 */
static void
cancel_deleted(CaptureNote *set, int n)
{
	CaptureNote **gone;
	int			n_gone = 0;
	int			end;
	Cancelled	cancelled;
	SavedUser	saved;

	for (int i = 0; i < n; i++)
		n_gone += set[i].gone;
	if (n_gone == 0)
		return;
	if (n_gone < n)
		drop_moved(set, n);
	gone = palloc(n_gone * sizeof(CaptureNote *));
	n_gone = sort_gone(set, n, gone);
	cancelled.rows = rowset_make(3, (Oid[]) {UUIDOID, INT2OID, INT8OID});
	for (int first = 0; first < n_gone; first = end)
	{
		end = first + 1;
		while (end < n_gone && compare_notes(&gone[first], &gone[end]) == 0)
			end++;
		find_gone(gone + first, end - first, &cancelled);
	}
	if (cancelled.rows->n_rows == 0)
		return;
	SPI_connect();
	db_become_owner(&saved);
	rowset_execute(cancelled.rows, &cancel_rows);
	db_restore_user(&saved);
	SPI_finish();
}

/*
 * Take the notes from number first on out of the buffer, before anything is done
 * with them: what is done may write leads, and so note and flush (a trigger that
 * somebody has put on the log, say).  The caller's memory context gets a child
 * that they and what is made of them live in; it is deleted with them.
 */
static MemoryContext
take_notes(int first, CaptureNote **set)
{
	MemoryContext context = notes_context;
	int			n = n_notes - first;

	n_notes = first;
	if (first == 0)
	{
		*set = notes;
		notes_context = NULL;
		gone_noted = false;
		MemoryContextSetParent(context, CurrentMemoryContext);
		return context;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "echosync flush", ALLOCSET_DEFAULT_SIZES);
	*set = MemoryContextAlloc(context, n * sizeof(CaptureNote));
	memcpy(*set, notes + first, n * sizeof(CaptureNote));
	return context;
}

/* Write the notes of the current nesting level. */
static void
capture_flush(void)
{
	int			level = GetCurrentTransactionNestLevel();
	int			first = n_notes;
	int			n;
	CaptureNote *set;
	MemoryContext context;
	MemoryContext caller;

	while (first > 0 && notes[first - 1].nest_level == level)
		first--;
	n = n_notes - first;
	if (n == 0)
		return;
	context = take_notes(first, &set);
	caller = MemoryContextSwitchTo(context);
	db_use_schema(notes_schema);
	cancel_deleted(set, n);
	queue_changed(set, n);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

static CaptureCall *
capture_call(FmgrInfo *function)
{
	CaptureCall *call = function->fn_extra;

	if (call == NULL)
	{
		call = MemoryContextAllocZero(function->fn_mcxt, sizeof(CaptureCall));
		call->schema = get_func_namespace(function->fn_oid);
		function->fn_extra = call;
	}
	return call;
}

/*
 * A row that moves to another partition is deleted there and inserted here, one
 * right after the other: drop_moved must meet both notes.
 */
static bool
may_be_second_half(TriggerData *trigdata)
{
	return TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) && notes[n_notes - 1].gone;
}

Datum
echosync_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	CaptureCall *call;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("echosync_capture() is called as an AFTER trigger only")));
	if (!echosync_capture_enabled)
		PG_RETURN_POINTER(NULL);

	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
	{
		capture_flush();
		PG_RETURN_POINTER(NULL);
	}
	call = capture_call(fcinfo->flinfo);
	notes_schema = call->schema;
	db_use_schema(notes_schema);
	if (n_notes >= CAPTURE_FLUSH_NOTES && !may_be_second_half(trigdata))
		capture_flush();
	capture_row(trigdata, call);
	PG_RETURN_POINTER(NULL);
}

/*
 * A flush may write leads, see take_notes.  Where this transaction has dropped
 * the extension, nobody wants to know any more.
 */
static void
capture_before_commit(void)
{
	while (n_notes > 0)
	{
		if (!OidIsValid(db_extension_schema()))
			return;
		PushActiveSnapshot(GetTransactionSnapshot());
		capture_flush();
		PopActiveSnapshot();
	}
}

static void
capture_at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			capture_before_commit();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			n_notes = rows_in_work = 0;
			gone_noted = false;
			notes_context = NULL;	/* gone with TopTransactionContext */
			break;
		default:
			break;
	}
}

static void
capture_at_subtransaction_end(SubXactEvent event, SubTransactionId mine,
							  SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (n_notes > 0 && notes[n_notes - 1].nest_level >= level)
			n_notes--;
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = n_notes - 1; i >= 0 && notes[i].nest_level >= level; i--)
			notes[i].nest_level = level - 1;
	}
}

void
capture_install_callbacks(void)
{
	RegisterXactCallback(capture_at_transaction_end, NULL);
	RegisterSubXactCallback(capture_at_subtransaction_end, NULL);
}

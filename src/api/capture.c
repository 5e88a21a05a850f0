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
 * Not here: what is known of a table (capture_relation.c), reading its rows
 * (capture_row.c), cancelling (capture_cancel.c), the rule and the INSERT
 * (enqueue.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "api/capture.h"
#include "api/capture_note.h"
#include "api/capture_row.h"
#include "api/enqueue.h"
#include "config/settings.h"
#include "db/subtransaction.h"

PG_FUNCTION_INFO_V1(echosync_capture);

/* Notes gathered before they are written although the statement goes on. */
#define CAPTURE_FLUSH_NOTES 5000

/* What the calls of one statement for one relation need each time. */
typedef struct CaptureCall
{
	Oid			schema;
	CaptureRelation *entry;		/* NULL before the first */
} CaptureCall;

/* Calls of capture_row that have not returned; too many after an error. */
static int	rows_in_work = 0;

static MemoryContext notes_context = NULL;
static CaptureNote *notes = NULL;
static int	n_notes = 0;
static int	notes_capacity = 0;
static bool gone_noted = false; /* is a note among them that a lead is gone? */
static Oid	notes_schema = InvalidOid;

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
 * that a lead is there matters only to a note that it is gone (capture_cancel).
 */
static bool
note_is_wanted(const char *user_id, bool gone)
{
	const TargetList *list = targets_of_user(user_id);

	return list->n > 0 && (gone || gone_noted || list->auto_sync || list->has_gaps);
}

/* Was a row of this transaction's passed over for any of the user's connections? */
static bool
was_missed(const char *user_id, TransactionId xmin)
{
	const TargetList *list = targets_of_user(user_id);

	for (int i = 0; i < list->n; i++)
	{
		if (target_missed(&list->targets[i], false, xmin) || target_missed(&list->targets[i], true, xmin))
			return true;
	}
	return false;
}

/* A row that the trigger has fired for. */
typedef struct CapturedRow
{
	TriggerData *trigdata;
	CaptureRelation *entry;
	bool		sure;			/* are its values read, those of the rule? */
	TransactionId unchanged_since;	/* CaptureNote's */
} CapturedRow;

static const char *
row_user(const CapturedRow *row, TupleTableSlot *slot)
{
	return capture_row_user(row->entry, slot, rows_in_work <= 1);
}

/*
 * Note one version of a row.  Leads without id or user cannot be anybody's, and
 * those of a user without a connection cost no more than this look.
 */
static void
note_lead(const CapturedRow *row, TupleTableSlot *slot, bool gone)
{
	const char *user_id = row_user(row, slot);
	char	   *lead_id;
	LeadFacts	facts = {0};
	CaptureNote *note;

	if (user_id == NULL || !note_is_wanted(user_id, gone))
		return;
	if (TransactionIdIsValid(row->unchanged_since) && !was_missed(user_id, row->unchanged_since))
		return;
	lead_id = capture_row_id(row->entry, slot);
	if (lead_id == NULL)
		return;

	/* Before the note is made: a cast may write leads, and so add and flush notes. */
	if (!gone && row->sure)
		capture_row_facts(row->entry, slot, &facts);
	note = note_add();
	note->lead_id = MemoryContextStrdup(notes_context, lead_id);
	note->user_id = note_user(user_id);
	note->source_id = row->entry->source_id;
	note->nest_level = GetCurrentTransactionNestLevel();
	note->gone = gone;
	note->unchanged_since = row->unchanged_since;
	gone_noted |= gone;
	note->facts_known = row->sure && !row->entry->blind;
	note->facts = facts;
}

/*
 * A lead whose mapped columns say what they said before.  If a connection has not seen who wrote
 * these, and the worker looks for such rows, it would find this version, whose writer
 * has seen the connection, and pass it over.
 */
static void
note_unchanged(const CapturedRow *row, TupleTableSlot *new)
{
	CapturedRow unchanged = *row;

	if (!targets_have_gaps())
		return;
	unchanged.unchanged_since = HeapTupleHeaderGetXmin(row->trigdata->tg_trigtuple->t_data);
	if (TransactionIdIsNormal(unchanged.unchanged_since))
		note_lead(&unchanged, new, false);
}

static void
note_update(const CapturedRow *row, TupleTableSlot *old, TupleTableSlot *new)
{
	CaptureRelation *entry = row->entry;

	if (!capture_row_differs(entry, old, new) || (row->sure && capture_row_means_same(entry, old, new)))
	{
		note_unchanged(row, new);
		return;
	}
	if (capture_row_field_differs(entry, old, new, LEAD_FIELD_USER_ID) ||
		capture_row_field_differs(entry, old, new, LEAD_FIELD_ID))
		note_lead(row, old, true);
	if (!row->sure || !capture_row_is_deleted(entry, new) || capture_row_is_opted_out(entry, new))
		note_lead(row, new, false); /* "stop, and forget me": the flag goes before the deletion */
	else if (!capture_row_is_deleted(entry, old))
		note_lead(row, new, true);
}

static void
note_row(void *arg)
{
	const CapturedRow *row = arg;
	TriggerData *trigdata = row->trigdata;

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		note_update(row, trigdata->tg_trigslot, trigdata->tg_newslot);
	else
		note_lead(row, trigdata->tg_trigslot, TRIGGER_FIRED_BY_DELETE(trigdata->tg_event));
}

/* Returns the SQLSTATE if it failed, else 0. */
static int
try_row(CapturedRow *row)
{
	int			in_work = rows_in_work;
	int			code = run_in_subtransaction(note_row, row, CATCH_ALL_BUT_SERVERS);

	rows_in_work = in_work;
	return code;
}

/*
 * A value that cannot be read (json with an escape that is no character, a cast
 * that fails) is not for the application's statement to fail of: the lead is
 * queued without the rule being asked, and the worker says what is wrong with it.
 * Where its id or user is such a value, only a warning can.  What the server is short
 * of, a lock among it, is no fault of a value.
 */
static void
note_row_of(CapturedRow *row)
{
	int			code;

	if (row->entry->sure)
	{
		note_row(row);
		return;
	}
	if (try_row(row) == 0)
		return;
	row->sure = false;
	code = try_row(row);
	if (code != 0)
		ereport(WARNING,
				(errcode(code),
				 errmsg("a lead of \"%s\" was not captured: its row could not be read",
						RelationGetRelationName(row->trigdata->tg_relation)),
				 errdetail("SQLSTATE %s.", unpack_sql_state(code))));
}

/*
 * May a new row be passed over at the first look?  Its user's id is of a type
 * that nobody's code belongs to, so it is read without becoming the owner.
 */
static bool
row_is_nobodys(const CapturedRow *row)
{
	const char *user_id;

	if (!TRIGGER_FIRED_BY_INSERT(row->trigdata->tg_event) || rows_in_work > 0 ||
		!capture_row_user_is_plain(row->entry))
		return false;
	user_id = row_user(row, row->trigdata->tg_trigslot);
	return user_id == NULL || !note_is_wanted(user_id, false);
}

static CaptureRelation *
find_relation(TriggerData *trigdata, CaptureCall *call)
{
	CaptureRelation *entry = call->entry;

	if (entry == NULL || !entry->valid || entry->relid != RelationGetRelid(trigdata->tg_relation) ||
		entry->trigger != trigdata->tg_trigger->tgoid)
		entry = call->entry = capture_relation(trigdata->tg_relation, trigdata->tg_trigger, rows_in_work == 0);
	return entry;
}

static void
capture_row(TriggerData *trigdata, CaptureCall *call)
{
	CapturedRow row = {trigdata, find_relation(trigdata, call), true, InvalidTransactionId};
	Oid			owner;
	SavedUser	saved;

	if (!row.entry->captured || row_is_nobodys(&row) ||
		!lead_table_owner(row.entry->source, &owner))
		return;
	rows_in_work++;
	db_become_restricted(owner, &saved);
	if (row.entry->styled)
		db_set_plain_output();
	note_row_of(&row);
	db_restore_user(&saved);
	rows_in_work--;
}

/* Does the connection want to know of it: of a change by itself, of what it missed as the gap says? */
static bool
target_wants(const Target *target, const CaptureNote *note, bool manual)
{
	if (note->gone)
		return false;
	if (TransactionIdIsValid(note->unchanged_since))
		return target_missed(target, manual, note->unchanged_since);
	return !manual && target->settings->auto_sync;
}

/* Notes of one user, for one of its connections. */
static void
queue_run(Enqueue *enqueue, const Target *target, bool manual, const CaptureNote *run, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (target_wants(target, &run[i], manual))
			(void) enqueue_lead(enqueue, target, run[i].lead_id, run[i].source_id,
								run[i].facts_known ? &run[i].facts : NULL, (Datum) 0);
	}
}

static void
queue_changed(const CaptureNote *set, int n)
{
	Enqueue    *changed = enqueue_begin("auto", 0, 0);
	Enqueue    *asked_for = enqueue_begin("manual", 1, 0);
	int			end;

	for (int first = 0; first < n; first = end)
	{
		const TargetList *list = targets_of_user(set[first].user_id);

		end = first + 1;
		while (end < n && set[end].user_id == set[first].user_id)
			end++;
		for (int t = 0; t < list->n; t++)
		{
			queue_run(changed, &list->targets[t], false, set + first, end - first);
			if (list->has_gaps)
				queue_run(asked_for, &list->targets[t], true, set + first, end - first);
		}
	}
	enqueue_write(changed);
	enqueue_write(asked_for);
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
	capture_cancel(set, n);
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
		/*
		 * A statement that began before somebody connected may have taken all its
		 * locks before, and would not hear of it; its transaction may be younger
		 * than those that the connection's gap is of (db/gap.h).
		 */
		AcceptInvalidationMessages();
		call = MemoryContextAllocZero(function->fn_mcxt, sizeof(CaptureCall));
		call->schema = get_func_namespace(function->fn_oid);
		function->fn_extra = call;
	}
	return call;
}

/*
 * A row that moves to another partition is deleted there and inserted here, one
 * right after the other: capture_cancel must meet both notes.
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

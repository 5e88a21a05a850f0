/*
 * table_insert.c
 *		Inserting rows as COPY does: many tuples at a time into the heap, then
 *		into the indexes.
 *
 * Why not INSERT: these are the rows that every lead brings, within a statement
 * of the application or in the worker's loop.  Planning is saved either way;
 * what counts is the executor's cost a row, and one WAL record a page instead
 * of one a row.
 *
 * What the executor would check is ensured here instead, by the code that fills
 * the set: the columns' types, NOT NULLs and CHECKs.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "db/table_insert.h"
#include "pg_compat.h"

#define INSERT_BATCH 500

/* Of fewer rows than this, the pages are better found where there is room. */
#define BULK_ROWS 100

static TableInsert *known = NULL;	/* whose layouts have been found */
static uint64 n_changes = 0;	/* that have been told of */

/* The table while rows are inserted. */
typedef struct Insertion
{
	const TableInsert *target;
	Relation	rel;
	TimestampTz now;
	EState	   *estate;
	ResultRelInfo *result;
	BulkInsertState bulk;
} Insertion;

/*
 * By the relation's descriptor: a syscache look-up for each costs ten times as
 * much.  Sets have their columns in the table's order, for the most part, so the
 * one after the last that was found is looked at first.
 */
static AttrNumber
column_number(Relation rel, const char *name, AttrNumber last)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		int			number = (last + i) % desc->natts;
		Form_pg_attribute attribute = TupleDescAttr(desc, number);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return number + 1;
	}
	elog(ERROR, "%s has not the columns of this version", RelationGetRelationName(rel));
}

/*
 * An executor's state is what expressions and predicates of indexes run in, and
 * costs as much as a row.
 */
static bool
needs_state(const ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		const IndexInfo *info = result->ri_IndexRelationInfo[i];

		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL || info->ii_ExclusionOps != NULL)
			return true;
	}
	return false;
}

static void
layout_invalidate(Datum arg, Oid relid)
{
	n_changes++;
	for (TableInsert *target = known; target != NULL; target = target->next)
	{
		if (relid == InvalidOid || relid == target->layout.table || relid == target->layout.sequence)
			target->layout.valid = false;
	}
}

static void
know(TableInsert *target)
{
	if (known == NULL)
		CacheRegisterRelcacheCallback(layout_invalidate, (Datum) 0);
	for (TableInsert *other = known; other != NULL; other = other->next)
	{
		if (other == target)
			return;
	}
	target->next = known;
	known = target;
}

static bool
is_plain_table(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION;
}

/* What changes while we look is looked for again the next time. */
static void
find_layout(TableInsert *target, Relation rel)
{
	TableLayout layout = {0};
	AttrNumber	last = 0;
	uint64		changes = n_changes;

	if (!is_plain_table(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a plain table", RelationGetRelationName(rel)),
				 errhint("echosync's own tables cannot be partitioned, nor replaced by views.")));
	know(target);
	layout.schema = db_schema_oid();
	layout.table = RelationGetRelid(rel);
	if (target->sequence != NULL)
		layout.sequence = get_relname_relid(target->sequence, layout.schema);
	for (int i = 0; i < target->n_columns; i++)
		last = layout.of_set[i] = column_number(rel, target->columns[i], last);
	if (target->sequence != NULL)
		layout.id = column_number(rel, "id", 0);
	if (target->time_column != NULL)
		layout.time = column_number(rel, target->time_column, last);
	layout.valid = changes == n_changes;
	target->layout = layout;
}

/* Taking the lock may tell of a change. */
static Relation
open_target(TableInsert *target)
{
	Relation	rel = NULL;

	if (target->layout.valid && target->layout.schema == db_schema_oid())
		rel = try_table_open(target->layout.table, RowExclusiveLock);
	if (rel != NULL && target->layout.valid)
		return rel;
	if (rel != NULL)
		table_close(rel, NoLock);
	rel = db_table_open(target->table, RowExclusiveLock);
	find_layout(target, rel);
	return rel;
}

static void
begin_insertion(Insertion *insertion, TableInsert *target, int n_rows)
{
	memset(insertion, 0, sizeof(Insertion));
	insertion->target = target;
	insertion->rel = open_target(target);
	if (target->time_column != NULL)
		insertion->now = GetCurrentTimestamp();
	/* Not InitResultRelInfo: it copies triggers, which do not fire. */
	insertion->result = makeNode(ResultRelInfo);
	insertion->result->ri_RelationDesc = insertion->rel;
	ExecOpenIndices(insertion->result, false);
	if (needs_state(insertion->result))
		insertion->estate = CreateExecutorState();
	if (n_rows >= BULK_ROWS)
		insertion->bulk = GetBulkInsertState();
}

static void
end_insertion(Insertion *insertion)
{
	if (insertion->bulk != NULL)
		FreeBulkInsertState(insertion->bulk);
	ExecCloseIndices(insertion->result);
	if (insertion->estate != NULL)
		FreeExecutorState(insertion->estate);
	table_close(insertion->rel, NoLock);
}

/* Ids for n rows, in order, or none; what the sequence returns is the highest of its block. */
static void
draw_ids(const Insertion *insertion, int64 *ids, int n)
{
	Oid			sequence = insertion->target->layout.sequence;
	int			step = insertion->target->sequence_step;

	memset(ids, 0, n * sizeof(int64));
	if (sequence == InvalidOid)
		return;
	for (int done = 0; done < n; done += step)
	{
		int			n_block = Min(step, n - done);
		int64		last = nextval_internal(sequence, false);

		for (int i = 0; i < n_block; i++)
			ids[done + i] = last - n_block + 1 + i;
	}
}

static void
set_value(TupleTableSlot *slot, AttrNumber column, Datum value, bool isnull)
{
	slot->tts_values[column - 1] = value;
	slot->tts_isnull[column - 1] = isnull;
}

static void
fill_slot(const Insertion *insertion, TupleTableSlot *slot, const RowSet *rows, int row, int64 id)
{
	const TableLayout *layout = &insertion->target->layout;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < rows->n_columns; i++)
		set_value(slot, layout->of_set[i], rows->values[i][row], rows->nulls[i][row]);
	if (layout->id != 0)
		set_value(slot, layout->id, Int64GetDatum(id), false);
	if (layout->time != 0)
		set_value(slot, layout->time, TimestampTzGetDatum(insertion->now), false);
	ExecStoreVirtualTuple(slot);
}

/* Columns alone, as the tables' own indexes have them. */
static void
insert_plain_entries(const ResultRelInfo *result, TupleTableSlot *slot)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		IndexInfo  *info = result->ri_IndexRelationInfo[i];
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];

		if (!info->ii_ReadyForInserts)
			continue;
		FormIndexDatum(info, slot, NULL, values, isnull);
		(void) index_insert(result->ri_IndexRelationDescs[i], values, isnull, &slot->tts_tid,
							result->ri_RelationDesc, info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
							false, info);
	}
}

static void
insert_batch(const Insertion *insertion, TupleTableSlot **slots, int n)
{
	CommandId	command = GetCurrentCommandId(true);

	if (n == 1)
		table_tuple_insert(insertion->rel, slots[0], command, 0, insertion->bulk);
	else
		table_multi_insert(insertion->rel, slots, n, command, 0, insertion->bulk);
	for (int i = 0; i < n; i++)
	{
		if (insertion->estate == NULL)
			insert_plain_entries(insertion->result, slots[i]);
		else
		{
			compat_insert_index_entries(insertion->result, slots[i], insertion->estate);
			ResetPerTupleExprContext(insertion->estate);
		}
	}
}

void
table_insert(TableInsert *target, const RowSet *rows)
{
	int			n_slots = Min(rows->n_rows, INSERT_BATCH);
	int64		ids[INSERT_BATCH];
	Insertion	insertion;
	TupleTableSlot **slots;

	Assert(rows->n_columns == target->n_columns && rows->n_rows > 0);
	begin_insertion(&insertion, target, rows->n_rows);
	slots = palloc(n_slots * sizeof(TupleTableSlot *));
	for (int i = 0; i < n_slots; i++)
		slots[i] = table_slot_create(insertion.rel, NULL);

	for (int done = 0; done < rows->n_rows; done += n_slots)
	{
		int			n = Min(n_slots, rows->n_rows - done);

		draw_ids(&insertion, ids, n);
		for (int i = 0; i < n; i++)
			fill_slot(&insertion, slots[i], rows, done + i, ids[i]);
		insert_batch(&insertion, slots, n);
	}

	for (int i = 0; i < n_slots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	end_insertion(&insertion);
}

static bool
is_own_trigger(const TableInsert *target, const char *name)
{
	for (int i = 0; i < lengthof(target->own_triggers); i++)
	{
		if (target->own_triggers[i] != NULL && strcmp(name, target->own_triggers[i]) == 0)
			return true;
	}
	return false;
}

static bool
has_other_triggers(const TableInsert *target, Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (!is_own_trigger(target, rel->trigdesc->triggers[i].tgname))
			return true;
	}
	return false;
}

bool
table_insert_suffices(const TableInsert *target)
{
	Relation	rel = db_table_open(target->table, RowExclusiveLock);
	int			n_columns = target->n_columns + (target->sequence != NULL) + (target->time_column != NULL);
	bool		suffices = is_plain_table(rel) && !has_other_triggers(target, rel) && rel->rd_rules == NULL &&
		RelationGetNumberOfAttributes(rel) == n_columns;

	table_close(rel, NoLock);
	return suffices;
}

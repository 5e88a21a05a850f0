/*
 * capture_row.c
 *		Reading what the trigger wants to know of one version of a row: whose
 *		lead it is, which, and what the rule asks.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "api/capture_row.h"
#include "api/targets.h"
#include "db/lead_object.h"
#include "db/lead_user.h"

static char *
column_text(CaptureColumn *column, TupleTableSlot *slot)
{
	Datum		value;
	bool		isnull;
	char	   *text;

	value = slot_getattr(slot, column->attnum, &isnull);
	if (isnull)
		return NULL;
	text = OutputFunctionCall(&column->type->output, value);
	if (column->type->padded)
		text[bpchartruelen(text, strlen(text))] = '\0';
	return text;
}

/* Text of a field's first column, NULL if null or not mapped. */
static char *
field_text(CaptureRelation *entry, TupleTableSlot *slot, LeadField field)
{
	int			n;
	CaptureColumn *columns = capture_columns(entry, field, &n);

	return n > 0 ? column_text(&columns[0], slot) : NULL;
}

char *
capture_row_id(CaptureRelation *entry, TupleTableSlot *slot)
{
	return field_text(entry, slot, LEAD_FIELD_ID);
}

/* NULL where a cast's own writes had the relation looked up, and it is no source any more. */
static CaptureColumn *
user_column(CaptureRelation *entry)
{
	int			n;
	CaptureColumn *columns = capture_columns(entry, LEAD_FIELD_USER_ID, &n);

	return n > 0 ? columns : NULL;
}

bool
capture_row_user_is_plain(CaptureRelation *entry)
{
	return user_column(entry)->type->plain;
}

/* Is a value stored elsewhere, or packed? */
static bool
value_is_indirect(const CaptureType *type, Datum value)
{
	return type->length == -1 && (VARATT_IS_EXTERNAL(DatumGetPointer(value)) ||
								  VARATT_IS_COMPRESSED(DatumGetPointer(value)));
}

static void
forget_last(CaptureType *type)
{
	pfree(type->last_text);
	type->last_text = NULL;
	if (!type->by_value)
		pfree(DatumGetPointer(type->last));
}

/*
 * Text of the row's user.  Rows of one user come together, mostly: the text of
 * the row before is kept.  Not for a row that a cast of another one writes,
 * which would take that one's away, nor one whose value is stored elsewhere and
 * may be gone when it is compared.
 */
static char *
user_text(CaptureRelation *entry, TupleTableSlot *slot, bool remember)
{
	CaptureColumn *column = user_column(entry);
	CaptureType *type;
	MemoryContext caller;
	Datum		value;
	bool		isnull;

	if (column == NULL)
		return NULL;
	type = column->type;
	if (!type->plain || !remember)
		return column_text(column, slot);
	value = slot_getattr(slot, column->attnum, &isnull);
	if (isnull)
		return NULL;
	if (value_is_indirect(type, value))
		return column_text(column, slot);
	if (type->last_text != NULL)
	{
		if (datum_image_eq(value, type->last, type->by_value, type->length))
			return type->last_text;
		forget_last(type);
	}
	caller = MemoryContextSwitchTo(type->output.fn_mcxt);
	type->last = datumCopy(value, type->by_value, type->length);
	type->last_text = OutputFunctionCall(&type->output, value);
	MemoryContextSwitchTo(caller);
	return type->last_text;
}

const char *
capture_row_user(CaptureRelation *entry, TupleTableSlot *slot, bool remember)
{
	const char *text = user_text(entry, slot, remember);

	if (text != NULL && targets_of_user(text)->n == 0)
		text = lead_user_spelled(&entry->user, text);
	return text;
}

static LeadFlag
column_flag(CaptureColumn *column, TupleTableSlot *slot, LeadFlag (*read) (const char *text))
{
	bool		isnull;
	Datum		value;

	value = slot_getattr(slot, column->attnum, &isnull);
	if (isnull)
		return LEAD_FLAG_NO;
	switch (column->type->type)
	{
		case BOOLOID:
			return read(DatumGetBool(value) ? "t" : "f");
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:

			/* whatever DateStyle; not in the session's time zone to the hour */
			return read(DatumGetTimestampTz(value) > GetCurrentTimestamp() ? "infinity" : "-infinity");
		default:
			return read(column_text(column, slot));
	}
}

/* What the field's columns say, by what their text does: the strictest. */
static LeadFlag
field_flag(CaptureRelation *entry, TupleTableSlot *slot, LeadField field, LeadFlag (*read) (const char *text))
{
	int			n;
	CaptureColumn *columns = capture_columns(entry, field, &n);
	LeadFlag	flag = LEAD_FLAG_NO;

	for (int i = 0; i < n && flag != LEAD_FLAG_YES; i++)
		flag = Max(flag, column_flag(&columns[i], slot, read));
	return flag;
}

bool
capture_row_is_deleted(CaptureRelation *entry, TupleTableSlot *slot)
{
	return field_flag(entry, slot, LEAD_FIELD_DELETED_AT, lead_text_is_deletion) == LEAD_FLAG_YES;
}

static LeadFlag
row_opt_out(CaptureRelation *entry, TupleTableSlot *slot)
{
	return Max(field_flag(entry, slot, LEAD_FIELD_DO_NOT_CONTACT, lead_text_opt_out),
			   field_flag(entry, slot, LEAD_FIELD_MAY_CONTACT, lead_text_no_consent));
}

bool
capture_row_is_opted_out(CaptureRelation *entry, TupleTableSlot *slot)
{
	return row_opt_out(entry, slot) == LEAD_FLAG_YES;
}

static Jsonb *
column_jsonb(CaptureColumn *column, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column->attnum, &isnull);

	return isnull ? NULL : DatumGetJsonbP(FunctionCall1(&column->type->to_jsonb, value));
}

/* The row's lead, as far as those fields say, read as the worker will: from JSON. */
static CrmLead *
row_lead(CaptureRelation *entry, TupleTableSlot *slot, bool (*wanted) (int field, const void *arg), const void *arg)
{
	JsonbInState state = {0};

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		Jsonb	   *values[LEAD_COLUMNS_MAX];
		int			n;
		CaptureColumn *columns = capture_columns(entry, field, &n);

		if (n == 0 || !wanted(field, arg))
			continue;
		for (int i = 0; i < n; i++)
			values[i] = column_jsonb(&columns[i], slot);
		lead_object_add(&state, field, values, n);
	}
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return lead_from_jsonb(JsonbValueToJsonb(state.result));
}

static bool
is_of_rule(int field, const void *arg)
{
	return capture_field_of_rule(field);
}

/* Is there a phone number or an e-mail in any of its columns? */
static bool
has_usable(CaptureRelation *entry, TupleTableSlot *slot, LeadField field, char *(*read) (const char *text))
{
	int			n;
	CaptureColumn *columns = capture_columns(entry, field, &n);

	for (int i = 0; i < n; i++)
	{
		char	   *text = column_text(&columns[i], slot);

		if (text != NULL && read(text) != NULL)
			return true;
	}
	return false;
}

void
capture_row_facts(CaptureRelation *entry, TupleTableSlot *slot, LeadFacts *facts)
{
	memset(facts, 0, sizeof(*facts));
	if (entry->structured)
	{
		*facts = lead_facts(row_lead(entry, slot, is_of_rule, NULL));
		return;
	}
	facts->deleted = capture_row_is_deleted(entry, slot);
	facts->do_not_contact = row_opt_out(entry, slot);
	facts->has_contact_key = has_usable(entry, slot, LEAD_FIELD_PHONE, lead_phone) ||
		has_usable(entry, slot, LEAD_FIELD_EMAIL, lead_email);
	facts->score = lead_text_to_score(field_text(entry, slot, LEAD_FIELD_RISK_SCORE), &facts->risk_score);
}

/*
 * Are they stored the same?  A value that an UPDATE leaves alone is, and is not
 * fetched and unpacked for us, however long.
 */
static bool
same_bytes(Datum one, Datum other)
{
	Size		size = VARSIZE_ANY(DatumGetPointer(one));

	return size == VARSIZE_ANY(DatumGetPointer(other)) &&
		memcmp(DatumGetPointer(one), DatumGetPointer(other), size) == 0;
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
	if (att->attlen == -1 && same_bytes(old_value, new_value))
		return false;
	return !datum_image_eq(old_value, new_value, att->attbyval, att->attlen);
}

bool
capture_row_field_differs(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new, LeadField field)
{
	int			n;
	CaptureColumn *columns = capture_columns(entry, field, &n);

	for (int i = 0; i < n; i++)
	{
		if (column_differs(old, new, columns[i].attnum))
			return true;
	}
	return false;
}

/* What cannot be read may have changed. */
bool
capture_row_differs(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new)
{
	if (entry->blind)
		return true;
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (capture_row_field_differs(entry, old, new, field))
			return true;
	}
	return false;
}

/* Can its value be compared by what it means?  Not if reading it may fail, or is long. */
static bool
column_is_simple(CaptureColumn *column, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column->attnum, &isnull);

	return column->type->sure &&
		(isnull || column->type->length != -1 || toast_raw_datum_size(value) <= LEAD_TEXT_MAX);
}

static bool
field_is_simple(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new, LeadField field)
{
	int			n;
	CaptureColumn *columns = capture_columns(entry, field, &n);

	for (int i = 0; i < n; i++)
	{
		if (!column_is_simple(&columns[i], old) || !column_is_simple(&columns[i], new))
			return false;
	}
	return true;
}

/* Fields of which one says what another means. */
static uint32
companions(int field)
{
	const uint32 names = 1U << LEAD_FIELD_NAME | 1U << LEAD_FIELD_FIRST_NAME | 1U << LEAD_FIELD_LAST_NAME;
	const uint32 places = 1U << LEAD_FIELD_STATE | 1U << LEAD_FIELD_ZIP_CODE;

	return (names >> field & 1) != 0 ? names : (places >> field & 1) != 0 ? places : 1U << field;
}

static bool
is_in_set(int field, const void *arg)
{
	return (*(const uint32 *) arg >> field & 1) != 0;
}

bool
capture_row_means_same(CaptureRelation *entry, TupleTableSlot *old, TupleTableSlot *new)
{
	uint32		differing = 0;

	if (entry->blind)
		return false;
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (capture_row_field_differs(entry, old, new, field))
			differing |= companions(field);
	}
	if (is_in_set(LEAD_FIELD_ID, &differing) || is_in_set(LEAD_FIELD_USER_ID, &differing))
		return false;
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (is_in_set(field, &differing) && !field_is_simple(entry, old, new, field))
			return false;
	}
	return lead_same(row_lead(entry, old, is_in_set, &differing), row_lead(entry, new, is_in_set, &differing));
}

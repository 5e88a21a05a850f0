/*
 * lead_key.c
 *		The text and the equality of leads' ids and of users.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "db/lead_key.h"
#include "db/subtransaction.h"
#include "pg_compat.h"

/* An integer of so many digits fits whatever they are. */
#define INT2_SAFE_DIGITS 4
#define INT4_SAFE_DIGITS 9
#define INT8_SAFE_DIGITS 18

static bool
collation_is_exact(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

static bool
type_has_one_text(Oid type, Oid collation)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return collation_is_exact(collation);
		case UUIDOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case BOOLOID:
		case NAMEOID:
		case CHAROID:
		case OIDOID:
		case BYTEAOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case BITOID:
		case VARBITOID:
		case MONEYOID:
			return true;
		default:
			return type_is_enum(type);
	}
}

/* Casting these to text gives their text, by a function of the server's own. */
static bool
type_casts_to_its_text(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case UUIDOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return true;
		default:
			return false;
	}
}

/* Is the function the server's, or one in C that a superuser has installed? */
static bool
function_is_trusted(Oid function)
{
	HeapTuple	tuple;
	Form_pg_proc proc;
	bool		trusted;

	if (!OidIsValid(function))
		return true;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	trusted = (proc->prolang == INTERNALlanguageId || proc->prolang == ClanguageId) &&
		superuser_arg(proc->proowner);
	ReleaseSysCache(tuple);
	return trusted;
}

static bool type_is_trusted(Oid type, bool within);

static bool
row_type_is_trusted(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	bool		trusted = true;

	for (int i = 0; i < desc->natts && trusted; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			trusted = type_is_trusted(TupleDescAttr(desc, i)->atttypid, true);
	}
	ReleaseTupleDesc(desc);
	return trusted;
}

/*
 * within: as a part of another one, whose input checks a domain's conditions.
 * Those that it has not can be added at any time.
 */
static bool
type_is_trusted(Oid type, bool within)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	Oid			input,
				output,
				parameter;
	bool		varlena;

	check_stack_depth();
	if (within && base != type)
		return false;
	getTypeInputInfo(base, &input, &parameter);
	getTypeOutputInfo(base, &output, &varlena);
	if (!function_is_trusted(input) || !function_is_trusted(output))
		return false;
	if (OidIsValid(element))
		return type_is_trusted(element, true);
	if (type_is_range(base))
		return type_is_trusted(get_range_subtype(base), true);
	if (type_is_multirange(base))
		return type_is_trusted(get_multirange_range(base), true);
	if (type_is_rowtype(base))
		return row_type_is_trusted(base);
	return true;
}

static bool
key_is_trusted(const LeadKey *key, Oid equality)
{
	return type_is_trusted(key->type, false) &&
		(!OidIsValid(equality) || function_is_trusted(get_opcode(equality)));
}

/* Of types whose rows an array of values can be made of: unnest takes a row apart. */
static Oid
type_equality(Oid type)
{
	if (!OidIsValid(get_array_type(type)) || type_is_rowtype(type))
		return InvalidOid;
	return lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
}

bool
lead_key_exists(const LeadColumns *columns, Oid relation, LeadField field)
{
	return columns->n[field] > 0 && get_attnum(relation, columns->names[field][0]) > 0;
}

void
lead_key_init(LeadKey *key, const LeadColumns *columns, Oid relation, LeadField field)
{
	AttrNumber	attnum;
	Oid			type = InvalidOid;
	int32		typmod;

	memset(key, 0, sizeof(*key));
	key->column = columns->n[field] > 0 ? columns->names[field][0] : "";
	attnum = get_attnum(relation, key->column);
	if (attnum > 0)
		get_atttypetypmodcoll(relation, attnum, &type, &typmod, &key->collation);
	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of an attached table no longer exists", key->column),
				 errhint("Call echosync_attach_leads() again with the table's present columns.")));
	key->type = getBaseType(type);
	key->equality = type_equality(key->type);
	if (!key_is_trusted(key, key->equality))
		key->equality = InvalidOid;
	key->one_text = !OidIsValid(key->equality) || type_has_one_text(key->type, key->collation);
}

/* Of types in which a value and its text are the same. */
bool
lead_key_is_text(const LeadKey *key)
{
	return !OidIsValid(key->equality) ||
		(key->one_text && (key->type == TEXTOID || key->type == VARCHAROID));
}

/* Whatever the session's search_path. */
static char *
qualified_type_name(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	if (form->typnamespace == PG_CATALOG_NAMESPACE)
		name = pstrdup(NameStr(form->typname));
	else
		name = quote_qualified_identifier(get_namespace_name(form->typnamespace), NameStr(form->typname));
	ReleaseSysCache(tuple);
	return name;
}

const char *
lead_key_type_name(const LeadKey *key)
{
	switch (key->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return "integer";
		default:
			return qualified_type_name(key->type);
	}
}

bool
lead_key_may_be_respelled(const LeadKey *key, const char *recorded_type)
{
	if (lead_key_is_text(key))
		return false;
	if (!key->one_text)
		return true;
	if (recorded_type == NULL)
		return key->type == BOOLOID || key->type == INETOID;
	return strcmp(recorded_type, lead_key_type_name(key)) != 0;
}

/* Triggers see null in its place. */
static void
require_stored(Relation rel, const LeadKey *key, LeadField field)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), key->column);

	if (TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated != ATTRIBUTE_GENERATED_VIRTUAL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" cannot be the lead's %s", key->column, lead_field_names[field]),
			 errdetail("It is generated and not stored: triggers do not see its value."),
			 errhint("Declare it GENERATED ALWAYS AS (...) STORED, or name another column.")));
}

void
lead_key_require(Relation rel, const LeadColumns *columns, LeadField field)
{
	LeadKey		key;

	lead_key_init(&key, columns, RelationGetRelid(rel), field);
	require_stored(rel, &key, field);
	if (key_is_trusted(&key, type_equality(key.type)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" cannot be the lead's %s", key.column, lead_field_names[field]),
			 errdetail("Reading or comparing values of type %s runs functions that are not the server's own, nor in C and a superuser's.",
					   format_type_be(key.type)),
			 errhint("Name another column, such as a stored generated one of type text: echosync_attach_leads('%s', '{\"%s\": \"column_name\"}').",
					 RelationGetRelationName(rel), lead_field_names[field])));
}

char *
lead_key_text_sql(const LeadKey *key)
{
	const char *column = quote_identifier(key->column);

	if (type_casts_to_its_text(key->type))
		return psprintf("t.%s::pg_catalog.text", column);

	/* A cast may be a function of its own; concat asks the type's output. */
	return psprintf("CASE WHEN t.%s IS DISTINCT FROM NULL THEN pg_catalog.concat(t.%s) END",
					column, column);
}

static char *
operator_name_sql(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
				   NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

char *
lead_key_match_sql(const LeadKey *key, const char *expression)
{
	if (!OidIsValid(key->equality))
		return psprintf("%s OPERATOR(pg_catalog.=) %s", lead_key_text_sql(key), expression);
	return psprintf("t.%s %s %s", quote_identifier(key->column), operator_name_sql(key->equality), expression);
}

Oid
lead_key_array_type(const LeadKey *key)
{
	return OidIsValid(key->equality) ? get_array_type(key->type) : TEXTARRAYOID;
}

Datum
lead_key_array(const LeadKey *key, Datum *values, int n)
{
	Oid			type = OidIsValid(key->equality) ? key->type : TEXTOID;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(construct_array(values, n, type, length, by_value, align));
}

/* Does every text of these stand for a value, or may that only be tried? */
typedef enum Fit
{
	FIT_NO,
	FIT_YES,
	FIT_TRY
} Fit;

static Fit
integer_fit(const char *text, int safe_digits)
{
	size_t		digits = strspn(text, "0123456789");

	if (digits > 0 && text[digits] == '\0' && digits <= safe_digits)
		return FIT_YES;
	return text[strspn(text, "0123456789+-_xXoObBabcdefABCDEF \t\n\r\f\v")] == '\0' ? FIT_TRY : FIT_NO;
}

static Fit
uuid_fit(const char *text)
{
	int			digits = 0;

	for (const char *c = text; *c != '\0'; c++)
	{
		if (strchr("0123456789abcdefABCDEF", *c) != NULL)
			digits++;
		else if (strchr("-{}", *c) == NULL)
			return FIT_NO;
	}
	return digits == 32 ? FIT_TRY : FIT_NO;
}

/* PostgreSQL 16 writes a byte that is not ASCII as \ooo. */
static bool
char_is_octal(const char *text)
{
	return PG_VERSION_NUM >= 160000 && text[0] == '\\' && strlen(text) == 4;
}

/* Most texts can be told from values without a subtransaction. */
static Fit
text_fit(Oid type, const char *text)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return FIT_YES;
		case INT2OID:
			return integer_fit(text, INT2_SAFE_DIGITS);
		case INT4OID:
			return integer_fit(text, INT4_SAFE_DIGITS);
		case INT8OID:
			return integer_fit(text, INT8_SAFE_DIGITS);
		case UUIDOID:
			return uuid_fit(text);

			/* Their inputs cut what is longer: it would be another value's text. */
		case NAMEOID:
			return strlen(text) < NAMEDATALEN ? FIT_YES : FIT_NO;
		case CHAROID:
			return strlen(text) <= 1 ? FIT_YES : char_is_octal(text) ? FIT_TRY : FIT_NO;
		default:
			return FIT_TRY;
	}
}

/* Texts being parsed, up to the one that fails. */
typedef struct Parse
{
	Oid			type;
	char	  **texts;
	int			n;
	Datum	   *values;
	bool	   *fits;
	volatile int next;
} Parse;

static void
parse_body(void *arg)
{
	Parse	   *parse = arg;
	Oid			input,
				parameter;
	FmgrInfo	function;

	getTypeInputInfo(parse->type, &input, &parameter);
	fmgr_info(input, &function);
	for (; parse->next < parse->n; parse->next++)
	{
		char	   *text = parse->texts[parse->next];

		parse->fits[parse->next] = text_fit(parse->type, text) != FIT_NO;
		if (parse->fits[parse->next])
			parse->values[parse->next] = InputFunctionCall(&function, text, parameter, -1);
	}
}

static bool
parse_cannot_fail(const Parse *parse)
{
	for (int i = 0; i < parse->n; i++)
	{
		if (text_fit(parse->type, parse->texts[i]) == FIT_TRY)
			return false;
	}
	return true;
}

/* One subtransaction for all, and one more for each that is no value. */
void
lead_keys_parse(const LeadKey *key, char **texts, int n, Datum *values, bool *fits)
{
	Parse		parse = {OidIsValid(key->equality) ? key->type : TEXTOID, texts, n, values, fits, 0};

	if (parse_cannot_fail(&parse))
	{
		parse_body(&parse);
		return;
	}
	while (parse.next < n)
	{
		if (run_in_subtransaction(parse_body, &parse, CATCH_ALL_BUT_SERVERS) != 0)
			fits[parse.next++] = false;
	}
}

bool
lead_key_parse(const LeadKey *key, const char *text, Datum *value)
{
	char	   *texts[1] = {unconstify(char *, text)};
	bool		fits;

	lead_keys_parse(key, texts, 1, value, &fits);
	return fits;
}

char *
lead_key_text(const LeadKey *key, Datum value)
{
	Oid			output;
	bool		varlena;
	char	   *text;

	getTypeOutputInfo(OidIsValid(key->equality) ? key->type : TEXTOID, &output, &varlena);
	text = OidOutputFunctionCall(output, value);
	if (key->type == BPCHAROID)
		text[bpchartruelen(text, strlen(text))] = '\0';
	return text;
}

typedef struct LeadKeyEntry
{
	uint32		hash;
	Datum		value;
	void	   *what;
} LeadKeyEntry;

struct LeadKeySet
{
	LeadKey		key;
	Oid			collation;
	TypeCacheEntry *type;
	MemoryContext context;
	LeadKeyEntry *entries;
	int			n;
	int			capacity;
	bool		sorted;
};

LeadKeySet *
lead_key_set_make(const LeadKey *key)
{
	LeadKeySet *set = palloc0(sizeof(LeadKeySet));

	set->key = *key;
	set->context = CurrentMemoryContext;
	if (!OidIsValid(key->equality))
		set->key.type = TEXTOID;
	set->collation = OidIsValid(key->collation) ? key->collation : DEFAULT_COLLATION_OID;
	set->type = lookup_type_cache(set->key.type, TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO);
	set->capacity = 16;
	set->entries = palloc(set->capacity * sizeof(LeadKeyEntry));
	return set;
}

uint32
lead_key_set_hash(const LeadKeySet *set, Datum value)
{
	if (!OidIsValid(set->type->hash_proc_finfo.fn_oid))
		return 0;
	return DatumGetUInt32(FunctionCall1Coll(&set->type->hash_proc_finfo, set->collation, value));
}

void
lead_key_set_add(LeadKeySet *set, const char *text, void *what)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);
	LeadKeyEntry entry = {.what = what};

	if (lead_key_parse(&set->key, text, &entry.value))
	{
		entry.hash = lead_key_set_hash(set, entry.value);
		if (set->n == set->capacity)
		{
			set->capacity *= 2;
			set->entries = repalloc_huge(set->entries, set->capacity * sizeof(LeadKeyEntry));
		}
		set->entries[set->n++] = entry;
		set->sorted = false;
	}
	MemoryContextSwitchTo(caller);
}

static int
compare_entries(const void *a, const void *b)
{
	uint32		one = ((const LeadKeyEntry *) a)->hash;
	uint32		other = ((const LeadKeyEntry *) b)->hash;

	return one < other ? -1 : one > other;
}

/* The first entry that has the hash, or a greater one. */
static int
first_of_hash(const LeadKeySet *set, uint32 hash)
{
	int			low = 0;
	int			high = set->n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (set->entries[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *
lead_key_set_find(LeadKeySet *set, Datum value, int *next)
{
	uint32		hash = lead_key_set_hash(set, value);

	if (!set->sorted)
		qsort(set->entries, set->n, sizeof(LeadKeyEntry), compare_entries);
	set->sorted = true;
	if (*next < 0)
		*next = first_of_hash(set, hash);
	while (*next < set->n && set->entries[*next].hash == hash)
	{
		LeadKeyEntry *entry = &set->entries[(*next)++];

		if (DatumGetBool(FunctionCall2Coll(&set->type->eq_opr_finfo, set->collation, entry->value, value)))
			return entry->what;
	}
	return NULL;
}

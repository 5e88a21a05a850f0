/*
 * lead.c
 *		The canonical lead: reading a row for what it means, the rule that says
 *		whether it may be sent, and digests of what would be sent.
 *
 * Apps keep a flag as a boolean, a number, a word or the time it was set, and
 * tags as an array, a list or an array's text.  All are read here, so that
 * nothing behind this file needs to know.  Where a flag that protects a
 * person is unclear, it counts as set.
 *
 * Not here: which column holds what (api/), how a CRM wants it (lofty.c,
 * followupboss.c).  Nothing here needs a transaction or raises an error but
 * out-of-memory.
 */
#include "postgres.h"

#include <math.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "utils/numeric.h"
#include "utils/resowner.h"

#include "crm/json.h"
#include "crm/lead.h"
#include "crm/phone.h"

#define EMAIL_MAX_LEN	254		/* RFC 5321: a path, less its brackets */
#define SCORE_MAX_LEN	400		/* of its text, and decimal exponent */
#define TAGS_MAX		100		/* more is a mistake, and would cost n^2 */

const char *const lead_field_names[LEAD_FIELD_COUNT] = {
	"id", "user_id", "phone", "first_name", "last_name", "email", "address",
	"city", "state", "zip_code", "risk_score", "do_not_contact", "tags",
	"notes", "source", "deleted_at"
};

const char *const lead_refusal_names[] = {
	"none",
	"risk_above_limit",
	"risk_unscored",
	"no_contact_key",
	"do_not_contact",
	"lead_deleted",
	"unchanged",
	"ambiguous_match",
	"ignored_by_crm",
	"disconnected"
};
StaticAssertDecl(lengthof(lead_refusal_names) == REFUSAL_DISCONNECTED + 1,
				 "lead_refusal_names must follow LeadRefusal");

static bool value_is_true(JsonbValue *value);

int
lead_field_by_name(const char *name, size_t len)
{
	int			field;

	for (field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (strlen(lead_field_names[field]) == len &&
			memcmp(lead_field_names[field], name, len) == 0)
			return field;
	}
	return -1;
}

/* ------------------------------------------------------------------------
 * Characters and lines
 * ------------------------------------------------------------------------ */

static bool
is_control(uint32 c)
{
	return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

static bool
is_space(uint32 c)
{
	return c == ' ' || c == 0xA0 || c == 0x1680 ||
		(c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
		c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Invisible, and of no use at the end of anything: pasted along. */
static bool
is_zero_width(uint32 c)
{
	return c == 0x200B || c == 0x2060 || c == 0xFEFF;
}

static bool
is_ascii_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * Text for one line: trimmed, each run of white space and control characters
 * made one space.  NULL when nothing is left.
 */
static char *
clean_line(const char *text)
{
	StringInfoData out;
	bool		space_due = false;
	int			visible_end = 0;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (*text != '\0')
	{
		const char *start = text;
		uint32		c = text_next_char(&text);

		if (is_control(c) || is_space(c))
		{
			space_due = visible_end > 0;
			continue;
		}
		if (is_zero_width(c) && visible_end == 0)
			continue;
		if (space_due)
			appendStringInfoChar(&out, ' ');
		space_due = false;
		appendBinaryStringInfo(&out, start, text - start);
		if (!is_zero_width(c))
			visible_end = out.len;
	}
	out.data[visible_end] = '\0';
	return visible_end > 0 ? out.data : NULL;
}

/*
 * Text of several lines: line ends become "\n", a tab a space, other control
 * characters go.  Trimmed; NULL when nothing is left.
 */
static char *
clean_lines(const char *text)
{
	StringInfoData out;
	int			visible_end = 0;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (*text != '\0')
	{
		const char *start = text;
		uint32		c = text_next_char(&text);
		bool		visible = false;

		if (c == '\r')
		{
			if (*text == '\n')
				continue;
			c = '\n';
		}
		if (c == '\n' || c == '\t')
		{
			if (visible_end > 0)
				appendStringInfoChar(&out, c == '\n' ? '\n' : ' ');
			continue;
		}
		if (is_control(c))
			continue;
		visible = !is_space(c) && !is_zero_width(c);
		if (!visible && visible_end == 0)
			continue;
		appendBinaryStringInfo(&out, start, text - start);
		if (visible)
			visible_end = out.len;
	}
	out.data[visible_end] = '\0';
	return visible_end > 0 ? out.data : NULL;
}

/* An address a message can go to, in lower case, or NULL. */
char *
lead_email(const char *text)
{
	char	   *email = clean_line(text);
	const char *at = NULL;
	const char *p;
	char	   *c;

	if (email == NULL || strlen(email) > EMAIL_MAX_LEN)
		return NULL;
	for (p = email; *p != '\0';)
	{
		const char *start = p;
		uint32		code = text_next_char(&p);

		/* clean_line has left no white space but ' ' */
		if (code == ' ' || is_zero_width(code) || code == 0xFFFD ||
			(code < 0x80 && strchr("<>()[],;:\"\\", (int) code) != NULL))
			return NULL;
		if (code == '@')
		{
			if (at != NULL)
				return NULL;
			at = start;
		}
	}
	if (at == NULL || at == email || at[1] == '\0')
		return NULL;
	for (c = email; *c != '\0'; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
	return email;
}

/* ------------------------------------------------------------------------
 * Scores
 * ------------------------------------------------------------------------ */

/*
 * Copy the decimal number that text is, less the space around it, into
 * number.  False when it is none: no hexadecimal, no infinity, no NaN, and
 * nothing that would be long when written out.
 */
static bool
score_shape(const char *text, char number[SCORE_MAX_LEN + 1])
{
	const char *p;
	size_t		len;
	int			digits = 0;
	int			exponent = 0;

	while (is_ascii_space(*text))
		text++;
	p = text;
	if (*p == '+' || *p == '-')
		p++;
	for (; *p >= '0' && *p <= '9'; p++)
		digits++;
	if (*p == '.')
	{
		p++;
		for (; *p >= '0' && *p <= '9'; p++)
			digits++;
	}
	if (digits == 0)
		return false;
	if (*p == 'e' || *p == 'E')
	{
		p++;
		if (*p == '+' || *p == '-')
			p++;
		if (*p < '0' || *p > '9')
			return false;
		for (; *p >= '0' && *p <= '9'; p++)
		{
			if (exponent <= SCORE_MAX_LEN)
				exponent = exponent * 10 + (*p - '0');
		}
	}
	len = p - text;
	while (is_ascii_space(*p))
		p++;
	if (*p != '\0' || len > SCORE_MAX_LEN || exponent > SCORE_MAX_LEN)
		return false;

	memcpy(number, text, len);
	number[len] = '\0';
	return true;
}

static void
score_value(const char *number, double *score)
{
	*score = strtod(number, NULL);	/* LC_NUMERIC is always C in a server */
}

/*
 * "Infinity", as numeric and float write it, and numbers of absurd length: a
 * score, and above any limit.  Taken for none, they would be sent where leads
 * without a score are.
 */
static bool
score_is_infinite(const char *text)
{
	size_t		len;

	while (*text == ' ')
		text++;
	if (*text == '+')
		text++;
	len = strlen(text);
	while (len > 0 && text[len - 1] == ' ')
		len--;
	if ((len == 8 && pg_strncasecmp(text, "infinity", 8) == 0) ||
		(len == 3 && pg_strncasecmp(text, "inf", 3) == 0))
		return true;
	return len > SCORE_MAX_LEN && *text != '0' &&
		strspn(text, "0123456789") > SCORE_MAX_LEN / 2 &&
		strspn(text, "0123456789.") == len;
}

bool
lead_text_to_score(const char *text, double *score)
{
	char		number[SCORE_MAX_LEN + 1];

	if (text == NULL)
		return false;
	if (score_is_infinite(text))
	{
		*score = HUGE_VAL;
		return true;
	}
	if (!score_shape(text, number))
		return false;
	score_value(number, score);
	return !isinf(*score) || *score > 0;
}

/*
 * The number as JSON writes it: no exponent, no leading "+" or zeros, no
 * trailing zeros of a fraction, so that 20 and 20.00 are one score.
 */
static char *
score_text(const char *number)
{
	Numeric		numeric;
	char	   *text;

	numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in,
												  CStringGetDatum(number),
												  ObjectIdGetDatum(InvalidOid),
												  Int32GetDatum(-1)));
	text = DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(numeric)));
	if (strchr(text, '.') != NULL)
	{
		char	   *end = text + strlen(text);

		while (end[-1] == '0')
			end--;
		if (end[-1] == '.')
			end--;
		*end = '\0';
	}
	return text;
}

static void
read_score(CrmLead *lead, JsonbValue *value)
{
	char		number[SCORE_MAX_LEN + 1];
	char	   *text;

	lead->risk_score = 0;
	if (value == NULL ||
		(value->type != jbvNumeric && value->type != jbvString))
		return;
	text = json_value_text(value);
	lead->has_risk_score = text != NULL && lead_text_to_score(text, &lead->risk_score);
	if (!lead->has_risk_score)
		lead->risk_score = 0;
	else if (isfinite(lead->risk_score) && score_shape(text, number))
		lead->risk_score_text = score_text(number);
}

/* ------------------------------------------------------------------------
 * Lists and flags
 * ------------------------------------------------------------------------ */

/*
 * The elements of a text in the form of PostgreSQL's array output, of any
 * number of dimensions, NULLs left out.  False when it is not of that form.
 */
static bool
read_array_literal(const char *text, List **elements)
{
	StringInfoData element;
	int			depth = 0;

	*elements = NIL;
	initStringInfo(&element);
	while (is_ascii_space(*text))
		text++;
	if (*text != '{')
		return false;

	for (;;)
	{
		while (is_ascii_space(*text))
			text++;
		if (*text == '{')
		{
			depth++;
			text++;
			continue;
		}
		if (*text == '}')
		{
			text++;
			if (--depth == 0)
				break;
			continue;
		}
		if (*text == ',')
		{
			text++;
			continue;
		}
		if (*text == '\0')
			return false;

		resetStringInfo(&element);
		if (*text == '"')
		{
			for (text++; *text != '"'; text++)
			{
				if (*text == '\\')
					text++;
				if (*text == '\0')
					return false;
				appendStringInfoChar(&element, *text);
			}
			text++;
			*elements = lappend(*elements, pstrdup(element.data));
		}
		else
		{
			for (; *text != ',' && *text != '{' && *text != '}'; text++)
			{
				if (*text == '\\')
					text++;
				if (*text == '\0' || *text == '"')
					return false;
				appendStringInfoChar(&element, *text);
			}
			if (pg_strcasecmp(element.data, "NULL") != 0)
				*elements = lappend(*elements, pstrdup(element.data));
		}

		/* what follows an element */
		while (is_ascii_space(*text))
			text++;
		if (*text != ',' && *text != '}')
			return false;
	}

	while (is_ascii_space(*text))
		text++;
	return *text == '\0';
}

/* Is any scalar in the container, at any depth, true? */
static bool
container_is_true(JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if ((token == WJB_ELEM || token == WJB_VALUE) &&
			value.type != jbvBinary && value_is_true(&value))
			return true;
	}
	return false;
}

/* A container written as text: JSON, or a PostgreSQL array. */
static bool
container_text_is_true(const char *text)
{
	Jsonb	   *parsed = json_parse(text, strlen(text));
	List	   *elements;
	ListCell   *lc;

	if (parsed != NULL)
		return container_is_true(&parsed->root);
	if (!read_array_literal(text, &elements))
		return true;
	foreach(lc, elements)
	{
		if (lead_text_is_true((const char *) lfirst(lc)))
			return true;
	}
	return false;
}

/*
 * Words that say that a person may be contacted; anything else (a time, "dnc",
 * a word we do not know) says that not.
 */
bool
lead_text_is_true(const char *text)
{
	static const char *const false_words[] = {
		"f", "false", "n", "no", "0", "off", "none", "null", "clean", "ok",
		"allowed", "callable"
	};
	char	   *trimmed;
	double		number;
	int			i;

	if (text == NULL || text[0] == '\0')
		return false;
	/* what a boolean column gives, without allocation */
	if (text[1] == '\0' && (text[0] == 'f' || text[0] == 't'))
		return text[0] == 't';

	trimmed = clean_line(text);
	if (trimmed == NULL)
		return false;
	for (i = 0; i < lengthof(false_words); i++)
	{
		if (pg_strcasecmp(trimmed, false_words[i]) == 0)
			return false;
	}
	if (lead_text_to_score(trimmed, &number))
		return number != 0;
	if (trimmed[0] == '{' || trimmed[0] == '[' || trimmed[0] == '"')
		return container_text_is_true(trimmed);
	return true;
}

/* The same for a JSON value. */
static bool
value_is_true(JsonbValue *value)
{
	if (value == NULL)
		return false;
	if (value->type == jbvBool)
		return value->val.boolean;
	if (value->type == jbvNumeric)
		return strpbrk(json_value_text(value), "123456789") != NULL;
	if (value->type == jbvString)
		return lead_text_is_true(json_value_text(value));
	if (value->type == jbvBinary)
		return container_is_true(value->val.binary.data);
	return false;
}

static bool
tags_contain(const List *tags, const char *tag)
{
	ListCell   *lc;

	foreach(lc, tags)
	{
		if (pg_strcasecmp((const char *) lfirst(lc), tag) == 0)
			return true;
	}
	return false;
}

static List *
add_tag(List *tags, const char *text)
{
	char	   *tag = clean_line(text);

	if (tag == NULL || list_length(tags) >= TAGS_MAX || tags_contain(tags, tag))
		return tags;
	return lappend(tags, tag);
}

static List *
add_tags_of_array(List *tags, JsonbContainer *array)
{
	int			length = json_array_length(array);
	int			i;

	for (i = 0; i < length; i++)
		tags = add_tag(tags, json_value_text(json_array_element(array, i)));
	return tags;
}

static List *
add_tags_of_text(List *tags, const char *text)
{
	const char *start = text;
	List	   *elements;
	ListCell   *lc;

	while (is_ascii_space(*start))
		start++;
	if (*start == '[')
	{
		Jsonb	   *parsed = json_parse(start, strlen(start));

		if (parsed != NULL && JB_ROOT_IS_ARRAY(parsed))
			return add_tags_of_array(tags, &parsed->root);
	}
	if (*start == '{' && read_array_literal(start, &elements))
	{
		foreach(lc, elements)
			tags = add_tag(tags, (const char *) lfirst(lc));
		return tags;
	}

	for (;;)
	{
		const char *comma = strchrnul(text, ',');

		tags = add_tag(tags, pnstrdup(text, comma - text));
		if (*comma == '\0')
			return tags;
		text = comma + 1;
	}
}

static List *
read_tags(JsonbValue *value)
{
	if (json_value_array(value) != NULL)
		return add_tags_of_array(NIL, json_value_array(value));
	if (value != NULL &&
		(value->type == jbvString || value->type == jbvNumeric))
		return add_tags_of_text(NIL, json_value_text(value));
	return NIL;
}

/* ------------------------------------------------------------------------
 * The lead
 * ------------------------------------------------------------------------ */

/* The member under key, or under other where that one is absent or null. */
static JsonbValue *
get_either(JsonbContainer *object, const char *key, const char *other)
{
	JsonbValue *value = json_get(object, key);

	if (value == NULL || value->type == jbvNull)
		value = json_get(object, other);
	return value;
}

/*
 * The first text of a value that clean makes something of: a value may be a
 * list, as where an app keeps several e-mails.
 */
static char *
read_text(JsonbValue *value, char *(*clean) (const char *text))
{
	JsonbContainer *array = json_value_array(value);
	int			length;
	int			i;

	if (array == NULL)
		return clean(json_value_text(value));
	length = json_array_length(array);
	for (i = 0; i < length; i++)
	{
		char	   *text = clean(json_value_text(json_array_element(array, i)));

		if (text != NULL)
			return text;
	}
	return NULL;
}

/* An id is kept to the byte, for it must find its row again. */
static char *
clean_id(const char *text)
{
	return clean_line(text) != NULL ? pstrdup(text) : NULL;
}

/* The key of a phone number, or NULL. */
static char *
clean_phone(const char *text)
{
	char		key[PHONE_MAX_LEN];

	if (text == NULL || !phone_key(text, strlen(text), key))
		return NULL;
	return pstrdup(key);
}

CrmLead *
lead_from_jsonb(Jsonb *object)
{
	CrmLead    *lead = (CrmLead *) palloc0(sizeof(CrmLead));
	JsonbContainer *row;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return lead;
	row = &object->root;

	lead->id = read_text(json_get(row, "id"), clean_id);
	lead->user_id = read_text(json_get(row, "user_id"), clean_id);
	lead->phone_key = read_text(get_either(row, "phone", "phone_number"),
								clean_phone);
	if (lead->phone_key != NULL)
	{
		lead->phone = (char *) palloc(PHONE_MAX_LEN);
		phone_format(lead->phone_key, lead->phone);
	}
	lead->first_name = read_text(json_get(row, "first_name"), clean_line);
	lead->last_name = read_text(json_get(row, "last_name"), clean_line);
	lead->email = read_text(json_get(row, "email"), lead_email);
	lead->address = read_text(json_get(row, "address"), clean_line);
	lead->city = read_text(json_get(row, "city"), clean_line);
	lead->state = read_text(json_get(row, "state"), clean_line);
	lead->zip_code = read_text(get_either(row, "zip_code", "zip"), clean_line);
	read_score(lead, json_get(row, "risk_score"));
	lead->do_not_contact = value_is_true(json_get(row, "do_not_contact"));
	lead->deleted = value_is_true(json_get(row, "deleted_at"));
	lead->tags = read_tags(json_get(row, "tags"));
	lead->notes = read_text(json_get(row, "notes"), clean_lines);
	lead->source = read_text(json_get(row, "source"), clean_line);
	return lead;
}

LeadFacts
lead_facts(const CrmLead *lead)
{
	LeadFacts	facts;

	facts.deleted = lead->deleted;
	facts.do_not_contact = lead->do_not_contact;
	facts.has_contact_key = lead->phone_key != NULL || lead->email != NULL;
	facts.has_risk_score = lead->has_risk_score;
	facts.risk_score = lead->risk_score;
	return facts;
}

LeadRefusal
lead_refusal(const LeadFacts *facts, const IntegrationSettings *settings,
			 bool flags_records)
{
	if (facts->deleted)
		return REFUSAL_LEAD_DELETED;

	/*
	 * Raising a flag protects the person, whatever the score, and a record
	 * that we know needs no key to be found.
	 */
	if (facts->do_not_contact)
		return flags_records ? REFUSAL_NONE : REFUSAL_DO_NOT_CONTACT;

	if (!facts->has_contact_key)
		return REFUSAL_NO_CONTACT_KEY;
	if (!settings->has_max_risk_score)
		return REFUSAL_NONE;
	if (!facts->has_risk_score)
		return settings->sync_unscored ? REFUSAL_NONE : REFUSAL_RISK_UNSCORED;

	/* so written, what is not a number would be refused */
	if (!(facts->risk_score <= settings->max_risk_score))
		return REFUSAL_RISK_ABOVE_LIMIT;
	return REFUSAL_NONE;
}

/* ------------------------------------------------------------------------
 * Digests
 * ------------------------------------------------------------------------ */

/*
 * One hash state for many digests.  The server's hash functions register
 * with the current resource owner and crash where there is none, as in a
 * worker outside a transaction: then a temporary one is made.
 */
typedef struct Hasher
{
	pg_cryptohash_ctx *hash;
	ResourceOwner temporary_owner;	/* NULL: there was one */
} Hasher;

static void
hasher_open(Hasher *hasher)
{
	hasher->temporary_owner = NULL;
	if (CurrentResourceOwner == NULL)
	{
		hasher->temporary_owner = ResourceOwnerCreate(NULL, "echosync digest");
		CurrentResourceOwner = hasher->temporary_owner;
	}
	hasher->hash = pg_cryptohash_create(PG_SHA256);
}

static void
hasher_close(Hasher *hasher)
{
	pg_cryptohash_free(hasher->hash);
	if (hasher->temporary_owner != NULL)
	{
		CurrentResourceOwner = NULL;
		ResourceOwnerDelete(hasher->temporary_owner);
	}
}

static void
hasher_failed(Hasher *hasher)
{
	hasher_close(hasher);
	elog(ERROR, "could not compute a SHA-256 digest");
}

static void
hasher_start(Hasher *hasher)
{
	if (hasher->hash == NULL || pg_cryptohash_init(hasher->hash) < 0)
		hasher_failed(hasher);
}

/* Length first, so that no two lists of texts are the same bytes. */
static void
hasher_add(Hasher *hasher, const char *text)
{
	size_t		len = strlen(text);
	uint8		prefix[4];

	prefix[0] = (uint8) (len >> 24);
	prefix[1] = (uint8) (len >> 16);
	prefix[2] = (uint8) (len >> 8);
	prefix[3] = (uint8) len;
	if (pg_cryptohash_update(hasher->hash, prefix, sizeof(prefix)) < 0 ||
		pg_cryptohash_update(hasher->hash, (const uint8 *) text, len) < 0)
		hasher_failed(hasher);
}

static void
hasher_finish(Hasher *hasher, uint8 *digest, size_t len)
{
	uint8		full[PG_SHA256_DIGEST_LENGTH];

	if (pg_cryptohash_final(hasher->hash, full, sizeof(full)) < 0)
		hasher_failed(hasher);
	memcpy(digest, full, len);
}

static int
compare_text(const ListCell *a, const ListCell *b)
{
	return strcmp((const char *) lfirst(a), (const char *) lfirst(b));
}

/* The tags a CRM is to have, as one text in which their order is lost. */
static char *
tags_text(const CrmLead *lead, const IntegrationSettings *settings)
{
	List	   *tags = list_copy(lead->tags);
	StringInfoData out;
	ListCell   *lc;

	foreach(lc, settings->tags)
	{
		if (!tags_contain(tags, (const char *) lfirst(lc)))
			tags = lappend(tags, lfirst(lc));
	}
	if (tags == NIL)
		return NULL;
	list_sort(tags, compare_text);

	initStringInfo(&out);
	foreach(lc, tags)
		json_string(&out, (const char *) lfirst(lc));
	return out.data;
}

/* The label under which a custom field takes this field, or NULL. */
static const char *
custom_label(const IntegrationSettings *settings, LeadField field)
{
	ListCell   *lc;

	foreach(lc, settings->custom_fields)
	{
		const CustomFieldSetting *custom = (const CustomFieldSetting *) lfirst(lc);

		if (custom->field == (int) field)
			return custom->label;
	}
	return NULL;
}

/*
 * What would be sent of a field, or NULL.  The phone's key stands for its
 * form: another spelling of one number is no change.
 */
static const char *
sent_text(const CrmLead *lead, const IntegrationSettings *settings,
		  LeadField field, bool has_label)
{
	switch (field)
	{
		case LEAD_FIELD_PHONE:
			return lead->phone_key;
		case LEAD_FIELD_FIRST_NAME:
			return lead->first_name;
		case LEAD_FIELD_LAST_NAME:
			return lead->last_name;
		case LEAD_FIELD_EMAIL:
			return lead->email;
		case LEAD_FIELD_ADDRESS:
			return lead->address;
		case LEAD_FIELD_CITY:
			return lead->city;
		case LEAD_FIELD_STATE:
			return lead->state;
		case LEAD_FIELD_ZIP_CODE:
			return lead->zip_code;
		case LEAD_FIELD_TAGS:
			return tags_text(lead, settings);
		case LEAD_FIELD_NOTES:
			return lead->notes;
		case LEAD_FIELD_DO_NOT_CONTACT:
			/* the flag is only ever raised; a custom field has both */
			if (lead->do_not_contact)
				return "true";
			return has_label ? "false" : NULL;

			/*
			 * Of these a CRM is told through custom fields only: a score has
			 * no other place, and the source is for creation.
			 */
		case LEAD_FIELD_ID:
			return has_label ? lead->id : NULL;
		case LEAD_FIELD_USER_ID:
			return has_label ? lead->user_id : NULL;
		case LEAD_FIELD_RISK_SCORE:
			return has_label ? lead->risk_score_text : NULL;
		case LEAD_FIELD_SOURCE:
			if (!has_label)
				return NULL;
			return lead->source != NULL ? lead->source : settings->source;
		case LEAD_FIELD_DELETED_AT:
			return NULL;
	}
	return NULL;
}

void
lead_digest(const CrmLead *lead, const IntegrationSettings *settings,
			uint8 digest[LEAD_DIGEST_SIZE])
{
	Hasher		hasher;
	int			field;

	memset(digest, 0, LEAD_DIGEST_SIZE);
	hasher_open(&hasher);
	for (field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		const char *label = custom_label(settings, (LeadField) field);
		const char *text = sent_text(lead, settings, (LeadField) field,
									 label != NULL);

		if (text == NULL)
			continue;
		hasher_start(&hasher);
		hasher_add(&hasher, lead_field_names[field]);
		hasher_add(&hasher, text);
		if (label != NULL)
			hasher_add(&hasher, label);
		hasher_finish(&hasher, digest + field * LEAD_DIGEST_LEN,
					  LEAD_DIGEST_LEN);
	}
	hasher_close(&hasher);
}

bool
lead_digest_differs(const uint8 *a, const uint8 *b, LeadField field)
{
	return memcmp(a + field * LEAD_DIGEST_LEN, b + field * LEAD_DIGEST_LEN,
				  LEAD_DIGEST_LEN) != 0;
}

void
lead_key_hash(const char *integration_id, char kind, const char *key,
			  uint8 hash[LEAD_KEY_HASH_LEN])
{
	const char	kind_text[2] = {kind, '\0'};
	Hasher		hasher;

	hasher_open(&hasher);
	hasher_start(&hasher);
	hasher_add(&hasher, integration_id);
	hasher_add(&hasher, kind_text);
	hasher_add(&hasher, key);
	hasher_finish(&hasher, hash, LEAD_KEY_HASH_LEN);
	hasher_close(&hasher);
}

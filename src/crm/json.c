/*
 * json.c
 *		Reading and writing JSON for CRM clients.
 *
 * Reading is jsonb's, behind a gate: a scan of our own checks the grammar and
 * takes away what jsonb_in would raise an error for, so that a CRM's bytes
 * cannot throw in a worker that has no transaction.  A number too large to be
 * meant becomes null, a lone surrogate or a \u0000 the replacement character;
 * the rest of the document stays readable.
 *
 * Writing appends to a StringInfo; whether a comma is due is seen from the
 * last character, so that there is no state to carry.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "crm/json.h"

#define JSON_MAX_DEPTH		32
#define JSON_MAX_BYTES		(16 * 1024 * 1024)	/* jsonb stays under its limits */
#define JSON_MAX_NUMBER		400 /* characters, and decimal exponent */

#define REPLACEMENT_CHARACTER 0xFFFD

/* A scan in place of a NUL-terminated copy of the text. */
typedef struct JsonScan
{
	char	   *at;
} JsonScan;

static bool scan_value(JsonScan *scan, int depth);

static void
scan_space(JsonScan *scan)
{
	while (*scan->at == ' ' || *scan->at == '\t' ||
		   *scan->at == '\n' || *scan->at == '\r')
		scan->at++;
}

static bool
scan_word(JsonScan *scan, const char *word)
{
	size_t		len = strlen(word);

	if (strncmp(scan->at, word, len) != 0)
		return false;
	scan->at += len;
	return true;
}

static bool
scan_digits(JsonScan *scan)
{
	if (!isdigit((unsigned char) *scan->at))
		return false;
	while (isdigit((unsigned char) *scan->at))
		scan->at++;
	return true;
}

/*
 * A number; one that would cost much memory when written out is overwritten
 * by null, which always fits.
 */
static bool
scan_number(JsonScan *scan)
{
	char	   *start = scan->at;
	int			exponent = 0;

	if (*scan->at == '-')
		scan->at++;
	if (*scan->at == '0')
		scan->at++;
	else if (!scan_digits(scan))
		return false;
	if (*scan->at == '.')
	{
		scan->at++;
		if (!scan_digits(scan))
			return false;
	}
	if (*scan->at == 'e' || *scan->at == 'E')
	{
		char	   *digit;

		scan->at++;
		if (*scan->at == '+' || *scan->at == '-')
			scan->at++;
		digit = scan->at;
		if (!scan_digits(scan))
			return false;
		for (; digit < scan->at && exponent <= JSON_MAX_NUMBER; digit++)
			exponent = exponent * 10 + (*digit - '0');
	}

	if (exponent > JSON_MAX_NUMBER || scan->at - start > JSON_MAX_NUMBER)
	{
		memset(start, ' ', scan->at - start);
		memcpy(start, "null", 4);
	}
	return true;
}

/* The four digits behind "\u"; -1 when they are not. */
static int
hex_quad(const char *text)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		char		c = text[i];

		value <<= 4;
		if (c >= '0' && c <= '9')
			value += c - '0';
		else if (c >= 'a' && c <= 'f')
			value += c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value += c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

static bool
scan_unicode_escape(JsonScan *scan)
{
	char	   *quad = scan->at + 2;
	int			unit = hex_quad(quad);

	if (unit < 0)
		return false;
	scan->at += 6;
	if (unit >= 0xD800 && unit <= 0xDBFF && scan->at[0] == '\\' &&
		scan->at[1] == 'u')
	{
		int			low = hex_quad(scan->at + 2);

		if (low >= 0xDC00 && low <= 0xDFFF)
		{
			scan->at += 6;
			return true;
		}
	}
	if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF))
		memcpy(quad, "fffd", 4);
	return true;
}

static bool
scan_string(JsonScan *scan)
{
	scan->at++;
	for (;;)
	{
		unsigned char c = (unsigned char) *scan->at;

		if (c < 0x20)
			return false;		/* also the end of the text */
		if (c == '"')
		{
			scan->at++;
			return true;
		}
		if (c != '\\')
			scan->at++;
		else if (scan->at[1] == 'u')
		{
			if (!scan_unicode_escape(scan))
				return false;
		}
		else if (scan->at[1] != '\0' && strchr("\"\\/bfnrt", scan->at[1]) != NULL)
			scan->at += 2;
		else
			return false;
	}
}

/* The members of an array or object, from behind its opening bracket. */
static bool
scan_members(JsonScan *scan, int depth, bool keyed, char closing)
{
	scan_space(scan);
	if (*scan->at == closing)
	{
		scan->at++;
		return true;
	}
	for (;;)
	{
		if (keyed)
		{
			scan_space(scan);
			if (*scan->at != '"' || !scan_string(scan))
				return false;
			scan_space(scan);
			if (*scan->at != ':')
				return false;
			scan->at++;
		}
		if (!scan_value(scan, depth + 1))
			return false;
		scan_space(scan);
		if (*scan->at == closing)
		{
			scan->at++;
			return true;
		}
		if (*scan->at != ',')
			return false;
		scan->at++;
	}
}

/* Recursion ends at JSON_MAX_DEPTH, far from the stack's end. */
static bool
scan_value(JsonScan *scan, int depth)
{
	scan_space(scan);
	switch (*scan->at)
	{
		case '{':
		case '[':
			{
				bool		keyed = (*scan->at == '{');

				if (depth >= JSON_MAX_DEPTH)
					return false;
				scan->at++;
				return scan_members(scan, depth, keyed, keyed ? '}' : ']');
			}
		case '"':
			return scan_string(scan);
		case 't':
			return scan_word(scan, "true");
		case 'f':
			return scan_word(scan, "false");
		case 'n':
			return scan_word(scan, "null");
		default:
			return scan_number(scan);
	}
}

/*
 * The scan lets nothing through that jsonb_in is known to reject; should it
 * reject something all the same, that is a document we cannot read, not an
 * error.  Errors that are not the document's (memory) pass.
 */
static Jsonb *
parse_scanned(const char *text, MemoryContext result_context)
{
	MemoryContext parse_context = CurrentMemoryContext;
	Jsonb	   *volatile result = NULL;

	PG_TRY();
	{
		Jsonb	   *parsed;

		parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
													CStringGetDatum(text)));
		result = MemoryContextAlloc(result_context, VARSIZE(parsed));
		memcpy(result, parsed, VARSIZE(parsed));
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		if (ERRCODE_TO_CATEGORY(code) != ERRCODE_DATA_EXCEPTION &&
			ERRCODE_TO_CATEGORY(code) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(parse_context);
		FlushErrorState();
		result = NULL;
	}
	PG_END_TRY();

	return result;
}

Jsonb *
json_parse(const char *text, size_t len)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext parse_context;
	Jsonb	   *result = NULL;
	char	   *copy;
	JsonScan	scan;

	if (text == NULL)
		return NULL;
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
	{
		text += 3;				/* a byte order mark, to be ignored */
		len -= 3;
	}
	if (len == 0 || len > JSON_MAX_BYTES)
		return NULL;
	if (!pg_verify_mbstr(PG_UTF8, text, (int) len, true))
		return NULL;			/* also where there is a NUL byte */

	/* jsonb_in leaves much behind */
	parse_context = AllocSetContextCreate(caller, "echosync JSON parse",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(parse_context);

	copy = pnstrdup(text, len);
	scan.at = copy;
	if (scan_value(&scan, 0))
	{
		scan_space(&scan);
		if (scan.at == copy + len)
			result = parse_scanned(copy, caller);
	}

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(parse_context);
	return result;
}

JsonbValue *
json_get(JsonbContainer *object, const char *key)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, key, (int) strlen(key), NULL);
}

JsonbContainer *
json_value_object(JsonbValue *value)
{
	if (value == NULL || value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

JsonbContainer *
json_value_array(JsonbValue *value)
{
	if (value == NULL || value->type != jbvBinary ||
		!JsonContainerIsArray(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

JsonbContainer *
json_get_object(JsonbContainer *object, const char *key)
{
	return json_value_object(json_get(object, key));
}

JsonbContainer *
json_get_array(JsonbContainer *object, const char *key)
{
	return json_value_array(json_get(object, key));
}

/* A document that is one scalar is stored as an array, but is none. */
int
json_array_length(JsonbContainer *array)
{
	if (array == NULL || !JsonContainerIsArray(array) ||
		JsonContainerIsScalar(array))
		return 0;
	return (int) JsonContainerSize(array);
}

JsonbValue *
json_array_element(JsonbContainer *array, int index)
{
	if (index < 0 || index >= json_array_length(array))
		return NULL;
	return getIthJsonbValueFromContainer(array, (uint32) index);
}

static char *
numeric_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(number)));
}

char *
json_value_text(JsonbValue *value)
{
	if (value == NULL)
		return NULL;
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type == jbvNumeric)
		return numeric_text(value->val.numeric);
	if (value->type == jbvBool)
		return pstrdup(value->val.boolean ? "true" : "false");
	return NULL;
}

char *
json_get_text(JsonbContainer *object, const char *key)
{
	return json_value_text(json_get(object, key));
}

/* An optional sign, digits, and perhaps a fraction of zeros. */
static bool
text_to_int64(const char *text, int64 *result)
{
	bool		negative = false;
	int64		value = 0;

	while (isspace((unsigned char) *text))
		text++;
	if (*text == '-')
	{
		negative = true;
		text++;
	}
	if (!isdigit((unsigned char) *text))
		return false;
	for (; isdigit((unsigned char) *text); text++)
	{
		/* downwards, where there is room for the smallest */
		if (pg_mul_s64_overflow(value, 10, &value) ||
			pg_sub_s64_overflow(value, *text - '0', &value))
			return false;
	}
	if (*text == '.')
	{
		text++;
		while (*text == '0')
			text++;
	}
	while (isspace((unsigned char) *text))
		text++;
	if (*text != '\0')
		return false;
	if (!negative)
	{
		if (value == PG_INT64_MIN)
			return false;
		value = -value;
	}
	*result = value;
	return true;
}

bool
json_value_int64(JsonbValue *value, int64 *result)
{
	if (value == NULL ||
		(value->type != jbvNumeric && value->type != jbvString))
		return false;
	return text_to_int64(json_value_text(value), result);
}

bool
json_get_int64(JsonbContainer *object, const char *key, int64 *result)
{
	return json_value_int64(json_get(object, key), result);
}

bool
json_get_bool(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_get(object, key);

	if (value == NULL)
		return false;
	if (value->type == jbvBool)
		return value->val.boolean;
	if (value->type == jbvNumeric)
		return strpbrk(numeric_text(value->val.numeric), "123456789") != NULL;
	if (value->type == jbvString)
	{
		char	   *text = json_value_text(value);

		return pg_strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
	}
	return false;
}

/* Between two values, and between a value and the next key. */
static void
comma_if_needed(StringInfo out)
{
	if (out->len > 0 && strchr("{[:,", out->data[out->len - 1]) == NULL)
		appendStringInfoChar(out, ',');
}

void
json_object_start(StringInfo out)
{
	comma_if_needed(out);
	appendStringInfoChar(out, '{');
}

void
json_object_end(StringInfo out)
{
	appendStringInfoChar(out, '}');
}

void
json_array_start(StringInfo out)
{
	comma_if_needed(out);
	appendStringInfoChar(out, '[');
}

void
json_array_end(StringInfo out)
{
	appendStringInfoChar(out, ']');
}

void
json_key(StringInfo out, const char *key)
{
	comma_if_needed(out);
	escape_json(out, key);
	appendStringInfoChar(out, ':');
}

void
json_string(StringInfo out, const char *value)
{
	comma_if_needed(out);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, value);
}

void
json_literal(StringInfo out, const char *literal)
{
	comma_if_needed(out);
	appendStringInfoString(out, literal != NULL ? literal : "null");
}

void
json_int64(StringInfo out, int64 value)
{
	comma_if_needed(out);
	appendStringInfo(out, INT64_FORMAT, value);
}

void
json_key_string(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	json_key(out, key);
	json_string(out, value);
}

uint32
text_next_char(const char **text)
{
	const unsigned char *bytes = (const unsigned char *) *text;
	int			len = pg_utf_mblen(bytes);
	int			i;

	for (i = 1; i < len; i++)
	{
		if ((bytes[i] & 0xC0) != 0x80)
			break;
	}
	if (i < len || (bytes[0] >= 0x80 && len == 1))
	{
		(*text)++;
		return REPLACEMENT_CHARACTER;
	}
	*text += len;
	return utf8_to_unicode(bytes);
}

int
text_length(const char *text)
{
	int			count = 0;

	while (*text != '\0')
	{
		(void) text_next_char(&text);
		count++;
	}
	return count;
}

char *
text_clip(const char *text, int max_chars)
{
	const char *end = text;

	while (max_chars-- > 0 && *end != '\0')
		(void) text_next_char(&end);
	return pnstrdup(text, end - text);
}

void
url_encode(StringInfo out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || strchr("-._~", c) != NULL)
			appendStringInfoChar(out, (char) c);
		else
			appendStringInfo(out, "%%%02X", c);
	}
}

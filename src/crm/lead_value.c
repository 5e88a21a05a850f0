/*
 * lead_value.c
 *		Reading one value of a lead for what it means.
 *
 * Apps keep a flag as a boolean, a number, a word or the time it was set, and
 * tags as an array, a list or an array's text.  All are read here, so that
 * nothing behind this file needs to know.  Where a flag that protects a
 * person is unclear, it counts as set.
 *
 * Not here: which value is which field (lead.c), phone numbers (phone.c).
 * Nothing here needs a transaction or raises an error but out-of-memory.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/numeric.h"

#include "crm/json.h"
#include "crm/lead_value.h"

#define EMAIL_MAX_LEN	254		/* RFC 5321: a path, less its brackets */
#define SCORE_MAX_LEN	400		/* of its text, and decimal exponent */
#define TAGS_MAX		100		/* more is a mistake, and would cost n^2 */

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
 * made one space.  NULL when nothing is left; cut at LEAD_TEXT_MAX.
 */
char *
lead_clean_line(const char *text)
{
	StringInfoData out;
	bool		space_due = false;
	int			visible_end = 0;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (*text != '\0' && out.len < LEAD_TEXT_MAX)
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
 * characters go.  Trimmed; NULL when nothing is left; cut at LEAD_TEXT_MAX.
 */
char *
lead_clean_lines(const char *text)
{
	StringInfoData out;
	int			visible_end = 0;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (*text != '\0' && out.len < LEAD_TEXT_MAX)
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
	char	   *email = lead_clean_line(text);
	const char *at = NULL;
	const char *p;
	char	   *c;

	if (email == NULL || strlen(email) > EMAIL_MAX_LEN)
		return NULL;
	for (p = email; *p != '\0';)
	{
		const char *start = p;
		uint32		code = text_next_char(&p);

		/* lead_clean_line has left no white space but ' ' */
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

void
lead_read_score(CrmLead *lead, JsonbValue *value)
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
			value.type != jbvBinary && lead_value_is_true(&value))
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

	trimmed = lead_clean_line(text);
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
bool
lead_value_is_true(JsonbValue *value)
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

bool
lead_tags_contain(const List *tags, const char *tag)
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
	char	   *tag = lead_clean_line(text);

	if (tag == NULL || list_length(tags) >= TAGS_MAX || lead_tags_contain(tags, tag))
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

List *
lead_read_tags(JsonbValue *value)
{
	if (json_value_array(value) != NULL)
		return add_tags_of_array(NIL, json_value_array(value));
	if (value != NULL &&
		(value->type == jbvString || value->type == jbvNumeric))
		return add_tags_of_text(NIL, json_value_text(value));
	return NIL;
}

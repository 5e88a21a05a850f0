/*
 * lead_flag.c
 *		Opt-outs and deletions, whatever they are kept as: a boolean, a number, a
 *		word or the time when it happened.
 *
 * What protects a person, and is unclear, counts as set.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "crm/json.h"
#include "crm/lead_value.h"
#include "pg_compat.h"

/* Numbers from here on are times: seconds since 1970, and milliseconds. */
#define UNIX_SECONDS_MIN 1e9
#define UNIX_MILLISECONDS_MIN 1e11
#define TIME_MAX_LEN MAXDATELEN

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
	if (!lead_array_elements(text, &elements))
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

	if (text == NULL || text[0] == '\0')
		return false;
	/* what a boolean column gives, without allocation */
	if (text[1] == '\0' && (text[0] == 'f' || text[0] == 't'))
		return text[0] == 't';

	trimmed = lead_clean_line(text);
	if (trimmed == NULL)
		return false;
	for (int i = 0; i < lengthof(false_words); i++)
	{
		if (pg_strcasecmp(trimmed, false_words[i]) == 0)
			return false;
	}
	if (lead_text_to_number(trimmed, &number))
		return number != 0;
	if (trimmed[0] == '{' || trimmed[0] == '[' || trimmed[0] == '"')
		return container_text_is_true(trimmed);
	return true;
}

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

/* A time of PostgreSQL's, in any of its ways of writing; false: it is none. */
static bool
read_time(const char *text, TimestampTz *time)
{
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			type[MAXDATEFIELDS];
	int			n_fields;
	int			kind;
	int			zone;
	struct pg_tm tm;
	fsec_t		fraction;

	if (ParseDateTime(text, buffer, sizeof(buffer), field, type, MAXDATEFIELDS, &n_fields) != 0 ||
		compat_decode_date_time(field, type, n_fields, &kind, &tm, &fraction, &zone) != 0)
		return false;
	if (kind == DTK_LATE)
		*time = DT_NOEND;
	else if (kind != DTK_DATE || tm2timestamp(&tm, fraction, &zone, time) != 0)
		return false;
	return true;
}

static bool
number_is_future(double number)
{
	double		now = (double) GetCurrentTimestamp() / USECS_PER_SEC +
		(double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

	if (number >= UNIX_MILLISECONDS_MIN)
		number /= 1000;
	return number >= UNIX_SECONDS_MIN && number > now;
}

/* A time that is to come: "never", in tables whose column is NOT NULL. */
static bool
text_is_future(const char *text)
{
	double		number;
	TimestampTz time;

	if (lead_text_to_number(text, &number))
		return number_is_future(number);
	return read_time(text, &time) && time > GetCurrentTimestamp();
}

bool
lead_text_is_deletion(const char *text)
{
	char	   *line;

	if (!lead_text_is_true(text))
		return false;
	line = lead_clean_text(text);
	return line != NULL && !text_is_future(line);
}

bool
lead_value_is_deletion(JsonbValue *value)
{
	if (!lead_value_is_true(value))
		return false;
	return (value->type != jbvString && value->type != jbvNumeric) || lead_text_is_deletion(json_value_text(value));
}

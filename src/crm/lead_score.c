/*
 * lead_score.c
 *		Risk scores: numbers, and what tables and exports make of them.
 *
 * A score that cannot be read is not the same as none: leads without one may be sent
 * where a connection says so, one that says something may not.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/numeric.h"

#include "crm/json.h"
#include "crm/lead_value.h"

#define SCORE_MAX_LEN	400		/* of its text, and decimal exponent */

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

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

	while (is_space(*text))
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
	while (is_space(*p))
		p++;
	if (*p != '\0' || len > SCORE_MAX_LEN || exponent > SCORE_MAX_LEN)
		return false;

	memcpy(number, text, len);
	number[len] = '\0';
	return true;
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

/* A decimal number; false for anything else. */
bool
lead_text_to_number(const char *text, double *number)
{
	char		shape[SCORE_MAX_LEN + 1];

	if (text == NULL)
		return false;
	if (score_is_infinite(text))
	{
		*number = HUGE_VAL;
		return true;
	}
	if (!score_shape(text, shape))
		return false;
	*number = strtod(shape, NULL);	/* LC_NUMERIC is always C in a server */
	return !isinf(*number) || *number > 0;
}

/*
 * "95,5" is 95.5 where a comma stands for the point.  Before three digits it
 * may divide thousands: then it is left out, since the larger score is the safe one.
 */
static void
replace_comma(char *text)
{
	char	   *comma = strchr(text, ',');
	size_t		n_digits;

	if (comma == NULL || strchr(comma + 1, ',') != NULL || strchr(text, '.') != NULL)
		return;
	n_digits = strspn(comma + 1, "0123456789");
	if (n_digits == 3 && comma[4] == '\0' && *text != '0' && strspn(text, "0123456789") == comma - text)
		memmove(comma, comma + 1, strlen(comma));
	else if (n_digits > 0)
		*comma = '.';
}

/* Without space around it and "%" behind it, with a point for a comma; NULL: blank. */
static char *
plain_score(const char *text)
{
	char	   *line = lead_clean_line(text);
	size_t		len;

	if (line == NULL)
		return NULL;
	len = strlen(line);
	if (line[len - 1] == '%')
		len--;
	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len] = '\0';
	replace_comma(line);
	return line;
}

LeadScore
lead_text_to_score(const char *text, double *score)
{
	*score = 0;
	if (text == NULL)
		return LEAD_SCORE_NONE;

	/* almost all of them, and without allocation */
	if (lead_text_to_number(text, score) && *score >= 0)
		return LEAD_SCORE_READ;
	text = plain_score(text);
	if (text == NULL)
		return LEAD_SCORE_NONE;
	if (lead_text_to_number(text, score) && *score >= 0)
		return LEAD_SCORE_READ;
	*score = 0;
	return LEAD_SCORE_UNREADABLE;
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

/* What is no scalar is no score, but says something. */
static char *
value_text(JsonbValue *value)
{
	if (value->type == jbvNumeric || value->type == jbvString)
		return json_value_text(value);
	return value->type == jbvNull ? NULL : "?";
}

void
lead_read_score(CrmLead *lead, JsonbValue *value)
{
	char		number[SCORE_MAX_LEN + 1];
	char	   *text = value != NULL ? value_text(value) : NULL;

	lead->score = lead_text_to_score(text, &lead->risk_score);
	if (lead->score == LEAD_SCORE_READ && isfinite(lead->risk_score) && score_shape(plain_score(text), number))
		lead->risk_score_text = score_text(number);
}

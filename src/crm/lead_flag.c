/*
 * lead_flag.c
 *		Opt-outs, consents and deletions, whatever they are kept as: a boolean, a
 *		number, a word or the time when it happened.
 *
 * A word of an opt-out that nobody knows is neither yes nor no: the lead is refused,
 * and no flag is raised that would stay.
 */
#include "postgres.h"

#include <ctype.h>
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

/* What a word says, of itself. */
typedef enum Word
{
	WORD_UNKNOWN = 0,
	WORD_NOTHING,				/* there is no value */
	WORD_NO,
	WORD_YES,
	WORD_STOP,					/* of whoever must not be contacted */
	WORD_CLEAR					/* of whoever may be */
} Word;

typedef struct KnownWord
{
	const char *text;			/* as plain_word makes it */
	Word		word;
} KnownWord;

/* Those of people, forms, carriers and services that scrub lists. */
static const KnownWord known_words[] = {
	{"na", WORD_NOTHING}, {"null", WORD_NOTHING}, {"undefined", WORD_NOTHING}, {"not set", WORD_NOTHING}, {"blank", WORD_NOTHING},
	{"none", WORD_NO}, {"n", WORD_NO}, {"no", WORD_NO}, {"f", WORD_NO}, {"false", WORD_NO}, {"off", WORD_NO}, {"never", WORD_STOP},
	{"y", WORD_YES}, {"yes", WORD_YES}, {"t", WORD_YES}, {"true", WORD_YES}, {"on", WORD_YES}, {"x", WORD_YES},
	{"checked", WORD_YES}, {"all", WORD_YES}, {"both", WORD_YES}, {"found", WORD_YES}, {"match", WORD_YES}, {"hit", WORD_YES},

	{"dnc", WORD_STOP}, {"on dnc", WORD_STOP}, {"dnc list", WORD_STOP}, {"on list", WORD_STOP}, {"listed", WORD_STOP},
	{"registered", WORD_STOP}, {"do not call", WORD_STOP}, {"do not contact", WORD_STOP}, {"do not text", WORD_STOP},
	{"do not email", WORD_STOP}, {"dont call", WORD_STOP}, {"donotcall", WORD_STOP}, {"donotcontact", WORD_STOP},
	{"dnd", WORD_STOP}, {"do not disturb", WORD_STOP}, {"no calls", WORD_STOP}, {"no call", WORD_STOP}, {"no contact", WORD_STOP},
	{"stop", WORD_STOP}, {"stopall", WORD_STOP}, {"stop all", WORD_STOP}, {"stopped", WORD_STOP}, {"stop calling", WORD_STOP},
	{"quit", WORD_STOP}, {"cancel", WORD_STOP}, {"end", WORD_STOP}, {"opt out", WORD_STOP}, {"optout", WORD_STOP},
	{"opted out", WORD_STOP}, {"optedout", WORD_STOP}, {"out", WORD_STOP}, {"unsubscribe", WORD_STOP}, {"unsubscribed", WORD_STOP},
	{"federal", WORD_STOP}, {"federal dnc", WORD_STOP}, {"national", WORD_STOP}, {"national dnc", WORD_STOP}, {"state", WORD_STOP},
	{"state dnc", WORD_STOP}, {"internal", WORD_STOP}, {"internal dnc", WORD_STOP}, {"company dnc", WORD_STOP},
	{"litigator", WORD_STOP}, {"litigators", WORD_STOP}, {"known litigator", WORD_STOP}, {"tcpa litigator", WORD_STOP},
	{"litigant", WORD_STOP}, {"tcpa", WORD_STOP}, {"tcpa troll", WORD_STOP}, {"complainer", WORD_STOP}, {"complaint", WORD_STOP},
	{"blocked", WORD_STOP}, {"block", WORD_STOP}, {"blacklist", WORD_STOP}, {"blacklisted", WORD_STOP}, {"suppressed", WORD_STOP},
	{"suppress", WORD_STOP}, {"suppression", WORD_STOP}, {"revoked", WORD_STOP}, {"withdrawn", WORD_STOP}, {"denied", WORD_STOP},
	{"declined", WORD_STOP}, {"refused", WORD_STOP}, {"removed", WORD_STOP}, {"remove", WORD_STOP}, {"prohibited", WORD_STOP},

	{"clean", WORD_CLEAR}, {"clear", WORD_CLEAR}, {"cleared", WORD_CLEAR}, {"ok", WORD_CLEAR}, {"okay", WORD_CLEAR},
	{"ok to call", WORD_CLEAR}, {"safe", WORD_CLEAR}, {"good", WORD_CLEAR}, {"allowed", WORD_CLEAR}, {"callable", WORD_CLEAR},
	{"contactable", WORD_CLEAR}, {"not listed", WORD_CLEAR}, {"unlisted", WORD_CLEAR}, {"not on list", WORD_CLEAR},
	{"no dnc", WORD_CLEAR}, {"not dnc", WORD_CLEAR}, {"non dnc", WORD_CLEAR}, {"not on dnc", WORD_CLEAR}, {"not on dnc list", WORD_CLEAR},
	{"not registered", WORD_CLEAR}, {"unregistered", WORD_CLEAR}, {"not found", WORD_CLEAR}, {"no match", WORD_CLEAR},
	{"no hit", WORD_CLEAR}, {"not blocked", WORD_CLEAR}, {"opt in", WORD_CLEAR}, {"optin", WORD_CLEAR}, {"opted in", WORD_CLEAR},
	{"optedin", WORD_CLEAR}, {"subscribed", WORD_CLEAR}, {"granted", WORD_CLEAR}, {"consent", WORD_CLEAR}, {"consented", WORD_CLEAR},
	{"express consent", WORD_CLEAR}, {"permitted", WORD_CLEAR}
};

/* Longer texts are no words. */
#define WORD_MAX_LEN 32

/* Lower case, parts divided by one blank; apostrophes, dots and slashes go ("n/a", "don't").  False: too long. */
static bool
plain_word(const char *text, char plain[WORD_MAX_LEN + 1])
{
	int			n = 0;

	for (; *text != '\0'; text++)
	{
		bool		divides = !IS_HIGHBIT_SET(*text) && !isalnum((unsigned char) *text);

		if (strchr("'./", *text) != NULL || (divides && (n == 0 || plain[n - 1] == ' ')))
			continue;
		if (n == WORD_MAX_LEN)
			return false;
		plain[n++] = divides ? ' ' : pg_ascii_tolower((unsigned char) *text);
	}
	while (n > 0 && plain[n - 1] == ' ')
		n--;
	plain[n] = '\0';
	return true;
}

/*
 * Times without words, as ISO 8601 and databases write them: with the "T" and the "Z"
 * taken out.  The server's parser looks names of time zones up, and raises an ERROR
 * for those that it does not find.
 */
static bool
without_letters(const char *text, char plain[MAXDATELEN])
{
	int			n = 0;

	for (; *text != '\0'; text++)
	{
		bool		between = n > 0 && isdigit((unsigned char) plain[n - 1]);

		if (n >= MAXDATELEN - 4)
			return false;
		if (strchr("0123456789-:.+ ", *text) != NULL)
			plain[n++] = *text;
		else if (between && (*text == 'T' || *text == 't') && isdigit((unsigned char) text[1]))
			plain[n++] = ' ';
		else if (between && (*text == 'Z' || *text == 'z') && text[1] == '\0')
		{
			memcpy(plain + n, "+00", 3);
			n += 3;
		}
		else
			return false;
	}
	plain[n] = '\0';
	return n > 0;
}

/* A time; false: it is none. */
static bool
read_time(const char *line, TimestampTz *time)
{
	char		text[MAXDATELEN];
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			type[MAXDATEFIELDS];
	int			n_fields;
	int			kind;
	int			zone;
	struct pg_tm tm;
	fsec_t		fraction;

	if (pg_strcasecmp(line, "infinity") == 0 || pg_strcasecmp(line, "-infinity") == 0)
	{
		*time = *line == '-' ? DT_NOBEGIN : DT_NOEND;
		return true;
	}
	if (!without_letters(line, text) ||
		ParseDateTime(text, buffer, sizeof(buffer), field, type, MAXDATEFIELDS, &n_fields) != 0 ||
		compat_decode_date_time(field, type, n_fields, &kind, &tm, &fraction, &zone) != 0)
		return false;
	return kind == DTK_DATE && tm2timestamp(&tm, fraction, &zone, time) == 0;
}

/* A word, a number or a time; line is clean. */
static Word
read_word(const char *line)
{
	char		plain[WORD_MAX_LEN + 1];
	double		number;
	TimestampTz time;

	if (lead_text_to_number(line, &number))
		return number != 0 ? WORD_YES : WORD_NO;
	if (line[strspn(line, "-._")] == '\0')
		return WORD_NOTHING;
	if (*line != '#' && plain_word(line, plain))	/* not a formula that failed */
	{
		for (int i = 0; i < lengthof(known_words); i++)
		{
			if (strcmp(plain, known_words[i].text) == 0)
				return known_words[i].word;
		}
	}
	return read_time(line, &time) ? WORD_YES : WORD_UNKNOWN;
}

static LeadFlag
flag_of_word(Word word, bool consent)
{
	switch (word)
	{
		case WORD_UNKNOWN:
			return LEAD_FLAG_UNREADABLE;
		case WORD_NOTHING:
			return LEAD_FLAG_NO;
		case WORD_NO:
			return consent ? LEAD_FLAG_YES : LEAD_FLAG_NO;
		case WORD_YES:
			return consent ? LEAD_FLAG_NO : LEAD_FLAG_YES;
		case WORD_STOP:
			return LEAD_FLAG_YES;
		case WORD_CLEAR:
			return LEAD_FLAG_NO;
	}
	return LEAD_FLAG_UNREADABLE;
}

/* One yes is enough; what cannot be read goes before no. */
static LeadFlag
stricter(LeadFlag one, LeadFlag other)
{
	return Max(one, other);
}

static LeadFlag value_flag(JsonbValue *value, bool consent);

/* All scalars of a container, at any depth. */
static LeadFlag
container_flag(JsonbContainer *container, bool consent)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	LeadFlag	flag = LEAD_FLAG_NO;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if ((token == WJB_ELEM || token == WJB_VALUE) && value.type != jbvBinary)
			flag = stricter(flag, value_flag(&value, consent));
	}
	return flag;
}

/* A container written as text: JSON, or a PostgreSQL array. */
static LeadFlag
container_text_flag(const char *text, bool consent)
{
	Jsonb	   *parsed = json_parse(text, strlen(text));
	List	   *elements;
	ListCell   *lc;
	LeadFlag	flag = LEAD_FLAG_NO;

	if (parsed != NULL)
		return container_flag(&parsed->root, consent);
	if (!lead_array_elements(text, &elements))
		return LEAD_FLAG_UNREADABLE;
	foreach(lc, elements)
		flag = stricter(flag, consent ? lead_text_no_consent(lfirst(lc)) : lead_text_opt_out(lfirst(lc)));
	return flag;
}

static LeadFlag
text_flag(const char *text, bool consent)
{
	char	   *line;

	if (text == NULL || text[0] == '\0')
		return LEAD_FLAG_NO;
	/* what a boolean column gives, without allocation */
	if (text[1] == '\0' && (text[0] == 'f' || text[0] == 't'))
		return flag_of_word(text[0] == 't' ? WORD_YES : WORD_NO, consent);
	line = lead_clean_line(text);
	if (line == NULL)
		return LEAD_FLAG_NO;
	if (line[0] == '{' || line[0] == '[' || line[0] == '"')
		return container_text_flag(line, consent);
	return flag_of_word(read_word(line), consent);
}

static LeadFlag
value_flag(JsonbValue *value, bool consent)
{
	if (value == NULL)
		return LEAD_FLAG_NO;
	switch (value->type)
	{
		case jbvBool:
			return flag_of_word(value->val.boolean ? WORD_YES : WORD_NO, consent);
		case jbvNumeric:
			return flag_of_word(strpbrk(json_value_text(value), "123456789") != NULL ? WORD_YES : WORD_NO, consent);
		case jbvString:
			return text_flag(json_value_text(value), consent);
		case jbvBinary:
			return container_flag(value->val.binary.data, consent);
		default:
			return LEAD_FLAG_NO;
	}
}

LeadFlag
lead_text_opt_out(const char *text)
{
	return text_flag(text, false);
}

LeadFlag
lead_text_no_consent(const char *text)
{
	return text_flag(text, true);
}

LeadFlag
lead_read_opt_out(JsonbValue *opt_outs, JsonbValue *consents)
{
	return stricter(value_flag(opt_outs, false), value_flag(consents, true));
}

/* ------------------------------------------------------------------------
 * Deletions
 * ------------------------------------------------------------------------ */

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

/* Who is deleted is not contacted: a word that nobody knows is a deletion. */
LeadFlag
lead_text_is_deletion(const char *text)
{
	char	   *line;

	if (text_flag(text, false) == LEAD_FLAG_NO)
		return LEAD_FLAG_NO;
	line = lead_clean_line(text);
	return line == NULL || lead_text_is_no_value(line) || text_is_future(line) ? LEAD_FLAG_NO : LEAD_FLAG_YES;
}

bool
lead_value_is_deletion(JsonbValue *value)
{
	if (value_flag(value, false) == LEAD_FLAG_NO)
		return false;
	return (value->type != jbvString && value->type != jbvNumeric) ||
		lead_text_is_deletion(json_value_text(value)) == LEAD_FLAG_YES;
}

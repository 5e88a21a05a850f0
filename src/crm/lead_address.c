/*
 * lead_address.c
 *		States, ZIP codes, and when two spellings are one address.
 *
 * "state" is also what many an application calls the step that a lead is at, and
 * spreadsheets take the zeros off the front of a ZIP code.
 */
#include "postgres.h"

#include <ctype.h>

#include "crm/json.h"
#include "crm/lead_value.h"

typedef struct State
{
	const char *code;
	const char *name;			/* as plain_words makes it */
} State;

/* Of the USPS (Publication 28, appendix B) and Canada Post. */
static const State states[] = {
	{"al", "alabama"}, {"ak", "alaska"}, {"az", "arizona"}, {"ar", "arkansas"}, {"ca", "california"},
	{"co", "colorado"}, {"ct", "connecticut"}, {"de", "delaware"}, {"dc", "district of columbia"}, {"fl", "florida"},
	{"ga", "georgia"}, {"hi", "hawaii"}, {"id", "idaho"}, {"il", "illinois"}, {"in", "indiana"}, {"ia", "iowa"},
	{"ks", "kansas"}, {"ky", "kentucky"}, {"la", "louisiana"}, {"me", "maine"}, {"md", "maryland"},
	{"ma", "massachusetts"}, {"mi", "michigan"}, {"mn", "minnesota"}, {"ms", "mississippi"}, {"mo", "missouri"},
	{"mt", "montana"}, {"ne", "nebraska"}, {"nv", "nevada"}, {"nh", "new hampshire"}, {"nj", "new jersey"},
	{"nm", "new mexico"}, {"ny", "new york"}, {"nc", "north carolina"}, {"nd", "north dakota"}, {"oh", "ohio"},
	{"ok", "oklahoma"}, {"or", "oregon"}, {"pa", "pennsylvania"}, {"ri", "rhode island"}, {"sc", "south carolina"},
	{"sd", "south dakota"}, {"tn", "tennessee"}, {"tx", "texas"}, {"ut", "utah"}, {"vt", "vermont"},
	{"va", "virginia"}, {"wa", "washington"}, {"wv", "west virginia"}, {"wi", "wisconsin"}, {"wy", "wyoming"},
	{"as", "american samoa"}, {"gu", "guam"}, {"mp", "northern mariana islands"}, {"pr", "puerto rico"},
	{"vi", "us virgin islands"}, {"vi", "virgin islands"}, {"fm", "federated states of micronesia"},
	{"mh", "marshall islands"}, {"pw", "palau"}, {"aa", "armed forces americas"}, {"ae", "armed forces europe"},
	{"ap", "armed forces pacific"}, {"dc", "washington dc"},
	{"ab", "alberta"}, {"bc", "british columbia"}, {"mb", "manitoba"}, {"nb", "new brunswick"},
	{"nl", "newfoundland and labrador"}, {"nl", "newfoundland"}, {"ns", "nova scotia"}, {"nt", "northwest territories"},
	{"nu", "nunavut"}, {"on", "ontario"}, {"pe", "prince edward island"}, {"qc", "quebec"}, {"qc", "qu\xC3\xA9" "bec"}, {"qc", "qu\xC3\x89" "bec"},
	{"sk", "saskatchewan"}, {"yt", "yukon"}, {"yt", "yukon territory"}
};

/* Lower case, words parted by one blank, without punctuation. */
static char *
plain_words(const char *text)
{
	StringInfoData words;

	initStringInfo(&words);
	for (; *text != '\0'; text++)
	{
		if (IS_HIGHBIT_SET(*text) || isalnum((unsigned char) *text))
			appendStringInfoChar(&words, pg_ascii_tolower((unsigned char) *text));
		else if (strchr(".'", *text) == NULL && words.len > 0 && words.data[words.len - 1] != ' ')
			appendStringInfoChar(&words, ' ');
	}
	if (words.len > 0 && words.data[words.len - 1] == ' ')
		words.data[--words.len] = '\0';
	return words.data;
}

/* "US-UT" is how ISO 3166-2 has it. */
static const State *
find_state(const char *text)
{
	char	   *key = plain_words(text);

	if ((strncmp(key, "us ", 3) == 0 || strncmp(key, "ca ", 3) == 0) && strlen(key) == 5)
		key += 3;
	for (int i = 0; i < lengthof(states); i++)
	{
		if (strcmp(key, states[i].code) == 0 || strcmp(key, states[i].name) == 0)
			return &states[i];
	}
	return NULL;
}

char *
lead_state(const char *text)
{
	char	   *line = lead_clean_word(text);

	return line != NULL && find_state(line) != NULL ? line : NULL;
}

static bool
all_digits(const char *text, size_t len)
{
	return strspn(text, "0123456789") >= len;
}

/* "84101.0", as floating-point columns have it. */
static void
strip_zero_fraction(char *zip)
{
	size_t		n = strspn(zip, "0123456789");

	if (n > 0 && zip[n] == '.' && zip[n + 1 + strspn(zip + n + 1, "0")] == '\0')
		zip[n] = '\0';
}

/* How many zeros all its ZIP codes begin with, which numbers lose. */
static int
zip_zeros(const State *state)
{
	static const char *const one[] = {"ct", "ma", "me", "nh", "nj", "ri", "vt", "ae"};

	for (int i = 0; i < lengthof(one); i++)
	{
		if (strcmp(state->code, one[i]) == 0)
			return 1;
	}
	return strcmp(state->code, "pr") == 0 || strcmp(state->code, "vi") == 0 ? 2 : 0;
}

/* The zeros that a number has lost, where the state says that there were some. */
static char *
with_zeros(char *zip, int zeros)
{
	size_t		n = strspn(zip, "0123456789");
	bool		plus_four = strlen(zip) == n + 5 && zip[n] == '-' && all_digits(zip + n + 1, 4);

	if (zeros == 0 || (int) n >= 5 || (int) n < 5 - zeros || (zip[n] != '\0' && !plus_four))
		return zip;
	return psprintf("%.*s%s", 5 - (int) n, "00", zip);
}

char *
lead_zip_code(const char *text, const char *state)
{
	char	   *zip = lead_clean_word(text);
	const State *found = state != NULL ? find_state(state) : NULL;

	if (zip == NULL)
		return NULL;
	if (zip[0] == '\'')
		zip++;					/* a spreadsheet's mark of a text */
	strip_zero_fraction(zip);
	return with_zeros(zip, found != NULL ? zip_zeros(found) : 0);
}

/* ------------------------------------------------------------------------
 * Spelling
 * ------------------------------------------------------------------------ */

/* What the USPS abbreviates in a street's line (Publication 28, appendix C), the usual ones. */
static const char *const abbreviations[][2] = {
	{"street", "st"}, {"avenue", "ave"}, {"av", "ave"}, {"road", "rd"}, {"drive", "dr"}, {"lane", "ln"},
	{"boulevard", "blvd"}, {"court", "ct"}, {"place", "pl"}, {"circle", "cir"}, {"terrace", "ter"}, {"highway", "hwy"},
	{"parkway", "pkwy"}, {"trail", "trl"}, {"square", "sq"}, {"apartment", "apt"}, {"suite", "ste"}, {"unit", "apt"},
	{"north", "n"}, {"south", "s"}, {"east", "e"}, {"west", "w"}, {"northeast", "ne"}, {"northwest", "nw"},
	{"southeast", "se"}, {"southwest", "sw"}, {"saint", "st"}, {"mount", "mt"}, {"fort", "ft"}
};

static const char *
abbreviated(const char *word)
{
	for (int i = 0; i < lengthof(abbreviations); i++)
	{
		if (strcmp(word, abbreviations[i][0]) == 0)
			return abbreviations[i][1];
	}
	return word;
}

static char *
plain_street(const char *text)
{
	StringInfoData street;
	char	   *words = plain_words(text);
	char	   *rest;

	initStringInfo(&street);
	for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		appendStringInfo(&street, "%s%s", street.len > 0 ? " " : "", abbreviated(word));
	return street.data;
}

/* The first five digits are the place; the four behind them only where in it. */
static char *
plain_zip(const char *text)
{
	char	   *zip = plain_words(text);

	if ((strlen(zip) == 10 && all_digits(zip, 5) && zip[5] == ' ' && all_digits(zip + 6, 4)) ||
		(strlen(zip) == 9 && all_digits(zip, 9)))
		zip[5] = '\0';
	return zip;
}

const char *
lead_address_spelling(LeadField field, const char *text)
{
	const State *state;

	switch (field)
	{
		case LEAD_FIELD_ADDRESS:
		case LEAD_FIELD_CITY:
			return plain_street(text);
		case LEAD_FIELD_STATE:
			state = find_state(text);
			return state != NULL ? state->code : plain_words(text);
		case LEAD_FIELD_ZIP_CODE:
			return plain_zip(text);
		default:
			return text;
	}
}

bool
lead_address_same(LeadField field, const char *one, const char *other)
{
	return strcmp(lead_address_spelling(field, one != NULL ? one : ""),
				  lead_address_spelling(field, other != NULL ? other : "")) == 0;
}

/*
 * lead_email.c
 *		E-mail addresses: finding the first usable one in what people and exports
 *		write into a cell.
 *
 * An address is found by its "@" and reaches as far as its characters do, so that
 * brackets, labels, quotes, "mailto:" and separators fall away by themselves.  What is
 * doubtful is no address, since a wrong one is somebody else's: "john smith@example.com"
 * may be john.smith's.
 */
#include "postgres.h"

#include <ctype.h>

#include "crm/json.h"
#include "crm/lead_value.h"

#define EMAIL_MAX_LEN	254		/* RFC 5321: a path, less its brackets */
#define LOCAL_MAX_LEN	64		/* what is before the "@" */

/* Between addresses, or around one. */
#define CELL_MARKS " \n,;|<>()[]{}\"':=?!/&"

static bool
is_ascii_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_local_char(char c)
{
	return IS_HIGHBIT_SET(c) || is_ascii_alnum(c) || (c != '\0' && strchr("._+-'%#!$^~`/&", c) != NULL);
}

static bool
is_domain_char(char c)
{
	return IS_HIGHBIT_SET(c) || is_ascii_alnum(c) || c == '.' || c == '-';
}

/* The cell without what is not seen; other spaces and controls are a space, a line end too. */
static char *
seen_text(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*text != '\0' && out.len < LEAD_TEXT_MAX)
	{
		const char *start = text;
		uint32		c = text_next_char(&text);

		if (c < 0x20 || text_char_is_space(c))
			appendStringInfoChar(&out, c == '\n' || c == '\r' ? '\n' : ' ');
		else if (!text_char_is_invisible(c) && !(c >= 0x7F && c <= 0x9F))
			appendBinaryStringInfo(&out, start, text - start);
	}
	return out.data;
}

/* ------------------------------------------------------------------------
 * Addresses of programs
 * ------------------------------------------------------------------------ */

/* Before the "@", in lower case, without dots, hyphens and underscores, and digits at the end. */
static const char *const placeholder_names[] = {
	"none", "noemail", "noemailaddress", "noemailprovided", "noemailgiven", "noemailavailable", "nomail", "noaddress",
	"noreply", "donotreply", "donotemail", "donthave", "doesnothave", "notprovided", "notgiven", "notavailable",
	"notapplicable", "noone", "nobody", "noname", "nothing", "nothanks", "unknown", "undefined", "null", "nil",
	"test", "tester", "testing", "testtest", "testuser", "testemail", "testlead", "fake", "fakeemail", "dummy", "placeholder",
	"invalid", "blank", "empty", "refused", "declined", "anonymous", "example", "sample", "asdf", "asdfasdf", "qwerty",
	"xxx", "xxxx", "mailerdaemon", "postmaster", "bounce", "bounces", NULL
};
static const char *const placeholder_domains[] = {
	"none.com", "noemail.com", "nomail.com", "noaddress.com", "noreply.com", "test.com", "fake.com", "nowhere.com",
	"na.com", "no.com", "null.com", "unknown.com", "donotreply.com", "asdf.com", "noemail.net", "none.net", "noemail.org", NULL
};
static const char *const reserved_endings[] = {".invalid", ".localhost", NULL}; /* RFC 2606 */

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static bool
has_reserved_ending(const char *domain)
{
	size_t		len = strlen(domain);

	for (const char *const *ending = reserved_endings; *ending != NULL; ending++)
	{
		size_t		n = strlen(*ending);

		if (len > n && strcmp(domain + len - n, *ending) == 0)
			return true;
	}
	return false;
}

/* "a@a.com", "na@na.com". */
static bool
repeats_itself(const char *name, const char *domain)
{
	size_t		len = strlen(name);

	return len <= 3 && strncmp(domain, name, len) == 0 && domain[len] == '.';
}

/* Does it stand for "there is none"?  email is in lower case. */
static bool
is_placeholder(const char *email)
{
	const char *domain = strchr(email, '@') + 1;
	char	   *name = palloc(LOCAL_MAX_LEN + 1);
	int			n = 0;

	for (const char *p = email; *p != '@'; p++)
	{
		if (strchr(".-_", *p) == NULL)
			name[n++] = *p;
	}
	name[n] = '\0';
	if (is_one_of(domain, placeholder_domains) || has_reserved_ending(domain) || repeats_itself(name, domain))
		return true;
	while (n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	name[n] = '\0';
	return is_one_of(name, placeholder_names);
}

/* ------------------------------------------------------------------------
 * One address
 * ------------------------------------------------------------------------ */

static bool
local_is_usable(const char *local, const char *end)
{
	if (local == end || end - local > LOCAL_MAX_LEN || *local == '.' || end[-1] == '.')
		return false;
	for (const char *p = local; p < end - 1; p++)
	{
		if (p[0] == '.' && p[1] == '.')
			return false;
	}
	return true;
}

/* Labels of letters, digits and inner hyphens, two at least, the last one no number. */
static bool
domain_is_usable(const char *domain, const char *end)
{
	const char *label = domain;
	int			n_labels = 0;
	bool		letters = false;

	for (const char *p = domain; p <= end; p++)
	{
		if (p < end && *p != '.')
		{
			letters |= IS_HIGHBIT_SET(*p) || isalpha((unsigned char) *p);
			continue;
		}
		if (p == label || *label == '-' || p[-1] == '-' || (p == end && (!letters || p - label < 2)))
			return false;
		n_labels++;
		label = p + 1;
		letters = letters && p == end;
	}
	return n_labels >= 2;
}

/* A character that is broken, or hides others: what is left would be somebody else's. */
static bool
is_broken(const char *p)
{
	return *p == '*' || *p == '@' || *p == '\\' || strncmp(p, "\xEF\xBF\xBD", 3) == 0;
}

static bool
has_broken(const char *from, const char *to)
{
	for (; from < to; from++)
	{
		if (strncmp(from, "\xEF\xBF\xBD", 3) == 0)
			return true;
	}
	return false;
}

static bool
is_word_char(char c)
{
	return IS_HIGHBIT_SET(c) || is_ascii_alnum(c);
}

/* Words beside an address that are no part of it. */
static const char *const labels[] = {
	"email", "e-mail", "mail", "work", "home", "personal", "primary", "business", "office", "other", "private", "main",
	"is", "at", "and", "or", "und", "alt", "cc", "to", NULL
};

/* Is the word a label, or part of what is before the "@"? */
static bool
word_is_beside(const char *word, const char *word_end, const char *local, const char *local_end)
{
	char	   *lower = pnstrdup(word, word_end - word);
	char	   *name = pnstrdup(local, local_end - local);

	for (char *p = lower; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	for (char *p = name; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return is_one_of(lower, labels) || (strlen(lower) > 1 && strstr(name, lower) != NULL);
}

/*
 * May the address begin here, or are the words before it, with nothing but blanks
 * between, its beginning?  A name of which no word is in the address may be.
 */
static bool
beginning_is_sure(const char *from, const char *local, const char *local_end)
{
	const char *end = local;

	while (end > from && end[-1] == ' ')
		end--;
	if (end == from || end == local || !is_word_char(end[-1]))
		return true;
	while (end > from && is_word_char(end[-1]))
	{
		const char *word = end;

		while (word > from && (is_word_char(word[-1]) || (word[-1] == '-' && word - 1 > from)))
			word--;
		if (word_is_beside(word, end, local, local_end))
			return true;
		for (end = word; end > from && end[-1] == ' ';)
			end--;
	}
	return false;
}

static char *
lower_case(const char *from, const char *to)
{
	char	   *lower = pnstrdup(from, to - from);

	for (char *p = lower; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return lower;
}

/*
 * The address around at, or NULL.  from: where the one before has ended, or the text
 * begins; *end: where this one does.
 */
static char *
address_at(const char *from, const char *at, const char **end)
{
	const char *local = at;
	const char *stop = at + 1;
	const char *domain_end;
	char	   *email;

	while (local > from && is_local_char(local[-1]))
		local--;
	while (is_domain_char(*stop))
		stop++;
	*end = stop;
	if ((local > from && is_broken(local - 1)) || (*stop != '\0' && strchr(CELL_MARKS, *stop) == NULL) ||
		has_broken(local, stop))
		return NULL;
	while (local < at && *local != '\0' && strchr("'`/&", *local) != NULL)
		local++;
	for (domain_end = stop; domain_end > at + 1 && domain_end[-1] == '.';)
		domain_end--;
	if (!local_is_usable(local, at) || !domain_is_usable(at + 1, domain_end) ||
		domain_end - local > EMAIL_MAX_LEN || !beginning_is_sure(from, local, at))
		return NULL;
	email = lower_case(local, domain_end);
	return is_placeholder(email) ? NULL : email;
}

char *
lead_email_of_text(const char *text)
{
	const char *from;
	const char *at;

	if (text == NULL || strchr(text, '@') == NULL)
		return NULL;
	text = lead_nfc(seen_text(text));
	for (from = text; (at = strchr(from, '@')) != NULL;)
	{
		char	   *email = address_at(from, at, &from);

		if (email != NULL)
			return email;
	}
	return NULL;
}

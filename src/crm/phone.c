/*
 * phone.c
 *		Phone numbers: reading what people type into a key, and writing the key
 *		in the form CRMs want.
 *
 * A field may hold a label, an extension, a comment, or a second number; the
 * first number is found and the rest left off.  What is doubtful is refused
 * rather than guessed, since a wrong key would merge two people.
 *
 * Not here: whether the number is in service, or which country a number
 * without country code belongs to.  No PostgreSQL, no locale, no allocation.
 */
#include <string.h>

#include "crm/phone.h"

#define E164_MAX_DIGITS		15
#define MIN_DIGITS			7

/* longest run of digits worth keeping: E.164 behind "011" */
#define SCAN_MAX_DIGITS		(E164_MAX_DIGITS + 3)

/*
 * A foreign number of ten digits that has the shape of a North American one
 * (+65 6234 5678, and 656-234-5678 in Florida) keeps its "00", or the two
 * would be one key.
 */
#define FOREIGN_MARK		"00"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Separates one number from the next, where digits came before it. */
static bool
is_list_separator(char c)
{
	return c == '/' || c == ',' || c == ';' || c == '|' || c == '&' ||
		c == '\\' || c == '\n' || c == '\r';
}

/*
 * Full-width and Arabic-Indic digits and the full-width plus stand for the
 * ASCII ones.  Returns the character meant, 0 for any other, and the number
 * of bytes read in *width (1 for what is not understood: a separator).
 */
static char
ascii_meant(const char *text, size_t len, size_t *width)
{
	unsigned char a = (unsigned char) text[0];
	unsigned char b = len > 1 ? (unsigned char) text[1] : 0;
	unsigned char c = len > 2 ? (unsigned char) text[2] : 0;

	*width = 1;
	if (a < 0x80)
		return (char) a;
	if (a == 0xEF && b == 0xBC && c >= 0x90 && c <= 0x99)
	{
		*width = 3;
		return (char) ('0' + (c - 0x90));
	}
	if (a == 0xEF && b == 0xBC && c == 0x8B)
	{
		*width = 3;
		return '+';
	}
	if (a == 0xD9 && b >= 0xA0 && b <= 0xA9)
	{
		*width = 2;
		return (char) ('0' + (b - 0xA0));
	}
	if (a == 0xDB && b >= 0xB0 && b <= 0xB9)
	{
		*width = 2;
		return (char) ('0' + (b - 0xB0));
	}
	return 0;
}

/* ASCII only, whatever the locale. */
static bool
word_is(const char *word, size_t len, const char *wanted)
{
	size_t		i;

	if (strlen(wanted) != len)
		return false;
	for (i = 0; i < len; i++)
	{
		if ((word[i] | 0x20) != wanted[i])
			return false;
	}
	return true;
}

static bool
is_extension_word(const char *word, size_t len)
{
	return word_is(word, len, "x") || word_is(word, len, "ex") ||
		word_is(word, len, "ext") || word_is(word, len, "extn") ||
		word_is(word, len, "extension");
}

/* Does a digit follow, with nothing but punctuation of extensions between? */
static bool
digit_follows(const char *text, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (is_digit(text[i]))
			return true;
		if (strchr(" .:=#-\t", text[i]) == NULL || text[i] == '\0')
			return false;
	}
	return false;
}

/*
 * The length of text without ".0", which is what a floating-point column
 * makes of a number; a dot elsewhere separates.
 */
static size_t
without_zero_fraction(const char *text, size_t len)
{
	size_t		end = len;
	size_t		i;

	while (end > 0 && text[end - 1] == '0')
		end--;
	if (end == len || end < MIN_DIGITS + 1 || text[end - 1] != '.')
		return len;
	for (i = 0; i < end - 1; i++)
	{
		if (!is_digit(text[i]))
			return len;
	}
	return end - 1;
}

/* Ten digits that the North American plan allows. */
static bool
is_nanp(const char *digits, size_t n)
{
	return n == 10 && digits[0] >= '2' && digits[3] >= '2';
}

static bool
one_digit_repeated(const char *digits, size_t n)
{
	size_t		i;

	for (i = 1; i < n; i++)
	{
		if (digits[i] != digits[0])
			return false;
	}
	return true;
}

/* Do the digits begin with what is dialled before a country code? */
static size_t
dial_prefix(const char *digits, size_t n)
{
	if (n >= 2 && memcmp(digits, "00", 2) == 0)
		return 2;
	if (n >= 3 && memcmp(digits, "011", 3) == 0)
		return 3;
	return 0;
}

/*
 * From digits to key.  *certain is set when the number is complete in itself,
 * so that words around it can be taken for comments.
 */
static bool
key_from_digits(const char *digits, size_t n, bool plus,
				char key[PHONE_MAX_LEN], bool *certain)
{
	size_t		prefix = dial_prefix(digits, n);
	bool		international = plus;
	bool		marked = false;

	*certain = false;

	/*
	 * "011" also begins British numbers of eleven digits (Leeds), hence the
	 * minimum; nothing else begins with "00".
	 */
	if (prefix == 2 || (prefix == 3 && (plus || n - prefix >= 9)))
	{
		digits += prefix;
		n -= prefix;
		international = true;
	}

	if (n < MIN_DIGITS || n > E164_MAX_DIGITS)
		return false;
	if (international && digits[0] == '0')
		return false;			/* no country code begins with 0 */

	if (digits[0] == '1')
	{
		/* country code 1 has ten digits behind it, always */
		if (n != 11 || !is_nanp(digits + 1, n - 1))
			return false;
		digits++;
		n--;
		*certain = true;
	}
	else if (international)
	{
		*certain = (n >= 9);
		marked = is_nanp(digits, n);
	}
	else if (n == 10)
	{
		if (!is_nanp(digits, n))
			return false;
		*certain = true;
	}
	else if (n < 10 || digits[0] == '0')
	{
		/*
		 * A local number, or a national one of some country: two people may
		 * have it, and neither can be called with it.
		 */
		return false;
	}

	if (one_digit_repeated(digits, n))
		return false;

	if (marked)
	{
		memcpy(key, FOREIGN_MARK, 2);
		key += 2;
	}
	memcpy(key, digits, n);
	key[n] = '\0';
	return true;
}

/* The key of the one number in text, or false. */
static bool
number_key(const char *text, size_t len, char key[PHONE_MAX_LEN], bool *certain)
{
	char		digits[SCAN_MAX_DIGITS + 1];
	size_t		n = 0;
	bool		plus = false;
	bool		words = false;
	size_t		i = 0;

	len = without_zero_fraction(text, len);

	while (i < len)
	{
		size_t		width;
		char		c = ascii_meant(text + i, len - i, &width);

		if (is_digit(c))
		{
			if (n >= SCAN_MAX_DIGITS)
				return false;
			digits[n++] = c;
		}
		else if (c == '+')
		{
			if (plus || n > 0)
				return false;
			plus = true;
		}
		else if (c == '*' || c == '@')
		{
			return false;		/* masked; an address of another kind */
		}
		else if (c == '#')
		{
			if (n > 0)
			{
				if (!digit_follows(text + i + 1, len - i - 1))
					return false;
				break;
			}
		}
		else if (c == '(' && len - i >= 3 && text[i + 1] == '0' &&
				 text[i + 2] == ')' && n > 0 &&
				 (plus || dial_prefix(digits, n) > 0))
		{
			width = 3;			/* "+44 (0)20": dialled at home only */
		}
		else if (is_letter(c))
		{
			size_t		end = i;

			while (end < len && is_letter(text[end]))
				end++;
			width = end - i;

			if (n > 0)
			{
				if (is_extension_word(text + i, width) &&
					digit_follows(text + end, len - end))
					break;

				/*
				 * A comment stands apart from the number.  Letters that do
				 * not are a vanity number's, or "xx" that hides digits.
				 */
				if (is_digit(text[i - 1]) || text[i - 1] == '-' ||
					text[i - 1] == '.' || text[i - 1] == '+')
					return false;
				words = true;
				break;
			}
			if (!word_is(text + i, width, "tel"))
			{
				if (end < len && (is_digit(text[end]) || text[end] == '+'))
					return false;	/* an identifier, not a label */
				words = true;
			}
		}
		i += width;
	}
	digits[n] = '\0';

	return key_from_digits(digits, n, plus, key, certain) &&
		(*certain || !words);
}

/* Where the first number of a list ends. */
static size_t
first_number_end(const char *text, size_t len)
{
	bool		digit_seen = false;
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if (is_digit(text[i]))
			digit_seen = true;
		else if (digit_seen && (is_list_separator(text[i]) || text[i] == '+'))
			return i;
	}
	return len;
}

bool
phone_key(const char *text, size_t len, char key[PHONE_MAX_LEN])
{
	bool		certain;
	size_t		end;

	key[0] = '\0';
	if (text == NULL)
		return false;

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' ||
					   text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;

	end = first_number_end(text, len);
	if (number_key(text, end, key, &certain))
		return true;

	/* "801/555-0101": what looked like a list was one number */
	if (end < len && number_key(text, len, key, &certain) && certain)
		return true;

	key[0] = '\0';
	return false;
}

bool
phone_key_is_nanp(const char *key)
{
	return is_nanp(key, strlen(key));
}

void
phone_format(const char *key, char formatted[PHONE_MAX_LEN])
{
	size_t		n = strlen(key);
	bool		marked = strncmp(key, FOREIGN_MARK, 2) == 0;

	if (marked)
	{
		key += 2;
		n -= 2;
	}
	if (marked || !is_nanp(key, n))
		*formatted++ = '+';
	if (n > PHONE_MAX_LEN - 2)
		n = PHONE_MAX_LEN - 2;
	memcpy(formatted, key, n);
	formatted[n] = '\0';
}

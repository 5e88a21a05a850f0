/*
 * phone.c
 *		Phone numbers: reading what people type into a key, and writing the key
 *		in the form CRMs want.
 *
 * A field may hold a label, an extension, a comment, or more numbers; the first
 * that can be used is found and the rest left off.  What is doubtful is refused
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

/* fewer of them, before a mark that also divides one number, may be a part of it */
#define FRAGMENT_MAX_DIGITS	(MIN_DIGITS - 1)

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

/* Is never within a number. */
static bool
is_strong_separator(char c)
{
	return c == ';' || c == '|' || c == '\n' || c == '\r';
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

/*
 * A mobile number's mark behind the country code, which is no part of the number:
 * Mexico's 1 (dialled until 2019) and Argentina's 9 (dialled from abroad).
 */
static bool
has_mobile_mark(const char *digits, size_t n)
{
	return n == 13 && (memcmp(digits, "521", 3) == 0 || memcmp(digits, "549", 3) == 0);
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

/* A number that was read: ten digits for North America, else with country code. */
typedef struct Number
{
	char		e164[SCAN_MAX_DIGITS + 1];
	size_t		digits;
	bool		foreign;		/* has the shape of a North American one */
} Number;

/*
 * From digits to number.  *certain is set when it is complete in itself, so that
 * words around it can be taken for comments.
 */
static bool
number_from_digits(const char *digits, size_t n, bool plus, Number *number, bool *certain)
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

	/* "+1 1 801 555 0101" */
	if (n == 12 && memcmp(digits, "11", 2) == 0 && is_nanp(digits + 2, 10))
	{
		digits++;
		n--;
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

	number->digits = n;
	memcpy(number->e164, digits, n);
	number->e164[n] = '\0';
	number->foreign = marked;
	return true;
}

static void
number_key(const Number *number, char key[PHONE_MAX_LEN])
{
	if (number->foreign)
	{
		memcpy(key, FOREIGN_MARK, 2);
		key += 2;
	}
	if (has_mobile_mark(number->e164, number->digits))
	{
		memcpy(key, number->e164, 2);
		strcpy(key + 2, number->e164 + 3);
	}
	else
		strcpy(key, number->e164);
}

/* As it is dialled: Argentina's mark stays where it was written, Mexico's is history. */
static void
number_form(const Number *number, char form[PHONE_MAX_LEN])
{
	char		key[PHONE_MAX_LEN];

	if (number->e164[1] == '4' && has_mobile_mark(number->e164, number->digits))
	{
		form[0] = '+';
		strcpy(form + 1, number->e164);
		return;
	}
	number_key(number, key);
	phone_format(key, form);
}

/* The one number in text, or false. */
static bool
read_number(const char *text, size_t len, Number *number, bool *certain)
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
			if (n == 1 && digits[0] == '1')
				n = 0;			/* "+1 +1 801 555 0101" */
			else if (plus || n > 0)
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

	return number_from_digits(digits, n, plus, number, certain) &&
		(*certain || !words);
}

static size_t
count_digits(const char *text, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len;)
	{
		size_t		width;

		n += is_digit(ascii_meant(text + i, len - i, &width));
		i += width;
	}
	return n;
}

/* A word behind a number that begins another one: "or 801-555-0102", "cell: 801-555-0102". */
static bool
word_divides(const char *text, size_t len, size_t at)
{
	size_t		end = at;

	while (end < len && is_letter(text[end]))
		end++;
	return end > at && at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t') &&
		!is_extension_word(text + at, end - at);
}

/* Where the number that begins the text ends: at its end, or before what divides it from the next. */
static size_t
number_end(const char *text, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (is_digit(text[i]))
			n++;
		else if (n > 0 && (is_list_separator(text[i]) || word_divides(text, len, i)))
			return i;
		else if (text[i] == '+' && n > 0 && !(n == 1 && memchr(text, '1', i) != NULL))
			return i;
		else if (n > 0 && len - i >= 3 && memcmp(text + i, ":::", 3) == 0)
			return i;
	}
	return len;
}

/* The next number that can be used, of those that marks and words divide. */
static bool
read_listed(const char *text, size_t len, Number *number)
{
	bool		certain;

	while (len > 0)
	{
		size_t		end = number_end(text, len);

		if (read_number(text, end, number, &certain))
			return true;
		/* another country's, or a part of a number that the mark is in: the rest would be somebody else's */
		if (memchr(text, '+', end) != NULL)
			return false;
		if (end < len && !is_strong_separator(text[end]) && count_digits(text, end) <= FRAGMENT_MAX_DIGITS)
			return false;
		if (end < len && !is_letter(text[end]) && text[end] != '+')
			end++;
		text += end;
		len -= end;
	}
	return false;
}

static bool
read_cell(const char *text, size_t len, Number *number)
{
	bool		certain;

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t' ||
					   text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len > 0 && text[0] == '{')
		return false;			/* an object, or what a program has sealed */

	if (read_listed(text, len, number))
		return true;

	/* "801/555-0101": what looked like a list was one number */
	return number_end(text, len) < len && read_number(text, len, number, &certain) && certain;
}

bool
phone_read(const char *text, size_t len, char key[PHONE_MAX_LEN], char form[PHONE_MAX_LEN])
{
	Number		number;

	key[0] = form[0] = '\0';
	if (text == NULL || !read_cell(text, len, &number))
		return false;
	number_key(&number, key);
	number_form(&number, form);
	return true;
}

bool
phone_key(const char *text, size_t len, char key[PHONE_MAX_LEN])
{
	char		form[PHONE_MAX_LEN];

	return phone_read(text, len, key, form);
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

bool
phone_marked_form(const char *key, char form[PHONE_MAX_LEN])
{
	bool		mexico = strncmp(key, "52", 2) == 0;

	if (strlen(key) != 12 || (!mexico && strncmp(key, "54", 2) != 0))
		return false;
	memcpy(form, mexico ? "+521" : "+549", 4);
	strcpy(form + 4, key + 2);
	return true;
}

/*
 * phone_test.c
 *		phone.c against tables of what people and programs write, and against
 *		random bytes.  Prints TAP; run by run_pure.sh.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crm/phone.h"

static int	tests = 0;
static int	failures = 0;

static void
ok(bool passed, const char *name)
{
	const char *p;

	tests++;
	if (!passed)
		failures++;
	printf("%sok %d - ", passed ? "" : "not ", tests);
	/* "#" would start a TAP directive */
	for (p = name; *p != '\0'; p++)
		putchar(*p == '#' ? '~' : (*p < 0x20 ? '?' : *p));
	putchar('\n');
}

typedef struct PhoneCase
{
	const char *text;
	const char *key;			/* NULL: unusable */
	const char *formatted;		/* NULL: as key */
} PhoneCase;

static const PhoneCase cases[] = {
	/* North America */
	{"8015550101", "8015550101", NULL},
	{"801-555-0101", "8015550101", NULL},
	{"(801) 555-0101", "8015550101", NULL},
	{"801.555.0101", "8015550101", NULL},
	{"  801 555 0101  ", "8015550101", NULL},
	{"+1 801 555 0101", "8015550101", NULL},
	{"+18015550101", "8015550101", NULL},
	{"1-801-555-0101", "8015550101", NULL},
	{"1 (801) 555-0101", "8015550101", NULL},
	{"+1 (801) 555-0199", "8015550199", NULL},
	{"001 801 555 0101", "8015550101", NULL},
	{"011 1 801 555 0101", "8015550101", NULL},
	{"tel:+1-801-555-0101", "8015550101", NULL},
	{"TEL:8015550101", "8015550101", NULL},
	{"tel8015550101", "8015550101", NULL},
	{"tel:+1-801-555-0101;ext=12", "8015550101", NULL},
	{"555-555-0101", "5555550101", NULL},
	{"888-555-1234", "8885551234", NULL},
	{"801-911-0101", "8019110101", NULL},
	{"8015550101.0", "8015550101", NULL},
	{"8015550100.00", "8015550100", NULL},
	{"#801-555-0101", "8015550101", NULL},
	{"801\t555\t0101\n", "8015550101", NULL},
	{"801_555_0101", "8015550101", NULL},
	{"[801] 555~0101", "8015550101", NULL},

	/* extensions */
	{"801-555-0101 x12", "8015550101", NULL},
	{"801-555-0101x12", "8015550101", NULL},
	{"801-555-0101 X 12", "8015550101", NULL},
	{"801-555-0101 ext 12", "8015550101", NULL},
	{"801-555-0101 ext. 12", "8015550101", NULL},
	{"801-555-0101 Ext.: 12", "8015550101", NULL},
	{"801-555-0101ext12", "8015550101", NULL},
	{"801-555-0101 extension 12", "8015550101", NULL},
	{"801-555-0101 #12", "8015550101", NULL},
	{"801-555-0101#12", "8015550101", NULL},
	{"801-555-0101;ext=12", "8015550101", NULL},
	{"8015550101,,12", "8015550101", NULL},
	{"801-555-0101 x", "8015550101", NULL},
	{"+44 20 7946 0958 ext 4", "442079460958", "+442079460958"},

	/* labels and comments */
	{"Cell: 801-555-0101", "8015550101", NULL},
	{"801-555-0101 (cell)", "8015550101", NULL},
	{"801-555-0101 ask for Pat", "8015550101", NULL},
	{"phone 801-555-0101 or 801-555-0102", "8015550101", NULL},
	{"cell 555-0101", NULL, NULL},

	/* several numbers */
	{"801-555-0101 / 801-555-0102", "8015550101", NULL},
	{"801-555-0101, 801-555-0102", "8015550101", NULL},
	{"801-555-0101; 801-555-0102", "8015550101", NULL},
	{"801-555-0101|801-555-0102", "8015550101", NULL},
	{"801-555-0101\n801-555-0102", "8015550101", NULL},
	{"801-555-0101 & 801-555-0102", "8015550101", NULL},
	{"+18015550101+18015550102", "8015550101", NULL},
	{"/ 801-555-0101 / 801-555-0102", "8015550101", NULL},
	{"801/555-0101", "8015550101", NULL},
	{"801/555/0101", "8015550101", NULL},
	{"801-555-0101 801-555-0102", NULL, NULL},
	{"22 / 801-555-0101", NULL, NULL},

	/* other countries */
	{"+44 20 7946 0958", "442079460958", "+442079460958"},
	{"+44 (0)20 7946 0958", "442079460958", "+442079460958"},
	{"0044 20 7946 0958", "442079460958", "+442079460958"},
	{"0044 (0)20 7946 0958", "442079460958", "+442079460958"},
	{"011 44 20 7946 0958", "442079460958", "+442079460958"},
	{"+011 44 20 7946 0958", "442079460958", "+442079460958"},
	{"+0044 20 7946 0958", "442079460958", "+442079460958"},
	{"44 20 7946 0958", "442079460958", "+442079460958"},
	{"+49 30/123456", "4930123456", "+4930123456"},
	{"+61 491 570 156", "61491570156", "+61491570156"},
	{"+4930 901820", "4930901820", "+4930901820"},
	{"+123", NULL, NULL},
	{"+65 6123 4567", "6561234567", "+6561234567"},
	{"+65 6234 5678", "006562345678", "+6562345678"},
	{"011 65 6234 5678", "006562345678", "+6562345678"},
	{"656-234-5678", "6562345678", NULL},
	{"+999 1234 5678 901", "99912345678901", "+99912345678901"},
	{"+12 3456 7890", NULL, NULL},
	{"+0 801 555 0101", NULL, NULL},
	{"++18015550101", NULL, NULL},

	/* no country told */
	{"555-0101", NULL, NULL},
	{"07911 123456", NULL, NULL},
	{"0113 496 0000", NULL, NULL},
	{"20 7946 0958", "2079460958", NULL},

	/* Unicode */
	{"801\xC2\xA0" "555\xC2\xA0" "0101", "8015550101", NULL},
	{"801\xE2\x80\x91" "555\xE2\x80\x93" "0101", "8015550101", NULL},
	{"\xE2\x80\xAD" "8015550101\xE2\x80\xAC", "8015550101", NULL},
	{"\xEF\xBC\x98\xEF\xBC\x90\xEF\xBC\x91 555 0101", "8015550101", NULL},
	{"\xEF\xBC\x8B" "44 20 7946 0958", "442079460958", "+442079460958"},
	{"\xD9\xA8\xD9\xA0\xD9\xA1 555 0101", "8015550101", NULL},
	{"\xEF\xBC", NULL, NULL},
	{"8015550101\xEF", "8015550101", NULL},
	{"\xFF\xFE" "8015550101", "8015550101", NULL},

	/* unusable */
	{"", NULL, NULL},
	{"   ", NULL, NULL},
	{"+", NULL, NULL},
	{"-", NULL, NULL},
	{"n/a", NULL, NULL},
	{"none", NULL, NULL},
	{"555010", NULL, NULL},
	{"1234567890123456", NULL, NULL},
	{"99999999999999999999999999999999999999", NULL, NULL},
	{"0000000000", NULL, NULL},
	{"5555555555", NULL, NULL},
	{"1 555 555 5555", NULL, NULL},
	{"9999999", NULL, NULL},
	{"+999999999999", NULL, NULL},
	{"001-555-0101", NULL, NULL},
	{"101-555-0101", NULL, NULL},
	{"801-055-0101", NULL, NULL},
	{"801-155-0101", NULL, NULL},
	{"1-101-555-0101", NULL, NULL},
	{"+1 555 0101", NULL, NULL},
	{"1-800-FLOWERS", NULL, NULL},
	{"1-800-555-FLOWERS", NULL, NULL},
	{"800-555-GOLD", NULL, NULL},
	{"FLOWERS-800-1234", NULL, NULL},
	{"801-555-01xx", NULL, NULL},
	{"801-555-xxxx", NULL, NULL},
	{"801-555-01**", NULL, NULL},
	{"801-555-01##", NULL, NULL},
	{"***-***-0101", NULL, NULL},
	{"8.015550101e9", NULL, NULL},
	{"8015550101@example.com", NULL, NULL},
	{"c3d8015550101", NULL, NULL},
	{"ab8015550101", NULL, NULL},
	{"x12", NULL, NULL},
	{"ext 8015550101", "8015550101", NULL},
	{"{\"phone\":1}", NULL, NULL},
	{"{\"p\":\"8015550483\",\"iv\":\"x\"}", NULL, NULL},

	/* the first that can be used */
	{"n/a; 801-555-0101", "8015550101", NULL},
	{"555-1234 / 801-555-0101", "8015550101", NULL},
	{"555-1234, 801-555-0101", "8015550101", NULL},
	{"555-1234 or 801-555-0101", "8015550101", NULL},
	{"555-1234 ::: 801-555-0101", "8015550101", NULL},
	{"12; 801-555-0101", "8015550101", NULL},
	{"801-555-01|8015550102", "8015550102", NULL},
	{"801-555-****; 801-555-0102", "8015550102", NULL},
	{"home: 555-1234 cell: 801-555-0102", "8015550102", NULL},
	{"801-555-0101 call after 5", "8015550101", NULL},
	{"M 801 555 0101 / H 801 555 0102", "8015550101", NULL},
	{"801-555-0101 x12, 801-555-0102", "8015550101", NULL},
	{"52/3311112222", NULL, NULL},
	{"49/2015550123", NULL, NULL},
	{"44 cell 2079460958", NULL, NULL},
	{"8.01555E+09", NULL, NULL},
	{"8,01555E+09", NULL, NULL},
	{"8.01555E+09; 801-555-0101", NULL, NULL},

	/* country code 1, twice */
	{"+1 +1 801 555 0101", "8015550101", NULL},
	{"+1-1-801-555-0101", "8015550101", NULL},
	{"118015550101", "8015550101", NULL},
	{"001 1 801 555 0101", "8015550101", NULL},

	/* marks of mobile numbers */
	{"+52 33 1111 2222", "523311112222", "+523311112222"},
	{"+52 1 33 1111 2222", "523311112222", "+523311112222"},
	{"5213311112222", "523311112222", "+523311112222"},
	{"011 52 1 33 1111 2222", "523311112222", "+523311112222"},
	{"+54 11 1234 5678", "541112345678", "+541112345678"},
	{"+54 9 11 1234 5678", "541112345678", "+541112345678"},

	/* other words for it */
	{"tel:+1-801-555-0101;ext=12", "8015550101", NULL},
	{"TEL:8015550101", "8015550101", NULL},
	{"sms:+18015550101", "8015550101", NULL},
	{"=\"8015550101\"", "8015550101", NULL},
	{"'8015550101", "8015550101", NULL},
};

static void
check_forms(void)
{
	char		key[PHONE_MAX_LEN];
	char		form[PHONE_MAX_LEN];

	ok(phone_read("+54 9 11 1234 5678", 18, key, form) && strcmp(form, "+5491112345678") == 0, "Argentina's mark is sent as it was written");
	ok(phone_read("+54 11 1234 5678", 16, key, form) && strcmp(form, "+541112345678") == 0, "and only then");
	ok(phone_read("+52 1 33 1111 2222", 18, key, form) && strcmp(form, "+523311112222") == 0, "Mexico's is not sent");
	ok(phone_marked_form("523311112222", form) && strcmp(form, "+5213311112222") == 0 &&
	   phone_marked_form("541112345678", form) && strcmp(form, "+5491112345678") == 0 &&
	   !phone_marked_form("8015550101", form) && !phone_marked_form("442079460958", form), "the other form of a key");
}

static void
check_cases(void)
{
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const PhoneCase *c = &cases[i];
		const char *formatted = c->formatted ? c->formatted : c->key;
		char		key[PHONE_MAX_LEN];
		char		form[PHONE_MAX_LEN];
		char		name[200];
		bool		usable = phone_key(c->text, strlen(c->text), key);
		bool		passed;

		form[0] = '\0';
		if (c->key == NULL)
			passed = !usable && key[0] == '\0';
		else
		{
			if (usable)
				phone_format(key, form);
			passed = usable && strcmp(key, c->key) == 0 &&
				strcmp(form, formatted) == 0;
		}
		snprintf(name, sizeof(name), "\"%s\" is %s (%s, %s)", c->text,
				 c->key ? c->key : "unusable", usable ? key : "unusable", form);
		ok(passed, name);
	}
}

/* A number sent to a CRM and read back must be the same number. */
static void
check_random(void)
{
	static const char alphabet[] =
	"0123456789012345678901234567890123456789+-.() x#/,;*\n0 \xC2\xA0\xEF\xBC\x98" "extTEL:@a";
	uint64_t	seed = 88172645463325252ULL;
	bool		stable = true;
	bool		bounded = true;
	long		usable = 0;
	int			i;

	for (i = 0; i < 2000000; i++)
	{
		char		text[40];
		char	   *exact;
		size_t		len;
		size_t		j;
		char		key[PHONE_MAX_LEN];
		char		form[PHONE_MAX_LEN];
		char		again[PHONE_MAX_LEN];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		len = (seed >> 32) % sizeof(text);
		for (j = 0; j < len; j++)
		{
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			text[j] = (i % 8 == 0) ? (char) (seed >> 20) :
				alphabet[(seed >> 20) % (sizeof(alphabet) - 1)];
		}

		/* exactly as long as it says, for the address sanitizer to see */
		exact = malloc(len > 0 ? len : 1);
		memcpy(exact, text, len);
		if (phone_key(exact, len, key))
		{
			usable++;
			phone_format(key, form);
			if (strlen(key) < 7 || strlen(key) > 17 ||
				strspn(key, "0123456789") != strlen(key) ||
				strlen(form) >= PHONE_MAX_LEN)
				bounded = false;
			if (!phone_key(form, strlen(form), again) || strcmp(again, key) != 0)
			{
				if (stable)
					printf("# %s -> %s -> %s\n", key, form, again);
				stable = false;
			}
		}
		free(exact);
	}
	ok(bounded, "random text: keys are digits and fit");
	ok(stable, "random text: the form of a key has that key");
	ok(usable > 1000, "random text: some of it was usable");
}

int
main(void)
{
	char		key[PHONE_MAX_LEN];

	ok(!phone_key(NULL, 0, key) && key[0] == '\0', "no text");
	ok(!phone_key("801\0" "555", 3, key), "the length counts");
	ok(phone_key("801\0" "555\0" "0101", 12, key) &&
	   strcmp(key, "8015550101") == 0, "a NUL byte separates");
	ok(phone_key_is_nanp("8015550101"), "ten digits are North American");
	ok(!phone_key_is_nanp("442079460958"), "twelve are not");
	ok(!phone_key_is_nanp("1015550101"), "nor a wrong area code");
	ok(!phone_key_is_nanp("006562345678"), "nor a marked foreign number");
	ok(!phone_key_is_nanp(""), "nor nothing");
	check_cases();
	check_forms();
	check_random();
	printf("1..%d\n", tests);
	return failures > 0;
}

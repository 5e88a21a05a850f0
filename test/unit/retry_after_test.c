/*
 * retry_after_test.c
 *		retry_after.c against a table of headers.  Prints TAP; run by
 *		run_pure.sh.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "crm/retry_after.h"

#define NOW INT64_C(784111777)	/* Sun, 06 Nov 1994 08:49:37 GMT */

typedef struct RetryAfterCase
{
	const char *value;
	int			ms;
} RetryAfterCase;

static const RetryAfterCase cases[] = {
	{NULL, -1},
	{"", -1},
	{"0", 0},
	{"1", 1000},
	{" 12 ", 12000},
	{"007", 7000},
	{"1.5", 2000},
	{"2.0", 2000},
	{"299", 299000},
	{"300", 300000},
	{"301", 300000},
	{"86400", 300000},
	{"99999999999999999999999999", 300000},
	{"-1", -1},
	{"+1", -1},
	{"1e3", -1},
	{"1s", -1},
	{"1, 2", -1},
	{"soon", -1},
	{"0x10", -1},
	{"\xEF\xBC\x91", -1},

	/* IMF-fixdate */
	{"Sun, 06 Nov 1994 08:49:37 GMT", 0},
	{"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
	{"Sun, 06 Nov 1994 08:49:27 GMT", 0},
	{"Sun, 06 Nov 1994 09:49:37 GMT", 300000},
	{"Mon, 07 Nov 1994 00:00:00 GMT", 300000},
	{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	{"Fri, 31 Dec 9999 23:59:59 GMT", 300000},
	{"Sun, 06 Nov 1994 08:49:60 GMT", 23000},
	{"Sun, 6 Nov 1994 08:49:47 GMT", 10000},
	{"sun, 06 nov 1994 08:49:47 GMT", 10000},
	{"Sun, 06 Nov 1994 08:49:47 GMT  ", 10000},

	/* RFC 850 */
	{"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
	{"Sunday, 06-Nov-1994 08:49:47 GMT", 10000},
	{"Sunday, 06-Nov-44 08:49:47 GMT", 300000},
	{"Sunday, 06-Nov-45 08:49:47 GMT", 0},

	/* asctime */
	{"Sun Nov  6 08:49:47 1994", 10000},
	{"Sun Nov 16 08:49:47 1994", 300000},

	/* unreadable */
	{"Sun, 06 Nov 1994", -1},
	{"Sun, 06 Nov 1994 08:49 GMT", -1},
	{"Sun, 06 Nov 1994 08:49:47", -1},
	{"Sun, 06 Nov 1994 08:49:47 PST", -1},
	{"Sun, 06 Nov 1994 08:49:47 +0000", -1},
	{"Sun, 31 Feb 1994 08:49:47 GMT", -1},
	{"Sun, 29 Feb 1900 08:49:47 GMT", -1},
	{"Tue, 29 Feb 2000 08:49:47 GMT", 300000},
	{"Sun, 00 Nov 1994 08:49:47 GMT", -1},
	{"Sun, 06 Nox 1994 08:49:47 GMT", -1},
	{"Sun, 06 Nov 1994 24:49:47 GMT", -1},
	{"Sun, 06 Nov 1994 08:60:47 GMT", -1},
	{"Sun, 06 Nov 1994 08:49:61 GMT", -1},
	{"Sun, 06 Nov 19944 08:49:47 GMT", -1},
	{"Sun, 06 Nov 1994 08:49:47 GMT x", -1},
	{"Sun,06 Nov 1994 08:49:47 GMT", -1},
	{"Sun", -1},
	{"Sun,", -1},
	{"Sun, ", -1},
	{"Sun, 06-", -1},
	{"Sun N", -1},
	{", 06 Nov 1994 08:49:47 GMT", -1},
	{"1994-11-06T08:49:47Z", -1},
};

int
main(void)
{
	int			failures = 0;
	size_t		n = sizeof(cases) / sizeof(cases[0]);
	size_t		i;

	printf("1..%d\n", (int) n);
	for (i = 0; i < n; i++)
	{
		const RetryAfterCase *c = &cases[i];
		int			ms = retry_after_ms(c->value, NOW);
		bool		passed = ms == c->ms;

		if (!passed)
			failures++;
		printf("%sok %d - \"%s\" is %d (%d)\n", passed ? "" : "not ",
			   (int) i + 1, c->value ? c->value : "(absent)", c->ms, ms);
	}
	return failures > 0;
}

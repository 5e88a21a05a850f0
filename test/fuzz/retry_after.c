/*
 * retry_after.c
 *		Fuzz target: the value of a Retry-After header.
 *
 * The result is within its bounds, white space around the value does not
 * matter, and a plain number of seconds means what it says.
 */
#include "fuzz.h"

#include "crm/retry_after.h"

#define NOW INT64CONST(784111777)	/* Sun, 06 Nov 1994 08:49:37 GMT */

void
fuzz_retry_after(const char *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	int			ms = retry_after_ms(text, NOW);

	PROMISE(ms >= -1 && ms <= RETRY_AFTER_MAX_MS);
	PROMISE(retry_after_ms(psprintf(" \t%s\t ", text), NOW) == ms);
	if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text))
	{
		double		seconds = atof(text);

		PROMISE(ms == (seconds > 300 ? RETRY_AFTER_MAX_MS : (int) seconds * 1000));
	}

	/* later, less is left of a date */
	if (ms > 0 && strchr(text, ':') != NULL)
	{
		int			later = retry_after_ms(text, NOW + 10);

		PROMISE(later <= ms && (ms == RETRY_AFTER_MAX_MS || later == Max(ms - 10000, 0)));
	}
}

/*
 * phone.c
 *		Fuzz target: phone numbers as people type them.
 *
 * A key is digits, and few; the form in which a number is sent has the same
 * key; reading does not depend on what follows the text in memory.
 */
#include "fuzz.h"

#include "crm/phone.h"

void
fuzz_phone(const char *data, size_t size)
{
	char		key[PHONE_MAX_LEN];
	char		again[PHONE_MAX_LEN];
	char		formatted[PHONE_MAX_LEN];
	size_t		len;

	if (!phone_key(data, size, key))
	{
		PROMISE(key[0] == '\0');
		return;
	}
	len = strlen(key);
	PROMISE(len >= 7 && len <= 17 && strspn(key, "0123456789") == len);
	phone_format(key, formatted);
	PROMISE(strlen(formatted) <= 16);
	PROMISE(phone_key_is_nanp(key) == (formatted[0] != '+'));

	/* another country's number is never taken for an American one */
	if (size > 1 && data[0] == '+' && data[1] >= '2' && data[1] <= '9')
		PROMISE(!phone_key_is_nanp(key));
	PROMISE(phone_key(formatted, strlen(formatted), again) && strcmp(again, key) == 0);

	/* the same with white space around it, and to a CRM that adds the country code */
	PROMISE(phone_key(psprintf(" %s \t", formatted), strlen(formatted) + 3, again) &&
			strcmp(again, key) == 0);
	if (phone_key_is_nanp(key))
		PROMISE(phone_key(psprintf("+1%s", key), len + 2, again) && strcmp(again, key) == 0);
}

/*
 * phone_lines.c
 *		For each line of input what phone_read makes of it: key, form, or "-".
 *		For phone_oracle.py.
 */
#include <stdio.h>
#include <string.h>

#include "crm/phone.h"

int
main(void)
{
	char		line[1024];

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		char		key[PHONE_MAX_LEN];
		char		form[PHONE_MAX_LEN];

		line[strcspn(line, "\n")] = '\0';
		if (phone_read(line, strlen(line), key, form))
			printf("%s %s\n", key, form);
		else
			puts("-");
	}
	return 0;
}

/*
 * env_file.c
 *		Fuzz target: the text of the file that echosync.env_file names.
 *
 * Written out again, what was read is read the same.  What is wrong is said
 * with the line's number and holds nothing of the file.
 */
#include "fuzz.h"

#include "config/secrets.c"

#define PATH "/dev/null"

static void
print_list(StringInfo out, const char *name, char *const *items, int n)
{
	appendStringInfo(out, "%s=\"", name);
	for (int i = 0; i < n; i++)
		appendStringInfo(out, "%s%s", i > 0 ? "," : "", items[i]);
	appendStringInfoString(out, "\"\n");
}

static char *
print_secrets(const Secrets *secrets)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(secret_names); i++)
	{
		const SecretName *name = &secret_names[i];
		char *const *value = (char *const *) ((const char *) secrets + name->offset);

		if (!name->is_list && *value != NULL)
			appendStringInfo(&out, "%s=\"%s\"\n", name->name, *value);
	}
	print_list(&out, "INTEGRATION_ENCRYPTION_KEY_PREVIOUS",
			   secrets->previous_keys, secrets->n_previous_keys);
	print_list(&out, "WEBHOOK_SECRET", secrets->webhook_secrets, secrets->n_webhook_secrets);
	return out.data;
}

/* "line N of "PATH" ...", with one of our own texts. */
static void
judge_problem(const char *data, size_t size)
{
	static const char *const texts[] = {
		"is not of the form NAME=value",
		"has no name before \"=\"",
		"has a quote that is not closed",
		"holds a NUL byte",
		"sets a name that an earlier line has set",
		"lists too many values"
	};
	int			lines = 1;
	int			number = 0;
	int			read = 0;
	bool		known = false;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	PROMISE(sscanf(problem, "line %d of \"" PATH "\" %n", &number, &read) == 1 && read > 0);
	PROMISE(number >= 1 && number <= lines);
	for (int i = 0; i < lengthof(texts); i++)
		known = known || strcmp(problem + read, texts[i]) == 0;
	PROMISE(known);
}

void
fuzz_env_file(const char *data, size_t size)
{
	Secrets		first = {0};
	Secrets		second = {0};
	char	   *copy = palloc(size);
	char	   *printed;

	memcpy(copy, data, size);
	problem[0] = '\0';
	if (!secrets_parse(&first, copy, size, PATH))
		judge_problem(data, size);
	else
	{
		(void) secrets_check(&first);
		printed = print_secrets(&first);
		problem[0] = '\0';
		PROMISE(secrets_parse(&second, pstrdup(printed), strlen(printed), PATH));
		PROMISE(strcmp(print_secrets(&second), printed) == 0);
	}
	secrets_wipe(&first);
	secrets_wipe(&second);
}

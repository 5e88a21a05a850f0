/*
 * lead_name.c
 *		A name that is in one column: first name and last name.
 */
#include "postgres.h"

#include "crm/lead_value.h"

/* Behind a comma these are no first name. */
static bool
is_suffix(const char *word)
{
	static const char *const suffixes[] = {
		"jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "esq", "esq.", "md", "m.d.", "phd", "ph.d.", "dds", "cpa", "rn", "llc", "inc", "inc."
	};

	for (int i = 0; i < lengthof(suffixes); i++)
	{
		if (pg_strcasecmp(word, suffixes[i]) == 0)
			return true;
	}
	return false;
}

/* "Stone, Rita" is Rita Stone; "Rita Stone, Jr." and "Stone, Rita, PhD" are no such turn. */
static char *
turned(char *name)
{
	char	   *comma = strchr(name, ',');
	char	   *first;
	char	   *last;

	if (comma == NULL || strchr(comma + 1, ',') != NULL)
		return name;
	last = lead_clean_word(pnstrdup(name, comma - name));
	first = lead_clean_word(comma + 1);
	if (first == NULL || is_suffix(first))
		return last != NULL && first == NULL ? last : name;
	return last != NULL ? psprintf("%s\n%s", first, last) : first;
}

void
lead_split_name(char *name, char **first_name, char **last_name)
{
	char	   *end;

	if (name == NULL)
		return;
	name = turned(name);
	end = strchr(name, '\n');
	if (end == NULL)
		end = strchr(name, ' ');
	*first_name = end != NULL ? pnstrdup(name, end - name) : name;
	*last_name = end != NULL ? lead_clean_word(end + 1) : NULL;
}

/*
 * lead_list.c
 *		Several values within one cell: PostgreSQL's arrays as text, JSON as text,
 *		and tags.
 */
#include "postgres.h"

#include "crm/json.h"
#include "crm/lead_value.h"

#define TAGS_MAX		100		/* more is a mistake, and would cost n^2 */
#define TAG_SEPARATORS	",;|\n\r"

static bool
is_ascii_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * The elements of a text in the form of PostgreSQL's array output, of any
 * number of dimensions, NULLs left out.  False when it is not of that form.
 */
bool
lead_array_elements(const char *text, List **elements)
{
	StringInfoData element;
	int			depth = 0;

	*elements = NIL;
	while (is_ascii_space(*text))
		text++;
	if (*text != '{')
		return false;
	initStringInfo(&element);

	for (;;)
	{
		while (is_ascii_space(*text))
			text++;
		if (*text == '{')
		{
			depth++;
			text++;
			continue;
		}
		if (*text == '}')
		{
			text++;
			if (--depth == 0)
				break;
			continue;
		}
		if (*text == ',')
		{
			text++;
			continue;
		}
		if (*text == '\0')
			return false;

		resetStringInfo(&element);
		if (*text == '"')
		{
			for (text++; *text != '"'; text++)
			{
				if (*text == '\\')
					text++;
				if (*text == '\0')
					return false;
				appendStringInfoChar(&element, *text);
			}
			text++;
			*elements = lappend(*elements, pstrdup(element.data));
		}
		else
		{
			for (; *text != ',' && *text != '{' && *text != '}'; text++)
			{
				if (*text == '\\')
					text++;
				if (*text == '\0' || *text == '"')
					return false;
				appendStringInfoChar(&element, *text);
			}
			if (pg_strcasecmp(element.data, "NULL") != 0)
				*elements = lappend(*elements, pstrdup(element.data));
		}

		/* what follows an element */
		while (is_ascii_space(*text))
			text++;
		if (*text != ',' && *text != '}')
			return false;
	}

	while (is_ascii_space(*text))
		text++;
	return *text == '\0';
}

Jsonb *
lead_text_as_json(const char *text)
{
	while (is_ascii_space(*text))
		text++;
	return *text == '[' || *text == '{' ? json_parse(text, strlen(text)) : NULL;
}

/* Members of an object that have its value, as CRMs, forms and address books call them, best first. */
static const char *const value_names[] = {
	"value", "name", "title", "label", "number", "phone", "phone_number", "phoneNumber", "mobile", "cell", "home", "work",
	"main", "primary", "email", "email_address", "emailAddress", "address", "street", "line1", "text"
};

List *
lead_object_values(JsonbContainer *object)
{
	List	   *values = NIL;

	for (int i = 0; i < lengthof(value_names); i++)
	{
		JsonbValue *value = json_get(object, value_names[i]);

		if (value != NULL && value->type != jbvNull)
			values = lappend(values, value);
	}
	return values;
}

bool
lead_tags_contain(const List *tags, const char *tag)
{
	ListCell   *lc;

	foreach(lc, tags)
	{
		if (pg_strcasecmp((const char *) lfirst(lc), tag) == 0)
			return true;
	}
	return false;
}

static List *
add_tag(List *tags, const char *text)
{
	char	   *tag = lead_clean_word(text);

	if (tag == NULL || list_length(tags) >= TAGS_MAX || lead_tags_contain(tags, tag))
		return tags;
	return lappend(tags, tag);
}

/* Of an object, what it is called. */
static List *
add_tag_of_value(List *tags, JsonbValue *value)
{
	JsonbContainer *object = json_value_object(value);
	List	   *values = object != NULL ? lead_object_values(object) : NIL;

	return add_tag(tags, json_value_text(values != NIL ? linitial(values) : value));
}

static List *
add_tags_of_array(List *tags, JsonbContainer *array)
{
	int			length = json_array_length(array);

	for (int i = 0; i < length; i++)
		tags = add_tag_of_value(tags, json_array_element(array, i));
	return tags;
}

static List *
add_tags_of_text(List *tags, const char *text)
{
	const char *start = text + strspn(text, TEXT_SPACES);
	Jsonb	   *parsed = lead_text_as_json(text);
	List	   *elements;
	ListCell   *lc;

	if (parsed != NULL && JB_ROOT_IS_ARRAY(parsed))
		return add_tags_of_array(tags, &parsed->root);
	if (*start == '{' && lead_array_elements(start, &elements))
	{
		foreach(lc, elements)
			tags = add_tag(tags, (const char *) lfirst(lc));
		return tags;
	}
	for (;;)
	{
		size_t		len = strcspn(text, TAG_SEPARATORS);

		tags = add_tag(tags, pnstrdup(text, len));
		if (text[len] == '\0')
			return tags;
		text += len + 1;
	}
}

List *
lead_read_tags(JsonbValue *value)
{
	if (json_value_array(value) != NULL)
		return add_tags_of_array(NIL, json_value_array(value));
	if (json_value_object(value) != NULL)
		return add_tag_of_value(NIL, value);
	if (value != NULL &&
		(value->type == jbvString || value->type == jbvNumeric))
		return add_tags_of_text(NIL, json_value_text(value));
	return NIL;
}

/*
 * json.c
 *		Fuzz target: the JSON of a CRM, and the helpers for texts in it.
 *
 * Reading raises no error, whatever the bytes.  What was read is printed and
 * read as the same; what the server takes for JSON is read, but for what is too
 * deep, and is the same where jsonb takes it too.
 */
#include "fuzz.h"

#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"

#include "crm/json.h"

#define MAX_DEPTH 32

/* Of a text that is JSON. */
static int
depth_of(const char *text)
{
	bool		in_string = false;
	int			depth = 0;
	int			max = 0;

	for (; *text != '\0'; text++)
	{
		if (in_string && *text == '\\')
			text++;
		else if (*text == '"')
			in_string = !in_string;
		else if (!in_string && (*text == '{' || *text == '['))
		{
			depth++;
			max = Max(max, depth);
		}
		else if (!in_string && (*text == '}' || *text == ']'))
			depth--;
	}
	return max;
}

/* Does the server take it for JSON?  (Of the type that keeps the text.) */
static void
parse_as_json(void *text)
{
	pg_verifymbstr(text, strlen(text), false);
	(void) DirectFunctionCall1(json_in, CStringGetDatum(text));
}

/* Every member by its key, every element by its place, in every way there is. */
static void
read_value(JsonbValue *value)
{
	char	   *text = json_value_text(value);
	int64		number;

	if (value->type == jbvBinary)
	{
		PROMISE(text == NULL);
		PROMISE((json_value_object(value) == NULL) != (json_value_array(value) == NULL));
	}
	if (json_value_int64(value, &number))
		PROMISE(strspn(text, " \t\r\n\v\f-0123456789.") == strlen(text));
	if (value->type == jbvString)
		PROMISE(pg_verify_mbstr(PG_UTF8, text, strlen(text), true));
}

static void
read_container(JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			index = 0;

	(void) json_get_bool(container, "id");
	(void) json_get_text(container, "id");
	(void) JsonbIteratorNext(&it, &value, true);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		JsonbValue *found = NULL;

		if (token == WJB_KEY)
		{
			char	   *key = pnstrdup(value.val.string.val, value.val.string.len);

			found = json_get(container, key);
			PROMISE(found != NULL);
			(void) json_get_bool(container, key);
			(void) JsonbIteratorNext(&it, &value, true);
		}
		else if (token == WJB_ELEM && !JsonContainerIsScalar(container))
		{
			found = json_array_element(container, index++);
			PROMISE(found != NULL);
		}
		if (found != NULL)
			read_value(found);
		if (found != NULL && found->type == jbvBinary)
			read_container(found->val.binary.data);
	}
	PROMISE(json_array_length(container) == index);
	PROMISE(json_array_element(container, index) == NULL);
}

/* Written out, 1e400 has more digits than are read. */
static size_t
longest_number(const char *text)
{
	size_t		longest = 0;

	for (; *text != '\0'; text++)
	{
		size_t		len = strspn(text, "-.0123456789");

		longest = Max(longest, len);
		text += Max(len, 1) - 1;
	}
	return longest;
}

static char
hex_value(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Lengths, cuts and percent-encoding of a text that may be no UTF-8. */
static void
read_text(char *text)
{
	int			length = text_length(text);
	StringInfoData encoded;
	char	   *decoded = text;

	PROMISE(length <= strlen(text));
	for (int n = 0; n <= length + 1; n += 1 + n / 4)
	{
		char	   *clipped = text_clip(text, n);

		PROMISE(strncmp(text, clipped, strlen(clipped)) == 0);
		PROMISE(text_length(clipped) == Min(n, length));
	}

	initStringInfo(&encoded);
	url_encode(&encoded, text);
	for (char *c = encoded.data; *c != '\0'; c++, decoded++)
	{
		PROMISE(*c > ' ' && *c < 0x7F && strchr("\"<>\\^`{}|#?&=+/", *c) == NULL);
		if (*c != '%')
			PROMISE(*c == *decoded);
		else
		{
			PROMISE((char) (hex_value(c[1]) * 16 + hex_value(c[2])) == *decoded);
			c += 2;
		}
	}
	PROMISE(*decoded == '\0');
}

void
fuzz_json(const char *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	Jsonb	   *parsed = json_parse(data, size);
	Jsonb	   *theirs;
	Jsonb	   *again;
	char	   *printed;
	int			sqlstate;

	read_text(text);
	if (parsed != NULL)
	{
		read_container(&parsed->root);
		printed = JsonbToCString(NULL, &parsed->root, VARSIZE(parsed));
		again = json_parse(printed, strlen(printed));
		PROMISE(again != NULL);
		if (longest_number(printed) < 400)
			PROMISE(compareJsonbContainers(&parsed->root, &again->root) == 0);
		PROMISE(depth_of(printed) <= MAX_DEPTH);
	}

	if (strlen(text) == size && fuzz_error(parse_as_json, text, &sqlstate))
		PROMISE(parsed != NULL || depth_of(text) > MAX_DEPTH);

	/* longer numbers cost jsonb much time, and are null to us */
	if (parsed == NULL || strlen(text) != size || size > 300 || strpbrk(text, "eE") != NULL)
		return;
	theirs = fuzz_jsonb(text);
	if (theirs != NULL)
		PROMISE(compareJsonbContainers(&parsed->root, &theirs->root) == 0);
}

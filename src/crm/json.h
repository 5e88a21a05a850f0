/*
 * json.h
 *		Reading and writing JSON for CRM clients, on PostgreSQL's jsonb.
 *
 * Reading never throws (but out of memory) and needs no transaction: foreign
 * bytes are checked first, and what does not fit reads as absent: a number of
 * more than 400 digits or such an exponent is null, "\u0000" and lone
 * surrogates are U+FFFD.
 */
#ifndef ECHOSYNC_JSON_H
#define ECHOSYNC_JSON_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/*
 * The server exports SQL functions of these two names: theirs would be called
 * in place of ours when the library is loaded.  builtins.h, which declares
 * them, must come before.
 */
#define json_array_length echosync_json_array_length
#define json_array_element echosync_json_array_element

/* NULL when the bytes are not one JSON value, not UTF-8, or too deep. */
extern Jsonb *json_parse(const char *text, size_t len);

/*
 * Member of an object, element of an array; NULL when absent or another type.
 * A container of NULL, or of the wrong kind, has no members.
 */
extern JsonbValue *json_get(JsonbContainer *object, const char *key);
extern JsonbContainer *json_get_object(JsonbContainer *object, const char *key);
extern JsonbContainer *json_get_array(JsonbContainer *object, const char *key);
extern int	json_array_length(JsonbContainer *array);
extern JsonbValue *json_array_element(JsonbContainer *array, int index);

/* The container of an object/array value; NULL for others. */
extern JsonbContainer *json_value_object(JsonbValue *value);
extern JsonbContainer *json_value_array(JsonbValue *value);

/* String value (palloc'd), numbers and booleans as their text; NULL otherwise. */
extern char *json_value_text(JsonbValue *value);
extern char *json_get_text(JsonbContainer *object, const char *key);

/* Exact 64-bit integer from a number or a quoted number. */
extern bool json_value_int64(JsonbValue *value, int64 *result);
extern bool json_get_int64(JsonbContainer *object, const char *key, int64 *result);

/* true, non-zero number, "true"/"1": true. Absent: false. */
extern bool json_get_bool(JsonbContainer *object, const char *key);

/*
 * Writing: appends to a StringInfo, minding commas.  Strings are escaped by
 * PostgreSQL's escape_json; NULL is written as null.
 */
extern void json_object_start(StringInfo out);	/* "{", after a comma if needed */
extern void json_object_end(StringInfo out);
extern void json_array_start(StringInfo out);
extern void json_array_end(StringInfo out);
extern void json_key(StringInfo out, const char *key);
extern void json_string(StringInfo out, const char *value);
extern void json_literal(StringInfo out, const char *literal);	/* number, true, null */
extern void json_int64(StringInfo out, int64 value);

/* Key and value; nothing at all where value is NULL. */
extern void json_key_string(StringInfo out, const char *key, const char *value);

static inline void
json_key_int64(StringInfo out, const char *key, int64 value)
{
	json_key(out, key);
	json_int64(out, value);
}

static inline void
json_key_bool(StringInfo out, const char *key, bool value)
{
	json_key(out, key);
	json_literal(out, value ? "true" : "false");
}

/* Key and an array of strings (List of char *); "[]" for NIL. */
static inline void
json_key_strings(StringInfo out, const char *key, const List *strings)
{
	ListCell   *lc;

	json_key(out, key);
	json_array_start(out);
	foreach(lc, strings)
		json_string(out, (const char *) lfirst(lc));
	json_array_end(out);
}

/*
 * The character at *text as a code point, moving *text past it; a byte that
 * is not UTF-8 counts as U+FFFD.  text must not be at its end.
 */
extern uint32 text_next_char(const char **text);

/* ASCII white space; is the text nothing else, or NULL? */
#define TEXT_SPACES " \t\r\n\f\v"
static inline bool
text_is_blank(const char *text)
{
	return text == NULL || text[strspn(text, TEXT_SPACES)] == '\0';
}

/* Length in characters. */
extern int	text_length(const char *text);

/* A copy of text of at most max characters, cut on a character boundary. */
extern char *text_clip(const char *text, int max_chars);

/* Percent-encode everything but unreserved characters (RFC 3986). */
extern void url_encode(StringInfo out, const char *text);

#endif							/* ECHOSYNC_JSON_H */

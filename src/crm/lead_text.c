/*
 * lead_text.c
 *		Texts as people, exports and programs leave them in a cell, cleaned.
 *
 * Not here: what a text of a certain field means (lead_email.c, lead_name.c,
 * lead_address.c ...).
 */
#include "postgres.h"

#include <ctype.h>

#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"

#include "crm/json.h"
#include "crm/lead_value.h"

/* What programs write where there is no value; nobody is called so, spelled so. */
static const char *const blank_words[] = {
	"undefined", "null", "NULL", "(null)", "<null>", "\\N", "NaN", "nan", "None", "nil", "NIL",
	"N/A", "n/a", "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!",
	"[object Object]"
};

static bool
is_control(uint32 c)
{
	return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

bool
text_char_is_space(uint32 c)
{
	return c == ' ' || c == 0xA0 || c == 0x1680 ||
		(c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
		c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Of no width and no meaning at the end of anything; within a word some scripts want them. */
static bool
is_zero_width(uint32 c)
{
	return c >= 0x200B && c <= 0x200D;
}

/* Marks of direction and of order, and hyphens that are not shown: pasted along. */
static bool
is_mark(uint32 c)
{
	return c == 0xAD || c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
		(c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB);
}

bool
text_char_is_invisible(uint32 c)
{
	return is_mark(c) || is_zero_width(c) || c == 0x034F || (c >= 0x180B && c <= 0x180E) ||
		(c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0000 && c <= 0xE0FFF);
}

/* In UTF-8; text has characters beyond ASCII that may be part of another one. */
static char *
compose(const char *text, int n_chars)
{
	pg_wchar   *chars = palloc(sizeof(pg_wchar) * (n_chars + 1));
	pg_wchar   *composed;
	StringInfoData out;
	int			n = 0;

	while (*text != '\0')
		chars[n++] = text_next_char(&text);
	chars[n] = 0;
	composed = unicode_normalize(UNICODE_NFC, chars);
	initStringInfo(&out);
	for (; *composed != 0; composed++)
	{
		unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN];

		unicode_to_utf8(*composed, bytes);
		appendBinaryStringInfo(&out, (char *) bytes, pg_utf_mblen(bytes));
	}
	return out.data;
}

/* Texts without any such letters are left alone. */
char *
lead_nfc(char *text)
{
	bool		combining = false;
	int			n_chars = 0;

	for (const char *p = text; *p != '\0'; n_chars++)
		combining |= text_next_char(&p) >= 0x0300;
	return combining ? compose(text, n_chars) : text;
}

/* What a spreadsheet's guard is around: ="02138" is the text 02138. */
static char *
unguarded(char *line)
{
	for (;;)
	{
		size_t		len = strlen(line);

		if (len < 4 || strncmp(line, "=\"", 2) != 0 || line[len - 1] != '"' ||
			!isgraph((unsigned char) line[2]) || !isgraph((unsigned char) line[len - 2]))
			return line;
		line[len - 1] = '\0';
		line += 2;
	}
}

char *
lead_clean_line(const char *text)
{
	StringInfoData out;
	bool		space_due = false;
	int			visible_end = 0;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (*text != '\0' && out.len < LEAD_TEXT_MAX)
	{
		const char *start = text;
		uint32		c = text_next_char(&text);

		if (is_control(c) || text_char_is_space(c))
		{
			space_due = visible_end > 0;
			continue;
		}
		if (is_mark(c) || (is_zero_width(c) && visible_end == 0))
			continue;
		if (space_due)
			appendStringInfoChar(&out, ' ');
		space_due = false;
		appendBinaryStringInfo(&out, start, text - start);
		if (!is_zero_width(c))
			visible_end = out.len;
	}
	out.data[visible_end] = '\0';
	return visible_end > 0 ? lead_nfc(unguarded(out.data)) : NULL;
}

/* The next character of several lines: line ends are "\n", a tab is a space. */
static uint32
next_char_of_lines(const char **text)
{
	uint32		c = text_next_char(text);

	if (c == '\r' && **text == '\n')
		c = text_next_char(text);
	if (c == '\r')
		return '\n';
	return c == '\t' ? ' ' : c;
}

char *
lead_clean_lines(const char *text)
{
	StringInfoData out;
	int			visible_end = 0;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (*text != '\0' && out.len < LEAD_TEXT_MAX)
	{
		uint32		c = next_char_of_lines(&text);
		bool		visible = c != '\n' && !text_char_is_space(c) && !is_zero_width(c);
		unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN];

		if ((is_control(c) && c != '\n') || is_mark(c) || (!visible && visible_end == 0))
			continue;
		unicode_to_utf8(c, bytes);
		appendBinaryStringInfo(&out, (char *) bytes, pg_utf_mblen(bytes));
		if (visible)
			visible_end = out.len;
	}
	out.data[visible_end] = '\0';
	return visible_end > 0 && !lead_text_is_no_value(out.data) ? lead_nfc(out.data) : NULL;
}

bool
lead_text_is_no_value(const char *text)
{
	for (int i = 0; i < lengthof(blank_words); i++)
	{
		if (strcmp(text, blank_words[i]) == 0)
			return true;
	}
	return false;
}

char *
lead_clean_text(const char *text)
{
	char	   *line = lead_clean_line(text);

	return line != NULL && !lead_text_is_no_value(line) ? line : NULL;
}

/* Letters of other scripts are beyond ASCII, and so is all else: it counts as one. */
bool
lead_text_has_letter(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (IS_HIGHBIT_SET(*text) || isalnum((unsigned char) *text))
			return true;
	}
	return false;
}

/* "-", ".", "?": people who had to fill something in. */
char *
lead_clean_word(const char *text)
{
	char	   *line = lead_clean_text(text);

	return line != NULL && lead_text_has_letter(line) ? line : NULL;
}

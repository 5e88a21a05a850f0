/*
 * lead_value.h
 *		Reading one value of a lead for what it means.  Private to lead*.c;
 *		what others may use of it is in lead.h.
 *
 * Nothing here needs a transaction or raises an error but out-of-memory.
 */
#ifndef ECHOSYNC_LEAD_VALUE_H
#define ECHOSYNC_LEAD_VALUE_H

#include "crm/lead.h"

/*
 * lead_text.c: text for one line (trimmed, each run of white space one blank), or
 * for several ("\n" between them); NULL when nothing is left.  Cut at LEAD_TEXT_MAX.
 * _text: what programs write for "nothing" is nothing; _word: nor is what has no
 * letter and no digit.
 */
extern char *lead_clean_line(const char *text);
extern char *lead_clean_lines(const char *text);
extern char *lead_clean_text(const char *text);
extern char *lead_clean_word(const char *text);

/* Is it what a program writes where there is no value: "undefined", "#N/A" ...? */
extern bool lead_text_is_no_value(const char *text);
extern bool lead_text_has_letter(const char *text);

extern bool text_char_is_space(uint32 c);
extern bool text_char_is_invisible(uint32 c);

/* lead_email.c: the first usable address of a text that is no list of its own. */
extern char *lead_email_of_text(const char *text);

/* lead_name.c: "Rita Stone" and "Stone, Rita"; NULL for a part that is not there. */
extern void lead_split_name(char *name, char **first_name, char **last_name);

/* lead_address.c: a US state or Canadian province, as written; else NULL. */
extern char *lead_state(const char *text);

/* A ZIP or postal code; state: as lead_state gives it, or NULL. */
extern char *lead_zip_code(const char *text, const char *state);

/* What is the same for all spellings of a part of an address; other fields' texts as they are. */
extern const char *lead_address_spelling(LeadField field, const char *text);

/* lead_score.c: fill score, risk_score and risk_score_text. */
extern void lead_read_score(CrmLead *lead, JsonbValue *value);

/* lead_flag.c: an opt-out, or a consent that is denied; either may be NULL. */
extern LeadFlag lead_read_opt_out(JsonbValue *opt_outs, JsonbValue *consents);
extern bool lead_value_is_deletion(JsonbValue *value);

/*
 * lead_list.c: the elements of a text in the form of PostgreSQL's array output, of any
 * number of dimensions, NULLs left out; false when it is not of that form.
 */
extern bool lead_array_elements(const char *text, List **elements);

/* The JSON array or object that a text is, or NULL. */
extern Jsonb *lead_text_as_json(const char *text);

/* The members of an object (of JsonbValue *) that may be its value, best first. */
extern List *lead_object_values(JsonbContainer *object);

extern List *lead_read_tags(JsonbValue *value);

/* In any case of letters. */
extern bool lead_tags_contain(const List *tags, const char *tag);

#endif							/* ECHOSYNC_LEAD_VALUE_H */

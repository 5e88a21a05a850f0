/*
 * lead_value.h
 *		Reading one value of a lead for what it means.  Private to lead*.c;
 *		what others may use of it is in lead.h.
 */
#ifndef ECHOSYNC_LEAD_VALUE_H
#define ECHOSYNC_LEAD_VALUE_H

#include "crm/lead.h"

/* Text for one line, or for several; NULL when nothing is left. */
extern char *lead_clean_line(const char *text);
extern char *lead_clean_lines(const char *text);

/* Fill risk_score, risk_score_text and has_risk_score. */
extern void lead_read_score(CrmLead *lead, JsonbValue *value);

extern bool lead_value_is_true(JsonbValue *value);
extern List *lead_read_tags(JsonbValue *value);

/* In any case of letters. */
extern bool lead_tags_contain(const List *tags, const char *tag);

#endif							/* ECHOSYNC_LEAD_VALUE_H */

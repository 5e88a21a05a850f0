/*
 * lead_columns.h
 *		Which columns of an application's table are which fields of a lead.
 */
#ifndef ECHOSYNC_LEAD_COLUMNS_H
#define ECHOSYNC_LEAD_COLUMNS_H

#include "lib/stringinfo.h"
#include "utils/rel.h"

#include "crm/lead.h"

/* Columns a field may come from; more than one only for phone, email, do_not_contact and may_contact. */
#define LEAD_COLUMNS_MAX 16

typedef struct LeadColumns
{
	char	   *names[LEAD_FIELD_COUNT][LEAD_COLUMNS_MAX];
	int			n[LEAD_FIELD_COUNT];
} LeadColumns;

/*
 * Recognise columns by their usual names and apply the caller's mapping.
 * ERROR (22023, 42703) for a mapping that does not fit the table.
 */
extern LeadColumns *lead_columns_recognize(Relation rel, Jsonb *mapping);

/*
 * The keys of a mapping that were named by somebody, as they hold from now on:
 * those of before, of which a column is gone left out, unless they are named
 * anew.  ERROR (42703) for one that is gone and may say who must not be contacted.
 */
extern Jsonb *lead_columns_keep_named(Relation rel, Jsonb *before, Jsonb *now);

/* The same, where only the whole mapping is known: what would not be recognised. */
extern Jsonb *lead_columns_guess_named(Relation rel, Jsonb *mapping);

/* The stored form (crm_lead_sources.mapping), and back. */
extern Jsonb *lead_columns_to_jsonb(const LeadColumns *columns);
extern LeadColumns *lead_columns_from_jsonb(Jsonb *mapping);

/* "id = lead_no, phone = tel, ...". */
extern char *lead_columns_words(const LeadColumns *columns);

/* Lower case, without underscores, blanks, hyphens and dots: names that are the same to people. */
extern void lead_column_plain_name(const char *name, char plain[NAMEDATALEN]);

/* Is it one of the usual names of the field? */
extern bool lead_column_is_usual(LeadField field, const char *plain);

/* Quoted name of the table, schema-qualified. */
extern char *lead_table_name(Oid relation);

/* Its owner, as whom it is read; false when there is no such table. */
extern bool lead_table_owner(Oid relation, Oid *owner);

#endif							/* ECHOSYNC_LEAD_COLUMNS_H */

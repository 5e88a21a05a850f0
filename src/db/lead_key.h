/*
 * lead_key.h
 *		The columns of an attached table that say which lead and whose it is:
 *		the text of their values, and when two texts are one value.
 *
 * The one definition, for whoever captures, queues, reads or looks up a lead.
 * The text of a value is its type's output, of char(n) without the blanks.
 * Equality is the column's own: its type's, by its collation.
 */
#ifndef ECHOSYNC_LEAD_KEY_H
#define ECHOSYNC_LEAD_KEY_H

#include "db/lead_columns.h"

typedef struct LeadKey
{
	const char *column;
	Oid			type;			/* without domains */
	Oid			collation;
	Oid			equality;		/* operator; InvalidOid: texts are compared, none is parsed */
	bool		one_text;		/* equal values have one text */
} LeadKey;

/*
 * ERROR (undefined_column) if the column is gone.  The name is not copied.  Values
 * of a type that runs anybody's code are compared by their texts: a column's type
 * may be changed after it was attached.
 */
extern void lead_key_init(LeadKey *key, const LeadColumns *columns, Oid relation, LeadField field);

/*
 * May the column be the lead's id or user?  ERROR if reading or comparing its
 * values would run code of anybody but a superuser, or a trigger cannot read it.
 */
extern void lead_key_require(Relation rel, const LeadColumns *columns, LeadField field);

/* Is there (still) such a column? */
extern bool lead_key_exists(const LeadColumns *columns, Oid relation, LeadField field);

/* Is each text the only one of its value, and every text a value? */
extern bool lead_key_is_text(const LeadKey *key);

/*
 * crm_lead_sources.id_type: a name for the type's texts, the same for all integers,
 * and more of them where it was attached anew with another type.
 * May a lead have been written down, while that was id_type, with another text
 * than it has now?  NULL: by 1.0, which wrote some types in two ways.
 */
extern const char *lead_key_type_name(const LeadKey *key);
extern bool lead_key_may_be_respelled(const LeadKey *key, const char *recorded_type);

/* SQL: the text of a row t's value, and its comparison with an expression. */
extern char *lead_key_text_sql(const LeadKey *key);
extern char *lead_key_match_sql(const LeadKey *key, const char *expression);

/* What match_sql compares with: the array type of it, and an array of it. */
extern Oid	lead_key_array_type(const LeadKey *key);
extern Datum lead_key_array(const LeadKey *key, Datum *values, int n);

/*
 * The value that a text stands for; false if the type has none such.  The type's
 * input function runs with the rights of the moment, in a subtransaction.
 */
extern bool lead_key_parse(const LeadKey *key, const char *text, Datum *value);
extern void lead_keys_parse(const LeadKey *key, char **texts, int n, Datum *values, bool *fits);

/* The text of a value that was parsed. */
extern char *lead_key_text(const LeadKey *key, Datum value);

/* Texts, to be found by the values that they stand for. */
typedef struct LeadKeySet LeadKeySet;
extern LeadKeySet *lead_key_set_make(const LeadKey *key);
extern void lead_key_set_add(LeadKeySet *set, const char *text, void *what);	/* unless it does not fit */

/* The same for equal values; 0 for all where the type has no hash. */
extern uint32 lead_key_set_hash(const LeadKeySet *set, Datum value);

/* What was added with an equal value, one after the other; *next is -1 at first.  NULL: no more. */
extern void *lead_key_set_find(LeadKeySet *set, Datum value, int *next);

#endif							/* ECHOSYNC_LEAD_KEY_H */

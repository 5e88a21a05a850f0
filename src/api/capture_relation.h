/*
 * capture_relation.h
 *		What the trigger knows of a table or partition: a cache of the backend.
 */
#ifndef ECHOSYNC_CAPTURE_RELATION_H
#define ECHOSYNC_CAPTURE_RELATION_H

#include "fmgr.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "db/lead_columns.h"
#include "db/lead_key.h"

/* All that may be mapped: phone, email, do_not_contact and may_contact may be several columns each. */
#define CAPTURE_COLUMNS_MAX (LEAD_FIELD_COUNT - 4 + 4 * LEAD_COLUMNS_MAX)

/* How values of a type are read; one for all columns that are of it. */
typedef struct CaptureType
{
	Oid			type;			/* hash key */
	Oid			output_function;
	FmgrInfo	output;
	FmgrInfo	to_jsonb;
	bool		padded;			/* char(n): the cast to text strips the blanks */
	bool		structured;		/* an array, json, a composite: its text does
								 * not say what it means */
	bool		styled;			/* its text depends on settings */
	bool		plain;			/* equal values have one text, made without
								 * anybody's code */
	bool		sure;			/* no value of it can fail to be read */
	bool		by_value;
	int16		length;			/* as datum_image_eq wants them */
	Datum		last;			/* read last as a user's id, and its text; NULL: none */
	char	   *last_text;
} CaptureType;

typedef struct CaptureColumn
{
	AttrNumber	attnum;
	CaptureType *type;
} CaptureColumn;

/* What a session has been warned of: once is enough. */
#define TOLD_STRANGER 0x01
#define TOLD_NO_ID 0x02
#define TOLD_NO_USER 0x04
#define TOLD_COLUMN_GONE 0x08

typedef struct CaptureRelation
{
	Oid			relid;			/* hash key */
	bool		valid;
	bool		captured;		/* false: our trigger is not here by right, or
								 * nothing says which lead a row is, or whose */
	bool		blind;			/* a mapped column cannot be read here: leave rules
								 * and changes to the worker */
	bool		structured;		/* a column of the rule is */
	bool		styled;			/* id or user is of such a type */
	bool		sure;			/* reading a row cannot fail */
	uint8		told;
	Oid			trigger;		/* that it was looked up for */
	int			source_id;
	Oid			source;			/* the attached table: this one or an ancestor */
	LeadKey		user;			/* says whose a row is */
	int8		first[LEAD_FIELD_COUNT + 1];	/* where a field's columns begin */
	CaptureColumn columns[CAPTURE_COLUMNS_MAX];
} CaptureRelation;

/* The fields that decide whether a lead is queued. */
static inline bool
capture_field_of_rule(int field)
{
	return field == LEAD_FIELD_PHONE || field == LEAD_FIELD_EMAIL ||
		field == LEAD_FIELD_RISK_SCORE || field == LEAD_FIELD_DO_NOT_CONTACT ||
		field == LEAD_FIELD_MAY_CONTACT || field == LEAD_FIELD_DELETED_AT;
}

/* The columns of a field. */
static inline CaptureColumn *
capture_columns(CaptureRelation *entry, LeadField field, int *n)
{
	*n = entry->first[field + 1] - entry->first[field];
	return &entry->columns[entry->first[field]];
}

/*
 * What is known of the relation that the trigger has fired on.  Good for as long
 * as its valid, relid and trigger say so; what a row being read uses stays in place when
 * it is looked up anew.  idle: no row is being read, and what is known of
 * relations that may be gone can be forgotten.
 */
extern CaptureRelation *capture_relation(Relation rel, const Trigger *trigger, bool idle);

#endif							/* ECHOSYNC_CAPTURE_RELATION_H */

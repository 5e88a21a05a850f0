/*
 * lead_object.h
 *		A row's lead as a JSON object, keyed by field, whose values are what to_jsonb()
 *		makes of the columns': the one way in which rows are read for what they mean.
 */
#ifndef ECHOSYNC_LEAD_OBJECT_H
#define ECHOSYNC_LEAD_OBJECT_H

#include "fmgr.h"
#include "utils/jsonb.h"

#include "crm/lead.h"
#include "pg_compat.h"

/* Make ready to call to_jsonb() for values of a type. */
extern void lead_value_prepare(FmgrInfo *to_jsonb, Oid type, MemoryContext context);

/*
 * Can no value of the type (not a domain) fail to be read?  json keeps what jsonb
 * cannot take, and other types' functions may do anything.
 */
extern bool lead_value_is_sure(Oid type);

/* Add a field of the object that has been begun; NULL is null, many are an array. */
extern void lead_object_add(JsonbInState *object, LeadField field, Jsonb **values, int n);

#endif							/* ECHOSYNC_LEAD_OBJECT_H */

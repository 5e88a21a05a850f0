/*
 * custom_field.h
 *		Custom fields of a CRM: which the connection knows, and what a lead
 *		puts into them.
 *
 * The settings name fields by label; a provider asks the CRM for definitions,
 * keeps those that are named, and publishes them for all leads to come.
 */
#ifndef ECHOSYNC_CUSTOM_FIELD_H
#define ECHOSYNC_CUSTOM_FIELD_H

#include "crm/crm.h"

/* Do the settings name fields whose definitions nobody has asked for yet? */
extern bool custom_fields_unknown(const CrmConnection *connection);

/*
 * Replace what the connection knows by a copy of fields (of CrmCustomField *).
 * They are gathered in a session first, because several sessions of a
 * connection may be asking at once.
 */
extern void custom_fields_publish(CrmConnection *connection, const List *fields);

/* The definitions are to be asked for again, and what they were is freed. */
extern void custom_fields_forget(CrmConnection *connection);

/*
 * What a custom field that this field feeds is given, as text; NULL: nothing.
 * Flags are true or false; a lead without a source has the connection's.
 */
extern const char *custom_field_text(const CrmSession *session, LeadField field);

#endif							/* ECHOSYNC_CUSTOM_FIELD_H */

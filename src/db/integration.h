/*
 * integration.h
 *		Storing what a CRM has confirmed: a connection and its credential.
 */
#ifndef ECHOSYNC_DB_INTEGRATION_H
#define ECHOSYNC_DB_INTEGRATION_H

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "crm/crm.h"

typedef struct NewConnection
{
	const char *user_id;
	const char *crm_type;
	Jsonb	   *settings;		/* changes over what is there, or the defaults */
	const char *account_id;		/* NULL: not known */
	const char *account_label;
	const CrmCredential *credential;
} NewConnection;

/*
 * Insert or replace the user's connection to this CRM and seal its credential
 * into it.  Keeps id, links and queue of an existing or former connection; links
 * into another account are not used until it is connected again.  The caller is
 * connected to SPI as the extension's owner.
 */
extern void integration_store(const NewConnection *new, pg_uuid_t *id);

/* Seal a credential for a row; the additional data bind it to id and user. */
extern char *integration_seal(const char *id, const char *user_id,
							  const CrmCredential *credential);

/*
 * Open one.  NULL and *credential filled, but for its kind and time, in the
 * current memory context; else why it could not be opened.  Wipe what you get.
 */
extern const char *integration_unseal(const char *id, const char *user_id, const char *sealed,
									  CrmCredential *credential);

/* The additional data of a row's credential. */
extern char *integration_seal_context(const char *id, const char *user_id);

#endif							/* ECHOSYNC_DB_INTEGRATION_H */

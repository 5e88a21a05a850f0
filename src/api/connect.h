/*
 * connect.h
 *		What the functions that store a connection share.  Private to api/.
 */
#ifndef ECHOSYNC_CONNECT_H
#define ECHOSYNC_CONNECT_H

#include "fmgr.h"
#include "utils/jsonb.h"

#include "crm/crm.h"
#include "worker/mailbox.h"

/* Each an ERROR that names what is wrong. */
extern char *connect_require_user(void);
extern void connect_check_user(const char *user_id);	/* its length */
extern const CrmProvider *connect_require_provider(FunctionCallInfo fcinfo, int arg);
extern void connect_require_key(void);	/* without one nothing can be sealed */

/* The argument, or an empty object for null. */
extern Jsonb *connect_settings_argument(FunctionCallInfo fcinfo, int arg);

/* Seal and store what the CRM has accepted; the connection's id. */
extern Datum connect_store(const char *user_id, const CrmProvider *provider, Jsonb *settings,
						   const CrmCredential *credential, const MailReply *reply);

#endif							/* ECHOSYNC_CONNECT_H */

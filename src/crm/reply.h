/*
 * reply.h
 *		What the replies of all CRMs have in common, beyond what
 *		crm_transport_failed (crm.h) settles.
 */
#ifndef ECHOSYNC_REPLY_H
#define ECHOSYNC_REPLY_H

#include "crm/crm.h"

/*
 * A 2xx that is not what the API answers: a proxy's page, a body cut off.
 * What it answers may have created something all the same.
 */
extern CrmAction reply_unreadable(CrmSession *session);

/*
 * The whole number that a header starts with; -1 when there is none, or one
 * of more than fifteen digits, which hold every epoch in milliseconds there
 * will be.
 */
extern int64 reply_header_number(const HttpReply *reply, const char *name);

/* Likewise a count of calls; -1 too where it is less than min. */
extern int	reply_header_count(const HttpReply *reply, const char *name, int min);

#endif							/* ECHOSYNC_REPLY_H */

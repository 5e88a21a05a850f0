/*
 * reply.c
 *		What the replies of all CRMs have in common, beyond what
 *		crm_transport_failed (crm.c) settles.
 */
#include "postgres.h"

#include <limits.h>

#include "crm/reply.h"

CrmAction
reply_unreadable(CrmSession *session)
{
	return crm_fail(session,
					session->request.creates ? CRM_ERROR_UNCERTAIN : CRM_ERROR_LEAD_RETRY,
					"unreadable_reply",
					psprintf("%s answered with something that could not be read.",
							 session->connection->provider->label));
}

int64
reply_header_number(const HttpReply *reply, const char *name)
{
	const char *value = http_reply_header(reply, name);
	size_t		digits = value ? strspn(value, "0123456789") : 0;

	if (digits == 0 || digits > 15)
		return -1;
	return strtoll(value, NULL, 10);
}

int
reply_header_count(const HttpReply *reply, const char *name, int min)
{
	int64		count = reply_header_number(reply, name);

	return count >= min && count <= INT_MAX ? (int) count : -1;
}

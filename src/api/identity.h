/*
 * identity.h
 *		Who the caller is, for the SQL-callable functions.
 */
#ifndef ECHOSYNC_IDENTITY_H
#define ECHOSYNC_IDENTITY_H

#include "utils/uuid.h"

/* The application's user for whom the session acts; NULL for nobody. */
extern char *identity_user_id(void);

/*
 * The same, or an ERROR (42501) for nobody; NULL only for a role with level
 * admin that acts for nobody, where allow_admin.
 */
extern char *identity_require_user(bool allow_admin);

/* The rule of access: own rows for a user; by level for who acts for nobody. */
extern bool identity_may_see(const char *owner, const char *level);

/*
 * The same rule, by the connection.  Who sees all is told yes of any id: whether
 * there is such a connection is not asked.
 */
extern bool identity_may_see_connection(const pg_uuid_t *id, const char *level);

#endif							/* ECHOSYNC_IDENTITY_H */

/*
 * credential.h
 *		Credentials as CRMs take them: what cannot be an API key, and HTTP Basic.
 */
#ifndef ECHOSYNC_CREDENTIAL_H
#define ECHOSYNC_CREDENTIAL_H

#include <stddef.h>

/*
 * NULL if the text can be an API key, else why not (a full sentence): it is
 * empty, too long, or could break out of a header.
 */
extern const char *credential_check_api_key(const char *key, size_t max_len);

/* "Authorization: Basic base64(user:password)", with no copy left elsewhere. */
extern char *credential_basic_header(const char *user, const char *password);

#endif							/* ECHOSYNC_CREDENTIAL_H */

/*
 * credential.c
 *		Credentials as CRMs take them: what cannot be an API key, and HTTP Basic.
 *
 * Not here: how they are kept (config/), which header a CRM wants (the
 * providers' authorize).
 */
#include "postgres.h"

#include "common/base64.h"

#include "crm/credential.h"
#include "pg_compat.h"

const char *
credential_check_api_key(const char *key, size_t max_len)
{
	if (key == NULL || key[0] == '\0')
		return "The API key is empty.";
	if (strlen(key) > max_len)
		return psprintf("The API key is longer than %zu bytes.", max_len);
	for (const unsigned char *c = (const unsigned char *) key; *c != '\0'; c++)
	{
		if (*c <= ' ' || *c == 0x7F)
			return "The API key contains a space, a line break or a control character.";
	}
	return NULL;
}

char *
credential_basic_header(const char *user, const char *password)
{
	char	   *plain = psprintf("%s:%s", user, password);
	int			plain_len = strlen(plain);
	int			size = pg_b64_enc_len(plain_len);
	char	   *encoded = palloc0(size + 1);
	char	   *header;

	if (pg_b64_encode((const uint8 *) plain, plain_len, encoded, size) < 0)
		encoded[0] = '\0';		/* cannot happen: size is the exact need */
	header = psprintf("Authorization: Basic %s", encoded);

	explicit_bzero(plain, plain_len);
	explicit_bzero(encoded, size);
	pfree(plain);
	pfree(encoded);
	return header;
}

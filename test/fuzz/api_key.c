/*
 * api_key.c
 *		Fuzz target: an API key as a user types it.
 *
 * A key that a provider takes makes headers that the engine sends: it cannot
 * bring in a header of its own.  What is said of any other does not quote it.
 */
#include "fuzz.h"

#include "crm/crm.h"

static void
judge_key(const CrmProvider *provider, char *key)
{
	CrmConnection connection = {.provider = provider};
	HttpRequest http = {.method = "GET",.url = "https://a.test/"};
	const char *headers[20];
	ListCell   *lc;

	connection.credential.kind = CRM_CREDENTIAL_API_KEY;
	connection.credential.secret = key;
	http.headers = headers;
	foreach(lc, provider->authorize(&connection, NIL))
		headers[http.n_headers++] = lfirst(lc);
	PROMISE(fuzz_request_fault(&http) == NULL);
}

void
fuzz_api_key(const char *data, size_t size)
{
	char	   *key = fuzz_text(data, size);
	const CrmProvider *provider;
	const char *fault;

	for (int i = 0; (provider = crm_provider_by_index(i)) != NULL; i++)
	{
		fault = provider->check_api_key(key);
		if (fault == NULL)
			judge_key(provider, key);
		else
			PROMISE(strlen(key) < 20 || strstr(fault, key) == NULL);
	}
}

/*
 * rest.c
 *		PostgREST's settings: what the request was, what the response is to be.
 *
 * Called otherwise than through PostgREST, a session has no such request, and
 * what is said of the response is not heard.  Values of an earlier transaction
 * are left as empty strings on a pooled session, and count as absent.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "api/rest.h"
#include "crm/json.h"

static const char *
request_setting(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

char *
rest_request_header(const char *name)
{
	const char *headers = request_setting("request.headers");
	Jsonb	   *parsed = headers != NULL ? json_parse(headers, strlen(headers)) : NULL;

	if (parsed == NULL || !JB_ROOT_IS_OBJECT(parsed))
		return NULL;
	return json_get_text(&parsed->root, name);
}

bool
rest_is_get(void)
{
	const char *method = request_setting("request.method");

	return method != NULL && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

static void
set_response(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

void
rest_set_status(const char *status)
{
	set_response("response.status", status);
}

static void
put_header(StringInfo out, const char *name, const char *value)
{
	json_object_start(out);
	json_key_string(out, name, value);
	json_object_end(out);
}

void
rest_redirect(const char *location)
{
	StringInfoData headers;

	initStringInfo(&headers);
	json_array_start(&headers);
	put_header(&headers, "Location", location);
	put_header(&headers, "Cache-Control", "no-store");
	json_array_end(&headers);
	set_response("response.status", "303");
	set_response("response.headers", headers.data);
}

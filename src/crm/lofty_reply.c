/*
 * lofty_reply.c
 *		Lofty: what a reply says of itself: Lofty's error codes, of which there
 *		are six spellings, and the limits in its headers.
 *
 * Not here: what a step makes of a good reply (lofty_search.c and so on).
 */
#include "postgres.h"

#include <time.h>

#include "crm/lofty.h"
#include "crm/reply.h"

/* The codes that decide something here; the others are only named (5). */
#define LOFTY_INTERNAL_ERROR		20005
#define LOFTY_PERMISSION_DENIED		20017
#define LOFTY_TOKEN_WITHOUT_USER	200058
#define LOFTY_VENDOR_PERMISSION		200100

/* A smaller "code" is none of Lofty's: {"code":0,...}, or the status again. */
#define LOFTY_MIN_ERROR_CODE		1000

/* Lofty's error codes: its word where `code` is one, and our sentence (5). */
static const struct
{
	int64		code;
	const char *name;
	const char *message;
}			lofty_errors[] =
{
	{20001, NULL, "Lofty refused the content type of the request."},
	{20003, NULL, "Lofty does not know the user that the request names."},
	{LOFTY_INTERNAL_ERROR, NULL, "Lofty had an internal error."},
	{LOFTY_LEAD_NOT_EXIST, "LEAD_NOT_EXIST",
		"Lofty does not show this lead to this API key any more: it was deleted, merged or handed over."},
	{20007, NULL, "Lofty does not know the resource that the request names."},
	{20012, "INVALID_PARAMETER", "Lofty refused a value of this lead as invalid."},
	{LOFTY_PERMISSION_DENIED, "PERMISSION_DENIED",
		"The Lofty user of this API key may not do this."},
	{20042, "LIMIT_NOT_VALID", "Lofty refused the page size of the request."},
	{20043, "PARAMETER_TOO_LONG", "Lofty refused a value of this lead as too long."},
	{LOFTY_PROPERTY_ADDRESS_EMPTY, "PROPERTY_ADDRESS_EMPTY", "Lofty refused the address of this lead as empty."},
	{LOFTY_TOKEN_WITHOUT_USER, "BAD_CREDENTIALS",
		"Lofty does not accept this API key."},
	{LOFTY_VENDOR_PERMISSION, NULL,
		"This API key has no permission for a Lofty API that is needed."},
	{200108, "LEAD_PROPERTY_NOT_EXIST", "Lofty does not know the property that the request names."}
};

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------ */

/* Form B: "BaseApplicationException:errorCode=20006,errorMsg=..." (5). */
static int64
code_in_text(const char *text)
{
	static const char mark[] = "errorCode=";
	const char *found = text ? strstr(text, mark) : NULL;

	/* no code is longer than nine digits; more are no code */
	if (found == NULL ||
		strspn(found + sizeof(mark) - 1, "0123456789") > 9)
		return 0;
	return strtol(found + sizeof(mark) - 1, NULL, 10);
}

/* `code`: a number, a quoted number, or a word (5). */
static int64
code_of_value(JsonbContainer *object)
{
	int64		code;
	char	   *word;

	if (json_get_int64(object, "code", &code))
		return code;
	word = json_get_text(object, "code");
	if (word == NULL)
		return 0;
	for (int i = 0; i < lengthof(lofty_errors); i++)
	{
		if (lofty_errors[i].name != NULL &&
			pg_strcasecmp(lofty_errors[i].name, word) == 0)
			return lofty_errors[i].code;
	}
	return 0;
}

/* Forms A, B, D and F of the reference's section 5. */
static int64
code_of_object(JsonbContainer *object)
{
	JsonbContainer *status = json_get_object(object, "status");
	int64		code = code_of_value(object);

	if (code == 0 && status != NULL)
		code = code_of_value(status);
	if (code == 0)
		code = code_in_text(json_get_text(object, "message"));
	return code;
}

void
lofty_reply_read(const HttpReply *reply, LoftyAnswer *answer)
{
	Jsonb	   *json = json_parse(reply->body, reply->body_len);

	memset(answer, 0, sizeof(*answer));
	answer->status = reply->status;
	answer->is_json = (json != NULL);
	answer->is_empty = (reply->body_len == 0);
	if (json == NULL)
		answer->code = code_in_text(reply->body); /* form E */
	else if (JsonContainerIsScalar(&json->root))
		answer->code = code_in_text(reply->body); /* form C */
	else if (JsonContainerIsObject(&json->root))
	{
		answer->object = &json->root;
		answer->code = code_of_object(answer->object);
	}
	else
		answer->array = &json->root;

	if (answer->code < LOFTY_MIN_ERROR_CODE)
		answer->code = 0;
	answer->refused = (reply->status < 200 || reply->status > 299 ||
					   answer->code != 0);
}

/* The id of a create's or update's reply, or of its wrapper's data (3.3). */
bool
lofty_reply_id(const LoftyAnswer *answer, const char *key, int64 *id)
{
	JsonbContainer *data;

	if (answer->object == NULL)
		return false;
	if (lofty_record_get_id(answer->object, key, id))
		return true;
	data = json_get_object(answer->object, "data");
	return data != NULL && lofty_record_get_id(data, key, id);
}

/* ------------------------------------------------------------------------
 * Refusals
 * ------------------------------------------------------------------------ */

static const char *
error_message(int64 code)
{
	for (int i = 0; i < lengthof(lofty_errors); i++)
	{
		if (lofty_errors[i].code == code)
			return lofty_errors[i].message;
	}
	return "Lofty refused the request.";
}

CrmAction
lofty_reply_no_lead(CrmSession *session)
{
	return crm_fail(session, CRM_ERROR_LEAD_FINAL, "lofty_20006",
					error_message(LOFTY_LEAD_NOT_EXIST));
}

/*
 * A reply that crm_transport_failed let through and that says no.  The status
 * comes first, then Lofty's code (5): codes appear under several statuses,
 * 200 among them.
 */
CrmAction
lofty_reply_refused(CrmSession *session, const LoftyAnswer *answer)
{
	const char *lofty_code = answer->code == 0 ? NULL :
		psprintf("lofty_" INT64_FORMAT, answer->code);

	if (answer->status == 401 || answer->code == LOFTY_TOKEN_WITHOUT_USER)
		return crm_fail(session, CRM_ERROR_CREDENTIAL,
						answer->status == 401 ? "http_401" : lofty_code,
						error_message(LOFTY_TOKEN_WITHOUT_USER));
	if (answer->code == LOFTY_INTERNAL_ERROR)
		return crm_fail(session,
						session->request.creates ? CRM_ERROR_UNCERTAIN : CRM_ERROR_LEAD_RETRY,
						lofty_code, error_message(answer->code));
	if (answer->status == 403 && !answer->is_json && answer->code == 0)
		return crm_fail(session, CRM_ERROR_CONNECTION, "waf",
						"Something in front of Lofty's API refused the request.");
	if (answer->status == 403 || answer->code == LOFTY_PERMISSION_DENIED ||
		answer->code == LOFTY_VENDOR_PERMISSION)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "lofty_permission",
						error_message(LOFTY_PERMISSION_DENIED));
	if (lofty_code != NULL)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, lofty_code,
						error_message(answer->code));
	if (answer->status == 404)
		return crm_fail(session, CRM_ERROR_CONNECTION, "wrong_url",
						"Lofty does not know this API address: check echosync.lofty_api_url.");
	return crm_fail(session, CRM_ERROR_LEAD_FINAL,
					psprintf("http_%d", answer->status),
					"Lofty refused the request.");
}

/* ------------------------------------------------------------------------
 * Limits
 * ------------------------------------------------------------------------ */

/*
 * Milliseconds until the window is over.  The unit of X-RateLimit-Reset is
 * not certain: documented as epoch seconds, with a sample that looks like
 * milliseconds left.  Read by size, and never believed beyond 1 s to 120 s
 * (2).
 */
static int
reset_ms(int64 reset, int64 now_unix)
{
	int64		wait_ms;

	if (reset >= INT64CONST(1000000000000))
		wait_ms = reset - now_unix * 1000;
	else if (reset >= INT64CONST(1000000000))
		wait_ms = (reset - now_unix) * 1000;
	else if (reset > 120)
		wait_ms = reset;
	else
		wait_ms = reset * 1000;
	return (int) Min(Max(wait_ms, 1000), 120000);
}

/*
 * Retry-After, then X-RateLimit-Reset; a 429 with neither means the rest of a
 * window that we do not see the end of.
 */
void
lofty_limit_hint(const HttpReply *reply, int limit_context, CrmLimitHint *hint)
{
	int64		reset = reply_header_number(reply, "x-ratelimit-reset");

	/* limits are read outside of any session, which would know the time */
	int64		now_unix = (int64) time(NULL);

	hint->limit_context = limit_context;
	hint->limit = reply_header_count(reply, "x-ratelimit-limit", 1);
	hint->remaining = reply_header_count(reply, "x-ratelimit-remaining", 0);
	hint->reset_ms = crm_retry_after_ms(reply, now_unix);
	if (hint->reset_ms < 0 && reset >= 0)
		hint->reset_ms = reset_ms(reset, now_unix);
	if (hint->reset_ms < 0 && reply->status == 429)
		hint->reset_ms = 60000;
}

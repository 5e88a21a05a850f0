/*
 * followupboss_reply.c
 *		Follow Up Boss: how replies are told apart that mean the same whatever was
 *		asked, and the limits in their headers.
 *
 * Classifies by status alone: the text of an error is not a contract, and may
 * hold personal data (Follow Up Boss reference 6).
 *
 * Not here: the token endpoint, whose errors have codes (followupboss_oauth.c).
 */
#include "postgres.h"

#include "crm/followupboss.h"
#include "crm/reply.h"

#define FUB_RETRY_AFTER_MS 10000	/* Follow Up Boss reference 3 */

/*
 * Start values; the headers of replies correct them (limit_hint).  The limit
 * of "global" depends on the system key and comes from the settings.
 * POST.events has no documented limit: 1000 is high enough never to matter.
 */
const CrmLimit fub_limits[FUB_LIMIT_COUNT] = {
	[FUB_LIMIT_GLOBAL] = {"global", 0, 10000},
	[FUB_LIMIT_PUT_PEOPLE] = {"PUT.people", 25, 10000},
	[FUB_LIMIT_NOTES] = {"notes", 10, 10000},
	[FUB_LIMIT_EVENTS] = {"events", 20, 10000},
	[FUB_LIMIT_POST_EVENTS] = {"POST.events", 1000, 10000}
};

/* ------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------ */

bool
fub_reply_is(const HttpReply *reply, int status)
{
	return reply->result == HTTP_RESULT_RESPONSE && reply->status == status;
}

/*
 * The record is not there, and it is the API that says so.  A page or an empty
 * 404 is of something in between, or of another address, and says nothing.
 */
bool
fub_reply_gone(const HttpReply *reply)
{
	return fub_reply_is(reply, 404) && fub_reply_object(reply) != NULL;
}

bool
fub_reply_list_failed(CrmSession *session, const HttpReply *reply)
{
	if (crm_transport_failed(session, reply))
		return true;
	if (reply->status != 401 && reply->status != 403 &&
		(reply->status != 404 || fub_reply_gone(reply)))
		return false;
	(void) fub_reply_failed(session, reply);
	return true;
}

bool
fub_reply_ok(const HttpReply *reply)
{
	return reply->result == HTTP_RESULT_RESPONSE &&
		reply->status >= 200 && reply->status < 300;
}

/* The JSON object that a reply is; NULL when it is anything else. */
JsonbContainer *
fub_reply_object(const HttpReply *reply)
{
	Jsonb	   *parsed = json_parse(reply->body, reply->body_len);

	if (parsed == NULL || !JsonContainerIsObject(&parsed->root))
		return NULL;
	return &parsed->root;
}

/*
 * The array of a list reply.  Its key is what _metadata.collection says, which
 * may differ from the path in case (Follow Up Boss reference 4.1).  NULL: this
 * is no list, and must not be taken for an empty one.
 */
JsonbContainer *
fub_reply_list(JsonbContainer *root, const char *usual)
{
	JsonbContainer *metadata;
	JsonbContainer *rows = NULL;
	char	   *collection;

	if (root == NULL)
		return NULL;
	metadata = json_get_object(root, "_metadata");
	collection = metadata ? json_get_text(metadata, "collection") : NULL;
	if (collection != NULL)
		rows = json_get_array(root, collection);
	return rows ? rows : json_get_array(root, usual);
}

/* 2xx with an empty body will do where no id is needed (reference 1). */
bool
fub_reply_acknowledged(const HttpReply *reply)
{
	return text_is_blank(reply->body) || fub_reply_object(reply) != NULL;
}

static const char *
refusal_message(const CrmSession *session, int status)
{
	if (session->task != CRM_TASK_SYNC)
		return "Follow Up Boss did not say whose credential this is.";
	return status == 404 ?
		"Follow Up Boss does not know the record or the request." :
		"Follow Up Boss did not accept the data of this lead.";
}

/* Must the session end here? */
bool
fub_reply_failed(CrmSession *session, const HttpReply *reply)
{
	if (crm_transport_failed(session, reply))
		return true;
	if (fub_reply_ok(reply))
		return false;

	if (reply->status == 401)
		crm_fail(session, CRM_ERROR_CREDENTIAL, "http_401",
				 "Follow Up Boss does not accept the credential.");
	else if (reply->status == 403 && fub_reply_object(reply) == NULL)
		crm_fail(session, CRM_ERROR_CONNECTION, "waf",
				 "A firewall in front of Follow Up Boss refused the request.");
	else if (reply->status == 403)
		crm_fail(session, CRM_ERROR_CONNECTION, "fub_locked_or_forbidden",
				 "The Follow Up Boss account is locked or expired, or its user lacks the permission.");
	else if (reply->status == 404 && !fub_reply_gone(reply))
		crm_fail(session, CRM_ERROR_CONNECTION, "wrong_url",
				 "It was not Follow Up Boss's API that answered: is it out of order, or echosync.followupboss_api_url wrong?");
	else
		crm_fail(session, CRM_ERROR_LEAD_FINAL,
				 psprintf("http_%d", reply->status),
				 refusal_message(session, reply->status));
	return true;
}

/* ------------------------------------------------------------------------
 * Limits
 * ------------------------------------------------------------------------ */

/*
 * The reply names the context it was counted in.  One that we do not know is
 * not ours to apply to another context.  X-RateLimit-Window is the length of a
 * sliding window and says nothing about when a place becomes free, so that
 * only Retry-After speaks for reset_ms; a 429 without it waits 10 s.
 */
void
fub_limit_hint(const HttpReply *reply, int limit_context, CrmLimitHint *hint)
{
	const char *name = http_reply_header(reply, "x-ratelimit-context");
	bool		known = (name == NULL);

	hint->limit_context = limit_context;
	hint->limit = -1;
	hint->remaining = -1;

	for (int i = 0; name != NULL && i < FUB_LIMIT_COUNT; i++)
	{
		if (strcmp(name, fub_limits[i].name) == 0)
		{
			hint->limit_context = i;
			known = true;
		}
	}
	if (known)
	{
		hint->limit = reply_header_count(reply, "x-ratelimit-limit", 0);
		hint->remaining = reply_header_count(reply, "x-ratelimit-remaining", 0);
	}

	/* no clock is at hand: a date in a reply without one of its own is capped */
	hint->reset_ms = crm_retry_after_ms(reply, 0);
	if (hint->reset_ms < 0 && reply->status == 429)
		hint->reset_ms = FUB_RETRY_AFTER_MS;
}

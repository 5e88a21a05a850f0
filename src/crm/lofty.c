/*
 * lofty.c
 *		The Lofty (formerly Chime) Open API, version 1.0, by API key.
 *
 * Turns a lead into Lofty's requests and Lofty's replies into an outcome; see
 * crm.h for how the worker drives it.  "Lofty reference" in comments is the
 * collection of what is known of the real API (doc/), since Lofty's own
 * pages are wrong in places.
 *
 * This file begins a session and hands each reply to the file of its step:
 * lofty_search.c (is there a record), lofty_write.c (create, update),
 * lofty_note.c, lofty_fields.c (custom fields).  lofty_reply.c knows errors and
 * limits, lofty_record.c reads what Lofty returns.
 *
 * What shapes them:
 *
 * - Lofty has no upsert and no idempotency key.  A lead without a link is
 *   searched by phone and by e-mail, and created only when both found
 *   nothing.  An error is never "nothing", and a result that does not carry
 *   what was asked for is "cannot tell", since the search ignores parameters
 *   that it does not know (Lofty reference 3.2).
 * - Arrays replace.  Phones and e-mails are read, merged and written whole;
 *   tags only ever go through tagsAdd (3.4, 3.5).
 * - A record that we did not create belongs to an agent: it gets what it
 *   lacks, and nothing of it is replaced.  One found by a phone number under
 *   another name gets tags, flags and notes only (9).
 * - Blocked-contact flags are only ever raised (3.8).
 * - What was created is not readable at once (3.3).  A lead that is missing
 *   within minutes of our link is waited for; later it is looked for once
 *   more, under the id of the record that it may have been merged into.  It
 *   is not created again: it may be in the trash, or be a colleague's (5).
 *
 * Not here: OAuth (Lofty's pages do not agree on it), stages, pipelines,
 * deletes and webhooks.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "config/settings.h"
#include "crm/credential.h"
#include "crm/lofty.h"
#include "crm/record.h"
#include "crm/reply.h"

#define LOFTY_MAX_API_KEY	4096

static char *lofty_api_url;
static int	lofty_rate_limit;	/* calls a minute */

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------ */

/*
 * Lofty wants the content type on every method, GET included: some of its
 * GETs answer 415 without it (1).
 */
StringInfo
lofty_request(CrmSession *session, LoftyStep step, const char *method,
			  const char *path)
{
	crm_request_start(session, method, session->connection->api_url, path);
	session->request.content_type = "application/json";
	session->request.extra_headers = lappend(session->request.extra_headers,
											 "Accept: application/json");
	session->step = step;
	return &session->request.body;
}

CrmAction
lofty_get(CrmSession *session, LoftyStep step, const char *path)
{
	lofty_request(session, step, "GET", path);
	return CRM_ACTION_SEND;
}

/*
 * The literal word "token": "Bearer" is for OAuth tokens only, and with a key
 * it is answered as if the key were dead (1).
 */
static List *
lofty_authorize(const CrmConnection *connection, List *headers)
{
	if (connection->credential.secret == NULL)
		return headers;
	return lappend(headers, psprintf("Authorization: token %s",
									 connection->credential.secret));
}

/* Keys are JWS strings today and were something else before (1). */
static const char *
lofty_check_api_key(const char *key)
{
	return credential_check_api_key(key, LOFTY_MAX_API_KEY);
}

/* ------------------------------------------------------------------------
 * The start of a session
 * ------------------------------------------------------------------------ */

/* A lead that has a record already. */
static CrmAction
begin_linked(CrmSession *session)
{
	LoftySync  *sync = session->state;
	bool		changed;

	if (!lofty_record_parse_id(session->link.record_id, &sync->record_id))
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "bad_record_id",
						"The stored id of this lead's record is not one of Lofty's.");

	if (session->lead->do_not_contact)
		changed = record_field_changed(session, LEAD_FIELD_DO_NOT_CONTACT);
	else
		changed = record_changed(session) || lofty_note_due(session);
	return changed ? lofty_write_update(session) : crm_skip(session, REFUSAL_UNCHANGED);
}

static CrmAction
begin_sync(CrmSession *session)
{
	session->state = palloc0(sizeof(LoftySync));
	record_begin(session);

	if (session->link.record_id == NULL && session->local_match != NULL &&
		!record_is_strangers(session, session->local_match_kind) &&
		!lofty_record_link(session, session->local_match, session->local_match_kind))
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "bad_record_id",
						"The stored id of a matching record is not one of Lofty's.");
	if (session->link.record_id != NULL)
		return begin_linked(session);

	/*
	 * People who must not be contacted are not put into a CRM.  If a create
	 * of ours may have put one there, it is looked for, to raise the flags.
	 */
	if (session->lead->do_not_contact && !session->uncertain)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);
	return lofty_search_start(session);
}

static CrmAction
lofty_begin(CrmSession *session)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action = CRM_ACTION_NONE;

	switch (session->task)
	{
		case CRM_TASK_SYNC:
			action = begin_sync(session);
			break;
		case CRM_TASK_TEST:
			action = lofty_get(session, LOFTY_STEP_ME, "/me");
			break;
		case CRM_TASK_NONE:
		case CRM_TASK_EXCHANGE:
		case CRM_TASK_REFRESH:
			action = crm_fail(session, CRM_ERROR_CREDENTIAL, "no_oauth",
							  "Lofty is connected by API key, not by OAuth.");
			break;
	}
	MemoryContextSwitchTo(old_context);
	return action;
}

/* ------------------------------------------------------------------------
 * After each step
 * ------------------------------------------------------------------------ */

static CrmAction
lofty_me_reply(CrmSession *session, const LoftyAnswer *answer)
{
	JsonbContainer *me = answer->object;
	char	   *first;
	char	   *last;
	char	   *role;
	char	   *name;
	int64		id;
	int64		team_id;

	/* a 200 with a string or without an id is no working connection (3.1) */
	if (me == NULL || !lofty_record_get_id(me, "id", &id))
		return reply_unreadable(session);

	session->account_id = lofty_record_get_id(me, "teamId", &team_id) ?
		psprintf(INT64_FORMAT "/" INT64_FORMAT, team_id, id) :
		psprintf(INT64_FORMAT, id);

	first = json_get_text(me, "firstName");
	last = json_get_text(me, "lastName");
	role = json_get_text(me, "roleName");
	if (!text_is_blank(first) && !text_is_blank(last))
		name = psprintf("%s %s", first, last);
	else if (!text_is_blank(first) || !text_is_blank(last))
		name = text_is_blank(first) ? last : first;
	else
		name = json_get_text(me, "email");
	if (text_is_blank(name))
		name = session->account_id;
	session->account_label = crm_label(text_is_blank(role) ? name :
									   psprintf("%s (%s)", text_clip(name, 100), text_clip(role, 40)));
	return crm_success(session, CRM_WRITE_NONE);
}

static bool
is_write(LoftyStep step)
{
	return step == LOFTY_STEP_CREATE || step == LOFTY_STEP_UPDATE;
}

/* Searches for which "no such lead" is a way to say that there is none. */
static bool
is_search(LoftyStep step)
{
	return step == LOFTY_STEP_SEARCH_PHONE || step == LOFTY_STEP_SEARCH_MARKED ||
		step == LOFTY_STEP_SEARCH_EMAIL;
}

/* Steps about the linked record, which may be gone. */
static bool
is_about_record(LoftyStep step)
{
	return step == LOFTY_STEP_READ || step == LOFTY_STEP_UPDATE ||
		step == LOFTY_STEP_NOTES || step == LOFTY_STEP_NOTE;
}

static CrmAction
after_step(CrmSession *session, const HttpReply *reply)
{
	LoftyStep	step = (LoftyStep) session->step;
	LoftyAnswer answer;
	bool		no_lead;

	if (crm_transport_failed(session, reply))
		return CRM_ACTION_DONE;
	lofty_reply_read(reply, &answer);
	no_lead = answer.code == LOFTY_LEAD_NOT_EXIST;
	if (no_lead && is_about_record(step))
		return lofty_search_missing(session);
	if (answer.refused && step == LOFTY_STEP_FIELDS)
		return lofty_fields_refused(session, &answer);
	if (answer.refused && is_write(step) && answer.code != LOFTY_PROPERTY_ADDRESS_EMPTY &&
		record_drop_email(session, answer.status))
		return step == LOFTY_STEP_CREATE ? lofty_write_create(session) : lofty_write_update(session);
	if (answer.refused && !(no_lead && is_search(step)))
		return lofty_reply_refused(session, &answer);

	switch (step)
	{
		case LOFTY_STEP_ME:
			return lofty_me_reply(session, &answer);
		case LOFTY_STEP_SEARCH_PHONE:
		case LOFTY_STEP_SEARCH_MARKED:
		case LOFTY_STEP_SEARCH_EMAIL:
			return lofty_search_reply(session, &answer);
		case LOFTY_STEP_FIELDS:
			return lofty_fields_reply(session, &answer);
		case LOFTY_STEP_CREATE:
			return lofty_write_create_reply(session, &answer);
		case LOFTY_STEP_READ:
			return lofty_write_read_reply(session, &answer);
		case LOFTY_STEP_UPDATE:
			return lofty_write_update_reply(session, &answer);
		case LOFTY_STEP_NOTES:
			return lofty_note_list_reply(session, &answer);
		case LOFTY_STEP_NOTE:
			return lofty_note_reply(session, &answer);
		case LOFTY_STEP_NONE:
			break;
	}
	return reply_unreadable(session);	/* not reached */
}

static CrmAction
lofty_next(CrmSession *session, const HttpReply *reply)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action = after_step(session, reply);

	if (action == CRM_ACTION_DONE && session->outcome.http_status == 0)
		session->outcome.http_status = reply->status;
	MemoryContextSwitchTo(old_context);
	return action;
}

/* ------------------------------------------------------------------------
 * The provider
 * ------------------------------------------------------------------------ */

static void
lofty_define_settings(void)
{
	settings_define_base_url("echosync.lofty_api_url", "Base URL of Lofty's API.",
							 &lofty_api_url, "https://api.lofty.com/v1.0");
	settings_define_rate_limit("echosync.lofty_rate_limit",
							   "Requests a minute with one Lofty key, until Lofty's headers prove more.",
							   &lofty_rate_limit, 10, 1);
}

static void
lofty_configure(CrmConnection *connection)
{
	connection->api_url = lofty_api_url;
}

static int
lofty_starting_limit(const CrmConnection *connection)
{
	return lofty_rate_limit;
}

/*
 * Nobody outside knows the limit of an API key, nor whether it counts by key,
 * user or team: echosync.lofty_rate_limit says, until headers prove more (2).
 */
static const CrmLimit lofty_limits[] =
{
	{"api", 0, 60000}
};

const CrmProvider lofty_provider =
{
	.crm_type = "lofty",
	.label = "Lofty",
	.flags_records = true,
	.takes_api_key = true,
	.takes_oauth = false,
	.limits = lofty_limits,
	.n_limits = lengthof(lofty_limits),
	.define_settings = lofty_define_settings,
	.configure = lofty_configure,
	.starting_limit = lofty_starting_limit,
	.calls_per_lead = 3,		/* two searches, create */
	.authorize = lofty_authorize,
	.check_api_key = lofty_check_api_key,
	.begin = lofty_begin,
	.next = lofty_next,
	.limit_hint = lofty_limit_hint,
	.reply_nobody = "{\"_metadata\": {\"total\": 0}, \"leads\": [], \"notes\": []}",
	.reply_accepted = "{\"leadId\": 1, \"noteId\": 1}"
};

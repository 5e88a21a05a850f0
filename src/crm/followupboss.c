/*
 * followupboss.c
 *		Follow Up Boss: the provider, and the course of a session.
 *
 * This file begins a session and hands each reply to the file of its step:
 * followupboss_search.c (is there a person), followupboss_write.c (create,
 * update, event), followupboss_note.c, followupboss_fields.c (custom fields),
 * followupboss_oauth.c (signing in, whose account).  followupboss_reply.c knows
 * errors and limits, followupboss_person.c reads a person, followupboss_body.c
 * writes one.
 *
 * A lead without a link is searched by phone and e-mail, compared by our own
 * keys, and only then created; a linked one gets what changed and nothing else.
 *
 * Not here: whether a lead may be sent at all (lead.c), retries and waiting
 * (worker).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "config/secrets.h"
#include "config/settings.h"
#include "crm/custom_field.h"
#include "crm/followupboss.h"
#include "crm/record.h"

static char *fub_api_url;
static char *fub_app_url;
static int	fub_rate_limit;		/* calls in 10 s; 0: by system key */

CrmAction
fub_send(CrmSession *session, FubStep step, FubLimit limit, const char *method,
		 const char *path, const StringInfoData *body)
{
	crm_request_start(session, method, session->connection->api_url, path);
	if (body != NULL)
	{
		session->request.body = *body;
		session->request.content_type = "application/json";
	}
	session->request.limit_context = limit;
	session->step = step;
	return CRM_ACTION_SEND;
}

bool
fub_by_events(const CrmSession *session)
{
	return session->connection->settings->delivery == DELIVERY_EVENTS;
}

/* ------------------------------------------------------------------------
 * One lead
 * ------------------------------------------------------------------------ */

CrmAction
fub_start(CrmSession *session)
{
	FubState   *state = session->state;
	CrmLink    *link = &session->link;

	if (link->record_id != NULL && !record_changed(session))
		return fub_note_due(session) ? fub_note_finish(session) :
			crm_skip(session, REFUSAL_UNCHANGED);

	if (custom_fields_unknown(session->connection) && !state->fields_fetched)
	{
		state->fields = NIL;
		state->field_pages = 0;
		return fub_fields_request(session, NULL);
	}

	if (link->record_id != NULL)
		return fub_write_record(session);
	if (session->local_match != NULL && !state->relinked &&
		!record_is_strangers(session, session->local_match_kind))
	{
		CrmMatch	match = session->local_match_kind;

		/* unknown: touch little; another lead's creation: its names stay */
		if (match == CRM_MATCH_NONE)
			match = session->lead->phone_key != NULL ? CRM_MATCH_SHARED_PHONE : CRM_MATCH_SHARED_EMAIL;
		else if (match == CRM_MATCH_CREATED)
			match = CRM_MATCH_PHONE;
		fub_search_link(session, pstrdup(session->local_match), match);
		return fub_write_record(session);
	}
	return fub_search_start(session);
}

static CrmAction
begin_sync(CrmSession *session)
{
	FubState   *state = palloc0(sizeof(FubState));

	session->state = state;
	record_begin(session);
	if (session->lead->do_not_contact)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);

	state->tags = record_tags(session, FUB_TAG_MAX);
	state->check_note = session->uncertain || session->repeated;
	return fub_start(session);
}

static CrmAction
fub_begin(CrmSession *session)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action;

	action = session->task == CRM_TASK_SYNC ?
		begin_sync(session) : fub_account_begin(session);
	MemoryContextSwitchTo(old_context);
	return action;
}

/* ------------------------------------------------------------------------
 * After each step
 * ------------------------------------------------------------------------ */

/*
 * 403 says either that the account is locked, which is the connection's
 * failure, or that this user may not touch this record, which is the lead's.
 * /identity tells which (reference 4.7); without asking, one forbidden record
 * would hold up all the others.
 */
static bool
must_ask(const CrmSession *session, const HttpReply *reply)
{
	return session->task == CRM_TASK_SYNC &&
		session->step != FUB_STEP_FORBIDDEN &&
		session->step != FUB_STEP_CUSTOM_FIELDS &&
		fub_reply_is(reply, 403) && fub_reply_object(reply) != NULL;
}

static CrmAction
forbidden_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;

	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	if (state->forbidden == FUB_STEP_FIND_EVENT)
		return fub_write_event_list_refused(session);
	return crm_fail(session, CRM_ERROR_LEAD_RETRY, "fub_forbidden",
					"The Follow Up Boss user of this connection may not read or change this record.");
}

static CrmAction
after_step(CrmSession *session, const HttpReply *reply)
{
	CrmAction	action;

	switch ((FubStep) session->step)
	{
		case FUB_STEP_NONE:
			break;
		case FUB_STEP_CUSTOM_FIELDS:
			return fub_fields_reply(session, reply, &action) ?
				fub_start(session) : action;
		case FUB_STEP_SEARCH_PHONE:
		case FUB_STEP_SEARCH_PLUS:
		case FUB_STEP_SEARCH_MARKED:
		case FUB_STEP_SEARCH_MARKED_PLUS:
		case FUB_STEP_SEARCH_EMAIL:
			return fub_search_reply(session, reply);
		case FUB_STEP_CHECK:
			return fub_search_check_reply(session, reply);
		case FUB_STEP_CREATE:
			return fub_write_create_reply(session, reply);
		case FUB_STEP_FIND_EVENT:
			return fub_write_event_list_reply(session, reply);
		case FUB_STEP_READ:
			return fub_write_read_reply(session, reply);
		case FUB_STEP_EVENT:
			return fub_write_event_reply(session, reply);
		case FUB_STEP_UPDATE:
			return fub_write_update_reply(session, reply);
		case FUB_STEP_FIND_NOTE:
			return fub_note_list_reply(session, reply);
		case FUB_STEP_NOTE:
			return fub_note_reply(session, reply);
		case FUB_STEP_FORBIDDEN:
			return forbidden_reply(session, reply);
		case FUB_STEP_TOKEN:
			return fub_token_reply(session, reply);
		case FUB_STEP_IDENTITY:
			return fub_identity_reply(session, reply);
	}
	return crm_fail(session, CRM_ERROR_LEAD_RETRY, "internal",
					"A reply came that no request had asked for.");
}

static CrmAction
fub_next(CrmSession *session, const HttpReply *reply)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action;

	if (must_ask(session, reply))
	{
		((FubState *) session->state)->forbidden = (FubStep) session->step;
		action = fub_send(session, FUB_STEP_FORBIDDEN, FUB_LIMIT_GLOBAL, "GET",
						  "/identity", NULL);
	}
	else
		action = after_step(session, reply);

	if (action == CRM_ACTION_DONE)
	{
		session->outcome.http_status = reply->status;

		/* a session that fails at its note has created its person all the same */
		if (session->task == CRM_TASK_SYNC && session->outcome.status == CRM_STATUS_FAILED)
			session->outcome.write = session->write;
	}
	MemoryContextSwitchTo(old_context);
	return action;
}

/* ------------------------------------------------------------------------
 * The provider
 * ------------------------------------------------------------------------ */

static void
fub_define_settings(void)
{
	settings_define_base_url("echosync.followupboss_api_url", "Base URL of Follow Up Boss's API.",
							 &fub_api_url, "https://api.followupboss.com/v1");
	settings_define_base_url("echosync.followupboss_app_url", "Base URL of Follow Up Boss's OAuth pages.",
							 &fub_app_url, "https://app.followupboss.com");
	settings_define_rate_limit("echosync.followupboss_rate_limit",
							   "Requests in 10 seconds in one Follow Up Boss account's global context; 0 chooses 250 with a system key, else 125.",
							   &fub_rate_limit, 0, 0);
}

static void
fub_configure(CrmConnection *connection)
{
	const Secrets *secrets = secrets_current();
	CrmClientIdentity *identity = &connection->identity;

	connection->api_url = fub_api_url;
	connection->app_url = fub_app_url;
	identity->client_id = secrets->followupboss_client_id;
	identity->client_secret = secrets->followupboss_client_secret;
	identity->system_name = secrets->followupboss_system_name;
	identity->system_key = secrets->followupboss_system_key;
	identity->redirect_url = echosync_redirect_url[0] != '\0' ? echosync_redirect_url : NULL;
}

/* Registered systems have twice the limit of others (5.1). */
static int
fub_starting_limit(const CrmConnection *connection)
{
	if (fub_rate_limit > 0)
		return fub_rate_limit;
	return connection->identity.system_key != NULL ? 250 : 125;
}

const CrmProvider followupboss_provider = {
	.crm_type = "followupboss",
	.label = "Follow Up Boss",
	.flags_records = false,
	.takes_api_key = true,
	.takes_oauth = true,
	.limits = fub_limits,
	.n_limits = FUB_LIMIT_COUNT,
	.limits_by_account = true,
	.define_settings = fub_define_settings,
	.configure = fub_configure,
	.starting_limit = fub_starting_limit,
	.calls_per_lead = 5,		/* three searches, checkDuplicate, create */
	.authorize = fub_authorize,
	.check_api_key = fub_check_api_key,
	.authorize_url = fub_authorize_url,
	.oauth_setup_hint = "Set FOLLOWUPBOSS_CLIENT_ID and FOLLOWUPBOSS_CLIENT_SECRET in the env file, and echosync.redirect_url.",
	.begin = fub_begin,
	.next = fub_next,
	.limit_hint = fub_limit_hint,
	.reply_nobody = "{\"_metadata\": {\"total\": 0}, \"people\": [], \"found\": false, \"customfields\": [], \"notes\": []}",
	.reply_accepted = "{\"id\": 1}"
};

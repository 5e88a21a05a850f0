/*
 * oauth.c
 *		echosync_oauth_authorize() and echosync_oauth_callback().
 *
 * A callback comes in one of two ways.  The application's page calls it in a
 * READ WRITE transaction: the worker exchanges the code, we store.  Or the CRM
 * sends the browser straight to it through PostgREST, which is a GET and so a
 * READ ONLY transaction: the worker stores as well.  In that case, with
 * echosync.app_url set, the browser is sent on to the application whatever the
 * outcome, for nobody reads an error there.
 *
 * Not here: what the CRM's pages and tokens look like (crm/), the state of a
 * flow (db/oauth_state.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "api/connect.h"
#include "api/hidden.h"
#include "api/identity.h"
#include "api/rest.h"
#include "config/secrets.h"
#include "config/settings.h"
#include "db/oauth_state.h"
#include "db/statement.h"

PG_FUNCTION_INFO_V1(echosync_oauth_authorize);
PG_FUNCTION_INFO_V1(echosync_oauth_callback);

/* How long a browser waits, unless statement_timeout is shorter. */
#define BROWSER_WAIT_MS 10000

/* They come back through the mailbox, when the consent is there. */
static void
require_room(Jsonb *settings)
{
	char	   *text = JsonbToCString(NULL, &settings->root, VARSIZE(settings));

	if (strlen(text) >= MAIL_SETTINGS_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the settings are longer than %d bytes", MAIL_SETTINGS_SIZE - 1)));
}

Datum
echosync_oauth_authorize(PG_FUNCTION_ARGS)
{
	char	   *user_id = connect_require_user();
	const CrmProvider *provider = connect_require_provider(fcinfo, 0);
	Jsonb	   *settings = connect_settings_argument(fcinfo, 1);
	CrmConnection connection = {0};
	char	   *state;

	if (!provider->takes_oauth)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is connected by API key", provider->label),
				 errhint("Use echosync_connect().")));
	PreventCommandIfReadOnly("echosync_oauth_authorize()");
	(void) integration_settings_merge(NULL, settings, provider->crm_type);
	require_room(settings);
	connect_require_key();

	connection.provider = provider;
	provider->configure(&connection);
	if (provider->authorize_url(&connection, "") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("OAuth with %s is not set up", provider->label),
				 errhint("%s", provider->oauth_setup_hint)));

	SPI_connect();
	db_use_extension();
	state = MemoryContextStrdup(fcinfo->flinfo->fn_mcxt,
								oauth_state_create(user_id, provider->crm_type, settings));
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(provider->authorize_url(&connection, state)));
}

static bool
access_was_denied(FunctionCallInfo fcinfo)
{
	return !PG_ARGISNULL(2) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(2)), "denied") == 0;
}

static bool
arguments_fit(FunctionCallInfo fcinfo)
{
	return !PG_ARGISNULL(0) && !PG_ARGISNULL(1) &&
		VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(0)) < MAIL_SECRET_SIZE &&
		VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) < MAIL_NAME_SIZE;
}

static void
require_arguments(FunctionCallInfo fcinfo)
{
	if (access_was_denied(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("access was denied in the CRM"),
				 errdetail("The user did not consent. Nothing was stored."),
				 errhint("Send the user to a new URL of echosync_oauth_authorize() to try again."),
				 errhidestmt(true)));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the callback has no code or no state"),
				 errhint("Pass on code, state and response as the CRM sent them."),
				 errhidestmt(true)));
	if (!arguments_fit(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("code or state is too long"), errhidestmt(true)));
}

static void
refuse_exchange(const MailReply *reply)
{
	ereport(ERROR,
			(errcode(strcmp(reply->error_code, "oauth_state") == 0 ? MAKE_SQLSTATE('P', 'T', '4', '0', '4') :
					 reply->error_hint[0] != '\0' ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE :
					 ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("could not connect: %s", reply->error_message),
			 errdetail("Error code %s. Nothing was stored.", reply->error_code),
			 errhint("%s", reply->error_hint[0] != '\0' ? reply->error_hint :
					 "Start again with echosync_oauth_authorize()."),
			 errhidestmt(true)));
}

static MailRequest *
exchange_request(FunctionCallInfo fcinfo, MailKind kind, const char *user_id)
{
	MailRequest *request = palloc0(sizeof(MailRequest));

	if (user_id != NULL)
		connect_check_user(user_id);
	request->kind = kind;
	strlcpy(request->user_id, user_id ? user_id : "", sizeof(request->user_id));
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(0), request->secret, sizeof(request->secret));
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(1), request->state, sizeof(request->state));
	return request;
}

static Datum
stored_integration(const MailReply *reply)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	*id = reply->integration;
	return UUIDPGetDatum(id);
}

/* Exchange and store, in whichever transaction can write. */
static Datum
callback(FunctionCallInfo fcinfo)
{
	bool		read_only = XactReadOnly;
	char	   *user_id = read_only ? identity_user_id() : connect_require_user();
	MailReply  *reply = palloc0(sizeof(MailReply));
	CrmCredential credential = {CRM_CREDENTIAL_OAUTH, NULL, NULL, 0};
	MailRequest *request;
	Datum		id;

	require_arguments(fcinfo);
	PreventCommandDuringRecovery("echosync_oauth_callback()");
	connect_require_key();
	request = exchange_request(fcinfo, read_only ? MAIL_EXCHANGE_AND_STORE : MAIL_EXCHANGE,
							   user_id);
	mailbox_ask(request, reply);
	explicit_bzero(request, sizeof(MailRequest));
	if (!reply->ok)
		refuse_exchange(reply);
	if (read_only)
		return stored_integration(reply);

	credential.secret = reply->secret;
	credential.refresh_token = reply->refresh_token[0] ? reply->refresh_token : NULL;
	credential.expires_at = reply->expires_at;
	id = connect_store(reply->user_id, crm_provider_by_type(reply->crm_type),
					   DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(reply->settings))),
					   &credential, reply);
	explicit_bzero(reply, sizeof(MailReply));
	return id;
}

/* echosync.app_url with these parameters; before its fragment, if it has one. */
static char *
application_url(const char *parameters)
{
	const char *fragment = strchrnul(echosync_app_url, '#');
	int			len = fragment - echosync_app_url;
	bool		has_query = memchr(echosync_app_url, '?', len) != NULL;

	return psprintf("%.*s%c%s%s", len, echosync_app_url, has_query ? '&' : '?',
					parameters, fragment);
}

/* Less than the statement may take, so that there is an answer. */
static int
browser_wait_ms(void)
{
	return StatementTimeout > 0 ? Min(BROWSER_WAIT_MS, StatementTimeout / 2) : BROWSER_WAIT_MS;
}

/* Why the flow has failed, in one word for the application; NULL: it has not. */
static const char *
exchange_for_browser(FunctionCallInfo fcinfo, MailReply *reply, bool *pending)
{
	MailRequest *request;
	MailOutcome outcome;

	if (access_was_denied(fcinfo))
		return "denied";
	if (!arguments_fit(fcinfo))
		return "incomplete";
	if (RecoveryInProgress())
		return "retry_on_primary";
	if (secrets_current()->encryption_key == NULL)
		return "not_set_up";
	request = exchange_request(fcinfo, MAIL_EXCHANGE_AND_STORE, identity_user_id());
	outcome = mailbox_try(request, reply, browser_wait_ms());
	explicit_bzero(request, sizeof(MailRequest));
	*pending = outcome == MAIL_PENDING;
	if (outcome == MAIL_NO_WORKER)
		return "no_worker";
	if (outcome == MAIL_FULL)
		return "busy";
	if (outcome == MAIL_ANSWERED && !reply->ok)
		return reply->error_code[0] ? reply->error_code : "not_stored";
	return NULL;
}

/* The browser goes on to the application, which reads what happened. */
static Datum
callback_for_browser(FunctionCallInfo fcinfo)
{
	MailReply  *reply = palloc0(sizeof(MailReply));
	bool		pending = false;
	const char *error = exchange_for_browser(fcinfo, reply, &pending);
	Datum		id;

	if (error != NULL || pending)
	{
		rest_redirect(application_url(pending ? "echosync=pending" :
									  psprintf("echosync=error&reason=%s", error)));
		fcinfo->isnull = true;
		return (Datum) 0;
	}
	id = stored_integration(reply);
	rest_redirect(application_url(psprintf("echosync=connected&integration=%s",
										   DatumGetCString(DirectFunctionCall1(uuid_out, id)))));
	return id;
}

Datum
echosync_oauth_callback(PG_FUNCTION_ARGS)
{
	bool		browser = XactReadOnly && rest_is_get() && echosync_app_url[0] != '\0';

	return call_hidden(browser ? callback_for_browser : callback, fcinfo);
}

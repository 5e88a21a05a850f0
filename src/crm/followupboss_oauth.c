/*
 * followupboss_oauth.c
 *		Follow Up Boss: the account behind a connection: how to sign in to it
 *		(API key or OAuth, and the identity of this system), and whose it is
 *		(GET /identity).
 *
 * Not here: when a token is refreshed or how refreshes are serialised (worker).
 * Tokens go out through session->tokens and nowhere else; no text of the CRM is
 * copied into an outcome.
 */
#include "postgres.h"

#include "crm/credential.h"
#include "crm/followupboss.h"
#include "crm/reply.h"

#define FUB_TOKEN_LIFE 3600		/* seconds; Follow Up Boss reference 2.7 */
#define FUB_TOKEN_LIFE_MAX (30 * 86400)
#define FUB_API_KEY_MAX 512
#define FUB_ACCESS_TOKEN_MAX 8192

/* What the token endpoint's error codes mean (Follow Up Boss reference 2.8). */
typedef struct TokenError
{
	const char *name;			/* the CRM's word, '-' read as '_' */
	CrmErrorClass error_class;
	const char *code;			/* ours */
} TokenError;

static const TokenError token_errors[] = {
	{"invalid_grant", CRM_ERROR_CREDENTIAL, "oauth_invalid_grant"},
	{"invalid_client", CRM_ERROR_CONNECTION, "oauth_invalid_client"},
	{"invalid_request", CRM_ERROR_CONNECTION, "oauth_invalid_request"},
	{"unsupported_grant_type", CRM_ERROR_CONNECTION, "oauth_unsupported_grant_type"},
	{"unauthorized_client", CRM_ERROR_CONNECTION, "oauth_unauthorized_client"},
	/* the older words, should an account still get them */
	{"invalid_refresh_token", CRM_ERROR_CREDENTIAL, "oauth_invalid_grant"},
	{"expired_refresh_token", CRM_ERROR_CREDENTIAL, "oauth_invalid_grant"},
	{"invalid_auth_code", CRM_ERROR_CREDENTIAL, "oauth_invalid_grant"},
	{"expired_auth_code", CRM_ERROR_CREDENTIAL, "oauth_invalid_grant"},
	{"inactive_account", CRM_ERROR_CREDENTIAL, "oauth_account_gone"},
	{"account_not_found", CRM_ERROR_CREDENTIAL, "oauth_account_gone"},
	{"invalid_oauth_app", CRM_ERROR_CONNECTION, "oauth_invalid_client"},
	{"invalid_redirect_uri", CRM_ERROR_CONNECTION, "oauth_invalid_request"}
};

/* ------------------------------------------------------------------------
 * Headers
 * ------------------------------------------------------------------------ */

/*
 * An empty X-System-Key is worse than none: both headers or neither (Follow
 * Up Boss reference 1).
 */
static List *
common_headers(const CrmConnection *connection, List *headers)
{
	const CrmClientIdentity *identity = &connection->identity;

	headers = lappend(headers, pstrdup("Accept: application/json"));
	if (identity->system_name != NULL && identity->system_name[0] != '\0' &&
		identity->system_key != NULL && identity->system_key[0] != '\0')
	{
		headers = lappend(headers, psprintf("X-System: %s", identity->system_name));
		headers = lappend(headers, psprintf("X-System-Key: %s", identity->system_key));
	}
	return headers;
}

/* An OAuth token must come as Bearer, an API key as Basic. */
List *
fub_authorize(const CrmConnection *connection, List *headers)
{
	const CrmCredential *credential = &connection->credential;

	headers = common_headers(connection, headers);
	if (credential->secret == NULL)
		return headers;
	if (credential->kind == CRM_CREDENTIAL_OAUTH)
		return lappend(headers, psprintf("Authorization: Bearer %s", credential->secret));
	return lappend(headers, credential_basic_header(credential->secret, ""));
}

/* Besides what could break out of a header, only ASCII is let through. */
const char *
fub_check_api_key(const char *key)
{
	const char *fault = credential_check_api_key(key, FUB_API_KEY_MAX);

	if (fault != NULL)
		return fault;
	for (; *key != '\0'; key++)
	{
		if (IS_HIGHBIT_SET(*key))
			return "The API key contains a character that no key has.";
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * OAuth
 * ------------------------------------------------------------------------ */

static void
add_parameter(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "%s%s=", out->len > 0 ? "&" : "", name);
	url_encode(out, value);
}

/*
 * The consent page.  response_type is "auth_code", not OAuth's "code"; there
 * are no scopes and no PKCE (Follow Up Boss reference 2.2).  NULL when the
 * client id, its secret or the redirect URL is not set.
 */
char *
fub_authorize_url(const CrmConnection *connection, const char *oauth_state)
{
	StringInfoData query;

	if (connection->identity.client_id == NULL ||
		connection->identity.client_secret == NULL ||
		connection->identity.redirect_url == NULL)
		return NULL;

	initStringInfo(&query);
	add_parameter(&query, "response_type", "auth_code");
	add_parameter(&query, "client_id", connection->identity.client_id);
	add_parameter(&query, "redirect_uri", connection->identity.redirect_url);
	add_parameter(&query, "state", oauth_state);
	add_parameter(&query, "prompt", "login");
	return psprintf("%s/oauth/authorize?%s", connection->app_url, query.data);
}

/* POST <app>/oauth/token: on the app host, the client in Basic (2.4). */
static CrmAction
send_token_request(CrmSession *session)
{
	const CrmConnection *connection = session->connection;
	const CrmClientIdentity *identity = &connection->identity;
	StringInfoData form;

	if (identity->client_id == NULL || identity->client_secret == NULL ||
		(session->task == CRM_TASK_EXCHANGE && identity->redirect_url == NULL))
		return crm_fail(session, CRM_ERROR_CONNECTION, "oauth_not_configured",
						"FOLLOWUPBOSS_CLIENT_ID and FOLLOWUPBOSS_CLIENT_SECRET in the env file, or echosync.redirect_url, are not set.");

	initStringInfo(&form);
	if (session->task == CRM_TASK_EXCHANGE)
	{
		add_parameter(&form, "grant_type", "authorization_code");
		add_parameter(&form, "code", session->oauth_code ? session->oauth_code : "");
		add_parameter(&form, "redirect_uri", identity->redirect_url);
		/* the state again: the exchange is refused without it */
		add_parameter(&form, "state", session->oauth_state ? session->oauth_state : "");
	}
	else
	{
		if (session->spent_token == NULL)
			return crm_fail(session, CRM_ERROR_CREDENTIAL, "oauth_no_refresh_token",
							"There is no refresh token; connect Follow Up Boss again.");
		add_parameter(&form, "grant_type", "refresh_token");
		add_parameter(&form, "refresh_token", session->spent_token);
	}

	crm_request_start(session, "POST", connection->app_url, "/oauth/token");
	session->request.body = form;
	session->request.content_type = "application/x-www-form-urlencoded";
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->request.anonymous = true;
	session->request.extra_headers = list_make1(pstrdup("Accept: application/json"));
	session->request.extra_headers =
		lappend(session->request.extra_headers,
				credential_basic_header(identity->client_id, identity->client_secret));
	session->step = FUB_STEP_TOKEN;
	return CRM_ACTION_SEND;
}

static const char *
token_message(const TokenError *error, CrmTask task)
{
	if (strcmp(error->code, "oauth_account_gone") == 0)
		return "The Follow Up Boss account or user no longer exists or is inactive.";
	if (error->error_class == CRM_ERROR_CREDENTIAL)
		return task == CRM_TASK_EXCHANGE ?
			"Follow Up Boss no longer accepts the authorization code; start the connection again." :
			"Follow Up Boss no longer accepts the refresh token; connect it again.";
	if (strcmp(error->code, "oauth_invalid_client") == 0 ||
		strcmp(error->code, "oauth_unauthorized_client") == 0)
		return "Follow Up Boss refuses the client id or client secret of the env file.";
	return "Follow Up Boss refuses the token request; check the client id and secret in the env file and echosync.redirect_url.";
}

/*
 * Classify by code and not by status: invalid_client comes as 400 and
 * invalid_grant as 400, 401 or 404 (Follow Up Boss reference 2.8).  Which key
 * holds the code is not documented.  A refusal that we cannot read is no proof
 * that the tokens are dead.
 */
static CrmAction
token_refused(CrmSession *session, const HttpReply *reply)
{
	static const TokenError gone = {"", CRM_ERROR_CREDENTIAL, "oauth_account_gone"};
	JsonbContainer *root = fub_reply_object(reply);
	char	   *name = NULL;

	if (root != NULL)
	{
		name = json_get_text(root, "error");
		if (name == NULL)
			name = json_get_text(root, "errorMessage");
		if (name == NULL)
			name = json_get_text(root, "code");
	}
	for (char *c = name; c != NULL && *c != '\0'; c++)
	{
		if (*c == '-')
			*c = '_';
	}

	for (int i = 0; name != NULL && i < lengthof(token_errors); i++)
	{
		const TokenError *error = &token_errors[i];

		if (pg_strcasecmp(name, error->name) != 0)
			continue;
		if (error->error_class == CRM_ERROR_CREDENTIAL && reply->status == 404)
			error = &gone;
		return crm_fail(session, error->error_class, error->code,
						token_message(error, session->task));
	}
	return crm_fail(session, CRM_ERROR_CONNECTION, "oauth_refused",
					"Follow Up Boss refused the token request without a reason that we know.");
}

/*
 * Keep the old refresh token if none comes back; whether they rotate is not
 * documented (Follow Up Boss reference 2.7).
 */
static bool
read_tokens(CrmSession *session, const HttpReply *reply)
{
	JsonbContainer *root = fub_reply_object(reply);
	JsonbContainer *data = root ? json_get_object(root, "data") : NULL;
	CrmCredential *tokens = &session->tokens;
	int64		life;

	if (data != NULL)
		root = data;			/* the legacy wrapper, 2.6 */
	if (root == NULL)
		return false;

	/* one with a line break or the like could not be sent, and would not last */
	tokens->secret = json_get_text(root, "access_token");
	if (credential_check_api_key(tokens->secret, FUB_ACCESS_TOKEN_MAX) != NULL)
		return false;
	tokens->kind = CRM_CREDENTIAL_OAUTH;
	tokens->refresh_token = json_get_text(root, "refresh_token");
	if ((tokens->refresh_token == NULL || tokens->refresh_token[0] == '\0') &&
		session->task == CRM_TASK_REFRESH)
		tokens->refresh_token = pstrdup(session->spent_token);

	if (!json_get_int64(root, "expires_in", &life) &&
		!json_get_int64(root, "ttl", &life))
		life = FUB_TOKEN_LIFE;
	if (life <= 0 || life > FUB_TOKEN_LIFE_MAX)
		life = FUB_TOKEN_LIFE;
	tokens->expires_at = session->now + life * USECS_PER_SEC;
	return true;
}

/* ------------------------------------------------------------------------
 * Identity
 * ------------------------------------------------------------------------ */

/* GET /identity.  Never /me: its reply carries the user's own API key (4.10). */
static CrmAction
send_identity_request(CrmSession *session)
{
	fub_send(session, FUB_STEP_IDENTITY, FUB_LIMIT_GLOBAL, "GET", "/identity", NULL);

	/* after an exchange: with the token that the connection does not hold yet */
	if (session->task == CRM_TASK_EXCHANGE)
	{
		session->request.anonymous = true;
		session->request.extra_headers =
			lappend(common_headers(session->connection, NIL),
					psprintf("Authorization: Bearer %s", session->tokens.secret));
	}
	return CRM_ACTION_SEND;
}

/* Account and user of an /identity reply, for the session.  false: neither. */
static bool
read_identity(CrmSession *session, const HttpReply *reply)
{
	JsonbContainer *root = fub_reply_object(reply);
	JsonbContainer *account = root ? json_get_object(root, "account") : NULL;
	JsonbContainer *user = root ? json_get_object(root, "user") : NULL;
	char	   *name = user ? json_get_text(user, "name") : NULL;
	char	   *domain = account ? json_get_text(account, "domain") : NULL;
	int64		account_id;
	int64		user_id;

	if (account == NULL || !json_get_int64(account, "id", &account_id))
		return false;
	if (user != NULL && json_get_int64(user, "id", &user_id))
		session->account_id = psprintf(INT64_FORMAT "/" INT64_FORMAT, account_id, user_id);
	else
		session->account_id = psprintf(INT64_FORMAT, account_id);

	if (domain == NULL)
		domain = json_get_text(account, "name");
	if (domain == NULL)
		domain = psprintf(INT64_FORMAT, account_id);
	session->account_label = crm_label(name ? psprintf("%s (%s)", name, domain) : domain);
	return true;
}

CrmAction
fub_identity_reply(CrmSession *session, const HttpReply *reply)
{
	bool		refused = fub_reply_is(reply, 401) || fub_reply_is(reply, 403);

	if (fub_reply_ok(reply) && read_identity(session, reply))
		return crm_success(session, CRM_WRITE_NONE);

	/*
	 * The code is spent and the tokens are good: a hiccup of /identity must not
	 * cost the user another consent.  The account stays unknown for now.
	 */
	if (session->task == CRM_TASK_EXCHANGE && !refused)
		return crm_success(session, CRM_WRITE_NONE);

	return fub_reply_failed(session, reply) ? CRM_ACTION_DONE : reply_unreadable(session);
}

CrmAction
fub_token_reply(CrmSession *session, const HttpReply *reply)
{
	/* not Follow Up Boss as a whole, but this service */
	if (fub_reply_is(reply, 500))
		return crm_fail(session, CRM_ERROR_CONNECTION, "oauth_server_error",
						"The token service of Follow Up Boss is out of order.");
	if (crm_transport_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_reply_ok(reply))
		return token_refused(session, reply);
	if (!read_tokens(session, reply))
		return crm_fail(session, CRM_ERROR_CONNECTION, "unreadable_reply",
						"The token service of Follow Up Boss answered with something that could not be read.");

	if (session->task == CRM_TASK_EXCHANGE)
		return send_identity_request(session);
	return crm_success(session, CRM_WRITE_NONE);
}

/* The first request of every task but CRM_TASK_SYNC. */
CrmAction
fub_account_begin(CrmSession *session)
{
	if (session->task == CRM_TASK_TEST)
		return send_identity_request(session);
	return send_token_request(session);
}

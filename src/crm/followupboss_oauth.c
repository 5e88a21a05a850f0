/*
 * followupboss_oauth.c
 *		Follow Up Boss: the account behind a connection.
 *
 * How to sign in to it (API key or OAuth, and the identity of this system),
 * whose it is (GET /identity), which custom fields it has, and how replies
 * are told apart that mean the same whatever was asked.
 *
 * Not here: leads (followupboss.c), and when a token is refreshed or how
 * refreshes are serialised (worker).  Tokens go out through session->tokens
 * and nowhere else; no text of the CRM is copied into an outcome.
 */
#include "postgres.h"

#include "common/base64.h"
#include "utils/memutils.h"

#include "crm/followupboss.h"

#define FUB_TOKEN_LIFE 3600		/* seconds; Follow Up Boss reference 2.7 */
#define FUB_TOKEN_LIFE_MAX (30 * 86400)
#define FUB_API_KEY_MAX 512
#define FUB_RETRY_AFTER_MS 10000	/* Follow Up Boss reference 3 */
#define FUB_FIELD_PAGES_MAX 20	/* a server whose "next" never ends */
#define FUB_CUSTOM_TEXT_MAX 255

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

/* What the token endpoint's error codes mean (Follow Up Boss reference 2.8). */
typedef struct FubTokenError
{
	const char *name;			/* the CRM's word, '-' read as '_' */
	CrmErrorClass error_class;
	const char *code;			/* ours */
} FubTokenError;

static const FubTokenError fub_token_errors[] = {
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
 * Replies
 * ------------------------------------------------------------------------
 */

bool
fub_success_status(const HttpReply *reply)
{
	return reply->result == HTTP_RESULT_RESPONSE &&
		reply->status >= 200 && reply->status < 300;
}

/* The JSON object that a reply is; NULL when it is anything else. */
JsonbContainer *
fub_read_object(const HttpReply *reply)
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
fub_read_list(JsonbContainer *root, const char *usual)
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

/* A 2xx that is not what the API answers: a proxy's page, a cut-off body. */
CrmAction
fub_unreadable(CrmSession *session)
{
	return crm_fail(session,
					session->request.creates ? CRM_ERROR_UNCERTAIN : CRM_ERROR_LEAD_RETRY,
					"unreadable_reply",
					"Follow Up Boss answered with something that could not be read.");
}

/*
 * Must the session end here?  Classifies by status alone: the text of an error
 * is not a contract, and may hold personal data (Follow Up Boss reference 6).
 */
bool
fub_failed(CrmSession *session, const HttpReply *reply)
{
	if (crm_transport_failed(session, reply))
		return true;
	if (fub_success_status(reply))
		return false;

	if (reply->status == 401)
		crm_fail(session, CRM_ERROR_CREDENTIAL, "http_401",
				 "Follow Up Boss does not accept the credential.");
	else if (reply->status == 403 && fub_read_object(reply) == NULL)
		crm_fail(session, CRM_ERROR_CONNECTION, "waf",
				 "A firewall in front of Follow Up Boss refused the request.");
	else if (reply->status == 403)
		crm_fail(session, CRM_ERROR_CONNECTION, "fub_locked_or_forbidden",
				 "The Follow Up Boss account is locked or expired, or its user lacks the permission.");
	else
		crm_fail(session, CRM_ERROR_LEAD_FINAL,
				 psprintf("http_%d", reply->status),
				 reply->status == 404 ?
				 "Follow Up Boss does not know the record or the request." :
				 "Follow Up Boss did not accept the data of this lead.");
	return true;
}

/* ------------------------------------------------------------------------
 * Headers and limits
 * ------------------------------------------------------------------------
 */

/* "Authorization: Basic base64(user:password)" */
static char *
fub_basic_header(const char *user, const char *password)
{
	char	   *plain = psprintf("%s:%s", user, password);
	int			plain_len = strlen(plain);
	int			size = pg_b64_enc_len(plain_len);
	char	   *encoded = palloc0(size + 1);
	char	   *header;

	if (pg_b64_encode(plain, plain_len, encoded, size) < 0)
		encoded[0] = '\0';		/* cannot happen: size is the exact need */
	header = psprintf("Authorization: Basic %s", encoded);

	explicit_bzero(plain, plain_len);
	explicit_bzero(encoded, size);
	pfree(plain);
	pfree(encoded);
	return header;
}

/*
 * An empty X-System-Key is worse than none: both headers or neither (Follow
 * Up Boss reference 1).
 */
static List *
fub_common_headers(const CrmConnection *connection, List *headers)
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

	headers = fub_common_headers(connection, headers);
	if (credential->secret == NULL)
		return headers;
	if (credential->kind == CRM_CREDENTIAL_OAUTH)
		return lappend(headers, psprintf("Authorization: Bearer %s", credential->secret));
	return lappend(headers, fub_basic_header(credential->secret, ""));
}

const char *
fub_check_api_key(const char *key)
{
	if (key == NULL || key[0] == '\0')
		return "The API key is empty.";
	if (strlen(key) > FUB_API_KEY_MAX)
		return "The API key is too long.";
	for (const unsigned char *c = (const unsigned char *) key; *c != '\0'; c++)
	{
		if (*c <= ' ' || *c >= 0x7F)
			return "The API key contains a space or another character that no key has.";
	}
	return NULL;
}

/* A header of digits only; -1 when it is absent or anything else. */
static int
fub_header_int(const HttpReply *reply, const char *name)
{
	const char *value = http_reply_header(reply, name);
	int			result = 0;

	if (value == NULL || value[0] == '\0' || strlen(value) > 9)
		return -1;
	for (; *value != '\0'; value++)
	{
		if (*value < '0' || *value > '9')
			return -1;
		result = result * 10 + (*value - '0');
	}
	return result;
}

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
	const char *retry_after = http_reply_header(reply, "retry-after");
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
		hint->limit = fub_header_int(reply, "x-ratelimit-limit");
		hint->remaining = fub_header_int(reply, "x-ratelimit-remaining");
	}

	/* whole seconds here; a date would be capped, since no clock is at hand */
	hint->reset_ms = retry_after ? crm_retry_after_ms(retry_after, 0) : -1;
	if (hint->reset_ms < 0 && reply->status == 429)
		hint->reset_ms = FUB_RETRY_AFTER_MS;
}

/* ------------------------------------------------------------------------
 * OAuth
 * ------------------------------------------------------------------------
 */

static void
fub_add_parameter(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "%s%s=", out->len > 0 ? "&" : "", name);
	url_encode(out, value);
}

/*
 * The consent page.  response_type is "auth_code", not OAuth's "code"; there
 * are no scopes and no PKCE (Follow Up Boss reference 2.2).  NULL when the
 * client id or the redirect URL is not set.
 */
char *
fub_authorize_url(const CrmConnection *connection, const char *oauth_state)
{
	StringInfoData query;

	if (connection->identity.client_id == NULL ||
		connection->identity.redirect_url == NULL)
		return NULL;

	initStringInfo(&query);
	fub_add_parameter(&query, "response_type", "auth_code");
	fub_add_parameter(&query, "client_id", connection->identity.client_id);
	fub_add_parameter(&query, "redirect_uri", connection->identity.redirect_url);
	fub_add_parameter(&query, "state", oauth_state);
	fub_add_parameter(&query, "prompt", "login");
	return psprintf("%s/oauth/authorize?%s", connection->app_url, query.data);
}

/* POST <app>/oauth/token: on the app host, the client in Basic (2.4). */
static CrmAction
fub_token_request(CrmSession *session)
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
		fub_add_parameter(&form, "grant_type", "authorization_code");
		fub_add_parameter(&form, "code", session->oauth_code ? session->oauth_code : "");
		fub_add_parameter(&form, "redirect_uri", identity->redirect_url);
		/* the state again: the exchange is refused without it */
		fub_add_parameter(&form, "state", session->oauth_state ? session->oauth_state : "");
	}
	else
	{
		if (connection->credential.refresh_token == NULL)
			return crm_fail(session, CRM_ERROR_CREDENTIAL, "oauth_no_refresh_token",
							"There is no refresh token; connect Follow Up Boss again.");
		fub_add_parameter(&form, "grant_type", "refresh_token");
		fub_add_parameter(&form, "refresh_token", connection->credential.refresh_token);
	}

	crm_request_start(session, "POST", connection->app_url, "/oauth/token");
	session->request.body = form;
	session->request.content_type = "application/x-www-form-urlencoded";
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->request.anonymous = true;
	session->request.extra_headers =
		list_make2(pstrdup("Accept: application/json"),
				   fub_basic_header(identity->client_id, identity->client_secret));
	session->step = FUB_STEP_TOKEN;
	return CRM_ACTION_SEND;
}

static const char *
fub_token_message(const FubTokenError *error, CrmTask task)
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
fub_token_refused(CrmSession *session, const HttpReply *reply)
{
	static const FubTokenError gone = {"", CRM_ERROR_CREDENTIAL, "oauth_account_gone"};
	JsonbContainer *root = fub_read_object(reply);
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

	for (int i = 0; name != NULL && i < lengthof(fub_token_errors); i++)
	{
		const FubTokenError *error = &fub_token_errors[i];

		if (pg_strcasecmp(name, error->name) != 0)
			continue;
		if (error->error_class == CRM_ERROR_CREDENTIAL && reply->status == 404)
			error = &gone;
		return crm_fail(session, error->error_class, error->code,
						fub_token_message(error, session->task));
	}
	return crm_fail(session, CRM_ERROR_CONNECTION, "oauth_refused",
					"Follow Up Boss refused the token request without a reason that we know.");
}

/*
 * Keep the old refresh token if none comes back; whether they rotate is not
 * documented (Follow Up Boss reference 2.7).
 */
static bool
fub_read_tokens(CrmSession *session, const HttpReply *reply)
{
	JsonbContainer *root = fub_read_object(reply);
	JsonbContainer *data = root ? json_get_object(root, "data") : NULL;
	const char *old_refresh = session->connection->credential.refresh_token;
	CrmCredential *tokens = &session->tokens;
	int64		life;

	if (data != NULL)
		root = data;			/* the legacy wrapper, 2.6 */
	if (root == NULL)
		return false;

	tokens->secret = json_get_text(root, "access_token");
	if (tokens->secret == NULL || tokens->secret[0] == '\0')
		return false;
	tokens->kind = CRM_CREDENTIAL_OAUTH;
	tokens->refresh_token = json_get_text(root, "refresh_token");
	if ((tokens->refresh_token == NULL || tokens->refresh_token[0] == '\0') &&
		session->task == CRM_TASK_REFRESH)
		tokens->refresh_token = pstrdup(old_refresh);

	if (!json_get_int64(root, "expires_in", &life) &&
		!json_get_int64(root, "ttl", &life))
		life = FUB_TOKEN_LIFE;
	if (life <= 0 || life > FUB_TOKEN_LIFE_MAX)
		life = FUB_TOKEN_LIFE;
	tokens->expires_at = session->now + life * USECS_PER_SEC;
	return true;
}

/* GET /identity.  Never /me: its reply carries the user's own API key (4.10). */
static CrmAction
fub_identity_request(CrmSession *session)
{
	crm_request_start(session, "GET", session->connection->api_url, "/identity");
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->step = FUB_STEP_IDENTITY;

	/* after an exchange: with the token that the connection does not hold yet */
	if (session->task == CRM_TASK_EXCHANGE)
	{
		session->request.anonymous = true;
		session->request.extra_headers =
			lappend(fub_common_headers(session->connection, NIL),
					psprintf("Authorization: Bearer %s", session->tokens.secret));
	}
	return CRM_ACTION_SEND;
}

CrmAction
fub_token_reply(CrmSession *session, const HttpReply *reply)
{
	/* a 500 is no lead's fault here, as crm_transport_failed would have it */
	if (reply->result == HTTP_RESULT_RESPONSE && reply->status == 500)
		return crm_fail(session, CRM_ERROR_CONNECTION, "oauth_server_error",
						"The token service of Follow Up Boss is out of order.");
	if (crm_transport_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_success_status(reply))
		return fub_token_refused(session, reply);
	if (!fub_read_tokens(session, reply))
		return crm_fail(session, CRM_ERROR_CONNECTION, "unreadable_reply",
						"The token service of Follow Up Boss answered with something that could not be read.");

	if (session->task == CRM_TASK_EXCHANGE)
		return fub_identity_request(session);
	return crm_success(session, CRM_WRITE_NONE);
}

/* Account and user of an /identity reply, for the session.  false: neither. */
static bool
fub_read_identity(CrmSession *session, const HttpReply *reply)
{
	JsonbContainer *root = fub_read_object(reply);
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
	session->account_label = text_clip(name ? psprintf("%s (%s)", name, domain) : domain, 255);
	return true;
}

CrmAction
fub_identity_reply(CrmSession *session, const HttpReply *reply)
{
	bool		refused = reply->result == HTTP_RESULT_RESPONSE &&
		(reply->status == 401 || reply->status == 403);

	if (fub_success_status(reply) && fub_read_identity(session, reply))
		return crm_success(session, CRM_WRITE_NONE);

	/*
	 * The code is spent and the tokens are good: a hiccup of /identity must not
	 * cost the user another consent.  The account stays unknown for now.
	 */
	if (session->task == CRM_TASK_EXCHANGE && !refused)
		return crm_success(session, CRM_WRITE_NONE);

	if (refused || !fub_success_status(reply))
	{
		if (fub_failed(session, reply) &&
			session->outcome.error_class == CRM_ERROR_LEAD_FINAL)
			return crm_fail(session, CRM_ERROR_CONNECTION,
							psprintf("http_%d", reply->status),
							"Follow Up Boss did not say whose credential this is.");
		return CRM_ACTION_DONE;
	}
	return crm_fail(session, CRM_ERROR_CONNECTION, "unreadable_reply",
					"Follow Up Boss answered with something that could not be read.");
}

/* The first request of every task but CRM_TASK_SYNC. */
CrmAction
fub_account_begin(CrmSession *session)
{
	if (session->task == CRM_TASK_TEST)
		return fub_identity_request(session);
	return fub_token_request(session);
}

/* ------------------------------------------------------------------------
 * Custom fields
 * ------------------------------------------------------------------------
 */

/* One page.  Never nextLink: it may point at another host (reference 4.1). */
CrmAction
fub_fields_request(CrmSession *session, const char *next)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/customFields?limit=100");
	if (next != NULL)
	{
		appendStringInfoString(&path, "&next=");
		url_encode(&path, next);
	}
	crm_request_start(session, "GET", session->connection->api_url, path.data);
	session->request.limit_context = FUB_LIMIT_GLOBAL;
	session->step = FUB_STEP_CUSTOM_FIELDS;
	return CRM_ACTION_SEND;
}

/* The choices of a dropdown, as spelt in the CRM. */
static List *
fub_read_choices(JsonbContainer *row)
{
	JsonbContainer *choices = json_get_array(row, "choices");
	List	   *result = NIL;

	for (int i = 0; choices != NULL && i < json_array_length(choices); i++)
	{
		char	   *choice = json_value_text(json_array_element(choices, i));

		if (choice != NULL)
			result = lappend(result, choice);
	}
	return result;
}

/* Keep the rows whose label a setting names; what is read-only cannot be set. */
static void
fub_collect_fields(CrmSession *session, JsonbContainer *rows)
{
	FubState   *state = session->state;
	ListCell   *lc;

	for (int i = 0; i < json_array_length(rows); i++)
	{
		JsonbContainer *row = json_value_object(json_array_element(rows, i));
		char	   *label = row ? json_get_text(row, "label") : NULL;
		char	   *name = row ? json_get_text(row, "name") : NULL;

		if (label == NULL || name == NULL || json_get_bool(row, "readOnly"))
			continue;
		foreach(lc, session->connection->settings->custom_fields)
		{
			CustomFieldSetting *setting = lfirst(lc);
			CrmCustomField *field;

			if (pg_strcasecmp(setting->label, label) != 0)
				continue;
			field = palloc0(sizeof(CrmCustomField));
			field->field = setting->field;
			field->name = name;
			field->type = json_get_text(row, "type");
			field->choices = fub_read_choices(row);
			state->fields = lappend(state->fields, field);
		}
	}
}

/*
 * Replace what the connection knows.  Gathered in the session first, because
 * several sessions of a connection may be asking at once.
 */
static void
fub_publish_fields(CrmSession *session)
{
	FubState   *state = session->state;
	CrmConnection *connection = session->connection;
	MemoryContext old_context;
	ListCell   *lc;

	foreach(lc, connection->custom_fields)
	{
		CrmCustomField *field = lfirst(lc);

		list_free_deep(field->choices);
		pfree(field->name);
		if (field->type != NULL)
			pfree(field->type);
	}
	list_free_deep(connection->custom_fields);
	connection->custom_fields = NIL;

	old_context = MemoryContextSwitchTo(connection->context);
	foreach(lc, state->fields)
	{
		CrmCustomField *field = lfirst(lc);
		CrmCustomField *copy = palloc0(sizeof(CrmCustomField));
		ListCell   *choice;

		copy->field = field->field;
		copy->name = pstrdup(field->name);
		copy->type = field->type ? pstrdup(field->type) : NULL;
		foreach(choice, field->choices)
			copy->choices = lappend(copy->choices, pstrdup(lfirst(choice)));
		connection->custom_fields = lappend(connection->custom_fields, copy);
	}
	MemoryContextSwitchTo(old_context);
	connection->custom_fields_known = true;
}

/*
 * Returns true when the session can go on with its lead, else *action.  A user
 * who may not see the definitions still gets the lead, without them.
 */
bool
fub_fields_reply(CrmSession *session, const HttpReply *reply, CrmAction *action)
{
	FubState   *state = session->state;
	JsonbContainer *root = fub_read_object(reply);
	JsonbContainer *rows = fub_read_list(root, "customfields");
	JsonbContainer *metadata;
	char	   *next;

	*action = CRM_ACTION_DONE;
	if (!fub_success_status(reply) && fub_failed(session, reply))
	{
		if (session->outcome.error_class != CRM_ERROR_LEAD_FINAL &&
			!(reply->status == 403 && root != NULL))
			return false;
		memset(&session->outcome, 0, sizeof(session->outcome));
		state->fields_fetched = true;
		return true;
	}
	if (rows == NULL)
	{
		*action = fub_unreadable(session);
		return false;
	}

	fub_collect_fields(session, rows);
	metadata = json_get_object(root, "_metadata");
	next = metadata ? json_get_text(metadata, "next") : NULL;
	if (next != NULL && next[0] != '\0' && json_array_length(rows) > 0 &&
		++state->field_pages < FUB_FIELD_PAGES_MAX)
	{
		*action = fub_fields_request(session, next);
		return false;
	}
	state->fields_fetched = true;
	fub_publish_fields(session);
	return true;
}

/* The lead's value for a custom field as people would write it; NULL: none. */
static const char *
fub_lead_text(const CrmLead *lead, LeadField field)
{
	StringInfoData joined;
	ListCell   *lc;

	switch (field)
	{
		case LEAD_FIELD_ID:
			return lead->id;
		case LEAD_FIELD_USER_ID:
			return lead->user_id;
		case LEAD_FIELD_PHONE:
			return lead->phone;
		case LEAD_FIELD_FIRST_NAME:
			return lead->first_name;
		case LEAD_FIELD_LAST_NAME:
			return lead->last_name;
		case LEAD_FIELD_EMAIL:
			return lead->email;
		case LEAD_FIELD_ADDRESS:
			return lead->address;
		case LEAD_FIELD_CITY:
			return lead->city;
		case LEAD_FIELD_STATE:
			return lead->state;
		case LEAD_FIELD_ZIP_CODE:
			return lead->zip_code;
		case LEAD_FIELD_RISK_SCORE:
			return lead->risk_score_text;
		case LEAD_FIELD_DO_NOT_CONTACT:
			return lead->do_not_contact ? "Yes" : "No";
		case LEAD_FIELD_NOTES:
			return lead->notes;
		case LEAD_FIELD_SOURCE:
			return lead->source;
		case LEAD_FIELD_DELETED_AT:
			return NULL;		/* a deleted lead is not sent */
		case LEAD_FIELD_TAGS:
			break;
	}

	if (field != LEAD_FIELD_TAGS || lead->tags == NIL)
		return NULL;
	initStringInfo(&joined);
	foreach(lc, lead->tags)
		appendStringInfo(&joined, "%s%s", joined.len > 0 ? ", " : "", (char *) lfirst(lc));
	return joined.data;
}

/* A plain JSON number?  "02134" is not one, and is no number to people either. */
static bool
fub_is_number(const char *text)
{
	const char *c = text;

	if (*c == '-')
		c++;
	if (*c == '0' && c[1] >= '0' && c[1] <= '9')
		return false;
	if (*c < '0' || *c > '9')
		return false;
	while (*c >= '0' && *c <= '9')
		c++;
	if (*c == '.')
	{
		c++;
		if (*c < '0' || *c > '9')
			return false;
		while (*c >= '0' && *c <= '9')
			c++;
	}
	return *c == '\0';
}

/* Does text begin with YYYY-MM-DD? */
static bool
fub_is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	for (int i = 0; form[i] != '\0'; i++)
	{
		if (form[i] == 'd' ? (text[i] < '0' || text[i] > '9') : text[i] != form[i])
			return false;
	}
	return true;
}

static char *
fub_quoted(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	json_string(&out, text);
	return out.data;
}

/*
 * The JSON value of a custom field: number, text, date as YYYY-MM-DD, dropdown
 * as one of its choices (Follow Up Boss reference 4.9).  NULL when the lead has
 * no value that this type can hold: sent anyhow, it might cost the lead a 400.
 */
char *
fub_field_literal(const CrmCustomField *field, const CrmLead *lead)
{
	const char *text = fub_lead_text(lead, (LeadField) field->field);
	ListCell   *lc;

	if (text == NULL || field->type == NULL)
		return NULL;
	if (strcmp(field->type, "text") == 0)
		return fub_quoted(text_clip(text, FUB_CUSTOM_TEXT_MAX));
	if (strcmp(field->type, "number") == 0)
		return field->field == LEAD_FIELD_RISK_SCORE || fub_is_number(text) ?
			pstrdup(text) : NULL;
	if (strcmp(field->type, "date") == 0)
		return fub_is_date(text) ? fub_quoted(pnstrdup(text, 10)) : NULL;
	if (strcmp(field->type, "dropdown") == 0)
	{
		foreach(lc, field->choices)
		{
			if (pg_strcasecmp(lfirst(lc), text) == 0)
				return fub_quoted(lfirst(lc));
		}
	}
	return NULL;
}

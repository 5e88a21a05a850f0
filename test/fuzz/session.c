/*
 * session.c
 *		Fuzz targets: a session with a CRM that answers anything.
 *
 * The first line of an input is words that say what the session is about
 * (has_word), the rest the replies, one after the other (reply.c).  The
 * provider is driven as the worker drives it, but that nothing is stored: a
 * reply is gone when it was read, a session when it ended.  If there are
 * replies left, the connection has another session of the same kind; with the
 * word "again" of the same lead, which knows what the worker would have stored.
 *
 * Whatever the CRM says: no error is raised, the session ends, each request is
 * one that the HTTP engine sends, to the CRM's address; a record is created
 * once at most, and never for somebody who must not be contacted; what is
 * stored and shown afterwards is an id, a code and a sentence of our own.  A
 * link is dropped for a new record only, and the same record stays known as it
 * was; a page is no 404 of the API.  No event is posted twice, and no note, nor
 * one that may be there already before they were looked through.  After a
 * failover a record is of our making only if it says so itself.  A record that
 * is said to carry the lead's e-mail address was seen with it, or given it.
 */
#include "fuzz.h"

#include "utils/memutils.h"

#include "crm/crm.h"
#include "crm/json.h"
#include "crm/record.h"
#include "crm/retry_after.h"

#define API_URL "https://api.test/v1"
#define APP_URL "https://app.test"
#define MAX_REQUESTS 40			/* of one session; the pages of custom fields are 20 */
#define MAX_SESSIONS 3
#define NOW INT64CONST(800000000000000)

static const char full_lead[] =
"{\"id\": \"7\", \"user_id\": \"u1\", \"phone\": \"(801) 555-0101\", \"first_name\": \"Dana\","
" \"last_name\": \"Scott\", \"email\": \"dana@example.test\", \"address\": \"1 Main St\", \"city\": \"Provo\","
" \"state\": \"UT\", \"zip_code\": \"84601\", \"risk_score\": 12.5, \"tags\": [\"Hot\", \"Web\"],"
" \"notes\": \"Called on Monday\", \"source\": \"Site\"}";
static const char phone_lead[] = "{\"id\": \"8\", \"user_id\": \"u1\", \"phone\": \"+44 20 7946 0958\"}";
static const char email_lead[] = "{\"id\": \"9\", \"user_id\": \"u1\", \"email\": \"dana@example.test\"}";
static const char stop_lead[] =
"{\"id\": \"7\", \"user_id\": \"u1\", \"phone\": \"8015550101\", \"email\": \"dana@example.test\","
" \"do_not_contact\": true}";
static const char usual_settings[] = "{}";
static const char more_settings[] =
"{\"delivery\": \"events\", \"assigned_user_id\": 5, \"custom_fields\": {\"risk_score\": \"Score\", \"tags\": \"Kind\","
" \"do_not_contact\": \"Stop\", \"source\": \"From\", \"id\": \"Id\", \"user_id\": \"User\", \"phone\": \"Phone\","
" \"first_name\": \"First\", \"last_name\": \"Last\", \"email\": \"Mail\", \"address\": \"Street\", \"city\": \"City\","
" \"state\": \"State\", \"zip_code\": \"Zip\", \"notes\": \"Note\", \"deleted_at\": \"Gone\"}}";

/* What has been seen of a session so far. */
typedef struct Watch
{
	CrmLink		begun;			/* the link that it began with */
	int			n_requests;
	int			n_replies;
	int			n_created;		/* creates of a record that were answered by 2xx */
	bool		linked;			/* there is, or was, a link */
	bool		dropped;		/* it went, for a create */
	bool		notes_listed;
	bool		events_listed;
} Watch;

/* What outlives a session, of a lead that has several. */
typedef struct Kept
{
	CrmLink		link;
	char		record_id[24];
	bool		uncertain;
	bool		announced;		/* the record has its event */
	bool		noted;			/* ... and its note */
	bool		saw_email;		/* the lead's, in a reply or in a write */
	bool		saw_origin;		/* our source and our tags, in one reply */
} Kept;

static bool
has_word(const char *words, const char *word)
{
	return strstr(words, word) != NULL;
}

static CrmConnection *
make_connection(const CrmProvider *provider, const char *words)
{
	CrmConnection *connection = palloc0(sizeof(CrmConnection));
	const char *settings = has_word(words, "settings") ? more_settings : usual_settings;

	connection->provider = provider;
	connection->context = CurrentMemoryContext;
	strcpy(connection->integration_id, "00000000-0000-4000-8000-000000000001");
	connection->api_url = API_URL;
	connection->app_url = APP_URL;
	connection->identity.client_id = "C1";
	connection->identity.client_secret = "S1";
	connection->identity.redirect_url = "https://cb.test/";
	if (has_word(words, "system"))
	{
		connection->identity.system_name = "EchoSafe";
		connection->identity.system_key = "sk";
	}
	connection->credential.kind = has_word(words, "oauth") ? CRM_CREDENTIAL_OAUTH : CRM_CREDENTIAL_API_KEY;
	connection->credential.secret = "key";
	connection->credential.refresh_token = "refresh";
	connection->settings = integration_settings_parse(json_parse(settings, strlen(settings)));
	return connection;
}

static CrmTask
task_of(const char *words)
{
	if (has_word(words, "test"))
		return CRM_TASK_TEST;
	if (has_word(words, "exchange"))
		return CRM_TASK_EXCHANGE;
	if (has_word(words, "refresh"))
		return CRM_TASK_REFRESH;
	return CRM_TASK_SYNC;
}

static CrmLead *
lead_of(const char *words)
{
	const char *json = full_lead;

	if (has_word(words, "phone"))
		json = phone_lead;
	else if (has_word(words, "email"))
		json = email_lead;
	else if (has_word(words, "stop"))
		json = stop_lead;
	return lead_from_jsonb(json_parse(json, strlen(json)));
}

static void
make_link(CrmSession *session, const char *words)
{
	CrmLink    *link = &session->link;

	link->record_id = "4001";
	link->created_at = has_word(words, "young") ? NOW - USECS_PER_SEC : NOW - USECS_PER_DAY;
	link->match = CRM_MATCH_CREATED;
	if (has_word(words, "found"))
		link->match = CRM_MATCH_EMAIL;
	else if (has_word(words, "shared"))
		link->match = CRM_MATCH_SHARED_PHONE;

	/* of a lead whose fields were all others: every one has changed */
	link->has_digest = has_word(words, "written");
	memset(link->digest, link->has_digest ? 1 : 0, sizeof(link->digest));
	if (has_word(words, "announced"))
		link->announced_at = link->created_at;
}

static CrmSession *
make_session(CrmConnection *connection, const char *words, const Kept *kept)
{
	CrmSession *session = palloc0(sizeof(CrmSession));

	session->context = CurrentMemoryContext;
	session->task = task_of(words);
	session->connection = connection;
	session->lead = lead_of(words);
	session->requested_by_hand = has_word(words, "hand");
	session->uncertain = has_word(words, "uncertain") || kept->uncertain;
	session->repeated = has_word(words, "repeated");
	session->queued_at = NOW - USECS_PER_HOUR;
	session->resolve_only = has_word(words, "resolve");
	session->now = NOW;
	session->spent_token = "refresh";
	session->oauth_code = "a+b/c=";
	session->oauth_state = "state";
	if (kept->link.record_id != NULL)
	{
		session->link = kept->link;
		session->link.record_id = pstrdup(kept->record_id);
	}
	else if (has_word(words, "linked"))
		make_link(session, words);
	if (has_word(words, "local"))
	{
		session->local_match = "4002";
		session->local_match_kind = CRM_MATCH_PHONE;
	}
	return session;
}

/* ------------------------------------------------------------------------
 * Judgement
 * ------------------------------------------------------------------------ */

static bool
is_id(const char *text)
{
	size_t		len = strlen(text);

	return len > 0 && len <= 19 && strspn(text, "0123456789") == len && text[0] != '0';
}

/* A record; not a note of one that is there, nor an event. */
static bool
creates_record(const CrmSession *session)
{
	return session->request.creates && session->link.record_id == NULL;
}

static bool
is_event(const CrmSession *session)
{
	return strcmp(session->request.url, API_URL "/events") == 0;
}

static bool
is_note(const CrmSession *session)
{
	return has_word(session->request.url, "/note");
}

/* Is the text in this JSON, however it is written? */
static bool
shows(const char *text, const char *body, size_t len)
{
	Jsonb	   *json = text != NULL ? json_parse(body, len) : NULL;

	return json != NULL &&
		strcasestr(JsonbToCString(NULL, &json->root, VARSIZE(json)), text) != NULL;
}

/* What a record of our making has. */
static bool
shows_origin(const CrmSession *session, const HttpReply *reply)
{
	bool		shown = shows(record_source(session), reply->body, reply->body_len);
	ListCell   *lc;

	foreach(lc, session->connection->settings->tags)
		shown = shown && shows(lfirst(lc), reply->body, reply->body_len);
	return shown;
}

/* What is not to be done twice, and what is not to be forgotten. */
static void
judge_once(const CrmSession *session, Watch *watch, const Kept *kept)
{
	const bool	doubt = session->uncertain || session->repeated;
	const bool	linked = session->link.record_id != NULL;

	if (!linked && watch->linked && !watch->dropped)
	{
		PROMISE(session->request.creates);
		watch->dropped = true;
	}
	watch->linked = watch->linked || linked;
	if (is_event(session) && linked)
	{
		PROMISE(!kept->announced && session->link.announced_at == 0);
		PROMISE(!session->uncertain && (!session->repeated || watch->events_listed));
	}
	if (is_note(session) && session->request.creates)
	{
		PROMISE(!kept->noted);
		PROMISE(!doubt || watch->notes_listed || watch->n_created > 0);
	}
}

static void
judge_request(const CrmSession *session, Watch *watch)
{
	const CrmRequest *request = &session->request;
	List	   *lines = list_copy(request->extra_headers);
	const char *headers[20];
	HttpRequest http = {.method = request->method,.url = request->url,.headers = headers};
	ListCell   *lc;

	PROMISE(++watch->n_requests <= MAX_REQUESTS);
	PROMISE(strncmp(request->url, API_URL "/", strlen(API_URL "/")) == 0 ||
			strncmp(request->url, APP_URL "/", strlen(APP_URL "/")) == 0);
	for (const char *c = request->url; *c != '\0'; c++)
		PROMISE(*c > ' ' && *c < 0x7F);
	PROMISE(request->limit_context >= 0 &&
			request->limit_context < session->connection->provider->n_limits);

	if (!request->anonymous)
		lines = session->connection->provider->authorize(session->connection, lines);
	PROMISE(list_length(lines) < lengthof(headers));
	foreach(lc, lines)
		headers[http.n_headers++] = lfirst(lc);
	http.body = request->body.len > 0 ? request->body.data : NULL;
	http.body_len = request->body.len;
	PROMISE(fuzz_request_fault(&http) == NULL);
	if (request->body.len > 0 && !has_word(request->url, "/oauth/token"))
		PROMISE(json_parse(request->body.data, request->body.len) != NULL);

	if (creates_record(session))
	{
		PROMISE(watch->n_created == 0);
		PROMISE(!session->lead->do_not_contact && !session->resolve_only);
	}
	if (session->link.record_id != NULL)
		PROMISE(is_id(session->link.record_id));
}

/* Our own words, which hold nothing that the CRM said. */
static void
judge_words(const CrmOutcome *outcome)
{
	size_t		len = strlen(outcome->error_code);

	PROMISE(len > 0 && len <= 40);
	PROMISE(strspn(outcome->error_code, "abcdefghijklmnopqrstuvwxyz0123456789_") == len);
	PROMISE(outcome->error_message != NULL && outcome->error_message[0] != '\0');
	for (const char *c = outcome->error_message; *c != '\0'; c++)
		PROMISE(*c >= ' ' && *c < 0x7F && *c != '"' && *c != '{' && *c != '@');
}

/* With a token that is kept the next request can be sent. */
static void
judge_token(const CrmSession *session, char *token)
{
	CrmConnection connection = *session->connection;
	HttpRequest http = {.method = "GET",.url = API_URL "/identity"};
	const char *headers[20];
	ListCell   *lc;

	connection.credential.kind = CRM_CREDENTIAL_OAUTH;
	connection.credential.secret = token;
	http.headers = headers;
	foreach(lc, connection.provider->authorize(&connection, NIL))
		headers[http.n_headers++] = lfirst(lc);
	PROMISE(fuzz_request_fault(&http) == NULL);
}

/* The link at the end, against that at the beginning. */
static void
judge_link(const CrmSession *session, const Watch *watch, const Kept *kept)
{
	const CrmLink *link = &session->link;
	const CrmLink *begun = &watch->begun;

	PROMISE(!session->searched || watch->n_replies > 0);
	if (link->record_id == NULL)
	{
		PROMISE(!watch->linked || watch->dropped || session->resolve_only);
		return;
	}
	PROMISE(is_id(link->record_id));
	if (session->repeated && !session->uncertain && watch->n_created == 0 &&
		begun->match != CRM_MATCH_CREATED && link->match == CRM_MATCH_CREATED)
		PROMISE(kept->saw_origin);
	if (record_carries(session, LEAD_FIELD_EMAIL) &&
		(link->has_digest || begun->record_id == NULL))
		PROMISE(kept->saw_email && link->match != CRM_MATCH_SHARED_PHONE);
	if (begun->record_id == NULL || strcmp(begun->record_id, link->record_id) != 0)
		return;
	PROMISE(link->created_at == begun->created_at);
	PROMISE(link->match <= begun->match);
	PROMISE(link->has_digest || !begun->has_digest || link->match != begun->match);
	PROMISE(link->announced_at != 0 || begun->announced_at == 0);
}

static void
judge_outcome(const CrmSession *session)
{
	const CrmOutcome *outcome = &session->outcome;

	PROMISE(outcome->status != CRM_STATUS_NONE);
	PROMISE((outcome->status == CRM_STATUS_FAILED) == (outcome->error_class != CRM_ERROR_NONE));
	PROMISE((outcome->status == CRM_STATUS_SKIPPED) == (outcome->reason != REFUSAL_NONE));
	PROMISE(outcome->retry_after_ms >= 0 && outcome->retry_after_ms <= RETRY_AFTER_MAX_MS);
	if (outcome->status == CRM_STATUS_FAILED)
		judge_words(outcome);
	if (outcome->status != CRM_STATUS_SUCCESS)
		return;
	if (outcome->write == CRM_WRITE_CREATED)
		PROMISE(session->link.record_id != NULL && session->link.has_digest);
	if (session->task == CRM_TASK_EXCHANGE || session->task == CRM_TASK_REFRESH)
	{
		PROMISE(session->tokens.kind == CRM_CREDENTIAL_OAUTH);
		PROMISE(session->tokens.secret != NULL && session->tokens.secret[0] != '\0');
		judge_token(session, session->tokens.secret);
		PROMISE(session->tokens.expires_at > session->now &&
				session->tokens.expires_at <= session->now + 30 * USECS_PER_DAY);
	}
}

/* ------------------------------------------------------------------------
 * The session
 * ------------------------------------------------------------------------ */

/* What a reply, of which the session has made something, has proved. */
static void
note_reply(const CrmSession *session, const CrmRequest *request, const HttpReply *reply,
		   Watch *watch, Kept *kept)
{
	const CrmOutcome *outcome = &session->outcome;
	bool		done = reply->status >= 200 && reply->status < 300 && reply->status != 204 &&
		!(outcome->status == CRM_STATUS_FAILED && outcome->error_class == CRM_ERROR_UNCERTAIN);
	bool		event = strcmp(request->url, API_URL "/events") == 0;
	bool		note = has_word(request->url, "/note");

	watch->n_replies++;
	watch->notes_listed = watch->notes_listed || (note && !request->creates);
	watch->events_listed = watch->events_listed || strstr(request->url, "/events?personId=") != NULL;
	kept->announced = kept->announced || (event && done);
	/* Lofty says no with 200, too */
	kept->noted = kept->noted || (note && request->creates && outcome->status == CRM_STATUS_SUCCESS);
	kept->saw_email = kept->saw_email ||
		shows(session->lead->email, reply->body, reply->body_len) ||
		shows(session->lead->email, request->body.data, request->body.len);
	kept->saw_origin = kept->saw_origin || shows_origin(session, reply);
}

/*
 * A page that is no answer of the API says nothing of a record, and custom
 * fields that may not be seen cost no lead its way.
 */
static void
judge_failure(const CrmSession *session, const CrmRequest *request, const HttpReply *reply,
			  CrmAction action)
{
	if (has_word(request->url, "ustomField"))
		PROMISE(action != CRM_ACTION_DONE || session->outcome.error_class != CRM_ERROR_LEAD_FINAL ||
				(reply->status >= 300 && reply->status < 400));
	if (reply->status == 404 && reply->body[0] == '<' && !has_word(reply->body, "errorCode="))
		PROMISE(action == CRM_ACTION_DONE && session->outcome.error_class == CRM_ERROR_CONNECTION);
}

/* CRM_ACTION_NONE when there is no reply. */
static CrmAction
take_reply(CrmSession *session, char **text, Watch *watch, Kept *kept)
{
	const CrmProvider *provider = session->connection->provider;
	MemoryContext reply_context = AllocSetContextCreate(session->context, "reply", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(reply_context);
	CrmAction	action = CRM_ACTION_NONE;
	CrmRequest	request = session->request;
	CrmLimitHint hint;
	HttpReply	reply;

	if (fuzz_reply(text, &reply))
	{
		if (reply.result == HTTP_RESULT_RESPONSE)
			provider->limit_hint(&reply, session->request.limit_context, &hint);
		if (creates_record(session) && reply.status >= 200 && reply.status < 300)
			watch->n_created++;
		session->link_changed = false;
		session->now += USECS_PER_SEC;
		MemoryContextSwitchTo(session->context);
		action = provider->next(session, &reply);
		MemoryContextSwitchTo(reply_context);
		if (session->task == CRM_TASK_SYNC)
		{
			judge_failure(session, &request, &reply, action);
			note_reply(session, &request, &reply, watch, kept);
		}
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(reply_context);
	return action;
}

/* As the worker does, before it sends a request and when the session ends. */
static void
store(const CrmSession *session, CrmAction action, Kept *kept)
{
	const CrmOutcome *outcome = &session->outcome;
	const char *record_id = session->link.record_id;

	if (session->link_changed || (action == CRM_ACTION_DONE && record_id != NULL &&
								  outcome->status == CRM_STATUS_SUCCESS))
	{
		if (record_id == NULL || strcmp(record_id, kept->record_id) != 0)
			kept->noted = false;
		if (record_id == NULL)
			kept->announced = false;
		kept->link = session->link;
		strlcpy(kept->record_id, record_id != NULL ? record_id : "", sizeof(kept->record_id));
	}
	if (action == CRM_ACTION_DONE)
		kept->uncertain =
			outcome->status == CRM_STATUS_SKIPPED ? session->uncertain && !session->searched :
			outcome->status == CRM_STATUS_FAILED &&
			(session->uncertain || outcome->error_class == CRM_ERROR_UNCERTAIN);
}

static void
run_session(CrmConnection *connection, const char *words, char **text, Kept *kept)
{
	CrmSession *session = make_session(connection, words, kept);
	Watch		watch = {.begun = session->link,.linked = session->link.record_id != NULL};
	CrmAction	action = connection->provider->begin(session);

	while (action == CRM_ACTION_SEND)
	{
		judge_request(session, &watch);
		if (session->task == CRM_TASK_SYNC)
			judge_once(session, &watch, kept);
		store(session, action, kept);
		action = take_reply(session, text, &watch, kept);
	}
	if (action == CRM_ACTION_DONE)
	{
		judge_outcome(session);
		if (session->task == CRM_TASK_SYNC)
			judge_link(session, &watch, kept);
		store(session, action, kept);
	}
	else
		PROMISE(*text == NULL);
}

static void
run_sessions(const CrmProvider *provider, char *text)
{
	const char *words = fuzz_line(&text);
	CrmConnection *connection = make_connection(provider, words);
	MemoryContext connection_context = CurrentMemoryContext;
	Kept		kept = {0};

	for (int i = 0; i == 0 || (i < MAX_SESSIONS && text != NULL); i++)
	{
		MemoryContext context = AllocSetContextCreate(connection_context, "session", ALLOCSET_DEFAULT_SIZES);

		MemoryContextSwitchTo(context);
		if (!has_word(words, "again"))
			memset(&kept, 0, sizeof(kept));
		run_session(connection, words, &text, &kept);
		MemoryContextSwitchTo(connection_context);
		MemoryContextDelete(context);
	}
}

void
fuzz_lofty(const char *data, size_t size)
{
	run_sessions(&lofty_provider, fuzz_text(data, size));
}

void
fuzz_kvcore(const char *data, size_t size)
{
	run_sessions(&kvcore_provider, fuzz_text(data, size));
}

void
fuzz_followupboss(const char *data, size_t size)
{
	run_sessions(&followupboss_provider, fuzz_text(data, size));
}

/*
 * crm.h
 *		What a CRM provider is, and the session in which one does its work.
 *
 * A provider turns a lead into requests and responses into outcomes.  It is
 * a pure state machine: it opens no socket, reads no table, takes no clock of
 * its own and raises no error but out-of-memory.  The worker drives it:
 *
 *		action = provider->begin(session);
 *		while (action == CRM_ACTION_SEND)
 *			... send session->request, wait for the reply ...
 *			action = provider->next(session, reply);
 *		... session->outcome says what happened ...
 *
 * Before it sends, the worker commits what must not be forgotten: the intent
 * if request.creates, the record id if session->link_changed.  It also waits
 * for a place in the rate limit of request.limit_context, and adds the
 * Authorization header itself, last, by provider->authorize.
 *
 * A new CRM is one file that fills a CrmProvider, and one line in providers.h.  What
 * such a file need not write again: record.h (the lead's record and its link),
 * custom_field.h, reply.h, credential.h, json.h.
 */
#ifndef ECHOSYNC_CRM_H
#define ECHOSYNC_CRM_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "crm/integration_settings.h"
#include "crm/lead.h"
#include "http/http.h"

typedef struct CrmProvider CrmProvider;

/* Which secret a connection holds. */
typedef enum CrmCredentialKind
{
	CRM_CREDENTIAL_NONE = 0,
	CRM_CREDENTIAL_API_KEY,
	CRM_CREDENTIAL_OAUTH
} CrmCredentialKind;

typedef struct CrmCredential
{
	CrmCredentialKind kind;
	char	   *secret;			/* API key or access token */
	char	   *refresh_token;	/* OAuth only */
	TimestampTz expires_at;		/* of the access token; 0 for API keys */
} CrmCredential;

/* The registration of this installation with a CRM, from the env file. */
typedef struct CrmClientIdentity
{
	const char *client_id;		/* OAuth; NULL where not set */
	const char *client_secret;
	const char *system_name;	/* X-System; both or neither */
	const char *system_key;
	const char *redirect_url;
} CrmClientIdentity;

/*
 * What a provider knows of a connection beyond one lead.  Lives as long as
 * the worker keeps the connection.  `context` is for what outlives a session;
 * other connections share it, so that each piece is freed by who made it.
 */
typedef struct CrmConnection
{
	const CrmProvider *provider;
	MemoryContext context;
	char		integration_id[37];
	const char *api_url;		/* no trailing slash */
	const char *app_url;		/* OAuth host, no trailing slash */
	CrmClientIdentity identity;
	CrmCredential credential;
	const IntegrationSettings *settings;

	/* the CRM's custom fields, resolved once; NULL until asked for */
	List	   *custom_fields;	/* of CrmCustomField *, provider-filled */
	bool		custom_fields_known;
} CrmConnection;

typedef struct CrmCustomField
{
	int			field;			/* LeadField that fills it */
	char	   *name;			/* key in the API (Follow Up Boss: customXyz;
								 * Lofty: attributeName) */
	char	   *type;			/* the CRM's word for the type */
	List	   *choices;		/* of char *, for dropdowns; NIL: any */
} CrmCustomField;

/* What the session is to do. */
typedef enum CrmTask
{
	CRM_TASK_NONE = 0,
	CRM_TASK_SYNC,				/* bring one lead to the CRM */
	CRM_TASK_TEST,				/* does the credential work, and whose is it */
	CRM_TASK_EXCHANGE,			/* OAuth code -> tokens */
	CRM_TASK_REFRESH			/* OAuth refresh token -> tokens */
} CrmTask;

/* How our record in the CRM came to be known: crm_lead_links.matched_by. */
typedef enum CrmMatch
{
	CRM_MATCH_NONE = 0,
	CRM_MATCH_CREATED,			/* we created it: names are ours to change */
	CRM_MATCH_EMAIL,			/* found by e-mail (and perhaps phone) */
	CRM_MATCH_PHONE,			/* found by phone, name agrees or is blank */
	CRM_MATCH_SHARED_PHONE,		/* found by phone, another name: only tags,
								 * flags, notes are ever written */
	CRM_MATCH_SHARED_EMAIL		/* the same by e-mail, and no phone says more */
} CrmMatch;

/* Is it somebody else's record, who has the phone or the e-mail too? */
static inline bool
crm_match_is_shared(CrmMatch match)
{
	return match == CRM_MATCH_SHARED_PHONE || match == CRM_MATCH_SHARED_EMAIL;
}
extern const char *const crm_match_names[];

typedef struct CrmLink
{
	char	   *record_id;		/* NULL: not linked */
	CrmMatch	match;
	TimestampTz created_at;		/* when the link was made */
	bool		has_digest;
	uint8		digest[LEAD_DIGEST_SIZE];	/* of what was last written */
	uint8		note_digest[LEAD_DIGEST_LEN];	/* of the last note sent, zero:
												 * none.  See crm_note_digest */
	TimestampTz announced_at;	/* when an event about the lead was posted; 0: none */
} CrmLink;

/* Whose fault a failure is; decides who waits and who pays (see DESIGN). */
typedef enum CrmErrorClass
{
	CRM_ERROR_NONE = 0,
	CRM_ERROR_LEAD_FINAL,		/* 4xx on the payload: no retry */
	CRM_ERROR_LEAD_RETRY,		/* 500, malformed answer: try again */
	CRM_ERROR_UNCERTAIN,		/* a create may have happened: search later */
	CRM_ERROR_CONNECTION,		/* unreachable, 502-504, WAF, wrong URL, locked
								 * account */
	CRM_ERROR_CREDENTIAL,		/* refresh, then status error */
	CRM_ERROR_RATE_LIMIT		/* 429: only moves the time */
} CrmErrorClass;

typedef enum CrmStatus
{
	CRM_STATUS_NONE = 0,
	CRM_STATUS_SUCCESS,
	CRM_STATUS_SKIPPED,
	CRM_STATUS_FAILED
} CrmStatus;

typedef enum CrmWrite
{
	CRM_WRITE_NONE = 0,
	CRM_WRITE_CREATED,
	CRM_WRITE_UPDATED
} CrmWrite;

/* What happened.  Texts are from our own list: never a CRM's words. */
typedef struct CrmOutcome
{
	CrmStatus	status;
	CrmWrite	write;			/* the strongest thing done to the record */
	LeadRefusal reason;			/* when skipped */
	CrmErrorClass error_class;	/* when failed */
	const char *error_code;		/* short, stable: "http_400", "timeout",
								 * "lofty_20012", "unreadable_reply" */
	const char *error_message;	/* one plain sentence, no personal data */
	int			http_status;	/* of the last reply, 0: none */
	int			retry_after_ms; /* when RATE_LIMIT or the CRM said; 0: unknown */
} CrmOutcome;

typedef enum CrmAction
{
	CRM_ACTION_NONE = 0,
	CRM_ACTION_SEND,			/* session->request is ready */
	CRM_ACTION_DONE				/* session->outcome is final */
} CrmAction;

/* The next request.  All in session->context. */
typedef struct CrmRequest
{
	const char *method;
	char	   *url;
	StringInfoData body;		/* len 0: none */
	const char *content_type;	/* NULL: the provider's default for the method */
	int			limit_context;	/* index into provider->limits */
	bool		creates;		/* a second one would make a duplicate: intent
								 * is committed before it is sent */
	bool		anonymous;		/* no provider->authorize (token endpoint adds
								 * its own by extra_header) */
	List	   *extra_headers;	/* of char * "Name: value" */
} CrmRequest;

/* One task in progress. */
typedef struct CrmSession
{
	/* set by the worker */
	MemoryContext context;		/* reset when the session ends */
	CrmTask		task;
	CrmConnection *connection;
	CrmLead    *lead;			/* CRM_TASK_SYNC */
	bool		requested_by_hand;	/* manual sync or retry */
	bool		uncertain;		/* an earlier create of this lead may have
								 * happened: a search hit is probably ours */
	bool		repeated;		/* a predecessor may have done already what this
								 * session is about to do (failover): look for
								 * notes and events before one is posted; a hit is
								 * no proof that we made the record, unless it says
								 * so itself: record_made_for_lead */
	TimestampTz queued_at;		/* since when the lead may have been sent */
	bool		resolve_only;	/* the lead has changed since the create in doubt:
								 * `lead` is as it was then, and if the CRM does
								 * not have it nothing is created (success, no
								 * link) */
	TimestampTz now;			/* at begin/next */
	char	   *local_match;	/* record id that another lead of the same
								 * connection with the same phone or e-mail is
								 * linked to; NULL: none */
	CrmMatch	local_match_kind;	/* which key agreed, and whether names do */
	const char *spent_token;	/* CRM_TASK_REFRESH: the refresh token that is
								 * spent; the connection may have another
								 * credential when the reply comes */
	char	   *oauth_code;		/* CRM_TASK_EXCHANGE */
	char	   *oauth_state;

	/* in and out */
	CrmLink		link;			/* provider updates it; worker stores it */
	bool		link_changed;	/* the link says what must not be forgotten, as a
								 * new record or an event that was posted: commit
								 * before sending session->request; worker clears
								 * it */

	/* out */
	bool		searched;		/* the doubt is settled: every search has answered,
								 * or the note in doubt was looked for */
	CrmRequest	request;
	CrmOutcome	outcome;
	char	   *account_id;		/* CRM_TASK_TEST: the CRM's account and user */
	char	   *account_label;	/* e.g. "Pat Agent (demo)", for people */
	CrmCredential tokens;		/* CRM_TASK_EXCHANGE, _REFRESH */

	/* the provider's own */
	int			step;
	void	   *state;
	uint8		digest[LEAD_DIGEST_SIZE];	/* of the lead as it is now, and */
	CrmWrite	write;			/* the strongest thing done so far: record.h */
	bool		was_linked;		/* when the session began */
	bool		linked_now;		/* by this session, to another record */
	uint32		unwritten;		/* bits 1 << LeadField: see record_not_written */
	uint32		withheld;		/* likewise: see record_withhold */
	bool		email_refused;	/* the CRM does not take the lead's address: record_drop_email */
	bool		email_shared;	/* it is on somebody else's record: record_is_strangers */
} CrmSession;

/* One rate-limit context of a provider: a sliding window. */
typedef struct CrmLimit
{
	const char *name;			/* the CRM's own word, as in X-RateLimit-Context */
	int			limit;			/* calls in the window; 0: ask starting_limit */
	int			window_ms;
} CrmLimit;

/* What a reply's headers say of the limits. */
typedef struct CrmLimitHint
{
	int			limit_context;
	int			limit;			/* -1: not said */
	int			remaining;		/* -1: not said */
	int			reset_ms;		/* -1: not said; until the window is over */
} CrmLimitHint;

struct CrmProvider
{
	const char *crm_type;		/* "lofty": the name in SQL */
	const char *label;			/* "Lofty": the name for people */
	bool		experimental;	/* never tried against the CRM itself: whoever
								 * connects is told */
	bool		flags_records;	/* has a do-not-contact flag on records */
	bool		takes_api_key;
	bool		takes_oauth;

	const CrmLimit *limits;
	int			n_limits;
	bool		limits_by_account;	/* its users share them; else each key has its own */
	int			calls_per_lead; /* a new one with phone and e-mail; for estimates */

	/* Define the server settings of this CRM (settings.h); once, from _PG_init. */
	void		(*define_settings) (void);

	/* Fill api_url, app_url and identity from settings and env file. */
	void		(*configure) (CrmConnection *connection);

	/* Calls to begin with in a context whose limit is 0; NULL if there is none. */
	int			(*starting_limit) (const CrmConnection *connection);

	/* Add Authorization and identity headers ("Name: value", char *) to list. */
	List	   *(*authorize) (const CrmConnection *connection, List *headers);

	/* NULL if the text can be an API key, else why not (a full sentence). */
	const char *(*check_api_key) (const char *key);

	/*
	 * OAuth providers: the URL to send a browser to, NULL if something is not
	 * set up; and what then has to be (a full sentence).
	 */
	char	   *(*authorize_url) (const CrmConnection *connection, const char *state);
	const char *oauth_setup_hint;

	CrmAction	(*begin) (CrmSession *session);
	CrmAction	(*next) (CrmSession *session, const HttpReply *reply);

	/* Read limit headers of any reply; fields not said are -1. */
	void		(*limit_hint) (const HttpReply *reply, int limit_context,
							   CrmLimitHint *hint);

	/*
	 * What the CRM answers, for echosync_preview, which plays it: to a GET
	 * where nobody is known, to a write that succeeds.
	 */
	const char *reply_nobody;
	const char *reply_accepted;
};

#define CRM_PROVIDER(name) extern const CrmProvider name##_provider;
#include "crm/providers.h"
#undef CRM_PROVIDER

/* crm.c: the list of providers, and what they share */
extern void crm_define_settings(void);	/* of all providers */
extern char *crm_provider_names(void);	/* "a, b", for people */
extern const CrmProvider *crm_provider_by_type(const char *crm_type);
extern int	crm_provider_count(void);
extern const CrmProvider *crm_provider_by_index(int index); /* NULL past the end */
extern int	crm_provider_index(const CrmProvider *provider);

/* Starting a request: clears session->request, sets method and "<base><path>". */
extern void crm_request_start(CrmSession *session, const char *method,
							  const char *base, const char *path);

/*
 * Endings; each returns CRM_ACTION_DONE.  A lead's failure is the connection's
 * in a task that has no lead.
 */
extern CrmAction crm_success(CrmSession *session, CrmWrite write);
extern CrmAction crm_skip(CrmSession *session, LeadRefusal reason);
extern CrmAction crm_fail(CrmSession *session, CrmErrorClass error_class,
						  const char *code, const char *message);

/*
 * Classify what has nothing to do with the particular CRM: no response, 429,
 * 408, 5xx, redirects.  Returns true and fills session->outcome when the
 * session must end; false when the reply is a 2xx or a 4xx that the provider
 * must read.  A failed request.creates that may have reached the CRM becomes
 * CRM_ERROR_UNCERTAIN here.
 */
extern bool crm_transport_failed(CrmSession *session, const HttpReply *reply);

/*
 * Milliseconds from a reply's Retry-After header: seconds, or an HTTP date,
 * which counts from the reply's own Date, else from now (unix seconds).  -1
 * when absent or unreadable; at least 1 s after a 429; capped at 300 s.
 */
extern int	crm_retry_after_ms(const HttpReply *reply, int64 now_unix);

/* Digest of a note's text, for CrmLink.note_digest; zero for none. */
extern void crm_note_digest(const char *note, uint8 digest[LEAD_DIGEST_LEN]);

/*
 * A name that a CRM gives an account, for people to read: without characters
 * that are not seen or turn the text round, cut to what has room everywhere.
 */
extern char *crm_label(const char *text);

/* How far a lead's name is a record's.  In this order. */
typedef enum CrmNames
{
	CRM_NAMES_DIFFER,
	CRM_NAMES_ALIKE,			/* "Dana Holt" and "Danielle Holt-Reyes": with one e-mail address, one person */
	CRM_NAMES_AGREE				/* equal, or blank on one side */
} CrmNames;

/* A lead without any name is nobody in particular: it differs from whoever has one. */
extern CrmNames crm_names_compare(const CrmLead *lead, const char *first, const char *last);
/*
 * Which names agree?  Case and space are ignored; a blank on either side
 * agrees with anything.
 */
extern bool crm_names_agree(const CrmLead *lead, const char *first, const char *last);

#endif							/* ECHOSYNC_CRM_H */

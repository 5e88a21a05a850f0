/*
 * followupboss.h
 *		What the two halves of the Follow Up Boss provider share.
 *
 * followupboss.c brings one lead to the CRM; followupboss_oauth.c knows the
 * account: how to sign in to it, whose it is, which custom fields it has.
 * Private to them: everybody else uses followupboss_provider of crm.h.
 */
#ifndef ECHOSYNC_FOLLOWUPBOSS_H
#define ECHOSYNC_FOLLOWUPBOSS_H

#include "crm/crm.h"
#include "crm/json.h"

/* Indexes into followupboss_provider.limits (Follow Up Boss reference 3). */
typedef enum FubLimit
{
	FUB_LIMIT_GLOBAL = 0,
	FUB_LIMIT_PUT_PEOPLE,		/* PUT /people/{id} */
	FUB_LIMIT_NOTES,			/* /notes, all methods */
	FUB_LIMIT_EVENTS,			/* GET /events */
	FUB_LIMIT_POST_EVENTS		/* POST /events */
} FubLimit;
#define FUB_LIMIT_COUNT (FUB_LIMIT_POST_EVENTS + 1)

extern const CrmLimit fub_limits[FUB_LIMIT_COUNT];

/*
 * The request whose reply is awaited, and the steps that may follow.  "write"
 * stands for READ, EVENT, UPDATE, or the note steps, whichever comes first of
 * those that the lead needs.
 */
typedef enum FubStep
{
	FUB_STEP_NONE = 0,

	/* one lead */
	FUB_STEP_CUSTOM_FIELDS,		/* itself (next page), write, SEARCH_* */
	FUB_STEP_SEARCH_PHONE,		/* SEARCH_PLUS, SEARCH_EMAIL, CHECK, write */
	FUB_STEP_SEARCH_PLUS,		/* SEARCH_EMAIL, CHECK, write */
	FUB_STEP_SEARCH_EMAIL,		/* CHECK, write */
	FUB_STEP_CHECK,				/* CREATE, EVENT */
	FUB_STEP_CREATE,			/* UPDATE, NOTE, CUSTOM_FIELDS (stale) */
	FUB_STEP_READ,				/* EVENT, UPDATE, note; SEARCH_* if gone */
	FUB_STEP_EVENT,				/* as READ, and CUSTOM_FIELDS (stale) */
	FUB_STEP_UPDATE,			/* as EVENT */
	FUB_STEP_FIND_NOTE,			/* NOTE */
	FUB_STEP_NOTE,				/* SEARCH_* if gone */
	FUB_STEP_FORBIDDEN,			/* none; after a 403 to any of the above */

	/* the account */
	FUB_STEP_TOKEN,				/* IDENTITY after a code exchange */
	FUB_STEP_IDENTITY			/* none */
} FubStep;

/* What a CRM_TASK_SYNC session remembers between its requests. */
typedef struct FubState
{
	uint8		digest[LEAD_DIGEST_SIZE];	/* of the lead as it is now */
	uint8		note_digest[LEAD_DIGEST_LEN];
	List	   *tags;			/* of char *: the lead's and the settings' */
	List	   *phone_hits;		/* of JsonbContainer *: records with our phone */
	List	   *email_hits;		/* ... with our e-mail */
	JsonbContainer *person;		/* the record as read; NULL: not read */
	bool		confirmed;		/* the record answered in this session */
	bool		relinked;		/* a 404 made us search once already */
	bool		event_sent;		/* tags and custom fields went with an event */
	bool		check_note;		/* the note may be there: look before posting */
	CrmWrite	write;			/* the strongest write so far */

	List	   *fields;			/* of CrmCustomField *: pages read so far */
	int			field_pages;
	bool		fields_fetched; /* asked in this session; do not ask again */
	bool		fields_sent;	/* the last body carried custom fields */
} FubState;

/* Replies; followupboss_oauth.c */
extern bool fub_failed(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_unreadable(CrmSession *session);
extern JsonbContainer *fub_read_object(const HttpReply *reply);
extern JsonbContainer *fub_read_list(JsonbContainer *root, const char *usual);
extern bool fub_success_status(const HttpReply *reply);

/* Signing in, and who we are; followupboss_oauth.c */
extern List *fub_authorize(const CrmConnection *connection, List *headers);
extern const char *fub_check_api_key(const char *key);
extern char *fub_authorize_url(const CrmConnection *connection,
							   const char *oauth_state);
extern void fub_limit_hint(const HttpReply *reply, int limit_context,
						   CrmLimitHint *hint);
extern CrmAction fub_account_begin(CrmSession *session);
extern CrmAction fub_token_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_identity_reply(CrmSession *session, const HttpReply *reply);

/* Custom fields; followupboss_oauth.c.  _reply: true when all are read. */
extern CrmAction fub_fields_request(CrmSession *session, const char *next);
extern bool fub_fields_reply(CrmSession *session, const HttpReply *reply,
							 CrmAction *action);
extern char *fub_field_literal(const CrmCustomField *field, const CrmLead *lead);

#endif							/* ECHOSYNC_FOLLOWUPBOSS_H */

/*
 * followupboss.h
 *		What the files of the Follow Up Boss provider share.  Private to them:
 *		everybody else uses followupboss_provider of crm.h.
 *
 * followupboss.c begins a session and hands each reply to the file of its step.
 */
#ifndef ECHOSYNC_FOLLOWUPBOSS_H
#define ECHOSYNC_FOLLOWUPBOSS_H

#include "crm/crm.h"
#include "crm/json.h"

#define FUB_TAG_MAX 100			/* our own: nothing is documented (reference 5) */

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
 * stands for FIND_EVENT, READ, EVENT, UPDATE, or the note steps, whichever comes first of
 * those that the lead needs.
 */
typedef enum FubStep
{
	FUB_STEP_NONE = 0,

	/* one lead */
	FUB_STEP_CUSTOM_FIELDS,		/* itself (next page), write, SEARCH_* */
	FUB_STEP_SEARCH_PHONE,		/* SEARCH_PLUS, SEARCH_EMAIL, CHECK, write */
	FUB_STEP_SEARCH_PLUS,		/* SEARCH_EMAIL, CHECK, write */
	FUB_STEP_SEARCH_MARKED,		/* with the mark of mobile numbers */
	FUB_STEP_SEARCH_MARKED_PLUS,
	FUB_STEP_SEARCH_EMAIL,		/* CHECK, write */
	FUB_STEP_CHECK,				/* CREATE, EVENT */
	FUB_STEP_CREATE,			/* UPDATE, NOTE, CUSTOM_FIELDS (stale) */
	FUB_STEP_FIND_EVENT,		/* READ, EVENT, UPDATE, note */
	FUB_STEP_READ,				/* EVENT, UPDATE, note; SEARCH_* if gone */
	FUB_STEP_EVENT,				/* as READ, and CUSTOM_FIELDS (stale) */
	FUB_STEP_UPDATE,			/* as EVENT */
	FUB_STEP_FIND_NOTE,			/* NOTE */
	FUB_STEP_NOTE,				/* SEARCH_* if gone */
	FUB_STEP_FORBIDDEN,			/* after a 403 to any of the above: none, but
								 * after FIND_EVENT what comes next */

	/* the account */
	FUB_STEP_TOKEN,				/* IDENTITY after a code exchange */
	FUB_STEP_IDENTITY			/* none */
} FubStep;

/* What a CRM_TASK_SYNC session remembers between its requests. */
typedef struct FubState
{
	List	   *tags;			/* of char *: the lead's and the settings' */
	List	   *phone_hits;		/* of JsonbContainer *: records with our phone */
	List	   *email_hits;		/* ... with our e-mail */
	JsonbContainer *person;		/* the record as read; NULL: not read */
	bool		confirmed;		/* the record answered in this session */
	bool		relinked;		/* a 404 made us search once already */
	FubStep		forbidden;		/* what FUB_STEP_FORBIDDEN asks about */
	bool		event_sent;		/* tags and custom fields went with an event */
	bool		events_listed;	/* the events of the linked person were looked through */
	bool		check_note;		/* the note may be there: look before posting */

	List	   *fields;			/* of CrmCustomField *: pages read so far */
	int			field_pages;
	bool		fields_fetched; /* asked in this session; do not ask again */
	bool		fields_sent;	/* the last body carried custom fields */
} FubState;

/*
 * followupboss.c: send a request to the API.  body: JSON, or NULL.  Returns
 * CRM_ACTION_SEND; the caller sets request.creates where it applies.
 */
extern CrmAction fub_send(CrmSession *session, FubStep step, FubLimit limit,
						  const char *method, const char *path,
						  const StringInfoData *body);
extern bool fub_by_events(const CrmSession *session);

/* followupboss.c: the first request for a lead, also to start over */
extern CrmAction fub_start(CrmSession *session);

/* followupboss_reply.c.  _failed: must the session end here? */
extern bool fub_reply_failed(CrmSession *session, const HttpReply *reply);

/*
 * Does a list end the session that was asked for to avoid doing something twice?
 * Not by a refusal: then what it would have told is not known.
 */
extern bool fub_reply_list_failed(CrmSession *session, const HttpReply *reply);
extern bool fub_reply_is(const HttpReply *reply, int status);
extern bool fub_reply_ok(const HttpReply *reply);
extern bool fub_reply_gone(const HttpReply *reply);
extern bool fub_reply_acknowledged(const HttpReply *reply);
extern JsonbContainer *fub_reply_object(const HttpReply *reply);
extern JsonbContainer *fub_reply_list(JsonbContainer *root, const char *usual);
extern void fub_limit_hint(const HttpReply *reply, int limit_context,
						   CrmLimitHint *hint);

/* followupboss_oauth.c: signing in, and who we are */
extern List *fub_authorize(const CrmConnection *connection, List *headers);
extern const char *fub_check_api_key(const char *key);
extern char *fub_authorize_url(const CrmConnection *connection,
							   const char *oauth_state);
extern CrmAction fub_account_begin(CrmSession *session);
extern CrmAction fub_token_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_identity_reply(CrmSession *session, const HttpReply *reply);

/* followupboss_fields.c: custom fields.  _reply: true when all are read. */
extern CrmAction fub_fields_request(CrmSession *session, const char *next);
extern bool fub_fields_reply(CrmSession *session, const HttpReply *reply,
							 CrmAction *action);
extern bool fub_fields_stale(CrmSession *session, const HttpReply *reply);
extern void fub_fields_put(CrmSession *session, StringInfo out);

/* followupboss_person.c: reading a person; _item: an array element's text */
extern char *fub_person_id(JsonbContainer *person);
extern char *fub_person_item(JsonbContainer *array, int index, const char *key);
extern bool fub_person_has_phone(JsonbContainer *person, const CrmLead *lead);
extern bool fub_person_has_email(JsonbContainer *person, const CrmLead *lead);
extern bool fub_person_has_address(JsonbContainer *addresses, const CrmLead *lead);
extern bool fub_person_has_tag(JsonbContainer *person, const char *tag);
extern bool fub_person_names_agree(JsonbContainer *person, const CrmLead *lead);
extern bool fub_person_same_last_name(JsonbContainer *person, const CrmLead *lead);
extern CrmMatch fub_person_match(JsonbContainer *person, const CrmLead *lead);
extern bool fub_person_is_ours(const CrmSession *session, JsonbContainer *person);
extern bool fub_person_is_shared(const CrmSession *session);

/* followupboss_body.c: members of a person, appended to an open object */
extern void fub_body_new_person(CrmSession *session, StringInfo out);
extern void fub_body_changes(CrmSession *session, StringInfo out);
extern void fub_body_event_person(CrmSession *session, StringInfo out);

/* followupboss_search.c: searching, and what to do about a person that is gone */
extern CrmAction fub_search_start(CrmSession *session);
extern CrmAction fub_search_again(CrmSession *session);
extern void fub_search_link(CrmSession *session, char *record_id, CrmMatch match);
extern CrmAction fub_search_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_search_check_reply(CrmSession *session, const HttpReply *reply);

/* followupboss_write.c: create, and bring the linked record up to date */
extern CrmAction fub_write_create(CrmSession *session);
extern CrmAction fub_write_create_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_write_record(CrmSession *session);
extern CrmAction fub_write_event_list_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_write_event_list_refused(CrmSession *session);
extern CrmAction fub_write_read_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_write_update_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_write_event_reply(CrmSession *session, const HttpReply *reply);

/* followupboss_note.c.  _finish: the record is right, the note may be left. */
extern char *fub_note_text(const CrmLead *lead);
extern bool fub_note_due(const CrmSession *session);
extern bool fub_note_same(const CrmLead *lead, const char *text);
extern void fub_note_is_sent(CrmSession *session);
extern CrmAction fub_note_finish(CrmSession *session);
extern CrmAction fub_note_list_reply(CrmSession *session, const HttpReply *reply);
extern CrmAction fub_note_reply(CrmSession *session, const HttpReply *reply);

#endif							/* ECHOSYNC_FOLLOWUPBOSS_H */

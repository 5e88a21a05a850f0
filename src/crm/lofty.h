/*
 * lofty.h
 *		What the files of the Lofty provider share.  Private to them: everybody
 *		else uses lofty_provider of crm.h.
 *
 * lofty.c begins a session and hands each reply to the file of its step.
 */
#ifndef ECHOSYNC_LOFTY_H
#define ECHOSYNC_LOFTY_H

#include "crm/crm.h"
#include "crm/json.h"

/* firstName is the one field that a create must have (3.3, 9). */
#define LOFTY_NO_FIRST_NAME "Unknown"

/* Longer ones are cut or refused by Lofty; we cut first (reference 3.3, 3.5). */
#define LOFTY_MAX_NAME		30
#define LOFTY_MAX_TAG		64

/* The error code of a lead that is not there (5). */
#define LOFTY_LEAD_NOT_EXIST	20006
#define LOFTY_PROPERTY_ADDRESS_EMPTY 200057

/*
 * What the request on its way is for, and what can follow.  "update" stands
 * for the first of READ, FIELDS, UPDATE, NOTES, NOTE that is needed.
 */
typedef enum LoftyStep
{
	LOFTY_STEP_NONE = 0,
	LOFTY_STEP_ME,				/* whose key is it -> done */
	LOFTY_STEP_SEARCH_PHONE,	/* -> SEARCH_EMAIL, FIELDS, CREATE, update */
	LOFTY_STEP_SEARCH_MARKED,	/* with the mark of mobile numbers */
	LOFTY_STEP_SEARCH_EMAIL,	/* -> FIELDS, CREATE, update */
	LOFTY_STEP_FIELDS,			/* definitions of custom fields -> CREATE,
								 * update */
	LOFTY_STEP_CREATE,			/* -> done */
	LOFTY_STEP_READ,			/* the linked record -> update, SEARCH_* */
	LOFTY_STEP_UPDATE,			/* -> NOTES, NOTE, SEARCH_*, done */
	LOFTY_STEP_NOTES,			/* did an uncertain note arrive -> NOTE,
								 * SEARCH_*, done */
	LOFTY_STEP_NOTE				/* -> SEARCH_*, done */
} LoftyStep;

/* A custom attribute as it is written: all three are strings (3.7). */
typedef struct LoftyAttribute
{
	const char *name;
	const char *type;
	const char *value;
} LoftyAttribute;

/* What we need of a lead that Lofty returned. */
typedef struct LoftyRecord
{
	int64		id;
	char	   *first_name;
	char	   *last_name;
	List	   *phones;			/* of char *, as written there */
	List	   *emails;			/* of char * */
	List	   *tags;			/* of char * */
	List	   *attributes;		/* of LoftyAttribute * */
	char	   *source;
	char	   *created;		/* when, in Lofty's own form */

	/* was all of the array understood?  only then may it be written back */
	bool		phones_whole;
	bool		emails_whole;
	bool		attributes_whole;

	bool		has_address;
	bool		flagged;		/* blocked for calls, texts and e-mails */
} LoftyRecord;

/* CrmSession.state of CRM_TASK_SYNC. */
typedef struct LoftySync
{
	int64		record_id;		/* session->link.record_id as a number */
	LoftyRecord *record;		/* the linked record, if it was read */
	List	   *hits;			/* of LoftyRecord *, distinct exact matches */
	bool		remapping;		/* the linked record was missing; looking for
								 * the one it was merged into */
	bool		phone_found;	/* somebody, before the e-mail was searched for */
	bool		notes_listed;	/* LOFTY_STEP_NOTES is behind us */
	bool		fields_refused; /* LOFTY_STEP_FIELDS was: go on without them */
} LoftySync;

/* A reply, read. */
typedef struct LoftyAnswer
{
	int			status;
	bool		is_json;
	bool		is_empty;		/* no body */
	JsonbContainer *object;		/* NULL when the body is none */
	JsonbContainer *array;		/* likewise */
	int64		code;			/* Lofty's error code, 0: none */
	bool		refused;		/* status or code say that it was not done */
} LoftyAnswer;

/*
 * lofty.c: start a request of which everything but the body is then there.
 * Returns the body, to be written; an empty one is not sent.
 */
extern StringInfo lofty_request(CrmSession *session, LoftyStep step,
								const char *method, const char *path);
extern CrmAction lofty_get(CrmSession *session, LoftyStep step, const char *path);

/* lofty_reply.c */
extern void lofty_reply_read(const HttpReply *reply, LoftyAnswer *answer);
extern bool lofty_reply_id(const LoftyAnswer *answer, const char *key, int64 *id);
extern CrmAction lofty_reply_refused(CrmSession *session, const LoftyAnswer *answer);
extern CrmAction lofty_reply_no_lead(CrmSession *session);
extern void lofty_limit_hint(const HttpReply *reply, int limit_context,
							 CrmLimitHint *hint);

/* lofty_record.c */
extern bool lofty_record_get_id(JsonbContainer *object, const char *key, int64 *id);
extern bool lofty_record_parse_id(const char *text, int64 *id);
extern LoftyRecord *lofty_record_read(JsonbContainer *lead);
extern bool lofty_record_has_phone(const LoftyRecord *record, const CrmLead *lead);
extern bool lofty_record_has_email(const LoftyRecord *record, const CrmLead *lead);
extern CrmNames lofty_record_names(const LoftyRecord *record, const CrmLead *lead);
extern bool lofty_record_names_agree(const LoftyRecord *record, const CrmLead *lead);
extern bool lofty_record_link(CrmSession *session, const char *record_id, CrmMatch match);
extern bool lofty_record_written_before(const CrmSession *session);

/* lofty_search.c: searching, and what to do about a record that is missing */
extern CrmAction lofty_search_start(CrmSession *session);
extern CrmAction lofty_search_reply(CrmSession *session, const LoftyAnswer *answer);
extern CrmAction lofty_search_missing(CrmSession *session);

/* lofty_write.c: create, and bring the linked record up to date */
extern CrmAction lofty_write_create(CrmSession *session);
extern CrmAction lofty_write_create_reply(CrmSession *session, const LoftyAnswer *answer);
extern CrmAction lofty_write_update(CrmSession *session);
extern CrmAction lofty_write_read_reply(CrmSession *session, const LoftyAnswer *answer);
extern CrmAction lofty_write_update_reply(CrmSession *session, const LoftyAnswer *answer);

/* lofty_fields.c.  Lists are of LoftyAttribute *. */
extern CrmAction lofty_fields_request(CrmSession *session);
extern bool lofty_fields_unknown(const CrmSession *session);
extern CrmAction lofty_fields_reply(CrmSession *session, const LoftyAnswer *answer);
extern CrmAction lofty_fields_refused(CrmSession *session, const LoftyAnswer *answer);
extern bool lofty_fields_changed(const CrmSession *session);
extern List *lofty_fields_of_lead(const CrmSession *session);
extern List *lofty_fields_merge(const LoftyRecord *record, List *ours);
extern void lofty_fields_put(StringInfo out, const List *attributes);

/* lofty_note.c */
extern char *lofty_note_text(const CrmLead *lead);
extern bool lofty_note_due(const CrmSession *session);
extern void lofty_note_is_sent(CrmSession *session);
extern CrmAction lofty_note_finish(CrmSession *session);
extern CrmAction lofty_note_list_reply(CrmSession *session, const LoftyAnswer *answer);
extern CrmAction lofty_note_reply(CrmSession *session, const LoftyAnswer *answer);

#endif							/* ECHOSYNC_LOFTY_H */

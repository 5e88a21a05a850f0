/*
 * lofty.c
 *		The Lofty (formerly Chime) Open API, version 1.0, by API key.
 *
 * Turns a lead into Lofty's requests and Lofty's replies into an outcome; see
 * crm.h for how the worker drives it.  "Lofty reference" in comments is the
 * collection of what is known of the real API (doc/), since Lofty's own
 * pages are wrong in places.
 *
 * What shapes this file:
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

#include <limits.h>
#include <time.h>

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "crm/crm.h"
#include "crm/json.h"
#include "crm/phone.h"

/* Longer ones are cut or refused by Lofty; we cut first (3.3, 3.5, 3.9). */
#define LOFTY_MAX_NAME		30
#define LOFTY_MAX_TAG		64
#define LOFTY_MAX_NOTE		2000
#define LOFTY_MAX_PHONE		20
#define LOFTY_MAX_API_KEY	4096

/* firstName is the one field that a create must have (3.3, 9). */
#define LOFTY_NO_FIRST_NAME "Unknown"

/* Few, but never one: with one, ambiguity could not be seen (3.2). */
#define LOFTY_SEARCH_LIMIT	10

/* How long a record may be missing because it is not indexed yet (5). */
#define LOFTY_LAG_MS		(5 * 60 * 1000)

/* Within this age of the link a second look soon is worth its call. */
#define LOFTY_LAG_YOUNG_MS	(20 * 1000)
#define LOFTY_LAG_STEP_MS	(10 * 1000)

/* The codes that decide something; the others are only named (5). */
#define LOFTY_INTERNAL_ERROR		20005
#define LOFTY_LEAD_NOT_EXIST		20006
#define LOFTY_PERMISSION_DENIED		20017
#define LOFTY_TOKEN_WITHOUT_USER	200058
#define LOFTY_VENDOR_PERMISSION		200100

/* A smaller "code" is none of Lofty's: {"code":0,...}, or the status again. */
#define LOFTY_MIN_ERROR_CODE		1000

/*
 * What the request on its way is for, and what can follow.  "update" stands
 * for the first of READ, FIELDS, UPDATE, NOTES, NOTE that is needed.
 */
typedef enum LoftyStep
{
	LOFTY_STEP_NONE = 0,
	LOFTY_STEP_ME,				/* whose key is it -> done */
	LOFTY_STEP_SEARCH_PHONE,	/* -> SEARCH_EMAIL, FIELDS, CREATE, update */
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

	/* was all of the array understood?  only then may it be written back */
	bool		phones_whole;
	bool		emails_whole;
	bool		attributes_whole;

	bool		has_address;
	bool		flagged;		/* blocked for calls, texts and e-mails */
} LoftyRecord;

/* What an update writes.  Empty members are left out of the request. */
typedef struct LoftyChanges
{
	bool		any;
	bool		flags;
	bool		property;
	const char *first_name;
	const char *last_name;
	List	   *phones;			/* the whole array */
	List	   *emails;			/* the whole array */
	List	   *tags;			/* to add */
	List	   *attributes;		/* the whole array, of LoftyAttribute * */
} LoftyChanges;

/* CrmSession.state of CRM_TASK_SYNC. */
typedef struct LoftySync
{
	uint8		digest[LEAD_DIGEST_SIZE];	/* of the lead as it is now */
	int64		record_id;		/* session->link.record_id as a number */
	LoftyRecord *record;		/* the linked record, if it was read */
	List	   *hits;			/* of LoftyRecord *, distinct exact matches */
	bool		remapping;		/* the linked record was missing; looking for
								 * the one it was merged into */
	bool		notes_listed;	/* LOFTY_STEP_NOTES is behind us */
	CrmWrite	write;			/* strongest thing done so far */
} LoftySync;

/* A reply, read. */
typedef struct LoftyAnswer
{
	int			status;
	bool		is_json;
	JsonbContainer *object;		/* NULL when the body is none */
	JsonbContainer *array;		/* likewise */
	int64		code;			/* Lofty's error code, 0: none */
	bool		refused;		/* status or code say that it was not done */
} LoftyAnswer;

/* Lofty's error codes: its word where `code` is one, and our sentence (5). */
static const struct
{
	int64		code;
	const char *name;
	const char *message;
}			lofty_errors[] =
{
	{20001, NULL, "Lofty refused the content type of the request."},
	{20003, NULL, "Lofty does not know the user that the request names."},
	{LOFTY_INTERNAL_ERROR, NULL, "Lofty had an internal error."},
	{LOFTY_LEAD_NOT_EXIST, "LEAD_NOT_EXIST",
		"Lofty does not show this lead to this API key any more: it was deleted, merged or handed over."},
	{20007, NULL, "Lofty does not know the resource that the request names."},
	{20012, "INVALID_PARAMETER", "Lofty refused a value of this lead as invalid."},
	{LOFTY_PERMISSION_DENIED, "PERMISSION_DENIED",
		"The Lofty user of this API key may not do this."},
	{20042, "LIMIT_NOT_VALID", "Lofty refused the page size of the request."},
	{20043, "PARAMETER_TOO_LONG", "Lofty refused a value of this lead as too long."},
	{200057, "PROPERTY_ADDRESS_EMPTY", "Lofty refused the address of this lead as empty."},
	{LOFTY_TOKEN_WITHOUT_USER, "BAD_CREDENTIALS",
		"Lofty does not accept this API key."},
	{LOFTY_VENDOR_PERMISSION, NULL,
		"This API key has no permission for a Lofty API that is needed."},
	{200108, "LEAD_PROPERTY_NOT_EXIST", "Lofty does not know the property that the request names."}
};

static CrmAction lofty_search(CrmSession *session);
static CrmAction lofty_update(CrmSession *session);
static CrmAction lofty_note(CrmSession *session);


/* ------------------------------------------------------------------------
 * Small things
 * ------------------------------------------------------------------------ */

static bool
lofty_is_blank(const char *text)
{
	return text == NULL || text[strspn(text, " \t\r\n\f\v")] == '\0';
}

/* Record ids are int64, positive, and never pass through a double (4). */
static bool
lofty_parse_id(const char *text, int64 *id)
{
	char	   *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*id = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *id > 0;
}

static bool
lofty_get_id(JsonbContainer *object, const char *key, int64 *id)
{
	return json_get_int64(object, key, id) && *id > 0;
}

static bool
lofty_list_has(const List *list, const char *text)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		if (pg_strcasecmp((const char *) lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

static void
lofty_string_array(StringInfo out, const char *key, const List *list)
{
	ListCell   *lc;

	json_key(out, key);
	json_array_start(out);
	foreach(lc, list)
		json_string(out, (const char *) lfirst(lc));
	json_array_end(out);
}

/* The tags this lead is to have: the connection's, then its own. */
static List *
lofty_tags(const CrmSession *session)
{
	const List *sources[2];
	List	   *tags = NIL;

	sources[0] = session->connection->settings->tags;
	sources[1] = session->lead->tags;
	for (int i = 0; i < lengthof(sources); i++)
	{
		ListCell   *lc;

		foreach(lc, sources[i])
		{
			char	   *tag = text_clip((const char *) lfirst(lc), LOFTY_MAX_TAG);

			if (!lofty_is_blank(tag) && !lofty_list_has(tags, tag))
				tags = lappend(tags, tag);
		}
	}
	return tags;
}

static const char *
lofty_source(const CrmSession *session)
{
	if (!lofty_is_blank(session->lead->source))
		return session->lead->source;
	return session->connection->settings->source;
}

/* The phone in the form to write, NULL if Lofty would not take it (3.3). */
static char *
lofty_phone(const CrmLead *lead)
{
	if (lead->phone == NULL || strlen(lead->phone) > LOFTY_MAX_PHONE)
		return NULL;
	return lead->phone;
}

/* The note to send, NULL for none. */
static char *
lofty_note_text(const CrmLead *lead)
{
	if (lofty_is_blank(lead->notes))
		return NULL;
	return text_clip(lead->notes, LOFTY_MAX_NOTE);
}

/* Is there a note that was not sent yet? */
static bool
lofty_note_pending(const CrmSession *session)
{
	uint8		digest[LEAD_DIGEST_LEN];
	char	   *note = lofty_note_text(session->lead);

	if (note == NULL || session->lead->do_not_contact)
		return false;
	crm_note_digest(note, digest);
	return memcmp(digest, session->link.note_digest, LEAD_DIGEST_LEN) != 0;
}

/* Also when there was none: the digest of no note is zero. */
static void
lofty_note_is_sent(CrmSession *session)
{
	crm_note_digest(lofty_note_text(session->lead), session->link.note_digest);
	session->link_changed = true;
}

static bool
lofty_has_address(const CrmLead *lead)
{
	return !lofty_is_blank(lead->address) || !lofty_is_blank(lead->city) ||
		!lofty_is_blank(lead->state) || !lofty_is_blank(lead->zip_code);
}

/*
 * The address.  Only for leads that have one: a block of blanks makes Lofty
 * refuse the whole request (3.6).
 */
static void
lofty_property(StringInfo out, const CrmLead *lead)
{
	json_key(out, "property");
	json_object_start(out);
	if (!lofty_is_blank(lead->address))
		json_key_string(out, "streetAddress", lead->address);
	if (!lofty_is_blank(lead->city))
		json_key_string(out, "city", lead->city);
	if (!lofty_is_blank(lead->state))
		json_key_string(out, "state", lead->state);
	if (!lofty_is_blank(lead->zip_code))
		json_key_string(out, "zipCode", lead->zip_code);
	json_object_end(out);
}


/* ------------------------------------------------------------------------
 * Custom fields
 * ------------------------------------------------------------------------ */

/* A lead's field as text, NULL when it has none. */
static const char *
lofty_field_text(const CrmSession *session, LeadField field)
{
	const CrmLead *lead = session->lead;

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
			return lead->do_not_contact ? "true" : "false";
		case LEAD_FIELD_TAGS:
			{
				StringInfoData joined;
				ListCell   *lc;

				initStringInfo(&joined);
				foreach(lc, lead->tags)
					appendStringInfo(&joined, "%s%s", joined.len > 0 ? ", " : "",
									 (const char *) lfirst(lc));
				return joined.data;
			}
		case LEAD_FIELD_NOTES:
			return lead->notes;
		case LEAD_FIELD_SOURCE:
			return lofty_source(session);
		case LEAD_FIELD_DELETED_AT:
			return NULL;
	}
	return NULL;
}

/*
 * The attributes this lead fills, of LoftyAttribute *.  A setting whose label
 * the team has no field for is left out: we never define fields (3.7).
 */
static List *
lofty_attributes(const CrmSession *session)
{
	List	   *attributes = NIL;
	ListCell   *lc;

	foreach(lc, session->connection->custom_fields)
	{
		const CrmCustomField *field = (const CrmCustomField *) lfirst(lc);
		const char *value = lofty_field_text(session, (LeadField) field->field);
		LoftyAttribute *attribute;

		if (lofty_is_blank(value))
			continue;
		if (strcmp(field->type, "multi_select") == 0)
		{
			/* the value is an array, itself written as a string (3.7) */
			StringInfoData choices;

			initStringInfo(&choices);
			json_array_start(&choices);
			json_string(&choices, value);
			json_array_end(&choices);
			value = choices.data;
		}

		attribute = (LoftyAttribute *) palloc0(sizeof(LoftyAttribute));
		attribute->name = field->name;
		attribute->type = field->type;
		attribute->value = value;
		attributes = lappend(attributes, attribute);
	}
	return attributes;
}

/*
 * Ours laid over what the record has: whether a list in a PUT replaces the
 * other values is unknown, so a list that is written is the whole one (3.7).
 */
static List *
lofty_merge_attributes(const LoftyRecord *record, List *ours)
{
	List	   *merged = NIL;
	ListCell   *lc;

	foreach(lc, record->attributes)
	{
		LoftyAttribute *theirs = (LoftyAttribute *) lfirst(lc);
		bool		replaced = false;
		ListCell   *lo;

		foreach(lo, ours)
		{
			const LoftyAttribute *our = (const LoftyAttribute *) lfirst(lo);

			if (pg_strcasecmp(our->name, theirs->name) == 0)
				replaced = true;
		}
		if (!replaced)
			merged = lappend(merged, theirs);
	}
	return list_concat(merged, ours);
}

static void
lofty_attribute_array(StringInfo out, const List *attributes)
{
	ListCell   *lc;

	json_key(out, "customAttributeList");
	json_array_start(out);
	foreach(lc, attributes)
	{
		const LoftyAttribute *attribute = (const LoftyAttribute *) lfirst(lc);

		json_object_start(out);
		json_key_string(out, "attributeName", attribute->name);
		json_key_string(out, "attributeType", attribute->type);
		json_key_string(out, "value", attribute->value);
		json_object_end(out);
	}
	json_array_end(out);
}

/* Keep the definitions that the settings name, for all leads to come. */
static void
lofty_keep_definitions(CrmConnection *connection, JsonbContainer *definitions)
{
	MemoryContext old_context = MemoryContextSwitchTo(connection->context);
	int			n_definitions = json_array_length(definitions);
	ListCell   *lc;

	connection->custom_fields = NIL;
	foreach(lc, connection->settings->custom_fields)
	{
		const CustomFieldSetting *setting = (const CustomFieldSetting *) lfirst(lc);

		for (int i = 0; i < n_definitions; i++)
		{
			JsonbContainer *definition = json_value_object(json_array_element(definitions, i));
			char	   *name = definition ? json_get_text(definition, "attributeName") : NULL;
			char	   *type = definition ? json_get_text(definition, "attributeType") : NULL;
			CrmCustomField *field;

			if (lofty_is_blank(name) || lofty_is_blank(type) ||
				pg_strcasecmp(name, setting->label) != 0)
				continue;

			field = (CrmCustomField *) palloc0(sizeof(CrmCustomField));
			field->field = setting->field;
			field->name = name;
			field->type = type;
			connection->custom_fields = lappend(connection->custom_fields, field);
			break;
		}
	}
	connection->custom_fields_known = true;
	MemoryContextSwitchTo(old_context);
}


/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------ */

/*
 * Lofty wants the content type on every method, GET included: some of its
 * GETs answer 415 without it (1).
 */
static StringInfo
lofty_request(CrmSession *session, LoftyStep step, const char *method,
			  const char *path)
{
	crm_request_start(session, method, session->connection->api_url, path);
	session->request.content_type = "application/json";
	session->request.extra_headers = lappend(session->request.extra_headers,
											 "Accept: application/json");
	initStringInfo(&session->request.body);
	session->step = step;
	return &session->request.body;
}

static CrmAction
lofty_send_search(CrmSession *session, LoftyStep step, const char *key,
				  const char *value)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "/leads?%s=", key);
	url_encode(&path, value);
	appendStringInfo(&path, "&preciseSearchFlag=true&limit=%d", LOFTY_SEARCH_LIMIT);
	lofty_request(session, step, "GET", path.data);
	return CRM_ACTION_SEND;
}

static CrmAction
lofty_send_fields(CrmSession *session)
{
	lofty_request(session, LOFTY_STEP_FIELDS, "GET", "/teamFeatures/listCustomField");
	return CRM_ACTION_SEND;
}

/*
 * Everything goes in the one call: tags and note cost no second one, and the
 * automations that a new lead starts see it whole (3.3).  The two mails that
 * a create can send are refused by name, since their default is unknown.
 */
static CrmAction
lofty_send_create(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	const IntegrationSettings *settings = session->connection->settings;
	const char *first_name = lofty_is_blank(lead->first_name) ?
		LOFTY_NO_FIRST_NAME : lead->first_name;
	const char *source = lofty_source(session);
	char	   *note = lofty_note_text(lead);
	List	   *tags = lofty_tags(session);
	List	   *attributes = lofty_attributes(session);
	StringInfo	body;

	body = lofty_request(session, LOFTY_STEP_CREATE, "POST", "/leads");
	session->request.creates = true;

	json_object_start(body);
	json_key_string(body, "firstName", text_clip(first_name, LOFTY_MAX_NAME));
	if (!lofty_is_blank(lead->last_name))
		json_key_string(body, "lastName", text_clip(lead->last_name, LOFTY_MAX_NAME));
	if (lofty_phone(lead) != NULL)
		lofty_string_array(body, "phones", list_make1(lofty_phone(lead)));
	if (lead->email != NULL)
		lofty_string_array(body, "emails", list_make1(lead->email));
	if (!lofty_is_blank(source))
		json_key_string(body, "source", source);
	if (tags != NIL)
		lofty_string_array(body, "tagsAdd", tags);
	if (lofty_has_address(lead))
		lofty_property(body, lead);
	if (attributes != NIL)
		lofty_attribute_array(body, attributes);
	if (note != NULL)
	{
		json_key_string(body, "content", note);
		json_key(body, "isPin");
		json_literal(body, "false");
	}
	if (settings->assigned_user_id > 0)
	{
		json_key(body, "assignedUserId");
		json_int64(body, settings->assigned_user_id);
	}
	json_key(body, "welcomeEmail");
	json_literal(body, "false");
	json_key(body, "leadAlert");
	json_literal(body, "false");
	json_object_end(body);
	return CRM_ACTION_SEND;
}

static CrmAction
lofty_send_read(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;

	lofty_request(session, LOFTY_STEP_READ, "GET",
				  psprintf("/leads/" INT64_FORMAT, sync->record_id));
	return CRM_ACTION_SEND;
}

static CrmAction
lofty_send_update(CrmSession *session, const LoftyChanges *changes)
{
	LoftySync  *sync = (LoftySync *) session->state;
	StringInfo	body;

	body = lofty_request(session, LOFTY_STEP_UPDATE, "PUT",
						 psprintf("/leads/" INT64_FORMAT, sync->record_id));
	json_object_start(body);
	if (changes->flags)
	{
		/* only ever true: false would re-open a person (3.8) */
		json_key(body, "cannotCall");
		json_literal(body, "true");
		json_key(body, "cannotText");
		json_literal(body, "true");
		json_key(body, "cannotEmail");
		json_literal(body, "true");
	}
	if (changes->first_name != NULL)
		json_key_string(body, "firstName", changes->first_name);
	if (changes->last_name != NULL)
		json_key_string(body, "lastName", changes->last_name);
	if (changes->phones != NIL)
		lofty_string_array(body, "phones", changes->phones);
	if (changes->emails != NIL)
		lofty_string_array(body, "emails", changes->emails);
	if (changes->tags != NIL)
		lofty_string_array(body, "tagsAdd", changes->tags);
	if (changes->property)
		lofty_property(body, session->lead);
	if (changes->attributes != NIL)
		lofty_attribute_array(body, changes->attributes);
	json_object_end(body);
	return CRM_ACTION_SEND;
}

static CrmAction
lofty_send_notes(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;

	lofty_request(session, LOFTY_STEP_NOTES, "GET",
				  psprintf("/notes?leadId=" INT64_FORMAT, sync->record_id));
	return CRM_ACTION_SEND;
}

/*
 * A note is no more idempotent than a lead (3.9): the intent is committed,
 * and after any doubt LOFTY_STEP_NOTES looks before a second one is sent.
 */
static CrmAction
lofty_send_note(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;
	StringInfo	body;

	body = lofty_request(session, LOFTY_STEP_NOTE, "POST", "/notes");
	session->request.creates = true;
	json_object_start(body);
	json_key(body, "leadId");
	json_int64(body, sync->record_id);
	json_key_string(body, "content", lofty_note_text(session->lead));
	json_key(body, "isPin");
	json_literal(body, "false");
	json_object_end(body);
	return CRM_ACTION_SEND;
}


/* ------------------------------------------------------------------------
 * Reading replies
 * ------------------------------------------------------------------------ */

/* Form B: "BaseApplicationException:errorCode=20006,errorMsg=..." (5). */
static int64
lofty_code_in_text(const char *text)
{
	static const char mark[] = "errorCode=";
	const char *found = text ? strstr(text, mark) : NULL;

	/* no code is longer than nine digits; more are no code */
	if (found == NULL ||
		strspn(found + sizeof(mark) - 1, "0123456789") > 9)
		return 0;
	return strtol(found + sizeof(mark) - 1, NULL, 10);
}

/* `code`: a number, a quoted number, or a word (5). */
static int64
lofty_code_of_value(JsonbContainer *object)
{
	int64		code;
	char	   *word;

	if (json_get_int64(object, "code", &code))
		return code;
	word = json_get_text(object, "code");
	if (word == NULL)
		return 0;
	for (int i = 0; i < lengthof(lofty_errors); i++)
	{
		if (lofty_errors[i].name != NULL &&
			pg_strcasecmp(lofty_errors[i].name, word) == 0)
			return lofty_errors[i].code;
	}
	return 0;
}

/* Forms A, B, D and F of the reference's section 5. */
static int64
lofty_code_of_object(JsonbContainer *object)
{
	JsonbContainer *status = json_get_object(object, "status");
	int64		code = lofty_code_of_value(object);

	if (code == 0 && status != NULL)
		code = lofty_code_of_value(status);
	if (code == 0)
		code = lofty_code_in_text(json_get_text(object, "message"));
	return code;
}

static void
lofty_read_answer(const HttpReply *reply, LoftyAnswer *answer)
{
	Jsonb	   *json = json_parse(reply->body, reply->body_len);

	memset(answer, 0, sizeof(*answer));
	answer->status = reply->status;
	answer->is_json = (json != NULL);
	if (json == NULL)
		answer->code = lofty_code_in_text(reply->body); /* form E */
	else if (JsonContainerIsScalar(&json->root))
		answer->code = lofty_code_in_text(reply->body); /* form C */
	else if (JsonContainerIsObject(&json->root))
	{
		answer->object = &json->root;
		answer->code = lofty_code_of_object(answer->object);
	}
	else
		answer->array = &json->root;

	if (answer->code < LOFTY_MIN_ERROR_CODE)
		answer->code = 0;
	answer->refused = (reply->status < 200 || reply->status > 299 ||
					   answer->code != 0);
}

/* The id of a create's or update's reply, or of its wrapper's data (3.3). */
static bool
lofty_answer_id(const LoftyAnswer *answer, const char *key, int64 *id)
{
	JsonbContainer *data;

	if (answer->object == NULL)
		return false;
	if (lofty_get_id(answer->object, key, id))
		return true;
	data = json_get_object(answer->object, "data");
	return data != NULL && lofty_get_id(data, key, id);
}

/* Strings of an array member; *whole is false if it holds anything else. */
static List *
lofty_read_strings(JsonbContainer *object, const char *key, bool *whole)
{
	JsonbContainer *array = json_get_array(object, key);
	JsonbValue *value = json_get(object, key);
	int			length = array ? json_array_length(array) : 0;
	List	   *strings = NIL;

	/* unset is null or left out; any other type is not what we know */
	*whole = (array != NULL || value == NULL || value->type == jbvNull);
	for (int i = 0; i < length; i++)
	{
		JsonbValue *element = json_array_element(array, i);

		if (element != NULL && element->type == jbvString)
			strings = lappend(strings, json_value_text(element));
		else
			*whole = false;
	}
	return strings;
}

/* Tags are read as objects, though they are written as strings (3.5). */
static List *
lofty_read_tags(JsonbContainer *lead)
{
	JsonbContainer *array = json_get_array(lead, "tags");
	int			length = array ? json_array_length(array) : 0;
	List	   *tags = NIL;

	for (int i = 0; i < length; i++)
	{
		JsonbValue *element = json_array_element(array, i);
		JsonbContainer *object = json_value_object(element);
		char	   *name = object ? json_get_text(object, "tagName") :
			json_value_text(element);

		if (name != NULL)
			tags = lappend(tags, name);
	}
	return tags;
}

static void
lofty_read_attributes(JsonbContainer *lead, LoftyRecord *record)
{
	JsonbContainer *array = json_get_array(lead, "customAttributes");
	int			length = array ? json_array_length(array) : 0;

	record->attributes_whole = true;
	for (int i = 0; i < length; i++)
	{
		JsonbContainer *object = json_value_object(json_array_element(array, i));
		JsonbValue *value = object ? json_get(object, "value") : NULL;
		LoftyAttribute *attribute;

		if (object != NULL && (value == NULL || value->type == jbvNull))
			continue;			/* a field of the team that the lead leaves empty */

		attribute = (LoftyAttribute *) palloc0(sizeof(LoftyAttribute));
		if (object != NULL)
		{
			attribute->name = json_get_text(object, "attributeName");
			attribute->type = json_get_text(object, "attributeType");
			attribute->value = json_value_text(value);
		}
		if (attribute->name == NULL || attribute->type == NULL ||
			attribute->value == NULL)
			record->attributes_whole = false;
		else
			record->attributes = lappend(record->attributes, attribute);
	}
}

/*
 * Any entry of the property list counts as an address, whatever its shape:
 * adding a second one to an agent's lead is the error to avoid.
 */
static bool
lofty_read_has_address(JsonbContainer *lead)
{
	static const char *const parts[] = {"streetAddress", "city", "state", "zipCode"};
	JsonbContainer *list = json_get_array(lead, "leadPropertyList");

	if (list != NULL && json_array_length(list) > 0)
		return true;
	for (int i = 0; i < lengthof(parts); i++)
	{
		if (!lofty_is_blank(json_get_text(lead, parts[i])))
			return true;
	}
	return false;
}

/* NULL when this is no lead: above all, when it has no usable id (4). */
static LoftyRecord *
lofty_read_record(JsonbContainer *lead)
{
	LoftyRecord *record;
	int64		id;

	if (lead == NULL || !lofty_get_id(lead, "leadId", &id))
		return NULL;

	record = (LoftyRecord *) palloc0(sizeof(LoftyRecord));
	record->id = id;
	record->first_name = json_get_text(lead, "firstName");
	record->last_name = json_get_text(lead, "lastName");
	record->phones = lofty_read_strings(lead, "phones", &record->phones_whole);
	record->emails = lofty_read_strings(lead, "emails", &record->emails_whole);
	record->tags = lofty_read_tags(lead);
	lofty_read_attributes(lead, record);
	record->has_address = lofty_read_has_address(lead);
	record->flagged = json_get_bool(lead, "cannotCall") &&
		json_get_bool(lead, "cannotText") &&
		json_get_bool(lead, "cannotEmail");
	return record;
}

static bool
lofty_record_has_phone(const LoftyRecord *record, const char *wanted_key)
{
	ListCell   *lc;

	if (wanted_key == NULL)
		return false;
	foreach(lc, record->phones)
	{
		const char *phone = (const char *) lfirst(lc);
		char		key[PHONE_MAX_LEN];

		if (phone_key(phone, strlen(phone), key) && strcmp(key, wanted_key) == 0)
			return true;
	}
	return false;
}

static bool
lofty_record_has_email(const LoftyRecord *record, const char *wanted)
{
	ListCell   *lc;

	if (wanted == NULL)
		return false;
	foreach(lc, record->emails)
	{
		const char *email = (const char *) lfirst(lc);
		size_t		len;

		email += strspn(email, " \t\r\n");
		len = strcspn(email, " \t\r\n");
		if (len == strlen(wanted) && pg_strncasecmp(email, wanted, len) == 0)
			return true;
	}
	return false;
}


/* ------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------ */

static CrmAction
lofty_unreadable(CrmSession *session)
{
	return crm_fail(session, CRM_ERROR_LEAD_RETRY, "unreadable_reply",
					"Lofty's reply could not be understood.");
}

static const char *
lofty_error_message(int64 code)
{
	for (int i = 0; i < lengthof(lofty_errors); i++)
	{
		if (lofty_errors[i].code == code)
			return lofty_errors[i].message;
	}
	return "Lofty refused the request.";
}

/*
 * A reply that crm_transport_failed let through and that says no.  The status
 * comes first, then Lofty's code (5): codes appear under several statuses,
 * 200 among them.
 */
static CrmAction
lofty_refuse(CrmSession *session, const LoftyAnswer *answer)
{
	const char *lofty_code = answer->code == 0 ? NULL :
		psprintf("lofty_" INT64_FORMAT, answer->code);

	if (answer->status == 401 || answer->code == LOFTY_TOKEN_WITHOUT_USER)
		return crm_fail(session, CRM_ERROR_CREDENTIAL,
						answer->status == 401 ? "http_401" : lofty_code,
						lofty_error_message(LOFTY_TOKEN_WITHOUT_USER));
	if (answer->code == LOFTY_INTERNAL_ERROR)
		return crm_fail(session,
						session->request.creates ? CRM_ERROR_UNCERTAIN : CRM_ERROR_LEAD_RETRY,
						lofty_code, lofty_error_message(answer->code));
	if (answer->status == 403 && !answer->is_json && answer->code == 0)
		return crm_fail(session, CRM_ERROR_CONNECTION, "waf",
						"Something in front of Lofty's API refused the request.");
	if (answer->status == 403 || answer->code == LOFTY_PERMISSION_DENIED ||
		answer->code == LOFTY_VENDOR_PERMISSION)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "lofty_permission",
						lofty_error_message(LOFTY_PERMISSION_DENIED));
	if (lofty_code != NULL)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, lofty_code,
						lofty_error_message(answer->code));
	if (answer->status == 404)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "wrong_url",
						"Lofty does not know this API address: check echosync.lofty_api_url.");
	return crm_fail(session, CRM_ERROR_LEAD_FINAL,
					psprintf("http_%d", answer->status),
					"Lofty refused the request.");
}

/*
 * The linked record is not there.  Young links are waited for: a look soon
 * while that may help, then one when the time of the lag is over.  Older
 * ones are searched for again, once.
 */
static CrmAction
lofty_missing(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;
	int64		age_ms = (session->now - session->link.created_at) / 1000;

	if (age_ms < LOFTY_LAG_MS)
	{
		CrmAction	action;

		action = crm_fail(session, CRM_ERROR_LEAD_RETRY, "lofty_not_indexed_yet",
						  "Lofty does not show this new record yet.");
		session->outcome.retry_after_ms = age_ms < LOFTY_LAG_YOUNG_MS ?
			LOFTY_LAG_STEP_MS : (int) (LOFTY_LAG_MS - age_ms);
		return action;
	}
	if (sync->remapping)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "lofty_20006",
						lofty_error_message(LOFTY_LEAD_NOT_EXIST));

	sync->remapping = true;
	sync->record = NULL;
	return lofty_search(session);
}


/* ------------------------------------------------------------------------
 * Search
 * ------------------------------------------------------------------------ */

/* Point the session's link at a record of which we wrote nothing yet. */
static bool
lofty_link(CrmSession *session, const char *record_id, CrmMatch match)
{
	LoftySync  *sync = (LoftySync *) session->state;

	if (!lofty_parse_id(record_id, &sync->record_id))
		return false;
	memset(&session->link, 0, sizeof(session->link));
	session->link.record_id = pstrdup(record_id);
	session->link.match = match;
	session->link.created_at = session->now;
	session->link_changed = true;
	return true;
}

static CrmAction
lofty_search(CrmSession *session)
{
	const CrmLead *lead = session->lead;

	/* digits alone, ten of them for North America (3.2) */
	if (lead->phone != NULL)
		return lofty_send_search(session, LOFTY_STEP_SEARCH_PHONE, "phone",
								 lead->phone[0] == '+' ? lead->phone + 1 : lead->phone);
	if (lead->email != NULL)
		return lofty_send_search(session, LOFTY_STEP_SEARCH_EMAIL, "email",
								 lead->email);
	return crm_skip(session, REFUSAL_NO_CONTACT_KEY);
}

/* By which key is this record the lead, and do the names agree? */
static CrmMatch
lofty_match(const CrmSession *session, const LoftyRecord *record)
{
	CrmLead		lead = *session->lead;

	if (lofty_record_has_email(record, lead.email))
		return CRM_MATCH_EMAIL;

	/* names are compared as Lofty has room for them */
	if (lead.first_name != NULL)
		lead.first_name = text_clip(lead.first_name, LOFTY_MAX_NAME);
	if (lead.last_name != NULL)
		lead.last_name = text_clip(lead.last_name, LOFTY_MAX_NAME);
	return crm_names_agree(&lead, record->first_name, record->last_name) ?
		CRM_MATCH_PHONE : CRM_MATCH_SHARED_PHONE;
}

/*
 * Exactly one record has our phone or e-mail.  If a create of ours may have
 * happened, it is the one: the search before that create found none.  Its
 * note went along.  A stranger's name on it says otherwise.
 */
static CrmAction
lofty_take_hit(CrmSession *session, LoftyRecord *record)
{
	LoftySync  *sync = (LoftySync *) session->state;
	CrmMatch	match = lofty_match(session, record);
	bool		ours = session->uncertain && !sync->remapping &&
		match != CRM_MATCH_SHARED_PHONE;

	if (sync->remapping && record->id == sync->record_id)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "lofty_20006",
						lofty_error_message(LOFTY_LEAD_NOT_EXIST));

	if (!lofty_link(session, psprintf(INT64_FORMAT, record->id),
					ours ? CRM_MATCH_CREATED : match))
		return lofty_unreadable(session);
	sync->record = record;
	if (ours)
	{
		sync->write = CRM_WRITE_CREATED;
		lofty_note_is_sent(session);
	}
	return lofty_update(session);
}

/* All searches are done. */
static CrmAction
lofty_searched(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;

	if (list_length(sync->hits) > 1)
		return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
	if (sync->hits != NIL)
		return lofty_take_hit(session, (LoftyRecord *) linitial(sync->hits));

	/*
	 * A record that was there and is not: trashed, or handed to a colleague
	 * whose leads this key does not see.  Creating it again would undo the
	 * one and duplicate the other, at every change of the lead (5).
	 */
	if (sync->remapping)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "lofty_20006",
						lofty_error_message(LOFTY_LEAD_NOT_EXIST));
	if (session->lead->do_not_contact)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);
	if (session->connection->settings->custom_fields != NIL &&
		!session->connection->custom_fields_known)
		return lofty_send_fields(session);
	return lofty_send_create(session);
}

/* _metadata.total; Lofty's own description names the key wrongly (3.2). */
static int64
lofty_search_total(JsonbContainer *object)
{
	JsonbContainer *metadata = json_get_object(object, "_metadata");
	int64		total;

	if (metadata == NULL)
		metadata = json_get_object(object, "get_metadata");
	if (metadata == NULL || !json_get_int64(metadata, "total", &total))
		return -1;
	return total;
}

typedef enum LoftyFound
{
	LOFTY_FOUND_NONE = 0,		/* no lead, and Lofty says so */
	LOFTY_FOUND_EXACT,			/* sync->hits has grown, or named them already */
	LOFTY_FOUND_UNSURE,			/* leads, but not what was asked for, or more
								 * than were shown */
	LOFTY_FOUND_UNREADABLE
} LoftyFound;

/*
 * Collect the leads that really carry the key of this step (3.2).
 */
static LoftyFound
lofty_collect_hits(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = (LoftySync *) session->state;
	JsonbValue *leads = answer->object ? json_get(answer->object, "leads") : NULL;
	JsonbContainer *array = leads ? json_value_array(leads) : NULL;
	int			length = array ? json_array_length(array) : 0;
	int64		total;
	bool		exact = false;

	if (answer->code == LOFTY_LEAD_NOT_EXIST)
		return LOFTY_FOUND_NONE;
	if (leads == NULL || (array == NULL && leads->type != jbvNull))
		return LOFTY_FOUND_UNREADABLE;
	total = lofty_search_total(answer->object);
	if (length == 0)
		return total > 0 ? LOFTY_FOUND_UNREADABLE : LOFTY_FOUND_NONE;

	for (int i = 0; i < length; i++)
	{
		LoftyRecord *record;
		bool		known = false;
		ListCell   *lc;

		record = lofty_read_record(json_value_object(json_array_element(array, i)));
		if (record == NULL)
			return LOFTY_FOUND_UNREADABLE;
		if (session->step == LOFTY_STEP_SEARCH_PHONE ?
			!lofty_record_has_phone(record, session->lead->phone_key) :
			!lofty_record_has_email(record, session->lead->email))
			continue;

		exact = true;
		foreach(lc, sync->hits)
		{
			if (((LoftyRecord *) lfirst(lc))->id == record->id)
				known = true;
		}
		if (!known)
			sync->hits = lappend(sync->hits, record);
	}
	return exact && total <= length ? LOFTY_FOUND_EXACT : LOFTY_FOUND_UNSURE;
}

static CrmAction
lofty_after_search(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = (LoftySync *) session->state;
	const char *email = session->lead->email;

	switch (lofty_collect_hits(session, answer))
	{
		case LOFTY_FOUND_UNREADABLE:
			return lofty_unreadable(session);
		case LOFTY_FOUND_UNSURE:
			return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
		case LOFTY_FOUND_NONE:
		case LOFTY_FOUND_EXACT:
			break;
	}

	/* a single record with both keys needs no second search */
	if (session->step == LOFTY_STEP_SEARCH_PHONE && email != NULL &&
		list_length(sync->hits) <= 1 &&
		!(sync->hits != NIL &&
		  lofty_record_has_email((LoftyRecord *) linitial(sync->hits), email)))
		return lofty_send_search(session, LOFTY_STEP_SEARCH_EMAIL, "email", email);
	return lofty_searched(session);
}


/* ------------------------------------------------------------------------
 * Update of a linked record
 * ------------------------------------------------------------------------ */

/* Does this field differ from what was last written? */
static bool
lofty_differs(const CrmSession *session, LeadField field)
{
	const LoftySync *sync = (const LoftySync *) session->state;

	return !session->link.has_digest ||
		lead_digest_differs(sync->digest, session->link.digest, field);
}

static bool
lofty_address_differs(const CrmSession *session)
{
	return lofty_differs(session, LEAD_FIELD_ADDRESS) ||
		lofty_differs(session, LEAD_FIELD_CITY) ||
		lofty_differs(session, LEAD_FIELD_STATE) ||
		lofty_differs(session, LEAD_FIELD_ZIP_CODE);
}

/*
 * Was more than the do-not-contact flags ever written to this record?  If
 * not, nothing on it is known to be ours.
 */
static bool
lofty_written_before(const CrmSession *session)
{
	static const uint8 never[LEAD_DIGEST_LEN] = {0};

	if (!session->link.has_digest)
		return false;
	for (int field = 0; field < LEAD_FIELD_COUNT; field++)
	{
		if (field != LEAD_FIELD_DO_NOT_CONTACT &&
			memcmp(session->link.digest + field * LEAD_DIGEST_LEN, never,
				   LEAD_DIGEST_LEN) != 0)
			return true;
	}
	return false;
}

/*
 * Are custom attributes to be written?  Only to records that we created: we
 * know of no safe way for others (3.7).  A record just found was created with
 * them.
 */
static bool
lofty_attributes_differ(const CrmSession *session)
{
	ListCell   *lc;

	if (session->link.match != CRM_MATCH_CREATED ||
		session->lead->do_not_contact || !lofty_written_before(session))
		return false;
	foreach(lc, session->connection->settings->custom_fields)
	{
		const CustomFieldSetting *setting = (const CustomFieldSetting *) lfirst(lc);

		if (lofty_differs(session, (LeadField) setting->field))
			return true;
	}
	return false;
}

/* Must the record be read before it can be written? */
static bool
lofty_needs_record(const CrmSession *session)
{
	const CrmLead *lead = session->lead;

	if (lead->do_not_contact || session->link.match == CRM_MATCH_SHARED_PHONE)
		return false;
	if (!lofty_written_before(session))
		return true;
	return (lofty_phone(lead) != NULL && lofty_differs(session, LEAD_FIELD_PHONE)) ||
		(lead->email != NULL && lofty_differs(session, LEAD_FIELD_EMAIL)) ||
		lofty_attributes_differ(session);
}

/*
 * A name to write, or NULL.  Ours to change on records we created; others
 * only get one where they have none, when we first meet them.
 */
static const char *
lofty_name_change(const CrmSession *session, LeadField field, const char *ours)
{
	const LoftySync *sync = (const LoftySync *) session->state;
	const char *theirs = NULL;
	char	   *clipped;

	if (lofty_is_blank(ours) || !lofty_differs(session, field))
		return NULL;
	if (sync->record != NULL)
		theirs = field == LEAD_FIELD_FIRST_NAME ?
			sync->record->first_name : sync->record->last_name;
	if (session->link.match != CRM_MATCH_CREATED &&
		(lofty_written_before(session) || !lofty_is_blank(theirs)))
		return NULL;

	clipped = text_clip(ours, LOFTY_MAX_NAME);
	return theirs != NULL && strcmp(theirs, clipped) == 0 ? NULL : clipped;
}

/* Phones and e-mails: the record's and ours, if ours is not among them. */
static void
lofty_plan_keys(const CrmSession *session, LoftyChanges *changes)
{
	const LoftySync *sync = (const LoftySync *) session->state;
	const LoftyRecord *record = sync->record;
	const CrmLead *lead = session->lead;

	if (record == NULL)
		return;
	if (lofty_phone(lead) != NULL && record->phones_whole &&
		lofty_differs(session, LEAD_FIELD_PHONE) &&
		!lofty_record_has_phone(record, lead->phone_key))
		changes->phones = lappend(list_copy(record->phones), lofty_phone(lead));
	if (lead->email != NULL && record->emails_whole &&
		lofty_differs(session, LEAD_FIELD_EMAIL) &&
		!lofty_record_has_email(record, lead->email))
		changes->emails = lappend(list_copy(record->emails), lead->email);
}

/* Tags that the record lacks, as far as we know it. */
static List *
lofty_tag_changes(const CrmSession *session)
{
	const LoftySync *sync = (const LoftySync *) session->state;
	List	   *missing = NIL;
	ListCell   *lc;

	if (!lofty_differs(session, LEAD_FIELD_TAGS))
		return NIL;
	foreach(lc, lofty_tags(session))
	{
		char	   *tag = (char *) lfirst(lc);

		if (sync->record == NULL || !lofty_list_has(sync->record->tags, tag))
			missing = lappend(missing, tag);
	}
	return missing;
}

/*
 * What to write to the linked record.  lofty_needs_record has seen to it that
 * sync->record is there for what depends on it.
 */
static void
lofty_plan(const CrmSession *session, LoftyChanges *changes)
{
	const LoftySync *sync = (const LoftySync *) session->state;
	const CrmLead *lead = session->lead;

	memset(changes, 0, sizeof(*changes));
	if (lead->do_not_contact)
	{
		/* and nothing else: no automation is to wake up over this person */
		changes->flags = sync->record == NULL || !sync->record->flagged;
		changes->any = changes->flags;
		return;
	}

	changes->tags = lofty_tag_changes(session);
	if (session->link.match != CRM_MATCH_SHARED_PHONE)
	{
		changes->first_name = lofty_name_change(session, LEAD_FIELD_FIRST_NAME,
												lead->first_name);
		changes->last_name = lofty_name_change(session, LEAD_FIELD_LAST_NAME,
											   lead->last_name);
		lofty_plan_keys(session, changes);
		changes->property = lofty_has_address(lead) &&
			lofty_address_differs(session) &&
			(lofty_written_before(session) || !sync->record->has_address);
		if (lofty_attributes_differ(session) && sync->record->attributes_whole)
		{
			List	   *ours = lofty_attributes(session);

			if (ours != NIL)
				changes->attributes = lofty_merge_attributes(sync->record, ours);
		}
	}
	changes->any = changes->tags != NIL || changes->property ||
		changes->first_name != NULL || changes->last_name != NULL ||
		changes->phones != NIL || changes->emails != NIL ||
		changes->attributes != NIL;
}

/*
 * The record has all it is to have, the note apart.  This is remembered
 * before the note is sent, so that a failing note does not repeat the write.
 * Of a lead that must not be contacted only the flags were written.
 */
static CrmAction
lofty_written(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;
	CrmLink    *link = &session->link;

	if (session->lead->do_not_contact)
	{
		const int	offset = LEAD_FIELD_DO_NOT_CONTACT * LEAD_DIGEST_LEN;

		if (!link->has_digest)
			memset(link->digest, 0, sizeof(link->digest));
		memcpy(link->digest + offset, sync->digest + offset, LEAD_DIGEST_LEN);
	}
	else
		memcpy(link->digest, sync->digest, sizeof(link->digest));
	link->has_digest = true;
	session->link_changed = true;
	return lofty_note(session);
}

static CrmAction
lofty_update(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;
	LoftyChanges changes;

	if (sync->record == NULL && lofty_needs_record(session))
		return lofty_send_read(session);
	if (lofty_attributes_differ(session) &&
		!session->connection->custom_fields_known)
		return lofty_send_fields(session);

	lofty_plan(session, &changes);
	if (changes.any)
		return lofty_send_update(session, &changes);
	return lofty_written(session);
}

static CrmAction
lofty_note(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;

	if (!lofty_note_pending(session))
		return crm_success(session, sync->write);

	/*
	 * An earlier attempt may have left the note here; so may a merge that
	 * moved it here with the record.
	 */
	if ((session->uncertain || sync->remapping) && !sync->notes_listed)
		return lofty_send_notes(session);
	return lofty_send_note(session);
}


/* ------------------------------------------------------------------------
 * After each step
 * ------------------------------------------------------------------------ */

static CrmAction
lofty_after_me(CrmSession *session, const LoftyAnswer *answer)
{
	JsonbContainer *me = answer->object;
	char	   *first;
	char	   *last;
	char	   *role;
	char	   *name;
	int64		id;
	int64		team_id;

	/* a 200 with a string or without an id is no working connection (3.1) */
	if (me == NULL || !lofty_get_id(me, "id", &id))
		return lofty_unreadable(session);

	session->account_id = lofty_get_id(me, "teamId", &team_id) ?
		psprintf(INT64_FORMAT "/" INT64_FORMAT, team_id, id) :
		psprintf(INT64_FORMAT, id);

	first = json_get_text(me, "firstName");
	last = json_get_text(me, "lastName");
	role = json_get_text(me, "roleName");
	if (!lofty_is_blank(first) && !lofty_is_blank(last))
		name = psprintf("%s %s", first, last);
	else if (!lofty_is_blank(first) || !lofty_is_blank(last))
		name = lofty_is_blank(first) ? last : first;
	else
		name = json_get_text(me, "email");
	if (lofty_is_blank(name))
		name = session->account_id;
	session->account_label = lofty_is_blank(role) ? text_clip(name, 100) :
		psprintf("%s (%s)", text_clip(name, 100), text_clip(role, 40));
	return crm_success(session, CRM_WRITE_NONE);
}

static CrmAction
lofty_after_fields(CrmSession *session, const LoftyAnswer *answer)
{
	JsonbContainer *definitions = answer->array;

	if (definitions == NULL && answer->object != NULL)
		definitions = json_get_array(answer->object, "data");
	if (definitions == NULL)
		return lofty_unreadable(session);
	lofty_keep_definitions(session->connection, definitions);
	return session->link.record_id != NULL ?
		lofty_update(session) : lofty_send_create(session);
}

/*
 * A 2xx without an id may or may not have made a lead: it is searched for
 * later, never posted again (3.3).
 */
static CrmAction
lofty_after_create(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = (LoftySync *) session->state;
	int64		id;

	if (!lofty_answer_id(answer, "leadId", &id) ||
		!lofty_link(session, psprintf(INT64_FORMAT, id), CRM_MATCH_CREATED))
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_record_id",
						"Lofty accepted the lead but did not say under which id.");

	memcpy(session->link.digest, sync->digest, sizeof(session->link.digest));
	session->link.has_digest = true;
	lofty_note_is_sent(session);
	return crm_success(session, CRM_WRITE_CREATED);
}

static CrmAction
lofty_after_read(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = (LoftySync *) session->state;
	JsonbContainer *lead = answer->object ? json_get_object(answer->object, "lead") : NULL;
	LoftyRecord *record = lofty_read_record(lead ? lead : answer->object);

	if (answer->code == LOFTY_LEAD_NOT_EXIST)
		return lofty_missing(session);
	if (record == NULL || record->id != sync->record_id)
		return lofty_unreadable(session);
	sync->record = record;
	return lofty_update(session);
}

/*
 * Any 2xx will do, but for what is no answer of this API; an id must be the
 * one that was asked for (3.4).  The write can be repeated without harm.
 */
static CrmAction
lofty_after_update(CrmSession *session, const LoftyAnswer *answer,
				   const HttpReply *reply)
{
	LoftySync  *sync = (LoftySync *) session->state;
	int64		id;

	if (answer->code == LOFTY_LEAD_NOT_EXIST)
		return lofty_missing(session);
	if (reply->body_len > 0 && answer->object == NULL)
		return lofty_unreadable(session);
	if (lofty_answer_id(answer, "leadId", &id) && id != sync->record_id)
		return lofty_unreadable(session);
	if (sync->write == CRM_WRITE_NONE)
		sync->write = CRM_WRITE_UPDATED;
	return lofty_written(session);
}

static CrmAction
lofty_after_notes(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = (LoftySync *) session->state;
	JsonbContainer *notes = answer->object ? json_get_array(answer->object, "notes") : NULL;
	JsonbValue *value = answer->object ? json_get(answer->object, "notes") : NULL;
	int			length = notes ? json_array_length(notes) : 0;
	char	   *ours = lofty_note_text(session->lead);

	if (answer->code == LOFTY_LEAD_NOT_EXIST)
		return lofty_missing(session);
	if (value == NULL || (notes == NULL && value->type != jbvNull))
		return lofty_unreadable(session);

	sync->notes_listed = true;
	for (int i = 0; i < length; i++)
	{
		JsonbContainer *note = json_value_object(json_array_element(notes, i));
		char	   *content = note ? json_get_text(note, "content") : NULL;

		if (content != NULL && strcmp(content, ours) == 0)
		{
			lofty_note_is_sent(session);
			if (sync->write == CRM_WRITE_NONE)
				sync->write = CRM_WRITE_UPDATED;
			break;
		}
	}
	return lofty_note(session);
}

static CrmAction
lofty_after_note(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = (LoftySync *) session->state;
	int64		id;

	if (answer->code == LOFTY_LEAD_NOT_EXIST)
		return lofty_missing(session);
	if (!lofty_answer_id(answer, "noteId", &id))
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_note_id",
						"Lofty accepted the note but did not say under which id.");
	lofty_note_is_sent(session);
	if (sync->write == CRM_WRITE_NONE)
		sync->write = CRM_WRITE_UPDATED;
	return crm_success(session, sync->write);
}

/* Does "no such lead" have a meaning of its own in this step? */
static bool
lofty_step_may_miss(LoftyStep step)
{
	switch (step)
	{
		case LOFTY_STEP_SEARCH_PHONE:
		case LOFTY_STEP_SEARCH_EMAIL:
		case LOFTY_STEP_READ:
		case LOFTY_STEP_UPDATE:
		case LOFTY_STEP_NOTES:
		case LOFTY_STEP_NOTE:
			return true;
		case LOFTY_STEP_NONE:
		case LOFTY_STEP_ME:
		case LOFTY_STEP_FIELDS:
		case LOFTY_STEP_CREATE:
			return false;
	}
	return false;
}

static CrmAction
lofty_step(CrmSession *session, const HttpReply *reply)
{
	LoftyStep	step = (LoftyStep) session->step;
	LoftyAnswer answer;

	if (crm_transport_failed(session, reply))
		return CRM_ACTION_DONE;
	lofty_read_answer(reply, &answer);
	if (answer.refused &&
		!(answer.code == LOFTY_LEAD_NOT_EXIST && lofty_step_may_miss(step)))
		return lofty_refuse(session, &answer);

	switch (step)
	{
		case LOFTY_STEP_ME:
			return lofty_after_me(session, &answer);
		case LOFTY_STEP_SEARCH_PHONE:
		case LOFTY_STEP_SEARCH_EMAIL:
			return lofty_after_search(session, &answer);
		case LOFTY_STEP_FIELDS:
			return lofty_after_fields(session, &answer);
		case LOFTY_STEP_CREATE:
			return lofty_after_create(session, &answer);
		case LOFTY_STEP_READ:
			return lofty_after_read(session, &answer);
		case LOFTY_STEP_UPDATE:
			return lofty_after_update(session, &answer, reply);
		case LOFTY_STEP_NOTES:
			return lofty_after_notes(session, &answer);
		case LOFTY_STEP_NOTE:
			return lofty_after_note(session, &answer);
		case LOFTY_STEP_NONE:
			break;
	}
	return lofty_unreadable(session);	/* not reached */
}


/* ------------------------------------------------------------------------
 * The provider's functions
 * ------------------------------------------------------------------------ */

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

/*
 * Keys are JWS strings today and were something else before: only what could
 * break out of a header is refused (1).
 */
static const char *
lofty_check_api_key(const char *key)
{
	size_t		len = key ? strlen(key) : 0;

	if (len == 0)
		return "The API key is empty.";
	if (len > LOFTY_MAX_API_KEY)
		return "The API key is longer than 4096 bytes.";
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) key[i];

		if (c <= ' ' || c == 0x7f)
			return "The API key contains a space, a line break or a control character.";
	}
	return NULL;
}

/* A lead that has a record already. */
static CrmAction
lofty_begin_linked(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) session->state;
	bool		changed = false;

	if (!lofty_parse_id(session->link.record_id, &sync->record_id))
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "bad_record_id",
						"The stored id of this lead's record is not one of Lofty's.");

	if (session->lead->do_not_contact)
		changed = lofty_differs(session, LEAD_FIELD_DO_NOT_CONTACT);
	else
	{
		for (int field = 0; field < LEAD_FIELD_COUNT; field++)
			changed = changed || lofty_differs(session, (LeadField) field);
		changed = changed || lofty_note_pending(session);
	}
	return changed ? lofty_update(session) : crm_skip(session, REFUSAL_UNCHANGED);
}

static CrmAction
lofty_begin_sync(CrmSession *session)
{
	LoftySync  *sync = (LoftySync *) palloc0(sizeof(LoftySync));

	session->state = sync;
	lead_digest(session->lead, session->connection->settings, sync->digest);

	if (session->link.record_id == NULL && session->local_match != NULL &&
		!lofty_link(session, session->local_match, session->local_match_kind))
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "bad_record_id",
						"The stored id of a matching record is not one of Lofty's.");
	if (session->link.record_id != NULL)
		return lofty_begin_linked(session);

	/*
	 * People who must not be contacted are not put into a CRM.  If a create
	 * of ours may have put one there, it is looked for, to raise the flags.
	 */
	if (session->lead->do_not_contact && !session->uncertain)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);
	return lofty_search(session);
}

static CrmAction
lofty_begin(CrmSession *session)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action = CRM_ACTION_NONE;

	switch (session->task)
	{
		case CRM_TASK_SYNC:
			action = lofty_begin_sync(session);
			break;
		case CRM_TASK_TEST:
			lofty_request(session, LOFTY_STEP_ME, "GET", "/me");
			action = CRM_ACTION_SEND;
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

static CrmAction
lofty_next(CrmSession *session, const HttpReply *reply)
{
	MemoryContext old_context = MemoryContextSwitchTo(session->context);
	CrmAction	action = lofty_step(session, reply);

	if (action == CRM_ACTION_DONE && session->outcome.http_status == 0)
		session->outcome.http_status = reply->status;
	MemoryContextSwitchTo(old_context);
	return action;
}

/* The number that a header starts with; -1 when there is none. */
static int64
lofty_header_number(const HttpReply *reply, const char *name)
{
	const char *value = http_reply_header(reply, name);
	size_t		digits = value ? strspn(value, "0123456789") : 0;

	/* fifteen digits hold every epoch in milliseconds there will be */
	if (digits == 0 || digits > 15)
		return -1;
	return strtoll(value, NULL, 10);
}

/*
 * Milliseconds until the window is over.  The unit of X-RateLimit-Reset is
 * not certain: documented as epoch seconds, with a sample that looks like
 * milliseconds left.  Read by size, and never believed beyond 1 s to 120 s
 * (2).
 */
static int
lofty_reset_ms(int64 reset, int64 now_unix)
{
	int64		wait_ms;

	if (reset >= INT64CONST(1000000000000))
		wait_ms = reset - now_unix * 1000;
	else if (reset >= INT64CONST(1000000000))
		wait_ms = (reset - now_unix) * 1000;
	else if (reset > 120)
		wait_ms = reset;
	else
		wait_ms = reset * 1000;
	return (int) Min(Max(wait_ms, 1000), 120000);
}

/*
 * Retry-After, then X-RateLimit-Reset; a 429 with neither means the rest of a
 * window that we do not see the end of.
 */
static void
lofty_limit_hint(const HttpReply *reply, int limit_context, CrmLimitHint *hint)
{
	int64		limit = lofty_header_number(reply, "x-ratelimit-limit");
	int64		remaining = lofty_header_number(reply, "x-ratelimit-remaining");
	int64		reset = lofty_header_number(reply, "x-ratelimit-reset");
	const char *retry_after = http_reply_header(reply, "retry-after");

	/* limits are read outside of any session, which would know the time */
	int64		now_unix = (int64) time(NULL);

	hint->limit_context = limit_context;
	hint->limit = limit > 0 && limit <= INT_MAX ? (int) limit : -1;
	hint->remaining = remaining >= 0 && remaining <= INT_MAX ? (int) remaining : -1;
	hint->reset_ms = -1;
	if (retry_after != NULL)
		hint->reset_ms = crm_retry_after_ms(retry_after, now_unix);
	if (hint->reset_ms < 0 && reset >= 0)
		hint->reset_ms = lofty_reset_ms(reset, now_unix);
	if (hint->reset_ms < 0 && reply->status == 429)
		hint->reset_ms = 60000;
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
	.authorize = lofty_authorize,
	.check_api_key = lofty_check_api_key,
	.authorize_url = NULL,
	.begin = lofty_begin,
	.next = lofty_next,
	.limit_hint = lofty_limit_hint
};

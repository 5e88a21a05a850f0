/*
 * kvcore.c
 *		kvCORE (also sold as BoldTrail), its Public API V2, by API token.
 *
 * EXPERIMENTAL: never tried against kvCORE itself.  The vendor's own pages
 * (developer.insiderealestate.com/publicv2) were not at hand.  What follows is
 * from public material that quotes them or uses the API:
 *
 * [1] help.insiderealestate.com, article 4263959: where a user makes a token,
 *     its scopes, that it lasts a year.
 * [2] github.com/segevsh/w6w-apps, apps/kvcore: written from the vendor's
 *     OpenAPI document in September 2026.  Paths, fields, filters, paging,
 *     errors; "search then create", since duplicates are allowed; that a new
 *     contact may be unknown to /action/note for 30 seconds.
 * [3] github.com/ryandekker/boldtrail: a client; the same paths and fields.
 * [4] github.com/InnovaSalesLab-Dev/sally_love_real_estate: the list of the
 *     vendor's reference pages; no filter for phone numbers.
 * [5] two small programs in use, found by searching public code for
 *     "v2/public/contact": 409 for an e-mail address that is known, `phone`
 *     silently dropped, PUT of single fields, and a person who had declined
 *     and was texted by the automations that a new lead starts.
 *
 * Where they are silent or disagree, the safe reading is taken:
 *
 * - A lead is found by its e-mail address only, and one without is not sent:
 *   it could be neither searched for nor created, for which [2] and [4] say
 *   that an address is required.  None is made up.  A lead whose phone number
 *   another lead of the connection has goes to that lead's contact.
 * - The filter finds addresses that begin with the one asked for [2], and who
 *   knows what it does with one it does not like: only equal ones count, and
 *   only if all that was found was shown.
 * - Whether a contact can be flagged for good as not to be called is not known:
 *   email_optin, phone_on and text_on are documented [2], but [5] found nothing
 *   that holds the automations.  So flags_records is false, and such people
 *   are not sent.
 * - New contacts get neither automated e-mails nor automated texts, which are
 *   on unless said otherwise [2]: nobody has asked for them.
 * - Nothing that an agent has entered is replaced.  There are three places for
 *   phone numbers and two for e-mail addresses: ours go where nothing is.
 * - Tags are hashtags, single words.  They go through /tags, which adds [2];
 *   `hashtags` of a create is ignored, some say.
 *
 * Not here: custom fields, of which the public API seems to know nothing; OAuth,
 * which is not open to everybody [2]; statuses, deletes and webhooks.
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "common/base64.h"

#include "config/settings.h"
#include "crm/credential.h"
#include "crm/crm.h"
#include "crm/json.h"
#include "crm/record.h"
#include "crm/reply.h"

/* No length is documented: what is taken elsewhere. */
#define KVCORE_MAX_TOKEN	4096
#define KVCORE_MAX_NAME		100
#define KVCORE_MAX_TAG		64
#define KVCORE_MAX_NOTE		2000

/* A create must have both names [2]. */
#define KVCORE_NO_NAME		"Unknown"

/* Pages may have up to 500 [2]; more than a few hits are no answer anyway. */
#define KVCORE_PAGE			100

/* How long a new contact may be unknown: 30 s [2], and a good deal more. */
#define KVCORE_LAG_MS		(5 * 60 * 1000)
#define KVCORE_LAG_STEP_MS	2000

static char *kvcore_api_url;
static int	kvcore_rate_limit;	/* calls a minute */

/*
 * What the request on its way is for, and what can follow.  "write" stands
 * for the first of READ, UPDATE, TAGS, NOTES, NOTE that is needed, or the end.
 */
typedef enum KvcoreStep
{
	KVCORE_STEP_NONE = 0,
	KVCORE_STEP_TEST,			/* -> done */
	KVCORE_STEP_SEARCH,			/* -> CREATE, write */
	KVCORE_STEP_CREATE,			/* -> write */
	KVCORE_STEP_READ,			/* the linked contact -> write, SEARCH */
	KVCORE_STEP_UPDATE,			/* -> write, SEARCH */
	KVCORE_STEP_TAGS,			/* -> write, SEARCH */
	KVCORE_STEP_NOTES,			/* did an uncertain note arrive -> NOTE, done,
								 * SEARCH */
	KVCORE_STEP_NOTE			/* -> done, SEARCH */
} KvcoreStep;

/* CrmSession.state of CRM_TASK_SYNC. */
typedef struct KvcoreSync
{
	JsonbContainer *contact;	/* the linked one, if it was read */
	bool		fields_done;	/* it has names, numbers and address */
	bool		tags_done;
	bool		searched_again; /* the linked one was missing */
	bool		notes_listed;	/* KVCORE_STEP_NOTES is behind us */
} KvcoreSync;

/* A reply, read. */
typedef struct KvcoreAnswer
{
	int			status;
	bool		is_json;
	bool		is_empty;		/* no body */
	bool		refused;		/* status or body say that it was not done */
	JsonbContainer *object;		/* NULL when the body is none */
	JsonbContainer *array;		/* likewise */
} KvcoreAnswer;

static CrmAction create_contact(CrmSession *session);
static CrmAction write_contact(CrmSession *session);

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------ */

/* Start a request; returns its body.  The content type goes with a GET too [2]. */
static StringInfo
start(CrmSession *session, KvcoreStep step, const char *method, const char *path)
{
	crm_request_start(session, method, session->connection->api_url, path);
	session->request.content_type = "application/json";
	session->request.extra_headers = lappend(session->request.extra_headers,
											 "Accept: application/json");
	session->step = step;
	return &session->request.body;
}

/* Likewise one about the linked contact: "/contact/<id><rest>". */
static StringInfo
start_linked(CrmSession *session, KvcoreStep step, const char *method, const char *rest)
{
	return start(session, step, method, psprintf("/contact/%s%s", session->link.record_id, rest));
}

static List *
kvcore_authorize(const CrmConnection *connection, List *headers)
{
	if (connection->credential.secret == NULL)
		return headers;
	return lappend(headers, psprintf("Authorization: Bearer %s",
									 connection->credential.secret));
}

static const char *
kvcore_check_api_key(const char *key)
{
	return credential_check_api_key(key, KVCORE_MAX_TOKEN);
}

/* ------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------ */

/*
 * Errors are {"errors": [...]} or {"errors": {field: [...]}} [2], with a
 * status that says so; should one ever come with 200, it is one all the same.
 */
static void
read_answer(const HttpReply *reply, KvcoreAnswer *answer)
{
	Jsonb	   *json = json_parse(reply->body, reply->body_len);
	JsonbValue *errors;

	memset(answer, 0, sizeof(*answer));
	answer->status = reply->status;
	answer->is_json = (json != NULL);
	answer->is_empty = (reply->body_len == 0);
	if (json != NULL && JsonContainerIsObject(&json->root))
		answer->object = &json->root;
	else if (json != NULL && !JsonContainerIsScalar(&json->root))
		answer->array = &json->root;
	errors = json_get(answer->object, "errors");
	answer->refused = (reply->status < 200 || reply->status > 299 ||
					   (errors != NULL && errors->type == jbvBinary &&
						JsonContainerSize(errors->val.binary.data) > 0));
}

/* What a list holds: a page's "data" [2], or bare. */
static JsonbContainer *
list_of(const KvcoreAnswer *answer)
{
	return answer->array ? answer->array : json_get_array(answer->object, "data");
}

/* Is the list all there is?  -1 would be a page that does not say. */
static bool
list_is_whole(const KvcoreAnswer *answer, int page)
{
	int			length = json_array_length(list_of(answer));
	int64		total;

	if (json_get_int64(answer->object, "total", &total))
		return total <= length;
	return length < page;
}

static bool
get_id(JsonbContainer *contact, int64 *id)
{
	return json_get_int64(contact, "id", id) && *id > 0;
}

/* A single contact comes bare [2]; some have seen it wrapped. */
static JsonbContainer *
contact_of(const KvcoreAnswer *answer)
{
	static const char *const wrappers[] = {"data", "contact"};
	int64		id;

	if (get_id(answer->object, &id))
		return answer->object;
	for (int i = 0; i < lengthof(wrappers); i++)
	{
		JsonbContainer *inner = json_get_object(answer->object, wrappers[i]);

		if (get_id(inner, &id))
			return inner;
	}
	return NULL;
}

/* Of our writes we need to know no more than that they were taken. */
static bool
acknowledged(const KvcoreAnswer *answer)
{
	return answer->is_empty || answer->object != NULL || answer->array != NULL;
}

/* A reply that crm_transport_failed let through and that says no. */
static CrmAction
refused(CrmSession *session, const KvcoreAnswer *answer)
{
	if (answer->status == 401)
		return crm_fail(session, CRM_ERROR_CREDENTIAL, "http_401",
						"kvCORE does not accept this API token.");
	if (answer->status == 403 && !answer->is_json)
		return crm_fail(session, CRM_ERROR_CONNECTION, "waf",
						"Something in front of kvCORE's API refused the request.");

	/* tokens have scopes [1]: one without contacts is of no use here */
	if (answer->status == 403 &&
		(session->step == KVCORE_STEP_TEST || session->step == KVCORE_STEP_SEARCH))
		return crm_fail(session, CRM_ERROR_CREDENTIAL, "kvcore_scope",
						"This kvCORE API token may not read contacts: it needs the scope Contacts or All.");
	if (answer->status == 403)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "kvcore_forbidden",
						"The kvCORE user of this API token may not do this.");
	if (answer->status == 404)
		return crm_fail(session, CRM_ERROR_CONNECTION, "wrong_url",
						"kvCORE does not know this API address: check echosync.kvcore_api_url.");
	return crm_fail(session, CRM_ERROR_LEAD_FINAL, psprintf("http_%d", answer->status),
					"kvCORE refused the request.");
}

/* ------------------------------------------------------------------------
 * Whose token is it?
 * ------------------------------------------------------------------------ */

/*
 * There is no call that every token may make and that says whose it is [2].
 * But tokens are JSON Web Tokens: their middle part names the user.  It is
 * not verified, and decides no more than whether old links are kept.  NULL if
 * there is none.
 */
static char *
token_subject(const char *token)
{
	const char *payload = strchr(token, '.');
	const char *end = payload ? strchr(payload + 1, '.') : NULL;
	StringInfoData encoded;
	char	   *plain;
	int			len;
	Jsonb	   *claims;
	char	   *subject;

	if (end == NULL)
		return NULL;
	initStringInfo(&encoded);
	for (const char *c = payload + 1; c < end; c++)
		appendStringInfoChar(&encoded, *c == '-' ? '+' : *c == '_' ? '/' : *c);
	while (encoded.len % 4 != 0)
		appendStringInfoChar(&encoded, '=');

	len = pg_b64_dec_len(encoded.len);
	plain = palloc(len + 1);
	/* void: what is decoded is char in 15 and uint8 from 18 on */
	len = pg_b64_decode(encoded.data, encoded.len, (void *) plain, len);
	claims = len > 0 ? json_parse(plain, len) : NULL;
	if (claims == NULL || !JB_ROOT_IS_OBJECT(claims))
		return NULL;
	subject = json_get_text(&claims->root, "sub");
	return text_is_blank(subject) ? NULL : text_clip(subject, 60);
}

static CrmAction
test_reply(CrmSession *session, const KvcoreAnswer *answer)
{
	if (list_of(answer) == NULL)
		return reply_unreadable(session);
	if (session->connection->credential.secret != NULL) /* it may be gone meanwhile */
		session->account_id = token_subject(session->connection->credential.secret);
	if (session->account_id != NULL)
		session->account_label = psprintf("kvCORE user %s", session->account_id);
	return crm_success(session, CRM_WRITE_NONE);
}

/* ------------------------------------------------------------------------
 * Finding the contact
 * ------------------------------------------------------------------------ */

/* Point the link at a contact of which we wrote nothing yet. */
static void
link_contact(CrmSession *session, char *id, CrmMatch match)
{
	const char *known = session->link.record_id;

	if (known == NULL || strcmp(known, id) != 0)
		memset(session->link.note_digest, 0, LEAD_DIGEST_LEN);
	record_link(session, id, match);
}

static CrmAction
contact_gone(CrmSession *session)
{
	return crm_fail(session, CRM_ERROR_LEAD_FINAL, "kvcore_gone",
					"kvCORE does not show the record of this lead any more: it was deleted, merged or handed over.");
}

/* Archived contacts count: creating them again would undo the archiving. */
static CrmAction
search(CrmSession *session)
{
	KvcoreSync *sync = session->state;
	StringInfoData path;

	if (session->lead->email == NULL)
		return sync->searched_again ? contact_gone(session) :
			crm_skip(session, REFUSAL_NO_CONTACT_KEY);
	initStringInfo(&path);
	appendStringInfoString(&path, "/contacts?filter%5Bemail%5D=");
	url_encode(&path, session->lead->email);
	appendStringInfo(&path, "&includeArchived=1&limit=%d", KVCORE_PAGE);
	start(session, KVCORE_STEP_SEARCH, "GET", path.data);
	return CRM_ACTION_SEND;
}

/*
 * 404 on the linked contact.  A young one is waited for, each time as long as
 * it is old; an older one is searched for, once.  It is not created again:
 * somebody may have deleted it, or handed it to a colleague.
 */
static CrmAction
contact_missing(CrmSession *session)
{
	KvcoreSync *sync = session->state;
	int64		age_ms = (session->now - session->link.created_at) / 1000;

	if (age_ms < KVCORE_LAG_MS)
	{
		CrmAction	action = crm_fail(session, CRM_ERROR_LEAD_RETRY, "kvcore_not_visible_yet",
									  "kvCORE does not show this new record yet.");

		session->outcome.retry_after_ms = (int) Max(age_ms, KVCORE_LAG_STEP_MS);
		return action;
	}
	if (sync->searched_again)
		return contact_gone(session);
	sync->searched_again = true;
	sync->contact = NULL;
	sync->fields_done = sync->tags_done = false;
	return search(session);
}

/* A name that we wrote for want of one is none. */
static char *
contact_name(JsonbContainer *contact, const char *key)
{
	char	   *name = json_get_text(contact, key);

	return name == NULL || strcmp(name, KVCORE_NO_NAME) == 0 ? NULL : name;
}

/*
 * Exactly one contact has our e-mail address.  If a create of ours may have
 * happened it is the one, since the search before that create found none, unless
 * it has a stranger's name.
 */
static CrmAction
take_contact(CrmSession *session, int64 id, JsonbContainer *contact)
{
	KvcoreSync *sync = session->state;
	char	   *id_text = psprintf(INT64_FORMAT, id);
	CrmMatch	match = record_match(false, true, crm_names_compare(session->lead, contact_name(contact, "first_name"),
																	contact_name(contact, "last_name")));
	bool		ours = session->uncertain && !sync->searched_again && !crm_match_is_shared(match);

	if (sync->searched_again && strcmp(id_text, session->link.record_id) == 0)
		return contact_gone(session);
	link_contact(session, id_text, ours ? CRM_MATCH_CREATED : match);
	if (ours)
		session->write = CRM_WRITE_CREATED;
	return write_contact(session);
}

/* Nobody has it, one, or nothing can be said. */
static CrmAction
search_reply(CrmSession *session, const KvcoreAnswer *answer)
{
	KvcoreSync *sync = session->state;
	JsonbContainer *list = list_of(answer);
	const char *email = session->lead->email;
	JsonbContainer *found_contact = NULL;
	int64		found = 0;

	if (list == NULL)
		return reply_unreadable(session);
	for (int i = 0; i < json_array_length(list); i++)
	{
		JsonbContainer *contact = json_value_object(json_array_element(list, i));
		int64		id;

		/* one that does not say its address may have ours */
		if (!get_id(contact, &id) || json_get(contact, "email") == NULL)
			return reply_unreadable(session);
		if (!record_same_text(email, json_get_text(contact, "email")) &&
			!record_same_text(email, json_get_text(contact, "second_email")))
			continue;
		if (found != 0 && found != id)
		{
			record_searched(session);
			return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
		}
		found = id;
		found_contact = contact;
	}
	if (!list_is_whole(answer, KVCORE_PAGE))
		return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
	record_searched(session);
	if (found != 0)
		return take_contact(session, found, found_contact);
	return sync->searched_again ? contact_gone(session) : create_contact(session);
}

/* ------------------------------------------------------------------------
 * Creating one
 * ------------------------------------------------------------------------ */

static const char *const address_keys[] = {
	"primary_address", "primary_city", "primary_state", "primary_zip"
};

static void
put_address(StringInfo body, const CrmLead *lead)
{
	const char *const parts[] = {lead->address, lead->city, lead->state, lead->zip_code};

	for (int i = 0; i < lengthof(parts); i++)
	{
		if (!text_is_blank(parts[i]))
			json_key_string(body, address_keys[i], parts[i]);
	}
}

static void
put_new_name(StringInfo body, const char *key, const char *name)
{
	json_key_string(body, key, text_is_blank(name) ? KVCORE_NO_NAME :
					text_clip(name, KVCORE_MAX_NAME));
}

static CrmAction
create_contact(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	int64		assigned = session->connection->settings->assigned_user_id;
	StringInfo	body;

	if (session->resolve_only)
		return crm_success(session, CRM_WRITE_NONE);
	body = start(session, KVCORE_STEP_CREATE, "POST", "/contact");
	session->request.creates = true;

	json_object_start(body);
	put_new_name(body, "first_name", lead->first_name);
	put_new_name(body, "last_name", lead->last_name);
	json_key_string(body, "email", lead->email);
	json_key_string(body, "cell_phone_1", lead->phone);
	put_address(body, lead);
	json_key_string(body, "source", record_source(session));
	if (assigned > 0)
		json_key_string(body, "assigned_agent_id", psprintf(INT64_FORMAT, assigned));
	json_key_int64(body, "email_optin", 0);
	json_key_int64(body, "text_on", 0);
	json_object_end(body);
	return CRM_ACTION_SEND;
}

static CrmAction
create_reply(CrmSession *session, const KvcoreAnswer *answer)
{
	KvcoreSync *sync = session->state;
	JsonbContainer *contact = contact_of(answer);
	int64		id;

	if (!get_id(contact, &id))
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_record_id",
						"kvCORE accepted the lead but did not say under which id.");
	link_contact(session, psprintf(INT64_FORMAT, id), CRM_MATCH_CREATED);
	session->write = CRM_WRITE_CREATED;
	sync->fields_done = true;
	return write_contact(session);
}

/*
 * 409: somebody has this address whom the search did not show [5].  If our
 * own create may have happened, it is probably that one, not shown yet.
 */
static CrmAction
create_conflict(CrmSession *session)
{
	if (session->uncertain)
		return crm_fail(session, CRM_ERROR_LEAD_RETRY, "kvcore_not_visible_yet",
						"kvCORE does not show this new record yet.");
	return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
}

/* ------------------------------------------------------------------------
 * Writing to the linked one
 * ------------------------------------------------------------------------ */

/* Must the contact be read before it can be written? */
static bool
needs_contact(const CrmSession *session)
{
	const CrmLead *lead = session->lead;

	if (crm_match_is_shared(session->link.match))
		return false;
	if (!session->link.has_digest)
		return true;
	return (lead->phone != NULL && record_field_changed(session, LEAD_FIELD_PHONE)) ||
		(lead->email != NULL && record_field_changed(session, LEAD_FIELD_EMAIL)) ||
		(session->link.match != CRM_MATCH_CREATED &&
		 record_gets_address(lead) && record_address_changed(session));
}

/*
 * A name, if it is ours to write: on contacts that we created; others get one
 * where they have none, when we first meet them.
 */
static void
put_name(CrmSession *session, StringInfo body, LeadField field, const char *key,
		 const char *ours)
{
	KvcoreSync *sync = session->state;
	char	   *theirs = json_get_text(sync->contact, key);
	char	   *clipped;

	if (text_is_blank(ours) || !record_field_changed(session, field))
		return;
	if (session->link.match != CRM_MATCH_CREATED &&
		(session->link.has_digest || !text_is_blank(theirs)))
		return;
	clipped = text_clip(ours, KVCORE_MAX_NAME);
	if (theirs == NULL || strcmp(theirs, clipped) != 0)
		json_key_string(body, key, clipped);
}

static bool
same_email(const CrmLead *lead, const char *theirs)
{
	return record_same_text(lead->email, theirs);
}

/*
 * Into the first of n_places keys under which there is nothing, unless it is
 * there under any of them.  If all are taken, nowhere, and false.
 */
static bool
put_beside(JsonbContainer *contact, StringInfo body, const CrmLead *lead, const char *value,
		   const char *const *keys, int n_keys, int n_places,
		   bool (*same) (const CrmLead *lead, const char *theirs))
{
	for (int i = 0; i < n_keys; i++)
	{
		if (same(lead, json_get_text(contact, keys[i])))
			return true;
	}
	for (int i = 0; i < n_places; i++)
	{
		if (text_is_blank(json_get_text(contact, keys[i])))
		{
			json_key_string(body, keys[i], value);
			return true;
		}
	}
	return false;
}

/* cell_phone_2 is seen in contacts [5], and in no list of what can be written. */
static void
put_keys(CrmSession *session, StringInfo body)
{
	static const char *const phones[] = {"cell_phone_1", "home_phone", "work_phone", "cell_phone_2"};
	static const char *const emails[] = {"email", "second_email"};
	KvcoreSync *sync = session->state;
	const CrmLead *lead = session->lead;

	if (sync->contact == NULL)
		return;
	if (lead->phone != NULL && record_field_changed(session, LEAD_FIELD_PHONE) &&
		!put_beside(sync->contact, body, lead, lead->phone, phones, 4, 3, record_same_phone))
		record_withhold(session, LEAD_FIELD_PHONE);
	if (lead->email != NULL && record_field_changed(session, LEAD_FIELD_EMAIL) &&
		!put_beside(sync->contact, body, lead, lead->email, emails, 2, 2, same_email))
		record_withhold(session, LEAD_FIELD_EMAIL);
}

static void
withhold_others(CrmSession *session)
{
	KvcoreSync *sync = session->state;

	record_withhold_others(session, !session->link.has_digest,
						   sync->contact != NULL &&
						   crm_names_agree(session->lead, json_get_text(sync->contact, "first_name"),
										   json_get_text(sync->contact, "last_name")));
}

static bool
has_address(JsonbContainer *contact)
{
	for (int i = 0; i < lengthof(address_keys); i++)
	{
		if (!text_is_blank(json_get_text(contact, address_keys[i])))
			return true;
	}
	return false;
}

/* What changed, as the members of an object; PUT leaves the rest alone [5]. */
static void
put_changes(CrmSession *session, StringInfo body)
{
	KvcoreSync *sync = session->state;
	const CrmLead *lead = session->lead;

	withhold_others(session);
	if (crm_match_is_shared(session->link.match))
		return;
	put_name(session, body, LEAD_FIELD_FIRST_NAME, "first_name", lead->first_name);
	put_name(session, body, LEAD_FIELD_LAST_NAME, "last_name", lead->last_name);
	put_keys(session, body);
	if (record_address_changed(session) &&
		(!has_address(sync->contact) ||
		 (session->link.match == CRM_MATCH_CREATED && session->link.has_digest)))
		put_address(body, lead);
}

/* A tag as a hashtag: letters, digits and underscores, with single hyphens. */
static char *
hashtag(const char *tag)
{
	StringInfoData word;
	bool		gap = false;

	initStringInfo(&word);
	for (; *tag != '\0'; tag++)
	{
		if (!IS_HIGHBIT_SET(*tag) && *tag != '_' && !isalnum((unsigned char) *tag))
		{
			gap = word.len > 0;
			continue;
		}
		if (gap)
			appendStringInfoChar(&word, '-');
		appendStringInfoChar(&word, *tag);
		gap = false;
	}
	return word.data;
}

/* The tags that the contact is to have, as hashtags. */
static List *
hashtags(const CrmSession *session)
{
	List	   *words = NIL;
	ListCell   *lc;

	foreach(lc, record_tags(session, KVCORE_MAX_TAG))
		words = record_add_tags(words, list_make1(hashtag((const char *) lfirst(lc))),
								KVCORE_MAX_TAG);
	return words;
}

static bool
send_fields(CrmSession *session)
{
	StringInfo	body = start_linked(session, KVCORE_STEP_UPDATE, "PUT", "");

	json_object_start(body);
	put_changes(session, body);
	json_object_end(body);
	return strcmp(body->data, "{}") != 0;
}

static bool
send_tags(CrmSession *session)
{
	List	   *words = hashtags(session);
	StringInfo	body;
	ListCell   *lc;

	if (words == NIL || !record_field_changed(session, LEAD_FIELD_TAGS))
		return false;
	body = start_linked(session, KVCORE_STEP_TAGS, "PUT", "/tags");
	json_object_start(body);
	json_key(body, "tags");
	json_array_start(body);
	foreach(lc, words)
	{
		json_object_start(body);
		json_key_string(body, "name", (const char *) lfirst(lc));
		json_key_int64(body, "locked", 0);	/* agents may take it off */
		json_object_end(body);
	}
	json_array_end(body);
	json_object_end(body);
	return true;
}

/* ------------------------------------------------------------------------
 * The note, which comes last
 * ------------------------------------------------------------------------ */

/*
 * As it is sent, NULL for none.  kvCORE makes tags of hashtags in a note [2],
 * so that "Apt #5" would tag the contact: no "#" stays before a word.
 */
static char *
note_text(const CrmLead *lead)
{
	StringInfoData text;

	if (text_is_blank(lead->notes))
		return NULL;
	initStringInfo(&text);
	for (const char *c = lead->notes; *c != '\0'; c++)
	{
		appendStringInfoChar(&text, *c);
		if (*c == '#' && c[1] != '\0' && strchr(TEXT_SPACES, c[1]) == NULL)
			appendStringInfoChar(&text, ' ');
	}
	return text_clip(text.data, KVCORE_MAX_NOTE);
}

static CrmAction
note_sent(CrmSession *session)
{
	record_note_sent(session, note_text(session->lead));
	session->link_changed = true;
	record_updated(session);
	return crm_success(session, session->write);
}

/* After any doubt the contact's notes are listed before one is sent. */
static CrmAction
finish_note(CrmSession *session)
{
	KvcoreSync *sync = session->state;
	char	   *note = note_text(session->lead);
	StringInfo	body;

	if (!record_note_due(session, note))
		return crm_success(session, session->write);
	if ((session->uncertain || session->repeated || sync->searched_again) && !sync->notes_listed)
	{
		start_linked(session, KVCORE_STEP_NOTES, "GET", "/action/note");
		return CRM_ACTION_SEND;
	}
	body = start_linked(session, KVCORE_STEP_NOTE, "PUT", "/action/note");
	session->request.creates = true;
	json_object_start(body);
	json_key_string(body, "details", note);
	json_object_end(body);
	return CRM_ACTION_SEND;
}

static CrmAction
notes_reply(CrmSession *session, const KvcoreAnswer *answer)
{
	KvcoreSync *sync = session->state;
	JsonbContainer *notes = list_of(answer);
	char	   *ours = note_text(session->lead);

	if (notes == NULL)
		return reply_unreadable(session);
	for (int i = 0; i < json_array_length(notes); i++)
	{
		JsonbContainer *note = json_value_object(json_array_element(notes, i));

		if (record_same_text(ours, json_get_text(note, "details")))
			return note_sent(session);
	}
	if (!list_is_whole(answer, INT_MAX))
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "kvcore_note_unsure",
						"kvCORE shows some of the notes only, so that nothing says whether this one has arrived.");
	sync->notes_listed = true;
	session->searched = true;
	return finish_note(session);
}

static CrmAction
note_reply(CrmSession *session, const KvcoreAnswer *answer)
{
	int64		id;

	if (!get_id(contact_of(answer), &id))
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_note_id",
						"kvCORE accepted the note but did not say under which id.");
	return note_sent(session);
}

/* ------------------------------------------------------------------------
 * The course of a session
 * ------------------------------------------------------------------------ */

/*
 * The linked contact: what it lacks, then the tags, then the note.  The digest
 * is kept when the first two are done, so that a failing note repeats neither.
 */
static CrmAction
write_contact(CrmSession *session)
{
	KvcoreSync *sync = session->state;

	if (!sync->fields_done)
	{
		if (sync->contact == NULL && needs_contact(session))
		{
			start_linked(session, KVCORE_STEP_READ, "GET", "");
			return CRM_ACTION_SEND;
		}
		if (send_fields(session))
			return CRM_ACTION_SEND;
		sync->fields_done = true;
	}
	if (!sync->tags_done && send_tags(session))
		return CRM_ACTION_SEND;
	record_written(session);
	return finish_note(session);
}

static CrmAction
read_reply(CrmSession *session, const KvcoreAnswer *answer)
{
	KvcoreSync *sync = session->state;

	sync->contact = contact_of(answer);
	if (sync->contact == NULL)
		return reply_unreadable(session);
	return write_contact(session);
}

/* UPDATE and TAGS: both can be repeated without harm. */
static CrmAction
write_reply(CrmSession *session, const KvcoreAnswer *answer, bool *done)
{
	if (!acknowledged(answer))
		return reply_unreadable(session);
	*done = true;
	record_updated(session);
	return write_contact(session);
}

static CrmAction
begin_linked(CrmSession *session)
{
	const char *id = session->link.record_id;

	if (id[0] == '\0' || id[strspn(id, "0123456789")] != '\0')
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "bad_record_id",
						"The stored id of this lead's record is not one of kvCORE's.");
	if (record_changed(session))
		return write_contact(session);
	if (record_note_due(session, note_text(session->lead)))
		return finish_note(session);
	return crm_skip(session, REFUSAL_UNCHANGED);
}

static CrmAction
begin_sync(CrmSession *session)
{
	session->state = palloc0(sizeof(KvcoreSync));
	record_begin(session);
	if (session->lead->do_not_contact)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);
	if (session->link.record_id == NULL && session->local_match != NULL)
		link_contact(session, pstrdup(session->local_match), session->local_match_kind);
	return session->link.record_id != NULL ? begin_linked(session) : search(session);
}

static CrmAction
kvcore_begin(CrmSession *session)
{
	switch (session->task)
	{
		case CRM_TASK_SYNC:
			return begin_sync(session);
		case CRM_TASK_TEST:
			start(session, KVCORE_STEP_TEST, "GET", "/contacts?limit=1");
			return CRM_ACTION_SEND;
		case CRM_TASK_NONE:
		case CRM_TASK_EXCHANGE:
		case CRM_TASK_REFRESH:
			break;
	}
	return crm_fail(session, CRM_ERROR_CREDENTIAL, "no_oauth",
					"kvCORE is connected by API token, not by OAuth.");
}

/* Steps about the linked contact, which may be gone. */
static bool
is_about_contact(KvcoreStep step)
{
	return step >= KVCORE_STEP_READ && step <= KVCORE_STEP_NOTE;
}

static CrmAction
after_step(CrmSession *session, const HttpReply *reply)
{
	KvcoreSync *sync = session->state;
	KvcoreStep	step = (KvcoreStep) session->step;
	KvcoreAnswer answer;

	if (crm_transport_failed(session, reply))
		return CRM_ACTION_DONE;
	read_answer(reply, &answer);
	/* what is no JSON comes from something in between, or from elsewhere */
	if (answer.status == 404 && (answer.is_json || answer.is_empty) && is_about_contact(step))
		return contact_missing(session);
	if (answer.status == 409 && step == KVCORE_STEP_CREATE)
		return create_conflict(session);
	if (answer.refused)
		return refused(session, &answer);

	switch (step)
	{
		case KVCORE_STEP_TEST:
			return test_reply(session, &answer);
		case KVCORE_STEP_SEARCH:
			return search_reply(session, &answer);
		case KVCORE_STEP_CREATE:
			return create_reply(session, &answer);
		case KVCORE_STEP_READ:
			return read_reply(session, &answer);
		case KVCORE_STEP_UPDATE:
			return write_reply(session, &answer, &sync->fields_done);
		case KVCORE_STEP_TAGS:
			return write_reply(session, &answer, &sync->tags_done);
		case KVCORE_STEP_NOTES:
			return notes_reply(session, &answer);
		case KVCORE_STEP_NOTE:
			return note_reply(session, &answer);
		case KVCORE_STEP_NONE:
			break;
	}
	return reply_unreadable(session);	/* not reached */
}

/* A session that fails at its tags or note has created its contact all the same. */
static CrmAction
kvcore_next(CrmSession *session, const HttpReply *reply)
{
	CrmAction	action = after_step(session, reply);

	if (action == CRM_ACTION_DONE && session->outcome.status == CRM_STATUS_FAILED)
		session->outcome.write = session->write;
	return action;
}

/* ------------------------------------------------------------------------
 * The provider
 * ------------------------------------------------------------------------ */

static void
kvcore_define_settings(void)
{
	settings_define_base_url("echosync.kvcore_api_url", "Base URL of kvCORE's API (experimental).",
							 &kvcore_api_url, "https://api.kvcore.com/v2/public");
	settings_define_rate_limit("echosync.kvcore_rate_limit",
							   "Requests a minute with one kvCORE token (experimental).",
							   &kvcore_rate_limit, 60, 1);
}

static void
kvcore_configure(CrmConnection *connection)
{
	connection->api_url = kvcore_api_url;
}

static int
kvcore_starting_limit(const CrmConnection *connection)
{
	return kvcore_rate_limit;
}

/* No limit is published, and no reply that anybody saw has told one [2]. */
static const CrmLimit kvcore_limits[] =
{
	{"api", 0, 60000}
};

static void
kvcore_limit_hint(const HttpReply *reply, int limit_context, CrmLimitHint *hint)
{
	hint->limit_context = limit_context;
	hint->limit = hint->remaining = -1;
	hint->reset_ms = crm_retry_after_ms(reply, 0);	/* see fub_limit_hint */
	if (hint->reset_ms < 0 && reply->status == 429)
		hint->reset_ms = kvcore_limits[limit_context].window_ms;
}

const CrmProvider kvcore_provider =
{
	.crm_type = "kvcore",
	.label = "kvCORE",
	.experimental = true,
	.flags_records = false,
	.takes_api_key = true,
	.takes_oauth = false,
	.limits = kvcore_limits,
	.n_limits = lengthof(kvcore_limits),
	.calls_per_lead = 3,		/* search, create, tags */
	.define_settings = kvcore_define_settings,
	.configure = kvcore_configure,
	.starting_limit = kvcore_starting_limit,
	.authorize = kvcore_authorize,
	.check_api_key = kvcore_check_api_key,
	.begin = kvcore_begin,
	.next = kvcore_next,
	.limit_hint = kvcore_limit_hint,
	.reply_nobody = "{\"total\": 0, \"data\": []}",
	.reply_accepted = "{\"id\": 1}"
};

/*
 * followupboss_search.c
 *		Follow Up Boss: finding the person of a lead that has none, or whose
 *		person is gone.
 *
 * Searched by phone and e-mail, compared by our own keys, and only then created.
 */
#include "postgres.h"

#include "crm/followupboss.h"
#include "crm/phone.h"
#include "crm/record.h"
#include "crm/reply.h"

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------ */

static CrmAction
send_search(CrmSession *session, FubStep step, const char *key, const char *value)
{
	StringInfoData path;

	/* without includeTrash a trashed person would be made again (4.3) */
	initStringInfo(&path);
	appendStringInfo(&path, "/people?%s=", key);
	url_encode(&path, value);
	appendStringInfoString(&path, "&includeTrash=true&limit=10&fields=allFields");

	return fub_send(session, step, FUB_LIMIT_GLOBAL, "GET", path.data, NULL);
}

CrmAction
fub_search_start(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;

	state->person = NULL;
	state->phone_hits = NIL;
	state->email_hits = NIL;
	if (lead->phone_key != NULL)
		return send_search(session, FUB_STEP_SEARCH_PHONE, "phone", lead->phone_key);
	if (lead->email != NULL)
		return send_search(session, FUB_STEP_SEARCH_EMAIL, "email", lead->email);
	return crm_skip(session, REFUSAL_NO_CONTACT_KEY);
}

/*
 * 404 on a stored id: deleted, or merged into another record.  Search once as
 * for a new lead; never loop (reference 4.7).  The link stays until the search
 * has told what takes its place: it may have been a moment's 404.
 */
CrmAction
fub_search_again(CrmSession *session)
{
	FubState   *state = session->state;
	bool		again = state->relinked;

	state->person = NULL;
	state->confirmed = false;
	state->event_sent = false;
	state->events_listed = false;
	state->relinked = true;
	if (again)
		return crm_fail(session, CRM_ERROR_LEAD_FINAL, "http_404",
						"Follow Up Boss found the record but does not know it.");
	return fub_search_start(session);
}

/*
 * Nobody found.  checkDuplicate sees the whole account, beyond what this user
 * may see (reference 4.4).
 */
static CrmAction
send_check(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/people/checkDuplicate");
	if (lead->phone_key != NULL)
	{
		appendStringInfoString(&path, "?phone=");
		url_encode(&path, lead->phone_key);
	}
	if (record_email(session) != NULL)
	{
		appendStringInfo(&path, "%cemail=", lead->phone_key ? '&' : '?');
		url_encode(&path, record_email(session));
	}
	return fub_send(session, FUB_STEP_CHECK, FUB_LIMIT_GLOBAL, "GET", path.data, NULL);
}

/* ------------------------------------------------------------------------
 * What was found
 * ------------------------------------------------------------------------ */

static bool
list_has_record(const List *people, JsonbContainer *person)
{
	char	   *id = fub_person_id(person);
	ListCell   *lc;

	foreach(lc, people)
	{
		if (strcmp(fub_person_id(lfirst(lc)), id) == 0)
			return true;
	}
	return false;
}

/* The one record of the pool that is the lead's; NULL when nothing says which. */
static JsonbContainer *
pick(const List *pool, const CrmLead *lead)
{
	JsonbContainer *chosen = NULL;
	ListCell   *lc;

	if (list_length(pool) == 1)
		return linitial(pool);
	foreach(lc, pool)
	{
		if (!fub_person_same_last_name(lfirst(lc), lead))
			continue;
		if (chosen != NULL)
			return NULL;
		chosen = lfirst(lc);
	}
	return chosen;
}

/*
 * Link to a person who was found.  Where an event about the lead may have been
 * posted it counts as posted, also in sessions to come; where a predecessor
 * may have posted it, its events are looked through first.
 */
void
fub_search_link(CrmSession *session, char *record_id, CrmMatch match)
{
	CrmLink    *link = &session->link;

	record_link(session, record_id, match);
	if (fub_by_events(session) && link->announced_at == 0 &&
		session->uncertain && !session->repeated)
	{
		link->announced_at = session->now;
		session->link_changed = true;
	}
}

/* Had there been anybody else, nobody would have been created. */
static bool
is_only_hit(const FubState *state, JsonbContainer *person)
{
	List	   *hits = list_concat_copy(state->phone_hits, state->email_hits);
	ListCell   *lc;

	foreach(lc, hits)
	{
		if (strcmp(fub_person_id(lfirst(lc)), fub_person_id(person)) != 0)
			return false;
	}
	return true;
}

/*
 * If a create of ours is in doubt, or may have been a predecessor's, a person
 * who carries what it had is of our making.  Nothing of the kind is known of
 * one whose link led nowhere.  What message went with a predecessor's event is
 * looked up.
 */
static CrmAction
adopt(CrmSession *session, JsonbContainer *person)
{
	FubState   *state = session->state;
	CrmMatch	match = fub_person_match(person, session->lead);
	bool		may_be_ours = session->uncertain ||
		(session->repeated && is_only_hit(state, person));

	record_takes(session, fub_person_has_email(person, session->lead));
	if (may_be_ours && !session->was_linked && fub_person_is_ours(session, person))
	{
		match = CRM_MATCH_CREATED;
		session->write = CRM_WRITE_CREATED;
		if (session->uncertain && fub_by_events(session))
			fub_note_is_sent(session);	/* it was the event's message */
	}
	fub_search_link(session, fub_person_id(person), match);
	state->person = person;
	state->confirmed = true;
	return fub_write_record(session);
}

/* A record that agrees in phone and e-mail goes before those with one of them. */
static CrmAction
resolve(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	JsonbContainer *chosen;
	List	   *pool = NIL;
	ListCell   *lc;

	record_searched(session);
	foreach(lc, state->phone_hits)
	{
		if (fub_person_has_email(lfirst(lc), lead))
			pool = lappend(pool, lfirst(lc));
	}
	foreach(lc, state->email_hits)
	{
		if (fub_person_has_phone(lfirst(lc), lead) && !list_has_record(pool, lfirst(lc)))
			pool = lappend(pool, lfirst(lc));
	}
	if (pool == NIL)
	{
		/* phone and e-mail lead to different people: neither is proven */
		if (state->phone_hits != NIL && state->email_hits != NIL)
			return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
		pool = state->phone_hits ? state->phone_hits : state->email_hits;
	}
	if (pool == NIL)
		return send_check(session);

	chosen = pick(pool, lead);
	if (chosen == NULL)
		return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
	return adopt(session, chosen);
}

/* ------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------ */

/*
 * After the phone as ten digits comes the form with country code, and both with the
 * mark of mobile numbers, unless there was an exact hit already, then the e-mail,
 * unless a hit has it already.
 */
static CrmAction
search_next(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	char		marked[PHONE_MAX_LEN];
	ListCell   *lc;

	if (session->step == FUB_STEP_SEARCH_PHONE && state->phone_hits == NIL)
		return send_search(session, FUB_STEP_SEARCH_PLUS, "phone",
						   psprintf(phone_key_is_nanp(lead->phone_key) ? "+1%s" : "+%s",
									lead->phone_key));
	if (session->step == FUB_STEP_SEARCH_PLUS && state->phone_hits == NIL &&
		phone_marked_form(lead->phone_key, marked))
		return send_search(session, FUB_STEP_SEARCH_MARKED, "phone", marked + 1);
	if (session->step == FUB_STEP_SEARCH_MARKED && state->phone_hits == NIL &&
		phone_marked_form(lead->phone_key, marked))
		return send_search(session, FUB_STEP_SEARCH_MARKED_PLUS, "phone", marked);
	if (session->step == FUB_STEP_SEARCH_EMAIL || lead->email == NULL)
		return resolve(session);
	foreach(lc, state->phone_hits)
	{
		if (fub_person_has_email(lfirst(lc), lead))
			return resolve(session);
	}
	return send_search(session, FUB_STEP_SEARCH_EMAIL, "email", lead->email);
}

/*
 * Where the phone number has led to somebody else, neither is proven, unless that is
 * the record that we have made, or may have.  A record that took ours in has its
 * address, whatever the name.
 */
static bool
leaves_alone(CrmSession *session, JsonbContainer *person)
{
	FubState   *state = session->state;

	return !state->relinked && (state->phone_hits == NIL || session->uncertain || session->repeated) &&
		record_is_strangers(session, fub_person_match(person, session->lead));
}

/* Only exact rows are hits; an error is never an empty list (reference 8, 11). */
CrmAction
fub_search_reply(CrmSession *session, const HttpReply *reply)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	JsonbContainer *people;

	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	people = fub_reply_list(fub_reply_object(reply), "people");
	if (people == NULL)
		return reply_unreadable(session);

	for (int i = 0; i < json_array_length(people); i++)
	{
		JsonbContainer *person = json_value_object(json_array_element(people, i));

		if (person == NULL || fub_person_id(person) == NULL)
			continue;
		if (session->step == FUB_STEP_SEARCH_EMAIL)
		{
			if (fub_person_has_email(person, lead) && !leaves_alone(session, person))
				state->email_hits = lappend(state->email_hits, person);
		}
		else if (fub_person_has_phone(person, lead))
			state->phone_hits = lappend(state->phone_hits, person);
	}
	return search_next(session);
}

/*
 * Somebody is there whom this user cannot see: not ours to make again.  If our
 * own create may have happened, it is probably that one, not shown yet.
 */
CrmAction
fub_search_check_reply(CrmSession *session, const HttpReply *reply)
{
	JsonbContainer *root;

	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	root = fub_reply_object(reply);
	if (root == NULL || json_get(root, "found") == NULL)
		return reply_unreadable(session);
	if (!json_get_bool(root, "found"))
		return fub_write_create(session);
	if (session->uncertain)
		return crm_fail(session, CRM_ERROR_LEAD_RETRY, "fub_not_visible_yet",
						"Follow Up Boss does not show the new record yet.");
	return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
}

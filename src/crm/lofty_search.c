/*
 * lofty_search.c
 *		Lofty: finding the record of a lead that has none, or whose record is
 *		gone.
 *
 * Searched by phone, then by e-mail; created only when both found nothing.
 * An error is never "nothing", and a result that does not carry what was asked
 * for is "cannot tell", since the search ignores parameters that it does not
 * know (Lofty reference 3.2).
 */
#include "postgres.h"

#include "crm/lofty.h"
#include "crm/phone.h"
#include "crm/record.h"
#include "crm/reply.h"

/* Few, but never one: with one, ambiguity could not be seen (3.2). */
#define LOFTY_SEARCH_LIMIT	10

/* How long a record may be missing because it is not indexed yet (5). */
#define LOFTY_LAG_MS		(5 * 60 * 1000)

/* Within this age of the link a second look soon is worth its call. */
#define LOFTY_LAG_YOUNG_MS	(20 * 1000)
#define LOFTY_LAG_STEP_MS	(10 * 1000)

/* What a search result says. */
typedef enum LoftyFound
{
	LOFTY_FOUND_NONE = 0,		/* no lead, and Lofty says so */
	LOFTY_FOUND_EXACT,			/* sync->hits has grown, or named them already */
	LOFTY_FOUND_UNSURE,			/* leads, but not what was asked for, or more
								 * than were shown */
	LOFTY_FOUND_UNREADABLE
} LoftyFound;

/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------ */

static CrmAction
send_search(CrmSession *session, LoftyStep step, const char *key,
			const char *value)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "/leads?%s=", key);
	url_encode(&path, value);
	appendStringInfo(&path, "&preciseSearchFlag=true&limit=%d", LOFTY_SEARCH_LIMIT);
	return lofty_get(session, step, path.data);
}

CrmAction
lofty_search_start(CrmSession *session)
{
	const CrmLead *lead = session->lead;
	char		marked[PHONE_MAX_LEN];

	/* digits alone, ten of them for North America (3.2) */
	if (lead->phone != NULL)
		return send_search(session, LOFTY_STEP_SEARCH_PHONE, "phone",
						   phone_marked_form(lead->phone_key, marked) ? lead->phone_key :
						   lead->phone[0] == '+' ? lead->phone + 1 : lead->phone);
	if (lead->email != NULL)
		return send_search(session, LOFTY_STEP_SEARCH_EMAIL, "email",
						   lead->email);
	return crm_skip(session, REFUSAL_NO_CONTACT_KEY);
}

/*
 * The linked record is not there.  Young links are waited for: a look soon
 * while that may help, then one when the time of the lag is over.  Older
 * ones are searched for again, once.
 */
CrmAction
lofty_search_missing(CrmSession *session)
{
	LoftySync  *sync = session->state;
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
		return lofty_reply_no_lead(session);

	sync->remapping = true;
	sync->record = NULL;
	return lofty_search_start(session);
}

/* ------------------------------------------------------------------------
 * What was found
 * ------------------------------------------------------------------------ */

/* By which key is this record the lead, and do the names agree? */
static CrmMatch
match_of(const CrmSession *session, const LoftyRecord *record)
{
	return record_match(lofty_record_has_phone(record, session->lead),
						lofty_record_has_email(record, session->lead),
						lofty_record_names(record, session->lead));
}

/* Is this the record that a predecessor made, whose link is lost? */
static bool
made_for_lead(const CrmSession *session, const LoftyRecord *record)
{
	RecordOrigin origin = {record->source, record->created, record->tags};

	return session->repeated && lofty_record_names_agree(record, session->lead) &&
		record_made_for_lead(session, &origin, LOFTY_MAX_TAG);
}

/*
 * Exactly one record has our phone or e-mail.  If a create of ours may have
 * happened, it is the one: the search before that create found none.  Its
 * note went along.  A stranger's name on it says otherwise.  Which note a
 * predecessor's create had is not known.
 */
static CrmAction
take_hit(CrmSession *session, LoftyRecord *record)
{
	LoftySync  *sync = session->state;
	CrmMatch	match = match_of(session, record);
	bool		in_doubt = session->uncertain && !sync->remapping &&
		!crm_match_is_shared(match);
	bool		ours = in_doubt || (!sync->remapping && made_for_lead(session, record));

	if (sync->remapping && record->id == sync->record_id)
		return lofty_reply_no_lead(session);

	record_takes(session, lofty_record_has_email(record, session->lead));
	if (!lofty_record_link(session, psprintf(INT64_FORMAT, record->id),
						   ours ? CRM_MATCH_CREATED : match))
		return reply_unreadable(session);
	sync->record = record;
	if (ours)
		session->write = CRM_WRITE_CREATED;
	if (in_doubt)
		lofty_note_is_sent(session);
	return lofty_write_update(session);
}

/* All searches are done. */
static CrmAction
searched(CrmSession *session)
{
	LoftySync  *sync = session->state;

	record_searched(session);
	if (list_length(sync->hits) > 1)
		return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
	if (sync->hits != NIL)
		return take_hit(session, (LoftyRecord *) linitial(sync->hits));

	/*
	 * A record that was there and is not: trashed, or handed to a colleague
	 * whose leads this key does not see.  Creating it again would undo the
	 * one and duplicate the other, at every change of the lead (5).
	 */
	if (sync->remapping)
		return lofty_reply_no_lead(session);
	if (session->lead->do_not_contact)
		return crm_skip(session, REFUSAL_DO_NOT_CONTACT);
	if (lofty_fields_unknown(session))
		return lofty_fields_request(session);
	return lofty_write_create(session);
}

/* ------------------------------------------------------------------------
 * Replies
 * ------------------------------------------------------------------------ */

/* _metadata.total; Lofty's own description names the key wrongly (3.2). */
static int64
search_total(JsonbContainer *object)
{
	JsonbContainer *metadata = json_get_object(object, "_metadata");
	int64		total;

	if (metadata == NULL)
		metadata = json_get_object(object, "get_metadata");
	if (metadata == NULL || !json_get_int64(metadata, "total", &total))
		return -1;
	return total;
}

/*
 * Where the phone number has led to somebody else, neither is proven, unless that is
 * the record that we have made, or may have.  A record that took ours in has its
 * address, whatever the name.
 */
static bool
leaves_alone(CrmSession *session, const LoftyRecord *record)
{
	LoftySync  *sync = session->state;

	return !sync->remapping && (!sync->phone_found || session->uncertain || session->repeated) &&
		record_is_strangers(session, match_of(session, record));
}

/* Collect the leads that really carry the key of this step (3.2). */
static LoftyFound
collect_hits(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = session->state;
	JsonbValue *leads = answer->object ? json_get(answer->object, "leads") : NULL;
	JsonbContainer *array = leads ? json_value_array(leads) : NULL;
	int			length = array ? json_array_length(array) : 0;
	int64		total;
	bool		exact = false;

	if (answer->code == LOFTY_LEAD_NOT_EXIST)
		return LOFTY_FOUND_NONE;
	if (leads == NULL || (array == NULL && leads->type != jbvNull))
		return LOFTY_FOUND_UNREADABLE;
	total = search_total(answer->object);
	if (length == 0)
		return total > 0 ? LOFTY_FOUND_UNREADABLE : LOFTY_FOUND_NONE;

	for (int i = 0; i < length; i++)
	{
		LoftyRecord *record;
		bool		known = false;
		ListCell   *lc;

		record = lofty_record_read(json_value_object(json_array_element(array, i)));
		if (record == NULL)
			return LOFTY_FOUND_UNREADABLE;
		if (session->step == LOFTY_STEP_SEARCH_EMAIL ?
			!lofty_record_has_email(record, session->lead) :
			!lofty_record_has_phone(record, session->lead))
			continue;

		exact = true;
		if (session->step == LOFTY_STEP_SEARCH_EMAIL && leaves_alone(session, record))
			continue;
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

CrmAction
lofty_search_reply(CrmSession *session, const LoftyAnswer *answer)
{
	LoftySync  *sync = session->state;
	const char *email = session->lead->email;
	char		marked[PHONE_MAX_LEN];

	switch (collect_hits(session, answer))
	{
		case LOFTY_FOUND_UNREADABLE:
			return reply_unreadable(session);
		case LOFTY_FOUND_UNSURE:
			return crm_skip(session, REFUSAL_AMBIGUOUS_MATCH);
		case LOFTY_FOUND_NONE:
		case LOFTY_FOUND_EXACT:
			break;
	}

	if (session->step == LOFTY_STEP_SEARCH_PHONE && sync->hits == NIL &&
		phone_marked_form(session->lead->phone_key, marked))
		return send_search(session, LOFTY_STEP_SEARCH_MARKED, "phone", marked + 1);

	/* a single record with both keys needs no second search */
	if (session->step != LOFTY_STEP_SEARCH_EMAIL && email != NULL &&
		list_length(sync->hits) <= 1 &&
		!(sync->hits != NIL &&
		  lofty_record_has_email((LoftyRecord *) linitial(sync->hits), session->lead)))
	{
		sync->phone_found = sync->hits != NIL;
		return send_search(session, LOFTY_STEP_SEARCH_EMAIL, "email", email);
	}
	return searched(session);
}

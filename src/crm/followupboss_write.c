/*
 * followupboss_write.c
 *		Follow Up Boss: creating a person, updating one that is known, and events,
 *		which can do either.
 *
 * The link is set before anything is written to a record that was found, and
 * its digest once the record is right.
 *
 * Not here: what goes into a body (followupboss_body.c), the note
 * (followupboss_note.c).
 */
#include "postgres.h"

#include "crm/followupboss.h"
#include "crm/record.h"
#include "crm/reply.h"

#define FUB_EVENT_TYPE "Registration"

/* ------------------------------------------------------------------------
 * A record that is known
 * ------------------------------------------------------------------------ */

static CrmAction
send_update(CrmSession *session)
{
	FubState   *state = session->state;
	StringInfoData body;

	initStringInfo(&body);
	state->fields_sent = false;
	json_object_start(&body);
	fub_body_changes(session, &body);
	json_object_end(&body);

	if (strcmp(body.data, "{}") == 0)
	{
		record_written(session);
		return fub_note_finish(session);
	}

	/* never source: it is written once, at creation (reference 4.6) */
	return fub_send(session, FUB_STEP_UPDATE, FUB_LIMIT_PUT_PEOPLE, "PUT",
					psprintf("/people/%s?mergeTags=true", session->link.record_id), &body);
}

/* POST /events, for a person that is new or known. */
static CrmAction
send_event(CrmSession *session)
{
	const CrmConnection *connection = session->connection;
	FubState   *state = session->state;
	const char *system_name = connection->identity.system_name;
	StringInfoData body;

	initStringInfo(&body);
	state->fields_sent = false;
	json_object_start(&body);
	json_key_string(&body, "source", record_source(session));
	json_key_string(&body, "system",
					system_name && system_name[0] ? system_name : "echosync");
	json_key_string(&body, "type", FUB_EVENT_TYPE);
	if (fub_note_due(session))
		json_key_string(&body, "message", fub_note_text(session->lead));
	json_key(&body, "person");
	json_object_start(&body);
	if (session->link.record_id == NULL)
		fub_body_new_person(session, &body);
	else
		fub_body_event_person(session, &body);
	json_object_end(&body);
	json_object_end(&body);

	fub_send(session, FUB_STEP_EVENT, FUB_LIMIT_POST_EVENTS, "POST", "/events", &body);
	session->request.creates = true;	/* each call is one more event */
	return CRM_ACTION_SEND;
}

/* Not known here: whether a predecessor has posted an event about the lead. */
static bool
must_find_event(const CrmSession *session)
{
	const FubState *state = session->state;

	return session->repeated && fub_by_events(session) && !state->events_listed &&
		!session->link.has_digest && session->link.announced_at == 0;
}

/* Must the record be read before it can be written? */
static bool
needs_record(const CrmSession *session)
{
	const CrmLead *lead = session->lead;

	if (fub_person_is_shared(session))
		return false;
	return (lead->phone && record_field_changed(session, LEAD_FIELD_PHONE)) ||
		(lead->email && record_field_changed(session, LEAD_FIELD_EMAIL)) ||
		(record_gets_address(lead) && record_address_changed(session)) ||
		!session->link.has_digest;
}

/* The next request waits until it is committed: no lead has two events. */
static void
announced(CrmSession *session)
{
	session->link.announced_at = session->now;
	session->link_changed = true;
	if (fub_note_due(session))
		fub_note_is_sent(session);	/* it was the event's message */
}

/* An event of the linked person: can it be the one about this lead? */
static bool
is_our_event(const CrmSession *session, JsonbContainer *event)
{
	char	   *source = json_get_text(event, "source");

	if (fub_note_same(session->lead, json_get_text(event, "message")))
		return true;
	return record_same_text(json_get_text(event, "type"), FUB_EVENT_TYPE) &&
		(text_is_blank(source) || record_same_text(record_source(session), source)) &&
		record_since_queued(session, json_get_text(event, "created"), true);
}

/* What the newest events of the linked person tell of ours. */
static void
look_through(CrmSession *session, JsonbContainer *events)
{
	CrmLink    *link = &session->link;

	for (int i = 0; i < json_array_length(events); i++)
	{
		JsonbContainer *event = json_value_object(json_array_element(events, i));

		if (event == NULL || !is_our_event(session, event))
			continue;
		link->announced_at = session->now;
		if (fub_note_same(session->lead, json_get_text(event, "message")))
			fub_note_is_sent(session);
	}

	/* one that is in doubt may not be shown yet */
	if (session->uncertain)
		link->announced_at = session->now;
	session->link_changed |= link->announced_at != 0;
}

/* A possible miss is better than a duplicate (reference 6). */
CrmAction
fub_write_event_list_refused(CrmSession *session)
{
	FubState   *state = session->state;

	state->events_listed = true;
	announced(session);
	return fub_write_record(session);
}

CrmAction
fub_write_event_list_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	JsonbContainer *events = fub_reply_list(fub_reply_object(reply), "events");

	if (fub_reply_list_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_reply_ok(reply) || events == NULL)
		return fub_write_event_list_refused(session);
	state->events_listed = true;
	look_through(session, events);
	return fub_write_record(session);
}

/*
 * Write to the linked record.  With delivery "events" the first contact with
 * a person we found is an event too; not if one was, or may have been, posted
 * already, nor for a person that we made by one.
 */
CrmAction
fub_write_record(CrmSession *session)
{
	FubState   *state = session->state;
	bool		event = fub_by_events(session) && !session->link.has_digest &&
		session->link.match != CRM_MATCH_CREATED && session->link.announced_at == 0 &&
		!session->uncertain;

	if (must_find_event(session))
		return fub_send(session, FUB_STEP_FIND_EVENT, FUB_LIMIT_EVENTS, "GET",
						psprintf("/events?personId=%s&limit=100", session->link.record_id), NULL);
	if (state->person == NULL && (event || needs_record(session)))
		return fub_send(session, FUB_STEP_READ, FUB_LIMIT_GLOBAL, "GET",
						psprintf("/people/%s?fields=allFields", session->link.record_id), NULL);
	return event ? send_event(session) : send_update(session);
}

CrmAction
fub_write_read_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	JsonbContainer *person = fub_reply_object(reply);

	if (fub_reply_gone(reply))
		return fub_search_again(session);
	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	if (person == NULL || fub_person_id(person) == NULL)
		return reply_unreadable(session);
	state->person = person;
	state->confirmed = true;
	return fub_write_record(session);
}

CrmAction
fub_write_update_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;

	if (fub_reply_gone(reply))
		return fub_search_again(session);
	if (fub_fields_stale(session, reply))
		return fub_start(session);
	if (record_drop_email(session, reply->status))
		return send_update(session);
	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	if (!fub_reply_acknowledged(reply))
		return reply_unreadable(session);
	state->confirmed = true;
	record_updated(session);
	record_written(session);
	return fub_note_finish(session);
}

/* ------------------------------------------------------------------------
 * A lead without a record: create
 * ------------------------------------------------------------------------ */

/* POST /people runs no automations; deduplicate counts in the query only (4.5). */
CrmAction
fub_write_create(CrmSession *session)
{
	FubState   *state = session->state;
	StringInfoData body;

	/* a new record has nothing of what the one that is gone had */
	if (session->link.record_id != NULL)
		record_unlink(session);
	if (session->resolve_only)
		return crm_success(session, CRM_WRITE_NONE);
	if (fub_by_events(session))
		return send_event(session);

	initStringInfo(&body);
	state->fields_sent = false;
	json_object_start(&body);
	fub_body_new_person(session, &body);
	json_key_string(&body, "source", record_source(session));
	json_object_end(&body);

	fub_send(session, FUB_STEP_CREATE, FUB_LIMIT_GLOBAL, "POST",
			 "/people?deduplicate=true", &body);
	session->request.creates = true;
	return CRM_ACTION_SEND;
}

/*
 * The body of a create is the person, bare (reference 4.1).  201 is new.  200
 * may be an existing person, which POST /people leaves as it was and an event
 * has filled in.
 */
static CrmAction
created(CrmSession *session, const HttpReply *reply)
{
	const CrmLead *lead = session->lead;
	FubState   *state = session->state;
	JsonbContainer *person = fub_reply_object(reply);
	char	   *id = person ? fub_person_id(person) : NULL;

	if (person == NULL && !text_is_blank(reply->body))
		return reply_unreadable(session);
	if (id == NULL)
		return crm_fail(session, CRM_ERROR_UNCERTAIN, "no_record_id",
						"Follow Up Boss accepted the lead without saying which record it became.");

	state->confirmed = true;
	if (reply->status == 201 || fub_person_is_ours(session, person))
	{
		record_link(session, id, CRM_MATCH_CREATED);
		record_written(session);
		session->write = CRM_WRITE_CREATED;
		state->check_note = false;
	}
	else
	{
		/* an event has written our phone and e-mail: the name says whose it is */
		record_link(session, id, fub_person_match(person, lead));
		if (state->event_sent)
			record_updated(session);

		/* a reply without its lists must not pass for a record without any */
		state->person = json_get_array(person, "phones") &&
			json_get_array(person, "emails") ? person : NULL;
	}
	if (state->event_sent)
		announced(session);
	return session->link.has_digest ? fub_note_finish(session) : fub_write_record(session);
}

CrmAction
fub_write_create_reply(CrmSession *session, const HttpReply *reply)
{
	if (fub_fields_stale(session, reply))
		return fub_start(session);
	if (record_drop_email(session, reply->status))
		return fub_write_create(session);
	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	return created(session, reply);
}

/* 204: the account ignores this source; the lead went nowhere (reference 4.2). */
CrmAction
fub_write_event_reply(CrmSession *session, const HttpReply *reply)
{
	FubState   *state = session->state;
	bool		known = session->link.record_id != NULL;

	if (known && fub_reply_gone(reply))
		return fub_search_again(session);
	if (fub_fields_stale(session, reply))
		return fub_start(session);
	if (!known && record_drop_email(session, reply->status))
		return send_event(session);
	if (fub_reply_failed(session, reply))
		return CRM_ACTION_DONE;
	if (reply->status == 204)
		return crm_skip(session, REFUSAL_IGNORED_BY_CRM);

	state->event_sent = true;
	if (!known)
		return created(session, reply);
	if (!fub_reply_acknowledged(reply))
		return reply_unreadable(session);
	state->confirmed = true;
	record_updated(session);
	announced(session);
	return send_update(session);
}

/*
 * preview.c
 *		echosync_preview(): the requests that would be sent for a lead, and how
 *		its record in the CRM is known.
 *
 * Providers are pure, so the backend runs one here, and plays the CRM: every
 * search finds nobody, every write succeeds.  What comes out is what is sent
 * for a lead that the CRM does not know, or, for a lead that is linked, what
 * has changed.  Nothing is sent and nothing is written; there is no secret in
 * it, since only the worker adds the Authorization header.
 *
 * Not here: a create whose fate is unknown.  Its lead is searched for again by
 * the worker (read.c), which this does not show.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "config/settings.h"
#include "crm/crm.h"
#include "crm/json.h"
#include "crm/record.h"
#include "db/lead_sources.h"
#include "db/link.h"
#include "db/queue_find.h"
#include "db/statement.h"

PG_FUNCTION_INFO_V1(echosync_preview);

#define PREVIEW_MAX_STEPS 20

static Statement find_integration = {
	.sql = "SELECT (i).id, (i).user_id, (i).crm_type, (i).settings, (i).crm_account"
	" FROM @schema@.echosync_find_integration($1) AS i",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement select_link = {
	.sql = "SELECT " LINK_COLUMNS " FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = $1 AND l.lead_id = $2 AND l.source_id = $3 AND " LINK_OF_ACCOUNT("$4")
	" ORDER BY l.crm_account NULLS LAST LIMIT 1",
	.nargs = 4,
	.argtypes = {UUIDOID, TEXTOID, INT4OID, TEXTOID}
};

/* As the worker looks (read.c): records of other leads of the connection. */
static Statement select_known = {
	.sql = "SELECT p.crm_record_id, p.payload_hash, p.matched_by = 'created', p.lead_id,"
	" e.crm_record_id, e.payload_hash, e.matched_by = 'created', e.lead_id"
	" FROM (SELECT) one"
	" LEFT JOIN LATERAL (SELECT l.crm_record_id, l.lead_id, l.payload_hash, l.matched_by FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = $1 AND " LINK_OF_ACCOUNT("$4") " AND " LINK_KNOWN_BY_PHONE("$2") ") p ON true"
	" LEFT JOIN LATERAL (SELECT l.crm_record_id, l.lead_id, l.payload_hash, l.matched_by FROM @schema@.crm_lead_links l"
	" WHERE l.integration_id = $1 AND " LINK_OF_ACCOUNT("$4") " AND " LINK_KNOWN_BY_EMAIL("$3") ") e ON true",
	.nargs = 4,
	.argtypes = {UUIDOID, BYTEAOID, BYTEAOID, TEXTOID}
};

static Statement select_snapshot = {
	.sql = "SELECT q.snapshot FROM @schema@.crm_sync_queue q"
	" WHERE q.integration_id = $1 AND q.priority = $2 AND q.id = $3 AND q.snapshot IS NOT NULL",
	.nargs = 3,
	.argtypes = {UUIDOID, INT2OID, INT8OID}
};

/* The CRM's names for custom fields are not known here: take the labels. */
static void
assume_custom_fields(CrmConnection *connection)
{
	ListCell   *lc;

	connection->custom_fields_known = true;
	foreach(lc, connection->settings->custom_fields)
	{
		CustomFieldSetting *setting = lfirst(lc);
		CrmCustomField *field = palloc0(sizeof(CrmCustomField));

		field->field = setting->field;
		field->name = setting->label;
		field->type = "text";
		connection->custom_fields = lappend(connection->custom_fields, field);
	}
}

static void
load_connection(CrmConnection *connection, Datum id, char **user_id, char **account)
{
	bool		isnull;

	statement_execute(&find_integration, &id, NULL, true, 1);
	strlcpy(connection->integration_id, spi_text(0, 1), sizeof(connection->integration_id));
	*user_id = spi_text(0, 2);
	connection->provider = crm_provider_by_type(spi_text(0, 3));
	if (connection->provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("CRM type \"%s\" is not known to this version of echosync", spi_text(0, 3))));
	connection->settings = integration_settings_parse(DatumGetJsonbP(spi_datum(0, 4, &isnull)));
	*account = link_account(spi_text(0, 5));
	connection->context = CurrentMemoryContext;
	connection->provider->configure(connection);
	assume_custom_fields(connection);
}

/* For read_source. */
typedef struct Wanted
{
	char	   *user_id;
	char	   *lead_id;
	CrmLead    *lead;
} Wanted;

static void
take_lead(Wanted *wanted, const LeadRow *row)
{
	if (row->lead == NULL)
		ereport(ERROR,
				(errcode(row->error),
				 errmsg("the lead could not be read")));
	wanted->lead = row->lead;
}

static void
read_source(const LeadSource *source, void *arg)
{
	Wanted	   *wanted = arg;
	LeadCursor *cursor = lead_source_open(source, wanted->user_id, &wanted->lead_id, 1);
	List	   *rows;

	do
	{
		rows = lead_source_fetch(cursor, 1);
		if (rows != NIL)
			take_lead(wanted, linitial(rows));
	} while (rows == NIL && !cursor->ended);
	lead_source_close(cursor);
}

static void
keep_newest(const QueueFound *row, void *arg)
{
	QueueFound *newest = arg;

	if (row->source_id == 0 && row->id > newest->id)
		*newest = *row;
}

/* The lead of a webhook that is in no table, and waits; NULL: it does not. */
static CrmLead *
load_snapshot(Datum id, const char *lead_id)
{
	LeadSet    *leads = lead_set_make();
	QueueFound	newest = {0};
	Datum		values[3];
	bool		isnull;

	lead_set_add(leads, lead_id);
	queue_find_all(DatumGetUUIDP(id), leads, keep_newest, &newest);
	values[0] = id;
	values[1] = Int16GetDatum(newest.priority);
	values[2] = Int64GetDatum(newest.id);
	statement_execute(&select_snapshot, values, NULL, true, 1);
	return SPI_processed == 0 ? NULL : lead_from_jsonb(DatumGetJsonbP(spi_datum(0, 1, &isnull)));
}

/* Its table; NULL: the lead is a snapshot. */
static CrmLead *
load_lead(Datum id, char *user_id, const char *lead_id, const LeadSource **source)
{
	Wanted		wanted = {.user_id = user_id, .lead_id = unconstify(char *, lead_id)};
	ListCell   *lc;

	foreach(lc, lead_sources_load())
	{
		*source = lfirst(lc);
		wanted.lead = NULL;
		if (lead_source_try(*source, read_source, &wanted) && wanted.lead != NULL)
			return wanted.lead;
	}
	*source = NULL;
	wanted.lead = load_snapshot(id, lead_id);
	if (wanted.lead == NULL)
		ereport(ERROR,
				(errcode(MAKE_SQLSTATE('P', 'T', '4', '0', '4')),
				 errmsg("lead not found"),
				 errhint("The lead must be yours and in an attached table.")));
	return wanted.lead;
}

static void
load_link_of(CrmSession *session, Datum id, const char *lead_id, int source_id, const char *account)
{
	Datum		values[4];
	char		nulls[5] = "    ";

	values[0] = id;
	values[1] = CStringGetTextDatum(lead_id);
	values[2] = Int32GetDatum(source_id);
	values[3] = account ? CStringGetTextDatum(account) : (Datum) 0;
	nulls[3] = account ? ' ' : 'n';
	statement_execute(&select_link, values, nulls, true, 1);
	if (SPI_processed == 1)
		link_from_row(0, 1, &session->link);
}

/* As the worker does: by the text that the table has, else in another spelling. */
static void
load_link(CrmSession *session, Datum id, const char *lead_id, const LeadSource *source, const char *account)
{
	char	   *spelled;

	if (source == NULL)
	{
		load_link_of(session, id, lead_id, 0, account);
		return;
	}
	load_link_of(session, id, session->lead->id, source->id, account);
	if (session->link.record_id == NULL &&
		(spelled = lead_source_spelled_link(source, DatumGetUUIDP(id), account, session->lead->id)) != NULL)
		load_link_of(session, id, spelled, source->id, account);
	if (record_is_of_another(&session->link, session->lead, session->connection->settings))
		memset(&session->link, 0, sizeof(session->link));
}

/* How a linked lead came to its record, for people. */
static const char *const match_words[] = {
	[CRM_MATCH_NONE] = "linked",
	[CRM_MATCH_CREATED] = "linked: the record was created for it",
	[CRM_MATCH_EMAIL] = "linked: the record was found by the e-mail address",
	[CRM_MATCH_PHONE] = "linked: the record was found by the phone number",
	[CRM_MATCH_SHARED_PHONE] = "linked: the record was found by the phone number and has another name, so that only tags, flags and notes are added",
	[CRM_MATCH_SHARED_EMAIL] = "linked: the record was found by the e-mail address and has another name, so that only tags, flags and notes are added"
};

static Datum
key_hash(const CrmSession *session, char kind, const char *key, char *isnull)
{
	bytea	   *hash = palloc(VARHDRSZ + LEAD_KEY_HASH_LEN);

	*isnull = key == NULL ? 'n' : ' ';
	if (key == NULL)
		return (Datum) 0;
	SET_VARSIZE(hash, VARHDRSZ + LEAD_KEY_HASH_LEN);
	lead_key_hash(session->connection->integration_id, kind, key, (uint8 *) VARDATA(hash));
	return PointerGetDatum(hash);
}

/* A record that was written for another lead with the same phone or e-mail. */
static char *
find_known(CrmSession *session, Datum id, const char *account)
{
	Datum		values[4] = {id};
	char		nulls[5] = "    ";
	char	   *by_phone;
	char	   *by_email;

	values[1] = key_hash(session, 'p', session->lead->phone_key, &nulls[1]);
	values[2] = key_hash(session, 'e', session->lead->email, &nulls[2]);
	values[3] = account ? CStringGetTextDatum(account) : (Datum) 0;
	nulls[3] = account ? ' ' : 'n';
	statement_execute(&select_known, values, nulls, true, 1);
	by_phone = spi_text(0, 1);
	by_email = spi_text(0, 5);
	if (by_phone != NULL && by_email != NULL && strcmp(by_phone, by_email) != 0)
		return psprintf("not linked: lead %s has its phone number and lead %s its e-mail address, and they are two records; the CRM's search decides",
						spi_text(0, 4), spi_text(0, 8));
	session->local_match_kind = link_known_match(0, 1, 5, session->lead, session->connection->settings);
	if (session->local_match_kind == CRM_MATCH_NONE)
		return "not linked: the CRM is searched; one person found is updated, several leave it ambiguous_match, nobody: created";
	if (session->local_match_kind == CRM_MATCH_SHARED_EMAIL && session->lead->phone_key != NULL)
		return psprintf("not linked: lead %s has the same e-mail address and another name; the CRM is searched, and if nobody has the phone number a record is created without the address",
						spi_text(0, 8));
	session->local_match = by_email ? by_email : by_phone;
	return psprintf("not linked: lead %s has the same %s and is record %s, which is taken%s",
					spi_text(0, by_email ? 8 : 4), by_email ? "e-mail address" : "phone number",
					session->local_match,
					crm_match_is_shared(session->local_match_kind) ?
					"; the names differ, so that only tags, flags and notes are added" : "");
}

static void
put_row(ReturnSetInfo *result, int step, const char *method, const char *url, Datum body)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false, false, false, false};

	values[0] = Int32GetDatum(step);
	values[1] = CStringGetTextDatum(method);
	nulls[2] = url == NULL;
	if (url != NULL)
		values[2] = CStringGetTextDatum(url);
	nulls[3] = body == (Datum) 0;
	values[3] = body;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_request(ReturnSetInfo *result, int step, const CrmRequest *request)
{
	Jsonb	   *body = NULL;

	if (request->body.len > 0)
		body = json_parse(request->body.data, request->body.len);
	put_row(result, step, request->method, request->url,
			body != NULL ? JsonbPGetDatum(body) : (Datum) 0);
}

/* The last row says how it ends: "-" for method, and why in the body. */
static void
put_end(ReturnSetInfo *result, int step, const CrmSession *session, const char *match)
{
	const CrmOutcome *outcome = &session->outcome;
	StringInfoData out;

	initStringInfo(&out);
	json_object_start(&out);
	if (outcome->status == CRM_STATUS_SKIPPED)
	{
		json_key_string(&out, "status", "skipped");
		json_key_string(&out, "reason", lead_refusal_names[outcome->reason]);
	}
	else if (outcome->status == CRM_STATUS_FAILED)
	{
		json_key_string(&out, "status", "not foreseen");
		json_key_string(&out, "detail", "What follows depends on the CRM's answer.");
	}
	else
	{
		json_key_string(&out, "status", "sent");
		json_key_string(&out, "assumes", "every search finds nobody and every write succeeds");
	}
	if (session->connection->provider->experimental)
		json_key_bool(&out, "experimental", true);
	json_key_string(&out, "match", match);
	json_key_string(&out, "linked_to", session->link.record_id);
	json_object_end(&out);
	put_row(result, step, "-", NULL, DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data)));
}

static CrmAction
play_crm(CrmSession *session)
{
	const CrmProvider *provider = session->connection->provider;
	bool		reads = strcmp(session->request.method, "GET") == 0;
	HttpReply	reply = {0};

	reply.result = HTTP_RESULT_RESPONSE;
	reply.maybe_sent = true;
	reply.status = reads ? 200 : 201;
	reply.body = pstrdup(reads ? provider->reply_nobody : provider->reply_accepted);
	reply.body_len = strlen(reply.body);
	return provider->next(session, &reply);
}

static void
run_session(ReturnSetInfo *result, CrmSession *session, Datum id, const char *account)
{
	LeadFacts	facts = lead_facts(session->lead);
	LeadRefusal refusal = lead_refusal(&facts, session->connection->settings,
									   session->connection->provider->flags_records);
	CrmAction	action = CRM_ACTION_DONE;
	CrmLink		linked = session->link;
	const char *match = NULL;
	int			step = 1;

	if (linked.record_id != NULL)
		match = match_words[linked.match];
	if (refusal != REFUSAL_NONE)
		crm_skip(session, refusal);
	else
	{
		if (linked.record_id == NULL)
			match = find_known(session, id, account);
		action = session->connection->provider->begin(session);
	}
	while (action == CRM_ACTION_SEND && step <= PREVIEW_MAX_STEPS)
	{
		put_request(result, step++, &session->request);
		action = play_crm(session);
	}
	session->link = linked;

	/* Refused before anybody asks whose record it is. */
	if (session->outcome.status == CRM_STATUS_SKIPPED && linked.record_id == NULL && session->local_match == NULL)
		match = NULL;
	put_end(result, step, session, match);
}

Datum
echosync_preview(PG_FUNCTION_ARGS)
{
	CrmConnection connection = {0};
	CrmSession	session = {0};
	char	   *user_id;
	char	   *account;
	char	   *lead_id;
	const LeadSource *source;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("id and lead_id must not be null")));
	lead_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	db_use_extension();
	load_connection(&connection, PG_GETARG_DATUM(0), &user_id, &account);
	session.context = CurrentMemoryContext;
	session.task = CRM_TASK_SYNC;
	session.connection = &connection;
	session.now = GetCurrentTimestamp();
	session.lead = load_lead(PG_GETARG_DATUM(0), user_id, lead_id, &source);
	load_link(&session, PG_GETARG_DATUM(0), lead_id, source, account);
	run_session((ReturnSetInfo *) fcinfo->resultinfo, &session, PG_GETARG_DATUM(0), account);
	SPI_finish();
	return (Datum) 0;
}

/*
 * doctor.c
 *		What echosync_doctor() cannot see in tables: the library, the secrets,
 *		and whether the CRMs' hosts can be reached.
 *
 * The worker looks, since only it speaks to anybody: it makes a connection,
 * certificate and all, and sends nothing over it.  Without a worker, or with
 * one that does not answer, the doctor says so and goes on.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "config/seal.h"
#include "config/secrets.h"
#include "config/settings.h"
#include "crm/crm.h"
#include "db/statement.h"
#include "db/subtransaction.h"
#include "worker/mailbox.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_installation);
PG_FUNCTION_INFO_V1(echosync_reach);

/* The worker gives up after 4 s. */
#define REACH_WAIT_MS 5000
#define REACH_COLUMNS 4
#define REACH_MAX 8

/* As the worker sealed it: main.c. */
#define KEY_CHECK_CONTEXT "key check"

static Statement select_key_check = {
	.sql = "SELECT pg_catalog.max(i.key_check) FROM @schema@.crm_instance i",
	.nargs = 0
};

/* Is it a file with certificates?  libcurl says no more than that it is not. */
static const char *
ca_file_problem(void)
{
	char		line[256];
	FILE	   *file;
	bool		any = false;

	if (echosync_ca_file[0] == '\0')
		return NULL;
	file = AllocateFile(echosync_ca_file, "r");
	if (file == NULL)
		return psprintf("the server cannot read \"%s\"", echosync_ca_file);
	while (!any && fgets(line, sizeof(line), file) != NULL)
		any = strncmp(line, "-----BEGIN CERTIFICATE", 22) == 0 ||
			strncmp(line, "-----BEGIN TRUSTED CERTIFICATE", 30) == 0;
	FreeFile(file);
	return any ? NULL : psprintf("there is no certificate in \"%s\"", echosync_ca_file);
}

/* For run_in_subtransaction. */
static void
check_key(void *arg)
{
	const char **problem = arg;
	const char *reason = NULL;
	char	   *sealed;

	SPI_connect();
	db_use_extension();
	statement_execute(&select_key_check, NULL, NULL, true, 1);
	sealed = SPI_processed == 1 ? spi_text(0, 1) : NULL;
	if (sealed != NULL && seal_open(sealed, KEY_CHECK_CONTEXT, &reason) == NULL)
		*problem = "the key is not the one that sealed this database's credentials";
	SPI_finish();
}

/*
 * Is there a key, and the one that sealed what is stored?  Somebody may hold the
 * table that says so: what else is known here is told all the same.
 */
static const char *
key_problem(void)
{
	const char *problem = NULL;
	int			code;

	if (secrets_current()->encryption_key == NULL)
		return "there is no usable encryption key";
	code = run_in_subtransaction(check_key, &problem, CATCH_ALL);
	return code == 0 ? problem : psprintf("it could not be looked at: SQLSTATE %s", unpack_sql_state(code));
}

static void
put_text(Datum *values, bool *nulls, int i, const char *text)
{
	nulls[i] = text == NULL;
	values[i] = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

/* Names, lines and numbers; never a value of a secret. */
Datum
echosync_installation(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	const Secrets *secrets = secrets_current();
	Datum		values[8] = {0};
	bool		nulls[8] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = BoolGetDatum(shared_state != NULL);
	put_text(values, nulls, 1, ECHOSYNC_VERSION);
	put_text(values, nulls, 2, echosync_env_file[0] != '\0' ? echosync_env_file : NULL);
	put_text(values, nulls, 3, secrets_problem());
	put_text(values, nulls, 4, key_problem());
	values[5] = BoolGetDatum(secrets->followupboss_client_id != NULL &&
							 secrets->followupboss_client_secret != NULL &&
							 echosync_redirect_url[0] != '\0');
	values[6] = BoolGetDatum(secrets->n_webhook_secrets > 0);
	put_text(values, nulls, 7, ca_file_problem());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* A request for each host of each CRM; n of both. */
static int
reach_requests(const CrmProvider **providers, MailRequest *requests)
{
	int			n = 0;

	for (int i = 0; i < crm_provider_count(); i++)
	{
		CrmConnection connection = {.provider = crm_provider_by_index(i)};
		const char *urls[2];

		connection.provider->configure(&connection);
		urls[0] = connection.api_url;
		urls[1] = connection.app_url;
		for (int k = 0; k < lengthof(urls) && n < REACH_MAX; k++)
		{
			if (urls[k] == NULL)
				continue;
			providers[n] = connection.provider;
			requests[n].kind = MAIL_REACH;
			strlcpy(requests[n++].state, urls[k], sizeof(requests->state));
		}
	}
	return n;
}

static const char *
why_not_answered(MailOutcome outcome)
{
	switch (outcome)
	{
		case MAIL_NO_WORKER:
			return "no worker runs in this database";
		case MAIL_FULL:
			return "too many sessions are waiting for answers from CRMs";
		case MAIL_PENDING:
			return "the worker did not answer in time";
		default:
			return NULL;
	}
}

Datum
echosync_reach(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const CrmProvider *providers[REACH_MAX];
	MailRequest *requests = palloc0(REACH_MAX * sizeof(MailRequest));
	MailReply  *replies = palloc0(REACH_MAX * sizeof(MailReply));
	MailOutcome outcomes[REACH_MAX] = {MAIL_NO_WORKER};
	int			n = reach_requests(providers, requests);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
		outcomes[i] = MAIL_NO_WORKER;
	if (shared_state != NULL && shared_wait_for_worker(MyDatabaseId, 0))
		mailbox_try_all(requests, replies, outcomes, n, REACH_WAIT_MS);
	for (int i = 0; i < n; i++)
	{
		const char *why_not = why_not_answered(outcomes[i]);
		Datum		values[REACH_COLUMNS];
		bool		nulls[REACH_COLUMNS] = {0};

		put_text(values, nulls, 0, providers[i]->crm_type);
		put_text(values, nulls, 1, requests[i].state);
		values[2] = BoolGetDatum(replies[i].ok);
		nulls[2] = why_not != NULL;
		put_text(values, nulls, 3, why_not != NULL ? why_not : replies[i].error_message);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * connect.c
 *		echosync_connect(), echosync_test_connection() and
 *		echosync_import_integration().
 *
 * The backend checks and stores; the worker asks the CRM, through the mailbox.
 * Keys come as arguments, so the log of an error does not repeat them (hidden.c).
 *
 * Not here: OAuth (oauth.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "api/connect.h"
#include "api/hidden.h"
#include "api/identity.h"
#include "config/seal.h"
#include "config/secrets.h"
#include "config/settings.h"
#include "crm/json.h"
#include "db/integration.h"
#include "db/statement.h"
#include "worker/mailbox.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_connect);
PG_FUNCTION_INFO_V1(echosync_test_connection);
PG_FUNCTION_INFO_V1(echosync_import_integration);

static Statement find_integration = {
	.sql = "SELECT (i).id, (i).crm_account_label FROM @schema@.echosync_find_integration($1) AS i",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

static Statement find_own = {
	.sql = "SELECT i.id FROM @schema@.crm_integrations i WHERE i.user_id = $1 AND i.crm_type = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

const CrmProvider *
connect_require_provider(FunctionCallInfo fcinfo, int arg)
{
	char	   *name;
	const CrmProvider *provider;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("crm_type must not be null"), errhidestmt(true)));
	name = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	provider = crm_provider_by_type(name);
	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized CRM \"%s\"", name), errhidestmt(true),
				 errhint("Valid values are: %s.", crm_provider_names())));
	return provider;
}

char *
connect_require_user(void)
{
	char	   *user = identity_require_user(false);

	connect_check_user(user);
	return user;
}

/* What is cut off would be another's id. */
void
connect_check_user(const char *user_id)
{
	if (user_id[0] == '\0' || strlen(user_id) >= MAIL_NAME_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the user id is empty, or longer than %d bytes", MAIL_NAME_SIZE - 1),
				 errhidestmt(true)));
}

Jsonb *
connect_settings_argument(FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
		return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	return PG_GETARG_JSONB_P(arg);
}

/* Without a key nothing can be sealed: say so before the CRM is asked. */
void
connect_require_key(void)
{
	const char *problem = secrets_problem();

	if (secrets_current()->encryption_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("credentials cannot be sealed"), errhidestmt(true),
				 problem ? errdetail("%s.", problem) : 0,
				 errhint("Set INTEGRATION_ENCRYPTION_KEY and INTEGRATION_ENCRYPTION_SALT in the file that echosync.env_file names, then reload the configuration.")));
}

static char *
require_api_key(FunctionCallInfo fcinfo, int arg, const CrmProvider *provider)
{
	char	   *key;
	const char *wrong;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("api_key must not be null"), errhidestmt(true)));
	key = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	wrong = provider->check_api_key(key);
	if (wrong == NULL && strlen(key) >= MAIL_SECRET_SIZE)
		wrong = "It is too long.";
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this cannot be an API key of %s", provider->label),
				 errdetail("%s", wrong), errhidestmt(true)));
	return key;
}

static void
refuse(const CrmProvider *provider, const MailReply *reply)
{
	ereport(ERROR,
			(errcode(reply->error_hint[0] != '\0' ?
					 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("could not connect to %s: %s", provider->label, reply->error_message),
			 reply->http_status != 0 ?
			 errdetail("Error code %s, HTTP status %d. Nothing was stored.", reply->error_code, reply->http_status) :
			 errdetail("Error code %s. Nothing was stored.", reply->error_code),
			 reply->error_hint[0] != '\0' ? errhint("%s", reply->error_hint) : 0,
			 errhidestmt(true)));
}

/* What came of a test, in words. */
static const char *
test_message(const MailReply *reply)
{
	if (reply->ok)
		return "The CRM accepts the credential.";
	if (reply->error_hint[0] == '\0')
		return reply->error_message;
	return psprintf("Nothing is sent: %s. %s", reply->error_message, reply->error_hint);
}

Datum
connect_store(const char *user_id, const CrmProvider *provider, Jsonb *settings,
	  const CrmCredential *credential, const MailReply *reply)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	NewConnection new = {
		.user_id = user_id,
		.crm_type = provider->crm_type,
		.settings = settings,
		.account_id = reply->account_id[0] ? reply->account_id : NULL,
		.account_label = reply->account_label[0] ? reply->account_label : NULL,
		.credential = credential
	};

	SPI_connect();
	db_use_extension();
	integration_store(&new, id);
	SPI_finish();
	wake_note_integration(id);
	if (provider->experimental)
		ereport(NOTICE,
				(errmsg("the connection to %s is experimental", provider->label),
				 errdetail("It follows what is public of its API and was not tried against %s itself.",
						   provider->label),
				 errhidestmt(true)));
	return UUIDPGetDatum(id);
}

/*
 * The user's connection to this CRM, if there is one, so that the worker that
 * owns it is asked: it knows whether this key may be used just now.
 */
static void
find_owner(MailRequest *request)
{
	Datum		values[2] = {CStringGetTextDatum(request->user_id), CStringGetTextDatum(request->crm_type)};
	bool		isnull;

	SPI_connect();
	db_use_extension();
	statement_execute(&find_own, values, NULL, true, 1);
	if (SPI_processed == 1)
		request->integration = *DatumGetUUIDP(spi_datum(0, 1, &isnull));
	SPI_finish();
}

static Datum
connect_hidden(FunctionCallInfo fcinfo)
{
	char	   *user_id = connect_require_user();
	const CrmProvider *provider = connect_require_provider(fcinfo, 0);
	char	   *key = require_api_key(fcinfo, 1, provider);
	Jsonb	   *settings = connect_settings_argument(fcinfo, 2);
	MailRequest *request = palloc0(sizeof(MailRequest));
	MailReply  *reply = palloc0(sizeof(MailReply));
	CrmCredential credential = {CRM_CREDENTIAL_API_KEY, key, NULL, 0};
	Datum		id;

	PreventCommandIfReadOnly("echosync_connect()");
	(void) integration_settings_merge(NULL, settings, provider->crm_type);
	connect_require_key();

	request->kind = MAIL_TEST_KEY;
	strlcpy(request->crm_type, provider->crm_type, sizeof(request->crm_type));
	strlcpy(request->user_id, user_id, sizeof(request->user_id));
	strlcpy(request->secret, key, sizeof(request->secret));
	find_owner(request);
	mailbox_ask(request, reply);
	explicit_bzero(request, sizeof(MailRequest));
	if (!reply->ok)
		refuse(provider, reply);
	id = connect_store(user_id, provider, settings, &credential, reply);
	explicit_bzero(key, strlen(key));
	PG_RETURN_DATUM(id);
}

Datum
echosync_test_connection(PG_FUNCTION_ARGS)
{
	MailRequest *request = palloc0(sizeof(MailRequest));
	MailReply  *reply = palloc0(sizeof(MailReply));
	Datum		id = PG_ARGISNULL(0) ? 0 : PG_GETARG_DATUM(0);
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("id must not be null")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SPI_connect();
	db_use_extension();
	statement_execute(&find_integration, &id, NULL, true, 1);
	SPI_finish();

	request->kind = MAIL_TEST_CONNECTION;
	request->integration = *DatumGetUUIDP(id);
	mailbox_ask(request, reply);
	values[0] = BoolGetDatum(reply->ok);
	values[1] = CStringGetTextDatum(test_message(reply));
	values[2] = CStringGetTextDatum(reply->account_label[0] ? reply->account_label : reply->account_id);
	nulls[2] = reply->account_label[0] == '\0' && reply->account_id[0] == '\0';
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* The credentials of the earlier application: JSON under its own names. */
static bool
credential_from_json(const char *plain, CrmCredential *credential)
{
	Jsonb	   *parsed = json_parse(plain, strlen(plain));
	JsonbContainer *object;

	if (parsed == NULL || !JB_ROOT_IS_OBJECT(parsed))
		return false;
	object = &parsed->root;
	credential->kind = CRM_CREDENTIAL_API_KEY;
	credential->secret = json_get_text(object, "api_key");
	if (credential->secret == NULL)
		credential->secret = json_get_text(object, "apiKey");
	if (credential->secret != NULL)
		return true;
	credential->kind = CRM_CREDENTIAL_OAUTH;
	credential->secret = json_get_text(object, "access_token");
	credential->refresh_token = json_get_text(object, "refresh_token");

	/* When it ends is not trusted: refreshed before its first use. */
	credential->expires_at = 1;
	return credential->secret != NULL && credential->refresh_token != NULL;
}

/*
 * Bring over a connection of the earlier application, credential and all.
 * The CRM is not asked; echosync_test_connection() does that.
 */
static Datum
import_integration_hidden(FunctionCallInfo fcinfo)
{
	const CrmProvider *provider = connect_require_provider(fcinfo, 1);
	MailReply	nothing = {0};
	CrmCredential credential = {0};
	const char *reason;
	char	   *plain;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only superusers may call echosync_import_integration()"),
				 errhidestmt(true)));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id and sealed must not be null"), errhidestmt(true)));
	connect_check_user(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	plain = seal_open(text_to_cstring(PG_GETARG_TEXT_PP(2)), "", &reason);
	if (plain == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("could not open the sealed credential"),
				 errdetail_internal("%s.", reason),
				 errhint("INTEGRATION_ENCRYPTION_KEY and INTEGRATION_ENCRYPTION_SALT must be those of the earlier application."),
				 errhidestmt(true)));
	if (!credential_from_json(plain, &credential))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the sealed credential holds neither an API key nor a pair of tokens"),
				 errhidestmt(true)));
	seal_wipe(plain);
	PG_RETURN_DATUM(connect_store(text_to_cstring(PG_GETARG_TEXT_PP(0)), provider,
						  connect_settings_argument(fcinfo, 3), &credential, &nothing));
}

Datum
echosync_connect(PG_FUNCTION_ARGS)
{
	return call_hidden(connect_hidden, fcinfo);
}

Datum
echosync_import_integration(PG_FUNCTION_ARGS)
{
	return call_hidden(import_integration_hidden, fcinfo);
}

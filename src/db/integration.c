/*
 * integration.c
 *		Storing what a CRM has confirmed: a connection and its credential.
 *
 * Used by the backend that connected, and by the worker for a callback in a
 * READ ONLY transaction.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "config/seal.h"
#include "crm/json.h"
#include "db/disconnected.h"
#include "db/gap.h"
#include "db/instance.h"
#include "db/integration.h"
#include "db/link.h"
#include "db/statement.h"

static Statement select_existing = {
	.sql = "SELECT i.id, i.settings, i.crm_account, c.sealed FROM @schema@.crm_integrations i"
	" LEFT JOIN @schema@.crm_credentials c ON c.integration_id = i.id"
	" WHERE i.user_id = $1 AND i.crm_type = $2 FOR NO KEY UPDATE OF i",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static Statement select_former = {
	.sql = "SELECT d.id FROM @schema@.crm_disconnected d"
	" WHERE d.user_id = $1 AND d.crm_type = $2 FOR UPDATE",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/* A former connection gives its id back. */
static Statement take_former = {
	.sql = "DELETE FROM @schema@.crm_disconnected d"
	" WHERE d.user_id = $1 AND d.crm_type = $2 RETURNING d.id, d.crm_account",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static Statement upsert_integration = {
	.sql = "INSERT INTO @schema@.crm_integrations AS i"
	" (id, user_id, crm_type, settings, credential_kind, crm_account, crm_account_label)"
	" VALUES (COALESCE($1, pg_catalog.gen_random_uuid()), $2, $3, $4, $5, $6, $7)"
	" ON CONFLICT (user_id, crm_type) DO UPDATE SET settings = excluded.settings,"
	" credential_kind = excluded.credential_kind, crm_account = excluded.crm_account,"
	" crm_account_label = excluded.crm_account_label, status = 'active', status_reason = NULL,"
	" consecutive_failures = 0, connected_at = pg_catalog.clock_timestamp(),"
	" updated_at = pg_catalog.clock_timestamp()"
	" RETURNING i.id",
	.nargs = 7,
	.argtypes = {UUIDOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID}
};

static Statement upsert_credential = {
	.sql = "INSERT INTO @schema@.crm_credentials AS c (integration_id, sealed, expires_at, instance)"
	" VALUES ($1, $2, $3, $4) ON CONFLICT (integration_id) DO UPDATE SET"
	" sealed = excluded.sealed, expires_at = excluded.expires_at, instance = excluded.instance,"
	" updated_at = pg_catalog.clock_timestamp()",
	.nargs = 4,
	.argtypes = {UUIDOID, TEXTOID, TIMESTAMPTZOID, TEXTOID}
};

/*
 * Links without an account are the connection's as it was.  They are given that
 * account when it becomes another one.  Where it was never known they are of no
 * use any more, nor are they beside one that has the account.
 */
static Statement settle_links = {
	.sql = "UPDATE @schema@.crm_lead_links l SET crm_account = $2"
	" WHERE l.integration_id = $1 AND l.crm_account IS NULL",
	.nargs = 2,
	.argtypes = {UUIDOID, TEXTOID}
};
static Statement drop_unknown_links = {
	.sql = "DELETE FROM @schema@.crm_lead_links l WHERE l.integration_id = $1 AND l.crm_account IS NULL"
	" AND ($2 IS NULL OR EXISTS (SELECT FROM @schema@.crm_lead_links o WHERE o.integration_id = l.integration_id"
	" AND o.lead_id = l.lead_id AND o.source_id = l.source_id AND o.crm_account = $2))",
	.nargs = 2,
	.argtypes = {UUIDOID, TEXTOID}
};

static Statement select_any_link = {
	.sql = "SELECT 1 FROM @schema@.crm_lead_links l WHERE l.integration_id = $1",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

typedef struct Former
{
	bool		found;
	pg_uuid_t	id;
	Jsonb	   *settings;
	char	   *account;
	char	   *sealed;
} Former;

char *
integration_seal_context(const char *id, const char *user_id)
{
	return psprintf("%s:%s", id, user_id);
}

char *
integration_seal(const char *id, const char *user_id, const CrmCredential *credential)
{
	StringInfoData plain;
	char	   *sealed;

	initStringInfo(&plain);
	json_object_start(&plain);
	json_key_string(&plain, "secret", credential->secret);
	if (credential->refresh_token != NULL)
		json_key_string(&plain, "refresh_token", credential->refresh_token);
	json_object_end(&plain);
	sealed = seal_text(plain.data, integration_seal_context(id, user_id));
	explicit_bzero(plain.data, plain.maxlen);
	return sealed;
}

const char *
integration_unseal(const char *id, const char *user_id, const char *sealed,
				   CrmCredential *credential)
{
	const char *reason = NULL;
	char	   *plain = seal_open(sealed, integration_seal_context(id, user_id), &reason);
	Jsonb	   *parsed;

	if (plain == NULL)
		return reason;
	parsed = json_parse(plain, strlen(plain));
	if (parsed != NULL && JB_ROOT_IS_OBJECT(parsed))
	{
		credential->secret = json_get_text(&parsed->root, "secret");
		credential->refresh_token = json_get_text(&parsed->root, "refresh_token");
	}
	if (parsed != NULL)
	{
		explicit_bzero(parsed, VARSIZE(parsed));
		pfree(parsed);
	}
	seal_wipe(plain);
	return credential->secret == NULL ? "it holds no secret" : NULL;
}

/*
 * Who connects again in the moment after the disconnect, before a worker has
 * cancelled, is not to have sent what was queued before.
 */
static void
cancel_former(Datum *values)
{
	pg_uuid_t	id;
	bool		isnull;

	statement_execute(&select_former, values, NULL, false, 1);
	if (SPI_processed == 0)
		return;
	id = *DatumGetUUIDP(spi_datum(0, 1, &isnull));
	while (disconnected_cancel(&id))
		CHECK_FOR_INTERRUPTS();
}

static void
find_former(const NewConnection *new, Former *former)
{
	Datum		values[2];
	bool		isnull;

	values[0] = CStringGetTextDatum(new->user_id);
	values[1] = CStringGetTextDatum(new->crm_type);
	statement_execute(&select_existing, values, NULL, false, 1);
	if (SPI_processed == 1)
	{
		former->found = true;
		former->id = *DatumGetUUIDP(spi_datum(0, 1, &isnull));
		former->settings = DatumGetJsonbPCopy(spi_datum(0, 2, &isnull));
		former->account = spi_text(0, 3);
		former->sealed = spi_text(0, 4);
		return;
	}
	cancel_former(values);
	statement_execute(&take_former, values, NULL, false, 1);
	if (SPI_processed == 1)
	{
		former->found = true;
		former->id = *DatumGetUUIDP(spi_datum(0, 1, &isnull));
		former->account = spi_text(0, 2);
	}
}

static void
store_row(const NewConnection *new, const Former *former, const char *account, pg_uuid_t *id)
{
	Datum		values[7];
	char		nulls[8] = "       ";
	bool		isnull;

	values[0] = UUIDPGetDatum(&former->id);
	values[1] = CStringGetTextDatum(new->user_id);
	values[2] = CStringGetTextDatum(new->crm_type);
	values[3] = JsonbPGetDatum(integration_settings_merge(former->settings, new->settings,
														  new->crm_type));
	values[4] = CStringGetTextDatum(new->credential->kind == CRM_CREDENTIAL_OAUTH ?
									"oauth" : "api_key");
	nulls[0] = former->found ? ' ' : 'n';
	nulls[5] = account ? ' ' : 'n';
	nulls[6] = new->account_label ? ' ' : 'n';
	values[5] = account ? CStringGetTextDatum(account) : 0;
	values[6] = new->account_label ? CStringGetTextDatum(new->account_label) : 0;
	statement_execute(&upsert_integration, values, nulls, false, 0);
	*id = *DatumGetUUIDP(spi_datum(0, 1, &isnull));
}

static void
store_credential(const NewConnection *new, const pg_uuid_t *id)
{
	char	   *id_text = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
	Datum		values[4];
	char		nulls[5] = "    ";

	values[0] = UUIDPGetDatum(id);
	values[1] = CStringGetTextDatum(integration_seal(id_text, new->user_id, new->credential));
	values[2] = TimestampTzGetDatum(new->credential->expires_at);
	nulls[2] = new->credential->expires_at ? ' ' : 'n';
	values[3] = CStringGetTextDatum(instance_name());
	statement_execute(&upsert_credential, values, nulls, false, 0);
}

/* Another user of the same account sees the same records. */
static bool
same_account(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(link_account(a), link_account(b)) == 0;
}

/* One key is of one account, whether that is known or not. */
static bool
same_credential(const NewConnection *new, const Former *former)
{
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&former->id)));
	CrmCredential credential = {0};
	bool		same;

	if (former->sealed == NULL ||
		integration_unseal(id, new->user_id, former->sealed, &credential) != NULL ||
		credential.secret == NULL)
		return false;
	same = strcmp(credential.secret, new->credential->secret) == 0;
	seal_wipe(credential.secret);
	seal_wipe(credential.refresh_token);
	return same;
}

/* Record ids of the former account would be strangers in this one. */
static void
leave_account(const Former *former, const char *account, const pg_uuid_t *id)
{
	Datum		values[2] = {UUIDPGetDatum(id)};

	if (former->account != NULL)
		values[1] = CStringGetTextDatum(link_account(former->account));
	statement_execute(&drop_unknown_links, values, former->account ? NULL : " n", false, 0);
	if (former->account != NULL)
		statement_execute(&settle_links, values, NULL, false, 0);
	statement_execute(&select_any_link, values, NULL, false, 1);
	if (SPI_processed > 0 && account != NULL && former->account != NULL)
		ereport(NOTICE,
				(errmsg("the credential belongs to a different account of the CRM than before"),
				 errdetail("Leads will be looked for there anew.")));
}

/* Do leads of its user begin to be captured with this? */
static bool
begins_to_sync(const NewConnection *new, const Former *former)
{
	Jsonb	   *settings = integration_settings_merge(former->settings, new->settings, new->crm_type);

	return integration_settings_parse(settings)->auto_sync &&
		(former->settings == NULL || !integration_settings_parse(former->settings)->auto_sync);
}

void
integration_store(const NewConnection *new, pg_uuid_t *id)
{
	Former		former = {0};
	const char *account = new->account_id;
	bool		stays = true;

	find_former(new, &former);
	if (former.found && !same_account(former.account, account))
	{
		stays = (account == NULL || former.account == NULL) && same_credential(new, &former);
		if (stays && account == NULL)
			account = former.account;
	}
	store_row(new, &former, account, id);
	store_credential(new, id);
	if (begins_to_sync(new, &former))
		gap_note(id, "auto");
	if (!stays)
		leave_account(&former, account, id);
}

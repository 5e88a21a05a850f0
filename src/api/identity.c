/*
 * identity.c
 *		Who the caller is: echosync_current_user_id() and the rule of access.
 *
 * The role asked about is the outer one (session user or SET ROLE), not the
 * owner of a SECURITY DEFINER function that the call is in: our own functions
 * run as their owner, and an application's may too.
 *
 * Code that runs in a security-restricted operation (a cast or a view of an
 * attached table, an index expression under ANALYZE) is somebody else's than
 * the session, and who that is cannot be told inside a SECURITY DEFINER
 * function.  It acts for nobody, and has no level.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "api/identity.h"
#include "config/settings.h"
#include "crm/json.h"
#include "db/statement.h"
#include "pg_compat.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(echosync_current_user_id);
PG_FUNCTION_INFO_V1(echosync_has_level);
PG_FUNCTION_INFO_V1(echosync_sees_all);
PG_FUNCTION_INFO_V1(echosync_may_see);
PG_FUNCTION_INFO_V1(echosync_require_user);
PG_FUNCTION_INFO_V1(echosync_wake);
PG_FUNCTION_INFO_V1(echosync_wake_now);

static Statement select_owner = {
	.sql = "SELECT i.user_id FROM @schema@.crm_integrations i WHERE i.id = $1",
	.nargs = 1,
	.argtypes = {UUIDOID}
};

/* "sub" of request.jwt.claims, as PostgREST and Supabase set it. */
static char *
identity_from_claims(void)
{
	const char *claims = GetConfigOption("request.jwt.claims", true, false);
	Jsonb	   *parsed;
	char	   *sub;

	if (claims == NULL || claims[0] == '\0')
		return NULL;
	parsed = json_parse(claims, strlen(claims));
	if (parsed == NULL || !JB_ROOT_IS_OBJECT(parsed))
		return NULL;
	sub = json_get_text(&parsed->root, "sub");
	return sub != NULL && sub[0] != '\0' ? sub : NULL;
}

/* The user that a trusted session says it acts for; NULL: it says none. */
static char *
identity_said(void)
{
	char	   *session_role = GetUserNameFromId(GetSessionUserId(), false);

	if (InSecurityRestrictedOperation() ||
		!settings_list_contains(echosync_trusted_sessions, session_role))
		return NULL;
	if (echosync_user_id != NULL && echosync_user_id[0] != '\0')
		return pstrdup(echosync_user_id);
	return identity_from_claims();
}

char *
identity_user_id(void)
{
	char	   *session_role = GetUserNameFromId(GetSessionUserId(), false);

	if (InSecurityRestrictedOperation())
		return NULL;
	if (!settings_list_contains(echosync_trusted_sessions, session_role))
		return session_role;
	return identity_said();
}

/* Levels are EXECUTE on a function that does nothing: see echosync_grant(). */
static bool
identity_has_level(const char *level)
{
	Oid			role = GetOuterUserId();
	Oid			schema;
	Oid			function;
	char	   *name = psprintf("echosync_level_%s", level);

	if (InSecurityRestrictedOperation())
		return false;
	if (superuser_arg(role))
		return true;
	schema = db_extension_schema();
	if (!OidIsValid(schema))
		return false;
	function = LookupFuncName(list_make2(makeString(get_namespace_name(schema)),
										 makeString(name)),
							  0, NULL, true);
	if (!OidIsValid(function))
		return false;
	return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK ||
		(strcmp(level, "admin") != 0 && identity_has_level("admin"));
}

/* Who has said for whom it acts is that user, whatever its role may. */
static bool
identity_sees_all(const char *level)
{
	return identity_said() == NULL && identity_has_level(level);
}

bool
identity_may_see(const char *owner, const char *level)
{
	char	   *user = identity_user_id();

	return (user != NULL && strcmp(user, owner) == 0) || identity_sees_all(level);
}

bool
identity_may_see_connection(const pg_uuid_t *id, const char *level)
{
	Datum		value = UUIDPGetDatum(id);
	SavedUser	saved;
	char	   *user;
	bool		yes;

	if (identity_sees_all(level))
		return true;
	user = identity_user_id();
	if (user == NULL)
		return false;
	SPI_connect();
	db_use_extension();
	db_become_owner(&saved);
	statement_execute(&select_owner, &value, NULL, true, 1);
	yes = SPI_processed == 1 && strcmp(spi_text(0, 1), user) == 0;
	db_restore_user(&saved);
	SPI_finish();
	return yes;
}

char *
identity_require_user(bool allow_admin)
{
	char	   *user = identity_user_id();

	if (allow_admin && identity_sees_all("admin"))
		return NULL;
	if (user == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("no user to act for"),
				 errhint("Set echosync.user_id in the transaction, for example SELECT set_config('echosync.user_id', $1, true), or send a JWT with a sub.")));
	return user;
}

Datum
echosync_current_user_id(PG_FUNCTION_ARGS)
{
	char	   *user = identity_user_id();

	if (user == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(user));
}

Datum
echosync_has_level(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(identity_has_level(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum
echosync_sees_all(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(identity_sees_all(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum
echosync_may_see(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(identity_may_see(text_to_cstring(PG_GETARG_TEXT_PP(0)),
									text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

Datum
echosync_require_user(PG_FUNCTION_ARGS)
{
	char	   *user;

	db_use_extension();
	user = identity_require_user(true);
	if (user == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(user));
}

Datum
echosync_wake(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		wake_note_everything();
	else
		wake_note_integration(PG_GETARG_UUID_P(0));
	PG_RETURN_VOID();
}

Datum
echosync_wake_now(PG_FUNCTION_ARGS)
{
	shared_wake_database(MyDatabaseId, NULL, 0, true);
	PG_RETURN_VOID();
}

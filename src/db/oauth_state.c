/*
 * oauth_state.c
 *		OAuth flows under way.
 *
 * Only the SHA-256 of a state is stored: who reads the table cannot finish
 * somebody's flow.  The text has no dot, which PostgREST would take for an
 * operator, and starts with a fixed prefix.
 *
 * The caller is connected to SPI as the extension's owner.
 */
#include "postgres.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "db/oauth_state.h"
#include "db/statement.h"

#define STATE_BYTES 24

static Statement insert_state = {
	.sql = "INSERT INTO @schema@.crm_oauth_states (state_hash, user_id, crm_type, settings, expires_at)"
	" VALUES ($1, $2, $3, $4, pg_catalog.clock_timestamp() + interval '10 minutes')",
	.nargs = 4,
	.argtypes = {BYTEAOID, TEXTOID, TEXTOID, JSONBOID}
};

static Statement delete_expired = {
	.sql = "DELETE FROM @schema@.crm_oauth_states s USING ("
	" SELECT h.state_hash FROM @schema@.crm_oauth_states h"
	" WHERE h.expires_at < pg_catalog.clock_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED) old"
	" WHERE s.state_hash = old.state_hash",
	.nargs = 0
};

static Statement consume_state = {
	.sql = "DELETE FROM @schema@.crm_oauth_states s"
	" WHERE s.state_hash = $1 AND ($2 IS NULL OR s.user_id = $2)"
	" AND s.expires_at >= pg_catalog.clock_timestamp()"
	" RETURNING s.user_id, s.crm_type, s.settings",
	.nargs = 2,
	.argtypes = {BYTEAOID, TEXTOID}
};

static Datum
state_hash(const char *state)
{
	bytea	   *hash = palloc(VARHDRSZ + SHA256_DIGEST_LENGTH);

	SET_VARSIZE(hash, VARHDRSZ + SHA256_DIGEST_LENGTH);
	SHA256((const unsigned char *) state, strlen(state), (unsigned char *) VARDATA(hash));
	return PointerGetDatum(hash);
}

char *
oauth_state_create(const char *user_id, const char *crm_type, Jsonb *settings)
{
	unsigned char bytes[STATE_BYTES];
	char	   *state = palloc(3 + 2 * STATE_BYTES + 1);
	Datum		values[4];

	if (RAND_bytes(bytes, STATE_BYTES) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate an OAuth state")));
	strcpy(state, "es_");
	for (int i = 0; i < STATE_BYTES; i++)
		sprintf(state + 3 + 2 * i, "%02x", bytes[i]);
	values[0] = state_hash(state);
	values[1] = CStringGetTextDatum(user_id);
	values[2] = CStringGetTextDatum(crm_type);
	values[3] = JsonbPGetDatum(settings);
	statement_execute(&delete_expired, NULL, NULL, false, 0);
	statement_execute(&insert_state, values, NULL, false, 0);
	return state;
}

bool
oauth_state_consume(const char *state, const char *user_id, MemoryContext context,
					OauthState *result)
{
	Datum		values[2];
	char		nulls[3] = "  ";

	values[0] = state_hash(state);
	values[1] = user_id ? CStringGetTextDatum(user_id) : 0;
	nulls[1] = user_id ? ' ' : 'n';
	statement_execute(&consume_state, values, nulls, false, 0);
	if (SPI_processed != 1)
		return false;
	result->user_id = MemoryContextStrdup(context, spi_text(0, 1));
	result->crm_type = MemoryContextStrdup(context, spi_text(0, 2));
	result->settings = MemoryContextStrdup(context, spi_text(0, 3));
	return true;
}

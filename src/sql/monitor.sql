/* What the workers are doing. */

CREATE FUNCTION echosync_worker_list(OUT database name, OUT pid integer, OUT state text,
                                     OUT in_flight integer, OUT requests bigint, OUT synced bigint,
                                     OUT failed bigint, OUT retries bigint, OUT rate_limited bigint,
                                     OUT started_at timestamptz, OUT last_error text)
    RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_worker_list() IS 'The workers of all databases, from shared memory; counters since each worker''s start.';

CREATE VIEW echosync_workers AS SELECT * FROM echosync_worker_list();
COMMENT ON VIEW echosync_workers IS 'The processes that drain the queues. state: idle, draining, disabled (echosync.enabled is off), no_key, copy (see echosync_adopt), other_version.';

/* Sealing by hand, for superusers: to move credentials in, to check a key. */
CREATE FUNCTION echosync_encrypt(plain text) RETURNS text
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_encrypt(text) IS 'Seals a text with the current key (AES-256-GCM), bound to no row. Superusers only.';
CREATE FUNCTION echosync_decrypt(sealed text) RETURNS text
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_decrypt(text) IS 'Opens what echosync_encrypt() or the earlier application sealed. Superusers only.';
CREATE FUNCTION echosync_rotate_credentials() RETURNS bigint
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_rotate_credentials() IS 'Seals every credential anew that was sealed with a previous key; returns how many. Superusers only.';

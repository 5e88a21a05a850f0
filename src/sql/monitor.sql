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

CREATE FUNCTION echosync_shared_metrics(OUT name text, OUT labels jsonb, OUT value double precision,
                                        OUT type text, OUT help text)
    RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_shared_metrics() IS 'Numbers of this database from shared memory; since the server''s start, whatever became of its workers. Part of echosync_metrics.';

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
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_rotate_credentials() IS 'Seals every credential anew that was sealed with a previous key; returns how many. Superusers only.';
CREATE FUNCTION echosync_import_integration(user_id text, crm_type text, sealed text, settings jsonb DEFAULT '{}')
    RETURNS uuid
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_import_integration(text, text, text, jsonb) IS 'Brings over a connection that the earlier application sealed, with the same key and salt in the env file. Superusers only.';

CREATE FUNCTION echosync_installation(OUT preloaded boolean, OUT library_version text, OUT env_file text,
                                      OUT env_problem text, OUT oauth_ready boolean,
                                      OUT webhook_ready boolean, OUT ca_readable boolean)
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_installation() IS 'What echosync_doctor() cannot see in tables. Shows names, never secrets.';

CREATE FUNCTION echosync_doctor(OUT check_name text, OUT ok boolean, OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed record;
    one record;
    n bigint;
BEGIN
    SELECT * INTO installed FROM @extschema@.echosync_installation();

    check_name := 'preload'; ok := installed.preloaded;
    detail := CASE WHEN ok THEN 'the library is preloaded' ELSE 'the library is not preloaded: nothing is sent' END;
    hint := CASE WHEN NOT ok THEN 'ALTER SYSTEM SET shared_preload_libraries = ''echosync''; then restart the server (keep other libraries in the list)' END;
    RETURN NEXT;

    SELECT e.extversion INTO one FROM pg_extension e WHERE e.extname = 'echosync';
    check_name := 'version'; ok := one.extversion = installed.library_version;
    detail := format('extension %s, library %s', one.extversion, installed.library_version);
    hint := CASE WHEN NOT ok THEN 'ALTER EXTENSION echosync UPDATE; or restart the server with the matching library' END;
    RETURN NEXT;

    check_name := 'secrets'; ok := installed.env_problem IS NULL;
    detail := coalesce(installed.env_problem, format('read from %s', coalesce(installed.env_file, 'the server''s environment')));
    hint := CASE WHEN NOT ok THEN 'Correct the file that echosync.env_file names, then SELECT pg_reload_conf();' END;
    RETURN NEXT;

    check_name := 'ca_file'; ok := installed.ca_readable;
    detail := CASE WHEN ok THEN 'readable, or not set' ELSE format('the server cannot read %s', current_setting('echosync.ca_file')) END;
    hint := CASE WHEN NOT ok THEN 'Make the file that echosync.ca_file names readable by the server''s user, or unset it, then SELECT pg_reload_conf();' END;
    RETURN NEXT;

    SELECT count(*) AS workers, string_agg(DISTINCT w.state, ', ') AS states,
           max(w.last_error) AS last_error INTO one
      FROM @extschema@.echosync_worker_list() w WHERE w.database = current_database();
    check_name := 'worker'; ok := one.workers > 0 AND one.states NOT IN ('copy', 'no_key', 'wrong_key', 'other_version', 'disabled');
    detail := CASE WHEN one.workers = 0 THEN 'no worker runs in this database'
                   ELSE format('%s running, state %s%s', one.workers, one.states,
                               coalesce('; last error: ' || one.last_error, '')) END;
    hint := CASE WHEN ok THEN NULL
                 WHEN one.workers = 0 THEN 'Look at echosync.databases and max_worker_processes, and at the server log for "echosync".'
                 WHEN one.states = 'copy' THEN 'This database is a restored copy. When the original no longer sends: SELECT echosync_adopt();'
                 WHEN one.states = 'disabled' THEN 'ALTER SYSTEM SET echosync.enabled = on; SELECT pg_reload_conf();'
                 WHEN one.states = 'no_key' THEN 'See the check "secrets".'
                 WHEN one.states = 'wrong_key' THEN 'Put the key that sealed the credentials back, or into INTEGRATION_ENCRYPTION_KEY_PREVIOUS, then SELECT pg_reload_conf();'
                 ELSE 'ALTER EXTENSION echosync UPDATE;' END;
    RETURN NEXT;

    FOR one IN
        SELECT s.relation, s.mapping, c.oid IS NOT NULL AS there, coalesce(c.relrowsecurity AND c.relforcerowsecurity, false) AS forced,
               (SELECT string_agg(v.name, ', ')
                  FROM jsonb_each(s.mapping) m,
                       LATERAL (SELECT jsonb_array_elements_text(CASE jsonb_typeof(m.value)
                                    WHEN 'array' THEN m.value ELSE jsonb_build_array(m.value) END)) v(name)
                 WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = s.relation
                                      AND a.attname = v.name AND a.attnum > 0 AND NOT a.attisdropped)) AS missing,
               (SELECT string_agg(l.relid::regclass::text, ', ')
                  FROM pg_partition_tree(s.relation) l
                 WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = l.relid
                                      AND t.tgname = 'echosync_capture' AND t.tgenabled IN ('O', 'A'))) AS silent,
               (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = s.relation
                   AND t.tgname IN ('echosync_capture', 'echosync_capture_end') AND t.tgenabled IN ('O', 'A')) AS triggers
          FROM @extschema@.crm_lead_sources s LEFT JOIN pg_class c ON c.oid = s.relation
         WHERE s.attached
         ORDER BY s.id
    LOOP
        check_name := 'leads ' || one.relation::text;
        ok := one.there AND NOT one.forced AND one.missing IS NULL AND one.silent IS NULL AND one.triggers = 2;
        detail := CASE WHEN NOT one.there THEN 'the table no longer exists'
                       WHEN one.forced THEN 'row-level security is forced on its owner: its leads are held back'
                       WHEN one.missing IS NOT NULL THEN format('columns no longer there: %s; its leads are held back', one.missing)
                       WHEN one.silent IS NOT NULL THEN format('no enabled trigger on %s', one.silent)
                       WHEN one.triggers <> 2 THEN 'a trigger is missing or disabled'
                       ELSE 'attached' END;
        hint := CASE WHEN ok THEN NULL
                     WHEN NOT one.there THEN format('DELETE FROM %s.crm_lead_sources WHERE relation = %s::oid::regclass;', '@extschema@', one.relation::oid)
                     WHEN one.forced THEN format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', one.relation)
                     WHEN one.missing IS NOT NULL THEN format('SELECT echosync_attach_leads(%L);', one.relation::text)
                     ELSE format('SELECT echosync_attach_leads(%L, %L);', one.relation::text, one.mapping) END;
        RETURN NEXT;
    END LOOP;

    SELECT count(*) INTO n FROM @extschema@.crm_integrations i WHERE i.status <> 'active';
    check_name := 'connections'; ok := n = 0;
    SELECT format('%s of %s not active%s', n, count(*), coalesce(': ' || string_agg(DISTINCT i.status_reason, ', '), ''))
      INTO detail FROM @extschema@.crm_integrations i WHERE n = 0 OR i.status <> 'active';
    hint := CASE WHEN NOT ok THEN 'SELECT * FROM echosync_status WHERE status <> ''active''; then echosync_resume(integration_id), or connect again where the credential is refused' END;
    RETURN NEXT;

    SELECT count(*) AS credentials, count(*) FILTER (WHERE c.sealed NOT LIKE 'es1:%') AS legacy INTO one
      FROM @extschema@.crm_credentials c;
    check_name := 'tokens';
    SELECT count(*) INTO n FROM @extschema@.crm_credentials c
     WHERE c.expires_at IS NOT NULL AND c.updated_at < now() - interval '60 days';
    ok := n = 0;
    detail := format('%s credentials, %s OAuth tokens unused for 60 days', one.credentials, n);
    hint := CASE WHEN NOT ok THEN 'Refresh tokens die after 90 days without use: SELECT echosync_test_connection(integration_id) for them.' END;
    RETURN NEXT;

    SELECT sum(@extschema@.echosync_queue_length(i.id)) AS waiting,
           min(least((SELECT q.queued_at FROM @extschema@.crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 0 ORDER BY q.id LIMIT 1),
                     (SELECT q.queued_at FROM @extschema@.crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 1 ORDER BY q.id LIMIT 1))) AS oldest
      INTO one FROM @extschema@.crm_integrations i WHERE i.status = 'active';
    check_name := 'backlog'; ok := one.oldest IS NULL OR one.oldest > now() - interval '1 hour';
    detail := format('%s queued for active connections%s', coalesce(one.waiting, 0), coalesce(', the oldest since ' || one.oldest::text, ''));
    hint := CASE WHEN NOT ok THEN 'SELECT * FROM echosync_status ORDER BY oldest_queued_at; a back-fill is bound by the CRM''s rate limit' END;
    RETURN NEXT;

    SELECT count(*) INTO n FROM @extschema@.crm_dead_letters;
    check_name := 'dead_letters'; ok := n = 0;
    detail := format('%s leads out of retries', n);
    hint := CASE WHEN NOT ok THEN 'SELECT error_code, count(*) FROM echosync_dead_letters GROUP BY 1; then echosync_retry_failed(integration_id)' END;
    RETURN NEXT;

    check_name := 'statement_log'; ok := current_setting('log_statement') NOT IN ('all', 'mod');
    detail := format('log_statement = %s', current_setting('log_statement'));
    hint := CASE WHEN NOT ok THEN 'Statements are logged with their literals: bind keys as parameters when calling echosync_connect().' END;
    RETURN NEXT;

    SELECT count(*) INTO n FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
     WHERE d.deptype = 'e' AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity);
    check_name := 'row_security'; ok := n = 0;
    detail := CASE WHEN ok THEN 'enabled and forced on every table' ELSE format('not enabled or not forced on %s tables', n) END;
    hint := CASE WHEN NOT ok THEN 'ALTER TABLE ... ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; for the tables of \dx+ echosync' END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION echosync_doctor() IS 'What is wrong, and what to type. One row a check; ok false deserves a look.';

CREATE VIEW echosync_metrics WITH (security_barrier) AS
WITH allowed AS (SELECT (SELECT echosync_has_level('monitor')) AS yes),
queue AS (SELECT i.crm_type, i.status, sum(echosync_queue_length(i.id)) AS depth, min(least(
                 (SELECT q.queued_at FROM crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 0 ORDER BY q.id LIMIT 1),
                 (SELECT q.queued_at FROM crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 1 ORDER BY q.id LIMIT 1))) AS oldest
            FROM crm_integrations i GROUP BY i.crm_type, i.status),
samples(name, labels, value, type, help) AS (
    SELECT 'echosync_queue_depth', jsonb_build_object('crm', q.crm_type, 'status', q.status), q.depth::float8,
           'gauge', 'Rows queued, by CRM and status of the connection.' FROM queue q
    UNION ALL
    SELECT 'echosync_queue_oldest_seconds', jsonb_build_object('crm', q.crm_type),
           coalesce(extract(epoch FROM clock_timestamp() - min(q.oldest)), 0)::float8,
           'gauge', 'Age of the oldest row queued for an active connection.'
      FROM queue q WHERE q.status = 'active' GROUP BY q.crm_type
    UNION ALL
    SELECT 'echosync_connections', jsonb_build_object('crm', i.crm_type, 'status', i.status), count(*)::float8,
           'gauge', 'Connections by status.' FROM crm_integrations i GROUP BY i.crm_type, i.status
    UNION ALL
    SELECT 'echosync_dead_letters', jsonb_build_object('crm', i.crm_type), count(d.lead_id)::float8,
           'gauge', 'Leads out of retries.'
      FROM crm_integrations i LEFT JOIN crm_dead_letters d ON d.integration_id = i.id GROUP BY i.crm_type
    UNION ALL
    SELECT 'echosync_token_idle_seconds', '{}', coalesce(max(extract(epoch FROM now() - c.updated_at)), 0)::float8,
           'gauge', 'Longest time since an OAuth token was refreshed; it dies at 90 days.'
      FROM crm_credentials c WHERE c.expires_at IS NOT NULL
    UNION ALL
    SELECT 'echosync_worker_up', '{}', (count(w.pid) > 0)::int::float8,
           'gauge', 'Does a worker run in this database?'
      FROM echosync_worker_list() w WHERE w.database = current_database()
    UNION ALL
    SELECT m.name, m.labels, m.value, m.type, m.help FROM echosync_shared_metrics() m
)
SELECT s.name, s.labels, s.value, s.type, s.help FROM samples s, allowed WHERE allowed.yes;
COMMENT ON VIEW echosync_metrics IS 'Numbers for a monitoring system, in Prometheus'' terms: name, labels, value, type, help. A histogram is its rows _bucket, _sum and _count. For level monitor.';

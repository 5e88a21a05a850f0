-- The SQL contract of DESIGN.md, checked against the catalog: names, arguments,
-- defaults, results, columns, settings.  Changes nothing.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
BEGIN;
CREATE SCHEMA sync;
CREATE EXTENSION echosync SCHEMA sync;
SELECT no_plan();

-- ---------------------------------------------------------------------------
-- The extension
-- ---------------------------------------------------------------------------
SELECT is(extrelocatable, false, 'it is not relocatable'),
       is(extnamespace::regnamespace::text, 'sync', 'it goes where it is told'),
       isnt(obj_description(oid, 'pg_extension'), NULL, 'it has a comment')
  FROM pg_extension WHERE extname = 'echosync';
SELECT ok(superuser AND NOT trusted AND NOT relocatable AND schema IS NULL AND requires IS NULL,
          'only a superuser creates it, in any schema, alone')
  FROM pg_available_extension_versions WHERE name = 'echosync' AND installed;

-- ---------------------------------------------------------------------------
-- Functions: what an application calls.  kind: f for one value, s for a set.
-- ---------------------------------------------------------------------------
CREATE TEMP TABLE contract (name text, arguments text, result text, kind "char", volatile text);
INSERT INTO contract VALUES
    ('echosync_current_user_id', '', 'text', 'f', 'STABLE'),
    ('echosync_attach_leads', 'leads regclass, mapping jsonb DEFAULT ''{}''::jsonb', 'void', 'f', 'VOLATILE'),
    ('echosync_detach_leads', 'leads regclass', 'void', 'f', 'VOLATILE'),
    ('echosync_connect', 'crm_type text, api_key text, settings jsonb DEFAULT ''{}''::jsonb', 'uuid', 'f', 'VOLATILE'),
    ('echosync_oauth_authorize', 'crm_type text DEFAULT ''followupboss''::text, settings jsonb DEFAULT ''{}''::jsonb', 'text', 'f', 'VOLATILE'),
    ('echosync_oauth_callback', 'code text DEFAULT NULL::text, state text DEFAULT NULL::text, response text DEFAULT NULL::text', 'uuid', 'f', 'VOLATILE'),
    ('echosync_get_integration', 'id uuid', 'sync.crm_integrations', 'f', 'STABLE'),
    ('echosync_update_integration', 'id uuid, settings jsonb', 'sync.crm_integrations', 'f', 'VOLATILE'),
    ('echosync_disconnect', 'id uuid', 'void', 'f', 'VOLATILE'),
    ('echosync_test_connection', 'id uuid, OUT ok boolean, OUT message text, OUT crm_account text', 'record', 'f', 'VOLATILE'),
    ('echosync_manual_sync', 'id uuid, lead_ids text[] DEFAULT NULL::text[], OUT run_id bigint, OUT queued bigint, OUT skipped bigint', 'record', 'f', 'VOLATILE'),
    ('echosync_sync_logs', 'id uuid DEFAULT NULL::uuid, status text[] DEFAULT NULL::text[], crm_type text DEFAULT NULL::text, '
        'since timestamp with time zone DEFAULT NULL::timestamp with time zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, '
        'before_id bigint DEFAULT NULL::bigint, max_rows integer DEFAULT 100', 'SETOF sync.crm_sync_logs', 's', 'STABLE'),
    ('echosync_webhook_lead_created', 'jsonb', 'jsonb', 'f', 'VOLATILE'),
    ('echosync_pause', 'id uuid', 'void', 'f', 'VOLATILE'),
    ('echosync_resume', 'id uuid', 'void', 'f', 'VOLATILE'),
    ('echosync_retry_failed', 'id uuid, lead_ids text[] DEFAULT NULL::text[]', 'bigint', 'f', 'VOLATILE'),
    ('echosync_discard_failed', 'id uuid, lead_ids text[] DEFAULT NULL::text[]', 'bigint', 'f', 'VOLATILE'),
    ('echosync_preview', 'id uuid, lead_id text, OUT step integer, OUT method text, OUT url text, OUT body jsonb', 'SETOF record', 's', 'STABLE'),
    ('echosync_encrypt', 'plain text', 'text', 'f', NULL),
    ('echosync_decrypt', 'sealed text', 'text', 'f', NULL),
    ('echosync_rotate_credentials', '', 'bigint', 'f', 'VOLATILE'),
    ('echosync_accept_key', '', 'bigint', 'f', 'VOLATILE'),
    ('echosync_import_integration', 'user_id text, crm_type text, sealed text, settings jsonb DEFAULT ''{}''::jsonb', 'uuid', 'f', 'VOLATILE'),
    ('echosync_grant', 'role regrole, level text DEFAULT ''user''::text', 'void', 'f', 'VOLATILE'),
    ('echosync_doctor', 'OUT check_name text, OUT ok boolean, OUT detail text, OUT hint text', 'SETOF record', 's', 'STABLE'),
    ('echosync_drain', 'timeout_seconds integer DEFAULT 30', 'boolean', 'f', 'VOLATILE'),
    ('echosync_adopt', '', 'void', 'f', 'VOLATILE');
CREATE TEMP VIEW functions AS
SELECT p.oid, p.proname::text AS name, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
       CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END AS volatile, p.prosecdef, p.proconfig, p.prokind, p.prolang
  FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync';
SELECT ok(count(f.oid) = 1, format('%s exists, once', c.name)) FROM contract c LEFT JOIN functions f USING (name) GROUP BY c.name ORDER BY c.name;
SELECT is(f.arguments, c.arguments, format('%s: arguments', name)),
       is(f.result, c.result, format('%s: result', name))
  FROM contract c JOIN functions f USING (name) ORDER BY name;
SELECT is(f.volatile, c.volatile, format('%s: volatility', name)) FROM contract c JOIN functions f USING (name) WHERE c.volatile IS NOT NULL ORDER BY name;
-- Through PostgREST: no overloads, no procedures, no reserved argument names, one unnamed argument at most.
SELECT ok(count(*) = 1, format('%s has no overloads', name)) FROM functions GROUP BY name ORDER BY name;
SELECT ok(prokind = 'f', format('%s is a function', name)) FROM functions ORDER BY name;
SELECT ok(NOT (f.arguments ~ '\m(select|columns|on_conflict|order|limit|offset|and|or)\M'), format('%s: argument names that a GET can carry', name))
  FROM contract JOIN functions f USING (name) ORDER BY name;
-- What runs with its owner's rights is closed to the caller's search_path.
SELECT is(array_to_string(array_remove(array_remove(proconfig, 'jit=off'), 'lock_timeout=500ms'), ', '), 'search_path=pg_catalog, pg_temp', format('%s is SECURITY DEFINER: its search_path is fixed', name))
  FROM functions WHERE prosecdef ORDER BY name;
SELECT ok(prosecdef OR prolang <> (SELECT oid FROM pg_language WHERE lanname = 'plpgsql') OR 'search_path=pg_catalog, pg_temp' = ANY (proconfig),
          format('%s is PL/pgSQL: its search_path is fixed', name))
  FROM functions ORDER BY name;

-- ---------------------------------------------------------------------------
-- Tables and views
-- ---------------------------------------------------------------------------
SELECT has_table('sync', t, format('table %s', t))
  FROM unnest(ARRAY['crm_integrations', 'crm_sync_queue', 'crm_sync_logs', 'crm_lead_links', 'crm_lead_sources', 'crm_oauth_states', 'crm_sync_runs', 'crm_sync_hours']) t;
SELECT has_view('sync', v, format('view %s', v))
  FROM unnest(ARRAY['echosync_status', 'echosync_workers', 'echosync_runs', 'echosync_dead_letters', 'echosync_metrics']) v;
CREATE FUNCTION pg_temp.columns_of(relation text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = to_regclass('sync.' || relation) AND attnum > 0 AND NOT attisdropped
$$;
SELECT is(pg_temp.columns_of('crm_sync_logs'),
    'id bigint, integration_id uuid, user_id text, crm_type text, lead_id text, sync_type text, action text, status text, reason text, '
    'attempt smallint, crm_record_id text, http_status integer, error_code text, error_message text, '
    'queued_at timestamp with time zone, logged_at timestamp with time zone, duration_ms integer', 'crm_sync_logs: columns');
SELECT is(pg_temp.columns_of('echosync_status'),
    'integration_id uuid, user_id text, crm_type text, status text, status_reason text, queued bigint, failed bigint, '
    'oldest_queued_at timestamp with time zone, last_sync_at timestamp with time zone, synced_24h bigint, failed_24h bigint, consecutive_failures integer',
    'echosync_status: columns');
SELECT is(pg_temp.columns_of('echosync_workers'),
    'database name, pid integer, state text, in_flight integer, requests bigint, synced bigint, failed bigint, retries bigint, rate_limited bigint, '
    'started_at timestamp with time zone, last_error text', 'echosync_workers: columns');
SELECT is(pg_temp.columns_of('echosync_metrics'), 'name text, labels jsonb, value double precision, type text, help text', 'echosync_metrics: columns');
SELECT has_column('sync', r::name, c::name, format('%s.%s', r, c))
  FROM (VALUES ('crm_integrations', ARRAY['id', 'user_id', 'crm_type', 'status', 'status_reason', 'consecutive_failures']),
               ('crm_lead_links', ARRAY['integration_id', 'lead_id', 'crm_record_id']),
               ('crm_sync_queue', ARRAY['integration_id', 'lead_id', 'user_id']),
               ('echosync_dead_letters', ARRAY['integration_id', 'lead_id', 'user_id']),
               ('echosync_runs', ARRAY['run_id', 'queued', 'skipped', 'done', 'total', 'seconds_left', 'estimated_finish'])) v(r, columns), unnest(columns) c;
SELECT col_type_is('sync', r::name, c::name, 'text', format('%s.%s is text, whatever the application''s key is', r, c))
  FROM (VALUES ('crm_integrations', 'user_id'), ('crm_sync_queue', 'user_id'), ('crm_sync_queue', 'lead_id'), ('crm_sync_logs', 'user_id'),
               ('crm_sync_logs', 'lead_id'), ('crm_lead_links', 'lead_id'), ('crm_lead_links', 'crm_record_id')) v(r, c);
-- No credential in a table that somebody may read.
SELECT ok(count(*) = 0, 'no column of crm_integrations is a credential: ' || coalesce(string_agg(attname, ', '), ''))
  FROM pg_attribute WHERE attrelid = 'sync.crm_integrations'::regclass AND attnum > 0 AND attname ~ 'sealed|secret|token|api_key|password|credential$';

-- The words that outsiders see.
CREATE FUNCTION pg_temp.accepts(relation text, col text, word text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    definition text;
    accepted boolean := true;
    one boolean;
BEGIN
    FOR definition IN SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
                       WHERE conrelid = to_regclass('sync.' || relation) AND contype = 'c'
                         AND conkey = (SELECT ARRAY[attnum] FROM pg_attribute WHERE attrelid = conrelid AND attname = col) LOOP
        EXECUTE format('SELECT %s FROM (SELECT %L::text AS %I) t', definition, word, col) INTO one;
        accepted := accepted AND coalesce(one, true);
    END LOOP;
    RETURN accepted;
END
$$;
SELECT ok(pg_temp.accepts(r, c, w), format('%s.%s takes %s', r, c, w))
  FROM (VALUES ('crm_sync_logs', 'sync_type', ARRAY['auto', 'manual', 'webhook', 'retry']), ('crm_sync_logs', 'action', ARRAY['created', 'updated', 'none']),
               ('crm_sync_logs', 'status', ARRAY['success', 'failed', 'skipped']), ('crm_integrations', 'status', ARRAY['active', 'paused', 'error']),
               ('crm_sync_queue', 'sync_type', ARRAY['auto', 'manual', 'webhook', 'retry']),
               ('crm_sync_logs', 'reason', ARRAY['risk_above_limit', 'risk_unscored', 'no_contact_key', 'do_not_contact', 'lead_deleted', 'unchanged', 'ambiguous_match', 'ignored_by_crm', 'disconnected', 'id_too_long'])) v(r, c, words), unnest(words) w;
SELECT ok(NOT pg_temp.accepts(r, c, 'something else'), format('%s.%s takes nothing else', r, c))
  FROM (VALUES ('crm_sync_logs', 'action'), ('crm_sync_logs', 'status'), ('crm_integrations', 'status')) v(r, c);
SELECT ok(obj_description('sync.crm_sync_logs'::regclass) IS NOT NULL AND col_description('sync.crm_sync_logs'::regclass, a.attnum) LIKE '%' || w || '%',
          format('the comment on crm_sync_logs.reason knows %s', w))
  FROM pg_attribute a, unnest(ARRAY['risk_above_limit', 'risk_unscored', 'no_contact_key', 'do_not_contact', 'lead_deleted', 'unchanged', 'ambiguous_match', 'ignored_by_crm', 'disconnected', 'id_too_long']) w
 WHERE a.attrelid = 'sync.crm_sync_logs'::regclass AND a.attname = 'reason';

-- Everything is commented, and all rows go into a dump but claims.
SELECT is(string_agg(pg_describe_object(d.classid, d.objid, 0), ', ' ORDER BY 1), NULL, 'every function, table and view has a comment')
  FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
  LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
 WHERE d.deptype = 'e' AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass) AND c.relkind IS DISTINCT FROM 'S'
   AND obj_description(d.objid, d.classid::regclass::name) IS NULL;
SELECT is(string_agg(c.relname, ', ' ORDER BY c.relname), 'crm_sync_claims, crm_sync_claims_id_seq, crm_sync_gaps, crm_sync_gaps_id_seq', 'what pg_dump leaves out')
  FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
 WHERE c.relkind IN ('r', 'S') AND NOT c.oid = ANY (e.extconfig);
SELECT is(array_to_string(extcondition, ''), 'WHERE relation IN (SELECT c.oid FROM pg_catalog.pg_class c)', 'and nothing of what it takes, but for tables that are gone') FROM pg_extension WHERE extname = 'echosync';

-- ---------------------------------------------------------------------------
-- Settings
-- ---------------------------------------------------------------------------
CREATE TEMP TABLE settings (name text, context text, type text, unit text, standard text);
INSERT INTO settings VALUES
    ('databases', 'sighup', 'string', NULL, '*'), ('workers', 'sighup', 'integer', NULL, NULL), ('max_in_flight', 'sighup', 'integer', NULL, NULL),
    ('env_file', 'sighup', 'string', NULL, ''), ('ca_file', 'sighup', 'string', NULL, ''), ('redirect_url', 'sighup', 'string', NULL, ''), ('app_url', 'sighup', 'string', NULL, ''),
    ('followupboss_api_url', 'sighup', 'string', NULL, 'https://api.followupboss.com/v1'), ('followupboss_app_url', 'sighup', 'string', NULL, 'https://app.followupboss.com'),
    ('lofty_api_url', 'sighup', 'string', NULL, 'https://api.lofty.com/v1.0'),
    ('kvcore_api_url', 'sighup', 'string', NULL, 'https://api.kvcore.com/v2/public'), ('kvcore_rate_limit', 'sighup', 'integer', NULL, '60'),
    ('connect_timeout', 'sighup', 'integer', 'ms', NULL), ('request_timeout', 'sighup', 'integer', 'ms', NULL), ('max_retries', 'sighup', 'integer', NULL, '3'),
    ('retry_base_delay', 'sighup', 'integer', 'ms', '1000'), ('pause_after_failures', 'sighup', 'integer', NULL, '10'), ('lofty_rate_limit', 'sighup', 'integer', NULL, '10'),
    ('followupboss_rate_limit', 'sighup', 'integer', NULL, NULL), ('uncertain_wait', 'sighup', 'integer', 'ms', '90000'), ('log_retention', 'sighup', 'integer', NULL, '30'),
    ('trusted_sessions', 'superuser', 'string', NULL, '*'), ('enabled', 'sighup', 'bool', NULL, 'on'), ('capture', 'superuser', 'bool', NULL, 'on'), ('user_id', 'user', 'string', NULL, '');
SELECT is(p.context, s.context, format('echosync.%s: who may set it', s.name)),
       is(p.vartype, s.type, format('echosync.%s: type', s.name)),
       is(p.unit, s.unit, format('echosync.%s: unit', s.name)),
       is(coalesce(s.standard, p.boot_val), p.boot_val, format('echosync.%s: default', s.name)),
       isnt(p.short_desc, '', format('echosync.%s: description', s.name))
  FROM settings s LEFT JOIN pg_settings p ON p.name = 'echosync.' || s.name ORDER BY s.name;
SELECT is(string_agg(p.name, ', '), NULL, 'and there are no others')
  FROM pg_settings p WHERE p.name LIKE 'echosync.%' AND p.name NOT IN (SELECT 'echosync.' || name FROM settings);
SELECT throws_ok('SET echosync.no_such_setting = 1', '42602', NULL, 'a name that is none of ours is refused');
SELECT ok(NOT EXISTS (SELECT FROM pg_settings WHERE name ILIKE '%echosync%' AND (setting ILIKE '%sk_echosafe%' OR setting ~ '[0-9a-f]{64}')), 'no secret is a setting');

SELECT * FROM finish();
ROLLBACK;

/* Row-level security, and what each level may do. */

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['crm_integrations', 'crm_credentials', 'crm_disconnected',
        'crm_lead_sources', 'crm_sync_queue', 'crm_sync_attempts', 'crm_sync_claims', 'crm_sync_gaps', 'crm_dead_letters',
        'crm_lead_links', 'crm_sync_logs', 'crm_sync_hours', 'crm_sync_runs', 'crm_oauth_states', 'crm_instance']
    LOOP
        EXECUTE format('ALTER TABLE %s.%I ENABLE ROW LEVEL SECURITY', '@extschema@', name);
        EXECUTE format('ALTER TABLE %s.%I FORCE ROW LEVEL SECURITY', '@extschema@', name);
    END LOOP;
END
$$;

/*
 * The rule of echosync_may_see(), written so that it is evaluated once a query
 * and an index on user_id serves.
 */
CREATE POLICY own_rows ON crm_integrations FOR SELECT USING
    (user_id = (SELECT echosync_current_user_id()));
CREATE POLICY admin_rows ON crm_integrations FOR SELECT USING
    ((SELECT echosync_sees_all('admin')));
CREATE POLICY own_rows ON crm_sync_queue FOR SELECT USING
    (user_id = (SELECT echosync_current_user_id()));
CREATE POLICY admin_rows ON crm_sync_queue FOR SELECT USING
    ((SELECT echosync_sees_all('admin')));
CREATE POLICY own_rows ON crm_dead_letters FOR SELECT USING
    (user_id = (SELECT echosync_current_user_id()));
CREATE POLICY admin_rows ON crm_dead_letters FOR SELECT USING
    ((SELECT echosync_sees_all('admin')));
CREATE POLICY own_rows ON crm_lead_links FOR SELECT USING
    (user_id = (SELECT echosync_current_user_id()));
CREATE POLICY admin_rows ON crm_lead_links FOR SELECT USING
    ((SELECT echosync_sees_all('admin')));
CREATE POLICY own_rows ON crm_sync_logs FOR SELECT USING
    (user_id = (SELECT echosync_current_user_id()));
CREATE POLICY admin_rows ON crm_sync_logs FOR SELECT USING
    ((SELECT echosync_sees_all('admin')));
CREATE POLICY own_rows ON crm_sync_runs FOR SELECT USING
    (user_id = (SELECT echosync_current_user_id()));
CREATE POLICY admin_rows ON crm_sync_runs FOR SELECT USING
    ((SELECT echosync_sees_all('admin')));
CREATE POLICY admin_rows ON crm_lead_sources FOR SELECT USING (echosync_has_level('admin'));

CREATE FUNCTION echosync_grant(role regrole, level text DEFAULT 'user') RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    everybody CONSTANT text[] := ARRAY[
        'echosync_current_user_id()', 'echosync_has_level(text)', 'echosync_sees_all(text)',
        'echosync_may_see(text, text)', 'echosync_require_user()', 'echosync_capture()', 'echosync_queue_length(uuid)',
        'echosync_lead_seconds(uuid, text)',
        'echosync_attach_leads(regclass, jsonb)', 'echosync_detach_leads(regclass)'];
    user_functions CONSTANT text[] := ARRAY[
        'echosync_connect(text, text, jsonb)', 'echosync_settings_merge(jsonb, jsonb, text)',
        'echosync_find_integration(uuid)', 'echosync_get_integration(uuid)',
        'echosync_update_integration(uuid, jsonb)', 'echosync_pause(uuid)', 'echosync_resume(uuid)',
        'echosync_disconnect(uuid)', 'echosync_test_connection(uuid)',
        'echosync_oauth_authorize(text, jsonb)', 'echosync_oauth_callback(text, text, text)',
        'echosync_manual_sync(uuid, text[])', 'echosync_preview(uuid, text)',
        'echosync_webhook_lead_created(jsonb)', 'echosync_retry_failed(uuid, text[])',
        'echosync_discard_failed(uuid, text[])', 'echosync_drain(integer)',
        'echosync_sync_logs(uuid, text[], text, timestamptz, timestamptz, bigint, integer)'];
    user_relations CONSTANT text[] := ARRAY[
        'crm_integrations', 'crm_sync_queue', 'crm_lead_links', 'crm_sync_logs', 'crm_sync_runs',
        'crm_dead_letters', 'echosync_status', 'echosync_runs', 'echosync_dead_letters'];
    monitor_functions CONSTANT text[] := ARRAY['echosync_level_monitor()', 'echosync_worker_list()', 'echosync_shared_metrics()', 'echosync_doctor()'];
    monitor_relations CONSTANT text[] := ARRAY['echosync_status', 'echosync_workers', 'echosync_runs', 'echosync_dead_letters', 'echosync_metrics'];
    functions text[] := everybody;
    relations text[] := ARRAY[]::text[];
    object text;
BEGIN
    IF level IS NULL OR level NOT IN ('user', 'monitor', 'admin') THEN
        RAISE EXCEPTION 'unrecognized level "%"', level
            USING ERRCODE = '22023', HINT = 'Valid levels are: user, monitor, admin.';
    END IF;
    IF level IN ('user', 'admin') THEN
        functions := functions || user_functions;
        relations := relations || user_relations;
    END IF;
    IF level IN ('monitor', 'admin') THEN
        functions := functions || monitor_functions;
        relations := relations || monitor_relations;
    END IF;
    IF level = 'admin' THEN
        functions := functions || ARRAY['echosync_level_admin()'];
        relations := relations || ARRAY['crm_lead_sources'];
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO %s', '@extschema@', role);
    FOREACH object IN ARRAY functions LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s.%s TO %s', '@extschema@', object, role);
    END LOOP;
    FOREACH object IN ARRAY relations LOOP
        EXECUTE format('GRANT SELECT ON %s.%I TO %s', '@extschema@', object, role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION echosync_grant(regrole, text) IS 'Lets a role use echosync: user (its own rows and the functions), monitor (the monitoring views for all users, no lead data), admin (everything). Take it back with REVOKE.';

/*
 * Nobody but the owner holds anything: neither PUBLIC, to whom functions are
 * open when they are created, nor whoever ALTER DEFAULT PRIVILEGES favours.
 */
DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT kind.word || ' ' || kind.name AS name,
               CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS grantee
          FROM pg_depend d
          LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
          LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid,
               LATERAL (SELECT CASE WHEN p.oid IS NOT NULL THEN 'FUNCTION'
                                    WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                               CASE WHEN p.oid IS NOT NULL THEN p.oid::regprocedure::text
                                    ELSE c.oid::regclass::text END) kind(word, name),
               LATERAL (SELECT DISTINCT x.grantee
                          FROM aclexplode(coalesce(p.proacl, c.relacl,
                                 CASE WHEN p.oid IS NOT NULL THEN acldefault('f', p.proowner) END)) x
                         WHERE x.grantee <> coalesce(p.proowner, c.relowner)) acl
         WHERE d.refclassid = 'pg_extension'::regclass
           AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'echosync')
           AND d.deptype = 'e'
           AND (p.oid IS NOT NULL OR c.relkind IN ('r', 'v', 'S'))
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s CASCADE', object.name, object.grantee);
    END LOOP;
END
$$;

SELECT echosync_grant('pg_monitor'::regrole, 'monitor');

DO $$
BEGIN
    IF NOT 'echosync' = ANY (string_to_array(replace(replace(
            current_setting('shared_preload_libraries'), ' ', ''), '"', ''), ',')) THEN
        RAISE WARNING 'echosync is not in shared_preload_libraries: leads are queued, nothing is sent'
            USING HINT = 'Add echosync to shared_preload_libraries and restart the server.';
    END IF;
END
$$;

/* The launcher finds the extension when this transaction commits. */
SELECT echosync_wake();

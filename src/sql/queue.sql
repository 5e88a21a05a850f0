/* Asking for leads to be sent, and what becomes of those that failed. */

CREATE FUNCTION echosync_manual_sync(id uuid, lead_ids text[] DEFAULT NULL,
                                     OUT run_id bigint, OUT queued bigint, OUT skipped bigint)
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_manual_sync(uuid, text[]) IS 'Queues the caller''s leads, all or those listed, for one connection; progress is in echosync_runs. skipped counts those that a rule refuses and those that are not the caller''s.';

CREATE FUNCTION echosync_preview(id uuid, lead_id text,
                                 OUT step integer, OUT method text, OUT url text, OUT body jsonb)
    RETURNS SETOF record
    LANGUAGE c STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_preview(uuid, text) IS 'The requests that would be sent for a lead now, if the CRM knew nobody like it; nothing is sent, no secret is shown. The last row, with method -, says how it ends and how the record of the lead is known.';

CREATE FUNCTION echosync_webhook_lead_created(jsonb) RETURNS jsonb
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_webhook_lead_created(jsonb) IS 'Leads sent by another system: {"user_id": ..., "lead": {...}} or {"user_id": ..., "leads": [...]}, with the header x-webhook-secret in request.headers. Without the right secret: response.status 401 and success false, nothing is queued.';

CREATE FUNCTION echosync_same_leads(source_id integer, lead_ids text[], asked text[]) RETURNS text[]
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_same_leads(integer, text[], text[]) IS 'Which of these leads of a table are asked for, by ids in any spelling of the table''s id type. Internal.';

CREATE FUNCTION echosync_asked_dead_letters(integration_id uuid, lead_ids text[],
                                            OUT source_id integer, OUT lead_id text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.source_id, unnest(CASE WHEN $2 IS NULL THEN s.ids
                                    ELSE @extschema@.echosync_same_leads(s.source_id, s.ids, $2) END)
      FROM (SELECT d.source_id, array_agg(d.lead_id) FROM @extschema@.crm_dead_letters d
             WHERE d.integration_id = $1 GROUP BY d.source_id) s(source_id, ids)
$$;
COMMENT ON FUNCTION echosync_asked_dead_letters(uuid, text[]) IS 'The dead letters of a connection, all or those asked for by ids in any spelling. Internal.';

CREATE FUNCTION echosync_retry_failed(id uuid, lead_ids text[] DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations := @extschema@.echosync_find_integration(id);
    n bigint;
BEGIN
    WITH taken AS (
        DELETE FROM @extschema@.crm_dead_letters d
         USING @extschema@.echosync_asked_dead_letters(integration.id, lead_ids) a
         WHERE d.integration_id = integration.id AND d.source_id = a.source_id AND d.lead_id = a.lead_id
        RETURNING d.*
    ), queued AS (
        INSERT INTO @extschema@.crm_sync_queue
               (integration_id, lead_id, user_id, source_id, sync_type, run_id, snapshot)
        SELECT t.integration_id, t.lead_id, t.user_id, t.source_id, 'retry', t.run_id, t.snapshot
          FROM taken t ORDER BY t.queued_at
        RETURNING 1
    )
    SELECT count(*) INTO n FROM queued;
    PERFORM @extschema@.echosync_wake(integration.id);
    RETURN n;
END
$$;
COMMENT ON FUNCTION echosync_retry_failed(uuid, text[]) IS 'Queues dead letters of a connection again, all or those listed; returns how many. Ids may be in any spelling of the table''s type.';

CREATE FUNCTION echosync_discard_failed(id uuid, lead_ids text[] DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations := @extschema@.echosync_find_integration(id);
    n bigint;
BEGIN
    DELETE FROM @extschema@.crm_dead_letters d
     USING @extschema@.echosync_asked_dead_letters(integration.id, lead_ids) a
     WHERE d.integration_id = integration.id AND d.source_id = a.source_id AND d.lead_id = a.lead_id;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION echosync_discard_failed(uuid, text[]) IS 'Forgets dead letters of a connection, all or those listed; returns how many. The log keeps their rows.';

CREATE FUNCTION echosync_drain(timeout_seconds integer DEFAULT 30) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + make_interval(secs => timeout_seconds);
BEGIN
    PERFORM @extschema@.echosync_require_user();
    PERFORM @extschema@.echosync_wake_now();
    LOOP
        PERFORM FROM @extschema@.crm_integrations i
          WHERE i.status = 'active' AND @extschema@.echosync_may_see(i.user_id, 'admin')
            AND EXISTS (SELECT FROM @extschema@.crm_sync_queue q WHERE q.integration_id = i.id)
          LIMIT 1;
        IF NOT FOUND THEN
            RETURN true;
        END IF;
        IF clock_timestamp() >= deadline THEN
            RETURN false;
        END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;
COMMENT ON FUNCTION echosync_drain(integer) IS 'For tests of an application: waits until nothing of the caller''s active connections is queued. True when empty, false at the timeout.';

CREATE FUNCTION echosync_wake_now() RETURNS void
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_wake_now() IS 'Wakes the worker at once. Internal.';

CREATE FUNCTION echosync_adopt() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept text;
    own record;
BEGIN
    SELECT s.system_identifier, d.oid INTO own
      FROM pg_control_system() s, pg_database d WHERE d.datname = current_database();
    SELECT max(i.key_check) INTO kept FROM @extschema@.crm_instance i;
    DELETE FROM @extschema@.crm_instance;
    INSERT INTO @extschema@.crm_instance (system_identifier, database_oid, key_check) VALUES (own.system_identifier, own.oid, kept);
    UPDATE @extschema@.crm_credentials c SET instance = own.system_identifier || '/' || own.oid
     WHERE c.instance IS DISTINCT FROM own.system_identifier || '/' || own.oid;
    PERFORM @extschema@.echosync_wake();
END
$$;
COMMENT ON FUNCTION echosync_adopt() IS 'After a restore, clone or replication: this database may send. Make sure first that the original no longer does.';

/* Connections: connect, look, change, pause, disconnect. */

CREATE FUNCTION echosync_connect(crm_type text, api_key text, settings jsonb DEFAULT '{}')
    RETURNS uuid
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_connect(text, text, jsonb) IS 'Connects the caller to a CRM by API key: the worker tries the key at the CRM, then it is sealed and stored. Again for the same CRM: replaces the credential, keeps links and queue. Bind the key as a parameter, so that it is in no log.';

CREATE FUNCTION echosync_settings_merge(base jsonb, changes jsonb, crm_type text) RETURNS jsonb
    LANGUAGE c STABLE
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_settings_merge(jsonb, jsonb, text) IS 'Settings with changes applied and checked; an unknown key or a wrong type is an error that names it.';

CREATE FUNCTION echosync_find_integration(id uuid) RETURNS crm_integrations
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations;
BEGIN
    PERFORM @extschema@.echosync_require_user();
    SELECT i.* INTO integration FROM @extschema@.crm_integrations i
     WHERE i.id = echosync_find_integration.id
       AND @extschema@.echosync_may_see(i.user_id, 'admin');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'integration not found'
            USING ERRCODE = 'PT404',
                  HINT = 'SELECT id, crm_type FROM crm_integrations lists yours.';
    END IF;
    RETURN integration;
END
$$;
COMMENT ON FUNCTION echosync_find_integration(uuid) IS 'A connection that the caller may manage, or PT404: the same for another''s id and for no id.';

CREATE FUNCTION echosync_get_integration(id uuid) RETURNS crm_integrations
    LANGUAGE sql STABLE
    RETURN echosync_find_integration(id);
COMMENT ON FUNCTION echosync_get_integration(uuid) IS 'One of the caller''s connections; PT404 if there is none of this id.';

CREATE FUNCTION echosync_note_gap(id uuid) RETURNS void
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_note_gap(uuid) IS 'Notes that transactions go on which do not see that a connection syncs by itself now: the worker queues what they write. Internal.';

CREATE FUNCTION echosync_update_integration(id uuid, settings jsonb) RETURNS crm_integrations
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations := @extschema@.echosync_find_integration(id);
    result @extschema@.crm_integrations;
BEGIN
    -- Locked before it is merged: two concurrent changes must both survive.
    SELECT i.* INTO integration FROM @extschema@.crm_integrations i WHERE i.id = integration.id FOR NO KEY UPDATE;
    UPDATE @extschema@.crm_integrations i
       SET settings = @extschema@.echosync_settings_merge(i.settings, echosync_update_integration.settings, i.crm_type),
           updated_at = clock_timestamp()
     WHERE i.id = integration.id
    RETURNING i.* INTO result;
    IF integration.settings->'auto_sync' = 'false' AND result.settings->'auto_sync' = 'true' THEN
        PERFORM @extschema@.echosync_note_gap(integration.id);
    END IF;
    PERFORM @extschema@.echosync_wake(integration.id);
    RETURN result;
END
$$;
COMMENT ON FUNCTION echosync_update_integration(uuid, jsonb) IS 'Changes settings of a connection: auto_sync, max_risk_score (null: no limit), sync_unscored, crm_name, tags, source, custom_fields, delivery, assigned_user_id. Returns the row.';

CREATE FUNCTION echosync_set_status(id uuid, status text, reason text) RETURNS void
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    UPDATE crm_integrations i
       SET status = echosync_set_status.status, status_reason = reason,
           consecutive_failures = CASE WHEN echosync_set_status.status = 'active' THEN 0 ELSE i.consecutive_failures END,
           updated_at = clock_timestamp()
     WHERE i.id = echosync_set_status.id;
END;
COMMENT ON FUNCTION echosync_set_status(uuid, text, text) IS 'Sets the status of a connection. Internal.';

CREATE FUNCTION echosync_pause(id uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations := @extschema@.echosync_find_integration(id);
BEGIN
    IF integration.status <> 'error' THEN
        PERFORM @extschema@.echosync_set_status(integration.id, 'paused', 'by_user');
        PERFORM @extschema@.echosync_wake(integration.id);
    END IF;
END
$$;
COMMENT ON FUNCTION echosync_pause(uuid) IS 'Stops sending for a connection; leads go on being queued. What is in flight finishes.';

CREATE FUNCTION echosync_resume(id uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations := @extschema@.echosync_find_integration(id);
BEGIN
    IF integration.status = 'error' THEN
        RAISE EXCEPTION '%', CASE integration.status_reason
            WHEN 'credential_unreadable' THEN 'the credential of this connection was sealed with a key that is not in force'
            ELSE 'the CRM refuses the credential of this connection' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE integration.credential_kind
                         WHEN 'oauth' THEN 'Connect again through echosync_oauth_authorize(); the queue is kept.'
                         ELSE 'Connect again with echosync_connect(); the queue is kept.' END;
    END IF;
    PERFORM @extschema@.echosync_set_status(integration.id, 'active', NULL);
    PERFORM @extschema@.echosync_wake(integration.id);
END
$$;
COMMENT ON FUNCTION echosync_resume(uuid) IS 'Goes on sending for a paused connection, in the order of the queue, several leads at once.';

CREATE FUNCTION echosync_forget_integration(id uuid) RETURNS boolean
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_forget_integration(uuid) IS 'Deletes a connection and its credential as they are now, in REPEATABLE READ too. Internal.';

CREATE FUNCTION echosync_disconnect(id uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    integration @extschema@.crm_integrations := @extschema@.echosync_find_integration(id);
BEGIN
    IF NOT @extschema@.echosync_forget_integration(integration.id) THEN
        RETURN;    -- another session was quicker
    END IF;
    INSERT INTO @extschema@.crm_disconnected (id, user_id, crm_type, crm_account)
         VALUES (integration.id, integration.user_id, integration.crm_type, integration.crm_account)
    ON CONFLICT ON CONSTRAINT crm_disconnected_user_id_crm_type_key
      DO UPDATE SET id = excluded.id, crm_account = excluded.crm_account,
                    disconnected_at = excluded.disconnected_at;
    PERFORM @extschema@.echosync_wake(integration.id);
END
$$;
COMMENT ON FUNCTION echosync_disconnect(uuid) IS 'Destroys the credential; the worker then cancels what is queued. Keeps the log. What is in flight finishes within the request timeout and is logged.';

CREATE FUNCTION echosync_test_connection(id uuid, OUT ok boolean, OUT message text, OUT crm_account text)
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_test_connection(uuid) IS 'Asks the CRM whether the stored credential works and whose it is. Changes nothing.';

CREATE FUNCTION echosync_targets_changed() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_targets_changed() IS 'Makes every backend forget what it knows of connections, for the trigger of attached tables.';
CREATE TRIGGER echosync_targets_changed AFTER INSERT OR DELETE OR UPDATE OF id, user_id, crm_type, settings ON crm_integrations
    FOR EACH STATEMENT EXECUTE FUNCTION echosync_targets_changed();
CREATE TRIGGER echosync_targets_truncated AFTER TRUNCATE ON crm_integrations
    FOR EACH STATEMENT EXECUTE FUNCTION echosync_targets_changed();
CREATE TRIGGER echosync_gaps_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm_sync_gaps
    FOR EACH STATEMENT EXECUTE FUNCTION echosync_targets_changed();

CREATE FUNCTION echosync_announce_status() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('echosync', json_build_object(
        'integration', NEW.id, 'from', OLD.status, 'to', NEW.status,
        'reason', NEW.status_reason)::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION echosync_announce_status() IS 'Tells channel echosync of each change of a connection''s status.';
CREATE TRIGGER echosync_announce_status AFTER UPDATE OF status ON crm_integrations
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION echosync_announce_status();

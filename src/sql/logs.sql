/* The audit trail. */

CREATE FUNCTION echosync_sync_logs(id uuid DEFAULT NULL, status text[] DEFAULT NULL,
                                   crm_type text DEFAULT NULL, since timestamptz DEFAULT NULL,
                                   until timestamptz DEFAULT NULL, before_id bigint DEFAULT NULL,
                                   max_rows integer DEFAULT 100)
    RETURNS SETOF crm_sync_logs
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me text := @extschema@.echosync_require_user();
BEGIN
    IF max_rows IS NULL OR max_rows NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'max_rows must be between 1 and 1000' USING ERRCODE = '22023';
    END IF;
    IF EXISTS (SELECT FROM unnest(status) s(v) WHERE v IS NULL OR v NOT IN ('success', 'failed', 'skipped')) THEN
        RAISE EXCEPTION 'unrecognized status in %', status
            USING ERRCODE = '22023', HINT = 'Valid values are: success, failed, skipped.';
    END IF;
    RETURN QUERY
    SELECT l.* FROM @extschema@.crm_sync_logs l
     WHERE (me IS NULL OR l.user_id = me)
       AND (echosync_sync_logs.id IS NULL OR l.integration_id = echosync_sync_logs.id)
       AND (echosync_sync_logs.status IS NULL OR l.status = ANY (echosync_sync_logs.status))
       AND (echosync_sync_logs.crm_type IS NULL OR l.crm_type = echosync_sync_logs.crm_type)
       AND (since IS NULL OR l.logged_at >= since)
       AND (until IS NULL OR l.logged_at < until)
       AND (before_id IS NULL OR l.id < before_id)
     ORDER BY l.id DESC
     LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION echosync_sync_logs(uuid, text[], text, timestamptz, timestamptz, bigint, integer) IS 'Log rows of the caller, newest first. For the next page pass the last id as before_id.';

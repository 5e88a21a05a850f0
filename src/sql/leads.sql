/* The application's tables of leads. */

CREATE FUNCTION echosync_capture() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_capture() IS 'Trigger of attached tables: notes changed leads row by row and queues them by the set, at the end of the statement or, for a statement on a partition, of the transaction.';

CREATE FUNCTION echosync_attach_leads(leads regclass, mapping jsonb DEFAULT '{}') RETURNS void
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_attach_leads(regclass, jsonb) IS 'Makes a table''s leads flow to the CRMs of their users. The caller must own the table, plain or partitioned. Columns are recognised by their usual names; mapping overrides: id, user_id, phone, first_name, last_name, email, address, city, state, zip_code, risk_score, do_not_contact, tags, notes, source, deleted_at, each with a column''s name or null for none.';

CREATE FUNCTION echosync_detach_leads(leads regclass) RETURNS void
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_detach_leads(regclass) IS 'Removes the triggers; the table and its rows stay as they are. What is queued from it is cancelled.';

CREATE FUNCTION echosync_describe_leads(leads regclass, mapping jsonb, OUT columns text, OUT overlooked text, OUT hint text)
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_describe_leads(regclass, jsonb) IS 'Which columns of a table are which fields of a lead, which are not read and may have to be, and what to type if all of those that look like an opt-out are. Internal.';

CREATE FUNCTION echosync_name_source() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR NEW.attached_as IS NULL THEN     -- a row that is restored knows it
        NEW.attached_as := (SELECT format('%I.%I', n.nspname, c.relname)
                              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = NEW.relation);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION echosync_name_source() IS 'Trigger of crm_lead_sources: writes down the name of a table that is attached.';
CREATE TRIGGER echosync_name_source BEFORE INSERT OR UPDATE OF attached_at ON crm_lead_sources
    FOR EACH ROW EXECUTE FUNCTION echosync_name_source();

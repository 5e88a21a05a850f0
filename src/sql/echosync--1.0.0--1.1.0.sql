\echo Use "ALTER EXTENSION echosync UPDATE TO '1.1.0'" to load this file. \quit

ALTER TABLE crm_sync_attempts ADD COLUMN waiting_since timestamptz;
COMMENT ON COLUMN crm_sync_attempts.waiting_since IS 'When the first of the waits began that count as no try. After a day of them the lead is a dead letter.';

-- One record for each account of the CRM that a lead was brought to.
ALTER TABLE crm_lead_links
    ADD COLUMN crm_account text COLLATE "C",
    ADD COLUMN announced_at timestamptz,
    DROP CONSTRAINT crm_lead_links_pkey,
    ADD CONSTRAINT crm_lead_links_key UNIQUE NULLS NOT DISTINCT (integration_id, lead_id, source_id, crm_account);
ALTER TABLE crm_lead_links REPLICA IDENTITY FULL;
ALTER TABLE crm_instance REPLICA IDENTITY FULL;
COMMENT ON COLUMN crm_lead_links.phone_hash IS 'Salted digest of the phone key that the record is known to carry: finds a record written a moment ago that the CRM does not index yet.';
COMMENT ON COLUMN crm_lead_links.email_hash IS 'The same of the e-mail address.';
COMMENT ON COLUMN crm_lead_links.crm_account IS 'The account of the CRM that the record is in: crm_integrations.crm_account up to the slash. Null: the account of the connection as it was when 1.1 was installed, or one that the CRM does not tell. Links of another account are kept, and used again when that account is connected again.';
COMMENT ON COLUMN crm_lead_links.announced_at IS 'When an event about the lead was posted (Follow Up Boss, delivery "events"); it is not posted again.';

-- An id is what its column says; of another column it is another id.
ALTER TABLE crm_lead_sources
    ADD COLUMN id_type text,
    ADD COLUMN retired boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT crm_lead_sources_relation_key;
CREATE UNIQUE INDEX crm_lead_sources_relation ON crm_lead_sources (relation) WHERE NOT retired;

-- So that a type which is changed later is noticed.  1.0 wrote boolean and inet in two ways.
UPDATE crm_lead_sources s
   SET id_type = CASE WHEN id.type IN ('pg_catalog.int2'::regtype, 'pg_catalog.int4'::regtype, 'pg_catalog.int8'::regtype)
                      THEN 'integer' ELSE id.name END
  FROM (WITH RECURSIVE base AS (
            SELECT l.id AS source_id, a.atttypid AS type
              FROM crm_lead_sources l JOIN pg_attribute a ON a.attrelid = l.relation AND a.attname = l.mapping->>'id'
             WHERE a.attnum > 0 AND NOT a.attisdropped
             UNION ALL
            SELECT b.source_id, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
        )
        SELECT b.source_id, b.type, t.typname AS name FROM base b JOIN pg_type t ON t.oid = b.type
         WHERE t.typtype <> 'd' AND t.typnamespace = 'pg_catalog'::regnamespace) id
 WHERE s.id = id.source_id AND id.type NOT IN ('pg_catalog.bool'::regtype, 'pg_catalog.inet'::regtype);
COMMENT ON COLUMN crm_lead_sources.id_type IS 'Type of the id column when the table was attached, all integers being one; several, if it was attached anew with another. Ids written down with another type may have other texts. Null: by 1.0, which wrote boolean and inet in two ways, or with a type of the application that 1.0 had attached.';
COMMENT ON COLUMN crm_lead_sources.retired IS 'The table was attached anew with another id column, which is a source of its own. What waits of this one still goes, by its former id.';

COMMENT ON COLUMN crm_sync_queue.snapshot IS 'What a webhook said of the lead; gone with the row. Counts where no attached table has the lead.';
COMMENT ON COLUMN crm_sync_queue.source_id IS 'Table the lead is in (crm_lead_sources); 0: of a webhook, and the worker looks which table has it. Part of a lead''s identity: two tables may use the same ids.';

-- Ids of leads in any spelling of their column's type.
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
REVOKE ALL ON FUNCTION echosync_same_leads(integer, text[], text[]), echosync_asked_dead_letters(uuid, text[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION echosync_retry_failed(id uuid, lead_ids text[] DEFAULT NULL) RETURNS bigint
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

CREATE OR REPLACE FUNCTION echosync_discard_failed(id uuid, lead_ids text[] DEFAULT NULL) RETURNS bigint
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

SELECT @extschema@.echosync_wake();

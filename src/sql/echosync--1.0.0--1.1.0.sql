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
COMMENT ON COLUMN crm_lead_links.matched_by IS 'created: we made the record. email, phone: found by it. shared_phone, shared_email: found by a phone number or an e-mail address that somebody of another name has too; only tags, flags and notes are written.';
COMMENT ON COLUMN crm_lead_links.phone_hash IS 'Salted digest of the phone key that the record is known to carry: finds a record written a moment ago that the CRM does not index yet.';
COMMENT ON COLUMN crm_lead_links.email_hash IS 'The same of the e-mail address.';
COMMENT ON COLUMN crm_lead_links.crm_account IS 'The account of the CRM that the record is in: crm_integrations.crm_account up to the slash. Null: the account of the connection as it was when 1.1 was installed, or one that the CRM does not tell. Links of another account are kept, and used again when that account is connected again.';
COMMENT ON COLUMN crm_lead_links.announced_at IS 'When an event about the lead was posted (Follow Up Boss, delivery "events"); it is not posted again.';

-- Leads without a score are sent where sync_unscored says so, and nowhere else: where
-- there was no limit, 1.0 sent them.
DO $$
DECLARE
    n bigint;
BEGIN
    UPDATE @extschema@.crm_integrations i SET settings = i.settings || '{"sync_unscored": true}'
     WHERE i.settings->'max_risk_score' = 'null' AND i.settings->'sync_unscored' IS DISTINCT FROM 'true';
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        RAISE NOTICE 'sync_unscored is switched on for % connections without max_risk_score', n
            USING DETAIL = 'Their leads without a score go on being sent. From now on sync_unscored alone decides about these.';
    END IF;
END
$$;

-- A credential carries the name of its database: what comes without the stamp is noticed, too.
ALTER TABLE crm_credentials ADD COLUMN instance text;
COMMENT ON COLUMN crm_credentials.instance IS 'The database that stored it: system identifier and oid. Another''s, brought here by logical replication, say: nothing is sent until echosync_adopt().';
UPDATE crm_credentials c
   SET instance = coalesce((SELECT i.system_identifier || '/' || i.database_oid FROM crm_instance i ORDER BY i.stamped_at LIMIT 1),
                           (SELECT s.system_identifier || '/' || d.oid FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()));

CREATE OR REPLACE FUNCTION echosync_adopt() RETURNS void
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

-- An id is what its column says; of another column it is another id.
ALTER TABLE crm_lead_sources
    ADD COLUMN id_type text,
    ADD COLUMN retired boolean NOT NULL DEFAULT false,
    ADD COLUMN attached_as text,
    ADD COLUMN named jsonb,
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

COMMENT ON COLUMN crm_sync_logs.lead_id IS 'The lead''s id; of one that is too long its beginning.';
COMMENT ON COLUMN crm_sync_logs.reason IS 'Why a lead was skipped: risk_above_limit, risk_unscored, risk_unreadable, no_contact_key, do_not_contact, do_not_contact_unreadable, lead_deleted, unchanged, ambiguous_match, ignored_by_crm, disconnected, id_too_long. Of a success: email_refused (the CRM did not take the lead''s e-mail address) or email_shared (it is on the record of somebody of another name); it was left out.';

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

-- The name that an attached table had shows that another one has taken its place.
UPDATE crm_lead_sources s SET attached_as = format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = s.relation;
COMMENT ON COLUMN crm_lead_sources.named IS 'The keys of the mapping that somebody named, and did not leave to be recognised: they hold when the table is attached anew, unless they are named again. Null: attached by 1.0, and what would not be recognised counts as named.';
SELECT pg_catalog.pg_extension_config_dump('crm_lead_sources', 'WHERE relation IN (SELECT c.oid FROM pg_catalog.pg_class c)');
COMMENT ON COLUMN crm_lead_sources.attached_as IS 'Name of the table when it was attached: shows that another table has taken its place.';
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

-- Whoever disconnects deletes the connection, and the worker cancels the rest.
CREATE FUNCTION echosync_forget_integration(id uuid) RETURNS boolean
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_forget_integration(uuid) IS 'Deletes a connection and its credential as they are now, in REPEATABLE READ too. Internal.';

CREATE OR REPLACE FUNCTION echosync_disconnect(id uuid) RETURNS void
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

COMMENT ON VIEW echosync_workers IS 'The processes that drain the queues. state: starting, idle, draining, disabled (echosync.enabled is off), no_key, wrong_key, copy (see echosync_adopt), other_version, unknown (the extension''s tables could not be looked at).';

CREATE FUNCTION echosync_describe_leads(leads regclass, mapping jsonb, OUT columns text, OUT overlooked text, OUT hint text)
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_describe_leads(regclass, jsonb) IS 'Which columns of a table are which fields of a lead, which are not read and may have to be, and what to type if all of those that look like an opt-out are. Internal.';

COMMENT ON FUNCTION echosync_detach_leads(regclass) IS 'Removes the triggers; the table and its rows stay as they are. What is queued from it is cancelled.';

-- One attached table.  What is wrong first counts, in the order in which it is to be mended.
CREATE FUNCTION echosync_examine_leads(source crm_lead_sources, OUT check_name text, OUT ok boolean, OUT detail text, OUT hint text)
    RETURNS record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one record;
    attach text;
    again text;
    forget text;
    adrift boolean;
BEGIN
    SELECT c.oid IS NOT NULL AS there, c.relkind IN ('r', 'p') AS a_table, c.relpersistence = 'u' AS unlogged,
           coalesce(c.relrowsecurity AND c.relforcerowsecurity, false) AS forced,
           c.relnamespace::regnamespace AS schema, pg_get_userbyid(c.relowner) AS owner,
           has_schema_privilege(c.relowner, c.relnamespace, 'USAGE') AS may_use, has_table_privilege(c.relowner, c.oid, 'SELECT') AS may_read,
           f.missing, f.kept,
           (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_namespace n WHERE n.oid = c.relnamespace) AS name,
           (SELECT string_agg(l.relid::regclass::text, ', ')
              FROM pg_partition_tree(s.relation) l
             WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = l.relid
                                  AND t.tgname = 'echosync_capture' AND t.tgenabled IN ('O', 'A'))) AS silent,
           (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = s.relation AND encode(t.tgargs, 'escape') = s.id || '\000'
               AND t.tgname IN ('echosync_capture', 'echosync_capture_end') AND t.tgenabled IN ('O', 'A')) AS triggers,
           (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = s.relation AND t.tgname LIKE 'echosync\_capture%') AS any_triggers,
           CASE WHEN to_regclass(s.attached_as) <> s.relation
                 AND NOT EXISTS (SELECT FROM @extschema@.crm_lead_sources o WHERE o.attached AND o.relation = to_regclass(s.attached_as))
                THEN to_regclass(s.attached_as) END AS successor,
           (SELECT string_agg(h.oid::regclass::text, ', ') FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid
             WHERE i.inhparent = s.relation AND NOT h.relispartition) AS heirs,
           (SELECT string_agg(DISTINCT quote_ident(b.subname), ', ')
              FROM (SELECT t.relid FROM pg_partition_tree(s.relation) t UNION SELECT s.relation) l JOIN pg_subscription_rel r ON r.srrelid = l.relid JOIN pg_subscription b ON b.oid = r.srsubid
             WHERE EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = l.relid AND t.tgname LIKE 'echosync\_capture%' AND t.tgenabled = 'O')) AS subscriptions,
           u.unindexed, u.indexes
      INTO one
      FROM (SELECT source.*) s LEFT JOIN pg_class c ON c.oid = s.relation
         CROSS JOIN LATERAL (
            SELECT string_agg(l.relid::regclass::text, ', ') AS unindexed,
                   string_agg(format('CREATE INDEX CONCURRENTLY ON %s (%I);', l.relid::regclass, s.mapping->>'id'), ' ') AS indexes
              FROM (SELECT t.relid FROM pg_partition_tree(s.relation) t UNION SELECT s.relation) l JOIN pg_class p ON p.oid = l.relid
             WHERE p.relkind = 'r' AND pg_relation_size(l.relid) > 8 * 1024 * 1024
               AND NOT EXISTS (SELECT FROM pg_index x
                                 JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam AND m.amname IN ('btree', 'hash')
                                 JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
                                 LEFT JOIN pg_attribute b ON b.attrelid = x.indrelid AND b.attnum = x.indkey[1]
                                WHERE x.indrelid = l.relid AND x.indisvalid AND x.indpred IS NULL
                                  AND (a.attname = s.mapping->>'id' OR a.attname = s.mapping->>'user_id' AND b.attname = s.mapping->>'id'))) u
         CROSS JOIN LATERAL (
               -- What to name when it is attached anew.  Columns are recognised by their usual names again, and
               -- what was named before holds; but what says who must not be contacted is not let go.
               SELECT string_agg(k.missing, ', ') AS missing,
                      jsonb_object_agg(k.field, CASE k.field WHEN 'do_not_contact' THEN k.names ELSE k.names->0 END)
                          FILTER (WHERE k.asked) AS kept
                 FROM (SELECT n.field, string_agg(n.name, ', ') FILTER (WHERE NOT n.there) AS missing,
                              bool_or(n.strict AND NOT n.there) AS asked,
                              jsonb_agg(CASE WHEN n.there THEN n.name ELSE format('<the new name of %s>', n.name) END) AS names
                         FROM (SELECT m.key, v.name, m.key IN ('do_not_contact', 'deleted_at', 'risk_score'),
                                      EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = s.relation
                                                 AND a.attname = v.name AND a.attnum > 0 AND NOT a.attisdropped)
                                 FROM jsonb_each(s.mapping) m,
                                      LATERAL jsonb_array_elements_text(CASE jsonb_typeof(m.value)
                                          WHEN 'array' THEN m.value ELSE jsonb_build_array(m.value) END) v(name)
                              ) n(field, name, strict, there)
                        GROUP BY n.field) k) f;
    check_name := 'leads ' || source.relation::text;
    adrift := one.any_triggers = 0 AND one.name <> source.attached_as AND to_regclass(source.attached_as) IS NULL;
    detail := CASE WHEN NOT one.there AND one.successor IS NOT NULL THEN format('the table no longer exists, and another one is called %s now: its leads are not captured', source.attached_as)
                   WHEN NOT one.there THEN 'the table no longer exists'
                   WHEN NOT one.a_table OR one.any_triggers = 0 AND one.successor IS NOT NULL
                   THEN format('this is not the table that was attached as %s', source.attached_as)
                   WHEN adrift THEN format('no trigger is on it, and what was attached was called %s: this may be another table, by the oid of one that was dropped before a restore', source.attached_as)
                   WHEN one.successor IS NOT NULL THEN format('another table is called %s now: its leads are not captured', source.attached_as)
                   WHEN one.forced THEN 'row-level security is forced on its owner: its leads are held back'
                   WHEN NOT one.may_use THEN format('its owner %s may not use schema %s: its leads are held back', one.owner, one.schema)
                   WHEN NOT one.may_read THEN format('its owner %s may not read it: its leads are held back', one.owner)
                   WHEN one.missing IS NOT NULL THEN format('columns no longer there: %s; its leads are held back', one.missing)
                   WHEN one.silent IS NOT NULL THEN format('no enabled trigger on %s', one.silent)
                   WHEN one.triggers <> 2 THEN 'a trigger is missing or disabled'
                   WHEN one.heirs IS NOT NULL THEN format('%s inherit from it: leads in them are read, and no change of them is captured', one.heirs)
                   WHEN one.subscriptions IS NOT NULL THEN format('its rows come by subscription %s, for which its triggers do not fire: they are not captured', one.subscriptions)
                   WHEN one.unlogged THEN 'it is unlogged: after a crash it is empty, and leads of it that wait are taken for deleted'
                   WHEN one.unindexed IS NOT NULL THEN format('no index covers %s in %s: each lead is looked for in the whole table', source.mapping->>'id', one.unindexed)
                   ELSE 'attached' END;
    ok := detail = 'attached';
    forget := format('DELETE FROM %s.crm_lead_sources WHERE id = %s;', '@extschema@', source.id);
    again := format('SELECT echosync_attach_leads(%L);', source.relation::text);
    attach := CASE WHEN one.successor IS NOT NULL
                   THEN format('SELECT echosync_attach_leads(%L%s);', one.successor::text,
                               ', ' || quote_literal(nullif(coalesce(source.named, source.mapping), '{}'))) END;
    hint := CASE WHEN ok THEN NULL
                 WHEN NOT one.there OR NOT one.a_table OR one.any_triggers = 0 AND attach IS NOT NULL
                 THEN concat_ws(' ', forget, attach)
                 WHEN adrift THEN format('If it is that table: %s if it is not: %s', again, forget)
                 WHEN attach IS NOT NULL THEN format('%s and if nobody writes to the former one any more: SELECT echosync_detach_leads(%L); if it is the former one that has the leads: %s', attach, source.relation::text, again)
                 WHEN one.forced THEN format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', source.relation)
                 WHEN NOT one.may_use THEN format('GRANT USAGE ON SCHEMA %s TO %I;', one.schema, one.owner)
                 WHEN NOT one.may_read THEN format('GRANT SELECT ON %s TO %I;', source.relation, one.owner)
                 WHEN one.missing IS NOT NULL THEN CASE WHEN one.kept IS NULL THEN again
                                                        ELSE format('SELECT echosync_attach_leads(%L, %L); with the new name of the column, or without it: it says who must not be contacted',
                                                                    source.relation::text, one.kept) END
                 WHEN one.silent IS NOT NULL OR one.triggers <> 2 THEN again
                 WHEN one.heirs IS NOT NULL THEN format('ALTER TABLE <each of them> NO INHERIT %s; and attach it for itself, or make them partitions', source.relation)
                 WHEN one.subscriptions IS NOT NULL THEN format('If leads are to be sent from here: ALTER TABLE %1$s ENABLE ALWAYS TRIGGER echosync_capture, ENABLE ALWAYS TRIGGER echosync_capture_end; if the publisher sends them: SELECT echosync_detach_leads(%2$L);', source.relation, source.relation::text)
                 WHEN one.unlogged THEN format('ALTER TABLE %s SET LOGGED;', source.relation)
                 ELSE one.indexes END;
END
$$;
COMMENT ON FUNCTION echosync_examine_leads(crm_lead_sources) IS 'Row of echosync_doctor() about an attached table. Internal.';

CREATE FUNCTION echosync_examine(part text, OUT check_name text, OUT ok boolean, OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    standby CONSTANT boolean := pg_is_in_recovery();    -- has no worker, and needs none
    installed record;
    source @extschema@.crm_lead_sources;
    one record;
    seconds double precision;
    n bigint;
BEGIN
    CASE part
    WHEN 'installation' THEN

    SELECT * INTO installed FROM @extschema@.echosync_installation();

    check_name := 'preload'; ok := installed.preloaded;
    detail := CASE WHEN ok THEN 'the library is preloaded' ELSE 'the library is not preloaded: nothing is sent' END;
    hint := CASE WHEN NOT ok THEN format('ALTER SYSTEM SET shared_preload_libraries = %s; then restart the server',
                                         (SELECT string_agg(quote_literal(l.name), ', ')
                                            FROM (SELECT trim(both ' "' FROM u) FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',') || 'echosync'::text) u) l(name)
                                           WHERE l.name <> '')) END;
    RETURN NEXT;

    SELECT e.extversion INTO one FROM pg_extension e WHERE e.extname = 'echosync';
    check_name := 'version'; ok := one.extversion = installed.library_version;
    detail := format('extension %s, library %s', one.extversion, installed.library_version);
    hint := CASE WHEN NOT ok THEN 'ALTER EXTENSION echosync UPDATE; or restart the server with the matching library' END;
    RETURN NEXT;

    check_name := 'secrets'; ok := installed.env_problem IS NULL;
    detail := coalesce(installed.env_problem, format('read from %s', coalesce(installed.env_file, 'the server''s environment')));
    hint := CASE WHEN NOT ok THEN format('Correct %s, then SELECT pg_reload_conf();',
                                         coalesce(installed.env_file, 'the server''s environment or set echosync.env_file')) END;
    RETURN NEXT;

    check_name := 'key'; ok := installed.key_problem IS NULL;
    detail := coalesce(installed.key_problem, 'the key opens what it sealed');
    hint := CASE WHEN NOT ok THEN format('Put the key that sealed the credentials into %s as INTEGRATION_ENCRYPTION_KEY, or into INTEGRATION_ENCRYPTION_KEY_PREVIOUS, with its salt, then SELECT pg_reload_conf();',
                                         coalesce(installed.env_file, 'the file that echosync.env_file names'))
                          || CASE WHEN installed.key_problem LIKE 'the key is not %' THEN ' If it is lost for good: SELECT echosync_accept_key(); then every user connects again.' ELSE '' END END;
    RETURN NEXT;

    check_name := 'ca_file'; ok := installed.ca_problem IS NULL;
    detail := coalesce(installed.ca_problem, CASE current_setting('echosync.ca_file') WHEN '' THEN 'not set: the system''s CAs count'
                                             ELSE format('%s has certificates', current_setting('echosync.ca_file')) END);
    hint := CASE WHEN NOT ok THEN 'Put the CA''s certificate there as PEM, readable by the server''s user, or ALTER SYSTEM RESET echosync.ca_file; then SELECT pg_reload_conf();' END;
    RETURN NEXT;

    WHEN 'owner' THEN

    SELECT string_agg(DISTINCT coalesce(r.rolname, format('a role that is gone (%s)', o.id)), ', ') AS names,
           coalesce(string_agg(DISTINCT format('ALTER ROLE %I SUPERUSER;', r.rolname), ' ') FILTER (WHERE r.oid IS NOT NULL),
                    'Restore a dump of this database as a superuser: nothing can be given away by a role that is gone.') AS cure INTO one
      FROM pg_extension e
      LEFT JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
      LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
      LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid AND p.prosecdef
      CROSS JOIN LATERAL unnest(ARRAY[e.extowner, c.relowner, p.proowner]) o(id)
      LEFT JOIN pg_roles r ON r.oid = o.id
     WHERE e.extname = 'echosync' AND o.id IS NOT NULL AND r.rolsuper IS NOT TRUE;
    check_name := 'owner'; ok := one.names IS NULL;
    detail := CASE WHEN ok THEN 'the extension is a superuser''s'
                   ELSE format('%s, who owns the extension or parts of it, is no superuser: row-level security hides its tables from it, and the other checks may see nothing', one.names) END;
    hint := CASE WHEN NOT ok THEN one.cure END;
    RETURN NEXT;

    WHEN 'worker' THEN

    SELECT count(*) AS workers, string_agg(DISTINCT w.state, ', ') AS states, array_agg(w.state) AS list, max(w.last_error) AS last_error,
           bool_and(w.state IN ('idle', 'draining') OR w.state = 'starting' AND w.started_at > clock_timestamp() - interval '10 seconds') AS may_send,
           coalesce(current_setting('echosync.workers', true)::integer, 1) AS wanted INTO one
      FROM @extschema@.echosync_worker_list() w WHERE w.database = current_database();
    check_name := 'worker'; ok := standby OR one.workers >= one.wanted AND one.may_send;
    detail := CASE WHEN standby THEN 'this server is a standby: its primary sends'
                   WHEN one.workers = 0 THEN 'no worker runs in this database'
                   ELSE format('%s running%s, state %s%s', one.workers,
                               CASE WHEN one.workers < one.wanted THEN format(' of %s', one.wanted) END, one.states,
                               coalesce('; last error: ' || one.last_error, '')) END;
    hint := CASE WHEN ok THEN NULL
                 WHEN one.workers = 0 THEN 'SHOW echosync.databases; SHOW max_worker_processes; and look for "echosync" in the server log'
                 WHEN 'copy' = ANY (one.list) THEN 'Its rows are those of another database, restored or replicated. When the original no longer sends: SELECT echosync_adopt();'
                 WHEN 'disabled' = ANY (one.list) THEN 'ALTER SYSTEM SET echosync.enabled = on; SELECT pg_reload_conf();'
                 WHEN one.list && ARRAY['no_key', 'wrong_key'] THEN 'See the check "key".'
                 WHEN one.list && ARRAY['unknown', 'starting'] THEN 'The worker cannot look at the extension''s tables. Who holds them: SELECT l.relation::regclass, a.pid, a.state, a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND l.mode = ''AccessExclusiveLock'' AND l.relation IS NOT NULL; and see the server log'
                 WHEN 'other_version' = ANY (one.list) THEN 'ALTER EXTENSION echosync UPDATE;'
                 ELSE 'SHOW max_worker_processes; a part of the connections has no worker' END;
    RETURN NEXT;

    SELECT m.value INTO seconds FROM @extschema@.echosync_shared_metrics() m WHERE m.name = 'echosync_worker_progress_seconds';
    check_name := 'progress'; ok := standby OR coalesce(seconds, 'Infinity') < 10;
    detail := CASE WHEN standby THEN 'a standby has no worker'
                   WHEN seconds IS NULL THEN 'unknown: the library is not preloaded'
                   WHEN one.workers = 0 THEN format('no worker has gone round its loop for %s s', round(seconds))
                   WHEN ok THEN 'the worker goes round its loop'
                   ELSE format('a worker has not gone round its loop for %s s although it should have', round(seconds)) END;
    hint := CASE WHEN ok THEN NULL WHEN one.workers = 0 THEN 'See the check "worker".'
                 ELSE 'SELECT pid, state, wait_event, query FROM pg_stat_activity WHERE backend_type = ''echosync worker''; then SELECT pg_terminate_backend(pid) FROM echosync_workers WHERE database = current_database(); another one starts' END;
    RETURN NEXT;

    WHEN 'reach' THEN

    FOR one IN
        SELECT r.crm_type, r.url, r.ok, r.detail,
               EXISTS (SELECT FROM @extschema@.crm_integrations i WHERE i.crm_type = r.crm_type
                         AND (r.url <> current_setting('echosync.followupboss_app_url') OR i.credential_kind = 'oauth')) AS used
          FROM @extschema@.echosync_reach() r
    LOOP
        check_name := format('reach %s', one.url);
        ok := coalesce(one.ok, standby) OR NOT one.used;
        detail := CASE WHEN one.ok IS NULL THEN format('nobody looked: %s', one.detail)
                       WHEN NOT one.ok AND NOT one.used THEN format('%s; no connection uses it', one.detail)
                       ELSE one.detail END;
        hint := CASE WHEN ok THEN NULL WHEN one.ok IS NULL THEN 'See the checks "worker" and "progress".'
                     ELSE format('On the server, as its user: curl -sv -o /dev/null %s%s; where a proxy or a private CA is in between, set echosync.ca_file',
                                 CASE current_setting('echosync.ca_file') WHEN '' THEN '' ELSE '--cacert ' || current_setting('echosync.ca_file') || ' ' END, one.url) END;
        RETURN NEXT;
    END LOOP;

    WHEN 'clock' THEN

    SELECT max(abs(m.value)) AS off, string_agg(format('%s %s s', m.labels->>'crm', round(m.value::numeric, 1)), ', ') AS words INTO one
      FROM @extschema@.echosync_shared_metrics() m WHERE m.name = 'echosync_crm_clock_difference_seconds';
    check_name := 'clock'; ok := coalesce(one.off, 0) < 60;
    detail := CASE WHEN one.off IS NULL THEN 'no CRM has told its time since the server started'
                   ELSE format('ahead of this server''s, by the last answers: %s', one.words) END;
    hint := CASE WHEN NOT ok THEN 'On the server: timedatectl set-ntp true' END;
    RETURN NEXT;

    WHEN 'capture' THEN

    SELECT string_agg(o.what, ', ') AS whose, string_agg(o.cure, ' ') AS cure INTO one
      FROM (SELECT format('%s = %s%s', split_part(c.setting, '=', 1), split_part(c.setting, '=', 2),
                          coalesce(nullif(concat(' in database ' || d.datname, ' for role ' || r.rolname), ''), ' for all roles')),
                   CASE WHEN r.oid IS NULL AND d.oid IS NULL THEN format('ALTER ROLE ALL RESET %s;', split_part(c.setting, '=', 1))
                        WHEN r.oid IS NULL THEN format('ALTER DATABASE %I RESET %s;', d.datname, split_part(c.setting, '=', 1))
                        ELSE format('ALTER ROLE %I %sRESET %s;', r.rolname, coalesce('IN DATABASE ' || quote_ident(d.datname) || ' ', ''), split_part(c.setting, '=', 1)) END
              FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c(setting)
              LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
             WHERE (d.oid IS NULL OR d.datname = current_database())
               AND c.setting ~* '^(echosync\.capture=(of|off|n|no|f|fa|fal|fals|false|0)|session_replication_role=replica)$'
             UNION ALL
            SELECT format('%s = %s', g.name, g.reset_val), format('ALTER SYSTEM RESET %s; SELECT pg_reload_conf();', g.name)
              FROM pg_settings g
             WHERE (g.name, g.reset_val) IN (('echosync.capture', 'off'), ('session_replication_role', 'replica'))
               AND g.source IN ('configuration file', 'command line', 'environment variable')) o(what, cure);
    check_name := 'capture'; ok := one.whose IS NULL;
    detail := CASE WHEN ok THEN 'no setting keeps sessions from capturing' ELSE format('what these sessions write is not captured: %s', one.whose) END;
    hint := CASE WHEN NOT ok THEN one.cure || ' then SELECT echosync_manual_sync(id) FROM crm_integrations, for what was missed' END;
    RETURN NEXT;

    WHEN 'leads' THEN

    IF NOT EXISTS (SELECT FROM @extschema@.crm_lead_sources s WHERE s.attached) THEN
        check_name := 'leads';
        ok := NOT EXISTS (SELECT FROM @extschema@.crm_integrations) OR EXISTS (SELECT FROM @extschema@.crm_sync_queue q WHERE q.source_id = 0)
              OR EXISTS (SELECT FROM @extschema@.crm_lead_links l WHERE l.source_id = 0);
        detail := CASE WHEN ok THEN 'no table is attached: what webhooks bring is all' ELSE 'no table is attached, and no webhook has brought a lead: nothing is captured' END;
        hint := CASE WHEN NOT ok THEN 'SELECT echosync_attach_leads(''<the table of leads>'');' END;
        RETURN NEXT;
    END IF;
    FOR source IN SELECT s.* FROM @extschema@.crm_lead_sources s WHERE s.attached ORDER BY s.id LOOP
        BEGIN
            -- What may fail comes before the first row is returned.
            SELECT d.* INTO one FROM @extschema@.echosync_describe_leads(source.relation, source.mapping) d;
            RETURN QUERY SELECT x.* FROM @extschema@.echosync_examine_leads(source) x;
            check_name := 'columns ' || source.relation::text; ok := true;
            detail := one.columns || coalesce('; not read: ' || one.overlooked, ''); hint := one.hint;
            RETURN NEXT;
        EXCEPTION WHEN OTHERS THEN
            check_name := 'leads ' || source.relation::text; ok := false;
            detail := format('could not be looked at: %s', SQLERRM);
            hint := CASE SQLSTATE WHEN '55P03' THEN 'Somebody holds a lock on it: SELECT pg_blocking_pids(pid), query FROM pg_stat_activity; then look again' END;
            RETURN NEXT;
        END;
    END LOOP;
    FOR one IN
        SELECT t.relation, nullif(coalesce(s.named, s.mapping), '{}') AS mapping
          FROM (SELECT DISTINCT g.tgrelid::regclass AS relation, encode(g.tgargs, 'escape') AS argument FROM pg_trigger g
                 WHERE g.tgfoid = '@extschema@.echosync_capture()'::regprocedure AND g.tgparentid = 0) t
          LEFT JOIN @extschema@.crm_lead_sources s ON s.id || '\000' = t.argument
               AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation)
         WHERE NOT EXISTS (SELECT FROM @extschema@.crm_lead_sources o WHERE o.relation = t.relation AND o.attached)
    LOOP
        check_name := 'leads ' || one.relation::text; ok := false;
        detail := 'it has triggers of echosync and is not attached, as after it was restored alone: nothing is captured';
        hint := format('SELECT echosync_attach_leads(%L%s);', one.relation::text, coalesce(', ' || quote_literal(one.mapping::text), ''));
        RETURN NEXT;
    END LOOP;

    WHEN 'publications' THEN

    SELECT string_agg(p.carries, '; ' ORDER BY p.pubname) AS words, string_agg(p.cure, ' ' ORDER BY p.pubname) AS cure INTO one
      FROM (SELECT b.pubname, format('%s carries %s', b.pubname, string_agg(t.tablename, ', ' ORDER BY t.tablename)),
                   CASE WHEN b.puballtables THEN format('CREATE PUBLICATION of the application''s tables alone, in place of it; then DROP PUBLICATION %I;', b.pubname)
                        WHEN EXISTS (SELECT FROM pg_publication_rel l JOIN pg_class c ON c.oid = l.prrelid
                                      WHERE l.prpubid = b.oid AND c.relnamespace = '@extschema@'::regnamespace AND c.relname = min(t.tablename))
                        THEN format('ALTER PUBLICATION %I DROP TABLE %s;', b.pubname, string_agg(format('%I.%I', t.schemaname, t.tablename), ', '))
                        ELSE format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA %s; then ADD TABLE with the application''s alone', b.pubname, '@extschema@') END
              FROM pg_publication b JOIN pg_publication_tables t ON t.pubname = b.pubname
             WHERE t.schemaname = (SELECT n.nspname FROM pg_namespace n WHERE n.oid = '@extschema@'::regnamespace)
               AND t.tablename IN ('crm_credentials', 'crm_dead_letters', 'crm_sync_attempts', 'crm_sync_queue')
             GROUP BY b.oid, b.pubname, b.puballtables) p(pubname, carries, cure);
    check_name := 'publications'; ok := one.words IS NULL;
    detail := CASE WHEN ok THEN 'none carries sealed credentials or leads that wait'
                   ELSE format('sealed credentials and snapshots of leads go to subscribers: %s', one.words) END;
    hint := one.cure;
    RETURN NEXT;

    SELECT string_agg(format('%s brings %s', b.subname, b.tables), '; ' ORDER BY b.subname) AS words,
           string_agg(format('ALTER SUBSCRIPTION %I SET PUBLICATION <one of the application''s tables alone>;', b.subname), ' ' ORDER BY b.subname) AS cure INTO one
      FROM (SELECT p.subname, string_agg(c.relname, ', ' ORDER BY c.relname)
              FROM pg_subscription_rel r JOIN pg_subscription p ON p.oid = r.srsubid JOIN pg_class c ON c.oid = r.srrelid
              JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
              JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
             GROUP BY p.subname) b(subname, tables);
    check_name := 'subscriptions'; ok := one.words IS NULL;
    detail := CASE WHEN ok THEN 'none brings rows of the extension''s tables'
                   ELSE format('rows of another database come into the extension''s tables: %s; with its credentials nothing is sent from here', one.words) END;
    hint := CASE WHEN NOT ok THEN one.cure || ' and when this database is to send in its place: DROP SUBSCRIPTION, then SELECT echosync_adopt();' END;
    RETURN NEXT;

    WHEN 'connections' THEN

    SELECT count(*) AS total, count(*) FILTER (WHERE i.status <> 'active') AS stopped,
           string_agg(DISTINCT i.status_reason, ', ') AS reasons,
           bool_or(i.status = 'error' AND i.status_reason <> 'credential_unreadable') AS refused,
           bool_or(i.status_reason = 'credential_unreadable') AS unreadable, bool_or(i.status_reason = 'consecutive_failures') AS failing,
           bool_or(i.status_reason = 'by_user') AS by_user,
           string_agg(DISTINCT i.crm_type, ', ') FILTER (WHERE current_setting('echosync.enabled', true)::boolean
                                                          AND @extschema@.echosync_lead_seconds(i.id, i.crm_type) IS NULL) AS strange INTO one
      FROM @extschema@.crm_integrations i;
    check_name := 'connections'; ok := one.stopped = 0 AND one.strange IS NULL;
    detail := format('%s of %s not active%s%s', one.stopped, one.total, coalesce(': ' || one.reasons, ''),
                     coalesce('; of a CRM that this version of the library does not know: ' || one.strange, ''));
    hint := CASE WHEN ok THEN NULL
                 WHEN one.stopped = 0 THEN 'Their leads wait until the server runs a library that knows it.'
                 ELSE concat_ws('; ', 'SELECT integration_id, user_id, status, status_reason FROM echosync_status WHERE status <> ''active''',
                      CASE WHEN one.failing THEN 'when the cause is gone: SELECT echosync_resume(integration_id) FROM echosync_status WHERE status_reason = ''consecutive_failures''' END,
                      CASE WHEN one.by_user THEN 'what somebody paused goes on by: SELECT echosync_resume(integration_id) FROM echosync_status WHERE status_reason = ''by_user''' END,
                      CASE WHEN one.unreadable THEN 'where it is unreadable, put the key that sealed it into INTEGRATION_ENCRYPTION_KEY_PREVIOUS and SELECT pg_reload_conf(), or the user connects again' END,
                      CASE WHEN one.refused THEN 'where the credential is refused, the user connects again' END) END;
    RETURN NEXT;

    WHEN 'stuck' THEN

    SELECT count(*) AS total, string_agg(s.id::text, ', ') INTO one
      FROM (SELECT i.id FROM @extschema@.crm_integrations i
             WHERE i.status = 'active' AND coalesce(i.not_before, '-infinity') < now()
               AND EXISTS (SELECT FROM @extschema@.crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 0 AND q.queued_at < now() - interval '1 hour'
                            AND q.id = (SELECT min(f.id) FROM @extschema@.crm_sync_queue f WHERE f.integration_id = i.id AND f.priority = 0))
               AND NOT EXISTS (SELECT FROM @extschema@.crm_sync_hours h
                                WHERE h.integration_id = i.id AND h.hour > now() - interval '2 hours')) s;
    check_name := 'stuck'; ok := one.total = 0;
    detail := CASE WHEN ok THEN 'no connection with a live change that has waited for an hour has stood still'
                   ELSE format('%s connections are active, have a live change that has waited for an hour, and have finished no lead since', one.total) END;
    hint := CASE WHEN NOT ok THEN 'SELECT integration_id, oldest_queued_at, last_sync_at FROM echosync_status WHERE status = ''active'' ORDER BY oldest_queued_at; then SELECT t.* FROM (SELECT integration_id FROM echosync_status WHERE status = ''active'' ORDER BY oldest_queued_at LIMIT 1) s, echosync_test_connection(s.integration_id) t' END;
    RETURN NEXT;

    WHEN 'gaps' THEN

    SELECT count(*) AS total, min(g.noted_at) AS since INTO one
      FROM @extschema@.crm_sync_gaps g WHERE g.noted_at < now() - interval '10 minutes';
    check_name := 'gaps'; ok := one.total = 0;
    detail := CASE WHEN ok THEN 'what was written while connections began to sync is queued'
                   ELSE format('%s connections began to sync, the first at %s, while transactions went on: what those have written is not queued yet', one.total, one.since) END;
    hint := CASE WHEN NOT ok THEN format('Transactions that go on since then: SELECT pid, xact_start, state, query FROM pg_stat_activity WHERE xact_start < %L; and prepared ones: SELECT gid, prepared FROM pg_prepared_xacts; if there are none, a table cannot be read: see the checks of leads, and the server log, which names it', one.since) END;
    RETURN NEXT;

    WHEN 'tokens' THEN

    SELECT count(*) AS credentials, count(*) FILTER (WHERE c.expires_at IS NOT NULL AND c.updated_at < now() - interval '60 days') AS old,
           max(extract(day FROM now() - c.updated_at)) FILTER (WHERE c.expires_at IS NOT NULL) AS days INTO one
      FROM @extschema@.crm_credentials c;
    check_name := 'tokens'; ok := one.old = 0;
    detail := format('%s credentials, %s OAuth tokens unused for 60 days%s', one.credentials, one.old,
                     CASE WHEN one.old > 0 THEN format(', the oldest for %s; they die after 90', one.days) END);
    hint := CASE WHEN NOT ok THEN format('As a superuser: SELECT t.* FROM %1$s.crm_credentials c, %1$s.echosync_test_connection(c.integration_id) t WHERE c.expires_at IS NOT NULL AND c.updated_at < now() - interval ''60 days'';', '@extschema@') END;
    RETURN NEXT;

    WHEN 'backlog' THEN

    SELECT sum(@extschema@.echosync_queue_length(i.id)) AS waiting,
           min(least((SELECT q.queued_at FROM @extschema@.crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 0 ORDER BY q.id LIMIT 1),
                     (SELECT q.queued_at FROM @extschema@.crm_sync_queue q WHERE q.integration_id = i.id AND q.priority = 1 ORDER BY q.id LIMIT 1))) AS oldest
      INTO one FROM @extschema@.crm_integrations i WHERE i.status = 'active';
    check_name := 'backlog'; ok := one.oldest IS NULL OR one.oldest > now() - interval '1 hour';
    detail := format('%s queued for active connections%s', coalesce(one.waiting, 0), coalesce(', the oldest since ' || one.oldest::text, ''));
    hint := CASE WHEN NOT ok THEN 'SELECT * FROM echosync_status ORDER BY oldest_queued_at; a back-fill is bound by the CRM''s rate limit: SELECT * FROM echosync_runs WHERE finished_at IS NULL' END;
    RETURN NEXT;

    WHEN 'dead_letters' THEN

    SELECT count(*) INTO n FROM @extschema@.crm_dead_letters;
    check_name := 'dead_letters'; ok := n = 0;
    detail := format('%s leads out of retries', n);
    hint := CASE WHEN NOT ok THEN 'SELECT integration_id, error_code, count(*) FROM echosync_dead_letters GROUP BY 1, 2; then SELECT echosync_retry_failed(integration_id) FROM echosync_status WHERE failed > 0, or echosync_discard_failed(integration_id) in its place' END;
    RETURN NEXT;

    WHEN 'statement_log' THEN

    check_name := 'statement_log'; ok := current_setting('log_statement') NOT IN ('all', 'mod');
    detail := format('log_statement = %s', current_setting('log_statement'));
    hint := CASE WHEN NOT ok THEN 'Statements are logged with their literals: bind keys as parameters when calling echosync_connect(), and ALTER ROLE app SET log_parameter_max_length = 0;' END;
    RETURN NEXT;

    WHEN 'row_security' THEN

    SELECT count(*) AS total, string_agg(format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', c.oid::regclass), ' ') AS cure INTO one
      FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
     WHERE d.deptype = 'e' AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity);
    check_name := 'row_security'; ok := one.total = 0;
    detail := CASE WHEN ok THEN 'enabled and forced on every table' ELSE format('not enabled or not forced on %s tables', one.total) END;
    hint := one.cure;
    RETURN NEXT;

    WHEN 'grants' THEN

    SELECT count(*) AS total, string_agg(format('REVOKE ALL ON %s FROM PUBLIC;', o.name), ' ' ORDER BY o.name) AS cure INTO one
      FROM (SELECT DISTINCT CASE WHEN p.oid IS NOT NULL THEN format('FUNCTION %s', p.oid::regprocedure)
                                 WHEN c.relkind = 'S' THEN format('SEQUENCE %s', c.oid::regclass) ELSE format('TABLE %s', c.oid::regclass) END AS name
              FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
              LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'v', 'S')
              LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid,
                   LATERAL aclexplode(coalesce(p.proacl, c.relacl, CASE WHEN p.oid IS NOT NULL THEN acldefault('f', p.proowner) END)) a
             WHERE d.deptype = 'e' AND a.grantee = 0) o;
    check_name := 'grants'; ok := one.total = 0;
    detail := CASE WHEN ok THEN 'PUBLIC holds nothing' ELSE format('PUBLIC holds rights on %s objects', one.total) END;
    hint := one.cure;
    RETURN NEXT;

    END CASE;
END
$$;
COMMENT ON FUNCTION echosync_examine(text) IS 'One part of echosync_doctor(). Internal.';

-- A part that cannot be looked at, since somebody holds a table, say, is not well; the others are looked at.
CREATE OR REPLACE FUNCTION echosync_doctor(OUT check_name text, OUT ok boolean, OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET jit = off    -- its small queries over catalogs look costly: compiling them took a second
    SET lock_timeout = '500ms'
AS $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['installation', 'owner', 'worker', 'reach', 'clock', 'capture', 'leads', 'publications', 'connections', 'stuck', 'gaps', 'tokens', 'backlog', 'dead_letters', 'statement_log', 'row_security', 'grants']
    LOOP
        BEGIN
            RETURN QUERY SELECT e.* FROM @extschema@.echosync_examine(part) e;
        EXCEPTION WHEN OTHERS THEN
            check_name := part; ok := false;
            detail := format('could not be looked at: %s', SQLERRM);
            hint := CASE SQLSTATE WHEN '55P03' THEN 'Somebody holds a lock on one of the extension''s tables: SELECT l.relation::regclass, a.pid, a.state, a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND l.mode = ''AccessExclusiveLock'' AND l.relation IS NOT NULL;'
                    ELSE 'See the checks "owner" and "version".' END;
            RETURN NEXT;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION echosync_doctor() IS 'What is wrong, and what to type. One row a check; ok false deserves a look. Has the worker see whether the CRMs can be reached: five seconds at most.';
CREATE TABLE crm_sync_gaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    integration_id uuid NOT NULL,
    sync_type text NOT NULL,
    first_xid bigint NOT NULL,
    next_xid bigint NOT NULL,
    running_xids bigint[],
    end_xid bigint,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE crm_sync_gaps IS 'Connections that began to sync, or all of whose leads were asked for, while transactions went on that did not see it: what those wrote is queued when they have ended, and the row deleted. Not dumped.';
COMMENT ON COLUMN crm_sync_gaps.sync_type IS 'How their leads are queued: auto, manual.';
COMMENT ON COLUMN crm_sync_gaps.first_xid IS 'The oldest transaction that went on, with its epoch.';
COMMENT ON COLUMN crm_sync_gaps.next_xid IS 'The first that had not begun.';
COMMENT ON COLUMN crm_sync_gaps.running_xids IS 'Between these, those that went on. Null: any of them may have.';
COMMENT ON COLUMN crm_sync_gaps.end_xid IS 'From here on, transactions see the connection. Null: the worker has not looked yet.';

ALTER TABLE crm_sync_gaps ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_gaps FORCE ROW LEVEL SECURITY;
CREATE TRIGGER echosync_gaps_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm_sync_gaps
    FOR EACH STATEMENT EXECUTE FUNCTION echosync_targets_changed();

CREATE FUNCTION echosync_note_gap(id uuid) RETURNS void
    LANGUAGE c VOLATILE STRICT
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_note_gap(uuid) IS 'Notes that transactions go on which do not see that a connection syncs by itself now: the worker queues what they write. Internal.';

-- Locked before it is merged, and its former settings are needed as they are then.
CREATE OR REPLACE FUNCTION echosync_update_integration(id uuid, settings jsonb) RETURNS crm_integrations
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

REVOKE ALL ON FUNCTION echosync_name_source(), echosync_forget_integration(uuid), echosync_examine_leads(crm_lead_sources), echosync_examine(text), echosync_note_gap(uuid),
    echosync_describe_leads(regclass, jsonb) FROM PUBLIC;

SELECT @extschema@.echosync_wake();

-- What a backend remembers of tables and users: as little as can be, and not for
-- longer than it is so.
\pset format unaligned
\pset footer off
SET client_min_messages = warning;
CREATE SCHEMA kept;
CREATE EXTENSION echosync SCHEMA kept;
CREATE TABLE leads (id bigint, user_id text, phone text, first_name text, last_name text, email text,
    address text, city text, state text, zip_code text, risk_score numeric, dnc boolean, tags text[],
    notes text, source text, deleted_at timestamptz, part int, seen int) PARTITION BY LIST (part);
CREATE TABLE leads_0 PARTITION OF leads FOR VALUES IN (0);
SELECT kept.echosync_attach_leads('leads');
INSERT INTO kept.crm_integrations (user_id, crm_type, status, settings, credential_kind)
SELECT 'user' || n, crm, 'paused', kept.echosync_settings_merge(NULL, '{}', crm), 'api_key'
  FROM generate_series(1, 500) n, unnest(ARRAY['lofty', 'followupboss']) crm;
CREATE FUNCTION kept_bytes() RETURNS bigint LANGUAGE sql
    AS $$SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'echosync%'$$;
-- A session that writes leads.
\c -
SET client_min_messages = warning;
INSERT INTO leads (id, user_id, phone, risk_score, part) VALUES (1, 'user1', '8015550101', 5, 0);
SELECT kept_bytes() < 65536 AS little;
SELECT kept_bytes() AS before \gset
INSERT INTO leads (id, user_id, phone, risk_score, part) SELECT n, 'user' || n, '8015550101', 5, 0 FROM generate_series(1, 500) n;
SELECT (kept_bytes() - :before) / 500 < 1024 AS little_a_user;
SELECT count(*), count(DISTINCT lead_id) FROM kept.crm_sync_queue;
-- Partitions cost little, and nothing when they are gone.
DO $$
BEGIN
    FOR n IN 1..100 LOOP
        EXECUTE format('CREATE TABLE leads_%s PARTITION OF leads FOR VALUES IN (%s)', n, n);
    END LOOP;
END
$$;
SELECT kept_bytes() AS before \gset
INSERT INTO leads (id, user_id, phone, risk_score, part) SELECT n, 'user1', '8015550101', 5, n FROM generate_series(1, 100) n;
SELECT (kept_bytes() - :before) / 100 < 2048 AS little_a_partition;
SELECT kept_bytes() AS before \gset
DO $$
BEGIN
    FOR n IN 1001..1300 LOOP
        EXECUTE format('CREATE TABLE leads_x PARTITION OF leads FOR VALUES IN (%s)', n);
        EXECUTE format('INSERT INTO leads (id, user_id, phone, risk_score, part) VALUES (%s, ''user1'', ''8015550101'', 5, %s)', n, n);
        EXECUTE 'DROP TABLE leads_x';
    END LOOP;
END
$$;
SELECT kept_bytes() - :before < 65536 AS none_for_those_gone;
SELECT count(*) FROM kept.crm_sync_queue q WHERE lead_id::int > 1000;
-- What an UPDATE leaves alone is not fetched, however long it is.
CREATE TABLE noted (id int PRIMARY KEY, user_id text, phone text, notes text, packed text, risk_score int, dnc boolean, seen int);
ALTER TABLE noted ALTER notes SET STORAGE EXTERNAL;
SELECT kept.echosync_attach_leads('noted');
INSERT INTO noted SELECT n, 'user1', '8015550101', repeat('a long note ', 5000), '', 5, false, 0 FROM generate_series(1, 20) n;
TRUNCATE kept.crm_sync_queue;
SELECT pg_stat_force_next_flush() \gset ignored_
SELECT toast_blks_read + toast_blks_hit AS before FROM pg_statio_user_tables WHERE relname = 'noted' \gset
UPDATE noted SET seen = seen + 1;
SELECT pg_stat_force_next_flush() \gset ignored_
SELECT toast_blks_read + toast_blks_hit - :before AS toast_blocks_read FROM pg_statio_user_tables WHERE relname = 'noted';
UPDATE noted SET notes = repeat('a long note ', 5000) WHERE id = 1;
SELECT count(*) AS written_anew_but_the_same FROM kept.crm_sync_queue;
UPDATE noted SET notes = repeat('another note', 5000) WHERE id = 1;
SELECT count(DISTINCT lead_id) AS changed FROM kept.crm_sync_queue;
TRUNCATE kept.crm_sync_queue;
-- The extension's schema gets another name while a session writes.
ALTER SCHEMA kept RENAME TO renamed;
INSERT INTO noted VALUES (101, 'user1', '8015550101', '', '', 5, false), (102, 'user501', '8015550101', '', '', 5, false),
    (103, 'user2', '8015550101', '', '', 50, false);
DELETE FROM noted WHERE id = 101;
UPDATE noted SET phone = '8015550102' WHERE id = 1;
SELECT lead_id, count(*) FROM renamed.crm_sync_queue GROUP BY lead_id ORDER BY lead_id;
SELECT lead_id, reason, count(*) FROM renamed.crm_sync_logs GROUP BY lead_id, reason ORDER BY lead_id, reason;
ALTER SCHEMA renamed RENAME TO kept;
UPDATE noted SET phone = '8015550103' WHERE id = 1;
SELECT lead_id, count(*) FROM kept.crm_sync_queue GROUP BY lead_id ORDER BY lead_id;
DROP TABLE leads, noted;
DROP EXTENSION echosync;
DROP FUNCTION kept_bytes();
DROP SCHEMA kept;

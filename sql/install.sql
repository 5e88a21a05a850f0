-- Installing and removing: any schema, no trace, nothing for PUBLIC.
\set SHOW_CONTEXT never
SET client_min_messages = warning;

-- What an extension object is, and what is wrong with it.
CREATE VIEW ext_objects AS
SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name
  FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'echosync' AND d.deptype = 'e';
CREATE VIEW without_comment AS
SELECT o.name FROM ext_objects o
 WHERE o.classid IN ('pg_proc'::regclass, 'pg_class'::regclass)
   AND NOT EXISTS (SELECT FROM pg_class c WHERE o.classid = 'pg_class'::regclass AND c.oid = o.objid AND c.relkind = 'S')
   AND obj_description(o.objid, o.classid::regclass::name) IS NULL
UNION ALL
SELECT 'extension' FROM pg_extension WHERE extname = 'echosync' AND obj_description(oid, 'pg_extension') IS NULL;
-- Who holds what on it, but its owner.
CREATE VIEW held AS
SELECT o.name, a.grantee::regrole AS grantee, a.privilege_type
  FROM ext_objects o
  JOIN LATERAL (
    SELECT coalesce(p.proacl, acldefault('f', p.proowner)) AS acl, p.proowner AS owner
      FROM pg_proc p WHERE o.classid = 'pg_proc'::regclass AND p.oid = o.objid
    UNION ALL
    SELECT coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)), c.relowner
      FROM pg_class c WHERE o.classid = 'pg_class'::regclass AND c.oid = o.objid
    UNION ALL
    SELECT t.attacl, c.relowner FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
     WHERE o.classid = 'pg_class'::regclass AND t.attrelid = o.objid AND t.attacl IS NOT NULL
  ) k ON true
  JOIN LATERAL aclexplode(k.acl) a ON a.grantee <> k.owner;

-- In public, which is first in the search_path.
CREATE EXTENSION echosync;
SELECT extname, extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'echosync';
SELECT * FROM without_comment;
SELECT * FROM held WHERE grantee = 0::oid::regrole;
SELECT DISTINCT grantee FROM held ORDER BY 1;
ALTER EXTENSION echosync SET SCHEMA pg_catalog;
SELECT count(*) > 0 AS has_objects FROM ext_objects;
DROP EXTENSION echosync;
SELECT count(*) AS left_behind FROM pg_proc WHERE proname LIKE 'echosync%';
SELECT count(*) AS left_behind FROM pg_class WHERE relname LIKE 'echosync%' OR relname LIKE 'crm\_%';

-- In a schema of its own, whose name needs quoting, and which nobody has in
-- the search_path.
CREATE SCHEMA "My App.v2";
CREATE EXTENSION echosync SCHEMA "My App.v2";
SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'echosync';
SELECT count(*) AS elsewhere FROM ext_objects o JOIN pg_class c ON o.classid = 'pg_class'::regclass AND c.oid = o.objid
 WHERE c.relnamespace <> '"My App.v2"'::regnamespace;
SELECT * FROM without_comment;
SELECT * FROM held WHERE grantee = 0::oid::regrole;
CREATE TABLE public.leads (id int PRIMARY KEY, user_id text, phone text, risk_score int, deleted_at timestamptz, dnc boolean);
SET search_path = '';
INSERT INTO "My App.v2".crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('ann', 'lofty', 'paused', "My App.v2".echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
SELECT "My App.v2".echosync_attach_leads('public.leads');
INSERT INTO public.leads VALUES (1, 'ann', '8015550101', 5), (2, 'ann', '8015550102', 50);
SELECT lead_id, sync_type FROM "My App.v2".crm_sync_queue;
UPDATE public.leads SET phone = '8015550199' WHERE id = 1;
DELETE FROM public.leads WHERE id = 1;
INSERT INTO public.leads VALUES (1, 'ann', '8015550101', 5);
SELECT count(*) FROM "My App.v2".crm_sync_queue;
SELECT lead_id, status, reason FROM "My App.v2".crm_sync_logs ORDER BY lead_id COLLATE "C", reason COLLATE "C";
SET echosync.user_id = 'ann';
SELECT user_id, queued, failed, consecutive_failures FROM "My App.v2".echosync_status;
SELECT crm_type, (settings ->> 'source') FROM "My App.v2".echosync_get_integration((SELECT id FROM "My App.v2".crm_integrations));
SELECT settings -> 'tags' AS tags FROM "My App.v2".echosync_update_integration((SELECT id FROM "My App.v2".crm_integrations), '{"tags": ["x"]}');
SELECT queued, skipped FROM "My App.v2".echosync_manual_sync((SELECT id FROM "My App.v2".crm_integrations));
SELECT queued, skipped, done, total FROM "My App.v2".echosync_runs;
SELECT step, method, url FROM "My App.v2".echosync_preview((SELECT id FROM "My App.v2".crm_integrations), '2');
SELECT count(*) FROM "My App.v2".echosync_sync_logs();
SELECT "My App.v2".echosync_retry_failed((SELECT id FROM "My App.v2".crm_integrations)),
       "My App.v2".echosync_discard_failed((SELECT id FROM "My App.v2".crm_integrations));
SELECT count(*) FROM "My App.v2".echosync_dead_letters;
SELECT "My App.v2".echosync_pause((SELECT id FROM "My App.v2".crm_integrations));
SELECT "My App.v2".echosync_drain(1);
SELECT "My App.v2".echosync_disconnect((SELECT id FROM "My App.v2".crm_integrations));
-- No worker is here, which cancels what is queued.
SELECT count(*) FROM "My App.v2".crm_integrations;
RESET echosync.user_id;
SELECT count(*) > 5 AS checked, bool_or(detail IS NULL) AS silent FROM "My App.v2".echosync_doctor();
SELECT count(*) > 5 AS measured FROM "My App.v2".echosync_metrics;
SELECT "My App.v2".echosync_adopt();

-- A role that is granted to needs nothing of the schema but what the grant gives.
CREATE ROLE regress_echosync_app;
SELECT "My App.v2".echosync_grant('regress_echosync_app');
SELECT "My App.v2".echosync_grant('regress_echosync_app', 'boss');
SELECT "My App.v2".echosync_grant('regress_echosync_app', NULL);
SET ROLE regress_echosync_app;
SELECT count(*) FROM "My App.v2".crm_integrations;
CREATE EXTENSION echosync;
DROP EXTENSION echosync;
RESET ROLE;

-- Plain DROP EXTENSION; the application's table stays and works.
DROP EXTENSION echosync;
RESET search_path;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'leads'::regclass;
INSERT INTO leads VALUES (3, 'ann', '8015550103', 5);
UPDATE leads SET phone = '8015550104' WHERE id = 3;
DELETE FROM leads WHERE id = 3;
SELECT count(*) FROM leads;
SELECT count(*) AS left_behind FROM pg_class WHERE relnamespace = '"My App.v2"'::regnamespace;
DROP SCHEMA "My App.v2";

-- Again, elsewhere, in the same session: nothing remembered is in the way.
CREATE EXTENSION echosync;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('ann', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
SELECT echosync_attach_leads('leads');
INSERT INTO leads VALUES (4, 'ann', '8015550104', 5);
SELECT lead_id, sync_type FROM crm_sync_queue;
-- Dropped and made again between two statements of one session.
DROP EXTENSION echosync;
CREATE EXTENSION echosync;
INSERT INTO leads VALUES (5, 'ann', '8015550105', 5);
SELECT count(*) FROM crm_sync_queue;
DROP EXTENSION echosync;

-- In a transaction that is rolled back, nothing is left.
BEGIN;
CREATE EXTENSION echosync;
ROLLBACK;
SELECT count(*) AS left_behind FROM pg_proc WHERE proname LIKE 'echosync%';
BEGIN;
CREATE EXTENSION echosync;
DROP EXTENSION echosync;
COMMIT;

-- What somebody planted under one of our names is not adopted.
CREATE TABLE crm_credentials (integration_id uuid, sealed text);
CREATE EXTENSION echosync;
DROP TABLE crm_credentials;
CREATE FUNCTION echosync_wake(id uuid DEFAULT NULL) RETURNS void LANGUAGE sql AS 'SELECT NULL::void';
CREATE EXTENSION echosync;
DROP FUNCTION echosync_wake(uuid);

-- Default privileges that give away what is created: not what is ours.
CREATE ROLE regress_echosync_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, regress_echosync_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC, regress_echosync_anon;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC, regress_echosync_anon;
CREATE EXTENSION echosync;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC, regress_echosync_anon;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC, regress_echosync_anon;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM regress_echosync_anon;
SELECT grantee, privilege_type, count(*) FROM held
 WHERE grantee <> 'pg_monitor'::regrole AND name NOT LIKE '%echosync_capture()' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT has_function_privilege('regress_echosync_anon', 'echosync_level_admin()', 'EXECUTE') AS is_admin,
       has_table_privilege('regress_echosync_anon', 'crm_credentials', 'TRUNCATE') AS may_destroy;
DROP EXTENSION echosync;

DROP TABLE leads;
DROP VIEW held, without_comment, ext_objects;
DROP OWNED BY regress_echosync_app, regress_echosync_anon;
DROP ROLE regress_echosync_app, regress_echosync_anon;

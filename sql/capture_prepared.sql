-- Two-phase commit: what a prepared transaction queued is there when it commits.
-- Needs max_prepared_transactions, as sql/regress.conf has it.
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION echosync;
-- ann has both CRMs, bob one that takes everything and one that is off, nobody has none.
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('ann', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key'),
       ('ann', 'followupboss', 'paused', echosync_settings_merge(NULL, '{}', 'followupboss'), 'api_key'),
       ('bob', 'lofty', 'paused', echosync_settings_merge(NULL, '{"max_risk_score": null, "sync_unscored": true}', 'lofty'), 'api_key'),
       ('bob', 'followupboss', 'paused', echosync_settings_merge(NULL, '{"auto_sync": false}', 'followupboss'), 'api_key'),
       ('eve', 'lofty', 'error', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
-- What was queued and logged since the last look.  F: Follow Up Boss, L: Lofty.
CREATE FUNCTION taken(OUT queued text, OUT logged text) LANGUAGE sql AS $$
    WITH q AS (DELETE FROM crm_sync_queue q USING crm_integrations i WHERE i.id = q.integration_id
               RETURNING i.user_id, upper(left(i.crm_type, 1)) AS crm, q.lead_id, q.sync_type, q.user_id = i.user_id AS own),
         qn AS (SELECT user_id, crm, lead_id, count(*) AS n, bool_and(own AND sync_type = 'auto') AS fine FROM q GROUP BY 1, 2, 3),
         l AS (DELETE FROM crm_sync_logs l USING crm_integrations i WHERE i.id = l.integration_id
               RETURNING i.user_id, upper(left(i.crm_type, 1)) AS crm, l.lead_id, l.status, l.reason),
         ln AS (SELECT user_id, crm, lead_id, concat_ws(' ', nullif(status, 'skipped'), reason) AS what, count(*) AS n FROM l GROUP BY 1, 2, 3, 4)
    SELECT (SELECT coalesce(string_agg(format('%s %s:%s', user_id, crm, lead_id) || CASE WHEN n > 1 THEN ' x' || n ELSE '' END
                   || CASE WHEN fine THEN '' ELSE ' WRONG' END, ', ' ORDER BY user_id COLLATE "C", crm, lead_id COLLATE "C"), '-') FROM qn),
           (SELECT coalesce(string_agg(format('%s %s:%s %s', user_id, crm, lead_id, what) || CASE WHEN n > 1 THEN ' x' || n ELSE '' END, ', '
                   ORDER BY user_id COLLATE "C", crm, lead_id COLLATE "C", what COLLATE "C"), '-') FROM ln)
$$;
CREATE TABLE leads (id int, user_id text, phone text, risk_score numeric, do_not_contact boolean) PARTITION BY LIST (user_id);
CREATE TABLE leads_ann PARTITION OF leads FOR VALUES IN ('ann');
CREATE TABLE leads_bob PARTITION OF leads FOR VALUES IN ('bob');
SELECT echosync_attach_leads('leads');

BEGIN;
INSERT INTO leads VALUES (1, 'ann', '8015550101', 5), (2, 'ann', '8015550102', 50);
INSERT INTO leads_bob VALUES (3, 'bob', '8015550103', 5);
PREPARE TRANSACTION 'echosync 1';
SELECT * FROM taken();
-- The session goes on.
INSERT INTO leads_bob VALUES (4, 'bob', '8015550104', 5);
SELECT * FROM taken();
COMMIT PREPARED 'echosync 1';
SELECT * FROM taken();
BEGIN;
INSERT INTO leads_bob VALUES (5, 'bob', '8015550105', 5);
SAVEPOINT a;
INSERT INTO leads_bob VALUES (6, 'bob', '8015550106', 5);
ROLLBACK TO a;
PREPARE TRANSACTION 'echosync 2';
ROLLBACK PREPARED 'echosync 2';
SELECT * FROM taken();
BEGIN;
INSERT INTO leads_bob VALUES (7, 'bob', '8015550107', 5);
SAVEPOINT a;
INSERT INTO leads_bob VALUES (8, 'bob', '8015550108', 5);
PREPARE TRANSACTION 'echosync 3';
COMMIT PREPARED 'echosync 3';
SELECT * FROM taken();
-- A deletion: what waits is cancelled with it.
INSERT INTO leads VALUES (9, 'bob', '8015550109', 5);
BEGIN;
DELETE FROM leads_bob WHERE id = 9;
PREPARE TRANSACTION 'echosync 4';
COMMIT PREPARED 'echosync 4';
SELECT * FROM taken();

DROP TABLE leads;
DROP FUNCTION taken;
DROP EXTENSION echosync;

-- Asking for leads by hand, what failed, the log, and the life of a connection.
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION echosync;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('ann', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key'),
       ('ann', 'followupboss', 'paused', echosync_settings_merge(NULL, '{"auto_sync": false}', 'followupboss'), 'oauth'),
       ('bob', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
SELECT id AS lofty FROM crm_integrations WHERE user_id = 'ann' AND crm_type = 'lofty' \gset
SELECT id AS fub FROM crm_integrations WHERE user_id = 'ann' AND crm_type = 'followupboss' \gset
SELECT id AS bobs FROM crm_integrations WHERE user_id = 'bob' \gset
CREATE FUNCTION taken(OUT queued text, OUT logged text) LANGUAGE sql AS $$
    WITH q AS (DELETE FROM crm_sync_queue q USING crm_integrations i WHERE i.id = q.integration_id
               RETURNING i.user_id, upper(left(i.crm_type, 1)) AS crm, q.lead_id, q.sync_type, q.priority, q.run_id IS NOT NULL AS run),
         qn AS (SELECT user_id, crm, lead_id, sync_type, priority, run, count(*) AS n FROM q GROUP BY 1, 2, 3, 4, 5, 6),
         l AS (DELETE FROM crm_sync_logs l USING crm_integrations i WHERE i.id = l.integration_id
               RETURNING i.user_id, upper(left(i.crm_type, 1)) AS crm, l.lead_id, l.sync_type, l.reason),
         ln AS (SELECT user_id, crm, lead_id, sync_type || ' ' || reason AS what, count(*) AS n FROM l GROUP BY 1, 2, 3, 4)
    SELECT (SELECT coalesce(string_agg(format('%s %s:%s %s/%s%s', user_id, crm, lead_id, sync_type, priority, CASE WHEN run THEN ' run' END) || CASE WHEN n > 1 THEN ' x' || n ELSE '' END,
                   ', ' ORDER BY user_id COLLATE "C", crm, lead_id COLLATE "C"), '-') FROM qn),
           (SELECT coalesce(string_agg(format('%s %s:%s %s', user_id, crm, lead_id, what) || CASE WHEN n > 1 THEN ' x' || n ELSE '' END, ', '
                   ORDER BY user_id COLLATE "C", crm, lead_id COLLATE "C", what COLLATE "C"), '-') FROM ln)
$$;
CREATE TABLE leads (id int PRIMARY KEY, user_id text, phone text, first_name text, risk_score numeric, do_not_contact boolean, deleted_at timestamptz);
INSERT INTO leads VALUES (1, 'ann', '8015550101', 'A', 5), (2, 'ann', '8015550102', 'B', 50), (3, 'ann', 'none', 'C', 5), (4, 'bob', '8015550104', 'D', 5), (5, 'ann', '8015550105', 'E', 5);
SELECT echosync_attach_leads('leads');
SELECT * FROM taken();
SET echosync.user_id = 'ann';

-- All of one's own, and nobody else's; with auto_sync off too.
SELECT queued, skipped FROM echosync_manual_sync(:'lofty');
SELECT queued, skipped, done, total, finished_at IS NULL AS running FROM echosync_runs;
SELECT * FROM taken();
SELECT queued, skipped FROM echosync_manual_sync(:'fub');
SELECT * FROM taken();
-- Those listed, before what is queued in bulk; repeated ids count once.
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['1', '5', '1']);
SELECT * FROM taken();
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['2', '2']);
SELECT * FROM taken();
-- Another's, nobody's, none, null.
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['1', '4', '99', NULL, '99']);
SELECT * FROM taken();
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', '{}');
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY[NULL]::text[]);
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY[['1'], ['5']]);
SELECT * FROM taken();
-- A lead that waits already is queued once more: it may be in work, as it was before.
UPDATE leads SET first_name = 'AA' WHERE id = 1;
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['1', '5']);
SELECT queued, skipped FROM echosync_manual_sync(:'lofty');
SELECT * FROM taken();
-- The same refusal of an unchanged lead is logged once.
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['2', '3']);
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['2', '3']);
SELECT * FROM taken();
-- An id longer than any that is taken: in the log where it is among all, an error where it is asked for.
RESET echosync.user_id;
CREATE TABLE long_ids (id text, user_id text, phone text, risk_score numeric, do_not_contact boolean);
SET echosync.capture = off;
INSERT INTO long_ids VALUES ('short', 'ann', '8015550107', 5), (repeat('i', 1025), 'ann', '8015550108', 5);
RESET echosync.capture;
SELECT echosync_attach_leads('long_ids');
SET echosync.user_id = 'ann';
SELECT queued, skipped FROM echosync_manual_sync(:'lofty');
UPDATE crm_sync_logs SET lead_id = left(lead_id, 3) || '... of ' || length(lead_id) WHERE length(lead_id) > 100;
SELECT * FROM taken();
SELECT echosync_manual_sync(:'lofty', ARRAY['short', repeat('i', 1025)]);
SELECT echosync_manual_sync(:'lofty', ARRAY[repeat('nobody', 1000)]);
SELECT * FROM taken();
DROP TABLE long_ids;
SELECT echosync_manual_sync(NULL);
SELECT echosync_manual_sync(:'bobs');
SELECT echosync_manual_sync('00000000-0000-0000-0000-000000000000');
SELECT echosync_manual_sync(:'bobs', ARRAY['4']);
SELECT * FROM taken();
-- A run that queued nothing is over; so is its count.
SELECT count(*) AS runs, count(*) FILTER (WHERE finished_at IS NOT NULL) AS finished, bool_and(total = queued) AS totals FROM echosync_runs;
-- Many, in batches.
SET echosync.capture = off;
INSERT INTO leads SELECT g, 'ann', '8015550100', 'X', g % 30 FROM generate_series(1001, 4500) g;
RESET echosync.capture;
SELECT queued, skipped FROM echosync_manual_sync(:'lofty');
SELECT count(*), count(DISTINCT lead_id), min(priority), max(priority) FROM crm_sync_queue;
SELECT sync_type, reason, count(*) FROM crm_sync_logs GROUP BY 1, 2 ORDER BY 2;
SELECT queued, skipped FROM echosync_manual_sync(:'lofty');
DELETE FROM crm_sync_queue;
DELETE FROM crm_sync_logs;
DELETE FROM leads WHERE id > 1000;

-- Several tables, with ids and users of different types: each lead is found
-- where it is, an id that cannot be in a table is not in it.
CREATE TABLE uuids (id uuid, user_id text, phone text, risk_score int, dnc boolean);
CREATE TABLE by_number (id text, user_id int, phone text, risk_score int, dnc boolean);
SELECT echosync_attach_leads('uuids'), echosync_attach_leads('by_number');
SET echosync.capture = off;
INSERT INTO uuids VALUES ('a1b2c3d4-0000-4000-8000-000000000001', 'ann', '8015550101', 5, false);
INSERT INTO by_number VALUES ('n1', 7, '8015550101', 5, false);
RESET echosync.capture;
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['1', 'a1b2c3d4-0000-4000-8000-000000000001', 'ext-5']);
SELECT * FROM taken();
SELECT queued, skipped FROM echosync_manual_sync(:'lofty');
SELECT * FROM taken();
SELECT count(*) > 0 AS previewed FROM echosync_preview(:'lofty', 'a1b2c3d4-0000-4000-8000-000000000001');
SELECT count(*) > 0 AS previewed FROM echosync_preview(:'lofty', '1');
DROP TABLE uuids, by_number;
DELETE FROM crm_lead_sources s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation);
-- The requests that would be sent, and how it ends.
SELECT step, method, regexp_replace(url, '^https://[^/]*', '') ~ '^/v1\.0/' AS at_lofty, body IS NOT NULL AS body FROM echosync_preview(:'lofty', '1') WHERE method <> '-' LIMIT 1;
SELECT method, url, body ->> 'status' AS status, body ->> 'reason' AS reason FROM echosync_preview(:'lofty', '2');
SELECT body ->> 'status' AS status FROM echosync_preview(:'lofty', '1') ORDER BY step DESC LIMIT 1;
SELECT echosync_preview(:'lofty', '4');
SELECT echosync_preview(:'lofty', '99');
SELECT echosync_preview(:'lofty', 'x');
SELECT echosync_preview(:'bobs', '4');
SELECT echosync_preview(NULL, '4');
SELECT echosync_preview(:'lofty', NULL);
SELECT * FROM taken();

-- Dead letters: tried again, or forgotten.
RESET echosync.user_id;
INSERT INTO crm_dead_letters (integration_id, lead_id, user_id, source_id, queued_at, attempts, http_status, error_code, error_message)
SELECT i.id, lead, user_id, s.id, now(), 4, 500, 'server_error', 'The CRM failed.'
  FROM (SELECT i.id, i.user_id, unnest(CASE i.user_id WHEN 'ann' THEN ARRAY['1', '3', '5'] ELSE ARRAY['4'] END) AS lead FROM crm_integrations i WHERE crm_type = 'lofty') i,
       (SELECT id FROM crm_lead_sources) s;
SET echosync.user_id = 'ann';
SELECT lead_id, user_id, crm_type, attempts, http_status, error_code FROM echosync_dead_letters ORDER BY lead_id;
SELECT failed FROM echosync_status WHERE crm_type = 'lofty';
SELECT echosync_retry_failed(:'lofty', ARRAY['5', '99', '4']);
SELECT * FROM taken();
SELECT echosync_discard_failed(:'lofty', ARRAY['3']);
SELECT echosync_retry_failed(:'lofty', '{}'), echosync_discard_failed(:'lofty', '{}');
SELECT echosync_retry_failed(:'lofty');
SELECT * FROM taken();
SELECT echosync_retry_failed(:'lofty'), echosync_discard_failed(:'lofty');
SELECT echosync_retry_failed(:'bobs');
SELECT echosync_discard_failed(:'bobs', ARRAY['4']);
SELECT echosync_retry_failed(NULL);
RESET echosync.user_id;
SELECT lead_id, user_id FROM echosync_dead_letters;

-- The log: newest first, by the key of the last row, filtered.
INSERT INTO crm_sync_logs (id, integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, logged_at)
SELECT 1000 + g, i.id, i.user_id, i.crm_type, g::text, 'auto', 'none', (ARRAY['success', 'failed', 'skipped'])[1 + g % 3], NULL, '2026-01-01'::timestamptz + g * interval '1 hour'
  FROM generate_series(1, 30) g JOIN crm_integrations i ON i.id = CASE WHEN g % 10 = 0 THEN :'bobs' WHEN g % 2 = 0 THEN :'lofty' ELSE :'fub' END::uuid;
SET echosync.user_id = 'ann';
SELECT string_agg(lead_id, ' ' ORDER BY n) FROM (SELECT lead_id, row_number() OVER () AS n FROM echosync_sync_logs()) l;
SELECT string_agg(lead_id, ' ' ORDER BY n) FROM (SELECT lead_id, row_number() OVER () AS n FROM echosync_sync_logs(max_rows => 5)) l;
SELECT string_agg(lead_id, ' ' ORDER BY n) FROM (SELECT lead_id, row_number() OVER () AS n FROM echosync_sync_logs(max_rows => 5, before_id => 1025)) l;
SELECT string_agg(lead_id, ' ' ORDER BY n) FROM (SELECT lead_id, row_number() OVER () AS n FROM echosync_sync_logs(id => :'lofty')) l;
SELECT string_agg(lead_id, ' ' ORDER BY n) FROM (SELECT lead_id, row_number() OVER () AS n FROM echosync_sync_logs(crm_type => 'followupboss', status => '{success,failed}')) l;
SELECT count(*) FROM echosync_sync_logs(since => '2026-01-01'::timestamptz + interval '10 hours', until => '2026-01-01'::timestamptz + interval '15 hours');
SELECT count(*) FROM echosync_sync_logs(status => '{}');
SELECT count(*) FROM echosync_sync_logs(id => :'bobs');
SELECT count(*) FROM echosync_sync_logs(id => '00000000-0000-0000-0000-000000000000');
SELECT count(*) FROM echosync_sync_logs(crm_type => 'nothing');
SELECT echosync_sync_logs(status => '{success,lost}');
SELECT echosync_sync_logs(status => ARRAY[NULL]);
SELECT echosync_sync_logs(max_rows => 0);
SELECT echosync_sync_logs(max_rows => 1001);
SELECT echosync_sync_logs(max_rows => NULL);
RESET echosync.user_id;
SELECT count(*) FROM echosync_sync_logs();
DELETE FROM crm_sync_logs;
-- Reads are allowed in a READ ONLY transaction.
BEGIN READ ONLY;
SET LOCAL echosync.user_id = 'ann';
SELECT count(*) FROM echosync_sync_logs();
SELECT count(*) FROM echosync_status;
SELECT count(*) > 0 AS runs FROM echosync_runs;
SELECT (echosync_get_integration(:'lofty')).crm_type;
SELECT count(*) > 0 AS previewed FROM echosync_preview(:'lofty', '1');
SELECT echosync_manual_sync(:'lofty');
ROLLBACK;

-- A webhook without the right secret: 401, nothing queued, whoever calls.
SELECT echosync_webhook_lead_created('{"user_id": "ann", "lead": {"id": "w1", "phone": "8015550101", "risk_score": 5}}') ->> 'success' AS success, current_setting('response.status') AS status;
BEGIN;
SET LOCAL request.headers = '{"x-webhook-secret": "guessed"}';
SELECT echosync_webhook_lead_created('{"user_id": "ann", "lead": {"id": "w1", "phone": "8015550101", "risk_score": 5}}') ->> 'success' AS success, current_setting('response.status') AS status;
SET LOCAL request.headers = '{"x-webhook-secret": ""}';
SELECT echosync_webhook_lead_created('{"user_id": "ann", "lead": {"id": "w1", "phone": "8015550101", "risk_score": 5}}') ->> 'success' AS success, current_setting('response.status') AS status;
SET LOCAL request.headers = 'not json';
SELECT echosync_webhook_lead_created(NULL) ->> 'success' AS success, current_setting('response.status') AS status;
COMMIT;
SELECT * FROM taken();

-- Pause, resume, disconnect.
SET echosync.user_id = 'ann';
UPDATE crm_integrations SET status = 'error', status_reason = 'credential_refused', consecutive_failures = 3 WHERE user_id = 'ann';
SELECT echosync_pause(:'fub');
SELECT status, status_reason FROM echosync_get_integration(:'fub');
SELECT echosync_resume(:'lofty');
SELECT echosync_resume(:'fub');
UPDATE crm_integrations SET status = 'paused', status_reason = 'consecutive_failures' WHERE user_id = 'ann';
SELECT echosync_pause(:'lofty');
SELECT status, status_reason, consecutive_failures FROM echosync_get_integration(:'lofty');
SELECT echosync_pause(:'bobs');
SELECT echosync_resume(:'bobs');
SELECT echosync_disconnect(:'bobs');
SELECT echosync_pause(NULL);
INSERT INTO crm_credentials (integration_id, sealed) VALUES (:'lofty', 'x');
INSERT INTO crm_lead_links (integration_id, lead_id, user_id, crm_record_id, matched_by) VALUES (:'lofty', '1', 'ann', '12345', 'created');
INSERT INTO crm_dead_letters (integration_id, lead_id, user_id, queued_at, attempts) VALUES (:'lofty', '5', 'ann', now(), 4);
UPDATE leads SET first_name = 'F' WHERE id IN (1, 4, 5);
SELECT queued, skipped FROM echosync_manual_sync(:'lofty', ARRAY['1', '5']);
SELECT echosync_disconnect(:'lofty');
SELECT count(*) FROM crm_credentials;
SELECT count(*) AS links FROM crm_lead_links;
-- What waits is the worker's to cancel (033_disconnect.pl), and there is none here.
SELECT integration_id = :'bobs' AS bobs, lead_id FROM crm_sync_queue;
SELECT count(*) AS shown FROM echosync_status;
SELECT crm_type FROM crm_integrations WHERE user_id = 'ann';
SELECT echosync_get_integration(:'lofty');
SELECT echosync_disconnect(:'lofty');
-- Its log stays readable; its leads cost nothing any more.
SELECT count(*) FROM echosync_sync_logs(id => :'lofty');
SELECT count(*) AS waited FROM crm_sync_queue WHERE user_id = 'ann' \gset
UPDATE leads SET first_name = 'G' WHERE id IN (1, 5);
SELECT count(*) - :waited AS queued_since FROM crm_sync_queue WHERE user_id = 'ann';
RESET echosync.user_id;

DROP TABLE leads;
DROP FUNCTION taken;
DROP EXTENSION echosync;

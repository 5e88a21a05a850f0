-- The trigger on partitioned tables: through the root, straight into a leaf, and
-- whatever is done to the partitions.
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
CREATE TABLE leads (id int, user_id text, phone text, first_name text, risk_score numeric, do_not_contact boolean,
                    deleted_at timestamptz, colour text, PRIMARY KEY (id, user_id)) PARTITION BY LIST (user_id);
CREATE TABLE leads_ann PARTITION OF leads FOR VALUES IN ('ann');
-- A partition with its columns in another order, and one that was dropped.
CREATE TABLE leads_bob (gone int, colour text, deleted_at timestamptz, risk_score numeric, phone text, do_not_contact boolean, first_name text,
                        user_id text NOT NULL, id int NOT NULL);
ALTER TABLE leads_bob DROP gone;
ALTER TABLE leads ATTACH PARTITION leads_bob FOR VALUES IN ('bob');
SELECT echosync_attach_leads('leads');

-- Through the root.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550101', 5), (2, 'bob', '8015550102', 50), (3, 'ann', '8015550103', 50);
SELECT * FROM taken();
COPY leads (id, user_id, phone, risk_score) FROM stdin;
11	ann	8015550111	1
12	bob	8015550112	1
\.
SELECT * FROM taken();
UPDATE leads SET first_name = 'A' WHERE id IN (1, 2);
SELECT * FROM taken();
UPDATE leads SET colour = 'red';
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550199', 5), (13, 'bob', '8015550113', 5)
    ON CONFLICT (id, user_id) DO UPDATE SET phone = excluded.phone;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550198', 5), (14, 'bob', '8015550114', 5) ON CONFLICT DO NOTHING;
SELECT * FROM taken();
MERGE INTO leads l USING (VALUES (1, 'ann', '8015550121'), (14, 'bob', NULL), (15, 'ann', '8015550115')) s(id, user_id, phone) ON l.id = s.id AND l.user_id = s.user_id
    WHEN MATCHED AND s.phone IS NULL THEN DELETE
    WHEN MATCHED THEN UPDATE SET phone = s.phone
    WHEN NOT MATCHED THEN INSERT (id, user_id, phone, risk_score) VALUES (s.id, s.user_id, s.phone, 5);
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (16, 'ann', '8015550116', 5);
DELETE FROM leads WHERE id IN (15, 16);
SELECT * FROM taken();

-- Straight into a leaf: when the transaction commits.
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (21, 'ann', '8015550121', 5), (22, 'ann', '8015550122', 50);
SELECT * FROM taken();
COPY leads_bob (id, user_id, phone, risk_score) FROM stdin;
23	bob	8015550123	1
24	bob	8015550124	1
\.
SELECT * FROM taken();
UPDATE leads_bob SET first_name = 'B' WHERE id = 23;
SELECT * FROM taken();
UPDATE leads_bob SET colour = 'blue';
SELECT * FROM taken();
UPDATE leads_bob SET deleted_at = now() WHERE id = 23;
SELECT * FROM taken();
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (21, 'ann', '8015550129', 5) ON CONFLICT (id, user_id) DO UPDATE SET phone = excluded.phone;
SELECT * FROM taken();
MERGE INTO leads_bob l USING (VALUES (24), (25)) s(id) ON l.id = s.id
    WHEN MATCHED THEN UPDATE SET first_name = 'C' WHEN NOT MATCHED THEN INSERT (id, user_id, phone, risk_score) VALUES (s.id, 'bob', '8015550125', 5);
SELECT * FROM taken();
-- Several statements, leaf and root, in one transaction: once for each change.
BEGIN;
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (31, 'ann', '8015550131', 5);
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (32, 'bob', '8015550132', 5);
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (33, 'ann', '8015550133', 5);
UPDATE leads_ann SET first_name = 'D' WHERE id = 33;
COMMIT;
SELECT * FROM taken();
-- What a leaf statement noted is rolled back with its savepoint, and survives others'.
BEGIN;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (41, 'bob', '8015550141', 5);
SAVEPOINT a;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (42, 'bob', '8015550142', 5);
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (43, 'bob', '8015550143', 5);
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (44, 'bob', '8015550144', 5);
ROLLBACK TO a;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (45, 'bob', '8015550145', 5);
SAVEPOINT b;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (46, 'bob', '8015550146', 5);
SAVEPOINT c;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (47, 'bob', '8015550147', 5);
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (48, 'bob', '8015550148', 5);
RELEASE b;
SAVEPOINT d;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (49, 'bob', '8015550149', 5);
ROLLBACK TO d;
COMMIT;
SELECT * FROM taken();
BEGIN;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (51, 'bob', '8015550151', 5);
ROLLBACK;
SELECT * FROM taken();
DO $$
BEGIN
    INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (52, 'bob', '8015550152', 5);
    BEGIN
        INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (53, 'bob', '8015550153', 5);
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (54, 'bob', '8015550154', 5);
    END;
END
$$;
SELECT * FROM taken();
-- Just before the commit a trigger on the log writes leads, and so on until nothing is noted any more.
CREATE FUNCTION next_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.leads_ann (id, user_id, phone, risk_score)
    SELECT new.lead_id::int + 1, 'ann', '8015550160', CASE WHEN new.lead_id::int < 158 THEN 50 ELSE 5 END ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER next_one AFTER INSERT ON crm_sync_logs FOR EACH ROW EXECUTE FUNCTION next_one();
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (156, 'ann', '8015550156', 50);
DROP TRIGGER next_one ON crm_sync_logs;
DROP FUNCTION next_one;
SELECT * FROM taken();
DELETE FROM leads WHERE id BETWEEN 156 AND 160;
SELECT * FROM taken();
-- In and out again within one transaction: what is queued the worker finds gone.
BEGIN;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (55, 'bob', '8015550155', 5);
DELETE FROM leads_bob WHERE id = 55;
COMMIT;
SELECT * FROM taken();
-- Out and in again: it is there.
BEGIN;
DELETE FROM leads_bob WHERE id = 54;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (54, 'bob', '8015550154', 5);
COMMIT;
SELECT * FROM taken();
-- Many, in more than one go, and one go that is rolled back.
INSERT INTO leads_bob (id, user_id, phone, risk_score) SELECT g, 'bob', '8015550100', 5 FROM generate_series(1001, 13000) g;
SELECT count(*), count(DISTINCT lead_id) FROM crm_sync_queue;
BEGIN;
DELETE FROM leads_bob WHERE id > 12000;
SAVEPOINT a;
DELETE FROM leads_bob WHERE id > 1000;
ROLLBACK TO a;
COMMIT;
SELECT count(*), count(DISTINCT lead_id), max(lead_id::int) FROM crm_sync_queue;
DELETE FROM crm_sync_queue;
DELETE FROM crm_sync_logs;
DELETE FROM leads WHERE id > 1000;
SELECT * FROM taken();

-- A row that an UPDATE moves to another partition: one change, no deletion.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (61, 'ann', '8015550161', 5);
SELECT * FROM taken();
UPDATE leads SET user_id = 'bob' WHERE id = 61;
SELECT * FROM taken();
-- Its old user's queue is cancelled.
UPDATE leads SET user_id = 'ann' WHERE id = 61;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (62, 'ann', '8015550162', 5);
UPDATE leads SET user_id = 'bob' WHERE id = 62;
SELECT * FROM taken();
-- By a key that is not the user's: the lead stays the user's, and what waits
-- stays.  (The move itself is queued too; unchanged, it will cost no call.)
CREATE TABLE dated (id int, user_id text, phone text, risk_score int, created date, colour text) PARTITION BY RANGE (created);
CREATE TABLE dated_1 PARTITION OF dated FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE dated_2 PARTITION OF dated FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT echosync_attach_leads('dated');
INSERT INTO dated VALUES (1, 'bob', '8015550101', 5, '2026-01-15'), (2, 'bob', '8015550102', 5, '2026-01-16');
UPDATE dated SET created = '2026-02-15' WHERE id = 1;
SELECT * FROM taken();
UPDATE dated SET created = created - 31, phone = '8015550109' WHERE id = 1;
SELECT * FROM taken();
DROP TABLE dated;

-- A partition that is added later, and its own partitions.
CREATE TABLE leads_more PARTITION OF leads DEFAULT PARTITION BY RANGE (id);
CREATE TABLE leads_low PARTITION OF leads_more FOR VALUES FROM (0) TO (1000);
CREATE TABLE leads_high PARTITION OF leads_more FOR VALUES FROM (1000) TO (2000);
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (71, 'eve', '8015550171', 5);
SELECT * FROM taken();
INSERT INTO leads_more (id, user_id, phone, risk_score) VALUES (1072, 'eve', '8015550172', 5), (73, 'eve', '8015550173', 5);
SELECT * FROM taken();
INSERT INTO leads_high (id, user_id, phone, risk_score) VALUES (1074, 'eve', '8015550174', 5);
SELECT * FROM taken();
UPDATE leads_more SET id = 1075 WHERE id = 73;
SELECT * FROM taken();
-- One that was a table with leads before: they are not news; what comes after is.
CREATE TABLE leads_old (LIKE leads INCLUDING ALL);
INSERT INTO leads_old (id, user_id, phone, risk_score) VALUES (81, 'zoe', '8015550181', 5);
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('zoe', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
ALTER TABLE leads ATTACH PARTITION leads_old FOR VALUES IN ('zoe');
SELECT * FROM taken();
INSERT INTO leads_old (id, user_id, phone, risk_score) VALUES (82, 'zoe', '8015550182', 5);
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (83, 'zoe', '8015550183', 5);
UPDATE leads_old SET first_name = 'Z' WHERE id = 81;
SELECT * FROM taken();
SELECT check_name, ok, detail FROM echosync_doctor() WHERE check_name = 'leads public.leads';
-- Detached, it is a table of its own and quiet.
ALTER TABLE leads DETACH PARTITION leads_old;
INSERT INTO leads_old (id, user_id, phone, risk_score) VALUES (84, 'zoe', '8015550184', 5);
SELECT * FROM taken();
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'leads_old'::regclass;
ALTER TABLE leads ATTACH PARTITION leads_old FOR VALUES IN ('zoe');
INSERT INTO leads_old (id, user_id, phone, risk_score) VALUES (85, 'zoe', '8015550185', 5);
SELECT * FROM taken();
ALTER TABLE leads DETACH PARTITION leads_bob;
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (86, 'bob', '8015550186', 5);
SELECT * FROM taken();
-- A table that is attached on its own cannot come in with its triggers: it is detached first.
SELECT echosync_attach_leads('leads_bob');
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (87, 'bob', '8015550187', 5);
SELECT * FROM taken();
ALTER TABLE leads ATTACH PARTITION leads_bob FOR VALUES IN ('bob');
SELECT echosync_detach_leads('leads_bob');
ALTER TABLE leads ATTACH PARTITION leads_bob FOR VALUES IN ('bob');
INSERT INTO leads_bob (id, user_id, phone, risk_score) VALUES (88, 'bob', '8015550188', 5);
SELECT * FROM taken();
-- Detaching and dropping within the transaction that filled it.
BEGIN;
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (91, 'ann', '8015550191', 5);
ALTER TABLE leads DETACH PARTITION leads_ann;
DROP TABLE leads_ann;
COMMIT;
SELECT * FROM taken();
BEGIN;
CREATE TABLE leads_ann PARTITION OF leads FOR VALUES IN ('ann');
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (92, 'ann', '8015550192', 5);
COMMIT;
SELECT * FROM taken();
-- Attached again with another mapping: all leaves follow.
ALTER TABLE leads ADD tel text;
SELECT echosync_attach_leads('leads', '{"phone": "tel"}');
INSERT INTO leads_ann (id, user_id, phone, risk_score) VALUES (93, 'ann', '8015550193', 5);
INSERT INTO leads_bob (id, user_id, tel, risk_score) VALUES (94, 'bob', '8015550194', 5);
SELECT * FROM taken();
-- A trigger that somebody disabled on a leaf is seen by the doctor.
ALTER TABLE leads_bob DISABLE TRIGGER echosync_capture;
SELECT ok, detail, hint FROM echosync_doctor() WHERE check_name = 'leads public.leads';
SELECT echosync_attach_leads('leads', '{"phone": "tel"}');
SELECT ok, detail, hint FROM echosync_doctor() WHERE check_name = 'leads public.leads';
SELECT echosync_detach_leads('leads');
SELECT count(*) AS triggers FROM pg_trigger t JOIN pg_partition_tree('leads') p ON p.relid = t.tgrelid WHERE NOT t.tgisinternal;
INSERT INTO leads_ann (id, user_id, tel, risk_score) VALUES (95, 'ann', '8015550195', 5);
INSERT INTO leads (id, user_id, tel, risk_score) VALUES (96, 'ann', '8015550196', 5);
SELECT * FROM taken();

-- Of a user whose changes are not queued by themselves: what waits stays when
-- the row moves, and goes when it is deleted.
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('dan', 'lofty', 'paused', echosync_settings_merge(NULL, '{"auto_sync": false}', 'lofty'), 'api_key');
CREATE TABLE moving (id int, user_id text, phone text, risk_score numeric, do_not_contact boolean, box int) PARTITION BY LIST (box);
CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1);
CREATE TABLE moving_2 PARTITION OF moving FOR VALUES IN (2);
SELECT echosync_attach_leads('moving');
INSERT INTO moving VALUES (71, 'dan', '8015550171', 5, false, 1);
INSERT INTO crm_sync_queue (integration_id, lead_id, user_id, source_id, sync_type)
SELECT i.id, '71', 'dan', s.id, 'retry' FROM crm_integrations i, crm_lead_sources s WHERE i.user_id = 'dan' AND s.relation = 'moving'::regclass;
UPDATE moving SET box = 2 WHERE id = 71;
SELECT user_id, lead_id, sync_type FROM crm_sync_queue;
DELETE FROM moving WHERE id = 71;
SELECT * FROM taken();
DROP TABLE moving;
DELETE FROM crm_integrations WHERE user_id = 'dan';
-- An id that is too long, into a leaf and by a move: it is in the log.
CREATE TABLE long_ids (id text, user_id text, phone text, risk_score int, do_not_contact boolean, box int) PARTITION BY LIST (box);
CREATE TABLE long_ids_1 PARTITION OF long_ids FOR VALUES IN (1);
CREATE TABLE long_ids_2 PARTITION OF long_ids FOR VALUES IN (2);
SELECT echosync_attach_leads('long_ids');
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('lou', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
INSERT INTO long_ids_1 VALUES (repeat('i', 1025), 'lou', '8015550181', 5, false, 1);
SELECT count(*) FROM long_ids;
SET echosync.capture = off;
INSERT INTO long_ids_1 VALUES (repeat('i', 1025), 'lou', '8015550182', 5, false, 1), (repeat('j', 1025), 'lou', '8015550183', 5, false, 1);
RESET echosync.capture;
UPDATE long_ids SET box = 2;
DELETE FROM long_ids WHERE id LIKE 'i%';
DELETE FROM long_ids_1;
SELECT count(*) FROM long_ids;
UPDATE crm_sync_logs SET lead_id = left(lead_id, 3) || '... of ' || length(lead_id) WHERE length(lead_id) > 100;
SELECT * FROM taken();
DROP TABLE long_ids;
DELETE FROM crm_integrations WHERE user_id = 'lou';
-- Owned by somebody who is no superuser: partitions of theirs, filled by another.
CREATE ROLE regress_echosync_owner;
CREATE ROLE regress_echosync_app;
SELECT echosync_grant('regress_echosync_owner');
CREATE SCHEMA shop AUTHORIZATION regress_echosync_owner;
GRANT USAGE ON SCHEMA shop TO regress_echosync_app;
SET ROLE regress_echosync_owner;
CREATE TABLE shop.parted (id int, user_id text, phone text, risk_score int, dnc boolean) PARTITION BY LIST (user_id);
SELECT echosync_attach_leads('shop.parted');
CREATE TABLE shop.parted_bob PARTITION OF shop.parted FOR VALUES IN ('bob');
GRANT INSERT ON shop.parted, shop.parted_bob TO regress_echosync_app;
RESET ROLE;
SET ROLE regress_echosync_app;
INSERT INTO shop.parted_bob VALUES (1, 'bob', '8015550101', 5);
INSERT INTO shop.parted VALUES (2, 'bob', '8015550102', 5);
BEGIN;
INSERT INTO shop.parted_bob VALUES (3, 'bob', '8015550103', 5);
SET LOCAL ROLE NONE;
SET LOCAL search_path = '';
SET LOCAL echosync.user_id = 'somebody';
COMMIT;
RESET ROLE;
SELECT * FROM taken();

-- A transaction that drops the extension keeps its leads.
BEGIN;
INSERT INTO shop.parted_bob VALUES (4, 'bob', '8015550104', 5);
DROP EXTENSION echosync;
COMMIT;
SELECT id, user_id FROM shop.parted WHERE id = 4;

DROP SCHEMA shop CASCADE;
DROP TABLE leads;
DROP FUNCTION taken;
DROP OWNED BY regress_echosync_owner, regress_echosync_app;
DROP ROLE regress_echosync_owner, regress_echosync_app;

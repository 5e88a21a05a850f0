-- The trigger: each lead that is wanted is queued exactly once for each change.
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
CREATE TABLE leads (id int PRIMARY KEY, user_id text, phone text, email text, first_name text, risk_score numeric,
                    do_not_contact boolean, deleted_at timestamptz, notes text, colour text);
SELECT echosync_attach_leads('leads');

-- INSERT
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550101', 5);
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (2, 'ann', '8015550102', 5), (3, 'bob', '8015550103', 99), (4, 'nobody', '8015550104', 5);
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) SELECT g, CASE g % 2 WHEN 0 THEN 'ann' ELSE 'bob' END, '80155501' || g, g FROM generate_series(11, 14) g;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) SELECT 1, 'ann', '8015550101', 5 WHERE false;
SELECT * FROM taken();
COPY leads (id, user_id, phone, risk_score) FROM stdin;
21	ann	8015550121	1
22	bob	8015550122	\N
23	ann	8015550123	21
\.
SELECT * FROM taken();
-- One in error keeps queueing: its leads go out when it is connected again.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (31, 'eve', '8015550131', 5);
SELECT * FROM taken();
-- Nothing without id or user.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (32, NULL, '8015550132', 5), (33, '', '8015550133', 5);
SELECT * FROM taken();
-- A statement that fails.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (34, 'ann', '8015550134', 5), (1, 'ann', '8015550101', 5);
SELECT * FROM taken();

-- ON CONFLICT
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550199', 5), (41, 'ann', '8015550141', 5) ON CONFLICT DO NOTHING;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550199', 5), (42, 'ann', '8015550142', 5)
    ON CONFLICT (id) DO UPDATE SET phone = excluded.phone;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550199', 5), (42, 'ann', '8015550143', 5)
    ON CONFLICT (id) DO UPDATE SET phone = excluded.phone WHERE leads.phone <> excluded.phone;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (1, 'ann', '8015550199', 5)
    ON CONFLICT (id) DO UPDATE SET phone = excluded.phone;
SELECT * FROM taken();

-- MERGE
MERGE INTO leads l USING (VALUES (1, '8015550111'), (2, '8015550102'), (41, NULL), (42, NULL), (51, '8015550151'), (52, '8015550152')) s(id, phone) ON l.id = s.id
    WHEN MATCHED AND s.id = 41 THEN DELETE
    WHEN MATCHED AND s.id = 42 THEN DO NOTHING
    WHEN MATCHED THEN UPDATE SET phone = s.phone
    WHEN NOT MATCHED AND s.id = 52 THEN DO NOTHING
    WHEN NOT MATCHED THEN INSERT (id, user_id, phone, risk_score) VALUES (s.id, 'ann', s.phone, 5);
SELECT * FROM taken();

-- UPDATE: of what is mapped, of what is not, of nothing.
UPDATE leads SET first_name = 'Zoë' WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET first_name = 'Zoë' WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET first_name = NULL, colour = 'red' WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET colour = 'blue';
SELECT * FROM taken();
UPDATE leads SET phone = phone, email = email, notes = notes;
SELECT * FROM taken();
UPDATE leads SET notes = repeat('x', 100000) WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET notes = repeat('x', 100000) WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET colour = 'green', notes = notes WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET email = 'x@example.com' WHERE id IN (1, 3);
SELECT * FROM taken();
UPDATE leads SET id = 101 WHERE id = 1;
SELECT * FROM taken();
UPDATE leads SET id = 1 WHERE id = 101;
SELECT * FROM taken();
-- Through a view, a CTE, a function.
CREATE VIEW v AS SELECT * FROM leads;
UPDATE v SET first_name = 'V' WHERE id = 1;
SELECT * FROM taken();
WITH u AS (UPDATE leads SET first_name = 'W' WHERE id = 1 RETURNING id), i AS (INSERT INTO leads (id, user_id, phone, risk_score) VALUES (61, 'ann', '8015550161', 5) RETURNING id)
    SELECT * FROM u UNION ALL SELECT * FROM i ORDER BY 1;
SELECT * FROM taken();
CREATE FUNCTION add_lead(id int) RETURNS void LANGUAGE sql AS $$INSERT INTO leads (id, user_id, phone, risk_score) VALUES (id, 'ann', '8015550100', 5)$$;
SELECT add_lead(g) FROM generate_series(62, 63) g;
SELECT * FROM taken();
DROP VIEW v;
DROP FUNCTION add_lead;

-- DELETE cancels what waits and says so; one that does not wait costs no row.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (71, 'ann', '8015550171', 5);
DELETE FROM leads WHERE id IN (71, 61);
SELECT * FROM taken();
UPDATE leads SET first_name = 'A' WHERE id IN (62, 63);
DELETE FROM leads WHERE id = 62;
SELECT * FROM taken();
-- Asked for by hand, it is left to the worker, which keeps the run's count.
SET echosync.user_id = 'ann';
SELECT queued, skipped FROM echosync_manual_sync((SELECT id FROM crm_integrations WHERE user_id = 'ann' AND crm_type = 'lofty'), ARRAY['63']);
RESET echosync.user_id;
DELETE FROM leads WHERE id = 63;
SELECT * FROM taken();

-- Soft delete, un-delete, deleted from the start.
UPDATE leads SET first_name = 'B' WHERE id = 2;
UPDATE leads SET deleted_at = now() WHERE id = 2;
SELECT * FROM taken();
UPDATE leads SET first_name = 'C', deleted_at = now() + interval '1 day' WHERE id = 2;
SELECT * FROM taken();
UPDATE leads SET deleted_at = NULL WHERE id = 2;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score, deleted_at) VALUES (81, 'ann', '8015550181', 5, now());
SELECT * FROM taken();
DELETE FROM leads WHERE id = 81;
SELECT * FROM taken();

-- A lead that changes hands: the new user's connections get it, what waits for
-- the old user's is cancelled.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (91, 'ann', '8015550191', 5);
UPDATE leads SET user_id = 'bob' WHERE id = 91;
SELECT * FROM taken();
UPDATE leads SET user_id = 'nobody' WHERE id = 91;
SELECT * FROM taken();
UPDATE leads SET user_id = NULL WHERE id = 91;
SELECT * FROM taken();
UPDATE leads SET user_id = 'ann' WHERE id = 91;
SELECT * FROM taken();
UPDATE leads SET user_id = 'bob', deleted_at = now() WHERE id = 91;
SELECT * FROM taken();

-- Refused: one row for each connection and change.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (201, 'ann', '8015550201', 50), (202, 'bob', '8015550202', 50);
SELECT * FROM taken();
UPDATE leads SET first_name = 'D' WHERE id = 201;
UPDATE leads SET first_name = 'E' WHERE id = 201;
UPDATE leads SET colour = 'black' WHERE id = 201;
SELECT * FROM taken();
INSERT INTO leads (id, user_id, phone, risk_score) SELECT 210 + g, 'ann', CASE WHEN g < 2 THEN '801555021' || g END, CASE WHEN g <> 1 THEN 20 + g END FROM generate_series(0, 2) g;
SELECT * FROM taken();
SELECT count(*) FROM crm_sync_logs;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (220, 'ann', '8015550220', 50);
SELECT DISTINCT sync_type, action, status, attempt, crm_record_id, http_status, error_code, error_message, queued_at IS NOT NULL AS queued_at FROM crm_sync_logs;
SELECT * FROM taken();
-- Refused after it was queued: the worker will see for itself; the refusal is said now.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (221, 'ann', '8015550221', 5);
UPDATE leads SET risk_score = 50 WHERE id = 221;
SELECT * FROM taken();
-- Nobody's leads cost neither queue nor log.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (230, 'nobody', '8015550230', 50);
SELECT * FROM taken();
-- A person who must not be called goes to the CRM that has a flag for it only.
UPDATE leads SET do_not_contact = true WHERE id IN (2, 3);
SELECT * FROM taken();

-- TRUNCATE queues nothing; what waits is found gone by the worker.
CREATE TABLE emptied (LIKE leads INCLUDING ALL);
SELECT echosync_attach_leads('emptied');
INSERT INTO emptied (id, user_id, phone, risk_score) VALUES (1, 'bob', '8015550101', 5);
TRUNCATE emptied;
SELECT * FROM taken();
DROP TABLE emptied;

-- Visible in the transaction, after the statement.
BEGIN;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (301, 'bob', '8015550301', 5);
SELECT lead_id FROM crm_sync_queue;
UPDATE leads SET first_name = 'F' WHERE id = 301;
SELECT lead_id, count(*) FROM crm_sync_queue GROUP BY 1;
ROLLBACK;
SELECT * FROM taken();

-- Savepoints
BEGIN;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (302, 'bob', '8015550302', 5);
SAVEPOINT a;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (303, 'bob', '8015550303', 5);
SAVEPOINT b;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (304, 'bob', '8015550304', 5);
ROLLBACK TO a;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (305, 'bob', '8015550305', 5);
SAVEPOINT c;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (306, 'bob', '8015550306', 5);
RELEASE c;
SAVEPOINT d;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (307, 'bob', '8015550307', 5);
ROLLBACK TO d;
RELEASE d;
COMMIT;
SELECT * FROM taken();
-- A statement that fails in a savepoint, half-way through.
BEGIN;
SAVEPOINT a;
INSERT INTO leads (id, user_id, phone, risk_score) SELECT g, 'bob', '8015550300', CASE g WHEN 313 THEN 1 / (g - 313) ELSE 1 END FROM generate_series(310, 314) g;
ROLLBACK TO a;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (315, 'bob', '8015550315', 5);
COMMIT;
SELECT * FROM taken();
-- EXCEPTION blocks, nested.
DO $$
BEGIN
    INSERT INTO leads (id, user_id, phone, risk_score) VALUES (321, 'bob', '8015550321', 5);
    BEGIN
        INSERT INTO leads (id, user_id, phone, risk_score) VALUES (322, 'bob', '8015550322', 5);
        BEGIN
            INSERT INTO leads (id, user_id, phone, risk_score) VALUES (323, 'bob', '8015550323', 5);
            RAISE division_by_zero;
        EXCEPTION WHEN division_by_zero THEN
            INSERT INTO leads (id, user_id, phone, risk_score) VALUES (324, 'bob', '8015550324', 5);
        END;
        BEGIN
            INSERT INTO leads (id, user_id, phone, risk_score) VALUES (325, 'bob', '8015550325', 5), (321, 'bob', '8015550325', 5);
        EXCEPTION WHEN unique_violation THEN NULL;
        END;
    END;
    BEGIN
        INSERT INTO leads (id, user_id, phone, risk_score) VALUES (326, 'bob', '8015550326', 5);
        BEGIN
            INSERT INTO leads (id, user_id, phone, risk_score) VALUES (327, 'bob', '8015550327', 5);
        END;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
END
$$;
SELECT * FROM taken();
-- Three hundred levels of it.
CREATE FUNCTION deep(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leads (id, user_id, phone, risk_score) VALUES (10000 + n, 'bob', '8015550300', 5);
    IF n > 0 THEN
        BEGIN
            PERFORM deep(n - 1);
            IF n % 100 = 0 THEN RAISE division_by_zero; END IF;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END IF;
END
$$;
SELECT deep(299);
SELECT (SELECT count(*) FROM leads WHERE id BETWEEN 10000 AND 10299) AS leads, count(*) AS queued, count(DISTINCT lead_id) AS leads_queued,
       count(*) FILTER (WHERE NOT EXISTS (SELECT FROM leads l WHERE l.id::text = lead_id)) AS ghosts FROM crm_sync_queue;
DELETE FROM crm_sync_queue;
-- A procedure that commits on its way.
CREATE PROCEDURE add_leads() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 331..334 LOOP
        INSERT INTO leads (id, user_id, phone, risk_score) VALUES (i, 'bob', '8015550330', 5);
        IF i % 2 = 1 THEN COMMIT; ELSE ROLLBACK; END IF;
    END LOOP;
END
$$;
CALL add_leads();
SELECT * FROM taken();
DROP PROCEDURE add_leads;
DROP FUNCTION deep;

-- A big statement, in more than one go.
INSERT INTO leads (id, user_id, phone, risk_score) SELECT g, CASE WHEN g % 3 = 0 THEN 'bob' ELSE 'ann' END, '8015550300', g % 40 FROM generate_series(20001, 32500) g;
SELECT i.user_id, i.crm_type, count(*), count(DISTINCT q.lead_id) AS leads, min(q.lead_id::int), max(q.lead_id::int),
       bool_and(q.later) AS in_order
  FROM (SELECT *, lag(id, 1, 0::bigint) OVER (PARTITION BY integration_id ORDER BY lead_id::int) < id AS later FROM crm_sync_queue) q
  JOIN crm_integrations i ON i.id = q.integration_id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT i.user_id, i.crm_type, l.reason, count(*), count(DISTINCT l.lead_id) AS leads
  FROM crm_sync_logs l JOIN crm_integrations i ON i.id = l.integration_id GROUP BY 1, 2, 3 ORDER BY 1, 2;
DELETE FROM crm_sync_queue;
DELETE FROM crm_sync_logs;
-- One that fails after the first go leaves nothing.
INSERT INTO leads (id, user_id, phone, risk_score) SELECT g, 'bob', '8015550300', 1 / (52000 - g) FROM generate_series(40001, 53000) g;
SELECT * FROM taken();
UPDATE leads SET first_name = 'big' WHERE id > 20000;
SELECT count(*), count(DISTINCT (integration_id, lead_id)) FROM crm_sync_queue;
DELETE FROM leads WHERE id > 20000;
SELECT count(*) FROM crm_sync_queue;
SELECT reason, count(*), count(DISTINCT (integration_id, lead_id)) FROM crm_sync_logs GROUP BY 1 ORDER BY 1;
DELETE FROM crm_sync_logs;

-- The application's role sees no table of echosync, and need not.
CREATE ROLE regress_echosync_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON leads TO regress_echosync_app;
SET ROLE regress_echosync_app;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (401, 'ann', '8015550401', 5), (402, 'ann', '8015550402', 50);
UPDATE leads SET first_name = 'G' WHERE id = 401;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (403, 'bob', '8015550403', 5);
DELETE FROM leads WHERE id = 403;
SELECT count(*) FROM crm_sync_queue;
RESET ROLE;
SELECT * FROM taken();
-- Nor does it matter for whom the session says it acts, or with which search_path and row_security.
SET echosync.user_id = 'somebody else';
SET search_path = '';
SET row_security = off;
SET ROLE regress_echosync_app;
INSERT INTO public.leads (id, user_id, phone, risk_score) VALUES (404, 'bob', '8015550404', 5);
RESET ROLE;
RESET row_security;
RESET search_path;
RESET echosync.user_id;
SELECT * FROM taken();
-- In a SECURITY DEFINER function, and from another trigger.
CREATE FUNCTION add_for_me(id int) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$INSERT INTO leads (id, user_id, phone, risk_score) VALUES (id, 'bob', '8015550100', 5)$$;
SET ROLE regress_echosync_app;
SELECT add_for_me(405);
RESET ROLE;
CREATE TABLE forms (id int);
CREATE FUNCTION from_form() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM add_for_me(NEW.id); RETURN NULL; END$$;
CREATE TRIGGER from_form AFTER INSERT ON forms FOR EACH ROW EXECUTE FUNCTION from_form();
CREATE CONSTRAINT TRIGGER from_form_late AFTER UPDATE ON forms DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION from_form();
INSERT INTO forms VALUES (406), (407);
SELECT * FROM taken();
-- Deferred to the commit.
BEGIN;
UPDATE forms SET id = id + 2;
SELECT count(*) FROM crm_sync_queue;
COMMIT;
SELECT * FROM taken();
DROP TABLE forms;
DROP FUNCTION add_for_me, from_form;

-- Off, for bulk loads; and quiet where a subscriber applies.
SET echosync.capture = off;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (501, 'bob', '8015550501', 5);
UPDATE leads SET first_name = 'H' WHERE id = 501;
DELETE FROM leads WHERE id = 501;
RESET echosync.capture;
SELECT * FROM taken();
BEGIN;
SET LOCAL echosync.capture = off;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (502, 'bob', '8015550502', 5);
COMMIT;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (503, 'bob', '8015550503', 5);
SELECT * FROM taken();
SET session_replication_role = replica;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (504, 'bob', '8015550504', 5);
RESET session_replication_role;
SELECT * FROM taken();
SET ROLE regress_echosync_app;
SET echosync.capture = off;
RESET ROLE;
GRANT SET ON PARAMETER echosync.capture TO regress_echosync_app;
SET ROLE regress_echosync_app;
SET echosync.capture = off;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (505, 'bob', '8015550505', 5);
RESET echosync.capture;
RESET ROLE;
REVOKE SET ON PARAMETER echosync.capture FROM regress_echosync_app;
SELECT * FROM taken();
ALTER TABLE leads DISABLE TRIGGER USER;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (506, 'bob', '8015550506', 5);
ALTER TABLE leads ENABLE TRIGGER USER;
SELECT * FROM taken();

-- What counts is the row as it is stored: BEFORE triggers, defaults, generated columns, rules.
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.phone := regexp_replace(NEW.phone, '\D', '', 'g'); NEW.risk_score := least(NEW.risk_score, 20); RETURN NEW; END$$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION tidy();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (601, 'ann', '(801) 555-0601', 99);
SELECT * FROM taken();
UPDATE leads SET phone = '801 555 0601', risk_score = 88 WHERE id = 601;
SELECT * FROM taken();
UPDATE leads SET phone = '801 555 0602' WHERE id = 601;
SELECT * FROM taken();
DROP TRIGGER tidy ON leads;
CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER veto BEFORE INSERT OR UPDATE OR DELETE ON leads FOR EACH ROW EXECUTE FUNCTION veto();
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (602, 'ann', '8015550602', 1);
UPDATE leads SET phone = '8015550603';
DELETE FROM leads;
SELECT * FROM taken();
DROP TRIGGER veto ON leads;
DROP FUNCTION tidy, veto;
CREATE TABLE made (id int, user_id text DEFAULT 'bob', area text, local text, phone text GENERATED ALWAYS AS (area || local) STORED,
                   risk_score int GENERATED ALWAYS AS (length(area)) STORED);
SELECT echosync_attach_leads('made');
INSERT INTO made (id, area, local) VALUES (1, '801', '5550101');
SELECT * FROM taken();
UPDATE made SET local = '5550102';
SELECT * FROM taken();
UPDATE made SET area = area || '', local = local || '';
SELECT * FROM taken();
-- A row trigger of the application that changes the lead again.
CREATE FUNCTION rework() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE made SET local = NEW.local || '0' WHERE id = NEW.id AND length(local) < 9; RETURN NULL; END$$;
CREATE TRIGGER a_rework AFTER INSERT ON made FOR EACH ROW EXECUTE FUNCTION rework();
INSERT INTO made (id, area, local) VALUES (2, '801', '5550102');
SELECT * FROM taken();
DROP TABLE made;
DROP FUNCTION rework;

-- Columns that are renamed or dropped under it: leads are queued, and held
-- until the table is attached again; nothing is decided on half a lead.
CREATE TABLE moving (id int, user_id text, phone text, email text, risk_score int, colour text);
SELECT echosync_attach_leads('moving');
ALTER TABLE moving DROP colour, ADD size int;
INSERT INTO moving VALUES (1, 'ann', '8015550101', NULL, 5, 1);
SELECT * FROM taken();
ALTER TABLE moving RENAME risk_score TO score;
INSERT INTO moving VALUES (2, 'ann', '8015550101', NULL, 50, 1);
SELECT * FROM taken();
SET client_min_messages = error;
INSERT INTO moving VALUES (3, 'ann', '8015550101', NULL, 50, 1);
SELECT * FROM taken();
SELECT echosync_attach_leads('moving', '{"risk_score": "score"}');
INSERT INTO moving VALUES (4, 'ann', '8015550101', NULL, 50, 1);
SELECT * FROM taken();
ALTER TABLE moving DROP email;
UPDATE moving SET phone = '8015550102' WHERE id = 4;
SELECT * FROM taken();
ALTER TABLE moving ALTER phone TYPE bigint USING phone::bigint;
SELECT echosync_attach_leads('moving', '{"risk_score": "score"}');
UPDATE moving SET phone = phone + 1, score = 5 WHERE id = 4;
SELECT * FROM taken();
-- Without the id or the user nothing can be queued: the statement goes on, and the
-- session is told once what to do.
SET client_min_messages = warning;
ALTER TABLE moving RENAME id TO nr;
INSERT INTO moving VALUES (5, 'ann', 8015550101, 5, 1);
UPDATE moving SET phone = phone + 1;
ALTER TABLE moving ADD other int;
DELETE FROM moving WHERE nr = 5;
ALTER TABLE moving DROP other;
SELECT * FROM taken();
SET client_min_messages = error;
SELECT echosync_attach_leads('moving', '{"risk_score": "score", "id": "nr"}');
INSERT INTO moving VALUES (5, 'ann', 8015550101, 5, 1);
SELECT * FROM taken();
SET client_min_messages = warning;
ALTER TABLE moving RENAME user_id TO agent;
INSERT INTO moving VALUES (6, 'ann', 8015550101, 5, 1), (7, 'ann', 8015550101, 5, 1);
ALTER TABLE moving RENAME agent TO user_id;
INSERT INTO moving VALUES (8, 'ann', 8015550101, 5, 1);
SELECT * FROM taken();
-- ALTER TABLE that rewrites the table is no change of a lead.
ALTER TABLE moving ADD extra int DEFAULT (random() * 100)::int;
VACUUM FULL moving;
SELECT * FROM taken();
DROP TABLE moving;

-- Settings count as they are when the lead is queued.
BEGIN;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (701, 'ann', '8015550701', 30);
UPDATE crm_integrations SET settings = echosync_settings_merge(settings, '{"max_risk_score": 30}', crm_type) WHERE user_id = 'ann' AND crm_type = 'lofty';
UPDATE leads SET first_name = 'I' WHERE id = 701;
UPDATE crm_integrations SET settings = echosync_settings_merge(settings, '{"auto_sync": false}', crm_type) WHERE user_id = 'ann' AND crm_type = 'lofty';
UPDATE leads SET first_name = 'J' WHERE id = 701;
COMMIT;
SELECT * FROM taken();
-- Connections that come and go: what counts is what is there at that moment,
-- also within the transaction, and after it is rolled back.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (711, 'zoe', '8015550711', 5);
SELECT * FROM taken();
BEGIN;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('zoe', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (712, 'zoe', '8015550712', 5);
SELECT lead_id FROM crm_sync_queue;
ROLLBACK;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (713, 'zoe', '8015550713', 5);
SELECT count(*) FROM crm_sync_queue;
BEGIN;
SAVEPOINT a;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('zoe', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
UPDATE leads SET first_name = 'K' WHERE id = 713;
SELECT lead_id FROM crm_sync_queue;
ROLLBACK TO a;
UPDATE leads SET first_name = 'L' WHERE id = 713;
SELECT count(*) FROM crm_sync_queue;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('zoe', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
COMMIT;
UPDATE leads SET first_name = 'M' WHERE id = 713;
SELECT * FROM taken();
UPDATE crm_integrations SET user_id = 'zora' WHERE user_id = 'zoe';
UPDATE leads SET first_name = 'N' WHERE id = 713;
UPDATE leads SET user_id = 'zora' WHERE id = 712 OR id = 711;
SELECT * FROM taken();
BEGIN;
DELETE FROM crm_integrations WHERE user_id = 'zora';
UPDATE leads SET first_name = 'O' WHERE id = 711;
SELECT count(*) FROM crm_sync_queue;
ROLLBACK;
UPDATE leads SET first_name = 'P' WHERE id = 711;
SELECT * FROM taken();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM crm_integrations WHERE user_id = 'zora';
UPDATE leads SET first_name = 'Q' WHERE id = 711;
COMMIT;
SELECT * FROM taken();
-- More users than a backend remembers.
INSERT INTO leads (id, user_id, phone, risk_score) SELECT 100000 + g, 'user ' || g, '8015550100', 5 FROM generate_series(1, 9000) g;
INSERT INTO leads (id, user_id, phone, risk_score) SELECT 110000 + g, CASE g % 3 WHEN 0 THEN 'zora' ELSE 'user ' || g END, '8015550100', 5 FROM generate_series(1, 9000) g;
SELECT count(*), count(DISTINCT lead_id), min(user_id), max(user_id) FROM crm_sync_queue;
DELETE FROM crm_sync_queue;
DELETE FROM leads WHERE id > 100000;
DELETE FROM crm_integrations WHERE user_id = 'zora';
UPDATE leads SET first_name = 'R' WHERE id = 711;
SELECT * FROM taken();
-- A user id longer than any that can connect.
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (714, repeat('x', 10000), '8015550714', 5);
SELECT * FROM taken();

-- The id of a lead that no index would take, and the longest that is taken: the
-- statement goes on, and the log has the id's beginning.  Nobody hears of it who
-- has no connection; nor of a DELETE.
CREATE TABLE long_ids (id text PRIMARY KEY, user_id text, phone text, risk_score int, do_not_contact boolean);
SELECT echosync_attach_leads('long_ids');
INSERT INTO long_ids VALUES (repeat('i', 1024), 'bob', '8015550715', 5), (repeat('n', 1025), 'nobody', '8015550716', 5);
SELECT count(*), max(octet_length(lead_id)) FROM crm_sync_queue;
INSERT INTO long_ids VALUES (repeat('i', 1025), 'bob', '8015550717', 5);
INSERT INTO long_ids VALUES (repeat('é', 513), 'bob', '8015550718', 5);
INSERT INTO long_ids VALUES (repeat('i', 2600), 'bob', '8015550719', 50);
UPDATE long_ids SET user_id = 'bob' WHERE user_id = 'nobody';
DELETE FROM long_ids WHERE user_id = 'nobody';
SELECT count(*) FROM long_ids;
SELECT crm_type, lead_id IN (repeat('i', 1024), repeat('é', 512), repeat('n', 1024)) AS named, action, status, reason, count(*)
  FROM crm_sync_logs GROUP BY 1, 2, 3, 4, 5 ORDER BY 1;
SET echosync.capture = off;
INSERT INTO long_ids VALUES (repeat('j', 2000), 'bob', '8015550720', 5);
RESET echosync.capture;
DELETE FROM long_ids;
SELECT count(*) FROM crm_sync_queue;
DELETE FROM crm_sync_logs;
SELECT echosync_detach_leads('long_ids');
DROP TABLE long_ids;

-- What two tables have under one id are two leads.
CREATE TABLE leads2 (LIKE leads INCLUDING ALL);
SELECT echosync_attach_leads('leads2');
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (801, 'bob', '8015550801', 5);
INSERT INTO leads2 (id, user_id, phone, risk_score) VALUES (801, 'bob', '8015550802', 5);
SELECT count(*), count(DISTINCT source_id) AS sources FROM crm_sync_queue WHERE lead_id = '801';
DELETE FROM leads2;
SELECT count(*), count(DISTINCT source_id) AS sources FROM crm_sync_queue WHERE lead_id = '801';
SELECT * FROM taken();

-- A trigger on the log that writes leads: what it changes is queued once, and what led to it too.
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.leads SET colour = concat(colour, new.reason, ' ') WHERE id::text = new.lead_id;
    INSERT INTO public.leads (id, user_id, phone, risk_score)
    VALUES (new.lead_id::int + 1000, 'ann', '8015550731', 5) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER mark AFTER INSERT ON crm_sync_logs FOR EACH ROW EXECUTE FUNCTION mark();
INSERT INTO leads (id, user_id, phone, risk_score)
VALUES (731, 'ann', '8015550731', 50), (732, 'ann', '8015550732', 5), (733, 'bob', '8015550733', 5);
SELECT * FROM taken();
BEGIN;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (734, 'bob', '8015550734', 5);
SAVEPOINT s;
DELETE FROM leads WHERE id = 734;
RELEASE s;
COMMIT;
SELECT * FROM taken();
SELECT id, user_id, colour FROM leads WHERE id BETWEEN 731 AND 734 OR id BETWEEN 1731 AND 1734 ORDER BY id;
DROP TRIGGER mark ON crm_sync_logs;
DROP FUNCTION mark;

-- The queue with a column less and one more, between two rows of one session.
BEGIN;
ALTER TABLE crm_sync_queue ADD COLUMN first_one int, ADD COLUMN again text;
UPDATE crm_sync_queue SET again = sync_type;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (741, 'bob', '8015550741', 5);
ALTER TABLE crm_sync_queue DROP COLUMN first_one;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (742, 'bob', '8015550742', 5);
SELECT * FROM taken();
ROLLBACK;
-- Without one that is needed: an error, and the same one again.
BEGIN;
ALTER TABLE crm_sync_queue RENAME COLUMN snapshot TO picture;
SAVEPOINT s;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (743, 'bob', '8015550743', 5);
ROLLBACK TO s;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (743, 'bob', '8015550743', 5);
ROLLBACK;
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (743, 'bob', '8015550743', 5);
SELECT * FROM taken();

-- The trigger function by itself.
SELECT echosync_capture();
CREATE TABLE own (id int);
CREATE TRIGGER t BEFORE INSERT ON own FOR EACH ROW EXECUTE FUNCTION echosync_capture('1');
INSERT INTO own VALUES (1);
DROP TRIGGER t ON own;
CREATE TRIGGER t AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION echosync_capture();
INSERT INTO own VALUES (1), (2);
-- ... beside that of an attached table, before and after it.
CREATE TRIGGER a AFTER INSERT ON leads FOR EACH ROW EXECUTE FUNCTION echosync_capture('none', 'such');
CREATE TRIGGER z AFTER INSERT ON leads FOR EACH ROW EXECUTE FUNCTION echosync_capture('99999999999');
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (901, 'bob', '8015550901', 5), (902, 'bob', '8015550902', 5);
INSERT INTO leads (id, user_id, phone, risk_score) VALUES (903, 'bob', '8015550903', 5);
SELECT * FROM taken();
DROP TABLE own;

DROP TABLE leads, leads2;
DROP FUNCTION taken;
DROP EXTENSION echosync;
DROP ROLE regress_echosync_app;

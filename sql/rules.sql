-- The one rule: who may be contacted, as far as it is decided when a lead is queued.
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION echosync;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
SELECT u, 'followupboss', 'paused', echosync_settings_merge(NULL, s::jsonb, 'followupboss'), 'api_key'
  FROM (VALUES ('20', '{}'), ('0', '{"max_risk_score": 0}'), ('20.5', '{"max_risk_score": 20.5}'), ('any', '{"max_risk_score": null, "sync_unscored": true}'),
               ('unscored', '{"sync_unscored": true}'), ('0 unscored', '{"max_risk_score": 0, "sync_unscored": true}')) v(u, s);
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('any', 'lofty', 'paused', echosync_settings_merge(NULL, '{"max_risk_score": null, "sync_unscored": true}', 'lofty'), 'api_key');
-- What became of a lead of these users: +, or the reason of the refusal.
CREATE FUNCTION fate(lead text, owner text, crm text DEFAULT 'followupboss') RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT string_agg('+', '') FROM crm_sync_queue q WHERE q.integration_id = i.id AND q.lead_id = lead), '')
        || coalesce((SELECT string_agg(l.reason, ' ') FROM crm_sync_logs l WHERE l.integration_id = i.id AND l.lead_id = lead), '')
      FROM crm_integrations i WHERE i.user_id = owner AND i.crm_type = crm
$$;

-- Scores as text: a number at most the limit passes, one above does not, and
-- whatever is not a number is no score.
CREATE TABLE texts (id text, user_id text, phone text DEFAULT '8015550100', risk_score text, do_not_contact boolean);
SELECT echosync_attach_leads('texts');
CREATE TABLE scores (n int GENERATED ALWAYS AS IDENTITY, score text);
INSERT INTO scores (score) VALUES (NULL), ('0'), ('19'), ('19.999'), ('20'), ('20.0'), ('20.00000000000000000000'), ('+20'), (' 20 '), ('2e1'), ('020'),
    ('20.0001'), ('20.4'), ('20.5'), ('21'), ('100'), ('1e300'), ('1e400'), ('-1'), ('-0'), (''), (' '), ('NaN'), ('nan'), ('Infinity'), ('-Infinity'),
    ('inf'), ('low'), ('20%'), ('20 of 100'), ('2O'), ('0x10'), ('20,0'), ('1_0'), ('2 0'), ('.5'), ('5.'), ('.'), ('-'), ('e5'), ('null'), ('true'), ('{20}'), ('٢٠'), (repeat('9', 500)), ('0.' || repeat('0', 500) || '1');
INSERT INTO texts (id, user_id, risk_score, do_not_contact) SELECT n || ' ' || user_id, user_id, score, false FROM scores, (SELECT DISTINCT user_id FROM crm_integrations) u ORDER BY n;
SELECT left(score, 40) AS score, fate(n || ' 0', '0') AS "0", fate(n || ' 20', '20') AS "20", fate(n || ' 20.5', '20.5') AS "20.5", fate(n || ' any', 'any') AS "any",
       fate(n || ' unscored', 'unscored') AS unscored, fate(n || ' 0 unscored', '0 unscored') AS "0 unscored" FROM scores ORDER BY n;

-- Scores of every type.
CREATE TABLE t_int (id text, user_id text, phone text DEFAULT '8015550100', risk_score int, dnc boolean);
CREATE TABLE t_numeric (id text, user_id text, phone text DEFAULT '8015550100', risk_score numeric, dnc boolean);
CREATE TABLE t_float (id text, user_id text, phone text DEFAULT '8015550100', risk_score float8, dnc boolean);
CREATE TABLE t_real (id text, user_id text, phone text DEFAULT '8015550100', risk_score real, dnc boolean);
CREATE TABLE t_jsonb (id text, user_id text, phone text DEFAULT '8015550100', risk_score jsonb, dnc boolean);
SELECT echosync_attach_leads('t_int'), echosync_attach_leads('t_numeric'), echosync_attach_leads('t_float'), echosync_attach_leads('t_real'), echosync_attach_leads('t_jsonb');
INSERT INTO t_int (id, user_id, risk_score) VALUES ('int 20', '20', 20), ('int 21', '20', 21), ('int null', '20', NULL), ('int -1', '20', -1);
INSERT INTO t_numeric (id, user_id, risk_score) VALUES ('numeric 20', '20', 20), ('numeric 20.000', '20', 20.000), ('numeric 20.001', '20', 20.001), ('numeric NaN', '20', 'NaN'), ('numeric inf', '20', 'Infinity'), ('numeric null', '20', NULL);
INSERT INTO t_float (id, user_id, risk_score) VALUES ('float 20', '20', 20), ('float 20+', '20', 20.000000000000004), ('float NaN', '20', 'NaN'), ('float -inf', '20', '-Infinity'), ('float null', '20', NULL);
INSERT INTO t_real (id, user_id, risk_score) VALUES ('real 20', '20', 20), ('real 20.1', '20', 20.1), ('real 0.1', '20', 0.1);
INSERT INTO t_jsonb (id, user_id, risk_score) VALUES ('jsonb 20', '20', '20'), ('jsonb 21', '20', '21'), ('jsonb text', '20', '"20"'), ('jsonb null', '20', 'null'), ('jsonb object', '20', '{"score": 1}'), ('jsonb array', '20', '[1]');
SELECT id, fate(id, '20') FROM (SELECT id FROM t_int UNION ALL SELECT id FROM t_numeric UNION ALL SELECT id FROM t_float UNION ALL SELECT id FROM t_real UNION ALL SELECT id FROM t_jsonb) t ORDER BY id COLLATE "C";

-- Without a column for the score all are unscored.
CREATE TABLE bare (id text, user_id text, phone text DEFAULT '8015550100', dnc boolean);
SELECT echosync_attach_leads('bare');
INSERT INTO bare (id, user_id) SELECT 'bare ' || u, u FROM (SELECT DISTINCT user_id FROM crm_integrations) i(u);
SELECT id, fate(id, user_id) FROM bare ORDER BY id COLLATE "C";

-- How to reach them: a phone number or an e-mail address that can be used.
CREATE TABLE ways (id text, user_id text DEFAULT 'any', phone text, email text, dnc boolean);
SELECT echosync_attach_leads('ways');
CREATE TABLE phones (n int GENERATED ALWAYS AS IDENTITY, phone text);
INSERT INTO phones (phone) VALUES ('8015550101'), ('801-555-0101'), ('801.555.0101'), ('801 555 0101'), ('(801) 555-0101'), ('(801)555-0101'), ('1-801-555-0101'), ('1 (801) 555-0101'),
    ('+1 801 555 0101'), ('+18015550101'), ('18015550101'), ('001 801 555 0101'), ('011 1 801 555 0101'), ('801/555-0101'), ('801-5550101'), ('  801-555-0101  '), (E'801\t555\t0101'), ('Tel: 801-555-0101'), ('tel:+1-801-555-0101'),
    ('home 801-555-0101'), ('801-555-0101 (home)'), ('801-555-0101 x12'), ('801-555-0101 ext. 12'), ('801-555-0101x12'), ('801-555-0101 #12'), ('801-555-0101, 801-555-0102'), ('801-555-0101 / 801-555-0102'), ('801-555-0101; call after 5'),
    ('801–555–0101'), ('801 555 0101'), ('８０１５５５０１０１'), ('+44 20 7946 0958'), ('+44 (0)20 7946 0958'), ('0044 20 7946 0958'), ('+65 6234 5678'), ('5550101'), ('555-0101'), ('8015550101.0'),
    (NULL), (''), (' '), ('-'), ('none'), ('n/a'), ('unknown'), ('0'), ('0000000000'), ('1111111111'), ('9999999999'), ('123'), ('123456'), ('801555010'), ('0015550101'), ('1015550101'), ('8010550101'), ('801-555-CALL'), ('801-555-****'), ('801-555-01xx'),
    ('call me'), ('user@example.com'), ('12345678901234567890'), ('+1 555'), ('+0 801 555 0101'), ('++18015550101'), ('28015550101'), (repeat('8', 5000));
INSERT INTO ways (id, phone) SELECT 'p' || n, phone FROM phones ORDER BY n;
SELECT left(replace(phone, E'\t', '\t'), 40) AS phone, fate('p' || n, 'any') FROM phones ORDER BY n;
CREATE TABLE emails (n int GENERATED ALWAYS AS IDENTITY, email text);
INSERT INTO emails (email) VALUES ('zoe@example.com'), ('ZOE@Example.COM'), ('  zoe@example.com '), ('zoë@exämple.com'), ('a+b@c.d'), ('a@b'), (NULL), (''), ('none'), ('@example.com'), ('zoe@'), ('zoe@@example.com'), ('z oe@example.com'),
    ('zoe@example.com, ann@example.com'), ('<zoe@example.com>'), ('zoe@example.com' || chr(8203)), (E'zoe@\nexample.com'), (repeat('x', 250) || '@example.com');
INSERT INTO ways (id, email) SELECT 'e' || n, email FROM emails ORDER BY n;
SELECT left(replace(email, E'\n', '\n'), 40) AS email, fate('e' || n, 'any') FROM emails ORDER BY n;
-- One of both is enough, the other may be anything.
INSERT INTO ways (id, phone, email) VALUES ('b1', 'none', 'zoe@example.com'), ('b2', '8015550101', 'none'), ('b3', 'none', 'none');
SELECT id, fate(id, 'any') FROM ways WHERE id LIKE 'b%' ORDER BY id;
-- In the order of the rule: what protects a person is said first.
INSERT INTO ways (id, dnc) VALUES ('o1', true);
INSERT INTO texts (id, user_id, phone, risk_score, do_not_contact) VALUES ('o2', '20', NULL, '99', false), ('o3', '20', NULL, NULL, true), ('o4', '20', '8015550101', '99', true);
SELECT fate('o1', 'any'), fate('o2', '20'), fate('o3', '20'), fate('o4', '20');

-- Do not contact, in many types.  Lofty has flags to raise and gets the lead
-- even so; Follow Up Boss has none.
CREATE TABLE flag_texts (n int GENERATED ALWAYS AS IDENTITY, flag text);
INSERT INTO flag_texts (flag) VALUES (NULL), (''), (' '), ('f'), ('false'), ('FALSE'), ('no'), ('No'), ('n'), ('N'), ('0'), ('0.0'), ('0.00'), ('off'), ('none'), ('null'), ('clean'), ('Clean'), ('ok'), ('allowed'), ('callable'), (' no '),
    ('[]'), ('{}'), ('{f,f}'), ('["no"]'), ('{"dnc": false}'),
    ('t'), ('true'), ('TRUE'), ('yes'), ('y'), ('Y'), ('1'), ('-1'), ('0.5'), ('on'), ('x'), ('X'), ('dnc'), ('DNC'), ('registered'), ('unknown'), ('pending'), ('do not call'), ('national'), ('2024-01-01'), ('2024-01-01 00:00:00+00'), ('maybe'), ('?'), ('-'),
    ('{f,t}'), ('{no,dnc}'), ('["yes"]'), ('{"dnc": true}'), ('{"a": {"b": [false, 1]}}'), ('{unbalanced'), ('nein'), ('falsch'), ('NaN'), ('n/a'), ('🚫');
CREATE TABLE f_text (id text, user_id text DEFAULT 'any', phone text DEFAULT '8015550101', do_not_contact text);
SELECT echosync_attach_leads('f_text');
INSERT INTO f_text (id, do_not_contact) SELECT 'f' || n, flag FROM flag_texts ORDER BY n;
SELECT flag, fate('f' || n, 'any') AS fub, fate('f' || n, 'any', 'lofty') AS lofty FROM flag_texts ORDER BY n;
CREATE TYPE dnc_state AS ENUM ('clean', 'dnc', 'unknown');
CREATE TABLE f_all (id text, user_id text DEFAULT 'any', phone text DEFAULT '8015550101', a boolean, b int, c numeric, d timestamptz, e date, f text[], g boolean[], h jsonb, i json, j dnc_state, k "char", l interval, m bytea, n text);
SELECT echosync_attach_leads('f_all', '{"do_not_contact": ["a", "b", "c", "d", "e", "f", "g", "h", "i"]}');
INSERT INTO f_all (id) VALUES ('all null');
INSERT INTO f_all (id, a) VALUES ('boolean f', false), ('boolean t', true);
INSERT INTO f_all (id, b) VALUES ('int 0', 0), ('int 1', 1), ('int -7', -7);
INSERT INTO f_all (id, c) VALUES ('numeric 0.00', 0.00), ('numeric 0.01', 0.01), ('numeric NaN', 'NaN');
INSERT INTO f_all (id, d) VALUES ('timestamptz', now()), ('timestamptz epoch', 'epoch'), ('timestamptz -inf', '-infinity');
INSERT INTO f_all (id, e) VALUES ('date', current_date);
INSERT INTO f_all (id, f) VALUES ('text[] empty', '{}'), ('text[] null', '{NULL}'), ('text[] no', '{no}'), ('text[] x', '{sms}'), ('text[] 2d', '{{no,no},{no,call}}'), ('text[] of empty', '{""}');
INSERT INTO f_all (id, g) VALUES ('boolean[] f', '{f,f}'), ('boolean[] t', '{f,t}');
INSERT INTO f_all (id, h) VALUES ('jsonb null', 'null'), ('jsonb false', 'false'), ('jsonb true', 'true'), ('jsonb 0', '0'), ('jsonb 1', '1'), ('jsonb ""', '""'), ('jsonb "no"', '"no"'), ('jsonb "x"', '"x"'), ('jsonb {}', '{}'), ('jsonb []', '[]'), ('jsonb deep', '{"sms": false, "call": {"state": "yes"}}'), ('jsonb clean', '{"sms": false, "call": {"state": "no"}}');
INSERT INTO f_all (id, i) VALUES ('json false', 'false'), ('json true', ' true '), ('json array', '[ false , 0 ]');
INSERT INTO f_all (id, a, b, c, d, f) VALUES ('several, none set', false, 0, 0, NULL, '{}'), ('several, one set', false, 0, 0, NULL, '{stop}');
SELECT id, fate(id, 'any') AS fub, fate(id, 'any', 'lofty') AS lofty FROM f_all ORDER BY id COLLATE "C";
CREATE TABLE f_more (LIKE f_all INCLUDING ALL);
SELECT echosync_attach_leads('f_more', '{"do_not_contact": ["j", "k", "l", "m"]}');
INSERT INTO f_more (id, j) VALUES ('enum clean', 'clean'), ('enum dnc', 'dnc'), ('enum unknown', 'unknown');
INSERT INTO f_more (id, k) VALUES ('"char" n', 'n'), ('"char" y', 'y'), ('"char" 0', '0');
INSERT INTO f_more (id, l) VALUES ('interval', '1 day'), ('interval 0', '0');
INSERT INTO f_more (id, m) VALUES ('bytea empty', ''), ('bytea', '\x00');
SELECT id, fate(id, 'any') AS fub, fate(id, 'any', 'lofty') AS lofty FROM f_more ORDER BY id COLLATE "C";

-- Deleted: the same reading of the column.
CREATE TABLE d_text (id text, user_id text DEFAULT 'any', phone text DEFAULT '8015550101', deleted text, dnc boolean);
SELECT echosync_attach_leads('d_text');
INSERT INTO d_text (id, deleted) VALUES ('d1', NULL), ('d2', 'f'), ('d3', '0'), ('d4', 't'), ('d5', '2026-01-01'), ('d6', '');
SELECT id, fate(id, 'any') AS fub, fate(id, 'any', 'lofty') AS lofty FROM d_text ORDER BY id;

-- Lists: of several phone numbers or addresses the first that can be used counts.
CREATE TABLE lists (id text, user_id text DEFAULT '20.5', phone text[], email jsonb, risk_score jsonb DEFAULT '5', dnc boolean);
SELECT echosync_attach_leads('lists');
INSERT INTO lists (id, phone) VALUES ('phone list', '{801-555-0101,801-555-0102}'), ('phone list, second good', '{none,801-555-0102}'), ('phone list, none good', '{none,n/a}'),
    ('phone list, empty', '{}'), ('phone list of null', '{NULL}');
INSERT INTO lists (id, email) VALUES ('email jsonb text', '"zoe@example.com"'), ('email jsonb list', '["zoe@example.com", "ann@example.com"]'), ('email jsonb list, second good', '[null, "none", "ann@example.com"]'),
    ('email jsonb list, none good', '["none"]'), ('email jsonb null', 'null'), ('email jsonb object', '{"home": "zoe@example.com"}');
INSERT INTO lists (id, phone, risk_score) VALUES ('score jsonb text', '{8015550101}', '"5"'), ('score jsonb text above', '{8015550101}', '"50"'), ('score jsonb null', '{8015550101}', 'null');
CREATE TABLE mails (id text, user_id text DEFAULT 'any', email text[], dnc boolean);
SELECT echosync_attach_leads('mails');
INSERT INTO mails (id, email) VALUES ('email list of one', '{zoe@example.com}'), ('email list of two', '{zoe@example.com,ann@example.com}'), ('email list, none good', '{none}'),
    ('email list, first bad', '{none,ann@example.com}'), ('email list of null', '{NULL}');
SELECT id, fate(id, user_id) FROM (SELECT id, user_id FROM lists UNION ALL SELECT id, user_id FROM mails) l ORDER BY id COLLATE "C";

-- Where there is no limit, sync_unscored decides about leads without a score.
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('no limit', 'followupboss', 'paused', echosync_settings_merge(NULL, '{"max_risk_score": null}', 'followupboss'), 'api_key');
INSERT INTO bare (id, user_id, phone) VALUES ('bare no limit', 'no limit', '8015550101');
INSERT INTO t_int (id, user_id, risk_score) VALUES ('int no limit', 'no limit', 999);
SELECT fate('bare no limit', 'no limit') AS unscored, fate('int no limit', 'no limit') AS scored;

-- The rule of the trigger, which reads columns, and that of a manual sync and
-- the worker, which read the row as JSON, are one.
CREATE TEMP TABLE by_trigger AS
SELECT q.integration_id, q.lead_id, '+' AS fate FROM crm_sync_queue q UNION ALL SELECT l.integration_id, l.lead_id, l.reason FROM crm_sync_logs l;
DELETE FROM crm_sync_queue;
DELETE FROM crm_sync_logs;
DO $$
DECLARE
    i record;
BEGIN
    FOR i IN SELECT id, user_id FROM crm_integrations LOOP
        PERFORM set_config('echosync.user_id', i.user_id, true);
        PERFORM echosync_manual_sync(i.id);
    END LOOP;
END
$$;
CREATE TEMP TABLE by_hand AS
SELECT q.integration_id, q.lead_id, '+' AS fate FROM crm_sync_queue q UNION ALL SELECT l.integration_id, l.lead_id, l.reason FROM crm_sync_logs l;
SELECT (SELECT count(*) FROM by_trigger) - (SELECT count(*) FROM by_hand) AS more, count(*) > 500 AS compared FROM by_trigger;
SELECT i.user_id, i.crm_type, lead_id, t.fate AS by_trigger, h.fate AS by_hand
  FROM by_trigger t FULL JOIN by_hand h USING (integration_id, lead_id) JOIN crm_integrations i ON i.id = integration_id
 WHERE h.fate IS DISTINCT FROM t.fate ORDER BY i.user_id COLLATE "C", i.crm_type COLLATE "C", lead_id COLLATE "C";

DROP TABLE texts, scores, t_int, t_numeric, t_float, t_real, t_jsonb, bare, ways, phones, emails, flag_texts, f_text, f_all, f_more, d_text, lists, mails, by_trigger, by_hand;
DROP TYPE dnc_state;
DROP FUNCTION fate;
DROP EXTENSION echosync;

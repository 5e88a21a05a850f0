-- Attaching a table of leads: what is recognized, what is refused.
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
CREATE EXTENSION echosync;
CREATE EXTENSION citext;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
SELECT u, 'lofty', 'paused', echosync_settings_merge(NULL, '{"max_risk_score": null, "sync_unscored": true}', 'lofty'), 'api_key'
  FROM unnest(ARRAY['ann', '7', 'a1b2c3d4-0000-4000-8000-000000000001']) u;
-- What was queued since the last look, and how attaching went.
CREATE FUNCTION taken() RETURNS text LANGUAGE sql AS $$
    WITH q AS (DELETE FROM crm_sync_queue RETURNING user_id, lead_id),
         n AS (SELECT user_id, lead_id, count(*) AS n FROM q GROUP BY 1, 2)
    SELECT coalesce(string_agg(format('[%s] of [%s]', lead_id, user_id) || CASE WHEN n > 1 THEN ' x' || n ELSE '' END, ', '
                               ORDER BY user_id COLLATE "C", lead_id COLLATE "C"), '-') FROM n
$$;
CREATE FUNCTION try_attach(leads regclass, mapping jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
    detail text;
BEGIN
    PERFORM echosync_attach_leads(leads, mapping);
    RETURN (SELECT s.mapping::text FROM crm_lead_sources s WHERE relation = leads);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', sqlstate || ' ' || sqlerrm, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- The usual names.
CREATE TABLE leads (id int PRIMARY KEY, user_id text, phone text, first_name text, last_name text, email text,
    address text, city text, state text, zip_code text, risk_score numeric, do_not_contact boolean, tags text[],
    notes text, source text, deleted_at timestamptz, colour text);
SELECT echosync_attach_leads('leads');
SELECT relation, jsonb_pretty(mapping) AS mapping, attached_by = current_user AS by_me FROM crm_lead_sources;
SELECT tgname, tgenabled, pg_get_triggerdef(oid) LIKE '%FOR EACH ROW%' AS each_row FROM pg_trigger WHERE tgrelid = 'leads'::regclass ORDER BY tgname;
INSERT INTO leads (id, user_id, phone) VALUES (1, 'ann', '8015550101');
SELECT taken();
DROP TABLE leads;

-- In several spellings: case and underscores do not count.
CREATE TABLE camel ("leadId" uuid, "ownerId" text, "phoneNumber" text, "firstName" text, "lastName" text, "emailAddress" text,
    "streetAddress" text, "Town" text, "stateCode" text, "postalCode" text, "riskScore" int, "isDnc" boolean, "Labels" text,
    "Comments" text, "leadSource" text, "isDeleted" boolean);
CREATE TABLE shout ("UUID" uuid, "TENANT_ID" int, "MOBILE_PHONE" bigint, "GIVEN_NAME" text, "SURNAME" text, "MAIL" text,
    "PROPERTY_ADDRESS" text, "CITY" text, "PROVINCE" text, "ZIP" text, "RISK" float8, "UNSUBSCRIBED" int, "TAGS" jsonb,
    "NOTE" text, "SOURCE" text, "DELETED" boolean);
CREATE TABLE short (id bigint, agent_id int, cell text, fname text, lname text, mail text, address1 text, compliance_score int, dnc text);
CREATE TABLE rails (id bigserial, created_by int, telephone text, family_name text, "Postcode" text, removed_at timestamp);
SELECT try_attach('camel');
SELECT try_attach('shout');
SELECT try_attach('short');
SELECT try_attach('rails');
-- The best of several that match, whatever their order in the table.
CREATE TABLE both_names (uuid uuid, lead_id text, id int, account_id int, owner_id int, user_id int, phone1 text, mobile text, phone text, e_mail text, email_address text);
SELECT try_attach('both_names');
-- Headers of exports.
CREATE TABLE headers (id int PRIMARY KEY, "User ID" text, "First Name" text, "last-name" text, "phone.number" text, "E-mail" text, "Do Not Call" text, "Zip Code" text, "Risk Score" int);
SELECT try_attach('headers');
-- All do-not-contact columns are taken together.
CREATE TABLE flags (id int, user_id text, phone text, dnc boolean, do_not_call boolean, opted_out timestamptz, opt_out text, unsubscribed boolean,
    is_dnc boolean, dnc_status text, dnc_registered boolean, do_not_contact boolean);
SELECT try_attach('flags');
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('flo', 'followupboss', 'paused', echosync_settings_merge(NULL, '{"max_risk_score": null, "sync_unscored": true}', 'followupboss'), 'api_key');
INSERT INTO flags (id, user_id, phone, unsubscribed) VALUES (1, 'flo', '8015550101', true);
INSERT INTO flags (id, user_id, phone, dnc_status) VALUES (2, 'flo', '8015550102', 'registered');
INSERT INTO flags (id, user_id, phone, dnc, unsubscribed) VALUES (3, 'flo', '8015550103', false, false);
SELECT taken();
-- Ten of them are ten: none is forgotten, in silence or otherwise.
ALTER TABLE flags ADD "DNC" boolean;
SELECT jsonb_array_length(try_attach('flags')::jsonb -> 'do_not_contact') AS n;
INSERT INTO flags (id, user_id, phone, unsubscribed) VALUES (4, 'flo', '8015550104', true);
SELECT taken();
-- Names that only look alike are not taken.
CREATE TABLE alike (id int, user_id text, phone text, phone_type text, email_verified boolean, status text, risk_level text, contacted boolean);
SELECT try_attach('alike');

-- Mapping: by name, null for none, several flags.
CREATE TABLE odd (nr int, belongs_to text, "Tel. (home)" text, score int, email text, "stop it" boolean, never boolean, "na""me" text, id text);
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "phone": "Tel. (home)", "risk_score": "score", "do_not_contact": ["stop it", "never"], "first_name": "na\"me"}');
INSERT INTO odd VALUES (5, 'ann', '801-555-0105', 3, NULL, false, false, 'N');
SELECT taken();
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "do_not_contact": "never", "phone": null}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "do_not_contact": []}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "email": null}');
SELECT try_attach('odd', '{"user_id": "belongs_to", "id": null}');
SELECT try_attach('odd', '{"id": "nr"}');
SELECT try_attach('odd', '{"id": "nr", "user_id": null}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "colour": "score"}');
SELECT try_attach('odd', '{"Id": "nr", "user_id": "belongs_to"}');
SELECT try_attach('odd', '{"id": "NR", "user_id": "belongs_to"}');
SELECT try_attach('odd', '{"id": "ctid", "user_id": "belongs_to"}');
SELECT try_attach('odd', '{"id": "", "user_id": "belongs_to"}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "do_not_contact": ["never", null]}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "do_not_contact": ["never", "ever"]}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "first_name": ["Tel. (home)"]}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "phone": ["Tel. (home)", 3]}');
SELECT try_attach('odd', '{"id": "nr", "user_id": "belongs_to", "phone": {"column": "x"}}');
SELECT try_attach('odd', '{"id": 1, "user_id": "belongs_to"}');
SELECT try_attach('odd', '{"id": true, "user_id": "belongs_to"}');
SELECT try_attach('odd', m::jsonb) FROM unnest(ARRAY['null', '[]', '"id"', '1']) m;
-- A refused one changes nothing: the mapping of before is in force.
SELECT mapping FROM crm_lead_sources WHERE relation = 'odd'::regclass;
-- A dropped column is no column.
CREATE TABLE holes (id int, user_id text, phone text, email text);
ALTER TABLE holes DROP phone;
SELECT try_attach('holes');
SELECT try_attach('holes', '{"phone": "phone"}');
SELECT try_attach('holes', '{"phone": "........pg.dropped.3........"}');
-- Nothing to contact anybody by.
CREATE TABLE mute (id int, user_id text, name text);
SELECT echosync_attach_leads('mute');
SELECT try_attach('mute', '{"id": "id", "phone": "name"}');

-- Not a table, or not one that can be.
CREATE VIEW v AS SELECT 1 AS id, 'ann'::text AS user_id, '8015550101'::text AS phone;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM v;
CREATE INDEX some_index ON alike (id);
CREATE SEQUENCE seq;
CREATE TEMP TABLE temporary (id int, user_id text, phone text);
CREATE TABLE parted (id int, user_id text, phone text) PARTITION BY LIST (user_id);
CREATE TABLE parted_ann PARTITION OF parted FOR VALUES IN ('ann');
CREATE UNLOGGED TABLE quick (id int, user_id text, phone text);
SELECT echosync_attach_leads('v');
SELECT echosync_attach_leads('mv');
SELECT echosync_attach_leads('some_index');
SELECT echosync_attach_leads('seq');
SELECT regexp_replace(try_attach('temporary'), 'pg_temp_\d+', 'pg_temp');
SELECT echosync_attach_leads('parted_ann');
SELECT echosync_attach_leads('no_such_table');
SELECT echosync_attach_leads(NULL) IS NULL AS nothing;
SELECT try_attach('quick');
SELECT try_attach('parted');
SELECT echosync_detach_leads('parted_ann');
SELECT count(*) AS attached, count(DISTINCT relation) AS tables FROM crm_lead_sources;

-- The worker reads as the owner, who must see all rows.
CREATE TABLE forced (id int, user_id text, phone text, risk_score int, dnc boolean);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
SELECT try_attach('forced') LIKE '{%' AS attached;
ALTER TABLE forced FORCE ROW LEVEL SECURITY;
SELECT try_attach('forced');
ALTER TABLE forced DISABLE ROW LEVEL SECURITY;
SELECT try_attach('forced') LIKE '{%' AS attached;

-- Only the owner, with any level.
CREATE ROLE regress_echosync_owner;
CREATE ROLE regress_echosync_other;
CREATE SCHEMA shop AUTHORIZATION regress_echosync_owner;
SET ROLE regress_echosync_owner;
CREATE TABLE shop.leads (id int, user_id text, phone text, risk_score int, dnc boolean);
GRANT ALL ON SCHEMA shop TO regress_echosync_other;
GRANT ALL ON shop.leads TO regress_echosync_other;
SELECT echosync_attach_leads('shop.leads');
RESET ROLE;
SELECT echosync_grant('regress_echosync_owner'), echosync_grant('regress_echosync_other');
SET ROLE regress_echosync_other;
SELECT echosync_attach_leads('shop.leads');
SELECT echosync_detach_leads('shop.leads');
SELECT echosync_attach_leads('crm_sync_queue');
SELECT echosync_attach_leads('pg_class');
RESET ROLE;
SET ROLE regress_echosync_owner;
SELECT echosync_attach_leads('shop.leads');
SELECT relation FROM crm_lead_sources;
RESET ROLE;
SELECT attached_by FROM crm_lead_sources WHERE relation = 'shop.leads'::regclass;
SET ROLE regress_echosync_other;
INSERT INTO shop.leads VALUES (1, 'ann', '8015550101', 3, false);
RESET ROLE;
SELECT taken();
-- A monitor that owns a table may attach it too: any level does.
CREATE ROLE regress_echosync_monitor;
CREATE SCHEMA watch AUTHORIZATION regress_echosync_monitor;
SELECT echosync_grant('regress_echosync_monitor', 'monitor');
SET ROLE regress_echosync_monitor;
CREATE TABLE watch.leads (id int, user_id text, phone text, risk_score int, dnc boolean);
SELECT echosync_attach_leads('watch.leads');
RESET ROLE;
SELECT count(*) AS attached FROM crm_lead_sources WHERE relation = 'watch.leads'::regclass;
-- A superuser may attach anybody's table, and the owner may take it off again.
SELECT echosync_attach_leads('shop.leads');
SET ROLE regress_echosync_owner;
SELECT echosync_detach_leads('shop.leads');
SELECT echosync_detach_leads('shop.leads');
RESET ROLE;

-- Again: the mapping is replaced, rows are queued once, the source keeps its id.
CREATE TABLE again (id int, user_id text, phone text, tel text, risk_score int, dnc boolean);
SELECT try_attach('again');
SELECT id AS before FROM crm_lead_sources WHERE relation = 'again'::regclass \gset
SELECT try_attach('again', '{"phone": "tel"}');
SELECT id = :before AS same_source FROM crm_lead_sources WHERE relation = 'again'::regclass;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'again'::regclass;
INSERT INTO again VALUES (1, 'ann', '8015550101', 'none', 1), (2, 'ann', 'none', '8015550102', 1);
SELECT taken();
UPDATE again SET phone = '8015550103';
SELECT taken();
-- Renamed and moved, the table stays attached.
CREATE SCHEMA elsewhere;
ALTER TABLE again SET SCHEMA elsewhere;
ALTER TABLE elsewhere.again RENAME TO "Again!";
INSERT INTO elsewhere."Again!" VALUES (3, 'ann', NULL, '8015550103', 1);
SELECT taken();
-- Detached: no trigger, nothing queued, and what waited is cancelled.
INSERT INTO elsewhere."Again!" VALUES (4, 'ann', NULL, '8015550104', 1);
SELECT count(*) AS waiting FROM crm_sync_queue;
SELECT echosync_detach_leads('elsewhere."Again!"');
SELECT count(*) AS waiting FROM crm_sync_queue;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'elsewhere."Again!"'::regclass;
INSERT INTO elsewhere."Again!" VALUES (5, 'ann', NULL, '8015550105', 1);
SELECT taken();
SELECT echosync_detach_leads('elsewhere."Again!"');
SELECT try_attach('elsewhere."Again!"', '{"phone": "tel"}');
INSERT INTO elsewhere."Again!" VALUES (6, 'ann', NULL, '8015550106', 1);
SELECT taken();
-- Attached in a transaction that fails.
CREATE TABLE undone (id int, user_id text, phone text, risk_score int, dnc boolean);
BEGIN;
SELECT echosync_attach_leads('undone');
INSERT INTO undone VALUES (1, 'ann', '8015550101', 1);
ROLLBACK;
INSERT INTO undone VALUES (1, 'ann', '8015550101', 1);
SELECT taken();
BEGIN;
SELECT echosync_attach_leads('undone');
INSERT INTO undone VALUES (2, 'ann', '8015550102', 1);
COMMIT;
SELECT taken();
-- Triggers of one's own under our names and no others are replaced.
SELECT tgname FROM pg_trigger WHERE tgrelid = 'undone'::regclass ORDER BY 1;

-- Ids of any type, as their cast to text has them.
SET client_min_messages = warning;
CREATE DOMAIN lead_no AS int CHECK (VALUE > 0);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t_int (id int, user_id int, phone text);
CREATE TABLE t_bigint (id bigint, user_id smallint, phone text);
CREATE TABLE t_uuid (id uuid, user_id uuid, phone text);
CREATE TABLE t_varchar (id varchar(20), user_id varchar, phone text);
CREATE TABLE t_domain (id lead_no, user_id lead_no, phone text);
CREATE TABLE t_citext (id citext, user_id citext, phone citext);
CREATE TABLE t_numeric (id numeric, user_id numeric, phone text);
CREATE TABLE t_char (id char(10), user_id char(10), phone char(20));
CREATE TABLE t_name (id name, user_id name, phone name);
CREATE TABLE t_enum (id mood, user_id text, phone text);
CREATE TABLE t_bytea (id bytea, user_id text, phone text);
SELECT t, try_attach(t) LIKE '{%' AS attached
  FROM unnest(ARRAY['t_int', 't_bigint', 't_uuid', 't_varchar', 't_domain', 't_citext', 't_numeric', 't_char', 't_name', 't_enum', 't_bytea']::regclass[]) t;
INSERT INTO t_int VALUES (-1, 7, '8015550101');
SELECT taken();
INSERT INTO t_bigint VALUES (9223372036854775807, 7, '8015550101');
SELECT taken();
INSERT INTO t_uuid VALUES ('{A1B2C3D4-0000-4000-8000-0000000000FF}', 'A1B2C3D4-0000-4000-8000-000000000001', '8015550101');
SELECT taken();
INSERT INTO t_varchar VALUES (' x ', 'ann', '8015550101');
SELECT taken();
INSERT INTO t_domain VALUES (5, 7, '8015550101');
SELECT taken();
INSERT INTO t_citext VALUES ('MiXed', 'ann', '8015550101');
SELECT taken();
INSERT INTO t_numeric VALUES (1.50, 7, '8015550101');
SELECT taken();
INSERT INTO t_char VALUES ('x1', 'ann', '8015550101');
SELECT taken();
INSERT INTO t_name VALUES ('n1', 'ann', '8015550101');
SELECT taken();
INSERT INTO t_enum VALUES ('ok', 'ann', '8015550101');
SELECT taken();
SET bytea_output = 'escape';
INSERT INTO t_bytea VALUES ('\x00ff', 'ann', '8015550101');
RESET bytea_output;
SELECT taken();
-- Text that is long, empty, blank or odd.
INSERT INTO t_varchar VALUES ('', 'ann', '8015550101');
SELECT taken();
INSERT INTO t_varchar VALUES (NULL, 'ann', '8015550101'), ('u', NULL, '8015550101'), ('v', '', '8015550101');
SELECT taken();
INSERT INTO t_varchar VALUES ('Zoë "q" \ {,}', 'ann', '8015550101');
SELECT taken();

-- What is queued from a table that is dropped goes with it, or is harmless.
INSERT INTO t_int VALUES (2, 7, '8015550101');
DROP TABLE t_int;
SELECT count(*) AS attached FROM crm_lead_sources s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation);

SELECT echosync_detach_leads('odd');
DROP TABLE headers, forced, camel, shout, short, rails, both_names, flags, alike, odd, holes, mute, parted, quick, undone, elsewhere."Again!",
    t_bigint, t_uuid, t_varchar, t_domain, t_citext, t_numeric, t_char, t_name, t_enum, t_bytea, temporary;
DROP VIEW v CASCADE;
DROP SEQUENCE seq;
DROP FUNCTION taken, try_attach;
DROP EXTENSION echosync;
DROP EXTENSION citext;
DROP SCHEMA shop, watch, elsewhere CASCADE;
DROP DOMAIN lead_no;
DROP TYPE mood;
DROP OWNED BY regress_echosync_owner, regress_echosync_other, regress_echosync_monitor;
DROP ROLE regress_echosync_owner, regress_echosync_other, regress_echosync_monitor;

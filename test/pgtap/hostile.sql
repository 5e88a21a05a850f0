-- Hostile owners of attached tables.  What they plant (types with casts,
-- operators and functions first in the search_path, policies, generated
-- columns, triggers, rules, views) runs with no more than their own rights,
-- changes nothing of the session it runs in, and stops nobody else, when the
-- trigger fires for a superuser, and when manual sync, preview, the webhook
-- and the worker read their tables.
--
-- What PostgreSQL itself runs as whoever inserts (triggers, generated columns,
-- rules) is compared with a table of the same make that is not attached.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n'
\getenv control_url CONTROL_URL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION dblink;
CREATE SCHEMA sync;
CREATE EXTENSION echosync SCHEMA sync;
SELECT no_plan();

SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^tap_hostile_' \gexec
CREATE ROLE tap_hostile_eve LOGIN;
CREATE ROLE tap_hostile_app LOGIN;
SELECT sync.echosync_grant('tap_hostile_eve'), sync.echosync_grant('tap_hostile_app') \gset ignore_
CREATE SCHEMA evil AUTHORIZATION tap_hostile_eve;
GRANT USAGE ON SCHEMA evil TO PUBLIC;

-- Other sessions: of the application, acting for a user, and of a superuser.
CREATE FUNCTION public.session(name text, role text, act_for text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF name = ANY (coalesce(dblink_get_connections(), '{}')) THEN
        PERFORM dblink_disconnect(name);
    END IF;
    PERFORM dblink_connect(name, format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), role));
    PERFORM dblink_exec(name, 'SET client_min_messages = warning');
    PERFORM dblink_exec(name, 'SET search_path = public');
    PERFORM dblink_exec(name, 'SET statement_timeout = ''60s''');
    PERFORM dblink_exec(name, 'SET lock_timeout = ''50s''');
    IF act_for IS NOT NULL THEN
        PERFORM dblink_exec(name, format('SET echosync.user_id = %L', act_for));
    END IF;
END
$$;
-- A value that a session finds; or the error.
CREATE FUNCTION public.ask(name text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    SELECT t.v INTO result FROM dblink(name, sql) t(v text);
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
CREATE FUNCTION public.settings_of(name text) RETURNS text LANGUAGE sql AS $$
    SELECT public.ask(name, $q$SELECT string_agg(s || '=' || pg_catalog.current_setting(s), ' ' ORDER BY s) FROM pg_catalog.unnest(ARRAY['search_path', 'echosync.user_id', 'DateStyle', 'role', 'statement_timeout', 'lock_timeout']) s$q$)
$$;

-- ---------------------------------------------------------------------------
-- What eve plants
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION tap_hostile_eve;
CREATE TABLE evil.ran (who name, what text);
GRANT ALL ON evil.ran TO PUBLIC;
CREATE FUNCTION evil.note(what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    setting text;
BEGIN
    INSERT INTO evil.ran VALUES (current_user, what);
    FOREACH setting IN ARRAY ARRAY['search_path=evil, pg_catalog', 'echosync.user_id=somebody else', 'DateStyle=German', 'statement_timeout=0', 'lock_timeout=0'] LOOP
        BEGIN
            PERFORM pg_catalog.set_config(pg_catalog.split_part(setting, '=', 1), pg_catalog.split_part(setting, '=', 2), false);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END
$$;
CREATE FUNCTION evil.grab(what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    attempt text;
BEGIN
    PERFORM evil.note(what);
    FOREACH attempt IN ARRAY ARRAY['ALTER ROLE tap_hostile_eve SUPERUSER', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'CREATE ROLE tap_hostile_door SUPERUSER LOGIN',
                                   'INSERT INTO evil.ran SELECT current_user, ''credential '' || sealed FROM sync.crm_credentials', 'SET echosync.trusted_sessions = ''*''', 'SET session_replication_role = replica'] LOOP
        BEGIN
            EXECUTE attempt;
            INSERT INTO evil.ran VALUES (current_user, 'COULD ' OPERATOR(pg_catalog.||) attempt);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END
$$;
-- A type whose casts are functions; the row is read as JSON and its id as text.
CREATE TYPE evil.trick AS ENUM ('8015557001', '8015557002', '8015557003', '8015557004', '8015557005', '8015557006');
CREATE FUNCTION evil.trick_json(evil.trick) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('cast to json'); RETURN pg_catalog.to_json($1::text); END$$;
CREATE FUNCTION evil.trick_jsonb(evil.trick) RETURNS jsonb LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('cast to jsonb'); RETURN pg_catalog.to_jsonb(pg_catalog.enum_out($1)::text); END$$;
CREATE CAST (evil.trick AS json) WITH FUNCTION evil.trick_json(evil.trick) AS IMPLICIT;
CREATE CAST (evil.trick AS jsonb) WITH FUNCTION evil.trick_jsonb(evil.trick) AS IMPLICIT;
CREATE TYPE evil.pair AS (a text, b evil.trick);
CREATE FUNCTION evil.pair_json(evil.pair) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('cast to json'); RETURN '"pair"'; END$$;
CREATE CAST (evil.pair AS json) WITH FUNCTION evil.pair_json(evil.pair) AS IMPLICIT;
CREATE FUNCTION evil.checked(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM evil.note('domain'); RETURN true; END$$;
CREATE DOMAIN evil.word AS text CHECK (evil.checked(VALUE));
-- Operators and functions that are found before PostgreSQL's own.
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END$$;
CREATE FUNCTION evil.eq(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END$$;
CREATE FUNCTION evil.eq(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END$$;
CREATE FUNCTION evil.eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END$$;
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = uuid, RIGHTARG = uuid);
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = integer, RIGHTARG = integer);
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION evil.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('function'); RETURN QUERY SELECT pg_catalog.unnest($1); END$$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('function'); RETURN pg_catalog.now(); END$$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('function'); RETURN pg_catalog.clock_timestamp(); END$$;
CREATE FUNCTION evil.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('function'); RETURN pg_catalog.gen_random_uuid(); END$$;
CREATE TABLE evil.crm_sync_queue (LIKE evil.ran);
CREATE TABLE evil.crm_integrations (LIKE evil.ran);
-- Two tables of one make.
CREATE FUNCTION evil.made(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM evil.note('generated column'); RETURN 'made'; END$$;
CREATE FUNCTION evil.fired() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM evil.note('trigger ' OPERATOR(pg_catalog.||) TG_WHEN); RETURN NEW; END$$;
CREATE FUNCTION evil.allowed(what text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab(what); RETURN true; END$$;
CREATE FUNCTION evil.ruled(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM evil.note('rule'); RETURN 'ruled'; END$$;
CREATE TABLE evil.leads (id text, user_id text, phone evil.trick, email evil.word, tags evil.pair, risk_score int, do_not_contact boolean,
                         last_name text GENERATED ALWAYS AS (evil.made(email)) STORED, "n'), evil.grab('injected')) --" text);
CREATE TABLE evil.control (LIKE evil.leads INCLUDING ALL);
CREATE TABLE evil.rules_went (what text);
GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;
SELECT format('CREATE TRIGGER a BEFORE INSERT OR UPDATE ON evil.%1$s FOR EACH ROW EXECUTE FUNCTION evil.fired()', t),
       format('CREATE TRIGGER z AFTER INSERT OR UPDATE ON evil.%1$s FOR EACH ROW EXECUTE FUNCTION evil.fired()', t),
       format('ALTER TABLE evil.%1$s ENABLE ROW LEVEL SECURITY', t),
       format('CREATE POLICY p ON evil.%1$s USING (evil.allowed(''policy''))', t),
       format('CREATE RULE r AS ON INSERT TO evil.%1$s DO ALSO INSERT INTO evil.rules_went SELECT evil.ruled(NEW.id)', t)
  FROM unnest(ARRAY['leads', 'control']) t \gexec
SELECT sync.echosync_attach_leads('evil.leads', '{"first_name": "n''), evil.grab(''injected'')) --"}') \gset ignore_
-- (Forced before, attaching is refused.)
SELECT format('ALTER TABLE evil.%1$s FORCE ROW LEVEL SECURITY', t) FROM unnest(ARRAY['leads', 'control']) t \gexec
RESET SESSION AUTHORIZATION;
SELECT is(string_agg(who || ' ' || what, ', '), NULL, 'attaching runs nothing of it') FROM evil.ran;

-- An honest table, and connections: the victim's, paused, and a bystander's.
CREATE TABLE public.leads (id text, user_id text, phone text, risk_score int, do_not_contact boolean);
GRANT ALL ON public.leads TO tap_hostile_app;
SELECT sync.echosync_attach_leads('public.leads') \gset ignore_
INSERT INTO sync.crm_integrations (user_id, crm_type, status, settings, credential_kind) VALUES ('victim', 'lofty', 'paused', sync.echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
INSERT INTO sync.crm_credentials (integration_id, sealed) SELECT id, 'sealed' FROM sync.crm_integrations;
SELECT id AS victim FROM sync.crm_integrations WHERE user_id = 'victim' \gset

-- ---------------------------------------------------------------------------
-- The trigger: a superuser inserts into eve's table
-- ---------------------------------------------------------------------------
CREATE TABLE public.privileged (phase text, what text);
CREATE FUNCTION public.wait_until(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    met boolean;
BEGIN
    FOR i IN 1..400 LOOP
        EXECUTE condition INTO met;
        EXIT WHEN met;
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN met;
END
$$;
CREATE FUNCTION public.end_of(phase text) RETURNS SETOF text LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
BEGIN
    INSERT INTO public.privileged SELECT phase, what FROM evil.ran WHERE who <> 'tap_hostile_eve';
    RETURN NEXT is((SELECT string_agg(DISTINCT format('%s as %s', what, who), ', ') FROM evil.ran WHERE who <> 'tap_hostile_eve' AND what !~ '^(trigger|generated column|rule|domain)'), NULL, phase || ': nothing of eve''s runs as anybody but eve');
    RETURN NEXT is((SELECT string_agg(DISTINCT what, ', ') FROM evil.ran WHERE what ~ '^(COULD|credential)'), NULL, phase || ': nor could it do anything');
    RETURN NEXT ok((SELECT NOT rolsuper FROM pg_roles WHERE rolname = 'tap_hostile_eve'), phase || ': eve is no superuser');
    RETURN NEXT is((SELECT string_agg(rolname, ', ') FROM pg_roles WHERE rolname = 'tap_hostile_door'), NULL, phase || ': no door was left open');
    ALTER ROLE tap_hostile_eve NOSUPERUSER;
    DROP ROLE IF EXISTS tap_hostile_door;
    TRUNCATE evil.ran;
END
$$;
SELECT public.session('super', 'postgres', NULL);
SELECT dblink_exec('super', 'SET search_path = evil, pg_catalog') \gset ignore_
SELECT dblink_exec('super', $$INSERT INTO evil.control (id, user_id, phone, email, tags, risk_score, do_not_contact, "n'), evil.grab('injected')) --") VALUES ('c1', 'victim', '8015557001', 'a@b.c', '(x,8015557001)', 5, false, 'N')$$) \gset ignore_
SELECT public.end_of('not attached');
SELECT public.session('super', 'postgres', NULL);
SELECT dblink_exec('super', 'SET search_path = evil, pg_catalog') \gset ignore_
SELECT dblink_exec('super', $$INSERT INTO evil.leads (id, user_id, phone, email, tags, risk_score, do_not_contact, "n'), evil.grab('injected')) --") VALUES ('c1', 'victim', '8015557001', 'a@b.c', '(x,8015557001)', 5, false, 'N')$$) \gset ignore_
SELECT public.end_of('attached');
SELECT bag_eq($$SELECT what FROM public.privileged WHERE phase = 'attached'$$, $$SELECT what FROM public.privileged WHERE phase = 'not attached'$$, 'attaching adds nothing to what PostgreSQL itself runs as the superuser');
SELECT is((SELECT string_agg(lead_id, ' ') FROM sync.crm_sync_queue), 'c1', 'the lead is queued');
-- Updates, refusals, deletions, many rows, and the notes of a leaf at commit.
SELECT public.session('super', 'postgres', NULL);
SELECT dblink_exec('super', 'SET search_path = evil, pg_catalog') \gset ignore_
SELECT dblink_exec('super', s) FROM unnest(ARRAY[
    $$INSERT INTO evil.leads (id, user_id, phone, risk_score) SELECT 'many ' OPERATOR(pg_catalog.||) g, 'victim', '8015557002', 5 FROM pg_catalog.generate_series(1, 20) g$$,
    $$UPDATE evil.leads SET phone = '8015557003'$$, $$UPDATE evil.leads SET risk_score = 50$$, $$UPDATE evil.leads SET do_not_contact = true$$, $$UPDATE evil.leads SET user_id = 'nobody'$$, $$DELETE FROM evil.leads$$]) s \g /dev/null
SELECT public.end_of('changes');
SELECT is((SELECT count(*)::int FROM sync.crm_sync_queue), 0, 'what waited is cancelled');
SELECT public.session('super', 'postgres', NULL);
SELECT dblink_exec('super', $$INSERT INTO evil.leads (id, user_id, phone, risk_score, do_not_contact) VALUES ('e1', 'victim', '8015557004', 5, false), ('e2', 'victim', '8015557005', 5, false), ('e3', 'nobody', '8015557006', 5, false)$$) \gset ignore_
TRUNCATE evil.ran;
ALTER ROLE tap_hostile_eve NOSUPERUSER;

-- ---------------------------------------------------------------------------
-- What reads her table in a backend: manual sync, preview, the webhook
-- ---------------------------------------------------------------------------
SELECT public.session('app', 'tap_hostile_app', 'victim');
SELECT public.settings_of('app') AS settings \gset
SELECT is(public.ask('app', format('SELECT queued || '' '' || skipped FROM sync.echosync_manual_sync(%L)', :'victim')), '2 0', 'manual sync: both leads, although they wait already');
SELECT is(public.settings_of('app'), :'settings'::text, 'manual sync: the session''s settings are as they were');
SELECT ok(EXISTS (SELECT FROM evil.ran WHERE what LIKE 'cast%'), 'manual sync: her casts did run');
SELECT public.end_of('manual sync');
TRUNCATE sync.crm_sync_queue;
SELECT public.session('app', 'tap_hostile_app', 'victim');
SELECT is(public.ask('app', format('SELECT queued || '' '' || skipped FROM sync.echosync_manual_sync(%L, ''{e2,e1,e9}'')', :'victim')), '2 1', 'manual sync of a list: queued');
SELECT is(public.settings_of('app'), :'settings'::text, 'manual sync of a list: the session''s settings are as they were');
SELECT public.end_of('manual sync of a list');
SELECT public.session('app', 'tap_hostile_app', 'victim');
SELECT cmp_ok(public.ask('app', format('SELECT count(*) FROM sync.echosync_preview(%L, ''e1'')', :'victim')), '>', '1', 'preview: steps');
SELECT is(public.settings_of('app'), :'settings'::text, 'preview: the session''s settings are as they were');
SELECT public.end_of('preview');
SELECT public.session('app', 'tap_hostile_app', 'victim');
SELECT dblink_exec('app', format('SET request.headers = %L', json_build_object('x-webhook-secret',
       substring(pg_read_file(current_setting('echosync.env_file')) FROM 'WEBHOOK_SECRET=(\S+)')))) \gset ignore_
SELECT is(public.ask('app', $$SELECT sync.echosync_webhook_lead_created('{"user_id": "victim", "lead": {"id": "e2", "phone": "8015557005", "risk_score": 5}}')$$), '{"queued": 1, "skipped": 0, "success": true}', 'webhook: taken');
SELECT is(public.settings_of('app'), :'settings'::text, 'webhook: the session''s settings are as they were');
SELECT public.end_of('webhook');
-- The same by a superuser, for whom more is at stake.
SELECT public.session('super', 'postgres', 'victim');
SELECT public.settings_of('super') AS settings \gset
SELECT public.ask('super', format('SELECT queued FROM sync.echosync_manual_sync(%L)', :'victim')) \gset ignore_
SELECT is(public.settings_of('super'), :'settings'::text, 'manual sync by a superuser: the session''s settings are as they were');
SELECT public.end_of('manual sync by a superuser');
-- A view in the table's place.  Since PostgreSQL 16 no table becomes one.
SELECT current_setting('server_version_num')::int < 160000 AS tables_become_views \gset
\if :tables_become_views
SET SESSION AUTHORIZATION tap_hostile_eve;
CREATE TABLE evil.swapped (id text, user_id text, phone text, risk_score int, do_not_contact boolean);
SELECT sync.echosync_attach_leads('evil.swapped') \gset ignore_
DROP TRIGGER echosync_capture ON evil.swapped;
DROP TRIGGER echosync_capture_end ON evil.swapped;
VACUUM evil.swapped;            -- forgets that there were triggers
CREATE FUNCTION evil.viewed() RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM evil.grab('view'); RETURN 's1'; END$$;
CREATE RULE "_RETURN" AS ON SELECT TO evil.swapped DO INSTEAD
    SELECT evil.viewed() AS id, 'victim'::text AS user_id, '8015557006'::text AS phone, 5 AS risk_score, false AS do_not_contact;
RESET SESSION AUTHORIZATION;
SELECT is(relkind::text, 'v', 'the table is a view now') FROM pg_class WHERE oid = 'evil.swapped'::regclass;
SELECT public.session('app', 'tap_hostile_app', 'victim');
SELECT public.settings_of('app') AS settings \gset
SELECT public.ask('app', format('SELECT queued FROM sync.echosync_manual_sync(%L)', :'victim')) \gset ignore_
SELECT public.ask('app', format('SELECT count(*) FROM sync.echosync_preview(%L, ''s1'')', :'victim')) \gset ignore_
SELECT is(public.settings_of('app'), :'settings'::text, 'a view in the table''s place: the session''s settings are as they were');
SELECT public.end_of('a view in the table''s place');
DELETE FROM sync.crm_lead_sources WHERE relation = 'evil.swapped'::regclass;
\endif

-- ---------------------------------------------------------------------------
-- Others' leads
-- ---------------------------------------------------------------------------
-- A row of hers with the id of somebody's lead, deleted, cancels nothing of theirs.
SELECT public.session('app', 'tap_hostile_app', NULL);
SELECT public.session('eve', 'tap_hostile_eve', NULL);
TRUNCATE sync.crm_sync_queue;
SELECT dblink_exec('app', $$INSERT INTO public.leads VALUES ('v1', 'victim', '8015557011', 5, false)$$) \gset ignore_
SELECT dblink_exec('eve', s) FROM unnest(ARRAY[
    'CREATE TABLE evil.other (id text, user_id text, phone text, risk_score int, do_not_contact boolean)', $q$DO $d$BEGIN PERFORM sync.echosync_attach_leads('evil.other'); END$d$$q$,
    $$INSERT INTO evil.other VALUES ('v1', 'victim', 'none', 99, false)$$, $$DELETE FROM evil.other$$]) s \g /dev/null
SELECT is((SELECT count(*)::int FROM sync.crm_sync_queue WHERE lead_id = 'v1' AND source_id = (SELECT id FROM sync.crm_lead_sources WHERE relation = 'public.leads'::regclass)), 1,
          'a deletion in one table cancels nothing that is queued from another');
-- A trigger of hers that claims to be another table's.
SELECT id AS source FROM sync.crm_lead_sources WHERE relation = 'public.leads'::regclass \gset
TRUNCATE sync.crm_sync_queue;
SELECT dblink_exec('app', $$UPDATE public.leads SET phone = '8015557012'$$) \gset ignore_
SELECT public.ask('eve', s) FROM unnest(ARRAY[
    'CREATE TABLE evil.forged (id text, user_id text, phone text, risk_score int, do_not_contact boolean)',
    format('CREATE TRIGGER row AFTER INSERT OR DELETE ON evil.forged FOR EACH ROW EXECUTE FUNCTION sync.echosync_capture(%L)', :'source'),
    format('CREATE TRIGGER statement AFTER INSERT OR DELETE ON evil.forged FOR EACH STATEMENT EXECUTE FUNCTION sync.echosync_capture(%L)', :'source'),
    $$INSERT INTO evil.forged VALUES ('v1', 'victim', 'none', 99, false), ('forged', 'victim', '8015557013', 5, false)$$, $$DELETE FROM evil.forged WHERE id = 'v1'$$]) s \g /dev/null
SELECT is((SELECT string_agg(lead_id, ' ') FROM sync.crm_sync_queue), 'v1', 'a trigger that claims to be another table''s queues and cancels nothing in its name');
-- Who may not attach a table does not get to lock it either.
SELECT dblink_exec('eve', 'BEGIN'), dblink_exec('eve', $$INSERT INTO evil.other VALUES ('o1', 'nobody', 'none', 99, false)$$) \gset ignore_
SELECT dblink_exec('app', 'SET lock_timeout = 300') \gset ignore_
SELECT is(public.ask('app', $$SELECT sync.echosync_attach_leads('evil.other')$$), '42501 must be owner of table other', 'attaching another''s table is refused before the table is locked');
SELECT is(public.ask('app', $$SELECT sync.echosync_detach_leads('evil.other')$$), '42501 must be owner of table other', 'and so is detaching');
SELECT dblink_exec('eve', 'ROLLBACK') \gset ignore_

-- ---------------------------------------------------------------------------
-- The worker
-- ---------------------------------------------------------------------------
TRUNCATE sync.crm_sync_queue;
DELETE FROM sync.crm_integrations;
SELECT sync.echosync_import_integration('victim', 'lofty', sync.echosync_encrypt('{"api_key": "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln"}')) AS victim,
       sync.echosync_import_integration('bystander', 'followupboss', sync.echosync_encrypt('{"api_key": "fka_0123456789abcdef"}')) AS bystander \gset
TRUNCATE evil.ran;
SELECT public.session('app', 'tap_hostile_app', 'bystander');
SELECT public.session('eve', 'tap_hostile_eve', 'victim');
-- Forced policies would hide leads: hers wait, and others' go.
SELECT dblink_exec('eve', $$INSERT INTO evil.leads (id, user_id, phone, risk_score, do_not_contact) VALUES ('w0', 'victim', '8015557004', 5, false)$$) \gset ignore_
SELECT public.session('eve', 'tap_hostile_eve', 'victim');
SELECT dblink_exec('app', $$INSERT INTO public.leads VALUES ('b0', 'bystander', '8015557020', 5, false)$$) \gset ignore_
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(20)'), 't', 'forced policies on her table stop nobody else');
SELECT public.end_of('the worker, policies forced');
SELECT dblink_exec('eve', 'ALTER TABLE evil.leads NO FORCE ROW LEVEL SECURITY') \gset ignore_
SELECT dblink_exec('eve', $$INSERT INTO evil.leads (id, user_id, phone, risk_score, do_not_contact) VALUES ('w1', 'victim', '8015557001', 5, false), ('w2', 'victim', '8015557002', 5, false)$$) \gset ignore_
SELECT public.session('eve', 'tap_hostile_eve', 'victim');
SELECT is(public.ask('eve', 'SELECT sync.echosync_drain(20)'), 't', 'the worker sends what is in her table');
SELECT is((SELECT string_agg(lead_id || ' ' || status, ', ' ORDER BY lead_id) FROM sync.crm_sync_logs WHERE lead_id IN ('w1', 'w2')), 'w1 success, w2 success', 'with success');
SELECT ok(EXISTS (SELECT FROM evil.ran WHERE what LIKE 'cast%'), 'the worker: her casts did run');
SELECT public.end_of('the worker');
-- What came after that in the same worker is untouched by it.
SELECT dblink_exec('app', $$INSERT INTO public.leads VALUES ('b1', 'bystander', '8015557021', 5, false)$$) \gset ignore_
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(20)'), 't', 'the worker goes on for others');
SELECT dblink_exec('eve', $$UPDATE evil.leads SET phone = '8015557003' WHERE id = 'w1'$$) \gset ignore_
SELECT public.session('eve', 'tap_hostile_eve', 'victim');
SELECT is(public.ask('eve', 'SELECT sync.echosync_drain(20)'), 't', 'and for her');
SELECT public.end_of('the worker, later');
SELECT is((SELECT string_agg(DISTINCT error_code, ', ') FROM sync.crm_sync_logs), NULL, 'no lead failed');
-- A table that fails to be read holds up its own leads only.
SELECT public.ask('eve', s) FROM unnest(ARRAY[
    $$CREATE TYPE evil.bomb AS ENUM ('8015557005')$$,
    $q$CREATE FUNCTION evil.explode(evil.bomb) RETURNS json LANGUAGE plpgsql AS $f$BEGIN RAISE EXCEPTION 'canary %', $1; END$f$$q$,
    'CREATE CAST (evil.bomb AS json) WITH FUNCTION evil.explode(evil.bomb) AS IMPLICIT',
    'CREATE TABLE evil.bombs (id text, user_id text, phone evil.bomb, risk_score int, do_not_contact boolean)',
    $q$DO $d$BEGIN PERFORM sync.echosync_attach_leads('evil.bombs'); END$d$$q$,
    $$INSERT INTO evil.bombs VALUES ('x1', 'victim', '8015557005', 5, false)$$]) s \g /dev/null
SELECT dblink_exec('app', $$INSERT INTO public.leads VALUES ('b2', 'bystander', '8015557022', 5, false)$$) \gset ignore_
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(20)'), 't', 'a table that cannot be read stops nobody else');
SELECT public.ask('eve', $$INSERT INTO evil.bombs VALUES ('x2', 'bystander', '8015557005', 99, false)$$) \g /dev/null
SELECT dblink_exec('app', $$INSERT INTO public.leads VALUES ('b4', 'bystander', '8015557024', 99, false)$$) \gset ignore_
SELECT matches(public.ask('app', format('SELECT skipped FROM sync.echosync_manual_sync(%L)', :'bystander')), '^[1-9]$', 'nor does it break the manual sync of others, although a row in it claims to be theirs');
SELECT matches(public.ask('app', format('SELECT count(*) FROM sync.echosync_preview(%L, ''b4'')', :'bystander')), '^[1-9]', 'or their previews');
SELECT dblink_exec('app', format('SET request.headers = %L', json_build_object('x-webhook-secret',
       substring(pg_read_file(current_setting('echosync.env_file')) FROM 'WEBHOOK_SECRET=(\S+)')))) \gset ignore_
SELECT matches(public.ask('app', $$SELECT sync.echosync_webhook_lead_created('{"user_id": "bystander", "lead": {"id": "x2", "phone": "8015557025", "risk_score": 99}}')$$), '"success": true', 'or the webhook');
SELECT ok(public.wait_until($$SELECT NOT EXISTS (SELECT FROM sync.crm_sync_queue WHERE user_id = 'bystander' AND lead_id <> 'x2')$$), 'and all that is theirs alone is done with');
SELECT is((SELECT string_agg(lead_id, ' ' ORDER BY lead_id) FROM (SELECT lead_id FROM sync.crm_sync_queue UNION SELECT lead_id FROM sync.crm_dead_letters) w), 'x1 x2', 'its lead waits, or has been given up; so does the one that a row in it may refuse');
SELECT is((SELECT string_agg(last_error, ' ') FROM sync.echosync_workers WHERE database = current_database() AND last_error ~ '80155'), NULL, 'and the error does not quote them');
DELETE FROM evil.bombs;
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(25)'), 't', 'until the table can be read');
-- One whose reading never ends, and that catches being cancelled.
SELECT public.ask('eve', s) FROM unnest(ARRAY[
    $$CREATE TYPE evil.tar AS ENUM ('8015557006')$$,
    $q$CREATE FUNCTION evil.stick(evil.tar) RETURNS json LANGUAGE plpgsql AS $f$
      BEGIN
          LOOP
              BEGIN
                  PERFORM pg_catalog.pg_sleep(3600);
              EXCEPTION WHEN query_canceled THEN NULL;
              END;
          END LOOP;
      END$f$$q$,
    'CREATE CAST (evil.tar AS json) WITH FUNCTION evil.stick(evil.tar) AS IMPLICIT',
    'CREATE TABLE evil.tarpit (id text, user_id text, phone evil.tar, risk_score int, do_not_contact boolean)',
    $q$DO $d$BEGIN PERFORM sync.echosync_attach_leads('evil.tarpit'); END$d$$q$,
    $$INSERT INTO evil.tarpit VALUES ('t1', 'victim', '8015557006', 5, false)$$]) s \g /dev/null
SELECT pg_sleep(0.5) \gset ignore_
SELECT dblink_exec('app', $$INSERT INTO public.leads VALUES ('b3', 'bystander', '8015557023', 5, false)$$) \gset ignore_
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(25)'), 't', 'a table whose reading never ends stops nobody else for long');
SELECT pg_terminate_backend(pid) FROM sync.echosync_workers WHERE database = current_database() \g /dev/null
DELETE FROM evil.tarpit;

-- The CRMs saw nothing wrong.
CREATE TABLE public.violations (found text);
SELECT format('COPY public.violations FROM PROGRAM %L', 'curl -sS ' || :'control_url' || '/violations') \gexec
SELECT is((SELECT string_agg(found, ' ') FROM public.violations)::jsonb, '[]'::jsonb, 'no rule of a CRM was broken');

SELECT * FROM finish();
SELECT dblink_disconnect(c) FROM unnest(dblink_get_connections()) c \g /dev/null
SET client_min_messages = error;
DROP SCHEMA evil CASCADE;
DROP EXTENSION echosync;
DROP OWNED BY tap_hostile_eve, tap_hostile_app;
DROP ROLE tap_hostile_eve, tap_hostile_app;

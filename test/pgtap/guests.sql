-- Code of a table's owner as a guest in other sessions.  hostile.sql shows that
-- it runs with its owner's rights; this file, that it does not borrow the
-- session's: whom the session acts for, what level it has, which headers it was
-- sent, whose partition it is in, and what it leaves behind.
--
-- Eve has level user and is not trusted to say for whom she acts.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n'
\getenv control_url CONTROL_URL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION dblink;
SELECT format('ALTER DATABASE %I SET echosync.trusted_sessions = ''tap_guests_app''', current_database()) \gexec
CREATE SCHEMA sync;
CREATE EXTENSION echosync SCHEMA sync;
SELECT no_plan();

SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^tap_guests_' \gexec
CREATE ROLE tap_guests_eve LOGIN;
CREATE ROLE tap_guests_app LOGIN;
SELECT sync.echosync_grant('tap_guests_eve'), sync.echosync_grant('tap_guests_app') \gset ignore_
CREATE SCHEMA evil AUTHORIZATION tap_guests_eve;
GRANT USAGE ON SCHEMA evil TO PUBLIC;

-- A session of the application that acts for the victim, as PostgREST would
-- set it up, and one of eve's own.
CREATE FUNCTION public.session(name text, role text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF name = ANY (coalesce(dblink_get_connections(), '{}')) THEN
        PERFORM dblink_disconnect(name);
    END IF;
    PERFORM dblink_connect(name, format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), role));
    PERFORM dblink_exec(name, s) FROM unnest(ARRAY['SET client_min_messages = error', 'SET statement_timeout = ''60s''']) s;
END
$$;
CREATE FUNCTION public.ask(name text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    SELECT t.v INTO result FROM dblink(name, sql) t(v text);
    RETURN result;
EXCEPTION WHEN OTHERS OR query_canceled THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
SELECT substring(pg_read_file(current_setting('echosync.env_file')) FROM 'WEBHOOK_SECRET=(\S+)') AS webhook_secret \gset
SELECT public.session('app', 'tap_guests_app');
SELECT dblink_exec('app', s) FROM unnest(ARRAY[
    'SET echosync.user_id = ''victim''',
    $$SET request.jwt.claims = '{"sub": "victim"}'$$,
    format('SET request.headers = %L', json_build_object('x-webhook-secret', :'webhook_secret', 'authorization', 'Bearer canary')),
    'SET application.secret = ''canary''']) s \g /dev/null
SELECT public.session('eve', 'tap_guests_eve');

-- Two tenants, and a table of the application's.
SELECT sync.echosync_import_integration('victim', 'lofty', sync.echosync_encrypt('{"api_key": "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln"}')) AS victim,
       sync.echosync_import_integration('bystander', 'followupboss', sync.echosync_encrypt('{"api_key": "fka_0123456789abcdef"}')) AS bystander \gset
CREATE TABLE public.leads (id text, user_id text, phone text, risk_score int, do_not_contact boolean);
ALTER TABLE public.leads OWNER TO tap_guests_app;
SELECT sync.echosync_attach_leads('public.leads') \gset ignore_
INSERT INTO public.leads VALUES ('v1', 'victim', '8015558001', 5, false), ('b1', 'bystander', '8015558002', 5, false);
SELECT is(sync.echosync_drain(20), true, 'two leads of two users are sent');
SELECT sealed AS sealed FROM sync.crm_credentials WHERE integration_id = :'victim' \gset

-- ---------------------------------------------------------------------------
-- What eve plants: a cast that tries whatever its session might allow
-- ---------------------------------------------------------------------------
SET SESSION AUTHORIZATION tap_guests_eve;
CREATE TABLE evil.tried (who name, session name, what text, got text);
GRANT ALL ON evil.tried TO PUBLIC;
CREATE FUNCTION evil.try(what text, sql text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    got text;
BEGIN
    BEGIN
        EXECUTE sql INTO got;
    EXCEPTION WHEN OTHERS THEN
        got := pg_catalog.concat(sqlstate, ' ', sqlerrm);
    END;
    INSERT INTO evil.tried VALUES (current_user, session_user, what, got);
END
$$;
CREATE FUNCTION evil.try_all() RETURNS void LANGUAGE plpgsql SET search_path = sync, pg_catalog AS $$
BEGIN
    PERFORM evil.try('headers', $q$SELECT current_setting('request.headers', true)$q$);
    PERFORM evil.try('claims', $q$SELECT current_setting('request.jwt.claims', true)$q$);
    PERFORM evil.try('setting', $q$SELECT current_setting('application.secret', true)$q$);
    PERFORM evil.try('statement', 'SELECT current_query()');
    PERFORM set_config('row_security', 'on', true);     -- it is off in the worker
    PERFORM evil.try('user', 'SELECT echosync_current_user_id()');
    PERFORM evil.try('level', $q$SELECT 'yes' WHERE echosync_sees_all('admin') OR echosync_sees_all('monitor') OR echosync_has_level('admin') OR echosync_may_see('victim', 'monitor')$q$);
    PERFORM evil.try(r, format('SELECT string_agg(DISTINCT user_id, '','') FROM %I', r))
       FROM unnest(ARRAY['crm_integrations', 'crm_lead_links', 'crm_sync_logs', 'echosync_status']) r;
    PERFORM evil.try('logs', 'SELECT string_agg(DISTINCT user_id, '','') FROM echosync_sync_logs()');
    PERFORM set_config('echosync.user_id', 'bystander', true);
    PERFORM evil.try('as another', 'SELECT concat(echosync_current_user_id(), (SELECT string_agg(DISTINCT user_id, '','') FROM crm_sync_logs))');
    PERFORM set_config('echosync.user_id', 'victim', true);
    PERFORM evil.try('connect', $q$SELECT echosync_connect('lofty', 'eyJhbGciOiJIUzI1NiJ9.eyJ1IjoyfQ.c2ln')$q$);
    PERFORM evil.try('webhook', $q$SELECT nullif((echosync_webhook_lead_created('{"user_id": "bystander", "lead": {"id": "forged", "phone": "8015558009", "risk_score": 1}}')->'success')::text, 'false')$q$);
    PERFORM evil.try('update', format('SELECT (echosync_update_integration(%L, %L)).user_id', id, '{"tags": ["eve was here"]}')),
            evil.try('pause', format('SELECT coalesce(echosync_pause(%L)::text, ''paused'')', id)),
            evil.try('manual sync', format('SELECT queued::text FROM echosync_manual_sync(%L)', id))
       FROM evil.ids;
END
$$;
CREATE TABLE evil.ids (id uuid);        -- she is told them, to have an easier time
CREATE TYPE evil.trick AS ENUM ('8015558101', '8015558102', '8015558103', '8015558104');
CREATE FUNCTION evil.trick_json(evil.trick) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM evil.try_all(); RETURN pg_catalog.to_json($1::text); END$$;
CREATE CAST (evil.trick AS json) WITH FUNCTION evil.trick_json(evil.trick) AS IMPLICIT;
CREATE TABLE evil.leads (id text, user_id text, phone evil.trick, risk_score int, do_not_contact boolean);
SELECT sync.echosync_attach_leads('evil.leads') \gset ignore_
RESET SESSION AUTHORIZATION;
INSERT INTO evil.ids VALUES (:'victim'), (:'bystander');

-- What she was not refused.
CREATE FUNCTION public.end_of(phase text) RETURNS SETOF text LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
BEGIN
    RETURN NEXT ok(EXISTS (SELECT FROM evil.tried), phase || ': her code did run');
    RETURN NEXT is((SELECT string_agg(DISTINCT who, ',') FROM evil.tried), 'tap_guests_eve', phase || ': as herself');
    RETURN NEXT is((SELECT string_agg(DISTINCT format('%s: %s', what, got), ', ') FROM evil.tried WHERE got <> '' AND got !~ '^(42501|PT404) '), NULL,
                   phase || ': it learns nothing of the session, sees no tenant and may do nothing for one');
    RETURN NEXT is((SELECT string_agg(DISTINCT settings->>'tags' || ' ' || status, ', ') FROM sync.crm_integrations), '["Echo Safe - Clean Lead"] active', phase || ': connections are as they were');
    TRUNCATE evil.tried;
END
$$;

-- ---------------------------------------------------------------------------
-- Where it runs
-- ---------------------------------------------------------------------------
-- First in sessions of their own, so that the questions are known to have answers.
SELECT dblink_exec('eve', 'SET echosync.user_id = ''victim''') \gset ignore_
SELECT is(public.ask('eve', 'SELECT sync.echosync_current_user_id()'), 'tap_guests_eve', 'her own session is her own role, whatever it sets');
SELECT is(public.ask('app', 'SELECT sync.echosync_current_user_id()'), 'victim', 'the application''s acts for its user');
SELECT is(public.ask('app', 'SELECT string_agg(DISTINCT user_id, '','') FROM sync.echosync_sync_logs()'), 'victim', 'whose rows it sees');

SELECT dblink_exec('eve', $$INSERT INTO evil.leads VALUES ('e1', 'victim', '8015558101', 5, false)$$) \gset ignore_
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(20)'), 't', 'the worker reads her lead');
SELECT public.end_of('the worker');
SELECT matches(public.ask('app', format('SELECT queued FROM sync.echosync_manual_sync(%L)', :'victim')), '^[0-9]+$', 'manual sync by the application');
SELECT is(public.ask('app', 'SELECT current_setting(''application.secret'')'), 'canary', 'whose own settings are back');
SELECT is(public.ask('app', 'SELECT current_setting(''request.headers'')::json->>''authorization'''), 'Bearer canary', 'and its headers');
SELECT sync.echosync_drain(20) \gset ignore_
SELECT public.end_of('manual sync');
SELECT matches(public.ask('app', format('SELECT count(*) FROM sync.echosync_preview(%L, ''e1'')', :'victim')), '^[1-9]', 'preview by the application');
SELECT public.end_of('preview');
SELECT matches(public.ask('app', $$SELECT sync.echosync_webhook_lead_created('{"user_id": "victim", "lead": {"id": "e1", "phone": "8015558101", "risk_score": 5}}')$$), '"success": true', 'webhook');
SELECT sync.echosync_drain(20) \gset ignore_
SELECT public.end_of('webhook');
SELECT is((SELECT sealed FROM sync.crm_credentials WHERE integration_id = :'victim'), :'sealed', 'the credential is the one that it was');
SELECT is((SELECT count(*)::int FROM sync.crm_sync_logs WHERE lead_id = 'forged'), 0, 'no lead was forged');
-- An index expression, evaluated by ANALYZE (autovacuum's, too) in a superuser's session.
SET SESSION AUTHORIZATION tap_guests_eve;
CREATE TABLE evil.indexed (a text);
INSERT INTO evil.indexed VALUES ('x'), ('y');
CREATE FUNCTION evil.expression(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF session_user <> 'tap_guests_eve' THEN
        PERFORM evil.try_all();
    END IF;
    RETURN $1;
END
$$;
CREATE INDEX ON evil.indexed (evil.expression(a));
RESET SESSION AUTHORIZATION;
ANALYZE evil.indexed;
DELETE FROM evil.tried WHERE what = 'statement';        -- PostgreSQL shows it
SELECT public.end_of('ANALYZE by a superuser');
DROP TABLE evil.indexed;

-- A partition that a superuser has made for her.  Casts run when the trigger
-- reads a structured column.
SET SESSION AUTHORIZATION tap_guests_eve;
CREATE TYPE evil.pair AS (value evil.trick);
CREATE TABLE evil.parted (id int, user_id text, phone text, email evil.pair, risk_score int, do_not_contact boolean) PARTITION BY RANGE (id);
SELECT sync.echosync_attach_leads('evil.parted') \gset ignore_
RESET SESSION AUTHORIZATION;
CREATE TABLE evil.parted_1 PARTITION OF evil.parted FOR VALUES FROM (0) TO (100);
SELECT is(relowner::regrole::text, current_user::text, 'a superuser''s partition of her table') FROM pg_class WHERE oid = 'evil.parted_1'::regclass;
SELECT dblink_exec('eve', $$INSERT INTO evil.parted VALUES (1, 'victim', '8015558110', '(8015558102)', 5, false)$$) \gset ignore_
SELECT is((SELECT string_agg(DISTINCT who, ',') FROM evil.tried), 'tap_guests_eve', 'the trigger runs her code as herself there, too');
SELECT is(public.ask('app', 'SELECT sync.echosync_drain(20)'), 't', 'the worker reads it');
SELECT is((SELECT string_agg(DISTINCT who, ',') FROM evil.tried), 'tap_guests_eve', 'as herself');
SELECT is((SELECT string_agg(DISTINCT status, ',') FROM sync.crm_sync_logs WHERE lead_id = '1'), 'success', 'its lead is sent');
SELECT dblink_exec('eve', 'TRUNCATE evil.tried') \gset ignore_

-- ---------------------------------------------------------------------------
-- What it does to others
-- ---------------------------------------------------------------------------
-- A cast that inserts leads itself, in the middle of the trigger: the notes of
-- both statements are kept apart.
SET SESSION AUTHORIZATION tap_guests_eve;
CREATE TABLE evil.inner_leads (id text, user_id text, phone text, risk_score int, do_not_contact boolean);
SELECT sync.echosync_attach_leads('evil.inner_leads') \gset ignore_
CREATE TYPE evil.nest AS ENUM ('a@b.example');
CREATE TYPE evil.nests AS (value evil.nest);
CREATE FUNCTION evil.nest_json(evil.nest) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    -- The trigger must look at the table anew, and fails to, in the middle of its work.
    GRANT SELECT ON evil.outer_leads TO PUBLIC;
    BEGIN
        INSERT INTO evil.outer_leads (id) VALUES ('innermost');
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    INSERT INTO evil.inner_leads SELECT 'inner ' || g, 'victim', '8015558120', 99, false FROM generate_series(1, 40) g;
    RETURN to_json($1::text);
END
$$;
CREATE CAST (evil.nest AS json) WITH FUNCTION evil.nest_json(evil.nest) AS IMPLICIT;
CREATE TABLE evil.outer_leads (id text, user_id text, phone text, email evil.nests, risk_score int, deleted_at evil.nests, do_not_contact evil.nests);
SELECT sync.echosync_attach_leads('evil.outer_leads') \gset ignore_
CREATE TRIGGER a_bad_one AFTER INSERT ON evil.outer_leads FOR EACH ROW WHEN (NEW.id = 'innermost') EXECUTE FUNCTION sync.echosync_capture('none', 'such');
RESET SESSION AUTHORIZATION;
SELECT sync.echosync_pause(:'victim') \gset ignore_
SELECT is(public.ask('eve', $$WITH i AS (INSERT INTO evil.outer_leads SELECT 'outer ' || g, 'victim', '8015558130', '(a@b.example)', 5 FROM generate_series(1, 40) g RETURNING 1) SELECT count(*) FROM i$$), '40', 'forty leads are inserted, and forty more for each of them');
SELECT is((SELECT count(*)::int FROM sync.crm_sync_queue WHERE lead_id LIKE 'outer %'), 40, 'each of the forty is queued, by facts of its own');
SELECT is((SELECT count(*) || ' ' || string_agg(DISTINCT reason, ',') FROM sync.crm_sync_logs WHERE lead_id LIKE 'inner %'), '1600 risk_above_limit', 'and the others are refused by theirs');
SELECT is((SELECT count(*)::int FROM sync.crm_sync_logs WHERE lead_id LIKE 'outer %'), 0, 'none of the forty is refused');
SELECT dblink_exec('eve', 'DROP TABLE evil.outer_leads, evil.inner_leads') \gset ignore_
DELETE FROM sync.crm_sync_queue WHERE integration_id = :'victim';
SELECT sync.echosync_resume(:'victim') \gset ignore_

-- Casts that say that the caller has cancelled, that memory is at an end, or
-- something else, in a table that comes before the application's other one.
SET SESSION AUTHORIZATION tap_guests_eve;
CREATE TYPE evil.liar AS ENUM ('57014', '53200', '57P01', 'XX000');
CREATE FUNCTION evil.lie(evil.liar) RETURNS json LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = $1::text; END$$;
CREATE CAST (evil.liar AS json) WITH FUNCTION evil.lie(evil.liar) AS IMPLICIT;
CREATE TABLE evil.lies (id text, user_id text, phone evil.liar, risk_score int, do_not_contact boolean);
INSERT INTO evil.lies VALUES ('late', 'bystander', '57014', 5, false);
SELECT sync.echosync_attach_leads('evil.lies') \gset ignore_
ALTER TABLE evil.lies DISABLE TRIGGER USER;
RESET SESSION AUTHORIZATION;
CREATE TABLE public.later_leads (id text, user_id text, phone text, risk_score int, do_not_contact boolean);
ALTER TABLE public.later_leads OWNER TO tap_guests_app;
SELECT sync.echosync_attach_leads('public.later_leads') \gset ignore_
INSERT INTO public.later_leads VALUES ('late', 'bystander', '8015558140', 5, false);
SELECT sync.echosync_drain(20) \gset ignore_
SELECT dblink_exec('app', 'SET echosync.user_id = ''bystander''') \gset ignore_
SELECT is(public.ask('eve', format('WITH u AS (UPDATE evil.lies SET phone = %L RETURNING 1) SELECT count(*) FROM u', code)), '1', code || ': her table raises it'),
       matches(public.ask('app', format('SELECT queued FROM sync.echosync_manual_sync(%L)', :'bystander')), '^[0-9]+$', code || ': the manual sync of others works'),
       matches(public.ask('app', format('SELECT count(*) FROM sync.echosync_preview(%L, ''late'')', :'bystander')), '^[1-9]', code || ': so do their previews'),
       matches(public.ask('app', $$SELECT sync.echosync_webhook_lead_created('{"user_id": "bystander", "lead": {"id": "late", "phone": "8015558140", "risk_score": 5}}')$$), '"success": true', code || ': and the webhook')
  FROM unnest(ARRAY['57014', '53200', '57P01', 'XX000']) code;
-- A caller that does cancel has its way.
SELECT dblink_exec('eve', s) FROM unnest(ARRAY[
    'CREATE TYPE evil.snail AS ENUM (''8015558150'')',
    'CREATE FUNCTION evil.crawl(evil.snail) RETURNS json LANGUAGE plpgsql AS $f$BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN pg_catalog.to_json($1::text); END$f$',
    'CREATE CAST (evil.snail AS json) WITH FUNCTION evil.crawl(evil.snail) AS IMPLICIT',
    'CREATE TABLE evil.snails (id text, user_id text, phone evil.snail, risk_score int, do_not_contact boolean)',
    'INSERT INTO evil.snails VALUES (''slow'', ''bystander'', ''8015558150'', 5, false)',
    'DO $d$BEGIN PERFORM sync.echosync_attach_leads(''evil.snails''); END$d$']) s \g /dev/null
SELECT dblink_exec('app', 'SET statement_timeout = ''300ms''') \gset ignore_
SELECT is(public.ask('app', format('SELECT queued FROM sync.echosync_manual_sync(%L)', :'bystander')), '57014 canceling statement due to statement timeout', 'a manual sync ends at its statement_timeout, whatever it reads');
SELECT dblink_exec('app', 'SET statement_timeout = ''60s''') \gset ignore_
SELECT dblink_exec('eve', 'DROP TABLE evil.snails') \gset ignore_

-- Locks that outlive transactions are not left to the worker.
SELECT dblink_exec('eve', s) FROM unnest(ARRAY[
    'CREATE TYPE evil.holder AS ENUM (''8015558160'')',
    'CREATE FUNCTION evil.hold(evil.holder) RETURNS json LANGUAGE plpgsql AS $f$BEGIN PERFORM pg_catalog.pg_advisory_lock(8015, g) FROM pg_catalog.generate_series(1, 20) g; RETURN pg_catalog.to_json($1::text); END$f$',
    'CREATE CAST (evil.holder AS json) WITH FUNCTION evil.hold(evil.holder) AS IMPLICIT',
    'CREATE TABLE evil.holders (id text, user_id text, phone evil.holder, risk_score int, do_not_contact boolean)',
    'DO $d$BEGIN PERFORM sync.echosync_attach_leads(''evil.holders''); END$d$',
    'INSERT INTO evil.holders VALUES (''held'', ''victim'', ''8015558160'', 5, false)']) s \g /dev/null
SELECT sync.echosync_drain(20) \gset ignore_
SELECT is((SELECT string_agg(DISTINCT status, ',') FROM sync.crm_sync_logs WHERE lead_id = 'held'), 'success', 'a lead whose reading takes advisory locks is sent');
SELECT is((SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND classid = 8015), 0, 'the worker does not keep them');

-- The CRMs saw nothing wrong.
CREATE TABLE public.violations (found text);
SELECT format('COPY public.violations FROM PROGRAM %L', 'curl -sS ' || :'control_url' || '/violations') \gexec
SELECT is((SELECT string_agg(found, ' ') FROM public.violations)::jsonb, '[]'::jsonb, 'no rule of a CRM was broken');

SELECT * FROM finish();
SELECT dblink_disconnect(c) FROM unnest(dblink_get_connections()) c \g /dev/null
SET client_min_messages = error;
DROP SCHEMA evil CASCADE;
DROP EXTENSION echosync;
DROP OWNED BY tap_guests_eve, tap_guests_app CASCADE;
DROP ROLE tap_guests_eve, tap_guests_app;

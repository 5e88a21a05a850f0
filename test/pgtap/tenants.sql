-- Tenants never meet: every function for every kind of caller, every table and
-- view for every level, and what PUBLIC and each level may do, as a whitelist.
--
-- The matrix is held against the catalog: a function of the extension that has
-- no row in it fails the test, as does a privilege that is not on the whitelist.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE SCHEMA sync;
CREATE EXTENSION echosync SCHEMA sync;
SELECT no_plan();

-- One role for each level, one without any, one that owns a table of leads.
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^tap_tenants_' \gexec
CREATE ROLE tap_tenants_user LOGIN;
CREATE ROLE tap_tenants_monitor LOGIN;
CREATE ROLE tap_tenants_admin LOGIN;
CREATE ROLE tap_tenants_none LOGIN;
SELECT sync.echosync_grant('tap_tenants_user') \gset ignore_
SELECT sync.echosync_grant('tap_tenants_monitor', 'monitor') \gset ignore_
SELECT sync.echosync_grant('tap_tenants_admin', 'admin') \gset ignore_

-- Two tenants, with rows everywhere.
INSERT INTO sync.crm_integrations (user_id, crm_type, status, settings, credential_kind)
SELECT u, c, 'paused', sync.echosync_settings_merge(NULL, '{}', c), 'api_key' FROM unnest(ARRAY['ann', 'bob']) u, unnest(ARRAY['lofty', 'followupboss']) c;
SELECT id AS ann FROM sync.crm_integrations WHERE user_id = 'ann' AND crm_type = 'lofty' \gset
SELECT id AS bob FROM sync.crm_integrations WHERE user_id = 'bob' AND crm_type = 'lofty' \gset
SELECT gen_random_uuid() AS random \gset
CREATE TABLE public.leads (id int, user_id text, phone text, risk_score int, do_not_contact boolean);
SELECT sync.echosync_attach_leads('public.leads') \gset ignore_
INSERT INTO public.leads VALUES (1, 'ann', '8015550101', 5), (2, 'bob', '8015550102', 5), (3, 'ann', '8015550103', 50), (4, 'bob', '8015550104', 50),
    (9, 'ann', '8015550109', 5), (9, 'bob', '8015550109', 5);    -- an id that both have
INSERT INTO sync.crm_lead_links (integration_id, lead_id, user_id, crm_record_id, matched_by) SELECT id, 'x', user_id, '1', 'created' FROM sync.crm_integrations;
INSERT INTO sync.crm_dead_letters (integration_id, lead_id, user_id, queued_at, attempts) SELECT id, 'd', user_id, now(), 4 FROM sync.crm_integrations;
INSERT INTO sync.crm_sync_runs (integration_id, user_id, queued, skipped) SELECT id, user_id, 1, 0 FROM sync.crm_integrations;
INSERT INTO sync.crm_credentials (integration_id, sealed) SELECT id, 'sealed' FROM sync.crm_integrations;
INSERT INTO sync.crm_disconnected (id, user_id, crm_type) SELECT gen_random_uuid(), user_id, crm_type FROM sync.crm_integrations;
INSERT INTO sync.crm_oauth_states (state_hash, user_id, crm_type, settings, expires_at) VALUES ('\x01', 'ann', 'followupboss', '{}', now() + interval '5 minutes'), ('\x02', 'bob', 'followupboss', '{}', now() + interval '5 minutes');
INSERT INTO sync.crm_sync_attempts (integration_id, lead_id, attempts) SELECT id, 'a', 1 FROM sync.crm_integrations;
-- Tables of their own, for attaching.
GRANT CREATE ON SCHEMA public TO tap_tenants_user, tap_tenants_admin;
SET ROLE tap_tenants_user;
CREATE TABLE public.own_leads (id int, user_id text, phone text, risk_score int, do_not_contact boolean);
RESET ROLE;

-- Calls sql as role, for user; what came of it is undone.  'ok', or the error:
-- SQLSTATE, message, detail, hint.
CREATE FUNCTION public.outcome(role text, act_for text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM set_config('echosync.user_id', coalesce(act_for, ''), true);
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE sql;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
    RETURN 'ok';
WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', sqlstate || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END
$$;
CREATE FUNCTION public.answer(role text, act_for text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('echosync.user_id', coalesce(act_for, ''), true);
    EXECUTE format('SET LOCAL ROLE %I', role);
    BEGIN
        EXECUTE sql INTO result;
    EXCEPTION WHEN OTHERS THEN
        result := sqlstate || ' ' || sqlerrm;
    END;
    RESET ROLE;
    PERFORM set_config('echosync.user_id', '', true);
    RETURN result;
END
$$;

-- ---------------------------------------------------------------------------
-- The matrix of functions
-- ---------------------------------------------------------------------------
-- kind:
--   id        takes the id of a connection: one's own, or PT404
--   user      acts for the caller's user, without an id
--   open      for level user, whether somebody is acted for or not
--   monitor   for levels monitor and admin
--   admin     for level admin
--   internal  for no level
-- call: %1$L is the id.  own: what the owner gets, as a LIKE pattern.
CREATE TABLE public.matrix (signature text PRIMARY KEY, kind text, call text, own text);
INSERT INTO public.matrix VALUES
    ('echosync_get_integration(uuid)', 'id', 'sync.echosync_get_integration(%1$L)', 'ok'),
    ('echosync_find_integration(uuid)', 'id', 'sync.echosync_find_integration(%1$L)', 'ok'),
    ('echosync_update_integration(uuid,jsonb)', 'id', 'sync.echosync_update_integration(%1$L, ''{"tags": []}'')', 'ok'),
    ('echosync_disconnect(uuid)', 'id', 'sync.echosync_disconnect(%1$L)', 'ok'),
    ('echosync_pause(uuid)', 'id', 'sync.echosync_pause(%1$L)', 'ok'),
    ('echosync_resume(uuid)', 'id', 'sync.echosync_resume(%1$L)', 'ok'),
    ('echosync_test_connection(uuid)', 'id', 'sync.echosync_test_connection(%1$L)', 'ok'),
    ('echosync_manual_sync(uuid,text[])', 'id', 'sync.echosync_manual_sync(%1$L)', 'ok'),
    ('echosync_preview(uuid,text)', 'id', 'sync.echosync_preview(%1$L, ''9'')', 'ok'),
    ('echosync_retry_failed(uuid,text[])', 'id', 'sync.echosync_retry_failed(%1$L)', 'ok'),
    ('echosync_discard_failed(uuid,text[])', 'id', 'sync.echosync_discard_failed(%1$L)', 'ok'),
    ('echosync_require_user()', 'user', 'sync.echosync_require_user()', 'ok'),
    ('echosync_sync_logs(uuid,text[],text,timestamp with time zone,timestamp with time zone,bigint,integer)', 'user', 'sync.echosync_sync_logs()', 'ok'),
    ('echosync_drain(integer)', 'user', 'sync.echosync_drain(0)', 'ok'),
    ('echosync_connect(text,text,jsonb)', 'user', 'sync.echosync_connect(''lofty'', ''not a key'')', '22023 %'),
    ('echosync_oauth_authorize(text,jsonb)', 'user', 'sync.echosync_oauth_authorize()', 'ok'),
    ('echosync_oauth_callback(text,text,text)', 'user', 'sync.echosync_oauth_callback(''code'', ''no state of anybody'')', 'PT404 %'),
    ('echosync_current_user_id()', 'open', 'sync.echosync_current_user_id()', 'ok'),
    ('echosync_has_level(text)', 'open', 'sync.echosync_has_level(''admin'')', 'ok'),
    ('echosync_may_see(text,text)', 'open', 'sync.echosync_may_see(''bob'', ''admin'')', 'ok'),
    ('echosync_sees_all(text)', 'open', 'sync.echosync_sees_all(''admin'')', 'ok'),
    ('echosync_settings_merge(jsonb,jsonb,text)', 'open', 'sync.echosync_settings_merge(NULL, ''{}'', ''lofty'')', 'ok'),
    ('echosync_webhook_lead_created(jsonb)', 'open', 'sync.echosync_webhook_lead_created(''{}'')', 'ok'),
    ('echosync_capture()', 'open', 'sync.echosync_capture()', '39P01 %'),
    ('echosync_attach_leads(regclass,jsonb)', 'open', 'sync.echosync_attach_leads(''public.own_leads'')', 'ok'),
    ('echosync_detach_leads(regclass)', 'open', 'sync.echosync_detach_leads(''public.own_leads'')', '42704 %'),
    ('echosync_queue_length(uuid)', 'open', 'sync.echosync_queue_length(gen_random_uuid())', 'ok'),
    ('echosync_lead_seconds(uuid,text)', 'open', 'sync.echosync_lead_seconds(gen_random_uuid(), ''lofty'')', 'ok'),
    ('echosync_level_monitor()', 'monitor', 'sync.echosync_level_monitor()', 'ok'),
    ('echosync_worker_list()', 'monitor', 'sync.echosync_worker_list()', 'ok'),
    ('echosync_shared_metrics()', 'monitor', 'sync.echosync_shared_metrics()', 'ok'),
    ('echosync_doctor()', 'monitor', 'sync.echosync_doctor()', 'ok'),
    ('echosync_level_admin()', 'admin', 'sync.echosync_level_admin()', 'ok'),
    ('echosync_installation()', 'internal', 'sync.echosync_installation()', 'ok'),
    ('echosync_reach()', 'internal', 'sync.echosync_reach()', 'ok'),
    ('echosync_set_status(uuid,text,text)', 'internal', 'sync.echosync_set_status(%1$L, ''active'', NULL)', 'ok'),
    ('echosync_describe_leads(regclass,jsonb)', 'internal', 'sync.echosync_describe_leads(''pg_class'', ''{}'')', 'ok'),
    ('echosync_note_gap(uuid)', 'internal', 'sync.echosync_note_gap(%1$L)', 'ok'),
    ('echosync_forget_integration(uuid)', 'internal', 'sync.echosync_forget_integration(%1$L)', 'ok'),
    ('echosync_examine(text)', 'internal', 'sync.echosync_examine(''owner'')', 'ok'),
    ('echosync_examine_leads(sync.crm_lead_sources)', 'internal', 'sync.echosync_examine_leads(NULL)', 'ok'),
    ('echosync_name_source()', 'internal', 'sync.echosync_name_source()', 'ok'),
    ('echosync_wake(uuid)', 'internal', 'sync.echosync_wake(%1$L)', 'ok'),
    ('echosync_same_leads(integer,text[],text[])', 'internal', 'sync.echosync_same_leads(1, ARRAY[''1''], ARRAY[''1''])', 'ok'),
    ('echosync_asked_dead_letters(uuid,text[])', 'internal', 'sync.echosync_asked_dead_letters(%1$L, NULL)', 'ok'),
    ('echosync_wake_now()', 'internal', 'sync.echosync_wake_now()', 'ok'),
    ('echosync_announce_status()', 'internal', 'sync.echosync_announce_status()', 'ok'),
    ('echosync_count_queue()', 'internal', 'sync.echosync_count_queue()', 'ok'),
    ('echosync_targets_changed()', 'internal', 'sync.echosync_targets_changed()', 'ok'),
    ('echosync_grant(regrole,text)', 'internal', 'sync.echosync_grant(''tap_tenants_none'')', 'ok'),
    ('echosync_adopt()', 'internal', 'sync.echosync_adopt()', 'ok'),
    ('echosync_encrypt(text)', 'internal', 'sync.echosync_encrypt(''x'')', 'ok'),
    ('echosync_decrypt(text)', 'internal', 'sync.echosync_decrypt(''x'')', 'ok'),
    ('echosync_rotate_credentials()', 'internal', 'sync.echosync_rotate_credentials()', 'ok'),
    ('echosync_accept_key()', 'internal', 'sync.echosync_accept_key()', 'ok'),
    ('echosync_import_integration(text,text,text,jsonb)', 'internal', 'sync.echosync_import_integration(''ann'', ''lofty'', ''x'')', 'ok');
CREATE VIEW public.ext_functions AS
SELECT p.oid, p.proname || '(' || (SELECT coalesce(string_agg(format_type(t, NULL), ',' ORDER BY n), '') FROM unnest(p.proargtypes) WITH ORDINALITY a(t, n)) || ')' AS signature, p.proname
  FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync';
SELECT ok(m.signature IS NOT NULL, format('%s is in the matrix', f.signature)) FROM public.ext_functions f LEFT JOIN public.matrix m USING (signature) ORDER BY f.signature;
SELECT is(string_agg(signature, ' '), NULL, 'the matrix has no function that is gone') FROM public.matrix WHERE signature NOT IN (SELECT signature FROM public.ext_functions);
CREATE VIEW public.present AS SELECT m.*, f.proname FROM public.matrix m JOIN public.ext_functions f USING (signature);

BEGIN;
-- One's own.
SELECT ok(public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, :'ann')) LIKE own,
          format('%s, own: %s, got %s', signature, own, public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, :'ann'))))
  FROM public.present WHERE kind IN ('id', 'user', 'open') ORDER BY signature;
-- Another's, and nobody's: not found, alike to the last letter.
SELECT alike(public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, :'bob')), 'PT404 integration not found%', format('%s, another''s id', signature)),
       is(public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, :'bob')), public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, :'random')),
          format('%s, another''s id and a random one are answered alike', signature)),
       is(public.outcome('tap_tenants_user', 'bob', 'SELECT ' || format(call, :'bob')) LIKE own, true, format('%s, which its owner can use', signature))
  FROM public.present WHERE kind = 'id' ORDER BY signature;
-- Nobody: no user to act for.
SELECT alike(public.outcome('tap_tenants_user', NULL, 'SELECT ' || format(call, i)), '42501 no user to act for%', format('%s, nobody, %s id', signature, w))
  FROM public.present, (VALUES ('an existing', :'ann'), ('a random', :'random')) v(w, i) WHERE kind = 'id' ORDER BY signature;
SELECT alike(public.outcome('tap_tenants_user', NULL, 'SELECT ' || call), '42501 no user to act for%', format('%s, nobody', signature))
  FROM public.present WHERE kind = 'user' ORDER BY signature;
SELECT ok(public.outcome('tap_tenants_user', NULL, 'SELECT ' || call) LIKE own, format('%s, nobody', signature))
  FROM public.present WHERE kind = 'open' ORDER BY signature;
-- A role without any grant: no function at all, whoever it says it is.
SELECT is(public.outcome('tap_tenants_none', u, 'SELECT ' || format(call, :'ann')), '42501 permission denied for schema sync', format('%s, no level, %s', signature, coalesce(u, 'nobody')))
  FROM public.present, (VALUES ('ann'), (NULL)) v(u) ORDER BY signature;
GRANT USAGE ON SCHEMA sync TO tap_tenants_none;
SELECT is(public.outcome('tap_tenants_none', u, 'SELECT ' || format(call, :'ann')), '42501 permission denied for function ' || proname, format('%s, no level, %s', signature, coalesce(u, 'nobody')))
  FROM public.present, (VALUES ('ann'), (NULL)) v(u) ORDER BY signature;
-- What is for others, by level.
SELECT is(public.outcome(l, u, 'SELECT ' || format(call, :'ann')), '42501 permission denied for function ' || proname, format('%s is not for %s', signature, l))
  FROM public.present, unnest(ARRAY['tap_tenants_user', 'tap_tenants_monitor', 'tap_tenants_admin']) l, (VALUES ('ann'), (NULL)) v(u)
 WHERE kind = 'internal' OR (kind = 'admin' AND l <> 'tap_tenants_admin') OR (kind = 'monitor' AND l = 'tap_tenants_user')
    OR (kind IN ('id', 'open', 'user') AND l = 'tap_tenants_monitor'
        AND proname NOT IN ('echosync_current_user_id', 'echosync_has_level', 'echosync_may_see', 'echosync_sees_all', 'echosync_require_user', 'echosync_attach_leads', 'echosync_detach_leads', 'echosync_capture', 'echosync_queue_length', 'echosync_lead_seconds'))
 ORDER BY signature, l;
SELECT ok(public.outcome(l, u, 'SELECT ' || format(call, :'ann')) LIKE own, format('%s is for %s', signature, l))
  FROM public.present, unnest(ARRAY['tap_tenants_monitor', 'tap_tenants_admin']) l, (VALUES ('ann'), (NULL)) v(u)
 WHERE kind = 'monitor' OR (kind = 'admin' AND l = 'tap_tenants_admin') ORDER BY signature, l;
-- An admin that acts for nobody manages all; one that acts for a user is that user.
SELECT ok(public.outcome('tap_tenants_admin', NULL, 'SELECT ' || format(call, :'bob')) LIKE own, format('%s, admin', signature)) FROM public.present WHERE kind = 'id' ORDER BY signature;
SELECT alike(public.outcome('tap_tenants_admin', NULL, 'SELECT ' || format(call, :'random')), 'PT404 integration not found%', format('%s, admin, a random id', signature)) FROM public.present WHERE kind = 'id' ORDER BY signature;
SELECT alike(public.outcome('tap_tenants_admin', 'ann', 'SELECT ' || format(call, :'bob')), 'PT404 integration not found%', format('%s, admin for ann', signature)) FROM public.present WHERE kind = 'id' ORDER BY signature;
-- Ids that are no ids.
SELECT alike(public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, NULL::text)), '%', format('%s, null', signature)),
       ok(public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, NULL::text)) ~ '^(PT404|22004) ', format('%s, null id: %s', signature, public.outcome('tap_tenants_user', 'ann', 'SELECT ' || format(call, NULL::text))))
  FROM public.present WHERE kind = 'id' ORDER BY signature;
-- Tables of others are not attached or detached, whoever one acts for; "any level" may attach its own.
SELECT is(public.outcome('tap_tenants_user', u, format('SELECT sync.echosync_%s_leads(%L)', f, t)), '42501 must be owner of table ' || t, format('echosync_%s_leads(%s), acting for %s', f, t, coalesce(u, 'nobody')))
  FROM unnest(ARRAY['attach', 'detach']) f, unnest(ARRAY['leads', 'pg_class']) t, (VALUES ('ann'), (NULL)) v(u);
-- Another's log rows are not found by naming the connection.
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM sync.echosync_sync_logs(id => %L)', :'bob')), '0', 'echosync_sync_logs, another''s id: no row');
SELECT cmp_ok(public.answer('tap_tenants_user', 'ann', 'SELECT count(*) FROM sync.echosync_sync_logs()')::int, '>', 0, 'echosync_sync_logs: one''s own rows');
SELECT is(public.answer('tap_tenants_user', 'ann', 'SELECT string_agg(DISTINCT user_id, '','') FROM sync.echosync_sync_logs()'), 'ann', 'echosync_sync_logs: and only those');
-- How many leads wait for another's connection is not told; whether a counter is there or not.
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT coalesce(sync.echosync_queue_length(%L)::text, ''none'')', i)), a, format('echosync_queue_length, %s id', w))
  FROM (VALUES (:'ann', '2', 'one''s own'), (:'bob', 'none', 'another''s'), (:'random', 'none', 'a random')) v(i, a, w);
SELECT is(public.answer('tap_tenants_user', NULL, format('SELECT coalesce(sync.echosync_queue_length(%L)::text, ''none'')', :'bob')), 'none', 'echosync_queue_length, nobody');
SELECT is(public.answer('tap_tenants_monitor', NULL, format('SELECT coalesce(sync.echosync_queue_length(%L)::text, ''none'')', :'bob')), '2', 'echosync_queue_length, monitor');
SELECT is(public.answer('tap_tenants_admin', 'ann', format('SELECT coalesce(sync.echosync_queue_length(%L)::text, ''none'')', i)), a, format('echosync_queue_length, who sees all and acts for ann, %s id', w))
  FROM (VALUES (:'ann', '2', 'her'), (:'bob', 'none', 'another''s')) v(i, a, w);
-- Another's lead is not queued for oneself, nor looked at.
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT queued || '' '' || skipped FROM sync.echosync_manual_sync(%L, ''{2,77}'')', :'ann')), '0 2', 'echosync_manual_sync: another''s lead counts as none');
SELECT is(public.outcome('tap_tenants_user', 'ann', format('SELECT sync.echosync_preview(%L, ''2'')', :'ann')), public.outcome('tap_tenants_user', 'ann', format('SELECT sync.echosync_preview(%L, ''77'')', :'ann')),
          'echosync_preview: another''s lead and none are answered alike');
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT sync.echosync_retry_failed(%L, ''{d}'')', :'ann')), '1', 'echosync_retry_failed: one''s own dead letter');
SELECT is((SELECT count(*)::int FROM sync.crm_sync_queue WHERE user_id = 'bob' AND sync_type = 'retry'), 0, 'and not the other''s of the same lead id');
ROLLBACK;

-- The state of an OAuth flow is its owner's: another's is answered like none.
BEGIN;
SELECT set_config('echosync.user_id', 'bob', true) \gset ignore_
SELECT substring(sync.echosync_oauth_authorize() FROM '[?&]state=([^&]+)') AS bobs_state \gset
COMMIT;
BEGIN;
SELECT is(public.outcome('tap_tenants_user', 'ann', format('SELECT sync.echosync_oauth_callback(''code'', %L)', :'bobs_state')),
          public.outcome('tap_tenants_user', 'ann', format('SELECT sync.echosync_oauth_callback(''code'', %L)', reverse(:'bobs_state'))), 'echosync_oauth_callback: another''s state and none are answered alike');
SELECT alike(public.outcome('tap_tenants_user', 'ann', format('SELECT sync.echosync_oauth_callback(''code'', %L)', :'bobs_state')), 'PT404 %', 'as not found');
ROLLBACK;
SELECT is((SELECT count(*)::int FROM sync.crm_integrations), 4, 'and nothing was stored');

-- ---------------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------------
CREATE VIEW public.ext_relations AS
SELECT c.oid, c.relname::text, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relowner, c.relacl
  FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync';
SELECT ok(relrowsecurity, format('%s: row-level security is enabled', relname)), ok(relforcerowsecurity, format('%s: and forced', relname))
  FROM public.ext_relations WHERE relkind IN ('r', 'p') ORDER BY relname;
SELECT ok(NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = r.oid AND (p.polcmd <> 'r' OR NOT p.polpermissive)), format('%s: its policies are for SELECT only', relname))
  FROM public.ext_relations r WHERE relkind = 'r' ORDER BY relname;
SELECT ok('security_barrier=true' = ANY (reloptions) OR 'security_barrier' = ANY (reloptions), format('%s is a security barrier', c.relname))
  FROM pg_class c JOIN public.ext_relations r ON r.oid = c.oid WHERE r.relkind = 'v' AND pg_get_viewdef(c.oid) ~ 'crm_' ORDER BY c.relname;

-- What each level may read at all.
CREATE TABLE public.readable (level text, relation text);
INSERT INTO public.readable
SELECT 'user', r FROM unnest(ARRAY['crm_integrations', 'crm_sync_queue', 'crm_lead_links', 'crm_sync_logs', 'crm_sync_runs', 'crm_dead_letters', 'echosync_status', 'echosync_runs', 'echosync_dead_letters']) r
UNION ALL
SELECT 'monitor', r FROM unnest(ARRAY['echosync_status', 'echosync_workers', 'echosync_runs', 'echosync_dead_letters', 'echosync_metrics']) r
UNION ALL
SELECT 'admin', r FROM unnest(ARRAY['crm_integrations', 'crm_sync_queue', 'crm_lead_links', 'crm_sync_logs', 'crm_sync_runs', 'crm_dead_letters', 'crm_lead_sources', 'echosync_status', 'echosync_workers',
                                    'echosync_runs', 'echosync_dead_letters', 'echosync_metrics']) r;
BEGIN;
GRANT USAGE ON SCHEMA sync TO tap_tenants_none;
SELECT is(public.outcome('tap_tenants_' || l, u, format('SELECT FROM sync.%I', relname)) = 'ok', EXISTS (SELECT FROM public.readable b WHERE b.level = l AND b.relation = relname),
          format('%s: readable by level %s, acting for %s, or not, as it should', relname, l, coalesce(u, 'nobody')))
  FROM public.ext_relations, unnest(ARRAY['user', 'monitor', 'admin', 'none']) l, (VALUES ('ann'), (NULL)) v(u) WHERE relkind IN ('r', 'v') ORDER BY relname, l;
-- A tenant sees its own rows and no others.
SELECT is(public.answer('tap_tenants_user', u, format('SELECT string_agg(DISTINCT user_id, '','') FROM sync.%I', relation)), u, format('%s: %s sees own rows only', relation, u))
  FROM public.readable, unnest(ARRAY['ann', 'bob']) u WHERE level = 'user' ORDER BY relation;
SELECT is(public.answer('tap_tenants_user', u, format('SELECT count(*) FROM sync.%I', relation)), '0', format('%s: [%s] sees nothing', relation, u))
  FROM public.readable, unnest(ARRAY['', 'ANN', 'ann ', 'an', 'ann%', 'nobody', '*', 'tap_tenants_user', 'postgres']) u WHERE level = 'user' ORDER BY relation;
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM sync.%I WHERE user_id = ''bob''', relation)), '0', format('%s: asking for bob''s gives nothing', relation))
  FROM public.readable WHERE level = 'user' ORDER BY relation;
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM sync.%I WHERE integration_id = %L', relation, :'bob')), '0', format('%s: asking for bob''s connection gives nothing', relation))
  FROM public.readable WHERE level = 'user' AND relation <> 'crm_integrations' ORDER BY relation;
-- A monitor and an admin see all, while they act for nobody.
SELECT is(public.answer('tap_tenants_' || level, NULL, format('SELECT string_agg(DISTINCT user_id, '','' ORDER BY user_id) FROM sync.%I', relation)), 'ann,bob', format('%s: level %s sees all', relation, level))
  FROM public.readable WHERE level <> 'user' AND relation NOT IN ('echosync_workers', 'echosync_metrics', 'crm_lead_sources') ORDER BY level, relation;
SELECT is(public.answer('tap_tenants_' || level, 'bob', format('SELECT string_agg(DISTINCT user_id, '','') FROM sync.%I', relation)), 'bob', format('%s: level %s acting for bob sees bob''s', relation, level))
  FROM public.readable WHERE level <> 'user' AND relation NOT IN ('echosync_workers', 'echosync_metrics', 'crm_lead_sources') ORDER BY level, relation;
SELECT cmp_ok(public.answer('tap_tenants_' || l, NULL, 'SELECT count(*) FROM sync.echosync_metrics')::int, '>', 5, format('echosync_metrics: level %s sees numbers', l)) FROM unnest(ARRAY['monitor', 'admin']) l;
SELECT is(public.answer('tap_tenants_monitor', NULL, 'SELECT count(*) FROM sync.echosync_metrics WHERE labels::text ~ ''ann|bob'''), '0', 'echosync_metrics: names no tenant');
SELECT is(public.answer('tap_tenants_monitor', NULL, 'SELECT count(*) FROM sync.echosync_doctor() WHERE concat(detail, hint) ~ ''ann|bob|80155501'''), '0', 'echosync_doctor: names no tenant and no lead');
-- No lead data in what a monitor sees: nothing that names a person, and no payload.
SELECT is(string_agg(format('%s.%s', a.attrelid::regclass, a.attname), ', '), NULL, 'the monitoring views have no column of lead data')
  FROM pg_attribute a JOIN public.ext_relations r ON r.oid = a.attrelid JOIN public.readable b ON b.relation = r.relname AND b.level = 'monitor'
 WHERE a.attnum > 0 AND a.attname ~ 'phone|email|name$|snapshot|payload|note|address|settings|crm_record_id|account' AND NOT (r.relname = 'echosync_metrics' AND a.attname = 'name');
-- A function of the caller's that is cheap and tells what it is given is not
-- shown others' rows, however the planner would like to order conditions.
CREATE FUNCTION public.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE NOTICE 'told %', $1; PERFORM set_config('tap.told', current_setting('tap.told', true) || ' ' || $1, true); RETURN true; END$$;
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM (SELECT set_config(''tap.told'', '''', true)) s, sync.%I WHERE public.tell(user_id)', relation)) || ' ' || (current_setting('tap.told') ~ 'bob')::text,
          public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM sync.%I', relation)) || ' false', format('%s: a leaky function is told one''s own rows only', relation))
  FROM public.readable WHERE level = 'user' ORDER BY relation;
-- Nor an error of a condition.
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM sync.%I WHERE 1 / (user_id <> ''bob'')::int = 1', relation)),
          public.answer('tap_tenants_user', 'ann', format('SELECT count(*) FROM sync.%I', relation)), format('%s: an error tells nothing of others'' rows', relation))
  FROM public.readable WHERE level = 'user' ORDER BY relation;
-- Nobody writes.
SELECT alike(public.outcome('tap_tenants_' || l, 'ann', format(s, relname)), '42501 permission denied for %', format('%s: level %s, %s', relname, l, left(s, 8)))
  FROM public.ext_relations, unnest(ARRAY['user', 'monitor', 'admin', 'none']) l,
       unnest(ARRAY['INSERT INTO sync.%I SELECT', 'DELETE FROM sync.%I', 'TRUNCATE sync.%I', 'LOCK sync.%I IN SHARE MODE']) s WHERE relkind = 'r' ORDER BY relname, l;
SELECT alike(public.outcome('tap_tenants_' || l, 'ann', format('UPDATE sync.%I SET %I = %2$I', relname, (SELECT attname FROM pg_attribute a WHERE a.attrelid = r.oid AND attnum = 2))), '42501 permission denied for %', format('%s: level %s, UPDATE', relname, l))
  FROM public.ext_relations r, unnest(ARRAY['user', 'monitor', 'admin', 'none']) l WHERE relkind = 'r' ORDER BY relname, l;
SELECT alike(public.outcome('tap_tenants_' || l, 'ann', format('SELECT %s(''sync.%I''%s)', f, relname, CASE f WHEN 'setval' THEN ', 1' ELSE '' END)), '42501 permission denied for sequence %', format('%s: level %s, %s', relname, l, f))
  FROM public.ext_relations r, unnest(ARRAY['user', 'monitor', 'admin', 'none']) l, unnest(ARRAY['nextval', 'setval']) f WHERE relkind = 'S' ORDER BY relname, l;
-- Credentials: no level reads them, and a mistaken GRANT shows nothing either.
SELECT is(public.outcome('tap_tenants_' || l, u, 'SELECT sealed FROM sync.crm_credentials'), '42501 permission denied for table crm_credentials', format('crm_credentials: level %s, acting for %s', l, coalesce(u, 'nobody')))
  FROM unnest(ARRAY['user', 'monitor', 'admin', 'none']) l, (VALUES ('ann'), (NULL)) v(u);
GRANT ALL ON ALL TABLES IN SCHEMA sync TO tap_tenants_user, tap_tenants_monitor, tap_tenants_admin;
SELECT is(public.answer('tap_tenants_' || l, u, format('SELECT count(*) FROM sync.%I', t)), '0', format('%s: granted by mistake to level %s, acting for %s, it shows nothing', t, l, coalesce(u, 'nobody')))
  FROM unnest(ARRAY['user', 'monitor', 'admin']) l, (VALUES ('ann'), (NULL)) v(u), unnest(ARRAY['crm_credentials', 'crm_oauth_states', 'crm_disconnected', 'crm_instance', 'crm_sync_attempts', 'crm_sync_claims', 'crm_sync_gaps', 'crm_sync_hours']) t;
SELECT is(public.answer('tap_tenants_user', 'ann', format('WITH d AS (DELETE FROM sync.%I RETURNING 1) SELECT count(*) FROM d', relname)), '0', format('%s: DELETE granted by mistake reaches nothing', relname))
  FROM public.ext_relations WHERE relkind = 'r' AND relname NOT IN ('crm_instance', 'crm_sync_claims', 'crm_sync_gaps') ORDER BY relname;
SELECT alike(public.answer('tap_tenants_user', 'ann', 'INSERT INTO sync.crm_sync_runs (integration_id, user_id, queued, skipped) VALUES (gen_random_uuid(), ''ann'', 0, 0)'), '42501 %row-level security%', 'INSERT granted by mistake is refused');
SELECT is(public.answer('tap_tenants_user', 'ann', format('SELECT string_agg(DISTINCT user_id, '','') FROM sync.%I', relation)), 'ann', format('%s: one''s own rows only, even so', relation)) FROM public.readable WHERE level = 'user' ORDER BY relation;
ROLLBACK;

-- ---------------------------------------------------------------------------
-- Sessions that are not trusted are their own role
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL echosync.trusted_sessions = 'somebody_else';
INSERT INTO sync.crm_integrations (user_id, crm_type, status, settings, credential_kind) VALUES ('tap_tenants_user', 'lofty', 'paused', '{}', 'api_key');
SET LOCAL SESSION AUTHORIZATION tap_tenants_user;
SET LOCAL echosync.user_id = 'ann';
SET LOCAL request.jwt.claims = '{"sub": "ann"}';
SELECT sync.echosync_current_user_id() AS who, (SELECT string_agg(DISTINCT user_id, ',') FROM sync.crm_integrations) AS rows, (SELECT string_agg(DISTINCT user_id, ',') FROM sync.echosync_status) AS status \gset
SET LOCAL SESSION AUTHORIZATION DEFAULT;
SELECT is(:'who'::text, 'tap_tenants_user', 'a session that is not trusted is its own role, whatever it sets'),
       is(:'rows'::text, 'tap_tenants_user', 'and sees that user''s rows'),
       is(:'status'::text, 'tap_tenants_user', 'in views too');
ROLLBACK;
-- The levels hold there as well, for their roles and no others.
BEGIN;
SET LOCAL echosync.trusted_sessions = 'somebody_else';
SET LOCAL SESSION AUTHORIZATION tap_tenants_monitor;
SELECT coalesce((SELECT string_agg(DISTINCT user_id, ',' ORDER BY user_id) FROM sync.echosync_status), 'nothing') AS monitor \gset
SET LOCAL SESSION AUTHORIZATION tap_tenants_admin;
SELECT coalesce((SELECT string_agg(DISTINCT user_id, ',' ORDER BY user_id) FROM sync.crm_integrations), 'nothing') AS admin \gset
SET LOCAL SESSION AUTHORIZATION DEFAULT;
SELECT coalesce((SELECT string_agg(DISTINCT user_id, ',' ORDER BY user_id) FROM sync.echosync_status), 'nothing') AS superuser \gset
SELECT is(public.answer('tap_tenants_user', NULL, 'SELECT sync.echosync_sees_all(''monitor'') OR sync.echosync_sees_all(''admin'')'), 'false', 'level user sees not all');
SELECT is(:'monitor'::text, 'ann,bob', 'a monitor in a session that is not trusted sees all in the views'),
       is(:'admin'::text, 'ann,bob', 'an admin sees all'),
       is(:'superuser'::text, 'ann,bob', 'a superuser sees all');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- The whitelist: who holds what, from the access lists themselves
-- ---------------------------------------------------------------------------
CREATE VIEW public.held AS
SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee, a.privilege_type, a.is_grantable, o.kind, o.name
  FROM (SELECT 'function' AS kind, f.signature AS name, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl, p.proowner AS owner FROM public.ext_functions f JOIN pg_proc p USING (oid)
        UNION ALL
        SELECT 'relation', r.relname, coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner)), r.relowner FROM public.ext_relations r
        UNION ALL
        SELECT 'column', r.relname || '.' || c.attname, c.attacl, r.relowner FROM public.ext_relations r JOIN pg_attribute c ON c.attrelid = r.oid WHERE c.attacl IS NOT NULL) o,
       LATERAL aclexplode(o.acl) a WHERE a.grantee <> o.owner;
SELECT is(string_agg(format('%s on %s', privilege_type, name), ', ' ORDER BY name), NULL, 'PUBLIC holds nothing') FROM public.held WHERE grantee = 'PUBLIC';
SELECT is(string_agg(DISTINCT grantee, ', ' ORDER BY grantee), 'pg_monitor, tap_tenants_admin, tap_tenants_monitor, tap_tenants_user', 'nobody but those who were granted to, and pg_monitor, holds anything') FROM public.held;
SELECT is(string_agg(format('%s on %s', privilege_type, name), ', '), NULL, 'nothing can be passed on') FROM public.held WHERE is_grantable;
SELECT is(string_agg(format('%s on %s by %s', privilege_type, name, grantee), ', '), NULL, 'functions are executed, tables and views read, and no more')
  FROM public.held WHERE NOT ((kind = 'function' AND privilege_type = 'EXECUTE') OR (kind = 'relation' AND privilege_type = 'SELECT'));
SELECT set_eq(format($q$SELECT name FROM public.held WHERE grantee = 'tap_tenants_%s' AND kind = 'relation'$q$, l), format($q$SELECT relation FROM public.readable WHERE level = %L$q$, l), format('level %s: relations', l))
  FROM unnest(ARRAY['user', 'monitor', 'admin']) l;
SELECT set_eq($q$SELECT signature FROM public.held h JOIN public.matrix m ON m.signature = h.name WHERE grantee = 'tap_tenants_user'$q$,
              $q$SELECT signature FROM public.present WHERE kind IN ('id', 'user', 'open')$q$, 'level user: functions');
SELECT set_eq($q$SELECT name FROM public.held WHERE grantee = 'tap_tenants_admin' AND kind = 'function'$q$,
              $q$SELECT signature FROM public.present WHERE kind <> 'internal'$q$, 'level admin: functions');
SELECT bag_eq($q$SELECT kind, name, privilege_type FROM public.held WHERE grantee = 'pg_monitor'$q$,
              $q$SELECT kind, name, privilege_type FROM public.held WHERE grantee = 'tap_tenants_monitor'$q$, 'pg_monitor has the level monitor');
-- Members of pg_monitor have it by that.
CREATE ROLE tap_tenants_exporter IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA sync TO pg_monitor;
SELECT is(public.answer('tap_tenants_exporter', NULL, 'SELECT string_agg(DISTINCT user_id, '','' ORDER BY user_id) FROM sync.echosync_status'), 'ann,bob', 'a member of pg_monitor sees the views of all');
SELECT is(public.outcome('tap_tenants_exporter', NULL, 'SELECT FROM sync.crm_sync_logs'), '42501 permission denied for table crm_sync_logs', 'and no table');

-- ---------------------------------------------------------------------------
-- Granted, and taken back
-- ---------------------------------------------------------------------------
CREATE ROLE tap_tenants_leaver;
SELECT sync.echosync_grant('tap_tenants_leaver', l) FROM unnest(ARRAY['user', 'monitor', 'admin', 'user']) l \g /dev/null
SELECT is(public.answer('tap_tenants_leaver', NULL, 'SELECT count(*) FROM sync.crm_integrations'), '4', 'granted: an admin');
REVOKE EXECUTE ON FUNCTION sync.echosync_level_admin() FROM tap_tenants_leaver;
SELECT is(public.answer('tap_tenants_leaver', NULL, 'SELECT count(*) FROM sync.crm_integrations'), '0', 'without the level admin: no rows but one''s own'),
       is(public.answer('tap_tenants_leaver', NULL, 'SELECT count(*) FROM sync.echosync_status'), '4', 'still a monitor');
REVOKE EXECUTE ON FUNCTION sync.echosync_level_monitor() FROM tap_tenants_leaver;
SELECT is(public.answer('tap_tenants_leaver', NULL, 'SELECT count(*) FROM sync.echosync_status'), '0', 'without the level monitor: no rows but one''s own'),
       is(public.answer('tap_tenants_leaver', NULL, 'SELECT count(*) FROM sync.echosync_metrics'), '0', 'and no numbers');
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sync FROM tap_tenants_leaver;
REVOKE ALL ON ALL TABLES IN SCHEMA sync FROM tap_tenants_leaver;
SELECT is(string_agg(name, ', '), NULL, 'revoked: nothing is left') FROM public.held WHERE grantee = 'tap_tenants_leaver';
SELECT is(public.outcome('tap_tenants_leaver', 'ann', 'SELECT ' || format(call, :'ann')), '42501 permission denied for function ' || proname, format('%s, after REVOKE', signature)) FROM public.present ORDER BY signature;
SELECT is(public.outcome('tap_tenants_leaver', 'ann', format('SELECT FROM sync.%I', relname)), format('42501 permission denied for %s %s', CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, relname), format('%s, after REVOKE', relname))
  FROM public.ext_relations WHERE relkind IN ('r', 'v') ORDER BY relname;
SELECT lives_ok('SET LOCAL client_min_messages = error; DROP OWNED BY tap_tenants_leaver; DROP ROLE tap_tenants_leaver', 'then the role can be dropped');

SELECT * FROM finish();
DROP EXTENSION echosync;
SET client_min_messages = error;
DROP OWNED BY tap_tenants_user, tap_tenants_monitor, tap_tenants_admin, tap_tenants_none, tap_tenants_exporter;
DROP ROLE tap_tenants_user, tap_tenants_monitor, tap_tenants_admin, tap_tenants_none, tap_tenants_exporter;

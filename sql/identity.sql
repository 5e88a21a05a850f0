-- Who the caller is, and what each level may see.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION echosync;
CREATE ROLE regress_echosync_app LOGIN;
CREATE ROLE regress_echosync_web LOGIN;
CREATE ROLE regress_echosync_watch LOGIN;
CREATE ROLE regress_echosync_boss LOGIN;
SELECT echosync_grant('regress_echosync_app');
SELECT echosync_grant('regress_echosync_web');
SELECT echosync_grant('regress_echosync_watch', 'monitor');
SELECT echosync_grant('regress_echosync_boss', 'admin');
GRANT regress_echosync_app TO regress_echosync_web;
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
SELECT u, 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key'
  FROM unnest(ARRAY['ann', 'bob', 'regress_echosync_app', 'regress_echosync_watch']) u;

-- Nobody, until somebody is named.  The default trusts every session.
SHOW echosync.trusted_sessions;
SELECT echosync_current_user_id() IS NULL AS nobody;
SET echosync.user_id = 'ann';
SELECT echosync_current_user_id();
SET echosync.user_id = '';
SELECT echosync_current_user_id() IS NULL AS nobody;
-- Kept to the byte.
SET echosync.user_id = ' Ann O''Brien/ö ';
SELECT '[' || echosync_current_user_id() || ']' AS me;
RESET echosync.user_id;

-- The sub of a JWT, as PostgREST and Supabase set it.
SET request.jwt.claims = '{"sub": "bob", "role": "authenticated"}';
SELECT echosync_current_user_id();
SET request.jwt.claims = '{"sub": ""}';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '{"sub": null}';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '{"role": "anon"}';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '{"sub": {"is": "bob"}}';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '["sub", "bob"]';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '"bob"';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '{"sub": "bob"';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = 'bob';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '';
SELECT echosync_current_user_id() IS NULL AS nobody;
SET request.jwt.claims = '{"sub": "b\u00f6b"}';
SELECT echosync_current_user_id();
-- echosync.user_id is the application's word, and goes before the token.
SET echosync.user_id = 'ann';
SET request.jwt.claims = '{"sub": "bob"}';
SELECT echosync_current_user_id();
RESET echosync.user_id;
SELECT echosync_current_user_id();
RESET request.jwt.claims;

-- Per transaction, as the application sets it.
BEGIN;
SELECT set_config('echosync.user_id', 'ann', true);
SELECT echosync_current_user_id();
SAVEPOINT s;
SELECT set_config('echosync.user_id', 'bob', true);
ROLLBACK TO s;
SELECT echosync_current_user_id();
COMMIT;
SELECT echosync_current_user_id() IS NULL AS nobody;

-- Any role may set whom it acts for; only a superuser whom sessions are believed.
SET SESSION AUTHORIZATION regress_echosync_app;
SELECT user_id FROM crm_integrations ORDER BY user_id COLLATE "C";
SET echosync.user_id = 'ann';
SELECT user_id FROM crm_integrations;
SELECT user_id FROM echosync_status;
SELECT (echosync_get_integration(i.id)).user_id FROM crm_integrations i;
SET echosync.user_id = 'nobody';
SELECT user_id FROM crm_integrations;
SET echosync.user_id = '';
SELECT user_id FROM crm_integrations;
SELECT user_id FROM echosync_status;
SELECT echosync_sync_logs();
SELECT echosync_require_user();
SELECT echosync_get_integration(gen_random_uuid());
SET echosync.trusted_sessions = 'regress_echosync_app';
SET echosync.capture = off;
RESET SESSION AUTHORIZATION;
RESET echosync.user_id;

-- Sessions that are not trusted are their own role, whatever they set.
SET echosync.trusted_sessions = 'regress_echosync_web, "Other One"';
SET SESSION AUTHORIZATION regress_echosync_app;
SELECT echosync_current_user_id();
SET echosync.user_id = 'ann';
SET request.jwt.claims = '{"sub": "bob"}';
SELECT echosync_current_user_id();
SELECT user_id FROM crm_integrations;
SELECT user_id FROM echosync_status;
RESET SESSION AUTHORIZATION;
RESET echosync.user_id;
RESET request.jwt.claims;

-- A trusted session that changes to another role stays trusted: what counts
-- is who logged in.
SET SESSION AUTHORIZATION regress_echosync_web;
SET request.jwt.claims = '{"sub": "bob"}';
SET ROLE regress_echosync_app;
SELECT echosync_current_user_id();
SELECT user_id FROM crm_integrations;
RESET ROLE;
RESET SESSION AUTHORIZATION;
RESET request.jwt.claims;
-- An untrusted one does not become trusted by it.
SET echosync.trusted_sessions = 'regress_echosync_app';
SET SESSION AUTHORIZATION regress_echosync_web;
SET ROLE regress_echosync_app;
SET echosync.user_id = 'ann';
SELECT echosync_current_user_id();
RESET ROLE;
RESET SESSION AUTHORIZATION;
RESET echosync.user_id;
-- In a SECURITY DEFINER function of the application too it is the caller.
CREATE FUNCTION app_whoami() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT echosync_current_user_id()';
CREATE FUNCTION app_level() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$SELECT echosync_has_level('admin')$$;
SET SESSION AUTHORIZATION regress_echosync_web;
SELECT app_whoami(), app_level();
RESET SESSION AUTHORIZATION;
DROP FUNCTION app_whoami(), app_level();
SET echosync.trusted_sessions = '';
SELECT echosync_current_user_id() = session_user AS its_role;
SET echosync.trusted_sessions = 'a,,b';
SET echosync.trusted_sessions = '"unterminated';
RESET echosync.trusted_sessions;

-- Levels.  Who acts for a user sees that user's rows, whatever the level.
SELECT echosync_has_level('monitor') AS monitor, echosync_has_level('admin') AS admin, echosync_has_level('king') AS king;
SET SESSION AUTHORIZATION regress_echosync_app;
SELECT echosync_has_level('monitor') AS monitor, echosync_has_level('admin') AS admin, echosync_has_level('king') AS king;
SELECT user_id FROM echosync_status;
SELECT * FROM echosync_workers;
SELECT * FROM echosync_metrics;
SELECT * FROM echosync_doctor();
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_echosync_watch;
SELECT echosync_has_level('monitor') AS monitor, echosync_has_level('admin') AS admin, echosync_has_level('king') AS king;
SELECT user_id FROM echosync_status ORDER BY user_id COLLATE "C";
SELECT user_id FROM crm_integrations;
SELECT count(*) FROM crm_sync_logs;
SELECT count(*) > 0 AS sees FROM echosync_metrics;
SELECT count(*) > 0 AS sees FROM echosync_doctor();
SELECT count(*) >= 0 AS sees FROM echosync_workers;
SET echosync.user_id = 'bob';
SELECT user_id FROM echosync_status;
RESET echosync.user_id;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_echosync_boss;
SELECT echosync_has_level('monitor') AS monitor, echosync_has_level('admin') AS admin, echosync_has_level('king') AS king;
SELECT user_id FROM echosync_status ORDER BY user_id COLLATE "C";
SELECT user_id FROM crm_integrations ORDER BY user_id COLLATE "C";
SELECT u.settings ->> 'crm_name' AS crm_name FROM crm_integrations i, echosync_update_integration(i.id, '{"crm_name": "by the admin"}') u
 WHERE i.user_id = 'bob';
SET echosync.user_id = 'bob';
SELECT user_id FROM crm_integrations;
RESET echosync.user_id;
RESET SESSION AUTHORIZATION;

-- The levels hold too where sessions are not trusted to act for others: a
-- monitor, an admin and a superuser still see all.
SET echosync.trusted_sessions = 'regress_echosync_web';
SET SESSION AUTHORIZATION regress_echosync_watch;
SELECT user_id FROM echosync_status ORDER BY user_id COLLATE "C";
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_echosync_boss;
SELECT user_id FROM crm_integrations ORDER BY user_id COLLATE "C";
SELECT user_id FROM echosync_status ORDER BY user_id COLLATE "C";
RESET SESSION AUTHORIZATION;
SELECT user_id FROM echosync_status ORDER BY user_id COLLATE "C";
RESET echosync.trusted_sessions;

-- The rule by itself.
SELECT echosync_may_see('ann', 'admin') AS superuser, echosync_may_see(NULL, 'admin') AS null_owner, echosync_may_see('ann', NULL) AS null_level;
SET echosync.user_id = 'ann';
SELECT echosync_may_see('ann', 'admin') AS own, echosync_may_see('bob', 'admin') AS other, echosync_may_see('ANN', 'admin') AS upper;
RESET echosync.user_id;

-- What was granted can be taken back.
REVOKE EXECUTE ON FUNCTION echosync_level_admin() FROM regress_echosync_boss;
SET SESSION AUTHORIZATION regress_echosync_boss;
SELECT echosync_has_level('admin');
SELECT user_id FROM crm_integrations;
RESET SESSION AUTHORIZATION;

DROP EXTENSION echosync;
DROP OWNED BY regress_echosync_app, regress_echosync_web, regress_echosync_watch, regress_echosync_boss;
DROP ROLE regress_echosync_app, regress_echosync_web, regress_echosync_watch, regress_echosync_boss;

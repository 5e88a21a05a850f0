/* Who the caller is, and what that allows. */

CREATE FUNCTION echosync_current_user_id() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_current_user_id() IS 'The application''s user for whom the session acts: echosync.user_id or the sub of request.jwt.claims for sessions listed in echosync.trusted_sessions, else the session''s role name. Null: nobody.';

CREATE FUNCTION echosync_level_monitor() RETURNS void LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT NULL::void; END;
COMMENT ON FUNCTION echosync_level_monitor() IS 'Does nothing. EXECUTE on it is the level monitor.';
CREATE FUNCTION echosync_level_admin() RETURNS void LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC SELECT NULL::void; END;
COMMENT ON FUNCTION echosync_level_admin() IS 'Does nothing. EXECUTE on it is the level admin.';

CREATE FUNCTION echosync_has_level(level text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_has_level(text) IS 'Does the calling role (not the owner of a function it is in) have the level monitor or admin?';

CREATE FUNCTION echosync_sees_all(level text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_sees_all(text) IS 'Does the caller see all users'' rows: a role with the level, that has not said that it acts for somebody?';

CREATE FUNCTION echosync_may_see(owner text, level text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_may_see(text, text) IS 'The one rule of access: who says that it acts for a user sees that user''s rows; others see their own role''s rows, and all rows if the role has the level.';

CREATE FUNCTION echosync_require_user() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_require_user() IS 'echosync_current_user_id(), or an error (42501) that says how to set it. Null for a caller that sees all rows as admin.';

CREATE FUNCTION echosync_wake(id uuid DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_wake(uuid) IS 'Wakes the worker, for one connection or for all, when the transaction commits.';

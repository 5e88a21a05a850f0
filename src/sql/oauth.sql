/* OAuth 2.0, for Follow Up Boss. */

CREATE FUNCTION echosync_oauth_authorize(crm_type text DEFAULT 'followupboss', settings jsonb DEFAULT '{}')
    RETURNS text
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_oauth_authorize(text, jsonb) IS 'The URL to send the user''s browser to. Its state is single-use, bound to the caller, and good for ten minutes.';

CREATE FUNCTION echosync_oauth_callback(code text DEFAULT NULL, state text DEFAULT NULL, response text DEFAULT NULL)
    RETURNS uuid
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION echosync_oauth_callback(text, text, text) IS 'What the CRM sent the browser back with. Checks the state and that it is the caller''s, has the worker exchange the code, seals and stores the tokens. Works in a READ ONLY transaction (a GET through PostgREST), where the worker writes; without a user the state alone decides there. With echosync.app_url set, such a GET answers 303 to that URL with echosync=connected, pending or error (and reason) added, and raises no error.';

\echo Use "CREATE EXTENSION echosync" to load this file. \quit

/*
 * echosync: the SQL half, joined by the build from the files of src/sql in the order
 * the Makefile lists.  Every object is created plainly (an object of the same
 * name that somebody planted is an error, never adopted) and closed to PUBLIC
 * in policies.sql; who may do what is granted by echosync_grant().
 */
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() <> 'UTF8' THEN
        RAISE EXCEPTION 'echosync needs a database with encoding UTF8'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'CRMs speak JSON, which is UTF-8.',
                  HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
END
$$;

-- PostgREST, where there is one, finds new functions and grants without a restart.
NOTIFY pgrst, 'reload schema';

-- plpgsql_check over every PL/pgSQL function of the extension, trigger functions
-- on the tables they are for.  Prints what is wrong, and last how many it looked at.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
CREATE EXTENSION echosync;
CREATE EXTENSION plpgsql_check;
CREATE TEMP TABLE function AS
SELECT p.oid, p.prorettype = 'trigger'::regtype AS is_trigger
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'echosync'
  JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql';
SELECT format('%s line %s: %s: %s %s %s', f.oid::regprocedure, c.lineno, c.level, c.message, c.detail, c.hint)
  FROM function f
  LEFT JOIN pg_trigger t ON t.tgfoid = f.oid AND f.is_trigger AND NOT t.tgisinternal,
       plpgsql_check_function_tb(f.oid, relid => coalesce(t.tgrelid, 0), fatal_errors => false, performance_warnings => true,
                                 security_warnings => true, extra_warnings => false) c
 WHERE NOT f.is_trigger OR t.oid IS NOT NULL;
SELECT format('checked %s functions', count(*)) FROM function;
SELECT format('%s is a trigger function of no table', f.oid::regprocedure)
  FROM function f WHERE f.is_trigger AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = f.oid);

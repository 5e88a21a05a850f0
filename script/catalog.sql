-- doc/catalog.md, line by line, from what COMMENT ON says in a database that has
-- the extension in schema public.  Run by script/catalog.sh, which writes the
-- page, and by test/t/044_docs.pl, which holds the page to it.
SET search_path = public, pg_catalog;
WITH member AS (
    SELECT d.classid, d.objid
      FROM pg_depend d
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
     WHERE d.deptype = 'e' AND e.extname = 'echosync'
), relation AS (
    SELECT c.oid, c.relname, c.relkind, obj_description(c.oid, 'pg_class') AS says
      FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
     WHERE c.relkind IN ('r', 'v')
), function AS (
    SELECT p.oid, p.proname, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
           obj_description(p.oid, 'pg_proc') AS says
      FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
), line (part, name, n, text) AS (
    VALUES (0, '', 0, '# Catalog'),
           (0, '', 1, ''),
           (0, '', 2, 'Every object of the extension, as `COMMENT ON` describes it: made by `script/catalog.sh`, not by hand. What the'),
           (0, '', 3, 'functions do in detail, their errors and the settings are in [reference.md](reference.md).'),
           (0, '', 4, ''),
           (0, '', 5, '- [Functions](#functions)'),
           (0, '', 6, '- [Tables](#tables)'),
           (0, '', 7, '- [Views](#views)'),
           (1, '', 0, E'\n## Functions\n'),
           (1, '', 1, '| Function | Returns | |'),
           (1, '', 2, '| --- | --- | --- |'),
           (2, '', 0, E'\n## Tables'),
           (3, '', 0, E'\n## Views')
    UNION ALL
    SELECT 1, proname, 3, format('| `%s(%s)` | `%s` | %s |', proname, arguments, result, replace(says, '|', '\|'))
      FROM function
    UNION ALL
    SELECT CASE relkind WHEN 'r' THEN 2 ELSE 3 END, relname, 0,
           format(E'\n### %s\n\n%s\n\n| Column | Type | |\n| --- | --- | --- |', relname, says)
      FROM relation
    UNION ALL
    SELECT CASE r.relkind WHEN 'r' THEN 2 ELSE 3 END, r.relname, a.attnum,
           format('| `%s` | %s | %s |', a.attname, format_type(a.atttypid, a.atttypmod),
                  replace(coalesce(col_description(r.oid, a.attnum), ''), '|', '\|'))
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
     WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT text FROM line ORDER BY part, name COLLATE "C", n, text COLLATE "C";

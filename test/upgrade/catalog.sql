-- What the extension consists of, one fact a line, without an oid: equal in two
-- databases exactly if one version's install script and the way to it by
-- upgrade scripts come to the same.
--
-- Not compared: the owner (whoever installs), the order of dropped columns,
-- rows of tables (install scripts write none), and when a column was last changed,
-- which 15.20 and its contemporaries keep among its options as pg_attver.
WITH extension AS (
    SELECT e.* FROM pg_extension e WHERE e.extname = 'echosync'
),
member AS (
    SELECT d.classid, d.objid, o.type, o.identity
      FROM pg_depend d, extension e, pg_identify_object(d.classid, d.objid, 0) o
     WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
),
relation AS (
    SELECT c.*, m.identity FROM member m JOIN pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_class'::regclass
),
-- Indexes, constraints, policies and so on are no members: their tables are.
part AS (
    SELECT 'pg_class'::regclass AS classid, i.indexrelid AS objid, 0 AS objsubid,
           'index ' || i.indexrelid::regclass AS identity
      FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT 'pg_constraint'::regclass, c.oid, 0, format('constraint %s of %s', c.conname, r.identity)
      FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, 0, format('policy %s of %s', p.polname, r.identity)
      FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, 0, format('trigger %s of %s', t.tgname, r.identity)
      FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, a.attnum, format('column %s.%s', r.identity, a.attname)
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT m.classid, m.objid, 0, m.type || ' ' || m.identity FROM member m
),
fact (subject, fact) AS (
    SELECT m.type || ' ' || m.identity, 'is a member' FROM member m
    UNION ALL
    SELECT p.identity, 'comment: ' || d.description
      FROM part p JOIN pg_description d ON (d.classoid, d.objoid, d.objsubid) = (p.classid, p.objid, p.objsubid)
    UNION ALL
    SELECT 'extension', format('%s, relocatable %s, schema %s, comment %s', e.extversion, e.extrelocatable,
                               e.extnamespace::regnamespace, obj_description(e.oid, 'pg_extension'))
      FROM extension e
    UNION ALL
    SELECT 'extension', format('dumps rows of %s %s', c.relation::regclass, c.condition)
      FROM extension e, unnest(e.extconfig, e.extcondition) c (relation, condition)
    UNION ALL
    SELECT 'function ' || m.identity, pg_get_functiondef(f.oid)
      FROM member m JOIN pg_proc f ON m.classid = 'pg_proc'::regclass AND f.oid = m.objid
     WHERE f.prokind IN ('f', 'p', 'w')
    UNION ALL
    SELECT 'relation ' || r.identity,
           format('kind %s, persistence %s, options %s, access method %s, row security %s %s, replica identity %s',
                  r.relkind, r.relpersistence, r.reloptions, a.amname, r.relrowsecurity, r.relforcerowsecurity,
                  r.relreplident)
      FROM relation r LEFT JOIN pg_am a ON a.oid = r.relam
    UNION ALL
    SELECT 'view ' || r.identity, pg_get_viewdef(r.oid) FROM relation r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'sequence ' || r.identity, format('%s %s %s %s %s %s %s, of %s', s.seqtypid::regtype, s.seqstart,
                                             s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
                                             (SELECT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
                                                FROM pg_depend d
                                               WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                                                 AND d.refclassid = 'pg_class'::regclass
                                                 AND d.deptype IN ('a', 'i')))
      FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
    UNION ALL
    SELECT format('column %s.%s', r.identity, a.attname),
           format('%s. of type %s%s, not null %s, default %s, identity %s, generated %s, storage %s, compression %s,'
                  ' statistics %s, options %s',
                  row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
                  ' collate ' || a.attcollation::regcollation, a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
                  a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attstattarget,
                  ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'))
      FROM relation r
      JOIN pg_attribute a ON a.attrelid = r.oid
      LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT p.identity, pg_get_indexdef(i.indexrelid)
           || format(' valid %s clustered %s replica identity %s', i.indisvalid, i.indisclustered, i.indisreplident)
      FROM part p JOIN pg_index i ON p.classid = 'pg_class'::regclass AND i.indexrelid = p.objid
     WHERE p.identity LIKE 'index %'
    UNION ALL
    SELECT p.identity, pg_get_constraintdef(c.oid)
      FROM part p JOIN pg_constraint c ON p.classid = 'pg_constraint'::regclass AND c.oid = p.objid
    UNION ALL
    SELECT p.identity, pg_get_triggerdef(t.oid) || format(' enabled %s', t.tgenabled)
      FROM part p JOIN pg_trigger t ON p.classid = 'pg_trigger'::regclass AND t.oid = p.objid
    UNION ALL
    SELECT p.identity,
           format('for %s, permissive %s, to %s, using %s, check %s', q.polcmd, q.polpermissive,
                  ARRAY(SELECT CASE x.role WHEN 0 THEN 'public' ELSE x.role::regrole::text END
                          FROM unnest(q.polroles) x (role) ORDER BY 1),
                  pg_get_expr(q.polqual, q.polrelid), pg_get_expr(q.polwithcheck, q.polrelid))
      FROM part p JOIN pg_policy q ON p.classid = 'pg_policy'::regclass AND q.oid = p.objid
    UNION ALL
    SELECT 'type ' || m.identity,
           format('kind %s, category %s, default %s, base %s, check %s, labels %s', t.typtype, t.typcategory,
                  t.typdefault, format_type(t.typbasetype, t.typtypmod),
                  ARRAY(SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE c.contypid = t.oid ORDER BY 1),
                  ARRAY(SELECT l.enumlabel FROM pg_enum l WHERE l.enumtypid = t.oid ORDER BY l.enumsortorder))
      FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
    UNION ALL
    -- Rights, as they are and as pg_dump takes them for granted.
    SELECT 'rights to ' || g.identity,
           format('%s: %s by %s%s', CASE x.grantee WHEN 0 THEN 'public' ELSE x.grantee::regrole::text END,
                  x.privilege_type, x.grantor::regrole, CASE WHEN x.is_grantable THEN ', grantable' END)
      FROM (SELECT m.identity, coalesce(f.proacl, acldefault('f', f.proowner)) FROM member m JOIN pg_proc f ON m.classid = 'pg_proc'::regclass AND f.oid = m.objid
            UNION ALL
            SELECT r.identity, coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, r.relowner)) FROM relation r
            UNION ALL
            SELECT format('%s.%s', r.identity, a.attname), a.attacl
              FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid WHERE NOT a.attisdropped
            UNION ALL
            SELECT m.identity, coalesce(t.typacl, acldefault('T', t.typowner)) FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
            UNION ALL
            SELECT m.identity, coalesce(n.nspacl, acldefault('n', n.nspowner))
              FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
           ) g (identity, acl), aclexplode(g.acl) x
    UNION ALL
    SELECT 'first rights to ' || m.identity || CASE WHEN i.objsubid > 0 THEN format(', column %s', a.attname) ELSE '' END,
           format('%s: %s by %s', CASE x.grantee WHEN 0 THEN 'public' ELSE x.grantee::regrole::text END,
                  x.privilege_type, x.grantor::regrole)
      FROM member m
      JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.objid
      LEFT JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum = i.objsubid
     CROSS JOIN aclexplode(i.initprivs) x
)
-- One line each, whatever the text holds.
SELECT replace(replace(format('%s: %s', f.subject, f.fact), '\', '\\'), E'\n', '\n') AS line
  FROM fact f
 ORDER BY 1;

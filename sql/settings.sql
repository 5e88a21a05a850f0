-- The settings of a connection: defaults, every key, null, wrong type, unknown key.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION echosync;
-- What a change of settings makes of one key, or the error.
CREATE FUNCTION setting(change jsonb, crm_type text DEFAULT 'lofty', base jsonb DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    hint text;
    detail text;
BEGIN
    RETURN (SELECT string_agg(k || ' = ' || v::text, ', ' ORDER BY k) FROM
            jsonb_each(echosync_settings_merge(base, change, crm_type)) e(k, v)
            WHERE jsonb_typeof(change) <> 'object' OR change ? k);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', sqlstate || ' ' || sqlerrm, nullif(detail, ''), nullif(hint, ''));
END
$$;

SELECT jsonb_pretty(echosync_settings_merge(NULL, '{}', 'lofty'));
SELECT echosync_settings_merge(NULL, '{}', 'lofty') = echosync_settings_merge(NULL, '{}', 'followupboss') AS same,
       echosync_settings_merge('{}', '{}', 'lofty') = echosync_settings_merge(NULL, '{}', 'lofty') AS same;
SELECT echosync_settings_merge(NULL, '{}', NULL) IS NULL AS no_crm;
-- What is not named stays; a merge of nothing changes nothing.
SELECT echosync_settings_merge(b, '{}', 'lofty') = b AS stays,
       echosync_settings_merge(b, '{"auto_sync": true}', 'lofty') - 'auto_sync' = b - 'auto_sync' AS others_stay
  FROM echosync_settings_merge(NULL, '{"auto_sync": false, "max_risk_score": 7.5, "sync_unscored": true, "crm_name": "x",
       "tags": [], "source": "s", "custom_fields": {"risk_score": "Risk"}, "assigned_user_id": 9007199254740993}', 'lofty') b;

-- Not an object at all.
SELECT c, setting(c::jsonb) FROM unnest(ARRAY['null', '[]', '["tags"]', '"tags"', '1', 'true']) c;
SELECT setting(NULL);
-- Unknown keys; the spelling counts.
SELECT setting(c::jsonb) FROM unnest(ARRAY['{"colour": 1}', '{"Tags": ["a"]}', '{"max_risk_score ": 1}', '{"": 1}',
    '{"auto_sync": false, "api_key": "secret"}', '{"colour": null}']) c;
SELECT length(setting(jsonb_build_object(repeat('ö', 500), 1))) < 400 AS clipped;

SELECT c, setting(('{"auto_sync": ' || c || '}')::jsonb) FROM unnest(ARRAY['true', 'false', 'null', '"true"', '1', '[]', '{}']) c;
SELECT c, setting(('{"sync_unscored": ' || c || '}')::jsonb) FROM unnest(ARRAY['true', 'false', 'null', '"yes"', '0']) c;
SELECT c, setting(('{"max_risk_score": ' || c || '}')::jsonb) FROM unnest(ARRAY['0', '20', '20.5', '20.00', '1000', '1e2', 'null',
    '1000.1', '-0.1', '-1', '1e400', '"20"', 'true', '[20]', '0.000000000000000000000000000000000000000000001']) c;
SELECT c, setting(('{"crm_name": ' || c || '}')::jsonb) FROM unnest(ARRAY['"My CRM"', '"  trimmed\t"', '""', '"  "', 'null', '1', '["a"]', '"a\nb"', '"a\u0085b"']) c;
SELECT setting(jsonb_build_object('crm_name', repeat('ö', n))) = 'crm_name = "' || repeat('ö', n) || '"' AS taken FROM unnest(ARRAY[100, 101]) n;
SELECT c, setting(('{"tags": ' || c || '}')::jsonb) FROM unnest(ARRAY['["a", "b"]', '[]', 'null', '["a", "A", " a "]', '[" x "]', '[""]',
    '["a", null]', '[1]', '"a"', '{}', '{"a": "b"}', '[["a"]]', '["a\u0007"]']) c;
SELECT n, left(setting(jsonb_build_object('tags', (SELECT jsonb_agg('t' || g) FROM generate_series(1, n) g))), 40) FROM unnest(ARRAY[20, 21]) n;
SELECT c, setting(('{"source": ' || c || '}')::jsonb) FROM unnest(ARRAY['"Web"', '" Web "', 'null', '""', '" "', '5', '[]']) c;
SELECT c, setting(('{"custom_fields": ' || c || '}')::jsonb) FROM unnest(ARRAY['{}', 'null', '{"risk_score": "Risk score"}', '{"Risk score": "risk_score"}',
    '{"risk_score": " R ", "source": "S"}', '{"colour": "Colour"}', '{"risk_score": null}', '{"risk_score": 1}', '{"risk_score": ""}',
    '{"risk_score": "R", "Q": "risk_score"}', '{"risk_score": ["R"]}', '[]', '"risk_score"']) c;
SELECT crm, c, setting(('{"delivery": ' || c || '}')::jsonb, crm)
  FROM unnest(ARRAY['lofty', 'followupboss']) crm, unnest(ARRAY['"quiet"', '"events"', 'null', '"loud"', '"Quiet"', '1']) c;
SELECT c, setting(('{"assigned_user_id": ' || c || '}')::jsonb) FROM unnest(ARRAY['1', '9223372036854775807', 'null', '0', '-5', '1.5',
    '9223372036854775808', '"7"', '"x"', 'true', '[1]', '1e3']) c;

-- Settings that were stored by hand, wrong: read with the careful default,
-- and never written back unread.
SELECT setting('{"auto_sync": true}', 'lofty', '{"max_risk_score": "much"}');
SELECT setting('{"max_risk_score": 5}', 'lofty', '{"max_risk_score": "much"}');
SELECT setting('{}', 'lofty', '[1]');

-- echosync_update_integration.
INSERT INTO crm_integrations (user_id, crm_type, status, settings, credential_kind)
VALUES ('ann', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key'),
       ('ann', 'followupboss', 'paused', echosync_settings_merge(NULL, '{}', 'followupboss'), 'api_key'),
       ('bob', 'lofty', 'paused', echosync_settings_merge(NULL, '{}', 'lofty'), 'api_key');
SELECT id AS ann_lofty FROM crm_integrations WHERE user_id = 'ann' AND crm_type = 'lofty' \gset
SELECT id AS ann_fub FROM crm_integrations WHERE user_id = 'ann' AND crm_type = 'followupboss' \gset
SELECT id AS bob FROM crm_integrations WHERE user_id = 'bob' \gset
SET echosync.user_id = 'ann';
SELECT user_id, crm_type, status, settings FROM echosync_update_integration(:'ann_lofty', '{"auto_sync": false, "tags": ["x"]}');
SELECT settings -> 'auto_sync' AS auto_sync, settings -> 'tags' AS tags, settings -> 'max_risk_score' AS max_risk_score
  FROM echosync_update_integration(:'ann_lofty', '{"max_risk_score": null}');
SELECT settings -> 'tags' AS tags FROM echosync_update_integration(:'ann_lofty', '{"tags": null}');
SELECT settings -> 'delivery' AS delivery FROM echosync_update_integration(:'ann_fub', '{"delivery": "events"}');
SELECT echosync_update_integration(:'ann_lofty', '{"delivery": "events"}');
SELECT echosync_update_integration(:'ann_lofty', '{"colour": "red"}');
SELECT echosync_update_integration(:'ann_lofty', '{"tags": ["kept"], "max_risk_score": "x"}');
SELECT echosync_update_integration(:'ann_lofty', '[]');
SELECT echosync_update_integration(:'ann_lofty', NULL);
SELECT echosync_update_integration(NULL, '{}');
-- Nothing of a refused change is kept.
SELECT settings ->> 'tags' AS tags, settings ->> 'max_risk_score' AS max_risk_score, settings ->> 'delivery' AS delivery
  FROM echosync_get_integration(:'ann_lofty');
-- Another's, and nobody's: the same answer.
SELECT echosync_update_integration(:'bob', '{}');
SELECT echosync_update_integration('00000000-0000-0000-0000-000000000000', '{}');
SELECT updated_at > created_at AS stamped FROM echosync_update_integration(:'ann_lofty', '{}');
RESET echosync.user_id;

DROP FUNCTION setting;
DROP EXTENSION echosync;

-- A mark for each organization of one kind, in the order of their ids, as one text: 32 digits of
-- the id, 32 of a hash of what is stored. `which` is 'needy' (fit, and not on), 'stored' (of these,
-- those with a stored value) or 'wrong' (the config is no JSON object).
--   psql -v schema=public -v personal=is_personal -v which=needy -v after= -v limit=10000
--        -f organizations_marks.sql
SELECT COALESCE(string_agg(mark, '' ORDER BY id), '') AS marks
FROM (
  SELECT id, replace(id::text, '-', '') || left(encode(sha256(convert_to(
           concat(COALESCE(:personal, false), ' ', COALESCE(config::text, 'NULL')),
           'UTF8')), 'hex'), 32) AS mark
  FROM :"schema".organizations
  WHERE (NULLIF(:'after', '') IS NULL OR id > NULLIF(:'after', '')::uuid)
    AND :personal IS NOT TRUE
    AND CASE WHEN :'which' = 'wrong' THEN jsonb_typeof(config) <> 'object'
             ELSE (config IS NULL OR jsonb_typeof(config) = 'object')
                  AND (config -> 'can_use_audit_logs') IS DISTINCT FROM 'true'::jsonb
                  AND (:'which' = 'needy' OR config ? 'can_use_audit_logs') END
  ORDER BY id
  LIMIT :'limit'::bigint
) AS page

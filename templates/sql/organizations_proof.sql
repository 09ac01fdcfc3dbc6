-- Of the organizations with these ids: how many there are, how many are on, and one hash over
-- everything else that is stored in config.
--   psql -v schema=public -v ids={…} -f organizations_proof.sql
SELECT count(*) AS number,
       count(*) FILTER (WHERE config -> 'can_use_audit_logs' = 'true'::jsonb) AS turned_on,
       encode(sha256(convert_to(
         COALESCE(string_agg(rest, '' ORDER BY id), ''), 'UTF8')), 'hex') AS rests
FROM (
  SELECT id, config, encode(sha256(convert_to(
           COALESCE(config - 'can_use_audit_logs', '{}')::text, 'UTF8')), 'hex') AS rest
  FROM :"schema".organizations
  WHERE id = ANY (:'ids'::uuid[])
    AND (config IS NULL OR jsonb_typeof(config) = 'object')
) AS fit

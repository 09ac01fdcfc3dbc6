-- The organizations with these ids as one text each: their marks (see organizations_marks.sql),
-- and what undo needs as lines of JSON.
--   psql -v schema=public -v personal=is_personal -v ids={…} -f organizations_kept.sql
SELECT COALESCE(string_agg(mark, '' ORDER BY id), '') AS marks,
       COALESCE(string_agg(line, chr(10) ORDER BY id), '') AS lines
FROM (
  SELECT id,
         replace(id::text, '-', '') || left(encode(sha256(convert_to(
           concat(COALESCE(personal, false), ' ', COALESCE(config::text, 'NULL')),
           'UTF8')), 'hex'), 32) AS mark,
         json_build_object(
           'id', id, 'display_name', COALESCE(display_name, ''),
           'shape', COALESCE(jsonb_typeof(config), 'sql null'),
           'present', COALESCE(config ? 'can_use_audit_logs', false),
           'value', (config -> 'can_use_audit_logs')::text,
           'rest', rest)::text AS line
  FROM (
    SELECT id, display_name, :personal AS personal, config,
           encode(sha256(convert_to(
             COALESCE(config - 'can_use_audit_logs', '{}')::text, 'UTF8')), 'hex') AS rest
    FROM :"schema".organizations
    WHERE id = ANY (:'ids'::uuid[])
      AND (config IS NULL OR jsonb_typeof(config) = 'object')
  ) AS fit
) AS told

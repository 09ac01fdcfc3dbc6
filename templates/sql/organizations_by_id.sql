-- The organizations with these ids, with the state of each one's config.
--   psql -v schema=public -v personal=is_personal -v ids={…} -f organizations_by_id.sql
SELECT id, COALESCE(display_name, '') AS display_name, COALESCE(:personal, false) AS is_personal,
       COALESCE(jsonb_typeof(config), 'sql null') AS shape,
       CASE WHEN jsonb_typeof(config) = 'object'
            THEN config ? 'can_use_audit_logs' ELSE false END AS present,
       CASE WHEN jsonb_typeof(config) = 'object'
            THEN (config -> 'can_use_audit_logs')::text END AS value,
       encode(sha256(convert_to(
         CASE WHEN config IS NULL THEN '{}'
              WHEN jsonb_typeof(config) = 'object' THEN (config - 'can_use_audit_logs')::text
              ELSE config::text END, 'UTF8')), 'hex') AS rest
FROM :"schema".organizations
WHERE id = ANY (:'ids'::uuid[])

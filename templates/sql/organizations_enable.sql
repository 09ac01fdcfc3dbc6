-- The documented UPDATE, for several rows, only where it is needed, and only where it is right:
-- NULL or an object. (JSON null, an array, a string or a number would silently become an array.)
--   psql -v schema=public -v personal=is_personal -v ids={…} -f organizations_enable.sql
UPDATE :"schema".organizations
SET config = COALESCE(config, '{}'::jsonb) || '{"can_use_audit_logs": true}'::jsonb
WHERE id = ANY (:'ids'::uuid[])
  AND :personal IS NOT TRUE
  AND (config IS NULL OR jsonb_typeof(config) = 'object')
  AND (config -> 'can_use_audit_logs') IS DISTINCT FROM 'true'::jsonb

-- How many organizations there are, by state, personal ones apart.
--   psql -v schema=public -v personal=is_personal -f organizations_count.sql
SELECT COALESCE(:personal, false) AS is_personal,
       CASE WHEN jsonb_typeof(config) <> 'object' THEN 'wrong shape'
            WHEN config IS NULL OR NOT config ? 'can_use_audit_logs' THEN 'default'
            WHEN config -> 'can_use_audit_logs' = 'true'::jsonb THEN 'on'
            ELSE 'off' END AS state,
       count(*) AS number
FROM :"schema".organizations
GROUP BY 1, 2

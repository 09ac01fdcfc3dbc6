-- The last entries, of one organization where it is given: id, time, operation. Newest first.
--   psql -v schema=public -v organization= -v limit=100 -f audit_logs_last.sql
SELECT id::text AS uid, extract(epoch FROM request_time)::float8 AS at, operation_name::text AS operation
FROM :"schema".audit_logs
WHERE :'organization' = '' OR organization_id = NULLIF(:'organization', '')::uuid
ORDER BY request_time DESC, id DESC
LIMIT :'limit'::bigint

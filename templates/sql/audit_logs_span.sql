-- The first entry's time, how many the last day has (counted up to a limit), how many there are of all
-- organizations (up to :most), and the server's clock.
--   psql -v schema=public -v organization= -v limit=100000 -v most=0 -f audit_logs_span.sql
SELECT (SELECT extract(epoch FROM min(request_time))::float8
        FROM :"schema".audit_logs
        WHERE :'organization' = '' OR organization_id = NULLIF(:'organization', '')::uuid) AS oldest,
       (SELECT count(*)
        FROM (SELECT FROM :"schema".audit_logs
              WHERE (:'organization' = '' OR organization_id = NULLIF(:'organization', '')::uuid)
                AND request_time > now() - interval '1 day'
              LIMIT :'limit'::bigint) AS day) AS day,
       (SELECT count(*) FROM (SELECT FROM :"schema".audit_logs LIMIT :'most'::bigint) AS most) AS rows,
       extract(epoch FROM now())::float8 AS now

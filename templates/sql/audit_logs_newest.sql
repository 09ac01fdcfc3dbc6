-- The newest entry's time, from the end of an index.
--   psql -v schema=public -v column=created_at -f audit_logs_newest.sql
SELECT extract(epoch FROM max(:"column"))::float8 AS newest
FROM :"schema".audit_logs

-- Sessions whose lock on the whole table keeps row locks out.
--   psql -v oid=16384 -f table_lock_holders.sql
SELECT l.pid, a.usename::text AS "user", a.application_name AS application,
       a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.locktype = 'relation' AND l.relation = :'oid'::oid
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.mode IN ('ExclusiveLock', 'AccessExclusiveLock')

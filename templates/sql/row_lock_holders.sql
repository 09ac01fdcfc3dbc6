-- Sessions whose transaction holds one of these rows, by the row's xmax. A row that several
-- sessions share has another kind of xmax and is not found here.
--   psql -v schema=public -v ids={…} -f row_lock_holders.sql
SELECT DISTINCT l.pid, a.usename::text AS "user", a.application_name AS application,
       a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM :"schema".organizations o
JOIN pg_catalog.pg_locks l
  ON l.locktype = 'transactionid' AND l.granted AND l.transactionid::text = o.xmax::text
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE o.id = ANY (:'ids'::uuid[])

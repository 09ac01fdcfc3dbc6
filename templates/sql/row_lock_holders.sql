-- Sessions whose transaction holds one of these rows, by the row's xmax, each with how many it
-- holds and the first three. A row that several sessions share has another kind of xmax and is not
-- found here.
--   psql -v schema=public -v ids={…} -f row_lock_holders.sql
SELECT l.pid, a.usename::text AS "user", a.application_name AS application,
       a.state, extract(epoch FROM statement_timestamp() - a.xact_start)::float8 AS seconds,
       count(*)::int AS rows,
       array_to_string((array_agg(o.id::text ORDER BY o.id))[1:3], ', ') AS ids
FROM :"schema".organizations o
JOIN pg_catalog.pg_locks l
  ON l.locktype = 'transactionid' AND l.granted AND l.transactionid::text = o.xmax::text
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE o.id = ANY (:'ids'::uuid[])
GROUP BY l.pid, a.usename, a.application_name, a.state, a.xact_start

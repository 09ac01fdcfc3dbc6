-- The planner's estimate of the rows in all partitions; NULL when one was never analysed.
--   psql -v oid=16384 -f audit_logs_estimate.sql
SELECT CASE WHEN bool_and(c.reltuples >= 0) THEN sum(c.reltuples)::bigint END AS estimate
FROM pg_catalog.pg_partition_tree(:'oid'::oid::regclass) p
JOIN pg_catalog.pg_class c ON c.oid = p.relid
WHERE p.isleaf

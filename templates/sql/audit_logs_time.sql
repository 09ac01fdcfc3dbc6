-- Columns of a time type that lead a B-tree index, so that the newest entry is found at once.
--   psql -v oid=16384 -f audit_logs_time.sql
SELECT DISTINCT a.attname::text AS name, format_type(a.atttypid, NULL) AS type
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree'
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = :'oid'::oid
  AND i.indisvalid AND i.indpred IS NULL
  AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype)
  AND has_column_privilege(i.indrelid, a.attnum, 'SELECT')
ORDER BY 1

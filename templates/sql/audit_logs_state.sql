-- How large the table is with all of its indexes and partitions, and whether a B-tree finds the newest
-- entries of an organization, or of all, at once. Reads the catalogue alone.
--   psql -v oid=16384 -f audit_logs_state.sql
SELECT COALESCE((SELECT sum(pg_total_relation_size(p.relid)) FROM pg_partition_tree(:'oid'::oid::regclass) p),
                pg_total_relation_size(:'oid'::oid::regclass))::bigint AS bytes,
       EXISTS (
         SELECT FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree'
         WHERE i.indrelid = :'oid'::oid AND i.indisvalid AND i.indpred IS NULL
           AND (SELECT string_agg(a.attname, ',' ORDER BY k.place)
                FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                WHERE k.place <= 2) ~ '^(organization_id,)?request_time'
       ) AS indexed

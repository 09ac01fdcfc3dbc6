-- Every table, view or other relation of this name in the database, what it is and what this
-- login may do there. Reads the catalogue alone, which everybody may.
--   psql -v table=organizations -f tables.sql
SELECT n.nspname::text AS schema,
       c.oid::bigint AS oid,
       c.relkind::text AS kind,
       c.reltuples::float8 AS estimate,
       c.relpages AS pages,
       pg_get_userbyid(c.relowner)::text AS owner,
       current_user::text AS login_role,
       row_security_active(c.oid) AS row_security,
       has_schema_privilege(n.oid, 'USAGE') AS may_use_schema,
       array_position(current_schemas(false), n.nspname) AS path_position,
       current_setting('default_transaction_read_only') = 'on' AS read_only,
       pg_is_in_recovery() AS in_recovery,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum) AS columns,
       ARRAY(SELECT format_type(a.atttypid, NULL)
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum) AS types,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND has_column_privilege(c.oid, a.attnum, 'SELECT')) AS readable,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND has_column_privilege(c.oid, a.attnum, 'UPDATE')) AS writable,
       ARRAY(SELECT t.tgname::text
             FROM pg_catalog.pg_trigger t
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
               AND t.tgtype & 16 <> 0
             ORDER BY t.tgname) AS triggers
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = :'table'
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
ORDER BY path_position NULLS LAST, n.nspname

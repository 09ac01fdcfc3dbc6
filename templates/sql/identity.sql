-- Which server and database this is, and whether the rest may be read.
SELECT split_part(current_setting('server_version'), ' ', 1) AS server_version,
       current_setting('server_version_num')::int AS version_number,
       current_database()::text AS database,
       current_user::text AS "user",
       has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may_read_control

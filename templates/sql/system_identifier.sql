-- The number that PostgreSQL gave this database cluster when it was made.
SELECT system_identifier::text AS system_identifier FROM pg_catalog.pg_control_system()

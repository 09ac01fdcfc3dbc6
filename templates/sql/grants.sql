-- The least rights that langsmith-audit needs, for a login of its own.
--   psql -v schema=public -v role=langsmith_audit -f grants.sql
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT (id, display_name, is_personal, config) ON :"schema".organizations TO :"role";
GRANT UPDATE (config) ON :"schema".organizations TO :"role";
GRANT SELECT ON :"schema".audit_logs TO :"role";

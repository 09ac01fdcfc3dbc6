-- A login of its own for langsmith-audit; what it may do is in grants.sql. The last line is left out
-- where it is to change organizations. It has no password yet: \password :role
--   psql -v role=langsmith_audit -f login.sql
CREATE ROLE :"role" LOGIN CONNECTION LIMIT 4;
ALTER ROLE :"role" SET statement_timeout = '30s';
ALTER ROLE :"role" SET default_transaction_read_only = on;

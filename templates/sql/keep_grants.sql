-- Lets a login read what the owner's migrations make anew, and all else that they make.
--   psql -v owner=langsmith -v role=langsmith_audit -v schema=public -f keep_grants.sql
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT SELECT ON TABLES TO :"role";

-- Starts the transaction of a change. It does not say READ WRITE: a database that is set to
-- read-only stays so, and the change is refused.
--   psql -v statement_limit=30s -v lock_limit=5s -v idle_limit=60s -f begin_writing.sql
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL statement_timeout = :'statement_limit';
SET LOCAL lock_timeout = :'lock_limit';
SET LOCAL idle_in_transaction_session_timeout = :'idle_limit';

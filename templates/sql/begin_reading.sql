-- Starts a transaction that can write nothing. SET LOCAL ends with it, so a pooler leaks nothing.
--   psql -v statement_limit=30s -f begin_reading.sql
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SET LOCAL statement_timeout = :'statement_limit';

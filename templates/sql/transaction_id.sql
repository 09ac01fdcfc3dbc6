-- The running transaction's number, by which its outcome can be asked after a lost connection.
SELECT pg_current_xact_id()::text AS id

-- What became of a transaction: 'committed', 'aborted' or 'in progress'; NULL when long forgotten.
--   psql -v id=12345 -f transaction_outcome.sql
SELECT pg_xact_status(:'id'::xid8) AS outcome

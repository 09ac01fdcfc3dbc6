-- Locks the chosen rows in the order of their ids, so that two runs cannot deadlock.
--   psql -v schema=public -v ids={…} -f organizations_lock.sql
SELECT id
FROM :"schema".organizations
WHERE id = ANY (:'ids'::uuid[])
ORDER BY id
FOR UPDATE

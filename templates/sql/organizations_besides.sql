-- Of the organizations with these ids, one hash for each column and each key of config but the one
-- that the change is about: what else moved shows in it, and no content leaves the server. The sum
-- does not depend on the order of the rows.
--   psql -v schema=public -v row="to_jsonb(o)" -v ids={…} -f organizations_besides.sql
SELECT part.name, sum(hashtextextended(o.id::text || ' ' || part.value, 0))::text AS hash
FROM (SELECT id, :row AS content FROM :"schema".organizations AS o
      WHERE id = ANY (:'ids'::uuid[])) AS o,
LATERAL (
  SELECT key AS name, value::text AS value FROM jsonb_each(o.content - 'config')
  UNION ALL
  SELECT 'config.' || key, value::text
  FROM jsonb_each(CASE WHEN jsonb_typeof(o.content -> 'config') = 'object'
                       THEN (o.content -> 'config') - 'can_use_audit_logs' ELSE '{}' END)
) AS part
GROUP BY part.name

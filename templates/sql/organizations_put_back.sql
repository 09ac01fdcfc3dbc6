-- Puts the key's prior state back: absent (value NULL), or the JSON text that was there. A config
-- that was NULL becomes NULL again, but only when nothing else has been put into it since.
--   psql -v schema=public -v ids={…} -v nulls={…} -v values={…} -f organizations_put_back.sql
UPDATE :"schema".organizations AS o
SET config = CASE
    WHEN prior.was_null THEN NULL
    WHEN prior.value IS NULL THEN o.config - 'can_use_audit_logs'
    ELSE jsonb_set(o.config, '{can_use_audit_logs}', prior.value::jsonb) END
FROM unnest(:'ids'::uuid[], :'nulls'::boolean[], :'values'::text[])
     AS prior (id, was_null, value)
WHERE o.id = prior.id
  AND jsonb_typeof(o.config) = 'object'
  AND o.config -> 'can_use_audit_logs' = 'true'::jsonb
  AND (NOT prior.was_null OR o.config - 'can_use_audit_logs' = '{}'::jsonb)

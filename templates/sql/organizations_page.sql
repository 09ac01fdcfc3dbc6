-- One page of organizations after a given name and id, with the state of each one's config. The
-- config itself stays in the server: of everything but the one key there is only a hash. With
-- by_id=true and sorted_by="''::text" the page is ordered by id alone, by the primary key's index.
--   psql -v schema=public -v personal=is_personal -v sorted_by="COALESCE(display_name, '')"
--        -v by_id=false -v pattern=% -v prefix= -v after_name= -v after_id= -v only_off=false
--        -v with_personal=true -v limit=50 -f organizations_page.sql
SELECT id, display_name, is_personal,
       COALESCE(jsonb_typeof(config), 'sql null') AS shape,
       CASE WHEN jsonb_typeof(config) = 'object'
            THEN config ? 'can_use_audit_logs' ELSE false END AS present,
       CASE WHEN jsonb_typeof(config) = 'object'
            THEN (config -> 'can_use_audit_logs')::text END AS value,
       encode(sha256(convert_to(
         CASE WHEN config IS NULL THEN '{}'
              WHEN jsonb_typeof(config) = 'object' THEN (config - 'can_use_audit_logs')::text
              ELSE config::text END, 'UTF8')), 'hex') AS rest
FROM (
  SELECT id, COALESCE(display_name, '') AS display_name, COALESCE(:personal, false) AS is_personal,
         config
  FROM :"schema".organizations
  WHERE (:'pattern' = '%' OR display_name ILIKE :'pattern'
         OR (:'prefix' <> '' AND id::text LIKE :'prefix'))
    AND (NULLIF(:'after_id', '') IS NULL
         OR (:sorted_by, id) > (:'after_name', NULLIF(:'after_id', '')::uuid))
    AND (NULLIF(:'after_id', '') IS NULL OR NOT :'by_id'::boolean
         OR id > NULLIF(:'after_id', '')::uuid)
    AND (:'with_personal'::boolean OR :personal IS NOT TRUE)
    AND (NOT :'only_off'::boolean
         OR (jsonb_typeof(config) = 'object' AND config ? 'can_use_audit_logs'
             AND config -> 'can_use_audit_logs' <> 'true'::jsonb))
  ORDER BY :sorted_by, id
  LIMIT :'limit'::bigint
) AS page
ORDER BY :sorted_by, id

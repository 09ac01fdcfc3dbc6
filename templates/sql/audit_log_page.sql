-- Entries of audit_logs by (request_time, id) after a given place, the columns of each as the OCSF
-- event takes them: JSON as text, the rest as it is. The event itself is put together by the tool:
-- three times as long as these columns is what the same took here. With :step > and :order ASC the
-- oldest come first, with < and DESC the newest.
--   psql -v schema=public -v step='>' -v order=ASC -v start=-infinity -v end=infinity
--        -v after_time=-infinity -v after_id=00000000-0000-0000-0000-000000000000
--        -v organizations={} -v operations={} -v workspace= -v limit=100 -f audit_log_page.sql
SELECT (date_part('epoch', request_time) * 1000000)::bigint AS moment, id,
  operation_name, operation_succeeded,
  to_char(request_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS request_time,
  api_key_id, user_id, ls_user_id, organization_id, workspace_id,
  enrichments -> 'request_method' AS request_method, enrichments -> 'request_path' AS request_path,
  enrichments -> 'response_status_code' AS response_status_code,
  enrichments -> 'client_host' AS client_host, enrichments -> 'client_port' AS client_port,
  enrichments ->> 'x_forwarded_for' AS x_forwarded_for,
  enrichments -> 'resource_ids' AS resource_ids, enrichments
FROM (
  SELECT *
  FROM :"schema".audit_logs
  WHERE request_time BETWEEN :'start'::timestamptz AND :'end'::timestamptz
    AND (request_time, id) :step (:'after_time'::timestamptz, :'after_id'::uuid)
    AND (:'organizations' = '{}' OR organization_id = ANY(:'organizations'::uuid[]))
    AND (:'operations' = '{}' OR operation_name = ANY(:'operations'::text[]))
    AND (:'workspace' = '' OR workspace_id = NULLIF(:'workspace', '')::uuid)
  ORDER BY request_time :order, id :order
  LIMIT :'limit'::bigint
) AS page
ORDER BY page.request_time :order, page.id :order

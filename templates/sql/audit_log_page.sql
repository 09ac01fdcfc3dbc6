-- Entries of audit_logs by (request_time, id) after a given place: microseconds, id, and the OCSF event
-- that the API makes of it, put together as text (json_build_object takes three times as long). What no
-- documentation fixes: the activity is told by the verb of the operation's name, `time` is in seconds
-- as in the article's sample, and the source is the first address of X-Forwarded-For, else the
-- client's. With :step > and :order ASC the oldest come first, with < and DESC the newest.
--   psql -v schema=public -v step='>' -v order=ASC -v start=-infinity -v end=infinity
--        -v after_time=-infinity -v after_id=00000000-0000-0000-0000-000000000000
--        -v organizations={} -v operations={} -v workspace= -v limit=100 -f audit_log_page.sql
SELECT (extract(epoch FROM request_time) * 1000000)::bigint AS moment, id::text AS uid, concat(
  '{"class_uid": 6003,"class_name": "API Activity","category_uid": 6,',
  '"category_name": "Application Activity","severity_id": 99,',
  CASE activity WHEN 1 THEN '"type_uid": 600301,"activity_id": 1,"activity_name": "Create",'
                WHEN 2 THEN '"type_uid": 600302,"activity_id": 2,"activity_name": "Read",'
                WHEN 3 THEN '"type_uid": 600303,"activity_id": 3,"activity_name": "Update",'
                WHEN 4 THEN '"type_uid": 600304,"activity_id": 4,"activity_name": "Delete",'
                ELSE '"type_uid": 600399,"activity_id": 99,"activity_name": "Other",' END,
  CASE operation_succeeded WHEN true THEN '"status_id": 1,"status": "Success"'
                           WHEN false THEN '"status_id": 2,"status": "Failure"'
                           ELSE '"status_id": 0,"status": "Unknown"' END,
  ',"time": ', floor(extract(epoch FROM request_time)), ',"metadata": {"uid": "', id,
  '","product": {"name": "LangSmith","vendor_name": "LangChain"}},"api": {"operation": ',
  to_json(operation_name), '},"http_request": {"http_method": ',
  COALESCE(enrichments -> 'request_method', 'null'), ',"url": {"path": ',
  COALESCE(enrichments -> 'request_path', 'null'), '}},"http_response": {"code": ',
  COALESCE(enrichments -> 'response_status_code', 'null'), '},"actor": {"user": {"uid": ',
  COALESCE('"' || COALESCE(ls_user_id, user_id) || '"', 'null'), ',"credential_uid": ',
  COALESCE('"' || api_key_id || '"', 'null'), '}},"src_endpoint": {"ip": ',
  CASE WHEN hops IS NULL THEN COALESCE(enrichments -> 'client_host', 'null')
       ELSE to_jsonb(hops[1]) END, ',"port": ',
  COALESCE(enrichments -> 'client_port', 'null'), ',"intermediate_ips": ',
  CASE WHEN cardinality(hops) > 1 THEN to_json(hops[2:]) ELSE 'null' END, '},"resources": ',
  CASE jsonb_array_length(resources) WHEN 0 THEN '[]'
       WHEN 1 THEN concat('[{"uid": ', resources -> 0, '}]')
       ELSE (SELECT jsonb_agg(jsonb_build_object('uid', it))::text
             FROM jsonb_array_elements(resources) it) END,
  ',"unmapped": {"original_audit_log": {"id": "', id, '","operation_name": ', to_json(operation_name),
  ',"operation_succeeded": ', COALESCE(to_json(operation_succeeded)::text, 'null'),
  ',"request_time": "', replace(to_char(request_time AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', ''),
  'Z","api_key_id": ', COALESCE('"' || api_key_id || '"', 'null'),
  ',"user_id": ', COALESCE('"' || user_id || '"', 'null'),
  ',"ls_user_id": ', COALESCE('"' || ls_user_id || '"', 'null'),
  ',"organization_id": ', COALESCE('"' || organization_id || '"', 'null'),
  ',"workspace_id": ', COALESCE('"' || workspace_id || '"', 'null'),
  ',"enrichments": ', COALESCE(enrichments, 'null'), '}}}') AS text
FROM (
  SELECT *,
    CASE
      WHEN split_part(operation_name, '_', 1) IN ('create', 'add', 'invite', 'clone', 'register',
        'generate', 'mint', 'submit', 'upsert', 'populate') THEN 1
      WHEN split_part(operation_name, '_', 1) IN ('get', 'list', 'read', 'query', 'count', 'diff',
        'download', 'export', 'stream', 'batch') THEN 2
      WHEN split_part(operation_name, '_', 1) IN ('update', 'set', 'rename', 'attach', 'sync',
        'resolve', 'share', 'unshare', 'confirm', 'claim') THEN 3
      WHEN split_part(operation_name, '_', 1) IN ('delete', 'remove', 'revoke', 'bulk') THEN 4
      ELSE 99 END AS activity,
    CASE WHEN enrichments ->> 'x_forwarded_for' <> ''
      THEN string_to_array(replace(enrichments ->> 'x_forwarded_for', ' ', ''), ',') END AS hops,
    CASE WHEN jsonb_typeof(enrichments -> 'resource_ids') = 'array'
      THEN enrichments -> 'resource_ids' ELSE '[]' END AS resources
  FROM :"schema".audit_logs
  WHERE request_time BETWEEN :'start'::timestamptz AND :'end'::timestamptz
    AND (request_time, id) :step (:'after_time'::timestamptz, :'after_id'::uuid)
    AND (:'organizations' = '{}' OR organization_id = ANY(:'organizations'::uuid[]))
    AND (:'operations' = '{}' OR operation_name = ANY(:'operations'::text[]))
    AND (:'workspace' = '' OR workspace_id = NULLIF(:'workspace', '')::uuid)
  ORDER BY request_time :order, id :order
  LIMIT :'limit'::bigint
) AS page
ORDER BY request_time :order, id :order

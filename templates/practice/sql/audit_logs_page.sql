-- A page of the API: the entries as OCSF 1.7.0 API Activity, newest first, by psycopg's parameters.
SELECT id, request_time, json_build_object(
    'class_uid', 6003, 'class_name', 'API Activity',
    'category_uid', 6, 'category_name', 'Application Activity', 'severity_id', 99,
    'type_uid', 600300 + activity, 'activity_id', activity,
    'activity_name', %(activities)s::json ->> activity::text,
    'status_id', CASE operation_succeeded WHEN true THEN 1 WHEN false THEN 2 ELSE 0 END,
    'status', CASE operation_succeeded WHEN true THEN 'Success' WHEN false THEN 'Failure'
                                       ELSE 'Unknown' END,
    'time', floor(extract(epoch FROM request_time))::bigint,
    'metadata', json_build_object('uid', id, 'product', json_build_object(
        'name', 'LangSmith', 'vendor_name', 'LangChain')),
    'api', json_build_object('operation', operation_name),
    'http_request', json_build_object('http_method', enrichments ->> 'request_method',
        'url', json_build_object('path', enrichments ->> 'request_path')),
    'http_response', json_build_object('code', enrichments -> 'response_status_code'),
    'actor', json_build_object('user', json_build_object(
        'uid', COALESCE(ls_user_id, user_id), 'credential_uid', api_key_id)),
    'src_endpoint', json_build_object('ip', enrichments -> 'client_host',
        'port', enrichments -> 'client_port', 'intermediate_ips', NULL),
    'resources', (SELECT COALESCE(json_agg(json_build_object('uid', it)), '[]')
                  FROM jsonb_array_elements_text(enrichments -> 'resource_ids') it),
    'unmapped', json_build_object('original_audit_log', json_build_object(
        'id', id, 'operation_name', operation_name, 'operation_succeeded', operation_succeeded,
        'request_time', replace(to_char(request_time AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', ''),
        'api_key_id', api_key_id, 'user_id', user_id, 'ls_user_id', ls_user_id,
        'organization_id', organization_id, 'workspace_id', workspace_id,
        'enrichments', enrichments))) AS ocsf
FROM (
    SELECT *, COALESCE((%(kinds)s::json ->> operation_name)::int, 99) AS activity
    FROM audit_logs
    WHERE organization_id = %(organization_id)s
      AND request_time BETWEEN %(start)s AND %(end)s
      AND (%(after_id)s::uuid IS NULL
           OR (request_time, id) < (%(after_time)s::timestamptz, %(after_id)s::uuid))
      AND (%(tenant_id)s::uuid IS NULL OR workspace_id = %(tenant_id)s::uuid)
      AND (%(operations)s::text[] IS NULL OR operation_name = ANY(%(operations)s::text[]))
    ORDER BY request_time DESC, id DESC
    LIMIT %(count)s
) AS page
ORDER BY request_time DESC, id DESC

"""One audit log event as LangSmith's API gives it."""

EVENT = {
    "class_uid": 6003,
    "class_name": "API Activity",
    "category_uid": 6,
    "category_name": "Application Activity",
    "type_uid": 600301,
    "activity_id": 1,
    "activity_name": "Create",
    "severity_id": 99,
    "status_id": 1,
    "status": "Success",
    "time": 1706400000,
    "metadata": {"uid": "m", "product": {"name": "LangSmith"}, "version": "1.7.0"},
    "api": {"operation": "create_api_key"},
    "http_request": {"http_method": "POST", "url": {"path": "/api/v1/api-keys"}},
    "http_response": {"code": 200},
    "actor": {"user": {"uid": "u", "credential_uid": "c"}},
    "src_endpoint": {"ip": "10.0.0.1"},
    "resources": [{"uid": "r"}],
    "unmapped": {"original_audit_log": {"x": 1}},
}

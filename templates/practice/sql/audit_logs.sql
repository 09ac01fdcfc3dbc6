-- What the migrations Job adds from app version 0.12.72 (chart 0.12.33) on: the columns that the
-- API's own schema names (AuditLogMessage), everything else of a request in enrichments.

CREATE TABLE IF NOT EXISTS audit_logs (
    id uuid PRIMARY KEY,
    operation_name text NOT NULL,
    operation_succeeded boolean,
    request_time timestamptz NOT NULL,
    api_key_id uuid,
    user_id uuid,
    ls_user_id uuid,
    organization_id uuid REFERENCES organizations (id),
    workspace_id uuid,
    enrichments jsonb
);

CREATE INDEX IF NOT EXISTS audit_logs_by_time
    ON audit_logs (organization_id, request_time DESC, id DESC);

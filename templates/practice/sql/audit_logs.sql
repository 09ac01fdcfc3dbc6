-- What the migrations Job adds from app version 0.12.72 (chart 0.12.33) on.

CREATE TABLE IF NOT EXISTS audit_logs (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    tenant_id uuid,
    created_at timestamptz NOT NULL,
    operation_name text NOT NULL,
    ocsf jsonb NOT NULL
);

CREATE INDEX IF NOT EXISTS audit_logs_by_time
    ON audit_logs (organization_id, created_at DESC, id DESC);

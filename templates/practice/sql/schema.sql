-- The tables of LangSmith that matter for practice. The columns of organizations are the real
-- ones as far as the chart's own scripts show them; the rest is what the stand-in needs.

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    display_name text NOT NULL,
    is_personal boolean NOT NULL DEFAULT false,
    config jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    display_name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    full_name text NOT NULL
);

CREATE TABLE identities (
    user_id uuid NOT NULL REFERENCES users (id),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    role text NOT NULL CHECK (role IN ('ORGANIZATION_ADMIN', 'ORGANIZATION_VIEWER')),
    PRIMARY KEY (user_id, organization_id)
);

-- A personal access token has a user; a service key has an organization.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    hashed_key text NOT NULL UNIQUE,
    user_id uuid REFERENCES users (id),
    organization_id uuid REFERENCES organizations (id),
    CHECK ((user_id IS NULL) <> (organization_id IS NULL))
);

CREATE TABLE tag_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    key text NOT NULL,
    description text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, key)
);

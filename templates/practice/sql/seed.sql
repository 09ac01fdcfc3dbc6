-- An installation that is a year old: five organizations, one of each kind that the documented
-- UPDATE meets. The keys are hashed with the release's salt, as LangSmith keeps them.

INSERT INTO organizations (id, display_name, is_personal, config, created_at) VALUES
    (%(off)s, 'Meridian Freight', false,
     '{"max_identities": 250, "can_use_rbac": true, "can_use_audit_logs": false}',
     now() - interval '412 days'),
    (%(null)s, 'O''Rourke & Daughters', false, NULL, now() - interval '388 days'),
    (%(empty)s, 'Tidewater Research', false, '{}', now() - interval '201 days'),
    (%(personal)s, 'Personal', true, '{"can_use_audit_logs": false}',
     now() - interval '410 days'),
    (%(on)s, 'Halden Analytics', false,
     '{"max_identities": 40, "can_use_rbac": true, "can_use_audit_logs": true}',
     now() - interval '35 days');

INSERT INTO tenants (organization_id, display_name)
    SELECT id, CASE WHEN is_personal THEN 'Personal' ELSE 'Workspace 1' END FROM organizations;

INSERT INTO users (id, email, full_name) VALUES
    (%(admin_user)s, 'ines.moreau@example.com', 'Ines Moreau'),
    (%(viewer_user)s, 'tomas.lind@example.com', 'Tomas Lind');

INSERT INTO identities (user_id, organization_id, role)
    SELECT %(admin_user)s::uuid, id, 'ORGANIZATION_ADMIN' FROM organizations
    UNION ALL
    SELECT %(viewer_user)s::uuid, id, 'ORGANIZATION_VIEWER' FROM organizations
    WHERE NOT is_personal;

INSERT INTO api_keys (hashed_key, user_id, organization_id) VALUES
    (%(admin_hash)s, %(admin_user)s, NULL),
    (%(viewer_hash)s, %(viewer_user)s, NULL),
    (%(service_hash)s, NULL, %(off)s);

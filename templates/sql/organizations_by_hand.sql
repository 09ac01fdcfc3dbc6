-- Audit logs for LangSmith organizations, to be run by a DBA in any client; all or nothing.
-- Keep the first result: it holds the prior values. A refusal rolls everything back.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = :'lock_limit';
SET LOCAL statement_timeout = :'statement_limit';
SET LOCAL row_security = off;

CREATE TEMPORARY TABLE langsmith_audit_chosen ON COMMIT DROP AS
:chosen;

SELECT o.id, o.display_name, o.config -> 'can_use_audit_logs' AS before
FROM :"schema".organizations AS o
WHERE o.id IN (SELECT id FROM langsmith_audit_chosen)
ORDER BY o.id
FOR UPDATE;

DO :tag
DECLARE
    chosen bigint; present bigint; unfit bigint; needy bigint; written bigint; proved bigint;
BEGIN
    IF (SELECT c.relkind::text || ' ' || format_type(a.atttypid, NULL)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'config'
        WHERE c.oid = :'table'::regclass) NOT IN ('r jsonb', 'p jsonb') THEN
        RAISE EXCEPTION 'organizations is not a table with a jsonb column config';
    END IF;
    SELECT count(*), count(o.id),
           count(*) FILTER (WHERE jsonb_typeof(o.config) <> 'object'
                OR (to_jsonb(o) ->> 'is_personal')::boolean),
           count(o.id) FILTER (
                WHERE o.config -> 'can_use_audit_logs' IS DISTINCT FROM 'true'::jsonb)
      INTO chosen, present, unfit, needy
      FROM langsmith_audit_chosen AS c
      LEFT JOIN :"schema".organizations AS o ON o.id = c.id;
    IF present <> chosen THEN
        RAISE EXCEPTION '% of % organizations are not there', chosen - present, chosen;
    ELSIF unfit > 0 THEN
        RAISE EXCEPTION '% organizations are personal, or their config is no JSON object', unfit;
    END IF;

    UPDATE :"schema".organizations
    SET config = COALESCE(config, '{}'::jsonb) || '{"can_use_audit_logs": true}'::jsonb
    WHERE id IN (SELECT id FROM langsmith_audit_chosen)
      AND (config -> 'can_use_audit_logs') IS DISTINCT FROM 'true'::jsonb;

    GET DIAGNOSTICS written = ROW_COUNT;
    SELECT count(*) INTO proved
      FROM :"schema".organizations
     WHERE id IN (SELECT id FROM langsmith_audit_chosen)
       AND config -> 'can_use_audit_logs' = 'true'::jsonb;
    IF written <> needy OR proved <> chosen THEN
        RAISE EXCEPTION '% rows written and % proved where % and % were expected',
            written, proved, needy, chosen;
    END IF;
    RAISE NOTICE '% of % organizations changed, the others were on already', written, chosen;
END :tag;

COMMIT;

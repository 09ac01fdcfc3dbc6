{{- /* Environments of the containers: a list each, merged and searched for names that come twice. */}}

{{- /* (list $ "VARIABLE" "secret" "key") */}}
{{- define "langsmith.fromSecret" -}}
{{- $root := index . 0 }}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 2 }}
      key: {{ index . 3 }}
      optional: {{ $root.Values.config.disableSecretCreation }}
{{- end }}

{{- define "langsmith.hostnameOnly" -}}
{{- regexReplaceAll "^[A-Za-z][A-Za-z0-9.+-]*://" .Values.config.hostname "" -}}
{{- end }}

{{- define "langsmith.commonEnv" -}}
{{- $own := include "langsmith.secretsName" . -}}
{{- $clickhouse := include "langsmith.clickhouseSecretsName" . -}}
{{- $config := .Values.config -}}
{{- $external := .Values.postgres.external -}}
{{- include "langsmith.fromSecret" (list . "POSTGRES_DATABASE_URI" (include "langsmith.postgresSecretsName" .) $external.connectionUrlSecretKey) }}
{{- if $external.enabled }}
- {name: POSTGRES_SCHEMA, value: {{ $external.schema | quote }}}
- {name: POSTGRES_TLS, value: {{ $external.customTls | quote }}}
{{- end }}
{{- if $config.hostname }}
- {name: LANGSMITH_URL, value: {{ include "langsmith.hostnameOnly" . | quote }}}
{{- end }}
- {name: REDIS_CLUSTER_ENABLED, value: {{ .Values.redis.external.cluster.enabled | quote }}}
{{- include "langsmith.fromSecret" (list . "REDIS_DATABASE_URI" (include "langsmith.redisSecretsName" .) .Values.redis.external.connectionUrlSecretKey) }}
- {name: CLICKHOUSE_HYBRID, value: {{ .Values.clickhouse.external.hybrid | quote }}}
{{- range $variable := list "DB" "HOST" "PORT" "NATIVE_PORT" "USER" "PASSWORD" "TLS" }}
{{- include "langsmith.fromSecret" (list $ (printf "CLICKHOUSE_%s" $variable) $clickhouse (printf "clickhouse_%s" (lower $variable))) }}
{{- end }}
- name: CLICKHOUSE_CLUSTER
  value: {{ .Values.clickhouse.external.cluster }}
- {name: LOG_LEVEL, value: {{ $config.logLevel | quote }}}
{{- if $config.oauth.enabled }}
{{- include "langsmith.fromSecret" (list . "OAUTH_CLIENT_ID" $own "oauth_client_id") }}
{{- include "langsmith.fromSecret" (list . "OAUTH_ISSUER_URL" $own "oauth_issuer_url") }}
{{- end }}
{{- include "langsmith.fromSecret" (list . "LANGSMITH_LICENSE_KEY" $own "langsmith_license_key") }}
{{- include "langsmith.fromSecret" (list . "API_KEY_SALT" $own "api_key_salt") }}
- {name: BASIC_AUTH_ENABLED, value: {{ $config.basicAuth.enabled | quote }}}
{{- if $config.basicAuth.enabled }}
{{- include "langsmith.fromSecret" (list . "BASIC_AUTH_JWT_SECRET" $own "jwt_secret") }}
{{- end }}
- {name: FF_ORG_CREATION_DISABLED, value: {{ $config.userOrgCreationDisabled | quote }}}
- {name: FF_PERSONAL_ORGS_DISABLED, value: {{ $config.personalOrgsDisabled | quote }}}
{{- if $config.ttl.enabled }}
- {name: FF_TRACE_TIERS_ENABLED, value: "true"}
- {name: FF_UPGRADE_TRACE_TIER_ENABLED, value: "true"}
- name: TRACE_TIER_TTL_DURATION_SEC_MAP
  value: {{ printf `{ "longlived": %s, "shortlived": %s }` $config.ttl.ttl_period_seconds.longlived $config.ttl.ttl_period_seconds.shortlived | quote }}
{{- end }}
- {name: FF_CH_SEARCH_ENABLED, value: "true"}
{{- $given := list }}
{{- range .Values.commonEnv }}{{ $given = append $given .name }}{{ end }}
{{- if not (has "X_SERVICE_AUTH_JWT_SECRET" $given) }}
{{- include "langsmith.fromSecret" (list . "X_SERVICE_AUTH_JWT_SECRET" $own "api_key_salt") }}
{{- end }}
- {name: REDIS_RUNS_EXPIRY_SECONDS, value: {{ $config.settings.redisRunsExpirySeconds | quote }}}
- {name: ENABLE_LGP_DEPLOYMENT_HEALTH_CHECK, value: {{ $config.deployment.ingressHealthCheckEnabled | quote }}}
{{- end }}

{{- /* (dict "root" $ "part" .Values.backend): PORT, and the prefix of the API's documentation */}}
{{- define "langsmith.portEnv" -}}
- {name: PORT, value: {{ .part.containerPort | quote }}}
{{- with .root.Values.config.basePath }}
- {name: DOCS_PREFIX, value: {{ printf "/%s/api" . | quote }}}
{{- end }}
{{- end }}

{{- /* The list as YAML; a name twice ends the rendering. */}}
{{- define "langsmith.env" -}}
{{- $seen := dict -}}
{{- $twice := list -}}
{{- range . -}}
{{- if hasKey $seen .name }}{{ $twice = append $twice .name }}{{ end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- if $twice }}{{ fail (printf "Duplicate keys detected: %v" $twice) }}{{ end -}}
{{- with . }}{{ toYaml . }}{{ end -}}
{{- end }}

{{- define "langsmith.postgresEnv" -}}
{{- $secret := include "langsmith.postgresSecretsName" . -}}
{{- include "langsmith.fromSecret" (list . "POSTGRES_DB" $secret "postgres_db") }}
{{- include "langsmith.fromSecret" (list . "POSTGRES_PASSWORD" $secret "postgres_password") }}
{{- include "langsmith.fromSecret" (list . "POSTGRES_USER" $secret "postgres_user") }}
- {name: PGDATA, value: /var/lib/postgresql/data/postgres}
{{- end }}

{{- define "langsmith.clickhouseEnv" -}}
{{- $secret := include "langsmith.clickhouseSecretsName" . -}}
{{- range list "DB" "USER" "PASSWORD" }}
{{- include "langsmith.fromSecret" (list $ (printf "CLICKHOUSE_%s" .) $secret (printf "clickhouse_%s" (lower .))) }}
{{- end }}
{{- end }}

{{- define "langsmith.bootstrapEnv" -}}
{{- $config := .Values.config -}}
- {name: INITIAL_ORG_ADMIN_EMAIL, value: {{ $config.initialOrgAdminEmail | default $config.basicAuth.initialOrgAdminEmail | quote }}}
{{- if $config.basicAuth.enabled }}
{{- include "langsmith.fromSecret" (list . "INITIAL_ORG_ADMIN_PASSWORD" (include "langsmith.secretsName" .) "initial_org_admin_password") }}
{{- end }}
- {name: INITIAL_ORG_NAME, value: {{ $config.initialOrgName | quote }}}
- {name: DEFAULT_WORKSPACE_NAME, value: {{ $config.defaultWorkspaceName | quote }}}
{{- end }}

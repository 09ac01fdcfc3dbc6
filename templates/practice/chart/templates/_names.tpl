{{- /* Names and labels, put together as the LangSmith chart does. */}}

{{- define "langsmith.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "langsmith.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- $full | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "langsmith.namespace" -}}
{{- .Values.namespace | default .Release.Namespace -}}
{{- end }}

{{- /* (dict "root" $ "part" .Values.backend) → the object name of a component */}}
{{- define "langsmith.component" -}}
{{- printf "%s-%s" (include "langsmith.fullname" .root) .part.name -}}
{{- end }}

{{- define "langsmith.host" -}}
{{- printf "%s.%s.svc.%s" (include "langsmith.component" .) (include "langsmith.namespace" .root) .root.Values.clusterDomain -}}
{{- end }}

{{- define "langsmith.selectorLabels" -}}
app.kubernetes.io/name: {{ include "langsmith.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "langsmith.plainLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "langsmith.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* (dict "root" $ "name" … and optionally "component" "labels" "annotations" "hook") */}}
{{- define "langsmith.metadata" -}}
name: {{ .name }}
namespace: {{ include "langsmith.namespace" .root }}
labels:
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "langsmith.plainLabels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
annotations:
  {{- with .hook }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.commonAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "langsmith.plainLabels" .root | nindent 2 }}
  {{- with .annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "langsmith.podLabels" -}}
{{- range list .root.Values.commonLabels .labels }}
{{- with . }}
{{- toYaml . }}
{{ end -}}
{{- end -}}
{{ include "langsmith.plainLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "langsmith.serviceAccountName" -}}
{{- if .part.serviceAccount.create -}}
{{- .part.serviceAccount.name | default (include "langsmith.component" .) | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- .part.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "langsmith.secretsName" -}}
{{- .Values.config.existingSecretName | default (printf "%s-secrets" (include "langsmith.fullname" .)) -}}
{{- end }}
{{- define "langsmith.postgresSecretsName" -}}
{{- .Values.postgres.external.existingSecretName | default (printf "%s-postgres" (include "langsmith.fullname" .)) -}}
{{- end }}
{{- define "langsmith.redisSecretsName" -}}
{{- .Values.redis.external.existingSecretName | default (printf "%s-redis" (include "langsmith.fullname" .)) -}}
{{- end }}
{{- define "langsmith.clickhouseSecretsName" -}}
{{- .Values.clickhouse.external.existingSecretName | default (printf "%s-clickhouse" (include "langsmith.fullname" .)) -}}
{{- end }}

{{- define "langsmith.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- $name := printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- with .root.Values.images.registry }}{{ . }}/{{ end }}{{ $name -}}
{{- end }}

{{- /* Migrations run before the upgrade from 0.14.0 on. */}}
{{- define "langsmith.migrationHook" -}}
{{- ternary "post-install, pre-upgrade" "post-install, post-upgrade" (semverCompare ">=0.14.0-0" .Chart.Version) -}}
{{- end }}

{{- /* The objects of a component; each file of a component names what differs. */}}

{{- /* Pods roll when what they read at their start has changed. */}}
{{- define "langsmith.checksums" -}}
{{- $files := dict "config" "config-map" "frontend-config" "frontend/config-map" -}}
{{- $values := .Values -}}
{{- if not $values.config.existingSecretName }}{{ $_ := set $files "secrets" "secrets" }}{{ end -}}
{{- range list "postgres" "redis" "clickhouse" -}}
{{- if not (index $values . "external" "existingSecretName") }}{{ $_ := set $files . (printf "%s/secrets" .) }}{{ end -}}
{{- end -}}
{{- range $name, $file := $files }}
checksum/{{ $name }}: {{ include (printf "%s/%s.yaml" $.Template.BasePath $file) $ | sha256sum }}
{{- end }}
{{- end }}

{{- /* (dict "root" $ "part" .Values.backend "image" "backendImage" "port" "backend" "env" $list) */}}
{{- define "langsmith.deployment" -}}
{{- $name := include "langsmith.component" . -}}
{{- $rollout := .part.rollout.enabled -}}
{{- $own := .part.deployment -}}
apiVersion: {{ ternary "argoproj.io/v1alpha1" "apps/v1" $rollout }}
kind: {{ ternary "Rollout" "Deployment" $rollout }}
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" $name "labels" $own.labels "annotations" $own.annotations) | nindent 2 }}
spec:
  {{- if not .part.autoscaling.enabled }}
  replicas: {{ $own.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "langsmith.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ $name }}
  template:
    metadata:
      annotations:
        {{- with .root.Values.commonPodAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "langsmith.checksums" .root | nindent 8 }}
        {{- with $own.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        {{- include "langsmith.podLabels" (dict "root" .root "labels" $own.labels "component" $name) | nindent 8 }}
    spec:
      terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds }}
      serviceAccountName: {{ include "langsmith.serviceAccountName" . }}
      {{- with .root.Values.images.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .part.name }}
          command:
            {{- toYaml $own.command | nindent 12 }}
          env:
            {{- include "langsmith.env" .env | nindent 12 }}
          envFrom:
            - configMapRef:
                name: {{ include "langsmith.fullname" .root }}-config
          image: {{ include "langsmith.image" . | quote }}
          imagePullPolicy: {{ (index .root.Values.images .image).pullPolicy }}
          ports:
            - {name: {{ .port }}, containerPort: {{ .part.containerPort }}, protocol: TCP}
          readinessProbe:
            httpGet: {path: /health, port: {{ .part.containerPort }}}
            {{- toYaml $own.readinessProbe | nindent 12 }}
          resources:
            {{- toYaml $own.resources | nindent 12 }}
  {{- if $rollout }}
  strategy:
    {{- toYaml .part.rollout.strategy | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* (dict "root" $ "part" .Values.postgres "image" "postgresImage" "ports" $ports "data" "/path" "env" $list) */}}
{{- define "langsmith.statefulSet" -}}
{{- $name := include "langsmith.component" . -}}
{{- $own := .part.statefulSet -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" $name "labels" $own.labels "annotations" $own.annotations) | nindent 2 }}
spec:
  serviceName: {{ $name }}
  replicas: 1
  selector:
    matchLabels:
      {{- include "langsmith.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ $name }}
  template:
    metadata:
      {{- with merge (dict) $own.annotations .root.Values.commonPodAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- include "langsmith.podLabels" (dict "root" .root "labels" $own.labels "component" $name) | nindent 8 }}
    spec:
      serviceAccountName: {{ include "langsmith.serviceAccountName" . }}
      containers:
        - name: {{ .part.name }}
          {{- with $own.command }}
          command:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with include "langsmith.env" .env }}
          env:
            {{- . | nindent 12 }}
          {{- end }}
          image: {{ include "langsmith.image" . | quote }}
          imagePullPolicy: {{ (index .root.Values.images .image).pullPolicy }}
          ports:
            {{- toYaml .ports | nindent 12 }}
          resources:
            {{- toYaml $own.resources | nindent 12 }}
          {{- if $own.persistence.enabled }}
          volumeMounts:
            - {name: data, mountPath: {{ .data }}}
          {{- end }}
  {{- if $own.persistence.enabled }}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
        labels:
          {{- include "langsmith.selectorLabels" .root | nindent 10 }}
          app.kubernetes.io/component: {{ $name }}
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests:
            storage: {{ $own.persistence.size }}
  {{- end }}
{{- end }}

{{- /* (dict "root" $ "part" .Values.backend "ports" $ports) */}}
{{- define "langsmith.service" -}}
{{- $name := include "langsmith.component" . -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" $name "component" $name "labels" .part.service.labels "annotations" .part.service.annotations) | nindent 2 }}
spec:
  type: {{ .part.service.type }}
  ports:
    {{- toYaml .ports | nindent 4 }}
  selector:
    {{- include "langsmith.selectorLabels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
{{- end }}

{{- define "langsmith.serviceAccount" -}}
{{- if .part.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" (include "langsmith.serviceAccountName" .) "labels" .part.serviceAccount.labels "annotations" .part.serviceAccount.annotations) | nindent 2 }}
automountServiceAccountToken: {{ .part.serviceAccount.automountServiceAccountToken }}
{{- end }}
{{- end }}

{{- define "langsmith.pdb" -}}
{{- if .part.pdb.enabled -}}
{{- $name := include "langsmith.component" . -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" $name "labels" .part.pdb.labels "annotations" .part.pdb.annotations) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "langsmith.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ $name }}
  minAvailable: {{ .part.pdb.minAvailable }}
{{- end }}
{{- end }}

{{- define "langsmith.hpa" -}}
{{- $own := .part.autoscaling -}}
{{- if and $own.enabled $own.createHpa -}}
{{- $name := include "langsmith.component" . -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" $name) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: {{ ternary "argoproj.io/v1alpha1" "apps/v1" .part.rollout.enabled }}
    kind: {{ ternary "Rollout" "Deployment" .part.rollout.enabled }}
    name: {{ $name }}
  minReplicas: {{ $own.minReplicas }}
  maxReplicas: {{ $own.maxReplicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
{{- end }}
{{- end }}

{{- /* (dict "root" $ "job" .Values.backend.migrations "suffix" "migrations" "container" "pg-migrations"
        "weight" "-1" "backoff" 3 "argo" true "when" $hook "env" $list), a hook Job of the backend */}}
{{- define "langsmith.backendJob" -}}
{{- $name := include "langsmith.component" (dict "root" .root "part" .root.Values.backend) -}}
{{- $own := printf "%s-%s" $name .suffix -}}
{{- if .job.randomizeName }}{{ $own = printf "%s-%s" $own (randAlphaNum 5 | lower) }}{{ end -}}
{{- $account := include "langsmith.serviceAccountName" (dict "root" .root "part" .root.Values.backend) -}}
{{- include "langsmith.hookJob" (merge (dict "name" $own "component" $name "account" $account) .) -}}
{{- end }}

{{- define "langsmith.hookJob" -}}
{{- $hook := dict "helm.sh/hook" (.when | default "post-install, post-upgrade") "helm.sh/hook-weight" .weight -}}
{{- if .argo }}{{ $_ := set $hook "argocd.argoproj.io/hook" "PostSync" }}{{ end -}}
{{- if .policy }}{{ $_ := set $hook "helm.sh/fail-hook-policy" .policy }}{{ end -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "langsmith.metadata" (dict "root" .root "name" .name "labels" .job.labels "annotations" .job.annotations "hook" $hook) | nindent 2 }}
spec:
  backoffLimit: {{ .backoff }}
  ttlSecondsAfterFinished: {{ .job.ttlSecondsAfterFinished }}
  template:
    metadata:
      {{- with .job.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- include "langsmith.podLabels" (dict "root" .root "labels" .job.labels "component" .component) | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ .account }}
      containers:
        - name: {{ .container }}
          command:
            {{- toYaml .job.command | nindent 12 }}
          env:
            {{- include "langsmith.env" .env | nindent 12 }}
          envFrom:
            - configMapRef:
                name: {{ include "langsmith.fullname" .root }}-config
          image: {{ include "langsmith.image" (dict "root" .root "image" "backendImage") | quote }}
          imagePullPolicy: {{ .root.Values.images.backendImage.pullPolicy }}
          resources:
            {{- toYaml .job.resources | nindent 12 }}
{{- end }}

{{- define "token-broker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: the longest suffix is -operations, and the name of a service has at most 63. */}}
{{- define "token-broker.fullname" -}}
{{- /* All templates need this name, so the validation always runs first. */ -}}
{{- include "token-broker.validate" . -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* Call with (list $ "component"). */}}
{{- define "token-broker.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "token-broker.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "token-broker.labels" -}}
{{- $root := index . 0 -}}
{{ include "token-broker.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "token-broker.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ $tag }}{{ end }}
{{- end -}}

{{- define "token-broker.baseUrl" -}}
{{- if .Values.public.baseUrl -}}
{{ trimSuffix "/" .Values.public.baseUrl }}
{{- else -}}
https://audits{{ .Values.public.subdomain }}.megsupportools.com
{{- end -}}
{{- end -}}

{{- define "token-broker.host" -}}
{{ get (urlParse (include "token-broker.baseUrl" .)) "host" | splitList ":" | first }}
{{- end -}}

{{- define "token-broker.redirectUri" -}}
{{ default (printf "%s/auth/oauth2/microsoft/callback" (include "token-broker.baseUrl" .)) .Values.public.redirectUri }}
{{- end -}}

{{/* The names of the internal service in Kubernetes, and then the additional ones. */}}
{{- define "token-broker.authorities" -}}
{{- $service := printf "%s-internal.%s" (include "token-broker.fullname" .) .Release.Namespace -}}
{{- $own := list -}}
{{- range $suffix := list ".svc" ".svc.cluster.local" "" -}}
{{- $own = append $own (printf "%s%s:8081" $service $suffix) -}}
{{- end -}}
{{ concat $own .Values.internal.authorities | join "," }}
{{- end -}}

{{/* Variables whose value is a file of the mounted secret: name → key of the secret. */}}
{{- define "token-broker.secretFiles" -}}
{{- range $variable, $key := dict
  "DATABASE_URL_FILE" .Values.secrets.keys.databaseUrl
  "HTTPS_PROXY_FILE" .Values.secrets.keys.httpsProxy
  "SEALING_KEYS_FILE" .Values.secrets.keys.sealingKeys
  "AUDIT_KEYS_FILE" .Values.secrets.keys.auditKeys
  "SESSION_SECRETS_FILE" .Values.secrets.keys.sessionSecrets
  "CALLERS_FILE" .Values.secrets.keys.callers
  "MICROSOFT_CLIENT_SECRET_FILE" .Values.secrets.keys.clientSecret
  "MICROSOFT_CLIENT_CERTIFICATE_FILE" .Values.secrets.keys.clientCertificate
  "MICROSOFT_CLIENT_KEY_FILE" .Values.secrets.keys.clientKey
  "MICROSOFT_PREVIOUS_CLIENTS_FILE" .Values.secrets.keys.previousClients
  "RESPONSE_SIGNING_KEY_FILE" .Values.secrets.keys.responseSigningKey
  "DATABASE_CA_FILE" .Values.secrets.keys.databaseCa
}}
{{- if $key }}
{{ $variable }}: {{ $key | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the token of the service account is: put there by the webhook of Azure workload identity, or by the chart. */}}
{{- define "token-broker.federatedTokenFile" -}}
{{ ternary "/var/run/secrets/azure/tokens/azure-identity-token" "/etc/token-broker/federation/token" .Values.microsoft.federation.webhook }}
{{- end -}}

{{/* Labels of the pods that talk to Microsoft: the webhook adds the token to pods with this one only. */}}
{{- define "token-broker.federationLabels" -}}
{{- if and .Values.microsoft.federation.enabled .Values.microsoft.federation.webhook }}
azure.workload.identity/use: 'true'
{{- end }}
{{- end -}}

{{/* The common part of all pods. */}}
{{- define "token-broker.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "token-broker.container" -}}
image: {{ include "token-broker.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}

{{/* Environment and files of the containers that need the whole configuration: the service and doctor. */}}
{{- define "token-broker.configured" -}}
envFrom:
  - configMapRef:
      name: {{ include "token-broker.fullname" . }}-config
{{- with .Values.extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: secrets
    mountPath: /etc/token-broker/secrets
    readOnly: true
  - name: log-level
    mountPath: /etc/token-broker/log-level
    readOnly: true
  {{- if .Values.internal.tlsSecret }}
  - name: tls
    mountPath: /etc/token-broker/tls
    readOnly: true
  {{- end }}
  {{- if and .Values.microsoft.federation.enabled (not .Values.microsoft.federation.webhook) }}
  - name: federated-token
    mountPath: /etc/token-broker/federation
    readOnly: true
  {{- end }}
  {{- if .Values.privateCa.configMap }}
  - name: private-ca
    mountPath: /etc/token-broker/private-ca
    readOnly: true
  {{- end }}
{{- end -}}

{{- define "token-broker.volumes" -}}
volumes:
  - name: secrets
    secret:
      secretName: {{ .Values.secrets.existingSecret }}
      defaultMode: 0440
      items:
        {{- range $variable, $key := include "token-broker.secretFiles" . | fromYaml }}
        - key: {{ $key | quote }}
          path: {{ $variable }}
        {{- end }}
  - name: log-level
    configMap:
      name: {{ include "token-broker.fullname" . }}-log-level
  {{- with .Values.internal.tlsSecret }}
  - name: tls
    secret:
      secretName: {{ . }}
      defaultMode: 0440
  {{- end }}
  {{- if and .Values.microsoft.federation.enabled (not .Values.microsoft.federation.webhook) }}
  - name: federated-token
    projected:
      defaultMode: 0440
      sources:
        - serviceAccountToken:
            path: token
            audience: {{ .Values.microsoft.federation.audience | quote }}
            expirationSeconds: {{ .Values.microsoft.federation.expirationSeconds | int }}
  {{- end }}
  {{- with .Values.privateCa.configMap }}
  - name: private-ca
    configMap:
      name: {{ . }}
  {{- end }}
{{- end -}}

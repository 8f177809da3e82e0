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

{{/* Call with (list $ "component"). Quoted: a release may be called 1e3 or on. */}}
{{- define "token-broker.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "token-broker.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The chart's own labels win: selectors need them. */}}
{{- define "token-broker.labels" -}}
{{- $root := .root -}}
{{- $own := include "token-broker.selector" (list $root .component) | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- toYaml (merge $own (get . "labels" | default dict) $root.Values.commonLabels) -}}
{{- end -}}

{{/* Metadata of an object. Call with a dict: root, component, and if needed suffix of the name, labels, annotations. */}}
{{- define "token-broker.metadata" -}}
name: {{ printf "%s%s" (include "token-broker.fullname" .root) (get . "suffix") | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels: {{- include "token-broker.labels" . | nindent 2 }}
{{- with merge dict (get . "annotations" | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Metadata of a pod in a template. Call with a dict: root, component, and if needed labels and annotations. */}}
{{- define "token-broker.podMetadata" -}}
labels: {{- include "token-broker.labels" (dict "root" .root "component" .component "labels" (merge dict (get . "labels" | default dict) .root.Values.podLabels)) | nindent 2 }}
{{- with merge dict (get . "annotations" | default dict) .root.Values.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
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
{{ get (urlParse (include "token-broker.baseUrl" .)) "hostname" }}
{{- end -}}

{{/* The address that the listeners have in the pod, an IPv6 address in brackets. */}}
{{- define "token-broker.listenAddress" -}}
{{ ternary (printf "[%s]" .Values.listenAddress) .Values.listenAddress (contains ":" .Values.listenAddress) }}
{{- end -}}

{{/* Ports of the DNS, for a policy: OpenShift's pods listen on 5353. */}}
{{- define "token-broker.dnsPorts" -}}
{{- range $port := .Values.networkPolicy.dnsPorts }}
- { protocol: UDP, port: {{ $port | int }} }
- { protocol: TCP, port: {{ $port | int }} }
{{- end }}
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
{{- /* Callers in the same namespace need no more than the name. */ -}}
{{- $own = append $own (printf "%s-internal:8081" (include "token-broker.fullname" .)) -}}
{{ concat $own .Values.internal.authorities | uniq | join "," }}
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
{{- if and .Values.microsoft.federation.enabled .Values.microsoft.federation.webhook -}}
azure.workload.identity/use: 'true'
{{- end -}}
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
priorityClassName: {{ . | quote }}
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
      name: "{{ include "token-broker.fullname" . }}-config"
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
      secretName: {{ .Values.secrets.existingSecret | quote }}
      defaultMode: 0440
      items:
        {{- range $variable, $key := include "token-broker.secretFiles" . | fromYaml }}
        - key: {{ $key | quote }}
          path: {{ $variable }}
        {{- end }}
  - name: log-level
    configMap:
      name: "{{ include "token-broker.fullname" . }}-log-level"
  {{- with .Values.internal.tlsSecret }}
  - name: tls
    secret:
      secretName: {{ . | quote }}
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
      name: {{ . | quote }}
  {{- end }}
{{- end -}}

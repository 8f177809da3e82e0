{{/* Contradictory and missing values, one sentence each. values.schema.json checks the single values. */}}
{{- define "token-broker.validate" -}}
{{- $problems := list -}}
{{- if and (kindIs "invalid" .Values.public.subdomain) (not .Values.public.baseUrl) -}}
{{- $problems = append $problems "public.subdomain must be set ('' for https://audits.megsupportools.com), or public.baseUrl." -}}
{{- end -}}
{{- if and (not (kindIs "invalid" .Values.public.subdomain)) .Values.public.baseUrl -}}
{{- $problems = append $problems "Set public.subdomain or public.baseUrl, not both." -}}
{{- end -}}
{{- if not .Values.microsoft.clientId -}}
{{- $problems = append $problems "microsoft.clientId must be the application (client) ID of the app registration." -}}
{{- end -}}
{{- if not (and .Values.megdocs.connectUrl .Values.megdocs.manageUrl .Values.megdocs.completionUrl) -}}
{{- $problems = append $problems "megdocs.connectUrl, megdocs.manageUrl and megdocs.completionUrl must be set." -}}
{{- end -}}
{{- if not .Values.secrets.existingSecret -}}
{{- $problems = append $problems "secrets.existingSecret must name a secret that you created: the chart creates none." -}}
{{- end -}}
{{- if .Values.microsoft.federation.enabled -}}
{{- if or .Values.secrets.keys.clientSecret .Values.secrets.keys.clientCertificate .Values.secrets.keys.clientKey -}}
{{- $problems = append $problems "microsoft.federation.enabled needs secrets.keys.clientSecret, clientCertificate and clientKey to be '': one kind of credential." -}}
{{- end -}}
{{- if and .Values.microsoft.federation.webhook (ne .Values.microsoft.federation.audience "api://AzureADTokenExchange") -}}
{{- $problems = append $problems "microsoft.federation.audience has no effect with microsoft.federation.webhook: the webhook has its own." -}}
{{- end -}}
{{- else if not (or .Values.secrets.keys.clientSecret .Values.secrets.keys.clientCertificate) -}}
{{- $problems = append $problems "secrets.keys.clientSecret or secrets.keys.clientCertificate must name the credential, or microsoft.federation.enabled be true." -}}
{{- end -}}
{{- if ne (empty .Values.secrets.keys.clientCertificate) (empty .Values.secrets.keys.clientKey) -}}
{{- $problems = append $problems "secrets.keys.clientCertificate and secrets.keys.clientKey belong together." -}}
{{- end -}}
{{- if and .Values.migrations.enabled (not .Values.migrations.existingSecret) -}}
{{- $problems = append $problems "migrations.existingSecret must name the secret with the database owner's URL; it may be secrets.existingSecret." -}}
{{- end -}}
{{- if and .Values.internal.tlsSecret .Values.internal.plainHttp -}}
{{- $problems = append $problems "internal.plainHttp contradicts internal.tlsSecret: set one." -}}
{{- end -}}
{{- if not (or .Values.internal.tlsSecret .Values.internal.plainHttp) -}}
{{- $problems = append $problems "internal.tlsSecret must name a TLS secret, or internal.plainHttp must be true." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.public.trustedProxies) -}}
{{- $problems = append $problems "public.trustedProxies must name the ingress controller's addresses. Otherwise all requests look like plain HTTP and are refused." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.databaseTo) -}}
{{- $problems = append $problems "networkPolicy.databaseTo must say where Postgres is, or networkPolicy.enabled must be false." -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- $problems = append $problems "autoscaling.minReplicas is more than autoscaling.maxReplicas." -}}
{{- end -}}
{{- if ge (int .Values.keepAlive.afterDays) (int .Values.keepAlive.letGoAfterDays) -}}
{{- $problems = append $problems "keepAlive.letGoAfterDays must be more than keepAlive.afterDays." -}}
{{- end -}}
{{- if regexMatch "[A-Z]" .Values.public.baseUrl -}}
{{- $problems = append $problems "public.baseUrl must be in lower case." -}}
{{- end -}}
{{- $base := printf "https://audits%s.megsupportools.com" (default "" .Values.public.subdomain) -}}
{{- if .Values.public.baseUrl -}}
{{- $base = .Values.public.baseUrl -}}
{{- end -}}
{{- $host := get (urlParse $base) "hostname" -}}
{{- $name := "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" -}}
{{- if and .Values.ingress.enabled (or (regexMatch "^[0-9.]+$" $host) (not (regexMatch (printf "^%s(\\.%s)*$" $name $name) (lower $host)))) -}}
{{- $problems = append $problems "ingress.enabled must be false when the host of public.baseUrl is no DNS name: an ingress has no rule for an address." -}}
{{- end -}}
{{- if .Values.public.redirectUri -}}
{{- $redirect := urlParse .Values.public.redirectUri -}}
{{- if or (ne (get $redirect "hostname") $host) (ne (get $redirect "scheme") (get (urlParse $base) "scheme")) -}}
{{- $problems = append $problems "public.redirectUri must be on the scheme and host of the public base URL: the session cookie belongs to that host." -}}
{{- end -}}
{{- end -}}
{{- range $key, $url := .Values.megdocs -}}
{{- if and (hasPrefix "http://" $url) (not (hasPrefix "http://" $base)) -}}
{{- $problems = append $problems (printf "megdocs.%s must begin with https://, as the public base URL does." $key) -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "[?&](connect_session|handle)=" .Values.megdocs.completionUrl -}}
{{- $problems = append $problems "megdocs.completionUrl must not have connect_session or handle in its query: the broker adds them." -}}
{{- end -}}
{{- if and (eq .Values.microsoft.tenant "consumers") (regexMatch "Sites\\." (join " " .Values.microsoft.permissions)) -}}
{{- $problems = append $problems "microsoft.permissions must have none on sites when microsoft.tenant is consumers: personal accounts have no sites." -}}
{{- end -}}
{{- if and (regexMatch "^[0-9a-fA-F]{8}-" .Values.microsoft.tenant) .Values.microsoft.allowedTenants (not (has (lower .Values.microsoft.tenant) (splitList " " (lower (join " " .Values.microsoft.allowedTenants))))) -}}
{{- $problems = append $problems "microsoft.allowedTenants must have the tenant of microsoft.tenant: otherwise nobody could connect." -}}
{{- end -}}
{{- range $where, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "migrations.podLabels" .Values.migrations.podLabels -}}
{{- range $key, $_ := $labels -}}
{{- if regexMatch "^(app\\.kubernetes\\.io/(name|instance|component|version|managed-by)|helm\\.sh/chart)$" $key -}}
{{- $problems = append $problems (printf "%s must not have %s: the chart sets it." $where $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if regexMatch "^(SUBDOMAIN|PUBLIC_|REDIRECT_|TRUSTED_|ENTRY_|COMPLETION_|SUPPORT_|PUBLISHER_|PRIVACY_|MICROSOFT_|ALLOWED_|DATABASE_|INTERNAL_|OPERATIONS_|CALLER|KEEP_ALIVE_|LET_GO_|HARVEST_|CANARY_|DRAIN_|LOG_LEVEL|AUDIT|SEALING_|SESSION_|RESPONSE_|HTTPS_PROXY|NODE_EXTRA_CA_CERTS)" .name -}}
{{- $problems = append $problems (printf "extraEnv must not have %s: the chart has a value for it." .name) -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) -}}
{{- end -}}
{{- end -}}

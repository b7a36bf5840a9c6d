{{/* Values that are right by themselves and wrong together; what a schema cannot say in words. */}}

{{- define "claude-sidecar.validate" -}}
{{- $beside := eq .Values.mode "sidecar" }}
{{- range $key, $use := dict
      "http" "http.address, http.publicPort, http.apiPort and http.expose"
      "database" "persistence"
      "include" "config for checks and channels, and rules for rule files" }}
{{- if hasKey ($.Values.config | default dict) $key }}
{{- fail (printf "found config.%s, which the chart writes itself; set %s instead" $key $use) }}
{{- end }}
{{- end }}
{{- with include "claude-sidecar.plainSecrets" (dict "at" "config" "value" (.Values.config | default dict)) | trim }}
{{- fail (printf "found a secret as text at %s; a ConfigMap and the release's history are read by many: put it into a Secret, name that in secretFiles, and write {file: /run/secrets/sidecar/…} here" (splitList "\n" . | join ", ")) }}
{{- end }}
{{- if and .Values.http.expose (not .Values.http.token.existingSecret) }}
{{- fail "found http.expose without http.token.existingSecret; others reach the API then, so it needs a token: name a Secret that holds one" }}
{{- end }}
{{- if eq (int .Values.http.publicPort) (int .Values.http.apiPort) }}
{{- fail (printf "found %d as http.publicPort and as http.apiPort; expected two ports" (int .Values.http.apiPort)) }}
{{- end }}
{{- if hasKey .Values.rules "sidecar.yml" }}
{{- fail "found rules.sidecar.yml, which is the configuration's own name; expected another name for a rule file" }}
{{- end }}
{{- if hasKey .Values.secretFiles "api-token" }}
{{- fail "found secretFiles.api-token, which is the folder of http.token; use another name" }}
{{- end }}
{{- if and .Values.ingress.enabled (or (not .Values.http.expose) (not .Values.ingress.host)) }}
{{- fail "found ingress.enabled without http.expose or ingress.host; an Ingress needs an API that it can reach, and a host name" }}
{{- end }}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled }}
{{- fail "found podMonitor.enabled and serviceMonitor.enabled; expected one of them, or everything is scraped twice" }}
{{- end }}
{{- if $beside }}
{{- if .Values.networkPolicy.enabled }}
{{- fail "found networkPolicy.enabled with mode: sidecar; a policy is of a whole pod and would limit the gateway: give the gateway one" }}
{{- end }}
{{- if .Values.serviceMonitor.enabled }}
{{- fail "found serviceMonitor.enabled with mode: sidecar, which has no Service; use podMonitor" }}
{{- end }}
{{- if .Values.ingress.enabled }}
{{- fail "found ingress.enabled with mode: sidecar, which has no Service; expose the API of a release of its own" }}
{{- end }}
{{- if .Values.readinessProbe.enabled }}
{{- fail "found readinessProbe.enabled with mode: sidecar; a pod is ready only when all its containers are, and the watcher must not take the gateway out of service" }}
{{- end }}
{{- else if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
{{- fail "found serviceMonitor.enabled without service.enabled; enable the Service, or use podMonitor" }}
{{- else if and .Values.ingress.enabled (not .Values.service.enabled) }}
{{- fail "found ingress.enabled without service.enabled; an Ingress leads to a Service" }}
{{- end }}
{{- end }}

{{/* Where in a configuration a credential stands as text, one path a line; `${NAME}` is none. */}}
{{- define "claude-sidecar.plainSecrets" -}}
{{- $at := .at }}
{{- if kindIs "map" .value }}
{{- range $key, $value := .value }}
{{- $here := printf "%s.%s" $at $key }}
{{- $is := has ($key | lower) (list "api_key" "password" "token" "bearer" "webhook_url" "signing_secret" "credentials" "seed" "authorization" "x-api-key") }}
{{- if and $is (kindIs "string" $value) (not (hasPrefix "${" $value)) }}
{{ $here }}
{{- else }}
{{- include "claude-sidecar.plainSecrets" (dict "at" $here "value" $value) }}
{{- end }}
{{- end }}
{{- else if kindIs "slice" .value }}
{{- range $index, $value := .value }}
{{- include "claude-sidecar.plainSecrets" (dict "at" (printf "%s[%d]" $at $index) "value" $value) }}
{{- end }}
{{- end }}
{{- end }}

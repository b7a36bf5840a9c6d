{{/* Values that are right by themselves and wrong together; what a schema cannot say in words. All are told at once. */}}

{{- define "claude-sidecar.validate" -}}
{{- with include "claude-sidecar.mistakes" . | splitList "\n" | compact }}
{{- fail (printf "these values of claude-sidecar cannot be used:\n- %s" (join "\n- " .)) }}
{{- end }}
{{- end }}

{{/* One a line: what was found, and what to do. */}}
{{- define "claude-sidecar.mistakes" -}}
{{- range $key, $use := dict
      "http" "http.address, http.publicPort, http.apiPort and http.expose"
      "database" "persistence"
      "include" "config for checks and channels, and rules for rule files" }}
{{- if hasKey ($.Values.config | default dict) $key }}
found config.{{ $key }}, which the chart writes itself; set {{ $use }} instead
{{- end }}
{{- end }}
{{- with include "claude-sidecar.plainSecrets" (dict "at" "config" "value" (.Values.config | default dict)) | splitList "\n" | compact }}
found a secret as text at {{ join ", " . }}; a ConfigMap and the release's history are read by many: put it into a Secret, name that in secretFiles, and write {file: /run/secrets/sidecar/…} here
{{- end }}
{{- if regexMatch "sk-ant-[[:alnum:]_-]{20}" (toJson .Values) }}
found a key of Claude (sk-ant-…) in the values; whoever reads the release can use it: put it into a Secret, name that in secretFiles or secretEnv, and make a new key
{{- end }}
{{- if and .Values.http.expose (not .Values.http.token.existingSecret) }}
found http.expose without http.token.existingSecret; others reach the API then, so it needs a token: name a Secret that holds one
{{- end }}
{{- if eq (int .Values.http.publicPort) (int .Values.http.apiPort) }}
found {{ .Values.http.apiPort }} as http.publicPort and as http.apiPort; expected two ports
{{- end }}
{{- if hasKey (.Values.rules | default dict) "sidecar.yml" }}
found rules.sidecar.yml, which is the configuration's own name; expected another name for a rule file
{{- end }}
{{- if hasKey (.Values.secretFiles | default dict) "api-token" }}
found secretFiles.api-token, which is the folder of http.token; use another name
{{- end }}
{{- if and .Values.ingress.enabled (or (not .Values.http.expose) (not .Values.ingress.host)) }}
found ingress.enabled without http.expose or ingress.host; an Ingress needs an API that it can reach, and a host name
{{- end }}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled }}
found podMonitor.enabled and serviceMonitor.enabled; expected one of them, or everything is scraped twice
{{- end }}
{{- if and .Values.prometheusRule.enabled .Values.prometheusRule.packs }}
{{- $known := list }}
{{- range $path, $_ := .Files.Glob "files/rules/*.yml" }}{{ $known = append $known (base $path | trimSuffix ".yml") }}{{ end }}
{{- range .Values.prometheusRule.packs }}
{{- if not (has . $known) }}
found the pack {{ quote . }} in prometheusRule.packs; expected some of {{ join ", " $known }}
{{- end }}
{{- end }}
{{- end }}
{{- $beside := eq .Values.mode "sidecar" }}
{{- range $key, $why := dict
      "networkPolicy" "a policy is of a whole pod and would limit the gateway: give the gateway one"
      "serviceMonitor" "there is no Service; use podMonitor"
      "ingress" "there is no Service; expose the API of a release of its own"
      "readinessProbe" "a pod is ready only when all its containers are, and the watcher must not take the gateway out of service" }}
{{- if and $beside (dig "enabled" false (index $.Values $key | default dict)) }}
found {{ $key }}.enabled with mode: sidecar; {{ $why }}
{{- end }}
{{- end }}
{{- if and (not $beside) (not .Values.service.enabled) .Values.serviceMonitor.enabled }}
found serviceMonitor.enabled without service.enabled; enable the Service, or use podMonitor
{{- end }}
{{- if and (not $beside) (not .Values.service.enabled) .Values.ingress.enabled }}
found ingress.enabled without service.enabled; an Ingress leads to a Service
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
{{- else if and (kindIs "string" .value) (regexMatch "://[^/@[:space:]]*:[^/@$[:space:]][^/@[:space:]]*@" .value) }}
{{ $at }}
{{- end }}
{{- end }}

{{/* What is included from a gateway's chart is given this chart's scope. */}}
{{- define "claude-sidecar.scope" -}}
{{- if not . }}
{{- fail "found no scope for the templates of claude-sidecar; expected {{ index .Subcharts \"claude-sidecar\" }}, or its alias there, and the dependency not disabled" }}
{{- else if not (hasKey .Values "sidecar") }}
{{- fail (printf "found the scope of the chart %s for the templates of claude-sidecar; expected {{ index .Subcharts \"claude-sidecar\" }}, or its alias there" .Chart.Name) }}
{{- end }}
{{- end }}

{{- define "claude-sidecar.besideOnly" -}}
{{- include "claude-sidecar.scope" . }}
{{- if ne .Values.mode "sidecar" }}
{{- fail "found the container of claude-sidecar in a gateway's pod, with mode: deployment; expected mode: sidecar in the values of the dependency" }}
{{- end }}
{{- end }}

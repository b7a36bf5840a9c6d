{{/* The daemon's configuration. */}}

{{- define "claude-sidecar.config" -}}
{{- $given := deepCopy (.Values.config | default dict) }}
{{- $rules := $given.rules | default list }}
{{- $named := list }}
{{- range $rules }}{{ $named = append $named (.file | default "") }}{{ end }}
{{- range $file, $_ := .Values.rules }}
{{- if not (has $file $named) }}{{ $rules = append $rules (dict "file" $file) }}{{ end }}
{{- end }}
{{- with include "claude-sidecar.memoryWarned" . }}
{{- $told := dict "SidecarMemoryHigh" (dict "vars" (dict "bytes" (int64 .))) }}
{{- range $rules }}
{{- if eq (.pack | default "") "sidecar" }}{{ $_ := set . "override" (merge (.override | default dict) $told) }}{{ end }}
{{- end }}
{{- end }}
{{- $http := dict "public" (include "claude-sidecar.publicAddress" .) "listen" (include "claude-sidecar.apiAddress" .) }}
{{- if .Values.http.token.existingSecret }}
{{- $_ := set $http "token" (dict "file" (include "claude-sidecar.tokenFile" .)) }}
{{- end }}
{{- $own := dict "database" "/var/lib/sidecar/sidecar.db" "http" $http "rules" $rules }}
{{- if and .Values.ingress.enabled (not $given.external_url) }}
{{- $_ := set $own "external_url" (printf "%s://%s" (empty .Values.ingress.tlsSecret | ternary "http" "https") .Values.ingress.host) }}
{{- end }}
{{- toYaml (mergeOverwrite $given $own) }}
{{- end }}

{{- define "claude-sidecar.publicAddress" -}}
{{- printf "%s:%d" .Values.http.address (int .Values.http.publicPort) }}
{{- end }}

{{- define "claude-sidecar.apiAddress" -}}
{{- printf "%s:%d" (.Values.http.expose | ternary .Values.http.address "127.0.0.1") (int .Values.http.apiPort) }}
{{- end }}

{{/* Where the API is from within the pod. */}}
{{- define "claude-sidecar.apiURL" -}}
{{- $six := and .Values.http.expose (contains ":" .Values.http.address) }}
{{- printf "http://%s:%d" ($six | ternary "[::1]" "127.0.0.1") (int .Values.http.apiPort) }}
{{- end }}

{{- define "claude-sidecar.tokenFile" -}}
/run/secrets/sidecar/api-token/{{ .Values.http.token.key }}
{{- end }}

{{/* What belongs to the process: a change of the rest is taken up without a restart. */}}
{{- define "claude-sidecar.processBound" -}}
{{- pick (include "claude-sidecar.config" . | fromYaml) "database" "http" "log" "pod" "tick" | toJson | sha256sum }}
{{- end }}

{{/* What the ConfigMap holds: the configuration and the rule files beside it, in one, so that they change together. */}}
{{- define "claude-sidecar.files" -}}
{{- $files := dict "sidecar.yml" (printf "%s\n" (include "claude-sidecar.config" .)) }}
{{- range $file, $text := .Values.rules }}
{{- $_ := set $files $file (kindIs "string" $text | ternary $text (toYaml $text)) }}
{{- end }}
{{- toYaml $files }}
{{- end }}

{{/* The bytes at which the daemon's memory is told of: three quarters of the limit. Empty without one in whole bytes, k, Mi … */}}
{{- define "claude-sidecar.memoryWarned" -}}
{{- $limit := dig "limits" "memory" "" (.Values.resources | default dict) }}
{{- if kindIs "float64" $limit }}{{ $limit = int64 $limit }}{{ end }}
{{- $number := regexFind "^[1-9][0-9]*" ($limit | toString) }}
{{- $units := dict "" 1 "k" 1000 "Ki" 1024 "M" 1000000 "Mi" 1048576 "G" 1000000000 "Gi" 1073741824 }}
{{- $unit := get $units (trimPrefix $number ($limit | toString)) }}
{{- if and $number $unit }}
{{- div (mul (int64 $number) $unit 3) 4 }}
{{- end }}
{{- end }}

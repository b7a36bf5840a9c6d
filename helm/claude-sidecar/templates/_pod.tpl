{{/* What a pod of ours is, but for its containers. */}}

{{- define "claude-sidecar.podAround" -}}
serviceAccountName: {{ include "claude-sidecar.serviceAccountName" . | quote }}
{{ include "claude-sidecar.podGuarded" . }}
{{- include "claude-sidecar.podFields" (dict "values" .Values "keys" (list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "dnsConfig" "hostAliases" "priorityClassName")) }}
{{- end }}

{{/* A pod that asks one thing and ends; the release's account may not be there yet. */}}
{{- define "claude-sidecar.podBriefly" -}}
{{ include "claude-sidecar.podGuarded" . }}
{{- include "claude-sidecar.podFields" (dict "values" .Values "keys" (list "imagePullSecrets" "nodeSelector" "tolerations" "affinity")) }}
{{- end }}

{{- define "claude-sidecar.podGuarded" -}}
automountServiceAccountToken: false
# Variables named after Services could be taken for settings: of a Service `sidecar`, for one.
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}

{{- define "claude-sidecar.podFields" -}}
{{- range $key := .keys }}
{{- with index $.values $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "claude-sidecar.containerBriefly" -}}
image: {{ include "claude-sidecar.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* What things are called. */}}

{{- define "claude-sidecar.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room for suffixes is left: names of Services have 63 characters at most. */}}
{{- define "claude-sidecar.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $full .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- define "claude-sidecar.serviceAccountName" -}}
{{- $made := .Values.serviceAccount.create | ternary (include "claude-sidecar.fullname" .) "default" }}
{{- default $made .Values.serviceAccount.name }}
{{- end }}

{{- define "claude-sidecar.claimName" -}}
{{- default (include "claude-sidecar.fullname" .) .Values.persistence.existingClaim }}
{{- end }}

{{- define "claude-sidecar.image" -}}
{{- $name := .Values.image.repository }}
{{- with .Values.image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag | toString) }}
{{- end }}
{{- end }}

{{/* What is the same for as long as the release is there. */}}
{{- define "claude-sidecar.selectorLabels" -}}
app.kubernetes.io/name: {{ include "claude-sidecar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "claude-sidecar.labels" -}}
{{ include "claude-sidecar.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of each pod that holds the container, in both modes: what the PodMonitor finds. */}}
{{- define "claude-sidecar.podLabels" -}}
claude-sidecar/instance: {{ include "claude-sidecar.fullname" . }}
{{- end }}

{{/* Of the pod of `helm test`, which no Service and no Deployment may take for the daemon's. */}}
{{- define "claude-sidecar.testLabels" -}}
app.kubernetes.io/name: {{ include "claude-sidecar.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

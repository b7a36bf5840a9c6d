{{/* What things are called. */}}

{{/* A dependency is called by its alias, which may be written as a key is. */}}
{{- define "claude-sidecar.name" -}}
{{- default (.Chart.Name | lower | replace "_" "-") .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room for suffixes is left: names of Services have 63 characters at most, and no dots, which releases may have. */}}
{{- define "claude-sidecar.fullname" -}}
{{- $name := include "claude-sidecar.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $full .Values.fullnameOverride | replace "." "-" | trunc 45 | trimAll "-" }}
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
app.kubernetes.io/name: {{ include "claude-sidecar.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "claude-sidecar.labels" -}}
{{- $ours := include "claude-sidecar.selectorLabels" . | fromYaml }}
{{- $_ := set $ours "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .Release.Service }}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63) }}
{{- toYaml (merge $ours (.Values.commonLabels | default dict)) }}
{{- end }}

{{/* With labels that somebody else selects by, which win: takes `root` and `more`. */}}
{{- define "claude-sidecar.labelsAnd" -}}
{{- toYaml (merge dict (.more | default dict) (include "claude-sidecar.labels" .root | fromYaml)) }}
{{- end }}

{{/* Of each pod that holds the container, in both modes: what the PodMonitor finds. */}}
{{- define "claude-sidecar.podLabels" -}}
{{- include "claude-sidecar.scope" . -}}
claude-sidecar/instance: {{ include "claude-sidecar.fullname" . | quote }}
{{- end }}

{{/* Of a pod that does one thing and ends; takes `root` and `does`. No Service and no Deployment may take it for the daemon's. */}}
{{- define "claude-sidecar.brieflyLabels" -}}
app.kubernetes.io/name: {{ printf "%s-%s" (include "claude-sidecar.name" .root) .does | trunc 63 | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
# A mesh's proxy that goes on would keep such a pod from ending.
sidecar.istio.io/inject: "false"
{{- end }}

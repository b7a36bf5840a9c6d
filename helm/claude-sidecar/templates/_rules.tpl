{{/* Rules for Prometheus. */}}

{{- define "claude-sidecar.prometheusRule" -}}
{{- $root := .root -}}
{{- $more := $root.Values.prometheusRule.alertLabels | default dict }}
{{- $ours := include "claude-sidecar.ours" $root }}
{{- $bytes := include "claude-sidecar.memoryWarned" $root }}
{{- range .groups }}{{ range .rules }}
{{- if and (eq (.alert | default "") "SidecarMemoryHigh") $bytes }}
{{- $shipped := regexFind "[0-9]+$" .expr }}
{{- $_ := set . "expr" (replace $shipped $bytes .expr) }}
{{- $_ := set .annotations "description" (replace $shipped $bytes .annotations.description) }}
{{- end }}
{{- $_ := set . "expr" (replace "job=\"claude-sidecar\"" $ours .expr) }}
{{- if and .alert $more }}{{ $_ := set . "labels" (mergeOverwrite (.labels | default dict) $more) }}{{ end }}
{{- end }}{{ end -}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ printf "%s-%s" (include "claude-sidecar.fullname" $root) .name | trunc 63 | trimSuffix "-" }}
  labels:
    {{- include "claude-sidecar.labelsAnd" (dict "root" $root "more" $root.Values.prometheusRule.labels) | nindent 4 }}
spec:
  groups:
    {{- toYaml .groups | nindent 4 }}
{{- end }}

{{/* What no daemon can tell of itself. */}}
{{- define "claude-sidecar.down" -}}
- name: claude-sidecar-down
  rules:
    - alert: ClaudeSidecarDown
      expr: up{job="claude-sidecar"} == 0
      for: 5m
      labels:
        severity: critical
      annotations:
        summary: {{ "The watcher in the pod {{ $labels.pod }} does not answer" | quote }}
        description: >-
          For 5 minutes Prometheus has not been able to scrape {{ "{{ $labels.pod }}" }}, expected up 1: what the daemon watches
          may break unseen.
        next_step: >-
          See `kubectl -n {{ .Release.Namespace }} logs {{ "{{ $labels.pod }}" }} -c {{ .Values.sidecar.name }}`: a mistake in the
          configuration is named there with its line.
    - alert: ClaudeSidecarAbsent
      expr: absent(up{job="claude-sidecar"})
      for: 10m
      labels:
        severity: critical
      annotations:
        summary: Prometheus finds no watcher {{ include "claude-sidecar.fullname" . }} in {{ .Release.Namespace }}
        description: >-
          For 10 minutes there has been no target of {{ include "claude-sidecar.fullname" . }}, expected at least one: its pods are gone, or the
          monitor does not find them.
        next_step: >-
          See `kubectl -n {{ .Release.Namespace }} get pods -l claude-sidecar/instance={{ include "claude-sidecar.fullname" . }}`, then
          whether Prometheus selects the monitor by its labels.
{{- end }}

{{/* One way to be scraped, of pods and of the Service: takes the scope, the monitor's values and the port's name. */}}

{{- define "claude-sidecar.endpoint" -}}
- port: {{ .port }}
  path: /metrics
  {{- with .monitor.interval }}
  interval: {{ . | quote }}
  {{- end }}
  {{- with .monitor.scrapeTimeout }}
  scrapeTimeout: {{ . | quote }}
  {{- end }}
  relabelings:
    # The rules ask for both: whose pods they judge.
    - targetLabel: job
      replacement: claude-sidecar
    - targetLabel: claude_sidecar
      replacement: {{ include "claude-sidecar.fullname" .root | quote }}
    {{- with .monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The matchers of the series that Prometheus has of this release. */}}
{{- define "claude-sidecar.ours" -}}
job="claude-sidecar", namespace="{{ .Release.Namespace }}", claude_sidecar="{{ include "claude-sidecar.fullname" . }}"
{{- end }}

{{/* One way to be scraped, of pods and of the Service: takes the values of the monitor and the port's name. */}}

{{- define "claude-sidecar.endpoint" -}}
- port: {{ .port }}
  path: /metrics
  {{- with .monitor.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with .monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    # The rules ask for this name, whatever the release is called.
    - targetLabel: job
      replacement: claude-sidecar
    {{- with .monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

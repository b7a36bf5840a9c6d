{{/* Volumes and mounts. */}}

{{- define "claude-sidecar.volumeMounts" -}}
# A folder, never `subPath`: a file that is mounted alone never changes again.
- name: {{ .Values.sidecar.name }}-config
  mountPath: /etc/sidecar
  readOnly: true
- name: {{ .Values.sidecar.name }}-data
  mountPath: /var/lib/sidecar
- name: {{ .Values.sidecar.name }}-tmp
  mountPath: /tmp
{{- if .Values.http.token.existingSecret }}
- name: {{ .Values.sidecar.name }}-api-token
  mountPath: /run/secrets/sidecar/api-token
  readOnly: true
{{- end }}
{{- range $name, $_ := .Values.secretFiles }}
- name: {{ $.Values.sidecar.name }}-secret-{{ $name }}
  mountPath: /run/secrets/sidecar/{{ $name }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "claude-sidecar.volumes" -}}
{{- include "claude-sidecar.scope" . -}}
- name: {{ .Values.sidecar.name }}-config
  configMap:
    name: {{ include "claude-sidecar.fullname" . | quote }}
- name: {{ .Values.sidecar.name }}-data
  {{- if eq (include "claude-sidecar.claims" .) "true" }}
  persistentVolumeClaim:
    claimName: {{ include "claude-sidecar.claimName" . | quote }}
  {{- else }}
  # Without a limit: the kubelet ends the whole pod when an emptyDir outgrows its own.
  emptyDir: {}
  {{- end }}
{{ include "claude-sidecar.otherVolumes" . }}
{{- end }}

{{- define "claude-sidecar.otherVolumes" -}}
- name: {{ .Values.sidecar.name }}-tmp
  emptyDir: {}
{{- $beside := eq .Values.mode "sidecar" }}
{{- with .Values.http.token.existingSecret }}
- name: {{ $.Values.sidecar.name }}-api-token
  secret:
    secretName: {{ . | quote }}
    optional: {{ $beside }}
{{- end }}
{{- range $name, $secret := .Values.secretFiles }}
- name: {{ $.Values.sidecar.name }}-secret-{{ $name }}
  secret:
    secretName: {{ $secret.existingSecret | quote }}
    optional: {{ dig "optional" $beside $secret }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "claude-sidecar.claims" -}}
{{- and (ne .Values.mode "sidecar") .Values.persistence.enabled }}
{{- end }}

{{/* Without this the cluster's autoscaler keeps a node for the sake of an emptyDir. */}}
{{- define "claude-sidecar.annotations" -}}
{{- include "claude-sidecar.scope" . }}
{{- $names := list "tmp" }}
{{- if ne (include "claude-sidecar.claims" .) "true" }}{{ $names = prepend $names "data" }}{{ end }}
{{- $full := list }}
{{- range $names }}{{ $full = append $full (printf "%s-%s" $.Values.sidecar.name .) }}{{ end -}}
cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: {{ join "," $full }}
{{- end }}

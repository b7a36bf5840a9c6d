{{/* The container, and what a pod needs around it. All take the scope of this chart: `.Subcharts` of a gateway's chart has it. */}}

{{/* For `initContainers:` of a gateway's pod: the container as a native sidecar, or nothing. */}}
{{- define "claude-sidecar.initContainers" -}}
{{- include "claude-sidecar.besideOnly" . }}
{{- if eq (include "claude-sidecar.isNative" .) "true" -}}
- {{ include "claude-sidecar.container" . | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* For `containers:` of a gateway's pod: the container where there are no native sidecars, or nothing. */}}
{{- define "claude-sidecar.containers" -}}
{{- include "claude-sidecar.besideOnly" . }}
{{- if ne (include "claude-sidecar.isNative" .) "true" -}}
- {{ include "claude-sidecar.container" . | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "claude-sidecar.isNative" -}}
{{- $native := .Values.sidecar.native | toString }}
{{- if ne .Values.mode "sidecar" }}false
{{- else if eq $native "auto" }}{{ semverCompare ">=1.29.0-0" .Capabilities.KubeVersion.Version }}
{{- else }}{{ $native }}
{{- end }}
{{- end }}

{{- define "claude-sidecar.container" -}}
{{- include "claude-sidecar.validate" . }}
{{- $beside := eq .Values.mode "sidecar" }}
{{- $native := eq (include "claude-sidecar.isNative" .) "true" }}
name: {{ .Values.sidecar.name | quote }}
image: {{ include "claude-sidecar.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if $native }}
restartPolicy: Always
{{- end }}
{{- if $beside }}
command:
  - /bin/sh
  - -c
  - |
    {{- include "claude-sidecar.again" . | nindent 4 }}
  - sidecar
{{- end }}
args:
  - run
  - /etc/sidecar/sidecar.yml
  {{- range .Values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "claude-sidecar.env" . | trim | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: sidecar-metrics
    containerPort: {{ .Values.http.publicPort }}
    protocol: TCP
  {{- if .Values.http.expose }}
  - name: sidecar-api
    containerPort: {{ .Values.http.apiPort }}
    protocol: TCP
  {{- end }}
{{- if dig "enabled" true (.Values.livenessProbe | default dict) }}
livenessProbe:
  {{- include "claude-sidecar.liveness" . | nindent 2 }}
{{- end }}
{{- if dig "enabled" false (.Values.readinessProbe | default dict) }}
readinessProbe:
  {{- $asked := dict "httpGet" (dict "path" "/health/ready" "port" "sidecar-metrics") "periodSeconds" 10 "timeoutSeconds" 5 }}
  {{- toYaml (mergeOverwrite $asked (omit .Values.readinessProbe "enabled")) | nindent 2 }}
{{- end }}
{{- if and $native (ne (.Values.sidecar.quietAtTheEnd | toString) "0s") }}
lifecycle:
  # Of a native sidecar this runs at once when the pod is told to end, while the gateway still drains.
  preStop:
    exec:
      command:
        - /bin/sh
        - -c
        - {{ printf "exec %s" (include "claude-sidecar.quiet" (dict "root" . "for" .Values.sidecar.quietAtTheEnd "comment" "the pod ends")) | quote }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  {{- include "claude-sidecar.volumeMounts" . | nindent 2 }}
{{- end }}

{{/* A container that ended is not ready, and its pod with it; and a native sidecar that ends at once, for a mistake in its
configuration, holds back the gateway's start. So the container goes on, and the daemon is started again in it. No `$(` and no
`$$` here: Kubernetes would read them. */}}
{{- define "claude-sidecar.again" -}}
# The daemon may end; the container goes on, because the gateway's pod is ready only while it does.
ending=
trap 'ending=yes; kill -TERM "$child" 2>/dev/null' TERM INT
trap 'kill -HUP "$child" 2>/dev/null' HUP
{{- if ne (.Values.sidecar.quietAtTheStart | toString) "0s" }}
# A gateway that starts refuses probes. Only of a pod that is new: one whose daemon ended has a database.
[ -e /var/lib/sidecar/sidecar.db ] || for second in 3 3 4 10 20; do
  sleep "$second"
  {{ include "claude-sidecar.quiet" (dict "root" . "for" .Values.sidecar.quietAtTheStart "comment" "the pod starts") }} >/dev/null 2>&1 && break
done &
{{- end }}
while :; do
  sidecar "$@" &
  child=$!
  [ -z "$ending" ] || kill -TERM "$child"
  # A signal to us ends `wait` early.
  while wait "$child"; code=$?; kill -0 "$child" 2>/dev/null; do :; done
  [ -z "$ending" ] || exit "$code"
  echo "{\"level\": \"error\", \"event\": \"container.daemon_ended\", \"code\": $code, \"again_in_seconds\": 20}" >&2
  sleep 20 &
  child=$!
  wait "$child"
  [ -z "$ending" ] || exit "$code"
done
{{- end }}

{{/* Has the daemon open no alerts about its own pod for a while; takes `root`, `for` and `comment`. */}}
{{- define "claude-sidecar.quiet" -}}
{{- $values := .root.Values }}
{{- $pod := dig "pod" "" ($values.config | default dict) | default "${SIDECAR_POD}" -}}
sidecar silence add "pod={{ $pod }}" --for {{ .for }} --by kubernetes --comment "{{ .comment }}"
{{- end }}

{{/* In a gateway's pod the kubelet waits for eleven minutes: a daemon with a broken configuration is started again by the
container itself, and a container that the kubelet ends more often than every ten minutes is held back longer and longer, with the
gateway out of service. */}}
{{- define "claude-sidecar.liveness" -}}
{{- $asked := dict "httpGet" (dict "path" "/health/live" "port" "sidecar-metrics") "initialDelaySeconds" 15 "timeoutSeconds" 5 }}
{{- if eq .Values.mode "sidecar" }}
{{- $_ := mergeOverwrite $asked (dict "periodSeconds" 15 "failureThreshold" 44) }}
{{- else }}
{{- $_ := mergeOverwrite $asked (dict "periodSeconds" 10 "failureThreshold" 6) }}
{{- end }}
{{- toYaml (mergeOverwrite $asked (omit (.Values.livenessProbe | default dict) "enabled")) }}
{{- end }}

{{/* A pod's series are told apart by its name. A release of its own has one pod after another, and its series go on. */}}
{{- define "claude-sidecar.env" -}}
# For the commands that are run in here, such as `sidecar status`.
- name: SIDECAR_URL
  value: {{ include "claude-sidecar.apiURL" . | quote }}
{{- if .Values.http.token.existingSecret }}
- name: SIDECAR_TOKEN_FILE
  value: {{ include "claude-sidecar.tokenFile" . | quote }}
{{- end }}
{{- if not (hasKey (.Values.config | default dict) "pod") }}
- name: SIDECAR_POD
  {{- if eq .Values.mode "sidecar" }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
  {{- else }}
  value: {{ include "claude-sidecar.fullname" . | quote }}
  {{- end }}
{{- end }}
{{- $beside := eq .Values.mode "sidecar" }}
{{- range $name, $secret := .Values.secretEnv }}
- name: {{ $name | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret.existingSecret | quote }}
      key: {{ $secret.key | quote }}
      optional: {{ dig "optional" $beside $secret }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

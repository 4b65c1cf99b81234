{{/* What every pod of Usher has in common: it meets the strictest of the Pod Security Standards. */}}

{{- define "usher.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "usher.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where a pod may run: (dict "root" $ "values" .Values.serve). */}}
{{- define "usher.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .root.Values.priorityClasses.enabled }}
priorityClassName: {{ include "usher.clusterName" .root }}-control-plane
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How the pods of a part are spread, as far as there are several nodes and zones: (dict "root" $ "component" …). */}}
{{- define "usher.spread" -}}
{{- $root := . -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "usher.selector" $root | nindent 6 }}
{{- end }}
{{- end -}}

{{/* The container that runs a command of `usher` and ends: (dict "root" $ "name" … "command" (list …) "resources" …). */}}
{{- define "usher.tool" -}}
- name: {{ .name }}
  image: {{ include "usher.image" (dict "root" .root "image" .root.Values.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: {{ toJson .command }}
  env:
    {{- include "usher.databaseEnv" .root | nindent 4 }}
    {{- range $name, $value := .env }}
    - name: {{ $name }}
      value: {{ $value | quote }}
    {{- end }}
  resources:
    {{- toYaml .root.Values.hooks.resources | nindent 4 }}
  securityContext:
    {{- include "usher.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- include "usher.mounts" (dict "root" .root "extra" list) | nindent 4 }}
{{- end -}}

{{- define "usher.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "usher.databaseCa" .root }}
- name: database-ca
  mountPath: /etc/usher/database
  readOnly: true
{{- end }}
{{- if include "usher.redisCa" .root }}
- name: redis-ca
  mountPath: /etc/usher/redis
  readOnly: true
{{- end }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "usher.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if include "usher.databaseCa" .root }}
- name: database-ca
  secret:
    secretName: {{ .root.Values.externalDatabase.tls.caSecret }}
    items:
      - {key: {{ .root.Values.externalDatabase.tls.caKey }}, path: ca.crt}
{{- end }}
{{- if include "usher.redisCa" .root }}
- name: redis-ca
  secret:
    secretName: {{ .root.Values.externalRedis.tls.caSecret }}
    items:
      - {key: {{ .root.Values.externalRedis.tls.caKey }}, path: ca.crt}
{{- end }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}

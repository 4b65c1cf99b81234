{{/* Names and labels. Cluster-scoped names carry the namespace too: a cluster may hold several releases of one name. */}}

{{- define "usher.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "usher.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "usher.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "usher.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "usher.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "usher.fullname" .) -}}
{{- end -}}

{{/* Labels of an object: (dict "root" $ "component" "serve"). */}}
{{- define "usher.labels" -}}
{{ include "usher.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: without the version, so that only a change of the pod itself restarts it. */}}
{{- define "usher.podLabels" -}}
{{ include "usher.selector" . }}
app.kubernetes.io/part-of: usher
{{- end -}}

{{- define "usher.selector" -}}
app.kubernetes.io/name: {{ include "usher.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "usher.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

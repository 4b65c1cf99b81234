{{/* What is missing in the values has its default, at any depth: `helm upgrade --reuse-values` brings the values of an older
chart, and `--set part=null` takes a whole part out. Every template includes this first. */}}
{{- define "usher.defaults" -}}
{{- include "usher.fill" (dict "values" .Values "defaults" (.Files.Get "files/defaults.yaml" | fromYaml)) -}}
{{- end -}}

{{/* resources are the user's as a whole: a limit that was taken out stays out. */}}
{{- define "usher.fill" -}}
{{- $values := .values -}}
{{- range $key, $default := .defaults -}}
{{- $value := get $values $key -}}
{{- if kindIs "invalid" $default -}}
{{- else if or (not (hasKey $values $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $values $key (deepCopy $default) -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) (ne $key "resources") -}}
{{- include "usher.fill" (dict "values" $value "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

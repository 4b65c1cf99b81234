{{/* The settings of operate and serve that are no secret. */}}

{{- define "usher.config" -}}
USHER_API_ENABLED: {{ .Values.features.restApi | quote }}
USHER_ALLOWED_IMAGES: {{ join "," .Values.bot.allowedImages | quote }}
USHER_BOT_IMAGE: {{ include "usher.image" (dict "root" . "image" .Values.bot.image) }}
USHER_BOT_IMAGE_PULL_POLICY: {{ .Values.bot.image.pullPolicy }}
{{- if .Values.priorityClasses.enabled }}
USHER_BOT_PRIORITY_CLASS: {{ include "usher.clusterName" . }}-bots
{{- end }}
USHER_BOT_SERVICE_ACCOUNT: {{ include "usher.fullname" . }}-bot
USHER_BROWSER_IMAGE: {{ include "usher.image" (dict "root" . "image" .Values.bot.browser.image) }}
{{- with .Values.bot.browser.options }}
USHER_BROWSER_OPTIONS: {{ toJson . | quote }}
{{- end }}
{{- with .Values.bot.browser.resources }}
USHER_BROWSER_RESOURCES: {{ toJson . | quote }}
{{- end }}
{{- with .Values.bot.browser.seccompProfile }}
USHER_BROWSER_SECCOMP_PROFILE: {{ . | quote }}
{{- end }}
USHER_CALLBACK_URL: http://{{ include "usher.fullname" . }}-callbacks.{{ .Release.Namespace }}.svc.cluster.local:8081
USHER_DATABASE_POOL_SIZE: {{ .Values.database.poolSize | quote }}
USHER_DEFAULT_DRIVER: {{ .Values.bot.defaultDriver }}
{{- with .Values.bot.defaultCommand }}
USHER_DEFAULT_COMMAND: {{ toJson . | quote }}
{{- end }}
USHER_LEGACY_STATUSES: {{ .Values.features.legacyStatuses | quote }}
USHER_NAMESPACES: {{ join "," .Values.botNamespaces }}
USHER_STALE_CHECKS_ENABLED: {{ .Values.features.staleChecks | quote }}
USHER_WEBHOOKS_ENABLED: {{ .Values.features.webhooks | quote }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ include "usher.scalar" $value | quote }}
{{- end }}
{{- end -}}

{{/* A number as a person writes it: large ones reach a template as 1e+06. */}}
{{- define "usher.scalar" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{- printf "%.0f" . -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}

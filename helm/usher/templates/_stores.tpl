{{/* Where the database and Redis are, and which Secrets tell. A battery's Secret has the form of an external one. */}}

{{- define "usher.databaseSecret" -}}
{{- if .Values.postgresql.enabled -}}
{{- default (printf "%s-postgresql" (include "usher.fullname" .)) .Values.postgresql.existingSecret -}}
{{- else -}}
{{- .Values.externalDatabase.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "usher.databaseCa" -}}
{{- if not .Values.postgresql.enabled -}}{{- .Values.externalDatabase.tls.caSecret -}}{{- end -}}
{{- end -}}

{{- define "usher.databaseEnv" -}}
- name: USHER_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "usher.databaseSecret" . }}
      key: {{ ternary "url" .Values.externalDatabase.urlKey .Values.postgresql.enabled }}
{{- if not .Values.postgresql.enabled }}
{{- with .Values.externalDatabase.sessionUrlKey }}
- name: USHER_DATABASE_SESSION_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "usher.databaseSecret" $ }}
      key: {{ . }}
{{- end }}
{{- with .Values.externalDatabase.tls.mode }}
- name: PGSSLMODE
  value: {{ . }}
{{- end }}
{{- end }}
{{- if include "usher.databaseCa" . }}
- name: PGSSLROOTCERT
  value: /etc/usher/database/ca.crt
{{- end }}
{{- end -}}

{{/* The Secret with Redis' URLs; empty when there is no Redis. */}}
{{- define "usher.redisSecret" -}}
{{- if .Values.redis.enabled -}}
{{- default (printf "%s-redis" (include "usher.fullname" .)) .Values.redis.existingSecret -}}
{{- else -}}
{{- .Values.externalRedis.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "usher.redisCa" -}}
{{- if not .Values.redis.enabled -}}{{- .Values.externalRedis.tls.caSecret -}}{{- end -}}
{{- end -}}

{{/* What serve publishes with. */}}
{{- define "usher.serveRedisEnv" -}}
{{- if include "usher.redisSecret" . }}
- name: USHER_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "usher.redisSecret" . }}
      key: {{ ternary "url" .Values.externalRedis.urlKey .Values.redis.enabled }}
{{- end }}
{{- end -}}

{{/* What operate publishes with, makes the users of bots with, or hands on to bots where they share one user. */}}
{{- define "usher.operateRedisEnv" -}}
{{- if include "usher.redisSecret" . }}
- name: USHER_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "usher.redisSecret" . }}
      key: {{ ternary "operate-url" (default .Values.externalRedis.urlKey .Values.externalRedis.operateUrlKey) .Values.redis.enabled }}
{{- range $variable, $key := dict
  "USHER_BOT_REDIS_SECRET" (ternary "bot-secret" .Values.externalRedis.botSecretKey .Values.redis.enabled)
  "USHER_BOT_REDIS_URL" (ternary "" .Values.externalRedis.botUrlKey .Values.redis.enabled) }}
{{- if $key }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "usher.redisSecret" $ }}
      key: {{ $key }}
      {{- if and (eq $variable "USHER_BOT_REDIS_URL") $.Values.externalRedis.botSecretKey }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What Vexa's gateways prove themselves with, for serve, and what bots' keys are signed with, for operate. */}}
{{- define "usher.gatewayEnv" -}}
{{- with .Values.vexa.gateway }}
{{- if .existingSecret }}
- name: USHER_GATEWAY_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "usher.meetingTokenEnv" -}}
{{- with .Values.vexa.meetingToken }}
{{- if .existingSecret }}
- name: USHER_MEETING_TOKEN_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end -}}

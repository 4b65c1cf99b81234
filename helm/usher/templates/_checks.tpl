{{/* What cannot work is refused before anything is installed, with a sentence that says what would. */}}

{{/* Most connections that the release opens at once: each process a pool, with one more of either kind in a rollout, and two
each for the hooks and the tests. */}}
{{- define "usher.connections" -}}
{{- $serve := int (ternary .Values.serve.autoscaling.maxReplicas .Values.serve.replicas .Values.serve.autoscaling.enabled) -}}
{{- add (mul (int .Values.database.poolSize) (add (int .Values.operate.replicas) 1 $serve 1)) 6 -}}
{{- end -}}

{{/* Kept free for Postgres' own superuser (3) and for people. */}}
{{- define "usher.spareConnections" -}}10{{- end -}}

{{- define "usher.checks" -}}
{{- $values := .Values -}}
{{- if and $values.postgresql.enabled $values.externalDatabase.existingSecret -}}
{{- fail "There are two databases: externalDatabase.existingSecret is set, so set postgresql.enabled=false too, or unset it." -}}
{{- end -}}
{{- if not (or $values.postgresql.enabled $values.externalDatabase.existingSecret) -}}
{{- fail "There is no database: set externalDatabase.existingSecret to a Secret with the URL of yours, or postgresql.enabled=true." -}}
{{- end -}}
{{- if and $values.redis.enabled $values.externalRedis.existingSecret -}}
{{- fail "There are two of Redis: externalRedis.existingSecret is set, so set redis.enabled=false too, or unset it." -}}
{{- end -}}
{{- if and $values.postgresql.enabled $values.externalDatabase.tls.caSecret -}}
{{- fail "externalDatabase.tls is for an external database; set postgresql.enabled=false and externalDatabase.existingSecret." -}}
{{- end -}}
{{- if and $values.adminApi.existingSecret (not $values.adminApi.enabled) -}}
{{- fail "adminApi.existingSecret is set but nothing reads it: set adminApi.enabled=true, or unset it." -}}
{{- end -}}
{{- if and $values.adminApi.enabled (not $values.features.restApi) -}}
{{- fail "The admin API is a part of the REST API: set features.restApi=true, or adminApi.enabled=false." -}}
{{- end -}}
{{- if and (eq $values.bot.defaultDriver "exec") (not $values.bot.defaultCommand) -}}
{{- fail "bot.defaultDriver=exec needs bot.defaultCommand, or each bot that names no command would end at once." -}}
{{- end -}}
{{- if and $values.vexa.botTranscripts (not (or $values.redis.enabled $values.externalRedis.botSecretKey)) -}}
{{- fail "vexa.botTranscripts is a right of each bot's own user of Redis: set externalRedis.botSecretKey, or redis.enabled=true." -}}
{{- end -}}
{{- if and $values.vexa.gateway.existingSecret (not $values.features.restApi) -}}
{{- fail "Gateways ask the REST API: set features.restApi=true, or unset vexa.gateway.existingSecret." -}}
{{- end -}}
{{- if has .Release.Namespace $values.botNamespaces -}}
{{- fail (printf "Bots must not run beside Usher's Secrets: take the release's namespace %s out of botNamespaces." .Release.Namespace) -}}
{{- end -}}
{{- if ne (len (uniq $values.botNamespaces)) (len $values.botNamespaces) -}}
{{- fail "botNamespaces names a namespace twice." -}}
{{- end -}}
{{- if gt (int $values.serve.autoscaling.minReplicas) (int $values.serve.autoscaling.maxReplicas) -}}
{{- fail "serve.autoscaling.minReplicas is above serve.autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and $values.rbac.aggregate (not $values.rbac.clusterRoles) -}}
{{- fail "rbac.aggregate needs the roles that rbac.clusterRoles=true creates; set both, or rbac.aggregate=false." -}}
{{- end -}}
{{- include "usher.checkClocks" . -}}
{{- include "usher.checkConnections" . -}}
{{- end -}}

{{- define "usher.checkClocks" -}}
{{- $drain := float64 (get .Values.settings "USHER_DRAIN_S" | toString | default "5") -}}
{{- $shutdown := float64 (get .Values.settings "USHER_SHUTDOWN_TIMEOUT_S" | toString | default "30") -}}
{{- if le (float64 .Values.serve.terminationGracePeriodSeconds) (addf $drain $shutdown) -}}
{{- fail (printf "serve would be killed while it finishes requests: serve.terminationGracePeriodSeconds must be above USHER_DRAIN_S + USHER_SHUTDOWN_TIMEOUT_S (%v)." (addf $drain $shutdown)) -}}
{{- end -}}
{{- $interval := float64 (get .Values.settings "USHER_HEARTBEAT_INTERVAL_S" | toString | default "30") -}}
{{- $timeout := float64 (get .Values.settings "USHER_HEARTBEAT_TIMEOUT_S" | toString | default "120") -}}
{{- if lt $timeout (mulf 2 $interval) -}}
{{- fail "One lost heartbeat would kill a healthy bot: USHER_HEARTBEAT_TIMEOUT_S must be at least twice USHER_HEARTBEAT_INTERVAL_S." -}}
{{- end -}}
{{- end -}}

{{- define "usher.checkConnections" -}}
{{- $most := int (ternary .Values.postgresql.maxConnections .Values.externalDatabase.maxConnections .Values.postgresql.enabled) -}}
{{- $needed := add (int (include "usher.connections" .)) (int (include "usher.spareConnections" .)) -}}
{{- if and $most (gt $needed $most) -}}
{{- $name := ternary "postgresql.maxConnections" "externalDatabase.maxConnections" .Values.postgresql.enabled -}}
{{- fail (printf "Usher could open %d connections and %d are kept free, but %s is %d: raise it, or lower database.poolSize or the number of pods of serve or operate." (int (include "usher.connections" .)) (int (include "usher.spareConnections" .)) $name $most) -}}
{{- end -}}
{{- end -}}

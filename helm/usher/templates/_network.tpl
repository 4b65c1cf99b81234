{{/* Rules that several NetworkPolicies share. */}}

{{- define "usher.toDns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{- define "usher.toApiServer" -}}
- to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
        {{- /* Wherever the API server is, it is not where clouds tell machines their secrets. */}}
        {{- if eq . "0.0.0.0/0" }}
        except: [169.254.0.0/16]
        {{- else if eq . "::/0" }}
        except: ["fe80::/10"]
        {{- end }}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{- define "usher.toDatabase" -}}
{{- if .Values.postgresql.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "usher.selector" (dict "root" . "component" "postgresql") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 5432}
{{- else }}
- to:
    {{- range .Values.networkPolicy.externalDatabase.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .Values.networkPolicy.externalDatabase.port }}}
{{- end }}
{{- end -}}

{{- define "usher.toRedis" -}}
{{- if .Values.redis.enabled }}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Release.Namespace }}
      podSelector:
        matchLabels:
          {{- include "usher.selector" (dict "root" . "component" "redis") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 6379}
{{- else if .Values.externalRedis.existingSecret }}
- to:
    {{- range .Values.networkPolicy.externalRedis.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .Values.networkPolicy.externalRedis.port }}}
{{- end }}
{{- end -}}

{{/* Everything outside: media of meetings uses any port, and UDP. */}}
{{- define "usher.toInternet" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          {{- toYaml .Values.networkPolicy.privateCidrs | nindent 10 }}
    - ipBlock:
        cidr: "::/0"
        except:
          {{- toYaml .Values.networkPolicy.privateCidrs6 | nindent 10 }}
{{- end -}}

{{/* The pods of this release that may speak to the database. */}}
{{- define "usher.fromUsher" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "usher.name" . }}
      app.kubernetes.io/instance: {{ .Release.Name }}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: [operate, serve, migrate, drain, test]}
{{- end -}}

{{- define "usher.fromBots" -}}
{{- range .Values.botNamespaces }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
  podSelector:
    matchLabels:
      {{- include "usher.botSelector" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* The labels of every bot's pod (operator/usher_operator/kube/job_spec.py). */}}
{{- define "usher.botSelector" -}}
app.kubernetes.io/name: usher-bot
app.kubernetes.io/managed-by: usher
{{- end -}}

{{- define "kernel-auth-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "kernel-auth-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kernel-auth-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Never the chart's version: a selector cannot be changed. */}}
{{- define "kernel-auth-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kernel-auth-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels that somebody chose, without those that selectors ask for. */}}
{{- define "kernel-auth-exporter.withoutSelector" -}}
{{- toYaml (omit . "app.kubernetes.io/name" "app.kubernetes.io/instance") -}}
{{- end -}}

{{- define "kernel-auth-exporter.labels" -}}
{{ include "kernel-auth-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with include "kernel-auth-exporter.withoutSelector" .Values.commonLabels | fromYaml }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
Metadata of an object.
  dict "root" $ "name" … "namespace" … "labels" … "annotations" …; the last three may be left out.
*/}}
{{- define "kernel-auth-exporter.metadata" -}}
{{- $root := .root -}}
name: {{ default (include "kernel-auth-exporter.fullname" $root) .name | quote }}
namespace: {{ default (include "kernel-auth-exporter.namespace" $root) .namespace | quote }}
labels:
  {{- /* One map, so that a label given twice is written once. */}}
  {{- toYaml (mergeOverwrite (include "kernel-auth-exporter.labels" $root | fromYaml) (deepCopy (default dict .labels))) | nindent 2 }}
{{- with merge (deepCopy (default dict .annotations)) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "kernel-auth-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "kernel-auth-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The label of the pod that `helm test` starts, which no selector of the exporter's may meet. */}}
{{- define "kernel-auth-exporter.testName" -}}
{{- printf "%s-test" (include "kernel-auth-exporter.name" . | trunc 58 | trimSuffix "-") -}}
{{- end -}}

{{- define "kernel-auth-exporter.image" -}}
{{- with .Values.image -}}
{{- $name := .repository -}}
{{- if .registry -}}{{- $name = printf "%s/%s" (trimSuffix "/" .registry) .repository -}}{{- end -}}
{{- if .digest -}}
{{- printf "%s@%s" $name .digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A map without its nulls: what the platform is to choose is left out. */}}
{{- define "kernel-auth-exporter.withoutNulls" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $kept $key $value -}}{{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}

{{- define "kernel-auth-exporter.hasWebConfig" -}}
{{- if or .Values.webConfig .Values.existingWebConfigSecret -}}true{{- end -}}
{{- end -}}

{{/* The config file: the values' map, with the accounts that name a Secret. */}}
{{- define "kernel-auth-exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.accounts -}}
{{- $accounts := list -}}
{{- range .Values.accounts -}}
{{- $account := omit . "existingSecret" "existingSecretKey" -}}
{{- $_ := set $account "api_key_file" (printf "/run/secrets/kernel/%s" .name) -}}
{{- if hasKey $account "projects" -}}
{{- if kindIs "invalid" $account.projects -}}{{- $account = omit $account "projects" -}}{{- end -}}
{{- else if not $account.connections -}}
{{- $_ := set $account "projects" "all" -}}
{{- end -}}
{{- $accounts = append $accounts $account -}}
{{- end -}}
{{- $_ := set $config "accounts" $accounts -}}
{{- end -}}
{{- if $config -}}{{- toYaml $config -}}{{- end -}}
{{- end -}}

{{/* Refuses values that cannot work, with words. */}}
{{- define "kernel-auth-exporter.check" -}}
{{- $values := .Values -}}
{{- $env := false -}}
{{- range $values.extraEnv -}}
{{- if has .name (list "KERNEL_API_KEY" "KERNEL_API_KEY_FILE") -}}{{- $env = true -}}{{- end -}}
{{- end -}}
{{- $ways := list -}}
{{- if $values.apiKey -}}{{- $ways = append $ways "apiKey" -}}{{- end -}}
{{- if $values.existingSecret -}}{{- $ways = append $ways "existingSecret" -}}{{- end -}}
{{- if $values.accounts -}}{{- $ways = append $ways "accounts" -}}{{- end -}}
{{- if hasKey $values.config "accounts" -}}{{- $ways = append $ways "config.accounts" -}}{{- end -}}
{{- if $env -}}{{- $ways = append $ways "extraEnv" -}}{{- end -}}
{{- if $values.demo.enabled -}}{{- $ways = append $ways "demo.enabled" -}}{{- end -}}
{{- if and (not $ways) (not $values.extraEnvFrom) -}}
{{- fail "\n\nThe exporter needs an API key. Set existingSecret to a Secret that holds it under the key api-key:\n  kubectl create secret generic kernel-api-key --from-file=api-key=kernel.key\n  helm install … --set existingSecret=kernel-api-key\nor apiKey, or accounts with a Secret each; to look around without a key, set demo.enabled=true." -}}
{{- end -}}
{{- if gt (len $ways) 1 -}}
{{- fail (printf "\n\n%s are set together; keep one: each of them says where the API key comes from." (join " and " $ways)) -}}
{{- end -}}
{{- if regexMatch "(^|[^A-Za-z0-9_])sk_[A-Za-z0-9_]{13,}" (toYaml $values.config) -}}
{{- fail "\n\nconfig holds what looks like an API key, and would put it into a ConfigMap. Put the key into a Secret and name it with existingSecret or accounts[].existingSecret." -}}
{{- end -}}
{{- range $values.extraArgs -}}
{{- with regexFind "^--(log[.]level|log[.]format|web[.]listen-address|web[.]telemetry-path)\\b" (toString .) -}}
{{- fail (printf "\n\nextraArgs: %s is what the chart says itself: log.level and log.format are values, port and path are those that probes, Service and monitors ask." .) -}}
{{- end -}}
{{- end -}}
{{- if and $values.webConfig $values.existingWebConfigSecret -}}
{{- fail "\n\nwebConfig and existingWebConfigSecret are set together; keep one." -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled -}}
{{- fail "\n\nserviceMonitor and podMonitor are enabled together: every series would come twice. Keep one." -}}
{{- end -}}
{{- $names := list -}}
{{- range $values.accounts -}}
{{- if has .name $names -}}{{- fail (printf "\n\naccounts: the name %s is given twice; names become the label account." .name) -}}{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}

{{/* Milliseconds of a duration as Prometheus writes it. */}}
{{- define "kernel-auth-exporter.millis" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|[ywdhms])" . -1 -}}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .) | int64)) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* A scrape cannot take longer than the next one. dict "name" … "values" … */}}
{{- define "kernel-auth-exporter.checkScrape" -}}
{{- if gt (include "kernel-auth-exporter.millis" .values.scrapeTimeout | int64) (include "kernel-auth-exporter.millis" .values.interval | int64) -}}
{{- fail (printf "\n\n%s.scrapeTimeout (%s) is longer than %s.interval (%s); Prometheus refuses that." .name .values.scrapeTimeout .name .values.interval) -}}
{{- end -}}
{{- end -}}

{{/* What ServiceMonitor and PodMonitor have in common. dict "root" $ "values" … */}}
{{- define "kernel-auth-exporter.endpoint" -}}
{{- $tls := and (kindIs "map" .root.Values.webConfig.tls_server_config) .root.Values.webConfig.tls_server_config -}}
port: metrics
path: /metrics
scheme: {{ default (ternary "https" "http" (not (empty $tls))) .values.scheme }}
interval: {{ .values.interval }}
scrapeTimeout: {{ .values.scrapeTimeout }}
honorLabels: {{ .values.honorLabels }}
{{- with .values.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where a monitor lies elsewhere, it has to be told where the exporter is. */}}
{{- define "kernel-auth-exporter.namespaceSelector" -}}
{{- $here := include "kernel-auth-exporter.namespace" .root -}}
{{- if and .namespace (ne .namespace $here) }}
namespaceSelector:
  matchNames: [{{ $here | quote }}]
{{- end -}}
{{- end -}}

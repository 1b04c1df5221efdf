{{/*
The rules are a file with placeholders, the same from which the program's command
`assets` writes them; here as there, the thresholds are put into it.
*/}}

{{/* The text of milliseconds. */}}
{{- define "kernel-auth-exporter.duration" -}}
{{- $rest := int64 . -}}
{{- if eq $rest 0 -}}0s{{- end -}}
{{- range list (list "d" 86400000) (list "h" 3600000) (list "m" 60000) (list "s" 1000) (list "ms" 1) -}}
{{- $unit := index . 1 | int64 -}}
{{- if ge $rest $unit -}}{{- div $rest $unit -}}{{- index . 0 -}}{{- $rest = mod $rest $unit -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* How long a missing sample is bridged: three quarters, two minutes at most, one evaluation at least. */}}
{{- define "kernel-auth-exporter.bridge" -}}
{{- include "kernel-auth-exporter.duration" (max (min (mul (div .span 4) 3) 120000) .interval) -}}
{{- end -}}

{{/* What stands for each @name@, as YAML. */}}
{{- define "kernel-auth-exporter.ruleValues" -}}
{{- $rule := .Values.prometheusRule -}}
{{- $millis := dict -}}
{{- range $name, $value := $rule.thresholds -}}
{{- if kindIs "string" $value -}}
{{- $_ := set $millis $name (include "kernel-auth-exporter.millis" $value | int64) -}}
{{- end -}}
{{- end -}}
{{- $interval := $millis.interval -}}
{{- if or (le $interval 0) (gt $interval 60000) -}}
{{- fail "\n\nprometheusRule.thresholds.interval must be above 0 and at most 1m: alerts bridge two minutes." -}}
{{- end -}}
{{- if gt (add $millis.flowAwaitingFor (mul 2 $interval)) 180000 -}}
{{- fail "\n\nprometheusRule.thresholds.flowAwaitingFor and twice interval must be at most 3m: a login waits ten." -}}
{{- end -}}
{{- if ge (int64 $rule.thresholds.keyExpiryCriticalDays) (int64 $rule.thresholds.keyExpiryWarningDays) -}}
{{- fail "\n\nprometheusRule.thresholds.keyExpiryCriticalDays must be below keyExpiryWarningDays." -}}
{{- end -}}
{{- if gt (float64 $rule.thresholds.burnSlowShare) (float64 $rule.thresholds.burnShare) -}}
{{- fail "\n\nprometheusRule.thresholds.burnSlowShare must not be above burnShare." -}}
{{- end -}}
{{- $spans := dict
  "interval" $interval
  "visible_window" (mul 4 $interval)
  "needs_auth" $millis.needsAuthFor
  "missing" $millis.needsAuthFor
  "human_login" $millis.humanLoginFor
  "flow_awaiting" $millis.flowAwaitingFor
  "flow_failed" (min $millis.humanLoginFor $millis.needsAuthFor)
  "burn" (min $millis.humanLoginFor $millis.needsAuthFor)
  "exporter_down" $millis.exporterDownFor
  "api_unreachable" $millis.apiDownFor
  "api_unauthorized" (min $millis.humanLoginFor $millis.apiDownFor)
  "warning" $millis.warningFor
  "keep_firing" $millis.keepFiringFor
  "short_keep_firing" (min $millis.keepFiringFor 120000)
-}}
{{- range $name, $span := $spans }}
{{ $name }}: {{ include "kernel-auth-exporter.duration" $span }}
{{ $name }}_for: {{ include "kernel-auth-exporter.duration" $span }}
{{ $name }}_bridge: {{ include "kernel-auth-exporter.bridge" (dict "span" $span "interval" $interval) }}
{{ $name }}_seconds: {{ divf $span 1000 | quote }}
{{- end }}
{{- $terms := .Files.Get "files/terms.json" | fromJson }}
{{- range $name, $value := $terms }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- range $kind, $all := .Files.Get "files/remedies.json" | fromJson }}
{{- $branches := list }}
{{- range $code, $one := $all }}
{{- $text := printf "%s %s" $one.remedy (replace "<id>" "{{ $labels.connection_id }}" $one.command) }}
{{- $branches = append $branches (printf "if eq $code %q }}%s" $code $text) }}
{{- end }}
remedies_of_{{ $kind }}: {{ printf "{{ %s{{ else }}kernel auth connections get {{ $labels.connection_id }}{{ end }}" (join "{{ else " $branches) | quote }}
{{- end }}
runbook_base_url: {{ trimSuffix "/" $rule.runbookBaseUrl | quote }}
dashboard_base_url: {{ trimSuffix "/" $rule.dashboardBaseUrl | quote }}
{{- $job := include "kernel-auth-exporter.name" . }}
job: {{ $job | quote }}
jobs: {{ printf "job=~%q" (printf "%s|%s" (replace "." "[.]" $job) $terms.probe_job) | quote }}
snapshot_max_age_seconds: {{ div (add $millis.snapshotMaxAge 999) 1000 | quote }}
{{- $signUps := dict "off" 0 "critical" 1 "warning" 2 }}
{{- range $name := list "neverLoggedIn" "personLogin" }}
{{ snakecase $name }}: {{ get $signUps (get $rule.signUps $name) | quote }}
{{- end }}
{{- range $name := list "stalenessFactor" "reauthFailures" "flappingChanges" "burnMinConnections" "keyExpiryWarningDays" "keyExpiryCriticalDays" }}
{{ snakecase $name }}: {{ get $rule.thresholds $name | int64 | quote }}
{{- end }}
{{- range $name := list "rateLimitedShare" "burnShare" "burnSlowShare" "connectionsLimitShare" }}
{{ snakecase $name }}: {{ get $rule.thresholds $name | toString | quote }}
{{- end }}
{{- end -}}

{{/* The rules, from `groups:` on. */}}
{{- define "kernel-auth-exporter.rules" -}}
{{- $text := regexReplaceAll "(?s)^.*?\\ngroups:" (.Files.Get "files/rules.yml.tmpl") "groups:" -}}
{{- range $name, $value := include "kernel-auth-exporter.ruleValues" . | fromYaml -}}
{{- $text = replace (printf "@%s@" $name) (toString $value) $text -}}
{{- end -}}
{{- with regexFind "@[a-z_]+@" $text -}}
{{- fail (printf "\n\nfiles/rules.yml.tmpl has a placeholder that this chart does not know: %s" .) -}}
{{- end -}}
{{- $rule := .Values.prometheusRule -}}
{{- $routed := .Values.alertmanagerConfig.enabled -}}
{{- if or $rule.additionalRuleLabels $rule.disabled $rule.additionalGroups $routed -}}
{{- $namespace := default (include "kernel-auth-exporter.namespace" .) .Values.alertmanagerConfig.namespace -}}
{{- $known := list -}}
{{- $groups := list -}}
{{- range (fromYaml $text).groups -}}
{{- $rules := list -}}
{{- range .rules -}}
{{- with .alert -}}{{- $known = append $known . -}}{{- end -}}
{{- /* Nothing that is absent has a namespace, and the Operator routes by it. */ -}}
{{- if and $routed (eq (default "" .alert) "KernelAuthExporterAbsent") -}}
{{- $_ := set . "labels" (merge .labels (dict "namespace" $namespace)) -}}
{{- end -}}
{{- if not (and .alert (has .alert $rule.disabled)) -}}
{{- if .alert -}}{{- $_ := set . "labels" (merge (default dict .labels) $rule.additionalRuleLabels) -}}{{- end -}}
{{- $rules = append $rules . -}}
{{- end -}}
{{- end -}}
{{- $_ := set . "rules" $rules -}}
{{- $groups = append $groups . -}}
{{- end -}}
{{- range $rule.disabled -}}
{{- if not (has . $known) -}}
{{- fail (printf "\n\nprometheusRule.disabled: there is no alert %s; the alerts are %s." . (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "groups" (concat $groups $rule.additionalGroups)) -}}
{{- else -}}
{{- trimSuffix "\n" $text -}}
{{- end -}}
{{- end -}}

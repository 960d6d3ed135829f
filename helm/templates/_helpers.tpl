{{- define "outrider.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "outrider.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "outrider.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "outrider.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "outrider.selectorLabels" -}}
app.kubernetes.io/name: {{ include "outrider.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "outrider.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "outrider.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "outrider.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "outrider.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* The ConfigMap with the profile, or nothing. */ -}}
{{- define "outrider.profileConfigMap" -}}
{{- if and .Values.profile.inline .Values.profile.existingConfigMap -}}
{{- fail "profile.inline and profile.existingConfigMap are both set: keep one" -}}
{{- end -}}
{{- if .Values.profile.inline -}}
{{- if gt (len .Values.profile.inline) 1000000 -}}
{{- fail "profile.inline is larger than a ConfigMap can be (1 MiB): gzip it into a ConfigMap of your own and name that in profile.existingConfigMap" -}}
{{- end -}}
{{- printf "%s-profile" (include "outrider.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- else -}}
{{- .Values.profile.existingConfigMap -}}
{{- end -}}
{{- end -}}

{{- /* An image reference from repository, digest or tag; takes a dict of image and default (a tag). */ -}}
{{- define "outrider.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .default .image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* A value as text. Helm reads whole numbers as floats and would print a million as 1e+06. */ -}}
{{- define "outrider.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- printf "%.0f" . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{- /* A setting as text. YAML reads a bare `on` as true. */ -}}
{{- define "outrider.setting" -}}
{{- if kindIs "bool" . -}}
{{- ternary "on" "off" . -}}
{{- else -}}
{{- include "outrider.text" . -}}
{{- end -}}
{{- end -}}

{{- /* All pairs of a port of Outrider's and one of the model's, as JSON: the first, then outrider.extraPorts. */ -}}
{{- define "outrider.pairs" -}}
{{- $first := dict "name" "inference" "port" .Values.outrider.ports.inference "modelPort" .Values.model.port "ready" .Values.outrider.ready -}}
{{- $pairs := list $first -}}
{{- $served := list (include "outrider.text" .Values.service.port) -}}
{{- $opened := dict "outrider.ports.admin" .Values.outrider.ports.admin "outrider.ports.health" .Values.outrider.ports.health "outrider.ports.inference" .Values.outrider.ports.inference -}}
{{- range .Values.outrider.extraPorts -}}
{{- $where := printf "outrider.extraPorts: the port of %s" .name -}}
{{- if hasKey $opened $where -}}
{{- fail (printf "outrider.extraPorts: two are named %s: give each a name of its own" .name) -}}
{{- end -}}
{{- if and $.Values.outrider.tls.secretName (eq (.appProtocol | default "") "kubernetes.io/h2c") -}}
{{- fail (printf "outrider.extraPorts: the appProtocol of %s is kubernetes.io/h2c, which is without TLS, and outrider.tls.secretName is set: leave one out" .name) -}}
{{- end -}}
{{- $_ := set $opened $where .port -}}
{{- $service := .servicePort | default .port | include "outrider.text" -}}
{{- if has $service $served -}}
{{- fail (printf "outrider.extraPorts: the Service's port of %s is %s, which is another's already: give it a servicePort of its own" .name $service) -}}
{{- end -}}
{{- $served = append $served $service -}}
{{- $pairs = append $pairs (dict "name" .name "port" .port "modelPort" .modelPort "ready" (.ready | default "tcp")) -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $where, $port := $opened -}}
{{- $key := include "outrider.text" $port -}}
{{- if hasKey $seen $key -}}
{{- fail (printf "%s and %s are both %s: give each a port of its own" (get $seen $key) $where $key) -}}
{{- end -}}
{{- $_ := set $seen $key $where -}}
{{- end -}}
{{- range $pairs -}}
{{- $key := include "outrider.text" .modelPort -}}
{{- if hasKey $seen $key -}}
{{- fail (printf "the model can't listen on %s, because %s is %s, too, and both are in one pod: move the model to another port" $key (get $seen $key) $key) -}}
{{- end -}}
{{- end -}}
{{- toJson $pairs -}}
{{- end -}}

{{- /* The pod's grace period in seconds: long enough for the drain and the last export, or it fails. */ -}}
{{- define "outrider.gracePeriod" -}}
{{- $drain := add .Values.drain.delaySeconds .Values.drain.timeoutSeconds -}}
{{- $least := add $drain 11 -}}
{{- with .Values.terminationGracePeriodSeconds -}}
{{- if lt (int64 .) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and must be at least %d: drain.delaySeconds, drain.timeoutSeconds and more than 10 seconds for the last export" (int64 .) $least) -}}
{{- end -}}
{{- int64 . -}}
{{- else -}}
{{- add $drain .Values.drain.graceSeconds -}}
{{- end -}}
{{- end -}}

{{- define "outrider.health" -}}
http://127.0.0.1:{{ include "outrider.text" .Values.outrider.ports.health }}
{{- end -}}

{{- /*
The model's preStop hook, or nothing. Kubernetes runs it also where a failed probe restarts the model alone, and a drain can't be
taken back. So it begins none: it waits for the one that the pod's end begins, no longer than `sleep` would, and joins it. No
proxy that its environment names is asked.
*/ -}}
{{- define "outrider.hook" -}}
{{- $hook := .Values.drain.hook -}}
{{- if eq $hook "curl" }}
exec:
  command:
    - sh
    - -c
    - |
      n=0
      while [ $n -le {{ .Values.drain.delaySeconds }} ]; do
        case "$(curl --noproxy '*' --silent --max-time 2 {{ include "outrider.health" . }}/readyz)" in
          draining*) exec curl --noproxy '*' --fail --silent --show-error --request POST {{ include "outrider.health" . }}/drain ;;
        esac
        n=$((n + 1))
        sleep 1
      done
{{- else if eq $hook "python3" }}
exec:
  command:
    - python3
    - -c
    - |
      import time, urllib.error, urllib.request
      call = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
      for _ in range({{ add .Values.drain.delaySeconds 1 }}):
          try:
              call("{{ include "outrider.health" . }}/readyz", timeout=2)
          except urllib.error.HTTPError as answer:
              if answer.read().startswith(b"draining"):
                  call("{{ include "outrider.health" . }}/drain", b"")
                  break
          except OSError:
              pass
          time.sleep(1)
{{- else if and (eq $hook "sleep") (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
sleep:
  seconds: {{ add .Values.drain.delaySeconds 1 }}
{{- end }}
{{- end -}}

{{- define "outrider.model" -}}
- name: model
  image: {{ include "outrider.image" (dict "image" .Values.model.image "default" "") | quote }}
  imagePullPolicy: {{ .Values.model.image.pullPolicy }}
  {{- with .Values.model.command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.model.args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.model.env }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
  {{- with index $.Values.model $probe }}
  {{ $probe }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- if .Values.model.lifecycle }}
  lifecycle:
    {{- toYaml .Values.model.lifecycle | nindent 4 }}
  {{- else if include "outrider.hook" . }}
  lifecycle:
    preStop:
      {{- include "outrider.hook" . | trim | nindent 6 }}
  {{- end }}
  {{- with .Values.model.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.model.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.model.volumeMounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "outrider.sidecar" -}}
{{- $pairs := include "outrider.pairs" . | fromJsonArray -}}
{{- $listen := list -}}
{{- $upstream := list -}}
{{- $ready := list -}}
{{- range $pairs -}}
{{- $listen = append $listen (printf "0.0.0.0:%s" (include "outrider.text" .port)) -}}
{{- $upstream = append $upstream (printf "%s://127.0.0.1:%s" $.Values.model.scheme (include "outrider.text" .modelPort)) -}}
{{- $ready = append $ready .ready -}}
{{- end -}}
- name: outrider
  image: {{ include "outrider.image" (dict "image" .Values.outrider.image "default" .Chart.AppVersion) | quote }}
  imagePullPolicy: {{ .Values.outrider.image.pullPolicy }}
  {{- if .Values.outrider.nativeSidecar }}
  restartPolicy: Always
  {{- end }}
  ports:
    {{- range $pairs }}
    - name: {{ .name }}
      containerPort: {{ include "outrider.text" .port }}
    {{- end }}
    - name: admin
      containerPort: {{ .Values.outrider.ports.admin }}
    - name: health
      containerPort: {{ .Values.outrider.ports.health }}
  env:
    - name: OUTRIDER_LISTEN
      value: {{ join "," $listen | quote }}
    - name: OUTRIDER_UPSTREAM
      value: {{ join "," $upstream | quote }}
    - name: OUTRIDER_READY
      value: {{ join "," $ready | quote }}
    {{- if .Values.outrider.tls.secretName }}
    - name: OUTRIDER_TLS_CERT
      value: /etc/outrider-tls/tls.crt
    - name: OUTRIDER_TLS_KEY
      value: /etc/outrider-tls/tls.key
    {{- end }}
    - name: OUTRIDER_ADMIN
      value: "0.0.0.0:{{ .Values.outrider.ports.admin }}"
    - name: OUTRIDER_HEALTH
      value: "0.0.0.0:{{ .Values.outrider.ports.health }}"
    {{- if include "outrider.profileConfigMap" . }}
    - name: OUTRIDER_PROFILE
      value: "/etc/outrider/{{ .Values.profile.key }}"
    {{- end }}
    {{- if .Values.state.enabled }}
    - name: OUTRIDER_STATE_DIR
      value: /var/lib/outrider
    {{- end }}
    - name: OUTRIDER_DRAIN_DELAY
      value: "{{ .Values.drain.delaySeconds }}s"
    - name: OUTRIDER_DRAIN_TIMEOUT
      value: "{{ .Values.drain.timeoutSeconds }}s"
    {{- range $name, $value := .Values.outrider.settings }}
    - name: {{ $name }}
      value: {{ include "outrider.setting" $value | quote }}
    {{- end }}
    {{- range $name, $value := .Values.outrider.otel }}
    - name: {{ $name }}
      value: {{ include "outrider.text" $value | quote }}
    {{- end }}
    {{- with .Values.outrider.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if .Values.outrider.nativeSidecar }}
  # A native sidecar gets SIGTERM only after the model has ended, but this at once: the drain begins while the model still is.
  lifecycle:
    preStop:
      exec:
        command:
          - python
          - -c
          - import urllib.request as r; r.build_opener(r.ProxyHandler({})).open("{{ include "outrider.health" . }}/drain", b"")
  {{- end }}
  # Only readiness asks the model: as a native sidecar Outrider has to be started before the model can start, and a model that
  # is gone is not mended by a restart of Outrider.
  startupProbe:
    httpGet:
      path: /livez
      port: health
    periodSeconds: 1
    failureThreshold: 30
  livenessProbe:
    httpGet:
      path: /livez
      port: health
    periodSeconds: 10
  readinessProbe:
    httpGet:
      path: /readyz
      port: health
    periodSeconds: 5
  resources:
    {{- toYaml .Values.outrider.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.outrider.securityContext | nindent 4 }}
  volumeMounts:
    - name: outrider-tmp
      mountPath: /tmp
    {{- if .Values.outrider.tls.secretName }}
    # A folder, not a subPath: only then does a renewed certificate arrive.
    - name: outrider-tls
      mountPath: /etc/outrider-tls
      readOnly: true
    {{- end }}
    {{- if include "outrider.profileConfigMap" . }}
    - name: outrider-profile
      mountPath: /etc/outrider
      readOnly: true
    {{- end }}
    {{- if .Values.state.enabled }}
    - name: outrider-state
      mountPath: /var/lib/outrider
    {{- end }}
    {{- with .Values.outrider.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

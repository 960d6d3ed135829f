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
  {{- else if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}
  lifecycle:
    preStop:
      sleep:
        seconds: {{ add .Values.drain.delaySeconds 1 }}
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
- name: outrider
  image: {{ include "outrider.image" (dict "image" .Values.outrider.image "default" .Chart.AppVersion) | quote }}
  imagePullPolicy: {{ .Values.outrider.image.pullPolicy }}
  {{- if .Values.outrider.nativeSidecar }}
  restartPolicy: Always
  {{- end }}
  ports:
    - name: inference
      containerPort: {{ .Values.outrider.ports.inference }}
    - name: admin
      containerPort: {{ .Values.outrider.ports.admin }}
    - name: health
      containerPort: {{ .Values.outrider.ports.health }}
  env:
    - name: OUTRIDER_LISTEN
      value: "0.0.0.0:{{ .Values.outrider.ports.inference }}"
    - name: OUTRIDER_UPSTREAM
      value: "http://127.0.0.1:{{ .Values.model.port }}"
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
      value: {{ include "outrider.text" $value | quote }}
    {{- end }}
    {{- range $name, $value := .Values.outrider.otel }}
    - name: {{ $name }}
      value: {{ include "outrider.text" $value | quote }}
    {{- end }}
    {{- with .Values.outrider.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  # None of these asks the model: as a native sidecar Outrider has to be started before the model can start.
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
    {{- if include "outrider.profileConfigMap" . }}
    - name: outrider-profile
      mountPath: /etc/outrider
      readOnly: true
    {{- end }}
    {{- if .Values.state.enabled }}
    - name: outrider-state
      mountPath: /var/lib/outrider
    {{- end }}
{{- end -}}

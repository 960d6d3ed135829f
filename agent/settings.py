"""Every setting, declared once: from this table follow the README, ``outrider config`` and the checks at start.

Durations are written ``30s``, ``5m``, ``1h``, ``250ms`` (a bare number is seconds); sizes ``64KiB``, ``8MiB`` (a bare number is
bytes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from agent import spelling
from agent.group_language import Comparison, Grouping
from agent.spelling import Address, CustomRoute, Readiness, Upstream
from agent.tolerance_language import Tolerances


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting with its value; durations in seconds, sizes in bytes. `SETTINGS` says what each one means."""

    listen: tuple[Address, ...]
    upstream: tuple[Upstream, ...]
    admin: Address
    health: Address
    ready: tuple[Readiness, ...]
    ready_interval_s: float
    ready_failures: int
    tls_cert: str
    tls_key: str
    upstream_ca: str
    upstream_verify: bool
    max_connections: int
    max_head_bytes: int
    idle_timeout_s: float
    profile: str
    model_name: str
    routes: tuple[CustomRoute, ...]
    window_s: float
    pane_s: float
    warmup_rows: int
    capture_bytes: int
    tap_bytes: int
    state_dir: str
    connect_timeout_s: float
    drain_delay_s: float
    drain_timeout_s: float
    min_rows: int
    consecutive: int
    alpha: float
    against: tuple[str, ...]
    thresholds: tuple[Tolerances, ...]
    psi: float
    js: float
    hellinger: float
    total_variation: float
    ks: float
    cramer_von_mises: float
    wasserstein: float
    mean_shift: float
    variance: float
    chi_square: float
    l_infinity: float
    distinct: float
    missing: float
    unseen: float
    out_of_range: float
    correlation: float
    association: float
    discrepancy: float
    anomaly_quantile: float
    keep_rows: bool
    segments: tuple[Grouping, ...]
    max_segments: int
    groups: tuple[Grouping, ...]
    favourable: Comparison | None
    parity: float
    impact: float
    max_columns: int
    log_level: str


class Setting(NamedTuple):
    """One environment variable: where its value goes, how it is read, and what the README says of it."""

    name: str
    field: str
    type: str
    default: str
    parse: Callable[[str], Any]
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "OUTRIDER_LISTEN", "listen", "host:port, ...", "0.0.0.0:8000", spelling.listed(spelling.address),
        "Where clients call the model: one address, or several separated by commas.",
    ),
    Setting(
        "OUTRIDER_UPSTREAM", "upstream", "URL, ...", "http://127.0.0.1:8080", spelling.listed(spelling.upstream),
        "Where the model server listens, one for each address of `OUTRIDER_LISTEN`: `http://host:port` (gRPC too), "
        "`https://host:port` or `unix:///path`.",
    ),
    Setting(
        "OUTRIDER_ADMIN", "admin", "host:port", "0.0.0.0:9464", spelling.address, "Where the report and `/metrics` are served."
    ),
    Setting(
        "OUTRIDER_HEALTH", "health", "host:port", "0.0.0.0:9465", spelling.address,
        "Where `/livez`, `/readyz` and `/drain` are served.",
    ),
    Setting(
        "OUTRIDER_READY", "ready", "check, ...", "tcp", spelling.listed(spelling.readiness),
        "What `/readyz` asks of the model server: `tcp` (it takes connections), `http:/path` (it answers 2xx), `grpc` or "
        "`grpc:service` (its health service says SERVING), `none`. One for all, or one for each upstream.",
    ),
    Setting(
        "OUTRIDER_READY_INTERVAL", "ready_interval_s", "duration", "5s", spelling.positive_duration,
        "How often the model server is asked, and how long its answer may take.",
    ),
    Setting(
        "OUTRIDER_READY_FAILURES", "ready_failures", "checks", "3", spelling.at_least_one,
        "How many checks in a row must fail before `/readyz` fails; two in a row make it good again.",
    ),
    Setting(
        "OUTRIDER_TLS_CERT", "tls_cert", "path", "", spelling.plain,
        "The certificate chain (PEM) that clients are shown. With it, clients speak TLS. Read again when the file changes.",
    ),
    Setting(
        "OUTRIDER_TLS_KEY", "tls_key", "path", "", spelling.plain,
        "The certificate's private key (PEM), without a password.",
    ),
    Setting(
        "OUTRIDER_UPSTREAM_CA", "upstream_ca", "path", "", spelling.plain,
        "The authorities (PEM) that an `https` upstream's certificate must come from. Empty: the system's.",
    ),
    Setting(
        "OUTRIDER_UPSTREAM_VERIFY", "upstream_verify", "switch", "on", spelling.switch,
        "Whether the certificate and name of an `https` upstream are checked.",
    ),
    Setting(
        "OUTRIDER_MAX_CONNECTIONS", "max_connections", "connections", "0", spelling.count,
        "Client connections at a time; those beyond get 503. 0: as many as the limit of open files allows.",
    ),
    Setting(
        "OUTRIDER_MAX_HEAD", "max_head_bytes", "size", "64KiB", spelling.head_size,
        "The longest request head that passes; longer ones get 431.",
    ),
    Setting(
        "OUTRIDER_IDLE_TIMEOUT", "idle_timeout_s", "duration", "1h", spelling.duration,
        "How long a connection may be open with no call under way and nothing passing. 0s: for ever.",
    ),
    Setting(
        "OUTRIDER_PROFILE", "profile", "path", "", spelling.plain,
        "The training profile. Without one, the first rows are taken as the reference.",
    ),
    Setting(
        "OUTRIDER_MODEL_NAME", "model_name", "text", "", spelling.plain,
        "The model's name in metrics where no profile says it.",
    ),
    Setting(
        "OUTRIDER_ROUTES", "routes", "routes", "", spelling.routes,
        "Routes of your own: `/path inputs=$.rows outputs=$.scores`, several separated by semicolons. The path in "
        "`AIP_PREDICT_ROUTE`, which Vertex AI sets, is one more, `format=vertex-ai`; the one in `AIP_HEALTH_ROUTE` is that of "
        "probes, like `/ping`.",
    ),
    Setting("OUTRIDER_WINDOW", "window_s", "duration", "1h", spelling.positive_duration, "How far back an evaluation looks."),
    Setting("OUTRIDER_PANE", "pane_s", "duration", "1m", spelling.positive_duration, "How often an evaluation happens."),
    Setting(
        "OUTRIDER_WARMUP_ROWS", "warmup_rows", "rows", "1000", spelling.at_least_one,
        "How many first rows become the reference where there is no profile.",
    ),
    Setting(
        "OUTRIDER_CAPTURE_BYTES", "capture_bytes", "size", "1MiB", spelling.size,
        "How much of a request and of a response is read.",
    ),
    Setting(
        "OUTRIDER_TAP_BYTES", "tap_bytes", "size", "8MiB", spelling.size,
        "How much may wait for the monitor before bodies are left out.",
    ),
    Setting(
        "OUTRIDER_STATE_DIR", "state_dir", "path", "", spelling.plain,
        "Where the window is kept over a restart. Empty: nowhere.",
    ),
    Setting(
        "OUTRIDER_CONNECT_TIMEOUT", "connect_timeout_s", "duration", "5s", spelling.positive_duration,
        "How long a connection to the model server may take before the client gets 503.",
    ),
    Setting(
        "OUTRIDER_DRAIN_DELAY", "drain_delay_s", "duration", "5s", spelling.duration,
        "How long after SIGTERM new connections are still taken, while readiness fails.",
    ),
    Setting(
        "OUTRIDER_DRAIN_TIMEOUT", "drain_timeout_s", "duration", "25s", spelling.duration,
        "How long requests under way may take to finish after that.",
    ),
    Setting(
        "OUTRIDER_MIN_ROWS", "min_rows", "rows", "100", spelling.at_least_one,
        "Below this many rows in the window nothing is decided.",
    ),
    Setting(
        "OUTRIDER_CONSECUTIVE", "consecutive", "evaluations", "3", spelling.at_least_one,
        "How many evaluations in a row must exceed a threshold before a column is called drifted.",
    ),
    Setting(
        "OUTRIDER_ALPHA", "alpha", "probability", "0.05", spelling.probability,
        "The chance of any false alarm in a day, shared out over columns, statistics and evaluations.",
    ),
    Setting(
        "OUTRIDER_AGAINST", "against", "reference, ...", "training", spelling.references,
        "What the window is compared with: `training`, `before` (the window before it: sudden changes), `season` (the same "
        "hours of up to seven earlier days).",
    ),
    Setting(
        "OUTRIDER_THRESHOLDS", "thresholds", "thresholds", "", spelling.thresholds,
        "Tolerances of single columns: `age ks=0.2 psi=off; card_* missing=0.1`.",
    ),
    Setting("OUTRIDER_PSI", "psi", "number", "0.1", spelling.tolerance, "Tolerance of the population stability index."),
    Setting("OUTRIDER_JS", "js", "number", "0.1", spelling.tolerance, "Tolerance of the Jensen-Shannon distance (base 2)."),
    Setting("OUTRIDER_HELLINGER", "hellinger", "number", "0.1", spelling.tolerance, "Tolerance of the Hellinger distance."),
    Setting(
        "OUTRIDER_TOTAL_VARIATION", "total_variation", "share", "0.15", spelling.tolerance,
        "Tolerance of the total variation distance: the share of rows that would have to move.",
    ),
    Setting("OUTRIDER_KS", "ks", "number", "0.1", spelling.tolerance, "Tolerance of the Kolmogorov-Smirnov distance."),
    Setting(
        "OUTRIDER_CRAMER_VON_MISES", "cramer_von_mises", "number", "0.08", spelling.tolerance,
        "Tolerance of the Cramér-von Mises distance.",
    ),
    Setting(
        "OUTRIDER_WASSERSTEIN", "wasserstein", "σ", "0.1", spelling.tolerance,
        "Tolerance of the Wasserstein distance, in standard deviations of the reference.",
    ),
    Setting(
        "OUTRIDER_MEAN_SHIFT", "mean_shift", "σ", "0.25", spelling.tolerance,
        "Tolerance of the z-score of the mean, in standard deviations of the reference.",
    ),
    Setting(
        "OUTRIDER_VARIANCE", "variance", "ln", "0.25", spelling.tolerance,
        "Tolerance of the natural logarithm of the ratio of standard deviations; 0.25 is a factor of 1.28.",
    ),
    Setting(
        "OUTRIDER_CHI_SQUARE", "chi_square", "w", "0.3", spelling.tolerance,
        "Tolerance of Cohen's w, the effect size of the chi-square test.",
    ),
    Setting(
        "OUTRIDER_L_INFINITY", "l_infinity", "share", "0.1", spelling.tolerance,
        "Tolerance of the largest change of one category's share.",
    ),
    Setting(
        "OUTRIDER_DISTINCT", "distinct", "share", "0.2", spelling.tolerance,
        "Tolerance of the change of the number of distinct categories, as a share of the number to be expected.",
    ),
    Setting("OUTRIDER_MISSING", "missing", "share", "0.01", spelling.tolerance, "Tolerance of the change of the missing share."),
    Setting(
        "OUTRIDER_UNSEEN", "unseen", "share", "0.01", spelling.tolerance,
        "Tolerance of the change of the share of unseen categories.",
    ),
    Setting(
        "OUTRIDER_OUT_OF_RANGE", "out_of_range", "share", "0.01", spelling.tolerance,
        "Tolerance of the share of numbers beyond the range of training.",
    ),
    Setting(
        "OUTRIDER_CORRELATION", "correlation", "r", "0.2", spelling.tolerance,
        "Tolerance of the change of the correlation of two columns.",
    ),
    Setting(
        "OUTRIDER_ASSOCIATION", "association", "share", "0.1", spelling.tolerance,
        "Tolerance of the change of what a feature says of the prediction (uncertainty coefficient).",
    ),
    Setting(
        "OUTRIDER_DISCREPANCY", "discrepancy", "number", "1", spelling.tolerance,
        "Tolerance of the discrepancy of all columns together; 1 is what the shift of one column by a quarter σ makes.",
    ),
    Setting(
        "OUTRIDER_ANOMALY_QUANTILE", "anomaly_quantile", "share", "0.999", spelling.probability,
        "The share of training's rows that are less strange than a row that counts as an anomaly.",
    ),
    Setting(
        "OUTRIDER_KEEP_ROWS", "keep_rows", "switch", "off", spelling.switch,
        "Whether `/api/rows` shows the values of the strangest rows, beside their scores.",
    ),
    Setting(
        "OUTRIDER_SEGMENTS", "segments", "groups, ...", "", spelling.groupings,
        "Columns, such as `country, age<25`, whose every value has a report of its own, against training's rows with that value.",
    ),
    Setting(
        "OUTRIDER_MAX_SEGMENTS", "max_segments", "segments", "20", spelling.at_least_one,
        "Segments at most, the most frequent in training; the rows of others are counted together. As many groups.",
    ),
    Setting(
        "OUTRIDER_GROUPS", "groups", "groups, ...", "", spelling.groupings,
        "Groups that the model's answers should favour alike, such as `gender, age<25, age>=60`.",
    ),
    Setting(
        "OUTRIDER_FAVOURABLE", "favourable", "value", "", spelling.favourable,
        "Which answer is favourable: a category such as `approved`, or a comparison such as `>=0.5`. Empty: `true` or `1`, where "
        "the answers are booleans or zeros and ones.",
    ),
    Setting(
        "OUTRIDER_PARITY", "parity", "share", "0.1", spelling.gap,
        "Tolerance of the difference between the selection rates of a group and of the others.",
    ),
    Setting(
        "OUTRIDER_IMPACT", "impact", "ratio", "0.8", spelling.impact,
        "The smallest ratio of the selection rates that is tolerated, and one over it the largest; or `off`.",
    ),
    Setting(
        "OUTRIDER_MAX_COLUMNS", "max_columns", "columns", "200", spelling.at_least_one,
        "Columns with metrics of their own; the rest is summed up.",
    ),
    Setting("OUTRIDER_LOG_LEVEL", "log_level", "level", "info", spelling.log_level, "debug, info, warning or error."),
)  # fmt: skip

"""The configuration: environment variables only, each declared once in `SETTINGS`.

The README's table, ``outrider config`` and the checks at start all follow from that table. Durations are written ``30s``,
``5m``, ``1h``, ``250ms`` (a bare number is seconds); sizes ``64KiB``, ``8MiB`` (a bare number is bytes).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from agent.errors import ConfigError


class Address(NamedTuple):
    """Where to listen or connect."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class CustomRoute(NamedTuple):
    """A route of the user's own: where it is and where its values are.

    `path` is a template whose ``{name}`` parts match one segment. `inputs` and `outputs` are JSON paths such as
    ``$.rows`` or ``$``; `outputs` may be empty.
    """

    path: str
    inputs: str
    outputs: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting with its value; durations in seconds, sizes in bytes. `SETTINGS` says what each one means."""

    listen: Address
    upstream: Address
    admin: Address
    health: Address
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
    psi: float
    ks: float
    js: float
    wasserstein: float
    mean_shift: float
    chi_square: float
    l_infinity: float
    missing: float
    max_columns: int
    log_level: str


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, None: 1}
_ROUTE = re.compile(r"(/\S*)\s+inputs=(\$\S*)(?:\s+outputs=(\$\S*))?")
_JSON_PATH = re.compile(r"\$(?:\.[A-Za-z_][\w-]*|\[\d+\])*")


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("write host:port, such as 0.0.0.0:8000")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - a sidecar listens on the pod's address


def _upstream(text: str) -> Address:
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("write a port from 0 to 65535, such as http://127.0.0.1:8080") from None
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError("write http://host:port, such as http://127.0.0.1:8080")
    return Address(parts.hostname, 80 if port is None else port)


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a duration such as 250ms, 30s, 5m or 1h")
    return float(match[1]) * _DURATION_UNITS[match[2]]


def _positive_duration(text: str) -> float:
    seconds = _duration(text)
    if seconds <= 0:
        raise ValueError("write a duration above zero")
    return seconds


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("write a size such as 4096, 64KiB or 8MiB")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("write a whole number, such as 100")
    return int(text)


def _at_least_one(text: str) -> int:
    count = _count(text)
    if count < 1:
        raise ValueError("write a whole number from 1 up")
    return count


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("write a number above zero, such as 0.1") from None
    if not 0 < value < float("inf"):
        raise ValueError("write a number above zero, such as 0.1")
    return value


def _probability(text: str) -> float:
    value = _tolerance(text)
    if value >= 1:
        raise ValueError("write a number between 0 and 1, such as 0.05")
    return value


def _text(text: str) -> str:
    return text


def _log_level(text: str) -> str:
    level = text.lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError("write debug, info, warning or error")
    return level


def _routes(text: str) -> tuple[CustomRoute, ...]:
    routes = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _ROUTE.fullmatch(part)
        if match is None or not all(_JSON_PATH.fullmatch(path) for path in match.groups()[1:] if path):
            raise ValueError(f"in {part!r}: write /path inputs=$.rows outputs=$.scores, several separated by semicolons")
        routes.append(CustomRoute(match[1], match[2], match[3] or ""))
    return tuple(routes)


class Setting(NamedTuple):
    """One environment variable: where its value goes, how it is read, and what the README says of it."""

    name: str
    field: str
    type: str
    default: str
    parse: Callable[[str], Any]
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting("OUTRIDER_LISTEN", "listen", "host:port", "0.0.0.0:8000", _address, "Where clients call the model."),
    Setting("OUTRIDER_UPSTREAM", "upstream", "URL", "http://127.0.0.1:8080", _upstream, "Where the model server listens."),
    Setting("OUTRIDER_ADMIN", "admin", "host:port", "0.0.0.0:9464", _address, "Where the report and `/metrics` are served."),
    Setting("OUTRIDER_HEALTH", "health", "host:port", "0.0.0.0:9465", _address, "Where `/livez` and `/readyz` are served."),
    Setting(
        "OUTRIDER_PROFILE", "profile", "path", "", _text,
        "The training profile. Without one, the first rows are taken as the reference.",
    ),
    Setting(
        "OUTRIDER_MODEL_NAME", "model_name", "text", "", _text,
        "The model's name in metrics where no profile says it.",
    ),
    Setting(
        "OUTRIDER_ROUTES", "routes", "routes", "", _routes,
        "Routes of your own: `/path inputs=$.rows outputs=$.scores`, several separated by semicolons.",
    ),
    Setting("OUTRIDER_WINDOW", "window_s", "duration", "1h", _positive_duration, "How far back an evaluation looks."),
    Setting("OUTRIDER_PANE", "pane_s", "duration", "1m", _positive_duration, "How often an evaluation happens."),
    Setting(
        "OUTRIDER_WARMUP_ROWS", "warmup_rows", "rows", "1000", _at_least_one,
        "How many first rows become the reference where there is no profile.",
    ),
    Setting("OUTRIDER_CAPTURE_BYTES", "capture_bytes", "size", "1MiB", _size, "How much of a request and of a response is read."),
    Setting(
        "OUTRIDER_TAP_BYTES", "tap_bytes", "size", "8MiB", _size,
        "How much may wait for the monitor before bodies are left out.",
    ),
    Setting("OUTRIDER_STATE_DIR", "state_dir", "path", "", _text, "Where the window is kept over a restart. Empty: nowhere."),
    Setting(
        "OUTRIDER_CONNECT_TIMEOUT", "connect_timeout_s", "duration", "5s", _positive_duration,
        "How long a connection to the model server may take before the client gets 503.",
    ),
    Setting(
        "OUTRIDER_DRAIN_DELAY", "drain_delay_s", "duration", "5s", _duration,
        "How long after SIGTERM new connections are still taken, while readiness fails.",
    ),
    Setting(
        "OUTRIDER_DRAIN_TIMEOUT", "drain_timeout_s", "duration", "25s", _duration,
        "How long requests under way may take to finish after that.",
    ),
    Setting(
        "OUTRIDER_MIN_ROWS", "min_rows", "rows", "100", _at_least_one,
        "Below this many rows in the window nothing is decided.",
    ),
    Setting(
        "OUTRIDER_CONSECUTIVE", "consecutive", "evaluations", "3", _at_least_one,
        "How many evaluations in a row must exceed a threshold before a column is called drifted.",
    ),
    Setting(
        "OUTRIDER_ALPHA", "alpha", "probability", "0.05", _probability,
        "The chance of any false alarm, shared out over columns, statistics and evaluations.",
    ),
    Setting("OUTRIDER_PSI", "psi", "number", "0.1", _tolerance, "Tolerance of the population stability index."),
    Setting("OUTRIDER_KS", "ks", "number", "0.1", _tolerance, "Tolerance of the Kolmogorov-Smirnov distance."),
    Setting("OUTRIDER_JS", "js", "number", "0.1", _tolerance, "Tolerance of the Jensen-Shannon distance (base 2)."),
    Setting(
        "OUTRIDER_WASSERSTEIN", "wasserstein", "σ", "0.1", _tolerance,
        "Tolerance of the Wasserstein distance, in standard deviations of the reference.",
    ),
    Setting(
        "OUTRIDER_MEAN_SHIFT", "mean_shift", "σ", "0.25", _tolerance,
        "Tolerance of the z-score of the mean, in standard deviations of the reference.",
    ),
    Setting(
        "OUTRIDER_CHI_SQUARE", "chi_square", "w", "0.3", _tolerance,
        "Tolerance of Cohen's w, the effect size of the chi-square test.",
    ),
    Setting(
        "OUTRIDER_L_INFINITY", "l_infinity", "share", "0.1", _tolerance,
        "Tolerance of the largest change of one category's share.",
    ),
    Setting("OUTRIDER_MISSING", "missing", "share", "0.05", _tolerance, "Tolerance of the change of the missing share."),
    Setting(
        "OUTRIDER_MAX_COLUMNS", "max_columns", "columns", "200", _at_least_one,
        "Columns with metrics of their own; the rest is summed up.",
    ),
    Setting("OUTRIDER_LOG_LEVEL", "log_level", "level", "info", _log_level, "debug, info, warning or error."),
)  # fmt: skip


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Parameters
    ----------
    environ
        Such as ``os.environ``. Empty values count as not set.

    Raises
    ------
    ConfigError
        With every fault at once: values that can't be read, values that don't fit together, and variables that start with
        ``OUTRIDER_`` but are no setting.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.field] = setting.parse(text)
        except ValueError as error:
            faults.append(f"{setting.name}={text}: {error}")
    known = {setting.name for setting in SETTINGS}
    faults += [
        f"{name}: no such setting; `outrider config` lists them"
        for name in sorted(environ)
        if _is_ours(name) and name not in known
    ]
    if not faults:
        faults = _contradictions(values)
    if faults:
        raise ConfigError(faults)
    return Settings(**values)


def _is_ours(name: str) -> bool:
    # Beside a Service named "outrider" or "outrider-x", Kubernetes sets OUTRIDER_SERVICE_HOST, OUTRIDER_X_PORT_8000_TCP, ...
    return name.startswith("OUTRIDER_") and not re.fullmatch(r"OUTRIDER_(.*_)?(SERVICE_(HOST|PORT)|PORT)(_.*)?", name)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    faults = []
    if values["pane_s"] > values["window_s"]:
        faults.append("OUTRIDER_PANE is longer than OUTRIDER_WINDOW: make the window at least one pane long")
    if values["window_s"] / values["pane_s"] > MAX_PANES:
        faults.append(f"OUTRIDER_WINDOW holds more than {MAX_PANES} panes: make OUTRIDER_PANE longer")
    if values["tap_bytes"] < 4 * values["capture_bytes"]:
        # Half of the tap is for bodies, and one exchange has two of them.
        faults.append("OUTRIDER_TAP_BYTES is less than four times OUTRIDER_CAPTURE_BYTES: one exchange might not fit")
    addresses = {"OUTRIDER_LISTEN": values["listen"], "OUTRIDER_ADMIN": values["admin"], "OUTRIDER_HEALTH": values["health"]}
    seen: dict[Address, str] = {}
    for name, address in addresses.items():
        if address.port and address in seen:
            faults.append(f"{name} and {seen[address]} are both {address}: give each a port of its own")
        seen.setdefault(address, name)
    if values["upstream"].port == values["listen"].port and values["upstream"].host in (
        "127.0.0.1",
        "localhost",
        values["listen"].host,
    ):
        faults.append("OUTRIDER_UPSTREAM is the address of OUTRIDER_LISTEN: the sidecar would call itself")
    return faults


MAX_PANES = 1440
"""A day of minutes: what one window may hold in panes, so that memory stays bounded."""


def describe(settings: Settings) -> list[tuple[Setting, str]]:
    """Each setting with its effective value as it would be written, in the order of `SETTINGS`."""
    return [(setting, _show(setting, getattr(settings, setting.field))) for setting in SETTINGS]


def _show(setting: Setting, value: Any) -> str:
    match setting.type:
        case "routes":
            return "; ".join(f"{r.path} inputs={r.inputs}" + (f" outputs={r.outputs}" if r.outputs else "") for r in value)
        case "URL":
            return f"http://{value}"
        case "duration":
            return _in_units(value, {"d": 86400, "h": 3600, "m": 60, "s": 1}) or f"{1000 * value:g}ms"
        case "size":
            return _in_units(value, {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}) or str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_units(value: float, units: Mapping[str, int]) -> str:
    """Write a value in the largest unit that divides it; empty if none does."""
    return next((f"{value // size:g}{unit}" for unit, size in units.items() if value >= size and value % size == 0), "")

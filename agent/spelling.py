"""How the values of settings are written: text to a value, and back. Every fault is a `ValueError` that says what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isinf
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from agent import group_language, route_language, tolerance_language
from agent.group_language import Comparison, Grouping
from agent.route_language import CustomRoute as CustomRoute  # noqa: PLC0414 - a value of a setting, imported from here
from agent.tolerance_language import Tolerances


class Address(NamedTuple):
    """Where to listen or connect."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Upstream(NamedTuple):
    """Where a model server listens: a host and port, with TLS or without, or the path of a Unix socket."""

    scheme: str
    """``http``, ``https`` or ``unix``."""
    host: str
    port: int
    path: str = ""
    """Of the Unix socket, else empty."""

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"{self.scheme}://{Address(self.host, self.port)}"


class Readiness(NamedTuple):
    """How to find out whether a model server answers."""

    kind: str
    """``tcp``, ``http``, ``grpc`` or ``none``."""
    detail: str = ""
    """The path of ``http``, the service of ``grpc``."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.detail}" if self.detail else self.kind


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, None: 1}
_DEFAULT_PORTS = {"http": 80, "https": 443}

Value = TypeVar("Value")


def listed(parse: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """Make the reader of a list: one value or several, separated by commas."""

    def parse_all(text: str) -> tuple[Value, ...]:
        parts = [part.strip() for part in text.split(",")]
        found = []
        for part in parts:
            try:
                found.append(parse(part))
            except ValueError as error:
                raise ValueError(f"in {part!r}: {error}" if len(parts) > 1 else str(error)) from None
        return tuple(found)

    return parse_all


def address(text: str) -> Address:
    """Read ``host:port``."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError("write host:port, such as 0.0.0.0:8000")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - a sidecar listens on the pod's address


def upstream(text: str) -> Upstream:
    """Read the URL of a model server."""
    parts = urlsplit(text)
    if parts.scheme == "unix":
        if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
            raise ValueError("write the socket's whole path, such as unix:///run/model.sock")
        return Upstream("unix", "", 0, parts.path)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("write a port from 0 to 65535, such as http://127.0.0.1:8080") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError("write http://host:port, https://host:port or unix:///path, without more: http://127.0.0.1:8080")
    return Upstream(parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def readiness(text: str) -> Readiness:
    """Read how a model server is asked whether it answers."""
    kind, _, detail = text.partition(":")
    if kind == "http" and detail.startswith("/") and detail.isascii() and detail.isprintable() and " " not in detail:
        return Readiness(kind, detail)
    if (kind in ("tcp", "none") and text == kind) or (kind == "grpc" and detail.isascii() and len(detail) < 100):
        return Readiness(kind, detail)
    raise ValueError("write tcp, http:/path, grpc, grpc:service or none")


def duration(text: str) -> float:
    """Read a duration in seconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a duration such as 250ms, 30s, 5m or 1h")
    return float(match[1]) * _DURATION_UNITS[match[2]]


def positive_duration(text: str) -> float:
    """Read a duration above zero, in seconds."""
    seconds = duration(text)
    if seconds <= 0:
        raise ValueError("write a duration above zero")
    return seconds


def size(text: str) -> int:
    """Read a size in bytes."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("write a size such as 4096, 64KiB or 8MiB")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def head_size(text: str) -> int:
    """Read the longest head that passes, in bytes."""
    limit = size(text)
    if not 1024 <= limit <= 1 << 20:
        raise ValueError("write a size from 1KiB to 1MiB, such as 64KiB")
    return limit


def count(text: str) -> int:
    """Read a whole number from 0 up."""
    if not text.isdecimal():
        raise ValueError("write a whole number, such as 100")
    return int(text)


def at_least_one(text: str) -> int:
    """Read a whole number from 1 up."""
    number = count(text)
    if number < 1:
        raise ValueError("write a whole number from 1 up")
    return number


def tolerance(text: str) -> float:
    """Read a number above zero, or ``off``, which is infinity."""
    return tolerance_language.number(text)


def thresholds(text: str) -> tuple[Tolerances, ...]:
    """Read tolerances of single columns; `agent.tolerance_language` says how they are written."""
    return tolerance_language.parse(text)


REFERENCES = ("training", "before", "season")
"""What a window can be compared with."""


def references(text: str) -> tuple[str, ...]:
    """Read what is compared with: some of `REFERENCES`, separated by commas."""
    found = tuple(part.strip() for part in text.split(","))
    if wrong := [part for part in found if part not in REFERENCES]:
        raise ValueError(f"{wrong[0]!r} is none of {', '.join(REFERENCES)}")
    return tuple(name for name in REFERENCES if name in found)


def probability(text: str) -> float:
    """Read a number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ValueError("write a number between 0 and 1, such as 0.05")
    return value


def switch(text: str) -> bool:
    """Read ``on`` or ``off``."""
    word = text.lower()
    if word not in ("on", "off"):
        raise ValueError("write on or off")
    return word == "on"


def plain(text: str) -> str:
    """Take any text."""
    return text


def log_level(text: str) -> str:
    """Read a log level."""
    level = text.lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError("write debug, info, warning or error")
    return level


def routes(text: str) -> tuple[CustomRoute, ...]:
    """Read routes of the user's own; `agent.route_language` says how they are written."""
    return route_language.parse(text)


def groupings(text: str) -> tuple[Grouping, ...]:
    """Read groups of rows; `agent.group_language` says how they are written."""
    return group_language.parse(text)


def favourable(text: str) -> Comparison | None:
    """Read which answer is favourable; empty is for what needs no saying."""
    return group_language.favourable(text)


def gap(text: str) -> float:
    """Read a number above zero, or ``off``, which is infinity: a tolerance of groups, and of no column."""
    return tolerance_language.number(text)


def impact(text: str) -> float:
    """Read a ratio between 0 and 1, or ``off``, which is 0."""
    if text == "off":
        return 0.0
    try:
        return probability(text)
    except ValueError:
        raise ValueError("write a number between 0 and 1, such as 0.8, or off") from None


def show(type: str, value: Any) -> str:
    """Write a value of a setting of this `type`, as it can be read again."""
    match type:
        case "routes" | "thresholds":
            return "; ".join(map(str, value))
        case "duration":
            found = in_units(value, {"d": 86400, "h": 3600, "m": 60, "s": 1})
            return f"{found[0]}{found[1]}" if found else f"{1000 * value:.12g}ms"
        case "size":
            found = in_units(value, {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10})
            return f"{found[0]}{found[1]}" if found else str(value)
        case "switch":
            return "on" if value else "off"
    if type in LISTS:
        return ",".join(map(str, value))
    return _number(value) if isinstance(value, float) else str(value or "") if type == "value" else str(value)


def _number(value: float) -> str:
    return "off" if isinf(value) or not value else f"{value:g}"


LISTS = frozenset(("host:port, ...", "URL, ...", "check, ...", "reference, ...", "groups, ..."))
"""Types of settings that take several values."""


def in_units(value: float, units: Mapping[str, int]) -> tuple[int, str] | None:
    """Give a value exactly, in the largest unit that divides it, and that unit; ``None`` if none does.

    Parameters
    ----------
    value
        From 0 up.
    units
        Sizes by name, the largest first.

    Examples
    --------
    >>> in_units(5400.0, {"h": 3600, "min": 60, "s": 1}), in_units(0.5, {"s": 1})
    ((90, 'min'), None)
    """
    return next(((int(value // size), unit) for unit, size in units.items() if value >= size and value % size == 0), None)

"""Trace context: continue the client's trace, or start one, when traces are exported at all.

W3C Trace Context (https://www.w3.org/TR/trace-context/): ``00-<trace id>-<parent id>-<flags>``. A participant that records
a span writes its own id where the parent's stood. Where the client sent a sampled context, those 16 digits are overwritten in
place; where it sent none and the sampler says yes, one header line is added. An unsampled request goes out as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from agent.errors import ConfigError

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01
_ROOT_SAMPLERS = ("always_on", "always_off", "traceidratio")
_SAMPLERS = _ROOT_SAMPLERS + tuple(f"parentbased_{name}" for name in _ROOT_SAMPLERS)


class Span(NamedTuple):
    """The ids of the span that stands for one exchange."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    """Eight zero bytes where the trace starts here."""

    @property
    def record(self) -> bytes:
        """The 32 bytes of `agent.exchange.Exchange.trace`."""
        return self.trace_id + self.span_id + self.parent_id

    @property
    def header(self) -> bytes:
        """The value of ``traceparent`` for the model server."""
        return b"00-%b-%b-01" % (self.trace_id.hex().encode(), self.span_id.hex().encode())


class Sampler:
    """Decides which exchanges become spans, as ``OTEL_TRACES_SAMPLER`` and ``OTEL_TRACES_SAMPLER_ARG`` say.

    Parameters
    ----------
    kind
        One of OpenTelemetry's names for samplers.
    ratio
        For the ``traceidratio`` kinds, in [0, 1].
    random
        Where ids come from.
    """

    __slots__ = ("_parent_based", "_random", "_threshold")

    def __init__(self, kind: str = "parentbased_always_on", ratio: float = 1.0, random: Random | None = None) -> None:
        self._parent_based = kind.startswith("parentbased_")
        root = kind.removeprefix("parentbased_")
        share = {"always_on": 1.0, "always_off": 0.0}.get(root, ratio)
        self._threshold = round(share * 2**64)
        self._random = random or Random()  # noqa: S311 - ids must be unlikely to collide, not hard to guess

    def span(self, traceparent: bytes) -> Span | None:
        """Give the span for a request with this ``traceparent`` (empty for none), or ``None`` when it is not sampled."""
        parent = _TRACEPARENT.fullmatch(traceparent)
        if parent is None or not _is_valid(parent):
            trace_id = self._random.randbytes(16)
            return Span(trace_id, self._random.randbytes(8), bytes(8)) if self._takes(trace_id) else None
        trace_id = bytes.fromhex(parent[2].decode())
        sampled = bool(int(parent[4], 16) & _SAMPLED) if self._parent_based else self._takes(trace_id)
        return Span(trace_id, self._random.randbytes(8), bytes.fromhex(parent[3].decode())) if sampled else None

    def _takes(self, trace_id: bytes) -> bool:
        # The last eight bytes decide, as in OpenTelemetry's TraceIdRatioBased, so that all participants agree.
        return int.from_bytes(trace_id[8:], "big") < self._threshold


def _is_valid(parent: re.Match[bytes]) -> bool:
    version, trace_id, span_id, _, rest = parent.groups()
    return version != b"ff" and not (version == b"00" and rest) and trace_id.strip(b"0") != b"" and span_id.strip(b"0") != b""


def sampler_of(environ: Mapping[str, str]) -> Sampler | None:
    """Read OpenTelemetry's variables: the sampler to use, or ``None`` where no traces are exported.

    Traces are exported when ``OTEL_TRACES_EXPORTER`` names an exporter, or when it is not set and an OTLP endpoint is.

    Raises
    ------
    ConfigError
        The sampler is unknown or its argument is no number from 0 to 1.
    """
    if not _exports_traces(environ):
        return None
    kind = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    faults = []
    if kind not in _SAMPLERS:
        faults.append(f"OTEL_TRACES_SAMPLER={kind}: write one of {', '.join(_SAMPLERS)}")
    ratio = 1.0
    if argument and kind.endswith("traceidratio"):
        try:
            ratio = float(argument)
        except ValueError:
            ratio = -1.0
        if not 0 <= ratio <= 1:
            faults.append(f"OTEL_TRACES_SAMPLER_ARG={argument}: write a share from 0 to 1, such as 0.1")
    if faults:
        raise ConfigError(faults)
    return Sampler(kind, ratio)


def _exports_traces(environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter:
        return exporter != "none"
    return any(environ.get(name, "").strip() for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def splice(head: bytes, old: bytes, span: Span) -> bytes:
    """Write the span's context into a head: over the client's own `old` value, or as a last line where `old` is empty."""
    if old:
        name = head.lower().find(b"\r\ntraceparent:")
        value = head.find(old, name + len(b"\r\ntraceparent:"))
        return head[:value] + span.header + head[value + len(old) :]
    return head[:-2] + b"traceparent: " + span.header + b"\r\n\r\n"

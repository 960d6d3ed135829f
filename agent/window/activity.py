"""What happened, apart from the values: calls, latencies, sizes, what could not be read, what broke the schema.

Counters only grow, from the start of the monitor on; whoever reads them computes rates. Everything here is plain numbers
under small closed keys: a route is a template, never the path that a client chose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agent.exchange import ProxyStats
from agent.sketch.latency import LatencyHistogram


class CallKey(NamedTuple):
    """What calls are counted by."""

    route: str
    """The template of the route table, such as ``/v1/models/{model}:predict``, or ``other``."""
    method: str
    """``GET``, ``POST``, ... or ``_OTHER``, as OpenTelemetry says for unknown methods."""
    status: int
    """The status code, 0 where there was none."""
    outcome: int
    """An `agent.exchange.Outcome`."""


class Calls:
    """Calls of one key: how many, how long, how large."""

    __slots__ = ("duration", "request_bytes", "response_bytes", "upstream")

    def __init__(self) -> None:
        self.duration = LatencyHistogram()
        """From the first byte in to the last byte out."""
        self.upstream = LatencyHistogram()
        """From the request's last byte out to the response's first byte in; only exchanges that had both."""
        self.request_bytes = 0
        self.response_bytes = 0


@dataclass(slots=True)
class Activity:
    """All counters of the monitor.

    Parameters
    ----------
    calls
        Every exchange, by key.
    decoded
        Exchanges whose values were read, by format.
    undecoded
        Exchanges on a known route whose values could not be read, by (format, reason).
    unobserved
        Exchanges on a known route without values to read, by reason: ``status`` (not a 2xx), ``bodies_left_out``, ``truncated``.
    rows
        Rows read, by format.
    violations
        Rows that broke the schema, by (column, kind).
    faults
        Errors of our own that were caught, by stage (``decode``, ``sketch``, ``evaluate``, ``state``, ``frame``, ...).
    proxy
        The newest counters of the proxy process.
    """

    calls: dict[CallKey, Calls] = field(default_factory=dict)
    decoded: dict[str, int] = field(default_factory=dict)
    undecoded: dict[tuple[str, str], int] = field(default_factory=dict)
    unobserved: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    violations: dict[tuple[str, str], int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    proxy: ProxyStats = field(default_factory=ProxyStats)

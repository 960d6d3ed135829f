"""What a metric is: its name, its kind, and how it is read from the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from agent.export.figures import Figures
from agent.export.readings import Point


class Kind(StrEnum):
    """What a metric's numbers mean, in OpenTelemetry's terms."""

    COUNTER = "counter"
    """Only grows; rates are computed by whoever reads it."""
    UP_DOWN = "up-down counter"
    """A sum over pods makes sense."""
    GAUGE = "gauge"
    """A sum over pods makes no sense."""
    HISTOGRAM = "histogram"
    """Counts per bucket; the values of the points are `agent.export.readings.Buckets`."""


class Metric(NamedTuple):
    """One metric: what it is called, what it means, and how it is read.

    `attributes` names the values of each point that `read` yields, in order; a value of ``None`` is left out.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...]
    read: Callable[[Figures], Iterable[Point]]

    @property
    def prometheus(self) -> str:
        """The name in Prometheus, without the suffixes of counters and histograms."""
        suffix = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}.get(self.unit, "")
        return self.name.replace(".", "_") + suffix

"""Everything that is exported, gathered in one place at one moment."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agent.evaluate.report import Report
from agent.evaluate.segments import SegmentSummary
from agent.exchange import ProxyStats
from agent.profile.schema import Schema
from agent.window.activity import Activity
from agent.window.ring import BinTotals


class ProcessFigures(NamedTuple):
    """What one process costs."""

    name: str
    """``proxy`` or ``monitor``."""
    cpu_s: float
    memory_bytes: int


@dataclass(slots=True)
class ExportCounters:
    """What went wrong on the way out, since the start.

    Parameters
    ----------
    failures
        Exports that failed, by signal: ``metrics``, ``traces``.
    spans_dropped
        Spans that were lost: the queue was full, or the collector took none.
    """

    failures: dict[str, int] = field(default_factory=dict)
    spans_dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the metrics are read from. Making one costs nothing: it holds references, and the readers copy what they need.

    Parameters
    ----------
    version
        Outrider's own version.
    model, model_version
        As the profile or the settings name them, or empty; never as a client named them.
    profile_format
        Such as ``outrider-profile/1``, or empty where the reference was learned from traffic.
    start_ns
        Wall clock when the counters were zero.
    activity, exports
        The counters of the monitor and of the export itself.
    report
        The newest evaluation, or ``None`` before the first.
    totals
        Rows in each frozen bin since the start, by column.
    schema
        The monitored columns, or ``None`` while there is no reference yet.
    max_columns
        `agent.config.Settings.max_columns`.
    processes
        One entry per process.
    segments
        The segments that are watched.
    segment_rows
        Rows since the start, by segment column and value.
    """

    version: str
    model: str = ""
    model_version: str = ""
    profile_format: str = ""
    start_ns: int = 0
    activity: Activity = field(default_factory=Activity)
    exports: ExportCounters = field(default_factory=ExportCounters)
    report: Report | None = None
    totals: Mapping[str, BinTotals] = field(default_factory=dict)
    schema: Schema | None = None
    max_columns: int = 200
    processes: tuple[ProcessFigures, ...] = ()
    segments: Sequence[SegmentSummary] = ()
    segment_rows: Mapping[tuple[str, str], int] = field(default_factory=dict)


def own_process(name: str) -> ProcessFigures:
    """CPU time and resident memory of this process. On systems without ``/proc`` the memory is the highest so far."""
    times = os.times()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        memory = pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return ProcessFigures(name, times.user + times.system, memory)


def proxy_process(stats: ProxyStats) -> ProcessFigures:
    """CPU time and resident memory of the proxy, as it last said."""
    return ProcessFigures("proxy", stats.cpu_ns / 1e9, stats.rss_bytes)

"""Medians over rounds, the table, and the comparison with the figures to reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.load import STEADY_RATE


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured of one proxy in one round; times in µs, memory in bytes, start in ms. NaN where it means nothing."""

    rate: float
    p50_us: float
    p99_us: float
    steady_p50_us: float
    steady_p99_us: float
    accept_ms: float
    rss: float
    children_rss: float


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach: `read` gives it from the medians of two proxies, or of one twice."""

    what: str
    proxy: str
    peer: str
    read: Callable[[Round, Round], float]
    at_least: bool
    bound: float
    unit: str


MB = 1e6

GOALS: tuple[Goal, ...] = (
    Goal("requests/s at 16 connections", "outrider", "nginx", lambda a, b: a.rate / b.rate, True, 0.85, "x nginx"),
    Goal("requests/s at 16 connections", "outrider", "envoy", lambda a, b: a.rate / b.rate, True, 1.8, "x envoy"),
    Goal("requests/s at 16 connections", "outrider", "aiohttp", lambda a, b: a.rate / b.rate, True, 5.0, "x aiohttp"),
    Goal("p50 at 1 connection", "outrider", "nginx", lambda a, b: a.p50_us / b.p50_us, False, 1.05, "x nginx"),
    Goal(f"p99 at {STEADY_RATE:,}/s", "outrider", "nginx", lambda a, b: a.steady_p99_us / b.steady_p99_us, False, 1.3, "x nginx"),
    Goal("memory of the proxy", "outrider", "outrider", lambda a, _: a.rss / MB, False, 40.0, "MB"),
    Goal("memory of the monitor", "outrider", "outrider", lambda a, _: a.children_rss / MB, False, 130.0, "MB"),
    Goal("accepting after start", "outrider", "outrider", lambda a, _: a.accept_ms, False, 200.0, "ms"),
)  # fmt: skip

_COLUMNS: tuple[tuple[str, Callable[[Round], float], str], ...] = (
    ("req/s @16", lambda r: r.rate, ",.0f"),
    ("p50 @1 µs", lambda r: r.p50_us, ",.0f"),
    ("p99 @1 µs", lambda r: r.p99_us, ",.0f"),
    (f"p50 @{STEADY_RATE}/s µs", lambda r: r.steady_p50_us, ",.0f"),
    (f"p99 @{STEADY_RATE}/s µs", lambda r: r.steady_p99_us, ",.0f"),
    ("accept ms", lambda r: r.accept_ms, ",.0f"),
    ("RSS MB, all", lambda r: (r.rss + r.children_rss) / MB, ",.1f"),
)


def medians(rounds: Sequence[Round]) -> Round:
    """Take the median of each field over the rounds."""
    return Round(*(median(getattr(one, name) for one in rounds) for name in Round.__slots__))


def table(results: Mapping[str, Round], base: str = "nginx") -> str:
    """Lay out the medians, and in brackets the ratio to `base` where it was measured."""
    lines = [["", *(title for title, _, _ in _COLUMNS)]]
    for name, result in results.items():
        cells = [name]
        for _, read, form in _COLUMNS:
            value = read(result)
            if math.isnan(value):
                cells.append("-")
                continue
            cell = format(value, form)
            if base in results and read(results[base]) > 0:
                cell += f" ({value / read(results[base]):.2f}x)"
            cells.append(cell)
        lines.append(cells)
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def compare(results: Mapping[str, Round]) -> list[tuple[str, bool]]:
    """Give one sentence per figure that can be told from the results, and whether it was reached."""
    said = []
    for goal in GOALS:
        if goal.proxy not in results or goal.peer not in results:
            continue
        value = goal.read(results[goal.proxy], results[goal.peer])
        reached = value >= goal.bound if goal.at_least else value <= goal.bound
        sign = "≥" if goal.at_least else "≤"
        verdict = "reached" if reached else "NOT REACHED"
        said.append((f"{verdict:<12} {goal.what}: {value:.2f} {goal.unit} (to reach: {sign} {goal.bound:g})", reached))
    return said

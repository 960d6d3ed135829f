"""Rows until a change is flagged, every method at the same false-alarm rate.

Each method is first run over stationary runs, and its thresholds are put where about 5 % of runs of 30,000 rows have any alarm
in any output. It then gets runs with a change at a moment that its windows don't know of. Windows of several lengths are
tried and the best is taken for each change separately, which favours the methods that need to choose one.

Outrider is not calibrated: it decides by its own rule, of which three settings differ from the default: tolerances near 0 (the
question is whether anything changed, not whether it matters), one evaluation instead of three in a row, and panes of 25 rows.
Its rate on the same stationary runs is measured and must not exceed that of the others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.calibration import alarm_rate, delay, first_alarm, highest, thresholds
from tests.bench.detect.changes import CHANGES, COLUMNS, changed, stationary
from tests.bench.detect.environments import UnavailableError
from tests.bench.detect.methods import ONLINE, OUTRIDER, Talk, Way, talk

REFERENCE_ROWS = 10_000
RUN_ROWS = 30_000
BEFORE = 3_000
RATE = 0.05
FEWEST_RUNS = 3
FEWEST_CALIBRATING = 4
"""For those that are slow; the threshold is then the highest of the runs, which is in their favour."""
WINDOWS = (100, 300, 1_000, 3_000)
SEED = 9
_MEMORY = {**dict.fromkeys(ONLINE, 500), OUTRIDER: 2 * BEFORE}
"""So many rows before the change matter, of those that look at other rows than the window's."""
_LENGTHS = {**dict.fromkeys(ONLINE, (100,)), OUTRIDER: (1_000, 3_000)}
"""The online detectors can afford no longer ones; Outrider looks at each window's newest part as well."""


@dataclass
class Power:
    """What one method did, by window: false-alarm rate, stationary runs, and for each change the median rows until flagged."""

    rates: dict[int, float] = field(default_factory=dict)
    calibrated: dict[int, int] = field(default_factory=dict)
    delays: dict[str, dict[int, float]] = field(default_factory=dict)
    runs: dict[int, int] = field(default_factory=dict)

    def best(self, change: str) -> tuple[float, int]:
        """Give the shortest delay of a change, and the window that had it."""
        known = [(rows, window) for window, rows in self.delays.get(change, {}).items() if rows == rows]  # noqa: PLR0124
        return min(known, default=(float("inf"), 0))


def source_of(change: str, run: int) -> np.random.Generator:
    """Give the generator of a run, the same for every method and window."""
    names = ["", *CHANGES]
    return np.random.default_rng([SEED, names.index(change), run])


def measure(way: Way, windows: Sequence[int], runs: int, calibrating: int, budget_s: float) -> Power:
    """Calibrate one method and run it over all changes.

    Raises
    ------
    UnavailableError
        If the method can't be run here.
    """
    found = Power()
    windows = [window for window in windows if window in _LENGTHS.get(way.name, windows)]
    reference = stationary(np.random.default_rng([SEED, 0]), REFERENCE_ROWS)
    with talk(way) as method:
        for window in windows:
            half_s = budget_s / (2 * len(windows))
            method.fit(COLUMNS, reference, {**(way.options or {}), **_options(way), "window": window})
            maxima = _maxima(method, window, calibrating, half_s, decides=way.name == OUTRIDER)
            limits = np.zeros(maxima.shape[1]) + 0.5 if way.name == OUTRIDER else thresholds(maxima, RATE)
            found.calibrated[window], found.rates[window] = len(maxima), alarm_rate(maxima, limits)
            rows: list[list[float]] = []
            end = time.monotonic() + half_s
            while len(rows) < runs and (len(rows) < FEWEST_RUNS or time.monotonic() < end):
                rows.append([_delay(method, way, change, window, limits, len(rows)) for change in CHANGES])
            found.runs[window] = len(rows)
            for change, delays in zip(CHANGES, zip(*rows, strict=True), strict=True):
                told = [one for one in delays if one == one]  # noqa: PLR0124 - false alarms are NaN
                found.delays.setdefault(change, {})[window] = median(told) if told else float("nan")
    return found


def _options(way: Way) -> Mapping[str, object]:
    if way.name != OUTRIDER:
        return {}
    from tests.bench.detect.outrider import scaled_tolerances  # noqa: PLC0415 - the peers' workers import this module's neighbours only

    environ = {**scaled_tolerances(0.001), "OUTRIDER_CONSECUTIVE": "1", "OUTRIDER_MIN_ROWS": "25"}
    return {"environ": environ, "pane_rows": 25}


def _maxima(method: Talk, window: int, calibrating: int, budget_s: float, *, decides: bool) -> NDArray[np.float64]:
    end = time.monotonic() + budget_s
    maxima: list[NDArray[np.float64]] = []
    stop = np.full(len(method.outputs), 0.5) if decides else None
    while len(maxima) < calibrating and (len(maxima) < FEWEST_CALIBRATING or time.monotonic() < end):
        _, statistics = method.statistics(stationary(source_of("", len(maxima)), RUN_ROWS), window, stop)
        maxima.append(highest(statistics))
    return np.array(maxima)


def _delay(method: Talk, way: Way, change: str, window: int, limits: NDArray[np.float64], run: int) -> float:
    source = source_of(change, run)
    before = BEFORE + int(source.integers(BEFORE))
    rows = changed(CHANGES[change], source, before, RUN_ROWS - 2 * BEFORE)
    # What has no memory need not see the windows that end before the change.
    start = max(0, before - _MEMORY.get(way.name, 0)) // window * window
    every, statistics = method.statistics(rows[:, start:], window, limits)
    return delay(first_alarm(statistics, limits), every, before - start)


def run(ways: Sequence[Way], windows: Sequence[int], runs: int, calibrating: int, budget_s: float) -> bool:
    """Measure and print; give whether Outrider was at least as soon as the best peer in each row."""
    results: dict[str, Power] = {}

    def one(way: Way) -> Power | UnavailableError:
        try:
            found = measure(way, windows, runs, calibrating, budget_s)
        except UnavailableError as reason:
            return reason
        print(f"{way.name}: done", file=sys.stderr, flush=True)
        return found

    print(
        f"Rows until flagged: median of at most {runs} runs, in brackets the best window; 'never': in less than half of the runs."
    )
    print(
        f"False alarms in about {RATE:.0%} of runs of {RUN_ROWS:,} rows, by {calibrating} of them if there was time\n", flush=True
    )
    with ThreadPoolExecutor(2) as pool:
        for way, found in zip(ways, pool.map(one, ways), strict=True):
            if isinstance(found, UnavailableError):
                print(f"left out: {way.name}: {found}")
            else:
                results[way.name] = found
    _print(results)
    return _compare(results)


def _print(results: Mapping[str, Power]) -> None:
    lines = [["", *results]]
    lines += [[change, *(_cell(*power.best(change)) for power in results.values())] for change in CHANGES]
    rates = [" ".join(f"{rate:.0%}" for rate in power.rates.values()) for power in results.values()]
    lines.append(["false alarms, by window", *rates])
    calibrated = [" ".join(map(str, power.calibrated.values())) for power in results.values()]
    lines.append(["stationary runs, by window", *calibrated])
    lines.append(["runs of each change, by window", *(" ".join(map(str, power.runs.values())) for power in results.values())])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        print(
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )
    print(flush=True)


def _cell(rows: float, window: int) -> str:
    if not window:
        return "-"
    return "never" if rows == float("inf") else f"{rows:,.0f} ({window:,})"


def _compare(results: Mapping[str, Power]) -> bool:
    if OUTRIDER not in results or len(results) == 1:
        return True
    ours, all_reached = results[OUTRIDER], True
    worst = max(ours.rates.values(), default=0.0)
    reached = worst <= RATE
    all_reached &= reached
    print(f"{_verdict(reached)} Outrider's false alarms: {worst:.1%} of the runs (to reach: ≤ {RATE:.0%})")
    for change in CHANGES:
        rows = ours.best(change)[0]
        peers = [(power.best(change)[0], name) for name, power in results.items() if name != OUTRIDER]
        best, name = min(((rows, name) for rows, name in peers if rows == rows), default=(float("inf"), "nobody"))  # noqa: PLR0124
        reached = rows <= best
        all_reached &= reached
        print(f"{_verdict(reached)} {change}: {rows:,.0f} rows (to reach: ≤ {best:,.0f}, {name})")
    return all_reached


def _verdict(reached: bool) -> str:
    return f"{'reached' if reached else 'NOT REACHED':<12}"

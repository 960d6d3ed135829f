"""Rows until a change is flagged, every method at the same false-alarm rate.

Every method is first run over stationary runs of 30,000 rows. A peer's thresholds are put where at most 5 % of the runs have any
alarm in any output, for each of its window sizes separately. Outrider has no thresholds on its statistics: its error is a
setting, and of `ALPHAS` it gets the largest that keeps to the same rate. The question here is whether anything changed, not
whether it matters, so its tolerances are near 0, it decides after one evaluation instead of three in a row, and it looks every 20
rows over a window of 12,800. Statistics that say the same as others are off (`tests.bench.detect.outrider.REDUNDANT`). What it
counts as breaking the schema (nulls where training had none) is a flag, as with a peer whose threshold is that of training.

Then come runs with a change at a moment that the windows don't know of. What comes before it is not judged, but whatever has
a memory has seen it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.calibration import alarm_rate, delay, first_alarm, highest, thresholds
from tests.bench.detect.changes import CHANGES, COLUMNS, changed, stationary
from tests.bench.detect.environments import UnavailableError
from tests.bench.detect.methods import ONLINE, OUTRIDER, Talk, Way, talk

REFERENCE_ROWS = 10_000
RUN_ROWS = 30_000
BEFORE = 12_800
AFTER = 12_000
MOMENT = 3_000
"""The change comes so many rows later at most: anywhere in the longest of the windows."""
RATE = 0.05
WINDOWS = (100, 300, 1_000, 3_000)
PANE_ROWS = 20
ALPHAS = (0.9, 0.5, 0.3, 0.1, 0.05)
SEED = 9
_MEMORY = {**dict.fromkeys(ONLINE, 500), OUTRIDER: BEFORE}
"""So many rows before the change matter, of those that look at other rows than the window's."""
_WINDOWS = {**dict.fromkeys(ONLINE, (100,)), OUTRIDER: (BEFORE,)}
"""The online detectors can afford no longer ones; Outrider looks at each window's newest parts as well."""


class Power(msgspec.Struct, frozen=True):
    """What one method did with one window size.

    Parameters
    ----------
    name, window, alpha
        Which it was; `alpha` is Outrider's setting, 0 for the others.
    rate, stationary
        False alarms, as a share of so many stationary runs.
    delays
        Of each change, rows until flagged: one per run, infinite where it was never flagged, without runs with a false alarm
        before the change.
    """

    name: str
    window: int
    alpha: float
    rate: float
    stationary: int
    delays: dict[str, list[float]]

    @property
    def label(self) -> str:
        """As the table has it."""
        return self.name if self.name == OUTRIDER else f"{self.name}, {self.window:,}"

    def typical(self, change: str) -> float:
        """Give the median rows until flagged."""
        return median(self.delays[change]) if self.delays[change] else float("inf")

    def found(self, change: str) -> float:
        """Give the share of the runs in which it was flagged at all."""
        return float(np.isfinite(self.delays[change]).mean()) if self.delays[change] else 0.0


@dataclass(frozen=True)
class Effort:
    """How many runs, and where results are kept so that a bench that was stopped goes on; ``None`` for nowhere."""

    stationary: int
    changed: int
    folder: Path | None = None


def source_of(change: str, run: int) -> np.random.Generator:
    """Give the generator of a run, the same for every method and window."""
    names = ["", *CHANGES]
    return np.random.default_rng([SEED, names.index(change), run])


def measure(way: Way, window: int, effort: Effort) -> Power:
    """Calibrate one method at one window size and run it over all changes.

    Raises
    ------
    UnavailableError
        If the method can't be run here.
    """
    with talk(way) as method:
        alpha, maxima, limits = _calibrated(method, way, window, effort.stationary)
        runs = [[_delay(method, way, change, window, limits, run) for run in range(effort.changed)] for change in CHANGES]
    told = [[rows for rows in one if rows == rows] for one in runs]  # noqa: PLR0124 - false alarms are NaN
    delays = dict(zip(CHANGES, told, strict=True))
    return Power(way.name, window, alpha, alarm_rate(maxima, limits), len(maxima), delays)


def _calibrated(method: Talk, way: Way, window: int, runs: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    reference = stationary(np.random.default_rng([SEED, 0]), REFERENCE_ROWS)
    if way.name != OUTRIDER:
        method.fit(COLUMNS, reference, {**(way.options or {}), "window": window})
        maxima = np.array([_maxima(method, window, run, None) for run in range(runs)])
        return 0.0, maxima, thresholds(maxima, RATE)
    for alpha in ALPHAS:
        method.fit(COLUMNS, reference, _settings(alpha))
        limits = np.full(len(method.outputs), 0.5)
        found: list[NDArray[np.float64]] = []
        while len(found) < runs and sum((one > limits).any() for one in found) <= RATE * runs:
            found.append(_maxima(method, window, len(found), limits))
        if len(found) == runs and alarm_rate(np.array(found), limits) <= RATE:
            break
    return alpha, np.array(found), limits


def _settings(alpha: float) -> dict[str, object]:
    from tests.bench.detect.outrider import REDUNDANT, scaled_tolerances  # noqa: PLC0415 - our workers import it, peers don't

    environ = {
        **scaled_tolerances(0.001, REDUNDANT),
        "OUTRIDER_CONSECUTIVE": "1",
        "OUTRIDER_MIN_ROWS": str(PANE_ROWS),
        "OUTRIDER_ALPHA": str(alpha),
    }
    return {"environ": environ, "pane_rows": PANE_ROWS}


def _maxima(method: Talk, window: int, run: int, stop: NDArray[np.float64] | None) -> NDArray[np.float64]:
    _, statistics = method.statistics(stationary(source_of("", run), RUN_ROWS), window, stop)
    return highest(statistics)


def _delay(method: Talk, way: Way, change: str, window: int, limits: NDArray[np.float64], run: int) -> float:
    source = source_of(change, run)
    before = BEFORE + int(source.integers(MOMENT))
    rows = changed(CHANGES[change], source, before, AFTER)
    # What has no memory need not see the windows that end before the change.
    start = max(0, before - _MEMORY.get(way.name, 0))
    start -= start % (PANE_ROWS if way.name == OUTRIDER else window)
    every, statistics = method.statistics(rows[:, start:], window, limits, before - start)
    return delay(first_alarm(statistics, limits), every, before - start)


def run(ways: Sequence[Way], windows: Sequence[int], effort: Effort) -> bool:
    """Measure and print; give whether Outrider was at least as soon as the best peer with each change."""
    tasks = [(way, window) for way in ways for window in _WINDOWS.get(way.name, windows)]

    def one(task: tuple[Way, int]) -> Power | UnavailableError:
        try:
            return _kept(*task, effort)
        except UnavailableError as reason:
            return reason

    results: list[Power] = []
    with ThreadPoolExecutor(2) as pool:
        for (way, window), found in zip(tasks, pool.map(one, tasks), strict=True):
            if isinstance(found, UnavailableError):
                print(f"left out: {way.name}, windows of {window:,} rows: {found}")
            else:
                results.append(found)
    print("Rows until a change is flagged: median over the runs, and the share of the runs in which it was flagged within")
    print(f"{AFTER:,} rows; * is the best peer. {effort.changed} runs of each change. False alarms: the share of stationary")
    print(f"runs of {RUN_ROWS:,} rows with any alarm, of {effort.stationary}; thresholds are those of at most {RATE:.0%}.")
    print(f"Outrider decides after one evaluation, with tolerances near 0 and without {_switched_off()}.\n")
    best = {change: _best(change, results) for change in CHANGES}
    _print(results, best)
    return _compare(results, best)


def _switched_off() -> str:
    from tests.bench.detect.outrider import REDUNDANT  # noqa: PLC0415 - as in `_settings`

    return ", ".join(name.lower() for name in REDUNDANT)


def _kept(way: Way, window: int, effort: Effort) -> Power:
    path = effort.folder / f"{way.name} {window} {effort.stationary} {effort.changed}.json" if effort.folder else None
    if path is not None and path.is_file():
        return msgspec.convert(json.loads(path.read_text()), Power)
    found = measure(way, window, effort)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(msgspec.to_builtins(found)))  # msgspec writes no infinity
    print(f"{found.label}: done", file=sys.stderr, flush=True)
    return found


def _best(change: str, results: Sequence[Power]) -> Power | None:
    peers = [power for power in results if power.name != OUTRIDER and np.isfinite(power.typical(change))]
    return min(peers, key=lambda power: power.typical(change), default=None)


def _print(results: Sequence[Power], best: Mapping[str, Power | None]) -> None:
    lines = [["method, window", *CHANGES, "false alarms"]]
    for power in results:
        cells = [_cell(power, change) + ("*" if best[change] is power else " ") for change in CHANGES]
        lines.append([power.label, *cells, f"{power.rate:.1%}"])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells[1:]]))
    print(flush=True)


def _cell(power: Power, change: str) -> str:
    rows, share = power.typical(change), power.found(change)
    return f"{rows:,.0f} {share:.0%}" if np.isfinite(rows) else f"- {share:.0%}"


def _compare(results: Sequence[Power], best: Mapping[str, Power | None]) -> bool:
    ours = next((power for power in results if power.name == OUTRIDER), None)
    if ours is None or len(results) == 1:
        return True
    reached = ours.rate <= RATE
    print(f"{_verdict(reached)} Outrider's false alarms with OUTRIDER_ALPHA={ours.alpha}: {ours.rate:.1%} (≤ {RATE:.0%})")
    every = reached
    for change in CHANGES:
        rows, peer = ours.typical(change), best[change]
        limit = peer.typical(change) if peer is not None else float("inf")
        reached = rows <= limit
        every &= reached
        print(f"{_verdict(reached)} {change}: {rows:,.0f} rows (to reach: ≤ {limit:,.0f}, {peer.label if peer else 'nobody'})")
    return every


def _verdict(reached: bool) -> str:
    return f"{'reached' if reached else 'NOT REACHED':<12}"

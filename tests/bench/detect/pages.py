"""False pages on stationary traffic, each method at its default settings.

A page is a column (or a score over all columns) that becomes drifted: its look before was calm. A window is an hour, so a
column and a window are a twenty-fourth of a column-day. Scores beside the columns count as pages, not as columns.

The methods that judge whole windows get each window once. Outrider gets it in sixty panes and is evaluated after each. Where
training has a daily cycle, its profile is built with ``--chunk`` of an hour; NannyML learns its thresholds from chunks anyway.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from tests.bench.detect.columns import Block
from tests.bench.detect.environments import UnavailableError
from tests.bench.detect.methods import OUTRIDER, Way, talk
from tests.bench.detect.streams import DAILY, HOUR_ROWS, HOURS, KINDS, columns, ordered, training, windows

VOLUMES = (100, 1_000, 10_000, 100_000, 1_000_000)
WINDOWS = 1_000
GOAL = 1.0
ENOUGH_COLUMN_DAYS = 1_000
"""Of fewer, no page at all says little."""
OUTRIDER_SHARE = 6
"""It gets so many times the seconds of a peer: it runs on one core while they take turns on the other."""
SEED = 5


@dataclass(frozen=True)
class Pages:
    """What one method did on one stream.

    Parameters
    ----------
    pages
        How often an output became drifted.
    flagged
        The share of (look, output) that was drifted.
    windows, columns
        Of the stream, as far as there was time for it.
    names
        Which outputs paged, the most often first.
    """

    pages: int
    flagged: float
    windows: int
    columns: int
    names: tuple[str, ...]

    @property
    def column_days(self) -> float:
        """How much was watched."""
        return self.windows * self.columns / HOURS

    @property
    def rate(self) -> float:
        """Pages per 1,000 column-days."""
        return 1_000.0 * self.pages / self.column_days

    @property
    def rate_at_most(self) -> float:
        """The upper end of its one-sided 95 % interval, were pages independent (Poisson; Garwood 1936)."""
        return float(1_000.0 * chi2.ppf(0.95, 2 * self.pages + 2) / 2.0 / self.column_days)


def rises(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count for each output how often it became drifted: flags of shape ``(looks, outputs)`` to ``(outputs,)``."""
    before = np.zeros_like(flags)
    before[1:] = flags[:-1]
    return np.asarray((flags & ~before).sum(axis=0), dtype=np.int64)


def measure(way: Way, blocks: Sequence[Block], kind: str, volume: int, count: int, budget_s: float) -> Pages:
    """Run one method over one stream, so many windows or until its time is over.

    Raises
    ------
    UnavailableError
        If the method can't be run here.
    """
    shown = columns(blocks)
    pools = [ordered(block) for block in blocks] if kind == DAILY else list(blocks)
    options = dict(way.options or {})
    if way.name == OUTRIDER and kind == DAILY:
        options["chunk"] = HOUR_ROWS
    # Some methods learn from training cut as traffic will be; more windows at once spare them what each call costs.
    options["window"] = volume
    at_once = 1 if way.name == OUTRIDER else max(1, min(50, 100_000 // volume))
    seen: list[NDArray[np.bool_]] = []
    done, stream = 0, windows(pools, kind, SEED, volume)
    with talk(way) as method:
        method.fit(shown, training(pools, kind, SEED), options)
        end = time.monotonic() + budget_s
        while done < count and (not done or time.monotonic() < end):
            some = list(islice(stream, min(at_once, count - done)))
            seen.append(method.flags(np.concatenate(some, axis=1), volume))
            done += len(some)
        flags = np.concatenate(seen)
        counts = rises(flags)
        order = [at for at in np.argsort(-counts, kind="stable") if counts[at]]
        names = tuple(method.outputs[at] for at in order)
        return Pages(int(counts.sum()), float(flags.mean()), done, len(shown), names)


@dataclass(frozen=True)
class Effort:
    """How many windows, for how many seconds a peer, and where results are kept so that a bench that was stopped goes on."""

    windows: int
    seconds: float
    folder: Path | None = None


def run(ways: Sequence[Way], blocks: Sequence[Block], volumes: Sequence[int], effort: Effort) -> bool:
    """Measure and print; give whether the figure was reached everywhere."""
    print(f"False pages per 1,000 column-days, {len(columns(blocks))} columns, windows of an hour, default settings")
    print("in brackets: windows, and the share of time that a column was flagged\n")
    reached = True
    missing: dict[str, str] = {}
    ours: list[Pages] = []
    cells: dict[tuple[str, str], list[str]] = {(kind, way.name): [] for kind in KINDS for way in ways}
    tasks = [(kind, volume, way) for kind in KINDS for volume in volumes for way in ways]

    def one(task: tuple[str, int, Way]) -> Pages | UnavailableError:
        try:
            return _kept(*task, blocks, effort)
        except UnavailableError as reason:
            return reason

    with ThreadPoolExecutor(2) as pool:
        for (kind, volume, way), found in zip(tasks, pool.map(one, tasks), strict=True):
            if isinstance(found, UnavailableError):
                missing[f"{way.name}, {volume:,} rows"] = str(found)
                cells[kind, way.name].append("-")
                continue
            cells[kind, way.name].append(f"{found.rate:,.1f} ({found.windows:,}; {found.flagged:.1%})")
            if way.name == OUTRIDER:
                reached &= _say(kind, volume, found)
                ours.append(found)
    for kind in KINDS:
        _print(kind, volumes, {way.name: cells[kind, way.name] for way in ways})
    if ours:
        every = Pages(sum(each.pages for each in ours), 0.0, sum(each.windows for each in ours), ours[0].columns, ())
        print(
            f"Outrider in all: {every.pages} pages over {every.column_days:,.0f} column-days, at most {every.rate_at_most:.2f} "
            "per 1,000 with 95 % confidence"
        )
    for name, why in missing.items():
        print(f"left out: {name}: {why}")
    return reached and not any(name.startswith(OUTRIDER) for name in missing)


def _kept(kind: str, volume: int, way: Way, blocks: Sequence[Block], effort: Effort) -> Pages:
    name = f"pages {way.name} {kind} {volume} {effort.windows} {effort.seconds:g}.json"
    path = effort.folder / name if effort.folder else None
    if path is not None and path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=Pages)
    seconds = effort.seconds * (OUTRIDER_SHARE if way.name == OUTRIDER else 1)
    found = measure(way, blocks, kind, volume, effort.windows, seconds)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(found))
    return found


def _say(kind: str, volume: int, found: Pages) -> bool:
    reached = found.rate <= GOAL
    verdict = "NOT REACHED" if not reached else "reached" if found.column_days >= ENOUGH_COLUMN_DAYS else "so far"
    which = f": {', '.join(found.names[:6])}" if found.names else ""
    print(
        f"{verdict:<12} {kind}, {volume:,} rows a window: {found.rate:.2f} pages per 1,000 column-days over "
        f"{found.column_days:,.0f}, at most {found.rate_at_most:.1f} with 95 % confidence (to reach: ≤ {GOAL:g}){which}",
        flush=True,
    )
    return reached


def _print(kind: str, volumes: Sequence[int], rows: dict[str, list[str]]) -> None:
    head = [kind, *(f"{volume:,} rows" for volume in volumes)]
    lines = [head, *([name, *cells] for name, cells in rows.items())]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        print(
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )
    print(flush=True)

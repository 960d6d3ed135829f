"""What left the window: the window before it, and the same hours of earlier days.

Only coarse figures are kept, about 110 bytes per column and stretch of time: enough to say that something changed suddenly, or
that today is unlike the same hour of other days.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np

from agent.errors import OutriderError
from agent.sketch.frame import CategoryFrame, Frames, NumericFrame, at, coarsened, scaled, stacked, suffixes
from agent.window.layout import Layout

DAY_NS = 86_400 * 10**9

DAYS = 7
"""How many earlier days the season is made of: a whole week, so that a weekend is never all of it."""

_SHORTEST_NS = 1800 * 10**9
"""Stretches of the season are at least half an hour: 48 a day, 37 KB a column for a week."""


class Stretch(NamedTuple):
    """Coarse figures of one stretch of time."""

    start_ns: int
    end_ns: int
    frames: Frames


class HistoryWire(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A history as plain data."""

    before: list[tuple[int, int, list[bytes]]]
    season: list[tuple[int, int, list[bytes]]]


class History:
    """Stretches of time that the window no longer covers.

    Parameters
    ----------
    layout
        Of the columns.
    window_ns
        The window's length, and how far back the window before it reaches.
    before
        Whether the window before is kept.
    season
        Whether earlier days are.
    """

    def __init__(self, layout: Layout, window_ns: int, *, before: bool = True, season: bool) -> None:
        self._layout = layout
        self._window_ns = window_ns
        self._stretch_ns = max(window_ns // 2, _SHORTEST_NS)
        self._keeps_before = before
        self._keeps_season = season
        self._before: deque[Stretch] = deque()
        self._season: deque[Stretch] = deque()

    def add(self, start_ns: int, end_ns: int, frames: Frames) -> None:
        """Take in what just left the window; later than anything before it."""
        if not (self._keeps_before or self._keeps_season):
            return
        small = Stretch(start_ns, end_ns, coarsened(frames, self._layout.bins))
        if self._keeps_before:
            self._before.append(small)
        if not self._keeps_season:
            return
        if self._season and self._season[-1].start_ns // self._stretch_ns == start_ns // self._stretch_ns:
            last = self._season.pop()
            small = Stretch(last.start_ns, end_ns, _added([last.frames, small.frames]))
        self._season.append(small)

    def forget(self, window_start_ns: int) -> None:
        """Drop what neither the window before the one that starts now nor a season of it needs."""
        while self._before and self._before[0].end_ns <= window_start_ns - self._window_ns:
            self._before.popleft()
        while self._season and self._season[0].end_ns <= window_start_ns - DAYS * DAY_NS:
            self._season.popleft()

    def before(self) -> Frames | None:
        """Give the figures of the window before, shape ``(C,)``; ``None`` where nothing is known of it."""
        return _added([stretch.frames for stretch in self._before]) if self._before else None

    def same_hours(self, start_ns: int, end_ns: int) -> Frames | None:
        """Give the figures of the same time of earlier days, ``None`` if nothing is known of it.

        A stretch that overlaps that time in part counts by that part.
        """
        found = []
        for stretch in self._season:
            inside = sum(
                max(0, min(stretch.end_ns, end_ns - days * DAY_NS) - max(stretch.start_ns, start_ns - days * DAY_NS))
                for days in range(1, DAYS + 1)
            )
            if inside:
                found.append(scaled(stretch.frames, min(1.0, inside / (stretch.end_ns - stretch.start_ns))))
        return _added(found) if found else None

    def move(self, by_ns: int) -> None:
        """Move all stretches along with the clock."""
        for held in (self._before, self._season):
            moved = [Stretch(stretch.start_ns + by_ns, stretch.end_ns + by_ns, stretch.frames) for stretch in held]
            held.clear()
            held.extend(moved)

    def to_wire(self) -> HistoryWire:
        """Give the state as plain data."""
        return HistoryWire(
            *([(s.start_ns, s.end_ns, _bytes_of(s.frames)) for s in held] for held in (self._before, self._season))
        )

    def from_wire(self, wire: HistoryWire) -> None:
        """Take up what `to_wire` gave for the same layout; `OutriderError` if it is something else."""
        before, season = (
            [Stretch(start_ns, end_ns, self._frames_of(arrays)) for start_ns, end_ns, arrays in held]
            for held in (wire.before, wire.season)
        )
        self._before = deque(before if self._keeps_before else [])
        self._season = deque(season if self._keeps_season else [])

    def _frames_of(self, arrays: list[bytes]) -> Frames:
        columns, coarse = len(self._layout.numeric), self._layout.bins.coarse_width
        shapes = [(columns,)] * 8 + [(columns, coarse)]
        categories = len(self._layout.category)
        shapes += [(categories,), (categories, self._layout.known + 1)]
        kinds = ["<i8"] * 3 + ["<f8"] * 4 + ["<i8"] * 4
        try:
            found = [
                np.frombuffer(data, dtype=kind).reshape(shape) for data, kind, shape in zip(arrays, kinds, shapes, strict=True)
            ]
        except ValueError as error:
            raise OutriderError(f"its history is of other columns: {error}") from error
        numeric, category = [*found[:9], np.empty((columns, 0))], found[9:]
        return Frames(NumericFrame(*numeric), CategoryFrame(*category))


def _added(frames: list[Frames]) -> Frames:
    if len(frames) == 1:
        return frames[0]
    return at(suffixes(stacked(frames), [len(frames)]), 0)


def _bytes_of(frames: Frames) -> list[bytes]:
    numeric, category = frames.numeric, frames.category
    whole = [numeric.missing, numeric.infinite, numeric.count]
    real = [numeric.mean, numeric.variance, numeric.minimum, numeric.maximum]
    counted = [numeric.outside, numeric.counts, category.missing, category.counts]
    return [
        *(array.astype("<i8").tobytes() for array in whole),
        *(array.astype("<f8").tobytes() for array in real),
        *(array.astype("<i8").tobytes() for array in counted),
    ]

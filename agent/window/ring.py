"""Panes in a ring, and the window made of them.

Panes end at fixed moments of the wall clock (multiples of their length), so the panes of all replicas line up. A pane that
takes no more rows is kept twice: as the figures that are compared (`agent.sketch.frame`), and as bytes, from which a column's
quantiles are merged when somebody asks. A window with more than `SLOTS` panes keeps all but the newest (`RECENT`) merged in
groups: its far end then moves in steps of a group, and memory does not grow with the number of panes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.frame import Frames, packed, stacked
from agent.sketch.numeric import NumericSketch
from agent.sketch.runs import Runs
from agent.sketch.summary import Summary
from agent.sketch.wire import read
from agent.window.history import History, HistoryWire
from agent.window.layout import Layout, telling
from agent.window.pane import Pane, Sketch, add, column_of, relations_of, sketch_for
from agent.window.relations import RelationsSketch

SLOTS = 60
"""Closed panes, or groups of them, that a ring keeps: 2.3 KB per numeric column each."""

RECENT = 16
"""Panes of a long window that stay single: what just began must not be diluted by what came before."""

UNSEEN = "_unseen"
"""The label of rows whose category is none of the reference's."""


@dataclass(frozen=True, slots=True)
class Window:
    """All columns over the time that the ring covers, stretch by stretch.

    Parameters
    ----------
    start_ns, end_ns
        Wall clock: the start of the oldest pane with rows, and now.
    rows
        Rows of all panes.
    layout
        Where the compared columns stand.
    starts_ns
        Wall clock at which each pane (or group of them) began, oldest first; panes without rows are left out.
    held
        How many panes each of them holds.
    panes
        Their figures, shape ``(panes, C)``; ``None`` where there are no rows.
    before
        The window before this one, shape ``(C,)``, coarse; ``None`` where nothing is known of it.
    season
        The same hours of earlier days, likewise.
    summary
        Gives one column by its place in `Schema.columns`, ``None`` where it is not compared. Until the ring takes more rows.
    relations
        Gives how columns go together in each pane, oldest first. Until the ring takes more rows.
    repeats
        Of each pane the rows, the squares of the lengths of runs of equal rows, and how many runs began (`agent.sketch.runs`),
        shape ``(panes, 3)``; ``None`` where nobody looked.
    """

    start_ns: int
    end_ns: int
    rows: int
    layout: Layout
    starts_ns: tuple[int, ...]
    held: tuple[int, ...]
    panes: Frames | None
    before: Frames | None
    season: Frames | None
    summary: Callable[[int], Summary | None]
    relations: Callable[[], Sequence[RelationsSketch]]
    repeats: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class BinTotals:
    """Rows of a column per frozen bin since the start; never less than before.

    Parameters
    ----------
    labels
        Upper edges as text, the last one ``+Inf``; or the categories and ``_unseen``.
    counts
        int64, one per label.
    missing
        Rows without a value.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    missing: int


class _Slot(msgspec.Struct, array_like=True, frozen=True, gc=False):
    start_ns: int
    end_ns: int
    rows: int
    repeats: tuple[int, int, int]
    pane: bytes


class _Total(msgspec.Struct, array_like=True, frozen=True, gc=False):
    counts: list[int]
    missing: int


class _Wire(msgspec.Struct, array_like=True, tag="ring/4", frozen=True):
    pane_ns: int
    slots: list[_Slot]
    current: bytes
    totals: list[_Total | None]
    history: HistoryWire


_DECODER = msgspec.msgpack.Decoder(_Wire)


class Ring:
    """The panes of one window, and counts since the start.

    The clock may jump. Forwards, panes that are too old are dropped as ever. Backwards by less than a pane, rows go on into
    the current pane; further backwards, all panes move along, so that the window keeps its content and its length.

    Parameters
    ----------
    schema
        Whose columns to sketch.
    pane_ns
        A pane's length.
    panes
        How many panes a window has, the current one included.
    before, season
        Whether the window before, and the hours of earlier days, are kept to compare with.
    """

    def __init__(self, schema: Schema, pane_ns: int, panes: int, *, before: bool = True, season: bool = False) -> None:
        if pane_ns < 1 or panes < 1:
            raise OutriderError(f"a ring needs at least one pane of at least 1 ns, not {panes} of {pane_ns}")
        self.schema = schema
        self.pane_ns = pane_ns
        self.panes = panes
        self._group_ns = pane_ns * (1 if panes <= SLOTS else -(-(panes - RECENT) // (SLOTS - RECENT)))
        self._layout = Layout.of(schema)
        self._telling = telling(schema)
        self._slots: deque[_Slot] = deque()
        self._frames: deque[Frames] = deque()  # one per slot
        self._history = History(self._layout, pane_ns * panes, before=before, season=season)
        self._current: Pane | None = None
        self._totals = _Totals(schema)
        self._before, self._season = before, season
        self._closed = False
        self._rows = 0  # of all slots

    def update(self, checked: Checked, now_ns: int) -> None:
        """Add a checked batch to the pane of `now_ns`. Cost: as `Pane.update`."""
        self._advance(now_ns).update(checked)

    def rotate(self, now_ns: int) -> bool:
        """Close the pane if its time is over and drop what is older than the window.

        Returns
        -------
        bool
            Whether a pane was closed since the last call, here or by `update` or `window`.
        """
        self._advance(now_ns)
        closed, self._closed = self._closed, False
        return closed

    def window(self, now_ns: int) -> Window:
        """Give all panes, the current one included if it has rows. Cost: 25 µs per column with 60 panes."""
        current = self._advance(now_ns)
        starts, frames = [slot.start_ns for slot in self._slots], list(self._frames)
        held = [(slot.end_ns - slot.start_ns) // self.pane_ns for slot in self._slots]
        repeats = [slot.repeats for slot in self._slots]
        if current.rows:
            starts.append(current.start_ns)
            held.append(1)
            frames.append(self._layout.frames(current.sketches, current.outside))
            repeats.append(current.runs.figures)
        start_ns = starts[0] if starts else current.start_ns
        end_ns = max(now_ns, start_ns)
        horizon_ns = current.end_ns - self.panes * self.pane_ns
        self._history.forget(horizon_ns)
        return Window(
            start_ns=start_ns,
            end_ns=end_ns,
            rows=self._rows + current.rows,
            layout=self._layout,
            starts_ns=tuple(starts),
            held=tuple(held),
            panes=stacked(frames) if frames else None,
            before=self._history.before(),
            season=self._history.same_hours(start_ns, end_ns),
            summary=self._summary,
            relations=self._relations,
            repeats=np.array(repeats, dtype=np.int64).reshape(-1, 3),
        )

    def _summary(self, place: int) -> Summary | None:
        column = self.schema.columns[place]
        whole = sketch_for(column)
        if whole is None:
            return None
        for slot in self._slots:
            add(whole, column_of(slot.pane, column, place))
        if self._current is not None:
            add(whole, self._current.sketches[place])
        return whole.result()

    def _relations(self) -> list[RelationsSketch]:
        panes = [relations_of(slot.pane, self.schema) for slot in self._slots]
        if self._current is not None and self._current.rows:
            panes.append(self._current.relations)
        return panes

    def totals(self) -> dict[str, BinTotals]:
        """Give counts by column since the start, whatever has left the window; a saved state's counts are in them."""
        return self._totals.with_pane(self._current)

    def to_bytes(self) -> bytes:
        """Write the panes and the totals; the schema is not in it."""
        current = b"" if self._current is None else self._current.to_bytes()
        wire = _Wire(self.pane_ns, list(self._slots), current, self._totals.to_wire(), self._history.to_wire())
        return msgspec.msgpack.encode(wire)

    def restore(self, data: bytes) -> None:
        """Put what `to_bytes` of a ring of the same schema wrote in place of what is here.

        Raises
        ------
        OutriderError
            If the bytes are something else, or panes of another length; the ring is then as it was.
        """
        wire = read(_DECODER, data, "window")
        if wire.pane_ns != self.pane_ns:
            raise OutriderError(f"its panes are {wire.pane_ns / 1e9:g} s long, and now they are {self.pane_ns / 1e9:g} s")
        totals = _Totals(self.schema)
        totals.from_wire(wire.totals)
        current = Pane.from_bytes(wire.current, self.schema) if wire.current else None
        panes = [Pane.from_bytes(slot.pane, self.schema) for slot in wire.slots]
        history = History(self._layout, self.pane_ns * self.panes, before=self._before, season=self._season)
        history.from_wire(wire.history)
        self._slots, self._current, self._totals, self._history = deque(wire.slots), current, totals, history
        self._frames = deque(self._figures(pane) for pane in panes)
        self._rows = sum(pane.rows for pane in panes)

    def _advance(self, now_ns: int) -> Pane:
        start_ns = now_ns - now_ns % self.pane_ns
        current = self._current
        if current is None:
            current = self._current = Pane(self.schema, start_ns, start_ns + self.pane_ns, Runs(self._telling))
        elif start_ns > current.start_ns:
            self._close(current)
            runs = Runs(self._telling, current.runs)
            current = self._current = Pane(self.schema, start_ns, start_ns + self.pane_ns, runs)
            self._evict(current.end_ns - self.panes * self.pane_ns)
        elif start_ns < current.start_ns - self.pane_ns:
            self._move(current, start_ns - current.start_ns)
        return current

    def _close(self, pane: Pane) -> None:
        self._closed = True
        if not pane.rows:
            return
        self._totals.add(pane)
        pane.compact()
        self._rows += pane.rows
        self._slots.append(_slot(pane))
        self._frames.append(self._figures(pane))
        self._group(len(self._slots) - 1 - RECENT)

    def _group(self, place: int) -> None:
        """Merge the pane that is no longer recent into the group before it, if that is the same stretch of the clock."""
        if place < 1 or self._slots[place - 1].start_ns // self._group_ns != self._slots[place].start_ns // self._group_ns:
            return
        group, pane = (Pane.from_bytes(self._slots[at].pane, self.schema) for at in (place - 1, place))
        group.merge(pane)
        group.compact()
        self._slots[place - 1], self._frames[place - 1] = _slot(group), self._figures(group)
        del self._slots[place], self._frames[place]

    def _figures(self, pane: Pane) -> Frames:
        return packed(self._layout.frames(pane.sketches, pane.outside))

    def _evict(self, horizon_ns: int) -> None:
        while self._slots and self._slots[0].end_ns <= horizon_ns:
            slot = self._slots.popleft()
            self._rows -= slot.rows
            self._history.add(slot.start_ns, slot.end_ns, self._frames.popleft())

    def _move(self, current: Pane, by_ns: int) -> None:
        current.start_ns += by_ns
        current.end_ns += by_ns
        self._slots = deque(
            msgspec.structs.replace(slot, start_ns=slot.start_ns + by_ns, end_ns=slot.end_ns + by_ns) for slot in self._slots
        )
        self._history.move(by_ns)


def _slot(pane: Pane) -> _Slot:
    # msgspec's bytes hold on to the buffer they were written in, half as much again: a copy does not.
    return _Slot(pane.start_ns, pane.end_ns, pane.rows, pane.runs.figures, bytes(memoryview(pane.to_bytes())))


class _Totals:
    """Counts of closed panes by column."""

    def __init__(self, schema: Schema) -> None:
        self._columns = schema.columns
        self._labels = tuple(_labels(column) for column in self._columns)
        self._counts = [np.zeros(len(labels), dtype=np.int64) for labels in self._labels]
        self._missing = [0] * len(self._columns)

    def add(self, pane: Pane) -> None:
        for index, sketch in enumerate(pane.sketches):
            if sketch is not None:
                self._counts[index] += _bins(sketch)
                self._missing[index] += sketch.missing

    def with_pane(self, pane: Pane | None) -> dict[str, BinTotals]:
        totals = {}
        for index, column in enumerate(self._columns):
            if not self._labels[index]:
                continue
            sketch = None if pane is None else pane.sketches[index]
            counts, missing = self._counts[index].copy(), self._missing[index]
            if sketch is not None:
                counts += _bins(sketch)
                missing += sketch.missing
            totals[column.name] = BinTotals(self._labels[index], counts, missing)
        return totals

    def to_wire(self) -> list[_Total | None]:
        pairs = zip(self._counts, self._missing, strict=True)
        return [_Total(counts.tolist(), missing) if counts.size else None for counts, missing in pairs]

    def from_wire(self, totals: list[_Total | None]) -> None:
        if [0 if total is None else len(total.counts) for total in totals] != [counts.size for counts in self._counts]:
            raise OutriderError("its counts are of other bins")
        for index, total in enumerate(totals):
            if total is not None:
                self._counts[index] = np.array(total.counts, dtype=np.int64)
                self._missing[index] = total.missing


def _labels(column: ColumnSchema) -> tuple[str, ...]:
    if column.edges is not None and column.coarse is not None:
        return (*map(repr, column.edges.tolist()), "+Inf")
    return () if column.categories is None else (*column.categories, UNSEEN)


def _bins(sketch: Sketch) -> NDArray[np.int64]:
    if isinstance(sketch, NumericSketch):
        return sketch.bins.result()
    return np.append(sketch.counts, np.int64(sketch.unseen))

"""Panes in a ring, and the window merged from them.

Panes end at fixed moments of the wall clock (multiples of their length), so the panes of all replicas line up. A pane that
takes no more rows is kept as bytes. A window with more than `SLOTS` panes keeps its older ones merged in groups: its far end
then moves in steps of a group, at most a sixtieth of the window, and memory does not grow with the number of panes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import Summary
from agent.sketch.wire import read
from agent.window.pane import Pane, Sketch

SLOTS = 60
"""Closed panes, or groups of them, that a ring keeps: 2.3 KB per numeric column each."""

UNSEEN = "_unseen"
"""The label of rows whose category is none of the reference's."""


@dataclass(frozen=True, slots=True)
class Window:
    """All columns over the time that the ring covers.

    Parameters
    ----------
    start_ns, end_ns
        Wall clock: the start of the oldest pane with rows, and now.
    rows
        Rows of all panes.
    summaries
        In the order of `Schema.columns`; ``None`` for columns that are not compared.
    """

    start_ns: int
    end_ns: int
    rows: int
    summaries: tuple[Summary | None, ...]


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


class _Slot(msgspec.Struct, array_like=True, frozen=True):
    start_ns: int
    end_ns: int
    pane: bytes


class _Total(msgspec.Struct, array_like=True, frozen=True, gc=False):
    counts: list[int]
    missing: int


class _Wire(msgspec.Struct, array_like=True, tag="ring/1", frozen=True):
    pane_ns: int
    slots: list[_Slot]
    current: bytes
    totals: list[_Total | None]


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
    """

    def __init__(self, schema: Schema, pane_ns: int, panes: int) -> None:
        if pane_ns < 1 or panes < 1:
            raise OutriderError(f"a ring needs at least one pane of at least 1 ns, not {panes} of {pane_ns}")
        self.schema = schema
        self.pane_ns = pane_ns
        self.panes = panes
        self._group_ns = pane_ns * -(-panes // SLOTS)
        self._slots: deque[_Slot] = deque()
        self._current: Pane | None = None
        self._merged: Pane | None = None  # of all slots; None where it has to be made anew
        self._totals = _Totals(schema)
        self._closed = False

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
        """Merge all panes, the current one included.

        Cost: 80 to 200 µs per column, and once after each rotation 10 µs per column and closed pane.
        """
        current = self._advance(now_ns)
        whole = Pane(self.schema, current.start_ns, current.end_ns)
        whole.merge(self._merge_slots())
        whole.merge(current)
        start_ns = self._slots[0].start_ns if self._slots else current.start_ns
        summaries = tuple(None if sketch is None else sketch.result() for sketch in whole.sketches)
        return Window(start_ns, max(now_ns, start_ns), whole.rows, summaries)

    def totals(self) -> dict[str, BinTotals]:
        """Give counts by column since the start, whatever has left the window; a saved state's counts are in them."""
        return self._totals.with_pane(self._current)

    def to_bytes(self) -> bytes:
        """Write the panes and the totals; the schema is not in it."""
        current = b"" if self._current is None else self._current.to_bytes()
        return msgspec.msgpack.encode(_Wire(self.pane_ns, list(self._slots), current, self._totals.to_wire()))

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
        for slot in wire.slots:
            Pane.from_bytes(slot.pane, self.schema)  # so that damage shows now and not in an evaluation
        self._slots, self._current, self._merged, self._totals = deque(wire.slots), current, None, totals

    def _advance(self, now_ns: int) -> Pane:
        start_ns = now_ns - now_ns % self.pane_ns
        current = self._current
        if current is None:
            current = self._current = Pane(self.schema, start_ns, start_ns + self.pane_ns)
        elif start_ns > current.start_ns:
            self._close(current)
            current = self._current = Pane(self.schema, start_ns, start_ns + self.pane_ns)
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
        if self._slots and self._slots[-1].start_ns // self._group_ns == pane.start_ns // self._group_ns:
            older = self._slots.pop()
            pane.merge(Pane.from_bytes(older.pane, self.schema))
            pane.start_ns = older.start_ns
            pane.compact()
            self._merged = None
        elif self._merged is not None:
            self._merged.merge(pane)
        self._slots.append(_Slot(pane.start_ns, pane.end_ns, pane.to_bytes()))

    def _evict(self, horizon_ns: int) -> None:
        while self._slots and self._slots[0].end_ns <= horizon_ns:
            self._slots.popleft()
            self._merged = None

    def _move(self, current: Pane, by_ns: int) -> None:
        current.start_ns += by_ns
        current.end_ns += by_ns
        self._slots = deque(_Slot(slot.start_ns + by_ns, slot.end_ns + by_ns, slot.pane) for slot in self._slots)

    def _merge_slots(self) -> Pane:
        if self._merged is None:
            self._merged = Pane(self.schema)
            for slot in self._slots:
                self._merged.merge(Pane.from_bytes(slot.pane, self.schema))
        return self._merged


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

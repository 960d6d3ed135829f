"""How many rows of each group were selected, pane by pane, and how many of them repeat the row before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.sketch.runs import Runs, Values
from agent.sketch.wire import pack_counts, read, unpack_counts

Counts = NDArray[np.int64]


class _Wire(msgspec.Struct, array_like=True, tag="selection/1", frozen=True, gc=False):
    counts: bytes


class _RingWire(msgspec.Struct, array_like=True, tag="selections/2", frozen=True, gc=False):
    pane_ns: int
    starts_ns: list[int]
    panes: list[bytes]
    repeats: list[tuple[int, int, int]]


_DECODER = msgspec.msgpack.Decoder(_Wire)
_RING_DECODER = msgspec.msgpack.Decoder(_RingWire)


class Selection:
    """Rows with an outcome, and with a favourable one, of each group; exact. 16 bytes per group.

    Parameters
    ----------
    sizes
        How many groups each grouping has; a row belongs to one of them, to others, or to none.

    Examples
    --------
    >>> selection = Selection((1,))
    >>> places = np.array([0, 0, 1, -1])  # the group, the group, the others, unknown
    >>> selection.update([places], np.array([True, True, True, True]), np.array([True, False, True, True]))
    >>> selection.result().tolist()  # (answered, selected) of the group, then of the others
    [[[2, 1], [1, 1]]]
    """

    __slots__ = ("_starts", "counts", "sizes")

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self._starts = np.cumsum([0, *(size + 1 for size in sizes)]).tolist()
        self.counts: Counts = np.zeros((self._starts[-1], 2), dtype=np.int64)
        """Answered and selected, of each grouping's groups and then of its others."""

    def update(self, places: Sequence[Counts | None], answered: NDArray[np.bool_], selected: NDArray[np.bool_]) -> None:
        """Add rows.

        Parameters
        ----------
        places
            Per grouping the group of each row, the number of groups for others, -1 for unknown; ``None`` where all are unknown.
        answered, selected
            Whether each row has an outcome, and a favourable one; shape ``(rows,)``.
        """
        for grouping, (size, place) in enumerate(zip(self.sizes, places, strict=True)):
            if place is None:
                continue
            start, known = self._starts[grouping], place >= 0
            mine = self.counts[start : start + size + 1]
            mine[:, 0] += np.bincount(place[known & answered], minlength=size + 1)
            mine[:, 1] += np.bincount(place[known & answered & selected], minlength=size + 1)

    def merge(self, other: Selection) -> None:
        """Add what `other` has seen; `OutriderError` if it is of other groups."""
        if other.sizes != self.sizes:
            raise OutriderError("selections of different groups can't be added up")
        self.counts += other.counts

    def result(self) -> Counts:
        """Give all groups of all groupings, int64, shape ``(G, 2, 2)``: group and others, each answered and selected."""
        found = []
        for start, size in zip(self._starts, self.sizes, strict=False):
            mine = self.counts[start : start + size + 1]
            found.append(np.stack((mine[:size], mine.sum(axis=0) - mine[:size]), axis=1))
        return np.concatenate(found) if found else np.zeros((0, 2, 2), dtype=np.int64)

    def to_bytes(self) -> bytes:
        """Write the state; the sizes are not in it."""
        return msgspec.msgpack.encode(_Wire(pack_counts(self.counts.reshape(-1))))

    @classmethod
    def from_bytes(cls, data: bytes, sizes: Sequence[int]) -> Selection:
        """Read what `to_bytes` wrote for these sizes; `OutriderError` if it is something else."""
        selection = cls(sizes)
        counts = unpack_counts(read(_DECODER, data, "selection").counts, selection.counts.size, "selection")
        selection.counts = counts.reshape(-1, 2)
        return selection


class Selected(NamedTuple):
    """The panes of a window that have rows, oldest first."""

    starts_ns: list[int]
    """When each began, wall clock."""
    counts: Counts
    """Int64, shape ``(panes, G, 2, 2)``, as `Selection.result` gives."""
    repeats: Counts
    """Rows, squares of the lengths of runs of equal rows, and runs begun (`agent.sketch.runs`): int64, shape ``(panes, 3)``."""


class Selections:
    """The selections of a window's panes, which end when those of `agent.window.ring.Ring` do.

    Parameters
    ----------
    sizes
        As in `Selection`.
    pane_ns
        A pane's length.
    panes
        How many panes the window has.
    telling
        Places of the columns that tell rows apart, as in `Runs`.
    """

    def __init__(self, sizes: Sequence[int], pane_ns: int, panes: int, telling: tuple[int, ...] = ()) -> None:
        self.sizes = tuple(sizes)
        self.pane_ns = pane_ns
        self.panes = panes
        self._telling = telling
        self._held: deque[tuple[int, Selection, Runs]] = deque()

    def update(
        self,
        places: Sequence[Counts | None],
        answered: NDArray[np.bool_],
        selected: NDArray[np.bool_],
        now_ns: int,
        columns: Sequence[Values | None] = (),
    ) -> None:
        """Add rows to the pane of `now_ns`: see `Selection.update`, and `Runs.update` for `columns`."""
        start_ns = now_ns - now_ns % self.pane_ns
        self._follow(start_ns)
        if not self._held or self._held[-1][0] < start_ns:
            before = self._held[-1][2] if self._held else None
            self._held.append((start_ns, Selection(self.sizes), Runs(self._telling, before)))
        _, held, runs = self._held[-1]
        held.update(places, answered, selected)
        runs.update(columns, len(answered))

    def window(self, now_ns: int) -> Selected:
        """Give the panes of the window that ends at `now_ns`."""
        self._follow(now_ns - now_ns % self.pane_ns)
        starts = [start_ns for start_ns, _, _ in self._held]
        empty = np.zeros((0, sum(self.sizes), 2, 2), dtype=np.int64)
        counts = np.stack([held.result() for _, held, _ in self._held]) if self._held else empty
        repeats = np.array([runs.figures for _, _, runs in self._held], dtype=np.int64).reshape(-1, 3)
        return Selected(starts, counts, repeats)

    def _follow(self, start_ns: int) -> None:
        """Drop what is too old; where the clock went back by more than a pane, move all panes along."""
        if self._held and start_ns < (newest := self._held[-1][0]) - self.pane_ns:
            self._held = deque((start + start_ns - newest, held, runs) for start, held, runs in self._held)
        horizon_ns = start_ns - (self.panes - 1) * self.pane_ns
        while self._held and self._held[0][0] < horizon_ns:
            self._held.popleft()

    def to_bytes(self) -> bytes:
        """Write the state; the sizes are not in it."""
        starts, panes = [start for start, _, _ in self._held], [held.to_bytes() for _, held, _ in self._held]
        return msgspec.msgpack.encode(_RingWire(self.pane_ns, starts, panes, [runs.figures for _, _, runs in self._held]))

    def restore(self, data: bytes) -> None:
        """Put what `to_bytes` wrote for the same sizes in place of what is here.

        Raises
        ------
        OutriderError
            If the bytes are something else, or panes of another length; all is then as it was.
        """
        wire = read(_RING_DECODER, data, "selections")
        if wire.pane_ns != self.pane_ns or not len(wire.starts_ns) == len(wire.panes) == len(wire.repeats):
            raise OutriderError(f"its panes are {wire.pane_ns / 1e9:g} s long, and now they are {self.pane_ns / 1e9:g} s")
        panes = [Selection.from_bytes(pane, self.sizes) for pane in wire.panes]
        self._held = deque(zip(wire.starts_ns, panes, map(self._runs, wire.repeats), strict=True))

    def _runs(self, figures: tuple[int, int, int]) -> Runs:
        runs = Runs(self._telling)
        runs.rows, runs.squares, runs.begun = figures
        return runs

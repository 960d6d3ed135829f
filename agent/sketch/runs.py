"""Rows that come several times in a row: retries, load tests, batches padded with copies.

A row that comes L times in a row says no more than once. The counts of n rows in such runs vary as those of ``n / φ`` rows would,
``φ = Σ L² / Σ L`` over the runs: the design effect of clusters of equal rows (Kish, "Survey Sampling", 1965, §5.4 with an
intra-class correlation of 1). It is known for the very rows of a stretch of time, where an estimate from many panes is not:
a hundred rows with one run of fifty count as four.

Rows with a missing value are equal to none: a pipeline that sends nulls and nothing else repeats nothing, it is broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64] | NDArray[Any]


class Runs:
    """Adds up the lengths of runs of equal rows, and their squares. Three numbers, and the last row.

    Parameters
    ----------
    telling
        Places of the columns that tell rows apart, the most telling first; none where equal rows are too common to mean
        anything. Every row then counts as a run of its own.
    before
        What saw the rows before these: a run that goes on is one run.

    Examples
    --------
    >>> runs = Runs((0,))
    >>> runs.update([np.array([1.0, 1.0, 1.0, 2.0])], 4)
    >>> runs.update([np.array([2.0])], 1)
    >>> runs.rows, runs.squares, runs.result()
    (5, 13, 2.6)
    """

    __slots__ = ("_last", "_length", "_telling", "begun", "rows", "squares")

    def __init__(self, telling: tuple[int, ...] = (), before: Runs | None = None) -> None:
        self._telling = telling
        self._last: list[Any] = before._last if before is not None else []
        self._length: int = before._length if before is not None else 0  # of the run that the last row is in
        self.rows = 0
        self.squares = 0
        """Of the runs' lengths, summed; of a run that began before, what these rows add."""
        self.begun = 0
        """Runs that began here."""

    def update(self, columns: Sequence[Values | None], rows: int) -> None:
        """Add rows in the order in which they came; all columns have `rows` values. Cost: 1 ns per row where none repeats."""
        if not rows:
            return
        self.rows += rows
        told = [column for place in self._telling if (column := columns[place]) is not None and len(column) == rows]
        if not told:
            self.squares += rows
            self.begun += rows
            return
        starts = np.flatnonzero(~_repeats(told)) + 1
        lengths = np.diff(starts, prepend=0, append=rows)
        first = [column.item(0) if column.dtype.kind == "f" else column[0] for column in told]
        before = self._length if len(first) == len(self._last) and all(map(_same, first, self._last)) else 0
        # a run that goes on was counted with the length that it had
        head = int(lengths[0])
        self.squares += (before + head) ** 2 - before**2 + int(np.square(lengths[1:]).sum())
        self.begun += len(lengths) - (before > 0)
        self._length = before + head if len(lengths) == 1 else int(lengths[-1])
        self._last = [column.item(-1) if column.dtype.kind == "f" else column[-1] for column in told]

    def add(self, other: Runs) -> None:
        """Add what `other` has seen; a run that goes on there counts as two."""
        self.rows += other.rows
        self.squares += other.squares
        self.begun += other.begun

    @property
    def figures(self) -> tuple[int, int, int]:
        """Rows, squares, and runs begun."""
        return self.rows, self.squares, self.begun

    def result(self) -> float:
        """Give φ, at least 1; 1 where there are no rows."""
        return self.squares / self.rows if self.rows else 1.0


def _repeats(columns: list[Values]) -> NDArray[np.bool_]:
    """Tell of each row but the first whether it equals the one before it."""
    equal: NDArray[np.bool_] = np.ones(len(columns[0]) - 1, dtype=bool)
    for column in columns:
        if not equal.any():
            break
        if column.dtype.kind == "f":
            equal &= column[1:] == column[:-1]
        else:
            for place in np.flatnonzero(equal).tolist():
                equal[place] = _same(column[place + 1], column[place])
    return equal


def _same(one: Any, other: Any) -> bool:
    return one is not None and bool(one == other)

"""Which columns of a schema are compared, and their figures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agent.profile.schema import Schema
from agent.sketch.categorical import CategorySketch
from agent.sketch.frame import CategoryFrame, CategorySource, Frames, NumericFrame, NumericLayout, NumericSource
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import NumericSummary, Summary

CHANCE = 0.05
"""Where two rows are equal by chance more often than this, runs of equal rows are no sign of repetition."""

SURE = 1e-4
"""Columns that leave less than this to chance are enough: others may be missing in a row that repeats."""


def telling(schema: Schema) -> tuple[int, ...]:
    """Give the places of the features that tell rows apart, the most telling first, and no more than it takes (`SURE`).

    Two rows of training agree in a column with a probability of at most the sum of its squared shares. None are given where all
    columns together leave more than `CHANCE`: a table of three flags repeats its rows all the time.
    """
    chances = {
        place: _agreement(column.reference) for place, column in enumerate(schema.features) if column.reference is not None
    }
    ranked = sorted(chances, key=lambda place: chances[place])
    together = list(accumulate((chances[place] for place in ranked), mul))
    enough = next((number for number, chance in enumerate(together, 1) if chance <= SURE), len(ranked))
    return tuple(ranked[:enough]) if together and together[-1] <= CHANCE else ()


def _agreement(reference: Summary) -> float:
    counts = reference.bin_counts if isinstance(reference, NumericSummary) else np.append(reference.counts, reference.unseen)
    cells = np.append(counts, reference.missing).astype(np.float64)
    total = float(cells.sum())
    return float(np.square(cells / total).sum()) if total else 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the compared columns stand.

    Parameters
    ----------
    numeric, category
        Their places in `Schema.columns`, in the order of the frames.
    bins
        The numeric columns' frozen bins.
    known
        How many categories the widest categorical column has.
    """

    numeric: tuple[int, ...]
    category: tuple[int, ...]
    bins: NumericLayout
    known: int

    @classmethod
    def of(cls, schema: Schema) -> Layout:
        """Lay out a schema's columns; those that are not compared (text, dates) are left out."""
        columns = schema.columns
        binned = {
            place: (column.edges, column.coarse)
            for place, column in enumerate(columns)
            if column.edges is not None and column.coarse is not None
        }
        listed = {place: column.categories for place, column in enumerate(columns) if column.categories is not None}
        category = tuple(place for place in listed if place not in binned)
        known = max((len(listed[place]) for place in category), default=0)
        return cls(tuple(binned), category, NumericLayout.of(list(binned.values())), known)

    def frames(self, sources: Sequence[NumericSketch | CategorySketch | Summary | None], outside: NDArray[np.int64]) -> Frames:
        """Lay the figures of all columns side by side.

        Parameters
        ----------
        sources
            One per column of the schema.
        outside
            Rows beyond the range of training, one per column of the schema.
        """
        numeric = [cast("NumericSource", sources[place]) for place in self.numeric]
        category = [cast("CategorySource", sources[place]) for place in self.category]
        beyond = outside[list(self.numeric)]
        return Frames(NumericFrame.of(numeric, self.bins, beyond), CategoryFrame.of(category, self.known))

    def reference(self, schema: Schema) -> Frames:
        """Give the figures of training, shape ``(C,)``; nothing of it is beyond its own range."""
        columns = schema.columns
        return self.frames([column.reference for column in columns], np.zeros(len(columns), dtype=np.int64))

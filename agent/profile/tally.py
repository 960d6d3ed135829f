"""The second reading: exact counts in bins and categories that the first one chose, and the model's own performance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.profile.blocks import Texts
from agent.profile.format import Performance
from agent.sketch.bins import origin_of


class BinTally:
    """Exact counts in frozen bins, infinities in the outer ones; and the sum of ``x - origin`` over each bin's finite values."""

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self._edges = edges
        self._origin = origin_of(edges)
        self.counts = np.zeros(len(edges) + 1, dtype=np.int64)
        self.sums = np.zeros(len(edges) + 1)

    def update(self, values: NDArray[np.float64]) -> None:
        """Add values, shape ``(n,)``; NaN is left out."""
        present = values[~np.isnan(values)]
        places = np.searchsorted(self._edges, present, side="right")
        self.counts += np.bincount(places, minlength=len(self.counts))
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = np.where(np.isinf(present), 0.0, present - self._origin)
            self.sums += np.bincount(places, shifted, len(self.sums))

    def merge(self, other: BinTally) -> None:
        """Add what `other` has seen."""
        self.counts += other.counts
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums += other.sums


class CategoryTally:
    """Exact counts of listed categories; everything else is counted as one more.

    Parameters
    ----------
    categories
        Canonical texts.
    """

    def __init__(self, categories: Sequence[str]) -> None:
        self._index = {text: i for i, text in enumerate(categories)}
        self.counts = np.zeros(len(categories) + 1, dtype=np.int64)

    def place(self, values: Texts) -> NDArray[np.int64]:
        """Give each row's category: -1 where missing, ``len(categories)`` where it is not listed."""
        other = len(self._index)
        lookup = np.array([*(self._index.get(label, other) for label in values.labels), -1], dtype=np.int64)
        return lookup[values.codes]

    def update(self, places: NDArray[np.int64]) -> None:
        """Add rows, as `place` gave them."""
        self.counts += np.bincount(places[places >= 0], minlength=len(self.counts))

    def merge(self, other: CategoryTally) -> None:
        """Add what `other` has seen."""
        self.counts += other.counts


class Accuracy:
    """The share of rows whose prediction is their label."""

    def __init__(self) -> None:
        self.rows = self.right = 0

    def update(self, label: Texts, prediction: Texts) -> None:
        """Add rows; those where either is missing are left out."""
        index: dict[str, int] = {}
        left, right = (
            np.array([*(index.setdefault(text, len(index)) for text in side.labels), -1], dtype=np.int64)[side.codes]
            for side in (label, prediction)
        )
        present = (left >= 0) & (right >= 0)
        self.rows += int(present.sum())
        self.right += int((left == right)[present].sum())

    def result(self) -> list[Performance]:
        """Give ``accuracy``; nothing without rows."""
        return [Performance("accuracy", rounded(self.right / self.rows), self.rows)] if self.rows else []


class Error:
    """The mean absolute error and the root of the mean squared error."""

    def __init__(self) -> None:
        self.rows = 0
        self.absolute = self.squares = 0.0

    def update(self, label: NDArray[np.float64], prediction: NDArray[np.float64]) -> None:
        """Add rows, shape ``(n,)`` each; those where either is not finite are left out."""
        with np.errstate(over="ignore", invalid="ignore"):
            errors = prediction - label
            errors = errors[np.isfinite(errors)]
            self.rows += len(errors)
            self.absolute += float(np.abs(errors).sum())
            self.squares += float(np.square(errors).sum())

    def result(self) -> list[Performance]:
        """Give ``mae`` and ``rmse``, both in the label's unit; nothing without rows or beyond the range of a double."""
        if not self.rows or not math.isfinite(self.squares):
            return []
        mae, rmse = self.absolute / self.rows, math.sqrt(self.squares / self.rows)
        return [Performance("mae", rounded(mae), self.rows), Performance("rmse", rounded(rmse), self.rows)]


def rounded(value: float) -> float:
    """Keep twelve digits: the others depend on the order in which a processor adds."""
    return float(f"{value:.12g}")

"""How columns go together: correlations and associations, summed up block by block. All of it can be merged."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MAX_JOINT = 256
"""Columns of the correlation matrix: with more, it would crowd everything else out of 1 MiB. The first ones are taken."""


class CoMoments:
    """Sums of products of all pairs of numeric columns, over the rows where both are finite.

    Parameters
    ----------
    means, deviations
        Of each column, from the first reading: values are centred and scaled by them before anything is squared, so that
        nothing cancels and nothing overflows. Shape ``(p,)``; a deviation of 0 counts as 1, and one that overflowed to
        infinity makes the column a constant.
    """

    def __init__(self, means: NDArray[np.float64], deviations: NDArray[np.float64]) -> None:
        self._means = np.where(np.isfinite(means), means, 0.0)
        self._deviations = np.where(deviations > 0, deviations, 1.0)
        size = len(means)
        self.rows = np.zeros((size, size))
        self.sums = np.zeros((size, size))
        """``sums[i, j]``: the sum of i over the rows where j is finite too."""
        self.squares = np.zeros((size, size))
        self.products = np.zeros((size, size))

    def update(self, values: NDArray[np.float64]) -> None:
        """Add rows, shape ``(n, p)``; NaN and infinities count as missing. Cost: up to four products of p × n by n × p."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - self._means) / self._deviations
        present = np.isfinite(scaled)
        if present.all():
            self.rows += len(values)
            self.sums += scaled.sum(axis=0)[:, None]
            self.squares += np.square(scaled).sum(axis=0)[:, None]
        else:
            scaled = np.where(present, scaled, 0.0)
            mask = present.astype(np.float64)
            self.rows += mask.T @ mask
            self.sums += scaled.T @ mask
            self.squares += np.square(scaled).T @ mask
        self.products += scaled.T @ scaled

    def merge(self, other: CoMoments) -> None:
        """Add what `other` has seen; it must have been given the same means and deviations."""
        self.rows += other.rows
        self.sums += other.sums
        self.squares += other.squares
        self.products += other.products

    def correlation(self) -> NDArray[np.float64]:
        """Give Pearson's r, shape ``(p, p)``, in [-1, 1]; NaN where a column is constant or fewer than two rows are shared."""
        with np.errstate(divide="ignore", invalid="ignore"):
            covariance = self.products - self.sums * self.sums.T / self.rows
            variance = self.squares - self.sums**2 / self.rows
            # What is left of a constant after rounding is not a variance.
            variance = np.where(variance > 1e-12 * self.squares, variance, np.nan)
            r = covariance / np.sqrt(variance * variance.T)
        return np.where(self.rows > 1, np.clip(r, -1.0, 1.0), np.nan)


class CorrelationRatio:
    """Pearson's η of a number within categories: the root of the variance between them over the whole variance.

    Parameters
    ----------
    categories
        How many there are, those that are not listed taken as one.
    mean, deviation
        Of the numbers, as in `CoMoments`.
    """

    def __init__(self, categories: int, mean: float, deviation: float) -> None:
        self._mean = mean if math.isfinite(mean) else 0.0
        self._deviation = deviation if deviation > 0 else 1.0
        self.rows = np.zeros(categories)
        self.sums = np.zeros(categories)
        self.squares = 0.0

    def update(self, codes: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add rows, shape ``(n,)`` each; -1 and values that are not finite count as missing."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - self._mean) / self._deviation
        present = np.isfinite(scaled) & (codes >= 0)
        codes, scaled = codes[present], scaled[present]
        self.rows += np.bincount(codes, minlength=len(self.rows))
        self.sums += np.bincount(codes, weights=scaled, minlength=len(self.sums))
        self.squares += float(np.square(scaled).sum())

    def merge(self, other: CorrelationRatio) -> None:
        """Add what `other` has seen."""
        self.rows += other.rows
        self.sums += other.sums
        self.squares += other.squares

    def result(self) -> float:
        """Give η in [0, 1]; NaN where the number is constant or there are no rows."""
        used = self.rows > 0
        if not used.any():
            return math.nan
        shift = self.sums.sum() ** 2 / self.rows.sum()
        total = self.squares - shift
        if total <= 1e-12 * self.squares:
            return math.nan
        between = float((self.sums[used] ** 2 / self.rows[used]).sum()) - shift
        return math.sqrt(min(1.0, max(0.0, between / total)))


class Contingency:
    """Cramér's V of two categorical columns (1946, p. 282), without bias correction.

    Parameters
    ----------
    left, right
        How many categories each has, those that are not listed taken as one.
    """

    def __init__(self, left: int, right: int) -> None:
        self.counts = np.zeros((left, right), dtype=np.int64)

    def update(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        """Add rows, shape ``(n,)`` each; -1 counts as missing."""
        present = (left >= 0) & (right >= 0)
        cells = left[present] * self.counts.shape[1] + right[present]
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def merge(self, other: Contingency) -> None:
        """Add what `other` has seen."""
        self.counts += other.counts

    def result(self) -> float:
        """Give V in [0, 1]; NaN where a column has fewer than two categories."""
        counts = self.counts[self.counts.any(axis=1)][:, self.counts.any(axis=0)].astype(np.float64)
        if min(counts.shape) < 2:
            return math.nan
        total = counts.sum()
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
        chi_square = float((np.square(counts - expected) / expected).sum())
        return math.sqrt(min(1.0, chi_square / (total * (min(counts.shape) - 1))))

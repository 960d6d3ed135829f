"""The design matrix: rows as points in a space where all columns weigh about the same.

A number becomes a robust z-score, ``(x - median) / (IQR / 1.349)``: for normal data that is the ordinary one (Huber, "Robust
Statistics", 1981, §5.1), and outliers in training don't shrink everything else. A category becomes indicators of its most
frequent values, centred by their share p and divided by ``sqrt(p (1 - p))``, so that each has mean 0 and variance 1 in
training. Both are cut off at ±`LIMIT` (winsorised), so that one wild value can't turn a whole correlation.

What is missing becomes 0, the centre. What is out of range shows in columns of their own kind; here it is structure that counts.

Values come as `Encoded` columns: this floor knows nothing of how a category is spelled on a wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_DESIGN = 64
"""Columns of the matrix at most: a covariance of 64 × 64 as float32 is 16 KiB of the profile."""

MAX_INDICATORS = 8
"""Indicators of one column at most."""

LIMIT = 4.0
"""Where values are cut off. Of normal data that is one in 16,000."""

NORMAL_IQR = 1.349
"""The distance between the quartiles of a normal distribution, in standard deviations."""

NUMBER = -1
"""`Design.codes` of a column that is a number."""

Encoded = NDArray[np.float64] | NDArray[np.int64]
"""One column: float64 numbers with NaN for missing; or int64 places of categories in the profile's order, most frequent first, -1
for missing, and for a category that is not listed any place beyond the last. Shape ``(rows,)``."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column as the design sees it.

    Parameters
    ----------
    name
        Of the column.
    points, weights
        Its distribution in training: finite values ascending, and how many rows each stands for; may be empty.
    mean, deviation
        Of the finite values; NaN where undefined.
    """

    name: str
    points: NDArray[np.float64]
    weights: NDArray[np.int64]
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Classes:
    """A categorical column as the design sees it.

    Parameters
    ----------
    name
        Of the column.
    categories
        Canonical texts, most frequent first.
    counts
        Rows of each in training.
    other
        Rows of categories that are not listed.
    """

    name: str
    categories: tuple[str, ...]
    counts: tuple[int, ...]
    other: int


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Which columns make the matrix, and how. All arrays have the shape ``(d,)``, one entry per column of the matrix.

    Parameters
    ----------
    names
        ``age`` for a number, ``country=DE`` for an indicator.
    places
        Where the column stands in the values given to `matrix`.
    codes
        The place of the indicator's category, `NUMBER` for a number.
    centres, scales
        What is subtracted, and what is divided by; scales are positive.

    Examples
    --------
    >>> age = Numbers("age", np.array([20.0, 30.0, 40.0]), np.array([1, 2, 1]), 30.0, 7.07)
    >>> design = choose([age, Classes("country", ("DE", "FR"), (3, 1), 0)])
    >>> design.names
    ('age', 'country=DE')
    >>> design.matrix([np.array([30.0, np.nan]), np.array([0, 1])], 2).round(2).tolist()
    [[0.0, 0.58], [0.0, -1.73]]
    """

    names: tuple[str, ...]
    places: NDArray[np.int64]
    codes: NDArray[np.int64]
    centres: NDArray[np.float64]
    scales: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return len(self.names)

    def matrix(self, values: Sequence[Encoded | None], rows: int) -> NDArray[np.float64]:
        """Make the matrix of some rows.

        Parameters
        ----------
        values
            Columns, found by `places`; ``None`` for one that is not there: it counts as missing.
        rows
            How many rows each column has.

        Returns
        -------
        matrix
            Shape ``(rows, d)``, within ±`LIMIT`, finite whatever came. Cost: 3 ns a value at 1,000 rows and 64 columns.
        """
        turned = np.zeros((self.width, rows))
        for j, (place, code) in enumerate(zip(self.places.tolist(), self.codes.tolist(), strict=True)):
            column = values[place]
            if column is None:
                turned[j] = np.nan
            elif code == NUMBER:
                turned[j] = column
            else:
                turned[j] = column == code
                turned[j, column < 0] = np.nan
        with np.errstate(over="ignore", invalid="ignore"):
            turned -= self.centres[:, None]
            turned /= self.scales[:, None]
        np.clip(turned, -LIMIT, LIMIT, out=turned)
        turned[np.isnan(turned)] = 0.0
        return np.ascontiguousarray(turned.T)


def choose(columns: Sequence[Numbers | Classes | None]) -> Design:
    """Choose the columns of the matrix, at most `MAX_DESIGN`.

    Numbers come first, in the order of training, then the categorical columns in theirs, each with all of its indicators that
    there is still room for. Left out are constants, columns without values and categorical columns of one category. An indicator
    of the last category is left out where all are listed and few: the others say it already.

    Parameters
    ----------
    columns
        In the order in which `Design.matrix` will be given their values; ``None`` for those that can't be in it.
    """
    terms: list[tuple[str, int, int, float, float]] = []
    for place, column in enumerate(columns):
        if isinstance(column, Numbers):
            centre, scale = robust(column)
            if scale > 0:
                terms.append((column.name, place, NUMBER, centre, scale))
    for place, column in enumerate(columns):
        if isinstance(column, Classes):
            terms += [(name, place, code, p, (p * (1 - p)) ** 0.5) for name, code, p in _indicators(column)]
    return of_terms(terms[:MAX_DESIGN])


def of_terms(terms: Sequence[tuple[str, int, int, float, float]]) -> Design:
    """Make a design of (name, place, code, centre, scale) of each column."""
    names, places, codes, centres, scales = zip(*terms, strict=True) if terms else ((), (), (), (), ())
    return Design(
        names,
        np.array(places, dtype=np.int64),
        np.array(codes, dtype=np.int64),
        np.array(centres, dtype=np.float64),
        np.array(scales, dtype=np.float64),
    )


def robust(column: Numbers) -> tuple[float, float]:
    """Give centre and scale: median and IQR / 1.349; mean and σ where the quartiles are equal; scale 0 for a constant."""
    if len(column.points) < 2:
        return 0.0, 0.0
    below = np.cumsum(column.weights)
    low, middle, high = column.points[np.searchsorted(below, below[-1] * np.array([0.25, 0.5, 0.75]))].tolist()
    scale = high / NORMAL_IQR - low / NORMAL_IQR
    if 0 < scale < np.inf:
        return middle, scale
    usable = np.isfinite(column.mean) and 0 < column.deviation < np.inf
    return (column.mean, column.deviation) if usable else (0.0, 0.0)


def _indicators(column: Classes) -> list[tuple[str, int, float]]:
    total = sum(column.counts) + column.other
    if not total:
        return []
    found = sum(count > 0 for count in column.counts)
    complete = not column.other and found <= MAX_INDICATORS
    kept = min(found - 1 if complete else found, MAX_INDICATORS)
    listed = zip(column.categories[:kept], column.counts, strict=False)
    shares = [(text, code, count / total) for code, (text, count) in enumerate(listed)]
    return [(f"{column.name}={text}", code, p) for text, code, p in shares if 0 < p < 1]

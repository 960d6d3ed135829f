"""Six columns in which one thing changes, for the power of detection.

``a`` and ``b`` are standard normal with correlation 0.8, ``c`` and ``f`` standard normal, ``d`` lognormal, ``e`` one of five
categories. A change touches one column, or with ``correlation`` the sign of what links ``a`` and ``b``, whose margins stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.wire import CATEGORY, Column

Matrix = NDArray[np.float64]
COLUMNS = (Column("a"), Column("b"), Column("c"), Column("d"), Column("e", CATEGORY, ("v", "w", "x", "y", "z")), Column("f"))
SHARES = (0.4, 0.25, 0.2, 0.1, 0.05)
CORRELATION = 0.8
A, B, C, D, E, F = range(6)


def stationary(source: np.random.Generator, rows: int) -> Matrix:
    """Draw rows in which nothing changes: shape ``(6, rows)``."""
    values = source.normal(size=(6, rows))
    values[B] = CORRELATION * values[A] + np.sqrt(1.0 - CORRELATION**2) * values[B]
    values[D] = np.exp(values[D])
    values[E] = source.choice(5, rows, p=SHARES)
    return values


Change = Callable[[Matrix, np.random.Generator], Matrix]


def shifted(sigmas: float) -> Change:
    """Move the mean of ``c``."""

    def change(values: Matrix, source: np.random.Generator) -> Matrix:
        values[C] += sigmas
        return values

    return change


def _scaled(values: Matrix, source: np.random.Generator) -> Matrix:
    values[C] *= 1.5
    return values


def _other_unit(values: Matrix, source: np.random.Generator) -> Matrix:
    values[D] *= 1_000.0
    return values


def _category_lost(values: Matrix, source: np.random.Generator) -> Matrix:
    lost = values[E] == 2
    shares = np.array([0.4, 0.25, 0.0, 0.1, 0.05]) / 0.8
    values[E, lost] = source.choice(5, int(lost.sum()), p=shares)
    return values


def _nulls(values: Matrix, source: np.random.Generator) -> Matrix:
    values[F, source.random(values.shape[1]) < 0.02] = np.nan
    return values


def _correlation(values: Matrix, source: np.random.Generator) -> Matrix:
    values[B] = -values[B]
    return values


CHANGES: Mapping[str, Change] = {
    "mean +0.1 σ": shifted(0.1),
    "mean +0.25 σ": shifted(0.25),
    "mean +0.5 σ": shifted(0.5),
    "mean +1 σ": shifted(1.0),
    "scale x1.5": _scaled,
    "unit x1000": _other_unit,
    "one of 5 categories lost": _category_lost,
    "nulls 0 to 2 %": _nulls,
    "correlation 0.8 to -0.8": _correlation,
}


def changed(change: Change, source: np.random.Generator, before: int, after: int) -> Matrix:
    """Draw a run with a change after so many rows."""
    return np.concatenate([stationary(source, before), change(stationary(source, after), source)], axis=1)

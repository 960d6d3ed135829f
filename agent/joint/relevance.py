"""How much a feature says of the prediction: the share of the prediction's uncertainty that it takes away.

Theil's uncertainty coefficient, ``U = I(X; Y) / H(Y)`` ("On the Estimation of Relationships Involving Qualitative Variables",
American Journal of Sociology 76, 1970): 0 where a feature says nothing of the prediction, 1 where it determines it; for
numbers over about deciles, so that it sees any kind of dependence.

- *Bias.* Empty tables look dependent: I is too high by about ``(r - 1)(c - 1) / 2n``. Each entropy is corrected by
  ``(occupied cells - 1) / 2n`` (Miller, "Note on the bias of information estimates", 1955).
- *Spread.* The delta method on the table: a row in cell (x, y) moves U by ``(ln p(x,y)/p(x)p(y) + U ln p(y)) / H(Y)``, less
  the mean, over n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LEAST_ENTROPY = 0.02
"""Nats below which the prediction counts as constant, and there is nothing to take away: 0.3 % of the rows are not the same."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """Uncertainty coefficients of tables of the leading shape.

    Parameters
    ----------
    rows
        In the table, int64.
    value
        In [0, 1], corrected for bias; NaN where there are no rows or the prediction is constant.
    variance
        Of one row's influence.
    freedom
        ``(r - 1)(c - 1)`` of the rows and columns that are not empty.
    entropy
        H(Y) in nats.
    """

    rows: Counts
    value: Floats
    variance: Floats
    freedom: Floats
    entropy: Floats


def relevance(counts: Counts, overdispersion: Floats | float = 1.0) -> Relevance:
    """Compute the uncertainty coefficient of tables, shape ``(..., r, c)``: the feature's cells, then the prediction's.

    Examples
    --------
    >>> found = relevance(np.array([[[500, 0], [0, 500]], [[250, 250], [250, 250]]]))
    >>> print(found.value.round(3), found.variance.round(3))
    [1. 0.] [0. 0.]
    """
    rows = counts.sum(axis=(-1, -2))
    n = np.maximum(rows, 1)
    x, y = counts.sum(axis=-1), counts.sum(axis=-2)
    log_n = np.log(n)
    joint, left, right = _logs(counts), _logs(x), _logs(y)
    entropy = log_n - _dot(y, right, 1) / n
    information = np.maximum((_dot(counts, joint, 2) - _dot(x, left, 1) - _dot(y, right, 1)) / n + log_n, 0.0)
    r, c, k = (x > 0).sum(axis=-1), (y > 0).sum(axis=-1), (counts > 0).sum(axis=(-1, -2))
    twice = 2 * np.maximum(rows / overdispersion, 1.0)
    defined = (rows > 0) & (entropy >= LEAST_ENTROPY)
    whole = np.where(defined, entropy, 1.0)
    # What a row moves, times H(Y) and but for what is the same for all rows; empty cells weigh nothing.
    moves = joint - left[..., None] - ((1 - information / whole)[..., None] * right)[..., None, :]
    weighted = counts * moves
    variance = (_dot(weighted, moves, 2) / n - np.square(weighted.sum(axis=(-1, -2)) / n)) / np.square(whole)
    unbiased = (information + (r + c - k - 1) / twice) / (whole + (c - 1) / twice)
    value = np.where(defined, np.clip(unbiased, 0.0, 1.0), np.nan)
    return Relevance(rows, value, np.maximum(variance, 0.0), np.asarray((r - 1.0) * (c - 1.0)), entropy)


def _dot(left: Floats | Counts, right: Floats, axes: int) -> Floats:
    """Sum the products over the last one or two axes."""
    return np.asarray(np.einsum("...ij,...ij->..." if axes == 2 else "...i,...i->...", left, right), dtype=np.float64)


def _logs(counts: Counts) -> Floats:
    return np.log(np.maximum(counts, 1))

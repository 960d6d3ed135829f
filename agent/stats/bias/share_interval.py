"""The interval of one share: what the intervals of differences and ratios are put together from.

Sources: Wilson, JASA 22 (1927), for people to read: its average coverage is what it says. Clopper and Pearson, Biometrika 26
(1934), to decide by: it covers at least what it says, for rare events and small levels too, where Wilson's does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv, betaincinv, ndtri

Floats = NDArray[np.float64]

Ends = Callable[[Floats, Floats, ArrayLike], tuple[Floats, Floats]]
"""``(count, rows, alpha)`` to the lower and the upper end of the share's interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate with a two-sided confidence interval; arrays of one shape.

    Parameters
    ----------
    value
        NaN where a group is empty.
    lower, upper
        ``lower <= value <= upper``; the whole range where nothing is known.
    """

    value: Floats
    lower: Floats
    upper: Floats


def wilson(count: Floats, rows: Floats, alpha: ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's score interval of a share.

    Parameters
    ----------
    count
        Rows with the property, not necessarily whole, in [0, rows].
    rows
        All rows, at least 0.
    alpha
        Two-sided error, in (0, 1).

    Returns
    -------
    tuple
        Both ends, in [0, 1]; 0 and 1 where there are no rows.

    Examples
    --------
    >>> low, high = wilson(np.array([8.0, 0.0]), np.array([10.0, 0.0]), 0.05)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.49, 0.0], [0.943, 1.0])
    """
    some = np.maximum(rows, 1e-300)
    share = np.where(rows > 0, count / some, 0.5)
    square = ndtri(np.asarray(alpha) / 2) ** 2 / some
    with np.errstate(over="ignore", invalid="ignore"):
        half = np.sqrt(square * (share * (1 - share) + square / 4))
        low, high = ((share + square / 2 + side * half) / (1 + square) for side in (-1, 1))
    return _ends(np.where(count <= 0, 0.0, low), np.where(count >= rows, 1.0, high), rows)


def clopper_pearson(count: Floats, rows: Floats, alpha: ArrayLike) -> tuple[Floats, Floats]:
    """Clopper and Pearson's exact interval of a share; arguments and result as those of `wilson`. Cost: 2 µs.

    Examples
    --------
    >>> low, high = clopper_pearson(np.array([8.0, 0.0]), np.array([10.0, 10.0]), 0.05)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.444, 0.0], [0.975, 0.308])
    """
    tail = np.asarray(alpha) / 2
    rest = np.maximum(rows - count, 0.0)
    low = np.where(count > 0, betaincinv(np.maximum(count, 1e-300), rest + 1, tail), 0.0)
    high = np.where(rest > 0, betainccinv(count + 1, np.maximum(rest, 1e-300), tail), 1.0)
    return _ends(low, high, rows)


def _ends(low: Floats, high: Floats, rows: Floats) -> tuple[Floats, Floats]:
    some = rows > 0
    return np.where(some, np.clip(low, 0.0, 1.0), 0.0), np.where(some, np.clip(high, 0.0, 1.0), 1.0)


def broadcast(*numbers: ArrayLike) -> list[Floats]:
    """Give all of them as float64 of one shape."""
    return list(np.broadcast_arrays(*(np.asarray(number, dtype=np.float64) for number in numbers)))

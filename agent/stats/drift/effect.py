"""What every drift statistic answers: effect sizes with their bounds, for as many comparisons as its arguments have.

An effect says how far two distributions are apart, on a scale of its own that does not depend on the sample sizes. The
lower bound says how far they are apart at least, at the level that was asked for. Only the bound decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect sizes and what the samples prove of them; every array float64 and of the arguments' common leading shape.

    Parameters
    ----------
    value
        The point estimates, finite, or NaN where the statistic is undefined. Signed (current minus reference) where the
        statistic says so.
    lower
        Lower confidence bound of the magnitude of the true effect: ``0 <= lower <= abs(value)``; NaN where `value` is.
    rows, reference_rows
        How many values of the window and of training were compared: raw, not effective.
    p_value
        Of the test that belongs to the statistic, NaN where undefined; ``None`` where there is no such test.
    """

    value: Floats
    lower: Floats
    rows: Floats
    reference_rows: Floats
    p_value: Floats | None = None


def effect(
    value: Floats, lower: Floats, rows: ArrayLike, reference_rows: ArrayLike, defined: Flags, p_value: Floats | None = None
) -> Effect:
    """Make an `Effect` whose bounds are within ``[0, abs(value)]`` and which is NaN wherever it is undefined or overflowed.

    Examples
    --------
    >>> result = effect(np.array([-0.3, np.inf]), np.array([-0.1, 0.1]), 10, 20, np.array(True))
    >>> result.value.tolist(), result.lower.tolist(), result.rows.tolist()
    ([-0.3, nan], [0.0, nan], [10.0, 10.0])
    """
    with np.errstate(invalid="ignore"):
        undefined = ~(defined & np.isfinite(value) & np.isfinite(lower))
        shape = undefined.shape
        value, lower = (np.array(np.broadcast_to(x, shape), dtype=np.float64) for x in (value, lower))
        np.clip(lower, 0.0, np.abs(value), out=lower)
        value[undefined] = np.nan
        lower[undefined] = np.nan
        if p_value is not None:
            p_value = np.where(undefined, np.nan, np.clip(p_value, 0.0, 1.0))
    return Effect(value, lower, _full(rows, shape), _full(reference_rows, shape), p_value)


def _full(numbers: ArrayLike, shape: tuple[int, ...]) -> Floats:
    return np.array(np.broadcast_to(np.asarray(numbers, dtype=np.float64), shape))

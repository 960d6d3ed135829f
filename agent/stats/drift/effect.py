"""What every drift statistic answers: an effect size with a bound, or that it is undefined and why.

An effect says how far two distributions are apart, on a scale of its own that does not depend on the sample sizes. The
lower bound says how far they are apart at least, at the level that was asked for. Only the bound decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect size and what the samples prove of it; all numbers are finite.

    Parameters
    ----------
    value
        The point estimate. Signed (current minus reference) where the statistic says so.
    lower
        Lower confidence bound of the magnitude of the true effect: ``0 <= lower <= abs(value)``.
    rows, reference_rows
        How many values of the window and of training were compared.
    p_value
        Of the test that belongs to the statistic, ``None`` where there is none.
    """

    value: float
    lower: float
    rows: int
    reference_rows: int
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Undefined:
    """The statistic has no value for these samples.

    Parameters
    ----------
    reason
        A short plain phrase, such as ``no values in the window``.
    """

    reason: str


Comparison = Effect | Undefined
"""What a statistic returns. It never raises on a valid summary and never returns NaN or infinity."""

EMPTY_WINDOW = Undefined("no values in the window")
EMPTY_REFERENCE = Undefined("no values in training")
CONSTANT_REFERENCE = Undefined("training had a single value")
DIFFERENT_BINS = Undefined("the window was counted in other bins than training")
NOT_FINITE = Undefined("the numbers are too large to compare")


def effect(value: float, lower: float, rows: int, reference_rows: int, p_value: float | None = None) -> Comparison:
    """Make an `Effect` whose bound is within ``[0, abs(value)]``, or `Undefined` if a number overflowed.

    Examples
    --------
    >>> effect(-0.3, -0.1, 10, 20)
    Effect(value=-0.3, lower=0.0, rows=10, reference_rows=20, p_value=None)
    >>> effect(float("inf"), 0.1, 10, 20)
    Undefined(reason='the numbers are too large to compare')
    """
    if not (math.isfinite(value) and math.isfinite(lower)):
        return NOT_FINITE
    if p_value is not None:
        p_value = min(1.0, max(0.0, float(p_value))) if math.isfinite(p_value) else None
    return Effect(float(value), float(min(abs(value), max(0.0, lower))), int(rows), int(reference_rows), p_value)

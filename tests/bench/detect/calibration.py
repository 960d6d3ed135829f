"""Thresholds of the same false-alarm rate for every method, and how long a change goes unseen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def highest(statistics: Matrix) -> Matrix:
    """Give the highest of each output's looks, -inf where it was never defined: ``(looks, outputs)`` to ``(outputs,)``."""
    return np.asarray(np.where(np.isnan(statistics), -np.inf, statistics).max(axis=0, initial=-np.inf), dtype=np.float64)


def thresholds(maxima: Matrix, rate: float) -> Matrix:
    """Find one threshold for each output so that about `rate` of the runs exceed any of them.

    Outputs have scales of their own: each one's maxima are first centred on their median over the runs and divided by their
    interquartile range, then the quantile of the runs' greatest is taken. An output that never varied may not rise at all.

    Parameters
    ----------
    maxima
        What `highest` gives for each stationary run: shape ``(runs, outputs)``.
    rate
        In (0, 1).

    Returns
    -------
    ndarray
        Shape ``(outputs,)``; inf for an output that was never defined.
    """
    undefined = ~np.isfinite(maxima).all(axis=0)
    known = np.where(undefined, 0.0, maxima)
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75], axis=0)
    spread = high - low
    flat = spread <= 0
    scaled = np.where(flat | undefined, -np.inf, (known - middle) / np.where(flat, 1.0, spread))
    greatest = scaled.max(axis=1)
    limit = float(np.quantile(greatest, 1.0 - rate, method="higher")) if np.isfinite(greatest).all() else 0.0
    result = np.where(flat, known.max(axis=0), middle + limit * spread)
    return np.where(undefined, np.inf, result)


def alarm_rate(maxima: Matrix, limits: Matrix) -> float:
    """Give the share of runs with any alarm."""
    return float((maxima > limits).any(axis=1).mean())


def first_alarm(statistics: Matrix, limits: Matrix) -> int:
    """Give the first look at which any output exceeds its threshold; -1 if none does."""
    alarms = np.flatnonzero((statistics > limits).any(axis=1))
    return int(alarms[0]) if alarms.size else -1


def delay(look: int, every: int, before: int) -> float:
    """Rows from the change to the end of the look that saw it: inf if none did, NaN if it came before the change."""
    if look < 0:
        return float("inf")
    rows = (look + 1) * every - before
    return float(rows) if rows > 0 else float("nan")

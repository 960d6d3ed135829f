"""The sentence that tells an engineer on call what changed, with the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agent.evaluate.report import Decision, Score
from agent.evaluate.table import STATISTICS
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.bins import counts_of

_BY_NAME = {statistic.name: statistic for statistic in STATISTICS}

_TELLING = 0.1
"""Standard deviations that a median must be away from zero: ten times its own noise at 10,000 rows."""

SAME_SCALE = 0.2
"""Median and spread changed by the same factor if the factors agree to this part."""

NOT_SEEN = "not seen in the window"


def explain(
    decision: Decision, scores: Sequence[Score], current: Summary, reference: Summary, rows: int, reference_rows: int
) -> str:
    """Say why a column is suspect or drifted: the leading score with its evidence, then what changed.

    Parameters
    ----------
    decision
        The column's; anything but suspect or drifted gives an empty sentence.
    scores
        The column's scores; the leading one exceeds its tolerance by the largest factor.
    current, reference
        What was compared.
    rows, reference_rows
        How many rows each had.
    """
    leading = [score for score in scores if score.decision == decision]
    if decision not in (Decision.SUSPECT, Decision.DRIFTED) or not leading:
        return ""
    top = max(leading, key=lambda score: score.lower / score.threshold)
    statistic = _BY_NAME[top.statistic]
    times = f"{top.streak:,} evaluations in a row" if top.streak > 1 else "one evaluation so far"
    evidence = (
        f"{statistic.label} {_signed(top.value, statistic.unit)}, at least {_amount(top.lower, statistic.unit)}, "
        f"tolerance {_amount(top.threshold, statistic.unit)}, over {rows:,} rows against {reference_rows:,} in training, {times}"
    )
    return "; ".join([evidence, *changes(current, reference)])


def too_few(rows: int, reference_rows: int, min_rows: int) -> str:
    """Say that there is too little to decide, and of what."""
    if rows < min_rows:
        return f"only {rows:,} rows in the window, at least {min_rows:,} are needed"
    if reference_rows < min_rows:
        return f"only {reference_rows:,} rows in training, at least {min_rows:,} are needed"
    return "too few values are present to decide"


def changes(current: Summary, reference: Summary) -> list[str]:
    """Say what changed from `reference` to `current` in the words of the data, most telling first; may be empty."""
    found = []
    missing, missing_before = _missing_share(current), _missing_share(reference)
    if abs(missing - missing_before) >= 0.01:
        found.append(f"missing {share(missing)} of the rows instead of {share(missing_before)}")
    if isinstance(current, NumericSummary) and isinstance(reference, NumericSummary):
        found += _numeric_changes(current, reference)
    elif isinstance(current, CategorySummary) and isinstance(reference, CategorySummary):
        found += _category_changes(current, reference)
    return found


def _numeric_changes(current: NumericSummary, reference: NumericSummary) -> list[str]:
    found = []
    if current.infinite and not reference.infinite:
        found.append(f"{current.infinite:,} infinite values, training had none")
    if not current.count or not reference.count:
        return found
    factor = _scale_factor(current, reference)
    if factor is not None:
        times = f"{number(factor)} times as large" if factor > 1 else f"{number(1 / factor)} times as small"
        found.append(f"values are about {times}, as if the unit had changed")
    spread, before = math.sqrt(max(0.0, current.variance)), math.sqrt(max(0.0, reference.variance))
    noise = 3 * math.sqrt(1 / current.count + 1 / reference.count)
    if abs(current.mean - reference.mean) > max(0.05, noise) * before:
        found.append(f"mean {number(current.mean)} instead of {number(reference.mean)}")
    if factor is None and before > 0 and not 0.8 < spread / before < 1.25:
        found.append(f"standard deviation {number(spread)} instead of {number(before)}")
    if current.maximum > reference.maximum + before:
        found.append(f"values up to {number(current.maximum)}, training had up to {number(reference.maximum)}")
    if current.minimum < reference.minimum - before:
        found.append(f"values down to {number(current.minimum)}, training had down to {number(reference.minimum)}")
    return found


def _scale_factor(current: NumericSummary, reference: NumericSummary) -> float | None:
    """Give the factor between the samples where median and spread agree on one of at least 1.5 (or at most 1/1.5)."""
    median, before = median_of(current), median_of(reference)
    if not (median and before and median * before > 0 and current.variance > 0 and reference.variance > 0):
        return None
    if abs(before) < _TELLING * math.sqrt(reference.variance):
        return None  # around zero the median is mostly noise, and so is any ratio of two
    ratio, spread = median / before, math.sqrt(current.variance / reference.variance)
    if 1 / 1.5 < ratio < 1.5 or not (math.isfinite(ratio) and math.isfinite(spread)) or ratio <= 0:
        return None
    return ratio if abs(ratio / spread - 1) <= SAME_SCALE else None


def _category_changes(current: CategorySummary, reference: CategorySummary) -> list[str]:
    counts, before = counts_of(current), counts_of(reference)
    rows, rows_before = int(counts.sum()), int(before.sum())
    if not rows or not rows_before or counts.shape != before.shape:
        return []
    found = []
    shares, shares_before = counts / rows, before / rows_before
    if shares[-1] - shares_before[-1] >= 0.01:
        found.append(f"unseen categories in {share(shares[-1])} of the values")
    if len(shares) > 1:
        most = int(np.argmax(np.abs(shares - shares_before)[:-1]))
        if abs(shares[most] - shares_before[most]) >= 0.01:
            name = repr(current.categories[most][:40])
            found.append(f"{name} {share(shares[most])} of the values instead of {share(shares_before[most])}")
    return found


def median_of(summary: NumericSummary) -> float | None:
    """Give the weighted median of the quantile sketch, ``None`` where there are no values."""
    if not len(summary.points):
        return None
    ranks = np.cumsum(summary.weights)
    return float(summary.points[np.searchsorted(ranks, ranks[-1] / 2)])


def _missing_share(summary: Summary) -> float:
    return summary.missing / summary.rows if summary.rows else 0.0


def number(value: float) -> str:
    """Write a number with three significant digits, thousands separated.

    Examples
    --------
    >>> number(0.41), number(-1234.5), number(2.0), number(3.2e12), number(0.00001234)
    ('0.41', '-1,234', '2', '3.2e+12', '1.23e-05')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def share(value: float) -> str:
    """Write a share as a percentage.

    Examples
    --------
    >>> share(0.1234), share(0.0001), share(0.0), share(1.0)
    ('12 %', '0.01 %', '0 %', '100 %')
    """
    percent = 100 * float(value)
    return f"{percent:.0f} %" if abs(percent) >= 10 else f"{percent:.2g} %"


def _amount(value: float, unit: str) -> str:
    if unit == "share":
        return share(value)
    return f"{number(value)} σ" if unit else number(value)


def _signed(value: float, unit: str) -> str:
    sign = "+" if value > 0 and unit == "share" else ""
    return sign + _amount(value, unit)

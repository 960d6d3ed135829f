"""The sentence that tells an engineer on call what changed, with the numbers."""

from __future__ import annotations

import math

import numpy as np

from agent.evaluate.facts import CategoryFacts, Facts, NumericFacts
from agent.evaluate.report import BEFORE, SEASON, TRAINING, Score
from agent.evaluate.table import STATISTICS

_BY_NAME = {statistic.name: statistic for statistic in STATISTICS}

_WORDS = {
    TRAINING: ("in training", "training"),
    BEFORE: ("in the window before", "the window before"),
    SEASON: ("in the same hours of earlier days", "earlier days"),
}

_TELLING = 0.1
"""Standard deviations that a median must be away from zero: ten times its own noise at 10,000 rows."""

SAME_SCALE = 0.2
"""Median and spread changed by the same factor if the factors agree to this part."""

NOT_SEEN = "not seen in the window"


def explain(score: Score, current: Facts | None, reference: Facts | None, *, whole: bool) -> str:
    """Say why a column is suspect or drifted: the leading score with its evidence, then what changed.

    Parameters
    ----------
    score
        The one that exceeds its tolerance by the largest factor.
    current, reference
        What it compared.
    whole
        Whether it covers the whole window, and not only its newest part.
    """
    statistic = _BY_NAME[score.statistic]
    unit = statistic.unit
    times = f"{score.streak:,} evaluations in a row" if score.streak > 1 else "one evaluation so far"
    if not score.streak:
        times = "not calm for long enough yet"
    when, who = _WORDS[score.against]
    over = f"over {score.rows:,} rows" if whole else f"over the newest {score.rows:,} rows ({duration(score.span_s)})"
    against = f" against {reference.rows:,} {when}" if reference is not None else f" against those {when}"
    # a factor below 1 is bounded by factors below 1
    sign = -1 if unit == "ln" and score.value < 0 else 1
    threshold = _amount(sign * score.threshold, unit) if score.threshold is not None else "off"
    evidence = (
        f"{statistic.label} {_signed(score.value, unit)}, at least {_amount(sign * score.lower, unit)}, "
        f"tolerance {threshold}, {over}{against}, {times}"
    )
    changed = changes(current, reference, who) if current is not None and reference is not None else []
    return "; ".join([evidence, *changed])


def too_few(rows: int, reference_rows: int, min_rows: int, overdispersion: float = 1.0) -> str:
    """Say that there is too little to decide, and of what."""
    if rows < min_rows:
        return f"only {rows:,} rows in the window, at least {min_rows:,} are needed"
    if reference_rows < min_rows:
        return f"only {reference_rows:,} rows in training, at least {min_rows:,} are needed"
    independent = rows / overdispersion
    if independent < min_rows:
        return f"{rows:,} rows repeat or come in bursts, and say as much as {independent:,.0f}; at least {min_rows:,} are needed"
    return "too few values are present to decide"


def changes(current: Facts, reference: Facts, who: str = "training") -> list[str]:
    """Say what changed from `reference`, which is called `who`, to `current`, most telling first; may be empty."""
    found = []
    missing, missing_before = _missing_share(current), _missing_share(reference)
    if abs(missing - missing_before) >= 0.01:
        found.append(f"missing {share(missing)} of the rows instead of {share(missing_before)}")
    if isinstance(current, NumericFacts) and isinstance(reference, NumericFacts):
        found += _numeric_changes(current, reference, who)
    elif isinstance(current, CategoryFacts) and isinstance(reference, CategoryFacts):
        found += _category_changes(current, reference)
    return found


def _numeric_changes(current: NumericFacts, reference: NumericFacts, who: str) -> list[str]:
    found = []
    if current.infinite and not reference.infinite:
        found.append(f"{current.infinite:,} infinite values, {who} had none")
    if not current.count or not reference.count:
        return found
    factor = _scale_factor(current, reference)
    if factor is not None:
        times = f"{number(factor)} times as large" if factor > 1 else f"{number(1 / factor)} times as small"
        found.append(f"values are about {times}, as if the unit had changed")
    spread, before = current.deviation, reference.deviation
    noise = 3 * math.sqrt(1 / current.count + 1 / reference.count)
    if abs(current.mean - reference.mean) > max(0.05, noise) * before:
        found.append(f"mean {number(current.mean)} instead of {number(reference.mean)}")
    if factor is None and before > 0 and not 0.8 < spread / before < 1.25:
        found.append(f"standard deviation {number(spread)} instead of {number(before)}")
    if current.maximum > reference.maximum + before:
        found.append(f"values up to {number(current.maximum)}, {who} had up to {number(reference.maximum)}")
    if current.minimum < reference.minimum - before:
        found.append(f"values down to {number(current.minimum)}, {who} had down to {number(reference.minimum)}")
    return found


def _scale_factor(current: NumericFacts, reference: NumericFacts) -> float | None:
    """Give the factor between the samples where middle and spread agree on one of at least 1.5 (or at most 1/1.5)."""
    medians = math.isfinite(current.median) and math.isfinite(reference.median)
    middle, before = (current.median, reference.median) if medians else (current.mean, reference.mean)
    if not (middle and before and middle * before > 0 and current.deviation > 0 and reference.deviation > 0):
        return None
    if abs(before) < _TELLING * reference.deviation:
        return None  # around zero the middle is mostly noise, and so is any ratio of two
    ratio, spread = middle / before, current.deviation / reference.deviation
    if 1 / 1.5 < ratio < 1.5 or not (math.isfinite(ratio) and math.isfinite(spread)) or ratio <= 0:
        return None
    return ratio if abs(ratio / spread - 1) <= SAME_SCALE else None


def _category_changes(current: CategoryFacts, reference: CategoryFacts) -> list[str]:
    rows, rows_before = int(current.counts.sum()) + current.unseen, int(reference.counts.sum()) + reference.unseen
    if not rows or not rows_before or current.counts.shape != reference.counts.shape:
        return []
    found = []
    unseen, unseen_before = current.unseen / rows, reference.unseen / rows_before
    if unseen - unseen_before >= 0.01:
        found.append(f"unseen categories in {share(unseen)} of the values")
    shares, shares_before = current.counts / rows, reference.counts / rows_before
    if len(shares):
        most = int(np.argmax(np.abs(shares - shares_before)))
        if abs(shares[most] - shares_before[most]) >= 0.01:
            name = repr(current.categories[most][:40])
            found.append(f"{name} {share(shares[most])} of the values instead of {share(shares_before[most])}")
    return found


def _missing_share(facts: Facts) -> float:
    return facts.missing / facts.rows if facts.rows else 0.0


def duration(seconds: float) -> str:
    """Write a stretch of time in its largest whole unit.

    Examples
    --------
    >>> duration(240), duration(60), duration(5.5), duration(7200)
    ('4 minutes', '1 minute', '5.5 seconds', '2 hours')
    """
    for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            amount = round(seconds / size, 1)
            return f"{amount:g} {unit}{'' if amount == 1 else 's'}"
    return f"{seconds:.2g} seconds"


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
    if unit == "ln":
        return f"x {number(math.exp(value))}"
    return f"{number(value)} σ" if unit else number(value)


def _signed(value: float, unit: str) -> str:
    sign = "+" if value > 0 and unit == "share" else ""
    return sign + _amount(value, unit)

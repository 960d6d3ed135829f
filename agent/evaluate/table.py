"""The table of drift statistics: which columns each is for, how it is computed, and what its number means."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.bins import over_bins
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.effect import Comparison
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import kolmogorov_smirnov
from agent.stats.drift.l_infinity import l_infinity
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.missing_share import missing_share
from agent.stats.drift.psi import psi
from agent.stats.drift.wasserstein import wasserstein

NUMERIC = "numeric"
CATEGORY = "category"


class Statistic(NamedTuple):
    """One statistic.

    Parameters
    ----------
    name
        As in `agent.evaluate.report.Score.statistic` and in metric attributes.
    kinds
        ``numeric``, ``category`` or both.
    compare
        ``(current, reference, alpha)`` to an effect size with its bound.
    setting
        The field of `agent.config.Settings` that holds its tolerance.
    label
        How a sentence calls it.
    unit
        ``""``, ``σ`` or ``share``.
    meaning
        One line for the documentation.
    """

    name: str
    kinds: tuple[str, ...]
    compare: Callable[[Summary, Summary, float], Comparison]
    setting: str
    label: str
    unit: str
    meaning: str


_BOTH = (NUMERIC, CATEGORY)

STATISTICS: tuple[Statistic, ...] = (
    Statistic(
        "psi", _BOTH, over_bins(psi), "psi", "PSI", "",
        "Population stability index over the deciles of training or the categories.",
    ),
    Statistic(
        "js", _BOTH, over_bins(jensen_shannon), "js", "Jensen-Shannon distance", "",
        "Jensen-Shannon distance (base 2) over the deciles of training or the categories, 0 to 1.",
    ),
    Statistic(
        "ks", (NUMERIC,), kolmogorov_smirnov, "ks", "Kolmogorov-Smirnov distance", "",
        "Largest difference of the cumulative shares over the frozen bin edges, 0 to 1.",
    ),
    Statistic(
        "wasserstein", (NUMERIC,), wasserstein, "wasserstein", "Wasserstein distance", "σ",
        "How far the values moved on average, in standard deviations of training.",
    ),
    Statistic(
        "mean_shift", (NUMERIC,), mean_shift, "mean_shift", "mean shift", "σ",
        "Shift of the mean in standard deviations of training; negative where the values fell.",
    ),
    Statistic(
        "chi_square", (CATEGORY,), over_bins(chi_square), "chi_square", "Cohen's w", "",
        "Cohen's w of the two-sample chi-square over the categories, 0 to 2, with its p-value.",
    ),
    Statistic(
        "l_infinity", (CATEGORY,), over_bins(l_infinity), "l_infinity", "largest change of a share", "share",
        "Largest change of one category's share, 0 to 1.",
    ),
    Statistic(
        "missing", _BOTH, missing_share, "missing", "missing share", "share",
        "Missing share of the window minus that of training; negative where less is missing.",
    ),
)  # fmt: skip
"""All of them, in the order of a report."""

_BY_KIND = {kind: tuple(s for s in STATISTICS if kind in s.kinds) for kind in _BOTH}


def statistics_for(reference: Summary) -> tuple[Statistic, ...]:
    """Give the statistics of a column by the kind of its reference."""
    match reference:
        case NumericSummary():
            return _BY_KIND[NUMERIC]
        case CategorySummary():
            return _BY_KIND[CATEGORY]

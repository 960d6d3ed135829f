"""The table of drift statistics: which columns each is for, how it is computed, and what its number means."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from agent.evaluate.view import NumericView, View
from agent.sketch.frame import NumericFrame
from agent.stats.drift.binned import Binned
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.cramer_von_mises import cramer_von_mises
from agent.stats.drift.distinct_change import distinct_change
from agent.stats.drift.effect import Effect
from agent.stats.drift.hellinger import hellinger
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import kolmogorov_smirnov
from agent.stats.drift.l_infinity import l_infinity
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.psi import psi
from agent.stats.drift.share_change import share_change
from agent.stats.drift.shares import Counts
from agent.stats.drift.total_variation import total_variation
from agent.stats.drift.variance_shift import variance_shift
from agent.stats.drift.wasserstein import wasserstein

NUMERIC = "numeric"
CATEGORY = "category"

Compare = Callable[[View, ArrayLike], Effect]


FEW = 2
"""Degrees of freedom of what follows one number or the largest of many; of Cramér-von Mises 1.6 on even shares."""


class Statistic(NamedTuple):
    """One statistic.

    Parameters
    ----------
    name
        As in `agent.evaluate.report.Score.statistic`, in metric attributes, and the field of `agent.config.Settings` that
        holds its tolerance.
    kinds
        ``numeric``, ``category`` or both.
    compare
        ``(view, alpha)`` to the effects of all columns at all lengths, shape ``(S, C)``.
    label
        How a sentence calls it.
    unit
        ``""``, ``σ``, ``ln`` or ``share``.
    meaning
        One line for the documentation.
    needs_sums
        Whether it takes the sums of bins, which are kept for the window and training only.
    adds_cells
        Whether every cell adds to it, so that its noise has as many degrees of freedom.
    """

    name: str
    kinds: tuple[str, ...]
    compare: Compare
    label: str
    unit: str
    meaning: str
    needs_sums: bool = False
    adds_cells: bool = False

    def applies(self, view: View) -> bool:
        """Whether the view has what it takes."""
        return not self.needs_sums or (isinstance(view, NumericView) and view.reference.has_sums)

    def freedom(self, view: View) -> int:
        """Give the degrees of freedom of its noise, at most."""
        return max(view.cells.shape[-1] - 1, 1) if self.adds_cells else FEW


def _over_cells(statistic: Callable[[Counts, Counts, ArrayLike, ArrayLike], Effect]) -> Compare:
    def compare(view: View, alpha: ArrayLike) -> Effect:
        return statistic(view.cells, view.reference_cells, alpha, view.overdispersion)

    return compare


def _over_ordered(statistic: Callable[[Counts, Counts, ArrayLike, ArrayLike], Effect]) -> Compare:
    def compare(view: View, alpha: ArrayLike) -> Effect:
        numeric = cast("NumericView", view)
        return statistic(numeric.ordered, numeric.reference_ordered, alpha, numeric.overdispersion)

    return compare


def _mean_shift(view: View, alpha: ArrayLike) -> Effect:
    new, old = cast("NumericView", view).current, cast("NumericView", view).reference
    return mean_shift(new.count, new.mean, new.variance, old.count, old.mean, old.variance, alpha, view.overdispersion)


def _missing(view: View, alpha: ArrayLike) -> Effect:
    new, old = view.current, view.reference
    return share_change(new.missing, new.rows, old.missing, old.rows, alpha, view.overdispersion)


def _out_of_range(view: View, alpha: ArrayLike) -> Effect:
    new, old = cast("NumericView", view).current, cast("NumericView", view).reference
    return share_change(new.outside, new.rows - new.missing, old.outside, old.rows - old.missing, alpha, view.overdispersion)


def _unseen(view: View, alpha: ArrayLike) -> Effect:
    new, old = view.cells, view.reference_cells
    return share_change(new[..., -1], new.sum(axis=-1), old[..., -1], old.sum(axis=-1), alpha, view.overdispersion)


def _wasserstein(view: View, alpha: ArrayLike) -> Effect:
    numeric = cast("NumericView", view)
    layout = numeric.layout
    return wasserstein(
        _binned(numeric.current), _binned(numeric.reference), layout.edges, layout.origin, alpha, numeric.overdispersion
    )


def _variance(view: View, alpha: ArrayLike) -> Effect:
    numeric = cast("NumericView", view)
    layout = numeric.layout
    return variance_shift(
        _binned(numeric.current), _binned(numeric.reference), layout.edges, layout.origin, alpha, numeric.overdispersion
    )


def _distinct(view: View, alpha: ArrayLike) -> Effect:
    # of the known categories only: new ones are what the unseen share is for
    new, old = view.cells.copy(), view.reference_cells.copy()
    new[..., -1], old[..., -1] = 0.0, 0.0
    seen, known = np.count_nonzero(new, axis=-1), np.count_nonzero(old, axis=-1)
    return distinct_change(new, seen, old, known, alpha, view.overdispersion)


def _binned(frame: NumericFrame) -> Binned:
    return Binned(frame.count, frame.mean, frame.variance, frame.counts, frame.sums)


_BOTH = (NUMERIC, CATEGORY)

STATISTICS: tuple[Statistic, ...] = (
    Statistic(
        "psi", _BOTH, _over_cells(psi), "PSI", "",
        "Population stability index over the deciles of training or the categories.", adds_cells=True,
    ),
    Statistic(
        "js", _BOTH, _over_cells(jensen_shannon), "Jensen-Shannon distance", "",
        "Jensen-Shannon distance (base 2) over the deciles of training or the categories, 0 to 1.", adds_cells=True,
    ),
    Statistic(
        "hellinger", _BOTH, _over_cells(hellinger), "Hellinger distance", "",
        "Hellinger distance over the deciles of training or the categories, 0 to 1.", adds_cells=True,
    ),
    Statistic(
        "total_variation", _BOTH, _over_cells(total_variation), "total variation distance", "share",
        "The share of rows that would have to move to another decile or category, 0 to 1.", adds_cells=True,
    ),
    Statistic(
        "ks", (NUMERIC,), _over_ordered(kolmogorov_smirnov), "Kolmogorov-Smirnov distance", "",
        "Largest difference of the cumulative shares over the frozen bin edges, 0 to 1.",
    ),
    Statistic(
        "cramer_von_mises", (NUMERIC,), _over_ordered(cramer_von_mises), "Cramér-von Mises distance", "",
        "Root mean square difference of the cumulative shares over the frozen bin edges, 0 to 1.",
    ),
    Statistic(
        "wasserstein", (NUMERIC,), _wasserstein, "Wasserstein distance", "σ",
        "How far the values moved on average, in standard deviations of training.", needs_sums=True,
    ),
    Statistic(
        "mean_shift", (NUMERIC,), _mean_shift, "mean shift", "σ",
        "Shift of the mean in standard deviations of training; negative where the values fell.",
    ),
    Statistic(
        "variance", (NUMERIC,), _variance, "standard deviation", "ln",
        "Natural logarithm of the ratio of the standard deviations; negative where the values are closer together.",
        needs_sums=True,
    ),
    Statistic(
        "chi_square", (CATEGORY,), _over_cells(chi_square), "Cohen's w", "",
        "Cohen's w of the two-sample chi-square over the categories, 0 to 2, with its p-value.", adds_cells=True,
    ),
    Statistic(
        "l_infinity", (CATEGORY,), _over_cells(l_infinity), "largest change of a share", "share",
        "Largest change of one category's share, 0 to 1.",
    ),
    Statistic(
        "distinct", (CATEGORY,), _distinct, "change of distinct categories", "share",
        "Known categories seen in the window against how many so many rows of training show, as a share; negative where "
        "categories are lost.",
    ),
    Statistic(
        "missing", _BOTH, _missing, "missing share", "share",
        "Missing share of the window minus that of training; negative where less is missing.",
    ),
    Statistic(
        "unseen", (CATEGORY,), _unseen, "unseen share", "share",
        "Share of values in no known category minus that of training.",
    ),
    Statistic(
        "out_of_range", (NUMERIC,), _out_of_range, "out-of-range share", "share",
        "Share of numbers beyond the range of training.",
    ),
)  # fmt: skip
"""All of them, in the order of a report."""


@cache
def statistics_of(kind: str) -> tuple[Statistic, ...]:
    """Give the statistics of a kind of column, `NUMERIC` or `CATEGORY`."""
    return tuple(statistic for statistic in STATISTICS if kind in statistic.kinds)

"""Counts of two samples in the same bins, as the statistics take them.

A numeric column is compared over its coarse bins (about deciles of training), a categorical one over its categories with
the unseen values as one more. Missing values are in neither: the missing share is a statistic of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.effect import DIFFERENT_BINS, Comparison

Counts = NDArray[np.int64]

RARE = 5.0
"""A bin where both samples expect fewer rows than this, at the size of the smaller one, is too rare to compare: Cochran's
rule (Biometrics 10, 1954), under which the chi-square approximation holds."""


def over_bins(statistic: Callable[[Counts, Counts, float], Comparison]) -> Callable[[Summary, Summary, float], Comparison]:
    """Lift a statistic of two arrays of counts to one of two summaries.

    The result is `DIFFERENT_BINS` where the summaries do not share their bins.
    """

    def compare(current: Summary, reference: Summary, alpha: float) -> Comparison:
        if not same_bins(current, reference):
            return DIFFERENT_BINS
        return statistic(counts_of(current), counts_of(reference), alpha)

    return compare


def counts_of(summary: Summary) -> Counts:
    """Give the counts by coarse bin, or by category with the unseen values last: int64, shape ``(bins,)``."""
    if isinstance(summary, NumericSummary):
        return np.add.reduceat(summary.bin_counts, summary.coarse)
    return np.append(summary.counts, np.int64(summary.unseen))


def same_bins(current: Summary, reference: Summary) -> bool:
    """Whether two summaries were counted in the same frozen bins or categories."""
    if isinstance(current, NumericSummary) and isinstance(reference, NumericSummary):
        return (
            np.array_equal(current.edges, reference.edges)
            and np.array_equal(current.coarse, reference.coarse)
            and current.bin_counts.shape == reference.bin_counts.shape
        )
    if isinstance(current, CategorySummary) and isinstance(reference, CategorySummary):
        return current.categories == reference.categories
    return False


def without_rare(current: Counts, reference: Counts) -> tuple[Counts, Counts]:
    """Pool the bins that are too rare to compare (`RARE`) into the rarest of the others.

    With hundreds of categories and a hundred rows most bins are empty by chance alone; the sum over them would say drift.
    Pooling can only understate a divergence (data processing inequality), and pools nothing once there are rows enough.

    Parameters
    ----------
    current, reference
        Counts in the same bins, at least one row each.

    Returns
    -------
    tuple
        Both again, with as many bins or fewer, at least one.

    Examples
    --------
    >>> current, reference = without_rare(np.array([60, 37, 2, 1]), np.array([600, 360, 30, 10]))
    >>> current.tolist(), reference.tolist()
    ([60, 40], [600, 400])
    """
    rows, reference_rows = int(current.sum()), int(reference.sum())
    share = (current / rows + reference / reference_rows) / 2
    rare = share * min(rows, reference_rows) < RARE
    if not rare.any():
        return current, reference
    if rare.all():
        return np.array([rows]), np.array([reference_rows])
    keep = np.flatnonzero(~rare)
    rarest = int(np.argmin(share[keep]))
    pooled, pooled_reference = current[keep], reference[keep]
    pooled[rarest] += current[rare].sum()
    pooled_reference[rarest] += reference[rare].sum()
    return pooled, pooled_reference

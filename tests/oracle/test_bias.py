"""Intervals of groups' gaps against scipy's, and against the examples of the papers that they come from."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy import stats

from agent.stats.bias.impact_ratio import impact_ratio
from agent.stats.bias.parity_difference import parity_difference
from agent.stats.bias.share_interval import Ends, clopper_pearson, wilson


@pytest.mark.parametrize(("ends", "method"), [(wilson, "wilson"), (clopper_pearson, "exact")])
@pytest.mark.parametrize(("count", "rows"), [(0, 7), (3, 10), (10, 10), (1, 1000), (499, 500)])
@pytest.mark.parametrize("alpha", [0.25, 0.05, 1e-6])
def test_intervals_of_one_share(ends: Ends, method: Literal["wilson", "exact"], count: int, rows: int, alpha: float) -> None:
    expected = stats.binomtest(count, rows).proportion_ci(1 - alpha, method=method)
    low, high = ends(np.array(float(count)), np.array(float(rows)), alpha)
    np.testing.assert_allclose([low, high], [expected.low, expected.high], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("counts", "lower", "upper"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_differences_are_those_of_newcombes_table(counts: tuple[int, int, int, int], lower: float, upper: float) -> None:
    found = parity_difference(*counts, 0.05)
    np.testing.assert_allclose([found.lower, found.upper], [lower, upper], atol=1e-4)


@pytest.mark.parametrize("counts", [(300, 1000, 500, 1000), (4000, 9000, 4100, 9500), (90, 1000, 80, 2000)])
def test_ratios_of_large_counts_are_those_of_katz(counts: tuple[int, int, int, int]) -> None:
    selected, rows, other_selected, other_rows = counts
    expected = stats.contingency.relative_risk(selected, rows, other_selected, other_rows)
    interval = expected.confidence_interval(0.95)
    found = impact_ratio(*counts, 0.05)
    assert found.value == pytest.approx(expected.relative_risk)
    np.testing.assert_allclose([found.lower, found.upper], [interval.low, interval.high], rtol=0.02)


def test_the_ratio_is_the_root_of_donners_and_zous_equation() -> None:
    count, rows, other, others = 7.0, 30.0, 12.0, 25.0
    (low, high), (other_low, other_high) = (wilson(np.array(c), np.array(n), 0.05) for c, n in ((count, rows), (other, others)))
    p, q = count / rows, other / others
    found = impact_ratio(count, rows, other, others, 0.05)
    # the bounds are where p - R q is as far from 0 as its own variance, recovered from the shares' intervals, says
    for ratio, near, far in ((found.lower, p - low, other_high - q), (found.upper, high - p, q - other_low)):
        assert (p - ratio * q) ** 2 == pytest.approx(float(near) ** 2 + float(ratio) ** 2 * float(far) ** 2)

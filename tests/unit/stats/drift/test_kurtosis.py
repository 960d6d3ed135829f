from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.stats.drift.binned import Binned, Bins, Scaled
from agent.stats.drift.kurtosis import kurtosis
from agent.stats.drift.variance_shift import variance_shift

EDGES = np.array([0.0, 1.0, 2.0])
"""Zeros and ones each have a bin of their own."""


def binned(values: NDArray[np.float64], origin: float) -> Binned:
    at = np.searchsorted(EDGES, values, side="right")
    sums = np.asarray(np.bincount(at, values - origin, 4), dtype=np.float64)
    return Binned(np.array(values.size), values.mean(), values.var(), np.bincount(at, minlength=4), sums)


def rare(rows: int, ones: int) -> NDArray[np.float64]:
    values = np.zeros(rows)
    values[:ones] = 1.0
    return values


@pytest.mark.parametrize("origin", [0.0, 1.0, 0.5])
def test_a_value_at_the_origin_counts_like_any_other(origin: float) -> None:
    sample = Scaled.of(binned(rare(10_000, 10), origin), np.array(1.0), np.array(origin))
    found = kurtosis(sample, Bins.of(EDGES, np.array(origin), np.array(1.0)), np.array(10_000.0))
    share = 0.001
    assert found.item() == pytest.approx((1 - 3 * share * (1 - share)) / (share * (1 - share)), rel=1e-6)


@pytest.mark.parametrize("origin", [0.0, 1.0])
@pytest.mark.parametrize("rows", [130, 500, 2000])
def test_one_rare_flag_more_is_no_change_of_spread(rows: int, origin: float) -> None:
    window, training = binned(rare(rows, 1), origin), binned(rare(20_000, 26), origin)
    assert variance_shift(window, training, EDGES, np.array(origin), 1e-6).lower.item() == 0.0

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.sketch.moments import LONGEST_PRODUCT, Moments, MomentsResult


def moments_of(*batches: NDArray[np.float64]) -> MomentsResult:
    moments = Moments()
    for batch in batches:
        moments.update(batch)
    return moments.result()


@pytest.mark.parametrize("mean", [0.0, 1e9, -1e9, 1e12])
def test_a_far_mean_costs_no_digits(mean: float) -> None:
    noise = np.random.default_rng(1).normal(size=100_000)
    values = mean + noise
    result = moments_of(*values.reshape(100, -1))
    exact = values - mean  # what rounding left of the noise, free of the mean
    assert result.mean - mean == pytest.approx(exact.mean(), abs=1e-15 * abs(mean) + 1e-12)
    assert result.variance == pytest.approx(exact.var(), rel=1e-6 if mean == 1e12 else 1e-9)


def test_sorted_and_unsorted_agree() -> None:
    values = np.random.default_rng(2).lognormal(0, 2, size=5000)
    by_sorted = Moments()
    by_sorted.update_sorted(np.sort(values))
    result, expected = by_sorted.result(), moments_of(values)
    assert (result.count, result.mean, result.variance) == pytest.approx((5000, expected.mean, expected.variance), rel=1e-12)


@pytest.mark.parametrize("size", [4, 1001, LONGEST_PRODUCT + 3, LONGEST_PRODUCT + 4, 50_000])
def test_agrees_with_numpy(size: int) -> None:
    values = np.random.default_rng(3).gamma(2, size=size)
    result = moments_of(values[:1], values[1:3], values[3:])
    assert (result.count, result.mean, result.variance) == pytest.approx((size, values.mean(), values.var()), rel=1e-12)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -1e-300, 1e300])
def test_a_constant_has_no_variance(value: float) -> None:
    result = moments_of(np.full(1000, value), np.full(3, value))
    assert result.mean == pytest.approx(value, rel=1e-15)
    assert np.sqrt(result.variance) <= 1e-12 * abs(value)


def test_the_largest_floats_overflow_quietly() -> None:
    largest = np.finfo(np.float64).max
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = moments_of(np.full(10, largest), np.full(10, largest))
        apart = moments_of(np.full(10, largest), np.full(10, -largest))
        mixed = moments_of(np.array([largest, -largest, 0.0]))
    assert same.mean == pytest.approx(largest)
    assert apart.mean == pytest.approx(0.0, abs=1e292)
    assert apart.variance == np.inf
    assert mixed.variance == np.inf


def test_nothing_is_nan() -> None:
    result = moments_of(np.empty(0))
    assert result.count == 0
    assert np.isnan([result.mean, result.variance]).all()

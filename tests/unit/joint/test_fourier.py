from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.joint.fourier import (
    CHUNK,
    FREQUENCIES,
    LEAST_BANDWIDTH,
    FourierSums,
    features,
    frequencies,
    median_distance,
    spread_of,
    tolerance_of,
)

Floats = NDArray[np.float64]

WAVES = frequencies(3, 2.0)


def sums_of(matrix: Floats) -> FourierSums:
    sums = FourierSums(WAVES)
    sums.update(matrix)
    return sums


def rows(count: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, 3))


def test_frequencies_are_frozen() -> None:
    # The first ones as they were when this was written: another stream would not fit the profiles that are out there.
    first = [-0.7309693853291401, 0.5999045364050519, 2.6111012498487702]
    np.testing.assert_allclose(WAVES[0, :3] * 2.0, first, rtol=1e-12)


def test_frequencies_are_standard_normal_over_the_bandwidth() -> None:
    many = frequencies(64, 0.5)
    assert many.shape == (64, FREQUENCIES)
    assert abs(many.mean()) < 0.1
    assert many.std() == pytest.approx(2.0, rel=0.05)


def test_sums_are_means_of_cosines_and_sines() -> None:
    x = rows(2 * CHUNK + 5)
    expected = np.concatenate((np.cos(x @ WAVES).mean(axis=0), np.sin(x @ WAVES).mean(axis=0)))
    np.testing.assert_allclose(sums_of(x).result().means, expected, atol=1e-6)


def test_merging_parts_is_seeing_all_also_through_bytes() -> None:
    x = rows(1000)
    merged = FourierSums(WAVES)
    for part in np.split(x, [1, 400]):
        merged.merge(FourierSums.from_bytes(sums_of(part).to_bytes(), WAVES))
    assert merged.rows == 1000
    np.testing.assert_allclose(merged.result().means, sums_of(x).result().means, atol=1e-6)


def test_empty_sums_have_no_means() -> None:
    assert not FourierSums(WAVES).result().means.any()


def test_other_bytes_and_other_designs_are_refused() -> None:
    with pytest.raises(OutriderError, match="fourier-means"):
        FourierSums.from_bytes(sums_of(rows(5)).to_bytes()[:-1], WAVES)
    with pytest.raises(OutriderError, match="different designs"):
        sums_of(rows(5)).merge(FourierSums(frequencies(2, 2.0)))


def test_bandwidth_is_the_median_distance() -> None:
    x = rows(300)
    distances = [np.linalg.norm(x[i] - x[j]) for i in range(300) for j in range(i)]
    assert median_distance(x) == pytest.approx(np.median(distances))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_bandwidth_of_equal_rows_is_not_zero(count: int) -> None:
    assert median_distance(np.ones((count, 4))) == LEAST_BANDWIDTH


def test_spread_is_that_of_the_covariance() -> None:
    made = features(rows(500), WAVES).astype(np.float64)
    values = np.linalg.eigvalsh(np.cov(made.T, bias=True) / FREQUENCIES)
    assert spread_of(made) == pytest.approx((np.square(values).sum(), values.max()))
    # One row's features have length 1: what is not in the mean is in the spread.
    assert values.sum() == pytest.approx(1 - np.square(made.mean(axis=0)).sum() / FREQUENCIES)


def test_tolerance_is_what_a_shift_of_each_column_makes() -> None:
    x = rows(4000)
    means = features(x, WAVES).astype(np.float64).mean(axis=0)
    made = []
    for column in range(3):
        moved = x.copy()
        moved[:, column] += 0.25
        other = features(moved, WAVES).astype(np.float64).mean(axis=0)
        made.append(np.sqrt(np.square(other - means).sum() / FREQUENCIES))
    assert tolerance_of(means, WAVES) == pytest.approx(np.median(made), rel=1e-4)


def test_tolerance_without_columns_is_zero() -> None:
    assert tolerance_of(np.zeros(2 * FREQUENCIES), np.zeros((0, FREQUENCIES))) == 0.0

"""One level for each stretch of the window: the same as one call for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

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
from agent.stats.drift.total_variation import total_variation
from agent.stats.drift.variance_shift import variance_shift
from agent.stats.drift.wasserstein import wasserstein

Floats = NDArray[np.float64]

EDGES = np.linspace(-2.0, 2.0, 19)
SHIFTS = (0.0, 0.2, 1.0)
LEVELS = np.array([[1e-2], [1e-4], [1e-9]])
OVER_BINS = (chi_square, cramer_von_mises, hellinger, jensen_shannon, kolmogorov_smirnov, l_infinity, psi, total_variation)


def binned(samples: Floats) -> Binned:
    """Count samples of shape ``(..., n)``."""
    flat = samples.reshape(-1, samples.shape[-1])
    places = [np.searchsorted(EDGES, one, side="right") for one in flat]
    counts = np.array([np.bincount(each, minlength=EDGES.size + 1) for each in places])
    sums = np.array([np.bincount(each, one, EDGES.size + 1) for each, one in zip(places, flat, strict=True)])
    shape = samples.shape[:-1]
    size = np.full(shape, samples.shape[-1])
    mean, variance = (np.asarray(x).reshape(shape) for x in (flat.mean(axis=1), flat.var(axis=1)))
    return Binned(size, mean, variance, counts.reshape(*shape, -1), sums.reshape(*shape, -1))


SOURCE = np.random.default_rng(7)
REFERENCE = binned(SOURCE.normal(size=(len(SHIFTS), 2_000)))
CURRENT = binned(SOURCE.normal(size=(len(LEVELS), len(SHIFTS), 300)) * 1.2 + np.array(SHIFTS)[:, None])


def part(of: Binned, row: int) -> Binned:
    return Binned(of.count[row], of.mean[row], of.variance[row], of.counts[row], of.sums[row])


def _mean(now: Binned, alpha: ArrayLike) -> Effect:
    return mean_shift(now.count, now.mean, now.variance, REFERENCE.count, REFERENCE.mean, REFERENCE.variance, alpha)


def _share(now: Binned, alpha: ArrayLike) -> Effect:
    return share_change(now.counts[..., -1], now.count, REFERENCE.counts[..., -1], REFERENCE.count, alpha)


def _variance(now: Binned, alpha: ArrayLike) -> Effect:
    return variance_shift(now, REFERENCE, EDGES, np.array(0.0), alpha)


def _wasserstein(now: Binned, alpha: ArrayLike) -> Effect:
    return wasserstein(now, REFERENCE, EDGES, np.array(0.0), alpha)


def _distinct(now: Binned, alpha: ArrayLike) -> Effect:
    counts = np.where(np.arange(20) < 4, 0, now.counts)  # four categories are lost
    return distinct_change(counts, np.count_nonzero(counts, axis=-1), REFERENCE.counts, np.full(3, 20), alpha)


def _over_bins(statistic: Callable[..., Effect]) -> Callable[[Binned, ArrayLike], Effect]:
    return lambda now, alpha: statistic(now.counts, REFERENCE.counts, alpha)


ALL = {
    **{each.__name__: _over_bins(each) for each in OVER_BINS},
    "mean": _mean, "share": _share, "variance": _variance, "wasserstein": _wasserstein, "distinct": _distinct,
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_a_level_for_each_stretch_is_as_good_as_a_call_for_each(name: str) -> None:
    together = ALL[name](CURRENT, LEVELS)
    assert (together.lower > 0).any()
    for row, level in enumerate(LEVELS[:, 0].tolist()):
        alone = ALL[name](part(CURRENT, row), level)
        np.testing.assert_allclose(together.lower[row], alone.lower, rtol=1e-12)
        np.testing.assert_array_equal(together.value[row], alone.value)

"""How often each lower bound is above the truth, by simulation: at most its level, give or take the simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

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
OverBins = Callable[..., Effect]

REPEATS = 2000
SIZES = ((50, 10_000), (100, 100_000), (1000, 1000), (1000, 10_000), (20_000, 10_000))

FLAT = np.full(10, 0.1)
SKEWED = np.array([0.9, 0.05, 0.02, 0.01, 0.01, 0.005, 0.003, 0.001, 0.0005, 0.0005])
MANY = 1 / np.arange(1, 101) / (1 / np.arange(1, 101)).sum()
UNSEEN = np.append(FLAT, 0.0)

OVER_BINS: dict[str, OverBins] = {
    "psi": psi,
    "jensen_shannon": jensen_shannon,
    "hellinger": hellinger,
    "total_variation": total_variation,
    "l_infinity": l_infinity,
    "chi_square": chi_square,
    "kolmogorov_smirnov": kolmogorov_smirnov,
    "cramer_von_mises": cramer_von_mises,
}


def most(alpha: float, repeats: int = REPEATS) -> float:
    """Three standard deviations above the mean of a bound that spends half as much again as its error."""
    return 1.5 * alpha + 3 * math.sqrt(1.5 * alpha / repeats)


def truths(p: Floats, q: Floats) -> dict[str, float]:
    both = np.where(p + q > 0, p + q, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropies = [np.nansum(np.where(x > 0, x * np.log2(2 * x / both), 0.0)) for x in (p, q)]
        index = np.nansum(np.where((p > 0) & (q > 0), (p - q) * np.log(p / q), np.where(p == q, 0.0, np.inf)))
    gap = np.cumsum(p - q)
    before = np.append(0.0, gap[:-1])
    return {
        "psi": float(index),
        "jensen_shannon": math.sqrt(max(0.0, sum(entropies) / 2)),
        "hellinger": math.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum()))),
        "total_variation": float(np.abs(p - q).sum() / 2),
        "l_infinity": float(np.abs(p - q).max()),
        "chi_square": math.sqrt(2 * float(((p - q) ** 2 / both).sum())),
        "kolmogorov_smirnov": float(np.abs(gap).max()),
        "cramer_von_mises": math.sqrt(float(((p + q) / 2 * (gap**2 + gap * before + before**2)).sum())),
    }


def tilted(p: Floats, factor: float) -> Floats:
    moved = p * np.linspace(1 - factor, 1 + factor, len(p))
    return np.asarray(moved / moved.sum())


def moved_to_last(p: Floats, share: float) -> Floats:
    moved = p * (1 - share)
    moved[-1] += share
    return moved


CASES = {
    "flat, no drift": (FLAT, FLAT),
    "skewed, no drift": (SKEWED, SKEWED),
    "100 categories, no drift": (MANY, MANY),
    "never seen, no drift": (UNSEEN, UNSEEN),
    "flat, hardly tilted": (tilted(FLAT, 0.2), FLAT),
    "flat, tilted": (tilted(FLAT, 0.5), FLAT),
    "flat, tilted steeply": (tilted(FLAT, 0.9), FLAT),
    "skewed, tilted": (tilted(SKEWED, 0.6), SKEWED),
    "100 categories, tilted": (tilted(MANY, 0.4), MANY),
    "skewed, a rare one grew": (moved_to_last(SKEWED, 0.05), SKEWED),
    "skewed, a rare one went": (SKEWED, moved_to_last(SKEWED, 0.05)),
    "unseen came": (moved_to_last(UNSEEN, 0.05), UNSEEN),
}


@pytest.mark.parametrize("alpha", [0.05, 0.002])
@pytest.mark.parametrize("name", OVER_BINS)
@pytest.mark.parametrize("case", CASES)
def test_the_bound_over_bins_is_rarely_above_the_truth(case: str, name: str, alpha: float) -> None:
    p, q = CASES[case]
    truth = truths(p, q)[name]
    for rows, reference_rows in SIZES:
        rng = np.random.default_rng(rows + reference_rows)
        result = OVER_BINS[name](rng.multinomial(rows, p, REPEATS), rng.multinomial(reference_rows, q, REPEATS), alpha)
        above = float(np.mean(result.lower > truth + 1e-12))
        assert above <= most(alpha), (rows, reference_rows, above)


@pytest.mark.parametrize("name", OVER_BINS)
def test_rows_that_come_five_times_each_are_no_drift(name: str) -> None:
    rng = np.random.default_rng(5)
    current, reference = 5 * rng.multinomial(400, FLAT, REPEATS), rng.multinomial(20_000, FLAT, REPEATS)
    aware, naive = (OVER_BINS[name](current, reference, 0.01, factor).lower for factor in (5.0, 1.0))
    assert np.mean(aware > 0) <= most(0.01)
    assert np.mean(naive > 0) > 0.05


@pytest.mark.parametrize("name", OVER_BINS)
def test_a_tilt_that_matters_is_found_in_some_hundred_rows(name: str) -> None:
    rng = np.random.default_rng(6)
    result = OVER_BINS[name](rng.multinomial(600, tilted(FLAT, 0.8), 200), rng.multinomial(50_000, FLAT, 200), 1e-4)
    assert np.mean(result.lower > 0) > 0.95


DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape),
    "student_5": lambda rng, shape: rng.standard_t(5, size=shape),
    "student_3": lambda rng, shape: rng.standard_t(3, size=shape),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
    "uniform": lambda rng, shape: rng.random(shape),
    "whole_numbers": lambda rng, shape: rng.poisson(3.0, shape).astype(np.float64),
    "rare_flag": lambda rng, shape: (rng.random(shape) < 0.06).astype(np.float64),
}


def binned(values: Floats, edges: Floats) -> Binned:
    """Many samples at once, one per row."""
    repeats, bins = len(values), len(edges) + 1
    at = (np.searchsorted(edges, values, side="right") + np.arange(repeats)[:, None] * bins).ravel()
    counts = np.bincount(at, minlength=repeats * bins).reshape(repeats, bins)
    sums = np.bincount(at, (values - origin(edges)).ravel(), repeats * bins).reshape(repeats, bins).astype(np.float64)
    return Binned(np.full(repeats, values.shape[1]), values.mean(axis=1), values.var(axis=1), counts, sums)


def origin(edges: Floats) -> Floats:
    return np.asarray(edges[len(edges) // 2])


def training(rng: np.random.Generator, draw: str) -> tuple[Binned, Floats]:
    values = DRAWS[draw](rng, (1, 20_000))
    edges = np.unique(np.quantile(values, np.arange(1, 60) / 60))
    return binned(values, edges), edges


def bounds(current: Binned, reference: Binned, edges: Floats, alpha: float, factor: float = 1.0) -> dict[str, Floats]:
    window = (current.count, current.mean, current.variance)
    return {
        "wasserstein": wasserstein(current, reference, edges, origin(edges), alpha, factor).lower,
        "variance_shift": variance_shift(current, reference, edges, origin(edges), alpha, factor).lower,
        "mean_shift": mean_shift(
            *window, reference.count, reference.mean, reference.variance, alpha, factor
        ).lower,
        "kolmogorov_smirnov": kolmogorov_smirnov(current.counts, reference.counts, alpha, factor).lower,
        "cramer_von_mises": cramer_von_mises(current.counts, reference.counts, alpha, factor).lower,
    }  # fmt: skip


@pytest.mark.parametrize("rows", [10, 100, 2000])
@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_numbers_rarely_have_a_bound_above_nothing(draw: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    repeats = 1000 if rows < 2000 else 400
    above: dict[tuple[str, float], float] = {}
    for _ in range(5):
        reference, edges = training(rng, draw)
        current = binned(DRAWS[draw](rng, (repeats // 5, rows)), edges)
        for alpha in (0.05, 0.005):
            for name, lower in bounds(current, reference, edges, alpha).items():
                above[name, alpha] = above.get((name, alpha), 0.0) + float(np.mean(lower > 0)) / 5
    assert all(rate <= most(alpha, repeats) for (_, alpha), rate in above.items()), above


@pytest.mark.parametrize("rows", [100, 1000])
def test_a_known_change_is_rarely_overstated(rows: int) -> None:
    rng = np.random.default_rng(rows)
    reference, edges = training(rng, "normal")
    moved = binned(rng.normal(0.3, 1.0, (REPEATS // 4, rows)), edges)
    scaled = binned(rng.normal(0.0, 1.5, (REPEATS // 4, rows)), edges)
    distance = 2 * float(stats.norm.cdf(0.15)) - 1
    for current, truth in (
        (moved, {"wasserstein": 0.3, "mean_shift": 0.3, "kolmogorov_smirnov": distance}),
        (scaled, {"wasserstein": 0.5 * math.sqrt(2 / math.pi), "variance_shift": math.log(1.5)}),
    ):
        lower = bounds(current, reference, edges, 0.05)
        for name, value in truth.items():
            # the one training sample is off by some hundredths of its own
            assert np.mean(lower[name] > value + 0.01) <= most(0.05, REPEATS // 4), name


@pytest.mark.parametrize("name", ["mean_shift", "wasserstein", "cramer_von_mises", "kolmogorov_smirnov"])
def test_a_shift_of_four_tenths_is_found_in_half_a_thousand_rows(name: str) -> None:
    rng = np.random.default_rng(8)
    reference, edges = training(rng, "normal")
    lower = bounds(binned(rng.normal(0.4, 1.0, (100, 500)), edges), reference, edges, 1e-4)[name]
    assert np.mean(lower > 0.03) > 0.9


def test_half_as_much_spread_again_is_found_in_half_a_thousand_rows() -> None:
    rng = np.random.default_rng(9)
    reference, edges = training(rng, "normal")
    lower = bounds(binned(rng.normal(0.0, 1.5, (100, 500)), edges), reference, edges, 1e-4)["variance_shift"]
    assert np.mean(lower > 0.1) > 0.95


def rate_of_shares(rows: int, reference_rows: int, share: float, alpha: float) -> float:
    """How often two binomial samples of one share are told apart: exactly, over all outcomes that matter."""
    counts = [
        np.arange(int(stats.binom.ppf(1e-9, n, share)), int(stats.binom.isf(1e-9, n, share)) + 2) for n in (rows, reference_rows)
    ]
    weights = [stats.binom.pmf(c, n, share) for c, n in zip(counts, (rows, reference_rows), strict=True)]
    result = share_change(counts[0][:, None], rows, counts[1], reference_rows, alpha)
    return float(weights[0] @ (result.lower > 0) @ weights[1])


@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-5])
@pytest.mark.parametrize("share", [0.0005, 0.01, 0.06, 0.3])
@pytest.mark.parametrize(("rows", "reference_rows"), [(50, 2000), (1000, 1000), (1000, 20_000)])
def test_the_same_share_is_told_apart_no_more_often_than_the_level(
    rows: int, reference_rows: int, share: float, alpha: float
) -> None:
    assert rate_of_shares(rows, reference_rows, share, alpha) <= 1.25 * alpha


def test_nulls_of_two_percent_where_there_were_none_are_found_in_some_hundred_rows() -> None:
    missing = np.random.default_rng(3).binomial(800, 0.02, 1000)
    assert np.mean(share_change(missing, 800, 0, 50_000, 1e-4).lower > 0) > 0.95


@pytest.mark.parametrize("shares", [FLAT, SKEWED, MANY], ids=["flat", "skewed", "100 categories"])
@pytest.mark.parametrize(("rows", "reference_rows"), [(50, 10_000), (1000, 1000), (20_000, 10_000), (400, 100_000)])
def test_the_number_of_categories_rarely_changes_by_chance(shares: Floats, rows: int, reference_rows: int) -> None:
    rng = np.random.default_rng(rows)
    current, reference = rng.multinomial(rows, shares, REPEATS), rng.multinomial(reference_rows, shares, REPEATS)
    # the last cell is one more value, outside the list
    counts = (np.count_nonzero(each, axis=-1) for each in (current, reference))
    result = distinct_change(current, next(counts), reference, next(counts), 0.05)
    assert np.mean(result.lower > 0) <= most(0.05)


def test_values_that_are_new_in_every_row_are_no_change() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(100, 60_000, 200)
    current, reference = np.stack([rows // 10, rows - rows // 10], axis=-1), np.array([4000, 36_000])
    result = distinct_change(current, 1 + 0.97 * (rows - rows // 10), reference, 36_001, 0.05)
    assert result.lower.tolist() == [0.0] * 200


def test_a_lost_category_shows() -> None:
    rng = np.random.default_rng(7)
    lost = np.append(np.full(9, 1 / 9), 0.0)[[0, 1, 2, 9, 3, 4, 5, 6, 7, 8]]
    current = np.append(rng.multinomial(400, lost, 100), np.zeros((100, 1), dtype=np.int64), axis=1)
    reference = np.append(np.full(10, 2000), 0)
    result = distinct_change(current, 9, reference, 10, 1e-4)
    assert np.allclose(result.value, -0.1)
    assert result.lower.min() > 0.03


@pytest.mark.parametrize("statistic", [psi, jensen_shannon, hellinger, chi_square], ids=lambda each: each.__name__)
def test_rare_bins_that_are_empty_by_chance_prove_nothing(statistic: Callable[..., Effect]) -> None:
    """Of 200 rows with shares of 3 % and 2 % none is in either bin once in 28,000 times."""
    current = np.array([[138, 27, 24, 11, 0, 0], [127, 41, 25, 0, 7, 0]])
    training = np.array([12_000, 4_000, 2_000, 1_000, 600, 400])
    assert not statistic(current, training, 1e-6).lower.any()

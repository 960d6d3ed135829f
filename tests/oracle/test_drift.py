"""Columnar drift statistics against scipy's own, on the same samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from agent.stats.drift.binned import Binned, Bins, Scaled
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.cramer_von_mises import cramer_von_mises
from agent.stats.drift.distinct_change import distinct_change
from agent.stats.drift.hellinger import hellinger
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import kolmogorov_smirnov
from agent.stats.drift.kurtosis import kurtosis
from agent.stats.drift.l_infinity import l_infinity
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.noncentrality import noncentrality_lower
from agent.stats.drift.proportion_bound import difference_lower
from agent.stats.drift.psi import psi
from agent.stats.drift.total_variation import total_variation
from agent.stats.drift.variance_shift import variance_shift
from agent.stats.drift.wasserstein import wasserstein

Floats = NDArray[np.float64]

DRAWS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(sigma=1.0, size=n),
    "two_peaks": lambda rng, n: np.where(rng.random(n) < 0.3, -5.0, 5.0) + rng.normal(size=n) / 10,
    "whole_numbers": lambda rng, n: rng.poisson(3.0, n).astype(np.float64),
    "far_from_zero": lambda rng, n: 1e9 + rng.normal(size=n),
}
CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda x: x,
    "moved": lambda x: x + 0.5,
    "scaled": lambda x: (x - x.mean()) * 3 + x.mean(),
    "far": lambda x: x * 1000,
}


def edges_of(values: Floats) -> Floats:
    return np.unique(np.quantile(values, np.arange(1, 60) / 60))


def binned(values: Floats, edges: Floats) -> Binned:
    at = np.searchsorted(edges, values, side="right")
    bins = len(edges) + 1
    sums = np.bincount(at, values - edges[len(edges) // 2], bins).astype(np.float64)
    return Binned(
        np.array(values.size), np.asarray(values.mean()), np.asarray(values.var()), np.bincount(at, minlength=bins), sums
    )


def both(draw: str, change: str, seed: int = 7) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    reference, current = DRAWS[draw](rng, 8000), CHANGES[change](DRAWS[draw](rng, 5000))
    return current, reference, edges_of(reference)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("draw", DRAWS)
def test_ks_never_exceeds_scipys_and_is_close_to_it(draw: str, change: str) -> None:
    current, reference, edges = both(draw, change)
    counts = binned(reference, edges).counts
    got = kolmogorov_smirnov(binned(current, edges).counts, counts, 0.05).value.item()
    exact = stats.ks_2samp(current, reference).statistic
    assert exact - counts.max() / len(reference) - 1e-9 <= got <= exact + 1e-12


def test_ks_p_value_is_the_asymptotic_one() -> None:
    current, reference = np.array([130, 170, 200]), np.array([500, 500, 500])
    got = kolmogorov_smirnov(current, reference, 0.05)
    values = [np.repeat([0.0, 1.0, 2.0], counts) for counts in (current, reference)]
    assert got.value.item() == pytest.approx(stats.ks_2samp(values[0], values[1]).statistic)
    assert got.p_value == pytest.approx(stats.kstwobign.sf(math.sqrt(500 * 1500 / 2000) * got.value))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal", "far_from_zero"])
def test_cramer_von_mises_is_close_to_scipys(draw: str, change: str) -> None:
    current, reference, edges = both(draw, change)
    got = cramer_von_mises(binned(current, edges).counts, binned(reference, edges).counts, 0.05).value.item()
    # the average of both laws in place of the pooled one: both samples of one size
    exact = stats.cramervonmises_2samp(current, reference[: len(current)]).statistic
    assert got**2 == pytest.approx(3 * exact * 2 / len(current), rel=0.1, abs=2e-3)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("draw", DRAWS)
def test_wasserstein_is_scipys_but_for_crossings_inside_a_bin(draw: str, change: str) -> None:
    current, reference, edges = both(draw, change)
    got = wasserstein(binned(current, edges), binned(reference, edges), edges, np.asarray(edges[len(edges) // 2]), 0.05)
    exact = stats.wasserstein_distance(current, reference) / reference.std()
    assert got.value.item() <= exact * (1 + 1e-6) + 1e-9
    assert got.value.item() == pytest.approx(exact, rel=0.02, abs=0.02)


def test_wasserstein_of_a_pure_shift_is_exact_with_any_bins() -> None:
    reference = np.random.default_rng(9).lognormal(size=300)
    for edges in (np.array([1.0]), edges_of(reference)):
        f, g = binned(reference + 0.7, edges), binned(reference, edges)
        got = wasserstein(f, g, edges, np.asarray(edges[len(edges) // 2]), 0.05)
        assert got.value.item() == pytest.approx(0.7 / reference.std(), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_distances_of_shares_are_their_formulas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    current, reference = rng.integers(20, 500, (3, 12)), rng.integers(20, 500, 12)
    q = reference / reference.sum()
    got = {
        each.__name__: each(current, reference, 0.05).value for each in (jensen_shannon, hellinger, total_variation, l_infinity)
    }
    for row, p in enumerate(current / current.sum(axis=1, keepdims=True)):
        assert got["jensen_shannon"][row] == pytest.approx(float(jensenshannon(p, q, base=2)), rel=1e-9)
        assert got["hellinger"][row] == pytest.approx(float(np.linalg.norm(np.sqrt(p) - np.sqrt(q))) / math.sqrt(2), rel=1e-9)
        assert got["total_variation"][row] == pytest.approx(float(np.linalg.norm(p - q, 1)) / 2, rel=1e-9)
        assert got["l_infinity"][row] == pytest.approx(float(np.linalg.norm(p - q, np.inf)), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_psi_is_the_two_relative_entropies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    current, reference = rng.integers(20, 500, 10), rng.integers(20, 5000, 10)
    exact = stats.entropy(current + 1, reference + 1) + stats.entropy(reference + 1, current + 1)
    assert psi(current, reference, 0.05).value.item() == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize("seed", range(4))
def test_chi_square_is_scipys_contingency_test(seed: int, times: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(6, 5.0))
    current, reference = rng.multinomial(700, p), rng.multinomial(700 * times, p)
    got = chi_square(current, reference, 0.05)
    x2, p_value, _, _ = stats.chi2_contingency(np.vstack([current, reference]), correction=False)
    assert got.p_value == pytest.approx(p_value, rel=1e-9)
    if times == 1:  # equal sizes: the two definitions are one
        assert got.value.item() == pytest.approx(math.sqrt(x2 * (2 / 700)), rel=1e-9)


def test_mean_shift_p_value_is_welchs_where_the_spread_did_not_shrink() -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=900), rng.normal(0.1, 1.5, 300)
    got = mean_shift(300, current.mean(), current.var(), 900, reference.mean(), reference.var(), 0.05)
    exact = stats.ttest_ind(current, reference, equal_var=False)
    assert got.p_value == pytest.approx(exact.pvalue, rel=2e-3)
    assert got.lower.item() == pytest.approx(max(0.0, exact.confidence_interval(0.95).low / reference.std()), abs=2e-3)


def test_variance_shift_is_the_logarithm_of_the_ratio_of_sample_deviations() -> None:
    rng = np.random.default_rng(4)
    reference, current = rng.normal(size=900), rng.normal(0.1, 1.5, 300)
    edges = edges_of(reference)
    got = variance_shift(binned(current, edges), binned(reference, edges), edges, np.asarray(edges[len(edges) // 2]), 0.05)
    assert got.value.item() == pytest.approx(math.log(current.std(ddof=1) / reference.std(ddof=1)), rel=1e-9)
    allowed = math.log(stats.f.ppf(0.975, 299, 899)) / 2  # of a Normal, whose kurtosis here is estimated
    assert got.lower.item() == pytest.approx(got.value.item() - allowed, abs=0.03)


@pytest.mark.parametrize(
    ("draw", "rel"), [("normal", 0.15), ("exponential", 0.25), ("whole_numbers", 0.1), ("far_from_zero", 0.15)]
)
def test_kurtosis_is_close_to_scipys(draw: str, rel: float) -> None:
    values = DRAWS[draw](np.random.default_rng(5), 50_000)
    edges, one = edges_of(values), np.array(1.0)
    middle = np.asarray(edges[len(edges) // 2])
    got = kurtosis(Scaled.of(binned(values, edges), one, middle), Bins.of(edges, middle, one), np.array(5e4))
    assert got.item() == pytest.approx(stats.kurtosis(values, fisher=False), rel=rel)


@pytest.mark.parametrize("alpha", [0.05, 1e-4, 1e-9])
@pytest.mark.parametrize("df", [1.0, 1.645, 9.0, 60.0, 300.0])
def test_the_noncentrality_bound_spends_alpha_and_no_more(df: float, alpha: float) -> None:
    quantile = stats.chi2.isf(alpha, df)
    x = quantile * np.array([0.5, 0.999, 1.05, 1.3, 2.0, 5.0, 100.0])
    bound = noncentrality_lower(x, np.full(x.shape, df), alpha)
    assert bound[:2].tolist() == [0.0, 0.0]
    spent = np.asarray(stats.ncx2.sf(x[2:], df, bound[2:])) / alpha
    assert 0.85 < spent.min() <= spent.max() < 1.002


@pytest.mark.parametrize(("count", "rows"), [(0, 40), (1, 50), (7, 60), (40, 40), (5000, 20_000)])
def test_bound_of_a_share_against_a_known_share_is_the_exact_interval(count: int, rows: int) -> None:
    interval = stats.binomtest(count, rows).proportion_ci(0.95, method="exact")
    got = difference_lower(count / rows, rows, 0.5, 1e9, 0.05).item()  # so many rows of reference are as good as known
    assert got == pytest.approx(max(0.0, interval.low - 0.5, 0.5 - interval.high), abs=3e-4)


def test_the_expected_number_of_categories_is_that_of_drawing() -> None:
    rng = np.random.default_rng(6)
    reference = np.append(rng.multinomial(100_000, rng.dirichlet(np.full(50, 0.3))), 0)
    drawn = np.mean([np.count_nonzero(rng.multinomial(200, reference / 100_000)) for _ in range(2000)])
    window = rng.multinomial(200, reference / 100_000)
    seen = np.count_nonzero(window)
    got = distinct_change(window, seen, reference, np.count_nonzero(reference), 0.05)
    assert got.value.item() == pytest.approx(seen / drawn - 1, abs=0.005)


@pytest.mark.parametrize("alpha", [0.05, 1e-4, 1e-8, 1e-12])
def test_no_difference_that_the_exact_ends_prove_is_passed_over(alpha: float) -> None:
    """What is cheap only says where the exact ends of both shares are worth computing."""
    source = np.random.default_rng(5)
    rows, reference_rows = source.integers(1, 3_000, 4_000), source.integers(50, 30_000, 4_000)
    count = source.binomial(rows, source.choice([0.0, 0.001, 0.02, 0.2, 0.5, 0.98, 1.0], 4_000))
    reference = source.binomial(reference_rows, source.choice([0.0, 0.001, 0.02, 0.2, 0.5, 0.98, 1.0], 4_000))
    p, q = count / rows, reference / reference_rows
    more = p >= q
    high, high_rows = np.where(more, count, reference), np.where(more, rows, reference_rows)
    low, low_rows = np.where(more, reference, count), np.where(more, reference_rows, rows)
    least = np.where(high > 0, stats.beta.ppf(alpha / 2, np.maximum(high, 1), high_rows - high + 1), 0.0)
    most = np.where(low < low_rows, stats.beta.isf(alpha / 2, low + 1, np.maximum(low_rows - low, 1)), 1.0)
    gap = np.abs(p - q)
    exact = gap - np.hypot(np.maximum(p, q) - least, most - np.minimum(p, q))
    np.testing.assert_allclose(difference_lower(p, rows, q, reference_rows, alpha), np.maximum(exact, 0.0), atol=1e-9)
    assert (exact > 0).mean() > 0.1


def test_a_category_that_is_gone_is_proven_by_a_hundred_rows() -> None:
    assert difference_lower(0.0, 100, 0.2, 10_000, 1e-7).item() > 0.03


def test_the_degrees_of_freedom_are_those_of_the_variance_that_counts() -> None:
    """A window that is no wider than training has training's variance, which thousands of rows know."""
    narrow, wide = (mean_shift(100, 1.0, variance, 10_000, 0.0, 1.0, 1e-6) for variance in (0.9, 1.2))
    known = stats.norm.isf(5e-7) * math.sqrt(1 / 99 + 1 / 9_999)
    assert narrow.lower.item() == pytest.approx(1 - known, rel=2e-3)
    own = stats.t.isf(5e-7, 99) * math.sqrt(1.2 / 99 + 1 / 9_999)
    assert wide.lower.item() == pytest.approx(1 - own, rel=0.02)

"""Drift statistics against scipy's own, on the same samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import NumericSummary
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.divergence_bound import EXACT_UP_TO, noncentrality_lower
from agent.stats.drift.effect import Comparison, Effect
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import kolmogorov_smirnov, ks_of_counts
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.proportion_bound import difference_lower
from agent.stats.drift.psi import psi
from agent.stats.drift.wasserstein import wasserstein

Floats = NDArray[np.float64]

DRAWS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(sigma=1.0, size=n),
    "two_peaks": lambda rng, n: np.where(rng.random(n) < 0.3, -5.0, 5.0) + rng.normal(size=n) / 10,
    "whole_numbers": lambda rng, n: rng.poisson(3.0, n).astype(np.float64),
}
CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda x: x,
    "moved": lambda x: x + 0.5,
    "scaled": lambda x: x * 3,
    "far": lambda x: x * 1000,
}


def summary(values: Floats, edges: Floats) -> NumericSummary:
    sketch = NumericSketch(edges, np.arange(0, len(edges) + 1, 6))
    sketch.update(values)
    return sketch.result()


def effect_of(result: Comparison) -> Effect:
    assert isinstance(result, Effect)
    return result


def edges_of(values: Floats) -> Floats:
    return np.unique(np.quantile(values, np.arange(1, 60) / 60))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("draw", DRAWS)
def test_ks_never_exceeds_scipys_and_is_close_to_it(draw: str, change: str) -> None:
    rng = np.random.default_rng(7)
    reference, current = DRAWS[draw](rng, 4000), CHANGES[change](DRAWS[draw](rng, 2500))
    edges = edges_of(reference)
    got = effect_of(kolmogorov_smirnov(summary(current, edges), summary(reference, edges), 0.05))
    exact = stats.ks_2samp(current, reference)
    heaviest_bin = np.bincount(np.searchsorted(edges, reference, side="right")).max() / len(reference)
    assert exact.statistic - heaviest_bin - 1e-9 <= got.value <= exact.statistic + 1e-12


def test_ks_p_value_is_the_asymptotic_one() -> None:
    current, reference = np.array([130, 170, 200]), np.array([500, 500, 500])
    got = effect_of(ks_of_counts(current, reference, 0.05))
    values = [np.repeat([0.0, 1.0, 2.0], counts) for counts in (current, reference)]
    exact = stats.ks_2samp(values[0], values[1], method="asymp")
    assert got.value == pytest.approx(exact.statistic)
    assert got.p_value == pytest.approx(stats.kstwobign.sf(math.sqrt(500 * 1500 / 2000) * got.value))
    assert got.p_value == pytest.approx(exact.pvalue, rel=0.15)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("draw", DRAWS)
def test_wasserstein_is_close_to_scipys(draw: str, change: str) -> None:
    rng = np.random.default_rng(8)
    reference, current = DRAWS[draw](rng, 20_000), CHANGES[change](DRAWS[draw](rng, 10_000))
    edges = edges_of(reference)
    got = effect_of(wasserstein(summary(current, edges), summary(reference, edges), 0.05))
    exact = stats.wasserstein_distance(current, reference) / reference.std()
    # KLL flips a coin that nobody can seed; a heavy tail is where it is least sure
    tolerance = {"lognormal": 0.2, "exponential": 0.1}.get(draw, 0.05)
    assert got.value == pytest.approx(exact, rel=tolerance / 2, abs=tolerance)
    assert got.lower <= exact


def test_wasserstein_of_small_samples_without_edges_is_exact() -> None:
    rng = np.random.default_rng(9)
    reference, current = rng.normal(size=150), rng.normal(1.0, 2.0, 90)
    none = np.empty(0)
    got = effect_of(wasserstein(summary(current, none), summary(reference, none), 0.05))
    assert got.value == pytest.approx(stats.wasserstein_distance(current, reference) / reference.std(), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_jensen_shannon_is_scipys_in_base_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    current, reference = rng.integers(20, 500, 12), rng.integers(20, 500, 12)
    got = effect_of(jensen_shannon(current, reference, 0.05))
    assert got.value == pytest.approx(float(jensenshannon(current, reference, base=2)), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_chi_square_is_scipys_contingency_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(6, 5.0))
    current, reference = rng.multinomial(700, p), rng.multinomial(700, p)
    got = effect_of(chi_square(current, reference, 0.05))
    x2, p_value, _, _ = stats.chi2_contingency(np.vstack([current, reference]), correction=False)
    assert got.p_value == pytest.approx(p_value, rel=1e-9)
    assert got.value == pytest.approx(math.sqrt(x2 * (2 / 700)), rel=1e-9)  # equal sizes: the two definitions are one


def test_chi_square_p_value_with_unequal_sizes() -> None:
    current, reference = np.array([50, 30, 40]), np.array([4000, 3000, 3000])
    got = effect_of(chi_square(current, reference, 0.05))
    _, p_value, _, _ = stats.chi2_contingency(np.vstack([current, reference]), correction=False)
    assert got.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_psi_is_the_two_relative_entropies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    current, reference = rng.integers(20, 500, 10), rng.integers(20, 5000, 10)
    got = effect_of(psi(current, reference, 0.05))
    assert got.value == pytest.approx(
        float(stats.entropy(current + 1, reference + 1) + stats.entropy(reference + 1, current + 1)), rel=1e-9
    )


def test_mean_shift_p_value_is_welchs_where_the_spread_did_not_shrink() -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=900), rng.normal(0.1, 1.5, 300)
    none = np.empty(0)
    got = effect_of(mean_shift(summary(current, none), summary(reference, none), 0.05))
    exact = stats.ttest_ind(current, reference, equal_var=False)
    interval = exact.confidence_interval(0.95)
    assert got.p_value == pytest.approx(exact.pvalue, rel=2e-3)
    assert got.lower == pytest.approx(max(0.0, interval.low / reference.std()), abs=2e-3)


@pytest.mark.parametrize("alpha", [0.05, 1e-4, 1e-9])
@pytest.mark.parametrize("df", [1, 9, 60, 300])
@pytest.mark.parametrize("x", [2.0, 40.0, 400.0, 999.0, 1001.0, 50_000.0])
def test_noncentrality_bound_never_spends_more_than_alpha(x: float, df: int, alpha: float) -> None:
    bound = noncentrality_lower(x, df, alpha)
    slack = 1.001 if x <= EXACT_UP_TO else 1 / 0.92
    if bound > 0:
        assert stats.ncx2.sf(x, df, bound) <= alpha * 1.001
    else:
        assert stats.chi2.sf(x, df) >= alpha * 0.999  # no drift at all explains it
    assert stats.ncx2.sf(x, df, bound * slack + 1e-3) > alpha


@pytest.mark.parametrize(("count", "rows"), [(0, 40), (1, 50), (7, 60), (40, 40), (5000, 20_000)])
def test_bound_of_a_share_against_a_known_share_is_the_exact_interval(count: int, rows: int) -> None:
    known = 10**9  # so many rows of reference that it is as good as known
    interval = stats.binomtest(count, rows).proportion_ci(0.95, method="exact")
    got = difference_lower(count, rows, known // 2, known, 0.05)[0]
    expected = max(0.0, interval.low - 0.5, 0.5 - interval.high)
    assert got == pytest.approx(expected, abs=3e-4)

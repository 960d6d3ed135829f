"""Samples at the edge of what can be compared: empty, constant, tiny, huge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.stats.drift.binned import Binned
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.cramer_von_mises import cramer_von_mises
from agent.stats.drift.distinct_change import distinct_change
from agent.stats.drift.effect import Effect, effect
from agent.stats.drift.hellinger import hellinger
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import kolmogorov_smirnov
from agent.stats.drift.l_infinity import l_infinity
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.psi import psi
from agent.stats.drift.share_change import share_change
from agent.stats.drift.shares import shares_of, without_rare
from agent.stats.drift.total_variation import total_variation
from agent.stats.drift.variance_shift import variance_shift
from agent.stats.drift.wasserstein import wasserstein

Floats = NDArray[np.float64]
Numbers = Floats | list[float]

OVER_BINS: list[Callable[..., Effect]] = [
    psi, jensen_shannon, hellinger, total_variation, l_infinity, chi_square, kolmogorov_smirnov, cramer_von_mises,
]  # fmt: skip
EDGES = np.linspace(-2.0, 2.0, 59)
MIDDLE = np.asarray(EDGES[29])


def binned(values: Numbers, edges: Floats = EDGES) -> Binned:
    x = np.asarray(values, dtype=np.float64)
    finite = x[np.isfinite(x)]
    middle = edges[len(edges) // 2]
    bins = len(edges) + 1
    counts = np.bincount(np.searchsorted(edges, x, side="right"), minlength=bins)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.bincount(np.searchsorted(edges, finite, side="right"), finite - middle, bins).astype(np.float64)
        mean, variance = (finite.mean(), finite.var()) if finite.size else (np.nan, np.nan)
    return Binned(np.array(finite.size), np.asarray(mean), np.asarray(variance), counts, sums)


def all_of(current: Numbers, reference: Numbers, alpha: float = 1e-3, edges: Floats = EDGES) -> dict[str, Effect]:
    f, g, middle = binned(current, edges), binned(reference, edges), np.asarray(edges[len(edges) // 2])
    found = {each.__name__: each(f.counts, g.counts, alpha) for each in OVER_BINS}
    found["mean_shift"] = mean_shift(f.count, f.mean, f.variance, g.count, g.mean, g.variance, alpha)
    found["wasserstein"] = wasserstein(f, g, edges, middle, alpha)
    found["variance_shift"] = variance_shift(f, g, edges, middle, alpha)
    return found


def normal(rows: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=rows)


@pytest.mark.parametrize(("current", "reference"), [([], [1.0, 2.0]), ([1.0, 2.0], []), ([], [])])
def test_an_empty_sample_is_undefined(current: list[float], reference: list[float]) -> None:
    for name, result in all_of(current, reference).items():
        assert np.isnan(result.value).all(), name
        assert np.isnan(result.lower).all(), name
        assert result.p_value is None or np.isnan(result.p_value).all()


def test_no_rows_have_no_shares_and_no_categories() -> None:
    for result in (
        share_change(0, 0, 5, 10, 0.05),
        share_change(3, 10, 0, 0, 0.05),
        share_change(0, 0, 0, 0, 0.05),
        distinct_change(np.array([0, 0, 0]), 0, np.array([4, 4, 0]), 2, 0.05),
        distinct_change(np.array([4, 4, 0]), 2, np.array([0, 0, 0]), 0, 0.05),
    ):
        assert np.isnan(result.value).all()
        assert np.isnan(result.lower).all()


def test_where_all_is_missing_the_missing_share_says_it() -> None:
    result = share_change(200, 200, 0, 300, 0.05)
    assert result.value.item() == 1.0
    assert result.lower.item() > 0.9


def test_a_constant_that_moves_is_seen_by_every_statistic_over_bins() -> None:
    edges = np.array([7.0, np.nextafter(7.0, np.inf)])
    same, other = (all_of(np.full(300, x), np.full(500, 7.0), edges=edges) for x in (7.0, 7.01))
    for statistic in OVER_BINS:
        assert same[statistic.__name__].value.item() == same[statistic.__name__].lower.item() == 0.0
        assert other[statistic.__name__].lower > 0.5
    for name in ("mean_shift", "wasserstein", "variance_shift"):
        assert np.isnan(same[name].value).all()
        assert np.isnan(other[name].value).all()


def test_a_window_that_became_constant_has_no_variance_but_a_distance() -> None:
    found = all_of(np.zeros(500), normal(10_000))
    assert np.isnan(found["variance_shift"].value).all()
    assert found["kolmogorov_smirnov"].lower > 0.2
    assert found["wasserstein"].lower > 0.3


def test_rounding_is_not_a_spread() -> None:
    reference = np.full(1000, 0.1) + np.tile([0.0, 1e-17], 500)
    assert np.isnan(all_of([0.1] * 200, reference)["mean_shift"].value)


def test_one_ordinary_row_proves_nothing() -> None:
    for name, result in all_of([1.5], normal(10_000)).items():
        assert np.isnan(result.lower) or result.lower == 0.0, name


def test_ten_ordinary_rows_prove_nothing() -> None:
    for seed in range(50):
        for name, result in all_of(normal(10, seed), normal(10_000), 1e-4).items():
            assert result.lower == 0.0, name


def test_infinite_values_alone_have_a_distribution_but_no_moments() -> None:
    found = all_of([np.inf] * 300, normal(10_000))
    for name in ("mean_shift", "wasserstein", "variance_shift"):
        assert np.isnan(found[name].value)
    assert found["kolmogorov_smirnov"].lower > 0.5


def test_some_infinite_values_are_no_distance() -> None:
    values = normal(5000)
    values[:25] = np.inf
    result = all_of(values, normal(10_000, 2))["wasserstein"]
    assert result.value < 0.1
    assert result.lower == 0.0


@pytest.mark.parametrize("size", [1e100, 1e154, 1e308])
def test_values_beyond_the_floats_are_undefined_not_infinite(size: float) -> None:
    for result in all_of([size, -size, size] * 50, normal(10_000)).values():
        assert np.isnan(result.value) or np.isfinite(result.value)
        assert np.isnan(result.lower) == np.isnan(result.value)


def test_a_unit_change_is_seen_by_all() -> None:
    for name, result in all_of(normal(2000) * 1000, normal(10_000, 2)).items():
        assert name == "mean_shift" or result.lower > 0.1, name


def test_the_same_shares_are_never_flagged_at_ten_million_rows() -> None:
    counts = np.array([1_000_000, 3_000_000, 6_000_000])
    for statistic in OVER_BINS:
        assert statistic(counts, counts * 3, 0.5).lower == 0.0


def test_an_infinite_number_makes_an_effect_undefined() -> None:
    result = effect(np.array([1.0, np.inf, 1.0]), np.array([-1.0, 0.5, 9.0]), 1, 1, np.array(True), np.array([2.0, 0.5, np.nan]))
    assert result.lower.tolist()[::2] == [0.0, 1.0]
    assert np.isnan(result.value).tolist() == [False, True, False]


def test_pooled_bins_are_one_bin_of_their_own_where_they_are_many() -> None:
    shares = shares_of(np.array([88, 3, 3, 3, 3]), np.array([880, 30, 30, 30, 30]), 1.0)
    p, _, bins = without_rare(shares)
    assert bins == 2
    assert sorted(p.round(2).tolist()) == [0.0, 0.0, 0.0, 0.12, 0.88]


def test_pooled_bins_join_the_rarest_where_they_are_few() -> None:
    p, q, bins = without_rare(shares_of(np.array([60, 38, 2]), np.array([600, 390, 10]), 1.0))
    assert bins == 2
    assert p.round(3).tolist() == [0.6, 0.4, 0.0]
    assert q.round(3).tolist() == [0.6, 0.4, 0.0]


def test_all_bins_rare_are_one() -> None:
    _, _, bins = without_rare(shares_of(np.array([2, 1, 1]), np.array([300, 400, 300]), 1.0))
    assert bins == 1


def test_bins_become_rare_by_overdispersion() -> None:
    bins = [without_rare(shares_of(np.array([50, 30, 20]), np.array([500, 300, 200]), phi))[2].item() for phi in (1.0, 5.0)]
    assert bins == [3.0, 2.0]


def test_cohens_w_does_not_grow_with_the_training_set() -> None:
    window, reference = np.array([500, 480, 20]), np.array([[5000, 5000, 0], [50_000_000, 50_000_000, 0]])
    small, large = chi_square(window, reference, 0.05).value
    assert small == pytest.approx(large)

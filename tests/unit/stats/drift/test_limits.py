"""Samples at the edge of what can be compared: empty, constant, tiny, huge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from agent.config import load
from agent.evaluate.rule import Rule
from agent.evaluate.table import STATISTICS, Statistic
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.effect import Effect, Undefined, effect
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.psi import psi

THRESHOLDS = Rule.from_settings(load({})).thresholds
EDGES = np.linspace(-2.0, 2.0, 59)
NUMERIC = [statistic for statistic in STATISTICS if "numeric" in statistic.kinds]
CATEGORY = [statistic for statistic in STATISTICS if "category" in statistic.kinds]
DISTRIBUTION = [statistic for statistic in STATISTICS if statistic.name != "missing"]
MANY = 10_000_000


def numeric(values: NDArray[np.float64] | list[float], edges: NDArray[np.float64] = EDGES) -> NumericSummary:
    sketch = NumericSketch(edges, np.arange(0, len(edges) + 1, 6))
    sketch.update(np.asarray(values, dtype=np.float64))
    return sketch.result()


def category(counts: list[int], unseen: int = 0, missing: int = 0) -> CategorySummary:
    names = tuple("abcdefghij"[: len(counts)])
    return CategorySummary(sum(counts) + unseen + missing, missing, names, np.array(counts), unseen, float(len(counts)))


def normal(rows: int, shift: float = 0.0, *, missing: int = 0) -> NumericSummary:
    """Give a Normal's summary with so many rows as its expected counts."""
    shares = np.diff(np.concatenate([[0.0], ndtr(EDGES - shift), [1.0]]))
    counts = np.floor(shares * rows).astype(np.int64)
    counts[len(counts) // 2] += rows - counts.sum()
    points = ndtri((np.arange(500) + 0.5) / 500) + shift
    return NumericSummary(
        rows + missing, missing, 0, rows, shift, 1.0, -5.0 + shift, 5.0 + shift, EDGES, counts, np.arange(0, 60, 6),
        points, np.full(500, rows / 500),
    )  # fmt: skip


def pairs(
    current: Summary, reference: Summary, statistics: list[Statistic], alpha: float = 0.05
) -> dict[str, Effect | Undefined]:
    return {statistic.name: statistic.compare(current, reference, alpha) for statistic in statistics}


def test_an_empty_window_and_an_empty_reference_are_undefined() -> None:
    full, empty = numeric([1.0, 2.0, 3.0]), numeric([])
    for one, other in ((empty, full), (full, empty), (empty, empty)):
        assert all(isinstance(result, Undefined) for result in pairs(one, other, NUMERIC).values())
    for c, r in ((category([0, 0]), category([5, 5])), (category([5, 5]), category([0, 0]))):
        assert all(isinstance(result, Undefined) for result in pairs(c, r, CATEGORY).values())


def test_where_all_is_missing_only_the_missing_share_is_defined() -> None:
    results = pairs(numeric([math.nan] * 200), numeric(np.zeros(300)), NUMERIC)
    missing = results.pop("missing")
    assert isinstance(missing, Effect)
    assert missing.value == 1.0
    assert missing.lower > 0.9
    assert all(isinstance(result, Undefined) for result in results.values())


def test_a_constant_reference_has_no_sigma_but_is_compared_by_its_bins() -> None:
    edges = np.array([7.0, np.nextafter(7.0, np.inf)])
    reference = numeric(np.full(500, 7.0), edges)
    same = pairs(numeric(np.full(300, 7.0), edges), reference, NUMERIC)
    other = pairs(numeric(np.full(300, 8.0), edges), reference, NUMERIC)
    assert isinstance(same["mean_shift"], Undefined)
    assert isinstance(same["wasserstein"], Undefined)
    ks_same, ks_other = same["ks"], other["ks"]
    assert isinstance(ks_same, Effect)
    assert isinstance(ks_other, Effect)
    assert (ks_same.value, ks_other.value) == (0.0, 1.0)


def test_rounding_is_not_a_spread() -> None:
    reference = numeric(np.full(1000, 0.1) + np.tile([0.0, 1e-17], 500))
    assert isinstance(mean_shift(numeric([0.1] * 200), reference, 0.05), Undefined)


def test_a_constant_category_is_no_drift() -> None:
    results = pairs(category([400]), category([900]), CATEGORY)
    assert all(isinstance(result, Effect) and (result.value, result.lower) == (0.0, 0.0) for result in results.values())
    chi = results["chi_square"]
    assert isinstance(chi, Effect)
    assert chi.p_value == 1.0


def test_a_new_category_is_counted_and_never_crashes() -> None:
    results = pairs(category([500, 300], unseen=200), category([6000, 4000]), CATEGORY)
    for name, result in results.items():
        assert isinstance(result, Effect)
        assert name == "missing" or result.lower > 0


def test_one_ordinary_row_gives_no_bound() -> None:
    for result in (
        *pairs(numeric([1.5]), normal(10_000), NUMERIC).values(),
        *pairs(category([0, 1]), category([9000, 1000]), CATEGORY).values(),
    ):
        assert isinstance(result, Undefined) or result.lower < 0.05


def test_infinite_values_alone_have_a_distribution_but_no_mean() -> None:
    results = pairs(numeric([math.inf] * 300), normal(10_000), NUMERIC)
    assert isinstance(results["mean_shift"], Undefined)
    assert isinstance(results["wasserstein"], Undefined)
    ks = results["ks"]
    assert isinstance(ks, Effect)
    assert ks.lower > 0.5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_beyond_the_floats_are_undefined_not_infinite() -> None:
    for statistic in NUMERIC:
        result = statistic.compare(numeric([1e308, -1e308, 1e308] * 50), normal(10_000), 0.05)
        assert isinstance(result, Undefined) or math.isfinite(result.value)


def test_identical_distributions_are_never_flagged_at_ten_million_rows() -> None:
    for results in (
        pairs(normal(MANY), normal(MANY), NUMERIC),
        pairs(normal(MANY), normal(20_000), NUMERIC),
        pairs(category([6 * MANY, 4 * MANY]), category([6 * MANY, 4 * MANY]), CATEGORY),
    ):
        assert all(isinstance(result, Effect) and result.lower == 0.0 for result in results.values())


def test_a_trivial_effect_is_never_flagged_at_ten_million_rows_but_its_p_value_is_zero() -> None:
    numbers = pairs(normal(MANY, 0.05, missing=MANY // 1000), normal(MANY), NUMERIC)
    categories = pairs(category([6_100_000, 3_890_000], unseen=10_000), category([6_000_000, 4_000_000]), CATEGORY)
    for results in (numbers, categories):
        for name, result in results.items():
            assert isinstance(result, Effect)
            assert result.lower <= THRESHOLDS[name]
            assert result.p_value is None or result.p_value < 1e-100


def test_a_real_drift_is_found_with_rows_enough() -> None:
    numbers = pairs(normal(20_000, 0.5, missing=4000), normal(20_000), NUMERIC, 1e-6)
    categories = pairs(category([8000, 10_000], unseen=2000, missing=4000), category([12_000, 8000]), CATEGORY, 1e-6)
    for results in (numbers, categories):
        for name, result in results.items():
            assert isinstance(result, Effect)
            assert result.lower > THRESHOLDS[name], name


def test_ten_rows_prove_nothing_less_than_the_extreme() -> None:
    rng = np.random.default_rng(6)
    reference = normal(10_000)
    for _ in range(200):
        for name, result in pairs(numeric(rng.normal(size=10)), reference, NUMERIC, 1e-3).items():
            assert isinstance(result, Effect)
            assert result.lower <= THRESHOLDS[name]


def test_psi_is_not_biased_by_the_number_of_categories() -> None:
    rng = np.random.default_rng(4)
    shares = rng.dirichlet(np.full(300, 0.3))
    for rows in (100, 400, 2000):
        result = psi(rng.multinomial(rows, shares), rng.multinomial(50_000, shares), 1e-3)
        assert isinstance(result, Effect)
        assert result.lower < 0.02


def test_cohens_w_does_not_grow_with_the_training_set() -> None:
    window = np.array([500, 480, 20])
    small = chi_square(window, np.array([5000, 5000, 0]), 0.05)
    large = chi_square(window, np.array([50_000_000, 50_000_000, 0]), 0.05)
    assert isinstance(small, Effect)
    assert isinstance(large, Effect)
    assert small.value == pytest.approx(large.value)


def test_a_bound_stays_between_zero_and_the_value() -> None:
    low, high = effect(0.5, -1.0, 1, 1), effect(-0.5, 0.9, 1, 1, 1.5)
    assert isinstance(low, Effect)
    assert isinstance(high, Effect)
    assert (low.lower, high.lower, high.p_value) == (0.0, 0.5, 1.0)
    assert isinstance(effect(math.nan, 0.0, 1, 1), Undefined)

"""What must hold for every drift statistic, whatever the samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.evaluate.table import STATISTICS, Statistic
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.effect import Effect, Undefined
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import ks_of_counts
from agent.stats.drift.l_infinity import l_infinity
from agent.stats.drift.psi import psi

OVER_COUNTS = (psi, jensen_shannon, chi_square, l_infinity, ks_of_counts)
RANGES = {"js": 1.0, "ks": 1.0, "l_infinity": 1.0, "missing": 1.0, "chi_square": 2.0}

counts = st.lists(st.integers(0, 10**7), min_size=2, max_size=30)
pairs = st.integers(2, 30).flatmap(
    lambda bins: st.tuples(
        st.lists(st.integers(0, 10**7), min_size=bins, max_size=bins),
        st.lists(st.integers(0, 10**7), min_size=bins, max_size=bins),
    )
)
floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
columns = st.lists(floats, max_size=40).map(lambda values: np.array(values, dtype=np.float64))
alphas = st.sampled_from([0.05, 1e-3, 1e-9, 1e-30])


def numeric(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NumericSummary:
    sketch = NumericSketch(edges, np.arange(0, len(edges) + 1, 2))
    with np.errstate(all="ignore"):
        sketch.update(values)
    return sketch.result()


def category(numbers: list[int], missing: int) -> CategorySummary:
    names = tuple(f"c{i}" for i in range(len(numbers) - 1))
    rows = sum(numbers) + missing
    return CategorySummary(rows, missing, names, np.array(numbers[:-1], dtype=np.int64), numbers[-1], float(len(numbers)))


def check(statistic: Statistic, current: Summary, reference: Summary, alpha: float) -> None:
    result = statistic.compare(current, reference, alpha)
    if isinstance(result, Undefined):
        assert result.reason
        return
    assert np.isfinite([result.value, result.lower]).all()
    assert 0 <= result.lower <= abs(result.value) + 1e-12
    assert abs(result.value) <= RANGES.get(statistic.name, np.inf) * (1 + 1e-12)
    assert result.p_value is None or 0 <= result.p_value <= 1


@settings(max_examples=60, deadline=None)
@given(columns, columns, st.lists(st.floats(-1e300, 1e300), max_size=9), alphas)
def test_any_numbers_give_a_finite_effect_or_undefined(
    current: NDArray[np.float64], reference: NDArray[np.float64], edges: list[float], alpha: float
) -> None:
    frozen = np.unique(np.array(edges, dtype=np.float64))
    for statistic in STATISTICS:
        if "numeric" in statistic.kinds:
            check(statistic, numeric(current, frozen), numeric(reference, frozen), alpha)


@settings(max_examples=60, deadline=None)
@given(pairs, st.integers(0, 50), st.integers(0, 50), alphas)
def test_any_categories_give_a_finite_effect_or_undefined(
    pair: tuple[list[int], list[int]], missing: int, reference_missing: int, alpha: float
) -> None:
    for statistic in STATISTICS:
        if "category" in statistic.kinds:
            check(statistic, category(pair[0], missing), category(pair[1], reference_missing), alpha)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_distances_are_symmetric(pair: tuple[list[int], list[int]]) -> None:
    current, reference = np.array(pair[0]), np.array(pair[1])
    for statistic in OVER_COUNTS:
        one, other = statistic(current, reference, 0.05), statistic(reference, current, 0.05)
        if isinstance(one, Undefined):
            assert isinstance(other, Undefined)
            continue
        assert isinstance(other, Effect)
        assert [one.value, one.lower] == pytest.approx([other.value, other.lower], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(1, 1000))
def test_the_same_shares_are_no_distance(numbers: list[int], times: int) -> None:
    current = np.array(numbers) + 1
    for statistic in OVER_COUNTS:
        result = statistic(current, current * times, 0.05)
        assert isinstance(result, Effect)
        assert result.lower == 0.0
        if statistic is not psi:  # its smoothing row weighs more in the smaller sample
            assert result.value == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(pairs, st.data())
def test_merging_two_neighbouring_bins_never_raises_a_distance(pair: tuple[list[int], list[int]], data: st.DataObject) -> None:
    # thousand rows in each bin at least: pooling of rare bins is another merge
    current, reference = np.array(pair[0]) + 1000, np.array(pair[1]) + 1000
    at = data.draw(st.integers(0, len(current) - 2))
    for statistic in (ks_of_counts, jensen_shannon, chi_square, psi):
        whole = statistic(current, reference, 0.05)
        merged = statistic(np.add.reduceat(current, starts(len(current), at)), merge(reference, at), 0.05)
        assert isinstance(whole, Effect)
        assert isinstance(merged, Effect)
        assert merged.value <= whole.value + (2e-3 if statistic is psi else 1e-9)


def starts(bins: int, at: int) -> NDArray[np.int64]:
    return np.delete(np.arange(bins), at + 1)


def merge(numbers: NDArray[np.int64], at: int) -> NDArray[np.int64]:
    return np.add.reduceat(numbers, starts(len(numbers), at))


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_a_smaller_error_is_never_a_higher_bound(pair: tuple[list[int], list[int]]) -> None:
    current, reference = np.array(pair[0]), np.array(pair[1])
    for statistic in OVER_COUNTS:
        results = [statistic(current, reference, alpha) for alpha in (0.1, 1e-3, 1e-6, 1e-15)]
        bounds = [result.lower for result in results if isinstance(result, Effect)]
        assert all(later <= earlier + 1e-9 for earlier, later in pairwise(bounds))

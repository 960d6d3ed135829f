"""What must hold for every drift statistic, whatever the samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

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

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Pair = tuple[Counts, Counts]

TOPS = {
    psi: np.inf,
    jensen_shannon: 1.0,
    hellinger: 1.0,
    total_variation: 1.0,
    l_infinity: 1.0,
    chi_square: 2.0,
    kolmogorov_smirnov: 1.0,
    cramer_von_mises: 1.0,
}
OVER_BINS = list(TOPS)
ALPHAS = (0.3, 0.05, 1e-3, 1e-6, 1e-15, 1e-100)

cells = st.one_of(st.just(0), st.integers(0, 30), st.integers(0, 10**7))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 20)).flatmap(
    lambda shape: st.tuples(arrays(np.int64, shape, elements=cells), arrays(np.int64, shape[1:], elements=cells))
)
factors = st.sampled_from([1.0, 1.7, 40.0])
over_bins = pytest.mark.parametrize("statistic", OVER_BINS, ids=lambda each: each.__name__)
law = settings(max_examples=60, deadline=None)


def check(result: Effect, shape: tuple[int, ...], top: float = np.inf) -> None:
    assert result.value.shape == result.lower.shape == result.rows.shape == result.reference_rows.shape == shape
    undefined = np.isnan(result.value)
    assert (np.isnan(result.lower) == undefined).all()
    value, lower = np.abs(result.value[~undefined]), result.lower[~undefined]
    assert np.isfinite(value).all()
    assert ((lower >= 0) & (lower <= value) & (value <= top * (1 + 1e-12))).all()
    if result.p_value is not None:
        assert (np.isnan(result.p_value) == undefined).all()
        assert ((result.p_value[~undefined] >= 0) & (result.p_value[~undefined] <= 1)).all()


@over_bins
@law
@given(pairs, st.sampled_from(ALPHAS), factors)
def test_any_counts_give_a_finite_effect_in_range_or_none(
    statistic: Callable[..., Effect], pair: Pair, alpha: float, factor: float
) -> None:
    current, reference = pair
    result = statistic(current, reference, alpha, factor)
    check(result, current.shape[:-1], TOPS[statistic])
    empty = (current.sum(axis=-1) == 0) | (reference.sum(axis=-1) == 0)
    assert (np.isnan(result.value) == empty).all()
    assert (result.rows == current.sum(axis=-1)).all()


@over_bins
@law
@given(pairs, factors)
def test_leading_axes_are_a_loop(statistic: Callable[..., Effect], pair: Pair, factor: float) -> None:
    current, reference = pair
    factors_by_column = factor + np.arange(current.shape[1])
    result = statistic(current, reference, 1e-3, factors_by_column)
    for at in np.ndindex(*current.shape[:-1]):
        one = statistic(current[at], reference[at[1]], 1e-3, float(factors_by_column[at[1]]))
        expected = [one.value.item(), one.lower.item()]
        assert [result.value[at], result.lower[at]] == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True)


@over_bins
@law
@given(pairs, st.integers(1, 5), factors)
def test_padding_changes_nothing(statistic: Callable[..., Effect], pair: Pair, more: int, factor: float) -> None:
    plain = statistic(*pair, 1e-3, factor)
    padded = (np.concatenate([each, np.zeros((*each.shape[:-1], more), dtype=np.int64)], axis=-1) for each in pair)
    result = statistic(*padded, 1e-3, factor)
    assert np.allclose(result.value, plain.value, rtol=1e-9, atol=1e-7, equal_nan=True)
    assert np.allclose(result.lower, plain.lower, rtol=1e-2, atol=1e-6, equal_nan=True)


@over_bins
@law
@given(pairs)
def test_distances_are_symmetric(statistic: Callable[..., Effect], pair: Pair) -> None:
    one, other = statistic(*pair, 1e-3), statistic(*pair[::-1], 1e-3)
    assert np.allclose(one.value, other.value, atol=1e-7, equal_nan=True)
    assert np.allclose(one.lower, other.lower, rtol=1e-6, atol=1e-7, equal_nan=True)


@over_bins
@law
@given(pairs, st.integers(1, 1000))
def test_the_same_shares_are_no_distance(statistic: Callable[..., Effect], pair: Pair, times: int) -> None:
    current = pair[0] + 1
    result = statistic(current, current * times, 0.05)
    assert (result.lower == 0).all()
    if statistic is not psi:  # its smoothing row weighs more in the smaller sample
        assert np.allclose(result.value, 0.0, atol=1e-6)


@over_bins
@law
@given(pairs)
def test_a_smaller_error_is_never_a_higher_bound(statistic: Callable[..., Effect], pair: Pair) -> None:
    bounds = np.nan_to_num([statistic(*pair, alpha).lower for alpha in ALPHAS])
    assert (np.diff(bounds, axis=0) <= 1e-9).all()


@over_bins
@law
@given(pairs)
def test_more_overdispersion_is_never_a_higher_bound_of_many_rows(statistic: Callable[..., Effect], pair: Pair) -> None:
    # a thousand rows in each bin at least: bins pooled as rare may add up to a clearer change
    bounds = np.array([statistic(pair[0] + 1000, pair[1] + 1000, 1e-3, factor).lower for factor in (1.0, 2.0, 8.0)])
    assert (np.diff(bounds, axis=0) <= 1e-9).all()


@dataclass(frozen=True)
class Windows:
    current: Binned
    reference: Binned
    edges: Floats
    origin: Floats


def binned(samples: list[list[Floats]], edges: Floats, width: int) -> Binned:
    """Samples of several scales and columns, in bins of which all but the first ``len(edges) + 1`` are padding."""
    shape = (len(samples), len(samples[0]))
    counts, sums = np.zeros((*shape, width), dtype=np.int64), np.zeros((*shape, width))
    count, mean, variance = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
    with np.errstate(all="ignore"):
        for at in np.ndindex(*shape):
            x = samples[at[0]][at[1]]
            x = x[~np.isnan(x)]
            finite = x[np.isfinite(x)]
            counts[at] = np.bincount(np.searchsorted(edges, x, side="right"), minlength=width)
            away = finite - (edges[len(edges) // 2] if len(edges) else 0.0)
            sums[at] = np.bincount(np.searchsorted(edges, finite, side="right"), away, width)
            count[at] = finite.size
            if finite.size:
                mean[at], variance[at] = finite.mean(), finite.var()
    return Binned(count, mean, variance, counts, sums)


floats = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-10, 10), st.sampled_from([0.0, 1.0]))
columns = st.lists(st.lists(floats, max_size=25).map(lambda x: np.array(x, dtype=np.float64)), min_size=3, max_size=3)
edge_lists = st.lists(st.one_of(st.floats(-5, 5), st.floats(-1e300, 1e300)), max_size=6)


def windows(samples: list[Floats], edges: list[float], padding: int) -> Windows:
    frozen = np.unique(np.array(edges, dtype=np.float64))
    width = len(frozen) + 1 + padding
    padded = np.append(frozen, np.full(padding, np.inf))[None, :]
    middle = np.array([frozen[len(frozen) // 2] if len(frozen) else 0.0])
    reference = binned([samples[2:]], frozen, width)
    return Windows(binned([samples[:1], samples[1:2]], frozen, width), reference, padded, middle)


def numeric(w: Windows, alpha: float, factor: float) -> dict[str, Effect]:
    f, g = w.current, w.reference
    return {
        "mean_shift": mean_shift(f.count, f.mean, f.variance, g.count, g.mean, g.variance, alpha, factor),
        "wasserstein": wasserstein(f, g, w.edges, w.origin, alpha, factor),
        "variance_shift": variance_shift(f, g, w.edges, w.origin, alpha, factor),
    }


@settings(max_examples=200, deadline=None)
@given(columns, edge_lists, st.sampled_from(ALPHAS), factors)
def test_any_numbers_give_a_finite_effect_or_none(samples: list[Floats], edges: list[float], alpha: float, factor: float) -> None:
    for result in numeric(windows(samples, edges, 0), alpha, factor).values():
        check(result, (2, 1))


@law
@given(columns, edge_lists, st.integers(1, 4))
def test_padding_and_leading_axes_change_nothing_for_numbers(samples: list[Floats], edges: list[float], padding: int) -> None:
    plain, padded = (numeric(windows(samples, edges, more), 1e-3, 1.0) for more in (0, padding))
    single = windows([samples[1], samples[1], samples[2]], edges, 0)
    for name, result in plain.items():
        assert np.allclose(result.value, padded[name].value, equal_nan=True)
        assert np.allclose(result.lower, padded[name].lower, rtol=1e-2, equal_nan=True)
        alone = numeric(single, 1e-3, 1.0)[name]
        assert np.allclose(result.value[1], alone.value[0], equal_nan=True)
        assert np.allclose(result.lower[1], alone.lower[0], equal_nan=True)


@law
@given(columns, edge_lists)
def test_a_smaller_error_is_never_a_higher_bound_for_numbers(samples: list[Floats], edges: list[float]) -> None:
    w = windows(samples, edges, 0)
    for name in ("mean_shift", "wasserstein", "variance_shift"):
        bounds = np.nan_to_num([numeric(w, alpha, 1.0)[name].lower for alpha in ALPHAS])
        assert (np.diff(bounds, axis=0) <= 1e-9 * (1 + bounds[:-1])).all(), name


@law
@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(ALPHAS), factors
)
def test_any_shares_give_an_effect_in_range_and_the_reverse_is_its_negative(
    count: int, others: int, reference: int, reference_others: int, alpha: float, factor: float
) -> None:
    first, second = (count, count + others), (reference, reference + reference_others)
    check(share_change(*first, *second, alpha, factor), (), 1.0)
    one, other = share_change(*first, *second, alpha), share_change(*second, *first, alpha)
    assert one.value.item() == pytest.approx(-other.value.item(), nan_ok=True)
    assert one.lower.item() == pytest.approx(other.lower.item(), abs=1e-9, nan_ok=True)


@law
@given(pairs, st.sampled_from(ALPHAS), factors)
def test_any_categories_give_a_finite_change_of_their_number_or_none(pair: Pair, alpha: float, factor: float) -> None:
    current, reference = pair
    numbers = [np.count_nonzero(each, axis=-1) for each in pair]
    result = distinct_change(current, numbers[0], reference, numbers[1], alpha, factor)
    check(result, current.shape[:-1])
    known = reference[..., :-1].sum(axis=-1) > 0
    assert (np.isfinite(result.value) == ((current.sum(axis=-1) > 0) & known)).all()

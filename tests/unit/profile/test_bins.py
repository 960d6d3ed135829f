"""Frozen bins: nested, heavy values alone, few values one by one, constants in the middle of three."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.profile.bins import MAX_BINS, Bins, choose_bins, roundest

MAX = 1.7976931348623157e308


def bins_of(values: NDArray[np.float64], *, whole: bool = False) -> tuple[Bins, NDArray[np.int64]]:
    distinct, weights = np.unique(values, return_counts=True)
    bins = choose_bins(distinct, weights, whole=whole)
    counts = np.bincount(np.searchsorted(bins.edges, values, side="right"), minlength=len(bins.edges) + 1)
    return bins, counts


def test_continuous_values_give_ten_deciles_of_six() -> None:
    bins, counts = bins_of(np.random.default_rng(1).normal(size=12_000))
    assert bins.coarse.tolist() == [0, 6, 12, 18, 24, 30, 36, 42, 48, 54]
    assert len(counts) == MAX_BINS
    assert np.abs(np.add.reduceat(counts, bins.coarse) - 1200).max() <= 1
    assert np.abs(counts - 200).max() <= 2


def test_constant_has_below_equal_above() -> None:
    bins, counts = bins_of(np.full(9, 5.0), whole=True)
    assert bins.edges.tolist() == [5.0, math.nextafter(5.0, math.inf)]
    assert counts.tolist() == [0, 9, 0]
    assert bins.coarse.tolist() == [0, 1, 2]


def test_no_values_give_one_bin() -> None:
    bins = choose_bins(np.empty(0), np.empty(0, dtype=np.int64), whole=True)
    assert bins.edges.tolist() == []
    assert bins.coarse.tolist() == [0]


def test_few_whole_numbers_get_one_bin_a_value() -> None:
    bins, counts = bins_of(np.repeat(np.arange(3.0, 15.0), 10), whole=True)
    assert bins.edges.tolist() == list(np.arange(3.0, 16.0))
    assert counts.tolist() == [0, *[10] * 12, 0]


def test_whole_numbers_with_gaps_keep_the_gaps_apart() -> None:
    bins, counts = bins_of(np.repeat([1.0, 2.0, 7.0], 10), whole=True)
    assert bins.edges.tolist() == [1.0, 2.0, 3.0, 7.0, 8.0]
    assert counts.tolist() == [0, 10, 10, 0, 10, 0]


def test_heavy_value_among_others_is_alone() -> None:
    rng = np.random.default_rng(2)
    values = np.where(rng.random(10_000) < 0.4, 0.0, rng.normal(size=10_000))
    bins, counts = bins_of(values)
    place = int(np.searchsorted(bins.edges, 0.0, side="right"))
    assert (bins.edges[place - 1], bins.edges[place]) == (0.0, math.nextafter(0.0, math.inf))
    assert counts[place] == (values == 0.0).sum()
    # So heavy a value is a coarse bin too.
    assert place in bins.coarse
    assert place + 1 in bins.coarse


def test_value_a_bit_wider_than_a_fine_bin_is_alone() -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random(10_000) < 0.03, 0.5, rng.random(10_000))
    bins, counts = bins_of(values)
    assert counts[int(np.searchsorted(bins.edges, 0.5, side="right"))] == (values == 0.5).sum()
    assert len(bins.coarse) == 10


@pytest.mark.parametrize(
    "values",
    [
        np.array([-MAX, MAX]), np.array([MAX]), np.array([-MAX]), np.array([5e-324, 0.0, -5e-324]),
        np.repeat(np.arange(40.0) * 0.37, 50), np.r_[np.zeros(1000), 1.0], np.linspace(-MAX / 2, MAX / 2, 5000),
        np.r_[np.repeat(np.arange(30.0), 30), np.random.default_rng(0).random(900)], 2.0**53 + np.arange(0, 4000, 2.0),
        np.round(np.random.default_rng(1).exponential(size=5000), 1), np.arange(59.0), np.arange(60.0), np.arange(61.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whole", [False, True])
def test_odd_shapes_obey_the_rules(values: NDArray[np.float64], whole: bool) -> None:
    bins, counts = bins_of(values, whole=whole and bool((values == np.floor(values)).all()))
    assert np.isfinite(bins.edges).all()
    assert (bins.edges[:-1] < bins.edges[1:]).all()
    assert len(counts) <= MAX_BINS
    assert bins.coarse[0] == 0
    assert (np.diff(bins.coarse) > 0).all()
    assert bins.coarse[-1] < len(counts)
    assert len(bins.coarse) <= 10


def test_changed_unit_fills_an_outer_bin() -> None:
    values = np.random.default_rng(4).uniform(1, 2, size=6000)
    bins, _ = bins_of(values)
    assert (np.searchsorted(bins.edges, values * 1000, side="right") == MAX_BINS - 1).all()


@pytest.mark.parametrize(("low", "high"), [(0.123, 0.124), (-3.0, 5.0), (1e300, 1.1e300), (-MAX, MAX), (0.0, 5e-324)])
def test_roundest_is_between(low: float, high: float) -> None:
    assert low < roundest(low, high) <= high


def test_edges_are_short_in_the_file() -> None:
    bins, _ = bins_of(np.random.default_rng(5).normal(size=5000))
    assert np.mean([len(repr(edge)) for edge in bins.edges.tolist()]) < 9


@pytest.mark.parametrize("low", [0.1, 2.5, 100.2, 70_000.3])
def test_a_value_of_its_own_is_in_its_bin_as_a_float32_too(low: float) -> None:
    values = np.repeat(low + np.arange(12) / 10, 50)
    bins, _ = bins_of(values, whole=False)
    single = values.astype(np.float32).astype(float)
    assert np.array_equal(np.searchsorted(bins.edges, values, "right"), np.searchsorted(bins.edges, single, "right"))
    from_single, _ = bins_of(single, whole=False)
    assert np.array_equal(
        np.searchsorted(from_single.edges, values, "right"), np.searchsorted(from_single.edges, single, "right")
    )


def test_values_closer_than_a_float32_can_tell_keep_bins_of_their_own() -> None:
    values = np.repeat([1.0 + 1e-12, 1.0 + 2e-12, 1.0 + 3e-12], 100)
    bins, counts = bins_of(values, whole=False)
    assert sorted(counts[counts > 0].tolist()) == [100, 100, 100]
    assert np.all(np.diff(bins.edges) > 0)

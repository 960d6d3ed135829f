from __future__ import annotations

from math import fsum

import msgspec
import numpy as np
import pytest

from agent.errors import OutriderError
from agent.sketch.bins import FEW, BinCounts, origin_of

EDGES = np.sort(np.random.default_rng(0).normal(size=59))


def sums_of(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], edges: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[float]:
    places = np.searchsorted(edges, values, side="right")
    return [fsum((values[places == place] - origin_of(edges)).tolist()) for place in range(edges.size + 1)]


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    bins = BinCounts(np.array([1.0, 2.0]))
    bins.update(np.array([0.999, 1.0, 1.999, 2.0]))
    assert bins.result().tolist() == [1, 2, 1]


def test_counts_as_numpy_does() -> None:
    rng = np.random.default_rng(1)
    edges = np.sort(rng.normal(size=59))
    values = np.concatenate([rng.normal(size=3000), edges, edges])
    bins = BinCounts(edges)
    bins.update(values)
    expected = np.bincount(np.searchsorted(edges, values, side="right"), minlength=60)
    assert bins.result().tolist() == expected.tolist()


def test_infinities_fall_into_the_outermost_bins() -> None:
    bins = BinCounts(np.array([0.0]))
    bins.update(np.array([np.inf, -np.inf, np.inf]))
    assert bins.result().tolist() == [1, 2]


def test_without_edges_there_is_one_bin() -> None:
    bins = BinCounts(np.empty(0))
    bins.update(np.arange(5.0))
    assert bins.result().tolist() == [5]


def test_other_edges_do_not_add_up() -> None:
    with pytest.raises(OutriderError, match="different bins"):
        BinCounts(np.array([0.0])).merge(BinCounts(np.array([1.0])))


def test_bytes_of_other_bins_are_refused() -> None:
    with pytest.raises(OutriderError, match="expected 3 counts"):
        BinCounts.from_bytes(BinCounts(np.array([0.0])).to_bytes(), np.array([0.0, 1.0, 2.0]))


@pytest.mark.parametrize(("count", "size"), [(200, 1), (60_000, 2), (2**31, 4), (2**40, 8)])
def test_counts_take_the_bytes_they_need(count: int, size: int) -> None:
    bins = BinCounts(np.zeros(100))
    empty = len(bins.to_bytes())
    bins.below += count
    bins.count = count
    assert len(bins.to_bytes()) - empty == pytest.approx(100 * (size - 1), abs=12)
    assert BinCounts.from_bytes(bins.to_bytes(), bins.edges).below.tolist() == [count] * 100


@pytest.mark.parametrize("size", [0, 1, 2, FEW, FEW + 1, 3000])
def test_sums_as_numpy_does(size: int) -> None:
    values = np.random.default_rng(size).standard_cauchy(size=size)
    bins = BinCounts(EDGES)
    bins.update(values)
    bins.update(values + 0.1)
    assert bins.sums == pytest.approx(sums_of(np.append(values, values + 0.1), EDGES), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("size", [1, FEW, FEW + 1])
@pytest.mark.parametrize("value", [-9.0, 0.0, 9.0])
def test_bins_without_values_have_no_sum(size: int, value: float) -> None:
    bins = BinCounts(np.array([-1.0, -1.0 / 3, 1.0 / 3, 1.0]))
    bins.update(np.full(size, value))
    assert bins.sums.tolist() == pytest.approx(sums_of(np.full(size, value), bins.edges), rel=1e-12, abs=0)


def test_runs_sum_up_as_single_arrays_do() -> None:
    runs = np.sort(np.random.default_rng(5).normal(size=(7, 256)), axis=1)
    runs[3] += 10.0
    together, apart = BinCounts(EDGES), BinCounts(EDGES)
    together.update_runs(runs)
    for run in runs:
        apart.update_sorted(run)
    assert together.result().tolist() == apart.result().tolist()
    assert together.sums == pytest.approx(apart.sums, rel=1e-12, abs=1e-12)


def test_a_column_far_from_zero_keeps_its_digits() -> None:
    shift = np.random.default_rng(6).normal(size=5000)
    bins = BinCounts(np.array([1e9 - 1, 1e9, 1e9 + 1]))
    bins.update(1e9 + shift)
    assert bins.sums == pytest.approx(sums_of(1e9 + shift, bins.edges), rel=1e-14)


def test_infinities_are_in_no_sum() -> None:
    bins = BinCounts(np.array([0.0, 2.0]))
    bins.update(np.array([np.inf, -np.inf, 1.0, 3.0]))
    assert bins.result().tolist() == [1, 1, 2]
    assert bins.sums.tolist() == [0.0, -1.0, 1.0]


@pytest.mark.parametrize("values", [[1.7e308] * 3, [-1.7e308] * 3, [1.7e308] * 300])
def test_a_sum_beyond_a_float_is_infinite_and_warns_nobody(values: list[float]) -> None:
    bins = BinCounts(np.array([-1.0, 0.0, 1.0]))
    bins.update(np.array(values))
    bins.update_runs(np.array([values]))
    bins.merge(BinCounts.from_bytes(bins.to_bytes(), bins.edges))
    assert np.isinf(bins.sums).sum() == 1
    assert bins.result().sum() == 4 * len(values)


def test_opposite_overflows_are_not_a_number() -> None:
    high, low = BinCounts(np.empty(0)), BinCounts(np.empty(0))
    high.update(np.full(2, 1.7e308))
    low.update(np.full(2, -1.7e308))
    high.merge(low)
    assert np.isnan(high.sums).all()


def test_edges_beyond_the_safe_range_do_not_overflow() -> None:
    bins = BinCounts(np.array([1e308]))
    bins.update(np.full(1000, -1.0))
    bins.update(np.array([-1e308]))
    assert bins.result().tolist() == [1001, 0]
    assert bins.sums.tolist() == [-np.inf, 0.0]


def test_bytes_keep_seven_digits_of_each_sum() -> None:
    values = np.append(np.random.default_rng(8).normal(size=1000), 1e30)
    bins = BinCounts(EDGES)
    bins.update(values)
    back = BinCounts.from_bytes(bins.to_bytes(), EDGES)
    assert back.sums == pytest.approx(bins.sums, rel=6e-8)
    assert back.to_bytes() == bins.to_bytes()


def test_values_after_a_state_of_unknown_sums_are_counted() -> None:
    bins = BinCounts.from_bytes(msgspec.msgpack.encode(["bins/1", 3, b"\x01\x02"]), np.array([0.0]))
    bins.update(np.array([1.0]))
    assert bins.result().tolist() == [2, 2]
    assert np.isnan(bins.sums).all()

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import OutriderError
from agent.sketch.bins import BinCounts


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

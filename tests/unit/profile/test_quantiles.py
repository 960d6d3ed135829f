"""Streaming quantiles: exact when small, within the bound when large, the same every time, mergeable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.profile.quantiles import CAPACITY, QuantileSketch


def sketch_of(values: NDArray[np.float64], block: int = 65_536) -> QuantileSketch:
    sketch = QuantileSketch()
    for start in range(0, len(values), block):
        sketch.update(values[start : start + block])
    return sketch


def rank_error(values: NDArray[np.float64], sketch: QuantileSketch) -> float:
    points, weights = sketch.points()
    true = np.searchsorted(np.sort(values), points, side="right")
    return float(np.abs(np.cumsum(weights) - true).max() / len(values))


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "ascending": lambda rng, n: np.arange(n, dtype=np.float64),
    "descending": lambda rng, n: -np.arange(n, dtype=np.float64),
    "saw": lambda rng, n: np.arange(n, dtype=np.float64) % 5000,
    "few values": lambda rng, n: rng.integers(0, 7, n).astype(np.float64),
    "heavy tail": lambda rng, n: rng.pareto(0.5, n),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_rank_error_is_far_below_a_fine_bin(name: str) -> None:
    values = DISTRIBUTIONS[name](np.random.default_rng(7), 300_000)
    assert rank_error(values, sketch_of(values)) < 0.002


def test_small_data_is_kept_exactly() -> None:
    values = np.random.default_rng(1).normal(size=CAPACITY)
    points, weights = sketch_of(values, 100).points()
    np.testing.assert_array_equal(points, np.sort(values))
    assert (weights == 1).all()


def test_empty_sketch_has_no_points() -> None:
    sketch = QuantileSketch()
    sketch.update(np.empty(0))
    points, weights = sketch.points()
    assert sketch.count == len(points) == len(weights) == 0


def test_weights_add_up_to_the_count() -> None:
    values = np.random.default_rng(2).normal(size=123_457)
    sketch = sketch_of(values, 999)
    assert sketch.points()[1].sum() == sketch.count == 123_457


def test_same_values_give_the_same_points() -> None:
    values = np.random.default_rng(3).normal(size=100_000)
    first, second = sketch_of(values).points(), sketch_of(values).points()
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_merged_sketches_keep_the_bound() -> None:
    values = np.random.default_rng(4).normal(size=200_000)
    merged = QuantileSketch()
    for part in np.split(values, 8):
        merged.merge(sketch_of(part))
    assert merged.count == len(values)
    assert merged.points()[1].sum() == len(values)
    assert rank_error(values, merged) < 0.002


def test_memory_stays_small() -> None:
    sketch = sketch_of(np.random.default_rng(5).normal(size=1_000_000))
    assert len(sketch.points()[0]) <= CAPACITY * 12

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.sketch.numeric import NumericSketch
from agent.sketch.quantiles import K, Quantiles, sorted_view

Floats = NDArray[np.float64]

RANK_ERROR = 2.296 / K**0.9723
"""The library's 99 % bound for one query."""

DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "normal far away": lambda rng, n: rng.normal(1e9, 1.0, size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 3, size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(size=n),
    "two far peaks": lambda rng, n: np.where(rng.random(n) < 0.3, -1e6, 1e6) + rng.normal(size=n),
    "few values": lambda rng, n: rng.integers(0, 7, size=n).astype(float),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.exponential(size=n)),
    "ascending": lambda rng, n: np.arange(n, dtype=float),
    "descending": lambda rng, n: np.arange(n, 0, -1, dtype=float),
    "saw": lambda rng, n: np.arange(n, dtype=float) % 997,
}


def worst_rank_error(values: Floats, points: Floats, weights: Floats) -> float:
    """The largest distance between the two distribution functions, at 99 places."""
    ordered = np.sort(values)
    at = ordered[np.linspace(0, values.size - 1, 101).astype(int)[1:-1]]
    cumulated = np.concatenate(([0.0], np.cumsum(weights)))
    estimate = cumulated[points.searchsorted(at, side="right")] / cumulated[-1]
    return float(np.abs(estimate - ordered.searchsorted(at, side="right") / values.size).max())


@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@pytest.mark.parametrize("batch", [100, 1000, 4096])
def test_sorted_batches_keep_the_bound(distribution: Callable[[np.random.Generator, int], Floats], batch: int) -> None:
    values = distribution(np.random.default_rng(batch), 60_000)
    sketch = NumericSketch(np.empty(0), np.array([0]))
    for start in range(0, values.size, batch):
        sketch.update(values[start : start + batch])
    points, weights = sketch.quantiles.result()
    assert weights.sum() == values.size
    # The bound holds for one query in 99 of 100 cases; for the worst of 99 queries it needs the room of a union bound.
    assert worst_rank_error(values, points, weights) < 2 * RANK_ERROR


def test_sorting_does_not_worsen_the_error() -> None:
    """The law of the error over many runs, sorted against unsorted: a bias would show as a larger mean."""
    rng = np.random.default_rng(5)
    errors: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(30):
        values = rng.normal(size=20_000)
        for is_sorted, found in errors.items():
            quantiles = Quantiles()
            for part in values.reshape(20, -1):
                quantiles.update(np.sort(part) if is_sorted else part)
            found.append(worst_rank_error(values, *quantiles.result()))
    assert np.mean(errors[True]) < 1.5 * np.mean(errors[False])


@pytest.mark.parametrize("rows", [100, 1000, 5000])
@pytest.mark.parametrize("kind", ["normal", "Cauchy", "few values"])
def test_small_sketches_of_many_panes_make_a_window_within_its_own_error(kind: str, rows: int) -> None:
    values = DISTRIBUTIONS[kind](np.random.default_rng(6), 60 * rows)
    window = Quantiles()
    for part in values.reshape(60, -1):
        pane = Quantiles()
        pane.update(np.sort(part))
        window.merge(pane.thinned())
    points, weights = window.result()
    assert weights.sum() == values.size
    # The bound is that of one query, and 99 are looked at. Measured: 0.7 % on average, 1.2 % at most in 225 windows.
    assert worst_rank_error(values, points, weights) < 1.5 * RANK_ERROR


def test_view_weighs_right_where_the_lowest_level_is_empty() -> None:
    """The library's iterator gives every value weight 1 there, about once in four merges."""
    rng = np.random.default_rng(1)
    wrong_iterators = 0
    for _ in range(100):
        left, right = kll_doubles_sketch(200), kll_doubles_sketch(200)
        left.update(rng.normal(size=int(rng.integers(1, 5000))))
        right.update(rng.normal(size=int(rng.integers(1, 5000))))
        left.merge(right)
        wrong_iterators += sum(weight for _, weight in left) != left.n
        points, weights = sorted_view(left)
        assert weights.sum() == left.n
        assert (weights > 0).all()
        assert (np.diff(points) >= 0).all()
        at = float(points[points.size // 2])
        assert weights[points <= at].sum() / left.n == pytest.approx(left.get_rank(at, inclusive=True), abs=1e-9)
    assert wrong_iterators  # once the library is repaired, this test and the second way in `sorted_view` can go


def test_view_is_exact_for_few_values() -> None:
    quantiles = Quantiles()
    quantiles.update(np.array([3.0, 1.0, 2.0, 2.0]))
    points, weights = quantiles.result()
    assert (points.tolist(), weights.tolist()) == ([1.0, 2.0, 2.0, 3.0], [1.0] * 4)
    assert points.dtype == weights.dtype == np.float64


def test_view_of_nothing_is_empty() -> None:
    points, weights = Quantiles().result()
    assert (points.shape, weights.shape) == ((0,), (0,))


def test_thinning_leaves_the_original() -> None:
    quantiles = Quantiles()
    quantiles.update(np.arange(50_000.0))
    before = quantiles.to_bytes()
    smaller = quantiles.thinned()
    assert quantiles.to_bytes() == before
    assert len(smaller.to_bytes()) < 500 < 0.3 * len(before)
    assert smaller.result()[1].sum() == 50_000
    assert (smaller.sketch.get_min_value(), smaller.sketch.get_max_value()) == (0.0, 49_999.0)


def test_few_values_are_not_thinned() -> None:
    quantiles = Quantiles()
    quantiles.update(np.arange(31.0))
    assert quantiles.thinned().result()[0].tolist() == list(range(31))
    assert Quantiles().thinned().result()[0].size == 0


@pytest.mark.parametrize("data", [b"", b"\x01" * 40, bytes(200)])
def test_what_the_library_refuses_is_our_error(data: bytes) -> None:

    with pytest.raises(OutriderError, match="not a saved quantile sketch"):
        Quantiles.from_bytes(msgspec.msgpack.encode(["quantiles/1", data]))

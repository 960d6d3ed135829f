"""Two samples over the same bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.compare.bars import MOST, bars_of
from agent.compare.comparison import Bars
from agent.profile.schema import schema_of
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import NumericSummary
from tests.unit.compare.tables import profile_of


def drawn(training: NDArray[Any], data: NDArray[Any]) -> Bars | None:
    (column,) = schema_of(profile_of({"x": training}, numeric="x")).features
    assert isinstance(column.reference, NumericSummary)
    assert column.edges is not None
    assert column.coarse is not None
    sketch = NumericSketch(column.edges, column.coarse)
    sketch.update(np.asarray(data, dtype=np.float64))
    return bars_of(sketch.result(), column.reference, whole=column.type == "integer")


@pytest.mark.parametrize("rows", [300, 50_000])
def test_bars_are_a_histogram(rows: int) -> None:
    rng = np.random.default_rng(1)
    training, data = rng.normal(size=rows), rng.normal(1.0, 2.0, size=rows)
    bars = drawn(training, data)
    assert bars is not None
    assert len(bars.shares) == len(bars.reference_shares) == len(bars.edges) - 1 <= MOST
    for values, shares in ((training, bars.reference_shares), (data, bars.shares)):
        inside = np.clip(values, bars.edges[0], np.nextafter(bars.edges[-1], -np.inf))
        exact = np.histogram(inside, bars.edges)[0] / rows
        np.testing.assert_allclose(shares, exact, atol=0.01)
        assert sum(shares) == pytest.approx(1.0)


def test_whole_numbers_get_a_bar_each() -> None:
    training, data = np.repeat([1, 2, 3, 30, 31], 100), np.repeat([2, 4], 50)
    bars = drawn(training, data)
    assert bars is not None
    assert bars.edges == [place - 0.5 for place in range(1, 33)]
    assert {place: share for place, share in enumerate(bars.shares, 1) if share} == {2: 0.5, 4: 0.5}
    assert {place: share for place, share in enumerate(bars.reference_shares, 1) if share} == dict.fromkeys(
        (1, 2, 3, 30, 31), 0.2
    )


def test_bars_of_many_whole_numbers_are_equally_many_numbers_wide() -> None:
    bars = drawn(np.arange(1000), np.arange(1000))
    assert bars is not None
    assert set(np.diff(bars.edges)) == {21.0}


def test_an_outlier_does_not_squeeze_the_others() -> None:
    data = np.random.default_rng(1).normal(size=5000)
    data[0] = 1e9
    bars = drawn(np.random.default_rng(2).normal(size=5000), data)
    assert bars is not None
    assert bars.edges[-1] < 10
    assert bars.shares[-1] > 0


def test_a_far_shift_is_within_the_bars() -> None:
    rng = np.random.default_rng(1)
    bars = drawn(rng.normal(size=5000), rng.normal(50, 1, size=5000))
    assert bars is not None
    assert bars.edges[-1] > 52
    assert np.count_nonzero(bars.shares) > 2


@pytest.mark.parametrize(
    ("training", "data"),
    [
        (np.full(50, 3.5), np.full(50, 3.5)),
        (np.zeros(50), np.full(50, np.nan)),
        (np.full(50, 1e300), np.full(50, -1e300)),
        (np.array([-1.7e308, 1.7e308] * 30), np.array([-1.7e308, 1.7e308] * 30)),
        (np.full(50, 5e-324), np.zeros(50)),
        (np.array([1.0] * 30 + [np.inf] * 20), np.array([np.inf, -np.inf, 1.0])),
        (np.array([1.0, np.nextafter(1.0, 2.0)] * 30), np.ones(5)),
    ],
)
def test_odd_samples(training: NDArray[Any], data: NDArray[Any]) -> None:
    bars = drawn(training, data)
    assert bars is not None
    assert (np.diff(bars.edges) > 0).all()
    assert sum(bars.reference_shares) == pytest.approx(1.0)
    assert sum(bars.shares) == pytest.approx(0.0 if np.isnan(data).all() else 1.0)


def test_nothing_to_draw() -> None:
    summary = NumericSketch(np.array([0.0]), np.array([0, 1])).result()
    assert bars_of(summary, summary, whole=False) is None

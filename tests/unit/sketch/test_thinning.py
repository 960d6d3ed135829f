"""Thinned sketches: the library reads them, ranks are right on average, and they go on as any other."""

from __future__ import annotations

import numpy as np
import pytest
from datasketches import kll_doubles_sketch

from agent.sketch.quantiles import Quantiles, sorted_view
from agent.sketch.thinning import LEAST, thinned


def thin(count: int, rng: np.random.Generator) -> kll_doubles_sketch:
    points = np.arange(count, dtype=np.float64)
    return kll_doubles_sketch.deserialize(thinned(points, np.ones(count), 0.0, count - 1.0, 200, rng))


@pytest.mark.parametrize("count", [2 * LEAST, 33, 63, 64, 65, 1000, 4095, 4096, 4097, 100_000])
def test_the_library_reads_it_with_all_its_weight(count: int) -> None:
    sketch = thin(count, np.random.default_rng(count))
    points, weights = sorted_view(sketch)
    assert sketch.n == count == weights.sum()
    assert (np.diff(points) > 0).all()
    assert len(points) < 2 * LEAST + 2 + 17
    assert sketch.get_quantile(0.5) == pytest.approx(count / 2, abs=count / LEAST)


def test_no_number_of_rows_takes_much() -> None:
    rng = np.random.default_rng(1)
    points = np.arange(100.0)
    sizes = [len(thinned(points, np.full(100, float(n)), 0.0, 99.0, 200, rng)) for n in [1, 7, 320, 1023, 40_959, 39_999_999]]
    assert max(sizes) <= 640


def test_ranks_are_right_on_average() -> None:
    rng = np.random.default_rng(2)
    at = np.array([1.5, 77.5, 300.5, 511.5, 900.5])
    errors = []
    for _ in range(400):
        points, weights = sorted_view(thin(1000, rng))
        errors.append([weights[points <= place].sum() / 1000 - (place + 0.5) / 1000 for place in at])
    found = np.array(errors)
    assert (np.abs(found.mean(axis=0)) < 4 * found.std(axis=0) / 20 + 1e-9).all()
    assert np.abs(found).max() <= 2 / LEAST


def test_repeated_values_keep_their_share() -> None:
    rng = np.random.default_rng(3)
    data = thinned(np.array([0.0, 1.0]), np.array([900.0, 100.0]), 0.0, 1.0, 200, rng)
    points, weights = sorted_view(kll_doubles_sketch.deserialize(data))
    assert weights[points == 1.0].sum() / 1000 == pytest.approx(0.1, abs=1 / LEAST)


def test_thinned_again_and_again_it_stays_small_and_goes_on() -> None:
    rng = np.random.default_rng(4)
    group, values = Quantiles(), rng.normal(size=(24, 2000))
    for part in values:
        group.update(part)
        group = group.thinned()
    points, weights = group.result()
    assert weights.sum() == values.size
    assert len(group.to_bytes()) < 640
    share = weights[points <= 0.0].sum() / values.size
    assert share == pytest.approx(0.5, abs=0.2)  # its standard error is 0.034

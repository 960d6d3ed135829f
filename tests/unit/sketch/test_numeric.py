from __future__ import annotations

import numpy as np
import pytest

from agent.errors import OutriderError
from agent.sketch.numeric import LONG, NumericSketch

EDGES = np.linspace(-2, 2, 9)
COARSE = np.array([0, 3, 6])


def values(size: int, *, holes: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(size)
    found = rng.normal(size=size)
    if holes:
        found[rng.random(size) < 0.2] = np.nan
        found[rng.random(size) < 0.01] = np.inf
        found[rng.random(size) < 0.01] = -np.inf
    return found


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("size", [1, 2, 255, 256, 1000, LONG - 1, LONG, LONG + 1, 3 * LONG + 255])
def test_agrees_with_numpy(size: int, holes: bool) -> None:
    column = values(size, holes=holes)
    sketch = NumericSketch(EDGES, COARSE)
    sketch.update(column)
    summary = sketch.result()
    finite = column[np.isfinite(column)]
    present = column[~np.isnan(column)]
    assert (summary.rows, summary.missing, summary.infinite) == (size, size - present.size, present.size - finite.size)
    assert summary.bin_counts.tolist() == np.bincount(EDGES.searchsorted(present, "right"), minlength=9 + 1).tolist()
    assert summary.count == finite.size == summary.weights.sum()
    assert summary.coarse is COARSE
    if finite.size:
        expected = (finite.mean(), finite.var(), finite.min(), finite.max())
        assert (summary.mean, summary.variance, summary.minimum, summary.maximum) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_takes_every_second_value_of_a_matrix() -> None:
    """A column of a row-wise matrix is not contiguous."""
    matrix = values(6000, holes=True).reshape(-1, 2)
    strided, copied = NumericSketch(EDGES, COARSE), NumericSketch(EDGES, COARSE)
    strided.update(matrix[:, 1])
    copied.update(matrix[:, 1].copy())
    assert strided.result().bin_counts.tolist() == copied.result().bin_counts.tolist()


def test_leaves_read_only_values_alone() -> None:
    column = values(5000, holes=True)
    column.flags.writeable = False
    NumericSketch(EDGES, COARSE).update(column)


def test_compact_keeps_all_but_the_quantiles() -> None:
    sketch = NumericSketch(EDGES, COARSE)
    sketch.update(values(50_000, holes=True))
    before, size = sketch.result(), len(sketch.to_bytes())
    sketch.compact()
    after = sketch.result()
    assert (after.rows, after.mean, after.variance, after.maximum) == (before.rows, before.mean, before.variance, before.maximum)
    assert after.weights.sum() == before.weights.sum()
    assert len(sketch.to_bytes()) < 3000 < size


def test_other_bins_do_not_add_up() -> None:
    with pytest.raises(OutriderError, match="different bins"):
        NumericSketch(EDGES, COARSE).merge(NumericSketch(EDGES + 1, COARSE))

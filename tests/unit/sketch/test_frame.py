from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.sketch.categorical import CategorySketch
from agent.sketch.frame import (
    CategoryFrame,
    Frames,
    NumericFrame,
    NumericLayout,
    at,
    coarsened,
    last,
    packed,
    scaled,
    stacked,
    suffixes,
)
from agent.sketch.numeric import NumericSketch

WIDE = (np.array([-1.0, 0.0, 1.0, 2.0]), np.array([0, 2, 4]))
NARROW = (np.array([10.0]), np.array([0, 1]))
LAYOUT = NumericLayout.of([WIDE, NARROW])
COLOURS = ("red", "green")
NONE = np.zeros(2, dtype=np.int64)


def sketches(wide: NDArray[np.float64], narrow: NDArray[np.float64]) -> list[NumericSketch]:
    found = [NumericSketch(*WIDE), NumericSketch(*NARROW)]
    for sketch, values in zip(found, (wide, narrow), strict=True):
        sketch.update(values)
    return found


def colours(*values: str | None) -> CategorySketch:
    sketch = CategorySketch(COLOURS)
    sketch.update(np.array(values, dtype=object))
    return sketch


def stretch(seed: int, rows: int = 50) -> tuple[Frames, list[NumericSketch], CategorySketch]:
    rng = np.random.default_rng(seed)
    wide = rng.normal(1e9, 1.0, rows) - 1e9
    wide[::7] = np.nan
    numeric = sketches(wide, np.concatenate([rng.exponential(10, rows - 1), [np.inf]]) if rows else np.empty(0))
    category = colours(*rng.choice(np.array(["red", "green", "blue", None], dtype=object), rows))
    outside = np.array([rows // 10, 0])
    return Frames(NumericFrame.of(numeric, LAYOUT, outside), CategoryFrame.of([category], 2)), numeric, category


def merged(seeds: range) -> tuple[list[NumericSketch], CategorySketch]:
    numeric, category = sketches(np.empty(0), np.empty(0)), colours()
    for seed in seeds:
        _, numbers, words = stretch(seed)
        for mine, theirs in zip(numeric, numbers, strict=True):
            mine.merge(theirs)
        category.merge(words)
    return numeric, category


def same(found: Frames, expected: Frames) -> None:
    for mine, theirs in ((found.numeric, expected.numeric), (found.category, expected.category)):
        for name in mine.__slots__:
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-9, atol=1e-9, err_msg=name)


def test_columns_stand_side_by_side_padded_on_the_right() -> None:
    frame = NumericFrame.of(sketches(np.array([-2.0, 0.5, np.nan]), np.array([3.0, 30.0])), LAYOUT, NONE)
    assert frame.counts.tolist() == [[1, 0, 1, 0, 0], [1, 1, 0, 0, 0]]
    assert frame.missing.tolist() == [1, 0]
    assert frame.rows.tolist() == [3, 2]
    assert frame.mean.tolist() == [-0.75, 16.5]
    assert (frame.sums.sum(axis=-1) + frame.count * LAYOUT.origin).tolist() == pytest.approx([-1.5, 33.0])


def test_summaries_give_the_same_frame_as_their_sketches() -> None:
    numbers = sketches(np.array([-2.0, 0.5, np.nan]), np.array([3.0, 30.0]))
    word = colours("red", "blue", None)
    by_sketch = Frames(NumericFrame.of(numbers, LAYOUT, NONE), CategoryFrame.of([word], 2))
    by_summary = Frames(
        NumericFrame.of([sketch.result() for sketch in numbers], LAYOUT, NONE), CategoryFrame.of([word.result()], 2)
    )
    same(by_summary, by_sketch)


def test_unseen_categories_stand_last() -> None:
    assert CategoryFrame.of([colours("red", "blue", "blue", None)], 5).counts.tolist() == [[1, 0, 0, 0, 0, 2]]


def test_coarse_bins_are_sums_of_fine_ones() -> None:
    fine = np.arange(10, dtype=np.float64).reshape(2, 5)
    assert LAYOUT.coarse(fine).tolist() == [[1, 5, 4], [5, 30, 0]]
    assert LAYOUT.coarse(np.stack([fine, 2 * fine])).tolist() == [[[1, 5, 4], [5, 30, 0]], [[2, 10, 8], [10, 60, 0]]]


def test_the_last_stretches_add_up_to_what_their_sketches_merge_to() -> None:
    whole = suffixes(stacked([stretch(seed)[0] for seed in range(8)]), [1, 3, 8])
    for place, length in enumerate((1, 3, 8)):
        numeric, category = merged(range(8 - length, 8))
        outside = np.array([5 * length, 0])
        same(at(whole, place), Frames(NumericFrame.of(numeric, LAYOUT, outside), CategoryFrame.of([category], 2)))
    same(at(last(whole), 0), at(whole, 2))


def test_stretches_without_values_change_nothing() -> None:
    full, empty = stretch(1)[0], stretch(2, rows=0)[0]
    whole = suffixes(stacked([empty, full, empty]), [1, 3])
    same(at(whole, 0), empty)
    same(at(whole, 1), full)


def test_a_mean_far_from_zero_keeps_its_variance() -> None:
    far = [1e9 + np.random.default_rng(seed).normal(size=100) for seed in range(5)]
    frames = [Frames(NumericFrame.of(sketches(values, values), LAYOUT, NONE), CategoryFrame.of([colours()], 2)) for values in far]
    whole = suffixes(stacked(frames), [5]).numeric
    assert whole.variance[0, 0] == pytest.approx(np.concatenate(far).var(), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e6])
def test_a_stretch_of_one_value_has_no_spread_whatever_came_before(value: float) -> None:
    """A rare flag that nobody set for ten minutes: what rounding left over passed for a spread of 1e-11."""
    edges = np.array([0.5])
    columns = [NumericSketch(edges, np.array([0, 1])) for _ in range(8)]
    layout = NumericLayout.of([(edges, np.array([0, 1]))])
    for place, column in enumerate(columns):
        column.update(np.append(np.full(166, value), value + (place < 3)))
    frames = stacked(
        [Frames(NumericFrame.of([column], layout, np.zeros(1, np.int64)), CategoryFrame.of([], 0)) for column in columns]
    )
    variance = suffixes(frames, (1, 2, 5, 8)).numeric.variance[:, 0]
    assert variance[:3].tolist() == [0.0, 0.0, 0.0]
    assert variance[3] == pytest.approx(3 / 1336 * (1 - 3 / 1336), rel=1e-6)


def test_coarsened_keeps_what_it_can() -> None:
    frame = stretch(3)[0]
    small = coarsened(frame, LAYOUT)
    assert small.numeric.counts.dtype == np.int32
    assert small.numeric.counts.tolist() == LAYOUT.coarse(frame.numeric.counts.astype(np.float64)).tolist()
    assert small.numeric.sums.shape == (2, 0)
    assert small.numeric.mean.tolist() == frame.numeric.mean.tolist()


def test_counts_that_do_not_fit_into_four_bytes_keep_eight() -> None:
    frame = stretch(3)[0]
    assert packed(frame).numeric.counts.dtype == np.int32
    large = Frames(frame.numeric, CategoryFrame(frame.category.missing, frame.category.counts + 2**31))
    assert packed(large).category.counts.dtype == np.int64


def test_a_part_of_the_rows_has_the_same_mean() -> None:
    frame = stretch(3)[0]
    half = scaled(frame, 0.5)
    assert half.numeric.count.tolist() == (frame.numeric.count / 2).tolist()
    assert half.numeric.mean.tolist() == frame.numeric.mean.tolist()
    assert scaled(frame, 1.0) is frame


def test_no_columns_are_no_trouble() -> None:
    layout = NumericLayout.of([])
    nothing = Frames(NumericFrame.of([], layout, np.empty(0, dtype=np.int64)), CategoryFrame.of([], 0))
    whole = suffixes(stacked([nothing, nothing]), [1, 2])
    assert whole.numeric.counts.shape == (2, 0, 1)
    assert layout.coarse(whole.numeric.counts.astype(np.float64)).shape == (2, 0, 0)

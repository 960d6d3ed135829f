from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.schema import Schema, schema_of
from agent.validate.rows import RowScorer
from agent.window.relations import ROWS_PER_PANE, RelationsSketch, side_by_side, suffixes


def data(rows: int, seed: int) -> dict[str, NDArray[Any]]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, 2))
    x[:, 1] += x[:, 0]
    country = np.array(["DE", "FR", "US"], dtype=object)[generator.integers(0, 3, rows)]
    return {"a": x[:, 0], "country": country, "b": x[:, 1], "answer": x[:, 1] + (country == "DE")}


@cache
def profile() -> Profile:
    return build(data(2000, 1), prediction="answer")


@cache
def schema() -> Schema:
    return schema_of(profile())


def checked(rows: int, seed: int = 2) -> Checked:
    made = data(rows, seed)
    return RowScorer(schema()).score(Checked(rows, tuple(made[c.name] for c in (*schema().features, *schema().outputs)), {}))[0]


def sketch_of(*batches: Checked, stride: int = 1) -> RelationsSketch:
    sketch = RelationsSketch(schema(), stride)
    for batch in batches:
        sketch.update(batch)
    return sketch


def assert_same(a: RelationsSketch, b: RelationsSketch) -> None:
    assert a.seen == b.seen
    np.testing.assert_array_equal(a.tables.result(), b.tables.result())
    np.testing.assert_allclose(a.moments.result().products, b.moments.result().products, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(a.fourier.result().means, b.fourier.result().means, atol=1e-6)


def test_all_three_sums_see_the_rows() -> None:
    sketch = sketch_of(checked(300))
    matrix = checked(300).matrix
    assert matrix is not None
    np.testing.assert_allclose(sketch.moments.result().products, matrix.T @ matrix / 300, rtol=1e-5, atol=1e-5)
    assert sketch.fourier.rows == 300
    assert sketch.tables.result().sum(axis=(1, 2)).tolist() == [300, 300, 300]


def test_merging_parts_is_seeing_all_also_through_bytes() -> None:
    parts = [checked(1, 3), checked(400, 4), checked(77, 5)]
    merged = RelationsSketch(schema())
    for part in parts:
        merged.merge(RelationsSketch.from_bytes(sketch_of(part).to_bytes(), schema()))
    assert_same(merged, sketch_of(*parts))


def test_empty_sketch_is_one_byte_and_comes_back_empty() -> None:
    empty = RelationsSketch(schema())
    assert empty.is_empty
    assert len(empty.to_bytes()) == 1
    back = RelationsSketch.from_bytes(empty.to_bytes(), schema())
    assert back.is_empty
    back.merge(sketch_of(checked(10)))
    assert not back.is_empty


def test_profile_without_interplay_keeps_the_sketch_empty() -> None:
    assert profile().structure is not None
    bare = schema_of(msgspec.structs.replace(profile(), structure=None))
    sketch = RelationsSketch(bare)
    sketch.update(checked(50))
    assert sketch.is_empty
    with pytest.raises(OutriderError, match="the schema has none"):
        RelationsSketch.from_bytes(sketch_of(checked(50)).to_bytes(), bare)


def test_batch_without_predictions_still_tells_of_the_features() -> None:
    whole = checked(50)
    answers = len(schema().features)
    values = tuple(None if place == answers else column for place, column in enumerate(whole.values))
    sketch = sketch_of(Checked(50, values, {}, whole.matrix))
    assert sketch.moments.rows == 50
    assert not sketch.tables.result().any()


def test_stride_takes_one_row_of_each_run() -> None:
    values = checked(5000).values
    matrix = np.repeat(np.arange(500.0), 10)[:, None].repeat(schema().relations.width, axis=1) / 1000  # type: ignore[union-attr]
    sketch = sketch_of(Checked(5000, values, {}, matrix), stride=10)
    assert sketch.moments.rows == 500
    # One of each run of ten: the mean over runs is met exactly.
    assert sketch.moments.result().mean[0] == pytest.approx(0.2495, rel=1e-5)


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_rows_are_taken_alike_however_they_are_batched(size: int) -> None:
    whole = checked(640)
    assert whole.matrix is not None
    parts = []
    for start in range(0, 640, size):
        rows = slice(start, min(640, start + size))
        values = tuple(None if column is None else column[rows] for column in whole.values)
        parts.append(Checked(rows.stop - rows.start, values, {}, whole.matrix[rows]))
    assert_same(sketch_of(*parts, stride=7), sketch_of(whole, stride=7))


def test_rhythm_of_equal_batches_does_not_choose_the_rows() -> None:
    whole = checked(6400)
    marks = np.tile(np.arange(10.0), 640) / 10
    matrix = np.repeat(marks[:, None], schema().relations.width, axis=1)  # type: ignore[union-attr]
    sketch = sketch_of(Checked(6400, whole.values, {}, matrix), stride=10)
    assert sketch.moments.result().mean[0] == pytest.approx(0.45, abs=0.01)


def test_rows_that_are_taken_are_bounded() -> None:
    batch = checked(50_000)
    sketch = RelationsSketch(schema())
    for _ in range(8):
        sketch.update(batch)
    assert sketch.seen == 400_000
    assert sketch.moments.rows <= 4 * ROWS_PER_PANE
    assert sketch.next_stride == 49
    after = RelationsSketch(schema(), sketch.next_stride)
    for _ in range(8):
        after.update(batch)
    assert after.moments.rows == pytest.approx(ROWS_PER_PANE, rel=0.01)


def test_suffixes_add_up_the_newest_panes() -> None:
    panes = [sketch_of(checked(10 * (pane + 1), pane)) for pane in range(4)]
    frame = suffixes(panes, [1, 2, 4, 9], schema())
    assert frame.moments.rows.tolist() == [40, 70, 100, 100]
    assert frame.tables[:, 0].sum(axis=(1, 2)).tolist() == [40, 70, 100, 100]
    both = sketch_of(checked(30, 2), checked(40, 3))
    np.testing.assert_allclose(frame.fourier.means[1], both.fourier.result().means, atol=1e-6)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x91\xabrelations/1"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(OutriderError):
        RelationsSketch.from_bytes(data, schema())


def test_panes_stand_side_by_side() -> None:
    panes = [sketch_of(checked(10, 1)), RelationsSketch(schema()), sketch_of(checked(30, 2))]
    found = side_by_side(panes)
    assert found.rows.tolist() == [10, 0, 30]
    np.testing.assert_array_equal(found.means[2], panes[2].fourier.result().means)

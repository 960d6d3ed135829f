from __future__ import annotations

from dataclasses import replace
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
from agent.window.relations import RelationsSketch, side_by_side, suffixes


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


def sketch_of(*batches: Checked) -> RelationsSketch:
    sketch = RelationsSketch(schema())
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
    encoded = tuple(None if place == answers else column for place, column in enumerate(whole.encoded))
    sketch = sketch_of(replace(whole, encoded=encoded))
    assert sketch.moments.rows == 50
    assert not sketch.tables.result().any()


def test_only_rows_of_the_sample_are_counted() -> None:
    made = data(300, 7)
    columns = [made[column.name] for column in (*schema().features, *schema().outputs)]
    taken = np.arange(0, 300, 3)
    scorer = RowScorer(schema())
    sampled = scorer.score(Checked(300, tuple(columns), {}), taken)[0]
    alone = scorer.score(Checked(100, tuple(column[taken] for column in columns), {}))[0]
    assert sketch_of(sampled).seen == 100
    assert_same(sketch_of(sampled), sketch_of(alone))


def test_batch_without_a_row_in_the_sample_leaves_it_as_it_was() -> None:
    columns = tuple(data(5, 7)[column.name] for column in (*schema().features, *schema().outputs))
    nothing = RowScorer(schema()).score(Checked(5, columns, {}), np.empty(0, dtype=np.intp))[0]
    assert sketch_of(nothing).is_empty


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

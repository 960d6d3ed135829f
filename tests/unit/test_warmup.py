"""A reference from the first rows."""

from __future__ import annotations

import numpy as np
import pytest

from agent.batch import NOTHING, Batch, Side
from agent.errors import ProfileError
from agent.warmup import Warmup


def batch(inputs: Side, outputs: Side = NOTHING) -> Batch:
    return Batch("kserve-v1", "m", "", inputs, outputs)


def side(rows: int, *names: str, positional: bool = False) -> Side:
    rng = np.random.default_rng(rows)
    return Side(names, tuple(rng.normal(size=rows) for _ in names), rows, positional)


def test_rows_gather_until_there_are_enough() -> None:
    warmup = Warmup(100, "m")
    warmup.add(batch(side(60, "a", "b"), side(60, "y")))
    assert not warmup.is_full
    warmup.add(batch(side(60, "a", "b"), side(60, "y")))
    assert warmup.is_full
    schema = warmup.schema()
    assert schema.model == "m"
    assert [(column.name, column.role) for column in schema.columns] == [("a", "feature"), ("b", "feature"), ("y", "prediction")]
    assert schema.columns[0].reference is not None
    assert schema.columns[0].reference.rows == 120


def test_batches_of_another_layout_are_left_out() -> None:
    warmup = Warmup(100, "")
    warmup.add(batch(side(50, "a")))
    warmup.add(batch(side(50, "b")))
    warmup.add(batch(NOTHING))
    assert warmup.rows == 50


def test_positions_get_names_and_several_outputs_become_probabilities() -> None:
    warmup = Warmup(10, "")
    warmup.add(batch(side(20, "0", "1", positional=True), side(20, "0", "1", positional=True)))
    names = [(column.name, column.role) for column in warmup.schema().columns]
    assert names == [
        ("feature_0", "feature"),
        ("feature_1", "feature"),
        ("prediction_0", "prediction"),
        ("prediction_1", "probability"),
    ]


def test_outputs_that_are_not_row_by_row_are_left_out() -> None:
    warmup = Warmup(10, "")
    warmup.add(batch(side(20, "a"), side(1, "y")))
    assert [column.name for column in warmup.schema().columns] == ["a"]


def test_numbers_and_texts_in_one_column_can_be_joined() -> None:
    warmup = Warmup(10, "")
    texts = np.array(["x", None] * 5, dtype=object)
    warmup.add(batch(side(20, "a")))
    warmup.add(batch(Side(("a",), (texts,), 10)))
    (feature,) = warmup.schema().features
    assert feature.reference is None or feature.reference.rows == 30


def test_a_name_on_both_sides_is_an_error() -> None:
    warmup = Warmup(10, "")
    warmup.add(batch(side(20, "a"), side(20, "a")))
    with pytest.raises(ProfileError):
        warmup.schema()

"""A reference from the first rows."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from agent import warmup as module
from agent.batch import NOTHING, Batch, Side, Table, TensorType
from agent.errors import ProfileError
from agent.profile.build import build
from agent.profile.schema import schema_of
from agent.validate.schema import Checker
from agent.validate.summaries import Summariser
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
    assert [(column.name, column.role) for column in schema.columns][:3] == [
        ("a", "feature"), ("b", "feature"), ("y", "prediction"),
    ]  # fmt: skip
    assert {column.role for column in schema.columns[3:]} == {"derived"}
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


def test_answers_that_are_of_no_use_are_not_kept() -> None:
    warmup = Warmup(1000, "")
    answers, last = side(20, "y"), side(90, "y")
    kept, dropped = weakref.ref(answers.columns[0]), weakref.ref(last.columns[0])
    warmup.add(batch(side(20, "a"), answers))
    del answers
    assert kept() is not None
    warmup.add(batch(side(1, "a"), last))
    del last
    assert kept() is dropped() is None
    warmup.add(batch(side(20, "a"), side(20, "y")))
    assert warmup.rows == 41
    assert [column.name for column in warmup.schema().columns] == ["a"]


def test_wide_rows_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 100 * 3 * 8 + 7)
    warmup = Warmup(1000, "")
    warmup.add(batch(side(60, "a", "b"), side(60, "y")))
    assert not warmup.is_full
    wide = side(60, "a", "b")
    all_rows = weakref.ref(wide.columns[0])
    warmup.add(batch(wide, side(60, "y")))
    del wide
    assert all_rows() is None
    assert (warmup.rows, warmup.is_full) == (100, True)
    assert [record.getMessage().rpartition("; ")[2] for record in caplog.records] == ["learning from fewer rows=100 of=1000"]
    learned = {column.name: column.reference.rows for column in warmup.schema().columns if column.reference is not None}
    assert [learned[name] for name in ("a", "b", "y")] == [100] * 3


def test_texts_count_with_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 10_000)
    warmup = Warmup(1000, "")
    texts = np.array([f"{row:0300}" for row in range(100)], dtype=object)
    warmup.add(batch(Side(("a",), (texts,), 100)))
    assert warmup.is_full
    assert 25 <= warmup.rows <= 30


def test_one_row_is_kept_whatever_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 7)
    warmup = Warmup(1000, "")
    warmup.add(batch(side(60, "a")))
    assert (warmup.rows, warmup.is_full) == (1, True)
    warmup.add(batch(side(60, "a")))
    assert warmup.rows == 1


def test_enough_rows_are_no_reason_for_a_word(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 50 * 8)
    warmup = Warmup(50, "")
    warmup.add(batch(side(60, "a")))
    assert (warmup.rows, warmup.is_full, caplog.records) == (50, True, [])


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


def table(rows: int, *names: str, width: int = 0, tensors: tuple[TensorType, ...] = ()) -> Side:
    values = np.random.default_rng(rows).normal(1.0, 1.0, size=(width or len(names), rows))
    return Side(names or tuple(map(str, range(width))), tuple(values), rows, not names, tensors)


def names_of(inputs: Side, outputs: Side = NOTHING) -> list[tuple[str, str]]:
    warmup = Warmup(10, "")
    warmup.add(batch(inputs, outputs))
    return [(column.name, column.role) for column in warmup.schema().columns]


def measures(name: str, role: str = "feature") -> list[tuple[str, str]]:
    return [(f"{name}.{measure}", role) for measure in ("norm", "mean", "cosine")]


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        (table(50, width=384), "feature"),
        (table(50, width=384, tensors=(TensorType("x", "FP32", (384,)),)), "x"),
        (table(50, width=24, tensors=(TensorType("window", "FP32", (6, 4)),)), "window"),
        (table(50, *(f"vec[{index}]" for index in range(100))), "vec"),
        (table(50, *(f"m[{row}][{column}]" for row in range(3) for column in range(4))), "m"),
    ],
)
def test_vectors_are_learned_by_their_summaries(inputs: Side, name: str) -> None:
    assert names_of(inputs) == measures(name)


def test_images_are_learned_by_theirs() -> None:
    found = names_of(table(50, width=6 * 7 * 3, tensors=(TensorType("img", "UINT8", (6, 7, 3)),)))
    assert found == [(f"img.{measure}", "feature") for measure in ("brightness", "contrast", "width", "height")]


@pytest.mark.parametrize(
    "inputs",
    [
        table(50, width=100),
        table(50, width=13, tensors=(TensorType("x", "FP32", (1, 13)),)),
        table(50, *(f"lag[{index}]" for index in range(24))),
    ],
)
def test_tables_are_learned_column_by_column(inputs: Side) -> None:
    assert len(names_of(inputs)) == len(inputs.names)


def test_vectors_beside_columns_and_as_answers() -> None:
    found = names_of(table(50, "age", *(f"vec[{index}]" for index in range(100)), "pay"), table(50, width=384))
    assert found == [("age", "feature"), *measures("vec"), ("pay", "feature"), *measures("prediction", "prediction")]


def test_a_vector_behind_a_score_is_a_prediction_too() -> None:
    outputs = table(50, "score", *(f"vec[{index}]" for index in range(100)))
    assert names_of(table(50, "age"), outputs) == [("age", "feature"), ("score", "prediction"), *measures("vec", "prediction")]


def test_what_was_learned_binds_what_comes() -> None:
    inputs = table(50, width=384, tensors=(TensorType("x", "FP32", (384,)),))
    warmup = Warmup(10, "")
    warmup.add(batch(inputs))
    schema = warmup.schema()
    summarised, broken = Summariser(schema).summarise(batch(inputs))
    checked = Checker(schema).check(summarised)
    assert broken == {}
    assert set(checked.violations) <= {("x.cosine", "out_of_range")}
    assert all(values is not None for values in checked.values)


def wide(rows: int, name: str, *shape: int) -> Side:
    values = np.random.default_rng(rows).integers(0, 255, size=(rows, *shape)).astype(np.uint8)
    return Side((), (), rows, tables=(Table(TensorType(name, "UINT8", shape), values.reshape(rows, -1)),))


def test_what_is_too_wide_for_columns_is_learned_as_a_profile_has_it() -> None:
    image, vector = wide(50, "img", 40, 40, 3).tables[0], wide(50, "vec", 12_000).tables[0]
    warmup = Warmup(10, "")
    warmup.add(batch(Side(("age",), (np.arange(50.0),), 50, tables=(image, vector))))
    found = warmup.schema()
    expected = schema_of(
        build({"img": image.values.reshape(50, 40, 40, 3), "vec": vector.values.astype(np.float64), "age": np.arange(50.0)})
    )
    assert [(one.name, one.kind, one.measures, one.shape) for one in found.sources] == [
        (one.name, one.kind, one.measures, one.shape) for one in expected.sources
    ]
    assert [(one.name, one.role, one.type, one.minimum, one.maximum, one.source) for one in found.columns] == [
        (one.name, one.role, one.type, one.minimum, one.maximum, one.source) for one in expected.columns
    ]
    assert [type(one.reference) for one in found.columns] == [type(one.reference) for one in expected.columns]


def test_rows_that_are_too_wide_are_not_kept() -> None:
    values = np.zeros((4, 12_000))
    side = Side((), (), 4, tables=(Table(TensorType("vec", "FP64", (12_000,)), values),))
    held = weakref.ref(values)
    warmup = Warmup(10, "")
    warmup.add(batch(side))
    del side, values
    assert held() is None
    assert warmup.rows == 4


def test_a_wide_answer_is_a_prediction() -> None:
    assert names_of(table(50, "age"), wide(50, "", 12_000)) == [
        ("age", "feature"),
        ("prediction.norm", "prediction"),
        ("prediction.mean", "prediction"),
    ]


def test_a_score_beside_a_wide_answer_is_one_too() -> None:
    mask = wide(50, "mask", 12_000)
    scores = np.random.default_rng(1).normal(size=50)
    outputs = Side(("score", "sure"), (scores, scores**2), 50, tables=mask.tables)
    roles = dict(names_of(table(50, "age"), outputs))
    assert roles == {
        "age": "feature",
        "mask.norm": "prediction",
        "mask.mean": "prediction",
        "score": "prediction",
        "sure": "probability",
    }


def test_images_of_several_sizes_are_learned_together_and_vectors_are_not() -> None:
    warmup = Warmup(10, "")
    warmup.add(batch(wide(20, "img", 40, 40, 3)))
    warmup.add(batch(wide(30, "img", 50, 40, 3)))
    warmup.add(batch(wide(30, "img", 12_000)))
    assert warmup.rows == 50
    (source,) = warmup.schema().sources
    assert source.shape == ()


def test_vectors_of_another_width_are_left_out() -> None:
    warmup = Warmup(10, "")
    warmup.add(batch(wide(20, "vec", 12_000)))
    warmup.add(batch(wide(20, "vec", 12_001)))
    assert warmup.rows == 20


def test_a_wide_answer_that_is_not_row_by_row_is_left_out() -> None:
    assert names_of(table(50, "age"), wide(1, "img", 40, 40, 3)) == [("age", "feature")]


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (wide(20, "img", 40, 40, 3), wide(20, "img", 12_000)),
        (Side(("img.width",), (np.arange(20.0),), 20, tables=wide(20, "img", 40, 40, 3).tables), NOTHING),
    ],
)
def test_a_table_with_a_name_that_is_taken_is_an_error(inputs: Side, outputs: Side) -> None:
    warmup = Warmup(10, "")
    warmup.add(batch(inputs, outputs))
    with pytest.raises(ProfileError):
        warmup.schema()


def test_what_was_learned_of_tables_binds_tables() -> None:
    inputs = wide(50, "", 40, 40, 3)
    warmup = Warmup(10, "")
    warmup.add(batch(inputs))
    schema = warmup.schema()
    summarised, broken = Summariser(schema).summarise(batch(inputs))
    checked = Checker(schema).check(summarised)
    assert (broken, checked.violations) == ({}, {})
    assert all(values is not None for values in checked.values)
    assert summarised.inputs.tables == ()

"""Rows of a wire to scores: the places of categories however they are spelled, and the derived columns."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from agent.batch import NOTHING, Batch, Checked, Side
from agent.joint.anomaly import DISTANCES, SCORE
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.validate.rows import RowScorer
from agent.validate.schema import Checker

ROWS = 2000


@cache
def schema() -> Schema:
    rng = np.random.default_rng(1)
    age = rng.normal(40, 10, ROWS)
    data = {
        "age": age,
        "pay": 100 * age + rng.normal(0, 50, ROWS),
        "kind": rng.choice(["a", "b", "c"], ROWS, p=[0.6, 0.3, 0.1]),
        "code": rng.choice([1, 2, 3], ROWS),
        "flag": rng.choice([True, False], ROWS),
        "y": rng.normal(size=ROWS),
    }
    return schema_of(build(data, prediction="y"))


def checked(**columns: list[Any]) -> Checked:
    usual: dict[str, list[Any]] = {"age": [40.0], "pay": [4000.0], "kind": ["a"], "code": [1], "flag": [True]}
    usual |= columns
    arrays = [
        np.array(values, dtype=np.float64 if set(map(type, values)) <= {float, int} else object) for values in usual.values()
    ]
    side = Side(tuple(usual), tuple(arrays), len(arrays[0]))
    return Checker(schema()).check(Batch("test", "", "", side, NOTHING))


def score(**columns: list[Any]) -> float:
    _, scores = RowScorer(schema()).score(checked(**columns))
    assert scores is not None
    return float(scores.anomaly[0])


def test_derived_columns_follow_the_others() -> None:
    found, scores = RowScorer(schema()).score(checked())
    assert scores is not None
    assert [column.name for column in schema().columns[-3:]] == [*DISTANCES, SCORE]
    assert [column.role for column in schema().columns[-3:]] == ["derived"] * 3
    assert len(found.values) == len(schema().columns)
    expected = (scores.errors, scores.distances, scores.anomaly)
    assert all(mine is theirs for mine, theirs in zip(found.values[-3:], expected, strict=True))
    assert found.matrix is scores.matrix
    assert found.matrix.shape == (1, scores.matrix.shape[1])


@pytest.mark.parametrize(
    "same",
    [
        {"code": ["1"]}, {"code": [1.0]}, {"flag": ["true"]}, {"flag": [1]}, {"flag": ["True"]}, {"age": [40]},
    ],
)  # fmt: skip
def test_spelling_does_not_matter(same: dict[str, list[Any]]) -> None:
    assert score(**same) == score()


@pytest.mark.parametrize(
    "strange",
    [
        {"kind": ["z"]}, {"code": [4]}, {"code": ["four"]}, {"kind": [None]}, {"kind": [["a"]]}, {"age": [np.nan]},
        {"age": [400.0]}, {"age": ["forty"]}, {"age": [60.0]}, {"code": [True]},
    ],
)  # fmt: skip
def test_strange_values_score_higher(strange: dict[str, list[Any]]) -> None:
    assert score(**strange) > score() + 0.5


def test_structure_counts_beyond_single_values() -> None:
    # Each of 55 and 2,500 is in range, and they never come together.
    assert score(age=[55.0], pay=[2500.0]) > max(score(age=[55.0], pay=[5500.0]), score(age=[25.0], pay=[2500.0])) + 1


def test_a_value_that_is_a_list_keeps_rows_in_line() -> None:
    found = checked(kind=["a", ["x"], "z"], age=[40.0, 40.0, 40.0], pay=[4e3] * 3, code=[1, 1, 1], flag=[True] * 3)
    assert {(column, kind): rows for (column, kind), rows in found.violations.items() if column == "kind"} == {
        ("kind", "type"): 1,
        ("kind", "unseen_category"): 1,
    }
    assert all(values is None or len(values) == 3 for values in found.values)
    _, scores = RowScorer(schema()).score(found)
    assert scores is not None
    assert len(scores.anomaly) == 3


def test_a_list_behind_an_unseen_value_is_no_fault() -> None:
    # The first unknown value ends the search for others, so that the list is only met when values are counted.
    found = checked(kind=["z", ["x"]], age=[40.0] * 2, pay=[4e3] * 2, code=[1, 1], flag=[True, True])
    assert found.violations[("kind", "type")] == 1
    assert found.violations[("kind", "unseen_category")] == 1


def test_batch_without_features_has_no_scores() -> None:
    outputs = Side(("y",), (np.zeros(2),), 2)
    found, scores = RowScorer(schema()).score(Checker(schema()).check(Batch("test", "", "", NOTHING, outputs)))
    assert scores is None
    assert found.values[-3:] == (None, None, None)
    assert found.matrix is None


def test_absent_column_counts_as_missing() -> None:
    whole, some = checked(), checked()
    values = list(some.values)
    values[2] = None
    scorer = RowScorer(schema())
    missing = scorer.score(replace(some, values=tuple(values)))[1]
    present = scorer.score(whole)[1]
    assert missing is not None
    assert present is not None
    assert missing.anomaly[0] > present.anomaly[0]


def test_unseen_values_are_not_remembered() -> None:
    scorer = RowScorer(schema())
    many = [f"sent-{i}" for i in range(1000)]
    rows: dict[str, list[Any]] = {
        "age": [40.0] * 1000,
        "pay": [4e3] * 1000,
        "kind": many,
        "code": [1] * 1000,
        "flag": [True] * 1000,
    }
    scorer.score(checked(**rows))
    codes = [codes for codes in scorer._codes.values() if codes is not None]
    assert max(map(len, codes)) <= 10


def test_schema_without_a_model_passes_batches_as_they_are() -> None:
    plain = schema_of(build({"a": np.arange(50.0), "b": np.arange(50.0)}))
    assert plain.derived == ()
    side = Side(("a", "b"), (np.zeros(1), np.zeros(1)), 1)
    found, scores = RowScorer(plain).score(Checker(plain).check(Batch("test", "", "", side, NOTHING)))
    assert scores is None
    assert len(found.values) == 2


def test_only_the_sample_is_looked_at() -> None:
    ages = [40.0, 41.0, 42.0, 43.0]
    whole = checked(age=ages, pay=[4e3] * 4, kind=["a", "b", "c", "a"], code=[1] * 4, flag=[True] * 4)
    taken = np.array([1, 3])
    found, scores = RowScorer(schema()).score(whole, taken)
    all_found, all_scores = RowScorer(schema()).score(whole)
    assert scores is not None
    assert all_scores is not None
    np.testing.assert_allclose(scores.anomaly, all_scores.anomaly[taken])
    assert found.matrix is not None
    assert all_found.matrix is not None
    np.testing.assert_array_equal(found.matrix, all_found.matrix[taken])
    assert found.rows == 4
    assert found.sample is taken
    sizes = {c.name: v.size for c, v in zip(schema().columns, found.values, strict=True) if v is not None}
    assert {sizes[name] for name in (*DISTANCES, SCORE)} == {2}
    assert {sizes[name] for name in ("age", "pay", "kind", "code", "flag")} == {4}
    kinds = found.encoded[[column.name for column in schema().features].index("kind")]
    assert kinds is not None
    assert kinds.tolist() == [1, 0]


def test_batch_without_a_row_in_the_sample_has_no_scores() -> None:
    found, scores = RowScorer(schema()).score(checked(), np.empty(0, dtype=np.intp))
    assert scores is None
    assert found.encoded == ()
    assert found.values[-3:] == (None, None, None)
    assert found.values[0] is not None


def test_predictions_that_are_not_row_by_row_belong_to_no_row() -> None:
    outputs = Side(("y",), (np.zeros(3),), 3)
    arrays = {"age": 40.0, "pay": 4e3, "kind": "a", "code": 1, "flag": True}
    inputs = Side(tuple(arrays), tuple(np.array([value], dtype=object) for value in arrays.values()), 1)
    found, scores = RowScorer(schema()).score(Checker(schema()).check(Batch("test", "", "", inputs, outputs)))
    assert scores is not None
    assert found.encoded[-1] is None
    assert found.encoded[0] is not None


def test_without_anything_to_look_for_it_is_idle() -> None:
    assert RowScorer(schema_of(build({"a": np.arange(50.0), "b": np.arange(50.0)}))).is_idle
    assert not RowScorer(schema()).is_idle

"""What columns are taken for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from agent.errors import ProfileError
from agent.profile.build import build

RNG = np.random.default_rng(11)


def type_of(values: Any, **options: Any) -> str:
    return build({"x": values}, **options).columns[0].type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (RNG.normal(size=100), "float"),
        (np.arange(100), "integer"),
        (np.arange(100.0), "float"),
        ([1.0, None, 3.0, 70.0], "integer"),
        (np.tile([1, 2, 3, 7], 50), "category"),
        (np.tile([1.0, 2.0, np.nan], 50), "category"),
        (np.tile([1, 2, 3, 7], 5), "integer"),
        ([0, 1], "category"),
        ([0.0, 1.0, 1.0], "category"),
        ([0, 0, 0], "integer"),
        ([5, 5, 5, 5], "integer"),
        ([True, False, None], "boolean"),
        (["true", "false"], "text"),
        (["a", "b"] * 10, "category"),
        (["only"], "category"),
        ([f"name {i}" for i in range(50)], "text"),
        ([f"zip {i % 200}" for i in range(4000)], "category"),
        (["", "", "x", "x"], "category"),
        ([1, "a", None, 2.5, 1, "a", 2.5, True, True], "category"),
        ([None, None], "float"),
        ([float("nan")], "float"),
        (np.array(["2020-01-01", "2021-01-01", "NaT"], dtype="M8[D]"), "datetime"),
        ([10**400, 5], "integer"),
        ([0.5, float("inf"), -0.0], "float"),
    ],
)
def test_type_is_inferred(values: Any, expected: str) -> None:
    assert type_of(values) == expected


def test_user_decides() -> None:
    assert type_of([0, 1, 1], numeric="x") == "integer"
    assert type_of([0.0, 1.0, 1.0], numeric=["x"]) == "float"
    assert type_of(np.arange(100), categorical="x") == "category"
    assert type_of([True, False], numeric="x") == "integer"
    assert type_of([f"name {i}" for i in range(50)], categorical=("x",)) == "category"
    assert type_of([1.5, 2.5], categorical="x") == "category"


def test_user_contradicts_the_data() -> None:
    with pytest.raises(ProfileError, match="'x' is to be numeric, but holds texts"):
        type_of(["a"], numeric="x")
    with pytest.raises(ProfileError, match="holds dates or times"):
        type_of(np.array(["2020-01-01"], dtype="M8[D]"), categorical="x")
    with pytest.raises(ProfileError, match="'x' is to be a probability"):
        type_of(["a"], probability="x")


def test_probabilities_are_numbers() -> None:
    assert type_of([0, 1, 1, 0], probability="x") == "float"


def test_task_decides_over_answers() -> None:
    counts = np.arange(40)
    assert type_of(counts, label="x", task="classification") == "category"
    assert type_of(np.tile([0, 1], 20), label="x", task="regression") == "integer"


def test_label_and_prediction_have_one_type() -> None:
    profile = build({"y": ["1", "2", "3", "1"], "p": [1, 2, 3, 3]}, label="y", prediction="p")
    assert [column.type for column in profile.columns] == ["category", "category"]
    assert profile.performance[0].value == 0.75


def test_declared_categories_stay_categories() -> None:
    encoded = pa.array([f"c{i}" for i in range(30)]).dictionary_encode()
    assert build(pa.table({"x": encoded})).columns[0].type == "category"


def test_ids_and_times_are_not_looked_at() -> None:
    profile = build({"i": [1, 2, None], "t": [3.0, 4.0, 5.0]}, id="i", time="t")
    assert [(c.role, c.type, c.missing, c.numeric, c.categories) for c in profile.columns] == [
        ("id", "text", 1, None, None),
        ("time", "datetime", 0, None, None),
    ]

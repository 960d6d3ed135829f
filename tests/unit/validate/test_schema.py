from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.batch import NOTHING, OUT_OF_RANGE, Batch, Checked, Side
from agent.profile.format import FORMAT, ColumnProfile, Model, Profile
from agent.profile.schema import ColumnSchema, Schema, schema_of
from agent.validate.schema import (
    EXTRA_COLUMN,
    KINDS,
    MISSING_COLUMN,
    NOT_FINITE,
    NULL,
    OTHER,
    SHAPE,
    TYPE,
    UNSEEN_CATEGORY,
    WHOLE,
    Checker,
)

NAN, INF = float("nan"), float("inf")


def number(name: str = "x", role: str = "feature", **given: Any) -> ColumnSchema:
    fields: dict[str, Any] = {"type": "float", "nullable": False, "minimum": 0.0, "maximum": 10.0, "edges": np.array([5.0])}
    fields |= {"coarse": np.array([0]), "categories": None, "reference": None} | given
    return ColumnSchema(name=name, role=role, **fields)


def category(*categories: str, type: str = "category", nullable: bool = False) -> ColumnSchema:
    return number(type=type, nullable=nullable, minimum=None, maximum=None, edges=None, coarse=None, categories=categories)


def objects(*values: object) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def check(column: ColumnSchema, values: NDArray[Any]) -> Checked:
    batch = Batch("test", "", "", Side((column.name,), (values,), values.size), NOTHING)
    return Checker(Schema("m", "1", (column,), ())).check(batch)


def kinds(checked: Checked) -> dict[str, int]:
    assert {name for name, _ in checked.violations} <= {"x"}
    return {kind: count for (_, kind), count in checked.violations.items()}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 10.0, 5.5], {}),
        ([-0.1, 10.1, 5.0], {OUT_OF_RANGE: 2}),
        ([NAN, 5.0], {NULL: 1}),
        ([NAN, NAN], {NULL: 2}),
        ([NAN, 11.0], {NULL: 1, OUT_OF_RANGE: 1}),
        ([INF, 5.0, -INF], {NOT_FINITE: 2}),
        ([INF, 11.0, NAN, -1.0], {NOT_FINITE: 1, OUT_OF_RANGE: 2, NULL: 1}),
        ([], {}),
    ],
)
def test_numbers(values: list[float], expected: dict[str, int]) -> None:
    checked = check(number(), np.array(values, dtype=np.float64))
    assert kinds(checked) == expected
    assert checked.values[0] is not None
    assert checked.values[0].size == len(values)


def test_missing_is_fine_where_training_had_missing_values() -> None:
    assert kinds(check(number(nullable=True), np.array([NAN, 1.0]))) == {}
    assert kinds(check(number(nullable=True), np.array([NAN, 11.0]))) == {OUT_OF_RANGE: 1}


def test_without_a_range_only_infinities_are_wrong() -> None:
    assert kinds(check(number(minimum=None, maximum=None), np.array([1e300, -1e300, INF, -INF]))) == {NOT_FINITE: 2}


@pytest.mark.parametrize(
    ("values", "left", "expected"),
    [
        (objects(1, 2.5, 3), [1.0, 2.5, 3.0], {}),
        (objects(1, None, 3), [1.0, NAN, 3.0], {NULL: 1}),
        (objects("1", True, 3), [NAN, NAN, 3.0], {TYPE: 2}),
        (objects("a", "b"), [NAN, NAN], {TYPE: 2}),
        (objects([1], {}, 2), [NAN, NAN, 2.0], {TYPE: 2}),
        (objects(10**400, -(10**400), 2), [INF, -INF, 2.0], {NOT_FINITE: 2}),
        (objects(np.float64(4.0), NAN, "x"), [4.0, NAN, NAN], {TYPE: 1, NULL: 1}),
    ],
    ids=range(7),
)
def test_mixed_values_in_a_numeric_column(values: NDArray[Any], left: list[float], expected: dict[str, int]) -> None:
    checked = check(number(), values)
    assert checked.values[0] is not None
    assert checked.values[0].dtype == np.float64
    assert np.array_equal(checked.values[0], np.array(left), equal_nan=True)
    assert kinds(checked) == expected
    assert checked.rows == values.size


def test_fractions_in_an_integer_column_are_counted_and_kept() -> None:
    checked = check(number(type="integer", nullable=True), np.array([1.0, 2.5, NAN, 3.0]))
    assert kinds(checked) == {TYPE: 1}
    assert checked.values[0] is not None
    assert checked.values[0].size == 4


def test_infinity_is_no_fraction() -> None:
    assert kinds(check(number(type="integer"), np.array([INF, 1.0]))) == {NOT_FINITE: 1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (objects("a", "b", "a"), {}),
        (objects("a", "c", "c"), {UNSEEN_CATEGORY: 2}),
        (objects("a", None, NAN), {NULL: 2}),
        (objects("a", 3, 3.0, "3"), {}),
        (np.array([3.0, 4.0, NAN]), {UNSEEN_CATEGORY: 1, NULL: 1}),
        (objects("a", True, 1), {UNSEEN_CATEGORY: 2}),
        (objects("a", [1], {}, "z"), {TYPE: 2, UNSEEN_CATEGORY: 1}),
        (objects(), {}),
    ],
    ids=range(8),
)
def test_categories(values: NDArray[Any], expected: dict[str, int]) -> None:
    assert kinds(check(category("a", "b", "3"), values)) == expected


@pytest.mark.parametrize(
    "values", [objects(True, False), np.array([0.0, 1.0]), objects(0, 1), objects("true", "False"), objects(0.0, True)]
)
def test_booleans_in_any_writing(values: NDArray[Any]) -> None:
    assert kinds(check(category("false", "true", type="boolean"), values)) == {}


def test_what_is_no_boolean_is_unseen() -> None:
    assert kinds(check(category("false", "true", type="boolean"), np.array([0.0, 2.0]))) == {UNSEEN_CATEGORY: 1}
    assert kinds(check(category("true", type="boolean"), objects(False, True))) == {UNSEEN_CATEGORY: 1}


@pytest.mark.parametrize("kind", ["text", "datetime"])
def test_text_is_only_checked_for_missing_values(kind: str) -> None:
    column = number(type=kind, minimum=None, maximum=None, edges=None, coarse=None)
    assert kinds(check(column, objects("a", 1, None, NAN, [2]))) == {NULL: 2}
    assert kinds(check(column, np.array([1.0, NAN]))) == {NULL: 1}


def schema() -> Schema:
    return Schema("m", "1", (number("a"), number("b")), (number("p", "prediction"),), frozenset({"id"}))


def side(rows: int, *names: str, positional: bool = False) -> Side:
    return Side(names, tuple(np.full(rows, 1.0 + index) for index in range(len(names))), rows, positional)


def run(inputs: Side, outputs: Side = NOTHING) -> Checked:
    return Checker(schema()).check(Batch("test", "", "", inputs, outputs))


def firsts(checked: Checked) -> list[float | None]:
    return [None if values is None else float(values[0]) for values in checked.values]


def test_values_come_in_the_schemas_order() -> None:
    checked = run(side(3, "b", "a"), side(3, "p"))
    assert firsts(checked) == [2.0, 1.0, 1.0]
    assert (checked.rows, checked.violations) == (3, {})


def test_a_missing_feature_counts_every_row() -> None:
    checked = run(side(3, "a"))
    assert firsts(checked)[::2] == [1.0, None]
    assert checked.values[1] is not None
    assert np.array_equal(checked.values[1], [NAN] * 3, equal_nan=True)
    assert checked.violations == {("b", MISSING_COLUMN): 3}


def test_names_that_a_sender_chose_never_become_keys() -> None:
    checked = run(side(3, "a", "b", "x1", "x2", "id"), side(3, "p", "evil"))
    assert checked.violations == {(OTHER, EXTRA_COLUMN): 6}


def test_columns_of_training_that_are_not_monitored_are_no_extras() -> None:
    columns = [ColumnProfile(name, role, "text", 0, 0) for name, role in (("a", "feature"), ("id", "id"), ("label", "label"))]
    found = schema_of(Profile(FORMAT, Model(), 0, columns))
    assert found.unmonitored == {"id", "label"}
    checker = Checker(found)
    assert checker.check(Batch("test", "", "", side(2, "id", "a", "label"), NOTHING)).violations == {}
    assert checker.check(Batch("test", "", "", side(2, "a", "di"), NOTHING)).violations == {(OTHER, EXTRA_COLUMN): 2}


def test_a_wrong_number_of_columns_is_not_observed() -> None:
    checked = run(side(3, "0", "1", "2", positional=True), side(3, "0", "1", positional=True))
    assert firsts(checked) == [None, None, None]
    assert checked.violations == {(WHOLE, SHAPE): 6}


def test_a_side_that_was_not_there_breaks_nothing() -> None:
    assert run(NOTHING, NOTHING) == Checked(0, (None, None, None), {})
    checked = run(NOTHING, side(4, "predict"))
    assert (checked.rows, firsts(checked), checked.violations) == (4, [None, None, 1.0], {})


def test_a_schema_without_features_promises_nothing_about_inputs() -> None:
    checker = Checker(Schema("m", "1", (), (number("p", "prediction"),)))
    assert checker.check(Batch("test", "", "", side(2, "a"), side(2, "y"))).violations == {}


def test_empty_columns_break_nothing() -> None:
    assert run(side(0, "a", "b"), side(0, "p")).violations == {}
    assert run(side(0, "a")).violations == {}


def test_kinds_are_a_closed_set() -> None:
    assert len(set(KINDS)) == len(KINDS) == 8

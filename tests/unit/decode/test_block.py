"""Rows, records, scalars and columns of any JSON."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from agent.decode import arrays
from agent.decode import block as blocks
from agent.decode.block import Block, NotObserved, flat_values, numbers, numbers_by_column, table_of_columns, table_of_rows
from agent.errors import DecodeError


def values_of(block: Block) -> list[tuple[Any, ...]]:
    if not block.numeric:
        return [tuple(row) for row in block.values]  # type: ignore[arg-type]  # rows, where it is not numeric
    assert isinstance(block.values, bytes)
    return [
        tuple(None if math.isnan(value) else value for value in row)
        for row in struct.iter_unpack(f"{block.width}d", block.values)
    ]


@pytest.mark.parametrize("read", [numbers, table_of_rows])
@pytest.mark.parametrize(
    ("items", "names", "rows"),
    [
        ([[1.0, 2.0]], 2, [(1.0, 2.0)]),
        ([[1.0, None], [3.0, 4.0]], 2, [(1.0, None), (3.0, 4.0)]),
        ([1.0, None, 3.0], 1, [(1.0,), (None,), (3.0,)]),
        ([None, 3.0], 1, [(None,), (3.0,)]),
        ([{"a": 1.0, "b": None}], ("a", "b"), [(1.0, None)]),
        ([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}], ("a", "b"), [(1.0, 2.0), (3.0, 4.0)]),
        ([{"a": 1.0, "b": 2.0}, {"b": 4.0, "a": 3.0}], ("a", "b"), [(1.0, 2.0), (3.0, 4.0)]),
        ([{"a": 1.0}, {"b": 2.0}], ("a", "b"), [(1.0, None), (None, 2.0)]),
        ([[[1.0, 2.0], [3.0, 4.0]]], 4, [(1.0, 2.0, 3.0, 4.0)]),
    ],
)
def test_numbers_are_packed_rows(read: Any, items: list[Any], names: Any, rows: list[Any]) -> None:
    block = read(items)
    assert (block.names, block.numeric, block.rows) == (names, True, len(rows))
    assert values_of(block) == rows


@pytest.mark.parametrize(
    "items",
    [
        [[1.5, None], [None, 2.5]],
        [{"a": 1.5, "b": None}, {"a": None, "b": 2.5}],
        [{"a": 1.5, "b": None}, {"b": None, "a": 2.5}],
        [{"a": 1.5}, {"a": None, "b": 2.5}],
        [[[1.5, None]], [[2.5, 3.5]]],
        [[[1.5]], [[None]]],
        [None, 1.5],
    ],
)
def test_numbers_with_missing_values_are_read_as_any_json_is(items: list[Any]) -> None:
    read, expected = numbers(items), table_of_rows(items)
    assert (read.names, read.numeric, read.rows) == (expected.names, True, expected.rows)
    assert values_of(read) == values_of(expected)


@pytest.mark.parametrize("items", [[[1.5, None], [2.5]], [[None, 1.5], {"1": None, "2": 2.5}], [[None], 1.5]])
def test_rows_with_missing_values_that_are_no_table_are_refused(items: list[Any]) -> None:
    with pytest.raises(DecodeError):
        numbers(items)


def test_whole_numbers_of_any_size_beside_missing_values() -> None:
    block = table_of_rows([[2**70, None], [-(10**400), 3]])
    assert values_of(block) == [(2.0**70, None), (-math.inf, 3.0)]


def test_anything_else_than_numbers_stays_as_it_is() -> None:
    block = table_of_rows([["a", True, 1, 2.5, None]])
    assert not block.numeric
    assert values_of(block) == [("a", True, 1, 2.5, None)]
    assert [type(value) for value in block.values[0]] == [str, bool, int, float, type(None)]  # type: ignore[union-attr]  # rows


@pytest.mark.parametrize(
    ("item", "names", "row"),
    [
        ({"a": "x", "b": None}, ("a", "b"), ("x", None)),
        (["x", 1], 2, ("x", 1)),
        ("x", 1, ("x",)),
        (True, 1, (True,)),
        ({"a": "x", "b": [True]}, ("a", "b[0]"), ("x", True)),
    ],
)
def test_one_mixed_row_reads_like_many(item: Any, names: Any, row: Any) -> None:
    for count in (1, 2):
        block = table_of_rows([item] * count)
        assert (block.names, block.numeric, block.rows) == (names, False, count)
        assert values_of(block) == [row] * count


def test_a_boolean_is_no_number() -> None:
    assert not table_of_rows([True, False]).numeric
    assert not table_of_rows([[1, True]]).numeric


def test_a_whole_number_beyond_float64_is_infinite() -> None:
    assert values_of(table_of_rows([[10**400, -(10**400), 1]])) == [(math.inf, -math.inf, 1.0)]


def test_arrays_and_objects_within_records_get_names_of_their_own() -> None:
    block = table_of_rows([{"label": 1, "probs": [0.1, 0.9], "box": {"x": 2, "y": [3]}}])
    assert block.names == ("label", "probs[0]", "probs[1]", "box.x", "box.y[0]")
    assert values_of(block) == [(1.0, 0.1, 0.9, 2.0, 3.0)]


def test_columns() -> None:
    assert values_of(table_of_columns({"a": [1, 2], "b": ["x", None]})) == [(1, "x"), (2, None)]
    assert values_of(table_of_columns({"a": 1, "b": None})) == [(1.0, None)]
    wide = table_of_columns({"a": [1, 2], "b": [[3, 4], [5, 6]]})
    assert wide.names == ("a", "b[0]", "b[1]")
    assert values_of(wide) == [(1.0, 3.0, 4.0), (2.0, 5.0, 6.0)]


def test_columns_of_numbers_go_the_short_way_only_if_nothing_is_odd() -> None:
    block = numbers_by_column(("a", "b"), [[1.0, 2.0], [3.0, 4.0]])
    assert block is not None
    assert values_of(block) == [(1.0, 3.0), (2.0, 4.0)]
    oddities: list[Any] = [[], [[]], [[1.0], [1.0, 2.0]], [[None], [1.0]], [[[1.0]], [1.0]]]
    for odd in oddities:
        assert numbers_by_column(("a", "b"), odd) is None


@pytest.mark.parametrize("read", [numbers, table_of_rows])
@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([[1.0], [1.0, 2.0]], "ragged"),
        ([[1.0, 2.0], {"a": 1.0, "b": 2.0}], "mixed_rows"),
        ([1.0, [1.0]], "mixed_rows"),
        ([[]], "no_columns"),
        ([{}], "no_columns"),
        ([[1.0, [2.0]]], "shape"),
        ([dict.fromkeys(map(str, range(blocks.MAX_COLUMNS + 1)), 0.0)], "too_many_columns"),
    ],
)
def test_what_is_no_table_is_refused(read: Any, items: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read(items)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("columns", "reason"), [({"a": [1], "b": [1, 2]}, "shape"), ({"a": [1], "b": 1}, "shape"), ({}, "no_columns")]
)
def test_columns_that_are_no_table_are_refused(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        table_of_columns(columns)
    assert error.value.reason == reason


def test_nothing_to_read_is_not_observed() -> None:
    calls: list[tuple[Any, Any]] = [(numbers, []), (table_of_rows, []), (table_of_columns, {"a": []})]
    for read, value in calls:
        with pytest.raises(NotObserved) as error:
            read(value)
        assert error.value.reason == "no_rows"


def test_images_are_tables_where_they_are_too_wide_for_columns() -> None:
    image = [[0.0] * 65] * 64
    for items in ([image], [{"image": image}]):
        block = table_of_rows(items)
        assert (block.names, block.rows, block.tables[0].tensor.shape) == ((), 1, (64, 65))
    assert table_of_rows([image[:63]]).width == 63 * 65


def test_wide_rows_are_tables_where_they_are_numbers() -> None:
    wide: list[Any] = [0.0] * blocks.MAX_COLUMNS
    assert numbers([wide]).width == blocks.MAX_COLUMNS
    for items in ([[*wide, None]], [[*wide, 1.0], [*wide, 2.0]]):
        block = numbers(items)
        assert (block.names, block.rows) == ((), len(items))
        assert block.tables[0].values.shape == (len(items), blocks.MAX_COLUMNS + 1)
    assert np.isnan(numbers([[*wide, None]]).tables[0].values[0, -1])
    assert table_of_rows([[*wide, 10**400]]).tables[0].values[0, -1] == np.inf


def test_arrays_of_an_object_that_are_too_wide_together_are_tables_from_the_widest_on() -> None:
    record = {"a": [1.0] * 3000, "b": [[2.0] * 20] * 100, "c": [3.0] * 10, "d": 4.0}
    block = table_of_rows([record, record])
    assert [(table.tensor.name, table.tensor.shape, len(table.values)) for table in block.tables] == [("a", (3000,), 2)]
    assert block.width == 2011
    assert values_of(block) == [(*[2.0] * 2000, *[3.0] * 10, 4.0)] * 2


def test_texts_of_an_object_stay_columns_where_numbers_can_be_tables() -> None:
    block = table_of_rows([{"text": ["x"] * 3000, "a": [1.0] * 2000}])
    assert [table.tensor.name for table in block.tables] == ["a"]
    assert block.width == 3000


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([{"a": ["x"] * 3000, "b": ["y"] * 2000}], "too_wide"),
        ([{f"a{at}": [0.0] * 11 for at in range(400)}], "too_wide"),
        ([[["x"] * 65] * 64], "too_wide"),
        ([{"image": [[True] * 65] * 64}], "too_wide"),
        ([{"image": [[0.0] * 65] * 64}, {}], "too_wide"),
        ([{"image": [[0.0] * 65] * 64}, {"image": None}], "too_wide"),
        ([["x"] * (blocks.MAX_COLUMNS + 1)], "too_wide"),
        ([[[0.0] * 65] * 64, [[0.0] * 64] * 65], "ragged"),
        ([{"image": [[0.0] * 65] * 64}, {"image": [[0.0] * 64] * 65}], "ragged"),
        ([{"image": [*[[0.0] * 65] * 64, [0.0]]}], "shape"),
    ],
)
def test_wide_arrays_that_are_no_table(items: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        table_of_rows(items)
    assert error.value.reason == reason


def test_a_table_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_TABLE_VALUES", 5000)
    with pytest.raises(DecodeError) as error:
        table_of_rows([[[0.0] * 65] * 64] * 2)
    assert error.value.reason == "too_many_values"


def test_records_with_ever_new_keys_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_PADDED_CELLS", 100)
    assert table_of_rows([{f"k{index}": 1} for index in range(10)]).width == 10
    with pytest.raises(DecodeError) as error:
        table_of_rows([{f"k{index}": 1} for index in range(11)])
    assert error.value.reason == "too_many_values"


def test_a_long_name_is_not_multiplied() -> None:
    name = "n" * (blocks.MAX_STEM + 1)
    assert table_of_rows([{name: 1}]).names == (name,)
    with pytest.raises(DecodeError) as error:
        table_of_rows([{name: [1, 2]}])
    assert error.value.reason == "name_too_long"


def test_deep_nesting_is_refused_without_recursion() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    for nested in ([deep], [{"a": deep}]):
        with pytest.raises(DecodeError) as error:
            table_of_rows(nested)
        assert error.value.reason == "shape"


def test_flat_values_are_row_major() -> None:
    assert flat_values([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]) == [1, 2, 3, 4, 5, 6, 7, 8]

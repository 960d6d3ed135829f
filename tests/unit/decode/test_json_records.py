"""Named values with wide arrays among them: read without a Python object a value, or left to the complete way."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from agent.decode.block import Block, table_of_columns, table_of_rows
from agent.decode.gather import side
from agent.decode.json_arrays import LARGE_BODY
from agent.decode.json_records import large_table, may_be_large
from tests.exchanges import as_lists

WIDE = np.random.default_rng(1).integers(0, 256, size=(2, 40, 41, 3))
LONG = np.random.default_rng(2).normal(size=(2, 5000))


def read(value: dict[str, Any]) -> Block | None:
    return large_table(json.dumps(value).encode(), ("instances",), ("inputs",))


def assert_same(block: Block | None, wanted: Block) -> None:
    assert block is not None
    assert (block.names, block.rows, block.numeric) == (wanted.names, wanted.rows, wanted.numeric)
    assert [table.tensor for table in block.tables] == [table.tensor for table in wanted.tables]
    for got, other in zip(block.tables, wanted.tables, strict=True):
        np.testing.assert_array_equal(got.values, other.values)
    if block.names:
        assert as_lists(side(block.names, block.numeric, [block.values])) == as_lists(
            side(wanted.names, wanted.numeric, [wanted.values])
        )


@pytest.mark.parametrize(
    "records",
    [
        [{"img": WIDE[0].tolist()}],
        [{"img": image.tolist(), "age": age} for image, age in zip(WIDE, (3, 4.5), strict=True)],
        [{"vec": LONG[0].tolist(), "img": WIDE[0].tolist(), "who": "a[0]", "more": {"x": [1, 2]}, "none": None}],
        [{"age": 1, "vec": vector.tolist(), "lag": [1, 2, 3]} for vector in LONG],
    ],
)
def test_records_are_read_as_the_complete_way_reads_them(records: list[dict[str, Any]]) -> None:
    assert_same(read({"signature_name": "s[", "instances": records}), table_of_rows(records))


@pytest.mark.parametrize(
    "columns",
    [
        {"img": WIDE.tolist()},
        {"img": WIDE.tolist(), "age": [1, 2], "who": ["a", "b"], "lag": [[1, 2], [3, 4]]},
        {"age": [1, 2.5, 3], "pay": [4, 5, 6]},
    ],
)
def test_columns_are_read_as_the_complete_way_reads_them(columns: dict[str, Any]) -> None:
    assert_same(read({"inputs": columns}), table_of_columns(columns))


def test_a_scalar_beside_wide_columns_is_repeated() -> None:
    block = read({"inputs": {"img": WIDE.tolist(), "light": 0.5, "lag": [1, 2]}})
    assert_same(block, table_of_columns({"img": WIDE.tolist(), "light": [0.5, 0.5], "lag": [1, 2]}))


def test_rows_are_still_rows() -> None:
    assert_same(read({"instances": WIDE.tolist()}), table_of_rows(WIDE.tolist()))
    assert_same(read({"instances": [[1.5, 2.0]]}), table_of_rows([[1.5, 2.0]]))


@pytest.mark.parametrize(
    "value",
    [
        {"instances": [{"age": 1}]},
        {"instances": [{"img": WIDE[0].tolist()}, {"img": WIDE[1].tolist(), "img2": WIDE[1].tolist()}]},
        {"instances": [{"img": WIDE[0].tolist()}, {"img": WIDE[1][:-1].tolist()}]},
        {"instances": [{"img": WIDE[0].tolist()}, {"img": None}]},
        {"instances": [{"img": WIDE[0].tolist()}, 3]},
        {"instances": [{"img": [[1, 2]] * 3000 + [[1, 2, 3], [4]]}]},
        {"instances": [{"img": [["a"] * 100] * 100}]},
        {"instances": [{"img": WIDE[0].tolist(), "file": {"b64": "AAAA"}}]},
        {"inputs": {"img": WIDE.tolist(), "age": [1]}},
        {"inputs": {"a": [1, 2], "b": [1]}},
        {"inputs": {"a": [1, 2], "b": [[1], [2]]}},
        {"inputs": {"a": [1, 2], "b": ["x", "y"]}},
        {"inputs": {}},
        {"other": [{"img": WIDE[0].tolist()}]},
    ],
)
def test_what_is_not_regular_is_left_to_the_complete_way(value: dict[str, Any]) -> None:
    assert read(value) is None


def test_many_small_objects_are_not_tried() -> None:
    assert not may_be_large(json.dumps({"instances": [{"a": 1.5}] * 5000}).encode())
    assert may_be_large(json.dumps({"instances": [{"img": WIDE[0].tolist()}] * 2}).encode())
    assert may_be_large(b'{"instances": [%s]}' % (b"1," * LARGE_BODY))
    assert not may_be_large(b'{"instances": [1]}')

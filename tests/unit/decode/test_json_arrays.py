"""Large arrays of numbers from JSON: read without a Python object a value, or left to the complete way."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

from agent.decode import json_arrays
from agent.decode.block import Block, table_of_rows
from agent.decode.gather import side
from agent.decode.json_arrays import MAX_KEPT, holds_texts, large_rows, read_large
from tests.exchanges import as_lists


def rows_of(value: Any, *paths: tuple[str, ...], names: tuple[str, ...] = ()) -> dict[str, list[Any]] | None:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    block = large_rows(body, *(paths or (("instances",),)), names=names)
    return None if block is None else as_lists(side(block.names, block.numeric, [block.values]))


def test_rows() -> None:
    assert rows_of({"instances": [[1, 2.5], [-3e2, 0]]}) == {"0": [1.0, -300.0], "1": [2.5, 0.0]}


def test_numbers_are_one_column() -> None:
    assert rows_of({"instances": [1, 2.5]}) == {"0": [1.0, 2.5]}


def test_what_lies_beside_may_hold_arrays() -> None:
    beside = {"signature": "x[0]", "parameters": {"a[b": [[1], "[["], "c": None}}
    assert rows_of({"instances": [[1], [2]], **beside}) == {"0": [1.0, 2.0]}
    assert rows_of({**beside, "instances": [1, 2]}) == {"0": [1.0, 2.0]}


def test_the_first_place_that_is_there_counts() -> None:
    paths = (("instances",), ("inputs",))
    assert rows_of({"inputs": [[1]]}, *paths) == {"0": [1.0]}
    assert rows_of({"inputs": [[1]], "instances": [[2]]}, *paths) == {"0": [2.0]}
    assert rows_of({"inputs": [[1]], "instances": None}, *paths) == {"0": [1.0]}
    assert rows_of({"predictions": [[1]]}, *paths) is None


def test_names_from_beside() -> None:
    split = {"columns": ["a", "b"], "index": [0, 1], "data": [[1, 2], [3, 4]]}
    at, names = ("dataframe_split", "data"), ("dataframe_split", "columns")
    assert rows_of({"dataframe_split": split, "params": {}}, at, names=names) == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    for columns in (["a"], ["a", "a"], ["a", 1], ["a", ["b"]], "ab", None):
        assert rows_of({"dataframe_split": {**split, "columns": columns}}, at, names=names) is None
    assert rows_of({"dataframe_split": {"data": [[1]]}}, at, names=names) is None


@pytest.mark.parametrize(
    "text",
    [
        "[]", "[[]]", "[[], []]", "[[1, 2], [3]]", "[[1, 2], 3, 4]", "[3, [1, 2], 4]", "[1, [2]]", "[1, [2, 3], []]",
        "[[1], [[2]]]", "[[[1]], [[2], [3]]]", "[[1, 2], [[3], 4]]", "[[1], {}]", "[[1], [null]]", "[1, null]", "[true]", '["1"]',
        "[[1], [NaN]]", "[1e999]", "{}", "1", "null", '"x"', "[123456789012345678901234567890]", "[01]", "[1", "[1,]",
        '[[1], [2]], "instances": [[3], [4]]',
    ],
)  # fmt: skip
def test_what_is_no_regular_table_is_left_to_the_complete_way(text: str) -> None:
    assert rows_of(b'{"instances": %s}' % text.encode()) is None
    assert rows_of(b'{"instances": [[1], [2]]}') == {"0": [1.0, 2.0]}  # the parser is free again


@pytest.mark.parametrize(
    "body", [b"", b"[[1]]", b"1", b"\xff", b"\x00" * 9, b"[" * 9000, b'{"a":' * 9000, b'{"instances": [1]} x']
)
def test_what_is_no_object_is_left_to_the_complete_way(body: bytes) -> None:
    assert rows_of(body) is None


def test_an_escape_could_hide_a_bracket() -> None:
    assert rows_of(b'{"instances": [1, [2]], "x": "\\u005b"}') is None
    assert rows_of(b'{"instances": [1, 2], "x": "\\n"}') is None


def test_rows_that_are_too_wide_for_columns_are_a_table() -> None:
    block = large_rows(json.dumps({"instances": [[*range(10_001)]]}).encode(), ("instances",))
    assert block is not None
    assert (block.names, block.rows) == ((), 1)
    assert block.tables[0].values.tolist() == [[*range(10_001)]]


def test_one_parser_serves_all_and_is_given_back() -> None:
    large_rows(b'{"instances": [1]}', ("instances",))
    before = list(json_arrays._spare)
    assert before
    for body in (b'{"instances": [1]}', b'{"instances": [null]}', b"nonsense"):
        large_rows(body, ("instances",))
        assert json_arrays._spare == before


def test_a_parser_that_is_still_taken_is_given_up() -> None:
    kept: list[Any] = []

    def keep(document: Any, brackets: int) -> int:
        kept.append(document)
        return brackets

    assert read_large(b'{"a": [[1]]}', keep) == 2
    assert read_large(b'{"a": [[1]]}', keep) is None
    assert rows_of({"instances": [1]}) == {"0": [1.0]}


def test_a_parser_of_a_huge_body_is_not_kept() -> None:
    json_arrays._spare.clear()
    body = b'{"instances": [1], "x": "%s"}' % (b"x" * MAX_KEPT)
    assert isinstance(large_rows(body, ("instances",)), Block)
    assert not json_arrays._spare


@pytest.mark.parametrize(
    ("data", "beside", "is_parsed"),
    [
        ([[1.5, 2.5]] * 5000, None, True),
        ([[1.5, None]] * 5000, None, False),
        ([[1.5, "red"]] * 5000, None, False),
        ([1.5, *[[2.5]] * 5000], [None] * 5000, False),
    ],
)
@pytest.mark.parametrize("separator", [",", " , "])
def test_what_no_array_of_numbers_is_read_from_is_not_parsed(data: Any, beside: Any, is_parsed: bool, separator: str) -> None:
    body = json.dumps({"id": None, "instances": data, "signature_name": beside}, separators=(separator, ":")).encode()
    met: list[int] = []

    def meet(_: Any, brackets: int) -> None:
        met.append(brackets)

    if not holds_texts(body):
        read_large(body, meet)
    assert bool(met) == is_parsed


def test_a_missing_value_beside_the_numbers_does_not_matter() -> None:
    body = json.dumps({"instances": [[1.5] * 2000], "a": "x" * 8000, "id": None, "b": "x" * 16_000}).encode()
    block = large_rows(body, ("instances",))
    assert block is not None
    assert block.width == 2000


def test_no_part_of_the_body_is_kept() -> None:
    body = b'{"instances": [[1, 2]]}'
    before = sys.getrefcount(body)
    block = large_rows(body, ("instances",))
    assert block is not None
    assert sys.getrefcount(body) == before


def test_what_lies_beside_rows_of_arrays_does_not_matter() -> None:
    assert rows_of({"signature": "[", "instances": [[[1]], [[2]]], "parameters": {"a": [[[3]], {}]}}) == {"0": [1.0, 2.0]}


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 1), (2, 40, 41, 3), (1, 65, 64)])
def test_rows_that_are_arrays(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(-9, 99, size=shape)
    body = json.dumps({"instances": array.tolist()}).encode()
    block, wanted = large_rows(body, ("instances",)), table_of_rows(array.tolist())
    assert block is not None
    assert (block.names, block.rows) == (wanted.names, wanted.rows)
    for got, other in zip(block.tables, wanted.tables, strict=True):
        assert got.tensor == other.tensor
        assert (got.values == other.values).all()
    if not block.tables:
        assert as_lists(side(block.names, True, [block.values])) == as_lists(side(wanted.names, True, [wanted.values]))


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [[[1], [2]], [[3]]]}',
        '{"instances": [[[1], [2]], [[3, 4]]]}',
        '{"instances": [[[1], 2]]}',
        '{"instances": [[[1], [null]]]}',
        '{"instances": [[[1], ["2"]]]}',
        '{"instances": [[[1], [{"a": 2}]]]}',
        '{"instances": [[[]]]}',
        '{"instances": [[[1]]], "instances": [[[2]]]}',
        '{"instances": [[[1]]], "parameters": [[[2]]], "parameters": 1}',
        '{"instances": [[[[[[[[[1]]]]]]]]]}',
    ],
)
def test_rows_of_arrays_that_are_left_to_the_complete_way(body: str) -> None:
    assert large_rows(body.encode(), ("instances",)) is None

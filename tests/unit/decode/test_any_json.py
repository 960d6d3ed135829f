"""JSON of no promised form."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.any_json import parse, table_of, unwrapped
from agent.decode.gather import side
from agent.errors import DecodeError
from tests.exchanges import as_lists


def columns(value: Any, *, flat_list_is_row: bool = False) -> dict[str, list[Any]]:
    block = table_of(value, flat_list_is_row=flat_list_is_row)
    return as_lists(side(block.names, block.numeric, [block.values]))


@pytest.mark.parametrize(
    ("value", "as_input", "as_output"),
    [
        ([1, 2], {"0": [1.0], "1": [2.0]}, {"0": [1.0, 2.0]}),
        ([[1, "x"]], {"0": [1.0], "1": ["x"]}, {"0": [1.0], "1": ["x"]}),
        ({"a": 1, "b": "x"}, {"a": [1.0], "b": ["x"]}, {"a": [1.0], "b": ["x"]}),
        ({"a": [1, 2]}, {"a": [1.0, 2.0]}, {"a": [1.0, 2.0]}),
        ("text", {"0": ["text"]}, {"0": ["text"]}),
    ],
)
def test_the_table_that_it_most_likely_is(value: Any, as_input: Any, as_output: Any) -> None:
    assert columns(value, flat_list_is_row=True) == as_input
    assert columns(value) == as_output


@pytest.mark.parametrize(
    ("rows", "vectors"),
    [
        ([{"features": [1, 2]}, {"features": [3, 4]}], [[1, 2], [3, 4]]),
        ([{"data": [1, 2]}], [[1, 2]]),
        ([{"data": {"features": {"values": [1, 2]}}, "configuration": {"x": 1}}], [[1, 2]]),
        ([{"features": {"keys": [0, 3], "shape": [5], "values": [7, 8.5]}}], [[7, 0, 0, 8.5, 0]]),
        ([{"features": 1}], [{"features": 1}]),
        ([{"features": [1], "x": 1}], [{"features": [1], "x": 1}]),
        ([{"data": "text"}], [{"data": "text"}]),
        ([{"values": [1]}], [{"values": [1]}]),
        ([{"features": [1]}, [2]], [{"features": [1]}, [2]]),
        ([[1]], [[1]]),
        ({"features": [1]}, {"features": [1]}),
        ([], []),
    ],
)
def test_vectors_come_out_of_what_is_around_them(rows: Any, vectors: Any) -> None:
    assert unwrapped(rows) == vectors


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ({"keys": [5], "shape": [5], "values": [1]}, "shape"),
        ({"keys": [-1], "shape": [5], "values": [1]}, "shape"),
        ({"keys": [True], "shape": [5], "values": [1]}, "shape"),
        ({"keys": [0, 1], "shape": [5], "values": [1]}, "shape"),
        ({"keys": [0], "shape": [5, 1], "values": [1]}, "shape"),
        ({"keys": [0], "shape": ["5"], "values": [1]}, "shape"),
        ({"keys": [0], "values": [1]}, "shape"),
        ({"keys": [0], "shape": [10**9], "values": [1]}, "too_many_columns"),
        ({"keys": [], "shape": [-1], "values": []}, "no_columns"),
    ],
)
def test_sparse_vectors_that_do_not_fit_are_refused(vector: Any, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        table_of([{"features": vector}], flat_list_is_row=False)
    assert error.value.reason == reason


def test_sparse_vectors_do_not_grow_without_bounds() -> None:
    with pytest.raises(DecodeError) as error:
        unwrapped([{"features": {"keys": [], "shape": [10_000], "values": []}}] * 1000)
    assert error.value.reason == "too_many_values"


def test_bare_nan_is_parsed_and_nonsense_refused() -> None:
    assert parse(b"[1, -Infinity]") == [1, float("-inf")]
    for body in (b"", b"[", b"\xff", b"nan", b"[" * 100_000):
        with pytest.raises(DecodeError) as error:
            parse(body)
        assert error.value.reason == "json"

"""Arrays of any depth: regular or not, told from the signs of the text."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import simdjson

from agent.decode.json_nested import MAX_MEMBERS, NotRegular, is_deep, members_of, nested_numbers, prove_regular, shape_in


def parsed(text: str) -> Any:
    return simdjson.Parser().parse(text.encode())


def regular(text: str, *path: str | int) -> bool:
    """Tell whether the array at a path is proved to be regular."""
    document = parsed(text)
    data = document
    for key in path:
        data = data[key]
    try:
        values, shape = nested_numbers(data)
        prove_regular(text.encode(), document, {path: shape})
    except NotRegular:
        return False
    assert values.reshape(shape).tolist() == data.as_list()
    return True


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 3), (2, 1, 1, 4), (5, 4, 3, 2, 1)])
def test_regular_arrays(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(-9, 99, size=shape) / 4
    assert regular(json.dumps({"a": array.tolist()}), "a")
    assert regular(json.dumps({"a": array.tolist()}, separators=(",", ":")), "a")
    assert regular(json.dumps({"a": array.tolist()}, indent=3), "a")


@pytest.mark.parametrize(
    "beside",
    [
        {"b": "[[]]"},
        {"b": [1, [2, "x,y"], {}], "c{": {"d": None, "e": [[]]}},
        {"b": [[[[1]]]]},
        {"ä:,": "{x", "b": True},
    ],
)
def test_what_lies_beside_does_not_matter(beside: dict[str, Any]) -> None:
    array = [[[1, 2], [3, 4]]]
    assert regular(json.dumps({"a": array, **beside}, ensure_ascii=False), "a")
    assert regular(json.dumps({**beside, "a": array}, ensure_ascii=False), "a")


def test_an_array_within_others() -> None:
    assert regular('{"a": [{"b": 1}, {"c": [[1, 2]]}]}', "a", 1, "c")


@pytest.mark.parametrize(
    "text",
    ['{"a": [[1, 2], [3], [4, 5, 6]]}', '{"a": [[[1], [2]], [[3, 4]]]}', '{"a": [[1, 2], [[3], 4]]}', '{"a": [[1, 2], 3, 4]}'],
)
def test_as_many_numbers_in_another_form_are_not_regular(text: str) -> None:
    assert not regular(text, "a")


def test_a_key_that_comes_twice_is_not_regular() -> None:
    assert not regular('{"a": [[1]], "b": 1, "b": 2}', "a")


@pytest.mark.parametrize("text", ['[[1], ["2"]]', "[[1], [null]]", "[[1], [true]]", '[[1], [{"a": 1}]]'])
def test_what_is_no_number_is_not_read(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        nested_numbers(parsed(text))


@pytest.mark.parametrize("text", ["[]", "[[]]", "[" * 9 + "1" + "]" * 9])
def test_what_is_empty_or_too_deep_has_no_shape(text: str) -> None:
    with pytest.raises(NotRegular):
        shape_in(parsed(text))


def test_deep_is_three_dimensions() -> None:
    assert is_deep(parsed("[[[1]]]"))
    assert not is_deep(parsed("[[1], [[2]]]"))
    assert not is_deep(parsed("[1]"))


def test_members_are_not_looked_for_without_end() -> None:
    members = {f"k{at}": at for at in range(MAX_MEMBERS)}
    assert members_of(parsed(json.dumps(members))) == list(members.items())
    with pytest.raises(NotRegular):
        members_of(parsed(json.dumps({**members, "one": 1})))


def test_members_stay_parsed() -> None:
    ((_, value),) = members_of(parsed('{"a": [1]}'))
    assert isinstance(value, simdjson.Array)

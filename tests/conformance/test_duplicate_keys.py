"""Of a key that comes twice the last one counts, as in every JSON library of a server: in small bodies and in large ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.decode.decoder import Decoder
from tests.exchanges import as_lists, json_exchange

FIRST, LAST = [1.5, 2.5], [3.5, 4.5]
BY_POSITION, BY_NAME = dict(zip("01", LAST, strict=True)), dict(zip("ab", LAST, strict=True))


def rows(value: list[float], count: int) -> str:
    return json.dumps([value] * count)


def twice(key: str, count: int) -> str:
    return f'"{key}": {rows(FIRST, count)}, "{key}": {rows(LAST, count)}'


def objects(count: int) -> str:
    return "[" + ", ".join(['{"a": 0.5, "b": 4.5, "a": 3.5}'] * count) + "]"


def again(count: int) -> str:
    return f', "data": {json.dumps(LAST * count)}'


def tensor(value: list[float], count: int, more: str = "") -> str:
    data = json.dumps(value * count)
    return f'{{"name": "x", "shape": [{count}, 2], "datatype": "FP64", "data": {data}{more}}}'


WAYS: dict[str, tuple[str, dict[str, float], Callable[[int], str], Callable[[int], str]]] = {
    "v1": (
        "/v1/models/m:predict", BY_POSITION,
        lambda count: f"{{{twice('instances', count)}}}", lambda count: f"{{{twice('predictions', count)}}}",
    ),
    "v1 objects": (
        "/v1/models/m:predict", BY_NAME,
        lambda count: f'{{"instances": {objects(count)}}}', lambda count: f'{{"predictions": {objects(count)}}}',
    ),
    "v2": (
        "/v2/models/m/infer", BY_POSITION,
        lambda count: f'{{"inputs": [{tensor(FIRST, count)}], "inputs": [{tensor(LAST, count)}]}}',
        lambda count: f'{{"outputs": [{tensor(FIRST, count)}], "outputs": [{tensor(LAST, count)}]}}',
    ),
    "v2 data": (
        "/v2/models/m/infer", BY_POSITION,
        lambda count: f'{{"inputs": [{tensor(FIRST, count, again(count))}]}}',
        lambda count: f'{{"outputs": [{tensor(LAST, count)}]}}',
    ),
    "mlflow": (
        "/invocations", BY_POSITION,
        lambda count: f"{{{twice('inputs', count)}}}", lambda count: f"{{{twice('predictions', count)}}}",
    ),
    "mlflow split": (
        "/invocations", BY_NAME,
        lambda count: f'{{"dataframe_split": {{"columns": ["x", "y"], {twice("data", count)}, "columns": ["a", "b"]}}}}',
        lambda count: f'{{"predictions": {objects(count)}}}',
    ),
    "seldon": (
        "/api/v1.0/predictions", BY_NAME,
        lambda count: f'{{"data": {{"names": ["a", "b"], {twice("ndarray", count)}}}}}',
        lambda count: f'{{"data": {{"names": ["a", "b"], {twice("ndarray", count)}}}}}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("count", [1, 5000])
@pytest.mark.parametrize("way", WAYS)
def test_the_last_one_counts(way: str, count: int) -> None:
    path, last, question, answer = WAYS[way]
    result = Decoder().decode([json_exchange(path, question(count), answer(count))])
    assert not result.undecoded | result.unobserved
    (batch,) = result.batches
    expected: dict[str, list[Any]] = {name: [value] * count for name, value in last.items()}
    assert as_lists(batch.inputs) == expected
    assert as_lists(batch.outputs) == expected

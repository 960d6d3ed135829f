"""MLflow's JSON on ``/invocations``."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.decoder import Decoder
from agent.decode.mlflow import read_inputs
from agent.errors import DecodeError
from tests.exchanges import as_lists, json_exchange, kinds

PATH = "/invocations"


@pytest.mark.parametrize(
    "question",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, None]]}},
        {"dataframe_split": {"index": [7, 9], "columns": ["a", "b"], "data": [[1, 2], [3, None]]}, "params": {"x": [1]}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": None}]},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3}]},
        {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": None}]},
        {"inputs": {"a": [1, 3], "b": [2, None]}},
    ],
)
def test_the_four_shapes_say_the_same(question: Any) -> None:
    result = Decoder().decode([json_exchange(PATH, question, {"predictions": [0, 1]})])
    (batch,) = result.batches
    assert (batch.format, batch.model) == ("invocations", "")
    assert as_lists(batch.inputs) == {"a": [1.0, 3.0], "b": [2.0, None]}
    assert as_lists(batch.outputs) == {"0": [0.0, 1.0]}
    assert not result.undecoded


def test_text_columns() -> None:
    question = {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]}}
    (batch,) = Decoder().decode([json_exchange(PATH, question, {"predictions": ["u", "v"]})]).batches
    assert as_lists(batch.inputs) == {"a": [1.0, 2.0], "b": ["x", None]}
    assert kinds(batch.inputs) == ["f", "O"]


def test_columns_may_be_numbered_or_missing() -> None:
    assert read_inputs(b'{"dataframe_split": {"columns": [0, 1], "data": [[1, 2]]}}').names == ("0", "1")
    assert read_inputs(b'{"dataframe_split": {"data": [[1, 2]]}}').names == 2


@pytest.mark.parametrize(
    ("answer", "columns"),
    [
        ({"predictions": [1, 2]}, {"0": [1.0, 2.0]}),
        ([1, 2], {"0": [1.0, 2.0]}),
        ({"predictions": [[0.1, 0.9], [0.5, 0.5]]}, {"0": [0.1, 0.5], "1": [0.9, 0.5]}),
        ([{"p": 1, "name": "a"}, {"p": 2, "name": "b"}], {"p": [1.0, 2.0], "name": ["a", "b"]}),
        ({"predictions": {"p": [1, 2]}}, {"p": [1.0, 2.0]}),
        ({"p": [1, 2]}, {"p": [1.0, 2.0]}),
    ],
)
def test_answers(answer: Any, columns: Any) -> None:
    (batch,) = Decoder().decode([json_exchange(PATH, {"inputs": [[1], [2]]}, answer)]).batches
    assert as_lists(batch.outputs) == columns


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "fields"),
        (b'{"params": {}}', "fields"),
        (b'{"dataframe_split":', "json"),
        (b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', "shape"),
        (b'{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}', "duplicate_names"),
        (b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3]]}}', "ragged"),
        (b'{"dataframe_records": [1]}', "fields"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_inputs(body)
    assert error.value.reason == reason

"""Configured routes."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.decoder import Decoder
from agent.spelling import CustomRoute
from tests.exchanges import as_lists, json_exchange

ROUTE = CustomRoute("/score/{model}/now", "$.rows", "$.out[0].scores")


def decode(question: Any, answer: Any, route: CustomRoute = ROUTE) -> Any:
    return Decoder((route,)).decode([json_exchange("/score/m/now", question, answer)])


@pytest.mark.parametrize(
    ("value", "as_inputs", "as_outputs"),
    [
        ([[1, 2], [3, 4]], {"0": [1.0, 3.0], "1": [2.0, 4.0]}, {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        ([{"a": 1}, {"a": 2}], {"a": [1.0, 2.0]}, {"a": [1.0, 2.0]}),
        ([1, 2], {"0": [1.0], "1": [2.0]}, {"0": [1.0, 2.0]}),
        (["x", None], {"0": ["x"], "1": [None]}, {"0": ["x", None]}),
        ({"a": [1, 2], "b": ["x", "y"]}, {"a": [1.0, 2.0], "b": ["x", "y"]}, {"a": [1.0, 2.0], "b": ["x", "y"]}),
        ({"a": 1, "b": "x"}, {"a": [1.0], "b": ["x"]}, {"a": [1.0], "b": ["x"]}),
        (0.5, {"0": [0.5]}, {"0": [0.5]}),
    ],
)
def test_what_a_path_finds_is_told_by_its_shape(value: Any, as_inputs: Any, as_outputs: Any) -> None:
    result = decode({"rows": value}, {"out": [{"scores": value}]})
    (batch,) = result.batches
    assert (batch.format, batch.model) == ("custom", "m")
    assert result.routes == ["/score/{model}/now"]
    assert as_lists(batch.inputs) == as_inputs
    assert as_lists(batch.outputs) == as_outputs


def test_the_whole_body() -> None:
    (batch,) = decode([[1, 2]], 5, CustomRoute("/score/m/now", "$", "$")).batches
    assert as_lists(batch.inputs) == {"0": [1.0], "1": [2.0]}
    assert as_lists(batch.outputs) == {"0": [5.0]}


def test_without_a_path_to_outputs_they_are_left_alone() -> None:
    result = decode([[1, 2]], "no JSON", CustomRoute("/score/m/now", "$", ""))
    assert result.batches[0].outputs.rows == 0
    assert not result.undecoded
    assert not result.unobserved


@pytest.mark.parametrize("question", [{}, 1, [], "a"])
def test_a_path_that_leads_nowhere_is_counted(question: Any) -> None:
    result = decode(question, {"out": [{"scores": [1]}]})
    assert result.undecoded == {("custom", "json" if question == "a" else "path"): 1}


def test_bare_nan() -> None:
    assert as_lists(decode('{"rows": [[NaN, 1]]}', {"out": [{"scores": [1]}]}).batches[0].inputs) == {"0": [None], "1": [1.0]}


def test_a_configured_route_wins_over_the_table() -> None:
    route = CustomRoute("/v1/models/{name}:predict", "$.x", "")
    result = Decoder((route,)).decode([json_exchange("/v1/models/a:predict", {"x": [1]}, {})])
    assert result.decoded == {"custom": 1}
    assert result.batches[0].model == ""

"""Seldon's feedback: labels, kept apart from traffic."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.decoder import Decoded, Decoder
from agent.decode.routes import LABELS
from agent.exchange import Flag
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

PATH = "/api/v1.0/feedback"
REQUEST: Any = {"data": {"names": ["a", "b"], "ndarray": [[1, 2], [3, 4]]}}
RESPONSE: Any = {"meta": {"puid": "p7"}, "data": {"ndarray": [[0], [1]]}}


def decode(feedback: Any, **kinds: Any) -> Decoded:
    return Decoder().decode([json_exchange(PATH, feedback, {"meta": {}}, **kinds)])


@pytest.mark.parametrize(
    ("feedback", "outputs"),
    [
        ({"truth": {"data": {"ndarray": [1, 0]}}}, {"truth": [1.0, 0.0]}),
        ({"truth": {"data": {"names": ["label"], "ndarray": [["x"], ["y"]]}}}, {"truth": ["x", "y"]}),
        ({"truth": {"data": {"ndarray": [[1, 0], [0, 1]]}}, "reward": 0.5},
         {"truth[0]": [1.0, 0.0], "truth[1]": [0.0, 1.0], "reward": [0.5, 0.5]}),
        ({"truth": {"jsonData": [{"u": 1, "v": 2}]}}, {"truth.u": [1.0], "truth.v": [2.0]}),
        ({"reward": 1}, {"reward": [1.0]}),
    ],
)  # fmt: skip
def test_truth_and_reward_are_the_outputs(feedback: Any, outputs: Any) -> None:
    result = decode({"request": REQUEST, "response": RESPONSE, **feedback})
    (batch,) = result.batches
    assert (batch.format, batch.ids) == ("seldon-feedback", ("p7",))
    assert as_lists(batch.inputs) == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert as_lists(batch.outputs) == outputs
    assert not result.undecoded | result.unobserved


def test_the_format_is_no_traffic() -> None:
    assert frozenset({"seldon-feedback"}) == LABELS


def test_a_truth_without_a_request() -> None:
    result = decode({"truth": {"data": {"ndarray": [1]}}, "response": RESPONSE})
    (batch,) = result.batches
    assert (batch.inputs.rows, as_lists(batch.outputs), batch.ids) == (0, {"truth": [1.0]}, ("p7",))
    assert result.unobserved == {"no_rows": 1}


@pytest.mark.parametrize(
    ("feedback", "undecoded", "unobserved"),
    [
        ({}, {}, {"no_rows": 1}),
        ("{", {("seldon-feedback", "json"): 2}, {}),
        ({"truth": 1}, {("seldon-feedback", "fields"): 2}, {}),
        ({"request": REQUEST, "truth": {}}, {("seldon-feedback", "fields"): 1}, {}),
        ({"request": REQUEST, "reward": "NaN"}, {("seldon-feedback", "fields"): 2}, {}),
        ('{"request": {"strData": "x"}, "reward": NaN}', {}, {"no_rows": 1}),
        ({"reward": 1, "truth": {"jsonData": {"u" * 300: 1, "v": 2}}}, {("seldon-feedback", "name_too_long"): 1}, {"no_rows": 1}),
    ],
)
def test_what_can_not_be_read_is_counted(feedback: Any, undecoded: Any, unobserved: Any) -> None:
    result = decode(feedback)
    assert result.undecoded == undecoded
    assert result.unobserved == unobserved


def test_feedback_that_was_cut() -> None:
    request = request_bytes(PATH, b'{"reward": 1}')
    result = Decoder().decode([exchange(request, response_bytes(b"{}"), flags=Flag.REQUEST_CUT)])
    assert result.unobserved == {"truncated": 1}
    assert not result.batches

"""TensorFlow Serving's classification and regression over REST."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.block import MAX_REPEATED_CELLS
from agent.decode.decoder import Decoder
from agent.decode.tensorflow_rest import read_classes, read_examples, read_regression
from agent.errors import DecodeError
from tests.exchanges import as_lists, json_exchange

CLASSIFY = "/v1/models/m:classify"
REGRESS = "/v1/models/m/versions/3:regress"


def decode_one(target: str, question: Any, answer: Any) -> Any:
    result = Decoder().decode([json_exchange(target, question, answer)])
    assert not result.undecoded
    (batch,) = result.batches
    return batch


def test_examples_and_values() -> None:
    batch = decode_one(REGRESS, {"signature_name": "s", "examples": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}, {"results": [0.5, 1]})
    assert (batch.format, batch.model, batch.version) == ("tensorflow-serving", "m", "3")
    assert as_lists(batch.inputs) == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert as_lists(batch.outputs) == {"0": [0.5, 1.0]}


def test_examples_share_a_context_and_lists_of_one_are_values() -> None:
    question = {"context": {"user": "u"}, "examples": [{"a": [1], "b": [1, 2]}, {"a": 3, "b": [4]}]}
    batch = decode_one(REGRESS, question, {"result": [0.5, "NaN"]})
    assert as_lists(batch.inputs) == {"user": ["u", "u"], "a": [1.0, 3.0], "b[0]": [1.0, 4.0], "b[1]": [2.0, None]}


def test_bytes_in_examples() -> None:
    question = {"examples": [{"image": {"b64": "//8="}, "word": [{"b64": "YQ=="}]}]}
    assert as_lists(decode_one(REGRESS, question, {"results": [1]}).inputs) == {"image": [2.0], "word": ["a"]}


@pytest.mark.parametrize("key", ["result", "results"])
def test_classes(key: str) -> None:
    answer = {key: [[["cat", 0.25], ["dog", 0.75]], [["cat", 1], ["dog", 0]]]}
    batch = decode_one(CLASSIFY, {"examples": [{"a": 1}, {"a": 2}]}, answer)
    assert as_lists(batch.outputs) == {"label": ["dog", "cat"], "scores.cat": [0.25, 1.0], "scores.dog": [0.75, 0.0]}


def test_classes_without_labels() -> None:
    batch = decode_one(CLASSIFY, {"examples": [{"a": 1}]}, {"results": [[["", 0.25], ["", 0.75]]]})
    assert as_lists(batch.outputs) == {"scores[0]": [0.25], "scores[1]": [0.75]}


def test_bare_nan_in_all_of_them() -> None:
    assert as_lists(decode_one(REGRESS, '{"examples": [{"a": NaN}]}', '{"results": [-Infinity]}').outputs) == {
        "0": [float("-inf")]
    }
    assert as_lists(decode_one(CLASSIFY, {"examples": [{"a": 1}]}, '{"results": [[["u", NaN]]]}').outputs) == {
        "label": ["u"],
        "scores.u": [None],
    }


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (read_examples, b"{}", "fields"),
        (read_examples, b'{"examples": [1]}', "fields"),
        (read_examples, b'{"examples": []}', "no_rows"),
        (read_examples, b'{"examples": [{}]}', "no_columns"),
        (read_examples, b"[", "fields"),
        (read_regression, b'{"results": {"a": 1}}', "fields"),
        (read_regression, b'{"results": [', "json"),
        (read_regression, b'{"error": "x"}', "fields"),
        (read_classes, b'{"results": [[["u"]]]}', "fields"),
        (read_classes, b'{"results": [[["u", "v"]]]}', "fields"),
        (read_classes, b'{"results": [1]}', "fields"),
        (read_classes, b'{"results": [[]]}', "no_columns"),
        (read_classes, b"[]", "fields"),
    ],
)
def test_what_can_not_be_read_is_refused(read: Any, body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read(body)
    assert error.value.reason == reason


def test_a_context_is_not_copied_without_bounds() -> None:
    context = ",".join(f'"c{index}": 1' for index in range(1000))
    body = f'{{"context": {{{context}}}, "examples": [{",".join(["{}"] * 3000)}]}}'
    with pytest.raises(DecodeError) as error:
        read_examples(body.encode())
    assert error.value.reason == "too_many_values"


@pytest.mark.parametrize("value", ["[1, 2, 3, 4]", '{"a": [[1, 2], [3, 4]]}', "[[], [], [], []]"])
def test_lists_of_a_context_count_as_their_values(value: str) -> None:
    body = f'{{"context": {{"c": {value}}}, "examples": [{",".join(["{}"] * (MAX_REPEATED_CELLS // 4 + 1))}]}}'
    with pytest.raises(DecodeError) as caught:
        read_examples(body.encode())
    assert caught.value.reason == "too_many_values"


@pytest.mark.parametrize("body", ['{"examples": [{"b64": "YQ=="}]}', '{"examples": [{"a": 1}], "context": {"b64": ""}}'])
def test_bytes_are_no_rows(body: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_examples(body.encode())
    assert caught.value.reason == "fields"

"""Seldon Core V1's messages."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from agent.decode.decoder import Decoder
from agent.decode.seldon import read_inputs, read_outputs
from agent.errors import DecodeError
from tests.exchanges import as_lists, json_exchange, kinds

PATH = "/api/v1.0/predictions"
ANSWER: Any = {"meta": {"puid": "p7"}, "data": {"names": ["t:0"], "ndarray": [[0.5]]}}


def decode_one(question: Any, answer: Any = None) -> Any:
    result = Decoder().decode([json_exchange(PATH, question, ANSWER if answer is None else answer)])
    assert not result.undecoded
    (batch,) = result.batches
    return batch


@pytest.mark.parametrize("path", [PATH, "/api/v0.1/predictions"])
def test_a_call(path: str) -> None:
    question = {"data": {"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [1, 2, 3, None]}}}
    answer = {"meta": {"puid": "p7"}, "data": {"names": ["t:0", "t:1"], "ndarray": [[0.5, 0.5], [1, 0]]}}
    (batch,) = Decoder().decode([json_exchange(path, question, answer)]).batches
    assert (batch.format, batch.model, batch.ids) == ("seldon", "", ("p7",))
    assert as_lists(batch.inputs) == {"a": [1.0, 3.0], "b": [2.0, None]}
    assert as_lists(batch.outputs) == {"t:0": [0.5, 1.0], "t:1": [0.5, 0.0]}


@pytest.mark.parametrize(
    ("payload", "inputs"),
    [
        ({"data": {"tensor": {"shape": [1, 2], "values": [1, 2]}}}, {"0": [1.0], "1": [2.0]}),
        ({"data": {"tensor": {"shape": [2], "values": [1, 2]}}}, {"0": [1.0], "1": [2.0]}),
        ({"data": {"tensor": {"shape": [2, 1], "values": [[1], [2]]}}}, {"0": [1.0, 2.0]}),
        ({"data": {"tensor": {"shape": [1, 2, 2], "values": [1, 2, 3, 4]}}}, {"0": [1.0], "1": [2.0], "2": [3.0], "3": [4.0]}),
        ({"data": {"names": ["a", "b"], "ndarray": [[1, "x"], [None, "y"]]}}, {"a": [1.0, None], "b": ["x", "y"]}),
        ({"data": {"names": ["a", "b"], "ndarray": [1, True]}}, {"a": [1.0], "b": [True]}),
        ({"data": {"names": ["a"], "ndarray": [[1, True]]}}, {"0": [1.0], "1": [True]}),
        ({"data": {"ndarray": [{"a": 1, "b": "x"}]}}, {"a": [1.0], "b": ["x"]}),
        ({"strData": "a text"}, {"0": ["a text"]}),
        ({"binData": base64.b64encode(b"\x89PNG").decode()}, {"0": [4.0]}),
        ({"binData": base64.b64encode(b"text").decode()}, {"0": ["text"]}),
        ({"jsonData": [1, 2]}, {"0": [1.0], "1": [2.0]}),
        ({"jsonData": {"a": 1, "b": {"c": "x"}}}, {"a": [1.0], "b.c": ["x"]}),
        ({"jsonData": "x"}, {"0": ["x"]}),
        ('{"data": {"ndarray": [[NaN, Infinity]]}}', {"0": [None], "1": [float("inf")]}),
    ],
)
def test_payloads_of_all_kinds(payload: Any, inputs: Any) -> None:
    assert as_lists(decode_one(payload).inputs) == inputs


def test_one_dimension_is_a_row_when_asked_and_rows_when_answered() -> None:
    flat = {"data": {"tensor": {"shape": [2], "values": [1, 2]}}}
    named = {"data": {"names": ["p", "q"], "ndarray": [1, 2]}}
    assert as_lists(decode_one(flat, flat).outputs) == {"0": [1.0, 2.0]}
    assert as_lists(decode_one(flat, named).outputs) == {"p": [1.0], "q": [2.0]}
    assert as_lists(decode_one(flat, {"data": {"names": ["p"], "ndarray": [1, 2]}}).outputs) == {"p": [1.0, 2.0]}


def shape(*sizes: Any) -> Any:
    return {"dim": [{"size": size} for size in sizes]}


CONTENT = base64.b64encode(struct.pack("<2d", 1, 2)).decode()


@pytest.mark.parametrize(
    ("tensor", "inputs"),
    [
        ({"dtype": "DT_FLOAT", "tensorShape": shape("1", "2"), "floatVal": [1, 2.5]}, {"a": [1.0], "b": [2.5]}),
        ({"dtype": 1, "tensor_shape": shape(2, 1), "float_val": ["NaN", 2]}, {"0": [None, 2.0]}),
        ({"dtype": "DT_DOUBLE", "tensorShape": shape(2), "tensorContent": CONTENT}, {"a": [1.0], "b": [2.0]}),
        ({"dtype": "DT_INT64", "tensorShape": shape("2", "2"), "int64Val": ["7"]}, {"a": [7.0, 7.0], "b": [7.0, 7.0]}),
        ({"dtype": "DT_STRING", "tensorShape": shape(1, 1), "stringVal": ["eA=="]}, {"0": ["x"]}),
    ],
)
def test_tensors_of_tensorflow(tensor: Any, inputs: Any) -> None:
    assert as_lists(decode_one({"data": {"names": ["a", "b"], "tftensor": tensor}}).inputs) == inputs


def test_many_rows_of_numbers_are_numeric() -> None:
    batch = decode_one({"data": {"names": ["a", "b"], "ndarray": [[i, i + 0.5] for i in range(100)]}})
    assert kinds(batch.inputs) == ["f", "f"]
    assert batch.inputs.rows == 100


def test_a_failure_in_a_message_is_no_answer() -> None:
    result = Decoder().decode([json_exchange(PATH, {"strData": "x"}, {"status": {"status": "FAILURE", "code": -1}})])
    assert result.unobserved == {"status": 1}
    assert not result.undecoded


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "json"),
        (b"[]", "fields"),
        (b"{}", "fields"),
        (b'{"data": {}}', "fields"),
        (b'{"data": {"names": ["a"]}}', "fields"),
        (b'{"data": {"ndarray": 1}}', "fields"),
        (b'{"data": {"ndarray": []}}', "no_rows"),
        (b'{"data": {"ndarray": [[1], [1, 2]]}}', "ragged"),
        (b'{"data": {"names": ["a", "a"], "ndarray": [[1, 2]]}}', "duplicate_names"),
        (b'{"data": {"tensor": {"shape": [2, 2], "values": [1]}}}', "shape"),
        (b'{"data": {"tensor": {"shape": [-1, 2], "values": [1]}}}', "shape"),
        (b'{"data": {"tensor": {"shape": [1, 1], "values": [{}]}}}', "shape"),
        (b'{"data": {"tensor": {"values": [1]}}}', "fields"),
        (b'{"data": {"tftensor": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "x"}]}}}}', "fields"),
        (b'{"data": {"tftensor": {"dtype": "DT_NONE"}}}', "datatype"),
        (b'{"data": {"tftensor": {"dtype": "DT_COMPLEX64", "tensorShape": {"dim": [{"size": 1}]}}}}', "datatype"),
        (b'{"data": {"tftensor": {"dtype": "DT_DOUBLE", "tensorContent": "AAAA"}}}', "size"),
        (b'{"data": {"tftensor": {"floatVal": 1, "tensorShape": []}}}', "fields"),
        (b'{"data": {"tftensor": {"dtype": "DT_FLOAT", "floatVal": [1' + b"0" * 400 + b"]}}}", "fields"),
        (b'{"strData": 1}', "fields"),
        (b'{"meta": {"puid": 1}, "strData": "x"}', "fields"),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, reason: str) -> None:
    for read in (read_inputs, read_outputs):
        with pytest.raises(DecodeError) as error:
            read(body)
        assert error.value.reason == reason

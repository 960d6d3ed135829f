"""Raw tensors behind the JSON of Open Inference messages."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import pytest

from agent.decode.decoder import Decoded, Decoder
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

INFER = "/v2/models/m/infer"
OCTETS = "application/octet-stream"


def raw(name: str, datatype: str, shape: list[int], size: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def header(size: int, more: str = "") -> str:
    return f"Inference-Header-Content-Length: {size}\r\n{more}"


def decode(
    question: Any, behind: bytes, answer: Any = None, answer_behind: bytes = b"", *, media: str = OCTETS, size: int | None = None
) -> Decoded:
    asked = json.dumps(question).encode()
    request = request_bytes(INFER, asked + behind, media, extra=header(len(asked) if size is None else size))
    if answer is None:
        answer = {"outputs": [raw("y", "FP32", [1], 4)]}
        answer_behind = floats(0.5)
    answered = json.dumps(answer).encode()
    response = response_bytes(answered + answer_behind, OCTETS, extra=header(len(answered)))
    return Decoder().decode([exchange(request, response)])


def inputs_of(question: Any, behind: bytes, **kinds: Any) -> dict[str, list[Any]]:
    result = decode(question, behind, **kinds)
    assert (result.undecoded, result.unobserved) == ({}, {})
    assert as_lists(result.batches[0].outputs) == {"y": [0.5]}
    return as_lists(result.batches[0].inputs)


@pytest.mark.parametrize("media", ["", "application/json", OCTETS])
def test_the_header_tells_whatever_the_content_type_is(media: str) -> None:
    question = {"inputs": [raw("x", "FP32", [2, 2], 16)]}
    assert inputs_of(question, floats(1, 2, 3, 4), media=media) == {"0": [1.0, 3.0], "1": [2.0, 4.0]}


def test_raw_tensors_and_json_tensors_may_be_mixed() -> None:
    question = {
        "inputs": [
            raw("a", "INT8", [2], 2),
            {"name": "b", "datatype": "FP64", "shape": [2], "data": [1.5, None]},
            raw("c", "BYTES", [2, 1], 12),
            {"name": "d", "datatype": "BYTES", "shape": [2], "data": ["x", "y"]},
            raw("e", "BOOL", [2], 2),
        ]
    }
    words = struct.pack("<I", 3) + b"Zug" + struct.pack("<I", 1) + b"B"
    assert inputs_of(question, b"\xff\x01" + words + b"\x00\x01") == {
        "a": [-1.0, 1.0], "b": [1.5, None], "c": ["Zug", "B"], "d": ["x", "y"], "e": [False, True],
    }  # fmt: skip


def test_numbers_of_both_kinds_are_numbers() -> None:
    question = {"inputs": [raw("a", "INT64", [1], 8), {"name": "b", "datatype": "FP64", "shape": [1], "data": [1.5]}]}
    result = decode(question, struct.pack("<q", -7))
    assert [column.dtype.kind for column in result.batches[0].inputs.columns] == ["f", "f"]
    assert as_lists(result.batches[0].inputs) == {"a": [-7.0], "b": [1.5]}


def test_a_json_question_may_have_a_raw_answer_and_the_other_way_round() -> None:
    answered = json.dumps({"model_name": "n", "outputs": [raw("y", "FP64", [1], 8)]}).encode()
    response = response_bytes(answered + struct.pack("<d", 3), OCTETS, extra=header(len(answered)))
    question = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2]}]}
    request = request_bytes(INFER, json.dumps(question).encode())
    (batch,) = Decoder().decode([exchange(request, response)]).batches
    assert (as_lists(batch.inputs), as_lists(batch.outputs)) == ({"x": [2.0]}, {"y": [3.0]})
    asked = json.dumps({"inputs": [raw("x", "FP32", [1], 4)]}).encode()
    request = request_bytes(INFER, asked + floats(2), OCTETS, extra=header(len(asked)))
    plain = json.dumps({"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [3]}]}).encode()
    (batch,) = Decoder().decode([exchange(request, response_bytes(plain))]).batches
    assert (as_lists(batch.inputs), as_lists(batch.outputs)) == ({"x": [2.0]}, {"y": [3.0]})


def test_a_coding_is_over_all_of_it() -> None:
    asked = json.dumps({"inputs": [raw("x", "FP32", [1], 4)]}).encode()
    body = gzip.compress(asked + floats(2))
    request = request_bytes(INFER, body, OCTETS, extra=header(len(asked), "Content-Encoding: gzip\r\n"))
    plain = json.dumps({"outputs": []}).encode()
    (batch,) = Decoder().decode([exchange(request, response_bytes(plain))]).batches
    assert as_lists(batch.inputs) == {"x": [2.0]}


def test_without_the_header_or_with_all_in_it_octets_are_json() -> None:
    question = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2]}]}).encode()
    answer = response_bytes(json.dumps({"outputs": []}).encode())
    for extra in ("", header(len(question))):
        (batch,) = Decoder().decode([exchange(request_bytes(INFER, question, OCTETS, extra=extra), answer)]).batches
        assert as_lists(batch.inputs) == {"x": [2.0]}
    result = Decoder().decode([exchange(request_bytes(INFER, floats(1, 2), OCTETS), answer)])
    assert result.undecoded == {("open-inference", "json"): 1}


@pytest.mark.parametrize("behind", [b"", floats(1, 2)])
def test_bytes_without_any_json_are_not_observed(behind: bytes) -> None:
    request = request_bytes(INFER, behind, OCTETS, extra=header(0))
    result = Decoder().decode([exchange(request, response_bytes(b'{"outputs": []}'))])
    assert result.unobserved.pop("untyped") == 1
    assert result.undecoded == {}


def test_only_the_first_counts_as_mlserver_reads_arrays() -> None:
    question = {"inputs": [raw("x", "FP32", [1], 4), raw("z", "UINT8", [3], 3)], "parameters": {"content_type": "np"}}
    assert inputs_of(question, floats(2) + b"abc") == {"x": [2.0]}


def test_base64_in_raw_text() -> None:
    question = {"inputs": [raw("x", "BYTES", [1], 12)], "parameters": {"content_type": "base64"}}
    assert inputs_of(question, struct.pack("<I", 8) + b"QmVybg==") == {"x": ["Bern"]}


@pytest.mark.parametrize(
    ("tensors", "behind", "reason"),
    [
        ([raw("x", "FP32", [2], 8)], floats(1), "size"),
        ([raw("x", "FP32", [2], 8)], floats(1, 2, 3), "size"),
        ([raw("x", "FP32", [3], 8)], floats(1, 2), "size"),
        ([raw("x", "FP32", [2], -8)], floats(1, 2), "size"),
        ([raw("x", "FP32", [2], 10**30)], floats(1, 2), "size"),
        ([raw("x", "FP32", [10**30, 10**30], 8)], floats(1, 2), "size"),
        ([raw("x", "FP32", [1], 4), raw("y", "FP32", [1], 8)], floats(1, 2), "size"),
        ([raw("x", "BYTES", [1], 8)], struct.pack("<I", 5) + b"abcd", "size"),
        ([raw("x", "FP32", [-1], 4)], floats(1), "shape"),
        ([raw("x", "FP32", [1], 4), raw("y", "FP32", [2], 8)], floats(1, 2, 3), "shape"),
        ([raw("x", "FP8", [4], 4)], b"abcd", "datatype"),
        ([{"name": "x", "shape": [4], "parameters": {"binary_data_size": 4}}], b"abcd", "datatype"),
        (
            [{"name": "x", "datatype": "INT8", "shape": [4], "data": [1] * 4, "parameters": {"binary_data_size": 4}}],
            b"abcd",
            "size",
        ),
        ([{"name": "x", "datatype": "INT8", "shape": [4]}, raw("y", "INT8", [4], 4)], b"abcd", "fields"),
        ([raw("x", "INT8", [4], 4.5)], b"abcd", "fields"),  # type: ignore[arg-type]  # wrong on purpose
        ([raw("x", "FP32", [1], 4)] * 2, floats(1, 2), "duplicate_names"),
        ("x", floats(1), "fields"),
    ],
)
def test_what_does_not_fit_is_counted(tensors: Any, behind: bytes, reason: str) -> None:
    result = decode({"inputs": tensors}, behind)
    assert result.undecoded == {("open-inference", reason): 1}
    assert as_lists(result.batches[0].outputs) == {"y": [0.5]}


def test_a_json_length_beyond_the_end_is_counted() -> None:
    assert decode({"inputs": []}, b"", size=1000).undecoded == {("open-inference", "size"): 1}


def test_text_that_is_cut_short_is_no_json() -> None:
    assert decode({"inputs": []}, b"", size=3).undecoded == {("open-inference", "json"): 1}


@pytest.mark.parametrize(
    ("tensors", "behind", "reason"),
    [
        ([], b"", "no_rows"),
        ([raw("x", "FP32", [0, 4], 0)], b"", "no_rows"),
        ([raw("x", "BOOL", [1, 65, 64], 65 * 64)], bytes(65 * 64), "too_wide"),
        ([{"name": "x", "shape": [4], "parameters": {"shared_memory_region": "r", "binary_data_size": 4}}], b"", "shared_memory"),
    ],
)
def test_nothing_to_see_is_not_observed(tensors: Any, behind: bytes, reason: str) -> None:
    question = {"inputs": tensors, "id": "1" * 8}
    result = decode(question, behind)
    assert result.unobserved == {reason: 1}
    assert result.undecoded == {}


def test_one_batch_for_raw_and_plain_tensors_of_one_layout() -> None:
    asked = json.dumps({"inputs": [raw("x", "FP32", [1, 2], 8)]}).encode()
    answer = {"outputs": [{"name": "y", "shape": [1], "datatype": "FP32", "data": [0.5]}]}
    binary = exchange(
        request_bytes(INFER, asked + floats(1, 2), OCTETS, extra=header(len(asked))),
        response_bytes(json.dumps(answer).encode()),
    )
    plain = json_exchange(INFER, {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[3, 4]]}]}, answer)
    (batch,) = Decoder().decode([binary, plain]).batches
    assert as_lists(batch.inputs) == {"0": [1.0, 3.0], "1": [2.0, 4.0]}

"""Single rows that are read by what was learned of messages like them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decode import open_inference_grpc
from agent.decode.block import Block
from agent.decode.grpc_rows import MAX_REMEMBERED, MAX_REMEMBERED_BYTES
from agent.decode.open_inference_grpc import read_inputs, read_outputs
from agent.decode.proto.open_inference_pb2 import InferTensor, ModelInferRequest, ModelInferResponse
from agent.errors import DecodeError

REQUESTS, RESPONSES = open_inference_grpc._request_rows, open_inference_grpc._response_rows


@pytest.fixture(autouse=True)
def nothing_learned() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    for rows in (REQUESTS, RESPONSES):
        rows._known.clear()
        rows._with_id.clear()


def request(*values: float, model: str = "m", datatype: str = "FP32", letter: str = "f", **fields: Any) -> bytes:
    tensor = InferTensor(name="x", datatype=datatype, shape=[1, len(values)])
    raw = struct.pack(f"<{len(values)}{letter}", *values)
    message: bytes = ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[raw], **fields).SerializeToString()
    return message


def response(*values: float, **fields: Any) -> bytes:
    tensor = InferTensor(name="y", datatype="FP64", shape=[1, len(values)])
    raw = struct.pack(f"<{len(values)}d", *values)
    message: bytes = ModelInferResponse(outputs=[tensor], raw_output_contents=[raw], **fields).SerializeToString()
    return message


def values_of(block: Block) -> list[float]:
    assert isinstance(block.values, bytes)
    return list(struct.unpack(f"{block.width}d", block.values))


@pytest.mark.parametrize(("datatype", "letter"), [("FP32", "f"), ("FP64", "d"), ("INT32", "i"), ("INT64", "q")])
@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 32, 33, 64])
def test_what_was_learned_reads_the_next_one(datatype: str, letter: str, width: int) -> None:
    first, second = (request(*range(at, at + width), datatype=datatype, letter=letter, model_version="2") for at in (0, 100))
    read = read_inputs(first)
    assert REQUESTS.read(second) is not None
    again = read_inputs(second)
    assert values_of(again) == list(range(100, 100 + width))
    assert (again.names, again.tensors, again.model, again.version, again.rows, again.id) == (
        read.names, read.tensors, "m", "2", 1, "",
    )  # fmt: skip


def test_answers_are_learned_apart_from_requests() -> None:
    read_outputs(response(1, 2, model_name="m", model_version="3"))
    assert REQUESTS._known == {}
    assert values_of(read_outputs(response(3, 4, model_name="m", model_version="3"))) == [3, 4]
    assert RESPONSES.read(response(5, 6, model_name="m", model_version="4")) is None


@pytest.mark.parametrize("other", [{"model": "n"}, {"model_version": "2"}, {"id": "1"}, {"datatype": "INT32", "letter": "i"}])
def test_other_messages_are_parsed(other: dict[str, Any]) -> None:
    read_inputs(request(1, 2))
    assert REQUESTS.read(request(1, 2, **other)) is None
    assert REQUESTS.read(request(1, 2, 3)) is None


def test_ids_may_differ() -> None:
    parsed = read_inputs(request(1, 2, id="one"))
    again = REQUESTS.read(request(3, 4, id="two"))
    assert again is not None
    assert (again.id, values_of(again), again.names, again.tensors) == ("two", [3, 4], parsed.names, parsed.tensors)
    read_outputs(response(1, id="é", model_name="m", model_version="3"))
    answer = RESPONSES.read(response(2, id="ab", model_name="m", model_version="3"))
    assert answer is not None
    assert (answer.id, answer.version, values_of(answer)) == ("ab", "3", [2])


@pytest.mark.parametrize("other", [{"id": "four"}, {"id": ""}, {"model": "n"}, {"model_version": "2"}, {"datatype": "FP64"}])
def test_other_messages_than_those_with_the_id_are_parsed(other: dict[str, Any]) -> None:
    read_inputs(request(1, 2, id="one"))
    assert REQUESTS.read(request(1, 2, **{"id": "two", **other})) is None


def test_ids_that_are_no_text_are_left() -> None:
    read_inputs(request(1, 2, id="one"))
    message = request(1, 2, id="two").replace(b"two", b"t\xffo")
    assert REQUESTS.read(message) is None
    assert outcome(message) == "protobuf"


def test_places_that_only_look_like_the_id_are_not_learned() -> None:
    assert read_inputs(request(1, id="x" * 200)).id == "x" * 200
    assert read_inputs(request(1, id="7", model="\x1a\x017")).id == "7"
    assert read_inputs(request(1, id="7") + b"\x1a\x018").id == "8"
    assert REQUESTS._with_id == {}


def test_values_that_are_not_the_end_are_not_learned() -> None:
    """Here the last field, which nobody knows, ends as the values' field would."""
    values = struct.pack("<2f", 1, 2)
    raw_field = b"\x3a\x08" + values
    tricky = request(1, 2) + b"\x7a" + bytes([len(raw_field)]) + raw_field
    assert values_of(read_inputs(tricky)) == [1, 2]
    assert REQUESTS._known == {}
    assert values_of(read_inputs(request(1, 2) + b"\x78\x00")) == [1, 2]
    assert REQUESTS._known == {}


def test_the_memory_is_bounded() -> None:
    for at in range(MAX_REMEMBERED + 10):
        read_inputs(request(at, model=f"{at}"))
    assert len(REQUESTS._known) == 10
    for at in range(MAX_REMEMBERED + 10):
        read_inputs(request(at, model=f"{at}", id="i"))
    assert len(REQUESTS._with_id) == 10
    forget()
    read_inputs(request(1, model="m" * MAX_REMEMBERED_BYTES))
    assert REQUESTS._known == {}


def outcome(message: bytes) -> str:
    try:
        return repr(read_inputs(message))
    except DecodeError as error:
        return error.reason


floats = st.floats(width=32)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    message = request(
        *draw(st.lists(floats, min_size=1, max_size=3)),
        model=draw(st.sampled_from(["", "m", "n"])),
        id=draw(st.sampled_from(["", "a", "b", "\x1a\x01a"])),
    )
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(message)))
        end = min(len(message), at + draw(st.integers(0, 3)))
        message = message[:at] + draw(st.binary(max_size=3)) + message[end:]
    return message


@settings(max_examples=300, deadline=None)
@given(st.lists(messages(), max_size=8))
def test_learning_changes_nothing(several: list[bytes]) -> None:
    forget()
    learned = [outcome(message) for message in several + several]
    parsed = []
    for message in several + several:
        forget()
        parsed.append(outcome(message))
    assert learned == parsed

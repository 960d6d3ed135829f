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
    REQUESTS._known.clear()
    RESPONSES._known.clear()


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


def test_messages_with_an_id_are_not_learned() -> None:
    assert read_inputs(request(1, id="7")).id == "7"
    assert REQUESTS._known == {}


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
    message = request(*draw(st.lists(floats, min_size=1, max_size=3)), model=draw(st.sampled_from(["", "m", "n"])))
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

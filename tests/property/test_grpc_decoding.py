"""gRPC: what was encoded is decoded, and hostile bytes give a block or a counted reason, in bounded time and memory.

Calls of Open Inference are written with tritonclient's own tensors and messages; `test_tensorflow_serving` does as much for
TensorFlow Serving.
"""

from __future__ import annotations

import gzip
import struct
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.batch import Side
from agent.decode.block import Block, NotObserved
from agent.decode.decoder import Decoder
from agent.decode.grpc_messages import by_message, messages_of
from agent.decode.message import Head
from agent.decode.open_inference_grpc import read_inputs, read_outputs, read_stream_outputs
from agent.decode.proto import tensorflow_serving_pb2 as pb
from agent.decode.tensorflow_grpc import (
    read_classes,
    read_examples,
    read_multi_inference_inputs,
    read_multi_inference_outputs,
    read_predict_inputs,
    read_predict_outputs,
    read_values,
)
from agent.errors import DecodeError
from tests.exchanges import exchange
from tests.grpc_captures import grpc_exchange

triton = pytest.importorskip("tritonclient.grpc", reason="part missing: tritonclient")
ml_dtypes = pytest.importorskip("ml_dtypes", reason="part missing: tritonclient")

READERS: list[Callable[[bytes], Block]] = [
    read_inputs, read_outputs, read_stream_outputs, read_predict_inputs, read_predict_outputs, read_examples, read_classes,
    read_values, read_multi_inference_inputs, read_multi_inference_outputs,
]  # fmt: skip

REASONS = {
    "datatype", "duplicate_names", "name_too_long", "no_columns", "protobuf", "shape", "size", "too_many_columns",
    "too_many_fields", "too_many_rows", "too_many_values",
}  # fmt: skip
FRAMING = {"grpc_frame", "incomplete", "content_encoding", "compression", "too_large", "too_many_messages"}
UNOBSERVED = {"no_rows", "shared_memory", "status", "too_wide"}

NUMPY = {
    "BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4",
    "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BF16": "<f4",
}  # fmt: skip

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)
texts = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def arrays(draw: st.DrawFn, dtype: str, shape: list[int]) -> NDArray[Any]:
    """Any bits of a type, but for integers that float64 can't hold, and signalling NaNs, which are NaNs."""
    kind, count = np.dtype(dtype), int(np.prod(shape))
    bits = np.frombuffer(draw(st.binary(min_size=count * kind.itemsize, max_size=count * kind.itemsize)), np.uint8)
    if kind == np.bool_:
        return (bits % 2).astype(bool).reshape(shape)
    values = bits.view(kind)
    if kind.itemsize == 8 and kind.kind in "iu":
        values = values >> 11
    return values.reshape(shape)


@st.composite
def named_tensors(draw: st.DrawFn) -> list[tuple[str, str, NDArray[Any]]]:
    rows = draw(st.integers(1, 5))
    tensors = []
    for name in draw(st.lists(st.sampled_from(["x", "y", "z", "ö", "a b"]), min_size=1, max_size=3, unique=True)):
        datatype = draw(st.sampled_from([*NUMPY, "BYTES"]))
        shape = [rows, *draw(st.lists(st.integers(1, 4), max_size=3))]
        if datatype == "BYTES":
            flat = draw(st.lists(texts, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
            tensors.append((name, datatype, np.array(flat, dtype=object).reshape(shape)))
            continue
        values = draw(arrays(NUMPY[datatype], shape))
        if datatype == "BF16":
            values = (values.view("<u4") & 0xFFFF0000).view("<f4")
        tensors.append((name, datatype, values))
    return tensors


def expected(tensors: list[tuple[str, str, NDArray[Any]]]) -> tuple[list[str], list[list[Any]]]:
    """Names and columns by the naming rule, said again."""
    names: list[str] = []
    columns: list[list[Any]] = []
    for name, _, values in tensors:
        table = values.reshape(len(values), -1)
        width = table.shape[1]
        names += [name] if width == 1 else [f"{name}[{at}]" for at in range(width)]
        columns += [[as_read(value) for value in table[:, at].tolist()] for at in range(width)]
    if len(tensors) == 1 and len(columns) > 1:
        names = [str(at) for at in range(len(columns))]
    return names, columns


def as_read(value: Any) -> Any:
    return value if isinstance(value, str | bool) else float(value)


def check_side(side: Side, tensors: list[tuple[str, str, NDArray[Any]]]) -> None:
    names, columns = expected(tensors)
    assert list(side.names) == names
    # As text, since NaN equals itself there.
    assert repr([[as_read(value) for value in column.tolist()] for column in side.columns]) == repr(columns)
    assert [(kind.name, kind.datatype, list(kind.shape)) for kind in side.tensors] == [
        (name, datatype, list(values.shape[1:])) for name, datatype, values in tensors
    ]


def framed(message: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(message)) + message


def raw_bytes(datatype: str, values: NDArray[Any]) -> bytes:
    if datatype == "BYTES":
        encoded = [text.encode() for text in values.ravel().tolist()]
        return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    if datatype == "BF16":
        return (values.view("<u4") >> 16).astype("<u2").tobytes()
    return values.tobytes()


def as_client_takes(datatype: str, values: NDArray[Any]) -> NDArray[Any]:
    if datatype == "BYTES":
        return np.array([text.encode() for text in values.ravel()], dtype=object).reshape(values.shape)
    if datatype == "BF16":
        return (values.view("<u4") >> 16).astype("<u2").view(ml_dtypes.bfloat16)
    return values


def triton_inputs(tensors: list[tuple[str, str, NDArray[Any]]]) -> Any:
    """A request as tritonclient's client makes it: its tensors encode the values."""
    request = triton.service_pb2.ModelInferRequest(model_name="m", id="7")
    for name, datatype, values in tensors:
        given = triton.InferInput(name, list(values.shape), datatype)
        given.set_data_from_numpy(as_client_takes(datatype, values))
        request.inputs.append(given._get_tensor())
        request.raw_input_contents.append(given._get_content())
    return request


FIELDS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


def triton_outputs(tensors: list[tuple[str, str, NDArray[Any]]]) -> Any:
    """A response with typed contents where every datatype has them, else raw."""
    response = triton.service_pb2.ModelInferResponse(model_name="m", model_version="1", id="7")
    typed = all(datatype in FIELDS for _, datatype, _ in tensors)
    for name, datatype, values in tensors:
        output = response.outputs.add(name=name, datatype=datatype, shape=list(values.shape))
        if typed:
            flat = values.ravel().tolist()
            listed = [text.encode() for text in flat] if datatype == "BYTES" else flat
            getattr(output.contents, FIELDS[datatype]).extend(listed)
        else:
            response.raw_output_contents.append(raw_bytes(datatype, values))
    return response


@settings(max_examples=150, deadline=None)
@given(named_tensors(), named_tensors(), st.booleans())
def test_open_inference_round_trip(
    asked: list[tuple[str, str, NDArray[Any]]], answered: list[tuple[str, str, NDArray[Any]]], compressed: bool
) -> None:
    question, answer = triton_inputs(asked).SerializeToString(), triton_outputs(answered).SerializeToString()
    packed = framed(gzip.compress(question), 1) if compressed else framed(question)
    result = Decoder().decode([grpc_exchange("ModelInfer", packed, framed(answer), sent="gzip")])
    (batch,) = result.batches
    assert (batch.model, batch.version, batch.ids, result.undecoded, result.unobserved) == ("m", "1", ("7",), {}, {})
    check_side(batch.inputs, asked)
    check_side(batch.outputs, answered)


@settings(max_examples=60, deadline=None)
@given(named_tensors(), st.integers(1, 4), st.booleans())
def test_streams_round_trip(tensors: list[tuple[str, str, NDArray[Any]]], times: int, by_triton: bool) -> None:
    answer = triton_outputs(tensors)
    if by_triton:
        answer = triton.service_pb2.ModelStreamInferResponse(infer_response=answer)
    question, answers = framed(triton_inputs(tensors).SerializeToString()), framed(answer.SerializeToString())
    (batch,) = Decoder().decode([grpc_exchange("ModelStreamInfer", question * times, answers * times)]).batches
    repeated = [(name, datatype, np.concatenate([values] * times)) for name, datatype, values in tensors]
    check_side(batch.inputs, repeated)
    check_side(batch.outputs, repeated)


def attempt(read: Callable[[bytes], Block], message: bytes) -> None:
    try:
        block = read(message)
    except NotObserved as error:
        assert error.reason in UNOBSERVED  # noqa: PT017 - it may be read as well
    except DecodeError as error:
        assert error.reason in REASONS  # noqa: PT017 - it may be read as well
    else:
        assert block.rows > 0
        assert block.width > 0
        values = block.values
        if isinstance(values, bytes):
            assert len(values) == 8 * block.rows * block.width
        elif isinstance(values, list):
            assert [len(row) for row in values] == [block.width] * block.rows
        else:
            assert values.shape == (block.width, block.rows)


def seeds() -> list[bytes]:
    """A message of each kind."""
    pairs = [("x", "FP32", np.ones((2, 3), "<f4")), ("s", "BYTES", np.array([["a"], ["ö"]], dtype=object))]
    answer = triton_outputs(pairs)
    found = [triton_inputs(pairs), triton_outputs([("x", "BF16", np.ones((2, 1), "<f4"))]), answer]
    found.append(triton.service_pb2.ModelStreamInferResponse(infer_response=answer))
    found.append(triton.service_pb2.ModelStreamInferResponse(error_message="e", infer_response=answer))
    number = pb.TensorProto(dtype="DT_HALF", tensor_shape={"dim": [{"size": 3}, {"size": 2}]}, half_val=[1, 2, 3])
    text = pb.TensorProto(dtype="DT_STRING", tensor_shape={"dim": [{"size": 3}]}, tensor_content=b"\1\0\2axy")
    spec = pb.ModelSpec(name="m", version_label="l")
    found.append(
        pb.PredictRequest(model_spec=spec, inputs={"n": number, "t": text, "f": pb.TensorProto(dtype="DT_BOOL", bool_val=[True])})
    )
    found.append(pb.PredictResponse(model_spec=spec, outputs={"n": number}))
    features: Any = {
        "a": {"float_list": {"value": [1, 2]}},
        "b": {"bytes_list": {"value": [b"x"]}},
        "c": {"int64_list": {"value": [1]}},
    }
    row = pb.Example(features=pb.Features(feature=features))
    given_rows = pb.Input(example_list_with_context={"examples": [row, row], "context": row})
    found.append(pb.ExamplesRequest(model_spec=spec, input=given_rows))
    found.append(
        pb.MultiInferenceRequest(tasks=[{"model_spec": spec}], input={"example_list": {"examples": [row, pb.Example()]}})
    )
    classes = pb.ClassificationResult(classifications=[{"classes": [{"label": "a", "score": 1}, {"label": "b"}]}, {}])
    values = pb.RegressionResult(regressions=[{"value": 1}, {}])
    found.append(pb.ClassificationResponse(model_spec=spec, result=classes))
    found.append(pb.RegressionResponse(model_spec=spec, result=values))
    found.append(pb.MultiInferenceResponse(results=[{"classification_result": classes}, {"regression_result": values}]))
    return [message.SerializeToString() for message in found]


SEEDS = seeds()

PIECES = [
    b"\xff" * 9 + b"\x01", b"\x0a\x00", b"\x12\x00", b"\x2a\x00" * 20, b"\x1a\x02\x80\x80", b"\x0b" * 50, b"\x0c", b"\x80" * 12,
    b"\x00", b"\x12\x0b\x08" + b"\xff" * 9 + b"\x01", b"\xc3", b"\x7f", struct.pack("<I", 2**32 - 1), b"\x08\x63",
]  # fmt: skip
"""What hurts parsers: negative and huge numbers, empty messages, groups, varints without an end, half a character."""


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    message = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(message)))
        end = min(len(message), at + draw(st.integers(0, 6)))
        message = message[:at] + draw(st.one_of(st.binary(max_size=6), st.sampled_from(PIECES))) + message[end:]
    return message


@settings(max_examples=500, deadline=None)
@given(mutants())
def test_mutated_messages(message: bytes) -> None:
    for read in READERS:
        attempt(read, message)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_as_a_message(message: bytes) -> None:
    for read in READERS:
        attempt(read, message)


encodings = st.sampled_from(["", "gzip", "deflate", "identity", "br", "x"])


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.lists(mutants(), max_size=4).map(lambda messages: b"".join(map(framed, messages)))),
    encodings,
)
@example(framed(b"", 1) * 3, "gzip")
def test_any_bytes_as_a_body(body: bytes, encoding: str) -> None:
    head = Head("POST", "/", 0, -1, False, True, "", "application/grpc", "", "", -1, encoding)
    nothing = exchange(b"", b"", method="", target="")
    try:
        messages = messages_of(body, encoding)
    except DecodeError as error:
        assert error.reason in FRAMING  # noqa: PT017 - it may be read as well
        return
    assert sum(map(len, messages)) <= len(body) or encoding
    for read in READERS:
        attempt(lambda whole, read=read: by_message(read)(whole, head, nothing), body)  # type: ignore[misc]  # mypy wants a def


def field(number: int, content: bytes) -> bytes:
    def varint(value: int) -> bytes:
        head = b""
        while value > 0x7F:
            head += bytes([value & 0x7F | 0x80])
            value >>= 7
        return head + bytes([value])

    return varint(number << 3 | 2) + varint(len(content)) + content


SIZE = 1 << 20
HOSTILE = {
    "tensors": b"\x2a\x00" * (SIZE // 2),
    "raw contents": b"\x3a\x00" * (SIZE // 2),
    "typed texts": field(5, field(5, b"\x42\x00" * (SIZE // 2))),
    "booleans": field(5, field(5, field(1, b"\x01" * SIZE)) + field(2, b"BOOL") + field(3, b"\x80\x80\x40")),
    "dimensions": field(5, field(3, b"\x01" * SIZE)),
    "groups": b"\x0b" * SIZE,
    "examples": field(2, field(1, b"\x0a\x00" * (SIZE // 2))),
    "dimensions of a tensor": field(2, field(2, field(2, b"\x12\x00" * (SIZE // 2)))),
    "classes": field(1, field(1, b"\x0a\x00" * (SIZE // 2))),
    "classifications": field(1, b"\x0a\x00" * (SIZE // 2)),
    "one value for a billion": field(
        2, field(1, b"x") + field(2, b"\x08\x01" + field(2, field(2, b"\x08\x80\x94\xeb\xdc\x03")) + field(5, bytes(4)))
    ),
    "unknown": b"\x78\x00" * (SIZE // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_and_memory_are_bounded(name: str) -> None:
    """A mebibyte of each. Times are far above what it takes, for slow machines; what protobuf holds itself isn't traced."""
    for read in READERS:
        tracemalloc.start()
        begun = time.perf_counter()
        attempt(read, HOSTILE[name])
        took, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert took < 30
        assert peak < 100 << 20


def test_many_tiny_messages_are_bounded() -> None:
    begun = time.perf_counter()
    call = grpc_exchange("ModelStreamInfer", bytes(5) * (SIZE // 5), bytes(5) * 16_000)
    assert Decoder().decode([call]).undecoded == {("open-inference", "too_many_messages"): 1}
    assert time.perf_counter() - begun < 30

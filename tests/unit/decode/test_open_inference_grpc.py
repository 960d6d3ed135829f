"""Open Inference over gRPC."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.batch import Batch, TensorType
from agent.decode.block import MAX_COLUMNS, NotObserved
from agent.decode.decoder import Decoded, Decoder
from agent.decode.open_inference_grpc import read_inputs, read_outputs, read_stream_outputs
from agent.decode.proto.open_inference_pb2 import (
    InferParameter,
    InferTensor,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    StreamAnswer,
)
from agent.decode.tensors import NOT_TEXT
from agent.errors import DecodeError
from tests.exchanges import as_lists
from tests.grpc_captures import grpc_exchange


def framed(message: Any) -> bytes:
    text = message if isinstance(message, bytes) else message.SerializeToString()
    return struct.pack(">BI", 0, len(text)) + text


def tensor(name: str, datatype: str, shape: list[int], **contents: Any) -> InferTensor:
    return InferTensor(name=name, datatype=datatype, shape=shape, contents=InferTensorContents(**contents) if contents else None)


def request(*tensors: InferTensor, raw: tuple[bytes, ...] = (), **fields: Any) -> bytes:
    message: bytes = ModelInferRequest(inputs=tensors, raw_input_contents=raw, **fields).SerializeToString()
    return message


def response(*tensors: InferTensor, raw: tuple[bytes, ...] = (), **fields: Any) -> bytes:
    message: bytes = ModelInferResponse(outputs=tensors, raw_output_contents=raw, **fields).SerializeToString()
    return message


def triton(answer: bytes = b"", error: str = "") -> bytes:
    """Triton's ModelStreamInferResponse."""
    message: bytes = StreamAnswer(error_message_or_model_name=error, infer_response_or_model_version=answer).SerializeToString()
    return message


def call(asked: list[bytes], answered: list[bytes], method: str = "ModelInfer") -> Decoded:
    return Decoder().decode([grpc_exchange(method, b"".join(map(framed, asked)), b"".join(map(framed, answered)))])


def batch_of(asked: list[bytes], answered: list[bytes], method: str = "ModelInfer") -> Batch:
    result = call(asked, answered, method)
    assert (result.undecoded, result.unobserved) == ({}, {})
    (batch,) = result.batches
    return batch


def reason_of(message: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        read_inputs(message)
    return ("not observed: " if isinstance(caught.value, NotObserved) else "") + caught.value.reason


ANSWER = response(tensor("y", "FP32", [1], fp32_contents=[0.5]))

TYPED = [
    ("BOOL", "bool_contents", [True, False]),
    ("INT8", "int_contents", [-128, 127]),
    ("INT16", "int_contents", [-32768, 32767]),
    ("INT32", "int_contents", [-(2**31), 2**31 - 1]),
    ("INT64", "int64_contents", [-(2**53), 2**53]),
    ("UINT8", "uint_contents", [0, 255]),
    ("UINT16", "uint_contents", [0, 65535]),
    ("UINT32", "uint_contents", [0, 2**32 - 1]),
    ("UINT64", "uint64_contents", [0, 2**53]),
    ("FP32", "fp32_contents", [0.5, -1.25]),
    ("FP64", "fp64_contents", [0.1, 1e300]),
]


@pytest.mark.parametrize(("datatype", "field", "values"), TYPED)
def test_typed_contents(datatype: str, field: str, values: list[Any]) -> None:
    batch = batch_of([request(tensor("x", datatype, [2], **{field: values}))], [ANSWER])
    assert as_lists(batch.inputs) == {"x": values}
    assert batch.inputs.tensors == (TensorType("x", datatype, ()),)
    assert batch.inputs.columns[0].dtype == (object if datatype == "BOOL" else float)


def test_typed_texts() -> None:
    batch = batch_of([request(tensor("s", "BYTES", [3, 1], bytes_contents=["ö".encode(), b"", b"\xff"]))], [ANSWER])
    assert as_lists(batch.inputs) == {"s": ["ö", "", NOT_TEXT]}


RAW = [
    ("BOOL", "?", [True, False]), ("INT8", "b", [-1, 1]), ("INT16", "h", [-1, 1]), ("INT32", "i", [-1, 1]),
    ("INT64", "q", [-1, 1]), ("UINT8", "B", [2, 1]), ("UINT16", "H", [2, 1]), ("UINT32", "I", [2, 1]), ("UINT64", "Q", [2, 1]),
    ("FP16", "e", [0.5, 2]), ("FP32", "f", [0.5, 2]), ("FP64", "d", [0.1, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("datatype", "letter", "values"), RAW)
@pytest.mark.parametrize("shape", [[2], [2, 1], [1, 2], [1, 1, 2]])
def test_raw_contents(datatype: str, letter: str, values: list[Any], shape: list[int]) -> None:
    batch = batch_of([request(tensor("x", datatype, shape), raw=(struct.pack(f"<2{letter}", *values),))], [ANSWER])
    rows = {"0": values[:1], "1": values[1:]} if shape[-1] == 2 and len(shape) > 1 else {"x": values}
    assert as_lists(batch.inputs) == rows
    assert batch.inputs.tensors == (TensorType("x", datatype, tuple(shape[1:])),)


def test_raw_bf16_is_the_upper_half() -> None:
    raw = b"".join(struct.pack("<f", value)[2:] for value in (1.5, -2.0))
    assert as_lists(batch_of([request(tensor("x", "BF16", [2]), raw=(raw,))], [ANSWER]).inputs) == {"x": [1.5, -2.0]}


def test_several_tensors_and_who_they_are_for() -> None:
    asked = request(
        tensor("a", "FP32", [2, 2]), tensor("s", "BYTES", [2]), raw=(struct.pack("<4f", 1, 2, 3, 4), b"\1\0\0\0x\2\0\0\0yz"),
        model_name="m", model_version="7", id="q",
    )  # fmt: skip
    batch = batch_of([asked], [response(tensor("y", "INT64", [2, 1], int64_contents=[5, 6]), model_name="m", model_version="8")])
    assert (batch.model, batch.version, batch.ids, batch.exchanges) == ("m", "7", ("q",), 1)
    assert as_lists(batch.inputs) == {"a[0]": [1, 3], "a[1]": [2, 4], "s": ["x", "yz"]}
    assert as_lists(batch.outputs) == {"y": [5, 6]}


def test_the_answer_says_the_version_where_the_request_does_not() -> None:
    batch = batch_of([request(tensor("x", "FP32", [1], fp32_contents=[1]), model_name="m")], [response(
        tensor("y", "FP32", [1], fp32_contents=[1]), model_name="m", model_version="3", id="q")])  # fmt: skip
    assert (batch.version, batch.ids) == ("3", ("q",))


@pytest.mark.parametrize("width", [1, 2, 64, 65, 500])
@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "<f4"), ("FP64", "<f8"), ("INT32", "<i4"), ("INT64", "<i8")])
def test_one_row_of_numbers_is_read_as_many_are(width: int, datatype: str, dtype: str) -> None:
    values = np.arange(2 * width).astype(dtype)
    many = read_inputs(request(tensor("x", datatype, [2, width]), raw=(values.tobytes(),)))
    for row in range(2):
        one = read_inputs(request(tensor("x", datatype, [1, width]), raw=(values.reshape(2, -1)[row].tobytes(),)))
        assert (one.names, one.tensors, one.rows, one.numeric) == (many.names, many.tensors, 1, True)
        assert isinstance(many.values, bytes)
        assert one.values == many.values[row * 8 * width :][: 8 * width]


@pytest.mark.parametrize("content_type", ["np", "str"])
def test_only_the_first_input_counts_for_content_types_of_one_array(content_type: str) -> None:
    first, second = tensor("a", "INT32", [1], int_contents=[1]), tensor("b", "INT32", [3], int_contents=[1, 2, 3])
    parameters = {"content_type": InferParameter(string_param=content_type)}
    assert read_inputs(request(first, second, parameters=parameters)).names == ("a",)
    raw = (struct.pack("<i", 1), struct.pack("<3i", 1, 2, 3))
    both = tensor("a", "INT32", [1]), tensor("b", "INT32", [3])
    assert read_inputs(request(*both, raw=raw, parameters=parameters)).names == ("a",)
    parameters["content_type"].string_param = "pd"
    assert reason_of(request(first, second, parameters=parameters)) == "shape"


def _content_type(name: str) -> dict[str, InferParameter]:
    return {"content_type": InferParameter(string_param=name)}


@pytest.mark.parametrize("is_raw", [False, True])
def test_texts_of_mlservers_content_types(is_raw: bool) -> None:
    texts = {"a": [b"eHk=", b"no base64"], "b": [b"eHk=", b"eHk="], "j": [b'"x"', b"null"]}
    own = {"a": {}, "b": _content_type("str"), "j": _content_type("pd_json")}
    tensors = [
        InferTensor(
            name=name, datatype="BYTES", shape=[2, 1], parameters=own[name], contents={} if is_raw else {"bytes_contents": some}
        )
        for name, some in texts.items()
    ]
    raw = tuple(b"".join(struct.pack("<I", len(text)) + text for text in some) for some in texts.values()) if is_raw else ()
    number = tensor("n", "FP64", [2], fp64_contents=[1, 2])
    more = () if is_raw else (number,)
    asked = request(*tensors, *more, raw=raw, parameters=_content_type("base64"))
    answered = response(*tensors, *more, raw=raw)
    batch = batch_of([asked], [answered])
    numbers = {} if is_raw else {"n": [1, 2]}
    assert as_lists(batch.inputs) == {"a": ["xy", "no base64"], "b": ["eHk=", "eHk="], "j": ["x", None], **numbers}
    assert as_lists(batch.outputs) == {"a": ["eHk=", "no base64"], "b": ["eHk=", "eHk="], "j": ["x", None], **numbers}


FAULTS = {
    "size": [
        request(tensor("x", "FP32", [2]), raw=(b"1234",)),
        request(tensor("x", "FP32", [1, 2]), raw=(b"1234",)),
        request(tensor("x", "FP32", [1]), tensor("y", "FP32", [1]), raw=(b"1234",)),
        request(tensor("x", "FP32", [1]), raw=(b"1234", b"1234")),
        request(raw=(b"1234",)),
        request(tensor("x", "BYTES", [1]), raw=(b"\5\0\0\0a",)),
        request(tensor("x", "FP16", [1], fp32_contents=[1])),
        request(tensor("x", "BF16", [1], uint_contents=[1])),
        request(tensor("x", "FP32", [10**9]), raw=(b"1234",)),
        request(tensor("x", "BYTES", [2**62]), raw=(b"1234",)),
    ],
    "shape": [
        request(tensor("x", "FP32", [2], fp32_contents=[1])),
        request(tensor("x", "FP32", [1], fp64_contents=[1])),
        request(tensor("x", "BYTES", [10**9], bytes_contents=[b"a"])),
        request(tensor("x", "FP32", [-1], fp32_contents=[1])),
        request(tensor("x", "FP32", [-1, -1]), raw=(b"1234",)),
        request(tensor("x", "FP32", [1] * 9), raw=(b"1234",)),
        request(tensor("x", "FP32", [1] * 1000, fp32_contents=[1])),
        request(tensor("x", "FP32", [1]), tensor("y", "FP32", [2]), raw=(b"1234", b"12345678")),
    ],
    "datatype": [request(tensor("x", "FP8", [1]), raw=(b"1",)), request(tensor("x", "", [1], fp32_contents=[1]))],
    "duplicate_names": [request(*[tensor("x", "FP32", [1], fp32_contents=[1])] * 2)],
    "too_many_columns": [
        request(*[tensor("", "", [])] * (MAX_COLUMNS + 1)),
        request(*[tensor(name, "BOOL", [1, MAX_COLUMNS]) for name in "xy"], raw=(bytes(MAX_COLUMNS),) * 2),
    ],
    "protobuf": [b"\xff", b"\x0a\x02\xff\xff", b"\x2a\x02\x1a\xff"],
    "not observed: no_rows": [
        b"", request(), request(tensor("x", "FP32", [0])), request(tensor("x", "FP32", [0, 5]), raw=(b"",)),
        request(tensor("x", "FP32", [5, 0]), raw=(b"",)),
    ],
    "not observed: too_wide": [request(tensor("x", "BOOL", [1, 3, 2000]), raw=(bytes(6000),))],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "message"),
    [pytest.param(reason, message, id=reason) for reason, messages in FAULTS.items() for message in messages],
)
def test_faults_are_counted(reason: str, message: bytes) -> None:
    assert reason_of(message) == reason


def test_tensors_in_shared_memory_are_not_observed() -> None:
    shared = tensor("x", "FP32", [1])
    shared.parameters["shared_memory_region"].string_param = "r"
    beside = tensor("y", "FP32", [1])
    for message in (
        request(shared),
        request(shared, raw=(b"",)),
        request(shared, beside, raw=(b"1234",)),
        request(beside, shared),
    ):
        assert reason_of(message) == "not observed: shared_memory"
    result = call([request(tensor("y", "FP32", [1]), raw=(b"\0\0\0\0",))], [response(shared, raw=(b"",))])
    assert result.unobserved == {"shared_memory": 1}
    assert as_lists(result.batches[0].inputs) == {"y": [0]}


ROW = [request(tensor("x", "FP32", [1, 2]), raw=(struct.pack("<2f", at, at + 1),), model_name="m") for at in range(4)]
OUT = [
    response(tensor("y", "FP32", [1]), raw=(struct.pack("<f", at),), model_name="m", model_version="1", id="i") for at in range(4)
]


@pytest.mark.parametrize("answers", [[triton(answer) for answer in OUT], OUT], ids=["triton", "mlserver"])
def test_streams_of_both_servers(answers: list[bytes]) -> None:
    batch = batch_of(ROW, answers, "ModelStreamInfer")
    assert (batch.model, batch.version, batch.exchanges, batch.ids) == ("m", "1", 1, ("i",))
    assert as_lists(batch.inputs) == {"0": [0, 1, 2, 3], "1": [1, 2, 3, 4]}
    assert as_lists(batch.outputs) == {"y": [0, 1, 2, 3]}


@pytest.mark.parametrize(
    "answer",
    [
        response(tensor("y", "FP32", [1], fp32_contents=[1]), model_name="m"),
        response(tensor("y", "FP32", [1], fp32_contents=[1]), model_version="\n\x01"),
        response(tensor("y", "FP32", [1], fp32_contents=[1]), model_name="m", model_version="*\x00"),
        response(tensor("y", "FP32", [1], fp32_contents=[1])),
    ],
)
def test_answers_of_a_stream_whatever_their_names(answer: bytes) -> None:
    """A version may look like a message; an answer with outputs is none of Triton's."""
    plain = read_outputs(answer)
    assert read_stream_outputs(answer) == plain
    assert read_stream_outputs(triton(answer)) == plain


def test_errors_in_a_stream_are_not_observed() -> None:
    for answer in (triton(error="no such model"), triton(OUT[0], error="cancelled"), triton(response(id="q"), error="x")):
        with pytest.raises(NotObserved) as caught:
            read_stream_outputs(answer)
        assert caught.value.reason == "status"
    result = call(ROW[:1], [triton(error="no such model")], "ModelStreamInfer")
    assert result.unobserved == {"status": 1}
    assert as_lists(result.batches[0].inputs) == {"0": [0], "1": [1]}


def test_what_a_stream_leaves_out_is_counted() -> None:
    other = response(tensor("z", "FP32", [1]), raw=(bytes(4),), model_name="m", model_version="1")
    bad = response(tensor("y", "FP32", [2]), raw=(bytes(4),))
    answers = [triton(answer) for answer in (OUT[0], other, bad, OUT[1])] + [triton(error="gone"), triton(error="gone"), triton()]
    result = call(ROW, answers, "ModelStreamInfer")
    assert result.undecoded == {("open-inference", "other_layout"): 1, ("open-inference", "size"): 1}
    assert result.unobserved == {"status": 1}  # once for an exchange, as every reason there
    assert as_lists(result.batches[0].outputs) == {"y": [0, 1]}
    assert result.batches[0].inputs.rows == 4


@pytest.mark.parametrize("answer", [b"", triton(), triton(response(model_name="m", id="q")), response(model_name="m", id="q")])
def test_answers_without_outputs_have_no_rows(answer: bytes) -> None:
    """Such as the last one of a decoupled model."""
    with pytest.raises(NotObserved) as caught:
        read_stream_outputs(answer)
    assert caught.value.reason == "no_rows"


def test_json_on_a_path_of_grpc_is_counted() -> None:
    exchange = grpc_exchange("ModelInfer", framed(ROW[0]), framed(OUT[0]))
    question = exchange.request.replace(b"application/grpc", b"application/json")
    result = Decoder().decode([msgspec.structs.replace(exchange, request=question)])
    assert result.undecoded == {("open-inference", "content_type"): 1}

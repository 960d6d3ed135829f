"""Open Inference Protocol (V2) over gRPC: ModelInfer, and ModelStreamInfer in both of its forms.

The values of a message's tensors are either in each tensor's ``contents``, in the list for its datatype, or in
``raw_input_contents`` or ``raw_output_contents``, one for each tensor: all or nothing. FP16 and BF16 are only ever raw.
Shapes and columns follow the rules of `agent.decode.tensors`, the same as over HTTP; so do MLServer's content
types, of a tensor or of a request.

Triton streams messages of ``{error_message, infer_response}``, MLServer streams plain responses. Both have field 1 as text and
field 2 with a length, and there the likeness ends: MLServer's have an id or outputs in fields above 2, Triton's never. Of a
message with field 1 alone, it is an error: MLServer's responses have outputs.

Sources: kserve/open-inference-protocol "inference_grpc", Triton's and MLServer's ``.proto`` files.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np

from agent.batch import TensorType
from agent.decode.block import MAX_COLUMNS, MAX_RANK, Block, NotObserved, packers
from agent.decode.content_types import unpacked
from agent.decode.format import GRPC, Format
from agent.decode.grpc_messages import by_message, parser
from agent.decode.grpc_rows import Rows
from agent.decode.open_inference_large import FIRST_ONLY
from agent.decode.proto.open_inference_pb2 import InferTensor, ModelInferRequest, ModelInferResponse, StreamAnswer
from agent.decode.tensors import Part, RawTensor, block_of_columns, part_of, shape_of, text_of
from agent.errors import DecodeError

NAME = "open-inference"

CONTENTS: dict[str, tuple[str, Any]] = {
    "BOOL": ("bool_contents", np.bool_), "INT8": ("int_contents", np.int32), "INT16": ("int_contents", np.int32),
    "INT32": ("int_contents", np.int32), "INT64": ("int64_contents", np.int64), "UINT8": ("uint_contents", np.uint32),
    "UINT16": ("uint_contents", np.uint32), "UINT32": ("uint_contents", np.uint32), "UINT64": ("uint64_contents", np.uint64),
    "FP32": ("fp32_contents", np.float32), "FP64": ("fp64_contents", np.float64),
}  # fmt: skip
"""Where values of each datatype are in ``contents``; those of BYTES are in ``bytes_contents``."""

_RAW_ONLY = ("FP16", "BF16")

_parse_request = parser(ModelInferRequest)
_parse_response = parser(ModelInferResponse)
_parse_stream_answer = parser(StreamAnswer)


def _id_of_request(message: bytes) -> str | None:
    try:
        request = _parse_request(message)
    except DecodeError:
        return None
    return request.id if len(request.inputs) == 1 and not request.raw_input_contents else None


def _id_of_response(message: bytes) -> str | None:
    try:
        response = _parse_response(message)
    except DecodeError:
        return None
    return response.id if len(response.outputs) == 1 and not response.raw_output_contents else None


_request_rows = Rows(7, _id_of_request)
_response_rows = Rows(6, _id_of_response)


def read_inputs(message: bytes) -> Block:
    """Read a ModelInferRequest.

    Raises
    ------
    NotObserved
        ``shared_memory``, ``no_rows``, ``too_wide``.
    DecodeError
        ``protobuf``, ``too_many_fields``, ``datatype``, ``size`` where raw bytes don't fill the shape, ``shape``,
        ``duplicate_names``, ``too_many_columns``, ``name_too_long``.
    """
    known = _request_rows.read(message)
    if known is not None:
        return known
    request = _parse_request(message)
    tensors, raw = request.inputs[:], request.raw_input_contents[:]
    content_type = _content_type(request)
    if content_type in FIRST_ONLY:
        del tensors[1:], raw[1:]
    if len(tensors) == len(raw) == 1:
        block = _one_row(tensors[0], raw[0], request.model_version, request.model_name, request.id)
        if block is not None:
            _request_rows.learn(message, _rows[tensors[0].datatype, block.width], block)
            return block
    return _block(tensors, raw, content_type, request.model_version, request.model_name, request.id)


def read_outputs(message: bytes) -> Block:
    """Read a ModelInferResponse. Errors as `read_inputs`."""
    known = _response_rows.read(message)
    if known is not None:
        return known
    response = _parse_response(message)
    tensors, raw = response.outputs[:], response.raw_output_contents[:]
    if len(tensors) == len(raw) == 1:
        block = _one_row(tensors[0], raw[0], response.model_version, response.model_name, response.id)
        if block is not None:
            _response_rows.learn(message, _rows[tensors[0].datatype, block.width], block)
            return block
    return _block(tensors, raw, "", response.model_version, response.model_name, response.id)


def read_stream_outputs(message: bytes) -> Block:
    """Read one answer of a stream, Triton's or MLServer's.

    Raises
    ------
    NotObserved, DecodeError
        As `read_inputs`; `NotObserved` with ``status`` for an error in the stream.
    """
    answer = _parse_stream_answer(message)
    if answer.outputs or answer.raw_output_contents or answer.id:
        version = text_of(answer.infer_response_or_model_version)
        name = answer.error_message_or_model_name
        return _block(answer.outputs[:], answer.raw_output_contents[:], "", version, name, answer.id)
    if answer.error_message_or_model_name:
        raise NotObserved(NAME, "status")
    return read_outputs(answer.infer_response_or_model_version)


def _content_type(message: ModelInferRequest | InferTensor) -> str:
    # To ask for what is not there would put it there.
    return message.parameters["content_type"].string_param if "content_type" in message.parameters else ""


def _block(tensors: list[InferTensor], raw: list[bytes], content_type: str, version: str, model: str, id: str) -> Block:
    if len(tensors) > MAX_COLUMNS:
        raise DecodeError(NAME, "too_many_columns")
    try:
        if not raw:
            parts = [_typed(tensor) for tensor in tensors]
        elif len(raw) == len(tensors):
            parts = [_raw(tensor, data) for tensor, data in zip(tensors, raw, strict=True)]
        else:
            raise DecodeError(NAME, "size")
    except DecodeError:
        if any("shared_memory_region" in tensor.parameters for tensor in tensors):
            raise NotObserved(NAME, "shared_memory") from None
        raise
    parts = [_unpacked(part, tensor, content_type) for part, tensor in zip(parts, tensors, strict=True)]
    return block_of_columns(parts, version, model, id)


def _unpacked(part: Part, tensor: InferTensor, default: str) -> Part:
    kind, rows, values = part
    return (kind, rows, unpacked(values, _content_type(tensor) or default)) if type(values) is list else part


_NUMBERS = {"FP32": "f", "FP64": "d", "INT32": "i", "INT64": "q"}
_FEW = 64


class _Rows(dict[tuple[str, int], Struct]):
    """``rows[datatype, width]``: how a row of a few numbers lies in memory; made on first use, of `_FEW` widths at most."""

    def __missing__(self, key: tuple[str, int]) -> Struct:
        row = self[key] = Struct(f"<{key[1]}{_NUMBERS[key[0]]}")
        return row


_rows = _Rows()


def _one_row(tensor: InferTensor, raw: bytes, version: str, model: str, id: str) -> Block | None:
    """Read a row of a few numbers; 5 µs faster than the way for any tensors."""
    shape, datatype = tensor.shape[:], tensor.datatype
    if len(shape) != 2 or shape[0] != 1 or datatype not in _NUMBERS or not 0 < shape[1] <= _FEW:
        return None
    width = shape[1]
    row = _rows[datatype, width]
    if row.size != len(raw):
        return None
    name = tensor.name
    names: int | tuple[str, ...] = width if width > 1 else (name,)
    values = packers[width](*row.unpack(raw))
    return Block(names, True, 1, values, version, model, id, (TensorType(name, datatype, (width,)),))


def _shape(tensor: InferTensor) -> tuple[int, ...]:
    # A slice of more than may be: a list of a thousand dimensions is as cheap as ten, and refused.
    return tuple(tensor.shape[: MAX_RANK + 1])


def _raw(tensor: InferTensor, data: bytes) -> Part:
    return part_of(RawTensor(tensor.name, tensor.datatype, _shape(tensor), data))


def _typed(tensor: InferTensor) -> Part:
    datatype = tensor.datatype
    shape = _shape(tensor)
    rows, width = shape_of(shape)
    contents = tensor.contents
    kind = TensorType(tensor.name, datatype, shape[1:])
    if datatype == "BYTES":
        texts = contents.bytes_contents
        if len(texts) != rows * width:
            raise DecodeError(NAME, "shape")
        return kind, rows, [text_of(text) for text in texts]
    if datatype in _RAW_ONLY:
        raise DecodeError(NAME, "size")
    if datatype not in CONTENTS:
        raise DecodeError(NAME, "datatype")
    field, dtype = CONTENTS[datatype]
    values = getattr(contents, field)
    if len(values) != rows * width:
        raise DecodeError(NAME, "shape")
    return kind, rows, np.array(values[:], dtype)


_INPUTS = {GRPC: by_message(read_inputs)}

MODEL_INFER = Format(NAME, _INPUTS, {GRPC: by_message(read_outputs)})

MODEL_STREAM_INFER = Format(NAME, _INPUTS, {GRPC: by_message(read_stream_outputs)})

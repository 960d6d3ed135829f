"""Open Inference Protocol (V2) over HTTP: tensors in JSON, and raw tensors behind it.

Request: ``{"id", "inputs": [{"name", "shape", "datatype", "data", "parameters"}]}``; response: ``{"id", "model_name",
"model_version", "outputs": [...]}``. ``data`` is flat or nested, row-major, and ``null`` in it is a missing value. Which tensors
become which columns is told in `tensors`, how raw tensors come in `open_inference_binary`.

What is there counts: where values are of another datatype than they say, the values win; the block still says what they said.

MLServer's ``parameters.content_type``, on a tensor, or on the request for all that have none:

- ``np`` and ``str`` on the request: only the first input counts.
- ``pd``: each input is a column, which is what it is anyway; ``datetime``: text, kept as text.
- ``base64``, ``pd_json``: text is decoded (`agent.decode.content_types`).

Tensors in shared memory are counted as not observed.

Sources: "Open Inference Protocol", Triton "shared memory" extensions, MLServer "content types".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain, starmap
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import TensorType
from agent.decode.block import (
    MAX_COLUMNS,
    MAX_RANK,
    SCALARS,
    Block,
    NotObserved,
    Scalar,
    numbers_by_column,
    pack_flat,
    packers,
)
from agent.decode.content_types import unpacked
from agent.decode.format import BINARY, JSON, Format
from agent.decode.json_arrays import LARGE_BODY
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.decode.message import Head
from agent.decode.open_inference_binary import NOTHING_BEHIND, cut, text_and_behind
from agent.decode.open_inference_large import FIRST_ONLY, large_inputs, large_outputs
from agent.decode.open_inference_rows import Rows
from agent.decode.tensors import Part, RawTensor, block_of_columns, part_of, row_of, shape_of
from agent.errors import DecodeError
from agent.exchange import Exchange


class Parameters(msgspec.Struct, gc=False):
    """The parameters that say where and how the data is."""

    content_type: str | None = None
    binary_data_size: int | None = None
    shared_memory_region: str | None = None


class Tensor(msgspec.Struct, gc=False):
    """A tensor of numbers."""

    name: str
    shape: list[int]
    datatype: str = ""
    data: list[float | list[float | None] | None] | None = None
    parameters: Parameters | None = None


class AnyTensor(msgspec.Struct, gc=False):
    """A tensor of anything."""

    name: str
    shape: list[int]
    datatype: str = ""
    data: Any = None
    parameters: Parameters | None = None


class Request(msgspec.Struct, gc=False):
    """A request with tensors of numbers."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: Parameters | None = None


class AnyRequest(msgspec.Struct, gc=False):
    """Any request."""

    inputs: list[AnyTensor]
    id: Any = None
    parameters: Parameters | None = None


class Response(msgspec.Struct, gc=False):
    """A response with tensors of numbers."""

    outputs: list[Tensor]
    id: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    parameters: Parameters | None = None


class AnyResponse(msgspec.Struct, gc=False):
    """Any response."""

    outputs: list[AnyTensor]
    id: Any = None
    model_name: Any = None
    model_version: Any = None
    parameters: Parameters | None = None


_FLOATS = frozenset({float, type(None)})
_REQUEST = JsonText(Request, AnyRequest)
_RESPONSE = JsonText(Response, AnyResponse)


def _request_facts(text: bytes) -> tuple[str, Any]:
    request = _REQUEST.exact(text)
    return request.id or "", request.inputs[0].data


def _response_facts(text: bytes) -> tuple[str, Any]:
    response = _RESPONSE.exact(text)
    return response.id or "", response.outputs[0].data


_request_rows, _response_rows = Rows(_request_facts), Rows(_response_facts)
_raw_request_rows, _raw_response_rows = Rows(_request_facts), Rows(_response_facts)


def read_inputs(body: bytes, target: str = "") -> Block:
    """Read a request's tensors, and its id. Of a target, messages like this one are then read by `Rows`.

    Raises
    ------
    NotObserved
        ``shared_memory``, ``no_rows``, ``too_wide``.
    DecodeError
        ``json``, ``fields``, ``shape``, ``size``, ``duplicate_names``, ``too_many_columns``, ``name_too_long``.
    """
    if len(body) >= LARGE_BODY:
        block = large_inputs(body)
        if block is not None:
            return block
    try:
        request = _REQUEST.exact(body)
    except JSON_FAULTS as error:
        return _any_request(_REQUEST.loose(body, error), NOTHING_BEHIND)
    tensors = request.inputs
    if request.parameters is not None and request.parameters.content_type in FIRST_ONLY:
        tensors = tensors[:1]
    block = _number_tensors(tensors, "", "", request.id or "")
    if target and len(request.inputs) == 1:
        _request_rows.learn(target, body, request.inputs[0].data, block)
    return block


def read_outputs(body: bytes, target: str = "") -> Block:
    """Read a response's tensors, and the model's name and version and the id if the response says them.

    Raises
    ------
    NotObserved, DecodeError
        As `read_inputs`.
    """
    if len(body) >= LARGE_BODY:
        block = large_outputs(body)
        if block is not None:
            return block
    try:
        response = _RESPONSE.exact(body)
    except JSON_FAULTS as error:
        return _any_response(_RESPONSE.loose(body, error), NOTHING_BEHIND)
    block = _number_tensors(response.outputs, response.model_version or "", response.model_name or "", response.id or "")
    if target and len(response.outputs) == 1:
        _response_rows.learn(target, body, response.outputs[0].data, block)
    return block


def _inputs(body: bytes, _head: Head, exchange: Exchange) -> Block:
    target = exchange.target
    return _request_rows.read(target, body) or read_inputs(body, target)


def _outputs(body: bytes, _head: Head, exchange: Exchange) -> Block:
    target = exchange.target
    return _response_rows.read(target, body) or read_outputs(body, target)


def _raw_inputs(body: bytes, head: Head, exchange: Exchange) -> Block:
    if head.json_length < 0:
        return _inputs(body, head, exchange)
    block = _raw_request_rows.read(exchange.target, body, head.json_length)
    if block is not None:
        return block
    text, behind = text_and_behind(body, head)
    try:
        request: Request | AnyRequest = _REQUEST.exact(text)
    except JSON_FAULTS as error:
        request = _REQUEST.loose(text, error)
    block = _any_request(request, behind)
    if len(request.inputs) == 1:
        _learn_raw(_raw_request_rows, exchange.target, text, request.inputs[0], block)
    return block


def _raw_outputs(body: bytes, head: Head, exchange: Exchange) -> Block:
    if head.json_length < 0:
        return _outputs(body, head, exchange)
    block = _raw_response_rows.read(exchange.target, body, head.json_length)
    if block is not None:
        return block
    text, behind = text_and_behind(body, head)
    try:
        response: Response | AnyResponse = _RESPONSE.exact(text)
    except JSON_FAULTS as error:
        response = _RESPONSE.loose(text, error)
    block = _any_response(response, behind)
    if len(response.outputs) == 1:
        _learn_raw(_raw_response_rows, exchange.target, text, response.outputs[0], block)
    return block


def _learn_raw(rows: Rows, target: str, text: bytes, tensor: Tensor | AnyTensor, block: Block) -> None:
    if tensor.data is None and block.numeric:
        raw = row_of(tensor.datatype, block.rows * block.width)
        if raw is not None:
            rows.learn(target, text, None, block, raw)


def _any_request(request: Request | AnyRequest, behind: memoryview) -> Block:
    content_type = request.parameters.content_type if request.parameters is not None else None
    parts = read_tensors(request.inputs, behind, content_type, first_only=content_type in FIRST_ONLY)
    return block_of_columns(parts, "", "", _text(request.id))


def _any_response(response: Response | AnyResponse, behind: memoryview) -> Block:
    parts = read_tensors(response.outputs, behind, response.parameters.content_type if response.parameters is not None else None)
    return block_of_columns(parts, _text(response.model_version), _text(response.model_name), _text(response.id))


def _text(value: Any) -> str:
    """Give a name as text: some clients write versions and ids as numbers."""
    return value if type(value) is str else str(value) if type(value) in (int, float) else ""


def _number_tensors(tensors: list[Tensor], version: str, model: str, id: str) -> Block:
    """Read tensors of numbers that are flat and without missing values in one go, and all others the complete way."""
    block = _one_tensor(tensors[0], version, model, id) if len(tensors) == 1 else _one_column_each(tensors, version, model, id)
    if block is None:
        block = block_of_columns(read_tensors(tensors, NOTHING_BEHIND), version, model, id)
    return block


def _one_tensor(tensor: Tensor, version: str, model: str, id: str) -> Block | None:
    shape, data = tensor.shape, tensor.data
    if not data or not shape or len(shape) > 2:
        return None
    rows = shape[0]
    width = shape[1] if len(shape) == 2 else 1
    if not 0 < width <= MAX_COLUMNS:
        return None
    names: int | tuple[str, ...] = width if width > 1 else (tensor.name,)
    types = (TensorType(tensor.name, tensor.datatype, tuple(shape[1:])),)
    try:
        if rows * width == len(data) and type(data[0]) is not list:
            return Block(names, True, rows, pack_flat(data), version, model, id, types)  # type: ignore[arg-type]  # struct checks
        if rows == len(data):
            packed = b"".join(starmap(packers[width], data))  # type: ignore[arg-type]  # struct checks
            return Block(names, True, rows, packed, version, model, id, types)
    except (struct.error, TypeError):
        pass  # missing values, or nested otherwise
    return None


def _one_column_each(tensors: list[Tensor], version: str, model: str, id: str) -> Block | None:
    if not tensors or not tensors[0].data:
        return None
    rows = len(tensors[0].data)
    shapes = ([rows], [rows, 1])
    columns = [tensor.data or () for tensor in tensors if tensor.shape in shapes]
    names = tuple([tensor.name for tensor in tensors])
    if len(columns) != len(tensors) or len(set(names)) != len(names):
        return None
    block = numbers_by_column(names, columns)  # type: ignore[arg-type]  # lists within are found when they are packed
    if block is None:
        return None
    types = tuple([TensorType(tensor.name, tensor.datatype, tuple(tensor.shape[1:])) for tensor in tensors])
    return Block(names, True, rows, block.values, version, model, id, types)


def read_tensors(
    tensors: Sequence[Tensor | AnyTensor], behind: memoryview, content_type: str | None = None, *, first_only: bool = False
) -> list[Part]:
    """Read tensors of any kind.

    Parameters
    ----------
    tensors
        As the JSON describes them.
    behind
        The raw tensors behind the JSON.
    content_type
        Of all tensors that have none of their own.
    first_only
        Whether the others are only skipped.

    Raises
    ------
    NotObserved, DecodeError
        As `read_inputs`; ``datatype`` for raw tensors.
    """
    pieces = cut(behind, [_size(tensor) for tensor in tensors])
    count = 1 if first_only else len(tensors)
    return [_part(tensor, piece, content_type) for tensor, piece in zip(tensors[:count], pieces[:count], strict=True)]


def _size(tensor: Tensor | AnyTensor) -> int | None:
    parameters = tensor.parameters
    if parameters is None or tensor.data is not None or parameters.shared_memory_region is not None:
        return None
    return parameters.binary_data_size


def _part(tensor: Tensor | AnyTensor, piece: memoryview | None, default: str | None) -> Part:
    parameters = tensor.parameters
    content_type = parameters.content_type if parameters is not None and parameters.content_type is not None else default
    if piece is not None:
        part = part_of(RawTensor(tensor.name, tensor.datatype, tuple(tensor.shape), piece))
    elif tensor.data is None:
        if parameters is not None and parameters.shared_memory_region is not None:
            raise NotObserved("open-inference", "shared_memory")
        raise DecodeError("open-inference", "fields")
    else:
        rows, width = shape_of(tensor.shape)
        values = _flat(tensor.data if type(tensor.data) is list else [tensor.data])
        if len(values) != rows * width:
            raise DecodeError("open-inference", "shape")
        part = (TensorType(tensor.name, tensor.datatype, tuple(tensor.shape[1:])), rows, values)
    return part[0], part[1], unpacked(part[2], content_type)


def _flat(values: list[Any]) -> NDArray[np.float64] | list[Scalar]:
    """Flatten arrays that are regular: of one depth, and of one length at each depth."""
    for _ in range(MAX_RANK):
        kinds = set(map(type, values))
        if kinds <= _FLOATS:
            return np.array(values, dtype=np.float64)  # numpy takes None for NaN
        if SCALARS.issuperset(kinds):
            return values
        if kinds != {list} or len(set(map(len, values))) != 1:
            break
        values = list(chain.from_iterable(values))
    raise DecodeError("open-inference", "shape")


OPEN_INFERENCE = Format(
    "open-inference",
    {JSON: _inputs, BINARY: _raw_inputs},
    {JSON: _outputs, BINARY: _raw_outputs},
)

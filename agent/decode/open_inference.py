"""Open Inference Protocol (V2) over HTTP with JSON tensors.

Request: ``{"inputs": [{"name", "shape", "datatype", "data", "parameters"}]}``; response: the same under ``outputs``. ``data`` is
flat or nested, row-major; the first dimension is the rows.

- One tensor ``[N, D]`` with D > 1: columns by position.
- Tensors of ``[N]`` or ``[N, 1]``: one named column each (MLServer reads ``[N]`` as ``[N, 1]``).
- Several tensors of which some are ``[N, D]``: columns ``name[0]`` to ``name[D-1]`` for those.
- Deeper tensors are flattened row by row, up to `MAX_FLATTENED` values a row.
- MLServer's ``parameters.content_type`` of ``np`` or ``str`` on the request: only the first input counts.

Raw tensors behind the JSON, or in the response, are counted as ``binary_tensors``; tensors in shared memory as not observed.

Sources: "Open Inference Protocol", Triton "binary tensor data" and "shared memory" extensions, MLServer "content types".
"""

from __future__ import annotations

import math
import struct
from itertools import starmap
from typing import Any

import msgspec

from agent.decode.block import (
    MAX_COLUMNS,
    MAX_FLATTENED,
    MAX_RANK,
    MAX_STEM,
    Block,
    NotObserved,
    Scalar,
    block_of,
    flat_values,
    numbers_by_column,
    pack_flat,
    packers,
)
from agent.decode.format import BINARY, JSON, Format, by_body, refuse_binary_tensors
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.errors import DecodeError


class Parameters(msgspec.Struct, gc=False):
    """The parameters that say where and how the data is."""

    content_type: str | None = None
    binary_data_size: int | None = None
    shared_memory_region: str | None = None


class Tensor(msgspec.Struct, gc=False):
    """A tensor of numbers."""

    name: str
    shape: list[int]
    data: list[float | list[float | None] | None] | None = None
    parameters: Parameters | None = None


class AnyTensor(msgspec.Struct, gc=False):
    """A tensor of anything."""

    name: str
    shape: list[int]
    data: Any = None
    parameters: Parameters | None = None


class Request(msgspec.Struct, gc=False):
    """A request with tensors of numbers."""

    inputs: list[Tensor]
    parameters: Parameters | None = None


class AnyRequest(msgspec.Struct, gc=False):
    """Any request."""

    inputs: list[AnyTensor]
    parameters: Parameters | None = None


class Response(msgspec.Struct, gc=False):
    """A response with tensors of numbers."""

    outputs: list[Tensor]
    model_version: str | None = None


class AnyResponse(msgspec.Struct, gc=False):
    """Any response."""

    outputs: list[AnyTensor]
    model_version: str | None = None


_REQUEST = JsonText(Request, AnyRequest)
_RESPONSE = JsonText(Response, AnyResponse)


def read_inputs(body: bytes) -> Block:
    """Read a request's tensors.

    Raises
    ------
    NotObserved
        ``shared_memory``, ``no_rows``, ``too_wide``.
    DecodeError
        ``json``, ``fields``, ``shape``, ``binary_tensors``, ``duplicate_names``, ``too_many_columns``.
    """
    try:
        request = _REQUEST.exact(body)
    except JSON_FAULTS as error:
        loose = _REQUEST.loose(body, error)
        return read_tensors(loose.inputs[: _inputs_that_count(loose.parameters)], "")
    if request.parameters is None:
        return _number_tensors(request.inputs, "")
    return _number_tensors(request.inputs[: _inputs_that_count(request.parameters)], "")


def _inputs_that_count(parameters: Parameters | None) -> int | None:
    return 1 if parameters is not None and parameters.content_type in ("np", "str") else None


def read_outputs(body: bytes) -> Block:
    """Read a response's tensors, and the model's version if the response says it.

    Raises
    ------
    NotObserved, DecodeError
        As `read_inputs`.
    """
    try:
        response = _RESPONSE.exact(body)
    except JSON_FAULTS as error:
        loose = _RESPONSE.loose(body, error)
        return read_tensors(loose.outputs, loose.model_version or "")
    return _number_tensors(response.outputs, response.model_version or "")


def _number_tensors(tensors: list[Tensor], version: str) -> Block:
    """Read tensors of numbers that are flat and without missing values in one go, and all others by `read_tensors`."""
    block = _one_tensor(tensors[0], version) if len(tensors) == 1 else _one_column_each(tensors, version)
    return block or read_tensors(tensors, version)


def _one_tensor(tensor: Tensor, version: str) -> Block | None:
    shape, data = tensor.shape, tensor.data
    if not data or not shape or len(shape) > 2:
        return None
    rows = shape[0]
    width = shape[1] if len(shape) == 2 else 1
    if not 0 < width <= MAX_COLUMNS:
        return None
    names: int | tuple[str, ...] = width if width > 1 else (tensor.name,)
    try:
        if rows * width == len(data):
            return Block(names, True, rows, pack_flat(data), version)  # type: ignore[arg-type]  # struct checks
        if rows == len(data):
            return Block(names, True, rows, b"".join(starmap(packers[width], data)), version)  # type: ignore[arg-type]  # struct checks
    except (struct.error, TypeError):
        pass  # missing values, or nested otherwise
    return None


def _one_column_each(tensors: list[Tensor], version: str) -> Block | None:
    if not tensors or not tensors[0].data:
        return None
    rows = len(tensors[0].data)
    shapes = ([rows], [rows, 1])
    columns = [tensor.data or () for tensor in tensors if tensor.shape in shapes]
    names = tuple([tensor.name for tensor in tensors])
    if len(columns) != len(tensors) or len(set(names)) != len(names):
        return None
    return numbers_by_column(names, columns, version)  # type: ignore[arg-type]  # lists within are found when they are packed


def read_tensors(tensors: list[Tensor] | list[AnyTensor], version: str = "") -> Block:
    """Read tensors of any kind into one table. Errors as `read_inputs`."""
    if not tensors:
        raise NotObserved("open-inference", "no_rows")
    names: list[str] = []
    columns: list[list[Scalar]] = []
    rows = -1
    for tensor in tensors:
        count, width, values = _values(tensor)
        if rows not in (-1, count):
            raise DecodeError("open-inference", "shape")
        rows = count
        if len(names) + width > MAX_COLUMNS:
            raise DecodeError("open-inference", "too_many_columns")
        if width == 1:
            names.append(tensor.name)
            columns.append(values)
        elif len(tensors) == 1:
            block = block_of(width, [values[at : at + width] for at in range(0, len(values), width)])
            return msgspec.structs.replace(block, version=version)
        elif len(tensor.name) > MAX_STEM:
            raise DecodeError("open-inference", "name_too_long")
        else:
            names += [f"{tensor.name}[{index}]" for index in range(width)]
            columns += [values[index::width] for index in range(width)]
    return msgspec.structs.replace(block_of(tuple(names), list(zip(*columns, strict=True))), version=version)


def _values(tensor: Tensor | AnyTensor) -> tuple[int, int, list[Scalar]]:
    """Rows, columns, and the values row-major."""
    data = tensor.data
    if data is None:
        _explain_absence(tensor)
    shape = tensor.shape
    if len(shape) > MAX_RANK or min(shape, default=0) < 0:
        raise DecodeError("open-inference", "shape")
    rows = shape[0] if shape else 1
    width = math.prod(shape[1:])
    if rows == 0 or width == 0:
        raise NotObserved("open-inference", "no_rows")
    if len(shape) > 2 and width > MAX_FLATTENED:
        raise NotObserved("open-inference", "too_wide")
    values = flat_values(data if type(data) is list else [data])
    if len(values) != rows * width:
        raise DecodeError("open-inference", "shape")
    return rows, width, values


def _explain_absence(tensor: Tensor | AnyTensor) -> None:
    parameters = tensor.parameters
    if parameters is not None and parameters.shared_memory_region is not None:
        raise NotObserved("open-inference", "shared_memory")
    if parameters is not None and parameters.binary_data_size is not None:
        raise DecodeError("open-inference", "binary_tensors")
    raise DecodeError("open-inference", "fields")


OPEN_INFERENCE = Format(
    "open-inference",
    {JSON: by_body(read_inputs), BINARY: refuse_binary_tensors},
    {JSON: by_body(read_outputs), BINARY: refuse_binary_tensors},
)

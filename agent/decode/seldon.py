"""Seldon Core V1: ``/api/v1.0/predictions``, whose requests and responses are one and the same message.

``{"meta": {"puid": "..."}, "data": {"names": [...], ...}}``, where beside the names there is one of ``tensor`` (``shape`` and
flat ``values``), ``ndarray`` (nested lists of anything) and ``tftensor`` (TensorFlow's TensorProto, as protobuf writes it in
JSON). Instead of ``data`` there may be ``jsonData`` (any JSON), ``strData`` (a text) or ``binData`` (base64: see
`agent.decode.opaque`).

- The first dimension is the rows. With one dimension only, it is a row when asked, and a row for each value when answered; but
  as many names as values make it a row in both.
- Names count where there are as many as columns; else columns have their positions.
- ``meta.puid`` is the exchange's id. The server makes one where the client sent none, so it is always in the response.

`agent.decode.seldon_feedback` reads what is posted to ``/api/v1.0/feedback``.

Sources: Seldon Core "External Prediction API"; ``proto/prediction.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf import json_format

from agent.batch import TensorType
from agent.decode.any_json import table_of as table_of_json
from agent.decode.arrays import is_wide, table_of
from agent.decode.block import (
    MAX_COLUMNS,
    MAX_RANK,
    SCALARS,
    Block,
    NotObserved,
    block_of,
    flat_values,
    numbers,
    pack_flat,
    table_of_rows,
)
from agent.decode.format import JSON, Format, by_body
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.decode.opaque import value_of_base64
from agent.decode.proto.tensorflow_serving_pb2 import TensorProto
from agent.decode.tensorflow_tensor import part_of
from agent.decode.tensors import block_of_columns, shape_of
from agent.errors import DecodeError

_NAME = "seldon"


class Meta(msgspec.Struct, gc=False):
    """What a message says of itself."""

    puid: str = ""


class Tensor(msgspec.Struct, gc=False):
    """Numbers, row-major."""

    shape: list[int]
    values: list[float | None]


class NumberData(msgspec.Struct, gc=False):
    """The usual payload."""

    names: list[str] | None = None
    tensor: Tensor | None = None
    ndarray: list[list[float | None]] | None = None
    tftensor: None = None


class AnyTensor(msgspec.Struct, gc=False):
    """Any tensor."""

    shape: list[int]
    values: list[Any]


class AnyData(msgspec.Struct, gc=False):
    """Any payload that is a table."""

    names: list[str | int | float] | None = None
    tensor: AnyTensor | None = None
    ndarray: Any = None
    tftensor: dict[str, Any] | None = None


class Message(msgspec.Struct, gc=False):
    """The usual message."""

    data: NumberData
    meta: Meta | None = None


class AnyMessage(msgspec.Struct, gc=False, rename="camel"):
    """Any message."""

    data: AnyData | None = None
    meta: Meta | None = None
    json_data: Any = msgspec.UNSET
    str_data: str | None = None
    bin_data: str | None = None
    status: Any = None


_MESSAGE = JsonText(Message, AnyMessage)


def read_inputs(body: bytes) -> Block:
    """Read a request.

    Raises
    ------
    NotObserved
        ``no_rows``, ``too_wide``; ``status`` where it is the report of a failure.
    DecodeError
        ``json``, ``fields`` where none of the payloads is there, ``shape``, ``datatype``, ``size``, ``duplicate_names``, or one
        of `table_of_rows`.
    """
    return _read(body, is_row=True)


def read_outputs(body: bytes) -> Block:
    """Read a response. Errors as `read_inputs`."""
    return _read(body, is_row=False)


def _read(body: bytes, *, is_row: bool) -> Block:
    try:
        message: Message | AnyMessage = _MESSAGE.exact(body)
    except JSON_FAULTS as error:
        message = _MESSAGE.loose(body, error)
    return block_of_message(message, is_row=is_row)


def block_of_message(message: Message | AnyMessage, *, is_row: bool) -> Block:
    """Read whichever payload a message has; `is_row` says what one dimension means. Errors as `read_inputs`."""
    block = _data(message.data, is_row=is_row) if message.data is not None else _other(message, is_row=is_row)
    return msgspec.structs.replace(block, id=message.meta.puid) if message.meta and message.meta.puid else block


def _other(message: Message | AnyMessage, *, is_row: bool) -> Block:
    if isinstance(message, AnyMessage):
        if message.json_data is not msgspec.UNSET:
            return table_of_json(message.json_data, flat_list_is_row=is_row)
        if message.str_data is not None:
            return table_of_rows([message.str_data])
        if message.bin_data is not None:
            return table_of_rows([value_of_base64(message.bin_data)])
        if type(message.status) is dict and message.status.get("status") in ("FAILURE", 1):
            raise NotObserved(_NAME, "status")
    raise DecodeError(_NAME, "fields")


def _data(data: NumberData | AnyData, *, is_row: bool) -> Block:
    names = tuple(map(str, data.names or ()))
    tensor = data.tensor
    if tensor is not None:
        values = tensor.values if type(tensor) is Tensor else flat_values(tensor.values)
        return _array(values, tensor.shape, names, is_row=is_row)
    if data.ndarray is not None:
        if type(data) is NumberData and data.ndarray:
            return _named(numbers(data.ndarray), names)
        return _nested(data.ndarray, names, is_row=is_row)
    if data.tftensor is not None:
        return _tensorflow(data.tftensor, names, is_row=is_row)
    raise DecodeError(_NAME, "fields")


def _nested(items: Any, names: tuple[str, ...], *, is_row: bool) -> Block:
    if type(items) is not list:
        raise DecodeError(_NAME, "fields")
    if items and SCALARS.issuperset(map(type, items)):
        return _array(items, [len(items)], names, is_row=is_row)
    return _named(table_of_rows(items), names)


def _array(values: Sequence[Any], shape: Sequence[int], names: tuple[str, ...], *, is_row: bool) -> Block:
    """Read flat values of a shape."""
    if len(shape) == 1 and (is_row or len(names) == shape[0] > 1):
        shape = (1, *shape)
    rows, width = shape_of(shape)
    if len(values) != rows * width:
        raise DecodeError(_NAME, "shape")
    if is_wide(shape[1:]):
        return Block((), True, rows, b"", tables=(table_of(TensorType("", "", tuple(shape[1:])), rows, values),))
    if width <= MAX_COLUMNS and set(map(type, values)) == {float}:
        return _named(Block(width, True, rows, pack_flat(values)), names)
    return _named(block_of(width, [values[at : at + width] for at in range(0, len(values), width)]), names)


def _tensorflow(fields: Mapping[str, Any], names: tuple[str, ...], *, is_row: bool) -> Block:
    shape = fields.get("tensorShape", fields.get("tensor_shape"))
    if type(shape) is dict and type(shape.get("dim")) is list and len(shape["dim"]) > MAX_RANK:
        raise DecodeError(_NAME, "shape")  # before protobuf makes a message of each
    tensor = TensorProto()
    try:
        json_format.ParseDict(fields, tensor, ignore_unknown_fields=True)
    except Exception:  # noqa: BLE001 - protobuf lets out whatever Python's conversions raise: OverflowError, binascii.Error, ...
        raise DecodeError(_NAME, "fields") from None
    dimensions = tensor.tensor_shape.dim
    if len(dimensions) == 1 and (is_row or (len(names) == dimensions[0].size > 1)):
        dimensions.insert(0, type(dimensions[0])(size=1))
    block = block_of_columns([part_of("", tensor)])
    return _named(msgspec.structs.replace(block, names=block.width), names)


def _named(block: Block, names: tuple[str, ...]) -> Block:
    if len(names) != block.width or not isinstance(block.names, int):
        return block
    if len(set(names)) != len(names):
        raise DecodeError(_NAME, "duplicate_names")
    return msgspec.structs.replace(block, names=names)


SELDON = Format(_NAME, {JSON: by_body(read_inputs)}, {JSON: by_body(read_outputs)})

"""MLflow's scoring server: its JSON on ``/invocations``. `agent.decode.sagemaker` reads what else comes there.

Request: exactly one of ``dataframe_split`` (``columns`` and rows of ``data``), ``dataframe_records`` (a list of objects),
``instances`` and ``inputs`` (as in TensorFlow Serving). ``params`` are of the call, not of a row, so they are no columns.
Response: ``{"predictions": ...}``, or the bare value.

Source: MLflow "Local inference server specification".
"""

from __future__ import annotations

from typing import Any

import msgspec

from agent.batch import Table, TensorType
from agent.decode.any_json import unwrapped
from agent.decode.block import Block, NotObserved, numbers, table_of_rows
from agent.decode.json_arrays import large_rows
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.decode.kserve_v1 import NumberColumns, NumberRow, any_table, may_be_large_table, number_table
from agent.decode.opaque import without_base64
from agent.errors import DecodeError


class Split(msgspec.Struct, gc=False):
    """A pandas table of numbers in ``split`` orientation."""

    columns: list[str]
    data: list[list[float | None]]


class AnySplit(msgspec.Struct, gc=False):
    """Any pandas table in ``split`` orientation; without ``columns`` they are positions, as in pandas."""

    data: list[list[Any]]
    columns: list[str | int | float] | None = None


class Request(msgspec.Struct, gc=False):
    """The usual request."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, float | None]] | None = None
    instances: list[NumberRow] | None = None
    inputs: list[NumberRow] | NumberColumns | None = None


class AnyRequest(msgspec.Struct, gc=False):
    """Any request."""

    dataframe_split: AnySplit | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: Any = None
    inputs: Any = None


class Response(msgspec.Struct, gc=False):
    """The usual response."""

    predictions: list[NumberRow] | NumberColumns


_REQUEST = JsonText(Request, AnyRequest)
_RESPONSE: JsonText[Response | list[NumberRow], Any] = JsonText(Response | list[NumberRow], Any)  # type: ignore[arg-type]  # a union is a type to msgspec


def read_inputs(body: bytes) -> Block:
    """Read a JSON request.

    Raises
    ------
    NotObserved, DecodeError
        ``json``, ``fields`` (none of the four), ``shape`` (as many columns as names?), or one of `table_of_rows`.
    """
    if may_be_large_table(body) and (block := _large(body)) is not None:
        return block
    try:
        request = _REQUEST.exact(body)
    except JSON_FAULTS as error:
        loose = _REQUEST.loose(body, error)
        if loose.dataframe_split is not None:
            return _split(loose.dataframe_split)
        value = unwrapped(_given(loose))
        return any_table(without_base64(value) if b'"b64"' in body else value)
    return _split(request.dataframe_split) if request.dataframe_split is not None else number_table(_given(request))


def _large(body: bytes) -> Block | None:
    if b'"dataframe_split"' in body:
        return large_rows(body, ("dataframe_split", "data"), names=("dataframe_split", "columns"))
    return None if b'"dataframe_records"' in body else large_rows(body, ("instances",), ("inputs",))


def _given(request: Request | AnyRequest) -> Any:
    for value in (request.dataframe_records, request.instances, request.inputs):
        if value is not None:
            return value
    raise DecodeError("mlflow", "fields")


def _split(split: Split | AnySplit) -> Block:
    if type(split) is Split and split.data and len(split.columns) == len(split.data[0]):
        block = numbers(split.data)
    else:
        block = table_of_rows(split.data)
    if split.columns is None:
        return block
    names = tuple(map(str, split.columns))
    if block.tables:
        return _wide_column(block, names)
    if len(names) != block.width:
        raise DecodeError("mlflow", "shape")
    if len(set(names)) != len(names):
        raise DecodeError("mlflow", "duplicate_names")
    return msgspec.structs.replace(block, names=names)


def _wide_column(block: Block, names: tuple[str, ...]) -> Block:
    """Name the only column where its cells are too wide for columns: rows are lists of one array."""
    (kind, values), *_ = [(table.tensor, table.values) for table in block.tables]
    if len(names) != 1 or len(kind.shape) < 2 or kind.shape[0] != 1:
        raise NotObserved("mlflow", "too_wide")
    return msgspec.structs.replace(block, tables=(Table(TensorType(names[0], "", kind.shape[1:]), values),))


def read_outputs(body: bytes) -> Block:
    """Read a JSON response.

    Raises
    ------
    NotObserved, DecodeError
        As `read_inputs`.
    """
    if may_be_large_table(body) and (block := large_rows(body, ("predictions",))) is not None:
        return block
    try:
        response = _RESPONSE.exact(body)
    except JSON_FAULTS as error:
        value = _RESPONSE.loose(body, error)
        return any_table(value["predictions"] if type(value) is dict and "predictions" in value else value)
    return number_table(response if isinstance(response, list) else response.predictions)

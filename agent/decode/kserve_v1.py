"""KServe V1 and TensorFlow Serving's REST prediction API.

Request: ``{"instances": [...]}``, one item a row: a list (columns by position), an object (named columns) or a scalar (one
column); or ``{"inputs": ...}``: an object of columns, or a list as above. Response: ``{"predictions": ...}``, or ``outputs``
where the request was columnar. KServe does not enforce the response's shape, so a list, an object of columns, one object and
one scalar are all taken. A scalar beside lists in an object of columns is a tensor without dimensions, such as a temperature: it
holds for all rows, and is repeated for each, as over gRPC. ``{"b64": "..."}`` is a value: text, an image or a number of bytes
(`agent.decode.opaque`). What else is in a request, such as ``signature_name`` or ``parameters``, is of the call, not of a row.

Both servers take the same bodies on the same path, so both are ``kserve-v1``. ``:explain`` asks about rows as ``:predict`` does,
so its inputs are read. An explanation is no prediction, and of any shape: it is not read.

CloudEvents: in binary mode (attributes as ``ce-`` headers) the body is as above, and ``ce-id`` is the request's id
(`agent.decode.format.with_event_id`); in structured mode it is under ``data``, as JSON or as text that is JSON, or under
``data_base64``, beside ``id``.

Sources: KServe "V1 Inference Protocol"; TensorFlow Serving "RESTful API"; CloudEvents 1.0 JSON format.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from agent.decode.block import Block, numbers, numbers_by_column, scalars_repeated, table_of_columns, table_of_rows
from agent.decode.format import CLOUD_EVENT, JSON, Format, by_body
from agent.decode.json_arrays import LARGE_BODY
from agent.decode.json_records import large_table, may_be_large
from agent.decode.json_text import JSON_FAULTS, JsonText, lenient, may_be_lenient
from agent.decode.message import Head
from agent.decode.opaque import without_base64
from agent.errors import DecodeError
from agent.exchange import Exchange

NumberRow = list[float | None] | dict[str, float | None] | float | None
"""A row of a numeric table in any of its three spellings; costs no more to parse than a list of lists."""

NumberColumns = dict[str, list[float | None]]


class Request(msgspec.Struct, gc=False):
    """The usual request."""

    instances: list[NumberRow] | None = None
    inputs: list[NumberRow] | NumberColumns | None = None


class AnyRequest(msgspec.Struct, gc=False):
    """Any request."""

    instances: Any = None
    inputs: Any = None


class Response(msgspec.Struct, gc=False):
    """The usual response."""

    predictions: list[NumberRow] | None = None
    outputs: list[NumberRow] | NumberColumns | None = None


class AnyResponse(msgspec.Struct, gc=False):
    """Any response."""

    predictions: Any = None
    outputs: Any = None


class Event(msgspec.Struct, gc=False):
    """A CloudEvent in structured mode."""

    data: msgspec.Raw = msgspec.Raw()
    data_base64: str = ""
    id: str = ""


_REQUEST = JsonText(Request, AnyRequest)
_RESPONSE = JsonText(Response, AnyResponse)
_EVENT = msgspec.json.Decoder(Event)


def may_be_large_table(body: bytes) -> bool:
    """Tell whether `large_rows` is worth a try. Rows that are objects are not its business, and trying costs them a fifth."""
    return len(body) >= LARGE_BODY and body.find(b"[{", 0, 1024) < 0


def read_inputs(body: bytes, _head: Head | None = None, _exchange: Exchange | None = None) -> Block:
    """Read a request's rows. The body says all, and a call less is a thirtieth of the time.

    Raises
    ------
    DecodeError
        ``json``, ``fields`` (neither ``instances`` nor ``inputs``), or one of `table_of_rows`.
    """
    if len(body) >= LARGE_BODY and may_be_large(body) and (block := large_table(body, ("instances",), ("inputs",))) is not None:
        return block
    try:
        request: Request | AnyRequest = _REQUEST.exact(body)
    except JSON_FAULTS as error:
        request = _REQUEST.loose(body, error)
        return _any(body, request.instances, request.inputs)
    value = request.instances if request.instances is not None else request.inputs
    if value is None:
        raise DecodeError("kserve-v1", "fields")
    return number_table(value)


def read_outputs(body: bytes, _head: Head | None = None, _exchange: Exchange | None = None) -> Block:
    """Read a response's rows.

    Raises
    ------
    DecodeError
        As `read_inputs`, ``fields`` for neither ``predictions`` nor ``outputs``.
    """
    if (
        len(body) >= LARGE_BODY
        and may_be_large(body)
        and (block := large_table(body, ("predictions",), ("outputs",))) is not None
    ):
        return block
    try:
        response: Response | AnyResponse = _RESPONSE.exact(body)
    except JSON_FAULTS as error:
        response = _RESPONSE.loose(body, error)
        return _any(body, response.predictions, response.outputs)
    value = response.predictions if response.predictions is not None else response.outputs
    if value is None:
        raise DecodeError("kserve-v1", "fields")
    return number_table(value)


def _any(body: bytes, rows: Any, columns: Any) -> Block:
    value = rows if rows is not None else columns
    if value is None:
        raise DecodeError("kserve-v1", "fields")
    value = without_base64(value) if b'"b64"' in body else value
    if rows is None and type(value) is dict:
        count = next((len(column) for column in value.values() if type(column) is list), 0)
        value = scalars_repeated(value, count) if count else value
    return any_table(value)


def number_table(value: list[NumberRow] | NumberColumns) -> Block:
    """Read a list of rows or an object of columns from typed JSON."""
    if isinstance(value, list):
        return numbers(value)
    return numbers_by_column(tuple(value), list(value.values())) or table_of_columns(value)


def any_table(value: Any) -> Block:
    """Read a list of rows, an object of columns, one object, or one scalar (a row of one value)."""
    if type(value) is list:
        return table_of_rows(value)
    if type(value) is dict:
        return table_of_columns(value)
    return table_of_rows([value])


def payload_of_event(body: bytes) -> tuple[bytes, str]:
    """Give the payload of a CloudEvent as JSON text, and the event's id.

    Raises
    ------
    DecodeError
        ``cloud_event``
    """
    try:
        event = _EVENT.decode(body)
        payload = bytes(event.data)
        if payload.startswith(b'"'):
            payload = msgspec.json.decode(payload, type=str).encode()
        payload = payload or base64.b64decode(event.data_base64, validate=True)
    except JSON_FAULTS as error:
        payload, event = _lenient_payload(body, error), Event()
    if not payload:
        raise DecodeError("kserve-v1", "cloud_event")
    return payload, event.id


def _lenient_payload(body: bytes, fault: Exception) -> bytes:
    value = lenient(body) if may_be_lenient(body, fault) else None
    if type(value) is not dict or "data" not in value:
        raise DecodeError("kserve-v1", "cloud_event")
    try:
        return json.dumps(value["data"]).encode()
    except RecursionError:
        raise DecodeError("json", "json") from None


def _read_event_inputs(body: bytes) -> Block:
    payload, event_id = payload_of_event(body)
    return msgspec.structs.replace(read_inputs(payload), id=event_id)


def _read_event_outputs(body: bytes) -> Block:
    payload, event_id = payload_of_event(body)
    return msgspec.structs.replace(read_outputs(payload), id=event_id)


KSERVE_V1 = Format(
    "kserve-v1",
    {JSON: read_inputs, CLOUD_EVENT: by_body(_read_event_inputs)},
    {JSON: read_outputs, CLOUD_EVENT: by_body(_read_event_outputs)},
)

KSERVE_V1_EXPLAIN = Format("kserve-v1-explain", KSERVE_V1.inputs, {})
"""Rows that somebody wants explained; most were sent to ``:predict`` as well, so metrics tell them apart."""

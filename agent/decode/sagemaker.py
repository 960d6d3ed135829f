"""``/invocations``: MLflow's scoring server and every container for SageMaker, which ask there in words of their own.

MLflow took the path over from SageMaker, and its models run there as well. Nothing but the body tells one from the other, and
not always, so the format is named after the path, ``invocations``. A multi-model endpoint asks the same at
``/models/{model}/invoke``.

=====================  ==================================================================================================
content type           body
=====================  ==================================================================================================
JSON                   MLflow's four forms (`agent.decode.mlflow`); a list of rows; a flat list (one row, or a prediction
                       each); one object, of scalars (a row) or of lists (columns); ``{"features": [...]}`` and its kin
``text/csv``           with a header or without (`agent.decode.csv_text`); without one, columns are in the profile's order
JSON Lines             a list, an object or ``{"features": [...]}`` each line
``application/x-npy``  one array (`agent.decode.npy`)
=====================  ==================================================================================================

An answer of one line of CSV with as many fields as the request has lines is a prediction for each: XGBoost's container joins
them so. What is asked of language models (``messages``, ``prompt``, ``input``) is no table, and is not read here.

Sources: SageMaker "Common data formats for inference", "Custom inference code with hosting services"; MLflow, as there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from agent.decode import mlflow
from agent.decode.any_json import parse, table_of, unwrapped
from agent.decode.block import SCALARS, Block, NotObserved, numbers
from agent.decode.csv_text import read_csv
from agent.decode.format import CSV, JSON, JSON_LINES, KINDS, NPY, Format, by_body
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.decode.kserve_v1 import NumberRow
from agent.decode.message import Head, body_of, request_head, request_lines
from agent.decode.npy import read_npy
from agent.errors import DecodeError
from agent.exchange import Exchange

_NAME = "invocations"

_CONVERSATION = frozenset({"messages", "prompt", "input"})
_MLFLOW = frozenset(mlflow.AnyRequest.__struct_fields__) | {"params"}

_ROWS: JsonText[list[NumberRow], list[Any]] = JsonText(list[NumberRow], list[Any])
_number_lines = msgspec.json.Decoder(NumberRow).decode_lines
_any_lines = msgspec.json.Decoder().decode_lines


def read_inputs(body: bytes) -> Block:
    """Read a JSON request.

    Raises
    ------
    NotObserved
        ``no_table`` for what is asked of language models, ``no_rows``, ``too_wide``.
    DecodeError
        ``json``, ``fields``, or one of `table_of_rows` and `unwrapped`.
    """
    if body[:64].lstrip().startswith(b"["):
        return _read_list(body)
    try:
        return mlflow.read_inputs(body)
    except DecodeError as error:
        if error.reason != "fields":
            raise
    return _read_object(parse(body))


def _read_list(body: bytes) -> Block:
    try:
        rows: list[Any] = _ROWS.exact(body)
    except JSON_FAULTS as error:
        return table_of(_ROWS.loose(body, error), flat_list_is_row=True)
    return numbers([rows] if rows and type(rows[0]) is float and {float, type(None)}.issuperset(map(type, rows)) else rows)


def _read_object(value: Any) -> Block:
    if type(value) is not dict or not value or not _MLFLOW.isdisjoint(value):
        raise DecodeError(_NAME, "fields")
    if not _CONVERSATION.isdisjoint(value):
        raise NotObserved(_NAME, "no_table")
    (inner,) = unwrapped([value])
    if inner is not value:
        return table_of(inner, flat_list_is_row=True)
    kinds = set(map(type, value.values()))
    if kinds != {list} and not kinds <= SCALARS:
        raise DecodeError(_NAME, "fields")
    return table_of(value, flat_list_is_row=True)


def read_json_lines(body: bytes) -> Block:
    """Read a row from each line that is not empty.

    Raises
    ------
    NotObserved, DecodeError
        ``json``, or one of `table_of_rows` and `unwrapped`.
    """
    try:
        return numbers(_number_lines(body))
    except JSON_FAULTS:
        pass
    try:
        rows = _any_lines(body)
    except JSON_FAULTS:
        rows = [parse(line) for line in body.split(b"\n") if line.strip()]
    return table_of(unwrapped(rows), flat_list_is_row=False)


def _read_input_array(body: bytes) -> Block:
    return read_npy(body, flat_is_row=True)


def _read_output_array(body: bytes) -> Block:
    return read_npy(body, flat_is_row=False)


def _read_csv_answer(body: bytes, _head: Head, exchange: Exchange) -> Block:
    block = read_csv(body, header_in_doubt=False)
    if block.rows != 1 or block.width == 1 or not isinstance(block.names, int) or _rows_asked(exchange) != block.width:
        return block
    values = [(value,) for value in block.values[0]] if isinstance(block.values, list) else block.values
    return msgspec.structs.replace(block, names=1, rows=block.width, values=values)


def _rows_asked(exchange: Exchange) -> int:
    """Tell how many rows a request of CSV has; 0 where it is none or can't be read."""
    raw = exchange.request
    start = raw.find(b"\r\n\r\n") + 4
    try:
        head = request_head(request_lines(raw[:start]))
        return read_csv(body_of(head, raw, start)).rows if KINDS.get(head.media) == CSV else 0
    except DecodeError:
        return 0


INVOCATIONS = Format(
    _NAME,
    {
        JSON: by_body(read_inputs),
        CSV: by_body(read_csv),
        JSON_LINES: by_body(read_json_lines),
        NPY: by_body(_read_input_array),
    },
    {
        JSON: by_body(mlflow.read_outputs),
        CSV: _read_csv_answer,
        JSON_LINES: by_body(read_json_lines),
        NPY: by_body(_read_output_array),
    },
)

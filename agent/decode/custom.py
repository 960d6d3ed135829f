"""Routes of the user's own: where the rows are is configured, what they look like is told from the values.

What the JSON path finds is read so:

===============================  ==============================  ===============================
value                            as inputs                       as outputs
===============================  ==============================  ===============================
list of lists, list of objects   one row each                    one row each
list of scalars                  **one row**                     **one row of one column each**
object of lists                  one column each                 one column each
object of scalars                one row                         one row
scalar                           one row of one column           one row of one column
===============================  ==============================  ===============================

A flat list is a feature vector on the way in and a list of predictions on the way out: that is what hand-written services
mean by it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agent.decode.block import SCALARS, Block, Row, table_of_rows
from agent.decode.format import JSON, Format, Reader, by_body
from agent.decode.json_text import JSON_FAULTS, lenient, may_be_lenient
from agent.decode.kserve_v1 import any_table
from agent.errors import DecodeError
from agent.spelling import CustomRoute

_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]")
_decode = msgspec.json.Decoder().decode


def format_of(route: CustomRoute) -> Format:
    """Make the format of a configured route. Without a path to outputs, only the inputs are read."""
    inputs = {JSON: _reader(route.inputs, flat_list_is_row=True)}
    return Format("custom", inputs, {JSON: _reader(route.outputs, flat_list_is_row=False)} if route.outputs else {})


def _reader(path: str, *, flat_list_is_row: bool) -> Reader:
    steps: list[str | int] = [key or int(index) for key, index in _STEP.findall(path)]

    def read(body: bytes) -> Block:
        value = _parse(body)
        for step in steps:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                raise DecodeError("custom", "path") from None
        if flat_list_is_row and type(value) is list and value and SCALARS.issuperset(map(type, value)):
            rows: list[Row] = [value]
            return table_of_rows(rows)
        return any_table(value)

    return by_body(read)


def _parse(body: bytes) -> Any:
    try:
        return _decode(body)
    except JSON_FAULTS as error:
        if may_be_lenient(body, error):
            return lenient(body)
        raise DecodeError("custom", "json") from None

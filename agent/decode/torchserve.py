"""TorchServe: ``/predictions/{model}``, with whatever the model's handler takes and gives.

There is no format, only habits, so this reads what is a table by all appearances, and lets the rest be: it is counted as
``no_table``, never as a fault of the client's.

- JSON: a list of rows, a flat list (a row when asked, a prediction each when answered), an object of scalars or of lists;
  under one of ``instances``, ``inputs``, ``data``, ``body``, ``input`` or ``predictions``, ``outputs`` where there is one. A
  classifier's ``{"tabby": 0.6, "tiger": 0.2}`` is a row with a column for each class that it names.
- Text that is no JSON: a row of one text. CSV, JSON Lines, npy: as on ``/invocations``.
- A form: the part called ``data`` or ``body``, or the only one, is read like a body of its own. Other forms are a row with a
  column for each part: a number, a text, or the size of anything else.
- Images count as ``image``.

Neither requests nor responses need to have a content type.

Sources: TorchServe "Inference API", "Request envelopes"; ``ts/torch_handler``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.decode.any_json import parse, table_of
from agent.decode.block import Block, NotObserved, Row, table_of_rows
from agent.decode.csv_text import read_csv
from agent.decode.format import BINARY, CSV, EVENTS, IMAGE, JSON, JSON_LINES, KINDS, MULTIPART, NPY, Format, Reader
from agent.decode.message import Head
from agent.decode.multipart import Part, parts_of
from agent.decode.npy import read_npy
from agent.decode.opaque import value_of, without_base64
from agent.decode.sagemaker import read_json_lines
from agent.errors import DecodeError
from agent.exchange import Exchange

_NAME = "torchserve"

_ASKED = ("instances", "inputs", "data", "body", "input")
_ANSWERED = ("predictions", "outputs")
_MAIN_PARTS = ("data", "body")

Content = Callable[[bytes], Block]


def _read_json_input(body: bytes) -> Block:
    return table_of(_inside(parse(body), body, _ASKED), flat_list_is_row=True)


def _read_json_output(body: bytes) -> Block:
    return table_of(_inside(parse(body), body, _ANSWERED), flat_list_is_row=False)


def _inside(value: Any, body: bytes, keys: tuple[str, ...]) -> Any:
    """Take the rows out of the object around them, if there is one."""
    if type(value) is dict:
        value = next((value[key] for key in keys if key in value), value)
    return without_base64(value) if b'"b64"' in body else value


def _or_text(read: Content) -> Content:
    """Make the reader of JSON, or of a text."""

    def read_or_take(body: bytes) -> Block:
        try:
            return read(body)
        except DecodeError as error:
            if error.reason != "json":
                raise
        text = value_of(body)
        if type(text) is not str or not text.strip():
            raise DecodeError(_NAME, "json")
        row: list[Row] = [[text]]
        return table_of_rows(row)

    return read_or_take


def _leave_image(_body: bytes) -> Block:
    raise NotObserved(_NAME, "image")


def _leave(_body: bytes) -> Block:
    raise NotObserved(_NAME, "no_table")


def _read_input_array(body: bytes) -> Block:
    return read_npy(body, flat_is_row=True)


def _read_output_array(body: bytes) -> Block:
    return read_npy(body, flat_is_row=False)


def _read_csv_output(body: bytes) -> Block:
    return read_csv(body, header_in_doubt=False)


_INPUTS: Mapping[str, Content] = {
    JSON: _or_text(_read_json_input),
    CSV: read_csv,
    JSON_LINES: read_json_lines,
    NPY: _read_input_array,
    IMAGE: _leave_image,
    BINARY: _read_json_input,  # curl calls a file so whose ending it doesn't know, and .json is one
    EVENTS: _leave,
    "": _leave,
}

_OUTPUTS: Mapping[str, Content] = {
    JSON: _or_text(_read_json_output),
    CSV: _read_csv_output,
    JSON_LINES: read_json_lines,
    NPY: _read_output_array,
    IMAGE: _leave_image,
    BINARY: _leave,
    EVENTS: _leave,
    "": _leave,
}


def read_form(body: bytes, boundary: str) -> Block:
    """Read a form by the rule above.

    Raises
    ------
    NotObserved, DecodeError
        Those of `parts_of`, and of the reader of the part that counts; ``duplicate_names`` where two parts have one name.
    """
    parts = parts_of(body, boundary)
    main = [part for part in parts if part.name in _MAIN_PARTS] if len(parts) > 1 else parts
    if len(main) == 1:
        return _reader_of(main[0])(main[0].content)
    record = {part.name: _value_of(part.content) for part in parts}
    if len(record) != len(parts):
        raise DecodeError("multipart", "duplicate_names")
    return table_of_rows([record] if record else [])


def _reader_of(part: Part) -> Content:
    kind = IMAGE if part.media.startswith("image/") else KINDS.get(part.media, "")
    return _INPUTS.get(kind, _leave)


def _value_of(content: bytes) -> Any:
    """Give a number where it is one, or true, false or null, as forms have no types; else a text or a size."""
    text = value_of(content)
    try:
        value = parse(content) if len(content) <= 64 else text
    except DecodeError:
        return text
    return text if isinstance(value, str | list | dict) else value


def _tolerant(read: Content) -> Reader:
    """Make a reader that calls nothing a fault: who can't be read is no table."""

    def read_or_leave(body: bytes, _head: Head, _exchange: Exchange) -> Block:
        try:
            return read(body)
        except NotObserved:
            raise
        except DecodeError:
            raise NotObserved(_NAME, "no_table") from None

    return read_or_leave


def _read_form(body: bytes, head: Head, exchange: Exchange) -> Block:
    def read(form: bytes) -> Block:
        return read_form(form, head.boundary)

    return _tolerant(read)(body, head, exchange)


TORCHSERVE = Format(
    _NAME,
    {**{kind: _tolerant(read) for kind, read in _INPUTS.items()}, MULTIPART: _read_form},
    {kind: _tolerant(read) for kind, read in _OUTPUTS.items()},
)

"""Large Open Inference messages of numbers in JSON, by `json_arrays`. What is read here, `open_inference` reads the same."""

from __future__ import annotations

from functools import partial
from typing import Any

from agent.batch import TensorType
from agent.decode.block import Block
from agent.decode.json_arrays import NotRegular, brackets_beside, numbers_in, read_large
from agent.decode.tensors import Part, block_of_columns, shape_of

FIRST_ONLY = ("np", "str")
"""Content types of a request in MLServer with which only its first input counts."""


def large_inputs(body: bytes) -> Block | None:
    """Read a request's tensors; ``None`` where the complete way has to look."""
    return read_large(body, partial(_inputs, most=_most(body)))


def large_outputs(body: bytes) -> Block | None:
    """Read a response's tensors; ``None`` where the complete way has to look."""
    return read_large(body, partial(_outputs, most=_most(body)))


def _most(body: bytes) -> int:
    """Give how many tensors are worth it: each costs 7 µs, which 8 KiB of numbers save."""
    return max(4, len(body) >> 13)


def _inputs(document: Any, brackets: int, most: int) -> Block:
    parts = _parts(document, "inputs", brackets, most)
    parameters = document.get("parameters")
    if parameters is not None and parameters.as_dict().get("content_type") in FIRST_ONLY:
        parts = parts[:1]
    return block_of_columns(parts, "", "", _text(document, "id"))


def _outputs(document: Any, brackets: int, most: int) -> Block:
    parts = _parts(document, "outputs", brackets, most)
    return block_of_columns(parts, _text(document, "model_version"), _text(document, "model_name"), _text(document, "id"))


def _parts(document: Any, key: str, brackets: int, most: int) -> list[Part]:
    parts: list[Part] = []
    tensors = document[key]
    if len(tensors) > most:
        raise NotRegular
    known = brackets_beside(document, [(key,)]) + 1
    for tensor in tensors:
        values, arrays = numbers_in(tensor["data"])
        known += arrays + brackets_beside(tensor, [("data",)])
        shape = tensor["shape"].as_list()
        name = tensor["name"]
        if type(name) is not str or {*map(type, shape)} - {int}:
            raise NotRegular
        rows, width = shape_of(shape)
        if len(values) != rows * width:
            raise NotRegular
        parts.append((TensorType(name, _text(tensor, "datatype"), tuple(shape[1:])), rows, values))
    if known != brackets:
        raise NotRegular  # an array among the numbers
    return parts


def _text(thing: Any, key: str) -> str:
    value = thing.get(key)
    if value is not None and type(value) is not str:
        raise NotRegular
    return value or ""

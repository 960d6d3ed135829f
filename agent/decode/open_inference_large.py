"""Large Open Inference messages of numbers in JSON, by `json_arrays`. What is read here, `open_inference` reads the same."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import TensorType
from agent.decode.block import Block
from agent.decode.json_arrays import brackets_beside, holds_texts, numbers_in, read_large
from agent.decode.json_nested import NotRegular, Path, is_deep, nested_numbers, prove_regular
from agent.decode.tensors import Part, block_of_columns, shape_of

FIRST_ONLY = ("np", "str")
"""Content types of a request in MLServer with which only its first input counts."""


def large_inputs(body: bytes) -> Block | None:
    """Read a request's tensors; ``None`` where the complete way has to look."""
    return None if holds_texts(body) else read_large(body, partial(_inputs, body))


def large_outputs(body: bytes) -> Block | None:
    """Read a response's tensors; ``None`` where the complete way has to look."""
    return None if holds_texts(body) else read_large(body, partial(_outputs, body))


def _most(body: bytes) -> int:
    """Give how many tensors are worth it: each costs 7 µs, which 8 KiB of numbers save."""
    return max(4, len(body) >> 13)


def _inputs(body: bytes, document: Any, brackets: int) -> Block:
    parts = _parts(body, document, "inputs", brackets)
    parameters = document.get("parameters")
    if parameters is not None and parameters.as_dict().get("content_type") in FIRST_ONLY:
        parts = parts[:1]
    return block_of_columns(parts, "", "", _text(document, "id"))


def _outputs(body: bytes, document: Any, brackets: int) -> Block:
    parts = _parts(body, document, "outputs", brackets)
    return block_of_columns(parts, _text(document, "model_version"), _text(document, "model_name"), _text(document, "id"))


def _parts(body: bytes, document: Any, key: str, brackets: int) -> list[Part]:
    tensors = list(document[key])
    if len(tensors) > _most(body):
        raise NotRegular
    if any(is_deep(tensor["data"]) for tensor in tensors):
        found = [nested_numbers(tensor["data"]) for tensor in tensors]
        shapes: dict[Path, tuple[int, ...]] = {(key, place, "data"): shape for place, (_, shape) in enumerate(found)}
        prove_regular(body, document, shapes)
        return [_part(tensor, values) for tensor, (values, _) in zip(tensors, found, strict=True)]
    parts: list[Part] = []
    known = brackets_beside(document, [(key,)]) + 1
    for tensor in tensors:
        values, arrays = numbers_in(tensor["data"])
        known += arrays + brackets_beside(tensor, [("data",)])
        parts.append(_part(tensor, values))
    if known != brackets:
        raise NotRegular  # an array among the numbers
    return parts


def _part(tensor: Any, values: NDArray[np.float64]) -> Part:
    shape = tensor["shape"].as_list()
    name = tensor["name"]
    if type(name) is not str or {*map(type, shape)} - {int}:
        raise NotRegular
    rows, width = shape_of(shape)
    if len(values) != rows * width:
        raise NotRegular
    return TensorType(name, _text(tensor, "datatype"), tuple(shape[1:])), rows, values


def _text(thing: Any, key: str) -> str:
    value = thing.get(key)
    if value is not None and type(value) is not str:
        raise NotRegular
    return value or ""

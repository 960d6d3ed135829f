"""Arrays of any depth in a parsed document: their numbers, and the proof that they are regular.

simdjson copies the numbers of nested arrays to one flat buffer, whatever the nesting was. An image is tens of thousands of
arrays, too many to ask each for its length. So the signs of a text that are neither digits nor space, ``[]{}:,"``, are compared
with what they would be if each array were regular: the document is written down as these signs, with regular arrays of the shapes
that the first items have in the places of those read from the buffer. As all else in it is written as it is, the texts are the
same only where the arrays are regular. That costs 1 ns a byte, and 1 µs for each member on the way to an array.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import simdjson
from numpy.typing import NDArray

from agent.decode.arrays import MAX_RANK

Path = tuple[str | int, ...]
"""Keys of objects and places in arrays, from the document's root."""

MAX_MEMBERS = 256
"""simdjson looks for each member from the first one on: 60,000 would take ten seconds."""

_NO_SIGN = bytes(sign for sign in range(256) if sign not in b'[]{}:,"')


class NotRegular(ValueError):  # noqa: N818 - no error: the complete way is taken
    """Raised by what reads a document where the document is not a regular table of numbers. Never leaves `read_large`."""


def members_of(value: Any) -> list[tuple[str, Any]]:
    """Give the members of an object as they were parsed; simdjson's own ``items`` would make Python objects of them.

    Raises
    ------
    NotRegular
        Beyond `MAX_MEMBERS`, or where a key comes twice: parsers differ in which one counts.
    """
    keys = list(value.keys())
    if len(keys) > MAX_MEMBERS or len(set(keys)) != len(keys):
        raise NotRegular
    return [(key, value[key]) for key in keys]


def is_deep(data: Any) -> bool:
    """Tell whether an array's first item is an array of arrays.

    Raises
    ------
    IndexError
        Where it, or its first item, is empty.
    """
    return isinstance(data[0], simdjson.Array) and isinstance(data[0][0], simdjson.Array)


def shape_in(data: Any) -> tuple[int, ...]:
    """Give the shape of an array as its first items have it; empty for what is no array.

    Raises
    ------
    NotRegular
        Beyond `MAX_RANK` dimensions, or where one is empty.
    """
    shape: list[int] = []
    while isinstance(data, simdjson.Array):
        shape.append(len(data))
        if not shape[-1] or len(shape) > MAX_RANK:
            raise NotRegular
        data = data[0]
    return tuple(shape)


def nested_numbers(data: Any) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Give the numbers of an array of arrays of any depth, flat, and the shape that they have if `is_regular` says so.

    Raises
    ------
    NotRegular, TypeError, ValueError
        Where it can't be regular, or holds what is no number.
    """
    shape = shape_in(data)
    values = np.frombuffer(data.as_buffer(of_type="d"))
    if math.prod(shape) != len(values):
        raise NotRegular
    return values, shape


def prove_regular(body: bytes, document: Any, shapes: Mapping[Path, tuple[int, ...]]) -> None:
    """Make sure that arrays of numbers have these shapes.

    Parameters
    ----------
    body
        The document's text, without escapes.
    document
        What was parsed of it.
    shapes
        Where the arrays are; they must hold nothing but numbers, which `nested_numbers` has made sure of.

    Raises
    ------
    NotRegular
        Where one has not, and as `members_of` on the way to one.
    """
    above = {path[:end] for path in shapes for end in range(len(path))}
    if body.translate(None, _NO_SIGN) != _signs(document, (), shapes, above):
        raise NotRegular


def _signs(value: Any, path: Path, shapes: Mapping[Path, tuple[int, ...]], above: Set[Path]) -> bytes:
    if path in shapes:
        return _signs_of_array(shapes[path])
    if isinstance(value, str):
        return _signs_of_text(value)
    if not isinstance(value, (simdjson.Array, simdjson.Object)):
        return b""
    if path not in above:
        text: Any = value.mini
        return bytes(text.translate(None, _NO_SIGN))
    if isinstance(value, simdjson.Array):
        return b"[" + b",".join([_signs(item, (*path, place), shapes, above) for place, item in enumerate(value)]) + b"]"
    members = members_of(value)
    return (
        b"{" + b",".join([_signs_of_text(key) + b":" + _signs(one, (*path, key), shapes, above) for key, one in members]) + b"}"
    )


def _signs_of_text(text: str) -> bytes:
    return b'"' + text.encode().translate(None, _NO_SIGN) + b'"'


def _signs_of_array(shape: tuple[int, ...]) -> bytes:
    signs = b""
    for size in reversed(shape):
        signs = b"[" + (signs + b",") * (size - 1) + signs + b"]"
    return signs

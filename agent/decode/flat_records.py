"""Objects with arrays and objects in them, to objects of scalars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.decode.arrays import MAX_FLATTENED, MAX_RANK, SCALARS, NotObserved, Scalar
from agent.errors import DecodeError

MAX_STEM = 256
"""A name of more characters is not made into ``name[0]``, ``name[1]``, ...: each of thousands of columns would carry it."""


def flat_record(record: Mapping[str, Any]) -> dict[str, Scalar]:
    """Give an object's scalars by name: ``name[0]``, ``name[1]``, ... of an array, ``name.key`` of an object within.

    Raises
    ------
    NotObserved
        ``too_wide`` beyond `MAX_FLATTENED` values.
    DecodeError
        ``shape`` beyond `MAX_RANK`, ``name_too_long`` beyond `MAX_STEM`.

    >>> flat_record({"a": [1, 2], "b": {"c": "x"}})
    {'a[0]': 1, 'a[1]': 2, 'b.c': 'x'}
    """
    flat: dict[str, Scalar] = {}
    for name, value in record.items():
        _flatten_into(flat, name, value, 0)
    return flat


def _flatten_into(flat: dict[str, Scalar], name: str, value: Any, depth: int) -> None:
    if type(value) in SCALARS:
        flat[name] = value
        return
    if depth == MAX_RANK:
        raise DecodeError("table", "shape")
    if len(name) > MAX_STEM:
        raise DecodeError("table", "name_too_long")
    items: Iterable[tuple[str, Any]]
    if type(value) is list:
        items = ((f"{name}[{index}]", item) for index, item in enumerate(value))
    else:
        items = ((f"{name}.{key}", item) for key, item in value.items())
    for key, item in items:
        _flatten_into(flat, key, item, depth + 1)
        if len(flat) > MAX_FLATTENED:
            raise NotObserved("table", "too_wide")

"""What the bench and a method's worker say to each other: length, JSON, arrays. Needs numpy and nothing of ours.

A message is the length of its JSON in eight bytes, the JSON, and the bytes of the arrays that the JSON names.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

NUMERIC, CATEGORY = "numeric", "category"


@dataclass(frozen=True)
class Column:
    """One column: numbers as they are, categories as places in `labels`; NaN is missing in both.

    Parameters
    ----------
    name, kind
        `kind` is `NUMERIC` or `CATEGORY`.
    labels
        Of a category, as text.
    """

    name: str
    kind: str = NUMERIC
    labels: tuple[str, ...] = ()


def send(stream: IO[bytes], content: Mapping[str, Any], **arrays: NDArray[Any]) -> None:
    """Write a message."""
    forms = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    text = json.dumps({**content, "arrays": forms}).encode()
    stream.write(struct.pack("<q", len(text)) + text)
    for array in arrays.values():
        stream.write(np.ascontiguousarray(array).data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a message.

    Raises
    ------
    EOFError
        If the other side has gone.
    """
    content: dict[str, Any] = json.loads(_exactly(stream, struct.unpack("<q", _exactly(stream, 8))[0]))
    return content, {name: _array(stream, dtype, shape) for name, dtype, shape in content.pop("arrays")}


def _array(stream: IO[bytes], dtype: str, shape: list[int]) -> NDArray[Any]:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(bytearray(_exactly(stream, size)), dtype).reshape(shape)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError(f"{len(data)} of {size} bytes came")
    return data


def columns_to_json(columns: tuple[Column, ...]) -> list[list[Any]]:
    """Write columns as plain data."""
    return [[one.name, one.kind, list(one.labels)] for one in columns]


def columns_of_json(data: list[list[Any]]) -> tuple[Column, ...]:
    """Read what `columns_to_json` wrote."""
    return tuple(Column(name, kind, tuple(labels)) for name, kind, labels in data)

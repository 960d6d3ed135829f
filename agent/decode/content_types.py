"""MLServer's content types of texts, the same over HTTP and gRPC: what an element of BYTES stands for.

``base64`` is bytes. ``pd_json``, which MLServer's codec of pandas gives to columns of mixed kinds, is JSON, an element each:
``"x"``, ``1.5``, ``null``, or as Python writes it ``NaN``. An element that is not what its content type says is kept as it came,
and so is JSON that is no scalar.

Sources: MLServer "content types", its codecs ``Base64Codec`` and ``PandasCodec``.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from agent.decode.arrays import SCALARS, Scalar
from agent.decode.json_text import JSON_FAULTS
from agent.decode.tensors import text_of

Values = NDArray[Any] | Sequence[Scalar]

_json = msgspec.json.Decoder().decode

_TOKENS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def unpacked(values: Values, content_type: str | None) -> Values:
    """Give what elements stand for.

    Parameters
    ----------
    values
        Of one tensor; an array, or numbers, are what they are already.
    content_type
        The tensor's, or that of its message.

    >>> unpacked(["eHk=", "no base64", None], "base64"), unpacked(['"x"', "1.5", "null", "[1]"], "pd_json")
    (['xy', 'no base64', None], ['x', 1.5, None, '[1]'])
    """
    unpack = _UNPACK.get(content_type) if content_type else None
    if unpack is None or not isinstance(values, list):
        return values
    return [unpack(value) if isinstance(value, str) else value for value in values]


def _from_base64(text: str) -> Scalar:
    try:
        return text_of(binascii.a2b_base64(text, strict_mode=True))
    except ValueError:
        return text


def _from_json(text: str) -> Scalar:
    try:
        value = _json(text)
    except JSON_FAULTS:
        return _TOKENS.get(text, text)
    return value if type(value) in SCALARS else text


_UNPACK: dict[str, Callable[[str], Scalar]] = {"base64": _from_base64, "pd_json": _from_json}

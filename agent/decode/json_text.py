"""JSON text to values: fast where it holds what it usually holds, complete where it does not.

Three attempts, each only where the one before failed: decoding straight into a type of numbers; decoding into the same shape
with anything in it; and the standard library's parser for what is no JSON but what servers of this field accept: the bare
tokens ``NaN``, ``Infinity``, ``-Infinity`` (TensorFlow Serving, Python) and numbers beyond float64.
"""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

import msgspec

from agent.errors import DecodeError

Exact = TypeVar("Exact")
Loose = TypeVar("Loose")


class JsonText(Generic[Exact, Loose]):
    """A decoder of one kind of message.

    Parameters
    ----------
    exact
        The type of the usual message: numbers only.
    loose
        The type of any message: the same fields, with ``Any`` for the values.
    """

    def __init__(self, exact: type[Exact], loose: type[Loose]) -> None:
        self.exact = msgspec.json.Decoder(exact).decode
        self._decode = msgspec.json.Decoder(loose).decode
        self._type = loose

    def loose(self, body: bytes, error: msgspec.DecodeError) -> Loose:
        """Decode what `exact` refused with `error`.

        Raises
        ------
        DecodeError
            ``json`` where it is no JSON, ``fields`` where it is other JSON than the format promises.
        """
        if isinstance(error, msgspec.ValidationError):
            try:
                return self._decode(body)
            except (ValueError, RecursionError) as failure:  # msgspec's errors are ValueErrors
                error = failure if isinstance(failure, msgspec.DecodeError) else msgspec.DecodeError()
        out_of_range = isinstance(error, msgspec.ValidationError) and "out of range" in str(error)
        if not out_of_range and b"NaN" not in body and b"Infinity" not in body:
            raise DecodeError("json", "fields" if isinstance(error, msgspec.ValidationError) else "json") from None
        value = lenient(body)
        try:
            return msgspec.convert(value, self._type)
        except (msgspec.ValidationError, RecursionError):
            raise DecodeError("json", "fields") from None


def lenient(body: bytes) -> Any:
    """Parse JSON that may hold ``NaN``, ``Infinity`` and numbers beyond float64 (they become infinite).

    Raises
    ------
    DecodeError
        ``json`` where it is no JSON, or holds half a surrogate pair, which is no text either.
    """
    try:
        value = json.loads(body.decode())
        if b"\\u" in body:
            msgspec.json.encode(value)  # refuses half surrogate pairs, which nothing behind us could write out again
    except (ValueError, RecursionError, OverflowError):
        raise DecodeError("json", "json") from None
    return value

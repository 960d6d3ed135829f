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

JSON_FAULTS = (ValueError, RecursionError)
"""What msgspec raises on bad bytes: its own errors and `UnicodeDecodeError`, all `ValueError`; and deep nesting."""

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

    def loose(self, body: bytes, fault: Exception) -> Loose:
        """Decode what `exact` refused with one of `JSON_FAULTS`.

        Raises
        ------
        DecodeError
            ``json`` where it is no JSON, ``fields`` where it is other JSON than the format promises.
        """
        if isinstance(fault, msgspec.ValidationError):
            try:
                return self._decode(body)
            except JSON_FAULTS as still:
                fault = still
        if not may_be_lenient(body, fault):
            raise DecodeError("json", "fields" if isinstance(fault, msgspec.ValidationError) else "json") from None
        value = lenient(body)
        try:
            return msgspec.convert(value, self._type)
        except JSON_FAULTS:
            raise DecodeError("json", "fields") from None


def may_be_lenient(body: bytes, fault: Exception) -> bool:
    """Tell whether a body that msgspec refused may be one of those that `lenient` is for."""
    return b"NaN" in body or b"Infinity" in body or (isinstance(fault, msgspec.ValidationError) and "out of range" in str(fault))


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

"""Bytes that stand where a value should be: base64 in JSON, a part of a form, a body that is no table.

No statistic is made of bytes. So text stands for itself, to be monitored as text, and everything else (a pickled object, a
serialized example) is its size in bytes, a number whose drift says that other things are sent than before. Only an image file in
base64 is text of one character a byte, which the summaries of images take.
"""

from __future__ import annotations

import base64
from typing import Any

from agent.decode.block import MAX_RANK

_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


def begins_as_image(raw: bytes) -> bool:
    """Tell whether bytes begin as PNG, JPEG, GIF, WebP or BMP do; what only looks like one is told apart by its summaries."""
    return raw.startswith(_IMAGES) or raw[8:12] == b"WEBP" or (raw[:2] == b"BM" and raw[6:10] == bytes(4))


def value_of(raw: bytes) -> str | int:
    """Give the text where it is UTF-8 without control characters but tabs and line ends, else the number of bytes."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return len(raw)
    # Most binary formats have a NUL or another control character in their first bytes, should they pass as UTF-8 at all.
    return len(raw) if any((sign < " " and sign not in "\t\n\r") or sign == "\x7f" for sign in set(text)) else text


def value_of_base64(text: str) -> str | int:
    """Give the value of bytes in base64, with the usual alphabet or the one for URLs, padded or not.

    What is no base64 is the text that it is.
    """
    try:
        raw = base64.b64decode(text.translate(_USUAL_ALPHABET) + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return text
    return raw.decode("latin-1") if begins_as_image(raw) else value_of(raw)


_USUAL_ALPHABET = str.maketrans("-_", "+/")


def without_base64(value: Any, depth: int = 0) -> Any:
    """Give JSON with each ``{"b64": "..."}`` replaced by its value; deeper than `MAX_RANK` and one more nothing is replaced.

    Source: TensorFlow Serving "RESTful API", "Encoding binary values".
    """
    if depth > MAX_RANK + 1:
        return value
    if type(value) is list:
        return [without_base64(item, depth + 1) for item in value]
    if type(value) is dict:
        if len(value) == 1 and type(value.get("b64")) is str:
            return value_of_base64(value["b64"])
        return {key: without_base64(item, depth + 1) for key, item in value.items()}
    return value

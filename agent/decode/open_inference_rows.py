"""Few numbers in one tensor over HTTP, read without parsing each message: what was learned of one holds for those like it.

Calls of one client to one model differ in the values, and maybe in the id. So a message is cut into what stays and what changes:
``{"id":"`` *id* ``","inputs":[{"name":"x","shape":[1,10],"datatype":"FP64","data":`` *values* ``}]}``; with raw tensors, the
values are the bytes behind the text. A text that differs in nothing but a plain string and an array, each at the place of
another, means the same in JSON. That the two places are what they look like is made sure once, by parsing the message with
another id and other values there.

A message that is not like the one before of its target is read the usual way, and each `PATIENCE` of them the last is learned.
Both sides of a call with ten numbers take 2 µs less in JSON, 6 µs less raw.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from agent.batch import TensorType
from agent.decode.block import Block, packers
from agent.errors import DecodeError

MAX_REMEMBERED = 1024
"""Targets remembered. When they are full they are forgotten together."""

MAX_REMEMBERED_TARGET = 256
"""Characters of a target that is worth remembering."""

MAX_REMEMBERED_BYTES = 2048
"""Bytes that stay of a message that is worth remembering."""

MAX_VALUES = 512
"""Values of a message that is worth remembering: reading more takes longer than finding out where they are."""

PATIENCE = 64
"""Messages of a target that are not like the one remembered, until another is. Learning takes as long as reading three."""

_ID = re.compile(rb'"id"\s*+:\s*+"([^"\\]*+)"')
_ARRAY = re.compile(rb'"data"\s*+:\s*+(?:\[\s*+)?(?=\[)')
_numbers = msgspec.json.Decoder(list[float]).decode

Unpack = Callable[[bytes, int], tuple[Any, ...]]


class _Known(NamedTuple):
    before: bytes
    """Up to the id, or up to the values (of raw tensors: the whole text) where there is none."""
    has_id: bool
    between: bytes
    """From the id up to the values, or all behind the id; empty without an id."""
    behind: bytes
    """From the values on; empty with raw tensors."""
    raw: struct.Struct | None
    pack: Callable[..., bytes]
    names: int | tuple[str, ...]
    rows: int
    version: str
    model: str
    tensors: tuple[TensorType, ...]


class _Place:
    __slots__ = ("known", "misses")

    def __init__(self) -> None:
        self.known: _Known | None = None
        self.misses = PATIENCE


class Rows:
    """What was learned of the messages of one side, and of one kind: with values in the text, or behind it.

    Parameters
    ----------
    facts
        Parses a text; gives the id and the values (``None`` with raw tensors) of its only tensor.
    """

    def __init__(self, facts: Callable[[bytes], tuple[str, Any]]) -> None:
        self._facts = facts
        self._places: dict[str, _Place] = {}

    def read(self, target: str, body: bytes, text_size: int = 0) -> Block | None:
        """Read a message if one like it was learned. Cost: 1 µs, 0.1 µs where there was none.

        Parameters
        ----------
        text_size
            Where raw tensors begin.
        """
        place = self._places.get(target)
        if place is None or place.known is None:
            return None
        before, has_id, between, behind, raw, pack, names, rows, version, model, tensors = place.known
        if not (body.startswith(before) and body.endswith(behind)):
            return None
        at = len(before)
        own_id = ""
        try:
            if has_id:
                end = body.index(b'"', at)
                own_id = str(body[at:end], "ascii")
                at = end + len(between)
                if not body.startswith(between, end) or "\\" in own_id or not own_id.isprintable():
                    return None
            if raw is None:
                values = pack(*_numbers(body[at : len(body) - len(behind)]))
            elif at == text_size and len(body) == at + raw.size:
                values = pack(*raw.unpack_from(body, at))
            else:
                return None
        except (ValueError, struct.error):
            return None  # no id, no numbers or not as many: the usual way tells
        return Block(names, True, rows, values, version, model, own_id, tensors)

    def learn(
        self, target: str, text: bytes, values: Sequence[Any] | None, block: Block, raw: struct.Struct | None = None
    ) -> None:
        """Remember a message of one tensor, if it is time to.

        Parameters
        ----------
        text
            The message's JSON.
        values
            The numbers in it, ``None`` for a raw tensor.
        block
            What was read of it.
        raw
            How the values of a raw tensor lie behind the text.
        """
        place = self._places.get(target)
        if place is None:
            if len(target) > MAX_REMEMBERED_TARGET:
                return
            if len(self._places) >= MAX_REMEMBERED:
                self._places.clear()
            place = self._places[target] = _Place()
        place.misses += 1
        if place.misses <= PATIENCE:
            return
        place.misses = 0
        count = block.rows * block.width
        if not block.numeric or not 0 < count <= MAX_VALUES or (values is None) != (raw is not None):
            return
        known = self._cut(text, values, block, raw)
        if known is not None and len(known.before) + len(known.between) + len(known.behind) <= MAX_REMEMBERED_BYTES:
            place.known = known

    def _cut(self, text: bytes, values: Sequence[Any] | None, block: Block, raw: struct.Struct | None) -> _Known | None:
        count = block.rows * block.width
        head, tail, other_values = text, b"", None
        if values is not None:
            found = _ARRAY.search(text)
            if found is None:
                return None
            start = found.end()
            end = text.find(b"]", start) + 1
            head, tail = text[:start], text[end:]
            other_values = [1.5] * count if values not in ([1.5] * count, [[1.5] * count]) else [2.5] * count
        before, between, other_id = head, b"", ""
        if block.id:
            id_found = _ID.search(head)
            if id_found is None:
                return None
            before, between = head[: id_found.start(1)], head[id_found.end(1) :]
            other_id = block.id + "x"
        numbers = b"" if other_values is None else msgspec.json.encode(other_values)
        try:
            seen_id, seen = self._facts(before + other_id.encode() + between + numbers + tail)
        except (ValueError, DecodeError):
            return None
        # Several rows may be an array each; then the place is that of the first row alone, and the count is not right.
        if seen_id != other_id or seen not in (other_values, [other_values]):
            return None
        return _Known(
            before, bool(block.id), between, tail, raw, packers[count], block.names, block.rows, block.version, block.model,
            block.tensors,
        )  # fmt: skip

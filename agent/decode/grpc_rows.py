"""Single rows of gRPC calls, read without parsing each message.

Calls of one client differ in nothing but the values, and the values are the end of the message: protobuf's encoders write fields
in the order of their numbers, and raw contents have the last one. So what was read of one message holds for every other of the
same length that begins with the same bytes, up to the values. Messages with an id differ each time and are not remembered.

Both sides of a call with ten numbers take 5 µs less together, half of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from agent.batch import TensorType
from agent.decode.block import Block, packers

MAX_REMEMBERED = 1024
"""Messages remembered. When they are full they are forgotten together."""

MAX_REMEMBERED_BYTES = 2048
"""Bytes before the values of a message that is worth remembering."""

_BEGINNING = 24
"""Bytes to find a message by: most models' names differ there."""


class _Known(NamedTuple):
    size: int
    before: bytes
    """All bytes before the values, the length of the values among them."""
    unpack: Callable[[bytes, int], tuple[float, ...]]
    pack: Callable[..., bytes]
    names: int | tuple[str, ...]
    version: str
    model: str
    tensors: tuple[TensorType, ...]


class Rows:
    """What was learned of messages of one class.

    Parameters
    ----------
    raw_field
        The number of the field with raw contents.
    is_whole
        Tells whether bytes are a message of one tensor and no values.
    """

    def __init__(self, raw_field: int, is_whole: Callable[[bytes], bool]) -> None:
        self._tag = raw_field << 3 | 2
        self._is_whole = is_whole
        self._known: dict[bytes, _Known] = {}

    def read(self, message: bytes) -> Block | None:
        """Read a message if one like it was learned. Cost: 1 µs, 0.1 µs where there was none."""
        known = self._known.get(message[:_BEGINNING])
        if known is None or known.size != len(message) or not message.startswith(known.before):
            return None
        _, before, unpack, pack, names, version, model, tensors = known
        return Block(names, True, 1, pack(*unpack(message, len(before))), version, model, "", tensors)

    def learn(self, message: bytes, row: Struct, block: Block) -> None:
        """Remember a message of one row.

        Parameters
        ----------
        row
            How the values lie in the message.
        block
            What was read of it.
        """
        size = row.size
        lengths = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
        field = bytes([self._tag]) + lengths
        before = message[: len(message) - size]
        # Fields of a message are a whole message, so behind them begins another field: the one with the values.
        if (
            block.id
            or len(before) > MAX_REMEMBERED_BYTES
            or not before.endswith(field)
            or not self._is_whole(before[: -len(field)])
        ):
            return
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[message[:_BEGINNING]] = _Known(
            len(message), before, row.unpack_from, packers[block.width], block.names, block.version, block.model, block.tensors
        )

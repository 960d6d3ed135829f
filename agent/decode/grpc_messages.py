"""The messages of a gRPC call: split, their compression undone, and the rows of many made into one block.

Each message has a prefix of five bytes: 0, or 1 where it is compressed with the head's ``grpc-encoding``, and its length, big
endian. A unary call has one message each way, a stream any number, which are read alike:

- Rows of messages whose layout (names, types, shapes, model) is that of the first readable message are joined, in their order.
- Messages that have another layout (``other_layout``), that can't be read, or that say an error are left out and counted, each by
  its reason. If none can be read, the first one's reason is the call's. A message without rows is nothing to count.

Sources: "gRPC over HTTP2" (Length-Prefixed-Message, Message-Encoding), "Protocol Buffers: Encoding".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
from google.protobuf.message import DecodeError as WireError

from agent.batch import joined_tables
from agent.decode.block import MAX_ROWS, Block, NotObserved, Row
from agent.decode.codings import MAX_DECOMPRESSED, decompress
from agent.decode.format import Reader
from agent.decode.message import Head
from agent.errors import DecodeError
from agent.exchange import Exchange

MAX_MESSAGES = 16_384
"""Messages of one side of a call; reading each takes some microseconds, however short it is."""

MAX_FIELDS = 32_768
"""Fields of one message, those of messages within it not counted. A tensor of two bytes takes 90 in memory."""

_FEW_BYTES = 65_536
"""Shorter messages can't have too many fields."""

_PREFIX = 5
_COMPRESSED = 1

Message = TypeVar("Message")
_LENGTHY = 2
_FIXED = {1: 8, 5: 4}


def messages_of(body: bytes, encoding: str) -> list[bytes]:
    """Split a body into its messages and undo their compression.

    Parameters
    ----------
    encoding
        `Head.grpc_encoding`.

    Raises
    ------
    DecodeError
        ``grpc_frame`` where a prefix is none, ``incomplete`` where bytes are missing, ``too_many_messages``;
        ``content_encoding``, ``compression``, ``incomplete`` and ``too_large`` as `decompress`, the last for all messages
        together.
    """
    size = len(body)
    if size >= _PREFIX and body[0] == 0 and int.from_bytes(body[1:_PREFIX], "big") == size - _PREFIX:
        return [body[_PREFIX:]]
    messages: list[bytes] = []
    at, unfolded = 0, 0
    while at < size:
        start = at + _PREFIX
        end = start + int.from_bytes(body[at + 1 : start], "big")
        flags = body[at]
        if flags > _COMPRESSED:
            raise DecodeError("grpc", "grpc_frame", offset=at)
        if end > size or start > size:
            raise DecodeError("grpc", "incomplete", offset=size)
        if len(messages) == MAX_MESSAGES:
            raise DecodeError("grpc", "too_many_messages", offset=at)
        message = body[start:end]
        if flags == _COMPRESSED:
            message = decompress(message, encoding)
            unfolded += len(message)
            if unfolded > MAX_DECOMPRESSED:
                raise DecodeError("grpc", "too_large", offset=at)
        messages.append(message)
        at = end
    return messages


def parser(kind: Callable[[], Message]) -> Callable[[bytes], Message]:
    """Make the function that parses messages of a class that protobuf generated.

    It raises `DecodeError` with ``protobuf`` for bytes that are no such message, and ``too_many_fields``.
    """
    parse: Callable[[bytes], Message] = cast("Any", kind).FromString

    def checked(message: bytes) -> Message:
        if len(message) > _FEW_BYTES:
            _check_fields(message)
        try:
            return parse(message)
        except WireError:
            raise DecodeError("grpc", "protobuf") from None

    return checked


def _check_fields(message: bytes) -> None:
    """Refuse a message of too many fields before a parser makes something of each. What else is wrong is left to the parser."""
    at = 0
    try:
        for _ in range(MAX_FIELDS):
            if at >= len(message):
                return
            tag, at = _varint(message, at)
            wire_type = tag & 7
            if wire_type == _LENGTHY:
                length, at = _varint(message, at)
                at += length
            elif wire_type in _FIXED:
                at += _FIXED[wire_type]
            elif wire_type == 0:
                _, at = _varint(message, at)
            else:
                raise DecodeError("grpc", "protobuf")  # groups: no protocol here has them
    except IndexError:
        return
    raise DecodeError("grpc", "too_many_fields")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte: the number, and where it ends."""
    value = shift = 0
    while (byte := message[at]) > 0x7F:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise DecodeError("grpc", "protobuf")
    return value | byte << shift, at + 1


def by_message(read: Callable[[bytes], Block]) -> Reader:
    """Make the reader of gRPC bodies from the reader of one message.

    Raises what `messages_of` and ``read`` do; `NotObserved` ``no_rows`` where there is no message.
    """

    def read_messages(body: bytes, head: Head, _exchange: Exchange) -> Block:
        messages = messages_of(body, head.grpc_encoding)
        return read(messages[0]) if len(messages) == 1 else _join(read, messages)

    return read_messages


def _join(read: Callable[[bytes], Block], messages: list[bytes]) -> Block:
    blocks: list[Block] = []
    left_out: list[DecodeError] = []
    rows = 0
    for message in messages:
        try:
            block = read(message)
        except DecodeError as error:
            if error.reason != "no_rows":
                error.__context__ = None
                left_out.append(error.with_traceback(None))  # thousands of them would hold the frames they came from
            continue
        if blocks and _layout(block) != _layout(blocks[0]):
            left_out.append(DecodeError("grpc", "other_layout"))
            continue
        blocks.append(block)
        rows += block.rows
        if rows > MAX_ROWS:
            raise DecodeError("grpc", "too_many_rows")
    if not blocks:
        raise left_out[0] if left_out else NotObserved("grpc", "no_rows")
    whole = joined(blocks)
    return msgspec.structs.replace(whole, left_out=tuple(left_out)) if left_out else whole


def _layout(block: Block) -> tuple[object, ...]:
    return block.names, block.numeric, block.version, block.model, block.tensors, [table.layout for table in block.tables]


def joined(blocks: list[Block]) -> Block:
    """Put the rows of blocks of the same layout one below the other. The id is kept where it is the same for all."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    pieces = [block.values for block in blocks]
    values: bytes | list[Row] | np.ndarray[Any, np.dtype[np.float64]]
    if not first.numeric:
        values = list(chain.from_iterable(cast("list[list[Row]]", pieces)))
    else:
        values = b"".join([piece if isinstance(piece, bytes) else cast("Any", piece).T.tobytes() for piece in pieces])
    rows = sum(block.rows for block in blocks)
    same_id = first.id if len({block.id for block in blocks}) == 1 else ""
    tables = joined_tables([block.tables for block in blocks])
    return msgspec.structs.replace(first, rows=rows, values=values, id=same_id, tables=tables)

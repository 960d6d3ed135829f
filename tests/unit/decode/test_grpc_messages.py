"""gRPC messages: split, decompressed, joined."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from agent.batch import TensorType
from agent.decode import grpc_messages
from agent.decode.block import MAX_ROWS, Block, NotObserved
from agent.decode.codings import MAX_DECOMPRESSED
from agent.decode.format import Reader
from agent.decode.grpc_messages import MAX_FIELDS, MAX_MESSAGES, by_message, joined, messages_of, parser
from agent.decode.message import Head
from agent.decode.proto.open_inference_pb2 import ModelInferRequest
from agent.errors import DecodeError
from tests.exchanges import exchange


def framed(message: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(message)) + message


def reason_of(body: bytes, encoding: str = "") -> str:
    with pytest.raises(DecodeError) as caught:
        messages_of(body, encoding)
    return caught.value.reason


@pytest.mark.parametrize("messages", [[], [b""], [b"a"], [b"a", b""], [b"", b"x" * 300, b"\x00" * 5, b"\x01"]])
def test_messages_are_split(messages: list[bytes]) -> None:
    assert messages_of(b"".join(map(framed, messages)), "") == messages


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda data: zlib.compress(data)[2:-4])],
)
def test_only_messages_with_the_flag_are_decompressed(encoding: str, compress: Any) -> None:
    body = framed(compress(b"one"), 1) + framed(b"two") + framed(compress(b""), 1)
    assert messages_of(body, encoding) == [b"one", b"two", b""]


@pytest.mark.parametrize(
    "body", [framed(b"ab")[:cut] for cut in range(1, 7)] + [framed(b"ab") + b"\x00", framed(b"") + framed(b"abc")[:-1]]
)
def test_missing_bytes(body: bytes) -> None:
    assert reason_of(body) == "incomplete"


@pytest.mark.parametrize("flags", [2, 0x80, 255])
def test_flags_that_are_none(flags: int) -> None:
    assert reason_of(framed(b"", flags)) == "grpc_frame"
    assert reason_of(framed(b"") + framed(b"a", flags)) == "grpc_frame"


@pytest.mark.parametrize("encoding", ["", "identity", "snappy", "x"])
def test_encodings_that_are_none(encoding: str) -> None:
    assert reason_of(framed(b"a", 1), encoding) == "content_encoding"
    assert messages_of(framed(b"a") * 2, encoding) == [b"a", b"a"]


def test_bad_compression() -> None:
    assert reason_of(framed(b"abc", 1), "gzip") == "compression"
    assert reason_of(framed(gzip.compress(b"abc")[:-9], 1), "gzip") == "incomplete"


def test_all_messages_together_are_bounded() -> None:
    bomb = framed(gzip.compress(bytes(MAX_DECOMPRESSED // 2), 1), 1)
    assert len(messages_of(bomb * 2, "gzip")) == 2
    assert reason_of(bomb * 2 + framed(gzip.compress(b"a"), 1), "gzip") == "too_large"
    assert reason_of(framed(gzip.compress(bytes(MAX_DECOMPRESSED + 1), 1), 1), "gzip") == "too_large"


def test_more_messages_than_may_be() -> None:
    assert len(messages_of(framed(b"") * MAX_MESSAGES, "")) == MAX_MESSAGES
    assert reason_of(framed(b"") * (MAX_MESSAGES + 1)) == "too_many_messages"


parse = parser(ModelInferRequest)


@pytest.mark.parametrize(
    "message", [b"\x0a", b"\x0a\x05a", b"\x0a\x01\xff", b"\x00", b"\x0b", b"\x0c", b"\x0b" * 500, b"\xff" * 11]
)
def test_bytes_that_are_no_message(message: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        parse(message)
    assert caught.value.reason == "protobuf"


def test_more_fields_than_may_be() -> None:
    assert len(parse(b"\x2a\x00" * (MAX_FIELDS - 1)).inputs) == MAX_FIELDS - 1
    with pytest.raises(DecodeError) as caught:
        parse(b"\x2a\x00" * (MAX_FIELDS + 1))
    assert caught.value.reason == "too_many_fields"


LARGE = b"\x3a" + b"\x80\x80\x08" + bytes(1 << 17)


@pytest.mark.parametrize(
    "field",
    [b"\x78\x01", b"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x79" + bytes(8), b"\x7d" + bytes(4), b"\x7a\x02ab", b""],
)
def test_large_messages_may_have_any_field(field: bytes) -> None:
    assert parse(field + LARGE + field).raw_input_contents[0] == bytes(1 << 17)


@pytest.mark.parametrize("field", [b"\x7b\x7c", b"\x7e", b"\x78", b"\x7a", b"\x7a\x05a", b"\x79a", b"\x78" + b"\xff" * 20])
def test_large_messages_with_bad_fields(field: bytes) -> None:
    for message in (LARGE + field, field + LARGE):
        try:
            raw = parse(message).raw_input_contents
        except DecodeError as error:
            # A field may as well take bytes of the next one, and what is in that looks like many fields.
            assert error.reason in ("protobuf", "too_many_fields")  # noqa: PT017 - not each of them must raise
        else:
            assert len(raw) < 2


HEAD = Head("POST", "/", 0, -1, False, True, "", "application/grpc", "", "", -1, "gzip")
EXCHANGE = exchange(b"", b"", method="", target="")


def numbers_in(message: bytes) -> Block:
    """``name:1,2,3``: a row each; ``!reason`` for an error, ``-`` for no rows."""
    name, _, values = message.decode().partition(":")
    if name.startswith("!"):
        raise DecodeError("test", name[1:])
    if name == "-":
        raise NotObserved("test", "no_rows")
    numbers = [float(value) for value in values.split(",")]
    return Block((name,), True, len(numbers), np.array(numbers).tobytes(), id=name)


read: Reader = by_message(numbers_in)


def read_all(*messages: str) -> Block:
    return read(b"".join(framed(message.encode()) for message in messages), HEAD, EXCHANGE)


def values_of(block: Block) -> list[float]:
    assert isinstance(block.values, bytes)
    return list(struct.unpack(f"{len(block.values) // 8}d", block.values))


def test_rows_of_one_layout_are_joined_in_order() -> None:
    block = read_all("a:1,2", "a:3", "a:4")
    assert (block.names, block.rows, block.id, values_of(block)) == (("a",), 4, "a", [1, 2, 3, 4])


def test_compressed_messages_are_joined_too() -> None:
    body = framed(gzip.compress(b"a:1"), 1) + framed(b"a:2")
    assert values_of(read(body, HEAD, EXCHANGE)) == [1, 2]


def test_the_first_layout_that_can_be_read_counts() -> None:
    block = read_all("!shape", "-", "a:1", "b:7", "!size", "a:2")
    assert (block.names, values_of(block)) == (("a",), [1, 2])
    assert [error.reason for error in block.left_out] == ["shape", "other_layout", "size"]


def test_nothing_is_left_out_of_whole_streams() -> None:
    assert read_all("a:1", "-", "a:2").left_out == ()


@pytest.mark.parametrize(
    ("messages", "reason"), [((), "no_rows"), (("-", "-"), "no_rows"), (("-", "!shape", "!size"), "shape"), (("!size",), "size")]
)
def test_the_first_reason_where_nothing_can_be_read(messages: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_all(*messages)
    assert caught.value.reason == reason
    assert isinstance(caught.value, NotObserved) == (reason == "no_rows")


def test_more_rows_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_messages, "MAX_ROWS", 3)
    assert read_all("a:1,2", "a:3").rows == 3
    with pytest.raises(DecodeError) as caught:
        read_all("a:1,2", "a:3,4")
    assert caught.value.reason == "too_many_rows"
    assert MAX_ROWS > 3


def test_tables_of_both_kinds_are_joined() -> None:
    tensors = (TensorType("x", "FP64", (2,)),)
    packed = Block(2, True, 2, np.array([1.0, 2.0, 3.0, 4.0]).tobytes(), tensors=tensors, id="a")
    turned = Block(2, True, 2, np.array([[5.0, 7.0], [6.0, 8.0]]), tensors=tensors, id="b")
    block = joined([packed, turned])
    assert (block.rows, block.id, block.tensors, values_of(block)) == (4, "", tensors, [1, 2, 3, 4, 5, 6, 7, 8])


def test_rows_of_scalars_are_joined() -> None:
    block = joined(
        [Block(("a", "b"), False, 1, [("x", 1)], version="1"), Block(("a", "b"), False, 1, [("y", None)], version="1")]
    )
    assert (block.rows, block.values, block.version) == (2, [("x", 1), ("y", None)], "1")


def test_what_is_left_out_holds_no_frames() -> None:
    left_out = read_all("a:1", "!shape", "b:1", "!size").left_out
    assert len(left_out) == 3
    assert all(error.__traceback__ is None and error.__context__ is None for error in left_out)

"""HPACK read in place: the standard's own examples, and the library as an oracle for anything an encoder may write."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.proxy.http2.compression import MAX_LIST_BYTES, MAX_TABLE_BYTES, FieldTable, unfold
from agent.proxy.http2.frames import BrokenError

PLAIN = ["828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
         "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"]  # fmt: skip
HUFFMAN = ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"]
REQUESTS = [
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com"),
     (b"cache-control", b"no-cache")],
    [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/index.html"), (b":authority", b"www.example.com"),
     (b"custom-key", b"custom-value")],
]  # fmt: skip
"""RFC 7541, appendices C.3 and C.4."""

SIZE_256 = bytes.fromhex("3fe101")
RESPONSES = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5"
    "291f9587316065c003ed4ee5b1063d5007",
]
"""Appendix C.6: a table of 256 bytes, from which fields fall out."""


@pytest.mark.parametrize("blocks", [PLAIN, HUFFMAN])
def test_requests_of_the_standard(blocks: list[str]) -> None:
    table = FieldTable()
    assert [table.read(bytes.fromhex(block)) for block in blocks] == REQUESTS


def test_responses_of_the_standard_with_fields_that_fall_out() -> None:
    table = FieldTable()
    first, second, third = (bytes.fromhex(block) for block in RESPONSES)
    assert table.read(SIZE_256 + first)[0] == (b":status", b"302")
    assert table.read(second)[:2] == [(b":status", b"307"), (b"cache-control", b"private")]
    fields = table.read(third)
    assert fields[0] == (b":status", b"200")
    assert fields[-1] == (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")


TEXTS = st.binary(max_size=60)
NAMES = st.sampled_from([b":path", b"te", b"x-a", b"x-b", b"grpc-timeout", b"traceparent", b"user-agent"])
FIELDS = st.lists(st.tuples(NAMES, TEXTS, st.sampled_from(["index", "never"])), max_size=8)


@settings(max_examples=200, deadline=None)
@given(blocks=st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 40, 128, 4096])), max_size=12))
def test_whatever_an_encoder_writes_is_read_as_the_library_reads_it(
    blocks: list[tuple[list[tuple[bytes, bytes, str]], bool, int | None]],
) -> None:
    encoder, oracle, table = Encoder(), Decoder(), FieldTable()
    for fields, huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        headers = [NeverIndexedHeaderTuple(name, text) if how == "never" else (name, text) for name, text, how in fields]
        block = encoder.encode(headers, huffman=huffman)
        assert table.read(block) == [(bytes(name), bytes(text)) for name, text in oracle.decode(block, raw=True)]


@settings(max_examples=300, deadline=None)
@given(blocks=st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_are_read_or_broken_and_where_both_read_them_they_agree(blocks: list[bytes]) -> None:
    oracle, table = Decoder(), FieldTable()
    for block in blocks:
        try:
            fields = table.read(block)
        except BrokenError:
            return
        try:
            expected = [(bytes(name), bytes(text)) for name, text in oracle.decode(block, raw=True)]
        except HPACKError:
            return
        assert fields == expected


@pytest.mark.parametrize(
    "block",
    ["80", "ff", "be", "40", "418", "4105", "3f", "0085ffffffffff", "823fe101", "7fffffffffffffff", "3fe2ffff0f"],
    ids=["field 0", "no integer", "no such field", "no name", "half", "no value", "no size", "not coded", "size behind a field",
         "endless integer", "size beyond the limit"],
)  # fmt: skip
def test_what_is_no_block_is_broken(block: str) -> None:
    with pytest.raises(BrokenError):
        FieldTable().read(bytes.fromhex(block if len(block) % 2 == 0 else block[:-1]))


def test_few_bytes_that_unfold_to_many_are_broken() -> None:
    table = FieldTable()
    table.read(b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000)
    with pytest.raises(BrokenError, match="unfolds"):
        table.read(b"\xbe" * (MAX_LIST_BYTES // 4000 + 1))


def test_a_table_within_the_limit_is_followed_and_its_changes_are_told() -> None:
    table = FieldTable()
    assert table.read(bytes.fromhex("82")) == [(b":method", b"GET")]
    assert table.changes == 0
    table.read(bytes.fromhex("3fe1ff03"))  # 65,536
    assert MAX_TABLE_BYTES == 65536
    assert table.changes == 1
    table.read(b"\x40\x01a\x01b")
    assert table.changes == 2


def test_a_field_larger_than_the_table_empties_it() -> None:
    table = FieldTable()
    table.read(b"\x40\x01a\x01b")
    table.read(SIZE_256 + b"\x40\x01c\x7f\xad\x01" + b"v" * 300)
    with pytest.raises(BrokenError):
        table.read(b"\xbe")


def test_text_that_ends_within_a_sign_is_broken() -> None:
    assert unfold(b"") == b""
    with pytest.raises(BrokenError):
        unfold(b"\x00\x00\x00\x00\x00\x02")

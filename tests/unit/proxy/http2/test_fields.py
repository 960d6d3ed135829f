"""Header blocks: the few facts they give, and that remembering blocks never gives stale ones."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder

from agent.exchange import NO_GRPC_STATUS
from agent.proxy.http2.fields import Blocks, Fields, answer_head, call_head
from agent.proxy.http2.frames import BrokenError
from tests.http2 import ANSWER, GRPC, REQUEST, encoded, integer, literal, plain, table_size

Pairs = list[tuple[bytes, bytes]]


def as_pairs(fields: Fields) -> Pairs:
    return [(bytes(name), bytes(value)) for name, value in fields]


class Both:
    """Reads each block with and without remembering."""

    def __init__(self) -> None:
        self.blocks: Blocks[Pairs] = Blocks(as_pairs)
        self.fresh = Decoder(1 << 18)
        self.fresh.max_allowed_table_size = 1 << 16

    def read(self, block: bytes) -> Pairs:
        found = self.blocks.read(block)
        assert found == as_pairs(list(self.fresh.decode(block, raw=True)))
        return found


def raw(*fields: tuple[str, str]) -> Pairs:
    return [(name.encode(), value.encode()) for name, value in fields]


# Facts of requests


def test_a_request_is_known_by_method_and_path() -> None:
    facts = call_head(raw(*REQUEST, ("x-a", "1"), ("x-a", "2")))
    assert (facts.head.protocol, facts.head.method, facts.head.target) == ("http/2", "POST", "/v2/models/m/infer")
    assert facts.text == b"POST /v2/models/m/infer HTTP/2\r\nhost: m\r\nx-a: 1\r\nx-a: 2\r\n\r\n"
    assert not facts.is_grpc


@pytest.mark.parametrize(
    ("media", "is_grpc"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc;charset=x", True),
        ("application/grpc-web", False),
        ("application/grpc-web+proto", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_the_content_type_makes_it_grpc(media: str, is_grpc: bool) -> None:
    facts = call_head(raw(*REQUEST, ("content-type", media)))
    assert facts.is_grpc == is_grpc
    assert facts.head.protocol == ("grpc" if is_grpc else "http/2")


@pytest.mark.parametrize(("values", "kept"), [(["a"], b"a"), (["a", "b"], b""), ([], b"")])
def test_a_traceparent_counts_when_it_is_the_only_one(values: list[str], kept: bytes) -> None:
    assert call_head(raw(*REQUEST, *(("traceparent", value) for value in values))).head.traceparent == kept


def test_an_empty_head_is_empty() -> None:
    facts = call_head([])
    assert (facts.head.method, facts.head.target, facts.text) == ("", "", b"  HTTP/2\r\n\r\n")


@pytest.mark.parametrize("sign", ["\r", "\n", "\0", "\r\n\r\n"])
def test_what_would_break_the_lines_is_left_out(sign: str) -> None:
    odd = [("x-a", f"1{sign}2"), (f"x{sign}", "1"), ("x:y", "1"), (":unknown", "1"), ("x-b", "3")]
    assert call_head(raw(*REQUEST, *odd)).text == b"POST /v2/models/m/infer HTTP/2\r\nhost: m\r\nx-b: 3\r\n\r\n"
    assert call_head(raw((":method", "GET"), (":path", f"/{sign}"))).text == b"? ? HTTP/2\r\n\r\n"
    assert answer_head(raw((":status", "200"), *odd)).text == b"HTTP/2 200\r\nx-b: 3\r\n\r\n"


def test_bytes_beyond_ascii_pass_as_latin_1() -> None:
    facts = call_head([(b":method", b"GET"), (b":path", b"/\xff\x80"), (b"x", b"\xfe")])
    assert facts.head.target == "/\xff\x80"
    assert facts.text == b"GET /\xff\x80 HTTP/2\r\nx: \xfe\r\n\r\n"


# Facts of responses


def test_an_answer_is_known_by_its_status() -> None:
    facts = answer_head(raw(*ANSWER, ("content-length", "5")))
    assert (facts.status, facts.grpc_status, facts.has_length) == (200, NO_GRPC_STATUS, True)
    assert facts.text == b"HTTP/2 200\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n"
    assert not answer_head(raw(*ANSWER)).has_length


@pytest.mark.parametrize(
    ("value", "status"),
    [("0", 0), ("14", 14), ("007", 7), ("", -1), ("-1", -1), ("1.0", -1), (" 1", -1), ("9" * 11, -1), ("9" * 10, -1), ("²", -1)],
)
def test_a_grpc_status_is_a_number_or_none(value: str, status: int) -> None:
    assert answer_head([(b"grpc-status", value.encode())]).grpc_status == status


@pytest.mark.parametrize(
    ("value", "status"), [("200", 200), ("999", 999), ("1000", 0), ("", 0), ("abc", 0), ("+20", 0), ("٢", 0)]
)
def test_a_status_is_a_number_of_three_digits_or_none(value: str, status: int) -> None:
    assert answer_head([(b":status", value.encode())]).status == status


# Blocks that can't be read

CANNOT = {
    "an index beyond the table": b"\xbe",
    "the index 0": b"\x80",
    "an integer without an end": b"\xff\xff\xff\xff\xff\xff\xff\xff",
    "a string cut short": b"\x00\x05ab",
    "a name without a value": b"\x00\x01a",
    "half a field": b"\x40",
    "Huffman padding that is too long": b"\x00\x81\xff\x01a",
    "a table beyond what is followed": table_size((1 << 16) + 1),
    "a table of 4 GiB": table_size((1 << 32) - 1),
    "a change of size behind a field": b"\x82" + table_size(0),
}


@pytest.mark.parametrize("block", CANNOT.values(), ids=CANNOT.keys())
def test_a_block_that_cannot_be_read_breaks_the_connection(block: bytes) -> None:
    with pytest.raises(BrokenError, match="header"):
        Blocks(as_pairs).read(block)


def test_a_small_block_that_unfolds_without_bound_breaks_the_connection() -> None:
    blocks: Blocks[Pairs] = Blocks(as_pairs)
    blocks.read(literal("x", "y" * 4000))
    assert len(blocks.read(b"\xbe" * 60)) == 60
    with pytest.raises(BrokenError, match="unfolds"):
        blocks.read(b"\xbe" * 1000)


# Remembering


def test_an_empty_block_is_empty() -> None:
    both = Both()
    assert both.read(b"") == both.read(b"") == []


def test_a_repeated_block_means_the_same() -> None:
    both, block = Both(), plain(GRPC)
    assert both.read(block) == both.read(block) == raw(*GRPC)


def test_an_encoder_that_repeats_itself_is_read_right() -> None:
    both, encoder = Both(), Encoder()
    for turn in range(200):
        fields = [*REQUEST, ("x-turn", str(turn // 3)), ("x-long", "a" * (turn % 7) * 100)]
        assert both.read(encoded(encoder, fields)) == raw(*fields)


def test_an_index_means_something_else_after_an_insertion() -> None:
    both = Both()
    both.read(literal("a", "1"))
    assert both.read(b"\xbe") == raw(("a", "1"))
    both.read(literal("b", "2"))
    assert both.read(b"\xbe") == raw(("b", "2"))
    assert both.read(b"\xbf") == raw(("a", "1"))


def test_an_insertion_that_evicts_as_much_as_it_brings_is_noticed() -> None:
    both = Both()
    both.read(table_size(40) + literal("a", "1"))
    assert both.read(b"\xbe") == raw(("a", "1"))
    for value in ("1", "2", "1"):
        both.read(literal("a", value))
        assert both.read(b"\xbe") == raw(("a", value))


def test_an_entry_that_is_too_large_empties_the_table() -> None:
    both = Both()
    both.read(literal("a", "1"))
    assert both.read(b"\xbe") == raw(("a", "1"))
    both.read(literal("b", "2" * 5000))
    with pytest.raises(BrokenError):
        both.blocks.read(b"\xbe")


def test_a_block_that_empties_the_table_and_fills_it_again_is_noticed() -> None:
    both = Both()
    both.read(literal("a", "1"))
    both.read(b"\xbe")
    both.read(literal("b", "2" * 5000) + literal("c", "3"))
    assert both.read(b"\xbe") == raw(("c", "3"))


def test_a_smaller_table_forgets() -> None:
    both = Both()
    both.read(literal("a", "1") + literal("b", "2"))
    assert both.read(b"\xbf") == raw(("a", "1"))
    both.read(table_size(40))
    assert both.read(b"\xbe") == raw(("b", "2"))
    with pytest.raises(BrokenError):
        both.blocks.read(b"\xbf")


def test_a_change_of_size_is_read_each_time() -> None:
    both = Both()
    empty = table_size(0) + table_size(4096)
    for _ in range(3):
        both.read(literal("a", "1"))
        assert both.read(b"\xbe") == raw(("a", "1"))
        both.read(empty)
        with pytest.raises(BrokenError):
            both.blocks.read(b"\xbe")


def test_what_could_not_be_inserted_is_inserted_once_the_table_is_larger() -> None:
    both, insertion = Both(), literal("a", "1")
    both.read(table_size(0))
    both.read(insertion)
    both.read(table_size(4096))
    both.read(insertion)
    assert both.read(b"\xbe") == raw(("a", "1"))


def test_a_block_is_remembered_no_longer_than_its_bound() -> None:
    both = Both()
    for turn in range(500):
        both.read(plain([("x", str(turn))]))
        assert len(both.blocks._known) <= 64
    both.read(plain([("x", "y" * 2000)]))
    assert max(map(len, both.blocks._known)) <= 1024


def test_integers_are_built_as_the_specification_says() -> None:
    assert (integer(10, 5), integer(1337, 5), integer(42, 8)) == (b"\x0a", b"\x1f\x9a\x0a", b"\x2a")  # RFC 7541 §C.1


def test_a_few_bytes_do_not_make_us_keep_megabytes() -> None:
    blocks = Blocks(call_head)
    blocks.read(literal("x", "y" * 4000))
    for turn in range(60):
        blocks.read(b"\xbe" * 60 + plain([("turn", str(turn))]))
    assert sum(len(facts.text) for facts in blocks._known.values()) < 1 << 20

"""Conversations of two real HTTP/2 ends, followed in the middle: each stream's record says what the two ends say.

`h2` plays both ends, so it decides about frames, header tables, padding and windows. What it hands to its users is compared
with what the follower made of the bytes between them, cut anywhere.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections import deque
from dataclasses import dataclass
from random import Random

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from h2.settings import SettingCodes
from hpack import Decoder, Encoder, HPACKError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.exchange import NO_GRPC_STATUS, Exchange, Outcome
from agent.proxy.http2.call import Messages
from agent.proxy.http2.fields import Blocks, Fields
from agent.proxy.http2.frames import BrokenError
from tests.http2 import Watched, body_of, integer, literal, marks_of, message, plain, table_size

TABLE_SIZES = [0, 40, 100, 500, 4096, 65536]
EXTRA = [
    ("authorization", "secret"),
    ("cookie", "a=1"),
    ("x-a", "1"),
    ("x-a", "2"),
    ("x-b", "b" * 300),
    ("x-big", "B" * 4500),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
]


@dataclass
class Seen:
    """One stream as the two ends saw it."""

    protocol: str
    method: str
    target: str
    request: bytes = b""
    response: bytes = b""
    status: int = 0
    grpc_status: int = NO_GRPC_STATUS
    outcome: int = -1
    asks: bool = True
    """The client may send more."""
    has_answered: bool = False
    answers: bool = True
    """The server may send more."""
    may_ask: bool = True
    may_answer: bool = True
    """What each side knows of itself, before the other has heard of it."""
    was_reset: bool = False

    @property
    def is_open(self) -> bool:
        return self.outcome < 0

    def end(self, outcome: int) -> None:
        if self.is_open:
            self.outcome = outcome if self.answers else Outcome.COMPLETE


class Conversation:
    """Two ends that say things at random."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.wire: list[tuple[bool, bytes]] = []
        """Whether it came from the client, and what, in order."""
        self.under_way: deque[tuple[bool, bytes]] = deque()
        self.streams: dict[int, Seen] = {}
        self.waits = True
        """Whether each hears all before it says the next."""
        self.resized: set[h2.connection.H2Connection] = set()
        """Who changed the size of the other's table since the other's last header block."""
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.deliver()

    def send(self) -> None:
        """Put on the wire what both have said; it arrives later."""
        for by_client, said in ((True, self.client.data_to_send()), (False, self.server.data_to_send())):
            if said:
                self.wire.append((by_client, said))
                self.under_way.append((by_client, said))

    def arrive(self) -> None:
        """Let the oldest of what is under way arrive."""
        by_client, said = self.under_way.popleft()
        for event in (self.server if by_client else self.client).receive_data(said):
            (self._server_saw if by_client else self._client_saw)(event)

    def deliver(self) -> None:
        while True:
            there = self.client.data_to_send()
            if there:
                self.wire.append((True, there))
                for event in self.server.receive_data(there):
                    self._server_saw(event)
            back = self.server.data_to_send()
            if back:
                self.wire.append((False, back))
                for event in self.client.receive_data(back):
                    self._client_saw(event)
            if not (there or back):
                return

    def _server_saw(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            fields = {str(name): str(value) for name, value in event.headers}
            protocol = "grpc" if fields.get("content-type") == "application/grpc" else "http/2"
            self.streams[event.stream_id] = Seen(protocol, fields[":method"], fields[":path"])
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id].request += event.data
            self.server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream = self.streams[event.stream_id]
            stream.asks = False
            if not stream.answers:
                stream.end(Outcome.COMPLETE)
        elif isinstance(event, h2.events.StreamReset):
            self.streams[event.stream_id].end(Outcome.CLIENT_GONE)

    def _client_saw(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            stream = self.streams[event.stream_id]
            fields = {str(name): str(value) for name, value in event.headers}
            stream.status = int(fields.get(":status", stream.status))
            stream.grpc_status = int(fields.get("grpc-status", stream.grpc_status))
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id].response += event.data
            self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream = self.streams[event.stream_id]
            stream.answers = False
            if not stream.asks:
                stream.end(Outcome.COMPLETE)
        elif isinstance(event, h2.events.StreamReset):
            self.streams[event.stream_id].end(Outcome.UPSTREAM_GONE)
        elif isinstance(event, h2.events.ConnectionTerminated):
            for number, stream in self.streams.items():
                if number > (event.last_stream_id or 0):
                    stream.end(Outcome.UPSTREAM_GONE)

    def _client_says(
        self, stream: int, fields: list[tuple[str, str]], *, end_stream: bool = False, priority: int | None = None
    ) -> None:
        self.client.send_headers(stream, fields, end_stream=end_stream, priority_weight=priority)
        if self.waits:
            self.resized.discard(self.server)

    def _server_says(self, stream: int, fields: list[tuple[str, str]], *, end_stream: bool = False) -> None:
        self.server.send_headers(stream, fields, end_stream=end_stream)
        if self.waits:
            self.resized.discard(self.client)

    # What one side may do next

    def go_on(self) -> None:
        self._act()
        self.deliver()

    def go_on_without_waiting(self) -> None:
        """Say something before the other's last words have arrived."""
        self.waits = False
        self._act()
        self.send()
        while self.under_way and self.random.random() < 0.4:
            self.arrive()

    def _act(self) -> None:
        act = self.random.choice([self._open] * 3 + [self._ask] * 6 + [self._answer] * 8 + [self._steer] * 3 + [self._reset])
        act()

    def _extra(self) -> list[tuple[str, str]]:
        large = [("x-large", "C" * 27_000)] if self.random.random() < 0.02 else []
        return self.random.sample(EXTRA, self.random.choice([0, 0, 1, 2, 4])) + large

    def _open(self) -> None:
        stream = self.client.get_next_available_stream_id()
        path = self.random.choice(["/a", "/v2/models/m/infer", "/" + "p" * 200])
        fields = [(":method", "POST"), (":scheme", "http"), (":path", f"{path}?{stream}"), (":authority", "m")]
        if self.random.random() < 0.5:
            fields.append(("content-type", "application/grpc"))
        last = self.random.random() < 0.3
        if self.random.random() < 0.3:  # no long head: h2 makes its first frame too large then
            self._client_says(stream, fields, end_stream=last, priority=7)
        else:
            self._client_says(stream, [*fields, *self._extra()], end_stream=last)

    def _content(self) -> bytes:
        size = self.random.choice([0, 1, 4, 5, 100, 1000])
        content = self.random.randbytes(size)
        return message(content, compressed=size == 100) if self.random.random() < 0.8 else content

    def _padding(self) -> int | None:
        return self.random.choice([None, None, 0, 1, 255])

    def _ask(self) -> None:
        number, stream = self._pick()
        if stream is None or not (stream.may_ask and stream.asks):
            return
        if self.random.random() < 0.1:
            stream.may_ask = False
            self._client_says(number, [("x-sum", "1"), *self._extra()], end_stream=True)
        else:
            last = self.random.random() < 0.5
            stream.may_ask = not last
            self.client.send_data(number, self._content(), end_stream=last, pad_length=self._padding())

    def _answer(self) -> None:
        number, stream = self._pick()
        if stream is None or not (stream.may_answer and stream.answers):
            return
        chance = self.random.random()
        if not stream.has_answered:
            if chance < 0.2:
                self._server_says(number, [(":status", "103"), *self._extra()])
                return
            stream.has_answered = True
            stream.may_answer = chance >= 0.4
            fields = [(":status", self.random.choice(["200", "404", "500"])), *self._extra()]
            if chance < 0.3:
                fields.append(("grpc-status", "12"))
            self._server_says(number, fields, end_stream=chance < 0.4)
        elif chance < 0.3:
            stream.may_answer = False
            self._server_says(number, [("grpc-status", str(number % 17)), *self._extra()], end_stream=True)
        else:
            stream.may_answer = chance >= 0.4
            self.server.send_data(number, self._content(), end_stream=chance < 0.4, pad_length=self._padding())

    def _pick(self) -> tuple[int, Seen | None]:
        live = [number for number, stream in self.streams.items() if stream.is_open]
        number = self.random.choice(live) if live else 0
        return number, self.streams.get(number)

    def _steer(self) -> None:
        side = self.random.choice([self.client, self.server])
        match self.random.randrange(4):
            case 0:
                side.ping(b"12345678")
            case 1:
                # One at a time: `hpack` announces each size in between, which may be too large by then, or forgets to.
                if side not in self.resized:
                    self.resized.add(side)
                    side.update_settings({SettingCodes.HEADER_TABLE_SIZE: self.random.choice(TABLE_SIZES)})
            case 2:
                side.increment_flow_control_window(1000)
            case 3:
                side.update_settings({SettingCodes.MAX_FRAME_SIZE: self.random.choice([16384, 20_000])})

    def _reset(self) -> None:
        number, stream = self._pick()
        if stream is None or stream.was_reset or self.random.random() < 0.5:
            return
        if self.random.random() < 0.5:
            if (stream.may_ask and stream.asks) or stream.answers:
                stream.may_ask, stream.was_reset = False, True
                self.client.reset_stream(number, 8)
        elif (stream.may_answer and stream.answers) or stream.asks:
            stream.may_answer, stream.was_reset = False, True
            self.server.reset_stream(number, 8)

    def go_away(self) -> None:
        last = self.random.choice([0, *self.streams])
        self.server.close_connection(last_stream_id=last)
        self.deliver()

    def end(self) -> None:
        """The client's connection ends."""
        for stream in self.streams.values():
            stream.end(Outcome.CLIENT_GONE)


def pieces(wire: list[tuple[bool, bytes]], random: Random) -> list[tuple[bool, bytes]]:
    """The same in other pieces: what one side says in a row is joined and cut anew."""
    size = random.choice([1, 3, 50, 1000, 1 << 30])
    found = []
    for by_client, said in itertools.groupby(wire, key=lambda item: item[0]):
        stream = b"".join(data for _, data in said)
        while stream:
            step = random.randint(1, size) if len(stream) < 20_000 else max(size, 500)
            found.append((by_client, stream[:step]))
            stream = stream[step:]
    return found


def messages_in(content: bytes) -> list[int]:
    sizes = []
    while len(content) >= 5 and len(content) - 5 >= (size := int.from_bytes(content[1:5], "big")):
        sizes.append(size)
        content = content[5 + size :]
    return sizes


def check(record: Exchange, seen: Seen) -> None:
    facts = (record.protocol, record.method, record.target, record.status, record.grpc_status, record.outcome, record.flags & 7)
    assert facts == (seen.protocol, seen.method, seen.target, seen.status, seen.grpc_status, seen.outcome, 0)
    assert body_of(record.request) == seen.request
    assert (body_of(record.response) if record.status else record.response) == seen.response
    sizes = [size for _, size, _ in marks_of(record)]
    if seen.protocol == "grpc":
        there, back = messages_in(seen.request), messages_in(seen.response)
        assert (record.request_messages, record.response_messages) == (len(there), len(back))
        assert sorted(sizes) == (sorted(there + back) if max(len(there), len(back)) > 1 else [])
    else:
        assert (record.request_messages, record.response_messages) == (0, 0)
        assert not sizes or sum(sizes) == len(seen.response)
    times = [at for at, _, _ in marks_of(record)]
    assert times == sorted(times)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 64), steps=st.integers(1, 100), leaves=st.booleans())
def test_each_stream_is_recorded_as_both_ends_saw_it(seed: int, steps: int, leaves: bool) -> None:
    random = Random(seed)
    conversation = Conversation(random)
    for _ in range(steps):
        conversation.go_on()
    if leaves:
        conversation.go_away()
    conversation.end()
    watched = Watched()
    for by_client, piece in pieces(conversation.wire, random):
        if by_client:
            watched.client(piece)
        else:
            watched.upstream(piece)
    watched.follower.calls.land_all(Outcome.CLIENT_GONE)
    records = {record.target: record for record in watched.records()}
    assert watched.context.counters.exchanges == len(records)
    assert set(records) == {seen.target for seen in conversation.streams.values()}
    for seen in conversation.streams.values():
        check(records[seen.target], seen)
    assert watched.tap.free == watched.free


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 64), steps=st.integers(1, 100))
def test_what_crosses_on_the_wire_is_no_reason_to_lose_track(seed: int, steps: int) -> None:
    random = Random(seed)
    conversation = Conversation(random)
    # Some of what crosses a reset h2 does not bear, or it has forgotten the stream: the conversation ends there.
    with contextlib.suppress(h2.exceptions.ProtocolError, KeyError):
        for _ in range(steps):
            conversation.go_on_without_waiting()
        while conversation.under_way:
            conversation.arrive()
            conversation.send()
    watched = Watched()
    for by_client, piece in pieces(conversation.wire, random):
        if by_client:
            watched.client(piece)
        else:
            watched.upstream(piece)
    watched.follower.calls.land_all(Outcome.CLIENT_GONE)
    records = {record.target: record for record in watched.records()}
    assert watched.context.counters.exchanges == len(records)
    assert set(records) >= {seen.target for seen in conversation.streams.values()}
    for seen in conversation.streams.values():
        record = records[seen.target]
        if not (seen.was_reset or seen.is_open):  # what is reset looks different from each place
            check(record, seen)
    assert watched.tap.free == watched.free


# Tables of header fields

NAMES = st.sampled_from(["a", "b", "content-type", ":path"])
VALUES = st.sampled_from(["", "1", "2", "x" * 30, "y" * 400, "z" * 5000])
INDEXED = st.integers(1, 66).map(lambda index: integer(index, 7, 0x80))
INSERTED = st.builds(literal, NAMES, VALUES)
NEW_VALUE = st.builds(
    lambda index, bits, value: integer(index, *bits) + integer(len(value), 7) + value.encode(),
    st.integers(1, 64),
    st.sampled_from([(6, 0x40), (4, 0x00), (4, 0x10)]),
    VALUES,
)
PLAIN = st.builds(lambda name, value: plain([(name, value)]), NAMES, VALUES)
NEVER = st.builds(lambda name, value: b"\x10" + plain([(name, value)])[1:], NAMES, VALUES)
SIZES = st.lists(st.sampled_from([0, 33, 34, 40, 70, 500, 4096, 6000, 65536]), max_size=2).map(
    lambda sizes: b"".join(map(table_size, sizes))
)
HUFFMAN = st.builds(
    lambda name, value: bytes(Encoder().encode([(name, value)])),
    st.text(st.characters(max_codepoint=127), min_size=1, max_size=20),
    st.text(st.characters(max_codepoint=127), max_size=60),
)
BLOCK = st.builds(
    lambda sizes, fields: sizes + b"".join(fields),
    st.one_of(st.just(b""), SIZES),
    st.lists(st.one_of(INDEXED, INSERTED, NEW_VALUE, PLAIN, NEVER, HUFFMAN), max_size=3),
)


NOISE = st.builds(
    lambda block, at, byte: block[: at % len(block)] + bytes([byte]) + block[at % len(block) + 1 :] if block else block,
    st.lists(BLOCK, max_size=3).map(b"".join),
    st.integers(0, 10_000),
    st.integers(0, 255),
)
"""Blocks with one byte changed."""

USUAL = [
    *(integer(index, 7, 0x80) for index in (62, 63, 64)),
    *(literal("a", value) for value in ("1", "2", "x" * 400, "y" * 5000)),
    *(table_size(size) for size in (0, 40, 70, 4096, 65536)),
    literal("a", "y" * 5000) + literal("b", "3"),
    table_size(0) + table_size(4096),
    plain([("a", "1")]),
]
"""What is repeated often enough that chance finds what one of them does to another."""


def pairs(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in fields]


class Both:
    """Our reader, which remembers blocks, beside `hpack`'s, which reads each one."""

    def __init__(self) -> None:
        self.ours: Blocks[list[tuple[bytes, bytes]]] = Blocks(pairs)
        self.theirs = Decoder(1 << 18)
        self.theirs.max_allowed_table_size = 1 << 16

    def read(self, block: bytes) -> bool:
        """Read a block with both, and tell whether it can be read."""
        try:
            expected = pairs(list(self.theirs.decode(block, raw=True)))
        except HPACKError:
            with pytest.raises(BrokenError):
                self.ours.read(block)
            return False
        assert self.ours.read(block) == expected
        return True

    def can_read(self, block: bytes) -> bool:
        try:
            copy.deepcopy(self.theirs).decode(block, raw=True)
        except HPACKError:
            return False
        return True

    def compare_tables(self) -> None:
        index = 62
        while self.read(integer(index, 7, 0x80)):
            index += 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd=st.lists(BLOCK, max_size=4), order=st.lists(st.integers(0, len(USUAL) + 3), min_size=5, max_size=40))
def test_blocks_that_are_remembered_mean_what_they_mean_when_read(odd: list[bytes], order: list[int]) -> None:
    both = Both()
    blocks = USUAL + odd
    for place in order:
        block = blocks[place % len(blocks)]
        if both.can_read(block):  # else it would end the connection
            assert both.read(block)
    both.compare_tables()


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), BLOCK, NOISE), max_size=5))
def test_any_bytes_are_a_block_for_both_readers_or_for_none(blocks: list[bytes]) -> None:
    both = Both()
    if all(both.read(block) for block in blocks):
        both.compare_tables()


@settings(max_examples=300, deadline=None)
@given(
    contents=st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=8),
    rest=st.binary(max_size=4),
    cuts=st.lists(st.integers(0, 3000), max_size=20),
)
def test_messages_are_the_same_wherever_they_are_cut(contents: list[tuple[bytes, bool]], rest: bytes, cuts: list[int]) -> None:
    stream = b"".join(message(content, compressed=compressed) for content, compressed in contents) + rest
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    messages = Messages()
    found = [item for start, end in itertools.pairwise(places) for item in messages.feed(stream, start, end)]
    assert found == [(len(content), compressed) for content, compressed in contents]

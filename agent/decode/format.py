"""What a wire format is to the decoder: a name, and a reader for each kind of body on each side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import msgspec

from agent.decode.block import Block
from agent.decode.message import Head, event_id
from agent.errors import DecodeError
from agent.exchange import Exchange, Flag, Outcome

Reader = Callable[[bytes, Head, Exchange], Block]
"""A body with its codings undone, what its head said, and the exchange with its times, to a block.

Raises `DecodeError` and nothing else.
"""


def by_body(read: Callable[[bytes], Block]) -> Reader:
    """Make the reader of a format whose body says all."""

    def read_body(body: bytes, _head: Head, _exchange: Exchange) -> Block:
        return read(body)

    return read_body


def with_event_id(read: Reader) -> Reader:
    """Make the reader of requests that are CloudEvents in binary mode: where the body bears no id, the event's is taken."""

    def read_event(body: bytes, head: Head, exchange: Exchange) -> Block:
        block = read(body, head, exchange)
        return block if block.id else msgspec.structs.replace(block, id=event_id(exchange.request))

    return read_event


JSON = "json"
CLOUD_EVENT = "cloud_event"
CSV = "csv"
BINARY = "binary"
GRPC = "grpc"
JSON_LINES = "json_lines"
NPY = "npy"
EVENTS = "events"
MULTIPART = "multipart"
IMAGE = "image"

KINDS: Mapping[str, str] = {
    "": JSON,  # tritonclient and TorchServe send none
    "application/json": JSON,
    "application/x-www-form-urlencoded": JSON,  # what curl says of -d, and servers accept
    "application/cloudevents+json": CLOUD_EVENT,
    "text/plain": JSON,
    "text/json": JSON,
    "text/csv": CSV,
    "application/csv": CSV,
    "application/octet-stream": BINARY,
    "application/grpc": GRPC,
    "application/grpc+proto": GRPC,
    "application/jsonlines": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
    "application/x-npy": NPY,
    "text/event-stream": EVENTS,
    "multipart/form-data": MULTIPART,
}
"""Content types to kinds of body. Others ending in ``+json`` are JSON; the rest is of no known kind."""


def kind_of(head: Head) -> str:
    """Give the kind of body that a head announces, or empty."""
    if head.json_length >= 0:
        return BINARY
    kind = KINDS.get(head.media)
    if kind is None:
        kind = IMAGE if head.media.startswith("image/") else JSON if head.media.endswith("+json") else ""
    return kind


class Format(NamedTuple):
    """A wire format."""

    name: str
    """As it stands in `Batch.format` and in metrics."""
    inputs: Mapping[str, Reader]
    """By kind of body, of the request."""
    outputs: Mapping[str, Reader]
    """By kind of body, of the response."""
    is_labels: bool = False
    """Whether it says what calls that were made before should have given. Such batches are no traffic: they are counted and
    gathered, but the window must not see them."""
    reads_cut: Collection[str] = ()
    """Kinds of a response's body that its readers take though it ends early (`is_cut`): they say what is known, and no more."""


def is_cut(exchange: Exchange) -> bool:
    """Tell whether the response that was recorded ends early: over `OUTRIDER_CAPTURE_BYTES`, or cut off on the wire."""
    return bool(exchange.flags & Flag.RESPONSE_CUT) or exchange.outcome != Outcome.COMPLETE


def refuse_content_type(_body: bytes, _head: Head, _exchange: Exchange) -> Block:
    """Read no body: its content type is not one of the format's."""
    raise DecodeError("http", "content_type")

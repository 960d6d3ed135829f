"""What OpenAI-compatible servers answer: whole, in events, or as embeddings. `agent.decode.openai` says what a column means."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from agent.decode.block import Block, NotObserved, Row, as_float, pack_flat
from agent.decode.events import arrivals, events
from agent.decode.format import is_cut
from agent.decode.json_text import JSON_FAULTS, lenient, may_be_lenient
from agent.decode.message import Head
from agent.errors import DecodeError
from agent.exchange import Exchange, Outcome

REASONS = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter", "abort"})
"""Reasons that are taken as they are. Besides: ``error`` (the answer holds an error), ``interrupted`` (a stream ended without
a reason and without ``[DONE]``), ``mixed`` (choices ended for different reasons), ``other``; missing where there is none, or
where we did not see it because the recorded stream was cut."""


class Usage(msgspec.Struct, gc=False):
    """What the server counted."""

    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    total_tokens: float | None = None


class Part(msgspec.Struct, gc=False):
    """A choice's message, or its piece of a stream."""

    content: Any = None
    refusal: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: Any = None
    reasoning: Any = None
    reasoning_content: Any = None


class Choice(msgspec.Struct):
    """One answer, or a piece of one."""

    index: int = 0
    message: Part | None = None
    delta: Part | None = None
    text: str | None = None
    finish_reason: str | None = None


class Answer(msgspec.Struct):
    """A response, or an event of one."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None


class Vector(msgspec.Struct, gc=False):
    """An embedding."""

    embedding: list[float] | str


class Vectors(msgspec.Struct):
    """A response of embeddings."""

    data: list[Vector]
    id: str | None = None
    model: str | None = None
    usage: Usage | None = None


_answer = msgspec.json.Decoder(Answer)
_vectors = msgspec.json.Decoder(Vectors)

OUTPUTS = (
    "finish_reason", "prompt_tokens", "completion_tokens", "total_tokens", "completion_characters", "completion_words",
    "choices", "refusals", "tool_calls", "time_to_first_token_s", "tokens_per_second", "chunks_per_second", "mean_gap_s",
    "longest_gap_s",
)  # fmt: skip
"""``finish_reason`` is first: a reference that is learned from traffic takes the first output as the prediction."""
EMBEDDING_OUTPUTS = ("embeddings", "dimension", "norm", "mean", "prompt_tokens", "total_tokens")


def decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode JSON of one of this format's types.

    Raises
    ------
    DecodeError
        ``json``; ``fields`` where a field is of another type than the API's.
    """
    try:
        return decoder.decode(body)
    except JSON_FAULTS as fault:
        if may_be_lenient(body, fault):
            try:
                return msgspec.convert(lenient(body), decoder.type)
            except JSON_FAULTS:
                raise DecodeError("openai", "fields") from None
        raise DecodeError("openai", "fields" if isinstance(fault, msgspec.ValidationError) else "json") from None


def lengths(texts: Sequence[str]) -> tuple[int, int]:
    """Give the characters and the words of all texts together."""
    return sum(map(len, texts)), sum(len(text.split()) for text in texts)


class _Reply:
    """What is gathered from an answer, whole or in pieces."""

    __slots__ = ("calls", "choices", "error", "id", "is_over", "model", "reasons", "refused", "texts", "usage")

    def __init__(self) -> None:
        self.choices: set[int] = set()
        self.texts: dict[int, list[str]] = {}
        self.reasons: dict[int, str] = {}
        self.calls: set[tuple[int, Any]] = set()
        self.refused: set[int] = set()
        self.usage = Usage()
        self.error = False
        self.is_over = False
        """Whether a piece said so: by an error, or by the usage of all choices, which comes without any."""
        self.id = self.model = ""

    def add(self, answer: Answer) -> bool:
        """Take in an answer or a piece of it, and tell whether it bore anything that the model generated."""
        self.id = self.id or answer.id or ""
        self.model = self.model or answer.model or ""
        self.usage = answer.usage or self.usage
        self.error = self.error or answer.error is not None
        self.is_over = self.is_over or self.error or (answer.usage is not None and not answer.choices)
        bears = False
        for choice in answer.choices or ():
            place = choice.index
            self.choices.add(place)
            if choice.finish_reason is not None:
                self.reasons[place] = choice.finish_reason
            if choice.text:
                self.texts.setdefault(place, []).append(choice.text)
                bears = True
            part = choice.message or choice.delta
            bears = (part is not None and self._take(place, part)) or bears
        return bears

    def _take(self, place: int, part: Part) -> bool:
        text = part.content
        if type(text) is str and text:
            self.texts.setdefault(place, []).append(text)
        if part.refusal:
            self.refused.add(place)
        for number, call in enumerate(part.tool_calls or ()):
            index = call.get("index")
            self.calls.add((place, index if type(index) is int else number))
        if part.function_call:
            self.calls.add((place, "function"))
        return bool(text or part.refusal or part.tool_calls or part.function_call or part.reasoning or part.reasoning_content)

    def reason(self, *, ended: bool) -> str | None:
        """Give the column ``finish_reason``."""
        if self.error:
            return "error"
        found = {reason if reason in REASONS else "other" for reason in self.reasons.values()}
        if len(found) > 1:
            return "mixed"
        return found.pop() if found else None if ended else "interrupted"

    def beginning(self, first: float | None) -> Block:
        """Make the row of a stream of which only the beginning was seen: its sums are not those of the answer, so they miss."""
        known = {"prompt_tokens": self.usage.prompt_tokens, "time_to_first_token_s": first}
        return Block(OUTPUTS, False, 1, [tuple(map(known.get, OUTPUTS))], id=self.id, model=self.model)

    def block(self, exchange: Exchange, times: Sequence[float | None], *, chunks: int | None, ended: bool) -> Block:
        """Make the row. `times` are those of a stream: to the first text, the mean gap and the longest."""
        first, mean, longest = times
        texts = ["".join(pieces) for pieces in self.texts.values()]
        usage = self.usage
        seconds = _seconds(exchange)
        row: Row = (
            self.reason(ended=ended), usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, *lengths(texts),
            len(self.choices), len(self.refused), len(self.calls), first, _rate(usage.completion_tokens, seconds),
            _rate(chunks, seconds), mean, longest,
        )  # fmt: skip
        return Block(OUTPUTS, False, 1, [row], id=self.id, model=self.model)


def _seconds(exchange: Exchange) -> float:
    """Give the time from the request's last byte to the answer's last, 0 where one of them never passed."""
    if not exchange.sent_ns or exchange.end_ns <= exchange.sent_ns or exchange.outcome != Outcome.COMPLETE:
        return 0.0
    return (exchange.end_ns - exchange.sent_ns) / 1e9


def _rate(count: float | None, seconds: float) -> float | None:
    return count / seconds if count is not None and seconds else None


def read_answer(body: bytes, _head: Head, exchange: Exchange) -> Block:
    """Read an answer in one piece.

    Raises
    ------
    DecodeError
        ``json``; ``fields`` where there are neither choices nor an error, or a field is of another type than the API's.
    """
    answer = decoded(_answer, body)
    if answer.choices is None and answer.error is None:
        raise DecodeError("openai", "fields")
    reply = _Reply()
    reply.add(answer)
    return reply.block(exchange, (None, None, None), chunks=None, ended=True)


def read_stream(body: bytes, head: Head, exchange: Exchange) -> Block:
    """Read an answer in events, or the beginning of one (`is_cut`).

    Of a beginning, what is known is the time to the first text and the prompt's tokens, if they were said; unless only what
    follows an error, the usage of the whole, or ``[DONE]`` was cut off.

    Raises
    ------
    NotObserved
        ``no_rows`` where there is no event.
    DecodeError
        As `read_answer`.
    """
    reply, ends, heard, done = _Reply(), [], False, False
    cut = is_cut(exchange)
    for event in events(body, cut=cut):
        heard = True
        if event.data == b"[DONE]":
            done = True
            break
        if event.kind == b"error":
            reply.error = reply.is_over = True
        elif reply.add(decoded(_answer, event.data)):
            ends.append(event.end)
    if not heard:
        raise NotObserved("openai", "no_rows")
    times = _times(arrivals(ends, head, exchange), exchange.sent_ns)
    if cut and not (done or reply.is_over):
        return reply.beginning(times[0])
    return reply.block(exchange, times, chunks=len(ends), ended=done)


def _times(arrived: Sequence[int], sent_ns: int) -> tuple[float | None, float | None, float | None]:
    """Give the seconds to the first text, and the mean and the longest gap between one and the next."""
    if not arrived:
        return None, None, None
    first = max(arrived[0] - sent_ns, 0) / 1e9 if sent_ns else None
    if len(arrived) == 1:
        return first, None, None
    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    return first, max(arrived[-1] - arrived[0], 0) / len(gaps) / 1e9, max(*gaps, 0) / 1e9


def read_vectors(body: bytes) -> Block:
    """Read embeddings.

    Raises
    ------
    NotObserved
        ``no_rows`` where there is none.
    DecodeError
        ``json``, ``fields``, ``ragged`` (vectors of different lengths), ``shape`` (base64 that holds no float32).
    """
    answer = decoded(_vectors, body)
    if not answer.data:
        raise NotObserved("openai", "no_rows")
    vectors = [_vector(item.embedding) for item in answer.data]
    if len({len(vector) for vector in vectors}) > 1:
        raise DecodeError("openai", "ragged")
    table = np.array(vectors, dtype=np.float64)
    if not table.size:
        raise DecodeError("openai", "shape")
    with np.errstate(over="ignore", invalid="ignore"):
        norm, mean = float(np.sqrt((table * table).sum(axis=1)).mean()), float(table.mean())
    usage = answer.usage or Usage()
    row = [*map(float, table.shape), norm, mean, as_float(usage.prompt_tokens), as_float(usage.total_tokens)]
    return Block(EMBEDDING_OUTPUTS, True, 1, pack_flat(row), id=answer.id or "", model=answer.model or "")


def _vector(embedding: list[float] | str) -> Any:
    if isinstance(embedding, list):
        return embedding
    try:
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    except ValueError:  # no base64, or no whole number of float32
        raise DecodeError("openai", "shape") from None

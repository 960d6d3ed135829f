"""Calls as OpenAI's own client writes them, and answers as its own types print them, come out as they went in."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.batch import Batch
from agent.decode.decoder import Decoder
from agent.decode.events import arrivals, events
from agent.decode.message import response_head, response_lines
from agent.exchange import MARK
from tests.exchanges import as_lists, exchange, response_bytes

openai = pytest.importorskip("openai", reason="part missing: openai, OpenAI's own client")
httpx: Any = pytest.importorskip("httpx2", reason="part missing: httpx2, which OpenAI's own client sends with")
from openai.types import CompletionUsage, CreateEmbeddingResponse, Embedding  # noqa: E402 - after the check above
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage  # noqa: E402
from openai.types.chat.chat_completion import Choice  # noqa: E402
from openai.types.chat.chat_completion_chunk import Choice as Piece  # noqa: E402
from openai.types.chat.chat_completion_chunk import ChoiceDelta  # noqa: E402
from openai.types.create_embedding_response import Usage  # noqa: E402

REASONS = ["stop", "length", "tool_calls", "content_filter"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 2**40)


class Sent(Exception):  # noqa: N818 - no error: it carries the request out of the client
    """Raised with the request in place of sending it."""


@cache
def client() -> Any:
    def refuse(request: Any) -> Any:
        raise Sent(request)

    http = httpx.Client(transport=httpx.MockTransport(refuse))
    return openai.OpenAI(api_key="x", base_url="http://model/v1", max_retries=0, http_client=http)


def request_of(path: str, **question: Any) -> bytes:
    """The bytes that the client would send."""
    with pytest.raises(Sent) as caught:
        attrgetter(path)(client()).create(**question)
    request = caught.value.args[0]
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
    return b"".join([b"POST ", request.url.raw_path, b" HTTP/1.1\r\n", fields, b"\r\n", request.content])


def batch_of(request: bytes, answer: bytes, media: str = "application/json") -> Batch:
    result = Decoder().decode([exchange(request, response_bytes(answer, media))])
    assert (result.undecoded, result.unobserved) == ({}, {})
    return result.batches[0]


def row(batch: Batch, side: str) -> dict[str, Any]:
    return {name: value for name, (value,) in as_lists(getattr(batch, side)).items()}


CHAT = b'POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 16\r\n\r\n{"messages": []}'


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "developer"]), texts), min_size=1, max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "max_tokens": counts, "temperature": st.floats(0, 2), "top_p": st.floats(0, 1), "n": st.integers(1, 9),
            "stream": st.booleans(),
        },
    ),
)  # fmt: skip
def test_chats(messages: list[tuple[str, str]], options: dict[str, Any]) -> None:
    asked = [{"role": role, "content": text} for role, text in messages]
    batch = batch_of(request_of("chat.completions", model="m", messages=asked, **options), b'{"choices": []}')
    assert batch.model == "m"
    defaults = {"max_tokens": None, "temperature": None, "top_p": None, "n": 1, "stream": False}
    assert row(batch, "inputs") == defaults | options | {
        "messages": len(messages), "prompt_characters": sum(len(text) for _, text in messages),
        "prompt_words": sum(len(text.split()) for _, text in messages), "images": 0, "tools": 0,
        "system_characters": sum(len(text) for role, text in messages if role in ("system", "developer")),
    }  # fmt: skip


prompts = st.one_of(texts, st.lists(texts, min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4))


@settings(max_examples=40, deadline=None)
@given(prompts)
def test_completions_and_embeddings(prompt: Any) -> None:
    tokens = type(prompt) is list and type(prompt[0]) is int
    parts = [prompt] if tokens or type(prompt) is str else prompt
    characters = None if tokens else sum(map(len, parts))
    asked = row(batch_of(request_of("completions", model="m", prompt=prompt), b'{"choices": []}'), "inputs")
    assert (asked["prompts"], asked["prompt_characters"]) == (len(parts), characters)
    vectors = b'{"data": [{"embedding": [1]}]}'
    asked = row(batch_of(request_of("embeddings", model="m", input=prompt), vectors), "inputs")
    assert (asked["inputs"], asked["input_characters"]) == (len(parts), characters)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.sampled_from(REASONS)), min_size=1, max_size=4), st.none() | st.tuples(counts, counts))
def test_answers(said: list[tuple[str, Any]], used: tuple[int, int] | None) -> None:
    usage = used and CompletionUsage(prompt_tokens=used[0], completion_tokens=used[1], total_tokens=sum(used))
    choices = [
        Choice(index=place, finish_reason=reason, message=ChatCompletionMessage(role="assistant", content=text))
        for place, (text, reason) in enumerate(said)
    ]
    answer = ChatCompletion(id="i", created=1, model="m", object="chat.completion", choices=choices, usage=usage or None)
    found = row(batch_of(CHAT, answer.model_dump_json().encode()), "outputs")
    check(found, said, used)


def check(found: dict[str, Any], said: Sequence[tuple[str, str]], used: tuple[int, int] | None) -> None:
    reasons = {reason for _, reason in said}
    assert found["finish_reason"] == (reasons.pop() if len(reasons) == 1 else "mixed")
    assert found["choices"] == len(said)
    assert found["completion_characters"] == sum(len(text) for text, _ in said)
    assert found["completion_words"] == sum(len(text.split()) for text, _ in said)
    assert (found["prompt_tokens"], found["completion_tokens"]) == (used or (None, None))
    assert found["total_tokens"] == (sum(used) if used else None)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.lists(texts, max_size=4), st.sampled_from(REASONS)), min_size=1, max_size=3),
    st.none() | st.tuples(counts, counts),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_streams(said: list[tuple[list[str], Any]], used: tuple[int, int] | None, newline: str, repeats: bool) -> None:
    def chunk(choices: list[Piece], usage: tuple[int, int] | None) -> str:
        counted = usage and CompletionUsage(prompt_tokens=usage[0], completion_tokens=usage[1], total_tokens=sum(usage))
        whole = ChatCompletionChunk(
            id="i", created=1, model="m", object="chat.completion.chunk", choices=choices, usage=counted or None
        )
        return f": comment{newline}data: {whole.model_dump_json()}{newline}{newline}"

    early = (0, 0) if repeats else None
    pieces = [
        chunk([Piece(index=place, delta=ChoiceDelta(content=text))], early)
        for place, (parts, _) in enumerate(said)
        for text in parts
    ]
    pieces += [
        chunk([Piece(index=place, delta=ChoiceDelta(), finish_reason=reason)], early if used else None)
        for place, (_, reason) in enumerate(said)
    ]
    used = used or early
    pieces += [chunk([], used) if used else "", f"data: [DONE]{newline}{newline}"]
    found = row(batch_of(CHAT, "".join(pieces).encode(), "text/event-stream"), "outputs")
    check(found, [("".join(parts), reason) for parts, reason in said], used)


@settings(deadline=None)
@given(st.integers(1, 5), st.data(), st.booleans())
def test_vectors(dimension: int, data: st.DataObject, packed: bool) -> None:
    number = st.floats(-1e3, 1e3, width=32)
    table = data.draw(st.lists(st.lists(number, min_size=dimension, max_size=dimension), min_size=1, max_size=4))
    made = [Embedding(index=place, object="embedding", embedding=values) for place, values in enumerate(table)]
    answer = CreateEmbeddingResponse(data=made, model="m", object="list", usage=Usage(prompt_tokens=3, total_tokens=4))
    printed = json.loads(answer.model_dump_json())
    if packed:
        for item in printed["data"]:
            item["embedding"] = base64.b64encode(np.array(item["embedding"], "<f4").tobytes()).decode()
    found = row(batch_of(request_of("embeddings", model="m", input="a"), json.dumps(printed).encode()), "outputs")
    assert found == {
        "embeddings": len(table), "dimension": dimension, "norm": pytest.approx(np.linalg.norm(table, axis=1).mean()),
        "mean": pytest.approx(np.mean(table)), "prompt_tokens": 3, "total_tokens": 4,
    }  # fmt: skip


@given(st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\r", b"").replace(b"\n", b"")), max_size=8))
def test_events_of_any_bytes(texts: list[bytes]) -> None:
    body = b"".join(b"data: " + text + b"\n\n" for text in texts)
    assert [event.data for event in events(body)] == texts


@given(st.binary(max_size=200) | st.lists(st.sampled_from([b"data:", b"a", b" ", b"\r", b"\n", b":", b"event"])).map(b"".join))
def test_any_bytes_are_events_or_none(body: bytes) -> None:
    found = list(events(body))
    ends = [event.end for event in found]
    assert ends == sorted(ends)
    assert all(0 < end <= len(body) for end in ends)


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=8), st.data())
def test_each_byte_arrived_with_its_piece(chunks: list[bytes], data: st.DataObject) -> None:
    """However chunks and pieces overlap: checked byte by byte."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = b"".join(b"%x\r\n" % len(chunk) + chunk + b"\r\n" for chunk in chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=8)))
    pieces = list(zip([0, *cuts], [*cuts, len(wire)], strict=True))
    marks = b"".join(MARK.pack(number + 1, (end - start) << 2 | 1) for number, (start, end) in enumerate(pieces))
    one = msgspec.structs.replace(exchange(CHAT, head + wire), marks=marks)
    arrived_by_byte = []
    at = 0
    for chunk in chunks:
        at += len(b"%x\r\n" % len(chunk))
        places = range(at, at + len(chunk))
        arrived_by_byte += [next(n for n, (start, end) in enumerate(pieces, 1) if start <= place < end) for place in places]
        at += len(chunk) + 2
    ends = range(1, len(arrived_by_byte) + 1)
    assert arrivals(ends, response_head(response_lines(head)), one) == arrived_by_byte

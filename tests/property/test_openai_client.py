"""What OpenAI's own client reads of an answer is what the decoder reads of the same bytes: whole, streamed, and vectors.

`test_openai` compares with what was put in; here the client is the second opinion, and the request is the one that it sent for
just this answer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decode.decoder import Decoder
from tests.exchanges import as_lists, exchange, response_bytes

openai = pytest.importorskip("openai", reason="part missing: openai, OpenAI's own client")
httpx: Any = pytest.importorskip("httpx2", reason="part missing: httpx2, which OpenAI's own client sends with")

MANY = settings(max_examples=60, deadline=None)
REASONS = ["stop", "length", "tool_calls", "content_filter"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
counts = st.integers(0, 2**40)
usages = st.none() | st.builds(
    lambda asked, said: {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}, counts, counts
)
Row = dict[str, Any]


class Wire:
    """OpenAI's client before a server that gives one answer, and the bytes of the call."""

    def __init__(self, answer: bytes, media: str) -> None:
        self.sent = b""
        self.received = response_bytes(answer, media)

        def serve(request: Any) -> Any:
            fields = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
            self.sent = b"".join([b"POST ", request.url.raw_path, b" HTTP/1.1\r\n", fields, b"\r\n", request.content])
            return httpx.Response(200, headers={"content-type": media}, content=answer)

        http = httpx.Client(transport=httpx.MockTransport(serve))
        self.client = openai.OpenAI(api_key="x", base_url="http://model/v1", max_retries=0, http_client=http)

    def decoded(self) -> tuple[Row, Row]:
        """The one row of both sides that the decoder reads."""
        result = Decoder().decode([exchange(self.sent, self.received)])
        assert (result.undecoded, result.unobserved, result.rows) == ({}, {}, {"openai": 1})
        (batch,) = result.batches
        inputs, outputs = ({name: value for name, (value,) in as_lists(side).items()} for side in (batch.inputs, batch.outputs))
        return inputs, outputs


def check(found: Row, said: Sequence[str], reasons: Sequence[str], usage: Any, refusals: int = 0, tools: int = 0) -> None:
    """Compare the columns of an answer with what the client saw."""
    assert found["completion_characters"] == sum(map(len, said))
    assert found["completion_words"] == sum(len(text.split()) for text in said)
    assert found["choices"] == len(said)
    assert found["finish_reason"] == (reasons[0] if len(set(reasons)) == 1 else "mixed")
    assert (found["refusals"], found["tool_calls"]) == (refusals, tools)
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert found[name] == (None if usage is None else getattr(usage, name))


def whole(kind: str, choices: Sequence[Row], usage: Row | None) -> bytes:
    message = {"id": "i", "created": 1, "model": "m", "object": kind, "choices": choices}
    return json.dumps(message if usage is None else message | {"usage": usage}, ensure_ascii=False).encode()


def stream_of(kind: str, parts: Sequence[Sequence[Row]], usage: Row | None) -> bytes:
    """Events as vLLM and OpenAI send them: the usage comes last, beside no choices."""
    events = [whole(kind, choices, None) for choices in parts]
    if usage is not None:
        events.append(whole(kind, [], usage))
    return b"".join(b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"])


calls = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["f", "g"]), "arguments": texts}), max_size=2)
answers = st.lists(st.tuples(texts, st.sampled_from(REASONS), calls, st.booleans()), min_size=1, max_size=3)


@MANY
@given(answers, usages)
def test_a_chat(said: Any, usage: Row | None) -> None:
    choices = []
    for place, (text, reason, functions, refused) in enumerate(said):
        message: Row = {"role": "assistant", "content": None if refused else text, "refusal": "no" if refused else None}
        if functions:
            message["tool_calls"] = [{"id": "c", "type": "function", "function": function} for function in functions]
        choices.append({"index": place, "finish_reason": reason, "message": message})
    wire = Wire(whole("chat.completion", choices, usage), "application/json")
    with closing(wire.client):
        seen = wire.client.chat.completions.create(model="m", messages=[{"role": "user", "content": "a b"}])
    inputs, found = wire.decoded()
    assert (inputs["messages"], inputs["prompt_characters"], inputs["stream"]) == (1, 3, False)
    messages = [choice.message for choice in seen.choices]
    check(
        found,
        [message.content or "" for message in messages],
        [choice.finish_reason for choice in seen.choices],
        seen.usage,
        sum(bool(message.refusal) for message in messages),
        sum(len(message.tool_calls or []) for message in messages),
    )


pieces = st.lists(st.tuples(st.lists(texts, max_size=4), st.sampled_from(REASONS)), min_size=1, max_size=3)


def in_turns(said: Any, delta: Any, last: Any) -> list[list[Row]]:
    """The pieces of all choices in turns, and then the reason of each."""
    longest = max(len(parts) for parts, _ in said)
    turns = [
        [{"index": place, "finish_reason": None} | delta(parts[turn])]
        for turn in range(longest)
        for place, (parts, _) in enumerate(said)
        if turn < len(parts)
    ]
    return turns + [[{"index": place, "finish_reason": reason} | last] for place, (_, reason) in enumerate(said)]


def heard(stream: Any, text_of: Any) -> tuple[list[str], list[str], Any]:
    """What the client saw of a stream: the text and the reason of each choice, and the usage."""
    spoken: dict[int, str] = {}
    reasons: dict[int, str] = {}
    usage = None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            spoken[choice.index] = spoken.get(choice.index, "") + (text_of(choice) or "")
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    return [spoken[place] for place in sorted(spoken)], [reasons[place] for place in sorted(reasons)], usage


@MANY
@given(pieces, usages)
def test_a_streamed_chat(said: Any, usage: Row | None) -> None:
    parts = in_turns(said, lambda text: {"delta": {"content": text}}, {"delta": {}})
    wire = Wire(stream_of("chat.completion.chunk", parts, usage), "text/event-stream")
    asked: Row = {"stream_options": {"include_usage": True}} if usage else {}
    with closing(wire.client):
        stream = wire.client.chat.completions.create(
            model="m", messages=[{"role": "system", "content": "be kind"}], stream=True, **asked
        )
        seen = heard(stream, lambda choice: choice.delta.content)
    inputs, found = wire.decoded()
    assert (inputs["stream"], inputs["system_characters"]) == (True, 7)
    check(found, *seen)


@MANY
@given(st.lists(st.tuples(texts, st.sampled_from(REASONS)), min_size=1, max_size=3), usages)
def test_a_completion(said: Any, usage: Row | None) -> None:
    choices = [{"index": place, "text": text, "finish_reason": reason} for place, (text, reason) in enumerate(said)]
    wire = Wire(whole("text_completion", choices, usage), "application/json")
    with closing(wire.client):
        seen = wire.client.completions.create(model="m", prompt=["a", "b c"])
    inputs, found = wire.decoded()
    assert (inputs["prompts"], inputs["prompt_characters"], inputs["prompt_words"]) == (2, 4, 3)
    check(found, [choice.text for choice in seen.choices], [choice.finish_reason for choice in seen.choices], seen.usage)


@MANY
@given(pieces, usages)
def test_a_streamed_completion(said: Any, usage: Row | None) -> None:
    parts = in_turns(said, lambda text: {"text": text}, {"text": ""})
    wire = Wire(stream_of("text_completion", parts, usage), "text/event-stream")
    with closing(wire.client):
        seen = heard(wire.client.completions.create(model="m", prompt="a", stream=True), lambda choice: choice.text)
    inputs, found = wire.decoded()
    assert (inputs["prompts"], inputs["stream"]) == (1, True)
    check(found, *seen)


number = st.floats(-1e3, 1e3, width=32)


@MANY
@given(st.integers(1, 6), st.data(), st.sampled_from([None, "float", "base64"]))
def test_vectors_in_the_form_that_the_client_asked_for(dimension: int, data: st.DataObject, form: str | None) -> None:
    """Without a form the client asks for base64, and unpacks it itself."""
    table = data.draw(st.lists(st.lists(number, min_size=dimension, max_size=dimension), min_size=1, max_size=4))
    packed: list[Any] = [base64.b64encode(np.array(vector, "<f4").tobytes()).decode() for vector in table]
    items = [
        {"object": "embedding", "index": place, "embedding": vector}
        for place, vector in enumerate(table if form == "float" else packed)
    ]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    body = json.dumps({"object": "list", "model": "m", "data": items, "usage": usage}).encode()
    wire = Wire(body, "application/json")
    given: Row = {} if form is None else {"encoding_format": form}
    with closing(wire.client):
        seen = wire.client.embeddings.create(model="m", input=["a"] * len(table), **given)
    inputs, found = wire.decoded()
    assert inputs["inputs"] == len(table)
    unpacked = [np.frombuffer(base64.b64decode(one.embedding), "<f4") if form == "base64" else one.embedding for one in seen.data]
    vectors = np.array(unpacked, float)
    assert (found["embeddings"], found["dimension"]) == vectors.shape
    assert found["norm"] == pytest.approx(np.linalg.norm(vectors, axis=1).mean())
    assert found["mean"] == pytest.approx(vectors.mean(), abs=1e-9)
    assert (found["prompt_tokens"], found["total_tokens"]) == (seen.usage.prompt_tokens, seen.usage.total_tokens)

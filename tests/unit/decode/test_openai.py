"""OpenAI-compatible calls."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.decode.decoder import Decoded, Decoder
from agent.exchange import MARK, Flag, Outcome
from agent.warmup import Warmup
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

CHAT = "/v1/chat/completions"
TEXT = "/openai/v1/completions"
EMBED = "/v1/embeddings"
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
STREAMED = ASKED | {"stream": True}


def inputs(target: str, question: Any) -> dict[str, Any]:
    result = Decoder().decode([json_exchange(target, question, {"choices": []})])
    (batch,) = result.batches
    assert batch.inputs.rows == 1, result.undecoded
    return {name: value for name, (value,) in as_lists(batch.inputs).items()}


def decode_stream(*pieces: Any, ending: str = "data: [DONE]\n\n", **kinds: Any) -> Decoded:
    body = "".join(piece if isinstance(piece, str) else f"data: {json.dumps(piece)}\n\n" for piece in pieces) + ending
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n"
    return Decoder().decode([exchange(request_bytes(CHAT, json.dumps(STREAMED).encode()), head + body.encode(), **kinds)])


def row(result: Decoded) -> dict[str, Any]:
    (batch,) = result.batches
    assert batch.outputs.rows == 1, (result.undecoded, result.unobserved)
    return {name: value for name, (value,) in as_lists(batch.outputs).items()}


def answered(answer: Any, target: str = CHAT, question: Any = ASKED) -> dict[str, Any]:
    return row(Decoder().decode([json_exchange(target, question, answer)]))


def chunk(text: str | None = None, reason: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    delta = {"content": text} if text is not None else {}
    return {"id": "c", "model": "m", "choices": [{"index": index, "delta": delta | more, "finish_reason": reason}]}


def test_every_option_of_a_chat() -> None:
    question = ASKED | {
        "max_completion_tokens": 7, "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "n": 2, "stream": True, "tools": [{}, {}],
    }  # fmt: skip
    found = inputs(CHAT, question)
    assert {name: found[name] for name in ("max_tokens", "temperature", "top_p", "n", "stream", "tools")} == {
        "max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "n": 2, "stream": True, "tools": 2,
    }  # fmt: skip


def test_what_a_client_did_not_say_is_missing_but_for_the_two_defaults_of_the_api() -> None:
    found = inputs(CHAT, ASKED)
    assert [found[name] for name in ("max_tokens", "temperature", "top_p", "n", "stream")] == [None, None, None, 1, False]


def test_parts_of_messages() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": [{"type": "text", "text": "né"}]},
        {"role": "user", "content": [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    found = inputs(CHAT, {"messages": messages})
    assert {name: found[name] for name in ("messages", "prompt_characters", "prompt_words", "system_characters", "images")} == {
        "messages": 5, "prompt_characters": 22, "prompt_words": 7, "system_characters": 10, "images": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "count", "characters", "words"),
    [("a b", 1, 3, 2), (["a", "bc d"], 2, 5, 3), ([1, 2, 3], 1, None, None), ([[1], [2, 3]], 2, None, None), ("", 1, 0, 0)],
)
def test_prompts_and_inputs(prompt: Any, count: int, characters: int | None, words: int | None) -> None:
    found = inputs(TEXT, {"model": "m", "prompt": prompt})
    assert (found["prompts"], found["prompt_characters"], found["prompt_words"]) == (count, characters, words)
    found = inputs(EMBED, {"model": "m", "input": prompt})
    assert found == {"inputs": count, "input_characters": characters, "input_words": words}


def test_an_embedding_of_messages() -> None:
    assert inputs(EMBED, ASKED) == {"inputs": 1, "input_characters": 2, "input_words": 1}


@pytest.mark.parametrize(
    ("target", "question", "reason"),
    [
        (CHAT, {}, "fields"), (CHAT, {"messages": "hi"}, "fields"), (CHAT, {"messages": [], "temperature": "hot"}, "fields"),
        (CHAT, [], "fields"), (CHAT, "{", "json"), (TEXT, {}, "fields"), (TEXT, {"prompt": []}, "fields"),
        (EMBED, {"input": {}}, "fields"), (CHAT, '{"messages": [], "n": NaN, "top_p": "x"}', "fields"),
    ],
)  # fmt: skip
def test_requests_that_are_none(target: str, question: Any, reason: str) -> None:
    result = Decoder().decode([json_exchange(target, question, {"choices": []})])
    assert ("openai", reason) in result.undecoded


def test_an_answer_in_one_piece() -> None:
    message = {"role": "assistant", "content": "two words", "refusal": None}
    choices = [
        {"index": 0, "message": message, "finish_reason": "stop"},
        {"index": 1, "message": {"content": None, "tool_calls": [{"id": "a"}, {"id": "b"}]}, "finish_reason": "tool_calls"},
        {"index": 2, "message": {"content": None, "refusal": "no"}, "finish_reason": "stop"},
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 1}}
    found = answered({"id": "x", "model": "m-2026", "choices": choices, "usage": usage})
    assert found == {
        "finish_reason": "mixed", "prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8, "completion_characters": 9,
        "completion_words": 2, "choices": 3, "refusals": 1, "tool_calls": 2, "time_to_first_token_s": None,
        "tokens_per_second": pytest.approx(5 / 20e-9), "chunks_per_second": None, "mean_gap_s": None, "longest_gap_s": None,
    }  # fmt: skip


def test_model_and_id() -> None:
    (batch,) = Decoder().decode([json_exchange(CHAT, ASKED, {"id": "x", "model": "m-2026", "choices": []})]).batches
    assert (batch.model, batch.ids) == ("m", ("x",))
    unnamed = {name: value for name, value in ASKED.items() if name != "model"}
    (batch,) = Decoder().decode([json_exchange(CHAT, unnamed, {"model": "m-2026", "choices": []})]).batches
    assert batch.model == "m-2026"


@pytest.mark.parametrize(
    ("said", "told"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("the user's secret", "other"), (None, None)],
)
def test_a_reason_is_of_a_closed_set(said: str | None, told: str | None) -> None:
    assert answered({"choices": [{"message": {"content": "x"}, "finish_reason": said}]})["finish_reason"] == told


def test_no_text_becomes_a_value() -> None:
    secret = "a-word-that-nobody-should-see"
    question = {"model": "m", "messages": [{"role": secret, "content": secret}], "user": secret, "tools": [{"x": secret}]}
    answer = {"choices": [{"message": {"content": secret, "refusal": secret}, "finish_reason": secret}]}
    assert secret not in repr(Decoder().decode([json_exchange(CHAT, question, answer)]))


def test_an_error_that_came_with_200() -> None:
    found = answered({"error": {"message": "no", "code": 500}})
    assert (found["finish_reason"], found["choices"], found["completion_tokens"]) == ("error", 0, None)
    result = Decoder().decode([json_exchange(CHAT, ASKED, {"error": None})])
    assert result.undecoded == {("openai", "fields"): 1}


def test_without_the_time_of_the_request_no_rate_is_told() -> None:
    one = json_exchange(CHAT, ASKED, {"choices": [], "usage": {"completion_tokens": 5}})
    assert row(Decoder().decode([msgspec.structs.replace(one, sent_ns=0)]))["tokens_per_second"] is None


def test_a_stream() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
    found = row(decode_stream(chunk("", role="assistant"), chunk("two "), chunk("wo"), chunk("rds"), chunk(None, "stop"), usage))
    assert found == {
        "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "completion_characters": 9,
        "completion_words": 2, "choices": 1, "refusals": 0, "tool_calls": 0, "time_to_first_token_s": pytest.approx(10e-9),
        "tokens_per_second": pytest.approx(4 / 20e-9), "chunks_per_second": pytest.approx(3 / 20e-9), "mean_gap_s": 0,
        "longest_gap_s": 0,
    }  # fmt: skip


def test_usage_in_every_chunk_the_last_counts() -> None:
    pieces = [chunk("a") | {"usage": {"prompt_tokens": 3, "completion_tokens": n}} for n in (1, 2, 3)]
    assert row(decode_stream(*pieces, chunk(None, "stop") | {"usage": None}))["completion_tokens"] == 3


def test_without_usage_tokens_are_missing_and_never_made_up() -> None:
    found = row(decode_stream(chunk("a"), chunk("b", "stop")))
    assert [found[f"{name}_tokens"] for name in ("prompt", "completion", "total")] == [None] * 3
    assert found["tokens_per_second"] is None
    assert found["chunks_per_second"] == pytest.approx(2 / 20e-9)


def test_several_choices_in_one_stream() -> None:
    found = row(decode_stream(chunk("a b", index=0), chunk("c d", index=1), chunk(" e", "stop"), chunk(None, "length", index=1)))
    assert (found["choices"], found["completion_words"], found["finish_reason"]) == (2, 5, "mixed")


def test_calls_of_tools_in_pieces_are_counted_once() -> None:
    def call(index: int, arguments: str) -> dict[str, Any]:
        return chunk(tool_calls=[{"index": index, "function": {"arguments": arguments}}])

    found = row(decode_stream(call(0, ""), call(0, "{"), call(0, "}"), call(1, "{}"), chunk(None, "tool_calls")))
    assert (found["tool_calls"], found["finish_reason"], found["completion_characters"]) == (2, "tool_calls", 0)
    assert found["chunks_per_second"] == pytest.approx(4 / 20e-9)


def test_thinking_counts_as_a_first_token_but_not_as_an_answer() -> None:
    found = row(decode_stream(chunk(reasoning_content="hm"), chunk("a", "stop")))
    assert found["completion_characters"] == 1
    assert found["chunks_per_second"] == pytest.approx(2 / 20e-9)


@pytest.mark.parametrize(
    "event", [{"error": {"message": "out of memory"}}, 'event: error\ndata: {"message": "x"}\n\n', "event: error\ndata: oops\n\n"]
)
def test_an_error_inside_a_stream(event: Any) -> None:
    found = row(decode_stream(chunk("some"), event))
    assert (found["finish_reason"], found["completion_characters"]) == ("error", 4)


def test_a_stream_that_ends_early() -> None:
    found = row(decode_stream(chunk("some"), ending=""))
    assert (found["finish_reason"], found["completion_characters"], found["completion_tokens"]) == ("interrupted", 4, None)
    assert row(decode_stream(chunk("some"), ending='data: {"choi'))["finish_reason"] == "interrupted"
    assert row(decode_stream(chunk("some", "stop"), ending=""))["finish_reason"] == "stop"
    assert row(decode_stream(chunk("some")))["finish_reason"] is None


CUT = pytest.mark.parametrize(
    ("outcome", "flags", "reason"), [(Outcome.CLIENT_GONE, 0, "incomplete"), (0, Flag.RESPONSE_CUT, "truncated")]
)


@CUT
def test_of_a_stream_that_was_cut_only_what_its_beginning_says_is_known(outcome: int, flags: int, reason: str) -> None:
    running = {"usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}
    pieces = chunk("some") | running, chunk("more", "stop") | {"usage": None}
    result = decode_stream(*pieces, 'data: {"cho', ending="", outcome=outcome, flags=flags)
    assert (result.unobserved, result.undecoded, result.batches[0].ids) == ({reason: 1}, {}, ("c",))
    known = {name: value for name, value in row(result).items() if value is not None}
    assert known == {"prompt_tokens": 3, "time_to_first_token_s": pytest.approx(10e-9)}


@CUT
def test_of_a_stream_whose_last_event_may_lack_lines_that_event_is_not_read(outcome: int, flags: int, reason: str) -> None:
    result = decode_stream('data: {"choices":\n', ending="", outcome=outcome, flags=flags)
    (batch,) = result.batches
    assert (batch.inputs.rows, batch.outputs.rows, result.unobserved, result.undecoded) == (1, 0, {reason: 1}, {})


def test_what_is_wrong_before_a_cut_is_counted_as_wrong() -> None:
    result = decode_stream("data: nonsense\n\n", ending="", flags=Flag.RESPONSE_CUT)
    assert (result.undecoded, result.unobserved) == ({("openai", "json"): 1}, {})


LAST_USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}


@pytest.mark.parametrize(
    ("last", "reason", "tokens"),
    [("data: [DONE]\n\n", "stop", None), (LAST_USAGE, "stop", 4), ({"error": {"message": "no"}}, "error", None)],
    ids=["done", "usage", "error"],
)
def test_a_stream_that_was_cut_behind_its_end_is_known_as_a_whole(last: Any, reason: str, tokens: int | None) -> None:
    found = row(decode_stream(chunk("some"), chunk(" more", "stop"), last, ending="", flags=Flag.RESPONSE_CUT))
    assert (found["finish_reason"], found["completion_tokens"], found["completion_characters"]) == (reason, tokens, 9)
    assert found["chunks_per_second"] == pytest.approx(2 / 20e-9)


def test_the_time_of_a_cut_on_the_wire_is_not_that_of_the_answer() -> None:
    found = row(decode_stream(chunk("some"), chunk(None, "stop"), LAST_USAGE, ending="", outcome=Outcome.UPSTREAM_GONE))
    assert (found["completion_tokens"], found["tokens_per_second"], found["chunks_per_second"]) == (4, None, None)


@CUT
def test_an_answer_in_one_piece_that_was_cut_is_not_read(outcome: int, flags: int, reason: str) -> None:
    one = json_exchange(CHAT, ASKED, {"choices": [{"message": {"content": "a"}}]})
    result = Decoder().decode([msgspec.structs.replace(one, response=one.response[:-1], outcome=outcome, flags=flags)])
    (batch,) = result.batches
    assert (batch.inputs.rows, batch.outputs.rows, result.unobserved, result.undecoded) == (1, 0, {reason: 1}, {})


def test_a_stream_of_nothing_and_a_stream_of_nonsense() -> None:
    assert decode_stream(": nothing\n\n", ending="").unobserved == {"no_rows": 1}
    assert decode_stream("data: nonsense\n\n").undecoded == {("openai", "json"): 1}
    assert decode_stream("data: [1]\n\n").undecoded == {("openai", "fields"): 1}


def test_times_of_a_stream() -> None:
    pieces = [chunk("", role="assistant"), chunk("a"), chunk("b"), chunk("c", "stop")]
    texts = [f"data: {json.dumps(piece)}\n\n".encode() for piece in pieces]
    head = b"HTTP/2 200\r\ncontent-type: text/event-stream\r\n\r\n"
    one = exchange(request_bytes(CHAT, json.dumps(STREAMED).encode()), head + b"".join(texts))
    times = (1_200_000_000, 1_500_000_000, 1_600_000_000, 2_000_000_000)
    marks = b"".join(MARK.pack(time, len(text) << 2 | 1) for time, text in zip(times, texts, strict=True))
    one = msgspec.structs.replace(one, sent_ns=1_000_000_000, first_byte_ns=1_200_000_000, end_ns=2_000_000_000, marks=marks)
    found = row(Decoder().decode([one]))
    names = ("time_to_first_token_s", "mean_gap_s", "longest_gap_s", "chunks_per_second")
    assert [found[name] for name in names] == pytest.approx([0.5, 0.25, 0.4, 3.0])


def vectors(*embeddings: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": place, "embedding": each} for place, each in enumerate(embeddings)]
    return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 6}}


def test_embeddings() -> None:
    found = answered(vectors([3, 4, 0], [0, 0, 1.0]), EMBED, {"model": "m", "input": ["a", "b"]})
    assert found == {"embeddings": 2, "dimension": 3, "norm": 3, "mean": 8 / 6, "prompt_tokens": 5, "total_tokens": 6}


def test_embeddings_in_base64_are_those_in_json() -> None:
    packed = base64.b64encode(np.array([3, 4], "<f4").tobytes()).decode()
    question = {"model": "m", "input": "a", "encoding_format": "base64"}
    assert answered(vectors(packed), EMBED, question) == answered(vectors([3, 4]), EMBED, question)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (vectors([1], [1, 2]), "ragged"), (vectors("AAA="), "shape"), (vectors("no base64!"), "shape"), (vectors([]), "shape"),
        ({}, "fields"), (vectors([[1]]), "fields"), ("x", "json"),
    ],
)  # fmt: skip
def test_embeddings_that_are_none(answer: Any, reason: str) -> None:
    result = Decoder().decode([json_exchange(EMBED, {"model": "m", "input": "a"}, answer)])
    assert result.undecoded == {("openai", reason): 1}


def test_huge_embeddings_have_a_norm_beyond_all_numbers() -> None:
    found = answered(vectors([1e300, -1e300]), EMBED, {"model": "m", "input": "a"})
    assert found["norm"] == math.inf


def test_a_reference_can_be_learned_from_calls() -> None:
    answer = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    calls = [json_exchange(CHAT, ASKED, answer) for _ in range(30)]
    streams = exchange(
        request_bytes(CHAT, json.dumps(STREAMED).encode()), response_bytes(b"data: [DONE]\n\n", "text/event-stream")
    )
    warmup = Warmup(31, "")
    for batch in Decoder().decode([*calls, streams]).batches:
        warmup.add(batch)
    assert warmup.is_full
    schema = warmup.schema()
    assert [column.name for column in schema.outputs][:2] == ["finish_reason", "prompt_tokens"]

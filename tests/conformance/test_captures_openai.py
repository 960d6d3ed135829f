"""Recorded traffic of vLLM: each exchange gives just these columns, or is counted."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from agent.decode.decoder import Decoder
from agent.decode.message import unchunk
from agent.exchange import MARK, Exchange, Flag
from tests.exchanges import CAPTURES, as_lists, captured, captured_cases

if not CAPTURES.is_dir():
    pytest.skip("part missing: recorded captures beside the repository", allow_module_level=True)

MS = 1_000_000

CHAT = {
    "messages": 2.0, "prompt_characters": 26.0, "prompt_words": 6.0, "system_characters": 15.0, "images": 0.0, "tools": 0.0,
    "max_tokens": 8.0, "temperature": 0.0, "top_p": None, "n": 1.0, "stream": False,
}  # fmt: skip
COMPLETION = {
    "prompts": 1.0, "prompt_characters": 5.0, "prompt_words": 1.0, "max_tokens": 6.0, "temperature": None, "top_p": None,
    "n": 1.0, "stream": False,
}  # fmt: skip
NO_TIMES = {"time_to_first_token_s": None, "chunks_per_second": None, "mean_gap_s": None, "longest_gap_s": None}


def answer(tokens: tuple[float, float, float] | None, characters: float, words: float, **others: Any) -> dict[str, Any]:
    prompt, completion, total = tokens or (None, None, None)
    return {
        "finish_reason": "length", "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total,
        "completion_characters": characters, "completion_words": words, "choices": 1.0, "refusals": 0.0, "tool_calls": 0.0,
        "tokens_per_second": None if completion is None else completion / 4, **NO_TIMES,
    } | others  # fmt: skip


# The exchanges below take 5 s, of which 1 s is for the request; streams arrive piece by piece, 100 ms each after 1.5 s.
# A chunk of one token may hold no text, where several tokens make one character.
CHAT_TIMES = {"time_to_first_token_s": 0.8, "chunks_per_second": 0.5, "mean_gap_s": 0.3, "longest_gap_s": 0.3}

READ: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "chat_nonstream": (CHAT, answer((27, 8, 35), 4, 1)),
    "chat_openai_client": (CHAT, answer((27, 8, 35), 4, 1)),
    "chat_logprobs": (CHAT, answer((27, 8, 35), 4, 1)),
    "chat_stream": (CHAT | {"stream": True}, answer(None, 4, 1, **CHAT_TIMES)),
    "chat_stream_usage": (CHAT | {"stream": True}, answer((27, 8, 35), 4, 1, **CHAT_TIMES)),
    "chat_stream_openai_client": (CHAT | {"stream": True}, answer((27, 8, 35), 4, 1, **CHAT_TIMES)),
    "completions": (COMPLETION, answer((1, 6, 7), 6, 1)),
    "completions_stream": (
        COMPLETION | {"prompts": 2.0, "prompt_characters": 10.0, "prompt_words": 2.0, "stream": True},
        answer(
            None, 19, 3, choices=2.0, time_to_first_token_s=0.5, chunks_per_second=1.75, mean_gap_s=1.1 / 6, longest_gap_s=0.3
        ),
    ),
}
FAILED = {"chat_bad_json", "chat_no_messages", "chat_too_long", "chat_wrong_model"}
OTHERS = {"health": "/health", "metrics": "/metrics", "version": "/version"}


def timed(case: str) -> Exchange:
    """A capture with times: each chunk of a stream is a piece of its own, as the server sent it."""
    one = captured(f"vllm/{case}")
    _, _, body = one.response.partition(b"\r\n\r\n")
    marks = b""
    if b"text/event-stream" in one.response:
        at, number = 0, 0
        while at < len(body):
            line, _, _ = body[at:].partition(b"\r\n")
            size = len(line) + 2 + int(line, 16) + 2
            marks += MARK.pack((1500 + 100 * number) * MS, size << 2 | 1)
            at, number = at + size, number + 1
    return msgspec.structs.replace(one, sent_ns=1000 * MS, first_byte_ns=1500 * MS, end_ns=5000 * MS, marks=marks)


def test_every_capture_is_named_here() -> None:
    cases = {case.removeprefix("vllm/") for case in captured_cases() if case.startswith("vllm/")}
    assert cases == READ.keys() | FAILED | OTHERS.keys()


@pytest.mark.parametrize("case", READ)
def test_values(case: str) -> None:
    inputs, outputs = READ[case]
    one = timed(case)
    decoder = Decoder()
    result = decoder.decode([one])
    assert repr(decoder.decode([one])) == repr(result)
    assert (result.undecoded, result.unobserved, result.rows) == ({}, {}, {"openai": 1})
    (batch,) = result.batches
    assert (batch.format, batch.model, batch.version) == ("openai", "tiny", "")
    assert as_lists(batch.inputs) == {name: [value] for name, value in inputs.items()}
    found = {name: value for name, (value,) in as_lists(batch.outputs).items()}
    assert found == {name: pytest.approx(value) if value.__class__ is float else value for name, value in outputs.items()}


@pytest.mark.parametrize("case", READ)
def test_lengths_are_those_of_what_the_client_sent_and_the_server_said(case: str) -> None:
    """Against the recorded bytes themselves, read with the standard library."""
    one = captured(f"vllm/{case}")
    (batch,) = Decoder().decode([one]).batches
    sent = json.loads(one.request.partition(b"\r\n\r\n")[2])
    prompts = [message["content"] for message in sent.get("messages", ())] or sent["prompt"]
    assert as_lists(batch.inputs)["prompt_characters"] == [sum(map(len, prompts))]
    body = one.response.partition(b"\r\n\r\n")[2].decode()
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith(("data: {", "{"))]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    texts = [choice.get("text") or (choice.get("message") or choice.get("delta") or {}).get("content") for choice in choices]
    assert as_lists(batch.outputs)["completion_characters"] == [sum(len(text or "") for text in texts)]
    assert batch.ids == (json.loads(lines[0])["id"],)


@pytest.mark.parametrize("case", sorted(FAILED))
def test_calls_that_the_server_refused_are_counted(case: str) -> None:
    result = Decoder().decode([timed(case)])
    assert (result.routes, result.batches, result.unobserved) == (["/v1/chat/completions"], [], {"status": 1})


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_no_call_of_a_model_is_activity(case: str) -> None:
    result = Decoder().decode([timed(case)])
    assert (result.routes, result.batches, result.unobserved, result.undecoded) == ([OTHERS[case]], [], {}, {})


def test_chats_of_all_clients_are_one_batch() -> None:
    (batch,) = Decoder().decode([timed(case) for case in READ if case.startswith("chat")]).batches
    assert batch.exchanges == 6
    assert as_lists(batch.outputs)["prompt_tokens"] == [27, 27, 27, None, 27, 27]


STREAMS = sorted(case for case, (asked, _) in READ.items() if asked["stream"])


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("case", STREAMS)
def test_a_stream_cut_at_any_byte_says_what_is_known_and_no_more(case: str, coding: str) -> None:
    """A value is that of the whole stream, or missing; what is once known stays known as more bytes come."""
    whole = timed(case)
    if coding:
        head = whole.response.partition(b"\r\n\r\n")[0]
        plain = unchunk(whole.response, len(head) + 4)
        head = head.replace(b"transfer-encoding: chunked", b"content-encoding: gzip")
        assert b"gzip" in head
        whole = msgspec.structs.replace(whole, response=head + b"\r\n\r\n" + gzip.compress(plain), marks=b"")
    decoder = Decoder()
    (batch,) = decoder.decode([whole]).batches
    all_of_it = as_lists(batch.outputs)
    known: set[str] = set()
    for end in range(len(whole.response) + 1):
        one = msgspec.structs.replace(whole, response=whole.response[:end], flags=Flag.RESPONSE_CUT)
        result = decoder.decode([one])
        assert (result.undecoded, result.unobserved) == ({}, {"truncated": 1})
        (cut,) = result.batches
        assert as_lists(cut.inputs) == as_lists(batch.inputs)
        if not cut.outputs.rows:
            assert not known
            continue
        found = as_lists(cut.outputs)
        assert found.keys() == all_of_it.keys()
        told = {name for name, (value,) in found.items() if value is not None}
        assert {name: found[name] for name in told} == {name: all_of_it[name] for name in told}
        assert known <= told
        known = told
    assert known == {name for name, (value,) in all_of_it.items() if value is not None}

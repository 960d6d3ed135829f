"""llama.cpp's server behind the sidecar, called by OpenAI's own client: answers don't change, and each call becomes its row."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import openai
import pytest

from agent.decode.openai import CHAT_INPUTS
from agent.decode.openai_answer import OUTPUTS
from agent.profile.build import build
from agent.profile.write import write
from tests.integration.real.servers import llama
from tests.integration.real.watched import SETTINGS, decisions, settled
from tests.parts import wait_until
from tests.sidecar import sidecar

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

ROWS = 100
TEXT = "is it in the house that was on a hill with an old tree and will he be there"

Row = dict[str, Any]
"""What the client knows of a call, by the columns that Outrider has for it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with llama(tmp_path_factory.mktemp("llama")) as port:
        yield port


@contextmanager
def client(port: int) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def text(draw: random.Random, factor: int) -> str:
    return " ".join(draw.choices(TEXT.split(), k=draw.randint(5, 20) * factor))


def options(number: int) -> dict[str, Any]:
    """Nothing may depend on the calls before, so that two runs give the same words."""
    return {"model": "tiny", "max_tokens": 24, "temperature": 0.9, "seed": number, "extra_body": {"cache_prompt": False}}


def chat(calls: openai.OpenAI, draw: random.Random, number: int, factor: int) -> Row:
    prompt = text(draw, factor)
    messages: Any = [{"role": "system", "content": "be kind"}, {"role": "user", "content": prompt}]
    if number % 2:
        pieces = calls.chat.completions.create(
            messages=messages, stream=True, stream_options={"include_usage": True}, **options(number)
        )
        found = [*pieces]
        words = "".join(choice.delta.content or "" for piece in found for choice in piece.choices)
        (reason,) = {choice.finish_reason for piece in found for choice in piece.choices if choice.finish_reason}
        usage = found[-1].usage
    else:
        whole = calls.chat.completions.create(messages=messages, **options(number))
        words, reason, usage = whole.choices[0].message.content or "", whole.choices[0].finish_reason, whole.usage
    return row({"messages": 2, "system_characters": 7}, "be kind", prompt) | answer(words, reason, usage)


def completion(calls: openai.OpenAI, draw: random.Random, number: int, factor: int) -> Row:
    prompt = text(draw, factor)
    if number % 2:
        pieces = calls.completions.create(prompt=prompt, stream=True, stream_options={"include_usage": True}, **options(number))
        found = [*pieces]
        words = "".join(choice.text for piece in found for choice in piece.choices)
        (reason,) = {choice.finish_reason for piece in found for choice in piece.choices if choice.finish_reason}
        usage = found[-1].usage
    else:
        whole = calls.completions.create(prompt=prompt, **options(number))
        words, reason, usage = whole.choices[0].text, whole.choices[0].finish_reason, whole.usage
    return row({"prompts": 1}, prompt) | answer(words, reason, usage)


def row(first: Row, *texts: str) -> Row:
    return first | {"prompt_characters": sum(map(len, texts)), "prompt_words": sum(len(each.split()) for each in texts)}


def answer(words: str, reason: str | None, usage: Any) -> Row:
    return {
        "finish_reason": reason,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "completion_characters": len(words),
        "completion_words": len(words.split()),
    }


def embedding(calls: openai.OpenAI, draw: random.Random, number: int, factor: int) -> Row:
    texts = [text(draw, factor) for _ in range(2)]
    given: Any = {"encoding_format": "float"} if number % 2 else {}  # the client's own choice is base64
    found = calls.embeddings.create(model="tiny", input=texts, **given)
    vectors = np.array([each.embedding for each in found.data])
    return {
        "inputs": 2,
        "input_characters": sum(map(len, texts)),
        "input_words": sum(len(each.split()) for each in texts),
        "dimension": vectors.shape[1],
        "norm": float(np.linalg.norm(vectors, axis=1).mean()),
        "mean": float(vectors.mean()),
        "prompt_tokens": found.usage.prompt_tokens,
    }


Ask = Callable[[openai.OpenAI, random.Random, int, int], Row]
OF_THE_ANSWER = {"dimension", "norm", "mean", *OUTPUTS}


def ask_all(ask: Ask, port: int, seed: int, factor: int = 1) -> list[Row]:
    draw = random.Random(seed)
    with client(port) as calls:
        return [ask(calls, draw, number, factor) for number in range(ROWS)]


def by_column(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [each[name] for each in rows] for name in rows[0]}


def drifted(report: Any) -> set[str]:
    return {name for name, decision in decisions(report).items() if decision == "drifted"}


@pytest.mark.parametrize(
    ("ask", "longer"),
    [
        (chat, {"prompt_characters", "prompt_words", "prompt_tokens", "total_tokens"}),
        (completion, {"prompt_characters", "prompt_words", "prompt_tokens", "total_tokens"}),
        (embedding, {"input_characters", "input_words", "prompt_tokens"}),
    ],
)
def test_each_call_is_the_row_that_its_client_saw(server: int, tmp_path: Path, ask: Ask, longer: set[str]) -> None:
    training = by_column(ask_all(ask, server, seed=1) + ask_all(ask, server, seed=2))
    profile = tmp_path / "profile.json"
    answers = [name for name in training if name in OF_THE_ANSWER]
    numbers = [name for name in answers if name != "finish_reason"]  # else whole numbers of a classifier are its classes
    write(build(training, prediction=answers, numeric=numbers), profile)
    calm = dict.fromkeys(training, "ok")
    with sidecar(tmp_path, server, SETTINGS | {"OUTRIDER_PROFILE": str(profile)}) as running:
        sent = ask_all(ask, running.port, seed=3)
        assert sent == ask_all(ask, server, seed=3)
        report = settled(running, ROWS, calm)
        assert (report["rows"], decisions(report)) == (ROWS, calm)
        columns = {column["name"]: column for column in report["columns"] if column["role"] != "derived"}
        assert {name: (column["rows"], column["missing_share"]) for name, column in columns.items()} == dict.fromkeys(
            calm, (ROWS, 0)
        )
        means = {name: fmean(values) for name, values in by_column(sent).items() if name != "finish_reason"}
        assert {name: columns[name]["mean"] for name in means} == pytest.approx(means, rel=1e-5)

        ask_all(ask, running.port, seed=4, factor=8)
        wait_until(lambda: longer <= drifted(running.report()), "what depends on the prompts' length drifts")
        assert drifted(running.report()).isdisjoint(
            set(calm) - longer - OF_THE_ANSWER
        )  # longer questions may be answered otherwise
        wait_until(lambda: running.metric('outrider_decoded_total{format="openai"}') == 2 * ROWS, "each call is read")
        assert running.metric("outrider_undecoded_total") == 0
        assert running.metric("outrider_unobserved_total") == 0
        assert running.stop() == 0
        assert " error " not in running.log().lower()


def test_without_a_profile_the_first_calls_are_the_reference(server: int, tmp_path: Path) -> None:
    with sidecar(tmp_path, server, SETTINGS | {"OUTRIDER_WARMUP_ROWS": "100"}) as running:
        for seed in (3, 4, 5):  # neither the reference nor the window may have less than 100 rows
            ask_all(chat, running.port, seed)
        wait_until(lambda: running.report()["decision"] not in {"no_reference", "insufficient"}, "a decision")
        columns = {column["name"]: column for column in running.report()["columns"] if column["role"] != "derived"}
    assert {name for name, column in columns.items() if column["role"] == "feature"} == set(CHAT_INPUTS)
    assert {name for name, column in columns.items() if column["role"] != "feature"} <= set(OUTPUTS)
    assert columns["finish_reason"]["role"] == "prediction"
    streamed = columns["time_to_first_token_s"]
    assert streamed["missing_share"] == pytest.approx(0.5, abs=0.02)  # every second call is streamed
    assert 0 < streamed["mean"] < 5


def test_a_stream_without_usage_has_none(server: int, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    training = {"prompt_words": [4, 5] * 100, "finish_reason": ["length", "stop"] * 100, "completion_tokens": [24, 12] * 100}
    write(build(training, prediction=["finish_reason", "completion_tokens"]), profile)
    with sidecar(tmp_path, server, SETTINGS | {"OUTRIDER_PROFILE": str(profile)}) as running, client(running.port) as calls:
        for number in range(20):
            asked: Any = [{"role": "user", "content": "is it in there"}]
            pieces: Any = calls.chat.completions.create(messages=asked, stream=True, **options(number))
            for piece in pieces:
                assert piece.usage is None
        wait_until(lambda: running.report()["rows"] == 20, "all calls are in the report")
        columns = {column["name"]: column for column in running.report()["columns"] if column["role"] != "derived"}
    assert {name: column["missing_share"] for name, column in columns.items()} == {
        "prompt_words": 0, "finish_reason": 0, "completion_tokens": 1,
    }  # fmt: skip


def test_what_the_server_refuses_is_no_row(server: int, tmp_path: Path) -> None:
    with sidecar(tmp_path, server, SETTINGS) as running, client(running.port) as calls:
        with pytest.raises(openai.APIStatusError) as refused:
            calls.chat.completions.create(model="tiny", messages=[], extra_body={"messages": "none"})
        assert refused.value.status_code >= 400
        wait_until(lambda: running.metric('outrider_unobserved_total{reason="status"}') == 1, "the refused call is counted")
        assert running.metric("outrider_decoded_total") == 0

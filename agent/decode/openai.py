"""OpenAI-compatible servers: chat, completions and embeddings, streamed or not. One row a call, however many prompts it holds.

Texts never become values: only their lengths do, and reasons from a closed set. What a client or a server did not say is
missing, never made up; only ``stream`` and ``n`` have the defaults that the API itself defines (false and 1).

=============  ====================================================================================================
call           columns of the request
=============  ====================================================================================================
all three      ``prompt_characters``, ``prompt_words``: all texts together; missing where the prompt is tokens
chat           ``messages``, ``system_characters`` (roles ``system``, ``developer``), ``images``, ``tools``
completions    ``prompts``: how many, each a text or a list of tokens
embeddings     ``inputs``: likewise; nothing of what follows
both answers   ``max_tokens`` (or ``max_completion_tokens``), ``temperature``, ``top_p``, ``n``, ``stream``
=============  ====================================================================================================

========================  =========================================================================================
column of the answer      meaning
========================  =========================================================================================
``finish_reason``         a category, see `agent.decode.openai_answer.REASONS`
``prompt_tokens``         of ``usage``, like ``completion_tokens``, ``total_tokens``; a stream has it only if the client
                          asked (``stream_options.include_usage``), and some servers repeat it in every chunk: the last counts
``completion_characters`` all choices together, like ``completion_words``
``choices``               how many; ``refusals``, ``tool_calls``: of all choices
``time_to_first_token_s`` from the request's last byte to the piece of the stream that had the first text (or call of a tool);
                          only streams have it
``tokens_per_second``     ``completion_tokens`` over the time from the request's last byte to the answer's last
``chunks_per_second``     of a stream: chunks with text over the same time. A chunk may hold several tokens
``mean_gap_s``            of a stream: between one chunk with text and the next, like ``longest_gap_s``
========================  =========================================================================================

Embeddings are answered with ``embeddings`` (how many), ``dimension``, ``norm`` and ``mean`` (means over all vectors; a client
that asks for base64, as OpenAI's own does, gets little-endian float32), ``prompt_tokens`` and ``total_tokens``.

A stream is ``data: {...}`` events up to ``data: [DONE]``. A server that fails midway says so in an event of a stream that began
with 200. Of a stream that was recorded in part (over `OUTRIDER_CAPTURE_BYTES`, or cut off on the wire) the time to the first
token is known, and the rest only where the stream was over before the cut.

Sources: OpenAI API reference; vLLM 0.32; recorded traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agent.decode.block import Block, as_float, pack_flat
from agent.decode.format import EVENTS, JSON, Format, by_body
from agent.decode.openai_answer import decoded, lengths, read_answer, read_stream, read_vectors
from agent.errors import DecodeError


class Message(msgspec.Struct, gc=False):
    """A message of a request."""

    role: str | None = None
    content: Any = None


class Request(msgspec.Struct):
    """A request of any of the three."""

    model: str = ""
    messages: list[Message] | None = None
    prompt: Any = None
    input: Any = None
    max_tokens: float | None = None
    max_completion_tokens: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: float | None = None
    stream: bool | None = None
    tools: list[Any] | None = None


_request = msgspec.json.Decoder(Request)

_LENGTHS = ("prompt_characters", "prompt_words")
_OPTIONS = ("max_tokens", "temperature", "top_p", "n", "stream")
CHAT_INPUTS = ("messages", *_LENGTHS, "system_characters", "images", "tools", *_OPTIONS)
COMPLETION_INPUTS = ("prompts", *_LENGTHS, *_OPTIONS)
EMBEDDING_INPUTS = ("inputs", "input_characters", "input_words")


def read_chat(body: bytes) -> Block:
    """Read a chat's request.

    Raises
    ------
    DecodeError
        ``json``; ``fields`` where there are no messages, or a field is of another type than the API's.
    """
    request = decoded(_request, body)
    if request.messages is None:
        raise DecodeError("openai", "fields")
    texts, system, images = _conversation(request.messages)
    tools = len(request.tools or ())
    row = (len(request.messages), *lengths(texts), sum(map(len, system)), images, tools, *_options(request))
    return Block(CHAT_INPUTS, False, 1, [row], model=request.model)


def read_completion(body: bytes) -> Block:
    """Read a completion's request. Errors as `read_chat`, with ``prompt``."""
    request = decoded(_request, body)
    count, sizes = _prompts(request.prompt)
    return Block(COMPLETION_INPUTS, False, 1, [(count, *sizes, *_options(request))], model=request.model)


def read_embedding(body: bytes) -> Block:
    """Read an embedding's request. Errors as `read_chat`, with ``input``, or ``messages`` as vLLM takes them."""
    request = decoded(_request, body)
    count: int
    sizes: tuple[int | None, int | None]
    if request.input is None and request.messages is not None:
        count, sizes = 1, lengths(_conversation(request.messages)[0])
    else:
        count, sizes = _prompts(request.input)
    return Block(EMBEDDING_INPUTS, True, 1, pack_flat([count, *map(as_float, sizes)]), model=request.model)


def _conversation(messages: Sequence[Message]) -> tuple[list[str], list[str], int]:
    """Give all texts, those of the system alone, and the number of images."""
    texts: list[str] = []
    system: list[str] = []
    images = 0
    for message in messages:
        content = message.content
        found = [content] if type(content) is str else []
        if type(content) is list:
            for part in content:
                if type(part) is str:
                    found.append(part)
                elif type(part) is dict:
                    images += part.get("type") in ("image_url", "input_image", "image")
                    text = part.get("text")
                    found += [text] if type(text) is str else []
        texts += found
        if message.role in ("system", "developer"):
            system += found
    return texts, system, images


def _prompts(prompt: Any) -> tuple[int, tuple[int | None, int | None]]:
    """Give the number of prompts and the lengths of all, which are missing where they are tokens."""
    if type(prompt) is str:
        return 1, lengths([prompt])
    if type(prompt) is not list or not prompt:
        raise DecodeError("openai", "fields")
    kinds = set(map(type, prompt))
    if kinds == {str}:
        return len(prompt), lengths(prompt)
    return 1 if kinds == {int} else len(prompt), (None, None)


def _options(request: Request) -> tuple[float | bool | None, ...]:
    most = request.max_completion_tokens if request.max_completion_tokens is not None else request.max_tokens
    n = 1 if request.n is None else request.n
    return most, request.temperature, request.top_p, n, bool(request.stream)


_ANSWERS = {JSON: read_answer, EVENTS: read_stream}
CHAT = Format("openai", {JSON: by_body(read_chat)}, _ANSWERS, reads_cut=(EVENTS,))
COMPLETIONS = Format("openai", {JSON: by_body(read_completion)}, _ANSWERS, reads_cut=(EVENTS,))
EMBEDDINGS = Format("openai", {JSON: by_body(read_embedding)}, {JSON: by_body(read_vectors)})

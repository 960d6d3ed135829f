"""Reads an OpenAPI document or a sample of a call, and writes the routes that would read such calls."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from agent.batch import Side
from agent.decode.decoder import Decoder
from agent.decode.message import body_of, request_head, request_lines, response_head, response_lines
from agent.decode.routes import Routes
from agent.errors import ConfigError, DecodeError
from agent.exchange import Exchange
from agent.route_language import METHODS, CustomRoute, parse
from agent.suggest.choose import choose_inputs, choose_outputs, known_format
from agent.suggest.shape import UNKNOWN, Shape, resolved, shape_of_schema, shape_of_value

_MODEL_PARTS = ("model", "model_name", "modelName", "model_id")
_VERSION_PARTS = ("version", "model_version", "modelVersion")
_HTTP_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/\d")
_KEYS = {
    "kserve-v1": {"instances", "inputs"}, "open-inference": {"inputs"}, "openai": {"messages", "prompt", "input"},
}  # fmt: skip
"""Keys of which a known path's requests have one, by format."""
_USAGE = "outrider routes suggest request.json response.json --path /predict"


class _Call(NamedTuple):
    """What can be called."""

    method: str
    path: str
    title: str
    request: Shape
    response: Shape
    says_body: bool
    """Whether anything is said of a JSON body."""


def suggest(texts: Sequence[bytes], path: str = "", method: str = "POST") -> str:
    """Write the setting, with what was found and why in comments above it.

    Parameters
    ----------
    texts
        An OpenAPI document; or a request and, if there is one, its response, each as JSON or as raw HTTP.
    path, method
        Where a request that is only JSON is sent.

    Raises
    ------
    ConfigError
        What was given says nothing of a route, or can't be read; the message says what to give instead.
    """
    first = texts[0].lstrip(b"\xef\xbb\xbf \r\n\t")
    raw = _HTTP_REQUEST.match(first)
    if raw:
        method, path = raw[1].decode(), path or urlsplit(raw[2].decode("latin-1")).path
    value = _json(_body(first), "the first file")
    if isinstance(value, dict) and isinstance(value.get("paths"), dict) and ("openapi" in value or "swagger" in value):
        if len(texts) > 1:
            raise ConfigError(["an OpenAPI document holds requests and responses: give that file alone"])
        return _of_calls(list(_calls(value)))
    if not path.startswith("/"):
        raise ConfigError([f"a sample doesn't say where it is sent: add --path, such as: {_USAGE}"])
    answer = _json(_body(texts[1]), "the second file") if len(texts) > 1 else None
    call = _Call(method, path, "", shape_of_value(value), shape_of_value(answer), says_body=True)
    return _of_calls([call], (value, answer))


def _body(text: bytes) -> bytes:
    """Give the body of raw HTTP with its codings undone, or the text as it is."""
    is_request = _HTTP_REQUEST.match(text)
    if not is_request and not re.match(rb"HTTP/\d", text):
        return text
    start = text.find(b"\r\n\r\n") + 4
    if start < 4:  # edited by hand: lines end in LF, and lengths are no longer right
        return re.split(rb"\r?\n\r?\n", text, maxsplit=1)[-1]
    try:
        lines = request_lines(text[:start]) if is_request else response_lines(text[:start])
        return body_of(request_head(lines) if is_request else response_head(lines), text, start)
    except DecodeError as error:
        raise ConfigError([f"the HTTP message can't be read ({error.reason}): give its body alone, as JSON"]) from None


def _json(text: bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError([f"{what} is no JSON: give an OpenAPI document as JSON, or a sample: {_USAGE}"]) from None


def _calls(document: dict[str, Any]) -> Iterator[_Call]:
    """Give what an OpenAPI document says can be called with a body."""
    base = _base(document)
    for path, item in document["paths"].items():
        operations = resolved(item, document)
        for method in METHODS:
            operation = resolved(operations.get(method.lower()), document)
            if not operation:
                continue
            request = _schema_of(operation.get("requestBody"), document)
            if request is None:  # Swagger 2 has the body among the parameters
                parameters = [resolved(each, document) for each in operation.get("parameters") or ()]
                request = next((each.get("schema") for each in parameters if each.get("in") == "body"), None)
            answers = operation.get("responses")
            answers = answers if isinstance(answers, dict) else {}
            answer = next((answers[code] for code in ("200", "201", "2XX", "default") if code in answers), None)
            yield _Call(
                method, _template(base + path), str(operation.get("summary") or operation.get("operationId") or ""),
                shape_of_schema(request, document), shape_of_schema(_schema_of(answer, document), document),
                says_body=request is not None,
            )  # fmt: skip


def _base(document: dict[str, Any]) -> str:
    servers = document.get("servers")
    url = servers[0].get("url") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else None
    base = urlsplit(url).path if isinstance(url, str) and "{" not in url else document.get("basePath")
    return base.rstrip("/") if isinstance(base, str) else ""


def _schema_of(message: Any, document: dict[str, Any]) -> Any:
    """Give the schema of a request's or a response's JSON, ``None`` where it has none."""
    message = resolved(message, document)
    content = message.get("content")
    for media, body in (content if isinstance(content, dict) else {}).items():
        if re.match(r"(application/(.*\+)?json|\*/\*)", media) and isinstance(body, dict):
            return body.get("schema", {})
    return message.get("schema")


def _template(path: str) -> str:
    """Write a path template as `OUTRIDER_ROUTES` has it."""

    def part(match: re.Match[str]) -> str:
        name = match[1].partition(":")[0]
        known = "model" if name in _MODEL_PARTS else "version" if name in _VERSION_PARTS else ""
        return f"{{{known or re.sub(r'[^A-Za-z0-9_]', '_', name) or 'part'}}}"

    return re.sub(r"\{([^{}]*)\}", part, path)


def _of_calls(calls: Sequence[_Call], sample: tuple[Any, Any] | None = None) -> str:
    """Write comments and the setting."""
    notes: list[str] = []
    found: list[CustomRoute] = []
    read_anyway = Routes()
    known = False
    for call in calls:
        notes.append(f"{call.method} {call.path}" + (f" ({' '.join(call.title.split())[:80]})" if call.title else ""))
        wire = read_anyway.match(call.method, call.path).format
        if wire is not None and _fits(wire.name, call.request):
            known = True
            notes.append(f"  is read without configuration, as {wire.name}")
        elif not call.says_body:
            notes.append(f"  nothing is said of a JSON body; if it has one, give a sample: {_USAGE}")
        else:
            found += _routes(call, notes)
    if not found and not known:
        fault = "there is no POST with a JSON body that could be read"
        raise ConfigError([fault, *notes] if notes else [f"{fault}; give a sample of a call instead: {_USAGE}"])
    text = "; ".join(map(str, found))
    if sample is not None:
        notes += _reads(found, calls[0], sample)
    setting = f"OUTRIDER_ROUTES={shlex.quote(text)}" if found else "No setting is needed."
    # Nothing of a document may end a comment: the output is made to be given to a shell.
    comments = ["# " + "".join(letter if letter.isprintable() else "?" for letter in note) for note in notes]
    return "\n".join([*comments, setting if found else f"# {setting}"])


def _fits(format: str, request: Shape) -> bool:
    """Tell whether a request on a known path has a key that its format promises; nothing known of it is fine."""
    return not request.fields or not _KEYS.get(format) or not _KEYS[format].isdisjoint(request.fields)


def _routes(call: _Call, notes: list[str]) -> Sequence[CustomRoute]:
    """Give the route of a call, if there is one that can be written."""
    route = _route(call, notes)
    if route is None:
        return ()
    try:
        return parse(str(route)) if call.path.isprintable() else ()
    except ValueError as error:
        notes.append(f"  can't be written as a route: {error}")
        return ()


def _route(call: _Call, notes: list[str]) -> CustomRoute | None:
    wire = known_format(call.request, call.response)
    if wire:
        notes.append(f"  the keys are those of the format {wire}")
        return CustomRoute(call.path, format=wire, method=call.method)
    inputs = choose_inputs(call.request)
    notes.extend(f"  inputs: {note}" for note in inputs.notes)
    if not inputs.columns:
        return None
    outputs = choose_outputs(call.response)
    if call.response == UNKNOWN:
        outputs.columns, outputs.notes = "", ["nothing is said of the response; a sample of one would show what to read"]
    notes.extend(f"  outputs: {note}" for note in outputs.notes)
    words = (outputs.words if outputs.columns else {}) | inputs.words
    for word in ("model", "version"):
        if f"{{{word}}}" in call.path:
            words.pop(word, None)
    if "model" not in words and "{model}" not in call.path:
        notes.append("  what the model is called is not said; add model=NAME where there are several models")
    return CustomRoute(call.path, inputs.columns, outputs.columns, method=call.method, **words)


def _reads(found: Sequence[CustomRoute], call: _Call, sample: tuple[Any, Any]) -> list[str]:
    """Try the routes on the sample itself."""
    target = re.sub(r"\{\w+\}", "x", call.path)
    bodies = [json.dumps(value).encode() for value in sample]
    request = f"{call.method} {target} HTTP/1.1\r\nContent-Length: {len(bodies[0])}\r\n\r\n".encode() + bodies[0]
    response = f"HTTP/1.1 200 OK\r\nContent-Length: {len(bodies[1])}\r\n\r\n".encode() + bodies[1]
    exchange = Exchange("http/1.1", call.method, target, 200, 0, 0, 0, 0, 0, 0, 0, 0, request, response)
    result = Decoder(found).decode([exchange])
    notes = [f"  of this sample, this reads {_table(batch.inputs)}, and {_table(batch.outputs)}" for batch in result.batches]
    reasons = [*(reason for _, reason in result.undecoded), *result.unobserved]
    unread = [f"  of this sample, something can't be read: {reason}" for reason in reasons]
    return notes + (unread if sample[1] is not None or not notes else [])


def _table(side: Side) -> str:
    if not side.rows:
        return "no outputs"
    names = ", ".join(side.names[:12]) + (", ..." if len(side.names) > 12 else "")
    return f"{side.rows} row{'s' * (side.rows > 1)} of {len(side.names)} column{'s' * (len(side.names) > 1)} ({names})"

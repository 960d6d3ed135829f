"""TensorFlow Serving's REST API for classification and regression; its prediction API is read by `agent.decode.kserve_v1`.

Request: ``{"examples": [{"feature": value or list, ...}, ...], "context": {...}}``. An example is a row, ``context`` holds
features that all examples share. A feature of an example is always a list to TensorFlow, so a list of one is its value.

Response of ``:regress``: ``{"results": [value, ...]}``, one each example. Of ``:classify``: a list of ``[label, score]`` pairs
for each; they become a column ``label``, the one with the highest score, and one column ``scores.<label>`` for each class.
Without labels (they are empty then) the columns are ``scores[0]``, ``scores[1]``, ... The documentation says ``result``, the
server writes ``results``: both are taken.

Source: TensorFlow Serving "RESTful API"; ``tensorflow_serving/util/json_tensor.cc``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from agent.decode.block import MAX_RANK, MAX_REPEATED_CELLS, Block, numbers, table_of_rows
from agent.decode.format import JSON, Format, by_body
from agent.decode.json_text import JSON_FAULTS, JsonText
from agent.decode.opaque import without_base64
from agent.errors import DecodeError

_NAME = "tensorflow-serving"


class Request(msgspec.Struct, gc=False):
    """The usual request."""

    examples: list[dict[str, float | None]]
    context: None = None


class AnyRequest(msgspec.Struct, gc=False):
    """Any request."""

    examples: list[dict[str, Any]]
    context: dict[str, Any] | None = None


class Regression(msgspec.Struct, gc=False):
    """The usual response of ``:regress``."""

    results: list[float | None]


class AnyResponse(msgspec.Struct, gc=False):
    """Any response."""

    results: Any = None
    result: Any = None


_REQUEST = JsonText(Request, AnyRequest)
_RESPONSE = JsonText(Regression, AnyResponse)


def read_examples(body: bytes) -> Block:
    """Read a request's examples.

    Raises
    ------
    NotObserved, DecodeError
        ``json``, ``fields``, ``too_many_values`` where the context would fill too many rows, or one of `table_of_rows`.
    """
    try:
        return numbers(_REQUEST.exact(body).examples)
    except JSON_FAULTS as error:
        request = _REQUEST.loose(body, error)
    context = request.context or {}
    if context and cells_of(context) * len(request.examples) > MAX_REPEATED_CELLS:
        raise DecodeError(_NAME, "too_many_values")
    examples = request.examples
    if b'"b64"' in body:
        context, examples = without_base64(context), without_base64(examples)
        if {dict} != {type(context), *map(type, examples)}:
            raise DecodeError(_NAME, "fields")  # {"b64": ...} is a value, and in the place of a row
    lists = {
        name
        for features in chain((context,), examples)
        for name, value in features.items()
        if type(value) is list and len(value) != 1
    }
    return table_of_rows(
        [
            {
                name: value[0] if type(value) is list and name not in lists else value
                for name, value in chain(context.items(), example.items())
            }
            for example in examples
        ]
    )


def cells_of(value: Any, depth: int = 0) -> int:
    """Count the scalars in JSON; what is empty, or nested too deeply for a row, counts as one."""
    if depth > MAX_RANK or type(value) not in (list, dict):
        return 1
    items = value.values() if type(value) is dict else value
    return sum([cells_of(item, depth + 1) for item in items]) or 1


def read_regression(body: bytes) -> Block:
    """Read the values of a regression.

    Raises
    ------
    NotObserved, DecodeError
        As `read_examples`.
    """
    try:
        return numbers(_RESPONSE.exact(body).results)
    except JSON_FAULTS as error:
        return table_of_rows(_results(_RESPONSE.loose(body, error)))


def read_classes(body: bytes) -> Block:
    """Read the label and the scores of each example.

    Raises
    ------
    NotObserved, DecodeError
        As `read_examples`.
    """
    try:
        response: Any = _decode_any(body)
    except JSON_FAULTS as error:
        response = _RESPONSE.loose(body, error)
    return table_of_rows(list(map(_classes, _results(response))))


_decode_any = msgspec.json.Decoder(AnyResponse).decode


def _results(response: AnyResponse) -> list[Any]:
    found = response.results if response.results is not None else response.result
    if type(found) is not list:
        raise DecodeError(_NAME, "fields")
    return found


def _classes(pairs: Any) -> dict[str, Any]:
    if type(pairs) is not list or not all(map(_is_class, pairs)):
        raise DecodeError(_NAME, "fields")
    labels: Sequence[str] = [label for label, _ in pairs]
    scores: Sequence[float] = [score for _, score in pairs]
    if not pairs or "" in labels or len(set(labels)) != len(labels):
        return {"scores": scores}
    return {"label": max(pairs, key=lambda pair: pair[1])[0], "scores": dict(zip(labels, scores, strict=True))}


def _is_class(pair: Any) -> bool:
    return type(pair) is list and len(pair) == 2 and type(pair[0]) is str and type(pair[1]) in (int, float)


TENSORFLOW_CLASSIFY = Format(_NAME, {JSON: by_body(read_examples)}, {JSON: by_body(read_classes)})
TENSORFLOW_REGRESS = Format(_NAME, {JSON: by_body(read_examples)}, {JSON: by_body(read_regression)})

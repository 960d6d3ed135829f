"""Messages as MLServer's own codecs write them: a process of its environment that writes one for each line it is given.

A line is a JSON object: ``kind``, the codec's content type, and ``columns`` by name. Back come request and answer, as JSON and as
gRPC's messages with typed and with raw contents, in base64.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from mlserver.codecs import (  # type: ignore[import-not-found,unused-ignore]
    Base64Codec,
    DatetimeCodec,
    NumpyRequestCodec,
    PandasCodec,
    StringCodec,
    StringRequestCodec,
)
from mlserver.grpc.converters import (  # type: ignore[import-not-found,unused-ignore]
    ModelInferRequestConverter,
    ModelInferResponseConverter,
)
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found,unused-ignore]

from tests.integration.real.errands import answer_lines

Columns = dict[str, list[Any]]
Pair = tuple[Any, Any]


def _whole(codec: Any, payload: Any, **how: Any) -> Pair:
    """A request and an answer of which all is one table."""
    return codec.encode_request(payload, **how), codec.encode_response("m", payload, model_version="3", **how)


def _each(codec: Any, columns: Columns, taken: Callable[[Any], Any] = lambda value: value, **how: Any) -> Pair:
    """A request and an answer with a tensor for each column."""
    payloads = {name: [taken(value) for value in values] for name, values in columns.items()}
    inputs = [codec.encode_input(name, payload, **how) for name, payload in payloads.items()]
    outputs = [codec.encode_output(name, payload, **how) for name, payload in payloads.items()]
    return InferenceRequest(inputs=inputs), InferenceResponse(model_name="m", model_version="3", outputs=outputs)


def _pair(kind: str, columns: Columns, *, use_bytes: bool) -> Pair:
    if kind == "pd":
        frame = pd.DataFrame(columns)
        texts = frame.columns[frame.dtypes == "str"]  # of pandas 3, which this MLServer does not know
        return _whole(PandasCodec, frame.astype(dict.fromkeys(texts, object)), use_bytes=use_bytes)
    if kind == "np":
        return _whole(NumpyRequestCodec, np.array(list(columns.values())).T)
    if kind == "str":
        (words,) = columns.values()
        return _whole(StringRequestCodec, words, use_bytes=use_bytes)
    if kind == "base64":
        return _each(Base64Codec, columns, str.encode, use_bytes=use_bytes)
    if kind == "datetime":
        return _each(DatetimeCodec, columns, datetime.fromisoformat, use_bytes=use_bytes)
    return _each(StringCodec, columns, use_bytes=use_bytes)


def written(wanted: dict[str, Any]) -> dict[str, list[str]]:
    """Both sides in each form."""
    kind, columns = wanted["kind"], wanted["columns"]
    request, response = _pair(kind, columns, use_bytes=False)
    packed, answered = _pair(kind, columns, use_bytes=True)
    request.id = response.id = packed.id = answered.id = "q-1"
    found = {"json": (request.model_dump_json().encode(), response.model_dump_json().encode())}
    for form, raw in (("typed", False), ("raw", True)):
        asked = ModelInferRequestConverter.from_types(packed.model_copy(deep=True), "m", "", use_raw=raw)
        answer = ModelInferResponseConverter.from_types(answered.model_copy(deep=True), use_raw=raw)
        found[form] = (asked.SerializeToString(), answer.SerializeToString())
    return {form: [base64.b64encode(body).decode() for body in bodies] for form, bodies in found.items()}


if __name__ == "__main__":
    answer_lines(written)

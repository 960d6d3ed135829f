"""Bodies as SageMaker's own packages write them: a process of their environment that writes one for each line it is given.

A line is a JSON object: ``side``, ``kind``, ``form`` and ``rows``. Back come the content type, the body in base64, and what the
package of the other side reads of it.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sagemaker.core import deserializers, serializers  # type: ignore[import-not-found,unused-ignore]
from sagemaker_inference import decoder, encoder  # type: ignore[import-not-found,unused-ignore]

FORMS: dict[str, Callable[[list[list[Any]]], Any]] = {
    "list": lambda rows: rows,
    "array": np.array,
    "frame": pd.DataFrame,
    "tuples": lambda rows: [tuple(row) for row in rows],
    "flat": lambda rows: rows[0],
    "objects": lambda rows: [{f"c{at}": value for at, value in enumerate(row)} for row in rows],
    "instances": lambda rows: {"instances": rows},
    "features": lambda rows: [{"features": row} for row in rows],
}

SERIALIZERS = {
    "csv": serializers.CSVSerializer, "json": serializers.JSONSerializer, "lines": serializers.JSONLinesSerializer,
    "npy": serializers.NumpySerializer,
}  # fmt: skip
TYPES = {"csv": "text/csv", "json": "application/json", "npy": "application/x-npy"}
DESERIALIZERS = {
    "csv": deserializers.CSVDeserializer, "json": deserializers.JSONDeserializer, "npy": deserializers.NumpyDeserializer,
}  # fmt: skip


def asked(kind: str, data: Any) -> tuple[str, bytes, Any]:
    """What the client sends, and the array that a container makes of it."""
    serializer = SERIALIZERS[kind]()
    body = serializer.serialize(data)
    read = decoder.decode(body, TYPES[kind]).tolist() if kind == "npy" else None
    return serializer.content_type, body if isinstance(body, bytes) else body.encode(), read


def answered(kind: str, data: Any) -> tuple[str, bytes, Any]:
    """What a container answers, and what the client reads."""
    body = encoder.encode(data, TYPES[kind])
    content = body if isinstance(body, bytes) else body.encode()
    read = DESERIALIZERS[kind]().deserialize(io.BytesIO(content), TYPES[kind])
    return TYPES[kind], content, np.asarray(read).tolist()


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # what packages print must not come between
    for line in sys.stdin:
        wanted = json.loads(line)
        write = asked if wanted["side"] == "asked" else answered
        media, content, read = write(wanted["kind"], FORMS[wanted["form"]](wanted["rows"]))
        print(json.dumps([media, base64.b64encode(content).decode(), read]), file=answers, flush=True)

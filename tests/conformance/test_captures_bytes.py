"""The recorded bytes once more, read with the standard library and numpy alone: the decoder gives value by value the same.

`test_captures` says what the values are; here nothing is written down, so no table can be wrong in the same way as a decoder.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest

from agent.decode.decoder import Decoder
from tests.conformance.test_captures import READ
from tests.exchanges import CAPTURES, as_lists, captured
from tests.http1 import content_of

NUMPY = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}
KEYS = ("instances", "inputs", "dataframe_records", "predictions")
HEADER = re.compile(rb"(?i)\r\ninference-header-content-length: *(\d+)\r\n")

Columns = list[list[float]]


def body_of(message: bytes) -> tuple[bytes, int]:
    """A body without its codings, and how much of it is JSON."""
    head = message.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")[0] + b"\r\n"
    body = content_of(message)
    if b"\r\ncontent-encoding: gzip\r\n" in head.lower():
        body = gzip.decompress(body)
    elif b"\r\ncontent-encoding: deflate\r\n" in head.lower():
        body = zlib.decompress(body)
    found = HEADER.search(head)
    return body, int(found[1]) if found else len(body)


def of_tensors(tensors: list[Any], behind: bytes) -> Columns:
    """Columns of Open Inference's tensors, of which some are raw."""
    columns: Columns = []
    for tensor in tensors:
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        if size is None:
            values = np.array(tensor["data"], float)
        else:
            values, behind = np.frombuffer(behind[:size], NUMPY[tensor["datatype"]]), behind[size:]
        columns += values.astype(float).reshape(tensor["shape"][0], -1).T.tolist()
    assert behind == b""
    return columns


def of_rows(text: bytes) -> Columns:
    """Columns of all other bodies."""
    if not text.lstrip().startswith((b"{", b"[")):
        return np.array(list(csv.reader(text.decode().splitlines()))[1:], float).T.tolist()  # type: ignore[no-any-return]
    message = json.loads(text)
    if type(message) is dict:
        split = message.get("dataframe_split")
        message = split["data"] if split else next(message[key] for key in KEYS if key in message)
    if type(message) is dict:
        return [list(map(float, column)) for column in message.values()]
    rows = [[*row.values()] if type(row) is dict else row if type(row) is list else [row] for row in message]
    return np.array(rows, float).T.tolist()  # type: ignore[no-any-return]  # numpy's lists are of Any


def columns_of(message: bytes, key: str, *, tensors: bool) -> Columns:
    body, size = body_of(message)
    return of_tensors(json.loads(body[:size])[key], body[size:]) if tensors else of_rows(body)


@pytest.mark.parametrize("case", READ)
def test_values_are_those_on_the_wire(case: str) -> None:
    tensors = READ[case][0] == "open-inference"
    (batch,) = Decoder().decode([captured(case)]).batches
    request, response = ((CAPTURES / f"{case}.{side}").read_bytes() for side in ("req", "resp"))
    assert list(as_lists(batch.inputs).values()) == columns_of(request, "inputs", tensors=tensors)
    assert list(as_lists(batch.outputs).values()) == columns_of(response, "outputs", tensors=tensors)

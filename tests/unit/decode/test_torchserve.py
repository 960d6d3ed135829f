"""TorchServe's predictions."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from agent.decode.decoder import Decoded, Decoder
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

PATH = "/predictions/m"


def decode(question: bytes, asked: str, answer: bytes = b"[1]", answered: str = "") -> Decoded:
    result = Decoder().decode([exchange(request_bytes(PATH, question, asked), response_bytes(answer, answered))])
    assert not result.undecoded
    return result


def inputs_of(question: bytes, asked: str = "") -> dict[str, list[Any]]:
    return as_lists(decode(question, asked).batches[0].inputs)


def form(*fields: tuple[str, str, bytes]) -> bytes:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n{f"Content-Type: {kind}" if kind else "X: y"}\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, kind, content in fields
    ]
    return b"".join(parts) + b"--b--\r\n"


FORM = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("question", "inputs"),
    [
        ([[1, 2], [3, 4]], {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        ([1, 2], {"0": [1.0], "1": [2.0]}),
        ({"a": 1, "b": "x"}, {"a": [1.0], "b": ["x"]}),
        ({"instances": [[1, 2]]}, {"0": [1.0], "1": [2.0]}),
        ({"instances": [{"data": [1, 2]}]}, {"0": [1.0], "1": [2.0]}),
        ({"data": [1, 2], "lang": "de"}, {"0": [1.0], "1": [2.0]}),
        ({"data": "a text"}, {"0": ["a text"]}),
        ([{"data": {"b64": "/w=="}}], {"data": [1.0]}),
    ],
)
def test_json(question: Any, inputs: Any) -> None:
    assert inputs_of(json.dumps(question).encode()) == inputs


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        ({"predictions": [0, 2]}, {"0": [0.0, 2.0]}),
        ([0, 2], {"0": [0.0, 2.0]}),
        ([[0.5, 0.5]], {"0": [0.5], "1": [0.5]}),
        ({"tabby": 0.75, "tiger": 0.25}, {"tabby": [0.75], "tiger": [0.25]}),
        (7, {"0": [7.0]}),
        ("yes", {"0": ["yes"]}),
    ],
)
def test_answers(answer: Any, outputs: Any) -> None:
    (batch,) = Decoder().decode([json_exchange("/predictions/m/1.0", [1], answer)]).batches
    assert (batch.format, batch.model, batch.version) == ("torchserve", "m", "1.0")
    assert as_lists(batch.outputs) == outputs


def test_texts_tables_and_arrays() -> None:
    array = io.BytesIO()
    np.save(array, np.array([1.0, 2.0]))
    assert inputs_of("schöner Tag".encode(), "text/plain") == {"0": ["schöner Tag"]}
    assert inputs_of(b"a,b\n1,2\n", "text/csv") == {"a": [1.0], "b": [2.0]}
    assert inputs_of(b"[1]\n[2]\n", "application/jsonlines") == {"0": [1.0, 2.0]}
    assert inputs_of(array.getvalue(), "application/x-npy") == {"0": [1.0], "1": [2.0]}
    assert as_lists(decode(b"[1]", "", b"0.5\n", "text/csv").batches[0].outputs) == {"0": [0.5]}


@pytest.mark.parametrize(
    ("fields", "inputs"),
    [
        ([("data", "", b'{"instances": [[1, 2]]}')], {"0": [1.0], "1": [2.0]}),
        ([("upload", "application/octet-stream", b"[[1, 2]]")], {"0": [1.0], "1": [2.0]}),
        ([("lang", "", b"de"), ("body", "text/csv", b"1,2\n3,4\n")], {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        (
            [("age", "", b"3"), ("city", "", b"Bern"), ("member", "", b"true"), ("photo", "image/png", b"\x89PNG")],
            {"age": [3.0], "city": ["Bern"], "member": [True], "photo": [4.0]},
        ),
    ],
)
def test_forms(fields: Any, inputs: Any) -> None:
    assert inputs_of(form(*fields), FORM) == inputs


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"\xff\xd8\xff", "image/jpeg", "image"),
        (form(("data", "image/png", b"\x89PNG")), FORM, "image"),
        (form(("data", "application/pdf", b"%PDF")), FORM, "no_table"),
        (form(("a", "", b"1"), ("a", "", b"2")), FORM, "no_table"),
        (form(), FORM, "no_rows"),
        (b"--b", FORM, "no_table"),
        (b"\xff\xd8\xff", "", "no_table"),
        (b"", "", "no_table"),
        (b"\x00\x01", "application/octet-stream", "no_table"),
        (b"x", "application/octet-stream", "no_table"),
        (b"%PDF", "application/pdf", "no_table"),
        (b"[[1], [1, 2]]", "application/json", "no_table"),
        (b'[{"a": {"b": [1, "x"]}}, 1]', "application/json", "no_table"),
        (b"[]", "application/json", "no_rows"),
        (b"\x93NUMPY", "application/x-npy", "no_table"),
        (b'a\n"', "text/csv", "no_table"),
    ],
)
def test_what_is_no_table_is_counted_as_that(body: bytes, kind: str, reason: str) -> None:
    result = decode(body, kind)
    assert result.unobserved == {reason: 1}
    assert as_lists(result.batches[0].outputs) == {"0": [1.0]}


def test_answers_that_are_no_table() -> None:
    for answer, kind, reason in ((b"\x89PNG", "image/png", "image"), (b"\x00", "application/x-mine", "no_table")):
        assert decode(b"[1]", "", answer, kind).unobserved == {reason: 1}

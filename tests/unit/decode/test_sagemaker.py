"""What comes to ``/invocations`` beside MLflow's JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from agent.decode.decoder import Decoded, Decoder
from agent.decode.sagemaker import read_inputs, read_json_lines
from agent.errors import DecodeError
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

PATH = "/invocations"


def decode(question: bytes, asked: str, answer: bytes, answered: str) -> Decoded:
    return Decoder().decode([exchange(request_bytes(PATH, question, asked), response_bytes(answer, answered))])


def test_csv_with_a_header_and_a_csv_answer() -> None:
    result = decode(b'a,"b, c"\n1,x\n,y\n', "text/csv; charset=utf-8", b"0.5\n0.25\n", "text/csv")
    (batch,) = result.batches
    assert as_lists(batch.inputs) == {"a": [1.0, None], "b, c": ["x", "y"]}
    assert as_lists(batch.outputs) == {"0": [0.5, 0.25]}


@pytest.mark.parametrize(
    ("question", "answer", "outputs"),
    [
        (b"1,2\n3,4\n5,6\n", b"0.1,0.2,0.3", {"0": [0.1, 0.2, 0.3]}),
        (b"1,2\n3,4\n", b"yes,no", {"0": ["yes", "no"]}),
        (b"1,2\n", b"0.1,0.2,0.7", {"0": [0.1], "1": [0.2], "2": [0.7]}),
        (b"1,2\n3,4\n", b"0.1,0.2\n0.3,0.4\n", {"0": [0.1, 0.3], "1": [0.2, 0.4]}),
        (b"1,2\n3,4\n", b"yes\nno\n", {"0": ["yes", "no"]}),
        (b"1,2\n3,4\n", b"label,score\nyes,0.5\nno,0.25\n", {"label": ["yes", "no"], "score": [0.5, 0.25]}),
    ],
)
def test_csv_without_a_header_and_its_answers(question: bytes, answer: bytes, outputs: Any) -> None:
    (batch,) = decode(question, "text/csv", answer, "text/csv; charset=utf-8").batches
    assert batch.inputs.positional
    assert as_lists(batch.outputs) == outputs
    assert batch.format == "invocations"


def test_an_answer_of_one_line_to_a_question_of_another_kind() -> None:
    (batch,) = decode(b"[[1, 2], [3, 4]]", "application/json", b"0.1,0.2", "text/csv").batches
    assert as_lists(batch.outputs) == {"0": [0.1], "1": [0.2]}


@pytest.mark.parametrize(
    ("question", "inputs"),
    [
        ([[1, 2], [3, 4]], {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        ([1, 2], {"0": [1.0], "1": [2.0]}),
        (["x", 2], {"0": ["x"], "1": [2.0]}),
        ([{"a": 1, "b": "x"}], {"a": [1.0], "b": ["x"]}),
        ({"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}, {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        ({"instances": [{"data": {"features": {"values": [1, 2]}}}]}, {"0": [1.0], "1": [2.0]}),
        ({"instances": [{"features": {"keys": [1], "shape": [3], "values": [5]}}]}, {"0": [0.0], "1": [5.0], "2": [0.0]}),
        ({"features": [1, 2]}, {"0": [1.0], "1": [2.0]}),
        ({"data": [[1, 2], [3, 4]]}, {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        ({"age": 3, "city": "Bern"}, {"age": [3.0], "city": ["Bern"]}),
        ({"age": [3, 4], "city": ["Bern", None]}, {"age": [3.0, 4.0], "city": ["Bern", None]}),
        ({"inputs": "a text", "parameters": {"top_k": 1}}, {"0": ["a text"]}),
        ({"instances": [{"b64": "/w=="}]}, {"0": [1.0]}),
    ],
)
def test_json_of_all_kinds(question: Any, inputs: Any) -> None:
    answer = {"predictions": [{"score": 0.25, "predicted_label": 1}]}
    result = Decoder().decode([json_exchange(PATH, question, answer)])
    (batch,) = result.batches
    assert not result.undecoded
    assert as_lists(batch.inputs) == inputs
    assert as_lists(batch.outputs) == {"score": [0.25], "predicted_label": [1.0]}


@pytest.mark.parametrize("question", [{"messages": []}, {"prompt": "x", "n": 1}, {"input": ["x"]}])
def test_what_is_asked_of_language_models_is_no_table(question: Any) -> None:
    result = Decoder().decode([json_exchange(PATH, question, [1])])
    assert not result.undecoded
    assert result.unobserved == {"no_table": 1}


@pytest.mark.parametrize(
    ("body", "inputs"),
    [
        (b'{"features": [1, 2]}\n{"features": [3, 4]}\n', {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        (b'{"data": {"features": {"values": [1, 2]}}}', {"0": [1.0], "1": [2.0]}),
        (b"[1, 2]\r\n\r\n[3, null]\r\n", {"0": [1.0, 3.0], "1": [2.0, None]}),
        (b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}', {"a": [1.0, 2.0], "b": ["x", "y"]}),
        (b'{"a": NaN}\n\n{"a": 2}', {"a": [None, 2.0]}),
        (b'"x"\n"y"\n', {"0": ["x", "y"]}),
    ],
)
@pytest.mark.parametrize("kind", ["application/jsonlines", "application/x-ndjson"])
def test_json_lines(body: bytes, inputs: Any, kind: str) -> None:
    result = decode(body, kind, b'{"score": 0.5}\n{"score": 0.25}\n', kind)
    (batch,) = result.batches
    assert as_lists(batch.inputs) == inputs
    assert as_lists(batch.outputs) == {"score": [0.5, 0.25]}


def test_arrays_of_numpy() -> None:
    question, answer = io.BytesIO(), io.BytesIO()
    np.save(question, np.array([[1, 2], [3, 4]], dtype="f4"))
    np.save(answer, np.array([0.5, 0.25]))
    (batch,) = decode(question.getvalue(), "application/x-npy", answer.getvalue(), "application/x-npy").batches
    assert as_lists(batch.inputs) == {"0": [1.0, 3.0], "1": [2.0, 4.0]}
    assert as_lists(batch.outputs) == {"0": [0.5, 0.25]}
    assert batch.inputs.tensors == (("", "float32", (2,)),)


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        (read_inputs, b"", "json"),
        (read_inputs, b"{}", "fields"),
        (read_inputs, b'{"params": {"x": 1}}', "fields"),
        (read_inputs, b'{"dataframe_split": 1}', "fields"),
        (read_inputs, b'{"a": {"b": 1}}', "fields"),
        (read_inputs, b"1", "fields"),
        (read_inputs, b"[[1], [1, 2]]", "ragged"),
        (read_inputs, b"[", "json"),
        (read_inputs, b"[]", "no_rows"),
        (read_json_lines, b"", "no_rows"),
        (read_json_lines, b"[1]\n[", "json"),
        (read_json_lines, b"[1],[2]", "json"),
        (read_json_lines, b"[1]\n{}", "mixed_rows"),
    ],
)
def test_what_is_no_table_is_refused(read: Any, body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read(body)
    assert error.value.reason == reason


def test_other_content_types_are_counted() -> None:
    result = decode(b"\x00", "application/x-recordio-protobuf", json.dumps({"predictions": [1]}).encode(), "")
    assert result.undecoded == {("invocations", "content_type"): 1}
    assert result.batches[0].outputs.rows == 1


def test_a_model_of_several_behind_one_endpoint() -> None:
    (batch,) = Decoder().decode([json_exchange("/models/m/invoke", [[1]], [1])]).batches
    assert (batch.format, batch.model) == ("invocations", "m")

"""KServe V1 and TensorFlow Serving's REST API."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agent.decode.decoder import Decoder
from agent.decode.gather import side
from agent.decode.kserve_v1 import read_inputs, read_outputs
from agent.decode.message import request_lines
from agent.errors import DecodeError
from tests.exchanges import as_lists, exchange, json_exchange, kinds, request_bytes, response_bytes

PREDICT = "/v1/models/iris:predict"


def decode_one(question: Any, answer: Any) -> Any:
    result = Decoder().decode([json_exchange(PREDICT, question, answer)])
    assert not result.undecoded
    assert not result.unobserved
    (batch,) = result.batches
    return batch


def test_rows_by_position() -> None:
    batch = decode_one({"instances": [[5.1, 3], [6.7, None]]}, {"predictions": [0, 2]})
    assert (batch.format, batch.model, batch.version, batch.exchanges) == ("kserve-v1", "iris", "", 1)
    assert as_lists(batch.inputs) == {"0": [5.1, 6.7], "1": [3.0, None]}
    assert as_lists(batch.outputs) == {"0": [0.0, 2.0]}
    assert batch.inputs.positional
    assert batch.outputs.positional
    assert kinds(batch.inputs) == ["f", "f"]


def test_rows_with_names() -> None:
    batch = decode_one(
        {"instances": [{"age": 3, "city": "Bern"}, {"age": None, "city": None}]}, {"predictions": [{"p": 0.5}, {"p": 1}]}
    )
    assert as_lists(batch.inputs) == {"age": [3.0, None], "city": ["Bern", None]}
    assert kinds(batch.inputs) == ["f", "O"]
    assert not batch.inputs.positional
    assert as_lists(batch.outputs) == {"p": [0.5, 1.0]}


def test_mixed_rows_keep_each_type() -> None:
    batch = decode_one({"instances": [["1", 1, True], ["2", 2.5, False]]}, {"predictions": ["yes", "no"]})
    assert as_lists(batch.inputs) == {"0": ["1", "2"], "1": [1.0, 2.5], "2": [True, False]}
    assert kinds(batch.inputs) == ["O", "f", "O"]
    assert as_lists(batch.outputs) == {"0": ["yes", "no"]}


def test_scalars_are_rows_of_one_column() -> None:
    assert as_lists(decode_one({"instances": [1, 2, 3]}, {"predictions": [[1, 0], [0, 1], [1, 1]]}).inputs) == {
        "0": [1.0, 2.0, 3.0]
    }


def test_columnar_requests_and_their_answers() -> None:
    batch = decode_one({"inputs": {"a": [1, 2], "b": [[3, 4], [5, 6]]}}, {"outputs": {"p": [0.1, 0.2]}})
    assert as_lists(batch.inputs) == {"a": [1.0, 2.0], "b[0]": [3.0, 5.0], "b[1]": [4.0, 6.0]}
    assert as_lists(batch.outputs) == {"p": [0.1, 0.2]}
    assert as_lists(decode_one({"inputs": [[1, 2]]}, {"outputs": [7]}).inputs) == {"0": [1.0], "1": [2.0]}


@pytest.mark.parametrize("key", ["inputs", "outputs"])
def test_a_scalar_beside_columns_holds_for_all_rows(key: str) -> None:
    columns = {"text": ["a", "b"], "light": 0.5, "lag": [[1, 2], [3, 4]], "fast": True, "none": None}
    read = read_inputs if key == "inputs" else read_outputs
    block = read(json.dumps({key: columns}).encode())
    assert as_lists(side(block.names, block.numeric, [block.values])) == {
        "text": ["a", "b"],
        "light": [0.5, 0.5],
        "lag[0]": [1.0, 3.0],
        "lag[1]": [2.0, 4.0],
        "fast": [True, True],
        "none": [None, None],
    }


def test_scalars_alone_are_one_row() -> None:
    block = read_inputs(b'{"inputs": {"a": 1, "b": "x"}}')
    assert (block.names, block.rows) == (("a", "b"), 1)


def test_scalars_are_not_repeated_without_end() -> None:
    columns = {"x": [0] * 3000, **{f"s{at}": 1 for at in range(100)}}
    with pytest.raises(DecodeError) as error:
        read_inputs(json.dumps({"inputs": columns}).encode())
    assert error.value.reason == "too_many_values"


def test_predictions_of_any_shape() -> None:
    for predictions, columns in (
        ({"label": [1, 2], "score": [0.5, None]}, {"label": [1.0, 2.0], "score": [0.5, None]}),
        ({"label": 1, "name": "a"}, {"label": [1.0], "name": ["a"]}),
        (0.25, {"0": [0.25]}),
        ([{"probs": [0.1, 0.9]}], {"probs[0]": [0.1], "probs[1]": [0.9]}),
        (True, {"0": [True]}),
    ):
        assert as_lists(decode_one({"instances": [[1]]}, {"predictions": predictions}).outputs) == columns


def test_bare_nan_and_infinity_are_numbers() -> None:
    batch = decode_one('{"instances": [[NaN, Infinity, -Infinity, 1e999, 1]]}', {"predictions": [1]})
    assert as_lists(batch.inputs) == {"0": [None], "1": [float("inf")], "2": [float("-inf")], "3": [float("inf")], "4": [1.0]}


def test_the_path_may_be_encoded_and_have_a_version_or_label() -> None:
    for target, version in (
        ("/v1/models/iris%3Apredict", ""),
        ("/v1/models/iris/versions/3:predict", "3"),
        ("/v1/models/iris/labels/canary:predict?x=1", "canary"),
    ):
        (batch,) = Decoder().decode([json_exchange(target, {"instances": [[1]]}, {"predictions": [1]})]).batches
        assert (batch.model, batch.version) == ("iris", version)


def test_cloud_events_in_structured_and_binary_mode() -> None:
    payload = {"instances": [[1, 2]]}
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": payload}
    answer = response_bytes(json.dumps({"id": "2", "data": {"predictions": [1]}}).encode(), "application/cloudevents+json")
    structured = exchange(
        request_bytes(PREDICT, json.dumps(event).encode(), "application/cloudevents+json; charset=utf-8"), answer
    )
    binary = exchange(
        request_bytes(PREDICT, json.dumps(payload).encode(), extra="ce-id: 1\r\nce-type: t\r\n"),
        response_bytes(b'{"predictions": [1]}', extra="ce-id: 1\r\n"),
    )
    result = Decoder().decode([structured, binary])
    (batch,) = result.batches
    assert as_lists(batch.inputs) == {"0": [1.0, 1.0], "1": [2.0, 2.0]}
    assert as_lists(batch.outputs) == {"0": [1.0, 1.0]}


@pytest.mark.parametrize(
    "event",
    [
        {"id": "7", "data": {"instances": [[1, 2]]}},
        {"id": "7", "data": '{"instances": [[1, 2]]}', "datacontenttype": "text/plain"},
        {"id": "7", "data_base64": "eyJpbnN0YW5jZXMiOiBbWzEsIDJdXX0="},
    ],
)
def test_the_data_of_an_event_may_be_json_or_text_or_base64(event: Any) -> None:
    answer = response_bytes(b'{"id": "8", "data": {"predictions": [1]}}', "application/cloudevents+json")
    request = request_bytes(PREDICT, json.dumps(event).encode(), "application/cloudevents+json")
    (batch,) = Decoder().decode([exchange(request, answer)]).batches
    assert as_lists(batch.inputs) == {"0": [1.0], "1": [2.0]}
    assert batch.ids == ("7",)


def test_an_event_may_hold_bare_infinity() -> None:
    event = b'{"id": "7", "data": {"instances": [[Infinity, NaN]]}}'
    request = request_bytes(PREDICT, event, "application/cloudevents+json")
    (batch,) = Decoder().decode([exchange(request, response_bytes(b'{"predictions": [1]}'))]).batches
    assert as_lists(batch.inputs) == {"0": [float("inf")], "1": [None]}


def test_bytes_are_text_or_a_size() -> None:
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(92)).decode()
    batch = decode_one(
        {"instances": [{"image": {"b64": image}, "word": {"b64": "Z3LDvG4"}, "age": 3}]}, {"predictions": [{"b64": "YQ=="}]}
    )
    assert as_lists(batch.inputs) == {"image": ["\x89PNG\r\n\x1a\n" + "\0" * 92], "word": ["grün"], "age": [3.0]}
    assert as_lists(batch.outputs) == {"0": ["a"]}


def test_of_an_explanation_only_the_question_is_read() -> None:
    result = Decoder().decode(
        [json_exchange("/v1/models/m:explain", {"instances": [[1, 2]]}, {"explanations": {"a": [[1], {}]}})]
    )
    (batch,) = result.batches
    assert (batch.format, batch.model) == ("kserve-v1-explain", "m")
    assert as_lists(batch.inputs) == {"0": [1.0], "1": [2.0]}
    assert batch.outputs.rows == 0
    assert not result.undecoded


def binary_event(event_id: str, *, headers: str = "ce-specversion: 1.0\r\nCe-Source: s\r\nce-type: t\r\n") -> Any:
    extra = f"{headers}Ce-Id: {event_id}\r\n"
    return exchange(request_bytes(PREDICT, b'{"instances": [[1]]}', extra=extra), response_bytes(b'{"predictions": [1]}'))


def test_the_id_of_an_event_in_binary_mode_is_the_requests() -> None:
    decoder = Decoder()
    (batch,) = decoder.decode([binary_event(one) for one in ("a-1", " b-2\t", "a-1")]).batches
    assert batch.ids == ("a-1", "b-2", "a-1")
    (batch,) = decoder.decode([binary_event("c-3")]).batches
    assert batch.ids == ("c-3",)


@pytest.mark.parametrize(
    ("header", "said"),
    [("caf%C3%A9%20%22", 'café "'), ('"a b"', "a b"), (r'"a\"b\\"', 'a"b\\'), ('"', '"'), ("%", "%"), ("", "")],
)
def test_the_id_of_an_event_in_binary_mode_may_be_encoded(header: str, said: str) -> None:
    (batch,) = Decoder().decode([binary_event(header)]).batches
    assert batch.ids == ((said,) if said else ())


def test_a_header_by_the_name_of_an_events_id_is_none_without_an_event() -> None:
    (batch,) = Decoder().decode([binary_event("a-1", headers="")]).batches
    assert batch.ids == ()


def test_an_id_in_the_body_goes_before_the_events() -> None:
    request = request_bytes(
        "/v2/models/m/infer",
        b'{"id": "v2", "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]}',
        extra="ce-specversion: 1.0\r\nce-id: event\r\n",
    )
    (batch,) = Decoder().decode([exchange(request, response_bytes(b'{"outputs": []}'))]).batches
    assert batch.ids == ("v2",)


def test_events_that_differ_in_their_ids_alone_are_learned_once() -> None:
    heads = [binary_event(one).request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for one in ("a", "b")]
    assert heads[0] != heads[1]
    assert request_lines(heads[0]) == request_lines(heads[1])


@pytest.mark.parametrize("event", [{"id": "1", "data": None}, {"data_base64": "%"}, {"data": ""}, {"id": 1, "data": {}}, []])
def test_an_event_without_a_payload_is_refused(event: Any) -> None:
    request = request_bytes(PREDICT, json.dumps(event).encode(), "application/cloudevents+json")
    result = Decoder().decode([exchange(request, response_bytes(b'{"predictions": [1]}'))])
    assert set(result.undecoded) <= {("kserve-v1", "cloud_event"), ("kserve-v1", "fields")}
    assert sum(result.undecoded.values()) == 1


def test_an_event_without_data_is_counted() -> None:
    event = exchange(
        request_bytes(PREDICT, b'{"id": "1"}', "application/cloudevents+json"), response_bytes(b'{"predictions": [1]}')
    )
    assert Decoder().decode([event]).undecoded == {("kserve-v1", "cloud_event"): 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "json"),
        (b'{"instances": [[', "json"),
        (b"\xff\xfe", "json"),
        (b'{"instances": ["\\ud800", NaN]}', "json"),
        (b"[" * 100_000, "fields"),
        (b'{"instances":' + b"[" * 100_000, "json"),
        (b"[1]", "fields"),
        (b"{}", "fields"),
        (b'{"instances": null}', "fields"),
        (b'{"instances": [[1], [1, 2]]}', "ragged"),
        (b'{"instances": [[1], {"a": 1}]}', "mixed_rows"),
        (b'{"inputs": {"a": [1], "b": [1, 2]}}', "shape"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_inputs(body)
    assert error.value.reason == reason


def test_what_is_no_response_is_refused() -> None:
    for body in (b'{"error": "no"}', b"1"):
        with pytest.raises(DecodeError):
            read_outputs(body)

"""Messages like one that was learned: the same as the usual way reads, or left to it."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decode import open_inference
from agent.decode.decoder import Decoded, Decoder
from agent.decode.open_inference import read_inputs, read_outputs
from agent.decode.open_inference_rows import MAX_REMEMBERED, MAX_REMEMBERED_TARGET, PATIENCE, Rows
from tests.exchanges import exchange, request_bytes, response_bytes

TARGET = "/v2/models/m/infer"


def facts(text: bytes) -> tuple[str, Any]:
    message = json.loads(text)
    return message.get("id", ""), message["inputs"][0].get("data")


def request(values: Any, *, id: str | None = None, shape: tuple[int, ...] = (1, 2), **more: Any) -> bytes:
    named = {} if id is None else {"id": id}
    tensor = {"name": "x", "shape": shape, "datatype": "FP32", "data": values}
    return json.dumps({**named, "inputs": [tensor], **more}).encode()


def learned(body: bytes) -> Rows:
    rows = Rows(facts)
    rows.learn(TARGET, body, json.loads(body)["inputs"][0]["data"], read_inputs(body))
    return rows


@pytest.mark.parametrize("values", [[1.0, 2.0], [[1.0, 2.0]], [1.5, 1.5]])
@pytest.mark.parametrize("id", [None, "", "a-1"])
def test_another_like_it_is_read_alike(values: Any, id: str | None) -> None:
    rows = learned(request(values, id=id))
    other = [[3, -4.5e3]] if isinstance(values[0], list) else [3, -4.5e3]
    body = request(other, id=id and "another/2")
    block = rows.read(TARGET, body)
    assert block == read_inputs(body)
    assert block is not None
    assert struct.unpack("2d", block.values) == (3, -4500)  # type: ignore[arg-type]  # packed, as all small tables


def test_several_rows() -> None:
    rows = learned(request([1.0, 2.0, 3.0, 4.0], shape=(2, 2)))
    body = request([5, 6, 7, 8], shape=(2, 2))
    assert rows.read(TARGET, body) == read_inputs(body) is not None


@pytest.mark.parametrize(
    "body",
    [
        request([1.0]),
        request([1.0, 2.0, 3.0]),
        request([1.0, None]),
        request([1.0, "2"]),
        request([[1.0, 2.0]]),
        request([1.0, 2.0], id="i"),
        request([1.0, 2.0], parameters={}),
        request([1.0, 2.0], shape=(2, 1)),
        request([1.0, 2.0])[:-1],
        request([1.0, 2.0]).replace(b"]}", b"]]}", 1),
        b"",
    ],
)
def test_what_is_not_like_it_is_left(body: bytes) -> None:
    assert learned(request([1.0, 2.0])).read(TARGET, body) is None


@pytest.mark.parametrize("id", ['a"b', "a\\b", "a\nb", "é", '","x":"y'])
def test_ids_that_are_not_plain_are_left(id: str) -> None:
    assert learned(request([1.0, 2.0], id="i")).read(TARGET, request([1.0, 2.0], id=id)) is None


def test_half_an_id() -> None:
    assert learned(request([1.0, 2.0], id="i")).read(TARGET, b'{"id": "i') is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"a","id":"a","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}',
        b'{"note":"\\"data\\":[1]","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}',
        b'{"parameters":{"data":[1]},"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":[1],"data":[1],"datatype":"FP32","data":[1]}]}',
    ],
)
def test_places_that_only_look_like_it_are_not_learned(body: bytes) -> None:
    rows = learned(body)
    changed = body.replace(b'"a"', b'"b"', 1) if b'"id"' in body else body.replace(b"[1]", b"[2]", 1)
    assert rows.read(TARGET, changed) is None


def test_an_id_behind_the_values_is_not_learned() -> None:
    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"id":"a"}'
    assert learned(body).read(TARGET, body) is None


def test_another_is_learned_after_a_while() -> None:
    rows = learned(request([1.0, 2.0]))
    other = request([1.0, 2.0], parameters={})
    for _ in range(PATIENCE):
        assert rows.read(TARGET, other) is None
        rows.learn(TARGET, other, [1.0, 2.0], read_inputs(other))
    assert rows.read(TARGET, request([1.0, 2.0])) is not None
    rows.learn(TARGET, other, [1.0, 2.0], read_inputs(other))
    assert rows.read(TARGET, other) is not None


def test_memory_is_bounded() -> None:
    rows = Rows(facts)
    body = request([1.0, 2.0])
    block = read_inputs(body)
    targets = [str(number) for number in range(MAX_REMEMBERED + 1)]
    for target in targets:
        rows.learn(target, body, [1.0, 2.0], block)
    assert [target for target in targets if rows.read(target, body)] == targets[-1:]
    long = "x" * (MAX_REMEMBERED_TARGET + 1)
    rows.learn(long, body, [1.0, 2.0], block)
    assert rows.read(long, body) is None
    wordy = request([1.0, 2.0], parameters={"note": "x" * 3000})
    assert learned(wordy).read(TARGET, wordy) is None


def raw(key: str, values: list[float], datatype: str, code: str, id: str) -> tuple[bytes, str]:
    data = struct.pack(f"<{len(values)}{code}", *values)
    tensor = {"name": "x", "shape": [1, len(values)], "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({**({"id": id} if id else {}), key: [tensor]}).encode()
    return text + data, f"Inference-Header-Content-Length: {len(text)}\r\n"


def exchanged(values: list[float], datatype: str, code: str, id: str) -> Decoded:
    octets = "application/octet-stream"
    asked, asked_head = raw("inputs", values, datatype, code, id)
    answered, answered_head = raw("outputs", values[:1], datatype, code, id)
    request = request_bytes(TARGET, asked, octets, extra=asked_head)
    return Decoder().decode([exchange(request, response_bytes(answered, octets, extra=answered_head))])


@pytest.mark.parametrize(("datatype", "code"), [("FP32", "f"), ("FP64", "d"), ("FP16", "e"), ("INT64", "q"), ("UINT8", "B")])
@pytest.mark.parametrize("ids", [("", ""), ("one", "another")])
def test_raw_tensors(datatype: str, code: str, ids: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_inference, "_raw_request_rows", Rows(open_inference._request_facts))
    monkeypatch.setattr(open_inference, "_raw_response_rows", Rows(open_inference._response_facts))
    exchanged([1, 2], datatype, code, ids[0])
    (batch,) = exchanged([3, 4], datatype, code, ids[1]).batches
    assert [column.tolist() for column in batch.inputs.columns] == [[3], [4]]
    assert [column.tolist() for column in batch.outputs.columns] == [[3]]
    assert batch.ids == ((ids[1],) if ids[1] else ())
    assert batch.inputs.tensors[0].datatype == datatype
    assert exchanged([3, 4, 5], datatype, code, ids[1]).batches[0].inputs.columns[2].tolist() == [5]


numbers = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=4)


@given(numbers, st.lists(st.tuples(numbers, st.text(max_size=5), st.booleans()), max_size=4))
def test_as_the_usual_way(first: list[float], others: list[tuple[list[float], str, bool]]) -> None:
    rows = learned(request(first, id="i", shape=(1, len(first))))
    for values, other, short in others:
        body = request(values, id=other, shape=(1, len(values)))
        body = body[: len(body) // 2] if short else body
        block = rows.read(TARGET, body)
        assert block is None or block == read_inputs(body)


def test_both_sides_by_target() -> None:
    body = b'{"model_name":"m","id":"%s","outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[%d]}]}'
    first = read_outputs(body % (b"a", 1), "/both/sides")
    known = open_inference._response_rows.read("/both/sides", body % (b"b", 2))
    assert known == read_outputs(body % (b"b", 2))
    assert known != first

"""What goes into a REST format comes out of it: decode(encode(x)) is x, for every format and every size of body."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import load
from agent.decode import kserve_v1, mlflow
from agent.decode.csv_text import read_csv
from agent.decode.decoder import Decoder
from agent.decode.gather import side
from agent.exchange import Exchange
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

DECODER = Decoder(load({"AIP_PREDICT_ROUTE": "/vertex"}).routes)

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53))
mixed = st.one_of(st.none(), numbers, st.text(max_size=5), st.booleans())
column_names = st.text(min_size=1, max_size=8).filter(lambda name: name != "b64")

Table = tuple[list[str], list[list[Any]]]


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[Any], *, width: int = 1) -> Table:
    columns = draw(st.lists(column_names, min_size=width, max_size=5, unique=True))
    row = st.lists(cells, min_size=len(columns), max_size=len(columns))
    return columns, draw(st.lists(row, min_size=1, max_size=5))


any_table = st.one_of(tables(st.one_of(st.none(), numbers)), tables(mixed))


def turned(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(rows))


def typed(columns: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Values with what they are, so that a boolean is no number."""
    return [[(type(value) is bool, value) for value in column] for column in columns]


def records(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table[0], row, strict=True)) for row in table[1]]


def sides_of(one: Exchange) -> tuple[Any, Any]:
    result = DECODER.decode([one])
    assert not result.undecoded | result.unobserved
    (batch,) = result.batches
    return batch.inputs, batch.outputs


NAMED: dict[str, Callable[[Table], tuple[str, Any, Any]]] = {
    "kserve-v1 rows": lambda t: ("/v1/models/m:predict", {"instances": records(t)}, {"predictions": records(t)}),
    "kserve-v1 columns": lambda t: (
        "/v1/models/m:predict", {"inputs": dict(zip(t[0], turned(t[1]), strict=True))}, {"outputs": records(t)},
    ),
    "vertex-ai": lambda t: ("/vertex", {"instances": records(t), "parameters": {"x": 1}}, {"predictions": records(t)}),
    "mlflow split": lambda t: (
        "/invocations", {"dataframe_split": {"columns": t[0], "data": t[1]}, "params": {"x": 1}}, {"predictions": records(t)},
    ),
    "mlflow records": lambda t: ("/invocations", {"dataframe_records": records(t)}, records(t)),
    "sagemaker records": lambda t: ("/invocations", records(t), records(t)),
    "torchserve": lambda t: ("/predictions/m", {"instances": records(t)}, {"predictions": records(t)}),
    "seldon ndarray": lambda t: (
        "/api/v1.0/predictions", {"data": {"names": t[0], "ndarray": t[1]}}, {"data": {"names": t[0], "ndarray": t[1]}},
    ),
    "seldon json": lambda t: ("/api/v1.0/predictions", {"jsonData": records(t)}, {"jsonData": records(t)}),
}  # fmt: skip


@pytest.mark.parametrize("format", NAMED)
@given(table=any_table)
def test_tables_with_names(format: str, table: Table) -> None:
    inputs, outputs = sides_of(json_exchange(*NAMED[format](table)))
    for found in (inputs, outputs):
        assert found.names == tuple(table[0])
        assert typed(list(as_lists(found).values())) == typed(turned(table[1]))


POSITIONAL: dict[str, Callable[[list[list[Any]]], tuple[str, Any, Any]]] = {
    "kserve-v1": lambda rows: ("/v1/models/m:predict", {"instances": rows}, {"predictions": rows}),
    "vertex-ai": lambda rows: ("/vertex", {"instances": rows}, {"predictions": rows}),
    "mlflow": lambda rows: ("/invocations", {"inputs": rows}, {"predictions": rows}),
    "sagemaker": lambda rows: ("/invocations", rows, rows),
    "sagemaker vectors": lambda rows: ("/invocations", {"instances": [{"features": row} for row in rows]}, rows),
    "torchserve": lambda rows: ("/predictions/m", rows, rows),
    "torchserve data": lambda rows: ("/predictions/m", {"data": rows}, rows),
    "seldon tensor": lambda rows: (
        "/api/v1.0/predictions",
        {"data": {"tensor": {"shape": [len(rows), len(rows[0])], "values": flat(rows)}}},
        {"data": {"ndarray": rows}},
    ),
}


@pytest.mark.parametrize("format", POSITIONAL)
@given(table=tables(mixed))
def test_tables_by_position(format: str, table: Table) -> None:
    for found in sides_of(json_exchange(*POSITIONAL[format](table[1]))):
        assert found.positional
        assert typed(list(as_lists(found).values())) == typed(turned(table[1]))


@given(any_table, st.booleans(), st.booleans())
def test_cloud_events_as_their_own_library_writes_them(table: Table, structured: bool, as_bytes: bool) -> None:
    sent: list[tuple[str, bytes]] = []
    for payload in ({"instances": records(table)}, {"predictions": records(table)}):
        data: Any = json.dumps(payload).encode() if as_bytes else payload
        event = CloudEvent({"type": "t", "source": "s", "id": "e7"}, data)
        fields, body = to_structured(event) if structured else to_binary(event)
        kind = fields.pop("content-type", "")
        sent.append(("".join(f"{name}: {value}\r\n" for name, value in fields.items()), body))
    (asked, question), (answered, answer) = sent
    one = exchange(
        request_bytes("/v1/models/m:predict", question, kind, extra=asked), response_bytes(answer, kind, extra=answered)
    )
    for found in sides_of(one):
        assert found.names == tuple(table[0])
        assert typed(list(as_lists(found).values())) == typed(turned(table[1]))
    (batch,) = DECODER.decode([one]).batches
    assert batch.ids == ("e7",)


@given(tables(mixed), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_json_lines(table: Table, by_name: bool, line_end: str) -> None:
    rows = records(table) if by_name else table[1]
    body = line_end.join(map(json.dumps, rows)).encode()
    request, response = request_bytes("/invocations", body, "application/jsonlines"), response_bytes(body, "application/x-ndjson")
    for found in sides_of(exchange(request, response)):
        assert found.positional is not by_name
        assert typed(list(as_lists(found).values())) == typed(turned(table[1]))


values = st.floats(allow_nan=False, width=32)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype = draw(st.sampled_from(["<f4", ">f4", "<f8", "<i4", ">i8", "u1", "?"]))
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    cells = st.booleans() if dtype == "?" else values if "f" in dtype else st.integers(0, 200)
    count = math.prod(shape)
    flat = draw(st.lists(cells, min_size=count, max_size=count))
    return np.asarray(np.array(flat, dtype=dtype).reshape(shape), order=draw(st.sampled_from(["C", "F"])))


@given(arrays())
def test_arrays_of_numpy(array: Any) -> None:
    file = io.BytesIO()
    np.save(file, array)
    request = request_bytes("/invocations", file.getvalue(), "application/x-npy")
    for found in sides_of(exchange(request, response_bytes(file.getvalue(), "application/x-npy"))):
        assert np.array_equal(np.array(found.columns), array.reshape(len(array), -1).T)


words = st.sampled_from(["x", "größer", 'a "b", c', "[1]", "two\nlines"])


@st.composite
def csv_rows(draw: st.DrawFn) -> list[list[Any]]:
    """Rows whose first column is numbers, and each of whose columns is all numbers or all text."""
    count = draw(st.integers(1, 5))
    kinds = [numbers, *draw(st.lists(st.sampled_from([numbers, words]), max_size=4))]
    return turned([draw(st.lists(kind, min_size=count, max_size=count)) for kind in kinds])


@given(csv_rows(), st.booleans(), st.booleans())
def test_csv_whose_first_column_is_numbers(rows: list[list[Any]], has_header: bool, quoted: bool) -> None:
    names = ["first", *(f"c {index}" for index in range(1, len(rows[0])))]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL).writerows([*([names] * has_header), *rows])
    block = read_csv(text.getvalue().encode())
    assert block.names == (tuple(names) if has_header else len(names))
    assert list(as_lists(side(block.names, block.numeric, [block.values])).values()) == turned(rows)


@given(tables(st.floats(allow_nan=False, width=64)), st.sampled_from(["floatVal", "doubleVal", "tensorContent"]))
def test_tensors_of_tensorflow_in_seldon(table: Table, field: str) -> None:
    dtype = "<f4" if field == "floatVal" else "<f8"
    with np.errstate(over="ignore"):
        array = np.array(table[1]).astype(dtype)
    shape = {"dim": [{"size": str(size)} for size in array.shape]}
    content: Any = [value if math.isfinite(value) else f"{'-' * (value < 0)}Infinity" for value in array.ravel().tolist()]
    if field == "tensorContent":
        content = base64.b64encode(array.tobytes()).decode()
    tensor = {"dtype": "DT_FLOAT" if dtype == "<f4" else "DT_DOUBLE", "tensorShape": shape, field: content}
    message = {"data": {"names": table[0], "tftensor": tensor}}
    for found in sides_of(json_exchange("/api/v1.0/predictions", message, message)):
        assert found.names == tuple(table[0])
        assert np.array_equal(np.array(found.columns), array.T)


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=4), st.floats(0, 1)), min_size=1, max_size=4, unique_by=lambda p: p[0]),
    st.dictionaries(column_names, st.one_of(numbers, st.text(max_size=4)), min_size=1, max_size=3),
)
def test_classes_of_tensorflow(pairs: list[tuple[str, float]], example: dict[str, Any]) -> None:
    one = json_exchange("/v1/models/m:classify", {"examples": [example]}, {"results": [pairs]})
    inputs, outputs = sides_of(one)
    assert as_lists(inputs) == {name: [value] for name, value in example.items()}
    assert outputs.names == ("label", *(f"scores.{label}" for label, _ in pairs))
    assert [column[0] for column in outputs.columns[1:]] == [score for _, score in pairs]
    assert dict(pairs)[outputs.columns[0][0]] == max(score for _, score in pairs)


@st.composite
def large(draw: st.DrawFn) -> tuple[str, bytes]:
    """A body above the size from which numbers are read in bulk; now and then with something that can't be."""
    width = draw(st.integers(1, 12))
    seed = draw(st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=4))
    rows: list[Any] = [list(row) for row in seed * (12_000 // (width * len(seed)))]
    odd = draw(st.sampled_from([None, "missing", "text", "deep", "short", "scalar", "bool", "nan", "large"]))
    place = draw(st.integers(0, len(rows) - 1))
    changes: dict[str, Any] = {
        "missing": None, "text": "x]", "deep": [1.0], "bool": True, "nan": math.nan, "large": 10**400,
    }  # fmt: skip
    if odd == "short":
        rows[place] = rows[place][1:]
    elif odd == "scalar":
        rows[place] = 1.0
    elif odd is not None:
        rows[place][draw(st.integers(0, width - 1))] = changes[odd]
    if draw(st.booleans()) and odd is None:
        rows = flat(rows)
    names = draw(st.lists(column_names, min_size=width, max_size=width))
    message: Any
    kind, message = draw(
        st.sampled_from(
            [
                ("v1", {"instances": rows}),
                ("v1", {"signature_name": "[", "inputs": rows, "parameters": {"x": [1]}}),
                ("v1", {"instances": None, "inputs": rows}),
                ("mlflow", {"dataframe_split": {"columns": names, "data": rows}}),
                ("mlflow", {"dataframe_split": {"index": [1], "columns": names, "data": rows}, "params": {"a": [[]]}}),
                ("mlflow", {"dataframe_split": {"data": rows}}),
                ("mlflow", {"instances": rows}),
                ("mlflow", {"inputs": {"a": rows}}),
            ]
        )
    )
    return kind, json.dumps(message).encode()


@settings(max_examples=60, deadline=None)
@given(large())
def test_large_bodies_are_read_as_small_ones(body: tuple[str, bytes]) -> None:
    kind, text = body
    read = kserve_v1.read_inputs if kind == "v1" else mlflow.read_inputs

    def outcome() -> Any:
        try:
            block = read(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, both ways must end in it
            return repr(error)
        found = side(block.names, block.numeric, [block.values])
        return found.names, found.positional, repr([column.tolist() for column in found.columns])

    fast = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kserve_v1, "LARGE_BODY", 1 << 40)
        assert fast == outcome()

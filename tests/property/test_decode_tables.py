"""Tables survive every wire format, and gathering exchanges gives what decoding them one by one gives."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.batch import Side
from agent.decode.decoder import Decoded, Decoder
from agent.exchange import Exchange
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53))
texts = st.text(max_size=5)
numeric_cells = st.one_of(st.none(), numbers)
mixed_cells = st.one_of(st.none(), numbers, texts, st.booleans())
names = st.text(min_size=1, max_size=8)


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[Any]) -> tuple[list[str], list[list[Any]]]:
    columns = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    row = st.lists(cells, min_size=len(columns), max_size=len(columns))
    return columns, draw(st.lists(row, min_size=1, max_size=6))


any_table = st.one_of(tables(numeric_cells), tables(mixed_cells))


def transposed(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def same(got: Sequence[Sequence[Any]], wanted: Sequence[Sequence[Any]]) -> bool:
    """Equal with types: a boolean is no number, and -0.0 from JSON's ``-0`` may be 0.0."""
    return [[(type(v) is bool, v) for v in column] for column in got] == [
        [(type(v) is bool, v) for v in column] for column in wanted
    ]


def inputs_of(one: Exchange) -> Side:
    result = Decoder().decode([one])
    assert not result.undecoded
    return result.batches[0].inputs


def columns_of(side: Side) -> list[list[Any]]:
    return list(as_lists(side).values())


@given(tables(mixed_cells))
def test_v1_rows_by_position(table: tuple[list[str], list[list[Any]]]) -> None:
    _, rows = table
    side = inputs_of(json_exchange("/v1/models/m:predict", {"instances": rows}, {"predictions": [0] * len(rows)}))
    assert side.positional
    assert same(columns_of(side), transposed(rows))


@given(any_table)
def test_v1_and_mlflow_by_name(table: tuple[list[str], list[list[Any]]]) -> None:
    columns, rows = table
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    by_column = dict(zip(columns, transposed(rows), strict=True))
    answer = {"predictions": [0] * len(rows)}
    for target, question in (
        ("/v1/models/m:predict", {"instances": records}),
        ("/v1/models/m:predict", {"inputs": by_column}),
        ("/invocations", {"dataframe_records": records}),
        ("/invocations", {"dataframe_split": {"columns": columns, "data": rows}}),
        ("/invocations", {"inputs": by_column}),
    ):
        side = inputs_of(json_exchange(target, question, answer))
        assert side.names == tuple(columns)
        assert same(columns_of(side), transposed(rows))


@given(any_table, st.booleans())
def test_v2_columns(table: tuple[list[str], list[list[Any]]], nested: bool) -> None:
    columns, rows = table
    tensors = [
        {"name": name, "shape": [len(rows), 1], "datatype": "X", "data": [[value] for value in values] if nested else values}
        for name, values in zip(columns, transposed(rows), strict=True)
    ]
    side = inputs_of(json_exchange("/v2/models/m/infer", {"inputs": tensors}, {"outputs": tensors}))
    assert side.names == tuple(columns)
    assert same(columns_of(side), transposed(rows))


@given(any_table, st.booleans())
def test_v2_matrix(table: tuple[list[str], list[list[Any]]], nested: bool) -> None:
    columns, rows = table
    data: Any = rows if nested else [value for row in rows for value in row]
    matrix = {"name": "x", "shape": [len(rows), len(columns)], "datatype": "X", "data": data}
    side = inputs_of(json_exchange("/v2/models/m/infer", {"inputs": [matrix]}, {"outputs": [matrix]}))
    assert side.positional == (len(columns) > 1)
    assert same(columns_of(side), transposed(rows))


csv_cells = st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-(2**53), 2**53))


@given(st.lists(st.lists(csv_cells, min_size=2, max_size=2), min_size=1, max_size=6), st.sampled_from(["b", "b, c", "[b]"]))
def test_csv(rows: list[list[float | None]], name: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["a", name], *rows])
    request = request_bytes("/invocations", text.getvalue().encode(), "text/csv")
    side = inputs_of(exchange(request, response_bytes(json.dumps([0] * len(rows)).encode())))
    assert as_lists(side) == dict(zip(("a", name), transposed(rows), strict=True))


def by_layout(results: Sequence[Decoded]) -> dict[Any, list[dict[str, list[Any]]]]:
    """Rows of both sides by layout, in order; a column that is missing throughout is of either kind."""
    rows: dict[Any, list[dict[str, list[Any]]]] = {}
    for result in results:
        for batch in result.batches:
            aligned = batch.inputs.rows == batch.outputs.rows
            key = (batch.format, batch.model, batch.version, batch.inputs.names, batch.outputs.names, aligned)
            sides = rows.setdefault(key, [{}, {}])
            for gathered, side in zip(sides, (batch.inputs, batch.outputs), strict=True):
                for name, values in as_lists(side).items():
                    gathered.setdefault(name, []).extend(values)
    return rows


def totals(results: Sequence[Decoded]) -> tuple[dict[Any, int], ...]:
    sums: tuple[dict[Any, int], ...] = ({}, {}, {}, {})
    for result in results:
        parts: tuple[dict[Any, int], ...] = (result.decoded, result.rows, result.undecoded, result.unobserved)
        for total, part in zip(sums, parts, strict=True):
            for key, count in part.items():
                total[key] = total.get(key, 0) + count
    return sums


@st.composite
def calls(draw: st.DrawFn) -> Exchange:
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(numeric_cells, min_size=width, max_size=width), min_size=1, max_size=3))
    answers = draw(st.sampled_from([{"predictions": [1.5] * len(rows)}, {"predictions": [7]}, "no JSON", {"predictions": []}]))
    status = draw(st.sampled_from([200, 200, 200, 500]))
    if draw(st.booleans()):
        matrix = {"name": "x", "shape": [len(rows), width], "data": [value for row in rows for value in row]}
        return json_exchange("/v2/models/m/infer", {"inputs": [matrix]}, {"outputs": [matrix]}, status=status)
    return json_exchange(
        draw(st.sampled_from(["/v1/models/a:predict", "/v1/models/b:predict"])), {"instances": rows}, answers, status=status
    )


@given(st.lists(calls(), max_size=12))
def test_gathering_is_concatenating(exchanges: list[Exchange]) -> None:
    together = Decoder().decode(exchanges)
    one_by_one = [Decoder().decode([one]) for one in exchanges]
    assert by_layout([together]) == by_layout(one_by_one)
    assert totals([together]) == totals(one_by_one)
    assert together.routes == [route for result in one_by_one for route in result.routes]


@given(st.lists(st.one_of(st.floats(), st.none()), min_size=1, max_size=8))
def test_bare_nan_and_infinity_are_read_as_python_writes_them(values: list[float | None]) -> None:
    side = inputs_of(json_exchange("/v1/models/m:predict", {"instances": [values]}, {"predictions": [1]}))
    wanted = [[None if value is None or math.isnan(value) else value] for value in values]
    assert columns_of(side) == wanted

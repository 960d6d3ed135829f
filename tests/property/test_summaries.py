"""Whatever a side holds, the stage of summaries gives columns of its rows, and the check takes them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.batch import NOTHING, Batch, Side, TensorType, Values
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.validate.schema import Checker
from agent.validate.summaries import Summariser

RNG = np.random.default_rng(11)
DATA = {
    "age": np.arange(60.0),
    "vec": RNG.normal(size=(60, 4)),
    "img": RNG.uniform(size=(60, 5, 5, 1)),
    "sizes": [np.ones((5, 6 + i % 2, 3)) for i in range(60)],
    "note": [f"this is the note of customer number {i}" for i in range(60)],
    "file": [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1" + bytes([i]) for i in range(60)],
    "out": RNG.normal(size=(60, 3)),
}
SCHEMAS: tuple[Schema, ...] = (
    schema_of(build(DATA, prediction="out")),
    *(schema_of(build({name: DATA[name], "out": DATA["out"]}, prediction="out")) for name in DATA if name != "out"),
)

STEMS = st.sampled_from(["age", "vec", "img", "sizes", "note", "file", "out", "vec.norm", "b64", "file.b64", "x", "", "["])
ENDS = st.sampled_from(["", "", "[0]", "[1]", "[3]", "[0][1]", "[4][4][0]", "[", "]", "[-1]", "[a]", "[²]", ".b64"])
NAMES = st.lists(st.tuples(STEMS, ENDS).map("".join), min_size=1, max_size=8, unique=True)
RUNS = st.tuples(STEMS, st.integers(1, 30)).map(lambda pair: [f"{pair[0]}[{index}]" for index in range(pair[1])])
ITEMS = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(-(10**400), 10**400), st.text(max_size=8))


@st.composite
def sides(draw: st.DrawFn) -> Side:
    rows = draw(st.integers(1, 4))
    positional = draw(st.booleans())
    if positional:
        names = tuple(map(str, range(draw(st.sampled_from([1, 2, 3, 4, 5, 12, 25, 90])))))
    else:
        names = tuple(draw(st.one_of(NAMES, RUNS)))
    columns: list[Values] = []
    for _ in names:
        if draw(st.booleans()) and len(names) < 10:
            column = np.empty(rows, dtype=object)
            column[:] = draw(st.lists(ITEMS, min_size=rows, max_size=rows))
            columns.append(column)
        else:
            columns.append(np.full(rows, draw(st.floats())))
    shape = st.lists(st.integers(1, 6), max_size=4).map(tuple)
    tensors = draw(st.lists(st.builds(TensorType, STEMS, st.just("FP32"), shape), max_size=2))
    return Side(names, tuple(columns), rows, positional, tuple(tensors))


@given(st.sampled_from(SCHEMAS), sides(), sides())
def test_any_side_becomes_columns_of_its_rows(schema: Schema, inputs: Side, outputs: Side) -> None:
    batch, broken = Summariser(schema).summarise(Batch("test", "", "", inputs, outputs))
    for before, after in ((inputs, batch.inputs), (outputs, batch.outputs)):
        assert after.rows == before.rows
        assert len(after.names) == len(after.columns) == len(set(after.names))
        assert {column.shape for column in after.columns} <= {(before.rows,)}
    checked = Checker(schema).check(batch)
    names = {source.name for source in schema.sources}
    assert {column for column, _ in broken} <= names
    rows = inputs.rows + outputs.rows
    assert all(0 < count <= rows for count in (*broken.values(), *checked.violations.values()))


@given(st.sampled_from(SCHEMAS), sides())
def test_once_summarised_is_summarised_alike_again(schema: Schema, inputs: Side) -> None:
    summariser = Summariser(schema)
    batch = Batch("test", "", "", inputs, NOTHING)
    first, second = summariser.summarise(batch), summariser.summarise(batch)
    assert first[1] == second[1]
    assert first[0].inputs.names == second[0].inputs.names
    for mine, other in zip(first[0].inputs.columns, second[0].inputs.columns, strict=True):
        assert all(a == b or (a != a and b != b) for a, b in zip(mine.tolist(), other.tolist(), strict=True))  # noqa: PLR0124 - NaN


@given(st.integers(1, 40))
def test_positions_bind_to_a_vector_of_their_number_only(width: int) -> None:
    schema = SCHEMAS[2]
    side = Side(tuple(map(str, range(width))), tuple(np.ones((width, 2))), 2, True)
    batch, broken = Summariser(schema).summarise(Batch("test", "", "", side, NOTHING))
    wanted = math.prod(schema.sources[0].shape)
    assert (("vec.norm" in batch.inputs.names) and not broken) == (width == wanted)

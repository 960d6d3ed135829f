"""Whatever names, shapes and values a sender chooses: the check ends, counts within bounds, and hands on what fits."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.batch import Batch, Side, Values
from agent.profile.schema import ColumnSchema, Schema
from agent.validate.bind import Binder
from agent.validate.schema import KINDS, OTHER, WHOLE, Checker
from agent.window.pane import Pane

NAMES = ("a", "b", "c", "p", "q", "id", "x", "", "_other")


def _column(name: str, role: str, type: str) -> ColumnSchema:
    numeric = type in ("float", "integer")
    return ColumnSchema(
        name=name,
        role=role,
        type=type,
        nullable=name == "b",
        minimum=-1.0 if numeric else None,
        maximum=1.0 if numeric else None,
        edges=np.array([-0.5, 0.5]) if numeric else None,
        coarse=np.array([0, 1]) if numeric else None,
        categories={"category": ("red", "1"), "boolean": ("false", "true")}.get(type),
        reference=None,
    )


TYPES = st.sampled_from(("float", "integer", "category", "boolean", "text"))


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    features = tuple(_column(name, "feature", draw(TYPES)) for name in draw(st.lists(st.sampled_from("abc"), unique=True)))
    roles = {"p": "prediction", "q": "probability"}
    outputs = tuple(_column(name, roles[name], draw(TYPES)) for name in draw(st.lists(st.sampled_from("pq"), unique=True)))
    return Schema("m", "1", features, outputs, frozenset({"id"}))


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("aé\ud800", max_size=2) | st.sampled_from(["red", 10**400])
)


@st.composite
def sides(draw: st.DrawFn) -> Side:
    rows = draw(st.integers(0, 5))
    positional = draw(st.booleans())
    names = draw(st.lists(st.sampled_from(NAMES), max_size=5))
    if positional:
        names = [str(index) for index in range(len(names))]
    columns: list[Values] = []
    for _ in names:
        if draw(st.booleans()):
            columns.append(np.array(draw(st.lists(st.floats(), min_size=rows, max_size=rows)), dtype=np.float64))
        else:
            values: np.ndarray[Any, Any] = np.empty(rows, dtype=object)
            values[:] = draw(st.lists(SCALARS, min_size=rows, max_size=rows))
            columns.append(values)
    return Side(tuple(names), tuple(columns), rows, positional)


@given(schemas(), sides(), sides())
def test_every_batch_is_checked_and_sketched(schema: Schema, inputs: Side, outputs: Side) -> None:
    checked = Checker(schema).check(Batch("test", "", "", inputs, outputs))
    known = {column.name for column in schema.columns} | {WHOLE, OTHER}
    assert len(checked.values) == len(schema.columns)
    for (name, kind), count in checked.violations.items():
        assert name in known
        assert kind in KINDS
        assert 0 < count <= 2 * (inputs.rows + outputs.rows)
    for column, values in zip(schema.columns, checked.values, strict=True):
        if values is not None and column.type in ("float", "integer"):
            assert values.dtype == np.float64
    pane = Pane(schema)
    pane.update(checked)
    assert Pane.from_bytes(pane.to_bytes(), schema).to_bytes() == pane.to_bytes()


@given(schemas(), sides())
def test_each_column_is_bound_at_most_once(schema: Schema, side: Side) -> None:
    binder = Binder(schema)
    for binding, columns in ((binder.inputs(side), schema.features), (binder.outputs(side), schema.outputs)):
        bound = [place for place in binding.places if place >= 0]
        assert len(binding.places) == len(columns)
        assert len(set(bound)) == len(bound)
        assert all(place < len(side.names) for place in bound)
        assert not (binding.shape and bound)


@given(schemas(), st.data())
def test_the_order_of_named_inputs_does_not_matter(schema: Schema, data: st.DataObject) -> None:
    names = [column.name for column in schema.features]
    shuffled = data.draw(st.permutations(names))
    values = {name: np.full(2, float(index)) for index, name in enumerate(names)}
    side = Side(tuple(shuffled), tuple(values[name] for name in shuffled), 2)
    binding = Binder(schema).inputs(side)
    assert [side.names[place] for place in binding.places] == names
    assert not binding.extra


@given(schemas(), sides())
def test_a_layout_binds_alike_the_second_time(schema: Schema, side: Side) -> None:
    binder = Binder(schema)
    assert binder.inputs(side) == binder.inputs(side) == Binder(schema).inputs(side)
    assert binder.outputs(side) == binder.outputs(side) == Binder(schema).outputs(side)

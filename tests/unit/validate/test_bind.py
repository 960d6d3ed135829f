from __future__ import annotations

import numpy as np
import pytest

from agent.batch import Side
from agent.profile.schema import ColumnSchema, Schema
from agent.validate.bind import LAYOUTS_KEPT, Binder, Binding


def column(name: str, role: str = "feature") -> ColumnSchema:
    return ColumnSchema(name, role, "float", True, None, None, None, None, None, None)


def side(*names: str, positional: bool = False) -> Side:
    return Side(names, tuple(np.zeros(2) for _ in names), 2, positional)


def positions(count: int) -> Side:
    return side(*map(str, range(count)), positional=True)


def binder(outputs: str = "pqr") -> Binder:
    roles = {"p": "prediction", "q": "probability", "r": "probability"}
    found = tuple(column(name, roles[name]) for name in outputs)
    return Binder(Schema("m", "1", tuple(map(column, "abc")), found, frozenset({"id", "label"})))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("abc", Binding((0, 1, 2))),
        ("cba", Binding((2, 1, 0))),
        ("ab", Binding((0, 1, -1))),
        ("abcd", Binding((0, 1, 2), extra=True)),
        ("xyz", Binding((-1, -1, -1), extra=True)),
        (("a", "b", "c", "id", "label"), Binding((0, 1, 2))),
        (("id", "a", "b", "c", "x"), Binding((1, 2, 3), extra=True)),
        ("abcp", Binding((0, 1, 2))),
        ("abca", Binding((0, 1, 2), extra=True)),
    ],
)
def test_inputs_by_name(names: str | tuple[str, ...], expected: Binding) -> None:
    assert binder().inputs(side(*names)) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(3, Binding((0, 1, 2))), (2, Binding((-1,) * 3, shape=True)), (4, Binding((-1,) * 3, shape=True))]
)
def test_inputs_by_position(count: int, expected: Binding) -> None:
    assert binder().inputs(positions(count)) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("p", Binding((0, -1, -1))),
        ("rq", Binding((-1, 1, 0))),
        ("px", Binding((0, -1, -1), extra=True)),
        (("p", "label"), Binding((0, -1, -1))),
        (("predict",), Binding((0, -1, -1))),
        (("output-0", "output-1"), Binding((-1, 0, 1))),
        (("o0", "o1", "o2"), Binding((0, 1, 2))),
        (("o0", "o1", "o2", "o3"), Binding((-1, -1, -1), shape=True)),
    ],
)
def test_outputs_by_name_else_by_position(names: str | tuple[str, ...], expected: Binding) -> None:
    assert binder().outputs(side(*names)) == expected


@pytest.mark.parametrize(
    ("outputs", "count", "expected"),
    [
        ("pqr", 1, Binding((0, -1, -1))),
        ("qpr", 1, Binding((-1, 0, -1))),
        ("pqr", 2, Binding((-1, 0, 1))),
        ("pqr", 3, Binding((0, 1, 2))),
        ("pqr", 4, Binding((-1, -1, -1), shape=True)),
        ("q", 1, Binding((0,))),
        ("qr", 1, Binding((0, -1))),
        ("qr", 2, Binding((0, 1))),
        ("p", 2, Binding((-1,), shape=True)),
    ],
)
def test_outputs_by_position(outputs: str, count: int, expected: Binding) -> None:
    assert binder(outputs).outputs(positions(count)) == expected


def test_the_same_names_with_and_without_positions_are_two_layouts() -> None:
    both = Binder(Schema("", "", (column("1"), column("0")), ()))
    assert both.inputs(positions(2)) == Binding((0, 1))
    assert both.inputs(side("0", "1")) == Binding((1, 0))


def test_remembers_a_bounded_number_of_layouts() -> None:
    bound = binder()
    for number in range(10 * LAYOUTS_KEPT):
        assert bound.inputs(side("a", "b", "c", f"attack {number}")).extra
        assert len(bound._inputs) <= LAYOUTS_KEPT

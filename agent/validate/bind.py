"""Which column of a batch is which column of the profile.

Wire formats differ in what they say of columns: names, nothing but an order, or names of the server's own ("predict",
"output-0"). The rules, in this order:

- inputs with names bind by name, inputs without bind in the features' order if there are as many;
- outputs bind by name if one of the names is known;
- else by position: one column is the first prediction (or the first probability, where the profile has no prediction); as many
  columns as probabilities are those; as many as outputs are all of them;
- no column binds to a summary but by its name: three numbers are not norm, mean and cosine.

A layout is worked out once; `Binder` remembers the last ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.batch import Side
from agent.profile.schema import ColumnSchema, Schema

LAYOUTS_KEPT = 64
"""Layouts remembered; who sends more different ones than this makes us work them out again, and that is all."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a side's columns belong.

    Parameters
    ----------
    places
        Per expected column: which column of the side it is, or -1 if it is not there.
    extra
        Whether the side has columns that the profile does not know.
    shape
        Whether the number of columns fits nothing; then all of `places` are -1.
    """

    places: tuple[int, ...]
    extra: bool = False
    shape: bool = False


class Binder:
    """Binds sides to a schema's columns.

    Parameters
    ----------
    schema
        With names that are unique in each group.
    """

    __slots__ = ("_inputs", "_outputs", "_schema")

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._inputs: dict[tuple[bool, tuple[str, ...]], Binding] = {}
        self._outputs: dict[tuple[bool, tuple[str, ...]], Binding] = {}

    def inputs(self, side: Side) -> Binding:
        """Bind inputs to `Schema.features`."""
        key = (side.positional, side.names)
        binding = self._inputs.get(key)
        if binding is None:
            binding = _bind_inputs(self._schema, side)
            _remember(self._inputs, key, binding)
        return binding

    def outputs(self, side: Side) -> Binding:
        """Bind outputs to `Schema.outputs`."""
        key = (side.positional, side.names)
        binding = self._outputs.get(key)
        if binding is None:
            binding = _bind_outputs(self._schema, side)
            _remember(self._outputs, key, binding)
        return binding


def _remember(layouts: dict[tuple[bool, tuple[str, ...]], Binding], key: tuple[bool, tuple[str, ...]], found: Binding) -> None:
    if len(layouts) >= LAYOUTS_KEPT:
        layouts.clear()
    layouts[key] = found


def _bind_inputs(schema: Schema, side: Side) -> Binding:
    features = schema.features
    if not side.positional:
        return _by_name(features, side.names, schema.unmonitored | {column.name for column in schema.outputs})
    if len(side.names) == len(features) and not any(column.source for column in features):
        return Binding(tuple(range(len(features))))
    return Binding((-1,) * len(features), shape=True)


def _bind_outputs(schema: Schema, side: Side) -> Binding:
    outputs = schema.outputs
    if not side.positional and not {column.name for column in outputs}.isdisjoint(side.names):
        return _by_name(outputs, side.names, schema.unmonitored | {column.name for column in schema.features})
    wanted = _by_count(outputs, len(side.names))
    places = [-1] * len(outputs)
    for position, index in enumerate(wanted):
        places[index] = position
    return Binding(tuple(places), shape=not wanted)


def _by_name(expected: Sequence[ColumnSchema], names: tuple[str, ...], known: frozenset[str]) -> Binding:
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        found.setdefault(name, index)  # a name sent twice: the first one counts, the other is extra
    places = tuple(found.get(column.name, -1) for column in expected)
    bound = sum(place >= 0 for place in places)
    expected_names = {column.name for column in expected}
    tolerated = sum(name in known and name not in expected_names for name in found)
    return Binding(places, extra=len(names) > bound + tolerated)


def _by_count(outputs: Sequence[ColumnSchema], count: int) -> list[int]:
    predictions = [index for index, column in enumerate(outputs) if column.role == "prediction" and not column.source]
    probabilities = [index for index, column in enumerate(outputs) if column.role == "probability"]
    if count == 1:
        return (predictions or probabilities)[:1]
    if count and count == len(probabilities):
        return probabilities
    return list(range(len(outputs))) if count == len(outputs) and not any(column.source for column in outputs) else []

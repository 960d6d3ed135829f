"""A batch against the profile's schema: what fits goes on to the sketches, what does not is counted by column and kind.

Every check is a pass over an array, and the common case, a clean column, costs two: its minimum and its maximum are in range,
which also says that nothing is missing (NaN would come out) and nothing is infinite.

Names that a sender chose are never used as keys: columns that the profile does not know are counted under one name.
"""

from __future__ import annotations

from math import inf, nan
from operator import ne
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import OUT_OF_RANGE, Batch, Checked, Side, Values
from agent.profile.format import CATEGORY_TYPES, NUMERIC_TYPES
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.categorical import places, tally
from agent.validate.bind import Binder, Binding

MISSING_COLUMN = "missing_column"
"""A feature of the profile is not among the inputs."""
EXTRA_COLUMN = "extra_column"
"""Columns that the profile does not know; counted under `OTHER`, once per row however many there are."""
TYPE = "type"
"""A value of another type: text or a boolean where a number belongs, a fraction where an integer belongs."""
SHAPE = "shape"
"""The number of columns fits nothing in the profile; counted under `WHOLE`."""
NULL = "null"
"""A missing value in a column that had none in training."""
NOT_FINITE = "not_finite"
"""Positive or negative infinity."""
UNSEEN_CATEGORY = "unseen_category"
"""A category that is none of the profile's."""

KINDS = (MISSING_COLUMN, EXTRA_COLUMN, TYPE, SHAPE, NULL, NOT_FINITE, OUT_OF_RANGE, UNSEEN_CATEGORY)
"""All kinds of violations."""

WHOLE = ""
"""The column's name in violations that belong to a whole side."""
OTHER = "_other"
"""The column's name for columns that the profile does not know."""


class Checker:
    """Checks batches against a schema.

    A feature that is not there, and a value that is no number where numbers belong, count as missing values beside the
    violation: whoever watches the missing share sees a renamed column and a changed type too.

    A side that was not there (no columns) breaks nothing. A missing output column breaks nothing either: servers answer with
    the prediction, or with the probabilities, or with both, as they were asked. Where the schema has no features, or no
    outputs, it promises nothing about that side.

    Parameters
    ----------
    schema
        What the profile promises.
    """

    __slots__ = ("_binder", "_features", "_outputs", "_schema")

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._binder = Binder(schema)
        self._features = tuple(_check_of(column) for column in schema.features)
        self._outputs = tuple(_check_of(column) for column in schema.outputs)

    def check(self, batch: Batch) -> Checked:
        """Check a batch. Cost: 3 ns per value at 1,000 rows of clean numbers; never raises on what a sender chose."""
        found: dict[tuple[str, str], int] = {}
        values: list[Values | None] = [None] * (len(self._features) + len(self._outputs))
        inputs, outputs = batch.inputs, batch.outputs
        # No columns, and rows all the same: nothing of what was sent is what the profile summarises.
        if (inputs.names or inputs.rows) and self._features:
            binding = self._binder.inputs(inputs)
            _count_whole(found, inputs, binding)
            if not binding.shape:
                for index, (check, place) in enumerate(zip(self._features, binding.places, strict=True)):
                    if place < 0:
                        if not check.is_summary:  # whoever summarises has counted the column that is not there
                            _add(found, check.name, MISSING_COLUMN, inputs.rows)
                        values[index] = np.full(inputs.rows, nan)
            _check_side(self._features, inputs, binding, values, 0, found)
        if outputs.names and self._outputs:
            binding = self._binder.outputs(outputs)
            _count_whole(found, outputs, binding)
            _check_side(self._outputs, outputs, binding, values, len(self._features), found)
        return Checked(inputs.rows or outputs.rows, tuple(values), found)


def _count_whole(found: dict[tuple[str, str], int], side: Side, binding: Binding) -> None:
    if binding.shape:
        _add(found, WHOLE, SHAPE, side.rows)
    if binding.extra:
        _add(found, OTHER, EXTRA_COLUMN, side.rows)


def _check_side(
    checks: tuple[_Check, ...],
    side: Side,
    binding: Binding,
    values: list[Values | None],
    offset: int,
    found: dict[tuple[str, str], int],
) -> None:
    for index, (check, place) in enumerate(zip(checks, binding.places, strict=True)):
        if place >= 0:
            values[offset + index] = check.run(side.columns[place], found)


def _add(found: dict[tuple[str, str], int], column: str, kind: str, rows: int) -> None:
    if rows:
        key = (column, kind)
        found[key] = found.get(key, 0) + rows


class _Check:
    """What is checked of any column: only that nothing is missing where nothing was missing in training."""

    __slots__ = ("is_summary", "name", "nullable")

    def __init__(self, column: ColumnSchema) -> None:
        self.name = column.name
        self.is_summary = bool(column.source)
        self.nullable = column.nullable

    def run(self, values: Values, found: dict[tuple[str, str], int]) -> Values:
        """Count violations; give what goes on."""
        if not self.nullable:
            _add(found, self.name, NULL, _missing(values))
        return values


class _NumberCheck(_Check):
    """Type, missing, infinite, range."""

    __slots__ = ("high", "low", "whole")

    def __init__(self, column: ColumnSchema) -> None:
        super().__init__(column)
        self.low = -inf if column.minimum is None else column.minimum
        self.high = inf if column.maximum is None else column.maximum
        self.whole = column.type == "integer"

    def run(self, values: Values, found: dict[tuple[str, str], int]) -> Values:
        numbers, wrong = values, 0
        if values.dtype.kind != "f":
            numbers, wrong = numbers_of(values.tolist())
            _add(found, self.name, TYPE, wrong)
        if not numbers.size:
            return numbers
        low, high = float(np.minimum.reduce(numbers)), float(np.maximum.reduce(numbers))
        # Not the other way round: NaN, which comes out if any value is NaN, is neither in range nor out of it.
        if not (low >= self.low and high <= self.high and low > -inf and high < inf):
            self._look_closer(numbers, wrong, found)
        if self.whole:
            _add(found, self.name, TYPE, _fractions(numbers))
        return numbers

    def _look_closer(self, numbers: NDArray[np.float64], wrong: int, found: dict[tuple[str, str], int]) -> None:
        missing = int(np.count_nonzero(np.isnan(numbers))) - wrong
        infinite = int(np.count_nonzero(np.isinf(numbers)))
        below = (numbers < self.low) & (numbers > -inf)
        above = (numbers > self.high) & (numbers < inf)
        if not self.nullable:
            _add(found, self.name, NULL, missing)
        _add(found, self.name, NOT_FINITE, infinite)
        _add(found, self.name, OUT_OF_RANGE, int(np.count_nonzero(below | above)))


class _CategoryCheck(_Check):
    """Missing and unseen categories."""

    __slots__ = ("common", "known")

    def __init__(self, column: ColumnSchema) -> None:
        super().__init__(column)
        self.known = places(column.categories or ())
        self.common: frozenset[Any] = frozenset(self.known)
        if column.categories and set(column.categories) <= {"false", "true"}:
            self.common |= {value == "true" for value in column.categories}
        if column.nullable:
            self.common |= {None}

    def run(self, values: Values, found: dict[tuple[str, str], int]) -> Values:
        wrong = 0
        try:
            if values.dtype.kind != "f" and self.common.issuperset(values.tolist()):
                return values
            counts, missing = tally(values)
        except TypeError:  # something that can't be hashed, such as a list: no category
            values, wrong = _without_containers(values)
            _add(found, self.name, TYPE, wrong)
            counts, missing = tally(values)
        unseen = sum(count for text, count in counts.items() if text not in self.known)
        _add(found, self.name, UNSEEN_CATEGORY, unseen)
        if not self.nullable:
            _add(found, self.name, NULL, missing - wrong)
        return values


def _check_of(column: ColumnSchema) -> _Check:
    if column.type in NUMERIC_TYPES:
        return _NumberCheck(column)
    if column.type in CATEGORY_TYPES and column.categories is not None:
        return _CategoryCheck(column)
    return _Check(column)


def _missing(values: Values) -> int:
    if values.dtype.kind == "f":
        return int(np.count_nonzero(np.isnan(values)))
    listed: list[Any] = values.tolist()
    return listed.count(None) + int(sum(map(ne, listed, listed)))  # NaN alone differs from itself


def _without_containers(values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Put ``None`` for lists and such, so that rows stay in line with those of other columns; and say how many there were."""
    listed: list[Any] = values.tolist()
    kept = [value if isinstance(value, str | int | float) else None for value in listed]
    return np.array(kept, dtype=object), kept.count(None) - listed.count(None)


def _fractions(numbers: NDArray[np.float64]) -> int:
    differ = int(np.count_nonzero(numbers != np.rint(numbers)))
    return differ and differ - int(np.count_nonzero(np.isnan(numbers)))  # NaN differs from itself


def numbers_of(values: list[Any]) -> tuple[NDArray[np.float64], int]:
    """Give the numbers of a mixed column, NaN for ``None`` and for what is no number; and how many of the latter there were."""
    kept, wrong = values, 0
    if not set(map(type, values)) <= {int, float, type(None)}:
        kept = [value if isinstance(value, int | float) and not isinstance(value, bool) else None for value in values]
        wrong = kept.count(None) - values.count(None)
    try:
        numbers = np.array(kept, dtype=np.float64)
    except OverflowError:  # an integer larger than any float
        numbers = np.array([_as_float(value) for value in kept], dtype=np.float64)
    return numbers, wrong


def _as_float(value: float | None) -> float:
    if value is None:
        return nan
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf

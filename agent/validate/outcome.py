"""Which rows of a checked batch were answered, and which favourably."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked
from agent.group_language import COMPARE, Comparison
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.codes import Codes

_HOW = "set OUTRIDER_FAVOURABLE to a category such as approved, or to a comparison such as >=0.5"


class OutcomeTest:
    """Tells favourable answers by the first prediction, or the first probability where there is none.

    Parameters
    ----------
    schema
        Where the column is.
    favourable
        Which of its values are favourable; where it is ``None``, ``true`` or 1 of booleans and of zeros and ones.

    Attributes
    ----------
    column
        The column's name.
    favourable
        As given, or as it was found.

    Raises
    ------
    ValueError
        If there is no such column, or nobody knows which value is favourable; the text says what to write.
    """

    __slots__ = ("_codes", "_mine", "_place", "column", "favourable")

    def __init__(self, schema: Schema, favourable: Comparison | None) -> None:
        column, self._place = _find(schema)
        self.column = column.name
        self.favourable = favourable or _usual(column)
        self._codes: Codes | None = None
        self._mine = -2
        known = column.categories
        if known is not None:
            if self.favourable.sign != "=":
                raise ValueError(f"{self.favourable} is no category of column {column.name!r}: {_HOW}")
            self._codes = Codes(known)
            self._mine = int(self._codes.of(np.array([self.favourable.value], dtype=object))[0])
            if self._mine == len(known):
                raise ValueError(f"column {column.name!r} has no category {self.favourable.value!r} in training: {_HOW}")
        elif column.edges is None or self.favourable.number is None:
            raise ValueError(f"column {column.name!r} is {column.type}: {_HOW}")

    def of(self, checked: Checked) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Give which rows have an answer, and which a favourable one, shape ``(rows,)``; ``None`` where it is not row by row."""
        values = checked.values[self._place]
        if values is None or len(values) != checked.rows:
            return None
        if self._codes is None:
            return ~np.isnan(values), np.asarray(COMPARE[self.favourable.sign](values, self.favourable.number))
        codes = self._codes.of(values)
        return codes >= 0, codes == self._mine


def _find(schema: Schema) -> tuple[ColumnSchema, int]:
    start = len(schema.features)
    for role in ("prediction", "probability"):
        for place, column in enumerate(schema.outputs):
            if column.role == role and not column.source:
                return column, start + place
    raise ValueError("the profile has no prediction")


def _usual(column: ColumnSchema) -> Comparison:
    known = set(column.categories or ())
    if known and known <= {"false", "true"}:
        return Comparison("=", "true")
    zeros_and_ones = column.type == "integer" and (column.minimum, column.maximum) == (0.0, 1.0)
    if (known and known <= {"0", "1"}) or zeros_and_ones:
        return Comparison("=", "1")
    raise ValueError(f"nobody knows which value of column {column.name!r} is favourable: {_HOW}")

"""The stage behind the check: rows scored as wholes, and the scores appended as columns like any other.

It turns what a wire sent into what `agent.joint` takes: numbers as they are, categories as places in the profile's order. Each
category costs one look-up in a dictionary that learns the spellings of known ones (``1``, ``1.0``, ``"1"``), and only of those,
so that a sender can't make it grow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked, Values
from agent.joint.anomaly import DISTANCES, SCORE
from agent.joint.design import Encoded
from agent.joint.rows import RowModel, Scores
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.categorical import canonical, places


@dataclass(frozen=True, slots=True)
class _Feature:
    """Where a column stands among the features, and how its categories are told."""

    place: int
    codes: _Codes | None


class RowScorer:
    """Scores the rows of checked batches.

    Parameters
    ----------
    schema
        Where it has no `Schema.row_model`, nothing is scored.
    """

    __slots__ = ("_features", "_model", "_outputs_end", "_width")

    def __init__(self, schema: Schema) -> None:
        self._model = schema.row_model
        self._width = len(schema.derived)
        of_name = {column.name: (place, column) for place, column in enumerate(schema.features)}
        names = self._model.names if self._model is not None else ()
        self._features = tuple(_feature(*of_name[name]) for name in names)
        self._outputs_end = len(schema.features) + len(schema.outputs)

    @property
    def model(self) -> RowModel | None:
        """What rows are scored by."""
        return self._model

    def score(self, checked: Checked) -> tuple[Checked, Scores | None]:
        """Append the derived columns.

        Parameters
        ----------
        checked
            As `agent.validate.schema.Checker` gives it.

        Returns
        -------
        checked
            With a value for each of `Schema.columns`, ``None`` for the derived ones where the batch has no features.
        scores
            Of the same rows; ``None`` where there are none. Cost: 23 ns a number at 1,000 rows, where a sketch takes 41; 0.1 to
            0.2 ms for a single row.
        """
        model = self._model
        values = checked.values[: self._outputs_end]
        features = [values[feature.place] for feature in self._features]
        if model is None or all(column is None for column in features):
            return replace(checked, values=values + (None,) * self._width), None
        rows = checked.rows
        pairs = zip(self._features, features, strict=True)
        encoded = [None if column is None else _encoded(feature, column) for feature, column in pairs]
        scores = model.score(encoded, rows)
        derived = dict(zip((*DISTANCES, SCORE), (scores.errors, scores.distances, scores.anomaly), strict=True))
        return replace(checked, values=values + tuple(derived.values()), matrix=scores.matrix), scores


def _feature(place: int, column: ColumnSchema) -> _Feature:
    return _Feature(place, None if column.categories is None else _Codes(column.categories))


def _encoded(feature: _Feature, values: Values) -> Encoded:
    return values if feature.codes is None else feature.codes.of(values)


class _Codes(dict[Any, int]):
    """The place of each value: -1 for missing, one beyond the last for an unseen category."""

    def __init__(self, categories: tuple[str, ...]) -> None:
        super().__init__()
        self._places = places(categories)
        self._unseen = len(categories)
        self[None] = -1

    def of(self, values: Values) -> NDArray[np.int64]:
        listed: list[Any] = values.tolist()
        if bool in set(map(type, listed)):  # which a dictionary takes for 0 and 1
            listed = [canonical(value) if isinstance(value, bool) else value for value in listed]
        return np.fromiter(map(self.__getitem__, listed), dtype=np.int64, count=len(listed))

    def __missing__(self, value: Any) -> int:
        if value != value:  # noqa: PLR0124 - the cheapest test for NaN
            return -1
        place = self._places.get(canonical(value))
        if place is None:
            return self._unseen
        self[value] = place
        return place

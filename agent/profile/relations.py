"""What the second reading learns of columns together: correlations, the way features go with the prediction, performance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agent.profile.blocks import Values, as_texts
from agent.profile.census import NumberCensus
from agent.profile.column import Column, Tallied
from agent.profile.format import Association, Joint, Performance
from agent.profile.joint import MAX_JOINT, CoMoments, Contingency, CorrelationRatio
from agent.profile.packing import pack_floats
from agent.profile.tally import Accuracy, Error, rounded


class Relations:
    """Fed with all columns of a block at once.

    Parameters
    ----------
    columns
        With types, bins and categories chosen. The first prediction that is no summary is what features are compared with, and
        what is compared with the first label.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        numeric = [i for i, column in enumerate(columns) if column.bins is not None]
        self._features = [i for i in numeric if columns[i].role == "feature"][:MAX_JOINT]
        self._prediction = _first(columns, "prediction")
        self._label = _first(columns, "label")
        # The prediction, if it is a number, is one more row of the matrix.
        self._matrix = self._features + ([self._prediction] if self._prediction in numeric else [])
        moments = [_moments(columns[i]) for i in self._matrix]
        self._comoments = CoMoments(np.array([m for m, _ in moments]), np.array([d for _, d in moments]))
        self._pairs = self._pair_up()
        self._accuracy: Accuracy | None = None
        self._error: Error | None = None
        if self._label >= 0 and self._prediction >= 0:
            label, prediction = columns[self._label], columns[self._prediction]
            if label.categories is not None and prediction.categories is not None:
                self._accuracy = Accuracy()
            elif label.bins is not None and prediction.bins is not None:
                self._error = Error()

    def _pair_up(self) -> dict[int, CorrelationRatio | Contingency]:
        """Choose the measure of each feature that has not Pearson's r already."""
        if self._prediction < 0:
            return {}
        answer = self._columns[self._prediction]
        pairs: dict[int, CorrelationRatio | Contingency] = {}
        for i, column in enumerate(self._columns):
            if column.role != "feature":
                continue
            if column.categories is not None and answer.categories is not None:
                pairs[i] = Contingency(column.classes, answer.classes)
            elif column.categories is not None and answer.bins is not None:
                pairs[i] = CorrelationRatio(column.classes, *_moments(answer))
            elif column.bins is not None and answer.categories is not None:
                pairs[i] = CorrelationRatio(answer.classes, *_moments(column))
        return pairs

    def update(self, tallied: Sequence[Tallied], raw: Sequence[Values]) -> None:
        """Add a block: what `Column.tally` made of it, and what it was made of."""
        if self._matrix:
            self._comoments.update(np.column_stack([cast("NDArray[np.float64]", tallied[i]) for i in self._matrix]))
        for i, pair in self._pairs.items():
            mine, answer = tallied[i], tallied[self._prediction]
            if isinstance(pair, Contingency):
                pair.update(cast("NDArray[np.int64]", mine), cast("NDArray[np.int64]", answer))
            else:
                codes, values = (mine, answer) if self._columns[i].categories is not None else (answer, mine)
                pair.update(cast("NDArray[np.int64]", codes), cast("NDArray[np.float64]", values))
        if self._accuracy is not None:
            self._accuracy.update(as_texts(raw[self._label]), as_texts(raw[self._prediction]))
        if self._error is not None:
            label, prediction = tallied[self._label], tallied[self._prediction]
            self._error.update(cast("NDArray[np.float64]", label), cast("NDArray[np.float64]", prediction))

    def joint(self) -> Joint | None:
        """Give the correlations of the numeric features; nothing for fewer than two."""
        size = len(self._features)
        if size < 2:
            return None
        features = self._comoments.correlation()[:size, :size]  # the prediction, if there is one, comes after them
        upper = features[np.triu_indices(size, 1)]
        packed = pack_floats(upper, "<f4")
        return Joint([self._columns[i].name for i in self._features], packed)

    def association(self) -> list[Association]:
        """Give each feature's association with the prediction where there is one, in the order of the columns."""
        found: dict[int, tuple[str, float]] = {}
        if len(self._matrix) > len(self._features):
            r = self._comoments.correlation()[:-1, -1]
            found = {i: ("pearson_r", float(value)) for i, value in zip(self._features, r, strict=True)}
        for i, pair in self._pairs.items():
            found[i] = ("cramers_v" if isinstance(pair, Contingency) else "correlation_ratio", pair.result())
        return [
            Association(self._columns[i].name, measure, rounded(value))
            for i, (measure, value) in sorted(found.items())
            if math.isfinite(value)
        ]

    def performance(self) -> list[Performance]:
        """Give the measures of prediction against label, if both are there and of one type."""
        measured = self._accuracy or self._error
        return measured.result() if measured is not None else []


def _first(columns: Sequence[Column], role: str) -> int:
    return next((i for i, column in enumerate(columns) if column.role == role and not column.source), -1)


def _moments(column: Column) -> tuple[float, float]:
    census = column.census
    if not isinstance(census, NumberCensus) or not census.count:
        return 0.0, 1.0
    return census.mean, math.sqrt(census.variance) if math.isfinite(census.variance) else math.inf

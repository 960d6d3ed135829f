"""Rows scored as wholes: the frozen model of training's rows, and how it is learned.

Whoever has seen a row finds it less strange than a fresh one. So the rows of training are dealt out to three uses: half of them
learn the components, a quarter the tails of the distances, and the last quarter is scored like traffic and becomes the reference.
(The columns' own tails are learned from the first three quarters.) Fresh rows like those of training then have the very
distribution of the reference, however few rows there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.joint.anomaly import DISTANCES, TOP, Threshold, scores, threshold_of, weights_of
from agent.joint.design import Design, Encoded
from agent.joint.subspace import MIN_WIDTH, Subspace, fit
from agent.joint.tails import ClassTail, NumberTail, Tail, Tails, class_tail, number_tail

MIN_ROWS = 100
"""Rows that a model can be learned from: 25 of them become the reference."""

BLOCK_ROWS = 8192
"""Rows that are scored at once: what is worked with on the way is as large as the values, several times."""

UNSEEN = 3
"""The group of rows that no part of the model is learned from."""

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What is said of each row of a batch; all arrays are of its rows.

    Parameters
    ----------
    matrix
        The design matrix, shape ``(rows, d)``.
    errors, distances
        Reconstruction error and Mahalanobis distance, shape ``(rows,)``.
    anomaly
        The combined score.
    top
        Places of the `TOP` highest scores, highest first.
    rarities
        ``1 / p`` of each column in `RowModel.scored` in these rows, shape ``(c, len(top))``.
    """

    matrix: NDArray[np.float64]
    errors: NDArray[np.float64]
    distances: NDArray[np.float64]
    anomaly: NDArray[np.float64]
    top: NDArray[np.int64]
    rarities: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowModel:
    """All that is frozen of training's rows.

    Parameters
    ----------
    names
        Of the columns whose values are given to `score`, in their order.
    design, subspace
        Structure.
    tails
        By column, ``None`` for those that are not looked at, and at the end those of both distances.
    threshold
        Of the scores.
    """

    names: tuple[str, ...]
    design: Design
    subspace: Subspace
    tails: tuple[Tail | None, ...]
    threshold: Threshold
    scored: tuple[str, ...] = field(init=False)
    """The names of the columns that make up the score, and of the distances."""
    weights: NDArray[np.float64] = field(init=False)
    _tails: Tails = field(init=False)

    def __post_init__(self) -> None:
        tails = Tails(self.tails)
        names = (*self.names, *DISTANCES)
        object.__setattr__(self, "_tails", tails)
        object.__setattr__(self, "scored", tuple(names[place] for place in tails.places))
        object.__setattr__(self, "weights", weights_of(len(tails.places) - len(DISTANCES), len(DISTANCES)))

    def score(self, values: Sequence[Encoded | None], rows: int) -> Scores:
        """Score rows.

        Parameters
        ----------
        values
            By column of `names`; ``None`` counts as missing.
        rows
            How many each has.

        Returns
        -------
        Scores
            Finite whatever came. Cost: 18 ns a value at 1,000 rows of 50 numeric columns, 50 to 70 µs for a single row;
            the matrix is all the memory that grows with the rows.
        """
        if rows <= BLOCK_ROWS:
            return self._score(values, rows)
        starts = range(0, rows, BLOCK_ROWS)
        parts = [self._score(_block(values, at), min(BLOCK_ROWS, rows - at)) for at in starts]
        tops = np.concatenate([part.top + at for part, at in zip(parts, starts, strict=True)])
        anomaly = np.concatenate([part.anomaly for part in parts])
        highest = np.argsort(-anomaly[tops], kind="stable")[:TOP]
        return Scores(
            np.concatenate([part.matrix for part in parts]),
            np.concatenate([part.errors for part in parts]),
            np.concatenate([part.distances for part in parts]),
            anomaly,
            tops[highest],
            np.concatenate([part.rarities for part in parts], axis=1)[:, highest],
        )

    def _score(self, values: Sequence[Encoded | None], rows: int) -> Scores:
        matrix = self.design.matrix(values, rows)
        errors, distances = self.subspace.score(matrix)
        rarities = self._tails.rarities([*values, errors, distances], rows)
        anomaly = scores(rarities, self.weights)
        top = np.argpartition(-anomaly, TOP)[:TOP] if rows > TOP else np.arange(rows)
        top = top[np.argsort(-anomaly[top], kind="stable")]
        return Scores(matrix, errors, distances, anomaly, top, rarities[:, top])


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A model, and what it says of rows of training that it has not seen: `errors`, `distances`, `anomaly`, not all as many."""

    model: RowModel
    errors: NDArray[np.float64]
    distances: NDArray[np.float64]
    anomaly: NDArray[np.float64]


def learn(
    names: Sequence[str], design: Design, values: Sequence[Encoded | None], classes: Sequence[int | None], rows: int
) -> Learned | None:
    """Learn a model of training's rows.

    Parameters
    ----------
    names, values
        Columns and their values, an even sample of training in its order; ``None`` for a column that is not looked at.
    classes
        How many categories each has; ``None`` for numbers.
    rows
        Of the sample.

    Returns
    -------
    Learned
        ``None`` for fewer than `MIN_ROWS` rows, or a design of fewer than two columns. Nothing is left to chance.
    """
    if rows < MIN_ROWS or design.width < MIN_WIDTH:
        return None
    groups = dealt(rows)
    matrix = design.matrix(values, rows)
    subspace = fit(matrix[groups < 2])
    errors, distances = subspace.score(matrix[groups >= 2])
    is_tail = groups[groups >= 2] == 2
    tails: list[Tail | None] = [
        None if column is None else _tail(column[groups < 3], size) for column, size in zip(values, classes, strict=True)
    ]
    tails += [number_tail(errors[is_tail], upper=True), number_tail(distances[is_tail], upper=True)]
    last = [None if column is None else column[groups == 3] for column in values]
    model = RowModel(tuple(names), design, subspace, tuple(tails), Threshold(0, (), ()))
    anomaly = model.score(last, int((groups == 3).sum())).anomaly
    model = RowModel(model.names, design, subspace, model.tails, threshold_of(anomaly))
    return Learned(model, errors, distances, anomaly)


def dealt(rows: int) -> NDArray[np.int64]:
    """Deal rows out to groups 0 to 3, evenly and without a period that training might have too: Weyl's golden sequence.

    >>> np.bincount(dealt(1000)).tolist()
    [251, 249, 250, 250]
    """
    return dealt_to(np.arange(rows))


def dealt_to(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the groups of the rows at these places.

    >>> bool((dealt_to(np.array([3, 4])) == dealt(5)[3:]).all())
    True
    """
    return ((places + 1) * _GOLDEN % 1.0 * 4).astype(np.int64)


def _block(values: Sequence[Encoded | None], start: int) -> list[Encoded | None]:
    return [None if column is None else column[start : start + BLOCK_ROWS] for column in values]


def _tail(column: Encoded, categories: int | None) -> NumberTail | ClassTail:
    if categories is None:
        return number_tail(column.astype(np.float64))
    return class_tail(column.astype(np.int64), categories)

"""An even sample of training's rows, and what is learned from whole rows.

Every k-th row is kept in the second reading, when types and categories are known: which rows depends on their number and their
order alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agent.joint.anomaly import DISTANCES, SCORE
from agent.joint.design import Classes, Encoded, Numbers, choose
from agent.joint.rows import Learned, learn
from agent.profile.blocks import Texts, Values, as_texts
from agent.profile.census import NumberCensus
from agent.profile.column import Column, Tallied
from agent.profile.format import ColumnProfile, Structure
from agent.profile.interplay import OUTPUTS, interplay_of
from agent.profile.roles import Choice
from agent.profile.structure import structure_of

MAX_SAMPLE = 50_000
"""Rows of the sample at most."""

MAX_SAMPLED_VALUES = 1 << 22
"""Values of the sample at most: 32 MiB of doubles, however wide the table is."""

MAX_SCORED = 256
"""Features that a row's score looks at: the first ones, like those of the correlation matrix."""


class RowSample:
    """Fed with all columns of a block at once, as `agent.profile.relations.Relations` is.

    Parameters
    ----------
    columns
        With types, bins and categories chosen. The features among them are looked at, and the prediction that they go with.
    rows
        Of all data.
    """

    def __init__(self, columns: Sequence[Column], rows: int) -> None:
        names = {column.name for column in columns}
        features = [place for place, column in enumerate(columns) if column.role == "feature"][:MAX_SCORED]
        # Names of our own must not clash with the user's.
        features = [] if names & {*DISTANCES, SCORE} else features
        self._features = len(features)
        self._places = features + _answer(columns) if features else []
        self._columns = [columns[place] for place in self._places]
        most = min(MAX_SAMPLE, MAX_SAMPLED_VALUES // max(1, len(self._places)))
        self._step = max(1, -(-rows // most))
        self._seen = 0
        self._parts: list[list[Encoded]] = [[] for _ in self._places]

    def update(self, tallied: Sequence[Tallied], raw: Sequence[Values], rows: int) -> None:
        """Add a block: what `Column.tally` made of it, what it was made of, and how many rows it has."""
        kept = slice(-self._seen % self._step, None, self._step)
        self._seen += rows
        for parts, place, column in zip(self._parts, self._places, self._columns, strict=True):
            if column.categories is not None:
                texts = as_texts(raw[place])
                parts.append(column.categories.place(Texts(texts.codes[kept], texts.labels)))
            else:
                parts.append(cast("NDArray[np.float64]", tallied[place])[kept].copy())

    def learn(self, profiles: Sequence[ColumnProfile]) -> Structure | None:
        """Learn what there is to learn of whole rows.

        Parameters
        ----------
        profiles
            What `Column.result` gave for all columns of the data.

        Returns
        -------
        Structure
            ``None`` where there are too few rows or columns.
        """
        of_name = {profile.name: profile for profile in profiles}
        mine = [of_name[column.name] for column in self._columns]
        values = [
            _in_order(parts, column, profile) for parts, column, profile in zip(self._parts, self._columns, mine, strict=True)
        ]
        rows, answer = len(values[0]) if values else 0, list(zip(mine, values, strict=True))[self._features :]
        columns, mine, values = self._columns[: self._features], mine[: self._features], values[: self._features]
        design = choose([_described(column, profile) for column, profile in zip(columns, mine, strict=True)])
        sizes = [None if profile.categories is None else len(profile.categories.values) for profile in mine]
        learned = learn([profile.name for profile in mine], design, values, sizes, rows)
        if learned is None:
            return None
        interplay = interplay_of(design, list(zip(mine, values, strict=True)), answer[0] if answer else None, rows)
        return structure_of(learned.model, mine, _derived(learned), interplay)


def _answer(columns: Sequence[Column]) -> list[int]:
    """Find the prediction, else the probability, that features go with; none where there is neither."""
    found = [(OUTPUTS.index(c.role), place) for place, c in enumerate(columns) if c.role in OUTPUTS and not c.source]
    return [min(found)[1]] if found else []


def _in_order(parts: Sequence[Encoded], column: Column, profile: ColumnProfile) -> Encoded:
    """Join parts; put the second reading's places of candidates into the order of the profile, what is not listed behind all."""
    if not parts:
        return np.empty(0)
    joined = np.concatenate(parts)
    if column.categories is None or profile.categories is None:
        return joined.astype(np.float64)
    order = {text: place for place, text in enumerate(profile.categories.values)}
    unlisted = len(order)
    table = np.array([*(order.get(text, unlisted) for text in column.candidates), unlisted, -1], dtype=np.int64)
    return table[joined.astype(np.int64)]  # -1 takes the last one


def _described(column: Column, profile: ColumnProfile) -> Numbers | Classes | None:
    if profile.categories is not None:
        known = profile.categories
        return Classes(profile.name, tuple(known.values), tuple(known.counts), known.other)
    census = column.census
    if profile.numeric is None or not isinstance(census, NumberCensus) or not census.count:
        return None
    points, weights = census.distribution()
    variance = census.variance
    return Numbers(profile.name, points, weights, census.mean, math.sqrt(variance) if variance >= 0 else math.nan)


def _derived(learned: Learned) -> list[ColumnProfile]:
    columns = (*DISTANCES, SCORE)
    scores = (learned.errors, learned.distances, learned.anomaly)
    return [_profile_of(name, values) for name, values in zip(columns, scores, strict=True)]


def _profile_of(name: str, values: NDArray[np.float64]) -> ColumnProfile:
    column = Column(Choice(-1, name, "derived", "numeric"), "number")
    column.count(values, len(values))
    column.infer("")
    column.type = "float"
    column.prepare()
    column.tally(values)
    return column.result()

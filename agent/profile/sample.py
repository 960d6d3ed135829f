"""An even sample of training's rows, and what is learned from whole rows.

Every k-th row is kept in the second reading, when types and categories are known: which rows depends on their number and their
order alone. Where training is cut into chunks, every k-th row of each chosen chunk is kept beside them, so that enough is known
of each, however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agent.joint.anomaly import DISTANCES, SCORE
from agent.joint.design import Classes, Encoded, Numbers, choose
from agent.joint.rows import UNSEEN, Learned, RowModel, dealt_to, learn
from agent.profile.blocks import Texts, Values, as_texts
from agent.profile.census import NumberCensus
from agent.profile.chunking import Figures
from agent.profile.chunks import DERIVED, pack, scale_of
from agent.profile.column import Column, Tallied
from agent.profile.format import ChunkColumn, ColumnProfile, Structure
from agent.profile.interplay import OUTPUTS, ChunkRows, interplay_of
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
    sizes
        Rows of each chosen chunk; empty where training is not cut.
    """

    def __init__(self, columns: Sequence[Column], rows: int, sizes: NDArray[np.int64] | None = None) -> None:
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
        sizes = np.zeros(0, dtype=np.int64) if sizes is None else sizes
        self._chunks = _Rhythm(sizes, most)
        self._chunk_parts: list[list[Encoded]] = [[] for _ in self._places]
        self._slots: list[NDArray[np.int64]] = []
        self._unseen: list[NDArray[np.bool_]] = []

    def update(
        self, tallied: Sequence[Tallied], raw: Sequence[Values], rows: int, slots: NDArray[np.int64] | None = None
    ) -> None:
        """Add a block.

        Parameters
        ----------
        tallied, raw
            What `Column.tally` made of it, and what it was made of.
        rows
            How many it has.
        slots
            The chosen chunk of each row, -1 for none.
        """
        start = self._seen
        self._seen += rows
        self._take(self._parts, tallied, raw, np.arange(-start % self._step, rows, self._step))
        if slots is not None and self._places:
            kept = self._chunks.take(slots)
            self._take(self._chunk_parts, tallied, raw, kept)
            self._slots.append(slots[kept])
            self._unseen.append(self._is_unseen(start + kept))

    def _is_unseen(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which rows of the data no part of the model is learned from: most of them where the sample is a part of it."""
        return np.asarray((rows % self._step > 0) | (dealt_to(rows // self._step) == UNSEEN))

    def _take(
        self, into: list[list[Encoded]], tallied: Sequence[Tallied], raw: Sequence[Values], kept: NDArray[np.int64]
    ) -> None:
        for parts, place, column in zip(into, self._places, self._columns, strict=True):
            if column.categories is not None:
                texts = as_texts(raw[place])
                parts.append(column.categories.place(Texts(texts.codes[kept], texts.labels)))
            else:
                parts.append(cast("NDArray[np.float64]", tallied[place])[kept])

    def learn(self, profiles: Sequence[ColumnProfile]) -> tuple[Structure | None, list[ChunkColumn]]:
        """Learn what there is to learn of whole rows.

        Parameters
        ----------
        profiles
            What `Column.result` gave for all columns of the data.

        Returns
        -------
        tuple
            The structure, ``None`` where there are too few rows or columns, and its derived columns in each chosen chunk.
        """
        of_name = {profile.name: profile for profile in profiles}
        mine = [of_name[column.name] for column in self._columns]
        values = self._joined(self._parts, mine)
        rows, answer = len(values[0]) if values else 0, list(zip(mine, values, strict=True))[self._features :]
        columns, features = self._columns[: self._features], mine[: self._features]
        design = choose([_described(column, profile) for column, profile in zip(columns, features, strict=True)])
        sizes = [None if profile.categories is None else len(profile.categories.values) for profile in features]
        learned = learn([profile.name for profile in features], design, values[: self._features], sizes, rows)
        if learned is None:
            return None, []
        cut = self._cut(mine)
        known = list(zip(features, values[: self._features], strict=True))
        interplay = interplay_of(design, known, answer[0] if answer else None, rows, cut)
        unseen = np.concatenate(self._unseen) if self._unseen else np.zeros(0, dtype=np.bool_)
        derived, chunked = _derived(learned, cut, unseen)
        return structure_of(learned.model, features, derived, interplay), chunked

    def _joined(self, parts: Sequence[Sequence[Encoded]], profiles: Sequence[ColumnProfile]) -> list[Encoded]:
        return [_in_order(*each) for each in zip(parts, self._columns, profiles, strict=True)]

    def _cut(self, profiles: Sequence[ColumnProfile]) -> ChunkRows | None:
        if not self._slots:
            return None
        values, slots = self._joined(self._chunk_parts, profiles), np.concatenate(self._slots)
        answer = values[self._features] if len(values) > self._features else None
        return ChunkRows(values[: self._features], answer, slots, self._chunks.count)


class _Rhythm:
    """Which rows of each chunk to keep: the middle ones of every k, so that they have `most` rows at most together, each as many.

    Not the first ones: those are in the sample of all training where it keeps every k-th too, and the model has seen them.
    """

    def __init__(self, sizes: NDArray[np.int64], most: int) -> None:
        self.count = len(sizes)
        self._steps = np.maximum(1, -(-sizes // max(1, most // max(1, len(sizes)))))
        self._seen = np.zeros(len(sizes), dtype=np.int64)

    def take(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Choose rows of the next block, given the chunk of each row, -1 for none."""
        rows = np.flatnonzero(slots >= 0)
        order = rows[np.argsort(slots[rows], kind="stable")]
        sorted_slots = slots[order]
        counts = np.bincount(sorted_slots, minlength=self.count)
        starts = np.cumsum(counts) - counts
        nth, steps = np.arange(len(order)) + (self._seen - starts)[sorted_slots], self._steps[sorted_slots]
        self._seen += counts
        return np.sort(order[nth % steps == steps // 2])


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


def _derived(learned: Learned, cut: ChunkRows | None, unseen: NDArray[np.bool_]) -> tuple[list[ColumnProfile], list[ChunkColumn]]:
    """Describe the scores of rows that the model has not seen, in all of training and in each chunk."""
    names = (*DISTANCES, SCORE)
    columns = [_column_of(*each) for each in zip(names, (learned.errors, learned.distances, learned.anomaly), strict=True)]
    profiles = [column.result() for column in columns]
    if cut is None:
        return profiles, []
    found, slots = _scored(learned.model, cut, unseen), cut.slots[unseen]
    packed = []
    for column, profile, values in zip(columns, profiles, found, strict=True):
        figures = Figures(column, len(column.coarse_edges) + 1, cut.chunks)
        figures.update(values, slots)
        packed.append(pack(profile.name, figures.result(), scale_of(profile.numeric)))
    return profiles, packed


def _scored(model: RowModel, cut: ChunkRows, unseen: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    scores = model.score([column[unseen] for column in cut.features], int(unseen.sum()))
    return scores.errors, scores.distances, scores.anomaly


def _column_of(name: str, values: NDArray[np.float64]) -> Column:
    column = Column(Choice(-1, name, DERIVED, "numeric"), "number")
    column.count(values, len(values))
    column.infer("")
    column.type = "float"
    column.prepare()
    column.tally(values)
    return column

"""What the columns of the data become in the profile: most one column each; vectors, images and texts their summaries.

===========================================================  ==========================================================
the data has                                                 the profile has, for a feature or a prediction
===========================================================  ==========================================================
lists or arrays of numbers, all of one shape                 ``name.norm``, ``name.mean``, ``name.cosine`` (to the mean
                                                             of all; not beyond `embedding.MAX_CENTROID` values)
the same in the shape of images (`image.axes_of`), also of   ``name.brightness``, ``name.contrast``, ``name.width``,
several sizes                                                ``name.height``
image files (told by the first one's first bytes)            the same and ``name.bytes``; without Pillow only the sizes
texts that the user named, or that look like prose (below)   ``name``, ``name.length``, ``name.words``, ``name.script``
===========================================================  ==========================================================

Prose is a text column that is no category (`agent.profile.infer`), of which at least half of the values are distinct, with at
least `PROSE_LENGTH` characters and `PROSE_WORDS` words on average. Where most are in a script without spaces, at least half as
many characters will do instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.blocks import Files, Kind, Tensors, Texts, Values, as_texts
from agent.profile.census import NumberCensus, TextCensus
from agent.profile.column import Column
from agent.profile.format import Summarised
from agent.profile.roles import Choice
from agent.summarise import image_file
from agent.summarise.embedding import MAX_CENTROID, Centroid, pack
from agent.summarise.image import axes_of
from agent.summarise.source import EMBEDDING, IMAGE, IMAGE_FILE, MEASURES, TEXT, WHOLE_MEASURES, Source, of_objects, of_table
from agent.summarise.text import SCRIPTS, SPACELESS

PROSE_LENGTH = 20
PROSE_WORDS = 3

SUMMARISED_ROLES = ("feature", "prediction")


class Feed(Protocol):
    """One column of the data, and the columns of the profile that it becomes."""

    place: int
    columns: list[Column]

    def split(self, values: Values) -> Sequence[Values]:
        """Give the values of each of `columns` from a block of the data's column."""

    def settle(self) -> None:
        """Drop the columns that are of no use, once all have a type."""

    def summarised(self) -> Summarised | None:
        """Give what the profile says of the data's column, if it is summarised."""


def feed_of(choice: Choice, kind: Kind, shape: tuple[int, ...]) -> Feed:
    """Choose what a column becomes.

    Parameters
    ----------
    choice
        Its name, role and what the user said.
    kind, shape
        As the source has them.

    Raises
    ------
    ProfileError
        If it has a role or is to have a type that its values can't have.
    """
    if choice.role in ("id", "time"):
        return PlainFeed(choice, kind)
    if kind in ("tensor", "image_file"):
        what = "arrays" if kind == "tensor" else "image files"
        if choice.forced:
            raise ProfileError(f"column {choice.name!r} holds {what}, which can't be taken as {choice.forced}")
        if choice.role not in SUMMARISED_ROLES:
            raise ProfileError(f"column {choice.name!r} holds {what}, and only features and predictions can: exclude it")
        return TableFeed(choice, shape) if kind == "tensor" else FileFeed(choice)
    if choice.role in SUMMARISED_ROLES and (choice.forced == "text" or (kind == "text" and not choice.forced)):
        return TextFeed(choice, kind)
    return PlainFeed(choice, kind)


class PlainFeed:
    """A column that becomes itself."""

    def __init__(self, choice: Choice, kind: Kind) -> None:
        self.place = choice.place
        self.columns = [Column(choice, kind)]

    def split(self, values: Values) -> Sequence[Values]:
        """See `Feed.split`."""
        return (values,)

    def settle(self) -> None:
        """See `Feed.settle`."""

    def summarised(self) -> Summarised | None:
        """See `Feed.summarised`."""
        return None


class TableFeed:
    """Vectors and images as arrays. Vectors are read once more than all others: cosines need the centroid first."""

    def __init__(self, choice: Choice, shape: tuple[int, ...]) -> None:
        self.place = choice.place
        self._name = choice.name
        self._first = shape
        self._same = True
        kind = IMAGE if axes_of(shape) else EMBEDDING
        width = math.prod(shape)
        self.centroid = Centroid(width) if kind == EMBEDDING and width <= MAX_CENTROID else None
        measures = tuple(m for m in MEASURES[kind] if m != "cosine" or self.centroid is not None)
        self._source = Source(choice.name, kind, measures, shape)
        self.columns = _summary_columns(choice, self._source)

    def learn(self, values: Values) -> None:
        """Add a block to the centroid."""
        if self.centroid is not None:
            table, _ = self._table(values)
            self.centroid.update(table)

    def close(self) -> None:
        """Take the centroid, once all rows are in it. Each is compared with the mean of the others: see `embedding.summarise`."""
        if self.centroid is not None:
            self._source = replace(self._source, centroid=self.centroid.result(), members=self.centroid.count)

    def split(self, values: Values) -> Sequence[Values]:
        """See `Feed.split`."""
        if self._source.kind == EMBEDDING:
            table, there = self._table(values)
            return [_spread(column, there) for column in of_table(self._source, table, self._first)]
        return self._split_images(values)

    def _table(self, values: Values) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Give the rows that have a value as a table on its side, and which they are."""
        tensors = _tensors(values)
        there: NDArray[np.bool_] = np.asarray(tensors.shapes.all(axis=1))
        shapes = tensors.shapes[there]
        if shapes.shape[1] != len(self._first) or (shapes != self._first).any():
            other = next(shape for shape in shapes.tolist() if tuple(shape) != self._first)
            raise ProfileError(
                f"column {self._name!r} holds arrays of {_written(self._first)} and of {_written(other)} values; exclude it"
            )
        return np.ascontiguousarray(tensors.values.reshape(len(shapes), -1).T), there

    def _split_images(self, values: Values) -> Sequence[Values]:
        tensors = _tensors(values)
        rows = len(tensors.shapes)
        columns = [np.full(rows, np.nan) for _ in self._source.measures]
        sizes = tensors.shapes.prod(axis=1)
        starts = np.cumsum(sizes) - sizes
        kinds, owners = np.unique(tensors.shapes, axis=0, return_inverse=True)
        for place, shape in enumerate(kinds.tolist()):
            if 0 in shape:
                continue
            if axes_of(shape) is None:
                raise ProfileError(f"column {self._name!r} holds images, and an array of {_written(shape)} values; exclude it")
            self._same = self._same and tuple(shape) == self._first
            mine = np.flatnonzero(owners.reshape(-1) == place)
            table = tensors.values[starts[mine] + np.arange(math.prod(shape))[:, None]]
            for column, found in zip(columns, of_table(self._source, table, shape), strict=True):
                column[mine] = found
        return columns

    def settle(self) -> None:
        """See `Feed.settle`."""

    def summarised(self) -> Summarised | None:
        """See `Feed.summarised`."""
        source = self._source
        centroid = pack(source.centroid) if source.centroid is not None else ""
        return Summarised(source.name, source.kind, list(source.measures), list(self._first if self._same else ()), centroid)


class FileFeed:
    """Image files."""

    def __init__(self, choice: Choice) -> None:
        self.place = choice.place
        measures = tuple(m for m in MEASURES[IMAGE_FILE] if m not in image_file.PIXEL_MEASURES or image_file.reads_pixels())
        self._source = Source(choice.name, IMAGE_FILE, measures)
        self.columns = _summary_columns(choice, self._source)

    def split(self, values: Values) -> Sequence[Values]:
        """See `Feed.split`."""
        if not isinstance(values, Files):
            raise TypeError(f"{type(values).__name__} are no files")
        return of_objects(self._source, values.values)

    def settle(self) -> None:
        """See `Feed.settle`."""

    def summarised(self) -> Summarised | None:
        """See `Feed.summarised`."""
        return Summarised(self._source.name, IMAGE_FILE, list(self._source.measures))


class TextFeed:
    """Texts, which may turn out to be categories or codes: then their summaries are dropped."""

    def __init__(self, choice: Choice, kind: Kind) -> None:
        self.place = choice.place
        self._sure = choice.forced == "text"
        self._source = Source(choice.name, TEXT, MEASURES[TEXT])
        self.columns = [Column(choice, kind), *_summary_columns(choice, self._source)]

    def split(self, values: Values) -> Sequence[Values]:
        """See `Feed.split`."""
        if len(self.columns) == 1:
            return (values,)
        texts = as_texts(values)
        length, words, script = of_objects(self._source, texts.labels)
        index = {script: place for place, script in enumerate(SCRIPTS)}
        scripts = np.array([*(index[label] for label in script.tolist()), -1], dtype=np.int64)
        numbers = [np.append(column, np.nan)[texts.codes] for column in (length, words)]  # -1 takes the last one
        return (values, *numbers, Texts(scripts[texts.codes], SCRIPTS))

    def settle(self) -> None:
        """See `Feed.settle`."""
        if not (self._sure or self._is_prose()):
            del self.columns[1:]

    def _is_prose(self) -> bool:
        texts, length, words, script = (column.census for column in self.columns)
        if self.columns[0].type != "text" or not isinstance(texts, TextCensus) or not isinstance(script, TextCensus):
            return False
        if not isinstance(length, NumberCensus) or not isinstance(words, NumberCensus):
            return False
        present = texts.rows - texts.missing
        if not present or 2 * texts.distinct < present:
            return False
        spaceless = 2 * sum(script.counts.get(name, 0) for name in SPACELESS) > present
        return (words.mean >= PROSE_WORDS and length.mean >= PROSE_LENGTH) or (spaceless and 2 * length.mean >= PROSE_LENGTH)

    def summarised(self) -> Summarised | None:
        """See `Feed.summarised`."""
        return Summarised(self._source.name, TEXT, list(self._source.measures)) if len(self.columns) > 1 else None


def _summary_columns(choice: Choice, source: Source) -> list[Column]:
    columns = []
    for name, measure in zip(source.names, source.measures, strict=True):
        summary = Choice(choice.place, name, choice.role, "category" if measure == "script" else "numeric", source=source.name)
        kind: Kind = "integer" if measure in WHOLE_MEASURES else "number"
        columns.append(Column(summary, "category" if measure == "script" else kind))
    return columns


def _tensors(values: Values) -> Tensors:
    if not isinstance(values, Tensors):
        raise TypeError(f"{type(values).__name__} are no arrays")
    return values


def _spread(column: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    spread = np.full(len(there), np.nan)
    spread[there] = column
    return spread


def _written(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))

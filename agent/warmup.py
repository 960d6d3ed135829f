"""Learning a reference from the first rows, where no profile was mounted.

Tensors of more than one dimension a row, lists under one name with more than `MAX_LISTED` values, and rows without names with
more than `MAX_UNNAMED` are taken for vectors or images, and their summaries are learned. Texts that look like prose are
summarised as in a profile, and so are image files.

Tensors too wide for columns are summarised as they come, since rows of them would take a megabyte each. Where one is too wide
alone, nothing is lost by that: so wide a vector has no cosine in a profile either, and no other summary needs to have seen the
rows before. Those that are too wide only together have their cosine only with a profile.

Answers count only where each call is answered row by row; from the first that is not, none are kept. Rows are kept up to
`MAX_KEPT` bytes: of very wide ones, fewer are learned from.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import msgspec
import numpy as np

from agent.batch import NOTHING, Batch, Side, TensorType, Values
from agent.errors import ProfileError
from agent.group_language import Grouping
from agent.profile.build import build
from agent.profile.format import Profile, Summarised
from agent.profile.schema import Schema, schema_of
from agent.summarise.image_file import bytes_of, is_image
from agent.summarise.source import IMAGE, WHOLE_MEASURES, Source
from agent.validate.summaries import shape_of_names
from agent.validate.tables import Bound, source_of, summaries_of

MAX_LISTED = 64
"""A list under one name is a vector already; only a short one is worth a reference for each of its values."""

MAX_UNNAMED = 256
"""A row without names may as well be a table's, and tables of 200 columns are common; embeddings have 384 values or more."""

MAX_KEPT = 32 << 20
"""Bytes of rows: 1,000 rows of 4,000 numbers, or 100,000 of 40. Making a profile of them takes as much again."""

log = logging.getLogger("outrider.warmup")

Columns = dict[str, Values]
"""By name; an array of more dimensions has a vector or an image a row."""


_Layout = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str, int], ...]]
"""Columns of the inputs and of the outputs; name and kind of each table, and the width unless it is an image."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a batch: its columns, and the summaries of its tables as columns before them."""

    inputs: Side
    outputs: Side


class Warmup:
    """Keeps rows until there are enough of them; of what is too wide for columns, summaries.

    Parameters
    ----------
    rows
        How many rows to learn from.
    model
        The model's name for the schema, or empty.
    by
        What the rows are cut by, for segments.
    """

    def __init__(self, rows: int, model: str, by: Sequence[Grouping] = ()) -> None:
        self._wanted = rows
        self._model = model
        self._by = by
        self._layout: _Layout | None = None
        self._batches: list[_Kept] = []
        self._sources: tuple[list[Source], list[Source]] = ([], [])
        """What came as tables, of the inputs and of the outputs."""
        self._has_answers = True
        """Whether all calls so far were answered row by row."""
        self._is_cut = False
        """Whether rows were left out for the room that they take."""
        self._bytes = 0
        self.rows = 0

    def add(self, batch: Batch) -> None:
        """Keep a batch. The first one's columns and tables decide: batches with others are left out.

        Images may differ in size. Cost: for tables what their summaries cost, 12 ns a value of an image; 0.1 µs a text.
        """
        if not batch.inputs.rows:
            return
        inputs, outputs = _sources_of(batch.inputs, "feature"), _sources_of(batch.outputs, "prediction")
        kinds = tuple([(one.name, one.kind, 0 if one.kind == IMAGE else one.width) for one in (*inputs, *outputs)])
        layout = (batch.inputs.names, batch.outputs.names, kinds)
        if self._layout is None:
            self._layout, self._sources = layout, (inputs, outputs)
        if layout != self._layout:
            return
        if self._has_answers and batch.outputs.rows != batch.inputs.rows:
            self._has_answers = False
            self._batches = [replace(kept, outputs=NOTHING) for kept in self._batches]
            self._bytes = sum([_size(kept.inputs) for kept in self._batches])
        for known, found in zip(self._sources, (inputs, outputs), strict=True):
            known[:] = [old if old.shape == new.shape else replace(old, shape=()) for old, new in zip(known, found, strict=True)]
        answers = _summarised(batch.outputs, outputs) if self._has_answers else NOTHING
        self._keep(_Kept(_summarised(batch.inputs, inputs), answers))

    def _keep(self, kept: _Kept) -> None:
        rows = kept.inputs.rows
        size = _size(kept.inputs) + _size(kept.outputs)
        room = max(rows * (MAX_KEPT - self._bytes) // max(size, 1), 1 - self.rows, 0)  # one row in any case
        if room < rows:
            if not self._is_cut and self.rows + room < self._wanted:
                log.warning(
                    "the first rows take too much memory; learning from fewer rows=%d of=%d", self.rows + room, self._wanted
                )
            self._is_cut = True
            kept = _Kept(_first(kept.inputs, room), _first(kept.outputs, room))
        if kept.inputs.rows:
            self._batches.append(kept)
            self._bytes += _size(kept.inputs) + _size(kept.outputs)
            self.rows += kept.inputs.rows

    @property
    def is_full(self) -> bool:
        """Whether there are enough rows, or no room for more."""
        return self.rows >= self._wanted or self._is_cut

    def schema(self) -> Schema:
        """Build the reference.

        Raises
        ------
        ProfileError
            The rows can't be one table.
        """
        inputs = _gather([batch.inputs for batch in self._batches], "feature")
        outputs = _gather([batch.outputs for batch in self._batches], "prediction") if self._has_answers else {}
        answers = self._sources[1] if self._has_answers else []
        sources = (*self._sources[0], *answers)
        if set(inputs) & set(outputs) or len({source.name for source in sources}) != len(sources):
            raise ProfileError("inputs and outputs share a column's name")
        summaries = {name for source in answers for name in source.names}
        # The first output is the prediction and the others its probabilities, which no vector can be.
        others = [name for name in outputs if name not in summaries][1:]
        probabilities = [name for name in others if outputs[name].ndim == 1]
        predictions = [name for name in outputs if name not in probabilities]
        return schema_of(_built({**inputs, **outputs}, sources, predictions, probabilities, self._model, self._by))


def _built(
    columns: Columns,
    sources: Sequence[Source],
    predictions: Sequence[str],
    probabilities: Sequence[str],
    model: str,
    by: Sequence[Grouping],
) -> Profile:
    """Build a profile of columns some of which are the summaries of `sources` already."""
    derived = [name for source in sources for name in source.names]
    columns |= {name: _whole(name, columns[name]) for name in derived}

    def built(groups: Sequence[str]) -> Profile:
        return build(columns, prediction=predictions, probability=probabilities, numeric=derived, model_name=model, by=groups)

    groups = [str(grouping) for grouping in by if grouping.column in columns]
    try:
        profile = built(groups)
    except ProfileError:
        if not groups:
            raise
        profile = built(())  # whoever watches segments says why one can't be watched
    summaries = [Summarised(source.name, source.kind, list(source.measures), list(source.shape)) for source in sources]
    return msgspec.structs.replace(profile, summaries=[*profile.summaries, *summaries])


def _sources_of(side: Side, role: str) -> list[Source]:
    return [source_of(table, role) for table in side.tables]


def _summarised(side: Side, sources: Sequence[Source]) -> Side:
    if not sources:
        return side
    pairs = zip(sources, side.tables, strict=True)
    columns = [column for source, table in pairs for column in summaries_of(Bound(source, 0, source.shape), table)]
    names = [name for source in sources for name in source.names]
    return Side((*names, *side.names), (*columns, *side.columns), side.rows, side.positional, side.tensors)


def _size(side: Side) -> int:
    """Give the bytes that columns take; an object that comes twice counts twice."""
    numbers = sum([column.nbytes for column in side.columns])
    return numbers + sum([sum(map(sys.getsizeof, column.tolist())) for column in side.columns if column.dtype == object])


def _first(side: Side, rows: int) -> Side:
    """Give the first rows, and nothing that keeps the others alive."""
    columns = tuple([column[:rows].copy() for column in side.columns])
    return Side(side.names, columns, min(side.rows, rows), side.positional, side.tensors)


def _whole(name: str, column: Values) -> Values:
    """Give sizes as whole numbers, which a profile has them as."""
    is_whole = name.rpartition(".")[2] in WHOLE_MEASURES and bool(np.isfinite(column).all())
    return column.astype(np.int64) if is_whole else column


def _gather(sides: list[Side], role: str) -> Columns:
    first = sides[0]
    if len(set(first.names)) != len(first.names):
        raise ProfileError("two columns, or a column and a summary, have the same name")
    columns = [_joined([side.columns[place] for side in sides]) for place in range(len(first.names))]
    if first.positional:
        tensor = first.tensors[0] if len(first.tensors) == 1 else TensorType("", "", ())
        if _is_vector(tensor.shape, columns, MAX_UNNAMED):
            return {tensor.name or role: _stacked(columns, tensor.shape)}
        numbered = len(columns) > 1 or role == "feature"
        return {f"{role}_{name}" if numbered else role: column for name, column in zip(first.names, columns, strict=True)}
    found: Columns = {}
    by_stem = groupby(zip(first.names, columns, strict=True), key=lambda pair: pair[0].partition("[")[0])
    for stem, pairs in by_stem:
        named = dict(pairs)
        shape = _shape(stem, first, len(named))
        if len(named) > 1 and stem not in found and _is_vector(shape, list(named.values()), MAX_LISTED):
            found[stem] = _stacked(list(named.values()), shape)
        else:
            found |= named
    return found


def _is_vector(shape: tuple[int, ...], columns: list[Values], most: int) -> bool:
    rank = sum(size > 1 for size in shape)
    return (rank > 1 or len(columns) > most) and all(column.dtype == np.float64 for column in columns)


def _stacked(columns: list[Values], shape: tuple[int, ...]) -> Values:
    table = np.array(columns).T
    return table.reshape(len(table), *shape) if math.prod(shape) == len(columns) else table


def _shape(stem: str, side: Side, width: int) -> tuple[int, ...]:
    shapes = (tensor.shape for tensor in side.tensors if tensor.name == stem and math.prod(tensor.shape) == width)
    return next(shapes, ()) or shape_of_names(stem, [name for name in side.names if name.partition("[")[0] == stem])


def _joined(columns: list[Values]) -> Values:
    if len({column.dtype for column in columns}) > 1:
        columns = [column.astype(object) for column in columns]
    return _files(np.concatenate(columns))


def _files(column: Values) -> Values:
    """Give image files as bytes, which a profile is made from, where they came as text."""
    first = next((value for value in column.tolist() if value is not None), None) if column.dtype == object else None
    if not is_image(bytes_of(first) or b""):
        return column
    files = np.empty(len(column), dtype=object)
    files[:] = list(map(bytes_of, column))
    return files

"""Learning a reference from the first rows, where no profile was mounted.

Tensors of more than one dimension a row, lists under one name with more than `MAX_LISTED` values, and rows without names with
more than `MAX_UNNAMED` are taken for vectors or images, and their summaries are learned. Texts that look like prose are
summarised as in a profile, and so are image files. Tensors too wide for columns are not learned: rows would take a megabyte each.
"""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np

from agent.batch import Batch, Side, TensorType, Values
from agent.errors import ProfileError
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.summarise.image_file import bytes_of, is_image
from agent.validate.summaries import shape_of_names

MAX_LISTED = 64
"""A list under one name is a vector already; only a short one is worth a reference for each of its values."""

MAX_UNNAMED = 256
"""A row without names may as well be a table's, and tables of 200 columns are common; embeddings have 384 values or more."""

Columns = dict[str, Values]
"""By name; an array of more dimensions has a vector or an image a row."""


class Warmup:
    """Keeps rows until there are enough of them.

    Parameters
    ----------
    rows
        How many rows to learn from.
    model
        The model's name for the schema, or empty.
    """

    def __init__(self, rows: int, model: str) -> None:
        self._wanted = rows
        self._model = model
        self._layout: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._batches: list[Batch] = []
        self.rows = 0

    def add(self, batch: Batch) -> None:
        """Keep a batch. The first one's columns decide: batches with other columns are left out."""
        layout = (batch.inputs.names, batch.outputs.names)
        if not batch.inputs.rows:
            return
        if self._layout is None:
            self._layout = layout
        if layout == self._layout:
            self._batches.append(batch)
            self.rows += batch.inputs.rows

    @property
    def is_full(self) -> bool:
        """Whether there are enough rows."""
        return self.rows >= self._wanted

    def schema(self) -> Schema:
        """Build the reference.

        Raises
        ------
        ProfileError
            The rows can't be one table.
        """
        inputs = _gather([batch.inputs for batch in self._batches], "feature")
        same_rows = all(batch.outputs.rows == batch.inputs.rows for batch in self._batches)
        outputs = _gather([batch.outputs for batch in self._batches], "prediction") if same_rows else {}
        if set(inputs) & set(outputs):
            raise ProfileError("inputs and outputs share a column's name")
        first, *more = outputs or [""]
        # The first output is the prediction and the others its probabilities, which no vector can be.
        probabilities = [name for name in more if outputs[name].ndim == 1]
        predictions = [name for name in (first, *more) if name and name not in probabilities]
        profile = build({**inputs, **outputs}, prediction=predictions, probability=probabilities, model_name=self._model)
        return schema_of(profile)


def _gather(sides: list[Side], role: str) -> Columns:
    first = sides[0]
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

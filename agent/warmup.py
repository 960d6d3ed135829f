"""Learning a reference from the first rows, where no profile was mounted."""

from __future__ import annotations

import numpy as np

from agent.batch import Batch, Side, Values
from agent.errors import ProfileError
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of


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
        first, *more = outputs or [None]
        profile = build(
            {**inputs, **outputs}, prediction=first, probability=tuple(name for name in more if name), model_name=self._model
        )
        return schema_of(profile)


def _gather(sides: list[Side], role: str) -> dict[str, Values]:
    names = sides[0].names
    if sides[0].positional:
        names = tuple(f"{role}_{name}" for name in names) if len(names) > 1 or role == "feature" else (role,)
    return {name: _joined([side.columns[place] for side in sides]) for place, name in enumerate(names)}


def _joined(columns: list[Values]) -> Values:
    if len({column.dtype for column in columns}) > 1:
        columns = [column.astype(object) for column in columns]
    return np.concatenate(columns)

"""Columns: what a decoder makes of one or many messages of the same layout.

A column is a one-dimensional numpy array of one of two kinds:

- ``float64``: numbers; a missing value is NaN (JSON ``null`` in a numeric column is NaN too);
- ``object``: ``str``, ``bool``, ``int``, ``float`` or ``None`` for missing: strings, booleans and mixed columns.

Tensors with too many values a row for a column each are not taken apart: they stand beside the columns, as tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.exchange import Exchange

Values = NDArray[np.float64] | NDArray[Any]


class TensorType(NamedTuple):
    """What the wire says of one tensor."""

    name: str
    datatype: str
    """In the words of its format, such as ``FP32`` or ``DT_FLOAT``."""
    shape: tuple[int, ...]
    """Without the first dimension, which is the rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A tensor of numbers that is no columns: a photograph has 150,528 values a row. Only summaries are made of it.

    Parameters
    ----------
    tensor
        Its name, empty where the wire has none, its datatype and the shape of a row.
    values
        Shape ``(rows, values of a row)``, of any real type as the wire has it, missing as NaN.
    """

    tensor: TensorType
    values: NDArray[Any]

    @property
    def layout(self) -> tuple[TensorType, str, int]:
        """What is the same for tables whose rows can be joined."""
        return self.tensor, self.values.dtype.char, self.values.shape[1]


def joined_tables(tables: Sequence[tuple[Table, ...]]) -> tuple[Table, ...]:
    """Put rows of tables of the same layouts below one another; the first one's place, then the second one's, and so on."""
    if len(tables) == 1:
        return tables[0]
    return tuple([Table(same[0].tensor, np.concatenate([one.values for one in same])) for same in zip(*tables, strict=True)])


@dataclass(frozen=True, slots=True)
class Side:
    """The inputs or the outputs of a batch.

    Parameters
    ----------
    names
        One per column. Where the wire carried no names (`positional`), ``"0"``, ``"1"``, ... stand in, and whoever knows
        the schema maps them by position.
    columns
        One array of shape ``(rows,)`` per name.
    rows
        How many rows; 0 with no columns where nothing was there to observe.
    positional
        Whether the names are only positions.
    tensors
        What the wire says of the tensors that the columns come from, in their order; empty where it says nothing.
    tables
        What is too wide for columns, each with as many rows. There may be tables without columns.
    """

    names: tuple[str, ...]
    columns: tuple[Values, ...]
    rows: int
    positional: bool = False
    tensors: tuple[TensorType, ...] = ()
    tables: tuple[Table, ...] = ()


NOTHING = Side((), (), 0)
"""A side that was not there, or could not be observed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one model that share a layout, gathered from one or more exchanges.

    Parameters
    ----------
    format
        The decoder's name, such as ``open-inference``.
    model, version
        As the wire names them, or empty.
    inputs, outputs
        Their row counts agree unless the model answers otherwise than row by row.
    exchanges
        How many exchanges the rows came from.
    time_ns
        Wall clock of the newest of them.
    ids
        The id of each exchange, empty for those without; empty as a whole where none bears one.
    members
        The exchanges, in the order of their rows; empty where nobody says.
    member_rows
        How many rows of the inputs each has; empty where it is one each.
    """

    format: str
    model: str
    version: str
    inputs: Side
    outputs: Side
    exchanges: int = 1
    time_ns: int = 0
    ids: tuple[str, ...] = ()
    members: tuple[Exchange, ...] = field(default=(), repr=False)
    member_rows: tuple[int, ...] = ()


OUT_OF_RANGE = "out_of_range"
"""The kind of violation of a number below the smallest or above the largest of training. The others: `agent.validate.schema`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch, sorted out by the schema check for the sketches.

    Parameters
    ----------
    rows
        Of the inputs, or of the outputs where there are no inputs.
    values
        Per column of the schema what the sketches should see, or ``None`` if the batch does not have the column. Numeric
        columns are float64, without the values of a wrong type; others are as they came.
    violations
        Rows by (column, kind); only what occurred.
    sample
        Which rows are looked at as wholes, ascending; ``None`` for all of them. `encoded`, `matrix` and the derived columns in
        `values` are of these rows alone.
    encoded
        Per column of features and outputs the values of these rows as `agent.joint` takes them, ``None`` for a column that is not
        there or not looked at; empty where no row is looked at.
    matrix
        The design matrix of the features, shape ``(rows looked at, d)``, as `agent.joint.design.Design.matrix` gives it; ``None``
        where rows are not scored.
    """

    rows: int
    values: tuple[Values | None, ...]
    violations: dict[tuple[str, str], int]
    sample: NDArray[np.intp] | None = None
    encoded: tuple[NDArray[Any] | None, ...] = ()
    matrix: NDArray[np.float64] | None = None

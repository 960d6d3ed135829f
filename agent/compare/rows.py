"""Rows of a data set as the batches that the monitor's stages take: bound by name, summarised like training.

======================================  ==================================================================================
the data has                            the check sees
======================================  ==================================================================================
numbers, texts, booleans, categories    the same; of CSV files numbers between words too, since one word makes Arrow
                                        take the whole column for texts
dates, times, vectors, image files      values of a wrong type, unless the profile has the same there
vectors, images, files, texts that      their summaries; a vector of another width breaks the shape of its column
the profile summarises
no such column                          a feature that is missing in every row; an output that is not there
======================================  ==================================================================================

Columns that the profile does not know are never read. Those that only tell segments apart are read if somebody asks, and stand
beside the features, as a client sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import NOTHING, Batch, Side
from agent.batch import Values as Column
from agent.errors import ProfileError
from agent.profile import blocks
from agent.profile.blocks import Files, Opaque, Tensors, Texts, as_texts, block_rows
from agent.profile.format import NUMERIC_TYPES
from agent.profile.schema import ColumnSchema, Schema
from agent.profile.times import NEVER, times_of
from agent.summarise.source import IMAGE_FILE, TABLES, TEXT, Source, of_objects, of_table
from agent.validate.schema import EXTRA_COLUMN, MISSING_COLUMN, OTHER, SHAPE, TYPE
from agent.validate.tables import fits, shape_for

Violations = dict[tuple[str, str], int]

FORMAT = "file"
"""`Batch.format` of rows that came over no wire."""

_SHOWN = 20
"""Names that an error lists at most."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A column of the data that the profile knows: what it is there for."""

    name: str
    place: int
    plain: ColumnSchema | None
    source: Source | None
    is_output: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (*([self.name] if self.plain is not None else []), *(self.source.names if self.source is not None else ()))


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, ready to be checked.

    Parameters
    ----------
    batch
        Named columns, summaries among them.
    violations
        Rows by (column, kind), for what the check can't see any more.
    times_ns
        The earliest and the latest time in them; empty where nothing says.
    """

    batch: Batch
    violations: Violations
    times_ns: tuple[int, ...]


class RowReader:
    """Reads a data set as batches.

    Parameters
    ----------
    source
        The data.
    schema
        What the profile knows.
    times
        Columns of times, of which the first that the data has says when its rows were.
    beside
        Names of columns that only tell segments apart (`Schema.beside`) and that are wanted.
    spelled
        Whether numbers are texts where a column is (CSV), or texts of another type (Parquet and what is in memory).

    Raises
    ------
    ProfileError
        If the data has no rows, has a name twice, or has none of the profile's columns.
    """

    def __init__(
        self,
        source: blocks.Source,
        schema: Schema,
        times: Sequence[str] = (),
        *,
        beside: Sequence[str] = (),
        spelled: bool = False,
    ) -> None:
        self._source = source
        self._spelled = spelled
        _check(source, schema)
        place_of = {name: place for place, name in enumerate(source.names)}
        outputs = {column.source or column.name for column in schema.outputs}
        summarised = {each.name: each for each in schema.sources}
        plain = {column.name: column for column in schema.features + schema.outputs if not column.source}
        wanted = _names_in(schema)
        aside = {column.name: column for column in schema.beside if column.name in beside}
        self._fields = tuple(
            _Field(name, place_of[name], (aside | plain).get(name), summarised.get(name), name in outputs)
            for name in (*wanted, *(name for name in aside if name not in wanted))
            if name in place_of
        )
        self.missing: tuple[str, ...] = tuple(name for name in wanted if name not in place_of and name not in outputs)
        """Features of the profile that the data lacks."""
        self.absent: tuple[str, ...] = tuple(name for name in wanted if name not in place_of and name in outputs)
        """Outputs of the profile that the data lacks."""
        self.absent_beside: tuple[str, ...] = tuple(name for name in aside if name not in place_of)
        """Columns that only tell segments apart, are wanted, and that the data lacks."""
        self.extra: tuple[str, ...] = tuple(
            name for name in source.names if name not in wanted and name not in schema.unmonitored
        )
        """Columns of the data that the profile does not know."""
        self._unsummarised = tuple(name for name in self.missing if name in summarised and name not in plain)
        self._time = next((name for name in times if name in place_of), None)
        self._time_place = None if self._time is None else place_of[self._time]

    def read(self) -> Iterator[Rows]:
        """Give all rows in blocks; the memory taken does not depend on how many there are."""
        source = self._source
        places = list(dict.fromkeys([*(field.place for field in self._fields), *self._time_places()]))
        for block in source.blocks(places, block_rows([source.shapes[place] for place in places])):
            values = dict(zip(places, block.columns, strict=True))
            yield self._rows(values, block.rows)

    def _time_places(self) -> list[int]:
        return [] if self._time_place is None else [self._time_place]

    def _rows(self, values: dict[int, blocks.Values], rows: int) -> Rows:
        found: Violations = {(name, MISSING_COLUMN): rows for name in self._unsummarised}
        if self.extra:
            found[OTHER, EXTRA_COLUMN] = rows
        sides: dict[bool, tuple[list[str], list[Column]]] = {False: ([], []), True: ([], [])}
        for field in self._fields:
            names, columns = sides[field.is_output]
            names += field.names
            columns += _columns_of(field, values[field.place], rows, found, spelled=self._spelled)
        inputs, outputs = (
            Side(tuple(names), tuple(columns), rows) if names else NOTHING for names, columns in (sides[False], sides[True])
        )
        return Rows(Batch(FORMAT, "", "", inputs, outputs, exchanges=0), found, self._times(values))

    def _times(self, values: dict[int, blocks.Values]) -> tuple[int, ...]:
        column = None if self._time_place is None else values[self._time_place]
        if column is None or isinstance(column, Tensors | Files) or (isinstance(column, Opaque) and column.times is None):
            return ()
        times = times_of(column, self._time or "")
        times = times[times != NEVER]
        return (int(times.min()), int(times.max())) if times.size else ()


def _names_in(schema: Schema) -> tuple[str, ...]:
    """Give the names of the columns that the data should have, each once."""
    return tuple(dict.fromkeys(column.source or column.name for column in schema.features + schema.outputs))


def _check(source: blocks.Source, schema: Schema) -> None:
    faults = []
    twice = sorted({name for name in source.names if source.names.count(name) > 1})
    faults += [f"the column {name!r} occurs more than once: names must differ" for name in twice]
    if not source.rows:
        faults.append("the data has no rows: there is nothing to compare")
    wanted = _names_in(schema)
    if not wanted:
        faults.append("the profile has no features and no predictions: there is nothing to compare with")
    elif set(wanted).isdisjoint(source.names):
        faults.append(f"the data has none of the profile's columns, {_listed(wanted)}; its own are {_listed(source.names)}")
    if faults:
        raise ProfileError("\n".join(faults))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


def _columns_of(field: _Field, values: blocks.Values, rows: int, found: Violations, *, spelled: bool) -> list[Column]:
    columns: list[Column] = []
    if field.plain is not None:
        columns.append(_plain(values, rows, spelled=spelled and field.plain.type in NUMERIC_TYPES))
    if field.source is not None:
        columns += _summaries(field.source, values, rows, found)
    return columns


def _plain(values: blocks.Values, rows: int, *, spelled: bool) -> Column:
    """Turn a block's column into one of a batch. What is neither number nor text stays of a wrong type."""
    match values:
        case np.ndarray():
            return values
        case Texts(codes, labels):
            known: list[Any] = [_spelling(label) for label in labels] if spelled else list(labels)
            return _objects([*known, None])[codes]
        case Opaque(missing, times):
            there = np.arange(rows) >= missing if times is None else times != NEVER
            return _objects([None, "a time"])[there.astype(np.int64)]
        case Tensors():
            # a list, which is neither a number nor a category
            return _objects([[] if size else None for size in values.shapes.prod(axis=1).tolist()])
        case Files():
            return _objects(list(values.values))


def _spelling(label: str) -> float | str:
    try:
        return float(label)
    except ValueError:
        return label


def _objects(values: list[Any]) -> NDArray[Any]:
    return np.fromiter(values, dtype=object, count=len(values))


def _summaries(source: Source, values: blocks.Values, rows: int, found: Violations) -> list[Column]:
    if source.kind == TEXT and isinstance(values, np.ndarray | Texts):
        return _of_texts(source, as_texts(values))
    if source.kind == IMAGE_FILE and isinstance(values, Files):
        return of_objects(source, values.values)
    if source.kind in TABLES and isinstance(values, Tensors):
        return _of_tensors(source, values, found)
    present = rows - _missing(values, rows)
    if present:
        found[source.name, TYPE] = present
    return [np.full(rows, np.nan) for _ in source.measures]


def _missing(values: blocks.Values, rows: int) -> int:
    match values:
        case np.ndarray():
            return int(np.isnan(values).sum())
        case Texts(codes):
            return int((codes < 0).sum())
        case Opaque(missing):
            return missing
        case Tensors():
            return rows - int(values.shapes.all(axis=1).sum())
        case Files():
            return sum(value is None for value in values.values)


def _of_texts(source: Source, texts: Texts) -> list[Column]:
    per_label = of_objects(source, [*texts.labels, None])
    return [column[texts.codes] for column in per_label]  # -1 takes the last one


def _of_tensors(source: Source, tensors: Tensors, found: Violations) -> list[Column]:
    rows = len(tensors.shapes)
    columns = [np.full(rows, np.nan) for _ in source.measures]
    sizes = tensors.shapes.prod(axis=1)
    starts = np.cumsum(sizes) - sizes
    kinds, owners = np.unique(tensors.shapes, axis=0, return_inverse=True)
    for place, shape in enumerate(map(tuple, kinds.tolist())):
        mine = np.flatnonzero(owners.reshape(-1) == place)
        width = int(np.prod(shape))
        if not width:
            continue
        if not fits(source, width, shape):
            found[source.name, SHAPE] = found.get((source.name, SHAPE), 0) + len(mine)
            continue
        table = tensors.values[starts[mine] + np.arange(width)[:, None]]
        for column, summary in zip(columns, of_table(source, table, shape_for(source, shape)), strict=True):
            column[mine] = summary
    return list(columns)


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rows are done, and how many there are."""

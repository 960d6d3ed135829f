"""The stage before the check: columns that a profile summarises become their summaries.

Wire formats send a vector or an image as many columns: ``vec[0]``, ``vec[1]``, ... (in deeper arrays ``img[0][0][2]``) where the
wire has names, else as positions. Which belong where is told in this order:

- one tensor that bears the name of a vector or an image is that, whatever else is unnamed;
- by name: ``name``, ``name[...]``; for files also ``name.b64``, as KServe and TensorFlow Serving spell them (for the only input
  also ``b64``);
- what is too wide for columns comes as tables: `agent.validate.tables`;
- by position, where the columns are as many as those of the profile take, vectors at their width; for outputs also where they
  are as many as those of one prediction that the server calls otherwise.

A vector of another width, or an image that is none of the training's only shape, breaks the shape of its column, and its
summaries are missing; so are those of a feature that is not there.

It sits on the floor of the check, above the summaries' own functions, because it has to know the schema.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.batch import Batch, Side, TensorType, Values
from agent.profile.schema import ColumnSchema, Schema
from agent.summarise.source import IMAGE_FILE, TABLES, TEXT, Source, of_objects, of_table
from agent.validate.bind import LAYOUTS_KEPT
from agent.validate.schema import MISSING_COLUMN, SHAPE, TYPE, numbers_of
from agent.validate.tables import Bound, bind_tables, fits, shape_for, summaries_of

Violations = dict[tuple[str, str], int]
_Key = tuple[bool, tuple[str, ...], tuple[TensorType, ...], tuple[TensorType, ...]]


@dataclass(frozen=True, slots=True)
class _Slot:
    """A column of the training data: one of the profile's, or one that is summarised, or (a text) both."""

    name: str
    source: Source | None
    plain: bool
    role: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Columns of a side that are one value of a source together."""

    source: Source
    places: slice | tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """What becomes of a side: summaries of the pieces, then columns that stay, with their names."""

    pieces: tuple[_Piece, ...]
    kept: tuple[int, ...]
    names: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]
    """Violations of every row: column and kind."""
    bound: tuple[Bound, ...] = ()
    """Tables that are a value of a source each; their summaries come first."""
    left: tuple[int, ...] | None = None
    """Tables that stay; ``None`` for all."""


class Summariser:
    """Turns batches into batches that have the schema's summary columns.

    Parameters
    ----------
    schema
        Where it has no sources, batches pass as they are.
    """

    def __init__(self, schema: Schema) -> None:
        sources = {source.name: source for source in schema.sources}
        self._inputs = _Planner(schema.features, sources, required=True)
        self._outputs = _Planner(schema.outputs, sources, required=False)

    def summarise(self, batch: Batch) -> tuple[Batch, Violations]:
        """Summarise both sides.

        Returns
        -------
        batch
            With named columns where something was summarised; tables that are nothing of the schema's are left in it.
        violations
            Rows by (column, kind), for what the check can't see any more: ``shape``, ``type`` and ``missing_column`` of what is
            summarised. Cost: a copy of the values and what the summaries cost, 0.8 ms for 1,000 vectors of 768; the layout of
            names is worked out once.
        """
        found: Violations = {}
        inputs = self._inputs.summarise(batch.inputs, found)
        outputs = self._outputs.summarise(batch.outputs, found)
        if inputs is batch.inputs and outputs is batch.outputs:
            return batch, found
        return replace(batch, inputs=inputs, outputs=outputs), found


class _Planner:
    """One side of the schema, and the layouts of that side that were seen so far."""

    def __init__(self, columns: Sequence[ColumnSchema], sources: dict[str, Source], *, required: bool) -> None:
        names = dict.fromkeys(column.source or column.name for column in columns)
        roles = {column.source or column.name: column.role for column in columns}
        plain = {column.name for column in columns if not column.source}
        self._slots = tuple(_Slot(name, sources.get(name), name in plain, roles[name]) for name in names)
        self._sources = {slot.name: slot.source for slot in self._slots if slot.source is not None}
        self._derived = frozenset(name for source in self._sources.values() for name in source.names)
        self._required = required
        self._layouts: dict[_Key, _Layout | None] = {}

    def summarise(self, side: Side, found: Violations) -> Side:
        if not self._sources or not (side.names or side.tables):
            return side
        key = (side.positional, side.names, side.tensors, tuple([table.tensor for table in side.tables]))
        if key in self._layouts:
            layout = self._layouts[key]
        else:
            layout = self._plan(side)
            if len(self._layouts) >= LAYOUTS_KEPT:
                self._layouts.clear()
            self._layouts[key] = layout
        return side if layout is None else _apply(layout, side, found)

    def _plan(self, side: Side) -> _Layout | None:
        if side.tables:
            stems = [self._stem(name) for name in side.names]
            free = [source for name, source in self._sources.items() if source.kind in TABLES and name not in stems]
            bound, broken = bind_tables(side.tables, free, alone=len(self._slots) == 1 and not side.names)
            if bound or broken:
                return self._with_tables(stems, side, bound, broken)
        if not side.names:
            return None
        if len(side.tensors) == 1 and self._is_table(side.tensors[0].name):
            tensor = side.tensors[0]
            return self._named([tensor.name] * len(side.names), side)
        if not side.positional:
            stems = [self._stem(name) for name in side.names]
            known = self._sources.keys() | {slot.name for slot in self._slots}
            if self._required or not known.isdisjoint(stems):
                return self._named(stems, side)
        return self._by_position(side)

    def _with_tables(
        self, stems: Sequence[str], side: Side, bound: tuple[Bound, ...], broken: tuple[tuple[int, str, str], ...]
    ) -> _Layout:
        done = {one.source.name for one in bound} | {name for _, name, _ in broken}
        layout = self._named(stems, side, done)
        taken = {one.place for one in bound} | {place for place, _, _ in broken}
        return replace(
            layout,
            names=(*[name for one in bound for name in one.source.names], *layout.names),
            broken=(*layout.broken, *[(name, kind) for _, name, kind in broken]),
            bound=bound,
            left=tuple([place for place in range(len(side.tables)) if place not in taken]),
        )

    def _is_table(self, name: str) -> bool:
        source = self._sources.get(name)
        return source is not None and source.kind in TABLES

    def _stem(self, name: str) -> str:
        """Give the source that a column belongs to, or the column's own name."""
        stem = name.partition("[")[0]
        if self._is_table(stem):
            return stem
        # TensorFlow Serving's `{"b64": ...}` in place of a value: the only input there is.
        source = self._sources.get(self._slots[0].name if name == "b64" and len(self._slots) == 1 else name.removesuffix(".b64"))
        return source.name if source is not None and source.kind == IMAGE_FILE else name

    def _named(self, stems: Sequence[str], side: Side, done: Collection[str] = ()) -> _Layout:
        places: dict[str, list[int]] = {name: [] for name in self._sources if name not in done}
        kept = []
        for index, stem in enumerate(stems):
            source = self._sources.get(stem)
            if source is not None:
                places[stem].append(index)
            # A client's own column of a summary's name is not the summary.
            if (source is None and stem not in self._derived) or (source is not None and source.kind == TEXT):
                kept.append(index)
        pieces, broken = [], []
        for name, mine in places.items():
            source = self._sources[name]
            shape = _shape_of(name, mine, side)
            if not mine:
                broken += [(name, MISSING_COLUMN)] if self._required and source.kind != TEXT else []
            elif fits(source, len(mine), shape):
                pieces.append(_Piece(source, _slice(mine), shape_for(source, shape)))
            else:
                broken.append((name, SHAPE))
        return _layout(pieces, kept, [side.names[index] for index in kept], broken)

    def _by_position(self, side: Side) -> _Layout | None:
        count = len(side.names)
        predictions = tuple(slot for slot in self._slots if slot.role == "prediction")
        groups = [self._slots] if self._required else [self._slots, predictions, predictions[:1]]
        for slots in groups:
            if not any(slot.source for slot in slots):
                continue
            widths = [1 if slot.source is None else slot.source.width for slot in slots]
            if len(widths) == 1 and not widths[0]:  # images of any size
                widths = [count]
            if 0 not in widths and sum(widths) == count:
                return _cut(slots, widths, side)
        if len(self._slots) == 1:
            return _Layout((), (), (), ((self._slots[0].name, SHAPE),))
        return None  # the check finds that the number of columns fits nothing


def _cut(slots: Sequence[_Slot], widths: Sequence[int], side: Side) -> _Layout | None:
    pieces, kept, names, broken = [], [], [], []
    start = 0
    for slot, width in zip(slots, widths, strict=True):
        if slot.plain:
            kept.append(start)
            names.append(slot.name)
        if slot.source is not None:
            shape = side.tensors[0].shape if len(side.tensors) == 1 and len(slots) == 1 else ()
            if fits(slot.source, width, shape):
                pieces.append(_Piece(slot.source, slice(start, start + width), shape_for(slot.source, shape)))
            else:
                broken.append((slot.name, SHAPE))
        start += width
    return _layout(pieces, kept, names, broken)


def _layout(pieces: Sequence[_Piece], kept: Sequence[int], names: Sequence[str], broken: Sequence[tuple[str, str]]) -> _Layout:
    summaries = [name for piece in pieces for name in piece.source.names]
    return _Layout(tuple(pieces), tuple(kept), (*summaries, *names), tuple(broken))


def _slice(places: list[int]) -> slice | tuple[int, ...]:
    first, last = places[0], places[-1]
    return slice(first, last + 1) if last - first + 1 == len(places) else tuple(places)


def _shape_of(name: str, places: list[int], side: Side) -> tuple[int, ...]:
    """Give the shape of a value: as the wire says it, or as the indices in the last name do; empty where neither does."""
    for tensor in side.tensors:
        if tensor.name == name and math.prod(tensor.shape) == len(places):
            return tensor.shape
    return shape_of_names(name, [side.names[place] for place in places])


def shape_of_names(stem: str, names: Sequence[str]) -> tuple[int, ...]:
    """Give the shape that the indices of names say, empty where they say none.

    >>> shape_of_names("img", ["img[0][0]", "img[0][1]", "img[1][0]", "img[1][1]"]), shape_of_names("x", ["0", "1"])
    ((2, 2), ())
    """
    last = names[-1] if names else ""
    if not last.startswith(f"{stem}["):
        return ()
    try:
        shape = tuple(int(index) + 1 for index in last[len(stem) + 1 : -1].split("]["))
    except ValueError:
        return ()
    return shape if math.prod(shape) == len(names) else ()


def _apply(layout: _Layout, side: Side, found: Violations) -> Side:
    for violation in layout.broken:
        found[violation] = found.get(violation, 0) + side.rows
    columns: list[Values] = []
    for one in layout.bound:
        columns += summaries_of(one, side.tables[one.place])
    for piece in layout.pieces:
        mine = side.columns[piece.places] if isinstance(piece.places, slice) else [side.columns[i] for i in piece.places]
        if piece.source.kind in TABLES:
            columns += of_table(piece.source, _table(piece.source.name, mine, found), piece.shape)
        else:
            columns += of_objects(piece.source, mine[0].tolist())
    columns += [side.columns[index] for index in layout.kept]
    tables = side.tables if layout.left is None else tuple([side.tables[place] for place in layout.left])
    return Side(layout.names, tuple(columns), side.rows, tables=tables)


def _table(name: str, columns: Sequence[Values], found: Violations) -> NDArray[np.float64]:
    """Join columns to a table on its side; what is no number is missing, and its rows break the type."""
    if all(column.dtype == np.float64 for column in columns):
        return np.array(columns, dtype=np.float64)
    numbers = []
    odd = np.zeros(columns[0].size, dtype=np.bool_)
    for column in columns:
        if column.dtype == np.float64:
            numbers.append(column)
            continue
        listed = column.tolist()
        numbers.append(numbers_of(listed)[0])
        odd |= np.array([value is not None for value in listed]) & np.isnan(numbers[-1])
    if odd.any():
        found[name, TYPE] = found.get((name, TYPE), 0) + int(np.count_nonzero(odd))
    return np.array(numbers, dtype=np.float64)

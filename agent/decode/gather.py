"""Blocks of the same layout, from many exchanges, to one batch of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agent.batch import NOTHING, Batch, Side, Table, TensorType, Values, joined_tables
from agent.decode.block import NUMBERS, Block, Row, as_float
from agent.decode.format import Format
from agent.decode.routes import Route
from agent.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of a list of exchanges.

    Parameters
    ----------
    batches
        One per layout: model, version, columns of both sides. Empty where nothing could be read.
    routes
        The route template of each exchange, ``other`` where it is in no table.
    decoded
        Exchanges with at least one side read, by format.
    rows
        Rows read, by format: of the inputs, or of the outputs where only they were read.
    undecoded
        Sides that could not be read, by (format, reason).
    unobserved
        Exchanges on a route with a format that have nothing to read on one side or both, by reason: ``status`` (not a 2xx, or
        a gRPC status other than OK), ``bodies_left_out``, ``truncated``, ``incomplete`` (cut off on the wire),
        ``shared_memory``, ``no_rows``, ``too_wide``, ``no_table`` (a chat, a document, whatever is none), ``image``. Of a cut
        stream of OpenAI's the beginning is read, so it is here and in `batches`. Tensors of numbers that are too wide for
        columns are not among them: they are in `Side.tables`.
    """

    batches: list[Batch] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    decoded: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    undecoded: dict[tuple[str, str], int] = field(default_factory=dict)
    unobserved: dict[str, int] = field(default_factory=dict)


Names = int | tuple[str, ...]
Tensors = tuple[TensorType, ...]
Layouts = tuple[tuple[TensorType, str, int], ...]
Key = tuple[str, str, str, Names, bool, Tensors, Names, bool, Tensors, bool, Layouts, Layouts]
Piece = bytes | list[Row] | NDArray[np.float64]
"""`Block.values`."""


class Group:
    """Exchanges of one layout: the values of both sides, one item each an exchange."""

    __slots__ = ("counts", "exchanges", "ids", "input_tables", "inputs", "output_tables", "outputs", "time_ns")

    def __init__(self) -> None:
        self.inputs: list[Piece] = []
        self.outputs: list[Piece] = []
        self.exchanges: list[Exchange] = []
        self.counts: dict[int, int] = {}
        """Rows of the inputs by the exchange's place; only of those that have not exactly one."""
        self.ids: dict[int, str] = {}
        """By the exchange's place; only of those that bear one."""
        self.input_tables: list[tuple[Table, ...]] = []
        self.output_tables: list[tuple[Table, ...]] = []
        """Of each exchange, or of none: what is too wide for columns is part of a layout."""
        self.time_ns = 0


class Groups:
    """The groups of one call. Exchanges that do not answer row by row are kept apart, so that rows of a batch line up."""

    def __init__(self) -> None:
        self._groups: dict[Key, Group] = {}
        self._last: tuple[Key | None, Group] = (None, Group())

    def add(self, exchange: Exchange, wire: Format, route: Route, inputs: Block, outputs: Block) -> None:
        """Put one exchange where it belongs; nothing where neither side was read."""
        if not inputs.rows and not outputs.rows:
            return
        key: Key = (
            wire.name, route.model or inputs.model or outputs.model, route.version or inputs.version or outputs.version,
            inputs.names, inputs.numeric, inputs.tensors, outputs.names, outputs.numeric, outputs.tensors,
            inputs.rows == outputs.rows, (), (),
        )  # fmt: skip
        wide = inputs.tables or outputs.tables
        if wide:
            key = (*key[:10], _layouts(inputs), _layouts(outputs))
        last, group = self._last
        if key != last:  # mostly it is the same again, and to compare what is the same takes a third of hashing it
            known = self._groups.get(key)
            group = known if known is not None else Group()
            if known is None:
                self._groups[key] = group
            self._last = (key, group)
        if inputs.id or outputs.id:
            group.ids[len(group.inputs)] = inputs.id or outputs.id
        if inputs.rows != 1:
            group.counts[len(group.inputs)] = inputs.rows
        group.exchanges.append(exchange)
        group.inputs.append(inputs.values)
        group.outputs.append(outputs.values)
        if wide:
            group.input_tables.append(inputs.tables)
            group.output_tables.append(outputs.tables)
        if exchange.start_ns > group.time_ns:  # noqa: PLR1730 - max() takes longer than all of this method's other lines
            group.time_ns = exchange.start_ns

    def gather(self, result: Decoded) -> None:
        """Make a batch of each group, and count."""
        for key, group in self._groups.items():
            wire, model, version, input_names, input_numeric, ins, output_names, output_numeric, outs, *_ = key
            inputs = side(input_names, input_numeric, group.inputs, ins, group.input_tables)
            outputs = side(output_names, output_numeric, group.outputs, outs, group.output_tables)
            exchanges = len(group.inputs)
            ids = tuple(group.ids.get(place, "") for place in range(exchanges)) if group.ids else ()
            counts = tuple(group.counts.get(place, 1) for place in range(exchanges)) if group.counts else ()
            members = tuple(group.exchanges)
            result.batches.append(Batch(wire, model, version, inputs, outputs, exchanges, group.time_ns, ids, members, counts))
            result.decoded[wire] = result.decoded.get(wire, 0) + exchanges
            result.rows[wire] = result.rows.get(wire, 0) + (inputs.rows or outputs.rows)


def _layouts(block: Block) -> Layouts:
    return tuple([table.layout for table in block.tables])


def side(
    names: Names,
    numeric: bool,
    values: Sequence[Piece],
    tensors: Tensors = (),
    tables: Sequence[tuple[Table, ...]] = (),
) -> Side:
    """Join the values of blocks with the same names.

    Parameters
    ----------
    names, numeric, tensors
        As in `Block`, the same for all. No names and no tables give `NOTHING`.
    values
        As in `Block`, in order.
    tables
        As in `Block`, in order; all of the same layouts.
    """
    wide = joined_tables(tables) if tables else ()
    if not names:
        return Side((), (), len(wide[0].values), tensors=tensors, tables=wide) if wide else NOTHING
    positional = isinstance(names, int)
    texts = tuple(map(str, range(names))) if isinstance(names, int) else names
    if numeric:
        columns: tuple[Values, ...] = tuple(_table(values, len(texts)))
    else:
        joined = chain.from_iterable(cast("Sequence[list[Row]]", values))
        columns = tuple(column(list(fields)) for fields in zip(*joined, strict=True))
    return Side(texts, columns, len(columns[0]), positional, tensors, wide)


def _table(values: Sequence[Piece], width: int) -> NDArray[np.float64]:
    """Join numeric values to an array with a row for each column. Packed rows are joined before they are turned round."""
    if set(map(type, values)) == {bytes}:
        return _turned(cast("Sequence[bytes]", values), width)
    parts: list[NDArray[np.float64]] = []
    for is_packed, pieces in groupby(values, lambda piece: isinstance(piece, bytes)):
        if is_packed:
            parts.append(_turned(cast("Iterator[bytes]", pieces), width))
        else:
            parts += cast("Iterator[NDArray[np.float64]]", pieces)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _turned(packed: Iterable[bytes], width: int) -> NDArray[np.float64]:
    rows = np.frombuffer(b"".join(packed), dtype=np.float64).reshape(-1, width)
    return np.ascontiguousarray(rows.T)


def column(fields: list[object]) -> Values:
    """Make one column: float64 where all are numbers or missing, else objects as they are."""
    if NUMBERS.issuperset(map(type, fields)):
        numbers = cast("list[float | None]", fields)
        try:
            return np.array(numbers, dtype=np.float64)  # numpy takes None for NaN
        except OverflowError:
            return np.array([as_float(number) for number in numbers], dtype=np.float64)
    objects = np.empty(len(fields), dtype=object)
    objects[:] = fields
    return objects

"""Blocks of the same layout, from many exchanges, to one batch of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import cast

import numpy as np

from agent.batch import NOTHING, Batch, Side, Values
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
        ``shared_memory``, ``no_rows``, ``too_wide``.
    """

    batches: list[Batch] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    decoded: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    undecoded: dict[tuple[str, str], int] = field(default_factory=dict)
    unobserved: dict[str, int] = field(default_factory=dict)


Names = int | tuple[str, ...]
Key = tuple[str, str, str, Names, bool, Names, bool, bool]


class Group:
    """Exchanges of one layout: the values of both sides, one item each an exchange."""

    __slots__ = ("inputs", "outputs", "time_ns")

    def __init__(self) -> None:
        self.inputs: list[bytes | list[Row]] = []
        self.outputs: list[bytes | list[Row]] = []
        self.time_ns = 0


class Groups:
    """The groups of one call. Exchanges that do not answer row by row are kept apart, so that rows of a batch line up."""

    def __init__(self) -> None:
        self._groups: dict[Key, Group] = {}

    def add(self, exchange: Exchange, wire: Format, route: Route, inputs: Block, outputs: Block) -> None:
        """Put one exchange where it belongs; nothing where neither side was read."""
        if not inputs.rows and not outputs.rows:
            return
        key = (
            wire.name, route.model, route.version or outputs.version,
            inputs.names, inputs.numeric, outputs.names, outputs.numeric, inputs.rows == outputs.rows,
        )  # fmt: skip
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group()
        group.inputs.append(inputs.values)
        group.outputs.append(outputs.values)
        if exchange.start_ns > group.time_ns:  # noqa: PLR1730 - max() takes longer than all of this method's other lines
            group.time_ns = exchange.start_ns

    def gather(self, result: Decoded) -> None:
        """Make a batch of each group, and count."""
        for key, group in self._groups.items():
            wire, model, version, input_names, input_numeric, output_names, output_numeric, _ = key
            inputs = side(input_names, input_numeric, group.inputs)
            outputs = side(output_names, output_numeric, group.outputs)
            exchanges = len(group.inputs)
            result.batches.append(Batch(wire, model, version, inputs, outputs, exchanges, group.time_ns))
            result.decoded[wire] = result.decoded.get(wire, 0) + exchanges
            result.rows[wire] = result.rows.get(wire, 0) + (inputs.rows or outputs.rows)


def side(names: Names, numeric: bool, values: Sequence[bytes | list[Row]]) -> Side:
    """Join the values of blocks with the same names.

    Parameters
    ----------
    names, numeric
        As in `Block`, the same for all. No names give `NOTHING`.
    values
        As in `Block`, in order.
    """
    if not names:
        return NOTHING
    positional = isinstance(names, int)
    texts = tuple(map(str, range(names))) if isinstance(names, int) else names
    if numeric:
        table = np.frombuffer(b"".join(cast("Sequence[bytes]", values)), dtype=np.float64).reshape(-1, len(texts))
        columns: tuple[Values, ...] = tuple(np.ascontiguousarray(table.T))
    else:
        joined = chain.from_iterable(cast("Sequence[list[Row]]", values))
        columns = tuple(column(list(fields)) for fields in zip(*joined, strict=True))
    return Side(texts, columns, len(columns[0]), positional)


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

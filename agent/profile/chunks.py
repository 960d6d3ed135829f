"""Chunks of the training data: what is normal for a stretch of it, so that tolerances need not be guessed.

A stretch of traffic differs from training by chance, and by what training itself went through: its days and nights, its
weeks, its batches. Chunks of training, compared as windows will be, say how much of that is normal. The profile keeps the
coarse counts of some chunks, drawn evenly from all of training and in pairs of neighbours.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.profile.format import ChunkColumn, ChunkTable, ColumnProfile, Numeric, Profile
from agent.profile.packing import deflate, from_planes, inflate, to_planes
from agent.sketch.wire import pack_counts, unpack_counts
from agent.spelling import in_units

ENOUGH = 6
"""With fewer chunks, nobody can tell chance from habit (NannyML warns below six)."""

TIME, ROWS = "time", "rows"

DERIVED = "derived"
"""The role of scores of rows."""

_LARGEST_HALF = 65_000.0
"""float16 holds 65,504."""

_SIZES = struct.Struct("<HI")


@dataclass(frozen=True, slots=True)
class ColumnChunks:
    """One column in each chunk.

    Parameters
    ----------
    counts
        int64, shape ``(chunks, D)``: rows in each coarse bin, infinities in the outer ones; or in each listed category, and
        in the last cell those of no listed one.
    missing
        int64, shape ``(chunks,)``.
    mean, variance
        float64, shape ``(chunks,)``: of the finite values, within a thousandth of training's standard deviation and of the
        ratio of variances. NaN for a category, without values, and where they are beyond a float.
    """

    counts: NDArray[np.int64]
    missing: NDArray[np.int64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks that a profile kept, k of them, in the order of time or of rows.

    Parameters
    ----------
    kind
        ``time`` or ``rows``.
    length
        Seconds or rows.
    count
        How many chunks training had; those with less than a tenth of the usual rows are not counted.
    places
        Which ones were kept, int64, shape ``(k,)``, ascending: chunk ``p`` of time begins ``p * length`` seconds after 1970.
    rows
        int64, shape ``(k,)``; each column has as many, the missing ones included. Derived columns have fewer: only rows that
        their model has not seen, of a sample.
    columns
        By name. Monitored and derived columns only, without categories of which there were too many to count.

    Examples
    --------
    >>> from agent.profile.build import build
    >>> chunks = Chunks.of(build({"x": np.arange(600.0)}, chunk="100"))
    >>> chunks.rows.tolist(), chunks.columns["x"].counts.shape, round(chunks.columns["x"].mean[0])
    ([100, 100, 100, 100, 100, 100], (6, 10), 50)
    """

    kind: str
    length: float
    count: int
    places: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: Mapping[str, ColumnChunks]

    @classmethod
    def of(cls, profile: Profile) -> Chunks | None:
        """Unpack a profile's chunks; ``None`` if it has none. Cost: 30 µs per column.

        Raises
        ------
        OutriderError
            If they are damaged; `agent.profile.read` refuses such a profile.
        """
        table = profile.chunks
        if table is None:
            return None
        named = _named(profile)
        columns = {packed.name: unpack(packed, named[packed.name], len(table.rows)) for packed in table.columns}
        places, rows = np.array(table.places, dtype=np.int64), np.array(table.rows, dtype=np.int64)
        return cls(table.kind, table.length, table.count, places, rows, columns)

    def neighbours(self) -> NDArray[np.int64]:
        """Give the chunks that follow one another without a gap, int64, shape ``(pairs, 2)``: the earlier one, the later one."""
        first = np.flatnonzero(np.diff(self.places) == 1)
        return np.column_stack((first, first + 1))


def _named(profile: Profile) -> dict[str, ColumnProfile]:
    derived = () if profile.structure is None else profile.structure.derived
    return {column.name: column for column in (*profile.columns, *derived)}


def cells_of(column: ColumnProfile) -> int:
    """How many cells a column's counts have in each chunk."""
    if column.numeric is not None:
        return len(column.numeric.coarse)
    return 0 if column.categories is None else len(column.categories.values) + 1


def scale_of(numeric: Numeric | None) -> tuple[float, float]:
    """Give what a chunk's mean and variance are written in: training's mean and standard deviation, 1 where that is 0."""
    if numeric is None or numeric.mean is None or numeric.variance is None:
        return math.nan, math.nan
    return numeric.mean, math.sqrt(numeric.variance) or 1.0


def pack(name: str, figures: ColumnChunks, scale: tuple[float, float]) -> ChunkColumn:
    """Write a column's figures: counts byte plane by byte plane, then moments as halves, all of it deflated."""
    mean, deviation = scale
    with np.errstate(over="ignore", invalid="ignore"):
        halves = np.stack(((figures.mean - mean) / deviation, figures.variance / deviation / deviation))
        moments = halves.clip(-_LARGEST_HALF, _LARGEST_HALF).astype("<f2")
    counts, missing = pack_counts(figures.counts.reshape(-1)), pack_counts(figures.missing)
    planes = to_planes(counts[1:], counts[0])
    whole = _SIZES.pack(counts[0], len(planes)) + planes + missing + moments.tobytes()
    return ChunkColumn(name, deflate(whole))


def unpack(packed: ChunkColumn, column: ColumnProfile, chunks: int) -> ColumnChunks:
    """Read what `pack` wrote for so many chunks of a column; `OutriderError` if it is something else."""
    what = f"profile's chunks of {packed.name!r}"
    cells = cells_of(column)
    whole = inflate(packed.figures, _SIZES.size + chunks * (8 * cells + 8 + 4) + 1, f"these bytes are not a saved {what}")
    width, size = _SIZES.unpack_from(whole) if len(whole) >= _SIZES.size else (0, 0)
    start, stop = _SIZES.size, len(whole) - 4 * chunks
    if not width or size != width * cells * chunks or stop < start + size:
        raise OutriderError(f"these bytes are not a saved {what}")
    integers = from_planes(whole[start : start + size], width)
    counts = unpack_counts(bytes((width & 255,)) + integers, cells * chunks, what)
    missing = unpack_counts(whole[start + size : stop], chunks, what)
    shift, ratio = np.frombuffer(whole, dtype="<f2", offset=stop).astype(np.float64).reshape(2, chunks)
    mean, deviation = scale_of(column.numeric)
    with np.errstate(over="ignore", invalid="ignore"):
        return ColumnChunks(counts.reshape(chunks, cells), missing, mean + shift * deviation, ratio * deviation * deviation)


def faults(profile: Profile) -> Iterator[str]:
    """Tell what does not hold together."""
    table = profile.chunks
    if table is None:
        return
    if table.kind not in (TIME, ROWS) or not table.length > 0 or not math.isfinite(table.length):
        yield f"$.chunks.kind and length are {table.kind!r} and {table.length}"
    places, rows = table.places, table.rows
    if len(places) != len(rows) or not 0 < len(rows) <= table.count or any(low >= high for low, high in pairwise(places)):
        yield f"$.chunks.places and rows have {len(places)} and {len(rows)} of {table.count} chunks, or are not ascending"
        return
    if min(rows) < 1 or sum(rows) > profile.rows:
        yield f"$.chunks.rows sums to {sum(rows)}, but there are {profile.rows}"
    named = _named(profile)
    for i, packed in enumerate(table.columns):
        if packed.name not in named or not cells_of(named[packed.name]):
            yield f"$.chunks.columns[{i}] is of {packed.name!r}, which has no counts"
            continue
        yield from _column_faults(packed, named[packed.name], rows, f"$.chunks.columns[{i}]")


def _column_faults(packed: ChunkColumn, column: ColumnProfile, rows: Sequence[int], at: str) -> Iterator[str]:
    try:
        figures = unpack(packed, column, len(rows))
    except OutriderError as error:
        yield f"{at}.figures: {error}"
        return
    held = figures.counts.sum(axis=1) + figures.missing
    # Of derived columns only rows that their model has not seen are counted.
    if (held > rows).any() if column.role == DERIVED else (held != rows).any():
        yield f"{at}.figures do not add up to the rows of the chunks"


def describe(table: ChunkTable) -> str:
    """Say in words how training was cut."""
    kept = "" if len(table.rows) == table.count else f", {len(table.rows)} of them kept"
    low, high = min(table.rows), max(table.rows)
    held = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    untimed = f"; {table.untimed:,} rows have no time" if table.untimed else ""
    return f"{table.count:,} chunks of {length_of(table)}{kept}, with {held} rows each{untimed}"


def length_of(table: ChunkTable) -> str:
    """Say in words how long a chunk is, exactly; `agent.evaluate.reason.duration` rounds.

    >>> length_of(ChunkTable("time", 5400.0, 1, [0], [1], [])), length_of(ChunkTable("rows", 5000.0, 1, [0], [1], []))
    ('90 min', '5,000 rows')
    """
    if table.kind == ROWS:
        return f"{table.length:,.0f} rows"
    found = in_units(table.length, {"d": 86_400, "h": 3_600, "min": 60, "s": 1})
    return f"{found[0]:,} {found[1]}" if found else f"{table.length:,.12g} s"


def doubt(table: ChunkTable | None) -> str | None:
    """Say what the user should do about too few chunks; ``None`` where there is nothing to say."""
    if table is None or table.count >= ENOUGH:
        return None
    many = "1 chunk" if table.count == 1 else f"{table.count} chunks"
    return (
        f"the data has {many} of {length_of(table)}, and tolerances are learned from {ENOUGH} or more: "
        "pass a shorter --chunk, or more data"
    )

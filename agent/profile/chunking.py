"""Cutting the training data into chunks while it is read: the first reading counts their rows, the second what is in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.blocks import Values
from agent.profile.census import NumberCensus, TextCensus
from agent.profile.chunks import ROWS, TIME, ColumnChunks, cells_of, pack, scale_of
from agent.profile.column import Column, Tallied
from agent.profile.format import ChunkColumn, ChunkTable, ColumnProfile
from agent.profile.times import NEVER, times_of
from agent.spelling import duration

MONITORED = ("feature", "prediction", "probability")

HOUR = 3600.0

USUAL_CHUNKS = 12
USUAL_ROWS = 100
"""Where nobody said how to cut, but which column has the times: hours, if there are so many with so many rows."""

MOST_CHUNKS = 1_000_000
"""Cut finer, the counting of rows alone takes too much memory."""

MOST_KEPT, LEAST_KEPT = 64, 12

KEPT_BYTES = 72 << 10
"""What the kept chunks of all columns take: 96 KiB in base64, so that a profile of 200 columns stays below 1 MiB."""

_GOLDEN = (math.sqrt(5) - 1) / 2

_THIN = 0.1
"""Chunks with less than this share of the usual rows are left out: the ragged ends, and hours without traffic."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How to cut: by ``time`` or ``rows``, a length in seconds or rows, and whether the user asked for it."""

    kind: str
    length: float
    asked: bool


def cut_of(chunk: str, *, timed: bool) -> Cut | None:
    """Read what the user wants.

    Parameters
    ----------
    chunk
        A number of rows (``5000``), a length of time (``1h``), or empty.
    timed
        Whether a column has the role of time.

    Returns
    -------
    Cut
        ``None`` where nothing is to be cut.

    Raises
    ------
    ProfileError
        If it is neither, is nothing, or is a length of time without a column of times.
    """
    if not chunk:
        return Cut(TIME, HOUR, asked=False) if timed else None
    if chunk.isdecimal():
        cut = Cut(ROWS, float(int(chunk)), asked=True)
    else:
        try:
            cut = Cut(TIME, duration(chunk), asked=True)
        except ValueError:
            raise ProfileError(f"chunk: {chunk!r} is neither rows such as 5000 nor a time such as 1h or 1d") from None
    if not 1e-3 <= cut.length < 1e9:
        raise ProfileError(f"chunk: {chunk} is too short or too long")
    if cut.kind == TIME and not timed:
        raise ProfileError(
            f"chunk: {chunk} is a length of time, and no column has the role time: pass --time too, or a number of rows"
        )
    return cut


class Chunking:
    """The first reading: how many rows each chunk has.

    Parameters
    ----------
    cut
        How to cut.
    time
        The name of the column of times; not looked at where rows are cut.
    """

    def __init__(self, cut: Cut, time: str = "") -> None:
        self.cut = cut
        self.untimed = 0
        self._time = time
        self._seen = 0
        self._rows: dict[int, int] | None = {}

    def update(self, rows: int, times: Values | None) -> None:
        """Add a block.

        Raises
        ------
        ProfileError
            If its column holds no times, or there are too many chunks.
        """
        if self._rows is None:
            return
        try:
            places = self.places(self._seen, rows, times)
        except ProfileError:
            if self.cut.asked:
                raise
            self._rows = None
            return
        self._seen += rows
        timed = places[places != NEVER]
        self.untimed += rows - len(timed)
        for place, count in zip(*(found.tolist() for found in np.unique(timed, return_counts=True)), strict=True):
            self._rows[place] = self._rows.get(place, 0) + count
        if len(self._rows) > MOST_CHUNKS:
            if self.cut.asked:
                raise ProfileError(f"chunk: the data has more than {MOST_CHUNKS:,} chunks of this length: pass a longer one")
            self._rows = None

    def places(self, start: int, rows: int, times: Values | None) -> NDArray[np.int64]:
        """Give the chunk of each row of a block that begins with row `start`: int64, `NEVER` where it has no time."""
        if self.cut.kind == ROWS or times is None:
            return (start + np.arange(rows, dtype=np.int64)) // int(self.cut.length)
        found = times_of(times, self._time)
        return np.where(found == NEVER, NEVER, found // round(self.cut.length * 1e9))

    def chosen(self, columns: Sequence[Column]) -> ChunkTally | None:
        """Choose the chunks to count in; ``None`` where there is no use in it.

        Raises
        ------
        ProfileError
            If the user asked for chunks of time and no row has a time.
        """
        rows = self._rows or {}
        if self.cut.asked and not rows:
            raise ProfileError(
                f"chunk: no value of column {self._time!r} is a time that can be read, such as 2024-05-31T12:00:00Z"
            )
        usual = float(np.median(list(rows.values()))) if rows else 0.0
        places = sorted(place for place, count in rows.items() if count >= _THIN * usual)
        if not self.cut.asked and (len(places) < USUAL_CHUNKS or usual < USUAL_ROWS):
            return None
        return ChunkTally(self, np.array(places, dtype=np.int64), columns)

    def rows_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give how many rows these chunks have."""
        rows = self._rows or {}
        return np.array([rows.get(place, 0) for place in places.tolist()], dtype=np.int64)


def spread(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Choose at most `most` of the ascending places, in pairs of neighbours, evenly over all but in step with no cycle.

    The places are cut into as many equal parts as there are pairs, and one pair is taken from each: where in the part goes by
    multiples of the golden ratio, which come near no whole number. Each hour of the day then has its turn.

    >>> spread(np.arange(1000), 6).tolist()
    [0, 1, 538, 539, 744, 745]
    """
    if len(places) <= most:
        return places
    bounds = np.linspace(0, len(places), most // 2 + 1).astype(np.int64)
    kept = []
    for part, (low, high) in enumerate(pairwise(bounds.tolist())):
        starts = low + np.flatnonzero(np.diff(places[low:high]) == 1)
        if not len(starts):
            starts = np.arange(low, high - 1)
        start = int(starts[int(part * _GOLDEN % 1.0 * len(starts))])
        kept += [start, start + 1]
    return places[kept]


class ChunkTally:
    """The second reading: what is in the chosen chunks.

    Parameters
    ----------
    chunking
        The first reading.
    places
        All chunks that have enough rows, ascending.
    columns
        Those that are counted, with bins and categories chosen.
    """

    def __init__(self, chunking: Chunking, places: NDArray[np.int64], columns: Sequence[Column]) -> None:
        self._chunking = chunking
        self._count = len(places)
        mine = [(at, _cells(column)) for at, column in enumerate(columns)]
        cells = sum(number for _, number in mine)
        # Measured at 200 and 2,000 rows a chunk: a count deflates to 1.0 to 1.2 bytes; moments and missing rows take 5.5.
        most = int(KEPT_BYTES / sum(1.2 * number + 5.5 for _, number in mine if number)) if cells else MOST_KEPT
        self._kept = spread(places, min(MOST_KEPT, max(LEAST_KEPT, most)) // 2 * 2)
        self._rows = np.zeros(len(self._kept), dtype=np.int64)
        self._seen = 0
        self._columns = {at: (columns[at], Figures(columns[at], number, len(self._kept))) for at, number in mine if number}

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of the chosen chunks, as the first reading counted them."""
        return self._chunking.rows_of(self._kept)

    def update(self, rows: int, times: Values | None, tallied: Sequence[Tallied]) -> NDArray[np.int64]:
        """Add a block: its rows, its times, and what `Column.tally` made of each of the columns.

        Give which of the chosen chunks each row is in, int64, shape ``(rows,)``; -1 for none.
        """
        places = self._chunking.places(self._seen, rows, times)
        self._seen += rows
        slots = np.searchsorted(self._kept, places).clip(max=len(self._kept) - 1)
        mine = self._kept[slots] == places
        found = np.where(mine, slots, -1)
        if not mine.any():
            return found
        slots = slots[mine]
        self._rows += np.bincount(slots, minlength=len(self._rows))
        for at, (_, figures) in self._columns.items():
            figures.update(cast("NDArray[np.float64] | NDArray[np.int64]", tallied[at])[mine], slots)
        return found

    def result(self, profiles: Sequence[ColumnProfile], derived: Sequence[ChunkColumn] = ()) -> ChunkTable:
        """Pack what was counted, given what `Column.result` gave for all columns; `derived` are columns already packed."""
        of_name = {profile.name: profile for profile in profiles}
        columns = []
        for column, figures in self._columns.values():
            profile = of_name[column.name]
            if figures.cells == cells_of(profile):
                columns.append(pack(column.name, figures.result(), scale_of(profile.numeric)))
        cut = self._chunking.cut
        kept, rows = self._kept.tolist(), self._rows.tolist()
        return ChunkTable(cut.kind, cut.length, self._count, kept, rows, [*columns, *derived], self._chunking.untimed)


def _cells(column: Column) -> int:
    """How many cells a column's counts have; 0 for a column that is not compared, or of too many categories to rank in time."""
    if column.role not in MONITORED or not column.is_counted:
        return 0
    if column.bins is not None:
        return len(column.coarse_edges) + 1
    census = column.census
    return column.classes if not isinstance(census, TextCensus) or census.complete else 0


class Figures:
    """One column in all chosen chunks.

    Parameters
    ----------
    column
        With bins and categories chosen.
    cells, chunks
        How many there are of either.
    """

    def __init__(self, column: Column, cells: int, chunks: int) -> None:
        self.cells = cells
        self._chunks = chunks
        self._edges = column.coarse_edges if column.bins is not None else None
        self._counts = np.zeros(chunks * cells, dtype=np.int64)
        self._missing = np.zeros(chunks, dtype=np.int64)
        census = column.census
        self._centre = self._scale = 1.0
        if isinstance(census, NumberCensus) and math.isfinite(census.mean):
            self._centre = census.mean
            self._scale = math.sqrt(census.variance) if census.count and 0 < census.variance < math.inf else 1.0
        self._powers = np.zeros((3, chunks))  # rows, sums and squares of (x - centre) / scale

    def update(self, values: NDArray[np.float64] | NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        """Add rows and the chunk of each."""
        missing = np.isnan(values) if self._edges is not None else values < 0
        self._missing += np.bincount(slots[missing], minlength=self._chunks)
        values, slots = values[~missing], slots[~missing]
        places = values if self._edges is None else np.searchsorted(self._edges, values, side="right")
        self._counts += np.bincount(slots * self.cells + places.astype(np.int64), minlength=len(self._counts))
        if self._edges is not None:
            finite = np.isfinite(values)
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = (values[finite] - self._centre) / self._scale
                self._powers += [np.bincount(slots[finite], scaled**power, self._chunks) for power in range(3)]

    def result(self) -> ColumnChunks:
        """Give the counts and, for numbers, mean and variance."""
        rows, sums, squares = self._powers
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            mean = sums / rows
            variance = np.maximum(squares / rows - mean * mean, 0.0)
            moments = (self._centre + mean * self._scale, variance * self._scale * self._scale)
        counts = self._counts.reshape(self._chunks, self.cells)
        return ColumnChunks(counts, self._missing, *moments)

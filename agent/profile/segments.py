"""Segments of training: the rows with one value of a column, so that traffic's rows with that value have their own reference.

A profile keeps, for each segment, the counts of every monitored column in its frozen bins and their sums, or, where so much
would not fit into a ConfigMap, the counts in coarse bins alone; and moments and missing rows in either case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.group_language import Grouping, favourable, parse
from agent.profile.chunks import cells_of, scale_of
from agent.profile.format import ColumnProfile, Profile, SegmentColumn, SegmentTable
from agent.profile.packing import deflate, from_planes, inflate, to_planes
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.sketch.wire import pack_counts, pack_sums, unpack_counts, unpack_sums

FINE, COARSE = "fine", "coarse"

MOST = 20
"""Values of a column that are kept, the most frequent ones."""


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """One column in each of V segments.

    Parameters
    ----------
    counts
        int64, shape ``(V, cells)``: rows in each frozen bin, or in each coarse one; or in each listed category, and in the last
        cell those of no listed one.
    missing, infinite
        int64, shape ``(V,)``.
    mean, variance
        Of the finite values, shape ``(V,)``, to seven digits of training's deviation; NaN for a category and without values.
    sums
        Per bin the sum of ``x - origin``, shape ``(V, cells)``; ``(V, 0)`` for a category and for coarse
        bins.
    """

    counts: NDArray[np.int64]
    missing: NDArray[np.int64]
    infinite: NDArray[np.int64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    sums: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segments:
    """Training cut by one column.

    Parameters
    ----------
    grouping
        How it is cut.
    values, rows, others, detail, figured, outcome, favourable, answered, selected
        As in `agent.profile.format.SegmentTable`.
    columns
        By name.

    Examples
    --------
    >>> from agent.profile.build import build
    >>> found = Segments.of(build({"x": np.arange(600.0), "c": ["a", "b", "b"] * 200}, by="c"))[0]
    >>> found.values, found.rows, found.columns["x"].mean.round().tolist()
    (('b', 'a'), (400, 200), [300.0, 298.0])
    """

    grouping: Grouping
    values: tuple[str, ...]
    rows: tuple[int, ...]
    others: int
    detail: str
    figured: int
    columns: Mapping[str, SegmentFigures]
    outcome: str = ""
    favourable: str = ""
    answered: tuple[int, ...] = ()
    selected: tuple[int, ...] = ()

    @classmethod
    def of(cls, profile: Profile) -> tuple[Segments, ...]:
        """Unpack a profile's segments. Cost: 30 µs per column of each.

        Raises
        ------
        OutriderError
            If they are damaged; `agent.profile.read` refuses such a profile.
        """
        named = {column.name: column for column in profile.columns}
        return tuple(cls._of(table, named) for table in profile.segments)

    @classmethod
    def _of(cls, table: SegmentTable, named: Mapping[str, ColumnProfile]) -> Segments:
        many, detail = table.figured, table.detail
        columns = {packed.name: unpack(packed, named[packed.name], many, detail) for packed in table.columns}
        return cls(
            parse(table.by)[0], tuple(table.values), tuple(table.rows), table.others, detail, many, columns,
            table.outcome, table.favourable, tuple(table.answered), tuple(table.selected),
        )  # fmt: skip

    def reference(self, name: str, whole: Summary | None, value: str) -> Summary | None:
        """Give a column's distribution in one segment.

        Parameters
        ----------
        name
            The column.
        whole
            Its distribution in all of training, whose bins, categories and range the segment shares.
        value
            One of the `figured` first of `values`; for any other one the summary is empty.

        Returns
        -------
        Summary
            ``None`` where `whole` is. Where `detail` is coarse, each coarse bin's rows stand in its first fine bin, and there are
            no sums: `agent.sketch.frame.coarsened` is what may be compared.
        """
        figures = self.columns.get(name)
        if whole is None or figures is None or value not in self.values[: self.figured]:
            return emptied(whole)
        place = self.values.index(value)
        counts, missing = figures.counts[place], int(figures.missing[place])
        if isinstance(whole, CategorySummary):
            known, unseen = counts[:-1].copy(), int(counts[-1])
            seen = int(np.count_nonzero(known)) + bool(unseen)
            return replace(
                whole, rows=int(counts.sum()) + missing, missing=missing, counts=known, unseen=unseen, distinct=float(seen)
            )
        bins, sums = counts, figures.sums[place]
        if self.detail == COARSE:
            bins = np.zeros(whole.bin_counts.size, dtype=np.int64)
            bins[whole.coarse] = counts
            sums = np.zeros(bins.size)
        infinite, total = int(figures.infinite[place]), int(counts.sum())
        return replace(
            emptied_number(whole), rows=total + missing, missing=missing, infinite=infinite, count=total - infinite,
            mean=float(figures.mean[place]), variance=float(figures.variance[place]), minimum=whole.minimum,
            maximum=whole.maximum, bin_counts=bins, bin_sums=sums,
        )  # fmt: skip


def emptied(whole: Summary | None) -> Summary | None:
    """Give a summary of the same bins or categories without rows."""
    if isinstance(whole, CategorySummary):
        return replace(whole, rows=0, missing=0, counts=np.zeros_like(whole.counts), unseen=0, distinct=0.0)
    return None if whole is None else emptied_number(whole)


def emptied_number(whole: NumericSummary) -> NumericSummary:
    """Give a numeric summary of the same bins without rows."""
    nan, nothing = math.nan, np.empty(0)
    return replace(
        whole, rows=0, missing=0, infinite=0, count=0, mean=nan, variance=nan, minimum=nan, maximum=nan,
        bin_counts=np.zeros_like(whole.bin_counts), bin_sums=np.zeros(whole.bin_counts.size), points=nothing, weights=nothing,
    )  # fmt: skip


def pack(name: str, figures: SegmentFigures, column: ColumnProfile) -> SegmentColumn:
    """Write a column's figures: counts byte plane by byte plane, the rest as it is, all of it deflated."""
    mean, deviation = scale_of(column.numeric)
    with np.errstate(over="ignore", invalid="ignore"):
        moments = np.stack(((figures.mean - mean) / deviation, figures.variance / deviation / deviation)).astype("<f4")
    counts = pack_counts(figures.counts.reshape(-1))
    planes = counts[:1] + to_planes(counts[1:], counts[0])
    parts = [planes, pack_counts(figures.missing), pack_counts(figures.infinite), moments.tobytes()]
    if figures.sums.size:
        parts.append(pack_sums(figures.sums.reshape(-1)))
    return SegmentColumn(name, deflate(b"".join(parts)))


def unpack(packed: SegmentColumn, column: ColumnProfile, segments: int, detail: str) -> SegmentFigures:
    """Read what `pack` wrote for so many segments of a column; `OutriderError` if it is something else."""
    what = f"profile's segments of {packed.name!r}"
    cells = _cells(column, detail)
    whole = inflate(packed.figures, segments * (16 * cells + 24) + 16, f"these bytes are not a saved {what}")
    planes, rest = _counts_off(whole, segments * cells)
    if planes:
        planes = planes[:1] + from_planes(planes[1:], planes[0])
    missing, rest = _counts_off(rest, segments)
    infinite, rest = _counts_off(rest, segments)
    moments, sums = rest[: 8 * segments], rest[8 * segments :]
    if len(moments) != 8 * segments:
        raise OutriderError(f"these bytes are not a saved {what}: they are cut off")
    if sums and detail == COARSE:
        raise OutriderError(f"these bytes are not a saved {what}: coarse bins have no sums")
    shift, ratio = np.frombuffer(moments, dtype="<f4").astype(np.float64).reshape(2, segments)
    mean, deviation = scale_of(column.numeric)
    with np.errstate(over="ignore", invalid="ignore"):
        return SegmentFigures(
            unpack_counts(planes, cells * segments, what).reshape(segments, cells),
            unpack_counts(missing, segments, what),
            unpack_counts(infinite, segments, what),
            mean + shift * deviation,
            ratio * deviation * deviation,
            unpack_sums(sums, cells * segments, what).reshape(segments, cells) if sums else np.empty((segments, 0)),
        )


def _cells(column: ColumnProfile, detail: str) -> int:
    return len(column.numeric.bin_counts) if column.numeric is not None and detail == FINE else cells_of(column)


def _counts_off(data: bytes, size: int) -> tuple[bytes, bytes]:
    """Cut off what `pack_counts` wrote; what is too short is for `unpack_counts` to refuse."""
    width = data[0] if data and data[0] in (1, 2, 4, 8) else 0
    end = 1 + width * size
    return (data[:end], data[end:]) if width and len(data) >= end else (b"", data)


def faults(profile: Profile) -> Iterator[str]:
    """Tell what does not hold together."""
    named = {column.name: column for column in profile.columns}
    for i, table in enumerate(profile.segments):
        yield from _table_faults(table, named, profile.rows, f"$.segments[{i}]")


def _table_faults(table: SegmentTable, named: Mapping[str, ColumnProfile], rows: int, at: str) -> Iterator[str]:
    try:
        groupings = parse(table.by)
    except ValueError as error:
        yield f"{at}.by: {error}"
        return
    if len(groupings) != 1 or groupings[0].column not in named:
        yield f"{at}.by names {table.by!r}, which is no column"
    if len(table.rows) != len(table.values) or len(set(table.values)) != len(table.values) or table.detail not in (FINE, COARSE):
        yield f"{at} has {len(table.values)} values, {len(table.rows)} rows, and the detail {table.detail!r}"
        return
    if not 0 <= table.figured <= len(table.values) or (table.columns and not table.figured):
        yield f"{at}.figured is {table.figured}, of {len(table.values)} values"
        return
    if min(table.rows, default=0) < 0 or table.others < 0 or sum(table.rows) + table.others > rows:
        yield f"{at}.rows sum to {sum(table.rows) + table.others}, but there are {rows}"
    yield from _outcome_faults(table, at)
    for j, packed in enumerate(table.columns):
        place = f"{at}.columns[{j}]"
        if packed.name not in named or not cells_of(named[packed.name]):
            yield f"{place} is of {packed.name!r}, which has no counts"
            continue
        try:
            figures = unpack(packed, named[packed.name], table.figured, table.detail)
        except OutriderError as error:
            yield f"{place}.figures: {error}"
            continue
        if (figures.counts.sum(axis=1) + figures.missing).tolist() != table.rows[: table.figured]:
            yield f"{place}.figures do not add up to the rows of the segments"


def _outcome_faults(table: SegmentTable, at: str) -> Iterator[str]:
    if not table.outcome:
        return
    try:
        known = favourable(table.favourable)
    except ValueError as error:
        yield f"{at}.favourable: {error}"
        return
    if known is None:
        yield f"{at}.favourable is empty, and the outcome is {table.outcome!r}"
    rows = [*table.rows, table.others]
    if len(table.answered) != len(rows) or len(table.selected) != len(rows):
        yield f"{at}.answered and selected have {len(table.answered)} and {len(table.selected)} entries, not {len(rows)}"
    elif any(not 0 <= s <= a <= r for s, a, r in zip(table.selected, table.answered, rows, strict=True)):
        yield f"{at}.selected, answered and rows of a value are not in order"

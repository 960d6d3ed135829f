"""How each metric is read from the figures; those of calls and of the proxy are in `agent.export.traffic`.

A reading yields points: the attributes' values in the order in which the table names them, and a number. What is not known
(``None``, NaN) is not observed at all. Dictionaries that the monitor's thread fills are copied first: `dict.copy` happens in
one step under the interpreter's lock, an iteration would not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.report import ColumnReport, Decision, GroupReport, RelationReport, Score
from agent.export.figures import Figures
from agent.profile.schema import ColumnSchema
from agent.sketch.summary import NumericSummary, Summary
from agent.window.activity import Activity
from agent.window.ring import BinTotals

OTHER = "_other"
"""The column under which everything is summed up that has no metrics of its own."""

MISSING = "_missing"
"""The bin of rows without a value."""

DECISION_CODES = {
    Decision.NO_REFERENCE: -2,
    Decision.INSUFFICIENT: -1,
    Decision.OK: 0,
    Decision.SUSPECT: 1,
    Decision.DRIFTED: 2,
}
"""Decisions as numbers: from 1 up something was seen, below 0 nothing could be said."""

Values = tuple[str | int | None, ...]


class Buckets(NamedTuple):
    """A histogram's content: one count more than bounds, for what is above the last."""

    counts: list[int]
    sum_s: float
    bounds_s: tuple[float, ...]
    """Upper bounds of the buckets in seconds, the same for all points of a metric."""


Point = tuple[Values, int | float | Buckets]
Reading = Callable[[Figures], Iterable[Point]]


def summed(pairs: Iterable[tuple[Values, int]]) -> Iterator[Point]:
    """Add up the numbers of the same attributes."""
    sums: dict[Values, int] = {}
    for values, number in pairs:
        sums[values] = sums.get(values, 0) + number
    yield from sums.items()


def keyed(choose: Callable[[Activity], dict[str, int]]) -> Reading:
    """Make the reading of a counter with one key."""

    def read(figures: Figures) -> Iterator[Point]:
        for key, number in choose(figures.activity).copy().items():
            yield (key,), number

    return read


def undecoded(figures: Figures) -> Iterator[Point]:
    """Undecodable exchanges by format and reason."""
    yield from figures.activity.undecoded.copy().items()


def violations(figures: Figures) -> Iterator[Point]:
    """Violations by column and kind; columns that the schema does not list may be a client's invention: `OTHER`."""
    known = _own_columns(figures)
    return summed(
        ((column if column in known else OTHER, kind), number)
        for (column, kind), number in figures.activity.violations.copy().items()
    )


def scored_rows(figures: Figures) -> Iterator[Point]:
    """Count rows that were looked at as wholes."""
    yield (), figures.activity.scored_rows


def anomalies(figures: Figures) -> Iterator[Point]:
    """Count strange rows."""
    yield (), figures.activity.anomalies


def cpu_time(figures: Figures) -> Iterator[Point]:
    """CPU seconds by process."""
    for process in figures.processes:
        yield (process.name,), process.cpu_s


def memory_usage(figures: Figures) -> Iterator[Point]:
    """Resident bytes by process."""
    for process in figures.processes:
        yield (process.name,), process.memory_bytes


def _own_columns(figures: Figures) -> set[str]:
    """Give the names with metrics of their own: the first `Figures.max_columns` of the schema, else of the report."""
    if figures.schema is not None:
        names = [column.name for column in figures.schema.columns]
    else:
        names = [column.name for column in figures.report.columns] if figures.report else []
    return set(names[: figures.max_columns])


def _own_reports(figures: Figures) -> Iterator[ColumnReport]:
    if figures.report is not None:
        known = _own_columns(figures)
        yield from (column for column in figures.report.columns if column.name in known)


def _observed(values: Values, number: float | None) -> Iterator[Point]:
    if number is not None and math.isfinite(number):
        yield values, number


def score(choose: Callable[[Score], float | None]) -> Reading:
    """Make the reading of one number of every score."""

    def read(figures: Figures) -> Iterator[Point]:
        for report in _own_reports(figures):
            for result in report.scores:
                yield from _observed((report.name, report.role, result.statistic, result.against), choose(result))

    return read


def column(choose: Callable[[ColumnReport], float | None]) -> Reading:
    """Make the reading of one number of every column."""

    def read(figures: Figures) -> Iterator[Point]:
        for report in _own_reports(figures):
            yield from _observed((report.name, report.role), choose(report))

    return read


def column_drifted(figures: Figures) -> Iterator[Point]:
    """1 for each drifted column; under `OTHER` how many of the rest are."""
    if figures.report is None:
        return
    known = _own_columns(figures)
    rest = [report for report in figures.report.columns if report.name not in known]
    for report in figures.report.columns:
        if report.name in known:
            yield (report.name, report.role), int(report.decision is Decision.DRIFTED)
    if rest:
        yield (OTHER, None), sum(report.decision is Decision.DRIFTED for report in rest)


def drifted_columns(figures: Figures) -> Iterator[Point]:
    """How many columns are drifted, the rest included."""
    if figures.report is not None:
        yield (), sum(report.decision is Decision.DRIFTED for report in figures.report.columns)


def relation(choose: Callable[[RelationReport], float | None]) -> Reading:
    """Make the reading of one number of everything that is told of how columns go together; names are the profile's."""

    def read(figures: Figures) -> Iterator[Point]:
        for found in figures.report.relations if figures.report is not None else ():
            yield from _observed((found.kind, " ~ ".join(found.columns)), choose(found))

    return read


def drifted_relations(figures: Figures) -> Iterator[Point]:
    """How many of them are drifted."""
    if figures.report is not None:
        yield (), sum(found.decision is Decision.DRIFTED for found in figures.report.relations)


def decision(figures: Figures) -> Iterator[Point]:
    """Encode the decision on the whole window; before the first report, whether there is a reference at all."""
    if figures.report is not None:
        yield (), DECISION_CODES[figures.report.decision]
    else:
        yield (), DECISION_CODES[Decision.NO_REFERENCE if figures.schema is None else Decision.INSUFFICIENT]


def evaluations(figures: Figures) -> Iterator[Point]:
    """Count evaluations; 0 before the first."""
    yield (), figures.report.evaluation if figures.report else 0


def window_rows(figures: Figures) -> Iterator[Point]:
    """Rows in the window."""
    if figures.report is not None:
        yield (), figures.report.rows


def segment_drifted_columns(figures: Figures) -> Iterator[Point]:
    """How many columns are drifted in each segment that had rows."""
    for segment in figures.segments:
        if segment.rows:
            yield (segment.column, segment.value), len(segment.drifted)


def segment_decision(figures: Figures) -> Iterator[Point]:
    """Encode the decision on each segment."""
    for segment in figures.segments:
        yield (segment.column, segment.value), DECISION_CODES[segment.decision]


def group(choose: Callable[[GroupReport], float | None]) -> Reading:
    """Make the reading of one number of every group."""

    def read(figures: Figures) -> Iterator[Point]:
        for report in figures.report.groups if figures.report is not None else ():
            yield from _observed((report.column, report.value), choose(report))

    return read


def gap_bounds(figures: Figures) -> Iterator[Point]:
    """Give the bounds of every group's difference and ratio, and what is tolerated."""
    for report in figures.report.groups if figures.report is not None else ():
        for name, gap in (("difference", report.difference), ("ratio", report.ratio)):
            if gap is not None:
                ends = {"lower": gap.lower, "upper": gap.upper, "proven": gap.bound, "tolerance": gap.threshold}
                for bound, number in ends.items():
                    yield from _observed((report.column, report.value, name, bound), number)


def segment_rows(figures: Figures) -> Iterator[Point]:
    """Count rows by segment; values that are no segment, and rows without one, are summed up for each column."""
    yield from dict(figures.segment_rows).items()


def _bins(figures: Figures) -> Iterator[tuple[ColumnSchema, BinTotals, list[Values]]]:
    """Give the columns with frozen bins, and the attributes of each bin: column, bin, and the coarse bin it lies in.

    Bins of different columns do not add up, so columns over the cap are left out.
    """
    if figures.schema is None:
        return
    totals = dict(figures.totals)
    for column in figures.schema.columns[: figures.max_columns]:
        if column.name in totals:
            labels = totals[column.name].labels
            coarse = _coarse_labels(labels, column.coarse)
            yield column, totals[column.name], [(column.name, *both) for both in zip(labels, coarse, strict=True)]


def _coarse_labels(labels: Sequence[str], coarse: NDArray[np.int64] | None) -> list[str]:
    """Name each coarse bin by its last fine bin, whose upper edge is its own."""
    if coarse is None:
        return list(labels)
    ends = [*coarse[1:].tolist(), len(labels)]
    return [labels[end - 1] for start, end in zip(coarse.tolist(), ends, strict=True) for _ in range(start, end)]


def bin_rows(figures: Figures) -> Iterator[Point]:
    """Count rows by column and bin; rows without a value are in a bin of their own, `MISSING`."""
    for column, totals, bins in _bins(figures):
        yield from zip(bins, totals.counts.tolist(), strict=True)
        yield (column.name, MISSING, MISSING), totals.missing


def reference_bin_rows(figures: Figures) -> Iterator[Point]:
    """Count the rows of training, with the very attributes of `bin_rows`, so that a query can match the two."""
    for column, _, bins in _bins(figures):
        if column.reference is not None:
            yield from zip(bins, _reference_counts(column.reference), strict=True)
            yield (column.name, MISSING, MISSING), column.reference.missing


def _reference_counts(reference: Summary) -> list[int]:
    if isinstance(reference, NumericSummary):
        return [int(count) for count in reference.bin_counts]
    return [*map(int, reference.counts), reference.unseen]


def info(figures: Figures) -> Iterator[Point]:
    """Say what is running: always one point."""
    yield (figures.version, figures.model, figures.model_version, figures.profile_format), 1


def export_failures(figures: Figures) -> Iterator[Point]:
    """Failed exports by signal."""
    for signal, number in figures.exports.failures.copy().items():
        yield (signal,), number


def spans_dropped(figures: Figures) -> Iterator[Point]:
    """Count spans that were lost."""
    yield (), figures.exports.spans_dropped

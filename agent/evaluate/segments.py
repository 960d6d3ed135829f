"""Segments: the same report for the rows with one value of a column, against training's rows with that value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.evaluate.report import ColumnReport, Decision, Report
from agent.evaluate.rule import Rule
from agent.evaluate.tolerance import Tolerated
from agent.group_language import Grouping
from agent.profile.schema import ColumnSchema, Schema
from agent.profile.segments import COARSE, Segments, emptied
from agent.sketch.frame import coarsened
from agent.sketch.summary import Summary

_SEEN = (Decision.SUSPECT, Decision.DRIFTED)


class SegmentSummary(msgspec.Struct, frozen=True):
    """One segment in a line.

    Parameters
    ----------
    name
        As ``/api/report?segment=`` takes it, such as ``country=DE`` or ``age<25``.
    column, value
        The column, and its category or what it is compared with.
    decision, reason
        As those of `agent.evaluate.report.Report`.
    rows
        In the window.
    reference_rows
        In training; 0 where the profile does not say.
    drifted
        The columns that are called drifted.
    """

    name: str
    column: str
    value: str
    decision: Decision
    reason: str
    rows: int
    reference_rows: int
    drifted: list[str]


class SegmentTolerated(Tolerated):
    """The tolerances of the whole, and the training figures of one segment.

    Parameters
    ----------
    rule
        What the settings say.
    schema
        The segment's, from `segment_schema`.
    whole
        The tolerances of all rows: what differs from hour to hour in all of them may do so in a segment.
    coarse
        Whether the profile keeps no more than coarse bins of it.
    """

    def __init__(self, rule: Rule, schema: Schema, whole: Tolerated, *, coarse: bool) -> None:
        super().__init__(rule, schema)
        self._whole = whole
        if coarse:
            self.training = coarsened(self.training, self.layout.bins)

    def thresholds(self, against: str, statistic: str, places: tuple[int, ...]) -> NDArray[np.float64]:
        """See `Tolerated.thresholds`."""
        return self._whole.thresholds(against, statistic, places)


def segments_of(schema: Schema, grouping: Grouping) -> Segments | None:
    """Give training cut by a grouping; ``None`` where the profile does not have it."""
    return next((each for each in schema.segments if each.grouping == grouping), None)


def segment_schema(schema: Schema, segments: Segments | None, value: str) -> Schema:
    """Give the schema of a segment: the same columns, with what training's rows of the segment were like.

    Parameters
    ----------
    schema
        Of all rows.
    segments
        Training cut by the segment's column; ``None`` where the profile has nothing of it: the references are then empty.
    value
        Which segment.
    """

    def reference(column: ColumnSchema) -> Summary | None:
        whole = column.reference
        return emptied(whole) if segments is None else segments.reference(column.name, whole, value)

    def cut(columns: Sequence[ColumnSchema]) -> tuple[ColumnSchema, ...]:
        return tuple(replace(column, reference=reference(column)) for column in columns)

    return Schema(schema.model, schema.version, cut(schema.features), cut(schema.outputs))


def is_coarse(segments: Segments | None) -> bool:
    """Whether only coarse bins can be compared."""
    return segments is not None and segments.detail == COARSE


def without_reference(report: Report, reason: str) -> Report:
    """Say of a report why nothing was compared with training; what other references showed stays."""

    def told(column: ColumnReport) -> ColumnReport:
        if column.decision in _SEEN:
            return column
        return msgspec.structs.replace(column, decision=Decision.NO_REFERENCE, reason=reason)

    decision = report.decision if report.decision in _SEEN else Decision.NO_REFERENCE
    columns = [told(column) for column in report.columns]
    return msgspec.structs.replace(report, columns=columns, decision=decision, reason=reason)

"""Segments and groups of a data set: what the sidecar watches of ``OUTRIDER_SEGMENTS`` and ``OUTRIDER_GROUPS``, in one look."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from agent.batch import Batch, Checked
from agent.bias import BiasWatch
from agent.compare.look import GroupCopies, Look
from agent.compare.order import leading_reason
from agent.compare.words import in_words_of_file
from agent.config import Settings
from agent.evaluate.report import Decision, GroupReport, Report
from agent.evaluate.segments import SegmentSummary
from agent.evaluate.tolerance import Tolerated
from agent.group_language import Grouping
from agent.profile.schema import Schema
from agent.segments import SegmentWatch


def beside(schema: Schema, settings: Settings) -> tuple[str, ...]:
    """Give the columns that the settings cut by and that are none of the features and outputs."""
    asked = {grouping.column for grouping in (*settings.segments, *settings.groups)}
    return tuple(column.name for column in schema.beside if column.name in asked)


class Cuts:
    """The segments and groups that the settings ask for.

    Parameters
    ----------
    schema
        With what training was like in each.
    settings
        Of the look.
    tolerated
        The tolerances of all rows.
    whole
        All rows.
    """

    def __init__(self, schema: Schema, settings: Settings, tolerated: Tolerated, whole: Look) -> None:
        self._schema = schema
        self._faults: list[SegmentSummary] = []
        self._watch = SegmentWatch(schema, settings, tolerated, ring=whole.of_segment, refuse=self._refuse, tell=_in_silence)
        self._bias = BiasWatch(schema, settings, refuse=_as_reported)
        self._copies = GroupCopies(self._bias.watched, whole)

    def _refuse(self, grouping: Grouping, why: str) -> None:
        name, none = str(grouping), Decision.NO_REFERENCE
        self._faults.append(SegmentSummary(name, grouping.column, "", none, why, rows=0, reference_rows=0, drifted=[]))

    def take(self, batch: Batch, checked: Checked) -> None:
        """Add rows. Cost: per grouping as much as adding them to the whole."""
        self._watch.take(batch, checked, 0)
        self._bias.take(batch, checked, 0)
        self._copies.update(batch, checked)

    def segments(self, lacking: Collection[str]) -> list[SegmentSummary]:
        """Give all segments, those that can't be watched at the end; `lacking` are the columns that the data does not have."""
        self._watch.evaluate(0)
        return [*(self._told(summary, lacking) for summary in self._watch.summaries()), *self._faults]

    def _told(self, summary: SegmentSummary, lacking: Collection[str]) -> SegmentSummary:
        report = self._watch.report(summary.name)
        reason = summary.reason or (leading_reason(report) if report is not None else "")
        if summary.column in lacking:
            reason = _not_there(summary.column)
        return msgspec.structs.replace(summary, reason=in_words_of_file(reason))

    def groups(self, lacking: Collection[str]) -> list[GroupReport]:
        """Give all groups, those that can't be watched at the end."""
        reports = self._bias.evaluate_once(self._copies.result(), 0)
        return [
            msgspec.structs.replace(report, reason=_not_there(report.column)) if report.column in lacking else report
            for report in reports
        ]


def _not_there(column: str) -> str:
    return f"the data has no column {column!r}"


def _in_silence(before: Report | None, after: Report, segment: str) -> None:
    """Tell nobody: what changed is what is reported."""


def _as_reported(grouping: Grouping, why: str) -> None:
    """Tell nobody: the group's report says why."""

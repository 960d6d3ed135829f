"""Segments and groups for readers: in which order, and what the cells of a row say, on a terminal and on the page."""

from __future__ import annotations

from agent.compare.comparison import Comparison
from agent.compare.order import ORDER
from agent.evaluate.reason import number
from agent.evaluate.report import Decision, GapReport, GroupReport
from agent.evaluate.segments import SegmentSummary

SEGMENT_HEAD = ("segment", "state", "rows", "in training", "drifted columns")
GROUP_HEAD = ("group", "state", "selected", "of the others", "difference", "95 %", "ratio", "95 %", "rows")

_NONE = "–"
_COLUMNS = 5
"""Drifted columns that are named."""


def segments_of(comparison: Comparison) -> list[SegmentSummary]:
    """Give the segments, the most alarming first."""
    return sorted(comparison.segments, key=lambda segment: ORDER[segment.decision])


def groups_of(comparison: Comparison) -> list[GroupReport]:
    """Give the groups, the most alarming first."""
    return sorted(comparison.groups, key=lambda group: ORDER[group.decision])


def segment_cells(segment: SegmentSummary) -> tuple[str, ...]:
    """Write a segment under `SEGMENT_HEAD`."""
    named = ", ".join(segment.drifted[:_COLUMNS])
    more = len(segment.drifted) - _COLUMNS
    columns = f"{named} and {more:,} more" if more > 0 else named or _NONE
    return segment.name, words_of(segment.decision), f"{segment.rows:,}", f"{segment.reference_rows:,}", columns


def group_cells(group: GroupReport) -> tuple[str, ...]:
    """Write a group under `GROUP_HEAD`."""
    # it is unlike the others, which is no drift
    said = "unlike" if group.decision is Decision.DRIFTED else words_of(group.decision)
    gaps = (*_gap(group.difference), *_gap(group.ratio))
    return group.name, said, _percent(group.rate), _percent(group.other_rate), *gaps, f"{group.rows:,}"


def words_of(decision: Decision) -> str:
    """Write a decision.

    >>> words_of(Decision.NO_REFERENCE)
    'no reference'
    """
    return decision.replace("_", " ")


def _gap(gap: GapReport | None) -> tuple[str, str]:
    if gap is None or gap.value is None:
        return _NONE, _NONE
    if gap.lower is None:
        return number(gap.value), _NONE
    return number(gap.value), f"{number(gap.lower)} … {'∞' if gap.upper is None else number(gap.upper)}"


def _percent(rate: float | None) -> str:
    return _NONE if rate is None else f"{100 * rate:.1f} %"

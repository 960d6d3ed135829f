"""Segments of traffic: the rows with one value of a configured column, in a window and with a report of their own.

Every segment has a ring like the one of all rows, of fewer and longer panes (`PANES`), made when its first row comes. So a
segment costs 25 KB per numeric column instead of 100, and there are `OUTRIDER_MAX_SEGMENTS` at most, whatever values clients
send: only values that the profile knows are segments, the most frequent in training first. All others are counted together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from agent.batch import Batch, Checked
from agent.config import Settings
from agent.errors import OutriderError
from agent.evaluate.changes import log_changes
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import SEASON, Decision, Report
from agent.evaluate.rule import Rule
from agent.evaluate.segments import (
    SegmentSummary,
    SegmentTolerated,
    is_coarse,
    segment_schema,
    segments_of,
    without_reference,
)
from agent.evaluate.tolerance import Tolerated
from agent.group_language import Grouping
from agent.profile.schema import Schema
from agent.profile.segments import Segments
from agent.validate.groups import Splitter
from agent.validate.watched import Watched, watch
from agent.window.ring import Ring
from agent.window.state import load, save

log = logging.getLogger("outrider.monitor")

PANES = 12
"""A segment's window is of no more panes than this: it has fewer rows than the whole, and takes longer to show anything."""

OTHER, MISSING = "_other", "_missing"
"""What rows are counted under that have another value, or none."""

_STREAKS = msgspec.msgpack.Decoder(Streaks)


Refuse = Callable[[Grouping, str], None]
Tell = Callable[[Report | None, Report, str], None]


def refuse_in_log(grouping: Grouping, why: str) -> None:
    """Say in the log that a grouping can't be watched."""
    log.error("a segment can't be watched segment=%s reason=%r", grouping, why)


@dataclass(slots=True)
class _Segment:
    """One segment that is watched."""

    name: str
    column: str
    value: str
    schema: Schema
    tolerated: Tolerated
    reason: str
    """Why nothing is compared with training; empty where it is."""
    reference_rows: int
    ring: Ring | None = None
    streaks: Streaks = field(default_factory=Streaks)
    report: Report | None = None

    @property
    def folder(self) -> str:
        """Where its state is kept, below the state directory."""
        return f"segment-{sha256(self.name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class _Cut:
    """One grouping, and a segment for each of its groups that are watched."""

    watched: Watched
    segments: list[_Segment]


class SegmentWatch:
    """Keeps the segments that the settings ask for.

    Parameters
    ----------
    schema
        With what training was like in each segment.
    settings
        Which segments, how many, the window.
    tolerated
        The tolerances of all rows.
    ring
        Makes a segment's window from its schema; one of `PANES` panes at most if not given.
    refuse
        Called for each grouping that can't be watched, with the reason; a line in the log if not given.
    tell
        Called at each evaluation of a segment with its report before, the new one and its name; lines in the log if not given.

    Attributes
    ----------
    rows
        Rows since the start, by column and value, `OTHER` and `MISSING` among the values.
    """

    def __init__(
        self,
        schema: Schema,
        settings: Settings,
        tolerated: Tolerated,
        *,
        ring: Callable[[Schema], Ring] | None = None,
        refuse: Refuse = refuse_in_log,
        tell: Tell = log_changes,
    ) -> None:
        self.rows: dict[tuple[str, str], int] = {}
        self._splitter = Splitter(schema)
        self._min_rows = settings.min_rows
        chosen = watch(settings.segments, schema, settings.max_segments, refuse)
        share = settings.alpha / max(1, sum(len(watched.values) for watched in chosen))
        self._rule = replace(Rule.from_settings(settings), alpha=share)
        self._cuts = [_Cut(watched, list(self._segments_of(watched, schema, tolerated))) for watched in chosen]
        self._segments = [segment for cut in self._cuts for segment in cut.segments]
        self._ring = ring or _rings(settings)
        self._tell = tell

    def _segments_of(self, watched: Watched, schema: Schema, tolerated: Tolerated) -> Iterator[_Segment]:
        grouping = watched.grouping
        known = segments_of(schema, grouping)
        for name, value in zip(watched.names, watched.values, strict=True):
            mine = segment_schema(schema, known, value)
            rows = _training_rows(known, value)
            own = SegmentTolerated(self._rule, mine, tolerated, coarse=is_coarse(known))
            yield _Segment(name, grouping.column, value, mine, own, _why_not(known, value, rows, self._min_rows), rows)

    def take(self, batch: Batch, checked: Checked, now_ns: int) -> None:
        """Add the rows of a batch to their segments. Cost: per grouping as much as adding them to the whole."""
        for cut in self._cuts:
            column, size = cut.watched.grouping.column, len(cut.segments)
            places = cut.watched.of(batch, checked)
            if places is None:
                self._count(column, MISSING, checked.rows)
                continue
            self._count(column, MISSING, int(np.count_nonzero(places < 0)))
            self._count(column, OTHER, int(np.count_nonzero(places == size)))
            for at, part in self._splitter.split(checked, places, size):
                segment = cut.segments[at]
                self._count(column, segment.value, part.rows)
                if segment.ring is None:
                    segment.ring = self._ring(segment.schema)
                segment.ring.update(part, now_ns)

    def _count(self, column: str, value: str, rows: int) -> None:
        if rows:
            self.rows[column, value] = self.rows.get((column, value), 0) + rows

    def evaluate(self, now_ns: int) -> None:
        """Evaluate every segment that has had rows. Cost: 16 ms for each with 50 columns."""
        for segment in self._segments:
            if segment.ring is None:
                continue
            window = segment.ring.window(now_ns)
            before = segment.report
            report, segment.streaks = evaluate(window, segment.schema, self._rule, segment.streaks, {}, now_ns, segment.tolerated)
            segment.report = without_reference(report, segment.reason) if segment.reason else report
            self._tell(before, segment.report, segment.name)

    def report(self, name: str) -> Report | None:
        """Give a segment's newest report; ``None`` if there is no such segment, or it has had no rows yet."""
        return next((segment.report for segment in self._segments if segment.name == name), None)

    def summaries(self) -> list[SegmentSummary]:
        """Give all segments in a line each, in the order of the settings."""
        return [_summary(segment) for segment in self._segments]

    def save(self, directory: str) -> None:
        """Write the windows below the state directory; `OutriderError` if the disk does not take one."""
        for segment in self._segments:
            if segment.ring is not None:
                save(segment.ring, Path(directory) / segment.folder, msgspec.msgpack.encode(segment.streaks))

    def take_up(self, directory: str) -> None:
        """Take up what `save` wrote; what can't be used is said and left."""
        for segment in self._segments:
            ring = self._ring(segment.schema)
            try:
                notes = load(ring, Path(directory) / segment.folder)
                if notes is not None:
                    segment.streaks = _STREAKS.decode(notes)
                    segment.ring = ring
            except (OSError, OutriderError, msgspec.DecodeError) as error:
                log.warning("a segment's saved state can't be used segment=%s reason=%r", segment.name, str(error))


def _rings(settings: Settings) -> Callable[[Schema], Ring]:
    pane_ns = round(settings.pane_s * 1e9)
    panes = max(1, round(settings.window_s / settings.pane_s))
    together = -(-panes // PANES)
    season = SEASON in settings.against
    return lambda schema: Ring(schema, pane_ns * together, -(-panes // together), season=season)


def _training_rows(known: Segments | None, value: str) -> int:
    return known.rows[known.values.index(value)] if known is not None and value in known.values else 0


def _why_not(known: Segments | None, value: str, rows: int, min_rows: int) -> str:
    if known is None:
        return "the profile was not cut by this column: build it with --by"
    if rows < min_rows:
        return f"training has {rows:,} rows of this segment, and fewer than {min_rows:,} are compared with nothing"
    if value not in known.values[: known.figured]:
        return "the profile has no room for the distributions of this segment"
    return ""


def _summary(segment: _Segment) -> SegmentSummary:
    report = segment.report
    if report is not None:
        decision, reason, rows = report.decision, report.reason, report.rows
    else:
        decision = Decision.NO_REFERENCE if segment.reason else Decision.INSUFFICIENT
        reason, rows = segment.reason or "no rows so far", 0
    drifted = [column.name for column in report.columns if column.decision is Decision.DRIFTED] if report is not None else []
    return SegmentSummary(segment.name, segment.column, segment.value, decision, reason, rows, segment.reference_rows, drifted)

"""What changed from one report to the next, for the log: whatever began to drift, and whatever no longer does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

from agent.evaluate.report import Decision, Report

log = logging.getLogger("outrider.monitor")

_DRIFTED = {
    "column": "column drifted",
    "relation": "columns go together otherwise than in training",
    "group": "a group is favoured or disfavoured",
}


class Change(NamedTuple):
    """Something that drifts now and did not before, or the other way round."""

    kind: str
    """``column``, ``relation`` or ``group``."""
    name: str
    decision: Decision
    """Now; `Decision.OK` for what is no longer in the report."""
    reason: str


def changes(before: Report | None, after: Report) -> Iterator[Change]:
    """Tell what began to drift, in the order of the report, and then what no longer does.

    Parameters
    ----------
    before
        The report before; ``None`` if there was none.
    after
        The newest.
    """
    earlier, found = _named(before) if before is not None else {}, _named(after)
    for key, (decision, reason) in found.items():
        if decision is Decision.DRIFTED and earlier.get(key, _CALM)[0] is not decision:
            yield Change(*key, decision, reason)
    for key, (was, _) in earlier.items():
        decision, reason = found.get(key, _CALM)
        if was is Decision.DRIFTED and decision is not was:
            yield Change(*key, decision, reason)


def log_changes(before: Report | None, after: Report, segment: str = "") -> None:
    """Say it, one line each; `segment` is the name of the segment that the reports are of, empty for all rows."""
    where, of = (" in a segment", f"segment={segment} ") if segment else ("", "")
    for kind, name, decision, reason in changes(before, after):
        if decision is Decision.DRIFTED:
            log.warning("%s%s %s%s=%s reason=%r", _DRIFTED[kind], where, of, kind, name, reason)
        else:
            log.info("no longer so%s: %s%s=%s decision=%s", where, of, kind, name, decision)


_CALM = (Decision.OK, "")


def _named(report: Report) -> dict[tuple[str, str], tuple[Decision, str]]:
    """Give what is decided in a report, by kind and name."""
    found = {("column", column.name): (column.decision, column.reason) for column in report.columns}
    found |= {("relation", " ~ ".join((one.kind, *one.columns))): (one.decision, one.reason) for one in report.relations}
    return found | {("group", group.name): (group.decision, group.reason) for group in report.groups}

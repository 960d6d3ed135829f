"""What is said first: the order of a comparison for readers, and its verdict in a sentence."""

from __future__ import annotations

from agent.compare.comparison import Comparison
from agent.evaluate.report import ColumnReport, Decision, GroupReport, RelationReport, Report, Score
from agent.evaluate.segments import SegmentSummary

REPEATED = 1.01
"""Below this many rows for one different row nothing is said of it: some are equal by chance."""

ORDER = {
    decision: rank
    for rank, decision in enumerate(
        (Decision.DRIFTED, Decision.SUSPECT, Decision.INSUFFICIENT, Decision.OK, Decision.NO_REFERENCE)
    )
}
"""Ranks of decisions for readers, the most alarming first."""


def evidence(score: Score) -> float:
    """Give by what factor a score's lower bound exceeds its tolerance; 0 where it is switched off.

    Examples
    --------
    >>> evidence(Score("ks", "training", 0.3, 0.2, 0.1, Decision.DRIFTED, 1, 500, 0.0))
    2.0
    """
    return score.lower / score.threshold if score.threshold else 0.0


def leading(column: ColumnReport) -> Score | None:
    """Give the score that says most of a column: among those of its decision the one with the most evidence."""
    return max(column.scores, key=lambda score: (score.decision is column.decision, evidence(score)), default=None)


def ordered(comparison: Report) -> list[ColumnReport]:
    """Give the columns, the most alarming first, then by evidence; else in the profile's order."""

    def key(column: ColumnReport) -> tuple[int, bool, float]:
        score = leading(column)
        loud = column.decision in (Decision.DRIFTED, Decision.SUSPECT)
        # what is derived from all columns follows from theirs
        return ORDER[column.decision], column.role == "derived", -evidence(score) if loud and score is not None else 0.0

    return sorted(comparison.columns, key=key)


def leading_reason(report: Report) -> str:
    """Say why a report's decision is what it is, by the column that says most; empty where nothing is to be said."""
    told = (column for column in ordered(report) if column.decision is report.decision and column.reason)
    column = next(told, None)
    if column is None or report.decision is Decision.OK:
        return ""
    loud = column.decision in (Decision.DRIFTED, Decision.SUSPECT)
    return f"{column.name}: {column.reason}" if loud else column.reason


def moved(comparison: Comparison) -> list[RelationReport]:
    """Give what drifted of how columns go together."""
    return [relation for relation in comparison.relations if relation.decision is Decision.DRIFTED]


def title(comparison: Comparison) -> str:
    """Name the model, as well as it is known."""
    return " ".join(filter(None, (comparison.model, comparison.version))) or "unnamed model"


def verdict(comparison: Comparison) -> str:
    """Say what came out: of the columns, and then of segments and groups where there are some."""
    return "; ".join([_of_columns(comparison), *_of_parts(comparison)])


def _of_parts(comparison: Comparison) -> list[str]:
    segments = [segment.decision for segment in comparison.segments]
    groups = [group.decision for group in comparison.groups]
    return [*_counted(segments, "segment", "drifted"), *_counted(groups, "group", "unlike the others")]


def _counted(decisions: list[Decision], what: str, said: str) -> list[str]:
    drifted = decisions.count(Decision.DRIFTED)
    decided = drifted + decisions.count(Decision.OK)
    if decided:
        return [f"{f'{drifted:,}' if drifted else 'none'} of {decided:,} {what}{'' if decided == 1 else 's'} {said}"]
    return [f"nothing could be decided of {what}s"] if decisions else []


def _of_columns(comparison: Comparison) -> str:
    columns = comparison.columns
    drifted = sum(column.decision is Decision.DRIFTED for column in columns)
    compared = sum(column.decision in (Decision.DRIFTED, Decision.OK) for column in columns)
    if not compared and not moved(comparison):
        return "Nothing could be decided: " + next((column.reason for column in columns if column.reason), "no columns")
    said = f"{drifted:,} of {compared:,} columns drifted" if drifted else f"None of {compared:,} columns drifted"
    if not moved(comparison):
        return said
    return f"{said}, {'and' if drifted else 'but'} how columns go together changed"


def notes(comparison: Comparison) -> list[str]:
    """Say what a reader should know of the data beside its distributions, one sentence each; may be empty."""
    found = []
    if comparison.missing_columns:
        found.append(f"missing columns, counted as missing values: {_listed(comparison.missing_columns)}")
    if comparison.absent_outputs:
        found.append(f"not in the data, so not compared: {_listed(comparison.absent_outputs)}")
    if comparison.extra_columns:
        found.append(f"columns that the profile does not know, not looked at: {_listed(comparison.extra_columns)}")
    if comparison.repeated > REPEATED:
        effective = comparison.rows / comparison.repeated
        found.append(
            f"rows are repeated: {comparison.rows:,} rows say as much as {effective:,.0f} different ones, so they count as these"
        )
    if comparison.anomalies:
        found.append(f"rows that are stranger than nearly all of training: {comparison.anomalies:,} of {comparison.rows:,}")
    found += [_not_watched("segments", one.name, one.reason) for one in comparison.segments if is_fault(one)]
    found += [_not_watched("groups", one.name, one.reason) for one in comparison.groups if is_fault(one)]
    return found


def is_fault(part: SegmentSummary | GroupReport) -> bool:
    """Tell a grouping that can't be watched from what is watched."""
    return not part.value and part.decision is Decision.NO_REFERENCE


def _not_watched(kind: str, name: str, reason: str) -> str:
    return f"{kind} by {name} can't be watched: {reason}"


def broken(column: ColumnReport) -> str:
    """Say how many rows broke the schema in a column; empty where none did."""
    words = ((kind.replace("_", " "), rows, "" if rows == 1 else "s") for kind, rows in column.violations.items())
    return ", ".join(f"{kind} in {rows:,} row{plural}" for kind, rows, plural in words)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")

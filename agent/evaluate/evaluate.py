"""One evaluation: a window against the schema's reference, column by column, to a report."""

from __future__ import annotations

import math
from collections.abc import Mapping

from agent.evaluate.decide import Streaks, score_of, worst
from agent.evaluate.reason import NOT_SEEN, explain, median_of, too_few
from agent.evaluate.report import ColumnReport, Decision, Report, Score
from agent.evaluate.rule import Rule
from agent.evaluate.table import statistics_for
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.effect import Effect
from agent.window.ring import Window


def evaluate(
    window: Window,
    schema: Schema | None,
    rule: Rule,
    streaks: Streaks,
    violations: Mapping[tuple[str, str], int],
    now_ns: int,
) -> tuple[Report, Streaks]:
    """Compare a window with the training reference and decide.

    A column's decision is the worst of its scores', the window's the worst of its columns'. Statistics that are undefined
    for these samples give no score. Cost: below 1 ms per column.

    Parameters
    ----------
    window
        Summaries in the order of ``schema.columns``, ``None`` for a column that was never seen.
    schema
        ``None`` where there is no reference yet: the report is then `Decision.NO_REFERENCE` without columns.
    rule
        Tolerances and how the error is shared out.
    streaks
        What the evaluation before this one returned; ``Streaks()`` for the first.
    violations
        Rows that broke the schema since the start, by (column, kind).
    now_ns
        Wall clock.

    Returns
    -------
    tuple
        The report, and the streaks to hand to the next evaluation.
    """
    evaluation = streaks.evaluations + 1
    columns = schema.columns if schema is not None else ()
    looks = streaks.looks + any(_decidable(summary, rule) for summary in window.summaries)
    alpha = rule.level(looks, sum(len(statistics_for(c.reference)) for c in columns if c.reference is not None))
    by_column: dict[str, dict[str, int]] = {}
    for (name, kind), count in violations.items():
        by_column.setdefault(name, {})[kind] = count
    reports = [
        _column(column, summary, rule, streaks, alpha, by_column.get(column.name, {}))
        for column, summary in zip(columns, window.summaries, strict=bool(columns))
    ]
    report = Report(
        time_ns=now_ns,
        window_start_ns=window.start_ns,
        window_end_ns=window.end_ns,
        rows=window.rows,
        model=schema.model if schema is not None else "",
        version=schema.version if schema is not None else "",
        evaluation=evaluation,
        decision=worst(column.decision for column in reports),
        columns=reports,
    )
    return report, Streaks(evaluation, looks, _runs(reports, streaks))


def _decidable(summary: Summary | None, rule: Rule) -> bool:
    return summary is not None and summary.rows >= rule.min_rows


def _runs(reports: list[ColumnReport], before: Streaks) -> dict[str, dict[str, int]]:
    runs = {}
    for column in reports:
        scores = {score.statistic: score.streak for score in column.scores}
        # A score that is undefined now says nothing: its streak waits, like that of a score with too few rows.
        kept = {**before.runs.get(column.name, {}), **scores}
        if alive := {statistic: run for statistic, run in kept.items() if run}:
            runs[column.name] = alive
    return runs


def _column(
    column: ColumnSchema, current: Summary | None, rule: Rule, streaks: Streaks, alpha: float, violations: dict[str, int]
) -> ColumnReport:
    reference = column.reference
    scores: list[Score] = []
    if reference is None:
        decision, reason = Decision.NO_REFERENCE, f"columns of type {column.type} are not compared"
    elif current is None or current.rows == 0:
        decision, reason = Decision.INSUFFICIENT, NOT_SEEN
    else:
        scores = _scores(column.name, current, reference, rule, streaks, alpha)
        decision = worst([Decision.INSUFFICIENT, *(score.decision for score in scores)])
        if decision == Decision.INSUFFICIENT:
            reason = too_few(current.rows, reference.rows, rule.min_rows)
        else:
            reason = explain(decision, scores, current, reference, current.rows, reference.rows)
    return ColumnReport(
        name=column.name,
        role=column.role,
        type=column.type,
        decision=decision,
        reason=reason,
        rows=current.rows if current is not None else 0,
        missing_share=_share(current.missing, current.rows) if current is not None else None,
        reference_rows=reference.rows if reference is not None else 0,
        reference_missing_share=_share(reference.missing, reference.rows) if reference is not None else None,
        scores=scores,
        mean=_mean(current),
        reference_mean=_mean(reference),
        median=_median(current),
        reference_median=_median(reference),
        unseen_share=_unseen(current),
        violations=violations,
    )


def _scores(name: str, current: Summary, reference: Summary, rule: Rule, streaks: Streaks, alpha: float) -> list[Score]:
    scores = []
    for statistic in statistics_for(reference):
        effect = statistic.compare(current, reference, alpha)
        if isinstance(effect, Effect):
            scores.append(score_of(statistic.name, effect, rule, streaks.run(name, statistic.name)))
    return scores


def _share(count: int, rows: int) -> float | None:
    return count / rows if rows else None


def _mean(summary: Summary | None) -> float | None:
    return summary.mean if isinstance(summary, NumericSummary) and math.isfinite(summary.mean) else None


def _median(summary: Summary | None) -> float | None:
    return median_of(summary) if isinstance(summary, NumericSummary) else None


def _unseen(summary: Summary | None) -> float | None:
    return _share(summary.unseen, summary.rows - summary.missing) if isinstance(summary, CategorySummary) else None
